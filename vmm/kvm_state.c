/* SPDX-License-Identifier: MIT */
/* The states in which kernels are entered. */
#include <errno.h>
#include <sys/ioctl.h>

#include "vmm/kvm.h"

#define CR0_PE UINT64_C(0x1)
#define CR0_ET UINT64_C(0x10)
#define CR0_PG UINT64_C(0x80000000)

#define CR4_PAE UINT64_C(0x20)

#define EFER_LME UINT64_C(0x100)
#define EFER_LMA UINT64_C(0x400)

#define MULTIBOOT_LOADER 0x2badb002u

/* A flat segment: base 0, limit 4 GiB; `type` as in the low byte of a descriptor's attributes. */
static struct kvm_segment flat_segment(uint8_t type, uint16_t selector)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

/* Flat segments with these selectors, no descriptor tables, paging and interrupts off. */
static void set_flat(struct kvm_sregs *special, uint16_t code, uint16_t data)
{
	special->cs = flat_segment(0xb, code); /* attributes 0xc9b: code, read, accessed */
	special->ds = flat_segment(0x3, data); /* attributes 0xc93: data, write, accessed */
	special->es = special->ss = special->fs = special->gs = special->ds;
	special->tr = (struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1}; /* 0x8b */
	special->ldt = (struct kvm_segment){.type = 0x2, .unusable = 1};
	special->gdt = (struct kvm_dtable){0};
	special->idt = (struct kvm_dtable){0};
	special->cr0 = CR0_PE | CR0_ET;
	special->cr3 = 0;
	special->cr4 = 0;
	special->efer = 0;
}

static int set_state(struct kvm *kvm, const struct kvm_sregs *special,
		     const struct kvm_regs *registers, struct message *message)
{
	if (ioctl(kvm->vcpus[0].fd, KVM_SET_SREGS, special) < 0)
		return kvm_failed(message, "KVM_SET_SREGS");
	if (ioctl(kvm->vcpus[0].fd, KVM_SET_REGS, registers) < 0)
		return kvm_failed(message, "KVM_SET_REGS");
	return 0;
}

static int set_protected_state(struct kvm *kvm, const struct kvm_regs *registers,
			       struct message *message)
{
	struct kvm_sregs special;

	if (ioctl(kvm->vcpus[0].fd, KVM_GET_SREGS, &special) < 0)
		return kvm_failed(message, "KVM_GET_SREGS");
	set_flat(&special, 0x8, 0x10);
	return set_state(kvm, &special, registers, message);
}

int kvm_set_pvh_state(struct kvm *kvm, uint32_t entry, uint32_t start_info, struct message *message)
{
	struct kvm_regs registers = {.rip = entry, .rbx = start_info, .rflags = 2};

	return set_protected_state(kvm, &registers, message);
}

int kvm_set_multiboot_state(struct kvm *kvm, uint32_t entry, uint32_t information,
			    struct message *message)
{
	struct kvm_regs registers = {
		.rip = entry, .rax = MULTIBOOT_LOADER, .rbx = information, .rflags = 2};

	return set_protected_state(kvm, &registers, message);
}

int kvm_set_linux_state(struct kvm *kvm, const struct kvm_linux_state *state,
			struct message *message)
{
	struct kvm_regs registers = {.rip = state->entry, .rsi = state->zero_page, .rflags = 2};
	struct kvm_sregs special;

	if (ioctl(kvm->vcpus[0].fd, KVM_GET_SREGS, &special) < 0)
		return kvm_failed(message, "KVM_GET_SREGS");
	set_flat(&special, KVM_LINUX_CODE * 8, KVM_LINUX_DATA * 8);
	special.cs.l = 1;
	special.cs.db = 0;
	special.gdt.base = state->descriptors;
	special.gdt.limit = KVM_LINUX_DESCRIPTORS * 8 - 1;
	special.cr0 |= CR0_PG;
	special.cr3 = state->tables;
	special.cr4 = CR4_PAE;
	special.efer = EFER_LME | EFER_LMA;
	return set_state(kvm, &special, &registers, message);
}

/* What the CPU that is started takes over; its local APIC's address and flags stay its own. */
static void take_over(struct kvm_sregs *to, const struct kvm_sregs *from)
{
	to->cs = from->cs;
	to->ds = from->ds;
	to->es = from->es;
	to->fs = from->fs;
	to->gs = from->gs;
	to->ss = from->ss;
	to->tr = from->tr;
	to->ldt = from->ldt;
	to->gdt = from->gdt;
	to->idt = from->idt;
	to->cr0 = from->cr0;
	to->cr4 = from->cr4;
	to->efer = from->efer;
}

int kvm_start_vcpu(struct kvm *kvm, unsigned int vcpu, unsigned int from,
		   const struct kvm_start_state *state)
{
	struct kvm_regs registers = {
		.rip = state->rip, .rsp = state->rsp, .rdi = vcpu, .rflags = 2};
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_sregs special, asking;
	int fd = kvm->vcpus[vcpu].fd;

	if (ioctl(kvm->vcpus[from].fd, KVM_GET_SREGS, &asking) < 0 ||
	    ioctl(fd, KVM_GET_SREGS, &special) < 0)
		return -errno;
	take_over(&special, &asking);
	special.cr3 = state->cr3;
	if (ioctl(fd, KVM_SET_SREGS, &special) < 0 || ioctl(fd, KVM_SET_REGS, &registers) < 0 ||
	    ioctl(fd, KVM_SET_MP_STATE, &runnable) < 0)
		return -errno;
	return 0;
}
