/* SPDX-License-Identifier: MIT */
/* How the end of a guest is put into words. */
#ifndef VMM_EXITS_H
#define VMM_EXITS_H

#include "vmm/machine.h"

/* The run is ended by the VMM with this status and reason. */
void exit_set(struct machine_exit *how, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Describes an exit that no guest comes back from (status 125): the last one of a vCPU. */
void exit_describe(struct machine *machine, unsigned int vcpu, struct machine_exit *how);

#endif
