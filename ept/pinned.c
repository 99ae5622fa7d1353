/* SPDX-License-Identifier: MIT */
/* The pinned range (see pinned.h). */
#include <errno.h>

#include "ept/ept.h"
#include "ept/pinned.h"

/* As of pages that the guest has touched (fault.c). */
#define FLAGS	  (HPT_PRESENT | HPT_WRITE)
#define IN_WINDOW (HPT_SOFT | HPT_ACCESSED)

bool ept_is_pinned(const struct ept *ept, uint64_t gfn)
{
	return gfn - (ept->config.pinned.start >> HPT_PAGE_SHIFT) < ept_pinned_pages(ept);
}

uint64_t ept_pinned_pages(const struct ept *ept)
{
	return ept->config.pinned.size >> HPT_PAGE_SHIFT;
}

uintptr_t ept_pinned_offset(const struct ept *ept)
{
	uint64_t frame = (uint64_t)ept->pinned_block * EPT_BLOCK_PAGES;

	return (uintptr_t)ept_pool_frame(&ept->pool, frame) - ept->config.pinned.start;
}

/* One entry for the block, or one for each of its pages, as the configuration says. */
static int map_block(struct ept *ept, uint64_t gfn, uint64_t frame)
{
	uint64_t entry = hpt_entry(frame, FLAGS | (ept->config.track ? 0 : IN_WINDOW));
	int ret;

	if (ept->config.host_pages != EPT_4K)
		return hpt_map(&ept->table, hpt_key(0, gfn, HPT_2M), entry | HPT_LARGE);
	ret = hpt_map_range(&ept->table, hpt_key(0, gfn, HPT_4K), EPT_BLOCK_PAGES, entry);
	if (ret == 0)
		ept_block_note(ept, gfn, EPT_BLOCK_PAGES, 0);
	return ret;
}

static int fill_block(struct ept *ept, gpa_t gpa, const char **what)
{
	uint64_t frame = ept_window_frame(&ept->window, gpa);
	int ret = map_block(ept, gpa >> HPT_PAGE_SHIFT, frame);

	*what = "stage-2 table: no memory";
	if (ret < 0)
		return ret;
	*what = "pinned guest memory: the host has not so many frames left";
	(void)ept_pool_take(&ept->pool, EPT_BLOCK_PAGES); /* the configuration was checked */
	ret = ept_pool_populate(&ept->pool, frame, EPT_BLOCK_PAGES);
	/* Where it is tracked what the guest touches, each page waits for that. */
	if (ret < 0 || ept->config.track)
		return ret;
	*what = "pinned guest memory: the kernel did not install it in the window";
	return ept_window_install(&ept->window, gpa, EPT_BLOCK_PAGES, false);
}

int ept_pinned_fill(struct ept *ept, const char **what)
{
	const struct ept_range *pinned = &ept->config.pinned;
	int ret = 0;

	for (uint64_t at = 0; at < pinned->size && ret == 0; at += EPT_BLOCK_SIZE)
		ret = fill_block(ept, pinned->start + at, what);
	ept->counts.pinned = ept_pinned_pages(ept);
	return ret;
}
