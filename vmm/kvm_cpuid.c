/* SPDX-License-Identifier: MIT */
/*
 * The CPUID of the guest: what KVM can do, with KVM's own leaves (its clock among them), and the
 * bit that says that there is a hypervisor. (On the pvm kind CPUID in the guest shows the host
 * whatever is set here.)
 *
 * A kernel that has local APICs looks closer. KVM copies numbers of the processor that it was asked
 * on: here a CPU's own number is that of its APIC. And KVM offers to tell the guest which page it
 * waits for, so that it may do something else; that is taken back, since a miss shall stop the
 * vCPU.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "vmm/kvm.h"
#include "vmm/status.h"

#define CPUID_ENTRIES 256

#define LEAF_FEATURES	0x1u
#define LEAF_TOPOLOGY	0xbu
#define LEAF_TOPOLOGY_2 0x1fu
#define LEAF_KVM	0x40000001u
#define LEAF_AMD_APIC	0x8000001eu

#define HYPERVISOR (1u << 31) /* LEAF_FEATURES, ecx */

/* LEAF_KVM, eax; numbers of <asm/kvm_para.h>, whose third is missing in older headers. */
#define ASYNC_PAGE_FAULTS (1u << 4 | 1u << 10 | 1u << 14)

static void adjust(struct kvm_cpuid_entry2 *entry, bool has_apics, unsigned int vcpu)
{
	switch (entry->function) {
	case LEAF_FEATURES:
		entry->ecx |= HYPERVISOR;
		if (has_apics)
			entry->ebx = (entry->ebx & 0x00ffffff) | vcpu << 24; /* initial APIC ID */
		break;
	case LEAF_TOPOLOGY:
	case LEAF_TOPOLOGY_2:
		if (has_apics)
			entry->edx = vcpu; /* x2APIC ID */
		break;
	case LEAF_AMD_APIC:
		if (has_apics)
			entry->eax = vcpu; /* extended APIC ID */
		break;
	case LEAF_KVM:
		if (has_apics)
			entry->eax &= ~ASYNC_PAGE_FAULTS;
		break;
	default:
		break;
	}
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
			adjust(&cpuid->entries[i], kvm->has_apics, vcpu);
		if (ioctl(kvm->vcpus[vcpu].fd, KVM_SET_CPUID2, cpuid) < 0)
			result = kvm_failed(message, "KVM_SET_CPUID2");
	}
	free(cpuid);
	return result;
}
