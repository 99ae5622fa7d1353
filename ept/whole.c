/* SPDX-License-Identifier: MIT */
/* Whole blocks (see whole.h). */
#include <errno.h>

#include "ept/ept.h"
#include "ept/part.h"

static struct hpt_key large_key(uint64_t gfn)
{
	return hpt_key(0, ept_block_start(gfn), HPT_2M);
}

static struct ept_block *block_of(const struct ept *ept, uint64_t gfn)
{
	return &ept->blocks[((gfn << HPT_PAGE_SHIFT) - ept->window.start) >> EPT_BLOCK_SHIFT];
}

/* The size that most pages have is asked first. */
int ept_find(const struct ept *ept, uint64_t gfn, uint64_t *entry, struct hpt_ledger *ledger)
{
	bool large_first = ept->config.host_pages == EPT_2M;
	struct hpt_key small = hpt_key(0, gfn, HPT_4K);

	if (ept->config.host_pages == EPT_4K)
		return hpt_lookup(&ept->table, small, entry, ledger);
	if (!large_first && hpt_lookup(&ept->table, small, entry, ledger) == 0)
		return 0;
	if (hpt_lookup(&ept->table, large_key(gfn), entry, ledger) == 0) {
		*entry += (gfn - ept_block_start(gfn)) << HPT_FRAME_SHIFT;
		return 0;
	}
	return large_first ? hpt_lookup(&ept->table, small, entry, ledger) : -ENOENT;
}

static uint64_t exchange(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	(void)entry;
	return *(const uint64_t *)context;
}

int ept_set_entry(struct ept *ept, uint64_t gfn, uint64_t entry)
{
	return hpt_visit_range(&ept->table, hpt_key(0, gfn, HPT_4K), 1, exchange, &entry);
}

void ept_block_note(struct ept *ept, uint64_t gfn, int resident, int away)
{
	struct ept_block *block = block_of(ept, gfn);

	block->resident = (uint16_t)(block->resident + resident);
	block->away = (uint16_t)(block->away + away);
}

/* All of a block is RAM, or it is never whole. */
static bool is_ram(const struct ept *ept, uint64_t start)
{
	for (unsigned int i = 0; i < ept->config.range_count; i++) {
		const struct ept_range *range = &ept->config.ranges[i];
		gpa_t gpa = start << HPT_PAGE_SHIFT;

		if (gpa >= range->start && gpa + EPT_BLOCK_SIZE <= range->start + range->size)
			return true;
	}
	return false;
}

/* An entry that somebody else made is not counted, but is in the way. */
static uint64_t stay(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	*(bool *)context = true;
	return entry;
}

bool ept_block_is_free(const struct ept *ept, uint64_t gfn)
{
	const struct ept_block *block = block_of(ept, gfn);
	uint64_t start = ept_block_start(gfn);
	bool is_taken = false;

	if (ept->config.host_pages != EPT_2M || block->resident || block->away ||
	    !is_ram(ept, start) || ept->pool.limit - ept->pool.frames < HPT_LARGE_PAGES)
		return false;
	/* It changes nothing: the table is as constant as before. */
	(void)hpt_visit_range((struct hpt *)&ept->table, hpt_key(0, start, HPT_4K), HPT_LARGE_PAGES,
			      stay, &is_taken);
	return !is_taken;
}

/* Maps a block one way, or if there is no memory the other way, as it was. */
static int map_block(struct ept *ept, uint64_t start, uint64_t entry, bool whole)
{
	struct hpt_key small = hpt_key(0, start, HPT_4K);

	entry &= ~HPT_LARGE;
	if (whole)
		return hpt_map(&ept->table, large_key(start), entry | HPT_LARGE);
	return hpt_map_range(&ept->table, small, HPT_LARGE_PAGES, entry);
}

int ept_block_merge(struct ept *ept, uint64_t gfn)
{
	uint64_t start = ept_block_start(gfn);
	uint64_t frame = ept_window_frame(&ept->window, start << HPT_PAGE_SHIFT);
	uint64_t entry = hpt_entry(frame, HPT_PRESENT | HPT_WRITE | HPT_SOFT | HPT_ACCESSED);

	if (ept->config.host_pages == EPT_4K || block_of(ept, gfn)->resident < HPT_LARGE_PAGES ||
	    !is_ram(ept, start) || (ept->family->users && !ept_block_is_alone(ept, start)))
		return 0;
	if (hpt_unmap_range(&ept->table, hpt_key(0, start, HPT_4K), HPT_LARGE_PAGES) < 0)
		return 0; /* it stays as it is */
	if (map_block(ept, start, entry, true) < 0)
		return map_block(ept, start, entry, false);
	ept->counts.merges++;
	block_of(ept, gfn)->resident = 0;
	return 0;
}

int ept_block_split(struct ept *ept, uint64_t gfn)
{
	uint64_t start = ept_block_start(gfn);
	uint64_t entry;

	if (hpt_unmap(&ept->table, large_key(gfn), &entry) < 0)
		return -ENOMEM;
	if (map_block(ept, start, entry, false) < 0) {
		(void)map_block(ept, start, entry, true); /* it has just had room for it */
		return -ENOMEM;
	}
	ept->counts.splits++;
	block_of(ept, gfn)->resident = HPT_LARGE_PAGES;
	return 0;
}
