/* SPDX-License-Identifier: MIT */
/* Slabs: how large, where, and which descriptors name nothing else. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "vmm/table_slab.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const struct ept_range slab = {.start = 4 * MIB, .size = 4 * MIB};
static struct hpt_desc desc;

Test(table_slab, it_is_as_large_as_a_table_that_maps_all_of_ram)
{
	/* 256 MiB: 65536 pages, in 16384 lines of eight at 5/8 */
	cr_expect_eq(table_slab_size(HPT_CLUSTERED, 256 * MIB), 2 * MIB);
	cr_expect_eq(table_slab_size(HPT_RADIX, 256 * MIB), 2 * MIB);
	cr_expect_eq(table_slab_size(HPT_CLUSTERED, 4 * GIB), 18 * MIB);
	cr_expect_eq(table_slab_size(HPT_RADIX, 4 * GIB), 10 * MIB);
	cr_expect_eq(table_slab_size(HPT_CLUSTERED, 4 * MIB), 2 * MIB);
}

/* A guest's memory for its table, counted. */
static int count_get(void *context, size_t size, uint64_t *address)
{
	struct ept_memory *memory = context;
	uint64_t *bytes = (uint64_t *)(memory + 1);
	struct ept_memory empty;
	struct hpt_memory functions = ept_memory_init(&empty);

	*bytes += size;
	return functions.get(memory, size, address);
}

static void count_put(void *context, uint64_t address, size_t size)
{
	(void)context;
	(void)address;
	(void)size;
}

/* All of 64 MiB, page by page at scattered frames, and RAM once more in 2 MiB pages. */
Test(table_slab, a_table_that_maps_all_of_ram_fits, .timeout = 60)
{
	static struct {
		struct ept_memory memory;
		uint64_t bytes;
	} counted;
	static struct hpt table;
	const uint64_t pages = 64 * MIB / HPT_PAGE_SIZE;

	for (unsigned int i = 0; i < HPT_ORGANISATIONS; i++) {
		struct hpt_config config = {
			.organisation = (enum hpt_organisation)i,
			.pages = pages,
			.memory = {.get = count_get, .put = count_put, .context = &counted},
		};

		(void)ept_memory_init(&counted.memory);
		counted.bytes = 0;
		cr_assert_eq(hpt_create(&table, &config), 0);
		for (uint64_t page = 0; page < pages / HPT_LARGE_PAGES; page++)
			cr_assert_eq(
				hpt_map(&table, hpt_key(0, (page + 1) * HPT_LARGE_PAGES, HPT_2M),
					hpt_entry(page * HPT_LARGE_PAGES, HPT_PRESENT | HPT_LARGE)),
				0);
		for (uint64_t page = 0; page < pages; page++)
			cr_assert_eq(hpt_map(&table, hpt_key(1, 0x7f0000000 + page, HPT_4K),
					     hpt_entry(page * 5 % pages, HPT_PRESENT)),
				     0);
		cr_expect_leq(counted.bytes, table_slab_size((enum hpt_organisation)i, 64 * MIB),
			      "%s takes %lu", hpt_organisation_name((enum hpt_organisation)i),
			      (unsigned long)counted.bytes);
		hpt_destroy(&table);
		ept_memory_destroy(&counted.memory);
	}
}

Test(table_slab, it_lies_behind_the_kernel)
{
	cr_expect_eq(table_slab_place(0x1aa008, 4 * MIB).start, 2 * MIB);
	cr_expect_eq(table_slab_place(2 * MIB, 4 * MIB).start, 2 * MIB);
	cr_expect_eq(table_slab_place(2 * MIB + 1, 4 * MIB).start, 4 * MIB);
	cr_expect_eq(table_slab_place(0, 4 * MIB).size, 4 * MIB);
}

/* Two chunks of lines and a page of spill; an old generation of one group. */
static void make(enum hpt_organisation organisation)
{
	memset(&desc, 0, sizeof(desc));
	desc.magic = HPT_MAGIC;
	desc.version = HPT_VERSION;
	desc.organisation = organisation;
	desc.split = UINT64_MAX;
	desc.current.lines_log2 = HPT_CHUNK_LINES_LOG2 + 1;
	desc.directory[0] = 4 * MIB;
	desc.directory[1] = 6 * MIB;
	desc.old = (struct hpt_generation){HPT_LINES_LOG2_MIN, HPT_CHUNKS};
	cr_assert(hpt_desc_valid(&desc));
}

static void expect(bool holds)
{
	cr_assert(hpt_desc_valid(&desc));
	cr_expect_eq(table_slab_holds(&slab, &desc), holds);
}

Test(table_slab, each_chunk_of_lines_must_be_in_it_as_a_whole)
{
	make(HPT_CLUSTERED);
	expect(true);
	desc.directory[1] = 6 * MIB + HPT_LINE_SIZE;
	expect(false);
	desc.directory[1] = 4 * MIB - HPT_LINE_SIZE;
	expect(false);
	desc.directory[1] = UINT64_MAX - MIB;
	expect(false);
	desc.directory[1] = 0;
	expect(false);
	desc.directory[1] = 8 * MIB;
	expect(false);
	desc.directory[1] = 4 * MIB;
	desc.directory[2] = 1; /* nobody reads that */
	expect(true);
}

Test(table_slab, the_old_generation_counts_while_there_is_one)
{
	make(HPT_BUCKET);
	desc.directory[HPT_CHUNKS] = 8 * MIB - HPT_PAGE_SIZE + HPT_LINE_SIZE;
	expect(true);
	desc.split = 5;
	expect(false);
	desc.directory[HPT_CHUNKS] = 8 * MIB - HPT_PAGE_SIZE;
	expect(true);
	desc.split = UINT64_MAX;
	desc.growing = 1;
	desc.directory[HPT_CHUNKS] = 0;
	expect(false);
}

Test(table_slab, spill_pages_count_that_are_in_use)
{
	make(HPT_CUCKOO);
	desc.spill[1] = 8 * MIB;
	desc.spill_lines = HPT_GROUP_LINES;
	expect(false);
	desc.spill[0] = 8 * MIB - HPT_PAGE_SIZE;
	expect(true);
	desc.spill_lines = 2 * HPT_GROUP_LINES;
	expect(false);
}

Test(table_slab, each_root_of_a_tree_must_be_in_it)
{
	make(HPT_RADIX);
	desc.directory[1] = 0;
	expect(true);
	desc.directory[4095] = 3 * MIB;
	expect(false);
	desc.directory[4095] = 8 * MIB - HPT_PAGE_SIZE;
	expect(true);
}
