/* SPDX-License-Identifier: MIT */
/*
 * The combined table: gVA -> host frame, both stages in one lookup (SHD in the walks). What shadow
 * paging keeps as page tables (Adams and Agesen, "A Comparison of Software and Hardware Techniques
 * for x86 Virtualization", ASPLOS'06, section 2) is a hashed table here, and it is a cache: pages
 * are put in by whoever has walked both stages, and fall out as soon as either stage changes.
 *
 *    table          (ASID, VPN), 4 KiB or 2 MiB  ->  HFN, permissions of both stages
 *    reverse map    GFN -> the pages that were made through it, and back (shadow_reverse.h)
 *
 * Lookups go to `table` directly, by hpt_lookup() or hpt_lookup_batch(): for a 4 KiB page first,
 * and where shadow->large is not 0 for the 2 MiB page around it then. A hit is the translation, a
 * miss says nothing. A page is of 2 MiB where both stages' are; otherwise, splintered, it is each
 * of its 4 KiB pages that somebody has filled.
 *
 * Coherence. Each page here is what one entry of stage 1 and one of stage 2 say together, and
 * depends on nothing else: not on absence, since no page is mapped inside another one (hpt.h).
 *  - shadow_stage1_changed() and shadow_stage2_changed() are the hooks (hpt_changed) of the two
 *    tables. A table tells every entry that has become another or none before its operation
 *    returns; the pages that were made of it are dropped there and then. So between two operations
 *    there is none that the stages do not say. A change of 2 MiB drops each 4 KiB page in it.
 *  - Who fills has walked the stages since their last change.
 *  - A mapping where nothing was, growth and a change of salt are not told and make nothing wrong.
 *  - One thread at a time changes stages, walks and fills. If a guest changes its table itself,
 *    nobody is told: its shadow is for while it is stopped, and shadow_clear() is called before it
 *    goes on, or when it has stopped again.
 *
 * Permissions. P and W are those that both stages give, U is the guest's, no-execute is either's;
 * what else an entry may have stays behind.
 *
 * A and D are as in a TLB: set in a page here if both stages have them, at the time of the fill. An
 * access may go by the page alone if it has A, a write if it has W and D; otherwise the walk
 * through the stages must be made, so that it sets what is missing, and may fill the page again.
 * The stages need not tell that they set them; that they clear them is told, as any change.
 *
 * Out of memory. A fill is refused, and what is here stays right. Of the organisations, adaptive
 * alone may need memory to remove a page; where it gets none, everything is dropped. A change never
 * fails.
 *
 * What it costs (tests/ept/shadow_cost.c). Entries and nodes that are written: SHADOW_UPDATES_MAX
 * at most for a fill, and for a page that is dropped; where clustered or bucket hold all, a page
 * that is dropped touches ten lines at most. A change that meets no page reads the lines of its
 * range or of the table, whichever are fewer, for each size of which there are pages. Bytes a page
 * of the reverse map, whose two words are 16, in tables that were made for 2^20 pages (while one
 * grows, up to three times as much):
 *
 *    reverse map        frames in order   scattered   one page of 512   two pages a frame
 *    radix                           16          16              4100                  44
 *    bucket                          32          32                32                  64
 *    clustered, cuckoo               32          32               144                  64
 *    adaptive                       0.2          24                32                  48
 *    open                            64          64                64                  96
 *    chained                         84          84                84                 100
 */
#ifndef EPT_SHADOW_H
#define EPT_SHADOW_H

#include "ept/shadow_reverse.h"

#define SHADOW_UPDATES_MAX 7

struct shadow_config {
	enum hpt_organisation organisation; /* of the combined table */
	enum hpt_organisation reverse;	    /* of the two tables of the reverse map */
	enum hpt_hash_family hash;	    /* of all three */
	uint64_t salt;
	uint64_t pages;		  /* how many 4 KiB pages are expected; 0: start at the smallest */
	struct hpt_memory memory; /* without `retire`: no readers beside the one thread */
};

