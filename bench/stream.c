/* SPDX-License-Identifier: MIT */
/* See stream.h. */
#include "bench/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stream_kind.h"

static const struct stream_kind *const kinds[STREAM_WORKLOADS] = {
	[STREAM_UNIFORM] = &stream_uniform,
	[STREAM_ZIPF] = &stream_zipf,
	[STREAM_SEQUENTIAL] = &stream_sequential,
	[STREAM_STRIDED] = &stream_strided,
	[STREAM_CHASE] = &stream_chase,
	[STREAM_GUPS] = &stream_gups,
	[STREAM_BTREE] = &stream_btree,
	[STREAM_HASHJOIN] = &stream_hashjoin,
	[STREAM_BFS] = &stream_bfs,
	[STREAM_PAGERANK] = &stream_pagerank,
	[STREAM_KEYVALUE] = &stream_keyvalue,
	[STREAM_SPARSE] = &stream_sparse,
	[STREAM_FRAGMENTED] = &stream_fragmented,
};

const char *stream_name(enum stream_workload workload)
{
	return kinds[workload]->name;
}

int stream_find(const char *name)
{
	for (int i = 0; i < STREAM_WORKLOADS; i++) {
		if (!strcmp(name, kinds[i]->name))
			return i;
	}
	return -ENOENT;
}

enum layout_space stream_space(enum stream_workload workload)
{
	return kinds[workload]->space;
}

int stream_create(struct stream *stream, const struct stream_config *config)
{
	const struct stream_kind *kind;
	uint64_t least;
	int error;

	if ((unsigned int)config->workload >= STREAM_WORKLOADS)
		return -EINVAL;
	kind = kinds[config->workload];
	least = kind->space == LAYOUT_SPARSE ? STREAM_PAGES_MIN / LAYOUT_SPREAD : STREAM_PAGES_MIN;
	if (config->pages < least || config->pages > STREAM_PAGES_MAX)
		return -EINVAL;
	*stream = (struct stream){.kind = kind, .state = calloc(1, kind->state_size)};
	if (!stream->state)
		return -ENOMEM;
	error = kind->begin(stream->state, config);
	if (error)
		free(stream->state);
	return error;
}

void stream_destroy(struct stream *stream)
{
	if (stream->kind->end)
		stream->kind->end(stream->state);
	free(stream->state);
}

void stream_next(struct stream *stream, struct stream_access *out, size_t count)
{
	while (count) {
		size_t rest = stream->rest_end - stream->rest_start;

		if (rest) {
			if (rest > count)
				rest = count;
			memcpy(out, &stream->rest[stream->rest_start], rest * sizeof(*out));
			stream->rest_start += rest;
		} else if (count >= STREAM_STEP_MAX) {
			rest = stream->kind->step(stream->state, out);
		} else {
			stream->rest_start = 0;
			stream->rest_end = stream->kind->step(stream->state, stream->rest);
		}
		out += rest;
		count -= rest;
	}
}
