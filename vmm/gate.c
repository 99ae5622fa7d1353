/* SPDX-License-Identifier: MIT */
/* See gate.h, which argues why it is right. */
#include "vmm/gate.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/status.h"

#define NANOSECONDS 1000000000L

/* The run area of the vCPU that this thread runs; what the signal handler may touch. */
static _Thread_local struct kvm_run *volatile running;

int gate_signal(void)
{
	return SIGRTMIN;
}

static void on_signal(int signal)
{
	struct kvm_run *run = running;

	(void)signal;
	if (run)
		__atomic_store_n(&run->immediate_exit, 1, __ATOMIC_RELAXED);
}

int gate_prepare(struct message *message)
{
	/* No SA_RESTART: a blocked write() must return. */
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, gate_signal());
	/* Whoever started us may have blocked it. */
	if (!pthread_sigmask(SIG_UNBLOCK, &set, NULL) && !sigaction(gate_signal(), &action, NULL))
		return 0;
	return message_set(message, -errno, STATUS_INTERNAL, "sigaction failed: %m");
}

void gate_init(struct gate *gate, unsigned int count)
{
	pthread_condattr_t attributes;

	memset(gate, 0, sizeof(*gate));
	gate->count = count;
	pthread_mutex_init(&gate->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&gate->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void gate_destroy(struct gate *gate)
{
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->lock);
}

bool gate_start(struct gate *gate, unsigned int member)
{
	bool is_first;

	pthread_mutex_lock(&gate->lock);
	is_first = !gate->members[member].started;
	gate->members[member].started = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
	return is_first;
}

bool gate_is_started(struct gate *gate, unsigned int member)
{
	bool is_started;

	pthread_mutex_lock(&gate->lock);
	is_started = gate->members[member].started;
	pthread_mutex_unlock(&gate->lock);
	return is_started;
}

void gate_join(struct gate *gate, unsigned int member, struct kvm_run *run)
{
	running = run;
	pthread_mutex_lock(&gate->lock);
	gate->members[member].thread = (pid_t)syscall(SYS_gettid);
	pthread_mutex_unlock(&gate->lock);
}

void gate_part(void)
{
	running = NULL;
}

bool gate_enter(struct gate *gate, unsigned int member)
{
	struct gate_member *self = &gate->members[member];

	pthread_mutex_lock(&gate->lock);
	while (!gate->ending && (gate->closed || !self->started))
		pthread_cond_wait(&gate->changed, &gate->lock);
	self->inside = !gate->ending;
	gate->inside += self->inside;
	pthread_mutex_unlock(&gate->lock);
	return self->inside;
}

void gate_leave(struct gate *gate, unsigned int member)
{
	pthread_mutex_lock(&gate->lock);
	gate->members[member].inside = false;
	if (!--gate->inside)
		pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_close(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	__atomic_store_n(&gate->closed, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&gate->lock);
}

static void signal_members(const struct gate *gate)
{
	for (unsigned int i = 0; i < gate->count; i++) {
		if (gate->members[i].inside)
			syscall(SYS_tgkill, getpid(), gate->members[i].thread, gate_signal());
	}
}

void gate_wait(struct gate *gate)
{
	struct timespec until;

	pthread_mutex_lock(&gate->lock);
	while (gate->inside) {
		signal_members(gate);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += GATE_REPEAT_NS;
		until.tv_sec += until.tv_nsec / NANOSECONDS;
		until.tv_nsec %= NANOSECONDS;
		while (gate->inside &&
		       pthread_cond_timedwait(&gate->changed, &gate->lock, &until) != ETIMEDOUT)
			continue;
	}
	pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	__atomic_store_n(&gate->closed, false, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_end(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	__atomic_store_n(&gate->ending, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

bool gate_is_ending(const struct gate *gate)
{
	return __atomic_load_n(&gate->ending, __ATOMIC_ACQUIRE);
}
