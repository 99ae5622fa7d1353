/* SPDX-License-Identifier: MIT */
/* What machine.c needs of the vCPU loop besides machine_run(). */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include "ept/ept.h"
#include "vmm/message.h"

/* Installs the handler of the signal that interrupts the vCPU, for this thread to receive. */
int run_prepare(struct message *message);

/* ept_config.failed of a machine: marks it, and gets its vCPU out of the guest. */
void run_host_failed(void *machine, const char *reason, gpa_t gpa);

#endif
