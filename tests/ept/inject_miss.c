/* SPDX-License-Identifier: MIT */
/*
 * Each system call on the way of a miss fails, in each way that it may, at one occurrence after the
 * other and for good, while a guest touches four times as many pages as there are frames. Whatever
 * fails: nobody hangs, no page shows what was not stored there, and where the guest cannot go on
 * there is a reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/ept/guest.h"
#include "tests/ept/inject.h"

enum { PAGES = 320, FRAMES = 80, STEPS = 700, SECONDS = 20 };

struct fault {
	enum inject_call call;
	int how;
	bool goes_on;	     /* once: nobody may notice */
	const char *reasons; /* else, a part of each reason that may be given, by '|' */
};

#define HOST	   "host has no frame left"
#define SWAP_READ  "swap file cannot be read"
#define SWAP_WRITE "swap file cannot be written"
#define DAMAGED	   "checksum is wrong"
#define MISSES	   "gives no more misses"
#define INSTALL	   "did not install"
#define TAKE_OUT   "did not take pages out"

static const struct fault faults[] = {
	{INJECT_FALLOCATE, EINTR, true, ""},
	{INJECT_FALLOCATE, ENOMEM, false, HOST},
	{INJECT_FALLOCATE, ENOSPC, false, HOST},
	{INJECT_PREADV, EINTR, true, ""},
	{INJECT_PREADV, EAGAIN, true, ""},
	{INJECT_PREADV, EINVAL, true, SWAP_READ},
	{INJECT_PREADV, INJECT_SHORT, true, ""},
	{INJECT_PREADV, EIO, false, SWAP_READ},
	{INJECT_PREADV, ENOMEM, false, SWAP_READ},
	{INJECT_PREADV, INJECT_END, false, SWAP_READ},
	{INJECT_PREADV, INJECT_DAMAGE, false, DAMAGED},
	{INJECT_PWRITEV, EINTR, true, ""},
	{INJECT_PWRITEV, EAGAIN, true, ""},
	{INJECT_PWRITEV, EINVAL, true, SWAP_WRITE},
	{INJECT_PWRITEV, INJECT_SHORT, true, ""},
	{INJECT_PWRITEV, EIO, false, SWAP_WRITE},
	{INJECT_PWRITEV, ENOMEM, false, SWAP_WRITE},
	{INJECT_PWRITEV, ENOSPC, false, "device is full"},
	{INJECT_PWRITEV, INJECT_END, false, SWAP_WRITE},
	{INJECT_PWRITEV, INJECT_DAMAGE, false, DAMAGED},
	{INJECT_CONTINUE, EINTR, true, ""},
	{INJECT_CONTINUE, EAGAIN, true, INSTALL},
	{INJECT_CONTINUE, EFAULT, true, INSTALL},
	{INJECT_CONTINUE, ENOMEM, false, HOST},
	{INJECT_CONTINUE, EINVAL, false, INSTALL},
	{INJECT_WAKE, EINTR, true, ""},
	{INJECT_WAKE, EAGAIN, true, ""},
	{INJECT_MADVISE, EINTR, true, ""},
	{INJECT_MADVISE, EAGAIN, true, ""},
	{INJECT_MADVISE, EINVAL, false, TAKE_OUT},
	{INJECT_MADVISE, ENOMEM, false, TAKE_OUT},
	{INJECT_POLL, EINTR, true, ""},
	{INJECT_POLL, EAGAIN, true, ""},
	{INJECT_POLL, ENOMEM, false, MISSES},
	{INJECT_READ, EINTR, true, ""},
	{INJECT_READ, EAGAIN, true, ""},
	{INJECT_READ, EIO, false, MISSES},
	{INJECT_READ, INJECT_SHORT, false, MISSES},
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* What is tried, for the message of a run that hangs. */
static char trying[128];

static void hang(int signal)
{
	ssize_t ret = write(STDERR_FILENO, trying, strlen(trying));

	(void)signal;
	(void)ret;
	abort();
}

static struct ept ept;
static uint64_t model[PAGES];

/* A word of its own for each page, behind where a transfer is cut. */
static gpa_t word_of(uint64_t page)
{
	return page * PAGE + 8 * (page % 512);
}

/* Reads a page's word, and writes it if `store` is not 0, through the window: whether it could. */
static bool touch(uint64_t page, uint64_t store, uint64_t *found)
{
	if (sigsetjmp(guest_died, 1))
		return false;
	*found = guest_load(&ept, word_of(page));
	if (store) {
		guest_store(&ept, word_of(page), store);
		model[page] = store;
	}
	return true;
}

/* The same by the gateway. */
static bool copy(uint64_t page, uint64_t store, uint64_t *found)
{
	if (ept_copy_out(&ept, word_of(page), found, sizeof(*found)) < 0)
		return false;
	if (store && ept_copy_in(&ept, word_of(page), &store, sizeof(store)) < 0)
		return false;
	model[page] = store ? store : model[page];
	return true;
}

/* Runs until the guest cannot go on: whether it came to the end. */
static bool run(uint64_t seed)
{
	for (int i = 0; i < STEPS; i++) {
		uint64_t page = i < PAGES ? (uint64_t)i : next_random(&seed) % PAGES;
		uint64_t store = next_random(&seed) % 4 ? 0 : next_random(&seed) | 1;
		uint64_t found = 0, expected = model[page];

		if (i < PAGES)
			store = next_random(&seed) % 8 ? next_random(&seed) | 1 : 0;
		if (i % 8 == 7) { /* the caller is told; the guest goes on */
			if (!copy(page, store, &found))
				continue;
		} else if (!touch(page, store, &found)) {
			return false;
		}
		cr_assert_eq(found, expected, "%s: page %lu shows %lx, not %lx", trying,
			     (unsigned long)page, (unsigned long)found, (unsigned long)expected);
	}
	return true;
}

/* Each page is as it was stored, or cannot be read and says so. */
static unsigned int check_pages(void)
{
	unsigned int lost = 0;

	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t value = 0;
		int ret = ept_peek(&ept, word_of(page), &value, sizeof(value));

		if (ret < 0) {
			cr_assert_eq(ret, -EIO, "%s", trying);
			lost++;
			continue;
		}
		cr_assert_eq(value, model[page], "%s: page %lu is %lx, not %lx", trying,
			     (unsigned long)page, (unsigned long)value, (unsigned long)model[page]);
	}
	return lost;
}

