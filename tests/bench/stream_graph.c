/* SPDX-License-Identifier: MIT */
/*
 * Searches and iterations over the graph, access by access, against the algorithms as they are
 * written down in a textbook.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/graph.h"
#include "tests/bench/fixture.h"

#define ACCESSES    4096
#define FOUND_LIMIT (UINT64_C(1) << 21)

/* What a stream yields, read ahead. */
struct reader {
	struct stream stream;
	struct stream_access accesses[ACCESSES];
	size_t next;
	uint64_t count; /* since the beginning */
};

static struct stream_access take(struct reader *reader)
{
	if (reader->count++ % ACCESSES == 0) {
		stream_next(&reader->stream, reader->accesses, ACCESSES);
		reader->next = 0;
	}
	return reader->accesses[reader->next++];
}

static void expect(struct reader *reader, uint64_t byte, bool write)
{
	struct stream_access access = take(reader);

	cr_assert(byte_of(access) == byte && access.write == write,
		  "access %lu: byte %lu, write %d; wanted %lu, %d", reader->count - 1,
		  byte_of(access), access.write, byte, write);
}

/* One search; returns how many vertices it found. */
static uint64_t search(struct reader *reader, const struct graph *graph, bool *found,
		       uint64_t *queue)
{
	uint64_t root = byte_of(take(reader)) / GRAPH_WORD;
	uint64_t head = 0;
	uint64_t tail = 0;

	memset(found, 0, graph->vertices * sizeof(*found));
	cr_assert_lt(root, graph->vertices);
	cr_assert_gt(graph_degree(graph, root), 0);
	found[root] = true;
	expect(reader, graph_word_at(graph, 1, 0), true);
	queue[tail++] = root;
	while (head < tail) {
		uint64_t vertex = queue[head];
		unsigned int class = graph_class(graph, vertex);
		uint64_t degree = graph_degree(graph, vertex);
		uint64_t first_edge = graph_offset(graph, vertex);

		expect(reader, graph_word_at(graph, 1, head++), false);
		expect(reader, graph_offset_at(graph, vertex), false);
		for (uint64_t edge = 0; edge < degree; edge++) {
			uint64_t other = graph_neighbour(graph, vertex, class, edge);

			expect(reader, graph_edge_at(graph, first_edge + edge), false);
			expect(reader, graph_word_at(graph, 0, other), !found[other]);
			if (found[other])
				continue;
			found[other] = true;
			expect(reader, graph_word_at(graph, 1, tail), true);
			queue[tail++] = other;
		}
	}
	return tail;
}

Test(stream_graph, bfs_is_one_whole_search_after_the_other)
{
	static struct reader reader;
	struct graph graph;
	uint64_t largest = 0;
	bool *found;
	uint64_t *queue;

	graph_begin(&graph, 17001 * PAGE_BYTES, 11);
	found = malloc(graph.vertices * sizeof(*found));
	queue = malloc(graph.vertices * sizeof(*queue));
	cr_assert(found && queue);
	reader.stream = begin_stream(STREAM_BFS, 17001, 11);
	for (int i = 0; i < 3; i++) {
		uint64_t count = search(&reader, &graph, found, queue);

		largest = count > largest ? count : largest;
	}
	/* The one large component, which has most of the vertices with edges. */
	cr_assert_gt(largest, graph.vertices / 4);
	stream_destroy(&reader.stream);
	free(found);
	free(queue);
}

/* From one search's first access to the next search's: writes to the queue at 0. */
Test(stream_graph, bfs_ends_a_search_that_has_found_what_it_may_keep)
{
	static struct reader reader;
	struct graph graph;
	uint64_t searches = 0;
	uint64_t in_queue = 0;
	uint64_t largest = 0;

	graph_begin(&graph, STREAM_PAGES_MAX * PAGE_BYTES, 1);
	reader.stream = begin_stream(STREAM_BFS, STREAM_PAGES_MAX, 1);
	while (searches < 3) {
		struct stream_access access = take(&reader);
		uint64_t byte = byte_of(access);

		if (!access.write || byte < graph_word_at(&graph, 1, 0))
			continue;
		if (byte == graph_word_at(&graph, 1, 0)) {
			searches++;
			in_queue = 0;
		}
		cr_assert_eq(byte, graph_word_at(&graph, 1, in_queue++));
		largest = in_queue > largest ? in_queue : largest;
	}
	cr_assert_eq(largest, FOUND_LIMIT);
	stream_destroy(&reader.stream);
}

Test(stream_graph, pagerank_reads_every_edge_once_an_iteration)
{
	static struct reader reader;
	struct graph graph;

	graph_begin(&graph, 16385 * PAGE_BYTES, 12);
	reader.stream = begin_stream(STREAM_PAGERANK, 16385, 12);
	for (unsigned int iteration = 0; iteration < 2; iteration++) {
		uint64_t next_edge = 0;

		for (uint64_t vertex = 0; vertex < graph.vertices; vertex++) {
			unsigned int class = graph_class(&graph, vertex);
			uint64_t degree = graph_degree(&graph, vertex);

			expect(&reader, graph_offset_at(&graph, vertex), false);
			for (uint64_t edge = 0; edge < degree; edge++) {
				uint64_t other = graph_neighbour(&graph, vertex, class, edge);

				expect(&reader, graph_edge_at(&graph, next_edge++), false);
				expect(&reader, graph_word_at(&graph, iteration, other), false);
			}
			expect(&reader, graph_word_at(&graph, 1 - iteration, vertex), true);
		}
		cr_assert_eq(next_edge, graph.edges);
	}
	stream_destroy(&reader.stream);
}
