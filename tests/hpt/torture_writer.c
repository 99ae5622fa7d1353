/* SPDX-License-Identifier: MIT */
/* See torture_writer.h. */
#include "tests/hpt/torture_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hpt/adaptive_region.h"
#include "hpt/mix.h"
#include "tests/hpt/torture_pages.h"

#define SEGMENT_PAGES (SEGMENT_RUNS * RUN)
#define FORMS	      (ADAPTIVE_FORM_LARGE + 1)

struct hpt tortured;
atomic_ulong wrong, lost_marks, stray_marks;
atomic_uint busy_segment;

static unsigned long conversions[FORMS][FORMS];
static enum adaptive_form forms[SEGMENTS];

static void expect(bool right)
{
	if (!right)
		wrong++;
}

static uint64_t random_of(struct writer *writer)
{
	return mix64_next(&writer->random);
}

void writer_map_run(struct writer *writer, unsigned int run)
{
	unsigned int id = run * RUN;
	uint32_t version;

	begin_run(run, 1);
	version = atomic_load(&pages[id].begun);
	if (random_of(writer) & 1) {
		expect(!hpt_map_range(&tortured, key_of(id), RUN, entry_of(id, version)));
	} else {
		for (; id < (run + 1) * RUN; id++)
			expect(!hpt_map(&tortured, key_of(id),
					entry_of(id, atomic_load(&pages[id].begun))));
	}
	end_run(run);
}

/* Pages [first, first + count) are about to lose D, or to go. */
static void begin_taking_all(unsigned int first, unsigned int count)
{
	for (unsigned int id = first; id < first + count; id++)
		begin_taking(id);
}

/* They have; *context of their visit said whether each had it. */
static void end_taking_all(unsigned int first, unsigned int count, const uint64_t *seen)
{
	for (unsigned int id = first; id < first + count; id++) {
		bool dirty = seen && seen[id - first] & HPT_DIRTY;

		if (seen && pages[id].owed && !dirty)
			lost_marks++;
		if (dirty && !may_show_mark(id))
			stray_marks++;
		end_taking(id);
	}
}

/* Runs [first, end) of a segment go, those of them that are mapped. */
static void begin_unmapping(unsigned int first, unsigned int end)
{
	for (unsigned int run = first; run < end; run++) {
		begin_taking_all(run * RUN, RUN);
		if (mapped(run))
			begin_run(run, 1);
	}
}

static void end_unmapping(unsigned int first, unsigned int end)
{
	for (unsigned int run = first; run < end; run++) {
		end_run(run);
		end_taking_all(run * RUN, RUN, NULL);
	}
}

/* What a visit of a segment, or a part of it, is given, and what it has found. */
struct taking {
	unsigned int first;
	uint64_t seen[SEGMENT_PAGES];
};

static struct taking taking;

/* As the last entry of a page: unless it is that, it is visited once more. */
static void take(struct taking *from, uint64_t entry)
{
	unsigned int id = id_of(entry);

	expect(id - from->first < SEGMENT_PAGES);
	if (id - from->first < SEGMENT_PAGES)
		from->seen[id - from->first] = entry;
}

/* Removes pages. */
static uint64_t take_out(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	take(context, entry);
	return 0;
}

/* Takes D out of pages. */
static uint64_t harvest(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	take(context, entry);
	return entry & ~HPT_DIRTY;
}

/* Visits that look at D: of one run, or of a whole segment. */
static void visit_taking(unsigned int first, unsigned int count, hpt_visitor visit, void *context)
{
	memset(taking.seen, 0, sizeof(taking.seen));
	taking.first = first;
	begin_taking_all(first, count);
	expect(!hpt_visit_range(&tortured, key_of(first), count, visit, context));
	end_taking_all(first, count, taking.seen);
}

static void check_last(unsigned int id, uint64_t entry)
{
	expect(entry_right(id, entry) &&
	       version_of(entry) == (atomic_load(&pages[id].done) & VERSION_MASK));
}

