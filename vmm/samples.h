/* SPDX-License-Identifier: MIT */
/*
 * The guest's fault times: raw samples in its memory (guest/abi.h), made into histograms here,
 * where that is cheap.
 */
#ifndef VMM_SAMPLES_H
#define VMM_SAMPLES_H

#include <stdint.h>

#include "guest/abi.h"
#include "vmm/guest_read.h"

/* The legs of a stage-1 fault. */
enum samples_leg {
	SAMPLES_TRAP,	 /* from the first instruction of the handler to the table lookup */
	SAMPLES_LOOKUP,	 /* the lookup in the stage-1 table */
	SAMPLES_INSTALL, /* table entry (if new) and window entry, to the last store */
	SAMPLES_FAULT,	 /* all of them */
	SAMPLES_LEGS
};

struct samples {
	struct hpt_histogram legs[SAMPLES_LEGS]; /* in cycles of the guest's counter */
	uint64_t faults;			 /* samples taken */
};

/*
 * Takes the samples that the page at gPA `page` holds now. -EFAULT if one of them is not in guest
 * RAM, -EINVAL if the page says that there are more than can be; none is taken then.
 */
int samples_take(struct samples *samples, guest_read_fn *read, void *context, gpa_t page);

#endif
