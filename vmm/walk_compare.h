/* SPDX-License-Identifier: MIT */
/*
 * Holds what a walk says of one gVA against what everybody else says of it. No machine here: the
 * answers are plain data (walk_check.c gathers them), so that answers that disagree can be made up.
 */
#ifndef VMM_WALK_COMPARE_H
#define VMM_WALK_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "ept/walk.h"
#include "vmm/pagemap.h"
#include "vmm/x86_tables.h"

/* What the CPU's own tables say. */
enum walk_window {
	WALK_WINDOW_UNKNOWN, /* KVM was not asked: paging is off, or it would have missed (stage 2)
			      */
	WALK_WINDOW_ABSENT,  /* no translation: the page is not in the window now */
	WALK_WINDOW_PRESENT,
};

/* Why two frames were compared, or not. */
enum walk_frames {
	WALK_FRAMES_NONE,	   /* there is no frame, and the window has no page */
	WALK_FRAMES_COMPARED,	   /* one PFN */
	WALK_FRAMES_NOT_INSTALLED, /* the guest has not touched the page: nothing is in the window
				    */
	WALK_FRAMES_SKIPPED,	   /* there is no pagemap, or it does not tell this user PFNs */
};

struct walk_answers {
	uint64_t gva;
	/* The walk, and how many frames the pool has. */
	struct walk_result walk;
	uint64_t frame_count;
	/* The same walk by the guest's slab, which keeps to its bounds. */
	bool has_slab;
	struct walk_result slab;
	/*
	 * The tables, by lookups of the VMM that share nothing with the walk but the rules of a
	 * probe (vmm/stage1.h, ept_entry()): 0 and the entry, or -ENOENT; at stage 1 -EFAULT where
	 * the guest's table leads out of RAM, -ELOOP where it leads on and on. Stage 2 is asked if
	 * stage 1 has a page.
	 */
	int guest_error;
	uint64_t guest_entry;
	int host_error;
	uint64_t host_entry;
	/* A line of the guest's table lies in a page that has no frame, where a lookup reads zeros.
	 */
	bool table_untouched;
	/* The machine, stage 1: KVM_TRANSLATE; and, for permissions, the tables under CR3 (0 or
	 * an error of x86_walk()). */
	enum walk_window window;
	gpa_t window_gpa;
	int x86_error;
	struct x86_page x86;
	/* The machine, stage 2, if gfn is RAM: the window's page of it, and the pool's of the HFN.
	 */
	bool is_ram;
	bool has_pagemap;
	struct pagemap_page installed;
	struct pagemap_page frame;
};

enum walk_verdict_kind {
	WALK_AGREES,
	WALK_LIED,  /* the guest's own table, or its window beside it, cannot be */
	WALK_WRONG, /* somebody of the VMM is wrong */
};

struct walk_verdict {
	enum walk_verdict_kind kind;
	enum walk_frames frames;
	char text[256]; /* both answers, unless all agree */
};

/*
 * `own_kernel`: the guest runs the built-in kernel, which answers for its window; a window that
 * differs from the table is a lie if any other kernel has made it.
 */
void walk_compare(const struct walk_answers *answers, bool own_kernel,
		  struct walk_verdict *verdict);

#endif
