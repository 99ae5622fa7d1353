/* SPDX-License-Identifier: MIT */
/* See signal.h. */
#include "guest/signal.h"

#include <errno.h>
#include <stddef.h>

#include "guest/apic.h"
#include "guest/layout.h"
#include "guest/schedule.h"
#include "guest/signal_frame.h"
#include "guest/user.h"
#include "guest/vectors.h"

#define SIGNAL_TERMINAL_OUT 22
#define SIGNAL_URGENT	    23
#define SIGNAL_WINDOW	    28
#define HANDLER_DEFAULT	    0
#define HANDLER_IGNORE	    1
#define NO_CHILD_WAIT	    2 /* of an action's flags */
#define SET_SIZE	    8
#define MASK_BLOCK	    0
#define MASK_UNBLOCK	    1
#define MASK_SET	    2

static uint64_t bit(int number)
{
	return UINT64_C(1) << (number - 1);
}

int64_t signal_mask(int how, uint64_t set, uint64_t old, uint64_t size)
{
	uint64_t *mask = &current_task()->signal_mask;
	uint64_t before = *mask;
	uint64_t bits;

	if (size != SET_SIZE)
		return -EINVAL;
	if (set) {
		if (user_read(&bits, set, sizeof(bits)))
			return -EFAULT;
		if (how < MASK_BLOCK || how > MASK_SET)
			return -EINVAL;
		if (how == MASK_BLOCK)
			*mask |= bits;
		else if (how == MASK_UNBLOCK)
			*mask &= ~bits;
		else
			*mask = bits;
		*mask &= ~SIGNAL_NEVER_BLOCKED;
	}
	return old && user_write(old, &before, sizeof(before)) ? -EFAULT : 0;
}

/* There is no terminal, so nothing stops a process and nothing has to make it go on. */
static bool ignored_by_default(int number)
{
	return number == SIGNAL_CHILD || number == SIGNAL_URGENT || number == SIGNAL_WINDOW ||
	       (number >= SIGNAL_CONT && number <= SIGNAL_TERMINAL_OUT);
}

static bool is_ignored(const struct process *process, int number)
{
	uint64_t handler = process->actions[number - 1].handler;

	return handler == HANDLER_IGNORE || (!handler && ignored_by_default(number));
}

/* It is pending no more, for none of the threads. */
static void forget(struct process *process, int number)
{
	process->signals &= ~bit(number);
	for (struct task *task = process->threads; task; task = task->next_thread)
		task->signals &= ~bit(number);
}

int64_t signal_action(int number, uint64_t action, uint64_t old, uint64_t size)
{
	struct signal_action *actions = current_process()->actions;
	struct signal_action new;

	if (size != SET_SIZE || number < 1 || number > SIGNALS)
		return -EINVAL;
	if (action && (number == SIGNAL_KILL || number == SIGNAL_STOP))
		return -EINVAL;
	if (action && user_read(&new, action, sizeof(new)))
		return -EFAULT;
	if (old && user_write(old, &actions[number - 1], sizeof(new)))
		return -EFAULT;
	if (!action)
		return 0;
	new.mask &= ~SIGNAL_NEVER_BLOCKED;
	actions[number - 1] = new;
	if (is_ignored(current_process(), number))
		forget(current_process(), number);
	return 0;
}

bool signal_ignores_children(const struct process *process)
{
	const struct signal_action *action = &process->actions[SIGNAL_CHILD - 1];

	return action->handler == HANDLER_IGNORE || action->flags & NO_CHILD_WAIT;
}

/* A thread that does not block the signal goes on, to see it. */
static void attend(struct task *task, int number)
{
	if (task->lends && task->process->actions[number - 1].handler)
		return;
	if (task->state == TASK_WAITING)
		schedule_wake(task, -EINTR);
	else if (task->cpu != cpu.number)
		apic_send(task->cpu, VECTOR_ATTEND);
}

void signal_send_process(struct process *process, int number)
{
	struct task *task = process->threads;

	while (task && task->signal_mask & bit(number))
		task = task->next_thread;
	/* Who blocks a signal may yet want it. */
	if (process->has_ended || (task && is_ignored(process, number)))
		return;
	process->signals |= bit(number);
	if (task)
		attend(task, number);
}

static void send_task(struct task *task, int number)
{
	bool is_blocked = task->signal_mask & bit(number);

	if (!is_blocked && is_ignored(task->process, number))
		return;
	task->signals |= bit(number);
	if (!is_blocked)
		attend(task, number);
}

/* kill() of more than one: of a group, or of all but the first process and the caller. */
static int64_t kill_many(int32_t wanted, int number)
{
	const struct process *self = current_process();
	uint32_t group = wanted ? (uint32_t)-wanted : self->group;
	int64_t result = -ESRCH;

	for (struct task *task = task_first; task; task = task->next_task) {
		struct process *process = task->process;
		bool is_meant = wanted == -1 ? process->number != PROCESS_FIRST && process != self
					     : process->group == group;

		/* Once for each process. */
		if (!is_meant || process->threads != task)
			continue;
		result = 0;
		if (number)
			signal_send_process(process, number);
	}
	return result;
}

