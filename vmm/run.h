/* SPDX-License-Identifier: MIT */
/* What machine.c needs of a run (loop.h) besides machine_run(). */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include "ept/ept.h"

/* ept_config.failed of a machine: marks it, and has its run ended. */
void run_host_failed(void *machine, const char *reason, gpa_t gpa);

#endif
