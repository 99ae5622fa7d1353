/* SPDX-License-Identifier: MIT */
/*
 * Walks of sealed tables by somebody who counts what he has to decipher, one word after another.
 *
 * Every word that a walk follows names memory: of a tree one a level, of a hashed table the entry
 * that is found. In a table sealed as hpt/seal.h does it the pads of those words are known before
 * the words are. `cipher` is the other way, a cipher over the field itself: each decryption begins
 * when the word is there, and what it gives is where the walk goes on. The words of such a walk are
 * in the clear, and the cipher's result changes nothing in them: what it costs is what counts.
 */
#ifndef BENCH_SEALED_WALK_H
#define BENCH_SEALED_WALK_H

#include "bench/stages.h"

/* Words that were followed. */
struct sealed_count {
	uint64_t deciphered; /* all that name memory */
	uint64_t leaves;     /* of these, entries: all there is if nodes are in the clear */
};

/*
 * The frame that a page of `table`, which is reached by its own offset, has: 0 if it has none.
 * `cipher`: its table is not sealed.
 */
uint64_t sealed_lookup(const struct hpt *table, struct hpt_key key, bool cipher,
		       struct sealed_count *count);

/* The HFN of a page through both stages; the guest's table is translated by the host's. */
uint64_t sealed_walk(const struct walk *walk, struct hpt_key key, bool cipher,
		     struct sealed_count *count);

#endif
