/* SPDX-License-Identifier: MIT */
/* See schedule.h. */
#include "guest/schedule.h"

#include <errno.h>
#include <stddef.h>

#include "guest/apic.h"
#include "guest/clock.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/layout.h"
#include "guest/lock.h"
#include "guest/publish.h"
#include "guest/signal.h"
#include "guest/system_call.h"
#include "guest/user.h"
#include "guest/vectors.h"
#include "guest/window.h"

#define TURN_NS		UINT64_C(10000000)
#define DEADLOCK_STATUS 137 /* as if all had been killed */

unsigned int schedule_place(void)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < cpu_count; i++) {
		if (cpus[i]->tasks < cpus[best]->tasks)
			best = i;
	}
	return best;
}

/* The CPU's area: this one's at its own address, where it is always mapped. */
static struct cpu *cpu_of(unsigned int number)
{
	return number == cpu.number ? &cpu : cpus[number];
}

static void append(struct cpu *at, struct task *task)
{
	task->next_ready = NULL;
	if (at->ready)
		at->ready_last->next_ready = task;
	else
		at->ready = task;
	at->ready_last = task;
}

void schedule_ready(struct task *task)
{
	struct cpu *at = cpu_of(task->cpu);

	task->state = TASK_READY;
	append(at, task);
	/* There it begins to run, or the timer is set for its turn. */
	if (at != &cpu)
		apic_send(task->cpu, VECTOR_ATTEND);
}

static void remove_ready(struct cpu *at, const struct task *task)
{
	struct task **link = &at->ready;
	struct task *last = NULL;

	for (; *link && *link != task; link = &(*link)->next_ready)
		last = *link;
	if (!*link)
		return;
	*link = task->next_ready;
	if (at->ready_last == task)
		at->ready_last = last;
}

static void remove_sleeper(struct cpu *at, const struct task *task)
{
	struct task **link = &at->sleepers;

	while (*link && *link != task)
		link = &(*link)->next_sleeper;
	if (*link)
		*link = task->next_sleeper;
}

static void remove_waiter(struct wait_queue *queue, const struct task *task)
{
	struct task **link = &queue->first;

	while (*link && *link != task)
		link = &(*link)->next_waiter;
	if (*link)
		*link = task->next_waiter;
}

/* Waits for nothing any more. */
static void stop_waiting(struct task *task)
{
	if (task->queue)
		remove_waiter(task->queue, task);
	if (task->wake_at)
		remove_sleeper(cpu_of(task->cpu), task);
	task->queue = NULL;
	task->wake_at = 0;
}

void schedule_remove(struct task *task)
{
	if (task->state == TASK_WAITING)
		stop_waiting(task);
	else
		remove_ready(cpu_of(task->cpu), task);
}

static void wait(struct wait_queue *queue, uint64_t wake_at)
{
	struct task *task = cpu.task;
	struct task **link;

	task->state = TASK_WAITING;
	task->queue = queue;
	task->wake_at = wake_at;
	if (queue) {
		/* In order, so that who has waited longest is woken first. */
		for (link = &queue->first; *link; link = &(*link)->next_waiter)
			continue;
		*link = task;
		task->next_waiter = NULL;
	}
	if (wake_at) {
		task->next_sleeper = cpu.sleepers;
		cpu.sleepers = task;
	}
}

int64_t schedule_wait_again(struct wait_queue *queue, uint64_t wake_at)
{
	wait(queue, wake_at);
	cpu.task->redo = true;
	cpu.task->restarts = false;
	cpu.task->was_late = false;
	return WAIT_AGAIN;
}

int64_t schedule_wait(struct wait_queue *queue, uint64_t wake_at, int64_t late)
{
	wait(queue, wake_at);
	cpu.task->redo = false;
	cpu.task->late = late;
	return WAIT_DONE;
}

void schedule_wake(struct task *task, int64_t result)
{
	if (task->state != TASK_WAITING)
		return;
	stop_waiting(task);
	if (!task->redo)
		task->frame.rax = (uint64_t)result;
	schedule_ready(task);
}

void schedule_wake_all(struct wait_queue *queue)
{
	while (queue->first)
		schedule_wake(queue->first, 0);
}

void schedule_yield(void)
{
	cpu.turn_ends = 0;
}

static void wake_sleepers(void)
{
	struct task *task = cpu.sleepers, *next;
	uint64_t now;

	if (!task)
		return;
	now = clock_now();
	for (; task; task = next) {
		next = task->next_sleeper;
		if (task->wake_at <= now) {
			task->was_late = true;
			schedule_wake(task, task->late);
		}
	}
}

/* For the end of the turn, if somebody waits for it, or for who sleeps, whichever is first. */
static void set_timer(bool is_running)
{
	uint64_t at = is_running && cpu.ready ? cpu.turn_ends : 0;

	for (const struct task *task = cpu.sleepers; task; task = task->next_sleeper) {
		if (!at || task->wake_at < at)
			at = task->wake_at;
	}
	apic_set_timer(at);
}

static void take_space(struct task *task)
{
	cpu.task = task;
	window_enter(task->process->space);
	published.asid[cpu.number] = task->process->space->pages.asid;
}

static __attribute__((noreturn)) void enter_ring3(struct task *task, struct trap_frame *frame)
{
	take_space(task);
	unlock_kernel();
	trap_leave(frame);
}

