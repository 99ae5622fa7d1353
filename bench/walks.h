/* SPDX-License-Identifier: MIT */
/* The cases of `make bench-walks` and their bars (walks_cases.c): data. */
#ifndef BENCH_WALKS_H
#define BENCH_WALKS_H

#include "bench/measure.h"

#define WALKS_SUBJECTS 6
#define WALKS_BARS     4

/* One walker of a case. */
struct walks_subject {
	bool used;
	enum form form;
	enum hpt_organisation guest, host;
	enum hpt_hash_family hash;
	bool sealed;
};

enum walks_kind {
	WALKS_OVER_REF1,
	WALKS_OVER_REF2,
	WALKS_OVER, /* latency of `subject` over that of `other` */
	WALKS_BATCH_OVER_LIMIT,
	WALKS_BATCH_OVER,
	WALKS_REFS,
};

struct walks_bar {
	const char *name; /* NULL: no more */
	enum walks_kind kind;
	size_t subject, other; /* of the case's subjects */
	double target;
	bool at_most;
};

struct walks_case {
	const char *name; /* for --only */
	const char *title;
	enum stream_workload workload;
	uint64_t gib;
	enum layout_frames frames;
	struct walks_subject subjects[WALKS_SUBJECTS]; /* the first is RR */
	struct walks_bar bars[WALKS_BARS];
};

extern const struct walks_case walks_cases[];
extern const size_t walks_case_count;

#endif
