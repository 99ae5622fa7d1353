/* SPDX-License-Identifier: MIT */
/*
 * Address spaces over one table: who has which identifier, copy-on-write forks, shared mappings.
 *
 * A layer over hpt.h, for every organisation. A table whose ASIDs are managed here is changed under
 * ASIDs other than 0 by these functions only; ASID 0 stays its owner's. One user at a time, as
 * with a table. Errors are negative errno values and leave what spaces show as it was.
 *
 * Fork. The parent's identifier is frozen as an ancestor of two fresh ones, with which parent and
 * child go on: no entry is touched. A page is looked up under the space's own identifier and then
 * under those of its ancestors, at most HPT_SPACE_DEPTH of them; the nearest entry counts. What is
 * found in an ancestor is shared: it is given without HPT_WRITE. A page that a space unmaps but an
 * ancestor has gets a hole, an entry that no caller sees. (The chain is that of shadow objects in
 * Mach: Rashid et al., "Machine-Independent Virtual Memory Management for Paged Uniprocessor and
 * Multiprocessor Architectures", ASPLOS'87, section 3.4; this one is bounded and has no objects.)
 *
 * A write to a shared page gets the writer an entry of its own. The other user needs no copy then:
 * whether an entry of an ancestor has one user left is seen at the ancestor's other children, which
 * have each an entry of their own for the page, or a hole. That takes a search for each, at most
 * HPT_SPACE_SIBLINGS of them; a child that is itself an ancestor stands for all that descend from
 * it. Beyond the bound, a page counts as shared.
 *
 * An ancestor with one child left is merged with it, the smaller into the larger, and one without
 * children is removed: later, a region (512 pages) at a time, by hpt_spaces_reap().
 *
 * Frames. Each entry of a page that is in the table under an identifier of these spaces holds one
 * reference to its frame (or swap location); the owner is told of each that is taken and dropped.
 *
 * Identifiers are used again only when no entry has them any more. A space's identifier
 * (space->asid) changes with forks, on both sides, and with hpt_spaces_reap(): it is where entries
 * stand, not who the space is.
 */
#ifndef HPT_SPACE_H
#define HPT_SPACE_H

#include "hpt/hpt.h"

#define HPT_SPACE_DEPTH	   8 /* ancestors that a space has at most */
#define HPT_SPACE_SIBLINGS 8 /* searches to find out whether an entry has one user left */
#define HPT_SPACE_REGION   9 /* log2 of the 4 KiB pages in a region */

/* Nodes of all identifiers, 64 bytes each. */
#define HPT_SPACE_NODES_LOG2 6 /* in one page */
#define HPT_SPACE_NODE_PAGES (1u << (HPT_ASID_BITS - HPT_SPACE_NODES_LOG2))

struct hpt_spaces_config {
	struct hpt *table; /* stays the caller's, and is destroyed after the spaces */
	/*
	 * References to frames: called once for each that an entry takes or drops, with the entry,
	 * whose flags may have changed since. They must not call into table or spaces.
	 */
	void (*taken)(void *context, uint64_t entry);
	void (*dropped)(void *context, uint64_t entry);
	/*
	 * How many references the entry's frame has. May be NULL: then a page that once had two
	 * entries for one frame is copied by both, though the other may be gone.
	 */
	uint64_t (*references)(void *context, uint64_t entry);
	void *context;
	/* Of the index of regions, as in struct hpt_config. */
	enum hpt_hash_family hash;
	uint64_t salt;
};

struct hpt_spaces {
	struct hpt_spaces_config config;
	/*
	 * Which regions have entries of an identifier: (identifier, region) -> the next region of
	 * the same identifier. Clustered, whatever the table is.
	 */
	struct hpt index;
	uint32_t fresh; /* the lowest identifier that was never given out */
	uint32_t used;	/* how many are not free */
	uint16_t free;	/* the first free one that was */
	uint16_t queue; /* the first of those that wait for removal or a merge, and the last */
	uint16_t queue_last;
	uint64_t node_pages[HPT_SPACE_NODE_PAGES]; /* addresses */
	uint64_t region[HPT_LARGE_PAGES];	   /* scratch: the entries of one region */
};

struct hpt_attachment;

/* The caller's, from hpt_space_create() or hpt_space_fork() to hpt_space_destroy(). */
struct hpt_space {
	struct hpt_spaces *spaces;
	struct hpt_attachment *attachments; /* in order of their place */
	uint32_t attached;		    /* how many */
	uint16_t asid;
};

