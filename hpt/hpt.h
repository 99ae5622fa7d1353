/* SPDX-License-Identifier: MIT */
/*
 * hpt: page tables as a library.
 *
 * A table maps (ASID, page number, page size) to an entry (entry.h). It is freestanding: no libc,
 * no allocation but through the caller's callback, no floating point, and no instructions but
 * baseline ones (hash.c and aes.c use more where the build has vector registers). This header is
 * all that a user needs; probe.h is for those who walk a table whose lines they reach in their own
 * way.
 *
 * Rules for all functions
 *  - A table has one user at a time: callers serialise. If its memory has a `retire` callback, it
 *    has one writer at a time and beside it any number of readers, who may call hpt_lookup(),
 *    hpt_lookup_batch() and hpt_mark() without a lock. A reader sees the old or the new entry of a
 *    key, never a mixture, and never misses an entry that is there throughout, whatever is moved.
 *    While the writer changes a page (4 KiB) of the table, for some stores, or while a step of
 *    growth goes through it, or a change of an adaptive region's form, readers of that page wait;
 *    all do for a step of a change of salt. (shared.h)
 *  - Errors are negative errno values and leave the table as it was.
 *  - One page is mapped under one size: do not map a 4 KiB page inside a mapped 2 MiB page. radix
 *    and adaptive refuse it (-EEXIST); the others do not look, hpt_check() finds it.
 */
#ifndef HPT_HPT_H
#define HPT_HPT_H

#include <stddef.h>

#include "hpt/desc.h"
#include "hpt/entry.h"

/*
 * Where a table's memory comes from. `get` yields `size` bytes (a power of two from 4 KiB to
 * 2 MiB), zeroed, aligned to `size`, contiguous, and writes their address in the table's space
 * (below 2^48 and not 0, which names no memory); it returns 0 or -ENOMEM. `put` takes them back.
 * The table reaches an address as the pointer (address + offset); pointers are aligned to 4 KiB.
 *
 * `retire` is NULL, or there are readers beside the writer: then it is called, by the writer, in
 * the place of `put` for memory that readers may still be looking at. The caller takes it back
 * after a grace period, when every call of a reader that had begun before has returned; no reader
 * waits for the writer meanwhile, nor in `get`, so `retire` may be where that is awaited. Readers
 * cost a table a page of 4 KiB.
 */
struct hpt_memory {
	int (*get)(void *context, size_t size, uint64_t *address);
	void (*put)(void *context, uint64_t address, size_t size);
	void *context;
	uintptr_t offset;
	void (*retire)(void *context, uint64_t address, size_t size);
};

/*
 * Hooks: told by the writer that the entries of `count` pages of key's size from key on may have
 * become others, or gone. For whoever keeps what a table has said: a cache of translations, a
 * combined table (ept/shadow.h).
 *
 * Every entry that was there and is another one or none now is told, once the table answers so and
 * before the operation returns, also where that fails half way. Told may be more than changed: what
 * one call of hpt_unmap_range() or hpt_change_range() does is told as its range; visits tell runs
 * of pages that changed, pages in no given order.
 *
 * Not told, since nothing that was kept becomes wrong: a page that is mapped where none was;
 * growth, spill, and changes of salt, which move entries and change no answer. hpt_mark() and
 * hpt_set_found(), by which A and D are set, need not tell: what was kept then lacks a flag that
 * the table has, and whoever keeps entries must read them so. Clearing of A and D is told.
 *
 * Address spaces (space.h): entries are told under the keys where they stand in the table. What a
 * space shows also changes where no entry does, by calls on this very space.
 *
 * The hook must not change the table, nor wait for its readers, and may look up where there are
 * none. Without one an operation that changes costs a test more, a lookup and hpt_map_found()
 * nothing.
 */
typedef void (*hpt_changed)(void *context, struct hpt_key key, uint64_t count);

