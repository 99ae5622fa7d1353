/* SPDX-License-Identifier: MIT */
/*
 * Arguments that no program would pass: addresses in the kernel, between the halves, where nothing
 * is; descriptors that are not open.
 */
#ifndef TESTS_IMAGES_WILD_H
#define TESTS_IMAGES_WILD_H

#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/images/report.h"

#define WILD_UNMAPPED 0x100000000000UL /* no program of ours has anything at 16 TiB */

static const unsigned long wild_addresses[] = {
	0x1000,
	WILD_UNMAPPED,
	0x7ffffffff000UL - 8,
	0x800000000000UL,
	0xffff7fffffffffffUL,
	0xffff888000000000UL,
	0xffffffff80100000UL,
	0xffffffffc0000000UL,
	0xfffffffffffffff8UL,
};

static const int wild_descriptors[] = {-1, 500, 1023, 1024, INT_MAX, INT_MIN, -100};

#define WILD_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * A call with a wild address in argument number @at, for all of them: each must fail with EFAULT.
 * @arguments are the others.
 */
static inline void wild_pointers(struct report *report, const char *name, long number,
				 const long arguments[4], int at)
{
	unsigned int refused = 0;

	for (unsigned int i = 0; i < WILD_COUNT(wild_addresses); i++) {
		long a[4] = {arguments[0], arguments[1], arguments[2], arguments[3]};

		a[at] = (long)wild_addresses[i];
		if (syscall(number, a[0], a[1], a[2], a[3]) == -1 && errno == EFAULT)
			refused++;
		else
			printf("# %s: argument %d, address %lx: errno %d\n", name, at,
			       wild_addresses[i], errno);
	}
	report_value(report, name, refused, WILD_COUNT(wild_addresses));
}

/* The same with descriptors: EBADF. */
static inline void wild_numbers(struct report *report, const char *name, long number,
				const long arguments[4], int at)
{
	unsigned int refused = 0;

	for (unsigned int i = 0; i < WILD_COUNT(wild_descriptors); i++) {
		long a[4] = {arguments[0], arguments[1], arguments[2], arguments[3]};

		a[at] = wild_descriptors[i];
		if (syscall(number, a[0], a[1], a[2], a[3]) == -1 && errno == EBADF)
			refused++;
		else
			printf("# %s: argument %d, descriptor %d: errno %d\n", name, at,
			       wild_descriptors[i], errno);
	}
	report_value(report, name, refused, WILD_COUNT(wild_descriptors));
}

#endif
