/* SPDX-License-Identifier: MIT */
/*
 * Rows of measurements: walkers of several forms over the tables of one machine, timed against each
 * other and against the limits, in rounds in which each takes its turn; counted, checked against
 * the oracle, and held against the model.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench/stream.h"
#include "bench/timing.h"
#include "bench/walker.h"

/* What is measured: one workload over one footprint. */
struct measure_work {
	enum stream_workload workload;
	uint64_t footprint; /* bytes of mapped memory; of `sparse`: from the first page to the last
			     */
	enum layout_frames frames;
	enum stages_pages guest_pages, host_pages;
	enum hpt_hash_family hash;
	bool sealed;
	double room; /* struct stages_config's */
	uint64_t seed;
	enum mmu_profile caches; /* modelled; MMU_NONE */
	const char *without;	 /* an ablation (mmu_caches_without()), or NULL */
	size_t queries;		 /* a loop asks */
};

struct measure_row {
	struct measure_work work;
	enum form form;
	enum hpt_organisation guest_table, host_table;
	/* Nanoseconds a translation: medians of ROUNDS; least and most for latency. */
	double latency, latency_least, latency_most;
	double throughput, batch;
	double ref1, ref2, limit_batch; /* of its own tables; with one table ref2 is NAN */
	double cycles;			/* of the time stamp counter a nanosecond */
	/* This form over the others of the same rounds; NAN where there is none. */
	double over_rr, over_rrp, batch_over_radix;
	uint64_t counted; /* translations that were counted */
	struct walk_ledger ledger;
	struct walk_model model;
	double bytes_per_page;
	uint64_t wrong;
	/* With modelled caches: references a translation, and hits by kind. */
	double modelled_refs, modelled_steps;
	struct mmu_report hits[MMU_KINDS];
};

/* Whether the counts are further from the model than WALK_MODEL_TOLERANCE. */
bool measure_differs(const struct measure_row *row);

/* Walkers that are measured together; each has a row. */
struct measure_subject {
	struct walker *walker;
	struct measure_row *row;
};

/* The configuration of a machine for a work; -EINVAL where its pages are too few or no runs. */
int measure_stages(const struct measure_work *work, enum hpt_organisation guest_table,
		   enum hpt_organisation host_table, struct stages_config *config);

/*
 * Measures `count` walkers over the same mapping, at most MEASURE_SUBJECTS_MAX, and fills their
 * rows but for what is over others. 0 or -ENOMEM.
 */
#define MEASURE_SUBJECTS_MAX 16
int measure(struct measure_subject *subjects, size_t count, const struct measure_work *work);

#endif