struct hpt_config {
	enum hpt_organisation organisation;
	uint64_t pages; /* how many 4 KiB pages are expected to be mapped; 0: start at the smallest
			 */
	uint64_t salt;	/* mixed into every hash; 0 is a salt like any other */
	enum hpt_hash_family hash; /* what it is mixed by (hash.h); radix has no use for either */
	bool sealed; /* frame numbers are stored sealed (seal.h): each entry must have a flag */
	uint8_t seal_key[16]; /* under this key */
	struct hpt_memory memory;
	hpt_changed changed; /* or NULL */
	void *changed_context;
};

struct hpt_counts {
	uint64_t entries; /* mapped pages of either size */
	uint64_t lines;	  /* of the current generation; radix: of all nodes */
	uint64_t places;  /* where a tag can stand: clustered a line; radix: lines */
	uint64_t used;	  /* places that are taken, of all generations and spill */
	uint64_t bytes;	  /* memory held */
	uint64_t moves;	  /* places moved by growth so far */
	uint64_t spilled; /* places taken in spill lines, since a group was full */
};

/* Where chained has its nodes: addresses. */
struct hpt_nodes {
	uint64_t blocks;
	uint64_t free;
	uint64_t fresh;
	uint64_t fresh_end;
};

struct hpt_shared;

/* Empty pages that adaptive keeps: addresses. */
#define HPT_SPARES 3
struct hpt_spares {
	uint64_t page[HPT_SPARES];
	uint64_t count;
};

struct hpt {
	struct hpt_desc desc;
	struct hpt_memory memory;
	struct hpt_shared *shared; /* versions of lines (shared.h); NULL: no readers */
	uint64_t shape;		   /* the version of the descriptor */
	/* What the writer changes all the time is not in a line with what readers read. */
	uint64_t apart[HPT_LINE_WORDS];
	struct hpt_counts counts;
	struct hpt_nodes nodes;
	struct hpt_spares spares;
	uint64_t held;	  /* the shards that the writer holds */
	uint64_t grow_at; /* a place taken beyond so many is a matter for generation_grow() */
	uint64_t moved;	  /* lines of the old generation that have nothing any more */
	hpt_changed changed;
	void *changed_context;
};

/* The organisation's name ("clustered"), and back: a negative value if there is none such. */
const char *hpt_organisation_name(enum hpt_organisation organisation);
int hpt_organisation_find(const char *name);

/*
 * Makes an empty table in *table, which stays where it is until hpt_destroy(). -EINVAL for an
 * organisation or a hash that does not exist, -ENOMEM.
 */
int hpt_create(struct hpt *table, const struct hpt_config *config);

/* Gives all memory back; no reader is left. The frames that entries name belong to the caller. */
void hpt_destroy(struct hpt *table);

/*
 * Makes *copy the table of a copy of another's memory, byte by byte at the same addresses, that
 * `memory` reaches; it stays where it is until hpt_destroy(). Nobody is told of its changes, and it
 * has no readers beside the writer: -EINVAL where the other, or the memory, has.
 */
int hpt_adopt(struct hpt *copy, const struct hpt *from, const struct hpt_memory *memory);

/* Who is told of changes from now on, in the place of whoever was; NULL: nobody. */
void hpt_watch(struct hpt *table, hpt_changed changed, void *context);

/*
 * Begins to change the salt, for when somebody may have found keys that collide, or on principle:
 * new lines are got, as many as there are (or twice as many, if these are nearly full), and each
 * place that is taken from then on moves a step of the old ones, as in growth. Lookups stay right
 * all the time; while it lasts they compute up to two hashes. -ENOMEM; -EBUSY while the table grows
 * or a change is under way (hpt_settle()); -EOPNOTSUPP for radix, which has no hash. The salt of
 * fibonacci, crc32 and local keeps nobody from finding such keys (hash.h).
 *
 * Places that a step cannot find room for in their new groups go to spill lines, for which memory
 * is got before the step: where there is none, the change waits, and the table is used with what
 * it has.
 */
