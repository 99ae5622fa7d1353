/* SPDX-License-Identifier: MIT */
#include "vmm/cpu_features.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/status.h"

/* A struct kvm_cpuid2 with room. */
struct table {
	uint32_t count;
	uint32_t padding;
	struct kvm_cpuid_entry2 entries[CPU_STATE_CPUID];
};

/* Bits that follow CR4 and are no features. */
#define OSXSAVE (1u << 27)
#define OSPKE	(1u << 4)

/* Registers in which each bit is a feature, as masks of those bits. */
static const struct {
	uint32_t leaf, subleaf;
	uint32_t eax, ebx, ecx, edx;
} features[] = {
	{0x1, 0, 0, 0, ~OSXSAVE, UINT32_MAX}, {0x7, 0, 0, UINT32_MAX, ~OSPKE, UINT32_MAX},
	{0x7, 1, UINT32_MAX, 0, 0, 0},	      {0xd, 0, UINT32_MAX, 0, 0, UINT32_MAX},
	{0xd, 1, UINT32_MAX, 0, 0, 0},	      {0x80000001, 0, 0, 0, UINT32_MAX, UINT32_MAX},
	{0x80000008, 0, 0, UINT32_MAX, 0, 0},
};

static int read_table(const struct kvm *kvm, unsigned int vcpu, struct table *table,
		      struct message *message)
{
	memset(table, 0, sizeof(*table));
	table->count = CPU_STATE_CPUID;
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_GET_CPUID2, table) == 0)
		return 0;
	return message_set(message, -errno, STATUS_UNAVAILABLE, "%s: KVM_GET_CPUID2 failed: %m",
			   KVM_DEVICE);
}

int cpu_features_read(struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		      struct message *message)
{
	struct table table;
	int ret = read_table(kvm, vcpu, &table, message);

	if (ret < 0)
		return ret;
	state->cpuid_count = table.count;
	memcpy(state->cpuid, table.entries, table.count * sizeof(table.entries[0]));
	return 0;
}

static struct kvm_cpuid_entry2 find(const struct kvm_cpuid_entry2 *entries, uint32_t count,
				    uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < count; i++) {
		if (entries[i].function == leaf && entries[i].index == subleaf)
			return entries[i];
	}
	return (struct kvm_cpuid_entry2){0};
}

static int check(uint32_t leaf, const char *name, uint32_t found, uint32_t wanted,
		 struct message *message)
{
	if (!(found & ~wanted))
		return 0;
	return message_set(message, -ENOTSUP, STATUS_DATA,
			   "vCPU: CPUID leaf 0x%" PRIx32 ", %s: found features 0x%" PRIx32
			   ", wanted none but 0x%" PRIx32 ", which this host has",
			   leaf, name, found, wanted);
}

static int check_features(const struct cpu_state *state, const struct table *host,
			  struct message *message)
{
	int ret = 0;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]) && ret == 0; i++) {
		uint32_t leaf = features[i].leaf, subleaf = features[i].subleaf;
		struct kvm_cpuid_entry2 found =
			find(state->cpuid, state->cpuid_count, leaf, subleaf);
		struct kvm_cpuid_entry2 wanted = find(host->entries, host->count, leaf, subleaf);

		ret = check(leaf, "eax", found.eax & features[i].eax, wanted.eax, message);
		if (ret == 0)
			ret = check(leaf, "ebx", found.ebx & features[i].ebx, wanted.ebx, message);
		if (ret == 0)
			ret = check(leaf, "ecx", found.ecx & features[i].ecx, wanted.ecx, message);
		if (ret == 0)
			ret = check(leaf, "edx", found.edx & features[i].edx, wanted.edx, message);
	}
	return ret;
}

int cpu_features_write(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		       struct message *message)
{
	struct table table;
	int ret;

	if (state->cpuid_count > CPU_STATE_CPUID)
		return message_set(message, -EINVAL, STATUS_DATA,
				   "vCPU: found %" PRIu32 " leaves of CPUID, wanted at most %d",
				   state->cpuid_count, CPU_STATE_CPUID);
	ret = read_table(kvm, vcpu, &table, message);
	if (ret == 0)
		ret = check_features(state, &table, message);
	if (ret < 0)
		return ret;
	table.count = state->cpuid_count;
	memcpy(table.entries, state->cpuid, state->cpuid_count * sizeof(table.entries[0]));
	if (ioctl(kvm->vcpus[vcpu].fd, KVM_SET_CPUID2, &table) == 0)
		return 0;
	return message_set(message, -errno, STATUS_DATA,
			   "vCPU: found a CPUID that KVM_SET_CPUID2 does not take (%m), wanted one "
			   "of this kind of host");
}
