/* SPDX-License-Identifier: MIT */
/*
 * `twostage run --walk-check N`: now and then, while the guest is stopped, N of its pages are
 * walked in software (ept/walk.h), over its table in guest memory and over the host's, and what the
 * walk says is held against the machine: KVM_TRANSLATE for stage 1, the PFNs of the window's page
 * and of the pool's frame for stage 2, and the VMM's own lookups for both.
 *
 * When: at port exits, and at no others. The guest has left of its own accord then, so that its
 * table and window are whole, and it waits for no miss; a timer would break in on both
 * (DESIGN.md). Other CPUs are stopped wherever they are, so a check is put off to the next exit
 * while one of them is in the kernel, which may be in the middle of a change. Of the exits from the
 * publishing of the table on, the 1st, 2nd, 4th, 8th and so on, and that of the guest's end: the
 * same ones in each run of a program.
 *
 * Nothing is touched by it: no page of guest memory, and none of the counts that a run reports.
 */
#ifndef VMM_WALK_CHECK_H
#define VMM_WALK_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ept/walk_ledger.h"
#include "vmm/machine.h"
#include "vmm/stage1.h"
#include "vmm/walk_compare.h"

#define WALK_CHECK_PAGES_MAX 65536 /* at one stop */

/* What the walks to pages of one size have cost, and would where each table answers at once. */
struct walk_check_cost {
	uint64_t walks; /* that were translated */
	uint64_t refs, steps;
	uint64_t ideal_refs, ideal_steps;
};

struct walk_check_counts {
	uint64_t pages; /* at a stop, as asked for */
	uint64_t stops;
	uint64_t busy; /* more, that were put off */
	/* Stops at which nothing was walked, and why (static text) at the last of them. */
	uint64_t no_table;	/* the guest has published none */
	uint64_t invalid_table; /* it has published one that cannot be */
	const char *no_table_why;
	/* walks = translated + absent at stage 1, at stage 2, untouched + lied + wrong */
	uint64_t walks;
	uint64_t translated;
	uint64_t absent1;   /* stage 1 has no entry, or none that an access may use */
	uint64_t absent2;   /* stage 2 has none for the page */
	uint64_t untouched; /* stage 2 has none for a page of the guest's table */
	uint64_t lied;	    /* the guest's table or window could not be believed */
	uint64_t wrong;
	/* Of walks that agree, but those that ended as untouched: what KVM said. */
	uint64_t kvm_same;	/* the same gPA and rights */
	uint64_t kvm_absent;	/* no translation, as stage 1 */
	uint64_t not_in_window; /* no translation, though stage 1 has one */
	uint64_t kvm_unknown;	/* it was not asked */
	/* Of walks that agree and came to a frame. */
	uint64_t frames_same;
	uint64_t not_installed;
	uint64_t skipped;
	const char *skipped_why; /* static text */
	struct walk_check_cost costs[HPT_SIZES];
	/*
	 * Where the guest has a slab (vmm/table_slab.h): stops at which each page was walked to by
	 * the slab as well, with the same result, and those at which it was not, with the reason
	 * (static text) at the last of them; and what those walks have cost.
	 */
	uint64_t slab_stops;
	uint64_t no_slab;
	const char *no_slab_why;
	struct walk_check_cost slab_costs[HPT_SIZES];
};

struct walk_check {
	struct walk_check_counts counts;
	bool own_kernel;
	uint64_t exits; /* since the guest has published */
	uint64_t next;	/* the one of the next check */
	uint64_t random;
	struct pagemap pagemap;
	/* Of a walk that was wrong: the run ends with it. */
	uint64_t wrong_gva;
	char wrong_text[320];
	/* Of the stop that is under way. */
	struct stage1 stage1;
	struct hpt guest; /* of this the descriptor alone means something */
	struct walk walk;
	bool has_slab; /* then also: */
	struct walk slab_walk;
	bool has_root; /* the CPU walks tables of four levels: */
	gpa_t root;
};

/* `pages` from 1 to WALK_CHECK_PAGES_MAX; `own_kernel` as in walk_compare(). */
void walk_check_init(struct walk_check *check, uint64_t pages, uint64_t seed, bool own_kernel);
void walk_check_destroy(struct walk_check *check);

/* To be called at each port exit, once it is served: whether a check is due. */
bool walk_check_is_due(struct walk_check *check, const struct machine *machine);

/*
 * One check, in the address space and the window of a vCPU; none if another one is in the kernel.
 * False if a walk was wrong: which stands in wrong_gva and wrong_text.
 */
bool walk_check_stop(struct walk_check *check, struct machine *machine, unsigned int vcpu);

/*
 * The parts of a check, for tests: takes what the guest has published, false if there is no table
 * that can be walked; and walks to one gVA, false if that was wrong.
 */
bool walk_check_begin(struct walk_check *check, struct machine *machine, unsigned int vcpu);
bool walk_check_page(struct walk_check *check, struct machine *machine, uint64_t gva);

/* What is reported of it (walk_check_report.c): rows of --stats, and an object of --json. */
void walk_check_print(FILE *stream, const struct walk_check_counts *counts);
json_t *walk_check_json(const struct walk_check_counts *counts);

#endif
