/* SPDX-License-Identifier: MIT */
/*
 * PageRank that pulls (as Beamer, Asanovic and Patterson, "The GAP Benchmark Suite", 2015, do): an
 * iteration reads, for one vertex after the other, its offset, then each of its edges and the other
 * end's share of rank, and writes the vertex' new share.
 *
 * Shares of the last and of the next iteration are arrays 0 and 1 of the graph, which change places
 * after each iteration. What an edge leads from is the end that graph.h computes: in and out are
 * distributed alike.
 */
#include "bench/graph.h"
#include "bench/stream_kind.h"

struct pagerank_state {
	struct graph graph;
	unsigned int from; /* the array with the last iteration's */
	uint64_t vertex;
	unsigned int class;
	uint64_t degree, edge; /* of the vertex */
	uint64_t next_edge;    /* of all */
};

static void begin_vertex(struct pagerank_state *pagerank, uint64_t vertex)
{
	pagerank->vertex = vertex;
	pagerank->class = graph_class(&pagerank->graph, vertex);
	pagerank->degree = pagerank->graph.classes[pagerank->class].degree;
	pagerank->edge = 0;
}

static int begin(void *state, const struct stream_config *config)
{
	struct pagerank_state *pagerank = state;

	graph_begin(&pagerank->graph, config->pages * STREAM_PAGE_SIZE, config->seed);
	begin_vertex(pagerank, 0);
	return 0;
}

static void next_vertex(struct pagerank_state *pagerank)
{
	if (pagerank->vertex + 1 < pagerank->graph.vertices) {
		begin_vertex(pagerank, pagerank->vertex + 1);
		return;
	}
	pagerank->from = !pagerank->from;
	pagerank->next_edge = 0;
	begin_vertex(pagerank, 0);
}

static size_t step(void *state, struct stream_access *out)
{
	struct pagerank_state *pagerank = state;
	const struct graph *graph = &pagerank->graph;
	size_t count = 0;

	if (!pagerank->edge)
		out[count++] = stream_at(graph_offset_at(graph, pagerank->vertex), false);
	while (pagerank->edge < pagerank->degree && count + 3 <= STREAM_STEP_MAX) {
		uint64_t other =
			graph_neighbour(graph, pagerank->vertex, pagerank->class, pagerank->edge++);

		out[count++] = stream_at(graph_edge_at(graph, pagerank->next_edge++), false);
		out[count++] = stream_at(graph_word_at(graph, pagerank->from, other), false);
	}
	if (pagerank->edge == pagerank->degree) {
		out[count++] =
			stream_at(graph_word_at(graph, !pagerank->from, pagerank->vertex), true);
		next_vertex(pagerank);
	}
	return count;
}

const struct stream_kind stream_pagerank = {
	.name = "pagerank",
	.state_size = sizeof(struct pagerank_state),
	.begin = begin,
	.step = step,
};
