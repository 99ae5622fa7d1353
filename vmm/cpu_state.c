/* SPDX-License-Identifier: MIT */
#include "vmm/cpu_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/cpu_features.h"
#include "vmm/status.h"

#define MSR_TSC		 0x10
#define MSR_TSC_DEADLINE 0x6e0

/* A counter within so many parts in a million is the same one, measured anew. */
#define KHZ_TOLERANCE 250

static int read_failed(struct message *message, const char *what)
{
	int error = errno;

	return message_set(message, -error, STATUS_UNAVAILABLE, "%s: %s failed: %s", KVM_DEVICE,
			   what, strerror(error));
}

static int refused(struct message *message, const char *what)
{
	int error = errno;

	return message_set(message, -error, STATUS_DATA,
			   "vCPU: found a state that %s does not take (%s), wanted one of this "
			   "kind of host",
			   what, strerror(error));
}

/* A struct kvm_msrs with one MSR, since KVM ends at the first that it cannot read or write. */
struct one_msr {
	uint32_t count;
	uint32_t pad;
	struct kvm_msr_entry entry;
};

/* A struct kvm_msr_list with room. */
struct msr_list {
	uint32_t count;
	uint32_t numbers[CPU_STATE_MSRS];
};

static bool read_msr(const struct kvm *kvm, unsigned int vcpu, uint32_t number, uint64_t *value)
{
	struct one_msr one = {.count = 1, .entry.index = number};

	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_MSRS, &one) != 1)
		return false;
	*value = one.entry.data;
	return true;
}

static bool write_msr(const struct kvm *kvm, unsigned int vcpu, uint32_t number, uint64_t value)
{
	struct one_msr one = {.count = 1, .entry = {.index = number, .data = value}};

	return ioctl(kvm->vcpus[vcpu].fd, KVM_SET_MSRS, &one) == 1;
}

static int read_msrs(struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		     struct message *message)
{
	struct msr_list list = {.count = CPU_STATE_MSRS};

	if (ioctl(kvm->fd, KVM_GET_MSR_INDEX_LIST, &list) < 0)
		return read_failed(message, "KVM_GET_MSR_INDEX_LIST");
	for (uint32_t i = 0; i < list.count; i++) {
		struct kvm_msr_entry *entry = &state->msrs[state->msr_count];
		uint64_t value;

		if (list.numbers[i] == MSR_TSC || !read_msr(kvm, vcpu, list.numbers[i], &value))
			continue;
		*entry = (struct kvm_msr_entry){.index = list.numbers[i], .data = value};
		state->msr_count++;
	}
	return 0;
}

/*
 * What has its value already is not written: some can only be read. A deadline has a meaning once
 * the local APIC and the counter are there.
 */
static int write_msrs(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		      struct message *message)
{
	for (uint32_t i = 0; i < state->msr_count; i++) {
		const struct kvm_msr_entry *entry = &state->msrs[i];
		uint64_t value;

		if (entry->index == MSR_TSC_DEADLINE ||
		    (read_msr(kvm, vcpu, entry->index, &value) && value == entry->data))
			continue;
		if (!write_msr(kvm, vcpu, entry->index, entry->data))
			return message_set(message, -EINVAL, STATUS_DATA,
					   "vCPU: found 0x%" PRIx64 " in MSR 0x%" PRIx32
					   ", wanted a value that this KVM takes",
					   (uint64_t)entry->data, entry->index);
	}
	return 0;
}

static void write_deadline(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu)
{
	for (uint32_t i = 0; i < state->msr_count; i++) {
		const struct kvm_msr_entry *entry = &state->msrs[i];

		if (entry->index == MSR_TSC_DEADLINE && entry->data)
			(void)write_msr(kvm, vcpu, entry->index, entry->data);
	}
}

/* By how much the counter of a vCPU is ahead of the host's; false if KVM does not say. */
static bool read_offset(const struct kvm *kvm, unsigned int vcpu, uint64_t *offset)
{
	struct kvm_device_attr attribute = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset};

	return ioctl(kvm->vcpus[vcpu].fd, KVM_GET_DEVICE_ATTR, &attribute) == 0;
}

