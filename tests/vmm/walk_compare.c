/* SPDX-License-Identifier: MIT */
/* Answers that agree, and answers in which one of all disagrees with the others. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "vmm/walk_compare.h"

#define GVA    UINT64_C(0x7f0000123000)
#define GFN    UINT64_C(0x4455)
#define HFN    UINT64_C(0x77)
#define FRAMES UINT64_C(0x1000)
#define GUEST  (HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_NOEXEC | HPT_ACCESSED)
#define HOST   (HPT_PRESENT | HPT_WRITE | HPT_SOFT)

static struct walk_answers answers;
static struct walk_verdict verdict;

/* A page that all have, and say the same of. */
static void all_agree(void)
{
	answers = (struct walk_answers){
		.gva = GVA,
		.frame_count = FRAMES,
		.guest_entry = hpt_entry(GFN, GUEST),
		.host_entry = hpt_entry(HFN, HOST),
		.window = WALK_WINDOW_PRESENT,
		.window_gpa = GFN << HPT_PAGE_SHIFT,
		.x86 = {.gpa = GFN << HPT_PAGE_SHIFT,
			.flags = HPT_WRITE | HPT_USER | HPT_NOEXEC,
			.shift = 12},
		.is_ram = true,
		.has_pagemap = true,
		.installed = {.present = true, .pfn = 99},
		.frame = {.present = true, .pfn = 99},
	};
	answers.walk = (struct walk_result){
		.gfn = GFN,
		.entry = walk_join(answers.guest_entry, answers.host_entry, HFN),
	};
}

static void expect(enum walk_verdict_kind kind, bool own_kernel, const char *text)
{
	walk_compare(&answers, own_kernel, &verdict);
	cr_expect_eq(verdict.kind, kind, "%d: %s", (int)verdict.kind, verdict.text);
	cr_expect(strstr(verdict.text, text), "\"%s\" is not in \"%s\"", text, verdict.text);
}

static void expect_agreement(enum walk_frames frames)
{
	expect(WALK_AGREES, true, "");
	cr_expect_eq(verdict.frames, frames, "%d", (int)verdict.frames);
	cr_expect_str_eq(verdict.text, "");
}

/* The walk ended so, and so did the lookups. */
static void ends(enum walk_outcome outcome, unsigned int stage, uint64_t entry)
{
	all_agree();
	answers.walk =
		(struct walk_result){.outcome = outcome, .stage = (uint8_t)stage, .entry = entry};
	if (stage == 1) {
		answers.guest_error = entry ? 0 : -ENOENT;
		answers.guest_entry = entry;
		answers.host_entry = 0;
		answers.is_ram = answers.has_pagemap = false;
	} else {
		answers.host_error = entry ? 0 : -ENOENT;
		answers.host_entry = entry;
		answers.walk.gfn = GFN;
		answers.installed = (struct pagemap_page){0};
	}
}

Test(walk_compare, a_page_that_all_have_agrees)
{
	all_agree();
	expect_agreement(WALK_FRAMES_COMPARED);
}

Test(walk_compare, a_page_of_2m_names_the_4k_page_in_it)
{
	all_agree();
	answers.guest_entry = hpt_entry(0x4400, GUEST | HPT_LARGE);
	answers.walk.gfn = 0x4400 + (GVA >> 12) % HPT_LARGE_PAGES;
	answers.window_gpa = answers.x86.gpa = answers.walk.gfn << HPT_PAGE_SHIFT;
	expect_agreement(WALK_FRAMES_COMPARED);
	answers.walk.gfn++;
	expect(WALK_WRONG, true, "lookups say gpa 0x4523000");
}

Test(walk_compare, what_the_machine_does_not_have_yet_is_no_disagreement)
{
	all_agree();
	answers.window = WALK_WINDOW_ABSENT;
	expect_agreement(WALK_FRAMES_COMPARED);
	answers.window = WALK_WINDOW_UNKNOWN;
	answers.installed = (struct pagemap_page){0};
	expect_agreement(WALK_FRAMES_NOT_INSTALLED);
}

Test(walk_compare, without_pfns_frames_are_skipped)
{
	all_agree();
	answers.installed.pfn = answers.frame.pfn = 0;
	expect_agreement(WALK_FRAMES_SKIPPED);
	all_agree();
	answers.has_pagemap = false;
	expect_agreement(WALK_FRAMES_SKIPPED);
}

Test(walk_compare, ends_of_all_kinds_agree)
{
	ends(WALK_ABSENT, 1, 0);
	answers.window = WALK_WINDOW_ABSENT;
	expect_agreement(WALK_FRAMES_NONE);
	ends(WALK_SWAPPED, 1, hpt_swap_entry(0x123, HPT_WRITE | HPT_LARGE));
	answers.window = WALK_WINDOW_ABSENT;
	expect_agreement(WALK_FRAMES_NONE);
	ends(WALK_NOT_PRESENT, 1, hpt_entry(5, HPT_SOFT));
	answers.window = WALK_WINDOW_ABSENT;
	expect_agreement(WALK_FRAMES_NONE);
	ends(WALK_ABSENT, 2, 0);
	expect_agreement(WALK_FRAMES_NONE);
	ends(WALK_SWAPPED, 2, hpt_swap_entry(7, HPT_WRITE));
	expect_agreement(WALK_FRAMES_NONE);
	ends(WALK_ABSENT, 2, 0);
	answers.is_ram = answers.has_pagemap = false; /* the guest maps what is no RAM */
	expect_agreement(WALK_FRAMES_NONE);
}

Test(walk_compare, an_untouched_page_of_the_table_ends_the_comparison)
{
	ends(WALK_ABSENT, 2, 0);
	answers.walk.of_table = true;
	answers.table_untouched = true;
	expect_agreement(WALK_FRAMES_NONE);
	answers.table_untouched = false;
	expect(WALK_WRONG, true, "lookups find all of them");
}