/*
 * Pages that spaces have in common: one set of entries under an identifier of its own. Its pages
 * are numbered from 0. The caller's, until hpt_segment_destroy().
 */
struct hpt_segment {
	struct hpt_spaces *spaces;
	struct hpt_attachment *attachments; /* whose spaces have it */
	uint16_t asid;
};

/* A segment, or a part, at a place in a space. The caller's, from attaching to detaching. */
struct hpt_attachment {
	struct hpt_segment *segment;
	struct hpt_space *space;
	uint64_t vpn;			   /* where it begins */
	uint64_t pages;			   /* of 4 KiB */
	uint64_t offset;		   /* the segment's page there */
	uint64_t permissions;		   /* HPT_WRITE, HPT_USER: allowed; HPT_NOEXEC: forbidden */
	struct hpt_attachment *next;	   /* of the space, in order */
	struct hpt_attachment *next_user;  /* of the segment, in no order */
	struct hpt_attachment **user_link; /* what points to this one there */
};

/* What a space has for a page. */
struct hpt_space_found {
	uint64_t entry;	    /* HPT_WRITE only where a write may go on as it is */
	struct hpt_key key; /* of the entry in the table: for hpt_change() of accessed and dirty,
			       and hpt_swap_out(), hpt_swap_in() */
	const struct hpt_attachment *attachment; /* whose segment has it, or NULL */
	unsigned int searches; /* beside the first: of ancestors, and of a segment */
	bool shared;	       /* copy on write: a write needs hpt_space_write() */
};

/*
 * Makes spaces over a table in *spaces, which stays where it is. -ENOMEM; -EINVAL for a hash that
 * does not exist.
 */
int hpt_spaces_create(struct hpt_spaces *spaces, const struct hpt_spaces_config *config);

/*
 * Gives all memory back but the table's. Every space and segment must have been destroyed: -EBUSY
 * if one is left. Removes what is still to be removed.
 */
int hpt_spaces_destroy(struct hpt_spaces *spaces);

/*
 * Does at most `budget` steps, of at most a region each, of the removals and merges that are left
 * to do. 0 if nothing is left, 1 if something is, -ENOMEM if what is left is merges that need
 * memory. Not needed for identifiers: whoever needs one and finds none free does as much as that
 * takes.
 */
int hpt_spaces_reap(struct hpt_spaces *spaces, uint64_t budget);

/* Memory held beside the table's, in bytes. */
uint64_t hpt_spaces_bytes(const struct hpt_spaces *spaces);

/*
 * Verifies every invariant of the spaces, but not those of the table. NULL, or the name of the
 * first that is broken.
 */
const char *hpt_spaces_check(struct hpt_spaces *spaces);

/* An empty space in *space. -ENOSPC if all identifiers are in use, -ENOMEM. */
int hpt_space_create(struct hpt_spaces *spaces, struct hpt_space *space);

/*
 * For a fault handler in which every instruction counts: a space that has never had an ancestor,
 * an attachment, or a page by the functions below may be used by hpt.h, under its identifier, as
 * long as its pages are of 4 KiB and are all unmapped before it is destroyed. Before anything else
 * is done with it, what it has must be adopted: hpt_space_adopt_start(), and then every range in
 * which there may be entries, each once; where that fails (-ENOMEM, -EINVAL), it has to begin
 * again. The references that the entries hold are the owner's matter: none is told.
 */
void hpt_space_adopt_start(struct hpt_space *space);
int hpt_space_adopt(struct hpt_space *space, uint64_t vpn, uint64_t count);

/*
 * Makes *child a copy of *parent, which may not write to its private pages any more without asking:
 * translations that the caller has kept must lose their right to. Attachments are inherited:
 * `attachments` are parent->attached of them, for the child; NULL: the child has none. Costs
 * nothing per page, unless the parent has HPT_SPACE_DEPTH ancestors already: then the smallest of
 * them is first copied into its child on the way, a reference for each entry. -ENOSPC, -ENOMEM.
 */
int hpt_space_fork(struct hpt_space *parent, struct hpt_space *child,
		   struct hpt_attachment *attachments);

/* Detaches what is attached and ends the space. Its entries go later (hpt_spaces_reap()). */
void hpt_space_destroy(struct hpt_space *space);

/*
 * Finds what the space has for a page: its own, that of the nearest ancestor, or that of a segment.
 * 0 and *found, or -ENOENT. Costs are added to *ledger, unless NULL, as those of one lookup.
 */
