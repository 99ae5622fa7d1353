/* SPDX-License-Identifier: MIT */
/*
 * Accesses that have nothing to do with each other: uniform, zipf, gups, sparse, fragmented. The
 * word is any of its page, for sparse the first of the page's one object.
 */
#include "bench/permutation.h"
#include "bench/stream_kind.h"
#include "bench/zipf.h"
#include "hpt/mix.h"

struct random_state {
	uint64_t pages;
	uint64_t random;
};

struct zipf_state {
	struct zipf zipf;
	struct permutation places; /* of ranks */
	uint64_t random;
};

static int random_begin(void *state, const struct stream_config *config)
{
	struct random_state *random = state;

	*random = (struct random_state){.pages = config->pages, .random = config->seed};
	return 0;
}

/* The page is decided by the upper bits of a random number, the word by the lowest. */
static uint16_t any_word(uint64_t random)
{
	return (uint16_t)(random % (STREAM_PAGE_SIZE / STREAM_WORD) * STREAM_WORD);
}

static inline size_t any_pages(struct random_state *state, struct stream_access *out, bool write)
{
	for (size_t i = 0; i < STREAM_STEP_MAX; i++) {
		uint64_t random = mix64_next(&state->random);

		out[i] = (struct stream_access){
			.page = stream_below(random, state->pages),
			.offset = any_word(random),
			.write = write,
		};
	}
	return STREAM_STEP_MAX;
}

static size_t read_step(void *state, struct stream_access *out)
{
	return any_pages(state, out, false);
}

static size_t write_step(void *state, struct stream_access *out)
{
	return any_pages(state, out, true);
}

static size_t object_step(void *state, struct stream_access *out)
{
	any_pages(state, out, false);
	for (size_t i = 0; i < STREAM_STEP_MAX; i++)
		out[i].offset = (uint16_t)(mix64(out[i].page) % STREAM_PAGE_SIZE / STREAM_LINE *
					   STREAM_LINE);
	return STREAM_STEP_MAX;
}

static int zipf_begin(void *state, const struct stream_config *config)
{
	struct zipf_state *zipf = state;

	*zipf = (struct zipf_state){
		.zipf = zipf_of(config->pages),
		.places = permutation_of(config->pages, config->seed),
		.random = config->seed,
	};
	return 0;
}

static size_t zipf_step(void *state, struct stream_access *out)
{
	struct zipf_state *zipf = state;

	for (size_t i = 0; i < STREAM_STEP_MAX; i++) {
		uint64_t rank = zipf_next(&zipf->zipf, &zipf->random);

		out[i] = (struct stream_access){
			.page = permutation_at(&zipf->places, rank),
			.offset = any_word(mix64_next(&zipf->random)),
		};
	}
	return STREAM_STEP_MAX;
}

const struct stream_kind stream_uniform = {
	.name = "uniform",
	.state_size = sizeof(struct random_state),
	.begin = random_begin,
	.step = read_step,
};

const struct stream_kind stream_gups = {
	.name = "gups",
	.state_size = sizeof(struct random_state),
	.begin = random_begin,
	.step = write_step,
};

const struct stream_kind stream_sparse = {
	.name = "sparse",
	.space = LAYOUT_SPARSE,
	.state_size = sizeof(struct random_state),
	.begin = random_begin,
	.step = object_step,
};

const struct stream_kind stream_fragmented = {
	.name = "fragmented",
	.space = LAYOUT_FRAGMENTED,
	.state_size = sizeof(struct random_state),
	.begin = random_begin,
	.step = read_step,
};

const struct stream_kind stream_zipf = {
	.name = "zipf",
	.state_size = sizeof(struct zipf_state),
	.begin = zipf_begin,
	.step = zipf_step,
};
