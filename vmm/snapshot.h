/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of a machine: its memory, by ept/save.h and ept/origin.h, and in the owner's part of
 * the file what is below.
 *
 * A guest that is restored goes on as if nothing had happened, but for time (vmm/cpu_state.h). Only
 * what stage 1 counted goes on with it; the numbers of stage 2 are those of the run. It needs a
 * host like the one before: the same kind of KVM, since the guest kernel found out at its start
 * what SYSCALL does there, and a CPU with the features that it was shown.
 */
#ifndef VMM_SNAPSHOT_H
#define VMM_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ept/origin.h"
#include "ept/save.h"
#include "vmm/cpu_state.h"
#include "vmm/device_state.h"
#include "vmm/image.h"
#include "vmm/message.h"
#include "vmm/vm_state.h"

#define SNAPSHOT_STATE_VERSION 2
#define SNAPSHOT_IMAGE_MAX     1024

/* What the run was asked for, and cannot be changed any more. */
struct snapshot_config {
	uint64_t mem;
	uint64_t window;
	uint64_t seed;
	uint32_t guest_table; /* enum hpt_organisation, as the next */
	uint32_t host_table;
	uint32_t kind; /* of the image: enum image_kind */
	uint32_t cpus;
	uint32_t apics; /* 0 or 1, as the next: machine_config */
	uint32_t pc;
	char image[SNAPSHOT_IMAGE_MAX]; /* its name, cut to this, with a zero */
};

/* The owner's part of the file, which ends behind the last CPU of the machine. */
struct snapshot_state {
	uint32_t version;
	uint32_t kvm_kind; /* enum kvm_kind */
	struct snapshot_config config;
	struct device_state devices;
	struct vm_state vm;
	struct cpu_state cpus[KVM_VCPUS_MAX];
};

/* Bytes of it for so many CPUs. */
static inline size_t snapshot_state_size(unsigned int cpus)
{
	return offsetof(struct snapshot_state, cpus) + cpus * sizeof(struct cpu_state);
}

enum snapshot_when {
	SNAPSHOT_NEVER,
	SNAPSHOT_START, /* before the program's first instruction, or the kernel's */
	SNAPSHOT_EXIT,	/* when the guest has ended by itself */
	SNAPSHOT_AFTER, /* so long after it began to run */
};

struct machine;

/* A snapshot that shall be taken of a machine (machine_config.snapshot). */
struct snapshot_request {
	enum snapshot_when when;
	uint64_t after_ns;
	const char *path;
	struct snapshot_config config;
	struct ept_save save;
	/*
	 * If it is not NULL: called where the snapshot is due, the vCPUs stopped as for
	 * snapshot_take(), in place of writing a file. 0, or a negative errno and the message,
	 * which ends the run.
	 */
	int (*instead)(void *context, struct machine *machine, struct message *message);
	void *context;
	bool is_taken;
	uint64_t took_ns;
};

/* A snapshot that a machine goes on from (machine_config.restore). */
struct snapshot {
	struct ept_origin origin;
	const struct snapshot_state *state; /* the origin's */
};

/*
 * Parses WHEN:FILE into `request`: `start`, `exit` or a number of seconds. `text` lives as long. 0,
 * or -EINVAL and the message.
 */
int snapshot_parse(const char *option, const char *text, struct snapshot_request *request,
		   struct message *message);

/* Makes the file that will be written, so that a name that cannot be is found out at once (66). */
int snapshot_begin(struct snapshot_request *request, struct message *message);

/*
 * Whether a snapshot is to be taken now, the guest having run for so long. `request` may be NULL:
 * never.
 */
bool snapshot_is_due(const struct snapshot_request *request, const struct devices *devices,
		     uint64_t ran_ns);

/*
 * Takes the snapshot; no vCPU is inside the gate, or has anything to complete; the consoles are
 * written out. Status 66 if it cannot be written.
 */
int snapshot_take(struct snapshot_request *request, struct machine *machine,
		  struct message *message);

/* Ends the request. A file that was not written is gone then. */
void snapshot_end(struct snapshot_request *request);

/*
 * Opens and checks a snapshot: 65 with field, value found and value wanted if it is none, is cut or
 * damaged; 66 if it cannot be read. The pages are checked when they are read.
 */
int snapshot_open(struct snapshot *snapshot, const char *path, struct message *message);
void snapshot_close(struct snapshot *snapshot);

/*
 * Puts the snapshot's state into a machine that has not run, of the configuration that the snapshot
 * has. The snapshot outlives the machine. Status 65 if this host cannot go on with it.
 */
int snapshot_restore(const struct snapshot *snapshot, struct machine *machine,
		     struct message *message);

/*
 * The state of a machine's vCPUs and devices, without its memory, and a machine that gets it; of
 * *state these parts alone. As cpu_state_read() and cpu_state_write().
 */
int snapshot_read_state(struct snapshot_state *state, struct machine *machine,
			struct message *message);
int snapshot_write_state(const struct snapshot_state *state, struct machine *machine,
			 struct message *message);

#endif