static void unmap_run(struct writer *writer, unsigned int run)
{
	unsigned int first = run * RUN;
	uint64_t last[RUN] = {0};

	begin_run(run, 1);
	switch (random_of(writer) % 3) {
	case 0:
		begin_taking_all(first, RUN);
		for (unsigned int i = 0; i < RUN; i++) {
			expect(!hpt_unmap(&tortured, key_of(first + i), &last[i]));
			check_last(first + i, last[i]);
		}
		end_taking_all(first, RUN, last);
		break;
	case 1:
		visit_taking(first, RUN, take_out, &taking);
		for (unsigned int i = 0; i < RUN; i++)
			check_last(first + i, taking.seen[i]);
		break;
	default:
		begin_taking_all(first, RUN);
		expect(!hpt_unmap_range(&tortured, key_of(first), RUN));
		end_taking_all(first, RUN, NULL);
	}
	end_run(run);
}

/* What a whole segment is after one operation, in an adaptive table. */
static void note_form(unsigned int segment)
{
	struct adaptive_found found;
	enum adaptive_form form;

	if (!has_forms())
		return;
	adaptive_find(&tortured, adaptive_region_tag(key_of(segment * SEGMENT_PAGES)), &found);
	form = adaptive_form_of(&found);
	conversions[forms[segment]][form] += forms[segment] != form;
	forms[segment] = form;
}

bool writer_forms(void)
{
	static const char *const names[FORMS] = {"none", "compact", "spread", "leaf", "large"};
	bool all = true;

	for (unsigned int to = 0; to < FORMS; to++) {
		unsigned long came = 0;

		printf("# to %s:", names[to]);
		for (unsigned int from = 0; from < FORMS; from++) {
			came += conversions[from][to];
			if (conversions[from][to])
				printf(" %lu from %s", conversions[from][to], names[from]);
		}
		putchar('\n');
		all &= came > 0;
	}
	memset(conversions, 0, sizeof(conversions));
	memset(forms, 0, sizeof(forms));
	return all;
}

/* Where no 4 KiB page is mapped, one of 2 MiB may be: readers of the others do not see it. */
static void map_large(unsigned int segment)
{
	struct hpt_key key = key_of(segment * SEGMENT_PAGES);
	uint64_t entry = hpt_entry(0, HPT_PRESENT | HPT_LARGE | HPT_DIRTY);
	uint64_t old = 0;

	if (kind.size == HPT_2M)
		return;
	key.size = HPT_2M;
	expect(!hpt_map(&tortured, key, entry));
	note_form(segment);
	expect(!hpt_mark(&tortured, key, HPT_ACCESSED));
	expect(!hpt_unmap(&tortured, key, &old) && old == (entry | HPT_ACCESSED));
	note_form(segment);
}

/* Unmaps a whole segment, where none stays: nodes of a tree go. */
static void unmap_segment(unsigned int segment)
{
	unsigned int first = segment * SEGMENT_RUNS;

	begin_unmapping(first, first + SEGMENT_RUNS);
	expect(!hpt_unmap_range(&tortured, key_of(first * RUN), SEGMENT_PAGES));
	end_unmapping(first, first + SEGMENT_RUNS);
	note_form(segment);
	map_large(segment);
}

/* Of a segment, all that need not stay goes, but for one run in `kept`: ranges are cut. */
static void thin_segment(unsigned int segment, unsigned int kept)
{
	unsigned int end = (segment + 1) * SEGMENT_RUNS;

	for (unsigned int run = segment * SEGMENT_RUNS, next; run < end; run = next) {
		next = run + 1;
		if (run_stays(run) || run % kept == 0)
			continue;
		while (next < end && !run_stays(next) && next % kept)
			next++;
		begin_unmapping(run, next);
		expect(!hpt_unmap_range(&tortured, key_of(run * RUN),
					(uint64_t)(next - run) * RUN));
		end_unmapping(run, next);
		note_form(segment);
	}
}

/* What pages of a segment become that are to be one run: its version, and their flags. */
struct filling {
	uint32_t version;
	uint64_t flags;
};

static uint64_t fill_page(void *context, struct hpt_key key, uint64_t entry)
{
	const struct filling *filling = context;

	(void)key;
	take(&taking, entry);
	return entry_of(id_of(entry), filling->version) | filling->flags;
}

/*
 * Maps a segment as a whole, of one version and with the same flags: what is mapped is thinned out,
 * what stays is changed. Where there are runs it ends as one, unless readers mark it meanwhile; so
 * D is set for all of it now and then.
 */