int hpt_rekey(struct hpt *table, uint64_t salt);

/*
 * Moves up to `steps` steps of a growth or a change of salt that is under way, without waiting for
 * insertions to do it. 0: nothing is under way any more; -EAGAIN: there are more steps; -ENOMEM:
 * the next one needs memory. What was moved stays moved.
 */
int hpt_settle(struct hpt *table, uint64_t steps);

/*
 * Finds the entry of `key`: 0 and *entry, or -ENOENT. An exact match only, of the key's size only.
 * A page that is swapped out is found like any other: hpt_resident() of its entry is false. What it
 * cost is added to *ledger, unless that is NULL.
 */
int hpt_lookup(const struct hpt *table, struct hpt_key key, uint64_t *entry,
	       struct hpt_ledger *ledger);

/*
 * Finds `count` keys at once, with about 16 walks in flight: entries[i] is that of keys[i], or 0.
 * For whoever has many keys: where one lookup waits for memory, these share the wait.
 */
void hpt_lookup_batch(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
		      size_t count);

/*
 * Maps a page: the entry's frame and flags are the caller's, but some bit of it must be set.
 * HPT_LARGE must be set for a 2 MiB page and only for that, HPT_PRESENT and HPT_SWAPPED not both. A
 * sealed table takes no entry without flags, and no change leaves one.
 * -EEXIST if the key is mapped, -EINVAL for a malformed key or entry, -ENOMEM if the table cannot
 * grow.
 */
int hpt_map(struct hpt *table, struct hpt_key key, uint64_t entry);

/*
 * Removes the entry of `key` and gives what it was; -ENOENT. `old` may be NULL. -ENOMEM as
 * hpt_visit_range().
 */
int hpt_unmap(struct hpt *table, struct hpt_key key, uint64_t *old);

/*
 * Clears and then sets flags (HPT_FLAGS_MASK but HPT_LARGE and HPT_SWAPPED) of an entry with one
 * store: protection changes, setting and clearing of accessed and dirty. -ENOENT, -EINVAL; also
 * where HPT_PRESENT would be set of a page that is swapped out. -ENOMEM as hpt_visit_range().
 */
int hpt_change(struct hpt *table, struct hpt_key key, uint64_t clear, uint64_t set);

/*
 * Turns the entry of a resident page into that of one at a swap location (36 bits), with one store,
 * and gives what it was, accessed and dirty included; `old` may be NULL. Its flags but HPT_PRESENT,
 * HPT_ACCESSED and HPT_DIRTY stay. -ENOENT; -EINVAL if it is not resident, or for the location;
 * -ENOMEM as hpt_visit_range().
 */
int hpt_swap_out(struct hpt *table, struct hpt_key key, uint64_t location, uint64_t *old);

/*
 * Turns the entry of a page that is swapped out into that of one in this frame, with one store. It
 * is present then, neither accessed nor dirty. -ENOENT; -EINVAL if it is not swapped out, or for
 * the frame; -ENOMEM as hpt_visit_range().
 */
int hpt_swap_in(struct hpt *table, struct hpt_key key, uint64_t frame);

/*
 * For readers: sets HPT_ACCESSED, HPT_DIRTY or both of a resident page's entry. What is set is
 * carried along when the entry moves, and is in what hpt_unmap() and hpt_swap_out() give. -ENOENT,
 * also for a page that is not resident; -EINVAL for other flags. Where the key is unmapped at the
 * same time, a mark may stay on an entry that is mapped then with the same frame and flags.
 *
 * In an adaptive table pages may share a word, a run: a power of two of them, naturally aligned,
 * with contiguous frames and equal flags, at most 512. A mark of one is a mark of them all, as that
 * of a 2 MiB page is, whether there are readers or not; it takes no memory and splits nothing.
 * (hpt_change() is for one page.)
 */
