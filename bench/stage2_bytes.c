/* SPDX-License-Identifier: MIT */
/*
 * Section bytes: what stage 2 keeps for a page that was touched. All of it is counted: the table,
 * which is the reverse map's place as well (a frame's page follows from the window's blocks) and
 * has the replacement state in its entries; what the swap file's slots have in memory; the blocks
 * of window and pool; struct ept itself. Of the arrays, what is in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/bench.h"
#include "bench/stage2.h"

#define WHOLE_TARGET  1.0
#define DENSE_TARGET  12.0
#define SPARSE_TARGET 32.0

static const enum hpt_organisation tables[] = {HPT_RADIX, HPT_CLUSTERED, HPT_ADAPTIVE};

/* Bytes of the pages of [start, start + size) that are in memory. */
static uint64_t resident(const void *start, uint64_t size)
{
	uintptr_t first = (uintptr_t)start & ~(HPT_PAGE_SIZE - 1);
	uint64_t pages = ((uintptr_t)start + size - first + HPT_PAGE_SIZE - 1) >> HPT_PAGE_SHIFT;
	unsigned char *map = malloc(pages);
	uint64_t count = 0;

	if (!map || mincore((char *)(uintptr_t)first, pages << HPT_PAGE_SHIFT, map) < 0)
		abort();
	for (uint64_t i = 0; i < pages; i++)
		count += map[i] & 1;
	free(map);
	return count << HPT_PAGE_SHIFT;
}

static uint64_t blocks_of(const struct ept *ept)
{
	uint64_t blocks = ept->window.size >> EPT_BLOCK_SHIFT;

	return resident(ept->window.blocks, blocks * sizeof(*ept->window.blocks)) +
	       resident(ept->blocks, blocks * sizeof(*ept->blocks));
}

static uint64_t slots_of(const struct ept *ept)
{
	const struct ept_swap *swap = ept->swap;

	if (!swap->slots)
		return 0;
	return resident(swap->sums, swap->slots * sizeof(*swap->sums)) +
	       resident(swap->taken, (swap->slots + 63) / 64 * sizeof(*swap->taken));
}

struct sizes {
	double table, slots, rest, all; /* bytes a page */
};

static const struct mapping {
	const char *name, *away;
	uint64_t touched; /* pages; a quarter with --quick */
	uint64_t spread;  /* from one to the next */
	bool swaps;	  /* there are a quarter as many frames */
	enum ept_pages host_pages;
	double target;
} mappings[] = {
	{"sparse", "none", 2 * STAGE2_PAGES, EPT_BLOCK_PAGES, false, EPT_4K, SPARSE_TARGET},
	{"sparse", "3/4", 2 * STAGE2_PAGES, EPT_BLOCK_PAGES, true, EPT_4K, SPARSE_TARGET},
	{"dense", "none", 8 * STAGE2_PAGES, 1, false, EPT_4K, DENSE_TARGET},
	{"dense", "3/4", 8 * STAGE2_PAGES, 1, true, EPT_4K, DENSE_TARGET},
	{"whole", "none", 8 * STAGE2_PAGES, 1, false, EPT_2M, WHOLE_TARGET},
};

static struct sizes measure(struct bench *bench, enum hpt_organisation organisation,
			    const struct mapping *mapping, uint64_t touched)
{
	static struct stage2 stage2;
	uint64_t span = touched * mapping->spread;
	struct ept_config config = stage2_config(span, mapping->swaps ? touched / 4 : span);
	struct ept *ept = &stage2.ept;
	double pages = (double)touched;
	struct sizes sizes;

	config.organisation = organisation;
	config.host_pages = mapping->host_pages;
	config.swap = stage2_swap_in_memory();
	stage2_begin(&stage2, &config, false);
	for (uint64_t i = 0; i < touched; i++) {
		gpa_t gpa = (i * mapping->spread) << HPT_PAGE_SHIFT;
		uint64_t value = i + 1;

		bench->failures += ept_copy_in(ept, gpa, &value, sizeof(value)) < 0;
	}
	sizes.table = (double)ept->table.counts.bytes / pages;
	sizes.slots = (double)slots_of(ept) / pages;
	sizes.rest = (double)(blocks_of(ept) + sizeof(*ept)) / pages;
	sizes.all = sizes.table + sizes.slots + sizes.rest;
	stage2_end(&stage2);
	return sizes;
}

static void run_case(struct bench *bench, enum hpt_organisation organisation,
		     const struct mapping *mapping)
{
	uint64_t touched = bench->quick ? mapping->touched / 4 : mapping->touched;
	struct sizes sizes = measure(bench, organisation, mapping, touched);
	const char *name = hpt_organisation_name(organisation);
	char bar[96];

	printf("%-10s %-7s %-5s %8.2f %8.2f %8.2f %8.2f\n", name, mapping->name, mapping->away,
	       sizes.table, sizes.slots, sizes.rest, sizes.all);
	bench_row(bench, "bytes",
		  json_pack("{s:s, s:s, s:b, s:f, s:f, s:f, s:f}", "table", name, "mapping",
			    mapping->name, "swaps", mapping->swaps, "table_bytes", sizes.table,
			    "slot_bytes", sizes.slots, "rest_bytes", sizes.rest, "bytes",
			    sizes.all));
	if (organisation != HPT_ADAPTIVE || bench->quick)
		return; /* of few pages what is there once would be the most */
	snprintf(bar, sizeof(bar), "stage-2 bookkeeping, adaptive, bytes a page, %s%s",
		 mapping->name, mapping->swaps ? ", three of four swapped out" : "");
	bench_bar(bar, sizes.all, mapping->target, true);
}

static void run(struct bench *bench)
{
	printf("%-10s %-7s %-5s %8s %8s %8s %8s\n", "table", "touched", "away", "table", "slots",
	       "rest", "all");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (size_t m = 0; m < sizeof(mappings) / sizeof(mappings[0]); m++)
			run_case(bench, tables[i], &mappings[m]);
	}
}

const struct bench_section stage2_bytes_section = {
	"bytes",
	"bookkeeping, bytes a page that was touched: all, in entries of 4 KiB or 2 MiB, or one of 512",
	run};
