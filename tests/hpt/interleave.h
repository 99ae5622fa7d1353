/* SPDX-License-Identifier: MIT */
/* The changes that interleave.c tries against readers, and what they have to work with. */
#ifndef TESTS_HPT_INTERLEAVE_H
#define TESTS_HPT_INTERLEAVE_H

#include "hpt/hpt.h"

#define INTERLEAVE_KEYS 4

struct interleave_case {
	const char *name;
	void (*prepare)(void); /* maps what there is before the change */
	void (*change)(void);
	/* 4 KiB pages of ASID 1 that readers ask for; none: pages that the change moves. */
	uint64_t vpns[INTERLEAVE_KEYS];
};

/* Maps pages in a new table until it grows: how many the cases of growth need. */
void interleave_find_growth(void);

extern const struct interleave_case interleave_adaptive[], interleave_any[];
extern const unsigned int interleave_adaptive_count, interleave_any_count;
/* So many of the last in interleave_any are for tables that grow. */
extern const unsigned int interleave_growth_count;

extern struct hpt target;

struct hpt_key interleave_key(uint64_t vpn);

/* Two kinds of frames: such that pages become runs, and such that they do not. */
uint64_t interleave_contiguous(uint64_t vpn);
uint64_t interleave_scattered(uint64_t vpn);

/* The pages that were mapped, up to some number: what moves is looked for among them. */
void interleave_map(uint64_t vpn, uint64_t entry);

/* An entry that the change has taken out, or has taken D out of. */
void interleave_taken(uint64_t vpn, uint64_t entry);

/* Ends the program: a case is not what it should be. */
void interleave_expect(bool right, const char *what);

#endif
