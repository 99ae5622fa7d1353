/* SPDX-License-Identifier: MIT */
/*
 * System calls that fail while a stage 2 is made or cloned, while guests part from their clones,
 * and while it is tracked what a guest writes: nothing is left of what could not be made, no page
 * shows what was not stored there, and a guest that cannot go on has a reason.
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "ept/clone.h"
#include "tests/ept/guest.h"
#include "tests/ept/inject.h"

enum { PAGES = 1024, STEP = 37 };

static struct ept ept, twin;
static uint64_t model[2][PAGES]; /* of `ept`, of `twin` */
static char trying[128];

static void prepare(void)
{
	struct sigaction died = {.sa_handler = guest_signal};

	sigaction(SIGSEGV, &died, NULL);
	sigaction(SIGBUS, &died, NULL);
	signal(SIGALRM, SIG_DFL);
	alarm(150); /* a run that hangs ends the test */
}

static unsigned int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void begin(enum inject_call call, int how, unsigned int nth, bool for_good)
{
	snprintf(trying, sizeof(trying), "%s %d, number %u%s", inject_name(call), how, nth,
		 for_good ? " and all behind" : "");
	inject_arm(call, how, nth, for_good);
}

/* --- making one */

static struct ept_config config_of(bool clones)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, PAGES * PAGE);

	config.clones = clones;
	config.host_mem = 3 * MIB; /* so that there is a swap file */
	config.no_swap = false;
	config.handlers = 2;
	config.pinned = (struct ept_range){0, 2 * MIB};
	return config;
}

static unsigned int try_create(enum inject_call call, int how, unsigned int nth, bool clones)
{
	struct ept_config config = config_of(clones);
	unsigned int calls, failed, fds = count_fds();
	const char *what = NULL;
	int ret;

	begin(call, how, nth, false);
	ret = ept_create(&ept, &config, &what);
	inject_disarm(&calls, &failed);
	cr_assert_eq(ret<0, failed> 0, "%s: %d", trying, ret);
	if (ret < 0)
		cr_assert(what && *what, "%s: no message", trying);
	else
		ept_destroy(&ept);
	cr_assert_eq(count_fds(), fds, "%s: descriptors are left", trying);
	return calls;
}

Test(inject, stages_that_cannot_be_made_leave_nothing, .timeout = 160)
{
	static const struct {
		enum inject_call call;
		int how;
	} faults[] = {
		{INJECT_MMAP, ENOMEM},	    {INJECT_REGISTER, ENOMEM}, {INJECT_REGISTER, EINVAL},
		{INJECT_FALLOCATE, ENOMEM}, {INJECT_CONTINUE, ENOMEM}, {INJECT_API, EINVAL},
		{INJECT_THREAD, EAGAIN},    {INJECT_TRUNCATE, EFBIG},  {INJECT_EVENT, EMFILE},
		{INJECT_MEMFD, EMFILE},
	};
	struct ept_config config = config_of(false);

	prepare();
	guest_create(&ept, &config); /* or skip */
	ept_destroy(&ept);
	for (size_t i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
		enum inject_call call = faults[i / 2].call;
		unsigned int calls = try_create(call, faults[i / 2].how, UINT32_MAX, i % 2);

		cr_assert_gt(calls, 0, "%s", trying);
		for (unsigned int nth = 1; nth <= calls; nth++)
			(void)try_create(call, faults[i / 2].how, nth, i % 2);
	}
}

/* --- guests */

static bool load(struct ept *guest, uint64_t page, uint64_t *found)
{
	if (sigsetjmp(guest_died, 1))
		return false;
	*found = guest_load(guest, page * PAGE);
	return true;
}

static void store(struct ept *guest, uint64_t page, uint64_t value)
{
	if (sigsetjmp(guest_died, 1))
		return;
	guest_store(guest, page * PAGE, value);
	model[guest == &twin][page] = value;
}

static void write_page(struct ept *guest, uint64_t page, uint64_t value)
{
	if (page % 2)
		store(guest, page, value);
	else if (ept_copy_in(guest, page * PAGE, &value, sizeof(value)) == 0)
		model[guest == &twin][page] = value;
}

static void check_pages(struct ept *guest)
{
	const uint64_t *wanted = model[guest == &twin];
	unsigned int closed = 0;
	gpa_t gpa;

	for (uint64_t page = 0; page < PAGES; page += STEP) {
		uint64_t found, value;

		cr_assert_eq(ept_peek(guest, page * PAGE, &value, sizeof(value)), 0, "%s", trying);
		cr_assert_eq(value, wanted[page], "%s: page %lu is %lu, not %lu", trying,
			     (unsigned long)page, (unsigned long)value,
			     (unsigned long)wanted[page]);
		if (!load(guest, page, &found))
			closed++;
		else
			cr_assert_eq(found, wanted[page], "%s: the guest sees %lu of page %lu",
				     trying, (unsigned long)found, (unsigned long)page);
	}
	if (closed)
		cr_assert_not_null(ept_failure(guest, &gpa), "%s", trying);
}

