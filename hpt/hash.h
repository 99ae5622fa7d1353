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
 *
 * All have a portable form. Where the CPU has instructions for one, the host uses them; the results
 * are the same bit for bit, and so are those of the guest's build (tests/hpt/hash.c).
 */
#ifndef HPT_HASH_H
#define HPT_HASH_H

#include <stdint.h>

enum hpt_hash_family { HPT_FIBONACCI, HPT_CRC32, HPT_AES, HPT_SIPHASH, HPT_HASH_FAMILIES };

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
