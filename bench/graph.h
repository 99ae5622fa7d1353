/* SPDX-License-Identifier: MIT */
/*
 * A Kronecker graph in compressed sparse rows that is nowhere stored: offsets, degrees and
 * neighbours are computed.
 *
 * The model. R-MAT (Chakrabarti, Zhan and Faloutsos, "R-MAT: A Recursive Model for Graph Mining",
 * SDM'04) with Graph500's A = .57, B = C = .19, D = .05 draws an edge's ends among 2^scale vertices
 * bit by bit. So the expected degree of a vertex depends on nothing but how many of its bits are 1,
 * its class: with k ones, E * (A+B)^(scale-k) * (C+D)^k of E edges. Here
 *
 * - a vertex has exactly that degree, rounded down: those that expect less than one edge have none,
 *   which are two fifths of all, in large graphs three fifths;
 * - an edge's other end is drawn bit by bit: 1 with B / (A+B) where the vertex has 0, with
 *   D / (C+D) where it has 1. How many ones it gets is its class; within the class all vertices are
 *   as likely. So R-MAT's joint distribution of both ends' classes is kept, but not which bits they
 *   have in common;
 * - edges are hashes of (vertex, number of the edge). There are loops and double edges, and an
 *   edge's reverse need not be there: the graph is directed, in and out are distributed alike.
 *
 * The order. Vertices are numbered so that heavy ones lie scattered (Graph500's generator permutes
 * them), yet so that the sum of the degrees of all before one has a closed form. Sort them by
 * class, the heaviest first, and deal them out like cards to groups of 512, one to each group, then
 * the next to each. A group then has its heaviest first, and two groups differ only in those deals
 * in which a class ends. The vertex of rank r is number r / groups of the group that graph_vertex()
 * computes from r modulo groups.
 *
 * Memory, from byte 0: two arrays of a word for each vertex, which are the algorithm's, then the
 * offsets, one for each vertex and one for the end, then the edges, a word each, vertex by vertex.
 * The scale is the largest at which at least 16 edges a vertex fit (Graph500's edge factor); there
 * are as many as fit.
 */
#ifndef BENCH_GRAPH_H
#define BENCH_GRAPH_H

#include <stdint.h>

#define GRAPH_A		  0.57
#define GRAPH_B		  0.19
#define GRAPH_C		  0.19
#define GRAPH_D		  0.05
#define GRAPH_SCALE_MAX	  31
#define GRAPH_EDGE_FACTOR 16 /* at least, on average */
#define GRAPH_GROUP	  512
#define GRAPH_WORD	  8
#define GRAPH_CLASSES	  (GRAPH_SCALE_MAX + 1)

struct graph_class {
	uint64_t first; /* rank of its first vertex */
	uint64_t count;
	uint64_t degree; /* of each */
	/* From rank deals * groups + rest on, degrees are smaller by this step. */
	uint64_t step, deals, rest;
};

struct graph {
	unsigned int scale;
	unsigned int group_bits; /* log2 of the number of groups */
	unsigned int last_class; /* that has edges */
	uint64_t vertices;
	uint64_t edges;
	struct graph_class classes[GRAPH_CLASSES];
	uint64_t key;
};

/* For `bytes` of memory, 64 MiB to 512 GiB. */
void graph_begin(struct graph *graph, uint64_t bytes, uint64_t seed);

/* Where array 0 or 1 of the algorithm's has the vertex, in bytes. */
static inline uint64_t graph_word_at(const struct graph *graph, unsigned int array, uint64_t vertex)
{
	return (array * graph->vertices + vertex) * GRAPH_WORD;
}

/* Where the offset of the vertex stands; that of the next one follows. */
static inline uint64_t graph_offset_at(const struct graph *graph, uint64_t vertex)
{
	return graph_word_at(graph, 2, vertex);
}

/* Where edge number `edge` of the whole graph stands. */
static inline uint64_t graph_edge_at(const struct graph *graph, uint64_t edge)
{
	return (3 * graph->vertices + 1 + edge) * GRAPH_WORD;
}

/* The number of the first edge of the vertex; for vertex = vertices, the number of edges. */
uint64_t graph_offset(const struct graph *graph, uint64_t vertex);

/* How many of the vertex' bits are 1. */
unsigned int graph_class(const struct graph *graph, uint64_t vertex);

/* How many edges the vertex has: classes[graph_class()].degree. */
uint64_t graph_degree(const struct graph *graph, uint64_t vertex);

/* The other end of edge `edge`, counted from 0, of the vertex, whose class this is. */
uint64_t graph_neighbour(const struct graph *graph, uint64_t vertex, unsigned int class,
			 uint64_t edge);

/* The vertex of this rank, and the rank of a vertex. */
uint64_t graph_vertex(const struct graph *graph, uint64_t rank);
uint64_t graph_rank(const struct graph *graph, uint64_t vertex);

#endif
