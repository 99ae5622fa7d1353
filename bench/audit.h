/* SPDX-License-Identifier: MIT */
/*
 * One trace under real tables and under the formulas by which others have priced walks: by how much
 * do these err?
 *
 * The tables, each filled as the trace touches pages, which have the same frames in all of them:
 *
 *   radix        nested radix, with walk caches and the nested TLB of the core
 *   hashed       the chosen pair of organisations, nested (HH), with the nested TLB
 *   cuckoo       cuckoo over cuckoo in the same way: all ways are read
 *   cuckoo, CWC  the same tables with modelled cuckoo-walk caches: where they know, one way is read
 *
 * Of each walk every reference goes through data caches of its own (mmu_data_access()), at its
 * host-physical line: frames of the guest's tables lie below those of data, the host's own tables
 * above them. What is found where has a price (audit_price.h), and so the real walks have. On the
 * walks of radix DMT's formula is computed, on those of cuckoo EMT's three.
 *
 * What is assumed
 *  - One filter for all: the core's TLBs alone, which a page enters as small as the smaller page of
 *    both stages. What it does not answer is walked in all tables; nothing else is.
 *  - Every access of the trace, fetches too, reads its lines in the data caches behind its walk:
 *    they evict lines of tables. Writes, prefetching and separate instruction caches are not
 *    modelled (ept/mmu_caches.h). Each of the tables has data caches for itself, filled by the same
 *    accesses and its own walks.
 *  - Caches begin cold, and tables grow. What the system does to map a page costs nothing, neither
 *    time nor lines.
 *  - Hashing costs nothing but where a formula says so, nor does waiting for a line already
 *    on its way.
 */
#ifndef BENCH_AUDIT_H
#define BENCH_AUDIT_H

#include "bench/audit_price.h"
#include "bench/demand.h"
#include "bench/measure.h"
#include "bench/trace.h"

enum audit_model {
	AUDIT_RADIX,
	AUDIT_HASHED,
	AUDIT_CUCKOO,
	AUDIT_CUCKOO_CACHED,
	AUDIT_MODELS,
};

enum audit_metric {
	AUDIT_REAL_RADIX, /* the real ones have the numbers of their models */
	AUDIT_REAL_HASHED,
	AUDIT_REAL_CUCKOO,
	AUDIT_REAL_CUCKOO_CACHED,
	AUDIT_DMT,
	AUDIT_WAYS_MOST,
	AUDIT_EARLY,
	AUDIT_CUCKOO_CACHES,
	AUDIT_METRICS,
};

struct audit_metric_kind {
	const char *name;
	const char *text;	  /* what it stands for, one line */
	enum audit_model against; /* the real walk that it is a proxy of; itself for a real one */
};

const struct audit_metric_kind *audit_metric_kind(enum audit_metric metric);

struct audit_config {
	struct measure_work work; /* pages, frames, caches (not MMU_NONE), without, seed */
	enum hpt_organisation guest_table, host_table; /* of AUDIT_HASHED */
};

struct audit_machine {
	struct stages stages;
	struct walk walk;
};

struct audit {
	struct audit_config config;
	struct demand demand;
	struct audit_machine machines[AUDIT_CUCKOO + 1];
	size_t machine_count;
	struct mmu_caches filter;
	struct mmu_caches caches[AUDIT_MODELS];
	struct audit_walk walks_noted[AUDIT_MODELS]; /* the last walk of each */
	uint64_t accesses;
	uint64_t walks;
	uint64_t wrong;
	uint64_t cycles[AUDIT_METRICS]; /* of all walks */
	uint64_t refs[AUDIT_MODELS];	/* the same */
	int error;			/* while a walk was noted */
};

/* -EINVAL without caches; -ENOMEM. *audit stays where it is until audit_end(). */
int audit_begin(struct audit *audit, const struct audit_config *config);
void audit_end(struct audit *audit);

/* Accesses, in the order of the trace. -ENOMEM. */
int audit_accesses(struct audit *audit, const struct trace_access *accesses, size_t count);

/* Cycles a walk; NAN without any walk. */
double audit_cycles(const struct audit *audit, enum audit_metric metric);

/* By how much a metric is above the real walk of a model, in percent of that. */
double audit_error(const struct audit *audit, enum audit_metric metric, enum audit_model real);

#endif
