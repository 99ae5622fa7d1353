/* SPDX-License-Identifier: MIT */
/*
 * One form of walk over the tables of a machine, ready to be asked, timed and counted.
 */
#ifndef BENCH_WALKER_H
#define BENCH_WALKER_H

#include "bench/form.h"
#include "bench/limit.h"
#include "bench/loops.h"
#include "bench/stages.h"
#include "bench/walk_model.h"
#include "ept/mmu_caches.h"
#include "ept/shadow.h"
#include "ept/walk_ledger.h"

/* The address space of a machine's guest: what stages_key() has. */
#define WALKER_ASID 1

struct walker {
	enum form form;
	struct stages *stages;
	struct walk walk;
	struct walk_predictor predictor;
	struct mmu_caches caches;
	struct shadow shadow;
	struct arena shadow_memory;
};

/*
 * Makes the walker of a form over tables that stay. The caches of RRP are of `profile`; the
 * combined table of SHD is filled with every page, by lookups. 0, -ENOMEM or -EINVAL. *walker stays
 * where it is until walker_destroy().
 */
int walker_create(struct walker *walker, enum form form, struct stages *stages,
		  enum mmu_profile profile);
void walker_destroy(struct walker *walker);

/*
 * A page that was mapped on demand after the walker was made: a combined table gets it. -ENOMEM;
 * -ENOENT where the stages do not have it.
 */
int walker_add(struct walker *walker, uint64_t vpn);

/* Loops whose table is a struct walker; the keys are of the machine's address space. */
extern const struct loops walker_loops;

/* One translation with a ledger. */
void walker_count(struct walker *walker, struct hpt_key key, struct walk_result *result,
		  struct walk_ledger *ledger);

/* What of an entry an answer is compared by: frame, rights and size. */
#define WALKER_COMPARED \
	(HPT_FRAME_MASK | HPT_PRESENT | HPT_WRITE | HPT_USER | HPT_NOEXEC | HPT_LARGE)

/* Bytes of table a mapped page, the reverse map of a combined table included. */
double walker_bytes_per_page(const struct walker *walker);

/* What theory says of it. */
struct walk_model walker_model(const struct walker *walker);

/* The memory of its first table, number 0 (or only one), and of its second: for the limits. */
struct limit_memory walker_memory(const struct walker *walker, int number);

#endif
