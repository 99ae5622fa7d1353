/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest/abi.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/status.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int snapshot_parse(const char *option, const char *text, struct snapshot_request *request,
		   struct message *message)
{
	size_t length = strcspn(text, ":");
	char when[32];

	if (!text[length] || !text[length + 1] || length >= sizeof(when))
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: found \"%s\", wanted WHEN:FILE, WHEN being start, exit or "
				   "a number of seconds",
				   option, text);
	snprintf(when, sizeof(when), "%.*s", (int)length, text);
	request->path = text + length + 1;
	if (!strcmp(when, "start"))
		request->when = SNAPSHOT_START;
	else if (!strcmp(when, "exit"))
		request->when = SNAPSHOT_EXIT;
	else if (option_seconds(option, when, &request->after_ns, message) == 0)
		request->when = SNAPSHOT_AFTER;
	else
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: found \"%s\" before the colon, wanted start, exit or a "
				   "number of seconds above 0, such as 10 or 0.5",
				   option, when);
	return 0;
}

int snapshot_begin(struct snapshot_request *request, struct message *message)
{
	const char *what;
	int ret = ept_save_open(&request->save, request->path, &what);

	return ret < 0 ? message_set(message, ret, STATUS_NOINPUT, "--snapshot: %s: %s",
				     request->path, what)
		       : 0;
}

void snapshot_end(struct snapshot_request *request)
{
	if (request->when != SNAPSHOT_NEVER)
		ept_save_close(&request->save);
}

bool snapshot_is_due(const struct snapshot_request *request, const struct devices *devices,
		     uint64_t ran_ns)
{
	if (!request || request->is_taken)
		return false;
	switch (request->when) {
	case SNAPSHOT_START:
		return devices->started || request->config.kind != IMAGE_STATIC_PROGRAM;
	case SNAPSHOT_EXIT:
		return devices->exited;
	case SNAPSHOT_AFTER:
		return ran_ns >= request->after_ns;
	default:
		return false;
	}
}

int snapshot_read_state(struct snapshot_state *state, struct machine *machine,
			struct message *message)
{
	int ret = vm_state_read(&state->vm, &machine->kvm, message);

	device_state_read(&state->devices, &machine->devices);
	for (unsigned int i = 0; i < machine->config.cpus && ret == 0; i++) {
		ret = cpu_state_read(&state->cpus[i], &machine->kvm, i, message);
		state->cpus[i].is_started = gate_is_started(&machine->gate, i);
	}
	return ret;
}

/* The controllers last: what waits there goes to the CPUs. */
static int write_cpus(const struct snapshot_state *state, struct machine *machine,
		      struct message *message)
{
	int ret = 0;

	for (unsigned int i = 0; i < machine->config.cpus && ret == 0; i++) {
		ret = cpu_state_write(&state->cpus[i], &machine->kvm, i, message);
		if (ret == 0 && state->cpus[i].is_started)
			gate_start(&machine->gate, i);
	}
	return ret == 0 ? vm_state_write(&state->vm, &machine->kvm, message) : ret;
}

int snapshot_write_state(const struct snapshot_state *state, struct machine *machine,
			 struct message *message)
{
	device_state_write(&state->devices, &machine->devices);
	return write_cpus(state, machine, message);
}

static int read_state(struct snapshot_state *state, const struct snapshot_request *request,
		      struct machine *machine, struct message *message)
{
	struct message ignored;

	state->version = SNAPSHOT_STATE_VERSION;
	state->kvm_kind = kvm_find_kind(&ignored);
	state->config = request->config;
	return snapshot_read_state(state, machine, message);
}

static int write_snapshot(struct snapshot_request *request, struct machine *machine,
			  struct message *message)
{
	size_t size = snapshot_state_size(machine->config.cpus);
	struct snapshot_state *state = calloc(1, size);
	const char *what;
	int ret;

	if (!state)
		return message_set(message, -ENOMEM, STATUS_INTERNAL, "out of memory");
	ret = read_state(state, request, machine, message);
	if (ret == 0) {
		ret = ept_save_write(&request->save, &machine->ept, state, size, &what);
		if (ret < 0)
			message_set(message, ret, STATUS_NOINPUT, "--snapshot: %s: %s",
				    request->path, what);
	}
	free(state);
	return ret;
}

int snapshot_take(struct snapshot_request *request, struct machine *machine,
		  struct message *message)
{
	uint64_t begin = now_ns();
	int ret = request->instead ? request->instead(request->context, machine, message)
				   : write_snapshot(request, machine, message);

	request->is_taken = ret == 0;
	request->took_ns = now_ns() - begin;
	return ret;
}

static int refuse_number(const char *field, uint64_t found, uint64_t least, uint64_t most,
			 struct message *message)
{
	return message_set(message, -EBADMSG, STATUS_DATA,
			   "%s: found %" PRIu64 ", wanted %" PRIu64 " to %" PRIu64, field, found,
			   least, most);
}

