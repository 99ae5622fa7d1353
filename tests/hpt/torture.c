/* SPDX-License-Identifier: MIT */
/*
 * Torture of readers beside a writer: every organisation and page size, from the smallest table on.
 * Readers look pages up, one by one and in batches, and mark them, while the writer maps, unmaps,
 * changes, and visits; everything that is read is held against a model. No Criterion, so that it
 * can be built with -fsanitize=thread. TAP on stdout.
 *
 *	torture [SECONDS=12] [SEED=1]
 *
 * Memory is poisoned and freed when every reader has left the call that it was in.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hpt/mix.h"
#include "tests/hpt/torture_pages.h"

#define READERS 3
/* All organisations but adaptive, which refuses readers (hpt_create()). */
#define TORTURED (HPT_ORGANISATIONS - 1)
#define ROUNDS	 3
#define BATCH	 24
#define NS	 1000000000

struct reader {
	_Atomic uint64_t calls; /* odd: in one */
	uint64_t random;
	pthread_t thread;
} __attribute__((aligned(64)));

struct writer {
	uint64_t random;
	uint64_t steps;
};

static struct hpt table;
static struct reader readers[READERS];
static atomic_bool stop;
static atomic_ulong wrong, lost_marks, reads, marks;
static unsigned long retired;

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

static void retire(void *context, uint64_t address, size_t bytes)
{
	for (unsigned int i = 0; i < READERS; i++) {
		uint64_t calls = atomic_load(&readers[i].calls);

		while (calls & 1 && atomic_load(&readers[i].calls) == calls)
			sched_yield();
	}
	retired++;
	put(context, address, bytes);
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
	reads++;
}

static void read_one(struct reader *reader, unsigned int id)
{
	uint32_t marked = atomic_load(&pages[id].marked);
	uint32_t least = atomic_load(&pages[id].done);
	uint64_t entry = 0;

	enter(reader);
	hpt_lookup(&table, key_of(id), &entry, NULL);
	leave(reader);
	check_answer(id, entry, least, atomic_load(&pages[id].begun));
	if (stays(id) && marked && !(entry & HPT_DIRTY))
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
	hpt_lookup_batch(&table, keys, entries, BATCH);
	leave(reader);
	for (unsigned int i = 0; i < BATCH; i++)
		check_answer(ids[i], entries[i], least[i], atomic_load(&pages[ids[i]].begun));
}

static void mark_one(struct reader *reader, unsigned int id)
{
	uint32_t least = atomic_load(&pages[id].done);
	bool same;
	int error;

	enter(reader);
	error = hpt_mark(&table, key_of(id), HPT_DIRTY);
	leave(reader);
	/* The same page all the time: no mapping of it was begun or ended meanwhile. */
	same = stays(id) || (least & 1 && atomic_load(&pages[id].begun) == least);
	if (same && error)
		wrong++;
	if (same && !error) {
		atomic_store(&pages[id].marked, least);
		marks++;
	}
}

static void *read_pages(void *argument)
{
	struct reader *reader = argument;

	while (!atomic_load(&stop)) {
		uint64_t random = mix64_next(&reader->random);
		unsigned int id = (unsigned int)(random % PAGES);

		if (random >> 40 & 1) {
			while (!stays(id))
				id = (id + RUN) % PAGES;
		}
		if (random >> 41 & 3)
			read_one(reader, id);
		else if (random >> 43 & 1)
			mark_one(reader, id);
		else
			read_batch(reader);
	}
	return NULL;
}

static void expect(bool right)
{
	if (!right)
		wrong++;
}

static void map_run(struct writer *writer, unsigned int run)
{
	unsigned int id = run * RUN;
	uint32_t version;

	begin_run(run, 1);
	version = atomic_load(&pages[id].begun);
	if (mix64_next(&writer->random) & 1) {
		expect(!hpt_map_range(&table, key_of(id), RUN, entry_of(id, version)));
	} else {
		for (; id < (run + 1) * RUN; id++)
			expect(!hpt_map(&table, key_of(id), entry_of(id, version)));
	}
	end_run(run);
}

/* An entry that has been taken out: the last one, with what readers have marked. */
static void check_last(unsigned int id, uint64_t entry)
{
	uint32_t version = atomic_load(&pages[id].done);

	expect(entry_right(id, entry) && version_of(entry) == (version & VERSION_MASK));
	if (atomic_load(&pages[id].marked) == version && !(entry & HPT_DIRTY))
		lost_marks++;
}

/* Removes the pages of a run; *context has their last entries. */
static uint64_t take_out(void *context, struct hpt_key key, uint64_t entry)
{
	uint64_t *last = context;

	last[key.vpn / hpt_pages_in(kind.size) % RUN] = entry;
	return 0;
}

static void unmap_run(struct writer *writer, unsigned int run)
{
	unsigned int first = run * RUN;
	uint64_t last[RUN] = {0};

	begin_run(run, 1);
	switch (mix64_next(&writer->random) % 3) {
	case 0:
		for (unsigned int i = 0; i < RUN; i++) {
			expect(!hpt_unmap(&table, key_of(first + i), &last[i]));
			check_last(first + i, last[i]);
		}
		break;
	case 1:
		expect(!hpt_visit_range(&table, key_of(first), RUN, take_out, last));
		for (unsigned int i = 0; i < RUN; i++)
			check_last(first + i, last[i]);
		break;
	default:
		expect(!hpt_unmap_range(&table, key_of(first), RUN));
	}
	end_run(run);
}

