/* SPDX-License-Identifier: MIT */
/*
 * The vCPU loop.
 *
 * Who gets the vCPU out of the guest: a timer at the deadline, a timer when the console holds half
 * a line or when a snapshot is due, the ept handler when it gives up, and the reader of input. Each
 * sends a signal to the vCPU thread, whose handler sets `immediate_exit` in the run area. So there
 * is no race: a signal before KVM_RUN makes it return at once, a signal during it interrupts it,
 * and one in a write() to a console that nobody reads interrupts that. For the signal that falls
 * just before such a write(), the deadline comes again and again. What a signal meant is then read
 * from the clock and from `host_failed`.
 *
 * There is no regular tick (but with --dedup and --working-set): a signal that meets the vCPU
 * waiting for the second stage makes it miss on the same page again, and misses are what is counted
 * here.
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
#include "vmm/snapshot.h"
#include "vmm/status.h"
#include "vmm/walk_check.h"

#define FLUSH_NS    100000000 /* how long half a line may wait */
#define REPEAT_NS   100000000 /* from one signal of the deadline to the next */
#define NANOSECONDS UINT64_C(1000000000)

/* With --dedup: how often the guest is stopped for it, and how many pages are looked at then. */
#define DEDUP_NS    UINT64_C(50000000)
#define DEDUP_PAGES 2048

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

	sigset_t kicks;

	sigemptyset(&action.sa_mask);
	sigemptyset(&kicks);
	sigaddset(&kicks, kick_signal());
	/* Whoever started us may have blocked it. */
	if (!pthread_sigmask(SIG_UNBLOCK, &kicks, NULL) && !sigaction(kick_signal(), &action, NULL))
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

/* Gets the vCPU out, to give its console what was typed. */
static void input_arrived(void *context)
{
	kick(context);
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
	uint64_t paused;   /* how long the guest was kept from running since then */
	timer_t deadline_timer;
	timer_t flush_timer;
	timer_t tick_timer; /* for what is done while nobody runs the guest */
	timer_t snapshot_timer;
	unsigned int timers; /* how many of them exist, in this order */
	bool flush_is_set;   /* the flush timer will come */
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
	if (loop->deadline == UINT64_MAX || now_ns() - loop->paused < loop->deadline)
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

/* Sees to it that what the consoles still hold is not held for long. */
static void set_flush(struct loop *loop)
{
	static const struct itimerspec soon = {.it_value.tv_nsec = FLUSH_NS};
	struct machine *machine = loop->machine;

	if (loop->flush_is_set || !(machine->out.used || machine->err.used))
		return;
	timer_settime(loop->flush_timer, 0, &soon, NULL);
	loop->flush_is_set = true;
}

static void guest_exited(struct loop *loop)
{
	loop->how->by = MACHINE_GUEST;
	loop->how->status = loop->machine->devices.exit_status;
	snprintf(loop->how->reason, sizeof(loop->how->reason), "%s",
		 loop->machine->devices.exit_reason);
}

static bool is_snapshot_due(const struct loop *loop)
{
	const struct machine *machine = loop->machine;

	return snapshot_is_due(machine->config.snapshot, &machine->devices,
			       now_ns() - loop->started);
}

/*
 * Takes the snapshot if it is due; true if that ended the run. The vCPU has nothing to complete.
 * The time that it takes is none that the guest has run.
 */
static bool take_snapshot(struct loop *loop)
{
	struct machine *machine = loop->machine;
	struct message message;
	uint64_t begin;

	if (!is_snapshot_due(loop))
		return false;
	if (flush_all(loop))
		return true;
	begin = now_ns();
	if (snapshot_take(machine->config.snapshot, machine, &message)) {
		exit_set(loop->how, message.status, "%s", message.text);
		return true;
	}
	loop->paused += now_ns() - begin;
	return false;
}

/* One exit may carry many accesses (rep outs): each is done by itself. True ends the run. */
static bool serve_port(struct loop *loop)
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
			guest_exited(loop);
			return true;
		}
		if (flush_due(loop))
			return true;
	}
	set_flush(loop);
	return false;
}

/* Ends the run if a walk is wrong; true then. */
static bool walks_are_wrong(struct loop *loop)
{
	struct machine *machine = loop->machine;
	struct walk_check *check = machine->config.walk_check;

	if (!check || !walk_check_is_due(check, machine) || walk_check_stop(check, machine))
		return false;
	exit_set(loop->how, STATUS_INTERNAL, "walk check: %s", check->wrong_text);
	loop->how->has_wrong_gva = true;
	loop->how->wrong_gva = check->wrong_gva;
	return true;
}

/* True ends the run. */
static bool handle_port(struct loop *loop)
{
	bool over = serve_port(loop);

	if (over && !loop->machine->devices.exited)
		return true;
	if (walks_are_wrong(loop))
		return true;
	if (over && is_snapshot_due(loop)) {
		kvm_complete(&loop->machine->kvm);
		return take_snapshot(loop) || over;
	}
	/* The rest of the instruction first: that entry comes back by itself. */
	if (is_snapshot_due(loop))
		__atomic_store_n(&loop->machine->kvm.run->immediate_exit, 1, __ATOMIC_RELAXED);
	return over;
}

static void handle_mmio(struct machine *machine)
{
	struct kvm_run *run = machine->kvm.run;
	gpa_t gpa = run->mmio.phys_addr;
	bool is_device;

	if (run->mmio.is_write)
		is_device = machine_mmio_write(machine, gpa, run->mmio.len, run->mmio.data);
	else
		is_device = machine_mmio_read(machine, gpa, run->mmio.len, run->mmio.data);
	machine->counts.mmio += !is_device;
}

