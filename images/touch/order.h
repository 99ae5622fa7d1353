/* SPDX-License-Identifier: MIT */
/*
 * The orders in which `touch` writes its pages. Each is a permutation of 0..pages-1, every page
 * exactly once, in constant memory:
 *
 *   sequential  0, 1, 2, ...
 *   reverse     pages-1, pages-2, ...
 *   strided     0, stride, 2*stride, ...; then 1, 1+stride, ...; up to stride-1, ...
 *   random      a counter of `bits` bits, scrambled; where the result is no page, the counter goes
 *               on ("cycle walking"). 2^bits is less than twice the pages, so this is rare enough.
 */
#ifndef IMAGES_TOUCH_ORDER_H
#define IMAGES_TOUCH_ORDER_H

#include <stdint.h>

#include "images/common/mix.h"

enum order_kind { ORDER_SEQUENTIAL, ORDER_REVERSE, ORDER_STRIDED, ORDER_RANDOM, ORDER_KINDS };

static const char *const order_names[ORDER_KINDS] = {
	[ORDER_SEQUENTIAL] = "sequential",
	[ORDER_REVERSE] = "reverse",
	[ORDER_STRIDED] = "strided",
	[ORDER_RANDOM] = "random",
};

struct order {
	enum order_kind kind;
	uint64_t pages;
	uint64_t stride;
	uint64_t seed;
	uint64_t counter; /* reverse: pages given so far; strided: next page; random: next input */
	unsigned int bits;
};

static inline struct order order_start(enum order_kind kind, uint64_t pages, uint64_t stride,
				       uint64_t seed)
{
	struct order order = {.kind = kind, .pages = pages, .stride = stride, .seed = seed};

	while (UINT64_C(1) << order.bits < pages)
		order.bits++;
	return order;
}

/*
 * A permutation of the numbers of @bits bits. Each step can be undone within these bits: adding,
 * multiplying by an odd number, and xoring the upper half into the lower one.
 */
static inline uint64_t order_scramble(uint64_t x, unsigned int bits, uint64_t seed)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1;
	uint64_t state = seed;

	for (int round = 0; round < 4; round++) {
		x = (x + mix64_next(&state)) & mask;
		x = (x * (mix64_next(&state) | 1)) & mask;
		x ^= x >> (bits + 1) / 2;
	}
	return x;
}

/* The next page; to be called @pages times after order_start(). */
static inline uint64_t order_next(struct order *order)
{
	uint64_t page;

	switch (order->kind) {
	case ORDER_REVERSE:
		return order->pages - ++order->counter;
	case ORDER_STRIDED:
		page = order->counter;
		order->counter += order->stride;
		if (order->counter >= order->pages)
			order->counter = page % order->stride + 1;
		return page;
	case ORDER_RANDOM:
		do {
			page = order_scramble(order->counter++, order->bits, order->seed);
		} while (page >= order->pages);
		return page;
	default:
		return order->counter++;
	}
}

#endif
