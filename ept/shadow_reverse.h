/* SPDX-License-Identifier: MIT */
/*
 * The reverse map of the combined table (shadow.h): through which guest frame a page was made, and
 * which pages were made through a guest frame. Two tables of the library, as a change of stage 1
 * names the page and not the frame that it had, and a change of stage 2 the frame:
 *
 *    by_page   (ASID, VPN)  ->  GFN                  by_frame   GFN  ->  (ASID, VPN)
 *
 * A frame whose one page has a VPN of 36 bits and an ASID of nine is nothing but these two words:
 *
 *            47     12   11..10      9    8        7       6..1        0
 *  by_page  | GFN      | 0         | 0 | 0      | LARGE | 0         | 1 |
 *  by_frame | VPN      | ASID 8..7 | 0 | ASID 6 | LARGE | ASID 5..0 | 1 |
 *
 * so that neighbours of which frames and pages ascend together are neighbours with ascending frame
 * fields and equal flags, which adaptive holds in one word for up to 512. Pages that share a frame,
 * and such whose VPN or ASID is longer, have a node each, doubly linked, and bit 0 is 0:
 *
 *           | node's address / 4096 | its number in the page, as an ASID is placed | 0 |
 *
 *    node (32 bytes): the page's tag (hpt_tag()), GFN, next node, previous node (addresses)
 *
 * by_page names the page's own node, so that it is unlinked without a search; by_frame the first.
 * A frame that has had two pages keeps its nodes until its last page goes. Nodes come in pages of
 * 127, which are given back when none is in use.
 *
 * Errors. Where a table cannot say what it should for lack of memory (adaptive alone), `lost` is
 * set, and the caller has to drop everything: shadow_reverse_clear().
 */
#ifndef EPT_SHADOW_REVERSE_H
#define EPT_SHADOW_REVERSE_H

#include "hpt/hpt.h"

struct shadow_reverse {
	struct hpt by_page;
	struct hpt by_frame;
	uint64_t node_pages; /* address of the first: a list through their first words */
	uint64_t free;	     /* address of the first free node */
	uint64_t page_count; /* of nodes */
	uint64_t nodes;	     /* in use */
	uint64_t updates;    /* entries and nodes that were written */
	bool lost;
};

struct shadow_node {
	uint64_t tag;
	uint64_t gfn;
	uint64_t next;
	uint64_t previous;
};

#define SHADOW_NODES (HPT_PAGE_SIZE / sizeof(struct shadow_node) - 1) /* in a page */

/* `config` is that of either table. Errors as hpt_create(). */
int shadow_reverse_create(struct shadow_reverse *reverse, const struct hpt_config *config);
void shadow_reverse_destroy(struct shadow_reverse *reverse);

/* Through which frame a page was made: 0, or -ENOENT. */
int shadow_reverse_frame(const struct shadow_reverse *reverse, struct hpt_key key, uint64_t *gfn);

/*
 * A page that is not in the map was made through gfn. -EINVAL for a key that the tables cannot
 * hold, -ENOMEM; then it is not in, unless `lost` is set.
 */
int shadow_reverse_add(struct shadow_reverse *reverse, struct hpt_key key, uint64_t gfn);

/* The pages of a range, as hpt_unmap_range(), are gone. */
void shadow_reverse_forget(struct shadow_reverse *reverse, struct hpt_key key, uint64_t count);

/*
 * Where by_frame has a frame's pages of a size. A frame of 512 may have pages of 2 MiB, and frames
 * in it some of 4 KiB, where a guest maps it in both ways: so each size has an ASID of its own.
 */
static inline struct hpt_key shadow_frame_key(uint64_t gfn, uint8_t size)
{
	return (struct hpt_key){.vpn = gfn, .asid = size, .size = size};
}

/*
 * Forgets the pages that were made through frames of a range, and tells each: `gone` must not call
 * into the map.
 */
void shadow_reverse_forget_frames(struct shadow_reverse *reverse, struct hpt_key frames,
				  uint64_t count, void (*gone)(void *context, struct hpt_key key),
				  void *context);

void shadow_reverse_clear(struct shadow_reverse *reverse);

/* Memory of tables and nodes. */
static inline uint64_t shadow_reverse_bytes(const struct shadow_reverse *reverse)
{
	return reverse->by_page.counts.bytes + reverse->by_frame.counts.bytes +
	       reverse->page_count * HPT_PAGE_SIZE;
}

/* For shadow_check(): a word of either table that names no node, and one that does. */
#define SHADOW_SOLE HPT_PRESENT

static inline struct shadow_node *shadow_node(const struct shadow_reverse *reverse,
					      uint64_t address)
{
	return (struct shadow_node *)(uintptr_t)(address + reverse->by_page.memory.offset);
}

uint64_t shadow_node_address(uint64_t entry);
struct hpt_key shadow_sole_page(uint64_t entry);

#endif