/* Nobody runs the guest now. True ends the run. */
static bool tick(struct loop *loop)
{
	struct machine *machine = loop->machine;
	int error = 0;

	if (machine->config.dedup)
		error = ept_dedup_step(&machine->ept, DEDUP_PAGES);
	if (error)
		exit_set(loop->how, STATUS_INTERNAL, "sharing of pages failed: %s",
			 strerror(-error));
	/* A sample that cannot be taken is one less. */
	(void)working_set_tick(&machine->working_set, &machine->ept, now_ns() - loop->started);
	return error;
}

/* How often there is something to do; 0: never. */
static uint64_t tick_ns(const struct machine *machine)
{
	uint64_t sample = machine->config.sample_ns;

	if (machine->config.dedup && (!sample || sample > DEDUP_NS))
		return DEDUP_NS;
	return sample;
}

/* KVM_RUN did not report an exit. True ends the run. */
static bool handle_interruption(struct loop *loop, int error)
{
	struct machine *machine = loop->machine;

	if (error == EINTR || error == EAGAIN) {
		machine->counts.interruptions++;
		__atomic_store_n(&machine->kvm.run->immediate_exit, 0, __ATOMIC_RELAXED);
		loop->flush_is_set = false;
		devices_feed(&machine->devices);
		return is_over(loop) || flush_all(loop) || tick(loop) || take_snapshot(loop);
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

static bool add_timer(struct loop *loop, timer_t *timer)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = kick_signal()};

	event._sigev_un._tid = loop->machine->thread;
	if (timer_create(CLOCK_MONOTONIC, &event, timer))
		return false;
	loop->timers++;
	return true;
}

/* If a snapshot shall be taken after so long. */
static bool start_snapshot_timer(struct loop *loop)
{
	const struct snapshot_request *request = loop->machine->config.snapshot;
	struct itimerspec due = {0};

	if (!request || request->when != SNAPSHOT_AFTER)
		return true;
	due.it_value.tv_sec = (time_t)(request->after_ns / NANOSECONDS);
	due.it_value.tv_nsec = (long)(request->after_ns % NANOSECONDS);
	return add_timer(loop, &loop->snapshot_timer) &&
	       !timer_settime(loop->snapshot_timer, 0, &due, NULL);
}

static bool start_timers(struct loop *loop)
{
	uint64_t timeout = loop->machine->config.timeout_ns;
	struct itimerspec deadline = {
		.it_value = {.tv_sec = (time_t)(timeout / NANOSECONDS),
			     .tv_nsec = (long)(timeout % NANOSECONDS)},
		.it_interval.tv_nsec = REPEAT_NS,
	};

	uint64_t interval = tick_ns(loop->machine);
	struct itimerspec tick = {.it_interval = {.tv_sec = (time_t)(interval / NANOSECONDS),
						  .tv_nsec = (long)(interval % NANOSECONDS)}};

	tick.it_value = tick.it_interval;
	/* A time of 0 leaves a timer unset, which is what it means. */
	if (add_timer(loop, &loop->deadline_timer) && add_timer(loop, &loop->flush_timer) &&
	    add_timer(loop, &loop->tick_timer) &&
	    !timer_settime(loop->deadline_timer, 0, &deadline, NULL) &&
	    !timer_settime(loop->tick_timer, 0, &tick, NULL) && start_snapshot_timer(loop))
		return true;
	exit_set(loop->how, STATUS_UNAVAILABLE,
		 "the timers cannot be set: %m; fix: raise RLIMIT_SIGPENDING");
	return false;
}

/* A PC reads standard input. */
static bool start_input(struct loop *loop)
{
	struct machine *machine = loop->machine;
	struct message message;

	if (!machine->config.pc ||
	    !input_start(&machine->input, machine->config.in_fd, input_arrived, machine, &message))
		return true;
	exit_set(loop->how, message.status, "%s", message.text);
	return false;
}

static void delete_timers(struct loop *loop)
{
	if (loop->timers > 0)
		timer_delete(loop->deadline_timer);
	if (loop->timers > 1)
		timer_delete(loop->flush_timer);
	if (loop->timers > 2)
		timer_delete(loop->tick_timer);
	if (loop->timers > 3)
		timer_delete(loop->snapshot_timer);
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

	machine->run_ns = now_ns() - loop->started - loop->paused;
	/*
	 * What the guest said still goes out. If that fails, a guest that ended by itself did not
	 * succeed after all; one that was ended keeps its reason.
	 */
	if (flush_all(loop) && how.by == MACHINE_VMM)
		*loop->how = how;
	delete_timers(loop);
	input_stop(&machine->input);
	__atomic_store_n(&machine->thread, 0, __ATOMIC_RELEASE);
	running = NULL;
	machine->kvm.run->immediate_exit = 0;
}

/*
 * Before the vCPU is entered: a guest that had ended when its snapshot was taken ends again, and a
 * kernel's first instruction is next. True ends the run.
 */
static bool begin(struct loop *loop)
{
	bool over = loop->machine->devices.exited;

	if (over)
		guest_exited(loop);
	return (is_snapshot_due(loop) && take_snapshot(loop)) || over;
}

void machine_run(struct machine *machine, struct machine_exit *how)
{
	struct loop loop = {.machine = machine, .how = how};

	memset(how, 0, sizeof(*how));
	start(&loop);
	if (start_timers(&loop) && start_input(&loop) && !begin(&loop)) {
		while (!step(&loop))
			continue;
	}
	finish(&loop);
}
