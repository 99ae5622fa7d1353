/* SPDX-License-Identifier: MIT */
/* See signal.h. */
#include "guest/signal.h"

#include <errno.h>
#include <stddef.h>

#include "guest/apic.h"
#include "guest/layout.h"
#include "guest/schedule.h"
#include "guest/user.h"

#define SIGNAL_URGENT  23
#define SIGNAL_WINDOW  28
#define HANDLER_IGNORE 1
#define NO_CHILD_WAIT  2 /* of an action's flags */
#define SET_SIZE       8
#define MASK_BLOCK     0
#define MASK_UNBLOCK   1
#define MASK_SET       2

static uint64_t bit(int number)
{
	return UINT64_C(1) << (number - 1);
}

#define NEVER_BLOCKED (bit(SIGNAL_KILL) | bit(SIGNAL_STOP))

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
	if (action)
		actions[number - 1] = new;
	return 0;
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
		*mask &= ~NEVER_BLOCKED;
	}
	return old && user_write(old, &before, sizeof(before)) ? -EFAULT : 0;
}

static bool ignored_by_default(int number)
{
	return number == SIGNAL_CHILD || number == SIGNAL_CONT || number == SIGNAL_URGENT ||
	       number == SIGNAL_WINDOW;
}

static bool is_ignored(const struct process *process, int number)
{
	uint64_t handler = process->actions[number - 1].handler;

	return handler == HANDLER_IGNORE || (!handler && ignored_by_default(number));
}

bool signal_ignores_children(const struct process *process)
{
	const struct signal_action *action = &process->actions[SIGNAL_CHILD - 1];

	return action->handler == HANDLER_IGNORE || action->flags & NO_CHILD_WAIT;
}

/* A thread that does not block the signal goes on, to see it. */
static void attend(struct task *task)
{
	if (task->state == TASK_WAITING)
		schedule_wake(task, -EINTR);
	else if (task->cpu != cpu.number)
		apic_send(task->cpu, VECTOR_ATTEND);
}

void signal_send_process(struct process *process, int number)
{
	struct task *task = process->threads;

	if (process->has_ended || is_ignored(process, number))
		return;
	process->signals |= bit(number);
	while (task && task->signal_mask & bit(number))
		task = task->next_thread;
	if (task)
		attend(task);
}

static void send_task(struct task *task, int number)
{
	if (is_ignored(task->process, number))
		return;
	task->signals |= bit(number);
	if (!(task->signal_mask & bit(number)))
		attend(task);
}

int64_t signal_kill(int32_t wanted, int number)
{
	struct process *process = process_find((uint32_t)wanted);

	if (number < 0 || number > SIGNALS)
		return -EINVAL;
	if (wanted <= 0 || !process)
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

void signal_fault(struct trap_frame *frame, int number, const char *why, uint64_t gva)
{
	process_killed(&frame->cpu, (unsigned int)number, why, gva);
}

bool signal_deliver(struct task *task)
{
	int number = __builtin_ctzll(signal_pending(task)) + 1;

	task->signals &= ~bit(number);
	task->process->signals &= ~bit(number);
	if (is_ignored(task->process, number))
		return true;
	process_killed(&task->frame.cpu, (unsigned int)number, "sent by a program",
		       task->frame.cpu.rip);
	task_end(task->process->status);
	return false;
}
