/* SPDX-License-Identifier: MIT */
/*
 * What the tests of stage 2 share: making one, and playing its guest.
 *
 * A test thread that touches the window is the guest. A host that does not let this user handle
 * page faults skips the tests.
 */
#ifndef TESTS_EPT_GUEST_H
#define TESTS_EPT_GUEST_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ept/ept.h"

#define PAGE HPT_PAGE_SIZE
#define MIB  (UINT64_C(1) << 20)
#define GIB  (UINT64_C(1) << 30)

/* A test for each organisation of the host's table; `organisation` points at it. */
#define EACH_ORGANISATION(name)                                                            \
	ParameterizedTestParameters(ept, name)                                             \
	{                                                                                  \
		static enum hpt_organisation all[HPT_ORGANISATIONS];                       \
                                                                                           \
		for (unsigned int i = 0; i < HPT_ORGANISATIONS; i++)                       \
			all[i] = (enum hpt_organisation)i;                                 \
		return cr_make_param_array(enum hpt_organisation, all, HPT_ORGANISATIONS); \
	}                                                                                  \
	ParameterizedTest(enum hpt_organisation *organisation, ept, name, .timeout = 30)

/* A guest with RAM at [0, size), all of it to be had, or else no more than its limit. */
static inline struct ept_config guest_config(enum hpt_organisation organisation, uint64_t size)
{
	return (struct ept_config){.ranges = {{0, size}},
				   .range_count = 1,
				   .host_mem = size,
				   .no_swap = true,
				   .organisation = organisation,
				   .seed = 1};
}

static inline void guest_create(struct ept *ept, const struct ept_config *config)
{
	const char *what = "";
	int ret = ept_create(ept, config, &what);

	if (ret == -EPERM || ret == -ENOSYS || ret == -EOPNOTSUPP)
		cr_skip_test("%s", what);
	cr_assert_eq(ret, 0, "%d: %s", ret, what);
}

static inline volatile uint64_t *guest_word(const struct ept *ept, gpa_t gpa)
{
	return (volatile uint64_t *)ept_window_address(ept, gpa);
}

static inline uint64_t guest_load(const struct ept *ept, gpa_t gpa)
{
	return *guest_word(ept, gpa);
}

static inline void guest_store(const struct ept *ept, gpa_t gpa, uint64_t value)
{
	*guest_word(ept, gpa) = value;
}

static __thread sigjmp_buf guest_died;

static inline void guest_signal(int signal)
{
	siglongjmp(guest_died, signal);
}

/* Whether a store of the guest is refused with a signal. */
static inline bool guest_store_fails(const struct ept *ept, gpa_t gpa)
{
	struct sigaction action = {.sa_handler = guest_signal};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(guest_died, 1))
		return true;
	guest_store(ept, gpa, 1);
	return false;
}

/* The counts, after checking what always holds of them. */
static inline struct ept_counts guest_counts(struct ept *ept)
{
	static struct ept_snapshot snapshot;
	struct ept_counts *counts = &snapshot.counts;
	gpa_t gpa;

	ept_read(ept, &snapshot);
	cr_assert_eq(counts->misses, counts->touches + counts->loaded + counts->rescues +
					     counts->swapped + counts->written + counts->repeats);
	cr_assert_eq(counts->misses - counts->touches, snapshot.ledger.hits);
	cr_assert_eq(counts->misses, hpt_histogram_count(&snapshot.lookup_ns));
	cr_assert_leq(counts->misses, snapshot.ledger.lookups);
	if (!ept_failure(ept, &gpa)) { /* a miss that was not resolved is looked up only */
		/* Two sizes are two lookups. */
		if (ept->config.host_pages == EPT_4K)
			cr_assert_eq(counts->misses, snapshot.ledger.lookups);
		cr_assert_eq(hpt_histogram_count(&snapshot.install_ns), counts->misses);
	}
	cr_assert_eq(counts->frames,
		     counts->pinned + counts->cloned + counts->touches + counts->around +
			     counts->copies + counts->swaps_in + counts->zeros_in +
			     counts->restored - counts->swaps_out - counts->zeros_out -
			     counts->shared + counts->unshared + counts->shared_frames);
	cr_assert_eq(counts->slots, counts->swaps_out - counts->swaps_in);
	cr_assert_leq(counts->frames, ept->pool.limit);
	return *counts;
}

static inline uint64_t guest_frame(struct ept *ept, gpa_t gpa)
{
	uint64_t hfn = UINT64_MAX;

	cr_assert_eq(ept_translate(ept, gpa, &hfn), 0, "no entry for %#lx", (unsigned long)gpa);
	cr_assert_lt(hfn, ept_pool_size(&ept->pool));
	return hfn;
}

/* The first word of the frame that the table names for a page. */
static inline uint64_t frame_word(struct ept *ept, gpa_t gpa)
{
	uint64_t value;

	memcpy(&value, ept_pool_frame(&ept->pool, guest_frame(ept, gpa)), sizeof(value));
	return value;
}

static inline uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

#endif