static void fill_segment(unsigned int segment, bool dirty)
{
	unsigned int first = segment * SEGMENT_PAGES;
	unsigned int end = first + SEGMENT_PAGES;
	struct filling filling = {.flags = dirty && has_forms() && may_show_mark(first) ? HPT_DIRTY
											: 0};

	thin_segment(segment, SEGMENT_RUNS * SEGMENTS * 2 + 1);
	for (unsigned int id = first; id < end; id++) {
		if (atomic_load(&pages[id].done) >= filling.version)
			filling.version = atomic_load(&pages[id].done) + 1;
	}
	filling.version |= 1;
	for (unsigned int id = first; id < end; id++)
		atomic_store(&pages[id].begun, filling.version);
	for (unsigned int id = first, next; id < end; id = next) {
		next = id + RUN;
		if (mapped(id / RUN)) {
			visit_taking(id, RUN, fill_page, &filling);
			continue;
		}
		while (next < end && !mapped(next / RUN))
			next += RUN;
		expect(!hpt_map_range(&tortured, key_of(id), next - id,
				      entry_of(id, filling.version) | filling.flags));
		note_form(segment);
	}
	for (unsigned int id = first; id < end; id += RUN)
		end_run(id / RUN);
	note_form(segment);
}

/* Another frame: the next version of a page that stays. */
static uint64_t renew(void *context, struct hpt_key key, uint64_t entry)
{
	unsigned int id = id_of(entry);

	(void)context;
	(void)key;
	expect(id < PAGES);
	if (id >= PAGES || !stays(id))
		return entry;
	atomic_store(&pages[id].begun, atomic_load(&pages[id].done) + 2);
	return entry_of(id, atomic_load(&pages[id].begun)) |
	       (entry & (BOTH | HPT_ACCESSED | HPT_DIRTY));
}

static void end_all(void)
{
	for (unsigned int run = 0; run < RUNS; run++)
		end_run(run);
}

static void change_some(struct writer *writer)
{
	unsigned int id = (unsigned int)(random_of(writer) % PAGES);
	uint64_t random = random_of(writer);
	uint64_t set = random & 1 ? BOTH : 0;
	bool is_mapped = mapped(id / RUN);

	switch (random >> 1 & 15) {
	case 0:
		expect(!hpt_change_range(&tortured, hpt_key(1, 0, kind.size), UINT64_C(1) << 27,
					 BOTH, set));
		break;
	case 1:
		expect(!hpt_visit(&tortured, renew, NULL));
		end_all();
		break;
	case 2:
	case 3:
	case 4:
		expect(!hpt_visit_range(&tortured, key_of(id), 1, renew, NULL));
		end_run(id / RUN);
		break;
	default:
		expect(hpt_change(&tortured, key_of(id), BOTH, set) == (is_mapped ? 0 : -ENOENT));
	}
}

/* A segment as a whole: gone, thinned out, filled, or without D. */
static void change_segment(struct writer *writer, unsigned int segment)
{
	uint64_t random = random_of(writer);

	atomic_store(&busy_segment, segment);
	switch (random & 3) {
	case 0:
		fill_segment(segment, random & 4);
		break;
	case 1:
		visit_taking(segment * SEGMENT_PAGES, SEGMENT_PAGES, harvest, &taking);
		break;
	default:
		if (none_stays(segment) && random & 4)
			unmap_segment(segment);
		else
			thin_segment(segment, 2u << (random >> 3) % 7);
	}
}

void writer_step(struct writer *writer)
{
	uint64_t random = random_of(writer);
	unsigned int run = (unsigned int)(random % RUNS);
	unsigned int segment = random >> 32 & (SEGMENTS - 1);

	/* Mostly where the readers are. */
	if (random >> 36 & 1)
		run = atomic_load(&busy_segment) * SEGMENT_RUNS + run % SEGMENT_RUNS;
	writer->steps++;
	if (!(random >> 40 & 7))
		change_some(writer);
	else if (!(random >> 43 & 127) && hpt_settle(&tortured, 0) != -EAGAIN)
		expect(kind.organisation == HPT_RADIX || !hpt_rekey(&tortured, random));
	else if (!(random >> 50 & (has_forms() ? 15 : 127)))
		change_segment(writer, segment);
	else if (run_stays(run) || random >> 55 & 1)
		visit_taking(run * RUN, RUN, harvest, &taking);
	else if (mapped(run))
		unmap_run(writer, run);
	else
		writer_map_run(writer, run);
	if (run < SEGMENTS * SEGMENT_RUNS)
		note_form(run / SEGMENT_RUNS);
}
