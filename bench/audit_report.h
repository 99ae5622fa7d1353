/* SPDX-License-Identifier: MIT */
/* `twostage measure --audit TRACE` behind its options (audit.h): reads, prints, writes JSON. */
#ifndef BENCH_AUDIT_REPORT_H
#define BENCH_AUDIT_REPORT_H

#include "bench/measure_options.h"

/*
 * Replays options->audit; caches that are not chosen are those of skylake. The table goes to
 * standard output unless the JSON does. 0, or a negative errno and the message.
 */
int audit_command(const struct measure_options *options, struct message *message);

#endif
