/* SPDX-License-Identifier: MIT */
/*
 * The CPUID of the guest: what KVM can do, with KVM's own leaves (its clock among them), and the
 * bit that says that there is a hypervisor. (On the pvm kind CPUID in the guest shows the host
 * whatever is set here.)
 *
 * A kernel that has local APICs looks closer. KVM copies numbers of the processor that it was asked
 * on: here a CPU's own number is that of its APIC, and several are cores of one package. And KVM
 * offers to tell the guest which page it waits for, so that it may do something else; that is taken
 * back, since a miss shall stop the vCPU.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "vmm/kvm.h"
#include "vmm/status.h"

#define CPUID_ENTRIES 256

#define LEAF_FEATURES	0x1u
#define LEAF_CACHES	0x4u
#define LEAF_TOPOLOGY	0xbu
#define LEAF_TOPOLOGY_2 0x1fu
#define LEAF_KVM	0x40000001u
#define LEAF_AMD	0x80000001u
#define LEAF_AMD_CORES	0x80000008u
#define LEAF_AMD_APIC	0x8000001eu

#define HYPERVISOR   (1u << 31) /* LEAF_FEATURES, ecx */
#define SEVERAL	     (1u << 28) /* LEAF_FEATURES, edx: logical processors in this package */
#define AMD_SEVERAL  (1u << 1)	/* LEAF_AMD, ecx: and they are cores */
#define LEVEL_THREAD 1u		/* LEAF_TOPOLOGY, ecx, bits 15..8 */
#define LEVEL_CORE   2u

/* LEAF_KVM, eax; numbers of <asm/kvm_para.h>, whose third is missing in older headers. */
#define ASYNC_PAGE_FAULTS (1u << 4 | 1u << 10 | 1u << 14)

/* Bits that hold the numbers of `count` CPUs. */
static uint32_t bits_for(unsigned int count)
{
	uint32_t bits = 0;

	while (1u << bits < count)
		bits++;
	return bits;
}

/* The levels above a CPU: threads, of which a core has one, and cores. */
static void set_level(struct kvm_cpuid_entry2 *entry, unsigned int cpus)
{
	uint32_t level = entry->index == 0 ? LEVEL_THREAD : entry->index == 1 ? LEVEL_CORE : 0;

	entry->eax = level == LEVEL_CORE ? bits_for(cpus) : 0;
	entry->ebx = level == LEVEL_CORE ? cpus : level;
	entry->ecx = entry->index | level << 8;
}

/* Several CPUs are cores of one package, with a thread each. */
static void set_topology(struct kvm_cpuid_entry2 *entry, unsigned int cpus, unsigned int vcpu)
{
	switch (entry->function) {
	case LEAF_FEATURES:
		entry->ebx = (entry->ebx & 0xff00ffff) | cpus << 16;
		entry->edx |= SEVERAL;
		break;
	case LEAF_CACHES: /* shared by no threads; cores of a package less 1 */
		if (entry->eax)
			entry->eax = (entry->eax & 0x3fff) | (cpus - 1) << 26;
		break;
	case LEAF_TOPOLOGY:
	case LEAF_TOPOLOGY_2:
		set_level(entry, cpus);
		break;
	case LEAF_AMD:
		entry->ecx |= AMD_SEVERAL;
		break;
	case LEAF_AMD_CORES:
		entry->ecx = (entry->ecx & 0xffff0f00) | bits_for(cpus) << 12 | (cpus - 1);
		break;
	case LEAF_AMD_APIC: /* core, of one thread; one node */
		entry->ebx = vcpu;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

static void set_number(struct kvm_cpuid_entry2 *entry, unsigned int vcpu)
{
	switch (entry->function) {
	case LEAF_FEATURES:
		entry->ebx = (entry->ebx & 0x00ffffff) | vcpu << 24; /* initial APIC ID */
		break;
	case LEAF_TOPOLOGY:
	case LEAF_TOPOLOGY_2:
		entry->edx = vcpu; /* x2APIC ID */
		break;
	case LEAF_AMD_APIC:
		entry->eax = vcpu; /* extended APIC ID */
		break;
	default:
		break;
	}
}

static void adjust(const struct kvm *kvm, struct kvm_cpuid_entry2 *entry, unsigned int vcpu)
{
	if (entry->function == LEAF_FEATURES)
		entry->ecx |= HYPERVISOR;
	if (!kvm->has_apics)
		return;
	if (entry->function == LEAF_KVM)
		entry->eax &= ~ASYNC_PAGE_FAULTS;
	set_number(entry, vcpu);
	if (kvm->cpus > 1)
		set_topology(entry, kvm->cpus, vcpu);
}

int kvm_set_cpuid(struct kvm *kvm, unsigned int vcpu, struct message *message)
{
	struct kvm_cpuid2 *cpuid;
	int result = 0;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return message_set(message, -ENOMEM, STATUS_INTERNAL, "out of memory");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		result = kvm_failed(message, "KVM_GET_SUPPORTED_CPUID");
	} else {
		for (uint32_t i = 0; i < cpuid->nent; i++)
			adjust(kvm, &cpuid->entries[i], vcpu);
		if (ioctl(kvm->vcpus[vcpu].fd, KVM_SET_CPUID2, cpuid) < 0)
			result = kvm_failed(message, "KVM_SET_CPUID2");
	}
	free(cpuid);
	return result;
}
