/* SPDX-License-Identifier: MIT */
/* See workload.h. */
#include "bench/workload.h"

#include <math.h>

#include "hpt/mix.h"

#define ZIPF_SKEW    0.99
#define MAPPED_AHEAD 64

const char *workload_name(enum pattern pattern)
{
	static const char *const names[PATTERNS] = {
		[UNIFORM] = "uniform",	     [ZIPF] = "zipf",	  [SEQUENTIAL] = "sequential",
		[FRAGMENTED] = "fragmented", [SPARSE] = "sparse", [SCATTERED] = "scattered",
	};

	return names[pattern];
}

/* A batch of lookups first has the lines of the next pages come near, all at once. */
int workload_map(const struct workload *workload, struct hpt *table)
{
	struct hpt_key keys[MAPPED_AHEAD];
	uint64_t entries[MAPPED_AHEAD];

	for (uint64_t i = 0; i < workload->pages; i++) {
		uint64_t next = i % MAPPED_AHEAD;
		int error;

		if (!next) {
			for (uint64_t j = 0; j < MAPPED_AHEAD; j++)
				keys[j] = hpt_key(1, workload_vpn(workload, i + j), HPT_4K);
			hpt_lookup_batch(table, keys, entries, MAPPED_AHEAD);
		}
		error = hpt_map(table, keys[next], workload_entry(workload, i));
		if (error)
			return error;
	}
	return 0;
}

/* A rank of the Zipf distribution, by the inverse of its continuous form; ranks lie scattered. */
static uint64_t zipf(uint64_t pages, double top, double random)
{
	uint64_t rank = (uint64_t)pow(1 + top * random, 1 / (1 - ZIPF_SKEW)) - 1;

	return rank * UINT64_C(0x9e3779b97f4a7c15) & (pages - 1);
}

void workload_queries(const struct workload *workload, uint64_t *state, struct query *queries,
		      size_t count)
{
	double top = pow((double)workload->pages, 1 - ZIPF_SKEW) - 1;
	uint64_t start = mix64_next(state);

	for (size_t n = 0; n < count; n++) {
		uint64_t random = mix64_next(state);
		uint64_t i;

		switch (workload->pattern) {
		case SEQUENTIAL:
			i = (start + n) & (workload->pages - 1);
			break;
		case ZIPF:
			i = zipf(workload->pages, top, (double)(random >> 11) * 0x1p-53);
			break;
		default:
			i = random & (workload->pages - 1);
		}
		queries[n] = (struct query){workload_vpn(workload, i), workload_entry(workload, i)};
	}
}
