/* SPDX-License-Identifier: MIT */
/*
 * Clones: a second stage 2 in this process, with the memory of the first, copied on write.
 *
 * Nothing of the guest's memory is copied when a clone is made: both tables name the same frames.
 * What is copied is the table itself, byte by byte, since its addresses are places in a range of
 * their own (memory.h). Both windows are empty then: that of who is cloned is another one, as it
 * would take longer to protect what the old one shows, and the old one is taken down by a thread
 * while both go on. A page that is read is installed protected while both have its frame; the first
 * to write it gets a copy (part.h), and who is alone with a frame keeps it. (Kernels before Linux
 * 6.4 cannot install protected pages: there a page is copied at its first access.)
 *
 * --host-mem: each has the limit that the first had, and a frame counts for all who have it.
 * Pages that were swapped out, or are in a snapshot, are in one place for both; who brings a page
 * back has it. Whole blocks are shared whole, and split by the first write. The pinned range is
 * copied at once: its frames have to follow each other, and to stay. A clone can be cloned.
 * Refused: `dedup`. Mappings (window.h) are one budget for all of a family.
 */
#ifndef EPT_CLONE_H
#define EPT_CLONE_H

#include "ept/ept.h"

/* What a clone has of its own; for all else its configuration is that of who was cloned. */
struct ept_clone_config {
	unsigned int cpu_count; /* as in struct ept_config */
	int cpus[EPT_HANDLERS_MAX];
	void (*failed)(void *context, const char *reason, gpa_t gpa);
	void *context;
};

/*
 * Makes *clone the clone of *ept, which has `clones` in its configuration, and starts its handlers.
 * Nobody runs the guest of *ept meanwhile, or touches its window. *clone stays where it is until
 * ept_destroy(); both may be destroyed in any order.
 *
 * Afterwards, whatever it returns, the window of *ept may be at another place: who has asked
 * ept_window_address() asks again before the guest goes on.
 *
 * On failure there is no clone, *ept goes on, and *what (text that lives as long as *ept or *clone)
 * says what is refused (-EINVAL), or what is lacking: -ENOSPC where there are EPT_MEMBERS_MAX of
 * the family, or no mappings for another window; -ENOMEM, -EMFILE, -EPERM as ept_create().
 */
int ept_clone(struct ept *clone, struct ept *ept, const struct ept_clone_config *config,
	      const char **what);

/* Ends a stage 2 whose handlers do not run. */
void ept_end(struct ept *ept);

/* For that: the frames and swap slots that others may have as well. The window is closed. */
void ept_clone_let_go(struct ept *ept);

#endif