static int check_config(const struct snapshot *snapshot, struct message *message)
{
	const struct snapshot_config *config = &snapshot->state->config;
	struct ept_range ranges[EPT_RANGES_MAX] = {0};
	unsigned int count;

	if (config->mem < MACHINE_MEM_MIN || config->mem > MACHINE_MEM_MAX ||
	    config->mem % HPT_PAGE_SIZE)
		return refuse_number("mem", config->mem, MACHINE_MEM_MIN, MACHINE_MEM_MAX, message);
	count = machine_layout(config->mem, ranges);
	if (count != snapshot->origin.range_count ||
	    memcmp(ranges, snapshot->origin.ranges, count * sizeof(ranges[0])))
		return message_set(message, -EBADMSG, STATUS_DATA,
				   "ranges: found others than those of 0x%" PRIx64
				   " bytes of guest memory",
				   config->mem);
	if (config->window < ABI_WINDOW_PAGES_MIN || config->window > ABI_WINDOW_PAGES_MAX)
		return refuse_number("window", config->window, ABI_WINDOW_PAGES_MIN,
				     ABI_WINDOW_PAGES_MAX, message);
	if (config->guest_table >= HPT_ORGANISATIONS)
		return refuse_number("guest_table", config->guest_table, 0, HPT_ORGANISATIONS - 1,
				     message);
	if (config->host_table >= HPT_ORGANISATIONS)
		return refuse_number("host_table", config->host_table, 0, HPT_ORGANISATIONS - 1,
				     message);
	if (!image_is_kernel((enum image_kind)config->kind) && config->kind != IMAGE_STATIC_PROGRAM)
		return message_set(message, -EBADMSG, STATUS_DATA,
				   "kind: found %" PRIu32 ", wanted that of a program or a kernel",
				   config->kind);
	if (config->apics > 1)
		return refuse_number("apics", config->apics, 0, 1, message);
	if (config->pc > 1)
		return refuse_number("pc", config->pc, 0, 1, message);
	if (!memchr(config->image, 0, sizeof(config->image)))
		return message_set(message, -EBADMSG, STATUS_DATA,
				   "image: found no zero, wanted a name of at most %d bytes",
				   SNAPSHOT_IMAGE_MAX - 1);
	return 0;
}

static int check_size(uint64_t found, size_t wanted, bool exact, struct message *message)
{
	if (exact ? found == wanted : found >= wanted)
		return 0;
	return message_set(message, -EBADMSG, STATUS_DATA,
			   "owner_size: found %" PRIu64 ", wanted %s%zu", found,
			   exact ? "" : "at least ", wanted);
}

/* All of it up to the CPUs is there before anything is believed, then the CPUs. */
static int check_state(struct snapshot *snapshot, struct message *message)
{
	const struct snapshot_state *state = snapshot->origin.owner;
	uint64_t size = snapshot->origin.owner_size;
	int ret;

	if (size < sizeof(state->version) || state->version != SNAPSHOT_STATE_VERSION)
		return refuse_number("version of the state",
				     size < sizeof(state->version) ? 0 : state->version,
				     SNAPSHOT_STATE_VERSION, SNAPSHOT_STATE_VERSION, message);
	ret = check_size(size, snapshot_state_size(1), false, message);
	if (ret < 0)
		return ret;
	if (state->config.cpus < 1 || state->config.cpus > KVM_VCPUS_MAX)
		return refuse_number("cpus", state->config.cpus, 1, KVM_VCPUS_MAX, message);
	ret = check_size(size, snapshot_state_size(state->config.cpus), true, message);
	if (ret < 0)
		return ret;
	snapshot->state = state;
	return check_config(snapshot, message);
}

int snapshot_open(struct snapshot *snapshot, const char *path, struct message *message)
{
	struct message inner = {0};
	const char *what;
	int ret = ept_origin_open(&snapshot->origin, path, &what);

	if (ret < 0)
		return message_set(message, ret, ret == -EBADMSG ? STATUS_DATA : STATUS_NOINPUT,
				   "--restore: %s: %s", path, what);
	ret = check_state(snapshot, &inner);
	if (ret == 0)
		return 0;
	snapshot_close(snapshot);
	return message_set(message, ret, inner.status, "--restore: %s: %s", path, inner.text);
}

void snapshot_close(struct snapshot *snapshot)
{
	ept_origin_close(&snapshot->origin);
	snapshot->state = NULL;
}

int snapshot_restore(const struct snapshot *snapshot, struct machine *machine,
		     struct message *message)
{
	const struct snapshot_state *state = snapshot->state;
	struct message ignored;
	enum kvm_kind kind = kvm_find_kind(&ignored);
	const char *what;
	int ret;

	if (state->kvm_kind > KVM_VMX || state->kvm_kind != kind)
		return message_set(message, -ENOTSUP, STATUS_DATA,
				   "the snapshot's kind of KVM: found %s, wanted %s, as here",
				   state->kvm_kind > KVM_VMX
					   ? "an unknown one"
					   : kvm_kind_name((enum kvm_kind)state->kvm_kind),
				   kvm_kind_name(kind));
	ret = ept_restore(&machine->ept, &snapshot->origin, &what);
	if (ret < 0)
		return message_set(message, ret, STATUS_UNAVAILABLE, "second stage: %s: %s", what,
				   strerror(-ret));
	return snapshot_write_state(state, machine, message);
}
