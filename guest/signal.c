/* SPDX-License-Identifier: MIT */
/* See signal.h. */
#include "guest/signal.h"

#include <errno.h>

#include "guest/user.h"

#define SIGNALS	       64
#define SIGNAL_CHILD   17
#define SIGNAL_CONT    18
#define SIGNAL_STOP    19
#define SIGNAL_URGENT  23
#define SIGNAL_WINDOW  28
#define HANDLER_IGNORE 1
#define SET_SIZE       8
#define MASK_BLOCK     0
#define MASK_UNBLOCK   1
#define MASK_SET       2

/* As the kernel interface of x86-64 lays it out. */
struct action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

static struct action actions[SIGNALS + 1];
static uint64_t mask;

int64_t signal_action(int number, uint64_t action, uint64_t old, uint64_t size)
{
	struct action new;

	if (size != SET_SIZE || number < 1 || number > SIGNALS)
		return -EINVAL;
	if (action && (number == SIGNAL_KILL || number == SIGNAL_STOP))
		return -EINVAL;
	if (action && user_read(&new, action, sizeof(new)))
		return -EFAULT;
	if (old && user_write(old, &actions[number], sizeof(new)))
		return -EFAULT;
	if (action)
		actions[number] = new;
	return 0;
}

int64_t signal_mask(int how, uint64_t set, uint64_t old, uint64_t size)
{
	uint64_t before = mask;
	uint64_t bits;

	if (size != SET_SIZE)
		return -EINVAL;
	if (set) {
		if (user_read(&bits, set, sizeof(bits)))
			return -EFAULT;
		if (how < MASK_BLOCK || how > MASK_SET)
			return -EINVAL;
		if (how == MASK_BLOCK)
			mask |= bits;
		else if (how == MASK_UNBLOCK)
			mask &= ~bits;
		else
			mask = bits;
	}
	return old && user_write(old, &before, sizeof(before)) ? -EFAULT : 0;
}

static int ignored_by_default(int number)
{
	return number == SIGNAL_CHILD || number == SIGNAL_CONT || number == SIGNAL_URGENT ||
	       number == SIGNAL_WINDOW;
}

int64_t signal_send(struct trap_frame *frame, int number)
{
	if (number < 0 || number > SIGNALS)
		return -EINVAL;
	if (!number || actions[number].handler == HANDLER_IGNORE ||
	    (!actions[number].handler && ignored_by_default(number)))
		return 0;
	program_killed(&frame->cpu, (unsigned int)number, "sent by itself", frame->cpu.rip);
}
