/* SPDX-License-Identifier: MIT */
/* See workload.h. */
#include "bench/workload.h"

#include "bench/zipf.h"
#include "hpt/mix.h"

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

void workload_queries(const struct workload *workload, uint64_t *state, struct query *queries,
		      size_t count)
{
	struct zipf zipf = zipf_of(workload->pages);
	struct permutation places = permutation_of(workload->pages, 0); /* of ranks */
	uint64_t start = mix64_next(state);

	for (size_t n = 0; n < count; n++) {
		uint64_t i;

		switch (workload->pattern) {
		case SEQUENTIAL:
			i = (start + n) & (workload->pages - 1);
			break;
		case ZIPF:
			i = permutation_at(&places, zipf_next(&zipf, state));
			break;
		default:
			i = mix64_next(state) & (workload->pages - 1);
		}
		queries[n] = (struct query){workload_vpn(workload, i), workload_entry(workload, i)};
	}
}
