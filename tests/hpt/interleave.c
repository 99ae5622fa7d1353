/* SPDX-License-Identifier: MIT */
/*
 * Changes of a table against single calls of a reader, in all interleavings that stop each of them
 * once, and in some that stop the writer twice (interleave_run.h); where there are more than a
 * budget allows, in so many of them at random. TAP on stdout.
 *
 *	interleave [BUDGET=400] [SEED=1]	BUDGET interleavings of each kind; 0: all
 *
 * A lookup must give what a page had before the change or has after it; a mark that was set must be
 * there in the end, or in what the change has taken out; it must be nowhere else; and the table
 * must be sound.
 */
#include "tests/hpt/interleave.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpt/lookup.h"
#include "hpt/mix.h"
#include "tests/hpt/interleave_run.h"

#define ARENA	    (UINT64_C(1) << 22)
#define MAPPED_MAX  4096
#define MANY_GROUPS (UINT64_C(1) << 23) /* pages: adaptive makes 64 groups for them */
#define CHECK_EACH  16 /* interleavings, of which one has the whole table checked */

struct hpt target;

/* The table's memory, and both as they are before the change. */
static struct {
	_Alignas(1 << 21) uint8_t bytes[ARENA];
	uint8_t saved[ARENA];
	uint64_t used;
	uint64_t saved_used;
	struct hpt saved_table;
} memory;

static uint64_t mapped[MAPPED_MAX]; /* vpns */
static unsigned int mapped_count, saved_count;

/* What the reader does, and what came of it. */
static struct {
	struct hpt_key key;
	bool marks;
	int error;
	uint64_t entry;
} reading;

static bool taken_dirty; /* of its page */
static uint64_t before, after;
static uint64_t budget = 400;
static uint64_t random_state = 1;
static unsigned long tried;

void interleave_expect(bool right, const char *what)
{
	if (right)
		return;
	printf("Bail out! %s: not so\n", what);
	exit(1);
}

struct hpt_key interleave_key(uint64_t vpn)
{
	return hpt_key(1, vpn, HPT_4K);
}

uint64_t interleave_contiguous(uint64_t vpn)
{
	return hpt_entry(vpn + 77, HPT_PRESENT | HPT_WRITE);
}

uint64_t interleave_scattered(uint64_t vpn)
{
	return hpt_entry(3 * vpn + 5, HPT_PRESENT | HPT_WRITE);
}

void interleave_map(uint64_t vpn, uint64_t entry)
{
	interleave_expect(!hpt_map(&target, interleave_key(vpn), entry), "a page is mapped");
	if (mapped_count < MAPPED_MAX)
		mapped[mapped_count++] = vpn;
}

void interleave_taken(uint64_t vpn, uint64_t entry)
{
	taken_dirty |= vpn == reading.key.vpn && entry & HPT_DIRTY;
}

static void expect_nothing_held(void)
{
	interleave_expect(!target.held && !(target.shape & 1), "no reader waits for memory");
}

static int get(void *context, size_t size, uint64_t *address)
{
	uint64_t at = (memory.used + size - 1) & ~((uint64_t)size - 1);

	(void)context;
	expect_nothing_held();
	interleave_expect(at + size <= ARENA, "there is memory enough");
	*address = (uintptr_t)memory.bytes + at;
	memory.used = at + size;
	return 0;
}

/* Nobody has seen it: whoever still looks finds nonsense. */
static void put(void *context, uint64_t address, size_t size)
{
	(void)context;
	memset((void *)(uintptr_t)address, 0xa5, size);
}

/* The grace period never ends. */
static void retire(void *context, uint64_t address, size_t size)
{
	(void)context;
	(void)address;
	(void)size;
	expect_nothing_held();
}

static void begin(enum hpt_organisation organisation, uint64_t pages)
{
	struct hpt_config config = {.organisation = organisation,
				    .pages = pages,
				    .memory = {.get = get, .put = put, .retire = retire}};

	memset(memory.bytes, 0, memory.used);
	memory.used = 0;
	mapped_count = 0;
	target = (struct hpt){0};
	interleave_expect(!hpt_create(&target, &config), "a table is made");
}

