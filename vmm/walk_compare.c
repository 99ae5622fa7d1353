/* SPDX-License-Identifier: MIT */
#include "vmm/walk_compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Rights that a leaf of the window has from the entry of stage 1. */
#define RIGHTS (HPT_WRITE | HPT_USER | HPT_NOEXEC)

#define TEXT_SIZE 96

static void __attribute__((format(printf, 3, 4)))
judge(struct walk_verdict *verdict, enum walk_verdict_kind kind, const char *format, ...)
{
	va_list arguments;

	verdict->kind = kind;
	va_start(arguments, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
	va_end(arguments);
}

/* The GFN of the page of `gva` that an entry maps. */
static uint64_t gfn_of(uint64_t entry, uint64_t gva)
{
	uint64_t within = entry & HPT_LARGE ? HPT_LARGE_PAGES - 1 : 0;

	return hpt_frame(entry) + ((gva >> HPT_PAGE_SHIFT) & within);
}

static enum walk_outcome outcome_of(uint64_t entry)
{
	return entry & HPT_SWAPPED ? WALK_SWAPPED : WALK_NOT_PRESENT;
}

/* What a walk must have found if the two tables have these entries. Pages of stage 2 are 4 KiB. */
static struct walk_result expected(const struct walk_answers *answers)
{
	uint64_t guest = answers->guest_entry;
	uint64_t host = answers->host_entry;

	if (answers->guest_error)
		return (struct walk_result){.outcome = WALK_ABSENT, .stage = 1};
	if (!hpt_resident(guest))
		return (struct walk_result){
			.outcome = outcome_of(guest), .stage = 1, .entry = guest};
	if (answers->host_error)
		return (struct walk_result){.outcome = WALK_ABSENT, .stage = 2};
	if (!hpt_resident(host))
		return (struct walk_result){.outcome = outcome_of(host), .stage = 2, .entry = host};
	return (struct walk_result){.outcome = WALK_TRANSLATED,
				    .entry = walk_join(guest, host, hpt_frame(host))};
}

static void describe(const struct walk_result *result, char text[TEXT_SIZE])
{
	if (result->stage)
		snprintf(text, TEXT_SIZE, "%s at stage %u, entry 0x%" PRIx64,
			 walk_outcome_name(result->outcome), result->stage, result->entry);
	else
		snprintf(text, TEXT_SIZE, "gpa 0x%" PRIx64 ", hfn 0x%" PRIx64 ", flags 0x%" PRIx64,
			 result->gfn << HPT_PAGE_SHIFT, hpt_frame(result->entry),
			 result->entry & HPT_FLAGS_MASK);
}

static bool same(const struct walk_result *one, const struct walk_result *two)
{
	return one->outcome == two->outcome && one->stage == two->stage &&
	       one->entry == two->entry && (one->stage == 1 || one->gfn == two->gfn);
}

/* The walk against the tables. True if it came to an end that can be compared with the machine. */
static bool compare_tables(const struct walk_answers *answers, struct walk_verdict *verdict)
{
	const struct walk_result *walk = &answers->walk;
	struct walk_result wanted = expected(answers);
	char found_text[TEXT_SIZE], wanted_text[TEXT_SIZE];

	if (wanted.stage != 1)
		wanted.gfn = gfn_of(answers->guest_entry, answers->gva);
	describe(walk, found_text);
	describe(&wanted, wanted_text);
	if (walk->of_table) {
		if (!answers->table_untouched)
			judge(verdict, WALK_WRONG,
			      "the walk says that a page of the guest's table is %s at stage 2, "
			      "lookups find all of them: %s",
			      walk_outcome_name(walk->outcome), wanted_text);
		return false;
	}
	if (!same(walk, &wanted)) {
		judge(verdict, WALK_WRONG, "the walk says %s, lookups say %s", found_text,
		      wanted_text);
		return false;
	}
	if (walk->outcome == WALK_TRANSLATED && hpt_frame(walk->entry) >= answers->frame_count) {
		judge(verdict, WALK_WRONG, "the walk says %s, the pool has 0x%" PRIx64 " frames",
		      found_text, answers->frame_count);
		return false;
	}
	return true;
}

/*
 * The walk by the slab says what the one says that translates each line of the guest's table: all
 * pages of the slab have frames.
 */
static void compare_slab(const struct walk_answers *answers, struct walk_verdict *verdict)
{
	const struct walk_result *walk = &answers->walk;
	const struct walk_result *slab = &answers->slab;
	char walk_text[TEXT_SIZE], slab_text[TEXT_SIZE];

	if (!answers->has_slab)
		return;
	if (slab->outcome == WALK_ASTRAY) {
		judge(verdict, WALK_LIED, "the guest's table leads out of its slab");
		return;
	}
	if (same(walk, slab) && walk->of_table == slab->of_table && walk->probe == slab->probe)
		return;
	describe(walk, walk_text);
	describe(slab, slab_text);
	judge(verdict, WALK_WRONG, "the walk says %s, by the slab it says %s", walk_text,
	      slab_text);
}

/* The window may have forgotten a page, but what it has is what the table says. */
static void compare_window(const struct walk_answers *answers, bool own_kernel,
			   struct walk_verdict *verdict)
{
	enum walk_verdict_kind kind = own_kernel ? WALK_WRONG : WALK_LIED;
	const struct x86_page *x86 = &answers->x86;
	uint64_t guest = answers->guest_entry;
	char walk_text[TEXT_SIZE];
	gpa_t gpa;

	if (answers->window != WALK_WINDOW_PRESENT)
		return;
	describe(&answers->walk, walk_text);
	gpa = answers->walk.gfn << HPT_PAGE_SHIFT | (answers->gva & (HPT_PAGE_SIZE - 1));
	if (answers->walk.stage == 1 || gpa != answers->window_gpa)
		judge(verdict, kind, "the walk says %s, KVM says gpa 0x%" PRIx64, walk_text,
		      answers->window_gpa);
	else if (answers->x86_error || x86->gpa != answers->window_gpa)
		judge(verdict, kind,
		      "KVM says gpa 0x%" PRIx64 ", the tables under CR3 say 0x%" PRIx64
		      " (error %d)",
		      answers->window_gpa, x86->gpa, -answers->x86_error);
	else if ((x86->flags ^ guest) & RIGHTS)
		judge(verdict, kind, "the walk says %s, the window has rights 0x%" PRIx64,
		      walk_text, x86->flags & RIGHTS);
}

/* The window of stage 2 may lack a page, but what it has is the frame of the table. */
static void compare_frames(const struct walk_answers *answers, struct walk_verdict *verdict)
{
	const struct pagemap_page *installed = &answers->installed;
	const struct pagemap_page *frame = &answers->frame;
	char walk_text[TEXT_SIZE];

	if (answers->walk.stage == 1 || !answers->is_ram)
		return;
	describe(&answers->walk, walk_text);
	if (!answers->has_pagemap) {
		verdict->frames = WALK_FRAMES_SKIPPED;
	} else if (answers->walk.stage == 2) {
		if (installed->present)
			judge(verdict, WALK_WRONG,
			      "the walk says %s, the window has the page of gpa 0x%" PRIx64,
			      walk_text, answers->walk.gfn << HPT_PAGE_SHIFT);
	} else if (!installed->present) {
		verdict->frames = WALK_FRAMES_NOT_INSTALLED;
	} else if (!installed->pfn || !frame->pfn) {
		verdict->frames = WALK_FRAMES_SKIPPED;
	} else if (installed->pfn == frame->pfn) {
		verdict->frames = WALK_FRAMES_COMPARED;
	} else {
		judge(verdict, WALK_WRONG,
		      "the walk says %s, which is PFN 0x%" PRIx64 ", the window has PFN 0x%" PRIx64,
		      walk_text, frame->pfn, installed->pfn);
	}
}

/* Whether the guest's table is one that no lookup has to understand. */
static bool is_lie(const struct walk_answers *answers, struct walk_verdict *verdict)
{
	uint64_t entry = answers->guest_entry;

	if (answers->guest_error == -EFAULT)
		judge(verdict, WALK_LIED, "the guest's table leads out of guest RAM");
	else if (answers->guest_error == -ELOOP)
		judge(verdict, WALK_LIED, "the guest's table leads on and on");
	else if (!answers->guest_error && hpt_resident(entry) && entry & HPT_LARGE &&
		 hpt_frame(entry) % HPT_LARGE_PAGES)
		judge(verdict, WALK_LIED, "a 2 MiB page begins within one: entry 0x%" PRIx64,
		      entry);
	return verdict->kind == WALK_LIED;
}

void walk_compare(const struct walk_answers *answers, bool own_kernel, struct walk_verdict *verdict)
{
	*verdict = (struct walk_verdict){.kind = WALK_AGREES, .frames = WALK_FRAMES_NONE};
	if (is_lie(answers, verdict))
		return;
	compare_slab(answers, verdict);
	if (verdict->kind != WALK_AGREES || !compare_tables(answers, verdict))
		return;
	compare_window(answers, own_kernel, verdict);
	if (verdict->kind == WALK_AGREES)
		compare_frames(answers, verdict);
}
