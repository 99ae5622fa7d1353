/* SPDX-License-Identifier: MIT */
/* See share.h. */
#include "guest/share.h"

#include <errno.h>
#include <stddef.h>

#include "guest/boot.h"
#include "guest/frames.h"
#include "guest/swap.h"

/* By frame number: entries beyond the first; NULL: there was no fork yet. */
static uint16_t *more;
static uint64_t first;

int share_start(void)
{
	uint64_t frames = boot.ram[boot.ram_count - 1].end >> HPT_PAGE_SHIFT;
	uint64_t size = HPT_PAGE_SIZE;
	uint64_t gpa;

	if (more)
		return 0;
	while (size < frames * sizeof(*more))
		size *= 2;
	if (frames_get_block(size, &gpa))
		return -ENOMEM;
	more = direct(gpa);
	return 0;
}

void share_first(uint64_t entry)
{
	first = entry & HPT_FRAME_MASK;
}

/* Pages of modules, of the kernel's areas and of devices are nobody's to give back. */
static bool is_counted(uint64_t entry)
{
	return more && hpt_resident(entry) && !frames_in_module(entry & HPT_FRAME_MASK, 1);
}

void share_taken(void *context, uint64_t entry)
{
	(void)context;
	if (entry & HPT_SWAPPED)
		swap_taken(entry);
	if (!is_counted(entry))
		return;
	if ((entry & HPT_FRAME_MASK) == first)
		first = 0;
	else
		more[hpt_frame(entry)]++;
}

void share_dropped(void *context, uint64_t entry)
{
	(void)context;
	if (entry & HPT_SWAPPED)
		swap_dropped(entry);
	if (!is_counted(entry))
		return;
	if (more[hpt_frame(entry)])
		more[hpt_frame(entry)]--;
	else
		frames_put(entry & HPT_FRAME_MASK);
}

bool share_is_only(uint64_t entry)
{
	return !(more && more[hpt_frame(entry)]) && !frames_in_module(entry & HPT_FRAME_MASK, 1);
}

uint64_t share_references(void *context, uint64_t entry)
{
	(void)context;
	return is_counted(entry) ? more[hpt_frame(entry)] + 1 : 2;
}
