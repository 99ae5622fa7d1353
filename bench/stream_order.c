/* SPDX-License-Identifier: MIT */
/*
 * Accesses in an order of their own: sequential, strided, chase. Access n is computed from n.
 *
 * A page of `sequential` is accessed once: the other accesses to it come right behind (stream.h).
 *
 * `strided` goes down the columns of a matrix of 8-byte words whose rows are 64 KiB long, from the
 * first row to the last and then to the next column, after the last column to the first. Pages
 * behind the last whole row are not accessed.
 *
 * `chase` follows a list that has one node on each page, in random order, and ends where it began.
 * That is a permutation with a single cycle: what comes after a page is the permutation's value one
 * place further, P(P^-1(page) + 1), so the place is all that is kept.
 */
#include "bench/permutation.h"
#include "bench/stream_kind.h"
#include "hpt/mix.h"

#define ROW_PAGES UINT64_C(16)
#define COLUMNS	  (ROW_PAGES * STREAM_PAGE_SIZE / STREAM_WORD)

struct order_state {
	uint64_t pages;
	uint64_t next; /* page, row or place */
	uint64_t column;
	struct permutation list;
};

static int begin(void *state, const struct stream_config *config)
{
	struct order_state *order = state;

	*order = (struct order_state){
		.pages = config->pages,
		.list = permutation_of(config->pages, config->seed),
	};
	return 0;
}

static size_t sequential_step(void *state, struct stream_access *out)
{
	struct order_state *order = state;

	for (size_t i = 0; i < STREAM_STEP_MAX; i++) {
		out[i] = (struct stream_access){.page = order->next};
		if (++order->next == order->pages)
			order->next = 0;
	}
	return STREAM_STEP_MAX;
}

static size_t strided_step(void *state, struct stream_access *out)
{
	struct order_state *order = state;
	uint64_t rows = order->pages / ROW_PAGES;

	for (size_t i = 0; i < STREAM_STEP_MAX; i++) {
		uint64_t word = order->next * COLUMNS + order->column;

		out[i] = stream_at(word * STREAM_WORD, false);
		if (++order->next == rows) {
			order->next = 0;
			order->column = (order->column + 1) % COLUMNS;
		}
	}
	return STREAM_STEP_MAX;
}

static size_t chase_step(void *state, struct stream_access *out)
{
	struct order_state *order = state;

	for (size_t i = 0; i < STREAM_STEP_MAX; i++) {
		uint64_t page = permutation_at(&order->list, order->next);

		out[i] = (struct stream_access){
			.page = page,
			/* A node is always at the same place of its page. */
			.offset = (uint16_t)(mix64(page) % STREAM_PAGE_SIZE / STREAM_LINE *
					     STREAM_LINE),
		};
		if (++order->next == order->pages)
			order->next = 0;
	}
	return STREAM_STEP_MAX;
}

const struct stream_kind stream_sequential = {
	.name = "sequential",
	.state_size = sizeof(struct order_state),
	.begin = begin,
	.step = sequential_step,
};

const struct stream_kind stream_strided = {
	.name = "strided",
	.state_size = sizeof(struct order_state),
	.begin = begin,
	.step = strided_step,
};

const struct stream_kind stream_chase = {
	.name = "chase",
	.state_size = sizeof(struct order_state),
	.begin = begin,
	.step = chase_step,
};
