/* SPDX-License-Identifier: MIT */
/*
 * The page tables that the CPU walks (Intel SDM volume 3, section 4.5; four levels), read through
 * the gateway: under our guest's CR3 that is the window of stage 1.
 *
 * All of it is the guest's word. A table is read only where the guest itself has been: a look at
 * another page would tell nothing, and KVM, asked the same (KVM_TRANSLATE), would miss on it.
 *
 * Valid while no vCPU is running.
 */
#ifndef VMM_X86_TABLES_H
#define VMM_X86_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/machine.h"

#define X86_WORDS	  512
#define X86_WORDS_PROGRAM (X86_WORDS / 2) /* of the root, for the lower half of addresses */

/* A page as all levels of the tables together describe it. */
struct x86_page {
	gpa_t gpa;	/* of the byte that was asked for */
	uint64_t flags; /* HPT_WRITE, HPT_USER, HPT_NOEXEC: as an entry has them (hpt/entry.h) */
	unsigned int shift; /* log2 of its bytes: 12, 21 or 30 */
};

/* The gPA of the root table; false where the CPU does not walk four levels now. */
bool x86_root(struct machine *machine, unsigned int vcpu, gpa_t *root);

/*
 * Walks to `gva`: 0 and *page; -ENOENT where there is none; -EFAULT where a table is not in guest
 * RAM; -EAGAIN where one is in a page that the guest has not touched.
 */
int x86_walk(struct machine *machine, gpa_t root, uint64_t gva, struct x86_page *page);

/*
 * Chooses a page below the words [first, first + count) of the root: at each level one of the words
 * in use, all alike, so that a page that has few neighbours is as likely as all of a full table.
 * 0 and *gva, or a negative errno as x86_walk(): a table may be empty. `random` is a state of
 * hpt/mix.h.
 */
int x86_choose(struct machine *machine, gpa_t root, unsigned int first, unsigned int count,
	       uint64_t *random, uint64_t *gva);

/* The root's word for an address. */
static inline unsigned int x86_root_index(uint64_t gva)
{
	return gva >> 39 & (X86_WORDS - 1);
}

/* The address with these 36 bits of page number, sign-extended as x86 wants it. */
static inline uint64_t x86_gva(uint64_t vpn)
{
	return (uint64_t)((int64_t)(vpn << 28) >> 16);
}

#endif
