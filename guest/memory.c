/* SPDX-License-Identifier: MIT */
/* See memory.h. */
#include "guest/memory.h"

#include <errno.h>
#include <stddef.h>

#include "guest/frames.h"
#include "guest/layout.h"
#include "guest/process.h"
#include "guest/rights.h"
#include "guest/segment.h"
#include "guest/window.h"

#define MAP_SHARED	    0x01
#define MAP_PRIVATE	    0x02
#define MAP_FIXED	    0x10
#define MAP_ANONYMOUS	    0x20
#define MAP_FIXED_NOREPLACE 0x100000

#define REMAP_MAYMOVE 1

/* PROT_GROWSDOWN and PROT_GROWSUP: not both. */
#define GROWS UINT64_C(0x3000000)

#define ADVICE_RANDOM	1
#define ADVICE_WILLNEED 3
#define ADVICE_DONTNEED 4
#define ADVICE_FREE	8
#define ADVICE_HUGEPAGE 14
#define ADVICE_NODUMP	16

/* mmap goes downwards from here: the 8 MiB above, and a gap, are the stack's. */
#define MAP_TOP	  ((USER_END - (UINT64_C(32) << 20)) >> HPT_PAGE_SHIFT)
#define USER_LOW  (USER_START >> HPT_PAGE_SHIFT)
#define USER_HIGH (USER_END >> HPT_PAGE_SHIFT)

/* Pages [start, end). */
struct range {
	uint64_t start;
	uint64_t end;
};

/* What the system calls are about: the space that this CPU has. */
static struct space *current_space(void)
{
	return cpu.window.space;
}

static struct regions *current_regions(void)
{
	return &current_space()->regions;
}

static uint64_t rights_of_protection(uint64_t protection)
{
	uint64_t rights = 0;

	if (protection & (PROTECTION_READ | PROTECTION_WRITE | PROTECTION_EXECUTE))
		rights = HPT_PRESENT | HPT_USER | HPT_NOEXEC;
	if (protection & PROTECTION_WRITE)
		rights |= HPT_WRITE;
	if (protection & PROTECTION_EXECUTE)
		rights &= ~HPT_NOEXEC;
	return rights;
}

static uint64_t pages_of(uint64_t size)
{
	return (size >> HPT_PAGE_SHIFT) + !!(size & (HPT_PAGE_SIZE - 1));
}

/* The pages of [gva, gva + size); -EINVAL where gva is inside a page, -ENOMEM outside user space.
 */
static int range_of(uint64_t gva, uint64_t size, struct range *range)
{
	if (gva & (HPT_PAGE_SIZE - 1))
		return -EINVAL;
	range->start = gva >> HPT_PAGE_SHIFT;
	range->end = range->start + pages_of(size);
	return range->start < USER_LOW || range->end > USER_HIGH ? -ENOMEM : 0;
}

static int split_edges(const struct range *range)
{
	int error = region_split(current_regions(), range->start);

	if (!error)
		error = region_split(current_regions(), range->end);
	if (error)
		region_join(current_regions(), range->start, range->start);
	return error;
}

/* How far regions cover the range from its start without a hole: to this page, at most its end. */
static uint64_t covered_to(const struct range *range)
{
	struct region *region = region_from(current_regions(), range->start);
	uint64_t vpn = range->start;

	for (; vpn < range->end && region && region->start <= vpn;
	     region = region_next(current_regions(), region))
		vpn = region->end;
	return vpn < range->end ? vpn : range->end;
}

static int unmap_range(const struct range *range)
{
	int error = split_edges(range);

	if (error)
		return error;
	space_unmap(current_space(), range->start, range->end);
	region_remove(current_regions(), range->start, range->end);
	return 0;
}

/* Whether a region that lies in the module does so to its end. */
static bool is_backed(const struct region *region)
{
	return !region->frame ||
	       frames_in_module(region_source(region, region->start), region->end - region->start);
}

int memory_add(struct space *space, uint64_t vpn, uint64_t pages, uint64_t protection,
	       uint64_t frame)
{
	struct region region = {
		.start = vpn,
		.end = vpn + pages,
		.rights = rights_of_protection(protection),
		.frame = frame,
	};
	int error;

	if (vpn < USER_LOW || region.end > USER_HIGH || region.end < vpn ||
	    !region_is_free(&space->regions, vpn, region.end) || !is_backed(&region))
		return -EINVAL;
	error = region_add(&space->regions, &region);
	if (!error && space == current_space())
		window_prepare(vpn);
	return error;
}

