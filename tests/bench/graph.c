/* SPDX-License-Identifier: MIT */
/* The graph that is nowhere stored: its rows are whole, and its edges are as R-MAT draws them. */
#include "bench/graph.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#include "hpt/mix.h"
#include "tests/bench/chi_square.h"

#define MIB UINT64_C(1048576)
#define GIB (1024 * MIB)

static struct graph begin(uint64_t bytes, uint64_t seed)
{
	struct graph graph;

	graph_begin(&graph, bytes, seed);
	return graph;
}

Test(graph, offsets_are_the_sums_of_the_degrees_before)
{
	static const uint64_t bytes[] = {64 * MIB, 64 * MIB + 4096, 100 * MIB, 191 * MIB, GIB};

	for (size_t n = 0; n < sizeof(bytes) / sizeof(bytes[0]); n++) {
		struct graph graph = begin(bytes[n], n);
		uint64_t sum = 0;

		for (uint64_t vertex = 0; vertex < graph.vertices; vertex++) {
			cr_assert_eq(graph_offset(&graph, vertex), sum);
			sum += graph_degree(&graph, vertex);
		}
		cr_assert_eq(graph_offset(&graph, graph.vertices), sum);
		cr_assert_eq(sum, graph.edges);
	}
}

Test(graph, offsets_and_degrees_agree_at_512_GiB)
{
	struct graph graph = begin(512 * GIB, 1);
	uint64_t random = 1;
	uint64_t last = 0;

	for (int i = 0; i < 300000; i++) {
		uint64_t vertex = mix64_next(&random) % graph.vertices;

		/* The heaviest and the lightest of a group now and then. */
		if (i % 3 == 0)
			vertex = vertex / GRAPH_GROUP * GRAPH_GROUP;
		if (i % 3 == 1)
			vertex |= GRAPH_GROUP - 1;
		cr_assert_eq(graph_offset(&graph, vertex) + graph_degree(&graph, vertex),
			     graph_offset(&graph, vertex + 1));
	}
	for (uint64_t vertex = 0; vertex < graph.vertices; vertex += graph.vertices / 9999) {
		cr_assert_geq(graph_offset(&graph, vertex), last);
		last = graph_offset(&graph, vertex);
	}
	cr_assert_leq(last, graph.edges);
}

Test(graph, arrays_fill_the_memory_and_do_not_exceed_it)
{
	for (uint64_t bytes = 64 * MIB; bytes <= 512 * GIB; bytes += bytes / 37 / 4096 * 4096) {
		struct graph graph = begin(bytes, 1);
		uint64_t end = graph_edge_at(&graph, graph.edges);

		cr_assert_leq(end, bytes);
		cr_assert_geq(end, bytes / 100 * 96, "%lu of %lu", end, bytes);
		cr_assert_geq(graph.edges, graph.vertices * 15);
		cr_assert_leq(graph.scale, GRAPH_SCALE_MAX);
		cr_assert_eq(graph_word_at(&graph, 1, 0), graph.vertices * 8);
		cr_assert_eq(graph_offset_at(&graph, 0), graph.vertices * 16);
		cr_assert_eq(graph_edge_at(&graph, 0), graph.vertices * 24 + 8);
	}
	cr_assert_eq(begin(64 * MIB, 1).scale, 18);
	cr_assert_eq(begin(512 * GIB, 1).scale, 31);
}

Test(graph, vertices_and_ranks_are_one_to_one)
{
	struct graph graph = begin(100 * MIB, 3);
	struct graph large = begin(512 * GIB, 4);
	uint64_t *of_class = calloc(graph.scale + 1, sizeof(*of_class));
	uint64_t random = 1;

	cr_assert_not_null(of_class);
	for (uint64_t rank = 0; rank < graph.vertices; rank++) {
		uint64_t vertex = graph_vertex(&graph, rank);

		cr_assert_lt(vertex, graph.vertices);
		cr_assert_eq(graph_rank(&graph, vertex), rank);
		of_class[graph_class(&graph, vertex)]++;
	}
	/* As many of a class as there are numbers with so many ones. */
	for (uint64_t number = 0; number < graph.vertices; number++)
		of_class[__builtin_popcountll(number)]--;
	for (unsigned int k = 0; k <= graph.scale; k++)
		cr_assert_eq(of_class[k], 0);
	for (int i = 0; i < 300000; i++) {
		uint64_t rank = mix64_next(&random) % large.vertices;

		cr_assert_eq(graph_rank(&large, graph_vertex(&large, rank)), rank);
	}
	free(of_class);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

Test(graph, heavy_vertices_lie_scattered)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct graph graph = begin(512 * GIB, seed);
		uint64_t groups[4096];
		uint64_t low[64] = {0};
		uint64_t high[64] = {0};
		uint64_t neighbours = 0;

		for (uint64_t rank = 0; rank < 4096; rank++) {
			groups[rank] = graph_vertex(&graph, rank) / GRAPH_GROUP;
			low[groups[rank] % 64]++;
			high[groups[rank] * 64 / (graph.vertices / GRAPH_GROUP)]++;
		}
		qsort(groups, 4096, sizeof(groups[0]), by_value);
		for (int i = 0; i + 1 < 4096; i++)
			neighbours += groups[i] + 1 == groups[i + 1];
		/* 4 are expected. */
		cr_assert_lt(neighbours, 20);
		cr_assert_lt(chi_square_excess_even(low, 64), 6, "%f",
			     chi_square_excess_even(low, 64));
		cr_assert_lt(chi_square_excess_even(high, 64), 6);
	}
}

