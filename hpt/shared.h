/* SPDX-License-Identifier: MIT */
/*
 * Readers without locks beside one writer: for tables whose memory has a `retire` callback (hpt.h).
 *
 * Versions. Every 4 KiB page of lines belongs to one of 64 shards, each of which has a counter, its
 * version (sequence locks: Boehm, "Can Seqlocks Get Along With Programming Language Memory
 * Models?", MSPC'12). The writer holds a page, that is, makes its shard's version odd, before it
 * changes a tag, a link or a count of passing there; it lets all that it holds go, makes the
 * versions even again, when the table answers for every key again. What is on its way from one page
 * to another is in pages that are held until it has arrived. The descriptor has a version of its
 * own, `shape`. Entries may change at any time: each is one word.
 *
 * A reader notes a shard's version before it first reads one of its lines, and waits while that is
 * odd; it copies the line, and compares the version; then it asks the functions of probe.h what the
 * copy says. `shape` is noted before the walk and compared before an address is used.
 *  - A hit is true: tag and entry stood together when the line was copied.
 *  - A miss is believed if, at the end, `shape` and the versions of all shards that the walk has
 *    come by are what was noted. Then all lines that were read, and the way from one to the next,
 *    were as they were read at one moment, when the last was copied, and nothing was on its way. So
 *    a key that was there throughout is found, moves of cuckoo and open and growth included.
 *  - Anything else begins the walk again.
 * Growth holds the pages from which and to which a step moves. A change of salt moves to any page:
 * there `shape` is odd until the step has been made, and all readers wait for it.
 * Radix needs no versions: nothing moves, and each word of its nodes answers for itself. A node
 * that has been unlinked is empty.
 *
 * Adaptive has both. Its slots are as those of the others: a tag says all of its key, so a hit is
 * true by itself, whatever form the region has taken since its marker was read. A leaf is as a node
 * of radix, and is never held: each word answers for itself. It is the region's from when the
 * marker is stored, over words that are there already, until it is empty. Conversions take its
 * words out, by exchange, while they hold the marker's page; and a page that was a leaf is none
 * again, nor anything else, before the grace period has ended. So a word that is found in a leaf is
 * the key's when it is read. One that is 0 is a miss, which is believed if the marker's page has
 * not changed since before the marker was read: then the leaf was the region's, and nobody was
 * emptying it. A conversion holds the pages of all slots that come and go until it has ended. What
 * else a marker says (its count, that it is unsettled, more blocks in use) changes at any time, as
 * entries do: nothing that is there is found or missed by it.
 *
 * Memory that readers may still look at is alive until the caller's grace period ends.
 *
 * Marks. hpt_mark() compares and exchanges the entry's word and then compares the version: if that
 * has changed, the word may have become another key's, and the mark is set again where the key is
 * now. A mark that went astray so was set in a word with the very same frame and flags: its page is
 * written back, or kept, for nothing. The writer takes entries out of words by exchange and changes
 * them by compare and exchange, so no mark is lost: it is in what moves, and in what is removed. A
 * run of adaptive has one word, as a superpage has, and so one mark. Pages that become a run were
 * alike when the writer looked; what is marked until it takes them out is a mark of the run.
 *
 * The writer holds nothing while it asks for memory, retires it, or calls a visitor: whoever
 * answers may wait for readers. (The library's own visitors do not.)
 *
 * Order. The writer stores odd version, then words, then even version; a reader loads version,
 * words, version again. x86 keeps stores in order, and loads; the compiler is kept from another
 * order by fences of its own, releases and acquires, none of which is an instruction.
 */
#ifndef HPT_SHARED_H
#define HPT_SHARED_H

#include "hpt/atomic.h"
#include "hpt/hpt.h"

#define HPT_SHARDS 64

/* A line for each, so that readers of the others do not wait for it. */
struct hpt_version {
	uint64_t count; /* odd: held */
	uint64_t apart[HPT_LINE_WORDS - 1];
};

struct hpt_shared {
	struct hpt_version shards[HPT_SHARDS];
};

_Static_assert(sizeof(struct hpt_shared) == HPT_PAGE_SIZE, "versions are a page of memory");

/* The shard of the page in which a place lies. */
static inline unsigned int shared_shard(const void *place)
{
	return (uintptr_t)place / HPT_PAGE_SIZE % HPT_SHARDS;
}

/* hpt_create() and hpt_destroy(): gets the versions where there are readers, and puts them back. */
int shared_create(struct hpt *table);
void shared_destroy(struct hpt *table);

/* What the versions take of the table's memory, in bytes. */
static inline uint64_t shared_bytes(const struct hpt *table)
{
	return table->shared ? sizeof(struct hpt_shared) : 0;
}

/* The writer: holds the page in which a place lies until shared_done(). */
static inline void shared_hold(struct hpt *table, const void *place)
{
	uint64_t shard = UINT64_C(1) << shared_shard(place);
	uint64_t *count;

	if (!table->shared || table->held & shard)
		return;
	table->held |= shard;
	count = &table->shared->shards[shared_shard(place)].count;
	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* The table is whole again: lets go of all pages that are held. */
static inline void shared_done(struct hpt *table)
{
	for (; table->held; table->held &= table->held - 1) {
		uint64_t *count = &table->shared->shards[__builtin_ctzll(table->held)].count;

		HPT_STORE(*count, *count + 1);
	}
}

/*
 * Around changes of where the descriptor says that lines are: generations, split, spill pages. Who
 * has begun may begin once more.
 */
static inline void shared_begin_shape(struct hpt *table)
{
	__atomic_store_n(&table->shape, table->shape | 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void shared_end_shape(struct hpt *table)
{
	HPT_STORE(table->shape, (table->shape | 1) + 1);
}

/* Takes the entry out of a word, with what readers have marked, and leaves the organisation's part.
 */
static inline uint64_t shared_take(const struct hpt *table, uint64_t *word)
{
	uint64_t seen = HPT_LOAD(*word);

	if (table->shared && seen & HPT_ENTRY_MASK)
		seen = __atomic_fetch_and(word, ~HPT_ENTRY_MASK, __ATOMIC_ACQ_REL);
	else
		HPT_STORE(*word, seen & ~HPT_ENTRY_MASK);
	return seen & HPT_ENTRY_MASK;
}

/*
 * Puts `next` in the place of what was seen in a word. False where a reader has marked it since:
 * *seen is what stands there then.
 */
static inline bool shared_replace(const struct hpt *table, uint64_t *word, uint64_t *seen,
				  uint64_t next)
{
	if (table->shared)
		return next == *seen ||
		       __atomic_compare_exchange_n(word, seen, next, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_ACQUIRE);
	HPT_STORE(*word, next);
	return true;
}

/* Stores what a visitor makes of the entry in a word, which it returns. */
static inline uint64_t shared_visit(const struct hpt *table, uint64_t *word, struct hpt_key key,
				    hpt_visitor visit, void *context)
{
	uint64_t seen = HPT_LOAD(*word);
	uint64_t entry;

	do
		entry = visit(context, key, seen & HPT_ENTRY_MASK);
	while (!shared_replace(table, word, &seen, (seen & ~HPT_ENTRY_MASK) | entry));
	return entry;
}

struct hpt_found;

/* A reader's search; found->word is the entry's, which may be another key's by now. `counting` as
 * in hpt_find_by_line(). */
bool shared_find(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
		 bool counting);

void shared_lookup_batch(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
			 size_t count);

#endif
