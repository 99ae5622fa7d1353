/* SPDX-License-Identifier: MIT */
/* Which CPU a guest was shown, as part of its state: for cpu_state.c. */
#ifndef VMM_CPU_FEATURES_H
#define VMM_CPU_FEATURES_H

#include "vmm/cpu_state.h"

/* Reads what CPUID tells the guest. As cpu_state_read(). */
int cpu_features_read(struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		      struct message *message);

/*
 * Shows a fresh vCPU the CPU of the state. One with a feature that this host has not is refused,
 * with leaf and register (status 65).
 */
int cpu_features_write(const struct cpu_state *state, const struct kvm *kvm, unsigned int vcpu,
		       struct message *message);

#endif
