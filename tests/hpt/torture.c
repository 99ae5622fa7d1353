/* SPDX-License-Identifier: MIT */
/*
 * Torture of readers beside a writer: every organisation and page size, from the smallest table on.
 * Readers look pages up, one by one and in batches, and mark them, while the writer maps, unmaps,
 * changes, and visits; everything that is read is held against a model. No Criterion, so that it
 * can be built with -fsanitize=thread. TAP on stdout.
 *
 *	torture [SECONDS=12] [SEED=1] [ORGANISATION]
 *
 * Memory is poisoned and freed when every reader has left the call that it was in. Threads are
 * stopped wherever they are, so that each meets the others in the middle of things.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hpt/mix.h"
#include "tests/hpt/torture_pages.h"
#include "tests/hpt/torture_writer.h"

#define READERS 3
#define ROUNDS	3
#define BATCH	24
#define NS	1000000000
#define WAITING 256
#define TESTS	4 /* of each kind of table */

struct reader {
	_Atomic uint64_t calls; /* odd: in one */
	uint64_t random;
	pthread_t thread;
} __attribute__((aligned(64)));

/* Memory that waits for its end of the readers' calls. */
struct retired {
	uint64_t address;
	size_t bytes;
	uint64_t calls[READERS];
};

static struct reader readers[READERS];
static atomic_bool stop;
static atomic_ulong reads, marks;
static struct retired waiting[WAITING];
static atomic_ulong retired; /* so many until now, ... */
static unsigned long freed;  /* ... and of these given back */

static int get(void *context, size_t bytes, uint64_t *address)
{
	void *block = aligned_alloc(bytes, bytes);

	(void)context;
	if (!block)
		return -ENOMEM;
	memset(block, 0, bytes);
	*address = (uintptr_t)block;
	return 0;
}

static void put(void *context, uint64_t address, size_t bytes)
{
	(void)context;
	memset((void *)(uintptr_t)address, 0xa5, bytes);
	free((void *)(uintptr_t)address);
}

/* Whether the call that a reader was in, if it was in one, has ended. */
static bool has_left(unsigned int reader, uint64_t calls)
{
	return !(calls & 1) || atomic_load(&readers[reader].calls) != calls;
}

/* Frees what was retired first; false if a reader may still look at it. */
static bool free_first(void)
{
	struct retired *first = &waiting[freed % WAITING];

	for (unsigned int i = 0; i < READERS; i++) {
		if (!has_left(i, first->calls[i]))
			return false;
	}
	put(NULL, first->address, first->bytes);
	freed++;
	return true;
}

/* Frees until so many blocks wait. */
static void free_down_to(unsigned long left)
{
	while (retired - freed > left) {
		if (!free_first())
			sched_yield();
	}
}

/* Freed when each reader has left its call: now and then at once, so that it must be able to. */
static void retire(void *context, uint64_t address, size_t bytes)
{
	/* What was unlinked before is seen by whoever is not in a call after this. */
	struct retired *last = &waiting[atomic_fetch_add(&retired, 1) % WAITING];

	(void)context;
	*last = (struct retired){.address = address, .bytes = bytes};
	for (unsigned int i = 0; i < READERS; i++)
		last->calls[i] = atomic_load(&readers[i].calls);
	free_down_to(retired % 32 ? WAITING - 1 : 0);
	while (retired != freed && free_first())
		;
}

static void enter(struct reader *reader)
{
	atomic_fetch_add(&reader->calls, 1);
}

static void leave(struct reader *reader)
{
	atomic_fetch_add(&reader->calls, 1);
}

static void check_answer(unsigned int id, uint64_t entry, uint32_t least, uint32_t most)
{
	if (!answer_right(id, entry, least, most))
		wrong++;
	if (entry & HPT_DIRTY && !may_show_mark(id))
		stray_marks++;
	reads++;
}

