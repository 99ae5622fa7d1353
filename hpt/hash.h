/* SPDX-License-Identifier: MIT */
/*
 * Hash families: how a tag and the table's salt become 64 bits, whose top ones choose the line.
 *
 * fibonacci  one multiplication (lines.h). Neighbouring keys spread almost evenly, which no other
 *            family does; who knows the multiplier makes keys that collide, salt or not: it is for
 *            tables whose keys nobody chooses against them.
 * crc32      CRC-32C of salt and tag (Castagnoli, 1993), 32 bits, twice. Linear, so as weak.
 * aes        two rounds of AES (FIPS 197, section 5.1) over tag and salt, with round keys made from
 *            the salt.
 * siphash    SipHash-1-3 of the tag (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 *            INDOCRYPT'12) with the salt as key: keys that collide are not found without the salt.
 * local      one multiplication of what four neighbouring tags have in common; hpt_spot_beside()
 *            (lines.h) makes their places neighbours. Who looks neighbours up one after another
 *            reads lines side by side, and waits less. Ranges spread as evenly as by fibonacci, but
 *            four tags at a time: where many ranges lie at random, groups are filled unevenly and
 *            tables grow earlier (DESIGN.md). As weak as fibonacci.
 *
 * All have a portable form. Where the CPU has instructions for one, the host uses them; the results
 * are the same bit for bit, and so are those of the guest's build (tests/hpt/hash.c).
 */
#ifndef HPT_HASH_H
#define HPT_HASH_H

#include <stdint.h>

enum hpt_hash_family {
	HPT_FIBONACCI,
	HPT_CRC32,
	HPT_AES,
	HPT_SIPHASH,
	HPT_LOCAL,
	HPT_HASH_FAMILIES
};

/*
 * The multiplier of the multiplicative hash (Knuth, The Art of Computer Programming 3, section
 * 6.4), by which neighbouring keys spread almost evenly. With the golden ratio's, keys a power of
 * two apart collect in few lines (up to 6.8 probes a hit of a clustered table). This one was
 * searched for: over strides of 2^0 to 2^18 and tables of 2^8 to 2^26 lines, 5/8 full, a hit takes
 * at most 2.0 probes on average, at most 1.35 where the keys are neighbours (tests/hpt/load.c).
 * What a multiplier has to be good at is a matter of continued fractions: for each stride, those of
 * multiplier * stride / 2^64 must have no large quotient, or keys lie in clumps at some table size.
 */
#define HPT_MULTIPLIER UINT64_C(0x9522ba04fb086523)

/* So many tags, of which only the lowest bits differ, are neighbours for `local`. */
#define HPT_NEIGHBOURS_LOG2 2
#define HPT_NEIGHBOURS	    (1u << HPT_NEIGHBOURS_LOG2)

/* The name ("siphash") of a family that exists. */
const char *hpt_hash_family_name(enum hpt_hash_family family);

/* The family of a name; -ENOENT if there is none such. */
int hpt_hash_family_find(const char *name);

/* A salt, and what a family makes of it: once, where the salt is set, not at each hash. */
struct hpt_salt {
	uint64_t value;
	uint64_t keys[4]; /* aes: two round keys; siphash: the key's second half, then 0; else 0 */
};

/* Sets *salt to `value`, for a family. */
void hpt_salt_set(struct hpt_salt *salt, enum hpt_hash_family family, uint64_t value);

/* The families but fibonacci, which is inline (lines.h); another family gives 0. */
uint64_t hpt_hash_tag(enum hpt_hash_family family, const struct hpt_salt *salt, uint64_t tag);

/* The forms that every CPU has: what hpt_hash_tag() is held against. */
uint64_t hpt_hash_portable(enum hpt_hash_family family, const struct hpt_salt *salt, uint64_t tag);

#endif
