/* SPDX-License-Identifier: MIT */
#include "vmm/clone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ept/clone.h"
#include "vmm/loop.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"

/*
 * KVM lets the window go, and takes it where it is then: a slot does not change its place. They are
 * numbered in the order of the ranges (machine_create_vm()).
 */
static int set_slots(const struct machine *machine, bool in_use, struct message *message)
{
	int error = 0;

	for (unsigned int i = 0; i < machine->range_count && !error; i++) {
		const struct ept_range *range = &machine->ranges[i];

		error = kvm_set_memory(&machine->kvm, i, range->start, in_use ? range->size : 0,
				       ept_window_address(&machine->ept, range->start), message);
	}
	return error;
}

static int clone_memory(struct machine *clone, struct machine *machine, struct message *message)
{
	struct ept_clone_config config = {.cpu_count = machine->ept.config.cpu_count,
					  .failed = loop_host_failed,
					  .context = clone};
	struct message second = {0};
	const char *what = "second stage";
	int error = set_slots(machine, false, message);

	if (error)
		return error;
	memcpy(config.cpus, machine->ept.config.cpus, sizeof(config.cpus));
	error = ept_clone(&clone->ept, &machine->ept, &config, &what);
	clone->has_ept = !error;
	if (error)
		message_set(message, error, STATUS_UNAVAILABLE, "second stage: %s: %s", what,
			    strerror(-error));
	if (set_slots(machine, true, error ? &second : message))
		return -EIO;
	return error;
}

static int clone_state(struct machine *clone, struct machine *machine, struct message *message)
{
	struct snapshot_state *state = calloc(1, sizeof(*state));
	int error;

	if (!state)
		return message_set(message, -ENOMEM, STATUS_INTERNAL, "out of memory");
	error = snapshot_read_state(state, machine, message);
	if (!error)
		error = snapshot_write_state(state, clone, message);
	free(state);
	return error;
}

/* What it has of the first, and what it begins with. */
static void inherit(struct machine *clone, const struct machine *machine, int out_fd, int err_fd)
{
	memset(clone, 0, sizeof(*clone));
	clone->config = machine->config;
	clone->config.snapshot = NULL;
	clone->config.walk_check = NULL;
	clone->config.out_fd = out_fd;
	clone->config.err_fd = err_fd;
	clone->kvm = (struct kvm){.fd = -1, .vm = -1};
	clone->working_set.interval_ns = machine->config.sample_ns;
	memcpy(clone->ranges, machine->ranges, sizeof(clone->ranges));
	clone->range_count = machine->range_count;
	clone->slab = machine->slab;
}

int machine_clone(struct machine *clone, struct machine *machine, int out_fd, int err_fd,
		  struct message *message)
{
	const struct machine_config *config = &machine->config;
	int error;

	if (config->pc || config->cpus > 1 || config->disk)
		return message_set(
			message, -ENOTSUP, STATUS_UNAVAILABLE,
			"clone: a PC, a disk, and more CPUs than one, are not taken over");
	inherit(clone, machine, out_fd, err_fd);
	machine_make_devices(clone);
	error = machine_make_gate(clone, message);
	if (!error)
		error = clone_memory(clone, machine, message);
	if (!error)
		error = machine_create_vm(clone, message);
	if (!error)
		error = clone_state(clone, machine, message);
	if (error)
		machine_destroy(clone);
	return error;
}