static void read_one(struct reader *reader, unsigned int id)
{
	uint32_t least = atomic_load(&pages[id].done);
	uint64_t entry = 0;
	uint32_t taken;
	bool owed = owes_mark(id, &taken);

	enter(reader);
	hpt_lookup(&tortured, key_of(id), &entry, NULL);
	leave(reader);
	check_answer(id, entry, least, atomic_load(&pages[id].begun));
	if (owed && !(entry & HPT_DIRTY) && atomic_load(&pages[id].taken) == taken)
		lost_marks++;
}

static void read_batch(struct reader *reader)
{
	struct hpt_key keys[BATCH];
	unsigned int ids[BATCH];
	uint32_t least[BATCH];
	uint64_t entries[BATCH];

	for (unsigned int i = 0; i < BATCH; i++) {
		ids[i] = (unsigned int)(mix64_next(&reader->random) % PAGES);
		keys[i] = key_of(ids[i]);
		least[i] = atomic_load(&pages[ids[i]].done);
	}
	enter(reader);
	hpt_lookup_batch(&tortured, keys, entries, BATCH);
	leave(reader);
	for (unsigned int i = 0; i < BATCH; i++)
		check_answer(ids[i], entries[i], least[i], atomic_load(&pages[ids[i]].begun));
}

static void mark_one(struct reader *reader, unsigned int id)
{
	uint32_t least = atomic_load(&pages[id].done);
	uint32_t taken = atomic_load(&pages[id].taken);
	bool same;
	int error;

	enter(reader);
	error = hpt_mark(&tortured, key_of(id), HPT_DIRTY);
	leave(reader);
	/* The same page all the time: no mapping of it was begun or ended meanwhile. */
	same = stays(id) || (least & 1 && atomic_load(&pages[id].begun) == least);
	if (same && error)
		wrong++;
	if (!error && !(taken & 1) && atomic_load(&pages[id].taken) == taken)
		atomic_store(&pages[id].marked, taken + 1);
	marks += !error;
}

static void *read_pages(void *argument)
{
	struct reader *reader = argument;

	while (!atomic_load(&stop)) {
		uint64_t random = mix64_next(&reader->random);
		unsigned int id = (unsigned int)(random % PAGES);

		/* Where something is going on. */
		if (random >> 39 & 1)
			id = atomic_load(&busy_segment) * SEGMENT_RUNS * RUN +
			     id % (SEGMENT_RUNS * RUN);
		if (random >> 40 & 1) {
			while (!stays(id))
				id = (id + RUN) % PAGES;
		}
		if (random >> 41 & 1)
			read_one(reader, id);
		else if (random >> 42 & 3 && is_marked(id))
			mark_one(reader, id);
		else
			read_batch(reader);
	}
	return NULL;
}

/* Where a thread is stopped: in the middle of a lookup, or of a change. */
static void stand_still(int number)
{
	static atomic_uint count;
	unsigned int stop_number = atomic_fetch_add(&count, 1);
	struct timespec time = {.tv_nsec = 1000L << stop_number % 9};
	int error = errno;

	(void)number;
	nanosleep(&time, NULL);
	errno = error;
}

/*
 * Stops readers and writer now and then, wherever they are, by a signal: what is open for a few
 * instructions is so for thousands then.
 */
static void *disturb(void *argument)
{
	pthread_t *writer_thread = argument;
	struct timespec pause = {.tv_nsec = 50000};
	uint64_t random = 1;

	while (!atomic_load(&stop)) {
		uint64_t number = mix64_next(&random) % (READERS + 1);

		pthread_kill(number < READERS ? readers[number].thread : *writer_thread, SIGUSR1);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / NS;
}

/* Without readers: the table has what the model says, and the marks that are left. */
static void check_all(void)
{
	for (unsigned int id = 0; id < PAGES; id++) {
		uint32_t version = atomic_load(&pages[id].done);
		uint64_t entry = 0;
		uint32_t taken;

		hpt_lookup(&tortured, key_of(id), &entry, NULL);
		check_answer(id, entry, version, version);
		if (owes_mark(id, &taken) && !(entry & HPT_DIRTY))
			lost_marks++;
	}
}

/* The writer at work, for so long, beside readers and whoever disturbs them. */
static void work(struct writer *writer, double seconds)
{
	pthread_t writer_thread = pthread_self();
	double end = now() + seconds;
	pthread_t disturber;

	atomic_store(&stop, false);
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i].random = mix64_next(&writer->random);
		if (pthread_create(&readers[i].thread, NULL, read_pages, &readers[i]))
			exit(1);
	}
	if (pthread_create(&disturber, NULL, disturb, &writer_thread))
		exit(1);
	for (unsigned int run = 0; now() < end; run++) {
		/* The table grows to its end, whatever is unmapped again meanwhile. */
		if (run < RUNS && !mapped(run))
			writer_map_run(writer, run);
		writer_step(writer);
	}
	atomic_store(&stop, true);
	pthread_join(disturber, NULL);
	for (unsigned int i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
}

