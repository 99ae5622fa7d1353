/* SPDX-License-Identifier: MIT */
/* The part of the experiment flood that guests play. */
#ifndef BENCH_EXPERIMENT_FLOOD_H
#define BENCH_EXPERIMENT_FLOOD_H

#include "bench/experiment.h"

/* Adds the claims of a program and of a kernel that flood tables, or why there can be none. */
void experiment_flood_guests(struct experiment_result *result);

#endif
