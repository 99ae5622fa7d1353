/* SPDX-License-Identifier: MIT */
/*
 * A page of memory as it should be, and how the real one is held against it (torture.c).
 *
 * Rights are found out without dying: sigprocmask() is given a set to read and a "how" that does
 * not exist, or the place for the old set, the last word of the page; either is EFAULT where the
 * program would be ended. No signal is blocked, so that word is always zero.
 */
#ifndef TESTS_IMAGES_TORTURE_MODEL_H
#define TESTS_IMAGES_TORTURE_MODEL_H

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hpt/mix.h"

#define PAGE	    4096L
#define WORDS	    (PAGE / 8)
#define LAST_WORD   (WORDS - 1) /* the old set goes there */
#define STAMPS	    3
#define NOT_A_HOW   99
#define RETURNED(r) ((long)(r) == -1 ? -errno : (long)(r))

/* A page as it should be. Its words are 0 but for those of stamp_at[], which have the stamp. */
struct page {
	bool mapped;
	int protection;
	uint64_t stamp;
	unsigned int piece;
};

static const unsigned int stamp_at[STAMPS] = {0, 201, WORDS - 2};

static uint64_t model_state;	/* of the random numbers */
static uint64_t model_checksum; /* of all results and contents */
static uint64_t model_operations;
static const char *model_operation = "start";

static inline unsigned int below(unsigned int limit)
{
	return (unsigned int)(mix64_next(&model_state) % limit);
}

static inline void note(uint64_t value)
{
	model_checksum = (model_checksum ^ value) * UINT64_C(0x100000001b3);
	model_checksum ^= model_checksum >> 29;
}

static inline void wanted(const char *what, uint64_t number, uint64_t want, uint64_t found)
{
	if (want == found)
		return;
	printf("torture: operation %" PRIu64 ", %s: %s of %" PRIu64 ": found %" PRIx64
	       ", wanted %" PRIx64 "\n",
	       model_operations, model_operation, what, number, found, want);
	exit(1);
}

static inline void wanted_result(long want, long found)
{
	wanted("result", 0, (uint64_t)want, (uint64_t)found);
	note((uint64_t)found);
}

static inline bool readable(const struct page *page)
{
	return page->mapped && page->protection != PROT_NONE;
}

static inline bool writable(const struct page *page)
{
	return page->mapped && page->protection & PROT_WRITE;
}

static inline long try_read(const char *at)
{
	return RETURNED(syscall(SYS_rt_sigprocmask, NOT_A_HOW, at, NULL, 8L));
}

static inline long try_write(char *at)
{
	return RETURNED(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, at, 8L));
}

static inline void check_words(const struct page *page, const uint64_t *words, uint64_t number)
{
	unsigned int next = 0;

	for (unsigned int i = 0; i < WORDS; i++) {
		bool stamped = next < STAMPS && i == stamp_at[next];

		wanted("content", number, stamped ? page->stamp : 0, words[i]);
		next += stamped;
	}
	note(page->stamp);
}

/* A call costs a guest more than an access: what is allowed is tried now and then. */
static inline void check_page(const struct page *page, char *at, uint64_t number)
{
	bool also = !below(4);

	if (readable(page))
		check_words(page, (const uint64_t *)(uintptr_t)at, number);
	if (also || !readable(page))
		wanted("reading", number, (uint64_t)(readable(page) ? -EINVAL : -EFAULT),
		       (uint64_t)try_read(at));
	if (also || (!writable(page) && readable(page)))
		wanted("writing", number, (uint64_t)(writable(page) ? 0 : -EFAULT),
		       (uint64_t)try_write(at + LAST_WORD * 8));
}

static inline void stamp(struct page *page, char *at)
{
	volatile uint64_t *words = (uint64_t *)(uintptr_t)at;

	page->stamp = mix64_next(&model_state);
	for (unsigned int i = 0; i < STAMPS; i++)
		words[stamp_at[i]] = page->stamp;
}

#endif