static void save(void)
{
	memcpy(memory.saved, memory.bytes, memory.used);
	memory.saved_used = memory.used;
	memory.saved_table = target;
	saved_count = mapped_count;
}

static void restore(void)
{
	memcpy(memory.bytes, memory.saved, memory.saved_used);
	memset(memory.bytes + memory.saved_used, 0, memory.used - memory.saved_used);
	memory.used = memory.saved_used;
	target = memory.saved_table;
	mapped_count = saved_count;
	taken_dirty = false;
}

static uint64_t entry_of(struct hpt_key key)
{
	uint64_t entry = 0;

	hpt_lookup(&target, key, &entry, NULL);
	return entry;
}

static void read_page(void)
{
	reading.entry = 0;
	if (reading.marks)
		reading.error = hpt_mark(&target, reading.key, HPT_DIRTY);
	else
		reading.error = hpt_lookup(&target, reading.key, &reading.entry, NULL);
}

static const char *wrong_lookup(void)
{
	if (!before && !after)
		return reading.error ? NULL : "a page is found that was never there";
	if (reading.error)
		return before && after ? "a page is missed that was there throughout" : NULL;
	return reading.entry == before || reading.entry == after
		       ? NULL
		       : "an entry is neither the old nor the new one";
}

static const char *wrong_mark(void)
{
	uint64_t entry = entry_of(reading.key);

	if ((entry & ~HPT_DIRTY) != after)
		return "a page is not what it should be after the change";
	if (!reading.error)
		return entry & HPT_DIRTY || taken_dirty ? NULL : "a mark is lost";
	return hpt_resident(before) && hpt_resident(after) ? "a page is missed by a mark" : NULL;
}

/* Whether a page may have been in one run with the one that is marked. */
static bool may_share_mark(uint64_t vpn, uint64_t entry)
{
	uint64_t marked = before ? before : after;

	return vpn == reading.key.vpn ||
	       (target.desc.organisation == HPT_ADAPTIVE && vpn / 512 == reading.key.vpn / 512 &&
		hpt_frame(entry) - vpn == hpt_frame(marked) - reading.key.vpn);
}

static const char *wrong_table(void)
{
	for (unsigned int i = 0; i < mapped_count; i++) {
		uint64_t entry = entry_of(interleave_key(mapped[i]));

		if (entry & HPT_DIRTY && !may_share_mark(mapped[i], entry))
			return "a mark is where nobody has set it";
	}
	return hpt_check(&target);
}

/* One interleaving; what is wrong with it. */
static const char *try_one(const struct interleave *interleave,
			   const struct interleave_stops *stops)
{
	const char *wrong;

	restore();
	if (!interleave_run(interleave, stops))
		return "a reader waits for ever";
	wrong = reading.marks ? wrong_mark() : wrong_lookup();
	if (!wrong && tried++ % CHECK_EACH == 0)
		wrong = wrong_table();
	if (wrong)
		printf("# page %llu, %s, writer to %ld, reader to %ld, writer to %ld: %s\n",
		       (unsigned long long)reading.key.vpn, reading.marks ? "marked" : "looked up",
		       (long)stops->writer_first, (long)stops->reader, (long)stops->writer_then,
		       wrong);
	return wrong;
}

static unsigned long random_below(unsigned long bound)
{
	return mix64_next(&random_state) % bound;
}

/* The stops of interleaving `number`, where there are so many of each: three for each pair. */
static struct interleave_stops stops_of(uint64_t number, unsigned long writes, unsigned long reads)
{
	bool all = !budget || 3 * writes * reads <= budget;
	unsigned long at = all ? number / 3 / reads : random_below(writes);
	struct interleave_stops stops = {.reader = all ? number / 3 % reads : random_below(reads)};