static bool is_one_of(const char *reason, const char *reasons)
{
	char part[64];

	while (*reasons) {
		size_t length = strcspn(reasons, "|");

		snprintf(part, sizeof(part), "%.*s", (int)length, reasons);
		if (strstr(reason, part))
			return true;
		reasons += length + (reasons[length] == '|');
	}
	return false;
}

/* One run: the calls of this kind that there were. */
static unsigned int try(const struct fault *fault, unsigned int nth, bool for_good)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, PAGES * PAGE);
	unsigned int calls, failed, lost;
	const char *reason;
	bool ended;
	gpa_t gpa;

	snprintf(trying, sizeof(trying), "%s, how %d, number %u%s\n", inject_name(fault->call),
		 fault->how, nth, for_good ? " and all behind" : "");
	config.host_mem = FRAMES * PAGE;
	config.no_swap = false;
	config.handlers = 2;
	memset(model, 0, sizeof(model));
	guest_create(&ept, &config);
	alarm(SECONDS);
	inject_arm(fault->call, fault->how, nth, for_good);
	ended = run(nth);
	inject_disarm(&calls, &failed);
	lost = check_pages();
	reason = ept_failure(&ept, &gpa);
	ept_destroy(&ept);
	alarm(0);

	cr_assert_eq(ended, !reason, "%s: %s", trying, reason ? reason : "no reason");
	cr_assert(ended || failed, "%s: %s", trying, reason ? reason : "");
	if (reason)
		cr_assert(is_one_of(reason, fault->reasons), "%s: %s", trying, reason);
	if (for_good && nth == 1 && *fault->reasons)
		cr_assert(!ended, "%s: nobody noticed", trying);
	if (fault->goes_on && !for_good)
		cr_assert(ended, "%s: %s", trying, reason ? reason : "");
	if (lost)
		cr_assert_eq(fault->how, INJECT_DAMAGE, "%s: %u pages", trying, lost);
	return calls;
}

static void prepare(void)
{
	struct sigaction died = {.sa_handler = guest_signal};
	struct sigaction late = {.sa_handler = hang};

	sigaction(SIGSEGV, &died, NULL);
	sigaction(SIGBUS, &died, NULL);
	sigaction(SIGALRM, &late, NULL);
}

static void each_of(enum inject_call from, enum inject_call to)
{
	prepare();
	for (size_t i = 0; i < FAULTS; i++) {
		const struct fault *fault = &faults[i];
		unsigned int calls, step;

		if (fault->call < from || fault->call > to)
			continue;
		calls = try(fault, UINT32_MAX, false); /* none fails */
		step = calls / 6 + 1;
		for (unsigned int nth = 1; nth <= calls; nth += nth < 4 ? 1 : step)
			(void)try(fault, nth, false);
		if (fault->goes_on && !*fault->reasons)
			continue; /* that would be for ever */
		(void)try(fault, 1, true);
		(void)try(fault, calls / 2 + 1, true);
	}
}

Test(inject, memory_of_frames, .timeout = 120)
{
	each_of(INJECT_FALLOCATE, INJECT_FALLOCATE);
}

Test(inject, reads_of_the_swap_file, .timeout = 120)
{
	each_of(INJECT_PREADV, INJECT_PREADV);
}

Test(inject, writes_of_the_swap_file, .timeout = 120)
{
	each_of(INJECT_PWRITEV, INJECT_PWRITEV);
}

Test(inject, installing_and_waking, .timeout = 120)
{
	each_of(INJECT_CONTINUE, INJECT_WAKE);
}

Test(inject, pages_taken_out_of_the_window, .timeout = 120)
{
	each_of(INJECT_MADVISE, INJECT_MADVISE);
}

Test(inject, messages_of_misses, .timeout = 120)
{
	each_of(INJECT_POLL, INJECT_READ);
}
