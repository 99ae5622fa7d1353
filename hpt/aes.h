/* SPDX-License-Identifier: MIT */
/*
 * AES-128 (FIPS 197), and its round for whoever needs less (hash.c).
 *
 * There are a portable form, without tables whose loads could be timed, and one by the CPU's
 * instructions, which the host uses where it has them; the results are the same bit for bit
 * (tests/hpt/aes.c).
 */
#ifndef HPT_AES_H
#define HPT_AES_H

#include <stdint.h>

/* 16 bytes, column after column: `low` has the first eight, the first of all in its lowest bits. */
struct aes_block {
	uint64_t low;
	uint64_t high;
};

#define AES_ROUNDS 10

/* The round keys of a key (section 5.2): the first is added before the first round. */
struct aes_keys {
	struct aes_block rounds[AES_ROUNDS + 1];
};

void aes_expand(struct aes_keys *keys, const uint8_t key[16]);

/* The cipher (section 5.1). */
struct aes_block aes_encrypt(const struct aes_keys *keys, struct aes_block block);

/* As many independent blocks as the levels of a tree, in little more time than one takes. */
#define AES_FOUR 4
void aes_encrypt_four(const struct aes_keys *keys, struct aes_block blocks[AES_FOUR]);

/* The form that every CPU has: what aes_encrypt() is held against. */
struct aes_block aes_encrypt_portable(const struct aes_keys *keys, struct aes_block block);

/* SubBytes, ShiftRows, MixColumns, AddRoundKey: one round that is not the last. Portable. */
struct aes_block aes_round(struct aes_block block, struct aes_block key);

#endif
