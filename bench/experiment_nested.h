/* SPDX-License-Identifier: MIT */
/* The part of the experiment nested that a guest plays. */
#ifndef BENCH_EXPERIMENT_NESTED_H
#define BENCH_EXPERIMENT_NESTED_H

#include "bench/experiment.h"

/* Adds the claims of a guest that touches memory, or why there can be none. */
void experiment_nested_guest(struct experiment_result *result);

#endif
