/* SPDX-License-Identifier: MIT */
/*
 * What the table library is held against: a memory provider that watches it, a naive map, and the
 * two together as a pair, whose every operation is done to both.
 *
 * Nothing here knows a test framework, so that the fuzzer uses it as well: a difference is printed
 * and ends the process by abort().
 */
#ifndef TESTS_HPT_MODEL_H
#define TESTS_HPT_MODEL_H

#include "hpt/hpt.h"

#define MODEL_SAY(...) model_fail(__FILE__, __LINE__, __VA_ARGS__)
#define MODEL_EXPECT(condition, ...)            \
	do {                                    \
		if (!(condition))               \
			MODEL_SAY(__VA_ARGS__); \
	} while (0)

void model_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

/* splitmix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
uint64_t model_random(uint64_t *state);

/* A block that the table holds. */
struct test_block {
	uint64_t address;
	size_t size;
};

/*
 * Gives zeroed blocks and aborts on a size, an alignment or a return that breaks the contract.
 * Calls number first_failure to last_failure (from 1 on) fail with -ENOMEM; 0 is never.
 * What comes back is overwritten and freed, so that a late read is seen. With `table` it aborts if
 * it is called while readers wait for the writer.
 */
struct test_memory {
	struct test_block *blocks;
	size_t outstanding;
	size_t capacity;
	uint64_t bytes;
	uint64_t calls;
	uint64_t failures;
	uint64_t first_failure;
	uint64_t last_failure;
	uintptr_t offset;
	bool readers; /* there may be some: memory is retired */
	uint64_t retired;
	const struct hpt *table; /* whose it is, if known: no reader of it waits meanwhile */
};

/* The provider as the table wants it. memory->offset and readers must be set before. */
struct hpt_memory test_memory_of(struct test_memory *memory);

/* Ends the provider; aborts if the table has kept a block. */
void test_memory_end(struct test_memory *memory);

struct model_cell {
	struct model_cell *next;
	struct hpt_key key;
	uint64_t entry;
	uint64_t visit; /* number of the last visit that came by */
};

/* Key -> entry, 0 where there is none; and how many 4 KiB pages each 2 MiB of space holds. */
struct model {
	struct model_cell **buckets;
	size_t bucket_count; /* may be set before model_begin(); 0 is many */
	uint64_t entries;
};

void model_begin(struct model *model);
void model_end(struct model *model);
uint64_t model_get(const struct model *model, struct hpt_key key);
void model_set(struct model *model, struct hpt_key key, uint64_t entry);

/* The key's cell, or NULL. */
struct model_cell *model_cell(const struct model *model, struct hpt_key key);

/* All cells: start with *bucket = 0 and NULL; ends with NULL. */
struct model_cell *model_next(const struct model *model, size_t *bucket, struct model_cell *cell);

/* Whether a page of the other size is mapped where this one lies. */
bool model_overlaps(const struct model *model, struct hpt_key key);

struct kept;

struct pair {
	struct test_memory memory;
	struct hpt table;
	struct model model;
	uint64_t visits;
	struct kept *kept; /* or NULL; told of what is changed in the model (kept.h) */
};

/* What a visit does to the pages that it sees. */
enum pair_visit { PAIR_KEEP, PAIR_UNMAP, PAIR_FLAGS, PAIR_FRAME, PAIR_UNMAP_ODD, PAIR_VISITS };

/* memory->offset, readers and failures may be set before; 0 or -ENOMEM. */
int pair_begin(struct pair *pair, const struct hpt_config *config);

/* Compares, checks, destroys, and sees that all memory came back. */
void pair_end(struct pair *pair);

/*
 * Each does one operation to the table, aborts unless the result is what the model says, and
 * returns the table's error. -ENOMEM is accepted where the provider has failed during the call.
 * Pages that would overlap those of the other size are refused (-EEXIST) before a clustered table,
 * which does not look, is asked.
 */
int pair_map(struct pair *pair, struct hpt_key key, uint64_t entry);
int pair_unmap(struct pair *pair, struct hpt_key key);
int pair_change(struct pair *pair, struct hpt_key key, uint64_t clear, uint64_t set);
int pair_swap_out(struct pair *pair, struct hpt_key key, uint64_t location);
int pair_swap_in(struct pair *pair, struct hpt_key key, uint64_t frame);
void pair_mark_in_model(struct pair *pair, struct hpt_key key, uint64_t flags);
int pair_mark(struct pair *pair, struct hpt_key key, uint64_t flags);
int pair_lookup(struct pair *pair, struct hpt_key key, struct hpt_ledger *ledger);
int pair_map_range(struct pair *pair, struct hpt_key key, uint64_t count, uint64_t entry);

int pair_rekey(struct pair *pair, uint64_t salt);
int pair_settle(struct pair *pair, uint64_t steps);

/* Both return how many pages were visited. */
uint64_t pair_visit_range(struct pair *pair, struct hpt_key key, uint64_t count,
			  enum pair_visit what);
uint64_t pair_visit_all(struct pair *pair, enum pair_visit what);

/* Every entry of the table is in the model, every one of the model is found, the counts agree. */
void pair_compare(struct pair *pair);

/* pair_compare() and hpt_check(). */
void pair_check(struct pair *pair);

/*
 * Aborts unless the table, which has no entries, has gone back to what it was when it was made:
 * radix holds no memory, of clustered every line that a lookup can reach is 0.
 */
void pair_expect_empty(const struct pair *pair);

/* An entry that hpt_map() takes for this key, made of random bits. */
uint64_t pair_entry(struct hpt_key key, uint64_t *random);

/* Widths of the keys that an organisation takes. */
unsigned int pair_vpn_bits(const struct pair *pair);
unsigned int pair_asid_bits(const struct pair *pair);

#endif