static bool write_offset(const struct kvm *kvm, unsigned int vcpu, uint64_t offset)
{
	struct kvm_device_attr attribute = {.group = KVM_VCPU_TSC_CTRL,
					    .attr = KVM_VCPU_TSC_OFFSET,
					    .addr = (uintptr_t)&offset};

	return ioctl(kvm->vcpus[vcpu].fd, KVM_SET_DEVICE_ATTR, &attribute) == 0;
}

/* Counters are read one after the other, so what is exact is how far apart two of them are. */
static int read_clocks(struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		       struct message *message)
{
	uint64_t own, first;

	if (!read_msr(kvm, vcpu, MSR_TSC, &state->tsc))
		return read_failed(message, "KVM_GET_MSRS of the time stamp counter");
	state->tsc_khz = kvm_tsc_khz(kvm);
	state->tsc_ahead = 0;
	if (vcpu && read_offset(kvm, vcpu, &own) && read_offset(kvm, 0, &first))
		state->tsc_ahead = own - first;
	return 0;
}

static int set_frequency(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
			 struct message *message)
{
	uint64_t found = state->tsc_khz, wanted = kvm_tsc_khz(kvm);
	uint64_t off = found > wanted ? found - wanted : wanted - found;

	if (!found || !wanted || off <= wanted / 1000000 * KHZ_TOLERANCE)
		return 0;
	if (found <= UINT32_MAX && ioctl(kvm->vcpus[vcpu].fd, KVM_SET_TSC_KHZ, found) == 0 &&
	    kvm_tsc_khz(kvm) == found)
		return 0;
	return message_set(message, -ENOTSUP, STATUS_DATA,
			   "tsc_khz: found %" PRIu64 ", wanted %" PRIu64
			   ", which this KVM cannot change",
			   found, wanted);
}

/*
 * By the counter's offset where KVM has that: written as an MSR a value near that of a fresh vCPU
 * is taken for an attempt to make two of them equal, and is not kept.
 */
static void set_counter(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu)
{
	uint64_t offset, now;

	if (vcpu && read_offset(kvm, 0, &offset) &&
	    write_offset(kvm, vcpu, offset + state->tsc_ahead))
		return;
	if (read_offset(kvm, vcpu, &offset) && read_msr(kvm, vcpu, MSR_TSC, &now) &&
	    write_offset(kvm, vcpu, offset + state->tsc - now))
		return;
	(void)write_msr(kvm, vcpu, MSR_TSC, state->tsc);
}

static int write_clocks(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
			struct message *message)
{
	uint64_t now = 0;
	int ret = set_frequency(state, kvm, vcpu, message);

	if (ret < 0)
		return ret;
	set_counter(state, kvm, vcpu);
	/* All counters go on from that of vCPU 0. */
	if (vcpu || (read_msr(kvm, vcpu, MSR_TSC, &now) && now >= state->tsc))
		return 0;
	return message_set(message, -ENOTSUP, STATUS_DATA,
			   "time stamp counter: found 0x%" PRIx64 ", wanted at most 0x%" PRIx64
			   ", the host's, which this KVM cannot change: the snapshot is from "
			   "before the host was started",
			   state->tsc, now);
}

/* What has a call of its own in each direction. */
static int read_parts(struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		      struct message *message)
{
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_REGS, &state->registers) < 0)
		return read_failed(message, "KVM_GET_REGS");
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_SREGS, &state->special) < 0)
		return read_failed(message, "KVM_GET_SREGS");
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_FPU, &state->fpu) < 0)
		return read_failed(message, "KVM_GET_FPU");
	state->has_xsave = kvm_capability(kvm, KVM_CAP_XSAVE) &&
			   ioctl(kvm->vcpus[vcpu].fd, KVM_GET_XSAVE, state->extended) == 0;
	state->has_xcrs = kvm_capability(kvm, KVM_CAP_XCRS) &&
			  ioctl(kvm->vcpus[vcpu].fd, KVM_GET_XCRS, &state->controls) == 0;
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_DEBUGREGS, &state->debug) < 0)
		return read_failed(message, "KVM_GET_DEBUGREGS");
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_VCPU_EVENTS, &state->events) < 0)
		return read_failed(message, "KVM_GET_VCPU_EVENTS");
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_MP_STATE, &state->running) < 0)
		return read_failed(message, "KVM_GET_MP_STATE");
	state->has_apic = kvm->has_apics;
	if (state->has_apic && ioctl(kvm->vcpus[vcpu].fd, KVM_GET_LAPIC, &state->apic) < 0)
		return read_failed(message, "KVM_GET_LAPIC");
	return 0;
}

