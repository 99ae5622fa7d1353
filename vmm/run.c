/* SPDX-License-Identifier: MIT */
/*
 * The keeper of a run: see loop.h.
 *
 * There is no regular tick (but with --dedup and --working-set), and text that waits in a console
 * is written out by the keeper itself: a signal that meets a vCPU waiting for the second stage
 * makes it miss on the same page again, and misses are what is counted here.
 *
 * A vCPU that waits in the kernel for the second stage is interrupted on current kernels; on older
 * ones (6.1) as soon as the handler has resolved the miss or released it to fail.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/exits.h"
#include "vmm/loop.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"
#include "vmm/walk_check.h"

#define REPEAT_NS   100000000	       /* from one signal of the deadline to the next */
#define RETRY_NS    UINT64_C(10000000) /* until a console that is in use is tried again */
#define NANOSECONDS UINT64_C(1000000000)

/* With --dedup: how often the guest is stopped for it, and how many pages are looked at then. */
#define DEDUP_NS    UINT64_C(50000000)
#define DEDUP_PAGES 2048

/* What a vCPU's thread is told. */
struct vcpu_start {
	struct loop *loop;
	unsigned int number;
};

/* The keeper's part of the loop. */
struct keeper {
	struct loop loop;
	uint64_t tick_ns; /* how often there is something to do while nobody runs the guest; 0 */
	uint64_t tick_at;
	uint64_t snapshot_at; /* UINT64_MAX: at no time */
	timer_t timer;	      /* gets the keeper out of a write() at the deadline, and again */
	bool has_timer;
	unsigned int threads; /* of vCPUs */
	pthread_t thread[KVM_VCPUS_MAX];
	struct vcpu_start starts[KVM_VCPUS_MAX];
};

/* Gives the console what was typed; the interrupt that this makes wakes the guest. */
static void input_arrived(void *context)
{
	struct machine *machine = context;

	pthread_mutex_lock(&machine->lock);
	devices_feed(&machine->devices);
	pthread_mutex_unlock(&machine->lock);
}

static bool flush_all(struct loop *loop)
{
	return loop_flush(loop, &loop->machine->err) || loop_flush(loop, &loop->machine->out);
}

/* Nobody runs the guest meanwhile, as in what follows up to stop(). */
static void tick(struct keeper *keeper)
{
	struct machine *machine = keeper->loop.machine;
	uint64_t now = loop_now_ns();
	struct machine_exit how = {0};
	int error = 0;

	if (now < keeper->tick_at)
		return;
	keeper->tick_at = now + keeper->tick_ns;
	if (machine->config.dedup)
		error = ept_dedup_step(&machine->ept, DEDUP_PAGES);
	/* A sample that cannot be taken is one less. */
	(void)working_set_tick(&machine->working_set, &machine->ept, now - keeper->loop.started);
	if (!error)
		return;
	exit_set(&how, STATUS_INTERNAL, "sharing of pages failed: %s", strerror(-error));
	loop_end(&keeper->loop, &how);
}

/* Ends the run if a walk is wrong. */
static void check_walks(struct loop *loop, unsigned int vcpu)
{
	struct machine *machine = loop->machine;
	struct walk_check *check = machine->config.walk_check;
	struct machine_exit how = {.vcpu = vcpu};

	if (walk_check_stop(check, machine, vcpu))
		return;
	exit_set(&how, STATUS_INTERNAL, "walk check: %s", check->wrong_text);
	how.has_wrong_gva = true;
	how.wrong_gva = check->wrong_gva;
	loop_end(loop, &how);
}

/* Takes the snapshot if it is due. The time that this takes is none that the guest has run. */
static void take_snapshot(struct keeper *keeper)
{
	struct loop *loop = &keeper->loop;
	struct machine *machine = loop->machine;
	struct machine_exit how = {0};
	struct message message;
	uint64_t begin;

	if (!loop_snapshot_is_due(loop) || loop_is_over(loop) || flush_all(loop))
		return;
	begin = loop_now_ns();
	if (snapshot_take(machine->config.snapshot, machine, &message)) {
		exit_set(&how, message.status, "%s", message.text);
		loop_end(loop, &how);
	}
	loop->paused += loop_now_ns() - begin;
	keeper->snapshot_at = UINT64_MAX;
}

/* Stops the guest, for all that needs that. */
static void stop(struct keeper *keeper)
{
	struct loop *loop = &keeper->loop;
	struct machine *machine = loop->machine;

	gate_close(&machine->gate);
	gate_wait(&machine->gate);
	pthread_mutex_lock(&machine->lock);
	if (keeper->tick_ns)
		tick(keeper);
	if (loop->wants_check)
		check_walks(loop, loop->check_vcpu);
	loop->wants_check = false;
	take_snapshot(keeper);
	pthread_mutex_unlock(&machine->lock);
	gate_open(&machine->gate);
}

