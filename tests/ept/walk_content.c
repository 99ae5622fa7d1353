/* SPDX-License-Identifier: MIT */
/* See walk_content.h. */
#include "tests/ept/walk_content.h"

#include "hpt/mix.h"

#define REGION UINT64_C(0x3000000) /* VPN */
#define HFN    UINT64_C(0x400000000)

struct filling {
	struct machine *machine;
	struct hpt_key *keys;
	size_t count;
	uint64_t gfn; /* that is free, and all behind it */
};

static void add_key(struct filling *filling, uint64_t vpn)
{
	cr_assert_lt(filling->count, CONTENT_KEYS);
	filling->keys[filling->count++] = hpt_key(CONTENT_ASID, vpn, HPT_4K);
}

/* A page and what it is mapped to; one of four is not writable, one of eight has no host frame. */
static void add_page(struct filling *filling, uint64_t vpn, uint64_t gfn)
{
	uint64_t flags = HPT_PRESENT | HPT_USER | (mix64(vpn) & 3 ? HPT_WRITE : 0);

	machine_map(&filling->machine->guest, hpt_key(CONTENT_ASID, vpn, HPT_4K),
		    hpt_entry(gfn, flags));
	if (mix64(gfn) & 7)
		machine_map(&filling->machine->host, hpt_key(0, gfn, HPT_4K),
			    hpt_entry(HFN + mix64(gfn) % 0x100000, HPT_PRESENT | HPT_WRITE));
}

static uint64_t scattered(struct filling *filling)
{
	return filling->gfn += 3;
}

static void add_sparse(struct filling *filling)
{
	for (uint64_t i = 1; i <= 40; i++) {
		uint64_t vpn = mix64(i) >> (64 - 36);

		add_page(filling, vpn, scattered(filling));
		add_key(filling, vpn);
		add_key(filling, vpn ^ 1);
	}
}

static void add_regions(struct filling *filling)
{
	for (uint64_t page = 0; page < HPT_LARGE_PAGES; page++) {
		add_page(filling, REGION + page, scattered(filling));
		if (page % 8 == 3)
			add_key(filling, REGION + page);
		if (page % 5 == 2) {
			add_page(filling, REGION + HPT_LARGE_PAGES + page, scattered(filling));
			add_key(filling, REGION + HPT_LARGE_PAGES + page);
		}
		if (page % 16 == 1)
			add_key(filling, REGION + HPT_LARGE_PAGES + page);
	}
}

static void add_run(struct filling *filling)
{
	const uint64_t vpn = REGION + 2 * HPT_LARGE_PAGES;
	const uint64_t gfn = filling->gfn + HPT_LARGE_PAGES - filling->gfn % HPT_LARGE_PAGES;
	uint64_t flags = HPT_PRESENT | HPT_WRITE;

	cr_assert_eq(pair_map_range(&filling->machine->guest, hpt_key(CONTENT_ASID, vpn, HPT_4K),
				    192, hpt_entry(gfn, flags)),
		     0);
	cr_assert_eq(pair_map_range(&filling->machine->host, hpt_key(0, gfn, HPT_4K), 160,
				    hpt_entry(HFN + 0x200000, flags)),
		     0);
	for (uint64_t page = 0; page < 200; page += 7)
		add_key(filling, vpn + page);
	filling->gfn = gfn + HPT_LARGE_PAGES;
}

/* In turn over a large page of the host's, over small ones, and over none. */
static void add_large(struct filling *filling)
{
	const uint64_t vpn = REGION + 8 * HPT_LARGE_PAGES;
	uint64_t flags = HPT_PRESENT | HPT_WRITE;
	uint64_t gfn = filling->gfn + HPT_LARGE_PAGES - filling->gfn % HPT_LARGE_PAGES;

	for (uint64_t i = 0; i < 12; i++, gfn += HPT_LARGE_PAGES) {
		uint64_t page = mix64(i) % (HPT_LARGE_PAGES - 1);

		machine_map(&filling->machine->guest,
			    hpt_key(CONTENT_ASID, vpn + i * HPT_LARGE_PAGES, HPT_2M),
			    hpt_entry(gfn, flags | HPT_LARGE));
		if (i % 3 == 0)
			machine_map(&filling->machine->host, hpt_key(0, gfn, HPT_2M),
				    hpt_entry(HFN + gfn, flags | HPT_LARGE));
		if (i % 3 == 1)
			machine_map(&filling->machine->host, hpt_key(0, gfn + page, HPT_4K),
				    hpt_entry(HFN + i, flags));
		add_key(filling, vpn + i * HPT_LARGE_PAGES + page);
		add_key(filling, vpn + i * HPT_LARGE_PAGES + page + 1);
	}
	filling->gfn = gfn;
}

size_t content_fill(struct machine *machine, struct hpt_key keys[CONTENT_KEYS])
{
	struct filling filling = {.machine = machine, .keys = keys, .gfn = MACHINE_DATA_GFN};

	add_sparse(&filling);
	add_regions(&filling);
	add_run(&filling);
	add_large(&filling);
	for (unsigned int bit = 0; bit < 64; bit++)
		add_key(&filling, UINT64_C(1) << bit);
	keys[filling.count - 1].asid = CONTENT_ASID + 1;
	keys[filling.count - 2].asid = UINT16_MAX;
	return filling.count;
}

size_t content_table_pages(const struct machine *machine, struct hpt_key *pages, size_t most)
{
	const struct model *model = &machine->host.model;
	struct model_cell *cell = NULL;
	size_t bucket = 0;
	size_t count = 0;

	while ((cell = model_next(model, &bucket, cell))) {
		if (cell->key.vpn < MACHINE_TABLE_GFN || cell->key.vpn >= MACHINE_DATA_GFN)
			continue;
		cr_assert_lt(count, most);
		pages[count++] = cell->key;
	}
	return count;
}