/* Its mode is in the special registers. */
static int write_apic(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		      struct message *message)
{
	if (state->has_apic != kvm->has_apics)
		return message_set(message, -EINVAL, STATUS_DATA,
				   "vCPU: has_apic: found %" PRIu32
				   ", wanted %d, as the machine is",
				   state->has_apic, kvm->has_apics);
	if (state->has_apic && ioctl(kvm->vcpus[vcpu].fd, KVM_SET_LAPIC, &state->apic) < 0)
		return refused(message, "KVM_SET_LAPIC");
	return 0;
}

static int write_extended(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
			  struct message *message)
{
	if (state->has_xcrs && ioctl(kvm->vcpus[vcpu].fd, KVM_SET_XCRS, &state->controls) < 0)
		return refused(message, "KVM_SET_XCRS");
	if (state->has_xsave)
		return ioctl(kvm->vcpus[vcpu].fd, KVM_SET_XSAVE, state->extended) < 0
			       ? refused(message, "KVM_SET_XSAVE")
			       : 0;
	return ioctl(kvm->vcpus[vcpu].fd, KVM_SET_FPU, &state->fpu) < 0
		       ? refused(message, "KVM_SET_FPU")
		       : 0;
}

static int write_parts(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		       struct message *message)
{
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_SET_DEBUGREGS, &state->debug) < 0)
		return refused(message, "KVM_SET_DEBUGREGS");
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_SET_MP_STATE, &state->running) < 0)
		return refused(message, "KVM_SET_MP_STATE");
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_SET_REGS, &state->registers) < 0)
		return refused(message, "KVM_SET_REGS");
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_SET_VCPU_EVENTS, &state->events) < 0)
		return refused(message, "KVM_SET_VCPU_EVENTS");
	return 0;
}

int cpu_state_read(struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		   struct message *message)
{
	int ret;

	memset(state, 0, sizeof(*state));
	ret = read_parts(state, kvm, vcpu, message);
	if (ret == 0)
		ret = read_msrs(state, kvm, vcpu, message);
	if (ret == 0)
		ret = cpu_features_read(state, kvm, vcpu, message);
	return ret == 0 ? read_clocks(state, kvm, vcpu, message) : ret;
}

/* Features first, since they say what may be in the rest; the counter last. */
int cpu_state_write(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		    struct message *message)
{
	int ret = 0;

	if (state->msr_count > CPU_STATE_MSRS)
		return message_set(message, -EINVAL, STATUS_DATA,
				   "vCPU: found %" PRIu32 " MSRs, wanted at most %d",
				   state->msr_count, CPU_STATE_MSRS);
	ret = cpu_features_write(state, kvm, vcpu, message);
	if (ret == 0 && ioctl(kvm->vcpus[vcpu].fd, KVM_SET_SREGS, &state->special) < 0)
		ret = refused(message, "KVM_SET_SREGS");
	if (ret == 0)
		ret = write_apic(state, kvm, vcpu, message);
	if (ret == 0)
		ret = write_extended(state, kvm, vcpu, message);
	if (ret == 0)
		ret = write_msrs(state, kvm, vcpu, message);
	if (ret == 0)
		ret = write_parts(state, kvm, vcpu, message);
	if (ret == 0)
		ret = write_clocks(state, kvm, vcpu, message);
	if (ret == 0)
		write_deadline(state, kvm, vcpu);
	return ret;
}