static __attribute__((noreturn)) void move_vectors(struct task *task, bool is_save)
{
	static struct trap_frame frames[ABI_CPUS_MAX];
	struct trap_frame *frame = &frames[cpu.number];

	*frame = vectors_frame(task->vectors, is_save);
	cpu.moves_vectors = true;
	enter_ring3(task, frame);
}

/* The task goes on in ring 3, with its vector registers. */
static __attribute__((noreturn)) void run(struct task *task)
{
	cpu.next = task;
	if (cpu.vectors && cpu.vectors != task)
		move_vectors(cpu.vectors, true);
	if (cpu.vectors != task)
		move_vectors(task, false);
	task->vectors_saved = false;
	wrmsr(MSR_FS_BASE, task->fs_base);
	set_timer(true);
	enter_ring3(task, &task->frame);
}

static __attribute__((noreturn)) void save_vectors(struct task *task)
{
	cpu.next = task;
	task->saves_vectors = true;
	move_vectors(task, true);
}

/* What is left to do for a task whose turn it is, and then the task itself. */
static __attribute__((noreturn)) void resume(struct task *task)
{
	for (;;) {
		take_space(task);
		if (task_is_ending(task)) {
			task_end(task->process->status);
			schedule();
		}
		if (task->tell_rest)
			clock_tell_rest(task);
		/* Who executes a program has begun to end the others: that is not given up. */
		if (signal_is_pending(task) && !task->process->executor) {
			if (!signal_deliver(task))
				schedule();
			if (task->saves_vectors)
				save_vectors(task);
			continue;
		}
		if (task->tell_child)
			user_write(task->tell_child, &task->number, sizeof(task->number));
		task->tell_child = 0;
		if (!task->redo)
			run(task);
		task->redo = false;
		system_call(&task->frame);
		if (!cpu.task || task->state == TASK_WAITING)
			schedule();
		if (task->saves_vectors)
			save_vectors(task);
	}
}

int64_t schedule_save_vectors(void)
{
	cpu.task->saves_vectors = true;
	cpu.task->redo = true;
	cpu.task->restarts = true;
	return WAIT_AGAIN;
}

bool schedule_has_vectors(const struct task *task)
{
	return cpu.vectors == task && !task->vectors_saved;
}

void schedule_vectors_moved(void)
{
	struct task *task = cpu.task;

	cpu.moves_vectors = false;
	if (task->saves_vectors) {
		/* The CPU has them still. */
		task->saves_vectors = false;
		task->vectors_saved = true;
		cpu.vectors = task;
	} else {
		cpu.vectors = cpu.vectors == task ? NULL : task;
	}
	resume(cpu.next);
}

/* Its process ends, so nobody needs the registers that the trap page has not moved. */
static __attribute__((noreturn)) void stop_moving_vectors(struct task *task)
{
	cpu.moves_vectors = false;
	cpu.vectors = NULL;
	task->saves_vectors = false;
	resume(cpu.next);
}

void schedule_end(void)
{
	/* A task whose registers are being saved for another one may wait for its turn. */
	if (cpu.moves_vectors)
		schedule_remove(cpu.task);
	if (cpu.vectors == cpu.task)
		cpu.vectors = NULL;
	if (cpu.moves_vectors && cpu.next != cpu.task)
		append(&cpu, cpu.next);
	cpu.moves_vectors = false;
	cpu.task = NULL;
}

void schedule_forget_vectors(void)
{
	if (cpu.vectors == cpu.task)
		cpu.vectors = NULL;
}

static bool everybody_waits(void)
{
	for (unsigned int i = 0; i < cpu_count; i++) {
		const struct cpu *at = cpu_of(i);

		if (at->sleepers || at->ready || (at != &cpu && !at->is_idle))
			return false;
	}
	return true;
}

static void idle(void)
{
	if (everybody_waits()) {
		print("twostage guest: every task waits, and nothing is left that could wake one\n");
		cpu_exit(DEADLOCK_STATUS);
	}
	apic_start();
	set_timer(false);
	published.asid[cpu.number] = 0;
	cpu.is_idle = true;
	unlock_kernel();
	__asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
	lock_kernel();
	cpu.is_idle = false;
}

void schedule(void)
{
	struct task *task;

	for (;;) {
		wake_sleepers();
		task = cpu.ready;
		if (task)
			break;
		idle();
	}
	cpu.ready = task->next_ready;
	cpu.turn_ends = clock_now() + TURN_NS;
	resume(task);
}

void schedule_tick(void)
{
	cpu.timer_set = 0;
	wake_sleepers();
}

/* Whether the current task goes on at once, with nothing to be done. */
static bool stays(const struct task *task)
{
	if (task->state == TASK_WAITING || task->saves_vectors || cpu.vectors != task ||
	    task_is_ending(task) || signal_is_pending(task))
		return false;
	return !cpu.ready || clock_now() < cpu.turn_ends;
}

void schedule_leave(struct trap_frame *frame)
{
	struct task *task = cpu.task;

	if (!task)
		schedule();
	if (cpu.moves_vectors && task->process->is_ending)
		stop_moving_vectors(task);
	if (cpu.moves_vectors || stays(task)) {
		if (cpu.ready || cpu.sleepers || cpu.timer_set)
			set_timer(true);
		unlock_kernel();
		return;
	}
	task->frame = *frame;
	if (task->saves_vectors)
		save_vectors(task);
	if (task->state == TASK_WAITING)
		schedule();
	if (task_is_ending(task) || signal_is_pending(task) || cpu.vectors != task)
		resume(task);
	append(&cpu, task);
	schedule();
}
