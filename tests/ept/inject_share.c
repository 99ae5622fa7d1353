/* SPDX-License-Identifier: MIT */
/*
 * System calls that fail where pages get other frames than their own, and where a guest that cannot
 * go on is let go.
 */
#include <unistd.h>

#include "tests/ept/guest.h"
#include "tests/ept/inject.h"

enum { PAGES = 64 };

static struct ept ept;
static uint64_t model[PAGES];

static void prepare(void)
{
	struct sigaction died = {.sa_handler = guest_signal};

	sigaction(SIGSEGV, &died, NULL);
	sigaction(SIGBUS, &died, NULL);
	signal(SIGALRM, SIG_DFL);
	alarm(100); /* a run that hangs ends the test */
}

/* Whether the guest may read the page, and what it finds there. */
static bool load(uint64_t page, uint64_t *found)
{
	if (sigsetjmp(guest_died, 1))
		return false;
	*found = guest_load(&ept, page * PAGE);
	return true;
}

static bool store(uint64_t page, uint64_t value)
{
	if (sigsetjmp(guest_died, 1))
		return false;
	guest_store(&ept, page * PAGE, value);
	model[page] = value;
	return true;
}

/* All pages equal, then shared, then each written by guest or gateway, then read by both. */
static void share_and_write(void)
{
	for (uint64_t page = 0; page < PAGES; page++)
		(void)store(page, 7);
	(void)ept_dedup_step(&ept, 2 * PAGES);
	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t value = 100 + page;

		if (page % 2)
			(void)store(page, value);
		else if (ept_copy_in(&ept, page * PAGE, &value, sizeof(value)) == 0)
			model[page] = value;
	}
}

static void check_pages(const char *name, int error, unsigned int nth)
{
	unsigned int closed = 0;
	gpa_t gpa;

	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t found, value;

		cr_assert_eq(ept_peek(&ept, page * PAGE, &value, sizeof(value)), 0);
		cr_assert_eq(value, model[page], "%s %d at %u: page %lu is %lu", name, error, nth,
			     (unsigned long)page, (unsigned long)value);
		if (!load(page, &found)) {
			closed++;
			continue;
		}
		cr_assert_eq(found, model[page], "%s %d at %u: the guest sees %lu of page %lu",
			     name, error, nth, (unsigned long)found, (unsigned long)page);
	}
	if (closed)
		cr_assert_not_null(ept_failure(&ept, &gpa), "%s %d at %u", name, error, nth);
}

static unsigned int try(enum inject_call call, int error, unsigned int nth, bool for_good)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, PAGES * PAGE);
	unsigned int calls, failed;

	config.dedup = true;
	memset(model, 0, sizeof(model));
	guest_create(&ept, &config);
	inject_arm(call, error, nth, for_good);
	share_and_write();
	inject_disarm(&calls, &failed);
	check_pages(inject_name(call), error, nth);
	if (nth <= calls)
		cr_assert_geq(failed, 1);
	ept_destroy(&ept);
	return calls;
}

static void each_of(enum inject_call call, int error)
{
	unsigned int calls;

	prepare();
	calls = try(call, error, UINT32_MAX, false);
	cr_assert_gt(calls, 0, "no %s", inject_name(call));
	for (unsigned int nth = 1; nth <= calls; nth += calls / 24 + 1) {
		(void)try(call, error, nth, false);
		(void)try(call, error, nth, true);
	}
}

Test(inject, shared_pages_without_mappings, .timeout = 120)
{
	each_of(INJECT_MMAP, ENOMEM);
}

Test(inject, shared_pages_that_are_not_watched, .timeout = 120)
{
	each_of(INJECT_REGISTER, ENOMEM);
	each_of(INJECT_REGISTER, EINVAL);
}

Test(inject, shared_pages_that_are_not_protected, .timeout = 120)
{
	each_of(INJECT_PROTECT, EINVAL);
}

Test(inject, shared_pages_that_are_not_installed, .timeout = 120)
{
	each_of(INJECT_CONTINUE, ENOMEM);
}

Test(inject, a_guest_is_let_go_though_its_window_cannot_be_protected, .timeout = 60)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, PAGES * PAGE);
	unsigned int calls, failed;
	gpa_t gpa;

	prepare();
	config.host_mem = PAGES / 2 * PAGE;
	guest_create(&ept, &config);
	inject_arm(INJECT_MPROTECT, ENOMEM, 1, true);
	for (uint64_t page = 0; page < PAGES / 2; page++)
		cr_assert(store(page, page));
	cr_assert(!store(PAGES / 2, 1));
	inject_disarm(&calls, &failed);
	cr_assert_eq(failed, 1);
	cr_assert_not_null(ept_failure(&ept, &gpa));
	ept_destroy(&ept);
}