int hpt_mark(struct hpt *table, struct hpt_key key, uint64_t flags);

/*
 * Maps `count` pages from `key` on to ascending frames, a line at a time. -EEXIST if one of them
 * is mapped; then and on -ENOMEM none of the range stays mapped that was not before.
 */
int hpt_map_range(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry);

/*
 * Removes what is mapped in a range of `count` pages from `key` on, and the same for hpt_change():
 * a line at a time where a line has neighbours, and cheap where little is mapped (as
 * hpt_visit_range()). An entry of which a change would leave nothing stays as it was, and one that
 * is swapped out does not become present. -EINVAL for a range or flags that cannot be; pages that
 * are not mapped are no error. -ENOMEM as hpt_visit_range().
 */
int hpt_unmap_range(struct hpt *table, struct hpt_key key, uint64_t count);
int hpt_change_range(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t clear,
		     uint64_t set);

/* Removes every entry, whatever its ASID and size. It needs no memory. */
void hpt_unmap_all(struct hpt *table);

/*
 * Called for each mapped page; returns the entry to store in its place: the same to leave it,
 * other flags or another frame to change it (an entry that hpt_map() takes for this key), 0 to
 * unmap it. It must not call into the table. Where a reader marks the entry meanwhile, it is called
 * again with the entry as it is then (in an adaptive table also for pages that share a word with
 * it).
 */
typedef uint64_t (*hpt_visitor)(void *context, struct hpt_key key, uint64_t entry);

/*
 * Visits every mapped page of key's size and ASID in [key.vpn, key.vpn + count pages of that
 * size), in no given order. It costs the smaller of the range's blocks and the table's lines: a
 * huge and nearly empty range is cheap. Unmapping, protecting and harvesting of ranges are visits.
 * -EINVAL for a range that cannot be. -ENOMEM where there is no memory for what an answer makes
 * necessary: pages that were visited have their answers, the others have not been visited. Only an
 * organisation that holds several pages in one word may need any.
 */
int hpt_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		    void *context);

/*
 * As hpt_visit_range(), in ascending order. Where a hashed table has to scan its lines for the
 * range, it does so once for every 262,144 pages that are mapped there, and needs 2 MiB of the
 * table's memory, or less, for that time: -ENOMEM where there is not even one page, too.
 */
int hpt_visit_ordered(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		      void *context);

/* Visits every entry of the table, whatever its ASID and size. -ENOMEM as hpt_visit_range(). */
int hpt_visit(struct hpt *table, hpt_visitor visit, void *context);

/* What a walk over the whole table finds, beside what `counts` always has. */
#define HPT_STATISTICS_PROBES 16
struct hpt_statistics {
	uint64_t pages;	   /* mapped, of either size */
	uint64_t large;	   /* of these, of 2 MiB */
	uint64_t resident; /* of these, present (entry.h) ... */
	uint64_t swapped;  /* ... and swapped out; the others are neither */
	uint64_t probes;   /* of a lookup of each page, added up: / pages is the average of a hit */
	uint64_t longest;  /* most probes that a page takes */
	/* Pages that take so many probes; the last is for so many and more. */
	uint64_t pages_by_probes[HPT_STATISTICS_PROBES];
	uint64_t lines; /* that have an entry; 0 for chained and adaptive, which visit none line by
			   line */
	uint64_t lines_by_entries[HPT_LINE_WORDS + 1]; /* of these, lines with so many */
	uint64_t unmoved; /* lines that growth or a change of the salt has still to move; else 0 */
};

/* Takes the time of a lookup of every page. -ENOMEM as hpt_visit(). */
int hpt_statistics(struct hpt *table, struct hpt_statistics *statistics);

/*
 * Verifies every invariant of the table. NULL, or the name of the first that is broken. Takes
 * time in proportion to the square of a group's lines and the table's size.
 */
const char *hpt_check(const struct hpt *table);

#endif
