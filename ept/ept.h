/* SPDX-License-Identifier: MIT */
/*
 * ept: stage 2, guest-physical to host-physical.
 *
 * A host frame (HFN) is a 4 KiB frame of the pool, one memfd that is mapped linearly in the VMM.
 * The table (hpt, ASID 0, vpn = GFN) holds an entry for every page that was ever touched and alone
 * decides which frame a page has. The window is the address range behind the guest's memory slots:
 * empty until the guest touches it, filled from the table on each miss, never the truth and never
 * touched by the VMM itself.
 *
 *      guest access -> window miss -> userfaultfd -> handler thread -> table -> frame -> install
 *      VMM access   -> ept_copy_in/out() ------------------------------^ through the pool's mapping
 *
 * No KVM here: whoever touches the window takes the guest's place, which is how it is tested.
 *
 * Sources: the mechanism (a memfd block behind each window block, userfaultfd MISSING and MINOR,
 * UFFDIO_CONTINUE) is Documentation/admin-guide/mm/userfaultfd.rst of Linux.
 */
#ifndef EPT_EPT_H
#define EPT_EPT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "ept/around.h"
#include "ept/dedup.h"
#include "ept/family.h"
#include "ept/memory.h"
#include "ept/pool.h"
#include "ept/sample.h"
#include "ept/swap.h"
#include "ept/transit.h"
#include "ept/whole.h"
#include "ept/window.h"
#include "hpt/histogram.h"
#include "hpt/hpt.h"

/* A run of guest RAM: bytes [start, start + size), both multiples of 4 KiB. */
struct ept_range {
	gpa_t start;
	uint64_t size;
};

#define EPT_RANGES_MAX 4

/* What one process can hold: guest memory in all, and from the first range's start to the end. */
#define EPT_MEMORY_MAX (EPT_WINDOW_BLOCKS * EPT_BLOCK_SIZE)
#define EPT_SPAN_MAX   (UINT64_C(1) << 42)

#define EPT_HANDLERS_MAX 16

struct ept_config {
	struct ept_range ranges[EPT_RANGES_MAX]; /* ascending, disjoint: the guest's RAM */
	unsigned int range_count;
	/*
	 * A part of one range, of whole blocks of 2 MiB, that has its frames from the beginning, in
	 * consecutive blocks of the pool, and keeps them (pinned.h). Size 0: there is none.
	 */
	struct ept_range pinned;
	uint64_t host_mem; /* bytes of frames that may be in use; a multiple of 4 KiB, not 0 */
	/*
	 * Where pages go when all of them are: a swap file of this name, an unnamed one where it is
	 * NULL; with `no_swap` nowhere.
	 */
	const char *swap;
	bool no_swap;
	bool dedup;  /* pages of equal content may share a frame: ept_dedup_step() looks for them */
	bool clones; /* ept_clone() may be called (clone.h); not with `dedup` */
	bool track;  /* first writes are misses, too, and set D: for samples (sample.h) */
	enum ept_pages host_pages; /* sizes of the entries */
	unsigned int around;	   /* pages that one first touch may get; 0 and 1: itself alone */
	unsigned int handlers;	   /* threads that handle misses; 0: one */
	enum hpt_organisation organisation;
	uint64_t pages; /* that the table will have soon (ept_restore()); 0: nobody knows */
	uint64_t seed;	/* shuffles which pool block a guest block gets */
	/* The handler threads are pinned there, one after the other and round; 0: not at all. */
	unsigned int cpu_count;
	int cpus[EPT_HANDLERS_MAX];
	/*
	 * Called once, from a handler thread, when a miss cannot be resolved: `reason` is static
	 * text, `gpa` the page's. It may be NULL. When it returns, the faulting access is released
	 * to fail, and so is each later one that cannot be resolved: KVM_RUN gives EFAULT, or
	 * whatever KVM makes of memory that is not there (MMIO, an internal error), so ask
	 * ept_failure() before believing an exit. It must not wait for the access.
	 */
	void (*failed)(void *context, const char *reason, gpa_t gpa);
	void *context;
};