Test(walk_compare, each_field_of_the_walk_counts)
{
	all_agree();
	answers.walk.gfn ^= 1;
	expect(WALK_WRONG, true, "the walk says gpa 0x4454000");
	all_agree();
	answers.walk.entry ^= UINT64_C(1) << HPT_FRAME_SHIFT;
	expect(WALK_WRONG, true, "hfn 0x76");
	for (unsigned int bit = 0; bit < HPT_FRAME_SHIFT; bit++) {
		all_agree();
		answers.walk.entry ^= UINT64_C(1) << bit;
		expect(WALK_WRONG, true, "the walk says gpa 0x4455000, hfn 0x77");
	}
	all_agree();
	answers.walk = (struct walk_result){.outcome = WALK_ABSENT, .stage = 1};
	expect(WALK_WRONG, true, "the walk says absent at stage 1");
	all_agree();
	answers.walk = (struct walk_result){.outcome = WALK_ASTRAY, .stage = 1};
	expect(WALK_WRONG, true, "the walk says astray");
	ends(WALK_ABSENT, 2, 0);
	answers.walk.stage = 1;
	expect(WALK_WRONG, true, "lookups say absent at stage 2");
	ends(WALK_SWAPPED, 2, hpt_swap_entry(7, HPT_WRITE));
	answers.walk.outcome = WALK_NOT_PRESENT;
	expect(WALK_WRONG, true, "lookups say swapped out at stage 2");
	ends(WALK_ABSENT, 1, 0);
	answers.guest_error = 0;
	answers.guest_entry = hpt_entry(GFN, GUEST);
	answers.host_entry = hpt_entry(HFN, HOST);
	expect(WALK_WRONG, true, "lookups say gpa 0x4455000, hfn 0x77");
}

Test(walk_compare, a_frame_that_the_pool_does_not_have_is_wrong)
{
	all_agree();
	answers.frame_count = HFN;
	expect(WALK_WRONG, true, "the pool has 0x77 frames");
}

Test(walk_compare, a_window_that_differs_is_wrong_or_a_lie_of_another_kernel)
{
	all_agree();
	answers.window_gpa ^= HPT_PAGE_SIZE;
	expect(WALK_WRONG, true, "KVM says gpa 0x4454000");
	expect(WALK_LIED, false, "KVM says gpa 0x4454000");
	ends(WALK_ABSENT, 1, 0); /* the window has what the table has no more */
	expect(WALK_WRONG, true, "the walk says absent at stage 1, entry 0x0, KVM says gpa");
	all_agree();
	answers.x86.gpa ^= HPT_PAGE_SIZE;
	expect(WALK_WRONG, true, "the tables under CR3 say 0x4454000");
	all_agree();
	answers.x86_error = -ENOENT;
	expect(WALK_WRONG, true, "(error 2)");
	ends(WALK_ABSENT, 2, 0);
	answers.window_gpa ^= HPT_PAGE_SIZE;
	expect(WALK_WRONG, true, "KVM says");
}

Test(walk_compare, each_right_of_the_window_counts)
{
	static const uint64_t rights[] = {HPT_WRITE, HPT_USER, HPT_NOEXEC};

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		all_agree();
		answers.x86.flags ^= rights[i];
		expect(WALK_WRONG, true, "the window has rights");
		expect(WALK_LIED, false, "the window has rights");
	}
}

Test(walk_compare, two_pfns_are_wrong_whoever_made_the_kernel)
{
	all_agree();
	answers.installed.pfn++;
	expect(WALK_WRONG, true, "which is PFN 0x63, the window has PFN 0x64");
	expect(WALK_WRONG, false, "the window has PFN 0x64");
}

Test(walk_compare, a_page_of_the_window_without_an_entry_is_wrong)
{
	ends(WALK_ABSENT, 2, 0);
	answers.installed = (struct pagemap_page){.present = true}; /* no root needed */
	expect(WALK_WRONG, true, "the window has the page of gpa 0x4455000");
}

Test(walk_compare, a_table_that_cannot_be_is_a_lie_whatever_the_walk_says)
{
	all_agree();
	answers.guest_error = -EFAULT;
	expect(WALK_LIED, true, "leads out of guest RAM");
	answers.guest_error = -ELOOP;
	expect(WALK_LIED, true, "on and on");
	answers.guest_error = 0;
	answers.guest_entry = hpt_entry(0x4401, GUEST | HPT_LARGE);
	expect(WALK_LIED, true, "begins within one");
}

Test(walk_compare, a_walk_by_the_slab_says_the_same_or_is_wrong)
{
	all_agree();
	answers.has_slab = true;
	answers.slab = answers.walk;
	expect_agreement(WALK_FRAMES_COMPARED);
	answers.slab.entry ^= HPT_WRITE;
	expect(WALK_WRONG, true, "by the slab it says gpa 0x4455000, hfn 0x77, flags 0x");
	answers.slab = answers.walk;
	answers.slab.probe = 2;
	expect(WALK_WRONG, true, "by the slab");
	answers.slab = (struct walk_result){.outcome = WALK_ABSENT, .stage = 1};
	expect(WALK_WRONG, true, "by the slab it says absent at stage 1");
	answers.has_slab = false;
	expect_agreement(WALK_FRAMES_COMPARED);
}

Test(walk_compare, a_table_that_leads_out_of_its_slab_is_a_lie)
{
	all_agree();
	answers.has_slab = true;
	answers.slab = (struct walk_result){.outcome = WALK_ASTRAY, .stage = 1};
	expect(WALK_LIED, true, "the guest's table leads out of its slab");
	expect(WALK_LIED, false, "the guest's table leads out of its slab");
}