/* Both read some pages and write others, by guest and gateway. */
static void go_on(bool is_cloned)
{
	uint64_t ignored;

	for (uint64_t page = 0; page < PAGES; page += STEP) {
		if (page % 3 == 0)
			(void)load(&ept, page, &ignored);
		if (is_cloned && page % 3 == 1)
			write_page(&twin, page, 5000 + page);
		if (page % 3 == 2)
			write_page(&ept, page, 9000 + page);
		if (is_cloned)
			(void)load(&twin, page, &ignored);
	}
}

static unsigned int try_clone(enum inject_call call, int how, unsigned int nth, bool for_good)
{
	const struct ept_clone_config nowhere = {.cpu_count = 0};
	struct ept_config config = config_of(true);
	unsigned int calls, failed, fds = count_fds();
	const char *what = NULL;
	int ret;

	config.host_mem = PAGES * PAGE;
	guest_create(&ept, &config);
	memset(model, 0, sizeof(model));
	for (uint64_t page = 0; page < PAGES; page += STEP)
		store(&ept, page, page + 1);
	memcpy(model[1], model[0], sizeof(model[1]));
	begin(call, how, nth, for_good);
	ret = ept_clone(&twin, &ept, &nowhere, &what);
	go_on(ret == 0);
	inject_disarm(&calls, &failed);
	if (ret < 0) {
		cr_assert_geq(failed, 1, "%s", trying);
		cr_assert(what && *what, "%s: no message", trying);
	}
	check_pages(&ept);
	if (ret == 0) {
		check_pages(&twin);
		if (nth % 2)
			ept_destroy(&twin);
	}
	ept_destroy(&ept);
	if (ret == 0 && nth % 2 == 0) {
		check_pages(&twin);
		ept_destroy(&twin);
	}
	cr_assert_eq(count_fds(), fds, "%s: descriptors are left", trying);
	return calls;
}

static void each_clone(enum inject_call call, int how, bool goes_on)
{
	unsigned int calls;

	prepare();
	calls = try_clone(call, how, UINT32_MAX, false);
	cr_assert_gt(calls, 0, "no %s", inject_name(call));
	for (unsigned int nth = 1; nth <= calls; nth += calls / 40 + 1) {
		(void)try_clone(call, how, nth, false);
		if (!goes_on)
			(void)try_clone(call, how, nth, true);
	}
}

Test(inject, clones_without_mappings, .timeout = 160)
{
	each_clone(INJECT_MMAP, ENOMEM, false);
}

Test(inject, clones_that_are_not_watched, .timeout = 160)
{
	each_clone(INJECT_REGISTER, ENOMEM, false);
	each_clone(INJECT_API, EINVAL, false);
}

Test(inject, clones_without_frames, .timeout = 160)
{
	each_clone(INJECT_FALLOCATE, ENOMEM, false);
	each_clone(INJECT_FALLOCATE, EINTR, true);
}

Test(inject, clones_that_are_not_installed, .timeout = 160)
{
	each_clone(INJECT_CONTINUE, ENOMEM, false);
	each_clone(INJECT_CONTINUE, EAGAIN, true);
}

Test(inject, clones_without_threads, .timeout = 160)
{
	each_clone(INJECT_THREAD, EAGAIN, false);
	each_clone(INJECT_EVENT, EMFILE, false);
}

/* --- tracking */

static unsigned int try_track(enum inject_call call, int how, unsigned int nth, bool for_good)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, PAGES * PAGE);
	unsigned int calls, failed;
	struct ept_sample sample;
	uint64_t ignored;
	int ret;

	config.track = true;
	guest_create(&ept, &config);
	memset(model, 0, sizeof(model));
	begin(call, how, nth, for_good);
	for (uint64_t page = 0; page < PAGES; page += STEP)
		(void)load(&ept, page, &ignored);
	for (uint64_t page = 0; page < PAGES; page += 2 * STEP)
		store(&ept, page, page + 1);
	ret = ept_take_sample(&ept, &sample);
	for (uint64_t page = 0; page < PAGES; page += STEP)
		store(&ept, page, page + 7);
	inject_disarm(&calls, &failed);
	if (ret < 0)
		cr_assert_geq(failed, 1, "%s", trying);
	check_pages(&ept);
	ept_destroy(&ept);
	return calls;
}

static void each_track(enum inject_call call, int how, bool goes_on)
{
	unsigned int calls;

	prepare();
	calls = try_track(call, how, UINT32_MAX, false);
	cr_assert_gt(calls, 0, "no %s", inject_name(call));
	for (unsigned int nth = 1; nth <= calls; nth += calls / 40 + 1) {
		(void)try_track(call, how, nth, false);
		if (!goes_on)
			(void)try_track(call, how, nth, true);
	}
}

Test(inject, tracked_pages_that_are_not_protected, .timeout = 160)
{
	each_track(INJECT_PROTECT, EINVAL, false);
	each_track(INJECT_PROTECT, EAGAIN, true);
}

Test(inject, tracked_pages_that_are_not_taken_out_of_the_window, .timeout = 160)
{
	each_track(INJECT_MADVISE, EINVAL, false);
	each_track(INJECT_WAKE, EAGAIN, true);
}
