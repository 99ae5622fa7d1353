/* SPDX-License-Identifier: MIT */
/*
 * System calls of ept/ that fail when a test says so. The linker leads every call of these names in
 * this program here (--wrap in the Makefile); where nothing is to fail the call is made as it is.
 */
#ifndef TESTS_EPT_INJECT_H
#define TESTS_EPT_INJECT_H

#include <stdbool.h>

enum inject_call {
	INJECT_NOTHING,
	INJECT_FALLOCATE,
	INJECT_PREADV,
	INJECT_PWRITEV,
	INJECT_CONTINUE, /* ioctl(UFFDIO_CONTINUE) */
	INJECT_WAKE,
	INJECT_REGISTER,
	INJECT_PROTECT, /* ioctl(UFFDIO_WRITEPROTECT) */
	INJECT_MADVISE,
	INJECT_MMAP,
	INJECT_MPROTECT,
	INJECT_POLL,
	INJECT_READ, /* of userfaultfd */
	INJECT_API,  /* ioctl(UFFDIO_API) */
	INJECT_THREAD,
	INJECT_TRUNCATE,
	INJECT_EVENT,
	INJECT_MEMFD,
	INJECT_CALLS,
};

/* In place of an errno: half as much as was asked for; a bit of the data is another. */
enum { INJECT_SHORT = -1, INJECT_DAMAGE = -2, INJECT_END = -3 /* of the file */ };

/* From now on the nth call of the kind fails, the first being 1, or if `for_good` each from then.
 */
void inject_arm(enum inject_call call, int how, unsigned int nth, bool for_good);

/* Ends that, and says how many calls of the kind there were since, and how many failed. */
void inject_disarm(unsigned int *calls, unsigned int *failed);

const char *inject_name(enum inject_call call);

#endif
