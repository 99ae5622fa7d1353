/* SPDX-License-Identifier: MIT */
/*
 * See graph.h. With b = group_bits and rest = rank mod 2^b, the group of a rank is
 *
 *     group = the b bits of mixed(rest), the lowest first
 *
 * where every bit of mixed(rest) depends on that bit of `rest` and those below it. So the numbers
 * that have their highest bits in common with a group are those whose rests have their lowest bits
 * in common with its rest: the groups before it fall into at most b such sets, one for each of its
 * bits that is 1, and how many rests of a set are below a limit is a division. (Nested scrambling:
 * Owen, "Randomly Permuted (t,m,s)-Nets and (t,s)-Sequences", 1995; the bits that depend on lower
 * ones: Klimov and Shamir, "A New Class of Invertible Mappings", CHES'02.)
 */
#include "bench/graph.h"

#include "bench/stream_kind.h"
#include "hpt/mix.h"

#define GROUP_LOG2 9

_Static_assert(1 << GROUP_LOG2 == GRAPH_GROUP, "a group is a power of two");

static void begin_classes(struct graph *graph, double edges)
{
	const double zero = GRAPH_A + GRAPH_B; /* how likely a bit of a vertex is 0 */
	const double one = GRAPH_C + GRAPH_D;
	uint64_t first = 0;
	uint64_t count = 1;

	for (unsigned int k = 0; k <= graph->scale; k++) {
		double expected = edges;

		for (unsigned int i = 0; i < graph->scale; i++)
			expected *= i < k ? one : zero;
		graph->classes[k] = (struct graph_class){
			.first = first, .count = count, .degree = (uint64_t)expected};
		graph->edges += count * graph->classes[k].degree;
		if (graph->classes[k].degree)
			graph->last_class = k;
		first += count;
		count = count * (graph->scale - k) / (k + 1); /* the next binomial coefficient */
	}
}

void graph_begin(struct graph *graph, uint64_t bytes, uint64_t seed)
{
	uint64_t words = bytes / GRAPH_WORD - 1;

	*graph = (struct graph){.scale = GROUP_LOG2, .key = mix64(seed ^ 1)};
	while (graph->scale < GRAPH_SCALE_MAX &&
	       words >> (graph->scale + 1) >= 3 + GRAPH_EDGE_FACTOR)
		graph->scale++;
	graph->group_bits = graph->scale - GROUP_LOG2;
	graph->vertices = UINT64_C(1) << graph->scale;
	begin_classes(graph, (double)(words - 3 * graph->vertices));
	for (unsigned int k = 0; k <= graph->last_class; k++) {
		struct graph_class *class = &graph->classes[k];
		uint64_t end = class->first + class->count;

		class->step = class->degree;
		if (k < graph->last_class)
			class->step -= class[1].degree;
		class->deals = end >> graph->group_bits;
		class->rest = end - (class->deals << graph->group_bits);
	}
}

/* A permutation of the numbers of any count of bits: none depends on a bit above it. */
static uint64_t mixed(const struct graph *graph, uint64_t rest)
{
	uint64_t x = (rest + graph->key) * UINT64_C(0xbf58476d1ce4e5b9);

	x += x * x | 5;
	x *= UINT64_C(0x94d049bb133111eb);
	return x + (x * x | 5);
}

