/* SPDX-License-Identifier: MIT */
/*
 * KVM by raw ioctls: one virtual machine with one vCPU and no interrupt controller.
 *
 * Functions return 0 or a negative errno with a message that names what the host lacks and the
 * fix (status 69). A struct kvm that kvm_open() filled in is released by kvm_close(), whatever
 * happened in between.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "ept/ept.h"
#include "vmm/message.h"

#define KVM_DEVICE "/dev/kvm"

struct kvm {
	int fd; /* /dev/kvm; all three are -1 until they are open */
	int vm;
	int vcpu;
	struct kvm_run *run; /* shared with the kernel; NULL until there is a vCPU */
	size_t run_size;
	uint32_t slots; /* memory slots in use */
};

/* Opens the device and checks that it speaks API version 12. */
int kvm_open(struct kvm *kvm, struct message *message);

/* Closes whatever is open. Safe on a struct that kvm_open() failed on. */
void kvm_close(struct kvm *kvm);

int kvm_create_vm(struct kvm *kvm, struct message *message);

/* Puts [address, address + size) of this process at gpa; all three are multiples of 4 KiB. */
int kvm_add_memory(struct kvm *kvm, gpa_t gpa, uint64_t size, void *address,
		   struct message *message);

/* Creates the vCPU, shows it the CPUID that KVM supports, maps its run area. */
int kvm_create_vcpu(struct kvm *kvm, struct message *message);

/*
 * The state in which a PVH kernel is entered (Xen, docs/misc/pvh.pandoc): 32-bit protected mode,
 * paging off, flat segments, interrupts off, ebx = gPA of the start info. Both are below 4 GiB.
 */
int kvm_set_pvh_state(struct kvm *kvm, uint32_t entry, uint32_t start_info,
		      struct message *message);

/*
 * Completes the access that the vCPU left KVM_RUN for and whose data are there, which KVM does when
 * it is entered again; the guest goes no further. Further accesses of the same instruction, as far
 * as it is patient, are those of a guest that has ended: nobody serves them.
 */
void kvm_complete(struct kvm *kvm);

/* 1 or more if the VM or device has this capability (KVM_CAP_*), 0 if not. */
int kvm_capability(const struct kvm *kvm, int capability);

/* Frequency of the guest's time stamp counter in kHz; 0 if KVM does not say. */
uint64_t kvm_tsc_khz(const struct kvm *kvm);

/* Which KVM it is; what each means stands in kvm_kind.c. */
enum kvm_kind { KVM_NONE, KVM_PVM, KVM_SVM, KVM_VMX };

/* "none", "pvm", "svm", "vmx" */
const char *kvm_kind_name(enum kvm_kind kind);

/*
 * Finds out the kind by running two instructions in a VM of its own and by the modules that the
 * kernel names. KVM_NONE comes with the message of what failed. Costs about a millisecond.
 */
enum kvm_kind kvm_find_kind(struct message *message);

#endif
