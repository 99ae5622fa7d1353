/* SPDX-License-Identifier: MIT */
/*
 * What this machine is and can do, as far as it matters for results: `twostage info`, and the
 * "host" object beside every result.
 */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/kvm.h"
#include "vmm/message.h"

/* Capabilities of KVM that matter here. */
enum host_capability {
	HOST_USER_MEMORY,
	HOST_SYNC_MMU,
	HOST_IMMEDIATE_EXIT,
	HOST_MEMORY_SLOTS,
	HOST_VCPUS,
	HOST_IRQCHIP,
	HOST_TSC_CONTROL,
	HOST_TSC_KHZ,
	HOST_READONLY_MEMORY,
	HOST_MEMORY_FAULT_INFO,
	HOST_CAPABILITIES
};

struct host {
	enum kvm_kind kind;
	struct message kvm_problem; /* why there is no KVM, where the kind is KVM_NONE */
	bool software_cpu;	    /* the machine itself is interpreted: QEMU's TCG */
	int api_version;
	int capabilities[HOST_CAPABILITIES]; /* what KVM_CHECK_EXTENSION says */
	bool has_userfaultfd;
	struct message userfaultfd_problem;
	uint64_t userfaultfd_features;
	unsigned int cpus; /* that this process may use */
	char kernel[192];
	char cpu_model[128];
	char huge_pages[64]; /* the setting for shared memory, from which frames come */
};

void host_read(struct host *host);

/* Whether cycles and times of the guest's ring 0 are those of an emulator. */
bool host_emulates_ring0(const struct host *host);

/* What the kind of KVM means for timings, in a sentence or two. */
const char *host_timings(const struct host *host);

/* A new reference, or NULL if there is no memory. */
json_t *host_json(const struct host *host);

void host_print(FILE *stream, const struct host *host);

#endif
