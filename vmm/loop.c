/* SPDX-License-Identifier: MIT */
/* What all threads of a run may do: see loop.h. */
#include "vmm/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/exits.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"

#define NANOSECONDS UINT64_C(1000000000)

uint64_t loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

void loop_wake(struct machine *machine)
{
	uint64_t one = 1;

	/* It can fail only where the count is at its end, and then it was woken. */
	(void)!write(machine->wake_fd, &one, sizeof(one));
}

void loop_host_failed(void *context, const char *reason, gpa_t gpa)
{
	struct machine *machine = context;
	pid_t keeper;

	(void)reason; /* both stay readable in struct ept */
	(void)gpa;
	__atomic_store_n(&machine->host_failed, true, __ATOMIC_RELEASE);
	loop_wake(machine);
	keeper = __atomic_load_n(&machine->keeper, __ATOMIC_ACQUIRE);
	if (keeper)
		syscall(SYS_tgkill, getpid(), keeper, gate_signal());
}

void loop_end(struct loop *loop, const struct machine_exit *how)
{
	struct machine *machine = loop->machine;

	if (gate_is_ending(&machine->gate) && !(loop->finishing && loop->how->by == MACHINE_GUEST))
		return;
	*loop->how = *how;
	gate_end(&machine->gate);
	loop_wake(machine);
}

bool loop_is_over(struct loop *loop)
{
	struct machine *machine = loop->machine;
	struct machine_exit how = {0};

	if (gate_is_ending(&machine->gate) && !loop->finishing)
		return true;
	if (__atomic_load_n(&machine->host_failed, __ATOMIC_ACQUIRE)) {
		exit_set(&how, STATUS_GUEST_DIED, "%s", machine->ept.failure);
		how.has_address = true;
		how.address = machine->ept.failure_gpa;
	} else if (loop->deadline != UINT64_MAX && loop_now_ns() - loop->paused >= loop->deadline) {
		exit_set(&how, STATUS_TIMEOUT, "timeout: the guest still ran after %.9g s",
			 (double)machine->config.timeout_ns / (double)NANOSECONDS);
	} else {
		return false;
	}
	loop_end(loop, &how);
	return true;
}

/* Standard error that cannot be written is nobody's problem: who would be told? */
bool loop_flush(struct loop *loop, struct console *console)
{
	struct machine_exit how = {0};
	int error;

	while ((error = console_flush(console)) == -EINTR) {
		if (loop_is_over(loop))
			return true;
	}
	if (!error || console == &loop->machine->err)
		return false;
	exit_set(&how, STATUS_NOINPUT, "standard output: cannot write: %s", strerror(-error));
	loop_end(loop, &how);
	return true;
}

bool loop_snapshot_is_due(const struct loop *loop)
{
	const struct machine *machine = loop->machine;

	return snapshot_is_due(machine->config.snapshot, &machine->devices,
			       loop_now_ns() - loop->started);
}
