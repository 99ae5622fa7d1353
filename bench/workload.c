/* SPDX-License-Identifier: MIT */
/* See workload.h. */
#include "bench/workload.h"

#include "bench/zipf.h"
#include "hpt/mix.h"

const char *workload_name(enum pattern pattern)
{
	static const char *const names[PATTERNS] = {
		[UNIFORM] = "uniform",	     [ZIPF] = "zipf",	  [SEQUENTIAL] = "sequential",
		[FRAGMENTED] = "fragmented", [SPARSE] = "sparse", [SCATTERED] = "scattered",
	};

	return names[pattern];
}

int workload_map(const struct workload *workload, struct hpt *table)
{
	for (uint64_t i = 0; i < workload->pages; i++) {
		int error = hpt_map(table, hpt_key(1, workload_vpn(workload, i), HPT_4K),
				    workload_entry(workload, i));
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
