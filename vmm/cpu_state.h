/* SPDX-License-Identifier: MIT */
/*
 * The state of a vCPU, as KVM gives and takes it, in one struct without pointers.
 *
 * Time. The guest's time stamp counter goes on from where it stood, if KVM can set it. On the pvm
 * kind it is the host's and cannot be set: a guest that goes on sees the time that has passed in
 * between. It never goes back: where it would (a snapshot from before the host was started), the
 * state is refused.
 */
#ifndef VMM_CPU_STATE_H
#define VMM_CPU_STATE_H

#include <stdint.h>

#include "vmm/kvm.h"
#include "vmm/message.h"

#define CPU_STATE_MSRS	256
#define CPU_STATE_CPUID 256

struct cpu_state {
	struct kvm_regs registers;
	struct kvm_sregs special;
	uint8_t extended[4096]; /* as in struct kvm_xsave, if has_xsave; else there is fpu alone */
	struct kvm_fpu fpu;
	struct kvm_xcrs controls; /* if has_xcrs */
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_mp_state running;
	struct kvm_lapic_state apic; /* if has_apic */
	uint32_t has_apic;
	uint32_t is_started; /* it may go into the guest (gate.h) */
	uint32_t has_xsave;
	uint32_t has_xcrs;
	uint64_t tsc;
	uint64_t tsc_ahead; /* of the counter of vCPU 0 */
	uint64_t tsc_khz;
	uint32_t msr_count;
	uint32_t cpuid_count;
	struct kvm_msr_entry msrs[CPU_STATE_MSRS]; /* that KVM names, but the counter */
	struct kvm_cpuid_entry2 cpuid[CPU_STATE_CPUID];
};

/*
 * Reads the state of a vCPU that has left KVM_RUN and has no access to complete. 0, or a negative
 * errno and the message.
 */
int cpu_state_read(struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		   struct message *message);

/*
 * Puts a state into a vCPU that has not run, those of the vCPUs in the order of their numbers. The
 * state may be anything: what KVM or this host refuses is named (status 65).
 */
int cpu_state_write(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		    struct message *message);

#endif
