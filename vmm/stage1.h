/* SPDX-License-Identifier: MIT */
/*
 * The guest's own table as the VMM sees it: the published page, the descriptor, and lookups whose
 * every line is read through the gateway.
 *
 * All of it is the guest's word. Nothing here trusts it: addresses are checked by guest_read(), the
 * descriptor by hpt_desc_valid(), and a walk ends after HPT_PROBES_MAX lines whatever they hold.
 * Reading does not touch pages that the guest has not touched.
 *
 * Valid while no vCPU is running: the guest would change it under our eyes.
 */
#ifndef VMM_STAGE1_H
#define VMM_STAGE1_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"
#include "hpt/probe.h"
#include "vmm/machine.h"

struct stage1 {
	struct machine *machine;
	unsigned int vcpu; /* whose address space keys are of */
	struct abi_page page;
	struct hpt_desc desc;
	struct hpt_counts counts;
	uint64_t lines_read; /* by lookups so far */
	/* The line that was read last: neighbouring pages often share one. */
	uint64_t cached_line; /* UINT64_MAX: none */
	uint64_t words[HPT_LINE_WORDS];
};

/*
 * Reads what the guest has published, to be asked in the address space that runs on `vcpu`. 0, or a
 * negative errno with *why (static text): -ENOENT if it has published nothing (a kernel that others
 * wrote), -EINVAL if what it has published is not valid.
 */
int stage1_read(struct stage1 *stage1, struct machine *machine, unsigned int vcpu,
		const char **why);

/* Called for each line that a lookup reads, after it was read; `line` is a gPA. */
typedef void stage1_probe_fn(void *context, gpa_t line, const uint64_t words[HPT_LINE_WORDS],
			     enum hpt_answer answer);

/*
 * Looks `key` up in the guest's table: 0 and *entry, -ENOENT, or -EFAULT if the walk led out of
 * guest RAM. `probe` may be NULL.
 */
int stage1_lookup(struct stage1 *stage1, struct hpt_key key, uint64_t *entry,
		  stage1_probe_fn *probe, void *context);

/* The key of the page of a gVA, in the address space that runs there (kernel half: ASID 0). */
struct hpt_key stage1_key(const struct stage1 *stage1, uint64_t gva, enum hpt_size size);

/*
 * Translates a gVA of the address space that runs there (kernel half: ASID 0), 4 KiB pages first,
 * then 2 MiB ones. As stage1_lookup(), and *gpa is of the byte, not of the page. A page that is
 * swapped out has none (-ENOENT).
 */
int stage1_translate(struct stage1 *stage1, uint64_t gva, gpa_t *gpa);

#endif
