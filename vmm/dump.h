/* SPDX-License-Identifier: MIT */
/*
 * What is said about a guest that died or ran out of time: the reason, the registers of its CPUs,
 * the one first that ended it, and for the
 * addresses that matter (instruction pointer, CR2, the gPA that failed) both stages of their
 * translation, probe by probe.
 */
#ifndef VMM_DUMP_H
#define VMM_DUMP_H

#include <stdio.h>

#include "vmm/machine.h"

void dump_write(FILE *stream, struct machine *machine, const struct machine_exit *how);

#endif