/* Writes out what the consoles hold, unless a vCPU is at it. */
static void flush_held(struct loop *loop)
{
	struct machine *machine = loop->machine;

	if (pthread_mutex_trylock(&machine->lock)) {
		__atomic_store_n(&loop->flush_at, loop_now_ns() + RETRY_NS, __ATOMIC_RELAXED);
		return;
	}
	__atomic_store_n(&loop->flush_at, UINT64_MAX, __ATOMIC_RELAXED);
	flush_all(loop);
	pthread_mutex_unlock(&machine->lock);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the keeper has something to do, if nobody wakes it before. */
static uint64_t next_due(const struct keeper *keeper)
{
	const struct loop *loop = &keeper->loop;
	uint64_t due =
		earlier(keeper->snapshot_at, __atomic_load_n(&loop->flush_at, __ATOMIC_RELAXED));

	if (loop->deadline != UINT64_MAX)
		due = earlier(due, loop->deadline + loop->paused);
	return keeper->tick_ns ? earlier(due, keeper->tick_at) : due;
}

static void wait_until(struct machine *machine, uint64_t due)
{
	struct pollfd wake = {.fd = machine->wake_fd, .events = POLLIN};
	uint64_t now = loop_now_ns(), left = due > now ? due - now : 0, count;
	struct timespec timeout = {.tv_sec = (time_t)(left / NANOSECONDS),
				   .tv_nsec = (long)(left % NANOSECONDS)};

	if (ppoll(&wake, 1, due == UINT64_MAX ? NULL : &timeout, NULL) > 0)
		(void)!read(machine->wake_fd, &count, sizeof(count));
}

/* Looks for the end where a vCPU may hold the lock, in a write() that only its end gets it out of.
 */
static bool is_over(struct loop *loop)
{
	struct machine *machine = loop->machine;

	if (!gate_is_ending(&machine->gate) &&
	    !__atomic_load_n(&machine->host_failed, __ATOMIC_ACQUIRE) &&
	    (loop->deadline == UINT64_MAX || loop_now_ns() - loop->paused < loop->deadline))
		return false;
	/* Whoever holds the lock finds out the same, once it is interrupted. */
	gate_close(&machine->gate);
	gate_wait(&machine->gate);
	pthread_mutex_lock(&machine->lock);
	(void)loop_is_over(loop);
	pthread_mutex_unlock(&machine->lock);
	return true;
}

/* While the guest runs. */
static void keep(struct keeper *keeper)
{
	struct loop *loop = &keeper->loop;
	struct machine *machine = loop->machine;

	while (!is_over(loop)) {
		uint64_t now = loop_now_ns();

		if (now >= __atomic_load_n(&loop->flush_at, __ATOMIC_RELAXED))
			flush_held(loop);
		else if (!gate_is_open(&machine->gate) || now >= keeper->snapshot_at ||
			 (keeper->tick_ns && now >= keeper->tick_at))
			stop(keeper);
		else
			wait_until(machine, next_due(keeper));
	}
}

static void *vcpu_thread(void *context)
{
	struct vcpu_start *start = context;

	vcpu_run(start->loop, start->number);
	return NULL;
}

/* Signals of the process are the keeper's; each vCPU has a CPU of its own as far as there are. */
static int start_thread(struct keeper *keeper, unsigned int number)
{
	const struct pin *pin = &keeper->loop.machine->pin;
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error)
		return error;
	keeper->starts[number] = (struct vcpu_start){&keeper->loop, number};
	error = pin_attributes(pin, number, &attributes);
	if (!error)
		error = pthread_create(&keeper->thread[number], &attributes, vcpu_thread,
				       &keeper->starts[number]);
	pthread_attr_destroy(&attributes);
	return error;
}

