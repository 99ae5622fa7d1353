/* SPDX-License-Identifier: MIT */
/*
 * A trace under every chosen form of walk over every chosen pair of tables at once: the trace is
 * read once, front to back, so that a pipe does.
 *
 * A page gets its frames when an access first touches it (demand.h), and is mapped at both stages
 * of every machine there and then: tables start at the smallest and grow. Then the access is
 * translated in every form. Each translation is counted as if there were no TLB, and compared with
 * the map; with modelled caches it is made once more, with these in front of the walk and in it.
 *
 * At the end walks are timed over a sample of the trace: REPLAY_SAMPLES accesses in pieces of
 * REPLAY_PIECE that follow each other, each piece of the trace as likely to be taken as any other
 * (reservoir sampling: Vitter, "Random Sampling with a Reservoir", TOMS'85, algorithm R), asked in
 * their order and from the first on again. A trace that is no longer is the sample. RR and RRP are
 * timed beside every other pair, as the matrix does (matrix.h), and their tables are always there;
 * they are counted only where they are chosen.
 *
 * Memory: tables and the map of the pages that were touched, and the sample.
 */
#ifndef BENCH_REPLAY_H
#define BENCH_REPLAY_H

#include "bench/demand.h"
#include "bench/matrix.h"
#include "bench/trace.h"

#define REPLAY_PIECE   256
#define REPLAY_PIECES  512
#define REPLAY_SAMPLES (REPLAY_PIECE * REPLAY_PIECES)
#define REPLAY_ASKED   (1u << 14) /* in a loop that is timed: the next ones of the sample */

struct replay_piece {
	uint64_t start; /* number of its first access */
	size_t count;
	uint64_t vpns[REPLAY_PIECE];
};

/* Tables of one pair of organisations, and the walkers over them. */
struct replay_machine {
	struct stages stages;
	size_t first, count; /* of the walkers */
};

struct replay_walker {
	struct walker walker;
	bool chosen; /* or only there to be timed beside others */
	struct measure_row row;
	struct mmu_caches caches; /* modelled, beside what the form has itself */
	struct walk modelled;
	struct walk_ledger modelled_ledger;
};

struct replay {
	const struct matrix *matrix; /* what is chosen; its row() is called for each row */
	struct demand demand;
	struct replay_machine *machines; /* the first is radix over radix */
	struct replay_walker *walkers;
	size_t machine_count, walker_count;
	uint64_t accesses;
	struct replay_piece *pieces;
	size_t piece_count;
	struct replay_piece next; /* that is being filled */
	uint64_t next_number;	  /* pieces that were full or are taken */
	/* Where asking stands. */
	size_t asked_piece, asked;
};

/* Makes the machines, empty. -ENOMEM, -EINVAL. */
int replay_begin(struct replay *replay, const struct matrix *matrix);
void replay_end(struct replay *replay);

/* Accesses, in the order of the trace: each within a page. -ENOMEM. */
int replay_accesses(struct replay *replay, const struct trace_access *accesses, size_t count);

/*
 * Times the walkers and tells the rows. `footprint` of a row is that of the pages that were
 * touched; without any access there is no row. *wrong: translations that differed. -ENOMEM.
 */
int replay_finish(struct replay *replay, uint64_t *wrong);

#endif
