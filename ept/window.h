/* SPDX-License-Identifier: MIT */
/*
 * The window: the address range behind the guest's memory slots. Mechanism only; which frame a
 * page has is decided in fault.c.
 *
 * The range spans the guest-physical addresses [start, start + size), holes included. Each 2 MiB
 * block of it that holds RAM is a mapping of one block of the pool's memfd, made and registered
 * with userfaultfd before anybody touches it: were blocks mapped only on their first miss, another
 * thread could fill the block unseen between its mmap and its registration. No page is in the
 * page tables until ept_window_install() puts it there.
 *
 * The kernel may take installed pages away again (reclaim does): such a page misses once more, and
 * installing it again is right.
 */
#ifndef EPT_WINDOW_H
#define EPT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "ept/pool.h"
#include "hpt/entry.h"

/* A guest-physical address: an integer of its own, never a pointer. */
typedef uint64_t gpa_t;

/*
 * A process has 65,530 mappings (vm.max_map_count) unless the host's owner changed it. Each block
 * is one and each single page mapped over a block makes two more.
 */
#define EPT_WINDOW_MAPPINGS 64000
#define EPT_WINDOW_BLOCKS   57344 /* 112 GiB */

struct ept_window {
	int uffd;
	void *reserved;
	uint64_t reserved_size;
	char *base; /* the window address of `start`, aligned to 2 MiB */
	gpa_t start;
	uint64_t size;
	uint32_t *blocks;	     /* pool block of each window block, plus 1; 0: not mapped */
	unsigned int mappings;	     /* made so far */
	unsigned int mappings_limit; /* EPT_WINDOW_MAPPINGS */
	bool protects;		     /* pages may be protected from writes */
	bool protects_late;	     /* but not at the moment at which they appear; atomic */
	/* Where there may be clones: which layer of the pool each page shows; else NULL. */
	uint8_t *layers;
	uint64_t layer_frames;
};

/* The gPA's place in the window. */
static inline char *ept_window_place(const struct ept_window *window, gpa_t gpa)
{
	return window->base + (gpa - window->start);
}

/* Which pool block is mapped at the window block of `gpa`; false if there is none. */
static inline bool ept_window_block(const struct ept_window *window, gpa_t gpa, uint32_t *block)
{
	uint32_t mapped = window->blocks[(gpa - window->start) >> EPT_BLOCK_SHIFT];

	*block = mapped - 1;
	return mapped;
}

/* Whether a page that is to be protected is so a moment after it appears; any thread may ask. */
static inline bool ept_window_protects_late(const struct ept_window *window)
{
	return __atomic_load_n(&window->protects_late, __ATOMIC_RELAXED);
}

/* Where it stands which layer the page of `gpa` shows; in a window that has layers. */
static inline uint8_t *ept_window_layer(const struct ept_window *window, gpa_t gpa)
{
	return &window->layers[(gpa - window->start) >> HPT_PAGE_SHIFT];
}

/*
 * The frame that ept_window_install() puts at `gpa` unless a single page was mapped over it by
 * ept_window_remap() or _share(). `gpa` must be in a mapped block.
 */
uint64_t ept_window_frame(const struct ept_window *window, gpa_t gpa);

/*
 * A userfaultfd that can watch a memfd mapping and sees faults of the kernel too, because KVM
 * touches the window in kernel mode: by the system call or by /dev/userfaultfd, whichever this user
 * may use. `protects`: it must be able to protect single pages from writes (Linux 5.19). Returns
 * it, with all features that the kernel has in *features (UFFD_FEATURE_*), or a negative errno and
 * *what as ept_window_open().
 */
int ept_userfaultfd(bool protects, uint64_t *features, const char **what);

/*
 * Opens userfaultfd (`protects` as above) and reserves addresses for [start, start + size), both
 * multiples of 2 MiB. On failure a negative errno, *what (static text) says what the host lacks and
 * the fix, and nothing is left. -EPERM, -ENOSYS and -EOPNOTSUPP mean: this host does not do it, for
 * this user.
 */
int ept_window_open(struct ept_window *window, gpa_t start, uint64_t size, bool protects,
		    const char **what);
void ept_window_close(struct ept_window *window);

/*
 * Maps [start, start + size), a part of one window block, to the same part of a pool block. Parts
 * of one window block must get the same pool block.
 */
int ept_window_map(struct ept_window *window, int memfd, gpa_t start, uint64_t size, uint32_t block,
		   const char **what);

/*
 * Registers [start, start + size), all of it mapped: from now on each touch is a miss, and where
 * the window `protects` each write to a protected page.
 */
int ept_window_arm(struct ept_window *window, gpa_t start, uint64_t size, const char **what);

/*
 * Takes the next miss: 1, where it was and whether it was a write, 0 if there is none waiting, or
 * negative errno.
 */