struct ept_counts {
	/*
	 * Window misses whose page has a frame: touches + loaded + rescues + swapped + written +
	 * repeats.
	 * Counted when the table has answered and a page that was swapped out is back, before the
	 * page is installed: one that then cannot be installed is in it.
	 */
	uint64_t misses;
	uint64_t touches; /* misses whose lookup found no entry: the page's first touch */
	uint64_t loaded;  /* misses whose lookup found an entry (the VMM had touched the page) */
	/* Misses on a page whose frame was about to go (evict.h), or that was cloned since. */
	uint64_t rescues;
	uint64_t swapped; /* misses on a page that was swapped out, or is still in the snapshot */
	uint64_t written; /* misses that were writes to a page that shared its frame */
	uint64_t dirtied; /* with `track`: to a page that had only been read, of `repeats` */
	/*
	 * Misses on pages that the window had been given: two threads missed on one page at once,
	 * or the kernel took the page out of the page tables (reclaim). Rare, harmless.
	 */
	uint64_t repeats;
	uint64_t shared, unshared; /* pages that were put on a frame with others, and off it */
	uint64_t shared_frames;	   /* such frames, of `frames` */
	uint64_t parted;	   /* pages whose frame a clone had as well, that got their own */
	uint64_t cloned;	   /* pages that had their frames when this clone was made */
	uint64_t merges, splits;   /* of blocks: 512 entries made one, and back */
	uint64_t around;	   /* pages that got their frames with the first touch of another */
	uint64_t copies;	   /* pages first touched by ept_copy_*() */
	uint64_t pinned;	   /* pages that had their frames from the beginning */
	uint64_t remaps;	   /* single pages mapped over a block, of `loaded` */
	/* Pages that came back and went, whoever asked; of zeros, and by the swap file. */
	uint64_t swaps_in, swaps_out;
	uint64_t zeros_in, zeros_out;
	uint64_t restored; /* pages that came from the snapshot (origin.h), whoever asked */
	uint64_t ahead;	   /* of `restored` and `swaps_in`: with another page (ahead.h) */
	uint64_t frames;   /* frames in use */
	uint64_t blocks;   /* 2 MiB blocks mapped into the window */
	uint64_t slots;	   /* of the swap file, in use by all who have it */
};

/* A hand of the clock: a page of a range. */
struct ept_hand {
	unsigned int range;
	uint64_t page;
};

struct ept_origin;

/* A window that a clone has left empty (clone.h), and the thread that takes it down. */
struct ept_old_window {
	void *place;
	uint64_t size;
	pthread_t thread;
	bool has_thread;
};

struct ept {
	struct ept_config config;
	struct ept_pool pool;
	struct ept_window window;
	struct ept_memory memory; /* of the table */
	/*
	 * HPT_SOFT in an entry: the page was given to the window, ever since it has a frame.
	 * HPT_ACCESSED: it is there.
	 */
	struct hpt table;
	struct ept_family *family; /* what it has in common with its clones */
	struct ept_swap *swap;	   /* the family's */
	unsigned int layer;	   /* of the pool, where pages go that part */
	struct ept_old_window old_window;
	const struct ept_origin *origin; /* the snapshot that the guest goes on from; NULL: none */
	struct ept_transit transit;
	struct ept_hand front, back; /* the clock's (clock.h) */
	uint64_t lead;		     /* pages with frames between them */
	unsigned int leaving;	     /* threads that are writing pages out */
	struct ept_around around;    /* first touches */
	struct ept_around ahead;     /* pages that come back */
	uint32_t pinned_block;	     /* the first pool block of config.pinned */
	struct ept_block *blocks;    /* of the window */
	struct ept_dedup dedup;
	struct hpt_ledger ledger; /* of the handlers' lookups */
	struct ept_counts counts;
	struct hpt_histogram lookup_ns;	 /* the table's part of a miss */
	struct hpt_histogram install_ns; /* the frame made present and installed, without waking */
	pthread_mutex_t lock;		 /* guards all of the above but config and window */
	pthread_t handlers[EPT_HANDLERS_MAX];
	unsigned int running; /* of them */
	int stop_fd;	      /* eventfd: ends the handlers */
	bool is_told;	      /* config.failed was called, under `lock` */
	const char *failure;  /* under `lock`; NULL until a miss could not be resolved */
	gpa_t failure_gpa;
	char message[192]; /* of a failed ept_create() */
	/* Where ept_peek() reads pages of the swap file; under `lock`. */
	char peeked[HPT_PAGE_SIZE] __attribute__((aligned(4096)));
};