/* Where a mapping goes: at its fixed place (made free), at the hint if that is free, or in a gap.
 */
static int64_t choose_place(uint64_t gva, uint64_t size, uint64_t flags)
{
	struct range range;
	int error = range_of(gva, size, &range);

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (error)
			return error;
		if (flags & MAP_FIXED_NOREPLACE &&
		    !region_is_free(current_regions(), range.start, range.end))
			return -EEXIST;
		error = unmap_range(&range);
		return error ? error : (int64_t)range.start;
	}
	if (gva && !error && range.end <= MAP_TOP &&
	    region_is_free(current_regions(), range.start, range.end))
		return (int64_t)range.start;
	range.start = region_find_gap(current_regions(), pages_of(size), USER_LOW, MAP_TOP);
	return range.start ? (int64_t)range.start : -ENOMEM;
}

/* Pages that forks have in common with this space. */
static int add_shared(uint64_t vpn, uint64_t pages, uint64_t protection)
{
	struct space *space = current_space();
	struct region region = {.start = vpn,
				.end = vpn + pages,
				.rights = rights_of_protection(protection) | REGION_SHARED};
	int error = space_share(space);

	if (!error)
		error = segment_create(space, region.start, region.end);
	if (error)
		return error;
	error = region_add(&space->regions, &region);
	if (error)
		segment_detach(space, region.start, region.end);
	return error;
}

int64_t memory_map(uint64_t gva, uint64_t size, uint64_t protection, uint64_t flags, int64_t fd,
		   uint64_t offset)
{
	int64_t vpn;
	int error;

	if (!size || offset & (HPT_PAGE_SIZE - 1) || !(flags & (MAP_PRIVATE | MAP_SHARED)))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS))
		return fd >= 0 && fd <= 2 ? -ENODEV : -EBADF;
	if (size > USER_END)
		return -ENOMEM;
	vpn = choose_place(gva, size, flags);
	if (vpn < 0)
		return vpn;
	if (flags & MAP_SHARED)
		error = add_shared((uint64_t)vpn, pages_of(size), protection);
	else
		error = memory_add(current_space(), (uint64_t)vpn, pages_of(size), protection, 0);
	return error ? error : vpn << HPT_PAGE_SHIFT;
}

int64_t memory_unmap(uint64_t gva, uint64_t size)
{
	struct range range;

	if (!size || size > USER_END || range_of(gva, size, &range))
		return -EINVAL;
	return unmap_range(&range);
}

int64_t memory_protect(uint64_t gva, uint64_t size, uint64_t protection)
{
	uint64_t rights = rights_of_protection(protection);
	struct range range;
	uint64_t wanted_end;
	int error;

	if (gva & (HPT_PAGE_SIZE - 1) || (protection & GROWS) == GROWS)
		return -EINVAL;
	if (!size)
		return 0;
	if (gva + (pages_of(size) << HPT_PAGE_SHIFT) <= gva)
		return -ENOMEM;
	if (protection & ~UINT64_C(7))
		return -EINVAL;
	if (size > USER_END || range_of(gva, size, &range))
		return -ENOMEM;
	/* As on Linux, what lies before a hole is changed. */
	wanted_end = range.end;
	range.end = covered_to(&range);
	error = split_edges(&range);
	if (error)
		return error;
	for (struct region *region = region_from(current_regions(), range.start);
	     region && region->start < range.end; region = region_next(current_regions(), region))
		region->rights = rights | (region->rights & REGION_SHARED);
	space_protect(current_space(), range.start, range.end, rights);
	region_join(current_regions(), range.start, range.end);
	return range.end < wanted_end ? -ENOMEM : 0;
}

/* Moves a range that lies in `region` to a place of `pages` pages, with its contents. */
static int64_t move(const struct range *from, const struct region *region, uint64_t pages)
{
	uint64_t to = region_find_gap(current_regions(), pages, USER_LOW, MAP_TOP);
	struct region moved = {
		.start = to,
		.end = to + pages,
		.rights = region->rights,
		.frame = region_frame(region, from->start),
	};
	int error;

	if (!to || !is_backed(&moved))
		return -ENOMEM;
	error = split_edges(from);
	if (error)
		return error;
	error = space_move(current_space(), from->start, from->end, to);
	if (error) {
		region_join(current_regions(), from->start, from->end);
		return error;
	}
	moved.first_touches = region_find(current_regions(), from->start)->first_touches;
	region_remove(current_regions(), from->start, from->end);
	/* There is room for it now, whatever there was before. */
	region_add(current_regions(), &moved);
	return (int64_t)(to << HPT_PAGE_SHIFT);
}

