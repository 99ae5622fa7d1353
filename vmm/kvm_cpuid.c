/* SPDX-License-Identifier: MIT */
/*
 * The CPUID of the guest: what KVM can do, with KVM's own leaves (its clock among them), and the
 * bit that says that there is a hypervisor. (On the pvm kind CPUID in the guest shows the host
 * whatever is set here.)
 *
 * A PC's kernel looks closer. KVM copies numbers of the processor that it was asked on: there is
 * one here, number 0. And KVM offers to tell the guest which page it waits for, so that it may do
 * something else; that is taken back, since a miss shall stop the vCPU.
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

static void adjust(struct kvm_cpuid_entry2 *entry, bool is_pc)
{
	switch (entry->function) {
	case LEAF_FEATURES:
		entry->ecx |= HYPERVISOR;
		if (is_pc)
			entry->ebx &= 0x00ffffff; /* initial APIC ID */
		break;
	case LEAF_TOPOLOGY:
	case LEAF_TOPOLOGY_2:
		if (is_pc)
			entry->edx = 0; /* x2APIC ID */
		break;
	case LEAF_AMD_APIC:
		if (is_pc)
			entry->eax = 0; /* extended APIC ID */
		break;
	case LEAF_KVM:
		if (is_pc)
			entry->eax &= ~ASYNC_PAGE_FAULTS;
		break;
	default:
		break;
	}
}

int kvm_set_cpuid(struct kvm *kvm, struct message *message)
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
			adjust(&cpuid->entries[i], kvm->is_pc);
		if (ioctl(kvm->vcpu, KVM_SET_CPUID2, cpuid) < 0)
			result = kvm_failed(message, "KVM_SET_CPUID2");
	}
	free(cpuid);
	return result;
}