/* Unmaps whole segments, where none stays: nodes of a tree go. */
static void unmap_segment(unsigned int segment)
{
	unsigned int first = segment * SEGMENT_RUNS;

	for (unsigned int run = first; run < first + SEGMENT_RUNS; run++) {
		if (mapped(run))
			begin_run(run, 1);
	}
	expect(!hpt_unmap_range(&table, key_of(first * RUN), SEGMENT_RUNS * RUN));
	for (unsigned int run = first; run < first + SEGMENT_RUNS; run++)
		end_run(run);
}

/* Another frame: the next version of a page that stays. */
static uint64_t renew(void *context, struct hpt_key key, uint64_t entry)
{
	unsigned int id = id_of(entry);

	(void)context;
	(void)key;
	expect(id < PAGES);
	if (id >= PAGES || !stays(id))
		return entry;
	atomic_store(&pages[id].begun, atomic_load(&pages[id].done) + 2);
	return entry_of(id, atomic_load(&pages[id].begun)) |
	       (entry & (BOTH | HPT_ACCESSED | HPT_DIRTY));
}

static void end_all(void)
{
	for (unsigned int run = 0; run < RUNS; run++)
		end_run(run);
}

static void change_some(struct writer *writer)
{
	unsigned int id = (unsigned int)(mix64_next(&writer->random) % PAGES);
	uint64_t random = mix64_next(&writer->random);
	uint64_t set = random & 1 ? BOTH : 0;
	bool is_mapped = mapped(id / RUN);

	switch (random >> 1 & 15) {
	case 0:
		expect(!hpt_change_range(&table, hpt_key(1, 0, kind.size), UINT64_C(1) << 27, BOTH,
					 set));
		break;
	case 1:
		expect(!hpt_visit(&table, renew, NULL));
		end_all();
		break;
	case 2:
	case 3:
	case 4:
		expect(!hpt_visit_range(&table, key_of(id), 1, renew, NULL));
		end_run(id / RUN);
		break;
	default:
		expect(hpt_change(&table, key_of(id), BOTH, set) == (is_mapped ? 0 : -ENOENT));
	}
}

static void step(struct writer *writer)
{
	uint64_t random = mix64_next(&writer->random);
	unsigned int run = (unsigned int)(random % RUNS);
	unsigned int segment = random >> 32 & (SEGMENTS - 1);

	writer->steps++;
	if (!(random >> 40 & 7))
		change_some(writer);
	else if (!(random >> 43 & 127) && hpt_settle(&table, 0) != -EAGAIN)
		expect(kind.organisation == HPT_RADIX || !hpt_rekey(&table, random));
	else if (!(random >> 43 & 255) && segment % 4)
		unmap_segment(segment);
	else if (run_stays(run))
		return;
	else if (mapped(run))
		unmap_run(writer, run);
	else
		map_run(writer, run);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / NS;
}

/* Without readers: the table has what the model says, and what was marked for good. */
static void check_all(void)
{
	for (unsigned int id = 0; id < PAGES; id++) {
		uint32_t version = atomic_load(&pages[id].done);
		uint64_t entry = 0;

		hpt_lookup(&table, key_of(id), &entry, NULL);
		check_answer(id, entry, version, version);
		if (stays(id) && atomic_load(&pages[id].marked) && !(entry & HPT_DIRTY))
			lost_marks++;
	}
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
	double end;

	if (hpt_create(&table, &config))
		exit(1);
	number_pages(&table.desc);
	for (unsigned int run = 0; run < RUNS; run++) {
		if (run_stays(run))
			map_run(writer, run);
	}
	atomic_store(&stop, false);
	end = now() + seconds;
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i].random = mix64_next(&writer->random);
		if (pthread_create(&readers[i].thread, NULL, read_pages, &readers[i]))
			exit(1);
	}
	for (unsigned int run = 0; now() < end; run++) {
		/* The table grows to its end, whatever is unmapped again meanwhile. */
		if (run < RUNS && !mapped(run))
			map_run(writer, run);
		step(writer);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	check_all();
	broken = hpt_check(&table);
	if (broken)
		printf("# %s\n", broken);
	hpt_destroy(&table);
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

	wrong = lost_marks = reads = marks = 0;
	retired = writer->steps = 0;
	for (int i = 0; i < ROUNDS; i++)
		sound &= round_of(writer, seconds / ROUNDS, i);
	printf("# %lu reads, %lu marks, %llu changes, %lu blocks retired\n", (unsigned long)reads,
	       (unsigned long)marks, (unsigned long long)writer->steps, retired);
	failed += result(first, !wrong, "a reader sees the old or the new entry");
	failed += result(first + 1, !lost_marks, "no mark is lost");
	failed += result(first + 2, sound, "the table is sound");
	fflush(stdout);
	return failed;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 12;
	struct writer writer = {.random = argc > 2 ? strtoull(argv[2], NULL, 0) : 1};
	unsigned int test = 1;
	int failed = 0;

	printf("1..%d\n", 3 * TORTURED * HPT_SIZES);
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		for (int j = 0; j < HPT_SIZES && i != HPT_ADAPTIVE; j++, test += 3) {
			kind.organisation = (enum hpt_organisation)i;
			kind.size = (enum hpt_size)j;
			failed += torture(&writer, test, seconds / (TORTURED * HPT_SIZES));
		}
	}
	return failed != 0;
}
