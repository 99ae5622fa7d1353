/* SPDX-License-Identifier: MIT */
/*
 * What the threads of one run share: the thread that called machine_run(), which here is the
 * keeper, and one thread for each vCPU.
 *
 * The keeper waits for what is due: the deadline, text that a console holds back, samples, sharing,
 * a snapshot, a check of walks that a vCPU has asked for; and stops the guest for it where it must
 * (gate.h). A vCPU's thread serves its exits. machine->lock is held by whoever uses devices,
 * consoles or the check's counter.
 *
 * Nobody waits for that lock for ever. Who holds it may be in a write() that nobody reads; the
 * deadline and the guest's end get it out of there (gate_wait(), and a timer for the keeper), and
 * the keeper itself only tries the lock while vCPUs are inside.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/machine.h"

struct loop {
	struct machine *machine;
	struct machine_exit *how; /* the first end of the run; under machine->lock */
	uint64_t started;
	uint64_t deadline; /* UINT64_MAX: none */
	/* When the consoles shall be written out; UINT64_MAX: they hold nothing. Atomic. */
	uint64_t flush_at;
	uint64_t paused; /* how long the guest was kept from running; written while it is */
	/* Set by a vCPU that has shut the gate, for the keeper, which opens it again: */
	bool wants_check; /* of walks, on */
	unsigned int check_vcpu;
	bool finishing; /* no vCPU is inside, and none will be */
};

/* CLOCK_MONOTONIC */
uint64_t loop_now_ns(void);

/* Gets the keeper to look what there is to do. */
void loop_wake(struct machine *machine);

/*
 * Ends the run as `how` says, unless it has been ended; but a guest that ended by itself has not
 * succeeded if something fails while the run is `finishing`. machine->lock is held.
 */
void loop_end(struct loop *loop, const struct machine_exit *how);

/*
 * Ends the run if something asks for it; true if it has ended, whoever did that. machine->lock is
 * held.
 */
bool loop_is_over(struct loop *loop);

/*
 * Writes a console out, however long its reader takes, but no longer than the guest may run. True
 * if the run is over. machine->lock is held.
 */
bool loop_flush(struct loop *loop, struct console *console);

/* Whether a snapshot is due now. machine->lock is held. */
bool loop_snapshot_is_due(const struct loop *loop);

/* ept_config.failed of a machine: marks it, and has its run ended. */
void loop_host_failed(void *machine, const char *reason, gpa_t gpa);

/* What a vCPU's thread does, from before its first entry to the guest's end (vcpu.c). */
void vcpu_run(struct loop *loop, unsigned int number);

#endif
