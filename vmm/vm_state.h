/* SPDX-License-Identifier: MIT */
/*
 * The state of what all vCPUs of a machine share in KVM, in one struct without pointers: interrupt
 * controllers, a PC's timer, KVM's clock.
 */
#ifndef VMM_VM_STATE_H
#define VMM_VM_STATE_H

#include <stdint.h>

#include "vmm/kvm.h"
#include "vmm/message.h"

#define VM_STATE_CHIPS 3 /* two 8259s and the I/O APIC, by KVM's numbers */

struct vm_state {
	uint32_t has_chips;
	uint32_t has_timer;
	struct kvm_irqchip chips[VM_STATE_CHIPS]; /* if has_chips */
	struct kvm_pit_state2 timer;		  /* if has_timer */
	uint64_t clock_ns;			  /* kvmclock's; 0: KVM did not say */
};

/* Reads the state while no vCPU runs. 0, or a negative errno and the message. */
int vm_state_read(struct vm_state *state, const struct kvm *kvm, struct message *message);

/*
 * Puts it into a machine whose vCPUs have their states already: an interrupt that waits in a
 * controller goes to them. The state may be anything: what the machine has not, or KVM refuses, is
 * named (status 65).
 */
int vm_state_write(const struct vm_state *state, const struct kvm *kvm, struct message *message);

#endif
