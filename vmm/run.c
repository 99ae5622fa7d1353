/* SPDX-License-Identifier: MIT */
/*
 * The vCPU loop.
 *
 * Who gets the vCPU out of the guest: a timer that ticks ten times a second, and the ept handler
 * when it gives up. Both send a signal to the vCPU thread, whose handler sets `immediate_exit` in
 * the run area. So there is no race: a signal before KVM_RUN makes it return at once, a signal
 * during it interrupts it, and one in a write() to a console that nobody reads interrupts that; a
 * signal that falls between two of these is followed by the next tick. What the signal meant is
 * then read from the clock and from `host_failed`.
 *
 * A vCPU that waits in the kernel for the second stage is interrupted on current kernels; on older
 * ones (6.1) as soon as the handler has resolved the miss or released it to fail.
 */
#include "vmm/run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/exits.h"
#include "vmm/machine.h"
#include "vmm/status.h"

#define TICK_NS	    100000000
#define NANOSECONDS UINT64_C(1000000000)

/* The run area of the vCPU that this thread runs; what the signal handler may touch. */
static _Thread_local struct kvm_run *volatile running;

static int kick_signal(void)
{
	return SIGRTMIN;
}

static void on_kick(int signal)
{
	struct kvm_run *run = running;

	(void)signal;
	if (run)
		__atomic_store_n(&run->immediate_exit, 1, __ATOMIC_RELAXED);
}

int run_prepare(struct message *message)
{
	/* No SA_RESTART: a blocked write() must return. */
	struct sigaction action = {.sa_handler = on_kick};

	sigemptyset(&action.sa_mask);
	if (!sigaction(kick_signal(), &action, NULL))
		return 0;
	return message_set(message, -errno, STATUS_INTERNAL, "sigaction failed: %m");
}

static void kick(const struct machine *machine)
{
	pid_t thread = __atomic_load_n(&machine->thread, __ATOMIC_ACQUIRE);

	if (thread)
		syscall(SYS_tgkill, getpid(), thread, kick_signal());
}

void run_host_failed(void *context, const char *reason, gpa_t gpa)
{
	struct machine *machine = context;

	(void)reason; /* both stay readable in struct ept */
	(void)gpa;
	__atomic_store_n(&machine->host_failed, true, __ATOMIC_RELEASE);
	kick(machine);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

/* The loop's state; machine and exit are the caller's. */
struct loop {
	struct machine *machine;
	struct machine_exit *how;
	uint64_t started;
	uint64_t deadline; /* UINT64_MAX: none */
	timer_t timer;
	bool has_timer;
};

/* Ends the run by the VMM, if something asks for it; true then. */
static bool is_over(struct loop *loop)
{
	struct machine *machine = loop->machine;

	if (__atomic_load_n(&machine->host_failed, __ATOMIC_ACQUIRE)) {
		exit_set(loop->how, STATUS_GUEST_DIED, "%s", machine->ept.failure);
		loop->how->has_address = true;
		loop->how->address = machine->ept.failure_gpa;
		return true;
	}
	if (now_ns() < loop->deadline)
		return false;
	exit_set(loop->how, STATUS_TIMEOUT, "timeout: the guest still ran after %.9g s",
		 (double)machine->config.timeout_ns / (double)NANOSECONDS);
	return true;
}

/*
 * Writes a console out, however long its reader takes, but no longer than the guest may run. True
 * if that ended the run. Standard error that cannot be written is nobody's problem: who would be
 * told?
 */
static bool flush(struct loop *loop, struct console *console)
{
	int error;

	while ((error = console_flush(console)) == -EINTR) {
		if (is_over(loop))
			return true;
	}
	if (!error || console == &loop->machine->err)
		return false;
	exit_set(loop->how, STATUS_NOINPUT, "standard output: cannot write: %s", strerror(-error));
	return true;
}

static bool flush_due(struct loop *loop)
{
	struct machine *machine = loop->machine;

	return (console_is_due(&machine->out) && flush(loop, &machine->out)) ||
	       (console_is_due(&machine->err) && flush(loop, &machine->err));
}

static bool flush_all(struct loop *loop)
{
	return flush(loop, &loop->machine->err) || flush(loop, &loop->machine->out);
}

/* One exit may carry many accesses (rep outs): each is done by itself. True ends the run. */
static bool handle_port(struct loop *loop)
{
	struct machine *machine = loop->machine;
	struct devices *devices = &machine->devices;
	struct kvm_run *run = machine->kvm.run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	machine->counts.port++;
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_IN)
			devices_read(devices, run->io.port, run->io.size, data);
		else
			devices_write(devices, run->io.port, run->io.size, data);
		if (devices->exited) {
			loop->how->by = MACHINE_GUEST;
			loop->how->status = devices->exit_status;
			snprintf(loop->how->reason, sizeof(loop->how->reason), "exit");
			return true;
		}
		if (flush_due(loop))
			return true;
	}
	return false;
}

