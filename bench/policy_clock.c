/* SPDX-License-Identifier: MIT */
/*
 * The clock of ept/evict.c without pages (see policy.h): what its functions of these names do to
 * entries, window and counts. Slots are those of ept/swap.c, since their runs bound a batch.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/policy.h"
#include "ept/swap.h"

#define STRIDE	 64 /* evict.c's numbers */
#define LEAD_MIN 64

enum { NEW, OUT, IN_WINDOW, SWAPPED };

struct model {
	uint64_t pages; /* of memory, whole strides */
	uint8_t *state;
	uint32_t *slot;
	struct ept_swap swap;
	uint64_t frames, limit;
	uint64_t front, back, lead;
	unsigned int divisor;
	struct policy_counts *counts;
};

static bool is_resident(uint8_t state)
{
	return state == OUT || state == IN_WINDOW;
}

/* The end of the part where a hand is: of its stride, or the other hand. */
static uint64_t stop_of(uint64_t hand, uint64_t other)
{
	uint64_t stop = (hand / STRIDE + 1) * STRIDE;

	return other > hand && other < stop ? other : stop;
}

static void advance_front(struct model *model)
{
	uint64_t stop = stop_of(model->front, model->back);

	for (uint64_t page = model->front; page < stop; page++) {
		if (!is_resident(model->state[page]))
			continue;
		model->state[page] = OUT;
		model->lead++;
	}
	model->front = stop % model->pages;
	if (model->front == model->back)
		model->lead = model->frames;
}

/* Evicts up to `room` pages of the stride and returns how many. */
static unsigned int advance_back(struct model *model, uint64_t slots, unsigned int room)
{
	uint64_t stop = stop_of(model->back, model->front);
	uint64_t passed = 0, page = model->back;
	unsigned int count = 0;

	for (; page < stop; page++) {
		if (model->state[page] == OUT && count == room)
			break;
		passed += is_resident(model->state[page]);
		if (model->state[page] != OUT)
			continue;
		model->state[page] = SWAPPED;
		model->slot[page] = (uint32_t)(slots + count++);
	}
	model->lead = model->lead > passed ? model->lead - passed : 0;
	model->back = page % model->pages;
	if (model->front == model->back)
		model->lead = 0;
	return count;
}

/* A page that got a frame between the hands. */
static void arrive(struct model *model, uint64_t page)
{
	uint64_t between = (model->front + model->pages - model->back) % model->pages;
	uint64_t place = (page + model->pages - model->back) % model->pages;

	model->frames++;
	if (model->lead && (!between || place < between))
		model->lead++;
}

static uint64_t lead_wanted(const struct model *model)
{
	uint64_t lead = model->limit / model->divisor;

	if (lead < LEAD_MIN)
		lead = LEAD_MIN;
	return lead < model->frames ? lead : model->frames;
}

static void evict(struct model *model)
{
	uint64_t slots = 0;
	unsigned int room = (unsigned int)ept_swap_take(&model->swap, EPT_SWAP_RUN, &slots);
	unsigned int count = 0;

	while (!count) {
		if (model->lead < lead_wanted(model))
			advance_front(model);
		else
			count = advance_back(model, slots, room);
	}
	for (unsigned int i = room; i-- > count;)
		ept_swap_free(&model->swap, slots + i);
	model->frames -= count;
	model->counts->evicted += count;
}

static void make_room(struct model *model)
{
	if (model->limit - model->frames + model->lead < lead_wanted(model))
		advance_front(model);
	while (model->frames == model->limit)
		evict(model);
}

static void refer(struct model *model, uint32_t page)
{
	switch (model->state[page]) {
	case IN_WINDOW:
		return;
	case OUT:
		model->counts->rescues++;
		break;
	case NEW:
		make_room(model);
		model->counts->first++;
		arrive(model, page);
		break;
	default:
		make_room(model);
		model->counts->swapped++;
		arrive(model, page);
		ept_swap_free(&model->swap, model->slot[page]);
	}
	model->state[page] = IN_WINDOW;
}

int policy_clock(const struct policy_trace *trace, uint64_t frames,
		 const struct policy_clock *clock, struct policy_counts *counts)
{
	struct model model = {.pages = (trace->span + STRIDE - UINT64_C(1)) / STRIDE * STRIDE,
			      .limit = frames,
			      .divisor = clock->lead,
			      .counts = counts};
	const char *what;
	int ret = ept_swap_open(&model.swap, NULL, model.pages, &what) < 0 ? -ENOMEM : 0;

	*counts = (struct policy_counts){.first = 0};
	model.state = calloc(model.pages, sizeof(*model.state));
	model.slot = calloc(model.pages, sizeof(*model.slot));
	if (ret == 0 && (!model.state || !model.slot))
		ret = -ENOMEM;
	for (size_t i = 0; ret == 0 && i < trace->count; i++)
		refer(&model, trace->pages[i]);
	ept_swap_close(&model.swap);
	free(model.state);
	free(model.slot);
	return ret;
}