int64_t signal_kill(int32_t wanted, int number)
{
	struct process *process;

	if (number < 0 || number > SIGNALS)
		return -EINVAL;
	if (wanted <= 0)
		return kill_many(wanted, number);
	process = process_find((uint32_t)wanted);
	if (!process)
		return -ESRCH;
	if (number)
		signal_send_process(process, number);
	return 0;
}

int64_t signal_kill_task(int32_t process, int32_t wanted, int number)
{
	struct task *task = task_find((uint32_t)wanted);

	if (number < 0 || number > SIGNALS || wanted <= 0)
		return -EINVAL;
	if (!task || (process > 0 && task->process->number != (uint32_t)process))
		return -ESRCH;
	if (number)
		send_task(task, number);
	return 0;
}

/* Whether a process has a handler that would see the signal now. */
static bool has_handler(const struct task *task, int number)
{
	return task->process->actions[number - 1].handler > HANDLER_IGNORE &&
	       !(task->signal_mask & bit(number));
}

void signal_fault(struct trap_frame *frame, int number, const char *why, uint64_t gva)
{
	struct task *task = current_task();

	/* In the trap page a task is on the kernel's business. */
	if (cpu.moves_vectors || !has_handler(task, number)) {
		process_killed(&frame->cpu, (unsigned int)number, why, gva);
		return;
	}
	task->signals |= bit(number);
	task->fault = (struct signal_fault_at){
		.gva = gva, .error = frame->cpu.error, .vector = frame->vector, .signal = number};
}

static int next_signal(const struct task *task)
{
	uint64_t pending = signal_pending(task);

	/* What an instruction has caused comes before what others have sent. */
	if (task->fault.signal && pending & bit(task->fault.signal))
		return task->fault.signal;
	return __builtin_ctzll(pending) + 1;
}

bool signal_deliver(struct task *task)
{
	int number = next_signal(task);
	uint64_t handler = task->process->actions[number - 1].handler;

	if (handler > HANDLER_IGNORE && schedule_has_vectors(task)) {
		/* They are saved, and then this is asked again. */
		if (!vectors_prepare(task->process->space)) {
			task->saves_vectors = true;
			return true;
		}
		handler = HANDLER_DEFAULT;
	}
	task->signals &= ~bit(number);
	task->process->signals &= ~bit(number);
	if (handler > HANDLER_IGNORE && !signal_push_frame(task, number))
		return true;
	/* Without room for a frame nothing helps, not even another handler. */
	if (handler > HANDLER_IGNORE)
		number = SIGNAL_SEGMENTATION;
	else if (is_ignored(task->process, number))
		return true;
	/* What a program sends another is between the two, as in a pipeline that ends early. */
	if (handler <= HANDLER_IGNORE && task->process->number != PROCESS_FIRST)
		process_end(task->process, (uint32_t)number);
	else
		process_killed(&task->frame.cpu, (unsigned int)number,
			       handler > HANDLER_IGNORE ? "no room for a handler's frame"
							: "sent by a program",
			       task->frame.cpu.rip);
	task_end(task->process->status);
	return false;
}

int signal_set_for_call(uint64_t set, uint64_t size)
{
	struct task *task = current_task();
	uint64_t mask;

	if (size != SET_SIZE)
		return -EINVAL;
	if (user_read(&mask, set, sizeof(mask)))
		return -EFAULT;
	if (!task->has_mask)
		task->saved_mask = task->signal_mask;
	task->has_mask = true;
	task->signal_mask = mask & ~SIGNAL_NEVER_BLOCKED;
	return 0;
}

void signal_end_call(void)
{
	struct task *task = current_task();

	if (task->has_mask)
		task->signal_mask = task->saved_mask;
	task->has_mask = false;
}

int64_t signal_suspend(uint64_t set, uint64_t size)
{
	struct task *task = current_task();
	uint64_t mask;

	if (size != SET_SIZE)
		return -EINVAL;
	if (user_read(&mask, set, sizeof(mask)))
		return -EFAULT;
	task->saved_mask = task->signal_mask;
	task->has_mask = true;
	task->signal_mask = mask & ~SIGNAL_NEVER_BLOCKED;
	return signal_pause();
}

int64_t signal_pause(void)
{
	uint64_t pending = signal_pending(current_task());

	for (; pending; pending &= pending - 1) {
		int number = __builtin_ctzll(pending) + 1;

		if (!is_ignored(current_process(), number))
			return -EINTR;
		forget(current_process(), number);
	}
	return schedule_wait(NULL, 0, 0);
}

int64_t signal_get_pending(uint64_t set, uint64_t size)
{
	const struct task *task = current_task();
	uint64_t pending = (task->signals | task->process->signals) & task->signal_mask;

	if (size > SET_SIZE)
		return -EINVAL;
	return user_write(set, &pending, size);
}

void signal_reset(struct process *process)
{
	for (int i = 0; i < SIGNALS; i++) {
		struct signal_action *action = &process->actions[i];

		if (action->handler > HANDLER_IGNORE)
			*action = (struct signal_action){0};
	}
}
