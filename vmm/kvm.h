/* SPDX-License-Identifier: MIT */
/*
 * KVM by raw ioctls: one virtual machine with its vCPUs, and no interrupt controller unless asked
 * for.
 *
 * Functions return 0 or a negative errno with a message that names what the host lacks and the
 * fix (status 69). A struct kvm that kvm_open() filled in is released by kvm_close(), whatever
 * happened in between.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ept/ept.h"
#include "vmm/message.h"

#define KVM_DEVICE "/dev/kvm"

#define KVM_VCPUS_MAX 32

struct kvm_vcpu {
	int fd;
	struct kvm_run *run; /* shared with the kernel */
};

struct kvm {
	int fd; /* /dev/kvm; both are -1 until they are open */
	int vm;
	struct kvm_vcpu vcpus[KVM_VCPUS_MAX]; /* number i has the local APIC of ID i */
	unsigned int vcpu_count;
	unsigned int cpus; /* that CPUID tells of; 0: one. Set before vCPUs are made */
	size_t run_size;
	uint32_t slots; /* memory slots in use */
	bool has_apics; /* kvm_create_interrupts() was called */
	bool has_timer; /* and with a timer */
};

/* An ioctl has just failed: says so, by errno. Returns the negative errno. */
int kvm_failed(struct message *message, const char *what);

/* Opens the device and checks that it speaks API version 12. */
int kvm_open(struct kvm *kvm, struct message *message);

/* Closes whatever is open. Safe on a struct that kvm_open() failed on. */
void kvm_close(struct kvm *kvm);

int kvm_create_vm(struct kvm *kvm, struct message *message);

/* Puts [address, address + size) of this process at gpa; all three are multiples of 4 KiB. */
int kvm_add_memory(struct kvm *kvm, gpa_t gpa, uint64_t size, void *address,
		   struct message *message);

/* The same for the slot of that number, of which there may be one: size 0 removes it. */
int kvm_set_memory(const struct kvm *kvm, uint32_t slot, gpa_t gpa, uint64_t size, void *address,
		   struct message *message);

/*
 * Gives the machine the interrupt controllers of a PC (two 8259s, an I/O APIC, a local APIC for
 * each vCPU), all in the kernel: a vCPU that executes HLT then waits there. Before vCPUs are made.
 * With `timer` it has that of a PC as well (PIT): a Linux that finds no table of the processors
 * (ACPI or MP) leaves the local APIC's timer alone.
 */
int kvm_create_interrupts(struct kvm *kvm, bool timer, struct message *message);

/* Sets the level of an ISA interrupt. Only after kvm_create_interrupts(). */
void kvm_set_interrupt(struct kvm *kvm, unsigned int number, bool high);

/* What kvm_create_vcpu() does about CPUID; what the guest sees stands in kvm_cpuid.c. */
int kvm_set_cpuid(struct kvm *kvm, unsigned int vcpu, struct message *message);

/* Creates the next vCPU, shows it the CPUID that KVM supports, maps its run area. */
int kvm_create_vcpu(struct kvm *kvm, struct message *message);

/* How many vCPUs a VM can have. */
unsigned int kvm_vcpus_max(const struct kvm *kvm);

/*
 * The states in which kernels are entered, on vCPU 0.
 *
 * That in which a PVH kernel is entered (Xen, docs/misc/pvh.pandoc): 32-bit protected mode,
 * paging off, flat segments, interrupts off, ebx = gPA of the start info. Both are below 4 GiB.
 */
int kvm_set_pvh_state(struct kvm *kvm, uint32_t entry, uint32_t start_info,
		      struct message *message);

/* The same but for eax, the magic number of a loader, and ebx, its information (multiboot 3.2). */
int kvm_set_multiboot_state(struct kvm *kvm, uint32_t entry, uint32_t information,
			    struct message *message);

/*
 * The state in which Linux is entered by its 64-bit boot protocol
 * (Documentation/arch/x86/boot.rst): long mode with the tables at `tables` under cr3, the
 * descriptors at `descriptors`, interrupts off, rsi = gPA of the zero page. All are below 4 GiB.
 */
struct kvm_linux_state {
	uint32_t entry;
	uint32_t zero_page;
	uint32_t tables;
	uint32_t descriptors;
};

#define KVM_LINUX_CODE	      2 /* numbers of the two descriptors: selectors 0x10 and 0x18 */
#define KVM_LINUX_DATA	      3
#define KVM_LINUX_DESCRIPTORS 4

int kvm_set_linux_state(struct kvm *kvm, const struct kvm_linux_state *state,
			struct message *message);

/* Where a CPU begins that another one has started: ABI_PORT_CPU in guest/abi.h. */
struct kvm_start_state {
	uint64_t cr3;
	uint64_t rip;
	uint64_t rsp;
};

/*
 * Puts vCPU `vcpu`, which has not run, into that state, all else as of `from`, which has left
 * KVM_RUN. To be called by the thread that runs `from`. The state may be anything: a negative errno
 * if KVM does not take it.
 */
int kvm_start_vcpu(struct kvm *kvm, unsigned int vcpu, unsigned int from,
		   const struct kvm_start_state *state);

/*
 * Completes the access that the vCPU left KVM_RUN for and whose data are there, which KVM does when
 * it is entered again; the guest goes no further. Further accesses of the same instruction, as far
 * as it is patient, are those of a guest that has ended: nobody serves them.
 */
void kvm_complete(struct kvm_vcpu *vcpu);

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
