/* SPDX-License-Identifier: MIT */
/* What CPUID tells a guest, and what of it is different for a PC. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <sys/ioctl.h>

#include "vmm/kvm.h"

#define ENTRIES 256

static struct kvm kvm;
static struct message message;

/* Skips the test where there is no KVM. */
static struct kvm_cpuid2 *read_cpuid(bool pc)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

	cr_assert(cpuid);
	cpuid->nent = ENTRIES;
	if (kvm_open(&kvm, &message) || kvm_create_vm(&kvm, &message))
		cr_skip_test("%s", message.text);
	if (pc)
		cr_assert_eq(kvm_create_interrupts(&kvm, true, &message), 0, "%s", message.text);
	cr_assert_eq(kvm_create_vcpu(&kvm, &message), 0, "%s", message.text);
	cr_assert_eq(ioctl(kvm.vcpus[0].fd, KVM_GET_CPUID2, cpuid), 0);
	kvm_close(&kvm);
	return cpuid;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *cpuid, uint32_t function)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == function)
			return &cpuid->entries[i];
	}
	return NULL;
}

Test(kvm_cpuid, every_guest_sees_a_hypervisor, .timeout = 30)
{
	for (int pc = 0; pc <= 1; pc++) {
		struct kvm_cpuid2 *cpuid = read_cpuid(pc);

		cr_expect(find(cpuid, 1)->ecx & 1u << 31);
		free(cpuid);
	}
}

Test(kvm_cpuid, a_pc_has_processor_0_and_the_clock_but_no_asynchronous_faults, .timeout = 30)
{
	struct kvm_cpuid2 *cpuid = read_cpuid(true);
	const struct kvm_cpuid_entry2 *features = find(cpuid, 0x40000001);

	cr_expect_eq(find(cpuid, 1)->ebx >> 24, 0);
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 0xb)
			cr_expect_eq(cpuid->entries[i].edx, 0);
	}
	cr_assert(features);
	cr_expect(features->eax & 1u << 3, "clock");
	cr_expect_not(features->eax & (1u << 4 | 1u << 10 | 1u << 14));
	free(cpuid);
}

Test(kvm_cpuid, each_cpu_has_its_own_number, .timeout = 30)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

	cr_assert(cpuid);
	if (kvm_open(&kvm, &message) || kvm_create_vm(&kvm, &message))
		cr_skip_test("%s", message.text);
	cr_assert_eq(kvm_create_interrupts(&kvm, false, &message), 0, "%s", message.text);
	for (unsigned int vcpu = 0; vcpu < 3; vcpu++) {
		cr_assert_eq(kvm_create_vcpu(&kvm, &message), 0, "%s", message.text);
		cpuid->nent = ENTRIES;
		cr_assert_eq(ioctl(kvm.vcpus[vcpu].fd, KVM_GET_CPUID2, cpuid), 0);
		cr_expect_eq(find(cpuid, 1)->ebx >> 24, vcpu);
		for (uint32_t i = 0; i < cpuid->nent; i++) {
			if (cpuid->entries[i].function == 0xb)
				cr_expect_eq(cpuid->entries[i].edx, vcpu);
			if (cpuid->entries[i].function == 0x8000001e)
				cr_expect_eq(cpuid->entries[i].eax, vcpu);
		}
	}
	kvm_close(&kvm);
	free(cpuid);
}

Test(kvm_cpuid, several_cpus_are_cores_of_one_package, .timeout = 30)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

	cr_assert(cpuid);
	if (kvm_open(&kvm, &message) || kvm_create_vm(&kvm, &message))
		cr_skip_test("%s", message.text);
	cr_assert_eq(kvm_create_interrupts(&kvm, false, &message), 0, "%s", message.text);
	kvm.cpus = 6;
	cr_assert_eq(kvm_create_vcpu(&kvm, &message), 0, "%s", message.text);
	cpuid->nent = ENTRIES;
	cr_assert_eq(ioctl(kvm.vcpus[0].fd, KVM_GET_CPUID2, cpuid), 0);
	cr_expect_eq(find(cpuid, 1)->ebx >> 16 & 0xff, 6);
	cr_expect(find(cpuid, 1)->edx & 1u << 28);
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == 0xb && entry->index == 0)
			cr_expect(entry->eax == 0 && entry->ebx == 1 && entry->ecx == 0x100);
		if (entry->function == 0xb && entry->index == 1)
			cr_expect(entry->eax == 3 && entry->ebx == 6 && entry->ecx == 0x201);
		if (entry->function == 0x80000008)
			cr_expect_eq(entry->ecx & 0xf0ff, 0x3005);
	}
	kvm_close(&kvm);
	free(cpuid);
}
