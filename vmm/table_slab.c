/* SPDX-License-Identifier: MIT */
#include "vmm/table_slab.h"

#include "hpt/chained.h"
#include "hpt/radix.h"

/* Pages of spill, or nodes above the leaves of a tree: 256 KiB. */
#define SPARE UINT64_C(0x40000)

/* What a table that is made for so many pages does not have from the beginning: bytes a page. */
static uint64_t bytes_later(enum hpt_organisation organisation)
{
	switch (organisation) {
	case HPT_CHAINED:
		return CHAINED_NODE_SIZE;
	case HPT_RADIX:
	case HPT_ADAPTIVE:
		return sizeof(uint64_t); /* words of leaves */
	default:
		return 0;
	}
}

uint64_t table_slab_size(enum hpt_organisation organisation, uint64_t mem)
{
	struct ept_memory memory;
	struct hpt_config config = {.organisation = organisation,
				    .pages = mem / HPT_PAGE_SIZE,
				    .memory = ept_memory_init(&memory)};
	static struct hpt table; /* 37 KiB */
	uint64_t size = 0;

	/* No line of it is touched: it takes addresses, hardly any memory. */
	if (!hpt_create(&table, &config)) {
		size = table.counts.bytes + config.pages * bytes_later(organisation) + SPARE;
		hpt_destroy(&table);
	}
	ept_memory_destroy(&memory);
	return (size + TABLE_SLAB_UNIT - 1) & ~(TABLE_SLAB_UNIT - 1);
}

struct ept_range table_slab_place(gpa_t kernel_end, uint64_t size)
{
	return (struct ept_range){
		.start = (kernel_end + TABLE_SLAB_UNIT - 1) & ~(TABLE_SLAB_UNIT - 1),
		.size = size,
	};
}

static bool has(const struct ept_range *slab, uint64_t address, uint64_t size)
{
	return address >= slab->start && address - slab->start <= slab->size &&
	       size <= slab->size - (address - slab->start);
}

static bool has_generation(const struct ept_range *slab, const struct hpt_desc *desc,
			   const struct hpt_generation *generation)
{
	uint64_t left = HPT_LINE_SIZE << generation->lines_log2;

	for (unsigned int i = generation->first_chunk; left; i++) {
		uint64_t size = left < UINT64_C(1) << HPT_CHUNK_SHIFT
					? left
					: UINT64_C(1) << HPT_CHUNK_SHIFT;

		if (!has(slab, desc->directory[i], size))
			return false;
		left -= size;
	}
	return true;
}

static bool has_roots(const struct ept_range *slab, const struct hpt_desc *desc)
{
	for (unsigned int i = 0; i < HPT_RADIX_ASIDS; i++) {
		uint64_t root = radix_node(desc->directory[i]);

		if (root && !has(slab, root, HPT_PAGE_SIZE))
			return false;
	}
	return true;
}

bool table_slab_holds(const struct ept_range *slab, const struct hpt_desc *desc)
{
	bool has_old = desc->split != UINT64_MAX || desc->growing;

	if (desc->organisation == HPT_RADIX)
		return has_roots(slab, desc);
	for (unsigned int i = 0; i < desc->spill_lines / HPT_GROUP_LINES; i++) {
		if (!has(slab, desc->spill[i], HPT_PAGE_SIZE))
			return false;
	}
	return has_generation(slab, desc, &desc->current) &&
	       (!has_old || has_generation(slab, desc, &desc->old));
}
