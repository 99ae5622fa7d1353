/* SPDX-License-Identifier: MIT */
/*
 * What a walk should cost and where it should fail, found by another way than the walker's: each
 * table is walked line by line as a stranger would (hpt/probe.h), stage 2 is the naive map, and
 * what a line of the guest's table costs is added up by the definitions of walk_ledger.h.
 */
#ifndef TESTS_EPT_WALK_ORACLE_H
#define TESTS_EPT_WALK_ORACLE_H

#include "tests/ept/walk_fixture.h"

struct oracle_cost {
	uint64_t refs, steps, early, hashes;
};

struct oracle {
	struct walk_result result;
	struct oracle_cost cost;
	uint64_t lines, pages;
	uint64_t own; /* of refs, those to lines of the guest's table */
	/*
	 * A page of the guest's table that ways have in common could not be reached: each asks for
	 * it anew, which is the walker's matter.
	 */
	bool cost_unknown;
	unsigned int probe; /* lines of the guest's table that were asked for */
	unsigned int told;
	uint64_t seen[64]; /* addresses, the guest's with bit 62 */
};

/* The walk of a key: its result by what the tables say, and its cost. */
void oracle_walk(const struct machine *machine, const struct walk *walk, struct hpt_key key,
		 struct oracle *oracle);

/* walk_count() says of this key what the oracle does, and walk_one() gives the same. */
void oracle_check(const struct machine *machine, const struct walk *walk, struct hpt_key key);

#endif
