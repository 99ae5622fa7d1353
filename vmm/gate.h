/* SPDX-License-Identifier: MIT */
/*
 * The gate through which vCPUs go into the guest, and the one way to have all of them out of it.
 *
 *	a vCPU's thread		gate_join(), then while gate_enter(): KVM_RUN as long as
 *				gate_is_open(), asked for each time that KVM_RUN gives EINTR; then
 *				gate_leave()
 *	who stops the guest	gate_close(), gate_wait(), look and change, gate_open()
 *
 * Why that stops all of them. A thread is inside from gate_enter() to gate_leave(), both under the
 * lock. gate_close() shuts the gate under the lock, so nobody comes in any more, and gate_wait()
 * sends a signal to each thread that is inside. Its handler sets `immediate_exit` in that vCPU's
 * run area, so KVM_RUN gives EINTR whether the signal came before or during it. The thread clears
 * `immediate_exit` first and asks gate_is_open() after that: a signal that it clears was sent after
 * the gate was shut, so it sees that. It leaves then, and when the last one has left gate_wait()
 * returns; the lock orders what the threads did before what the stopper does after it.
 *
 * Why it is at an entry boundary. A thread leaves after EINTR only, and before KVM gives that, it
 * completes the access that the vCPU had left for the last time. So a vCPU that is out has nothing
 * pending, and its state can be read and written as it stands.
 *
 * A signal that meets a vCPU in a miss of the second stage makes it miss again, so nothing else
 * sends one; and it is sent again only to who is still inside after GATE_REPEAT_NS, in a write()
 * that nobody reads for example.
 */
#ifndef VMM_GATE_H
#define VMM_GATE_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "vmm/message.h"

#define GATE_MEMBERS_MAX 32
#define GATE_REPEAT_NS	 100000000

/* A vCPU's thread. */
struct gate_member {
	bool started; /* it may go in at all */
	bool inside;
	pid_t thread;
};

struct gate {
	pthread_mutex_t lock; /* of all below; `closed` and `ending` are read without it as well */
	pthread_cond_t changed;
	bool closed;
	bool ending;
	unsigned int inside;
	unsigned int count;
	struct gate_member members[GATE_MEMBERS_MAX];
};

/* The signal's handler, once for the process; and lets this thread have it. 0 or negative errno. */
int gate_prepare(struct message *message);

/* The signal that gets a thread out of a system call, and a vCPU's out of the guest. */
int gate_signal(void);

/* An open gate with `count` members that may not go in yet. */
void gate_init(struct gate *gate, unsigned int count);
void gate_destroy(struct gate *gate);

/* Lets a member go in; false if it may already. Any thread may call it. */
bool gate_start(struct gate *gate, unsigned int member);
bool gate_is_started(struct gate *gate, unsigned int member);

/* The calling thread is this member, and `run` what the signal stops; gate_part() ends that. */
void gate_join(struct gate *gate, unsigned int member, struct kvm_run *run);
void gate_part(void);

/* Waits until the member may go in, and does; false: it never may any more. */
bool gate_enter(struct gate *gate, unsigned int member);
void gate_leave(struct gate *gate, unsigned int member);

/* Whether those who are inside may stay there. */
static inline bool gate_is_open(const struct gate *gate)
{
	return !__atomic_load_n(&gate->closed, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&gate->ending, __ATOMIC_ACQUIRE);
}

/* Shuts the gate: for anyone, also for a member who is inside and then leaves. */
void gate_close(struct gate *gate);

/* Waits until nobody is inside. For one thread, which is not. */
void gate_wait(struct gate *gate);
void gate_open(struct gate *gate);

/* Shuts it for good. */
void gate_end(struct gate *gate);
bool gate_is_ending(const struct gate *gate);

#endif
