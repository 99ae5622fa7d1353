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

#define DENSE_TARGET  12.0
#define SPARSE_TARGET 32.0
#define PER_BLOCK     EPT_BLOCK_PAGES

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
	return resident(ept->window.blocks,
			(ept->window.size >> EPT_BLOCK_SHIFT) * sizeof(*ept->window.blocks)) +
	       resident(ept->pool.order, ept->pool.blocks * sizeof(*ept->pool.order));
}

static uint64_t slots_of(const struct ept *ept)
{
	const struct ept_swap *swap = &ept->swap;

	if (!swap->slots)
		return 0;
	return resident(swap->sums, swap->slots * sizeof(*swap->sums)) +
	       resident(swap->taken, (swap->slots + 63) / 64 * sizeof(*swap->taken));
}

struct sizes {
	double table, slots, rest, all; /* bytes a page */
};

/* Touches every `spread`th page; with a quarter as many frames if it shall swap. */
static struct sizes measure(struct bench *bench, enum hpt_organisation organisation,
			    uint64_t touched, uint64_t spread, bool swaps)
{
	static struct stage2 stage2;
	struct ept_config config =
		stage2_config(touched * spread, swaps ? touched / 4 : touched * spread);
	struct ept *ept = &stage2.ept;
	double pages = (double)touched;
	struct sizes sizes;

	config.organisation = organisation;
	config.swap = stage2_swap_in_memory();
	stage2_begin(&stage2, &config, false);
	for (uint64_t i = 0; i < touched; i++) {
		uint64_t value = i + 1;

		if (ept_copy_in(ept, (i * spread) << HPT_PAGE_SHIFT, &value, sizeof(value)) < 0)
			bench->failures++;
	}
	sizes.table = (double)ept->table.counts.bytes / pages;
	sizes.slots = (double)slots_of(ept) / pages;
	sizes.rest = (double)(blocks_of(ept) + sizeof(*ept)) / pages;
	sizes.all = sizes.table + sizes.slots + sizes.rest;
	stage2_end(&stage2);
	return sizes;
}

static void note_bars(const struct sizes *sizes, bool is_dense, bool swaps)
{
	char name[96];

	snprintf(name, sizeof(name), "stage-2 bookkeeping, adaptive, bytes a page, %s%s",
		 is_dense ? "dense" : "sparse", swaps ? ", three of four swapped out" : "");
	bench_bar(name, sizes->all, is_dense ? DENSE_TARGET : SPARSE_TARGET, true);
}

static void run_case(struct bench *bench, enum hpt_organisation organisation, bool is_dense,
		     bool swaps)
{
	uint64_t touched = bench->quick ? STAGE2_PAGES / 4 : STAGE2_PAGES * (is_dense ? 8 : 1);
	struct sizes sizes = measure(bench, organisation, touched, is_dense ? 1 : PER_BLOCK, swaps);
	const char *name = hpt_organisation_name(organisation);

	printf("%-10s %-7s %-5s %8.2f %8.2f %8.2f %8.2f\n", name, is_dense ? "dense" : "sparse",
	       swaps ? "3/4" : "none", sizes.table, sizes.slots, sizes.rest, sizes.all);
	bench_row(bench, "bytes",
		  json_pack("{s:s, s:b, s:b, s:f, s:f, s:f, s:f}", "table", name, "dense", is_dense,
			    "swaps", swaps, "table_bytes", sizes.table, "slot_bytes", sizes.slots,
			    "rest_bytes", sizes.rest, "bytes", sizes.all));
	if (organisation == HPT_ADAPTIVE)
		note_bars(&sizes, is_dense, swaps);
}

static void run(struct bench *bench)
{
	printf("%-10s %-7s %-5s %8s %8s %8s %8s\n", "table", "touched", "away", "table", "slots",
	       "rest", "all");
	for (unsigned int i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (int is_dense = 0; is_dense < 2; is_dense++) {
			run_case(bench, tables[i], is_dense, false);
			run_case(bench, tables[i], is_dense, true);
		}
	}
}

const struct bench_section stage2_bytes_section = {
	"bytes", "bookkeeping, bytes a page that was touched: all pages, or one of 512", run};