int ept_window_read(struct ept_window *window, void **place, bool *is_write);

/* Whether it is in the window, which may have been elsewhere. */
static inline bool ept_window_has(const struct ept_window *window, const void *place)
{
	return (uintptr_t)place - (uintptr_t)window->base < window->size;
}

/* The page of a place in the window. */
static inline gpa_t ept_window_gpa(const struct ept_window *window, const void *place)
{
	return (gpa_t)((const char *)place - window->base + (int64_t)window->start) &
	       ~(HPT_PAGE_SIZE - 1);
}

/*
 * Puts the frames of `pages` pages in a row, of one block, into the page tables; nothing happens to
 * those that are there. Who waits for them waits on until ept_window_wake(), so that counts and
 * times can be taken before a vCPU on the same CPU runs. -EFAULT if a frame is not present in the
 * memfd, other errors are final.
 *
 * With `protect`, in a window that can, the next write is a miss: from the moment on at which the
 * page is there, if the kernel has that (Linux 6.4); else a moment later, in which a thread that
 * runs beside this one may write unseen (protects_late).
 */
int ept_window_install(struct ept_window *window, gpa_t gpa, unsigned int pages, bool protect);
void ept_window_wake(struct ept_window *window, void *place, unsigned int pages);

/*
 * Protects pages that are in the page tables, so that the next write is a miss; or lets them be
 * written: who waits for that waits on until ept_window_wake(). 0, or negative errno.
 */
int ept_window_protect(struct ept_window *window, gpa_t gpa, unsigned int pages, bool protect);

/*
 * Takes [gpa, gpa + size) out of the page tables, not out of the memfd: each page that is touched
 * again is a miss. On failure, a negative errno, any of them may still be there: somebody has
 * locked all memory of the process, for example.
 */
int ept_window_take_out(struct ept_window *window, gpa_t gpa, uint64_t size);

/*
 * Maps a single frame, which must be present, over the page and installs it. -ENOSPC if there are
 * too many mappings. A thread that touches the page between mmap and registration gets the frame
 * without a miss, which is right: it is the page's.
 */
int ept_window_remap(struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame);

/*
 * Maps a single frame, which must be present, over the page, so that it is read there and the first
 * write is a miss. Nobody touches the page meanwhile. -ENOSPC if there are too many mappings.
 */
int ept_window_share(struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame);

/*
 * Makes the page a part of its block's mapping again, with the frame that is its own, present, and
 * in the page tables. Who touches it meanwhile gets that frame. 0, or negative errno: it is lost.
 */
int ept_window_unshare(struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame);

/*
 * Gives a window a page for each of which it may show another layer of the pool, whose layers have
 * so many frames; all show the first. Before anything is mapped. -ENOMEM.
 */
int ept_window_layers(struct ept_window *window, uint64_t layer_frames);

/*
 * Makes pages in a row, of one block, show the layer that window->layers says: their frames are
 * present, and are installed. Who touches them meanwhile gets these frames. 0, or negative errno:
 * what they show is not known.
 */
int ept_window_show(struct ept_window *window, int memfd, gpa_t gpa, unsigned int pages);

/*
 * For the files of the window: its blocks, none mapped, and its place (-ENOMEM and *what); and a
 * mapping of frames that follow each other (-ENOSPC where there is none left).
 */
int ept_window_reserve(struct ept_window *window, const char **what);
int ept_window_map_frames(const struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame,
			  uint64_t size);

/* The frame that the page of `gpa` would show in a layer. */
uint64_t ept_window_frame_in(const struct ept_window *window, gpa_t gpa, unsigned int layer);

/* How many mappings [gpa, gpa + size) takes, which is all mapped. */
unsigned int ept_window_pieces(const struct ept_window *window, gpa_t gpa, uint64_t size);

/*
 * A window like another, at another place and with nothing in its page tables: its blocks and
 * layers are the other's. Descriptor and what has been mapped so far are not; ept_window_map_like()
 * maps a range as the other has it, ept_window_arm() does the rest. -ENOMEM and *what.
 */
int ept_window_like(struct ept_window *window, const struct ept_window *other, const char **what);

/* The same, but for *window itself: another place; the descriptor and all else are its own. */
int ept_window_elsewhere(struct ept_window *moved, const struct ept_window *window,
			 const char **what);

int ept_window_map_like(struct ept_window *window, int memfd, gpa_t start, uint64_t size,
			const char **what);

/*
 * Makes every access to the block of `gpa` fail, those that wait included: KVM_RUN returns, a
 * thread gets SIGSEGV. ept_window_seal() does so for all of the window. They always succeed.
 */
void ept_window_release(struct ept_window *window, gpa_t gpa);
void ept_window_seal(struct ept_window *window);

#endif