struct shadow {
	struct hpt table;
	struct shadow_reverse reverse;
	uint64_t large; /* pages of 2 MiB */
	uint64_t fills;
	uint64_t invalidations;
	uint64_t dropped;
	uint64_t clears;
	uint64_t updates; /* of the combined table */
};

struct shadow_counts {
	uint64_t entries; /* pages of either size */
	uint64_t large;	  /* of these, of 2 MiB */
	uint64_t nodes;	  /* of these, that need a node (shadow_reverse.h) */
	uint64_t table_bytes;
	uint64_t reverse_bytes;
	uint64_t fills;		/* that were not refused */
	uint64_t invalidations; /* changes of either stage */
	uint64_t dropped;	/* pages that they took out, or fills that were in their way */
	uint64_t clears;	/* times that everything was dropped */
	uint64_t updates;	/* entries and nodes that were written, of all tables */
};

/*
 * Makes an empty one in *shadow (some 110 KiB), which stays where it is until shadow_destroy().
 * -EINVAL for an organisation or a hash that does not exist, or memory with `retire`; -ENOMEM.
 */
int shadow_create(struct shadow *shadow, const struct shadow_config *config);
void shadow_destroy(struct shadow *shadow);

/* A page as both stages have it. */
struct shadow_page {
	struct hpt_key key;
	uint64_t gfn;
	uint64_t entry;
};

/*
 * Joins what the stages say of the 4 KiB page `vpn`: its entry of stage 1, and the entry of stage 2
 * for the guest frame that this one names; each may be of a 2 MiB page. False, and nothing, unless
 * both are resident.
 */
static inline bool shadow_join(uint16_t asid, uint64_t vpn, uint64_t stage1, uint64_t stage2,
			       struct shadow_page *page)
{
	const uint64_t inside = HPT_LARGE_PAGES - 1;
	const uint64_t both = HPT_PRESENT | HPT_WRITE | HPT_ACCESSED | HPT_DIRTY | HPT_LARGE;
	uint64_t flags =
		(stage1 & stage2 & both) | (stage1 & HPT_USER) | ((stage1 | stage2) & HPT_NOEXEC);
	uint64_t gfn = hpt_frame(stage1);
	uint64_t hfn = hpt_frame(stage2);

	if (!(flags & HPT_PRESENT))
		return false;
	if (flags & HPT_LARGE) {
		*page = (struct shadow_page){hpt_key(asid, vpn & ~inside, HPT_2M), gfn & ~inside,
					     hpt_entry(hfn & ~inside, flags)};
		return true;
	}
	if (stage1 & HPT_LARGE)
		gfn = (gfn & ~inside) | (vpn & inside);
	if (stage2 & HPT_LARGE)
		hfn = (hfn & ~inside) | (gfn & inside);
	*page = (struct shadow_page){hpt_key(asid, vpn, HPT_4K), gfn, hpt_entry(hfn, flags)};
	return true;
}

/*
 * Puts a page in, in the place of what was there: `entry` as shadow_join() gives it, made through
 * the guest frame `gfn` (for 2 MiB: the first of 512). -EINVAL for a key, frame or entry that
 * cannot be, or that the organisations cannot hold; -ENOMEM: the page is not there then.
 */
int shadow_fill(struct shadow *shadow, struct hpt_key key, uint64_t gfn, uint64_t entry);

/*
 * The hooks, for hpt_config.changed or hpt_watch(). `shadow` is a struct shadow; the key's number
 * is a VPN under its ASID, or a GFN, whose ASID does not count.
 */
void shadow_stage1_changed(void *shadow, struct hpt_key key, uint64_t count);
void shadow_stage2_changed(void *shadow, struct hpt_key key, uint64_t count);

/* Drops every page. */
void shadow_clear(struct shadow *shadow);

void shadow_count(const struct shadow *shadow, struct shadow_counts *counts);

/*
 * Verifies every invariant: each page is in the reverse map under its frame, and nothing else is;
 * and those of the three tables. NULL, or the name of the first that is broken. Where adaptive has
 * no memory for a visit, that is what is named.
 */
const char *shadow_check(struct shadow *shadow);

#endif