/* Makes `region`, which ends where `more` begins, longer; false where it cannot be. */
static bool grow_in_place(const struct region *region, const struct range *more)
{
	struct region grown = {
		.start = more->start,
		.end = more->end,
		.rights = region->rights,
		.frame = region_frame(region, more->start),
	};

	return region->end == more->start && more->end <= MAP_TOP &&
	       region_is_free(current_regions(), more->start, more->end) && is_backed(&grown) &&
	       !region_add(current_regions(), &grown);
}

int64_t memory_remap(uint64_t gva, uint64_t old_size, uint64_t new_size, uint64_t flags)
{
	struct range old, more, less;
	struct region *region;
	int error;

	/* Sizes are rounded up, and what wraps is 0 then. */
	if (flags & ~(uint64_t)REMAP_MAYMOVE || !(pages_of(new_size) << HPT_PAGE_SHIFT) ||
	    gva & (HPT_PAGE_SIZE - 1))
		return -EINVAL;
	region = region_find(current_regions(), gva >> HPT_PAGE_SHIFT);
	if (!region)
		return -EFAULT;
	if (!(pages_of(old_size) << HPT_PAGE_SHIFT))
		return -EINVAL;
	if (new_size > USER_END || old_size > USER_END)
		return -ENOMEM;
	if (range_of(gva, old_size, &old))
		return -EFAULT;
	more = (struct range){old.end, old.start + pages_of(new_size)};
	less = (struct range){more.end, old.end};
	/* As on Linux, what is given back may be more than one mapping, what grows may not. */
	if (less.start <= less.end) {
		error = less.start < less.end ? unmap_range(&less) : 0;
		return error ? error : (int64_t)gva;
	}
	if (region->end < old.end)
		return -EFAULT;
	/* A segment stays as it is. */
	if (region->rights & REGION_SHARED)
		return -EINVAL;
	if (grow_in_place(region, &more))
		return (int64_t)gva;
	return flags & REMAP_MAYMOVE ? move(&old, region, pages_of(new_size)) : -ENOMEM;
}

static bool advice_known(uint64_t advice)
{
	return advice <= ADVICE_WILLNEED || advice == ADVICE_FREE ||
	       (advice >= ADVICE_HUGEPAGE && advice <= ADVICE_NODUMP + 1);
}

/* Private pages are fresh ones then; those of segments are the others' as well. */
static void forget_pages(const struct range *range)
{
	struct region *region = region_from(current_regions(), range->start);

	for (; region && region->start < range->end;
	     region = region_next(current_regions(), region)) {
		uint64_t start = region->start > range->start ? region->start : range->start;
		uint64_t end = region->end < range->end ? region->end : range->end;

		if (!(region->rights & REGION_SHARED))
			space_unmap(current_space(), start, end);
	}
}

int64_t memory_advise(uint64_t gva, uint64_t size, uint64_t advice)
{
	struct range range;

	if (gva & (HPT_PAGE_SIZE - 1) || (advice != ADVICE_DONTNEED && !advice_known(advice)))
		return -EINVAL;
	if (!size)
		return 0;
	if (size > USER_END || range_of(gva, size, &range))
		return -ENOMEM;
	if (advice == ADVICE_DONTNEED)
		forget_pages(&range);
	return covered_to(&range) == range.end ? 0 : -ENOMEM;
}

void memory_start_heap(struct space *space, uint64_t gva)
{
	space->heap_start = space->heap_end = pages_of(gva) << HPT_PAGE_SHIFT;
}

int64_t memory_break(uint64_t gva)
{
	struct space *space = current_space();
	uint64_t end = pages_of(space->heap_end);
	struct range range = {.start = pages_of(gva), .end = end};
	int error = 0;

	if (gva < space->heap_start || gva >= USER_END)
		return (int64_t)space->heap_end;
	if (range.start > end)
		error = range.start > MAP_TOP ? -ENOMEM
					      : memory_add(space, end, range.start - end,
							   PROTECTION_READ | PROTECTION_WRITE, 0);
	else if (range.start < end)
		error = unmap_range(&range);
	if (!error)
		space->heap_end = gva;
	return (int64_t)space->heap_end;
}
