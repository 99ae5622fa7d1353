/* SPDX-License-Identifier: MIT */
/* See torture_pages.h. */
#include "tests/hpt/torture_pages.h"

#include <string.h>

#include "hpt/adaptive.h"
#include "hpt/bucket.h"
#include "hpt/clustered.h"

struct page_kind kind;
struct page pages[PAGES];

/* The hash of the place where a page, or its block, stands. */
static uint64_t hash_of(const struct hpt_desc *desc, struct hpt_key key)
{
	if (kind.organisation == HPT_BUCKET)
		return hpt_hash(desc,
				bucket_hashed(bucket_tag(key), key.size == HPT_2M ? HPT_LARGE : 0));
	if (kind.organisation == HPT_CLUSTERED || kind.organisation == HPT_CUCKOO)
		return hpt_hash(desc, clustered_tag(key));
	if (kind.organisation == HPT_ADAPTIVE)
		return hpt_hash(desc, adaptive_region_tag(key));
	return hpt_hash(desc, hpt_tag(key));
}

void number_pages(const struct hpt_desc *desc)
{
	uint64_t number = UINT64_C(1) << 20;
	uint64_t step = has_forms() ? ADAPTIVE_PAGES : 2 * RUN;

	memset(pages, 0, sizeof(pages));
	for (unsigned int id = 0; id < PAGES; id++) {
		unsigned int run = id / RUN;

		if (run < SEGMENTS * SEGMENT_RUNS) {
			pages[id].number = (uint64_t)(run / SEGMENT_RUNS) * SEGMENT_STEP +
					   id % (SEGMENT_RUNS * RUN);
			continue;
		}
		if (id % RUN == 0) {
			do
				number += step;
			while (hash_of(desc,
				       hpt_key(1, number * hpt_pages_in(kind.size), kind.size)) >>
				       56 !=
			       0x5a);
		}
		pages[id].number = number + id % RUN;
	}
}

bool run_stays(unsigned int run)
{
	if (run >= SEGMENTS * SEGMENT_RUNS)
		return run % 8 == 0;
	switch (run / SEGMENT_RUNS % 4) {
	case 0:
		return run % 2;
	case 1:
		return false;
	case 2:
		return run % 16 == 5;
	default:
		return run % 64 == 9;
	}
}

bool none_stays(unsigned int segment)
{
	return segment % 4 == 1;
}

bool has_forms(void)
{
	return kind.organisation == HPT_ADAPTIVE && kind.size == HPT_4K;
}

/* Whether any page is marked that may be in one run with this one. */
static bool surroundings_marked(unsigned int id)
{
	unsigned int run = id / RUN;

	if (run < SEGMENTS * SEGMENT_RUNS)
		return run / SEGMENT_RUNS % 8 != 5;
	return run % 3;
}

bool is_marked(unsigned int id)
{
	return surroundings_marked(id) && id % RUN != 2;
}

bool may_show_mark(unsigned int id)
{
	return has_forms() ? surroundings_marked(id) : is_marked(id);
}

struct hpt_key key_of(unsigned int id)
{
	return hpt_key(1, pages[id].number * hpt_pages_in(kind.size), kind.size);
}

uint64_t entry_of(unsigned int id, uint32_t version)
{
	return hpt_entry(id * hpt_pages_in(kind.size) | (uint64_t)(version & VERSION_MASK)
								<< ID_BITS,
			 HPT_PRESENT | (kind.size == HPT_2M ? HPT_LARGE : 0));
}

unsigned int id_of(uint64_t entry)
{
	return (hpt_frame(entry) & ((1u << ID_BITS) - 1)) / hpt_pages_in(kind.size);
}

uint32_t version_of(uint64_t entry)
{
	return (uint32_t)(hpt_frame(entry) >> ID_BITS);
}

bool entry_right(unsigned int id, uint64_t entry)
{
	uint64_t free_flags = BOTH | HPT_ACCESSED | HPT_DIRTY;

	return version_of(entry) & 1 && (!(entry & BOTH) || (entry & BOTH) == BOTH) &&
	       (entry & ~free_flags) == entry_of(id, version_of(entry));
}

bool answer_right(unsigned int id, uint64_t entry, uint32_t least, uint32_t most)
{
	if (!entry)
		return !stays(id) && (least != most || !(least & 1));
	return entry_right(id, entry) &&
	       ((version_of(entry) - least) & VERSION_MASK) <= ((most - least) & VERSION_MASK);
}

bool owes_mark(unsigned int id, uint32_t *taken)
{
	*taken = atomic_load(&pages[id].taken);
	return !(*taken & 1) && atomic_load(&pages[id].marked) == *taken + 1;
}

void begin_taking(unsigned int id)
{
	uint32_t taken = atomic_fetch_add(&pages[id].taken, 1);

	pages[id].owed = atomic_load(&pages[id].marked) == taken + 1;
}

void end_taking(unsigned int id)
{
	atomic_fetch_add(&pages[id].taken, 1);
}

void begin_run(unsigned int run, uint32_t more)
{
	for (unsigned int id = run * RUN; id < (run + 1) * RUN; id++)
		atomic_store(&pages[id].begun, atomic_load(&pages[id].done) + more);
}

void end_run(unsigned int run)
{
	for (unsigned int id = run * RUN; id < (run + 1) * RUN; id++)
		atomic_store(&pages[id].done, atomic_load(&pages[id].begun));
}
