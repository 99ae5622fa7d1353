/* SPDX-License-Identifier: MIT */
/*
 * What an organisation is to the rest of the library: a name and these operations. hpt/table.c has
 * checked their arguments; errors and their meaning are those of hpt.h.
 */
#ifndef HPT_ORGANISATION_H
#define HPT_ORGANISATION_H

#include "hpt/atomic.h"
#include "hpt/hpt.h"
#include "hpt/seal.h"

/* The lines of the old generation that growth moves at once, and the hashes that live there. */
struct hpt_step {
	uint64_t *lines;
	uint64_t first; /* hash */
	uint64_t last;
};

struct block_placing;
struct single_places;

struct hpt_operations {
	const char *name;

	/*
	 * For organisations with generations (generation.h). A place is where one tag can stand: a
	 * line, or a slot in it.
	 */
	unsigned int
		place_pages; /* pages that one place has at most; 0: there are no generations */
	unsigned int line_places;
	unsigned int load;	  /* 64ths of the places that may be taken before the table grows */
	bool spills;		  /* a place may be taken in spill lines */
	unsigned int spill_pages; /* that it may have; 0: HPT_SPILL_PAGES */
	unsigned int step_lines;  /* how many growth moves at once: a group, or less */
	const struct block_placing
		*placing; /* where its lines stand, if they are blocks (block.h) */
	const struct single_places *places; /* or its places, if they are pages (single.h) */
	/*
	 * Moves what lives in a step to where it belongs now; `split` has been advanced. Where the
	 * salt changes there is a free place in the spill for each place of the step. False: some
	 * of it is left, which lookups find where it was, and is moved by another call.
	 */
	bool (*move)(struct hpt *table, const struct hpt_step *step);

	int (*create)(struct hpt *table, uint64_t pages);
	void (*destroy)(struct hpt *table);
	/*
	 * Maps up to `count` pages from `key` on, at least one and no more than one line holds, to
	 * entries that step by `stride`, stored by hpt_stored(); *done says how many. On an error
	 * none of them is mapped.
	 */
	int (*map)(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
		   uint64_t stride, uint64_t *done);
	/* The word of a mapped key has become 0: forget it, and what it alone kept alive. */
	void (*forget)(struct hpt *table, struct hpt_key key, uint64_t *word);
	/* As hpt_visit_range() and hpt_visit(), of entries as they are stored. */
	int (*visit_range)(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
			   void *context);
	int (*visit)(struct hpt *table, hpt_visitor visit, void *context);
	const char *(*check)(const struct hpt *table);
};

const struct hpt_operations *hpt_operations_of(const struct hpt *table);

extern const struct hpt_operations hpt_radix_operations;
extern const struct hpt_operations hpt_chained_operations;
extern const struct hpt_operations hpt_open_operations;
extern const struct hpt_operations hpt_bucket_operations;
extern const struct hpt_operations hpt_clustered_operations;
extern const struct hpt_operations hpt_cuckoo_operations;
extern const struct hpt_operations hpt_adaptive_operations;

/*
 * Whether a visitor is that of hpt_unmap_range() or hpt_change_range(): it answers alike for pages
 * of contiguous frames and equal flags.
 */
bool hpt_answers_alike(hpt_visitor visit);

/* Whether it is the library's: a few instructions, for which readers may have to wait. */
bool hpt_visitor_is_own(hpt_visitor visit);

/* What is wrong where a page lies in a mapped page of 2 MiB; NULL if it does not. */
const char *hpt_check_overlap(const struct hpt *table, struct hpt_key key);

static inline void *hpt_pointer(const struct hpt *table, uint64_t address)
{
	return (void *)(uintptr_t)(address + table->memory.offset);
}

/* What is stored for the page `number` pages after `key`. */
static inline uint64_t hpt_stored(const struct hpt *table, struct hpt_key key, uint64_t number,
				  uint64_t entry)
{
	key.vpn += number * hpt_pages_in(key.size);
	return hpt_seal(&table->desc, key, entry);
}

/*
 * Stores an entry where no reader can mark one, since none is resident, and leaves the
 * organisation's part of the word: one store.
 */
static inline void hpt_store(uint64_t *word, uint64_t entry)
{
	HPT_STORE(*word, (HPT_LOAD(*word) & ~HPT_ENTRY_MASK) | entry);
}

/* Whether the table can have `count` pages of the key's size from the key on. (table.c) */
bool hpt_range_valid(const struct hpt *table, struct hpt_key key, uint64_t count);

/*
 * Whether a visit of a range reads fewer lines by a scan of the whole table than by a search for
 * each place that the range may have: then the pages do not come in order.
 */
static inline bool hpt_range_scanned(const struct hpt *table, struct hpt_key key, uint64_t count)
{
	const struct hpt_operations *operations = hpt_operations_of(table);
	uint64_t first = key.vpn / hpt_pages_in(key.size);
	uint64_t in_place = operations->place_pages;

	if (!in_place)
		return false;
	if (in_place == HPT_LARGE_PAGES && key.size == HPT_2M)
		in_place = 1;
	return (first + count - 1) / in_place - first / in_place >= table->counts.places;
}

static inline int hpt_get(struct hpt *table, size_t size, uint64_t *address)
{
	int error = table->memory.get(table->memory.context, size, address);

	if (!error)
		table->counts.bytes += size;
	return error;
}

static inline void hpt_put(struct hpt *table, uint64_t address, size_t size)
{
	table->counts.bytes -= size;
	table->memory.put(table->memory.context, address, size);
}

/* The same where a reader may still be looking at it. */
static inline void hpt_retire(struct hpt *table, uint64_t address, size_t size)
{
	if (!table->shared) {
		hpt_put(table, address, size);
		return;
	}
	table->counts.bytes -= size;
	table->memory.retire(table->memory.context, address, size);
}

#endif
