/* SPDX-License-Identifier: MIT */
/*
 * Torture of stage 2: threads that play vCPUs touch random pages of the window while threads of
 * the VMM copy in and out, and everything read is held against a model. One more takes pages out
 * of the window, as the kernel does when it reclaims memory. Each organisation twice: with a frame
 * for every page, and with one for every fourth, so that pages go to the swap file and come back,
 * and with several handlers. No Criterion and no KVM, so that it
 * can be built with -fsanitize=thread. TAP on stdout.
 *
 *	torture [MIB=64] [SECONDS=3] [SEED=1]
 *
 * The model needs no locks: each thread owns one 8-byte slot of every page, and it alone writes
 * there. It reads the others' slots too: they only ever grow, so a value below the owner's last
 * published one, or above its next, is a page that lost a store or shows another's frame.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ept/ept.h"

#define GUESTS	4
#define COPIERS 2
#define THREADS (GUESTS + COPIERS)
#define MIB	(UINT64_C(1) << 20)

/*
 * A value names its place: the page, whose slot it is, and a counter. What stands in a slot is
 * between `done` (published after the store) and `begun` (before it).
 */
#define VALUE(page, slot, count) ((page) << 40 | (uint64_t)(slot) << 32 | (count))

struct slot {
	_Atomic uint32_t begun;
	_Atomic uint32_t done;
};

static struct ept ept;
static uint64_t pages;
static struct slot (*model)[THREADS];
static atomic_bool stop;
static atomic_ulong wrong, steps;
static atomic_ulong walk; /* moves slowly through the pages: threads meet on untouched ones */

struct worker {
	unsigned int slot;
	uint64_t random;
	pthread_t thread;
};

static uint64_t next_random(struct worker *worker)
{
	worker->random =
		worker->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return worker->random >> 33;
}

static gpa_t gpa_of(uint64_t page, unsigned int slot)
{
	return page * HPT_PAGE_SIZE + slot * 8 + page % 500 * 8;
}

/* The guest's way is a plain aligned access through the window, the VMM's is the gateway. */
static uint64_t load(const struct worker *worker, gpa_t gpa)
{
	uint64_t value = 0;

	if (worker->slot < GUESTS)
		return __atomic_load_n((uint64_t *)ept_window_address(&ept, gpa), __ATOMIC_ACQUIRE);
	if (ept_copy_out(&ept, gpa, &value, sizeof(value)) < 0)
		wrong++;
	return value;
}

static void store(const struct worker *worker, gpa_t gpa, uint64_t value)
{
	if (worker->slot < GUESTS)
		__atomic_store_n((uint64_t *)ept_window_address(&ept, gpa), value,
				 __ATOMIC_RELEASE);
	else if (ept_copy_in(&ept, gpa, &value, sizeof(value)) < 0)
		wrong++;
}

static void check(const struct worker *worker, uint64_t page, unsigned int slot)
{
	uint32_t least = atomic_load(&model[page][slot].done);
	uint64_t value = load(worker, gpa_of(page, slot));
	uint32_t most = atomic_load(&model[page][slot].begun);
	uint32_t count = (uint32_t)value;

	if (count < least || count > most || (count && value != VALUE(page, slot, count)))
		wrong++;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	while (!atomic_load(&stop)) {
		uint64_t page =
			next_random(worker) % 4 ? walk++ / 16 % pages : next_random(worker) % pages;
		unsigned int other = (unsigned int)(next_random(worker) % THREADS);
		struct slot *mine = &model[page][worker->slot];
		uint32_t count = atomic_load(&mine->begun) + 1;

		if (next_random(worker) % 2) {
			atomic_store(&mine->begun, count);
			store(worker, gpa_of(page, worker->slot), VALUE(page, worker->slot, count));
			atomic_store(&mine->done, count);
		}
		check(worker, page, worker->slot);
		check(worker, page, other);
		steps++;
	}
	return NULL;
}

static void *reclaim(void *argument)
{
	struct worker *worker = argument;

	while (!atomic_load(&stop)) {
		uint64_t count = next_random(worker) % 64 + 1;
		uint64_t page = next_random(worker) % pages;

		if (count > pages - page)
			count = pages - page;
		if (madvise(ept_window_address(&ept, page * HPT_PAGE_SIZE), count * HPT_PAGE_SIZE,
			    MADV_DONTNEED) < 0)
			wrong++;
		usleep(200);
	}
	return NULL;
}

static void sleep_until(const struct timespec *begin, double seconds)
{
	struct timespec end = *begin;

	end.tv_sec += (time_t)seconds;
	end.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
}

