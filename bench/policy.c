/* SPDX-License-Identifier: MIT */
/* Random replacement and MIN (see policy.h). */
#include "bench/policy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hpt/mix.h"

#define NOWHERE UINT32_MAX
#define NEVER	UINT32_MAX

/* The pages that have frames, in no order, and where each of them is. */
struct frames {
	uint32_t *pages;
	uint32_t *place; /* NOWHERE: none, or gone if `seen` */
	bool *seen;
	uint64_t used, limit;
};

static void frames_end(struct frames *frames)
{
	free(frames->pages);
	free(frames->place);
	free(frames->seen);
}

static int frames_begin(struct frames *frames, uint32_t span, uint64_t limit)
{
	*frames = (struct frames){.pages = malloc(limit * sizeof(*frames->pages)),
				  .place = malloc(span * sizeof(*frames->place)),
				  .seen = calloc(span, sizeof(*frames->seen)),
				  .limit = limit};
	if (!frames->pages || !frames->place || !frames->seen) {
		frames_end(frames);
		return -ENOMEM;
	}
	for (uint32_t page = 0; page < span; page++)
		frames->place[page] = NOWHERE;
	return 0;
}

static void count_miss(struct frames *frames, uint32_t page, struct policy_counts *counts)
{
	if (frames->seen[page])
		counts->swapped++;
	else
		counts->first++;
	frames->seen[page] = true;
	counts->evicted += frames->used == frames->limit;
}

int policy_random(const struct policy_trace *trace, uint64_t limit, uint64_t seed,
		  struct policy_counts *counts)
{
	struct frames frames;

	*counts = (struct policy_counts){.first = 0};
	if (frames_begin(&frames, trace->span, limit) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < trace->count; i++) {
		uint32_t page = trace->pages[i];
		uint64_t place = frames.used;

		if (frames.place[page] != NOWHERE)
			continue;
		count_miss(&frames, page, counts);
		if (frames.used == limit) {
			place = mix64_next(&seed) % limit;
			frames.place[frames.pages[place]] = NOWHERE;
		} else {
			frames.used++;
		}
		frames.pages[place] = page;
		frames.place[page] = (uint32_t)place;
	}
	frames_end(&frames);
	return 0;
}

/* MIN's pages are a heap: the one that is needed last is on top. next[page]: when it is needed. */
static void put(struct frames *frames, uint64_t place, uint32_t page)
{
	frames->pages[place] = page;
	frames->place[page] = (uint32_t)place;
}

static void sift_up(struct frames *frames, const uint32_t *next, uint64_t place)
{
	uint32_t page = frames->pages[place];

	while (place && next[frames->pages[(place - 1) / 2]] < next[page]) {
		put(frames, place, frames->pages[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(frames, place, page);
}

static void sift_down(struct frames *frames, const uint32_t *next, uint64_t place)
{
	uint32_t page = frames->pages[place];

	for (;;) {
		uint64_t child = 2 * place + 1;

		if (child >= frames->used)
			break;
		if (child + 1 < frames->used &&
		    next[frames->pages[child + 1]] > next[frames->pages[child]])
			child++;
		if (next[frames->pages[child]] <= next[page])
			break;
		put(frames, place, frames->pages[child]);
		place = child;
	}
	put(frames, place, page);
}

/* When the page of each reference is needed again. `last` is for a page each. */
static void find_next_uses(const struct policy_trace *trace, uint32_t *uses, uint32_t *last)
{
	for (uint32_t page = 0; page < trace->span; page++)
		last[page] = NEVER;
	for (size_t i = trace->count; i-- > 0;) {
		uses[i] = last[trace->pages[i]];
		last[trace->pages[i]] = (uint32_t)i;
	}
}

static void refer(struct frames *frames, uint32_t *next, uint32_t page, uint32_t needed,
		  struct policy_counts *counts)
{
	next[page] = needed;
	if (frames->place[page] != NOWHERE) {
		sift_up(frames, next, frames->place[page]); /* it is later than before */
		return;
	}
	count_miss(frames, page, counts);
	if (frames->used == frames->limit) {
		frames->place[frames->pages[0]] = NOWHERE;
		put(frames, 0, page);
		sift_down(frames, next, 0);
	} else {
		put(frames, frames->used++, page);
		sift_up(frames, next, frames->used - 1);
	}
}

int policy_min(const struct policy_trace *trace, uint64_t limit, struct policy_counts *counts)
{
	uint32_t *uses = malloc(trace->count * sizeof(*uses));
	uint32_t *next = malloc(trace->span * sizeof(*next));
	struct frames frames = {.used = 0};
	int ret = uses && next ? frames_begin(&frames, trace->span, limit) : -ENOMEM;

	*counts = (struct policy_counts){.first = 0};
	if (ret == 0) {
		find_next_uses(trace, uses, next);
		for (size_t i = 0; i < trace->count; i++)
			refer(&frames, next, trace->pages[i], uses[i], counts);
		frames_end(&frames);
	}
	free(uses);
	free(next);
	return ret;
}