static uint64_t reversed(uint64_t bits)
{
	bits = (bits >> 1 & UINT64_C(0x5555555555555555)) | (bits & UINT64_C(0x5555555555555555))
								    << 1;
	bits = (bits >> 2 & UINT64_C(0x3333333333333333)) | (bits & UINT64_C(0x3333333333333333))
								    << 2;
	bits = (bits >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (bits & UINT64_C(0x0f0f0f0f0f0f0f0f))
								    << 4;
	return __builtin_bswap64(bits);
}

uint64_t graph_vertex(const struct graph *graph, uint64_t rank)
{
	uint64_t deal = rank >> graph->group_bits;
	uint64_t rest = rank - (deal << graph->group_bits);
	uint64_t group = reversed(mixed(graph, rest)) >> (64 - graph->group_bits);

	return group << GROUP_LOG2 | deal;
}

/*
 * The rest of which the group was made, bit by bit from the lowest. For each bit of the group that
 * is 1, `sum` gets the degrees that the groups have in which it is 0 and the bits above are as
 * here, beyond what all groups have alike.
 */
static uint64_t rest_of(const struct graph *graph, uint64_t group, uint64_t *sum)
{
	uint64_t rest = 0;

	for (unsigned int i = 0; i < graph->group_bits; i++) {
		uint64_t bit = group >> (graph->group_bits - 1 - i) & 1;
		uint64_t flip = mixed(graph, rest) >> i & 1;
		uint64_t lowest = rest | flip << i; /* of the rests of the groups with 0 */

		rest |= (bit ^ flip) << i;
		if (!bit || !sum)
			continue;
		for (unsigned int k = 0; k <= graph->last_class; k++) {
			const struct graph_class *class = &graph->classes[k];

			if (class->rest > lowest)
				*sum += class->step * (((class->rest - lowest - 1) >> (i + 1)) + 1);
		}
	}
	return rest;
}

uint64_t graph_rank(const struct graph *graph, uint64_t vertex)
{
	uint64_t deal = vertex % GRAPH_GROUP;

	return deal << graph->group_bits | rest_of(graph, vertex / GRAPH_GROUP, NULL);
}

uint64_t graph_offset(const struct graph *graph, uint64_t vertex)
{
	uint64_t group = vertex / GRAPH_GROUP;
	uint64_t deal = vertex % GRAPH_GROUP;
	uint64_t sum = 0;
	uint64_t rest;

	if (vertex == graph->vertices)
		return graph->edges;
	rest = rest_of(graph, group, &sum);
	for (unsigned int k = 0; k <= graph->last_class; k++) {
		const struct graph_class *class = &graph->classes[k];
		uint64_t deals = class->deals + (rest < class->rest); /* to this group */

		sum += class->step * (group * class->deals + (deal < deals ? deal : deals));
	}
	return sum;
}

unsigned int graph_class(const struct graph *graph, uint64_t vertex)
{
	uint64_t rank = graph_rank(graph, vertex);
	unsigned int k = 0;

	while (k < graph->scale && rank >= graph->classes[k + 1].first)
		k++;
	return k;
}

uint64_t graph_degree(const struct graph *graph, uint64_t vertex)
{
	return graph->classes[graph_class(graph, vertex)].degree;
}

/*
 * How many of the other end's bits are 1. All bits are drawn at once: digit after digit, a random
 * one is compared with that of the probability, until the two have differed for every bit.
 */
static unsigned int draw_class(const struct graph *graph, unsigned int class, uint64_t *random)
{
	const uint32_t after_zero = (uint32_t)(GRAPH_B / (GRAPH_A + GRAPH_B) * 0x1p32);
	const uint32_t after_one = (uint32_t)(GRAPH_D / (GRAPH_C + GRAPH_D) * 0x1p32);
	uint32_t ones = (UINT32_C(1) << class) - 1;
	uint32_t undecided = (uint32_t)(graph->vertices - 1);
	uint32_t zeros = undecided & ~ones;
	uint32_t drawn = 0;
	uint64_t digits = 0;

	for (int digit = 31; undecided && digit >= 0; digit--) {
		uint32_t wanted =
			(-(after_zero >> digit & 1) & zeros) | (-(after_one >> digit & 1) & ones);

		digits = digit % 2 ? mix64_next(random) : digits >> 32;
		drawn |= undecided & wanted & ~(uint32_t)digits;
		undecided &= ~(wanted ^ (uint32_t)digits);
	}
	return (unsigned int)__builtin_popcount(drawn);
}

uint64_t graph_neighbour(const struct graph *graph, uint64_t vertex, unsigned int class,
			 uint64_t edge)
{
	uint64_t random = (vertex << 32 | edge) + graph->key;
	const struct graph_class *drawn = &graph->classes[draw_class(graph, class, &random)];

	return graph_vertex(graph, drawn->first + stream_below(mix64_next(&random), drawn->count));
}