	switch (number % 3) {
	case 0:
		stops.writer_first = at;
		stops.writer_then = INTERLEAVE_END;
		break;
	case 1:
		stops.writer_first = random_below(at + 1);
		stops.writer_then = at;
		break;
	default:
		stops.writer_then = at;
	}
	return stops;
}

static const char *try_all(const struct interleave_case *one)
{
	const struct interleave interleave = {one->change, read_page};
	const struct interleave_stops alone = {INTERLEAVE_END, INTERLEAVE_END, INTERLEAVE_END};
	unsigned long writes, reads;
	const char *wrong;
	uint64_t count;

	restore();
	before = entry_of(reading.key);
	one->change();
	after = entry_of(reading.key);
	wrong = try_one(&interleave, &alone);
	writes = interleave_writes() + 1;
	reads = interleave_reads() + 1;
	count = 3 * writes * reads;
	if (budget && count > budget)
		count = budget;
	for (uint64_t i = 0; i < count && !wrong; i++) {
		struct interleave_stops stops = stops_of(i, writes, reads);

		wrong = try_one(&interleave, &stops);
	}
	return wrong;
}

/* Pages whose words the change moves, as far as there are some, and one that it does not. */
static unsigned int pages_that_move(const struct interleave_case *one, uint64_t *vpns)
{
	static uint64_t *words[MAPPED_MAX];
	struct hpt_found found;
	unsigned int count = 0;

	for (unsigned int i = 0; i < mapped_count; i++)
		words[i] = hpt_find(&target, interleave_key(mapped[i]), &found) ? found.word : NULL;
	one->change();
	for (unsigned int i = mapped_count; i-- && count + 1 < INTERLEAVE_KEYS;) {
		if (!hpt_find(&target, interleave_key(mapped[i]), &found) || found.word != words[i])
			vpns[count++] = mapped[i];
	}
	vpns[count++] = mapped[mapped_count / 2];
	return count;
}

static const char *try_case(enum hpt_organisation organisation, const struct interleave_case *one,
			    uint64_t pages)
{
	uint64_t vpns[INTERLEAVE_KEYS];
	unsigned int count = INTERLEAVE_KEYS;
	const char *wrong = NULL;

	begin(organisation, pages);
	one->prepare();
	save();
	memcpy(vpns, one->vpns, sizeof(vpns));
	if (!vpns[0])
		count = pages_that_move(one, vpns);
	for (unsigned int i = 0; i < 2 * count && !wrong; i++) {
		reading.key = interleave_key(vpns[i / 2]);
		reading.marks = i % 2;
		wrong = try_all(one);
	}
	return wrong;
}

static int result(unsigned int number, enum hpt_organisation organisation,
		  const struct interleave_case *one, uint64_t pages)
{
	unsigned long had = tried;
	const char *wrong = try_case(organisation, one, pages);

	printf("%sok %u - %s, %s%s (%lu interleavings)%s%s\n", wrong ? "not " : "", number,
	       hpt_organisation_name(organisation), one->name, pages ? ", in many groups" : "",
	       tried - had, wrong ? ": " : "", wrong ? wrong : "");
	fflush(stdout);
	return !!wrong;
}

int main(int argc, char **argv)
{
	unsigned int number = 0;
	int failed = 0;

	if (argc > 1)
		budget = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		random_state = strtoull(argv[2], NULL, 0);
	printf("1..%u\n", HPT_ORGANISATIONS * interleave_any_count - interleave_growth_count +
				  2 * interleave_adaptive_count);
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		enum hpt_organisation organisation = (enum hpt_organisation)i;
		unsigned int count = interleave_any_count;

		begin(organisation, 0);
		if (organisation == HPT_RADIX)
			count -= interleave_growth_count;
		else
			interleave_find_growth();
		for (unsigned int j = 0; j < count; j++)
			failed += result(++number, organisation, &interleave_any[j], 0);
	}
	for (unsigned int j = 0; j < 2 * interleave_adaptive_count; j++)
		failed += result(++number, HPT_ADAPTIVE, &interleave_adaptive[j / 2],
				 j % 2 ? MANY_GROUPS : 0);
	return failed != 0;
}