/*
 * Makes pool, window, swap file and empty table, and starts the handler threads. *ept stays where
 * it is until ept_destroy(). On failure nothing is left, the return is a negative errno and *what
 * (text that lives as long as *ept) names the field and value that is refused (-EINVAL), or what
 * the host lacks and the fix. -EPERM, -ENOSYS and -EOPNOTSUPP: userfaultfd is missing here, for
 * this user.
 */
int ept_create(struct ept *ept, const struct ept_config *config, const char **what);

/* Stops the handlers and frees everything. No one may touch the window any more. */
void ept_destroy(struct ept *ept);

/* Where the window of `gpa` is, for KVM_SET_USER_MEMORY_REGION only: nobody else goes there. */
void *ept_window_address(const struct ept *ept, gpa_t gpa);

/*
 * The checked gateway: copies between the VMM and guest memory through table and pool, page by
 * page. A page not touched before gets its frame as by a miss. -EFAULT if any byte of the range is
 * not guest RAM (nothing is copied then). -ENOMEM or -ENOSPC if host memory or the swap file is
 * exhausted, and -EIO if that cannot be read or written or the table names a frame that the pool
 * does not have (the pages before are copied then). A NULL source
 * means zero bytes. What another thread or the guest writes meanwhile may be seen in part.
 */
int ept_copy_in(struct ept *ept, gpa_t gpa, const void *source, uint64_t size);
int ept_copy_out(struct ept *ept, gpa_t gpa, void *target, uint64_t size);

/*
 * Reads guest memory and changes nothing, whatever has failed before: a page never touched reads as
 * zeros, one that is swapped out is read where it is. -EFAULT as above, -EIO as above.
 */
int ept_peek(struct ept *ept, gpa_t gpa, void *target, uint64_t size);

/*
 * Looks a page up without touching it: 0 and its frame, or -ENOENT. For statistics and checks. Of
 * a page of a whole block what is given is its own: the entry with its frame, and LARGE (whole.h).
 */
int ept_translate(struct ept *ept, gpa_t gpa, uint64_t *hfn);

/* The same, whatever the entry says, and all of it: 0 or -ENOENT. */
int ept_entry(struct ept *ept, gpa_t gpa, uint64_t *entry);

/*
 * Calls look(context, table) while nobody changes the table: for walkers that read it in place. The
 * lock is held meanwhile, so `look` must not call a function of this header.
 */
void ept_with_table(struct ept *ept, void (*look)(void *context, const struct hpt *table),
		    void *context);

/*
 * Looks at the next `pages` pages for some to share a frame with others (dedup.h). Nobody runs the
 * guest or touches the window meanwhile. 0, also where nothing more can be shared; the errno of the
 * kernel if it does not exchange a page in the window, which is then not to be used any more.
 */
int ept_dedup_step(struct ept *ept, uint64_t pages);

/* NULL, or why a miss could not be resolved (static text) and the gPA of its page. */
const char *ept_failure(struct ept *ept, gpa_t *gpa);

/* A consistent copy of what there is to report. A miss is in it before the guest goes on. */
struct ept_snapshot {
	struct ept_counts counts;
	struct hpt_ledger ledger;
	struct hpt_counts table;
	struct hpt_histogram lookup_ns;
	struct hpt_histogram install_ns;
};

void ept_read(struct ept *ept, struct ept_snapshot *snapshot);

#endif
