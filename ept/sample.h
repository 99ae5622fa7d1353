/* SPDX-License-Identifier: MIT */
/*
 * What the guest uses: the pages that it touched and wrote since the last sample, from A and D in
 * the table's entries (the working set of Denning, "The Working Set Model for Program Behavior",
 * CACM 11(5), 1968, with the time from sample to sample as its window).
 *
 * The host has no accessed and dirty bits of a guest behind userfaultfd. So a sample takes all
 * pages out of the window, not their frames: who is touched again misses, which sets A, and with
 * `track` in ept_config a page that is only read is protected, so that its first write misses and
 * sets D.
 *
 * So D is exact, however many vCPUs there are, on a kernel that protects a page as it installs it
 * (Linux 6.4). On others a page is protected right after that; of several vCPUs one that writes in
 * between is not seen, so D may be too small there, by what one CPU writes to pages that another
 * reads for the first time at that moment.
 */
#ifndef EPT_SAMPLE_H
#define EPT_SAMPLE_H

#include <stdint.h>

struct ept;

/* In pages of 4 KiB. */
struct ept_sample {
	uint64_t resident; /* that have frames */
	uint64_t away;	   /* that are swapped out */
	uint64_t accessed; /* since the last sample, of those that are resident */
	uint64_t dirty;	   /* of these, written; of a whole block all are, or none */
};

/*
 * Takes a sample, while nobody runs the guest; misses that are being handled come first. -ENOMEM:
 * the table has no memory to part pages that share a word (adaptive); then some pages go on as
 * before and count once more. -EIO: the kernel did not take pages out of the window, and all of
 * them do.
 */
int ept_take_sample(struct ept *ept, struct ept_sample *sample);

#endif