static void start_threads(struct keeper *keeper)
{
	struct machine *machine = keeper->loop.machine;
	struct machine_exit how = {0};
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	sigdelset(&all, gate_signal());
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (keeper->threads < machine->kvm.vcpu_count && !error) {
		error = start_thread(keeper, keeper->threads);
		keeper->threads += !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		return;
	exit_set(&how, STATUS_UNAVAILABLE,
		 "a thread for a vCPU cannot be made: %s; fix: raise RLIMIT_NPROC",
		 strerror(error));
	loop_end(&keeper->loop, &how);
}

/* How often there is something to do; 0: never. */
static uint64_t tick_ns(const struct machine *machine)
{
	uint64_t sample = machine->config.sample_ns;

	if (machine->config.dedup && (!sample || sample > DEDUP_NS))
		return DEDUP_NS;
	return sample;
}

static void set_times(struct keeper *keeper)
{
	struct loop *loop = &keeper->loop;
	const struct machine_config *config = &loop->machine->config;
	uint64_t now = loop_now_ns();

	loop->started = now;
	loop->deadline = config->timeout_ns ? now + config->timeout_ns : UINT64_MAX;
	loop->flush_at = UINT64_MAX;
	keeper->tick_ns = tick_ns(loop->machine);
	keeper->tick_at = now + keeper->tick_ns;
	keeper->snapshot_at = UINT64_MAX;
	if (config->snapshot && config->snapshot->when == SNAPSHOT_AFTER)
		keeper->snapshot_at = now + config->snapshot->after_ns;
}

static void start_timer(struct keeper *keeper)
{
	struct machine *machine = keeper->loop.machine;
	uint64_t timeout = machine->config.timeout_ns;
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = gate_signal()};
	struct itimerspec deadline = {
		.it_value = {.tv_sec = (time_t)(timeout / NANOSECONDS),
			     .tv_nsec = (long)(timeout % NANOSECONDS)},
		.it_interval.tv_nsec = REPEAT_NS,
	};
	struct machine_exit how = {0};

	event._sigev_un._tid = machine->keeper;
	keeper->has_timer = !timer_create(CLOCK_MONOTONIC, &event, &keeper->timer);
	/* A time of 0 leaves a timer unset, which is what it means. */
	if (keeper->has_timer && !timer_settime(keeper->timer, 0, &deadline, NULL))
		return;
	exit_set(&how, STATUS_UNAVAILABLE,
		 "the timer cannot be set: %m; fix: raise RLIMIT_SIGPENDING");
	loop_end(&keeper->loop, &how);
}

/* A PC reads standard input. */
static void start_input(struct loop *loop)
{
	struct machine *machine = loop->machine;
	struct machine_exit how = {0};
	struct message message;

	if (!machine->config.pc ||
	    !input_start(&machine->input, machine->config.in_fd, input_arrived, machine, &message))
		return;
	exit_set(&how, message.status, "%s", message.text);
	loop_end(loop, &how);
}

/*
 * Before vCPUs are entered: a guest that had ended when its snapshot was taken ends again, and a
 * kernel's first instruction is next.
 */
static void start(struct keeper *keeper)
{
	struct loop *loop = &keeper->loop;
	struct machine *machine = loop->machine;
	struct machine_exit how = {.by = MACHINE_GUEST, .status = machine->devices.exit_status};

	set_times(keeper);
	__atomic_store_n(&machine->keeper, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	pthread_mutex_lock(&machine->lock);
	start_timer(keeper);
	start_input(loop);
	if (machine->devices.exited) {
		snprintf(how.reason, sizeof(how.reason), "%s", machine->devices.exit_reason);
		loop_end(loop, &how);
	}
	if (!gate_is_ending(&machine->gate))
		take_snapshot(keeper);
	pthread_mutex_unlock(&machine->lock);
	if (!gate_is_ending(&machine->gate))
		start_threads(keeper);
}

/* What a guest's own end is the occasion for, and what it said still goes out. */
static void close_run(struct keeper *keeper)
{
	struct loop *loop = &keeper->loop;
	struct machine *machine = loop->machine;
	struct walk_check *check = machine->config.walk_check;

	loop->finishing = true;
	if (machine->devices.exited && loop->how->by == MACHINE_GUEST) {
		if (check && walk_check_is_due(check, machine))
			check_walks(loop, loop->how->vcpu);
		take_snapshot(keeper);
	}
	(void)flush_all(loop);
}

static void finish(struct keeper *keeper)
{
	struct loop *loop = &keeper->loop;
	struct machine *machine = loop->machine;

	gate_end(&machine->gate);
	gate_wait(&machine->gate);
	for (unsigned int i = 0; i < keeper->threads; i++)
		pthread_join(keeper->thread[i], NULL);
	machine->run_ns = loop_now_ns() - loop->started - loop->paused;
	pthread_mutex_lock(&machine->lock);
	close_run(keeper);
	pthread_mutex_unlock(&machine->lock);
	if (keeper->has_timer)
		timer_delete(keeper->timer);
	input_stop(&machine->input);
	__atomic_store_n(&machine->keeper, 0, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < machine->kvm.vcpu_count; i++)
		machine->kvm.vcpus[i].run->immediate_exit = 0;
}

void machine_run(struct machine *machine, struct machine_exit *how)
{
	struct keeper keeper = {.loop = {.machine = machine, .how = how}};

	memset(how, 0, sizeof(*how));
	start(&keeper);
	if (!gate_is_ending(&machine->gate))
		keep(&keeper);
	finish(&keeper);
}