/*
 * One table from its beginning to its end: in the clear, sealed, or of another hash. False if it is
 * not sound then.
 */
static bool round_of(struct writer *writer, double seconds, int number)
{
	static const enum hpt_hash_family hashes[ROUNDS] = {HPT_FIBONACCI, HPT_AES, HPT_LOCAL};
	struct hpt_config config = {
		.organisation = kind.organisation,
		.memory = {.get = get, .put = put, .retire = retire},
		.hash = hashes[number],
		.sealed = number == 1,
	};
	const char *broken;

	if (hpt_create(&tortured, &config))
		exit(1);
	number_pages(&tortured.desc);
	for (unsigned int run = 0; run < RUNS; run++) {
		if (run_stays(run))
			writer_map_run(writer, run);
	}
	work(writer, seconds);
	check_all();
	free_down_to(0);
	broken = hpt_check(&tortured);
	if (broken)
		printf("# %s\n", broken);
	hpt_destroy(&tortured);
	return !broken;
}

static int result(unsigned int number, bool ok, const char *name)
{
	printf("%sok %u - %s, %s: %s\n", ok ? "" : "not ", number,
	       hpt_organisation_name(kind.organisation), kind.size == HPT_2M ? "2 MiB" : "4 KiB",
	       name);
	return !ok;
}

static int torture(struct writer *writer, unsigned int first, double seconds)
{
	bool sound = true;
	int failed = 0;

	wrong = lost_marks = stray_marks = reads = marks = 0;
	retired = freed = writer->steps = 0;
	for (int i = 0; i < ROUNDS; i++)
		sound &= round_of(writer, seconds / ROUNDS, i);
	printf("# %lu reads, %lu marks, %llu changes, %lu blocks retired\n", (unsigned long)reads,
	       (unsigned long)marks, (unsigned long long)writer->steps, retired);
	failed += result(first, !wrong, "a reader sees the old or the new entry");
	failed += result(first + 1, !lost_marks, "no mark is lost");
	failed += result(first + 2, !stray_marks, "a mark shows where it was set");
	failed += result(first + 3, sound, "the table is sound");
	fflush(stdout);
	return failed;
}

static int torture_forms(unsigned int number)
{
	bool all = writer_forms();

	printf("%sok %u - adaptive, 4 KiB: regions come to each form\n", all ? "" : "not ", number);
	return !all;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 12;
	struct writer writer = {.random = argc > 2 ? strtoull(argv[2], NULL, 0) : 1};
	int only = argc > 3 ? hpt_organisation_find(argv[3]) : -1;
	int first = only < 0 ? 0 : only;
	int last = only < 0 ? HPT_ORGANISATIONS - 1 : only;
	int kinds = (last - first + 1) * HPT_SIZES;
	unsigned int test = 1;
	int failed = 0;

	signal(SIGUSR1, stand_still);
	printf("1..%d\n", TESTS * kinds + (last == HPT_ADAPTIVE));
	for (int i = first; i <= last; i++) {
		for (int j = 0; j < HPT_SIZES; j++, test += TESTS) {
			kind.organisation = (enum hpt_organisation)i;
			kind.size = (enum hpt_size)j;
			failed += torture(&writer, test, seconds / kinds);
		}
	}
	if (last == HPT_ADAPTIVE)
		failed += torture_forms(test);
	return failed != 0;
}
