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
	const char *trace;  /* or NULL: what is measured is not a workload but this trace */
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
	uint64_t walks; /* of a replay: accesses that the modelled TLBs did not answer */
	struct mmu_report hits[MMU_KINDS];
};

/* What its questions are of: the workload's name, or the trace's. */
const char *measure_name(const struct measure_row *row);

/* Whether the counts are further from the model than WALK_MODEL_TOLERANCE. */
bool measure_differs(const struct measure_row *row);

/*
 * One translation with the caches of `walk` before it and in it, that is walk->caches, which is all
 * by which it differs from the walker's own. Whether it was wrong.
 */
bool measure_modelled(struct walker *walker, const struct walk *walk, struct hpt_key key,
		      uint64_t expected, struct walk_ledger *ledger);

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

/* Where the questions of timed loops come from: the next ones of some order of accesses. */
struct measure_source {
	void (*next)(void *context, struct query *queries, size_t count);
	void *context;
	size_t count; /* of a loop */
};

/* What measure() does after counting: fills in the times alone. 0 or -ENOMEM. */
int measure_times(struct measure_subject *subjects, size_t count,
		  const struct measure_source *source);

#endif