static void run(double seconds, uint64_t seed)
{
	struct worker workers[THREADS + 1];
	struct timespec begin;

	for (unsigned int i = 0; i <= THREADS; i++) {
		workers[i] = (struct worker){.slot = i, .random = seed * (THREADS + 1) + i};
		if (pthread_create(&workers[i].thread, NULL, i < THREADS ? work : reclaim,
				   &workers[i]))
			exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	sleep_until(&begin, seconds);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i <= THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Threads are gone: each slot holds exactly its last value, wherever the table says it is. */
static uint64_t count_wrong_slots(void)
{
	uint64_t bad = 0;

	for (uint64_t page = 0; page < pages; page++) {
		char bytes[HPT_PAGE_SIZE];

		bad += ept_peek(&ept, page * HPT_PAGE_SIZE, bytes, sizeof(bytes)) < 0;
		for (unsigned int i = 0; i < THREADS; i++) {
			uint32_t count = atomic_load(&model[page][i].done);
			uint64_t value;

			memcpy(&value, bytes + gpa_of(page, i) % HPT_PAGE_SIZE, sizeof(value));
			bad += value != (count ? VALUE(page, i, count) : 0);
		}
	}
	return bad;
}

static int result(unsigned int number, bool ok, const char *name)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", number, name);
	return !ok;
}

static bool add_up(const struct ept_snapshot *now)
{
	const struct ept_counts *counts = &now->counts;
	uint64_t out = counts->swaps_out + counts->zeros_out;
	uint64_t in = counts->swaps_in + counts->zeros_in;

	return counts->misses == counts->touches + counts->loaded + counts->rescues +
					 counts->swapped + counts->repeats &&
	       (counts->misses == now->ledger.lookups || ept.config.host_pages != EPT_4K) &&
	       counts->frames == counts->touches + counts->around + counts->copies - out + in &&
	       now->table.entries == counts->touches + counts->around + counts->copies -
					     511 * (counts->merges - counts->splits) &&
	       counts->frames <= ept.pool.limit &&
	       counts->slots == counts->swaps_out - counts->swaps_in;
}

static int torture(enum hpt_organisation organisation, unsigned int first, double seconds,
		   uint64_t seed)
{
	static struct ept_snapshot now;
	struct ept_counts *counts = &now.counts;
	int failed = 0;

	wrong = steps = walk = 0;
	stop = false;
	run(seconds, seed);
	ept_read(&ept, &now);
	printf("# %s: %lu steps, %lu misses (%lu touches, %lu loaded, %lu rescues, %lu swapped, "
	       "%lu repeats), %lu copies, %lu out\n",
	       hpt_organisation_name(organisation), (unsigned long)steps,
	       (unsigned long)counts->misses, (unsigned long)counts->touches,
	       (unsigned long)counts->loaded, (unsigned long)counts->rescues,
	       (unsigned long)counts->swapped, (unsigned long)counts->repeats,
	       (unsigned long)counts->copies,
	       (unsigned long)(counts->swaps_out + counts->zeros_out));
	failed += result(first, wrong == 0, "every load is a value of its slot, and no old one");
	failed += result(first + 1, count_wrong_slots() == 0, "pages hold the last stores");
	failed += result(first + 2, add_up(&now), "counts add up");
	failed += result(first + 3, hpt_check(&ept.table) == NULL, "the table is sound");
	return failed;
}

/* A frame for every page, or for every fourth. */
static int torture_with(enum hpt_organisation organisation, bool few, unsigned int first,
			double seconds, uint64_t seed)
{
	struct ept_config config = {.ranges = {{0, pages * HPT_PAGE_SIZE}},
				    .range_count = 1,
				    .host_mem = pages * HPT_PAGE_SIZE / (few ? 4 : 1),
				    .organisation = organisation,
				    .handlers = few ? 3 : 1,
				    .around = few ? 8 : 1,
				    .host_pages = few ? EPT_MIXED : EPT_4K,
				    .seed = seed};
	const char *what = "";
	int ret = ept_create(&ept, &config, &what);
	int failed;

	if (ret < 0) {
		bool skip = ret == -EPERM || ret == -ENOSYS || ret == -EOPNOTSUPP;

		for (unsigned int test = 0; test < 4; test++)
			printf("%sok %u # SKIP %s\n", skip ? "" : "not ", first + test, what);
		return !skip;
	}
	memset(model, 0, pages * sizeof(*model));
	failed = torture(organisation, first, seconds, seed);
	ept_destroy(&ept);
	return failed;
}

int main(int argc, char **argv)
{
	uint64_t size = (argc > 1 ? strtoull(argv[1], NULL, 0) : 64) * MIB;
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	int failed = 0;

	pages = size / HPT_PAGE_SIZE;
	model = calloc(pages, sizeof(*model));
	if (!pages || !model)
		return 1;
	printf("1..%d\n", 8 * HPT_ORGANISATIONS);
	for (unsigned int i = 0; i < 2 * HPT_ORGANISATIONS; i++)
		failed += torture_with((enum hpt_organisation)(i / 2), i % 2, 4 * i + 1,
				       seconds / HPT_ORGANISATIONS / 2, seed);
	free(model);
	return failed != 0;
}