/* Nothing is outside RAM: reads give ones, writes go nowhere. */
static void handle_mmio(struct machine *machine)
{
	struct kvm_run *run = machine->kvm.run;

	machine->counts.mmio++;
	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

/* KVM_RUN did not report an exit. True ends the run. */
static bool handle_interruption(struct loop *loop, int error)
{
	struct machine *machine = loop->machine;

	if (error == EINTR || error == EAGAIN) {
		machine->counts.interruptions++;
		__atomic_store_n(&machine->kvm.run->immediate_exit, 0, __ATOMIC_RELAXED);
		return is_over(loop) || flush_all(loop);
	}
	if (is_over(loop))
		return true;
	exit_set(loop->how, STATUS_INTERNAL, "KVM_RUN failed: %s", strerror(error));
	return true;
}

/* Enters the guest once and deals with what it left for. True ends the run. */
static bool step(struct loop *loop)
{
	struct machine *machine = loop->machine;

	machine->counts.entries++;
	if (ioctl(machine->kvm.vcpu, KVM_RUN, 0) < 0)
		return handle_interruption(loop, errno);
	switch (machine->kvm.run->exit_reason) {
	case KVM_EXIT_IO:
		return handle_port(loop);
	case KVM_EXIT_MMIO:
		handle_mmio(machine);
		return false;
	case KVM_EXIT_INTR:
		return handle_interruption(loop, EINTR);
	default:
		/* A miss that was given up shows as many things; its own reason goes first. */
		if (!is_over(loop))
			exit_describe(machine, loop->how);
		return true;
	}
}

static bool start_timer(struct loop *loop)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = kick_signal()};
	struct itimerspec ticks = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};

	/* A timeout shorter than a tick is kept as well. */
	if (loop->machine->config.timeout_ns && loop->machine->config.timeout_ns < TICK_NS)
		ticks.it_value.tv_nsec = (long)loop->machine->config.timeout_ns;
	event._sigev_un._tid = loop->machine->thread;
	loop->has_timer = !timer_create(CLOCK_MONOTONIC, &event, &loop->timer) &&
			  !timer_settime(loop->timer, 0, &ticks, NULL);
	if (!loop->has_timer)
		exit_set(loop->how, STATUS_INTERNAL, "the timer cannot be set: %m");
	return loop->has_timer;
}

static void start(struct loop *loop)
{
	struct machine *machine = loop->machine;
	uint64_t timeout = machine->config.timeout_ns;

	running = machine->kvm.run;
	__atomic_store_n(&machine->thread, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	loop->started = now_ns();
	loop->deadline = timeout ? loop->started + timeout : UINT64_MAX;
}

static void finish(struct loop *loop)
{
	struct machine *machine = loop->machine;
	struct machine_exit how = *loop->how;

	machine->run_ns = now_ns() - loop->started;
	/*
	 * What the guest said still goes out. If that fails, a guest that ended by itself did not
	 * succeed after all; one that was ended keeps its reason.
	 */
	if (flush_all(loop) && how.by == MACHINE_VMM)
		*loop->how = how;
	if (loop->has_timer)
		timer_delete(loop->timer);
	__atomic_store_n(&machine->thread, 0, __ATOMIC_RELEASE);
	running = NULL;
	machine->kvm.run->immediate_exit = 0;
}

void machine_run(struct machine *machine, struct machine_exit *how)
{
	struct loop loop = {.machine = machine, .how = how};

	memset(how, 0, sizeof(*how));
	start(&loop);
	if (start_timer(&loop)) {
		while (!step(&loop))
			continue;
	}
	finish(&loop);
}