/* Edges by the classes of their ends. */
struct joint {
	uint64_t edges[GRAPH_CLASSES][GRAPH_CLASSES];
};

/* As Graph500 draws them: a quadrant for each bit. */
static void draw_naively(struct joint *joint, unsigned int scale, uint64_t edges)
{
	uint64_t random = 99;

	for (uint64_t edge = 0; edge < edges; edge++) {
		unsigned int from = 0;
		unsigned int to = 0;

		for (unsigned int bit = 0; bit < scale; bit++) {
			double part = (double)(mix64_next(&random) >> 11) * 0x1p-53;

			from += part >= 0.57 + 0.19;
			to += (part >= 0.57 && part < 0.57 + 0.19) || part >= 0.57 + 0.19 + 0.19;
		}
		joint->edges[from][to]++;
	}
}

static void collect(struct joint *joint, const struct graph *graph)
{
	for (uint64_t vertex = 0; vertex < graph->vertices; vertex++) {
		unsigned int class = graph_class(graph, vertex);
		uint64_t degree = graph_degree(graph, vertex);

		for (uint64_t edge = 0; edge < degree; edge++) {
			uint64_t other = graph_neighbour(graph, vertex, class, edge);

			cr_assert_lt(other, graph->vertices);
			joint->edges[class][graph_class(graph, other)]++;
		}
	}
}

/* Whether two rows of counts are of one distribution; bins without enough are left out. */
static double excess_of_two(const uint64_t *a, const uint64_t *b, unsigned int bins)
{
	double sums[2] = {0, 0};
	double statistic = 0;
	double used = 0;

	for (unsigned int i = 0; i < bins; i++) {
		sums[0] += (double)a[i];
		sums[1] += (double)b[i];
	}
	for (unsigned int i = 0; i < bins; i++) {
		double difference = (double)a[i] * sqrt(sums[1] / sums[0]) -
				    (double)b[i] * sqrt(sums[0] / sums[1]);

		if (a[i] + b[i] < 20)
			continue;
		statistic += difference * difference / (double)(a[i] + b[i]);
		used++;
	}
	return used < 2 ? 0 : (statistic - (used - 1)) / sqrt(2 * (used - 1));
}

Test(graph, edges_have_the_ends_that_r_mat_draws)
{
	static struct joint naive, computed;
	struct graph graph = begin(64 * MIB, 5);

	draw_naively(&naive, graph.scale, graph.edges);
	collect(&computed, &graph);
	for (unsigned int from = 0; from <= graph.scale; from++) {
		double count = (double)graph.classes[from].count;
		double degree = (double)graph.classes[from].degree;
		double drawn = 0;

		for (unsigned int to = 0; to <= graph.scale; to++)
			drawn += (double)naive.edges[from][to];
		/* What is lost by rounding down makes the room of about 1 % more edges for all. */
		cr_assert_leq(fabs(drawn / count - degree),
			      1 + 0.03 * degree + 6 * sqrt(drawn) / count, "class %u: %f for %f",
			      from, degree, drawn / count);
		if (!graph.classes[from].degree)
			continue;
		cr_assert_lt(
			excess_of_two(naive.edges[from], computed.edges[from], graph.scale + 1), 6,
			"from class %u", from);
	}
}

Test(graph, vertices_of_a_class_are_as_likely_to_be_an_edges_end)
{
	struct graph graph = begin(64 * MIB, 6);
	uint64_t *hits = calloc(graph.vertices, sizeof(*hits));

	cr_assert_not_null(hits);
	for (uint64_t vertex = 0; vertex < graph.vertices; vertex++) {
		unsigned int class = graph_class(&graph, vertex);

		for (uint64_t edge = 0; edge < graph.classes[class].degree; edge++)
			hits[graph_rank(&graph, graph_neighbour(&graph, vertex, class, edge))]++;
	}
	/* One vertex with .76^18 of all ends; then 18, 153 and 816 that are alike. */
	cr_assert(share_fits(hits[0], graph.edges, pow(0.76, 18)));
	for (unsigned int k = 1; k <= 3; k++)
		cr_assert_lt(chi_square_excess_even(&hits[graph.classes[k].first],
						    graph.classes[k].count),
			     6);
	free(hits);
}

Test(graph, another_seed_is_another_graph)
{
	struct graph one = begin(64 * MIB, 1);
	struct graph other = begin(64 * MIB, 2);
	uint64_t same_place = 0;
	uint64_t same_end = 0;

	for (uint64_t rank = 0; rank < 100000; rank++) {
		uint64_t vertex = graph_vertex(&one, rank);

		same_place += vertex == graph_vertex(&other, rank);
		same_end +=
			graph_neighbour(&one, rank, 9, 0) == graph_neighbour(&other, rank, 9, 0);
	}
	/* 195 are expected of 512 groups; the ends are mostly light vertices. */
	cr_assert_lt(same_place, 1000);
	cr_assert_lt(same_end, 1000);
}
