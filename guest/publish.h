/* SPDX-License-Identifier: MIT */
/* What the kernel tells the VMM: one page of numbers (abi.h), kept up to date where they arise. */
#ifndef GUEST_PUBLISH_H
#define GUEST_PUBLISH_H

#include <stdint.h>

#include "guest/abi.h"

extern struct abi_page published;
extern struct abi_sample samples[ABI_SAMPLES];

/* Fills in what stays, and rings the doorbell if there is one. After stage1_start(). */
void publish_start(void);

/* Asks the VMM to write out bytes that do not cross a page. */
void publish_write(int fd, uint64_t gpa, uint32_t size);

/* Tells the VMM that the program's first instruction is next. */
void publish_program(void);

/* Tells the VMM to start a CPU, as published.cpu_start says. */
void publish_cpu(unsigned int number);

/*
 * Notes the four times of one fault (abi.h): in ring 0, a few instructions, and one doorbell every
 * ABI_SAMPLES faults.
 */
void publish_samples(void);

static inline void publish_sample(uint32_t trap, uint32_t asked, uint32_t found, uint32_t installed)
{
	uint64_t at = published.sample_count++;

	samples[at] = (struct abi_sample){trap, asked, found, installed};
	if (at == ABI_SAMPLES - 1)
		publish_samples();
}

/* The kernel gives up. */
void publish_panic(void);

#endif
