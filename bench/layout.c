/* SPDX-License-Identifier: MIT */
/* See layout.h. */
#include "bench/layout.h"

#include <errno.h>
#include <string.h>

static const char *const frames_names[LAYOUT_FRAMES] = {
	[LAYOUT_SCATTERED] = "scattered",
	[LAYOUT_RUNS] = "runs",
	[LAYOUT_IDENTITY] = "identity",
};

const char *layout_frames_name(enum layout_frames frames)
{
	return frames_names[frames];
}

int layout_frames_find(const char *name)
{
	for (int i = 0; i < LAYOUT_FRAMES; i++) {
		if (!strcmp(name, frames_names[i]))
			return i;
	}
	return -ENOENT;
}

static struct layout_mapping mapping_of(enum layout_frames frames, uint64_t count, uint64_t key)
{
	uint64_t runs = count / LAYOUT_RUN_PAGES;

	/* No run is complete: nothing is permuted, but a permutation has at least one number. */
	if (!runs)
		runs = 1;
	return (struct layout_mapping){
		.frames = frames,
		.count = count,
		.order = permutation_of(frames == LAYOUT_RUNS ? runs : count, key),
	};
}

int layout_begin(struct layout *layout, const struct layout_config *config)
{
	uint64_t seed = config->seed;
	uint64_t guest_frames = config->guest_frames ? config->guest_frames : config->pages;

	if (!config->pages || config->pages > LAYOUT_PAGES_MAX || guest_frames < config->pages ||
	    guest_frames > LAYOUT_GUEST_FRAMES_MAX)
		return -EINVAL;
	*layout = (struct layout){
		.space = config->space,
		.pages = config->pages,
		.segments = segments_of(config->pages, mix64_next(&seed)),
		.guest = mapping_of(config->guest, config->pages, mix64_next(&seed)),
		.host = mapping_of(config->host, guest_frames, mix64_next(&seed)),
	};
	return 0;
}

uint64_t layout_vpn(const struct layout *layout, uint64_t i)
{
	switch (layout->space) {
	case LAYOUT_SPARSE:
		return i * LAYOUT_SPREAD;
	case LAYOUT_FRAGMENTED:
		return LAYOUT_BASE + segments_page(&layout->segments, i);
	default:
		return LAYOUT_BASE + i;
	}
}

uint64_t layout_page(const struct layout *layout, uint64_t vpn)
{
	uint64_t i = vpn - LAYOUT_BASE;

	switch (layout->space) {
	case LAYOUT_SPARSE:
		if (vpn % LAYOUT_SPREAD)
			return LAYOUT_NOT_MAPPED;
		i = vpn / LAYOUT_SPREAD;
		break;
	case LAYOUT_FRAGMENTED:
		if (vpn < LAYOUT_BASE)
			return LAYOUT_NOT_MAPPED;
		i = segments_find(&layout->segments, i);
		return i == SEGMENTS_NOTHING ? LAYOUT_NOT_MAPPED : i;
	default:
		if (vpn < LAYOUT_BASE)
			return LAYOUT_NOT_MAPPED;
	}
	return i < layout->pages ? i : LAYOUT_NOT_MAPPED;
}

static uint64_t frame(const struct layout_mapping *mapping, uint64_t i)
{
	switch (mapping->frames) {
	case LAYOUT_SCATTERED:
		return permutation_at(&mapping->order, i);
	case LAYOUT_RUNS:
		if (i >= mapping->count / LAYOUT_RUN_PAGES * LAYOUT_RUN_PAGES)
			return i;
		return permutation_at(&mapping->order, i / LAYOUT_RUN_PAGES) * LAYOUT_RUN_PAGES +
		       i % LAYOUT_RUN_PAGES;
	default:
		return i;
	}
}

uint64_t layout_gfn(const struct layout *layout, uint64_t i)
{
	return frame(&layout->guest, i);
}

uint64_t layout_hfn(const struct layout *layout, uint64_t gfn)
{
	return frame(&layout->host, gfn);
}