int hpt_space_lookup(const struct hpt_space *space, uint64_t vpn, enum hpt_size size,
		     struct hpt_space_found *found, struct hpt_ledger *ledger);

/*
 * Maps a private page, as hpt_map(); it may lie where a segment is attached, and hides its page.
 * -EEXIST if the space has a private page there, own or shared; as in hpt_map(), pages of the other
 * size are not looked for. With HPT_COMMON the page is not copied on write: those that have it
 * through forks write to the one frame. With HPT_COPIED the frame may have another entry already:
 * it is copied before it is written. Errors as hpt_map(); -EINVAL with both, or without any flag.
 */
int hpt_space_map(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t entry);

/*
 * Removes the private pages of this size in `count` pages of it from vpn on. -EINVAL for a range
 * that cannot be, -ENOMEM where holes need memory that is not there.
 */
int hpt_space_unmap(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t count);

/* What hpt_space_protect() may change. */
#define HPT_SPACE_FLAGS \
	(HPT_WRITE | HPT_USER | HPT_ACCESSED | HPT_DIRTY | HPT_GLOBAL | HPT_SOFT | HPT_NOEXEC)

/*
 * Clears and then sets flags of the private pages of this size in a range. Pages that are shared
 * and would change get entries of the space's own, for the same frames. Errors as
 * hpt_space_unmap(); -EINVAL for other flags than HPT_SPACE_FLAGS.
 */
int hpt_space_protect(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t count,
		      uint64_t clear, uint64_t set);

enum hpt_space_wrote {
	HPT_SPACE_OWN,	 /* the page was the space's own, or common: nothing was done */
	HPT_SPACE_TAKEN, /* it had no other user left and is the space's own now, in its frame */
	HPT_SPACE_COPY,	 /* it is shared, and no frame was given: nothing was done */
	HPT_SPACE_COPIED /* it has the new frame now, with the flags that it had */
};

#define HPT_SPACE_NO_FRAME UINT64_MAX

/*
 * What a write fault does: afterwards the private page may be written, or, if no frame is given and
 * one is needed, the answer is HPT_SPACE_COPY. To copy, first ask without a frame, copy the page to
 * a new one, and then give it: other CPUs of the space must not see a frame that has not its
 * contents yet. -ENOENT if the page is not mapped, -EACCES if it may not be written, -EAGAIN if it
 * is not resident, -EINVAL for a frame beyond 36 bits, -ENOMEM.
 */
int hpt_space_write(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t frame);

/* An empty segment. -ENOSPC, -ENOMEM. */
int hpt_segment_create(struct hpt_spaces *spaces, struct hpt_segment *segment);

/* Ends a segment; its entries go later. -EBUSY while it is attached. */
int hpt_segment_destroy(struct hpt_segment *segment);

/* As those of a space; what changes, changes for all that have attached it. */
int hpt_segment_map(struct hpt_segment *segment, uint64_t page, enum hpt_size size, uint64_t entry);
int hpt_segment_unmap(struct hpt_segment *segment, uint64_t page, enum hpt_size size,
		      uint64_t count);
int hpt_segment_protect(struct hpt_segment *segment, uint64_t page, enum hpt_size size,
			uint64_t count, uint64_t clear, uint64_t set);

/*
 * Attaches `pages` pages of 4 KiB of a segment, from its page `offset` on, at `vpn`, with these
 * permissions (struct hpt_attachment) at most. A 2 MiB page of the segment is found where it is
 * aligned in the space as well and lies in the attachment as a whole. -EINVAL for an empty range,
 * one that cannot be, or other flags; -EEXIST where something is attached already.
 */
int hpt_space_attach(struct hpt_space *space, struct hpt_attachment *attachment,
		     struct hpt_segment *segment, uint64_t vpn, uint64_t pages, uint64_t offset,
		     uint64_t permissions);
void hpt_space_detach(struct hpt_attachment *attachment);

/* Other permissions, for this space only: -EINVAL as above. */
int hpt_attachment_protect(struct hpt_attachment *attachment, uint64_t permissions);

/* The attachments of a segment, one after the other: start with NULL, ends with NULL. */
static inline struct hpt_attachment *hpt_segment_user(const struct hpt_segment *segment,
						      const struct hpt_attachment *last)
{
	return last ? last->next_user : segment->attachments;
}

#endif
