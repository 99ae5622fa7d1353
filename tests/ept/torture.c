/* SPDX-License-Identifier: MIT */
/*
 * Torture of stage 2: threads that play vCPUs touch random pages of the window while threads of
 * the VMM copy in and out, and everything read is held against a model. One more takes pages out
 * of the window, as the kernel does when it reclaims memory. No Criterion and no KVM, so that it
 * can be built with -fsanitize=thread. TAP on stdout.
 *
 * Each organisation in several ways: with a frame for every page; with one for every fourth, so
 *that pages go to the swap file and come back, and with several handlers; with pages that share
 *frames and are protected, between the stops at which that is looked for and samples are taken; and
 *with a guest that is stopped and cloned, when both go on, with many frames or few, and with
 *mappings for few pages. Of those that were cloned one ends before the other is looked at.
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

#include "ept/clone.h"
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

/* A guest, and what its slots hold. */
struct guest {
	struct ept ept;
	struct slot (*model)[THREADS];
	uint64_t entries; /* of the table, when it was cloned; 0 */
};

static struct guest first, twin;
static uint64_t pages;
static atomic_bool stop;
static atomic_ulong wrong, steps;
static atomic_ulong walk; /* moves slowly through the pages: threads meet on untouched ones */

struct worker {
	struct guest *guest;
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

/*
 * A guest's access. The sanitizer takes the kernel's exchange of a mapping, while the guest runs,
 * for a store to it, and its access for another.
 */
#define GUEST_ACCESS __attribute__((noinline, no_sanitize("thread")))

static GUEST_ACCESS uint64_t guest_load(const struct worker *worker, gpa_t gpa)
{
	return __atomic_load_n((uint64_t *)ept_window_address(&worker->guest->ept, gpa),
			       __ATOMIC_ACQUIRE);
}

static GUEST_ACCESS void guest_store(const struct worker *worker, gpa_t gpa, uint64_t value)
{
	__atomic_store_n((uint64_t *)ept_window_address(&worker->guest->ept, gpa), value,
			 __ATOMIC_RELEASE);
}

/* The guest's way is a plain aligned access through the window, the VMM's is the gateway. */
static uint64_t load(const struct worker *worker, gpa_t gpa)
{
	uint64_t value = 0;

	if (worker->slot < GUESTS)
		return guest_load(worker, gpa);
	if (ept_copy_out(&worker->guest->ept, gpa, &value, sizeof(value)) < 0)
		wrong++;
	return value;
}

static void store(const struct worker *worker, gpa_t gpa, uint64_t value)
{
	if (worker->slot < GUESTS)
		guest_store(worker, gpa, value);
	else if (ept_copy_in(&worker->guest->ept, gpa, &value, sizeof(value)) < 0)
		wrong++;
}

static void check(const struct worker *worker, uint64_t page, unsigned int slot)
{
	struct slot(*model)[THREADS] = worker->guest->model;
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
		struct slot *mine = &worker->guest->model[page][worker->slot];
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
		if (madvise(ept_window_address(&worker->guest->ept, page * HPT_PAGE_SIZE),
			    count * HPT_PAGE_SIZE, MADV_DONTNEED) < 0)
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

static void start(struct worker *workers, struct guest *guest, uint64_t seed)
{
	for (unsigned int i = 0; i <= THREADS; i++) {
		workers[i] = (struct worker){
			.guest = guest, .slot = i, .random = seed * (THREADS + 1) + i};
		if (pthread_create(&workers[i].thread, NULL, i < THREADS ? work : reclaim,
				   &workers[i]))
			exit(1);
	}
}

/* One guest, or two side by side. */
static void run(struct guest *other, double seconds, uint64_t seed)
{
	static struct worker workers[2][THREADS + 1];
	struct timespec begin;

	stop = false;
	start(workers[0], &first, seed);
	if (other)
		start(workers[1], other, seed + 1);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	sleep_until(&begin, seconds);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i <= THREADS; i++) {
		pthread_join(workers[0][i].thread, NULL);
		if (other)
			pthread_join(workers[1][i].thread, NULL);
	}
}

/* Threads are gone: each slot holds exactly its last value, wherever the table says it is. */
static uint64_t count_wrong_slots(struct guest *guest)
{
	uint64_t bad = 0;

	for (uint64_t page = 0; page < pages; page++) {
		char bytes[HPT_PAGE_SIZE];

		bad += ept_peek(&guest->ept, page * HPT_PAGE_SIZE, bytes, sizeof(bytes)) < 0;
		for (unsigned int i = 0; i < THREADS; i++) {
			uint32_t count = atomic_load(&guest->model[page][i].done);
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

static bool add_up(struct guest *guest)
{
	static struct ept_snapshot now;
	const struct ept_counts *counts = &now.counts;
	uint64_t mapped, out, in, shared;

	ept_read(&guest->ept, &now);
	mapped = counts->touches + counts->around + counts->copies;
	out = counts->swaps_out + counts->zeros_out;
	in = counts->swaps_in + counts->zeros_in;
	shared = counts->shared - counts->unshared - counts->shared_frames;
	return counts->misses == counts->touches + counts->loaded + counts->rescues +
					 counts->swapped + counts->written + counts->repeats &&
	       (counts->misses == now.ledger.lookups || guest->ept.config.clones ||
		guest->ept.config.host_pages != EPT_4K) &&
	       counts->frames == counts->cloned + mapped - out + in - shared &&
	       (guest->ept.config.host_pages == EPT_2M ||
		now.table.entries ==
			guest->entries + mapped - 511 * (counts->merges - counts->splits)) &&
	       counts->frames <= guest->ept.pool.limit &&
	       (guest->ept.config.clones || counts->slots == counts->swaps_out - counts->swaps_in);
}

enum way { PLENTY, FEW, SHARED, CLONED, CLONED_FEW, CLONED_PIECES, WAYS };

static const char *const names[WAYS] = {"a frame for every page", "for every fourth",
					"shared and sampled",	  "cloned",
					"cloned, few frames",	  "cloned, few mappings"};

/* Nobody runs the guest. */
static void make_twin(enum way way, bool *made)
{
	const struct ept_clone_config config = {.cpu_count = 0};
	static struct ept_snapshot now;
	const char *what = "";

	*made = ept_clone(&twin.ept, &first.ept, &config, &what) == 0;
	if (!*made) {
		printf("# no clone: %s\n", what);
		wrong++;
		return;
	}
	memcpy(twin.model, first.model, pages * sizeof(*twin.model));
	ept_read(&twin.ept, &now);
	twin.entries = now.table.entries;
	if (way != CLONED_PIECES)
		return;
	pthread_mutex_lock(&first.ept.family->lock);
	first.ept.family->mappings_limit = first.ept.family->mappings + 30;
	pthread_mutex_unlock(&first.ept.family->lock);
}

/* All that may be done while the guest is stopped, some times. */
static void run_and_stop(double seconds, uint64_t seed)
{
	struct ept_sample sample;

	for (unsigned int i = 0; i < 4; i++) {
		run(NULL, seconds / 4, seed + i);
		wrong += ept_dedup_step(&first.ept, pages) < 0;
		wrong += ept_take_sample(&first.ept, &sample) < 0;
	}
}

static bool is_sound(struct guest *guest)
{
	return hpt_check(&guest->ept.table) == NULL;
}

static int torture(enum hpt_organisation organisation, enum way way, unsigned int number,
		   double seconds, uint64_t seed)
{
	static struct ept_snapshot now;
	struct ept_counts *counts = &now.counts;
	bool twins = false, right, add, sound;
	int failed = 0;

	wrong = steps = walk = 0;
	if (way == SHARED)
		run_and_stop(seconds, seed);
	else
		run(NULL, way < CLONED ? seconds : seconds / 3, seed);
	if (way >= CLONED)
		make_twin(way, &twins);
	if (twins)
		run(&twin, seconds * 2 / 3, seed + 7);
	ept_read(twins ? &twin.ept : &first.ept, &now);
	printf("# %s, %s: %lu steps, %lu misses (%lu touches, %lu loaded, %lu rescues, %lu swapped, "
	       "%lu written, %lu repeats), %lu copies, %lu out, %lu shared, %lu parted\n",
	       hpt_organisation_name(organisation), names[way], (unsigned long)steps,
	       (unsigned long)counts->misses, (unsigned long)counts->touches,
	       (unsigned long)counts->loaded, (unsigned long)counts->rescues,
	       (unsigned long)counts->swapped, (unsigned long)counts->written,
	       (unsigned long)counts->repeats, (unsigned long)counts->copies,
	       (unsigned long)(counts->swaps_out + counts->zeros_out),
	       (unsigned long)counts->shared, (unsigned long)counts->parted);
	right = count_wrong_slots(&first) == 0;
	add = add_up(&first);
	sound = is_sound(&first);
	if (twins) {
		ept_destroy(&first.ept);
		right = right && count_wrong_slots(&twin) == 0;
		add = add && add_up(&twin);
		sound = sound && is_sound(&twin);
		ept_destroy(&twin.ept);
	} else {
		ept_destroy(&first.ept);
	}
	failed += result(number, wrong == 0, "every load is a value of its slot, and no old one");
	failed += result(number + 1, right, "pages hold the last stores");
	failed += result(number + 2, add, "counts add up");
	failed += result(number + 3, sound, "the table is sound");
	return failed;
}

static struct ept_config config_of(enum hpt_organisation organisation, enum way way, uint64_t seed)
{
	bool few = way == FEW || way == CLONED_FEW;

	return (struct ept_config){.ranges = {{0, pages * HPT_PAGE_SIZE}},
				   .range_count = 1,
				   .host_mem = pages * HPT_PAGE_SIZE / (few ? 4 : 1),
				   .dedup = way == SHARED,
				   .track = way == SHARED || way == CLONED_PIECES,
				   .clones = way >= CLONED,
				   .organisation = organisation,
				   .handlers = way == PLENTY ? 1 : 3,
				   .around = few ? 8 : 1,
				   .host_pages = few		 ? EPT_MIXED
						 : way == CLONED ? EPT_2M
								 : EPT_4K,
				   .seed = seed};
}

static int torture_with(enum hpt_organisation organisation, enum way way, unsigned int number,
			double seconds, uint64_t seed)
{
	struct ept_config config = config_of(organisation, way, seed);
	const char *what = "";
	int ret = ept_create(&first.ept, &config, &what);

	if (ret < 0) {
		bool skip = ret == -EPERM || ret == -ENOSYS || ret == -EOPNOTSUPP;

		for (unsigned int test = 0; test < 4; test++)
			printf("%sok %u # SKIP %s\n", skip ? "" : "not ", number + test, what);
		return !skip;
	}
	memset(first.model, 0, pages * sizeof(*first.model));
	return torture(organisation, way, number, seconds, seed);
}

int main(int argc, char **argv)
{
	uint64_t size = (argc > 1 ? strtoull(argv[1], NULL, 0) : 64) * MIB;
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	unsigned int runs = WAYS * HPT_ORGANISATIONS;
	int failed = 0;

	pages = size / HPT_PAGE_SIZE;
	first.model = calloc(pages, sizeof(*first.model));
	twin.model = calloc(pages, sizeof(*twin.model));
	if (!pages || !first.model || !twin.model)
		return 1;
	printf("1..%u\n", 4 * runs);
	for (unsigned int i = 0; i < runs; i++)
		failed += torture_with((enum hpt_organisation)(i / WAYS), (enum way)(i % WAYS),
				       4 * i + 1, seconds / runs, seed);
	free(first.model);
	free(twin.model);
	return failed != 0;
}
