/* SPDX-License-Identifier: MIT */
/* See process.h: waiting for children. */
#include <errno.h>
#include <stddef.h>

#include "guest/process.h"
#include "guest/schedule.h"
#include "guest/user.h"

#define WAIT_NO_HANG 1
#define WAIT_OPTIONS                                                                    \
	0xe000000b     /* WNOHANG, WUNTRACED, WCONTINUED, __WNOTHREAD, __WALL, __WCLONE \
			*/
#define USAGE_WORDS 18 /* struct rusage */

static bool matches(const struct process *process, int32_t wanted)
{
	if (wanted > 0)
		return process->number == (uint32_t)wanted;
	if (wanted == -1)
		return true;
	return process->group == (wanted ? (uint32_t)-wanted : current_process()->group);
}

int64_t process_wait(int32_t wanted, uint64_t status, uint32_t options, uint64_t usage)
{
	static const uint64_t used[USAGE_WORDS];
	struct process *process = current_process();
	struct process *child = process->children;
	bool is_any = false;
	uint32_t number, ended;

	if (options & ~(uint32_t)WAIT_OPTIONS)
		return -EINVAL;
	if (wanted == INT32_MIN)
		return -ESRCH;
	for (; child; child = child->next_sibling) {
		if (!matches(child, wanted))
			continue;
		is_any = true;
		if (child->has_ended)
			break;
	}
	if (!is_any)
		return -ECHILD;
	if (!child)
		return options & WAIT_NO_HANG ? 0 : schedule_wait_again(&process->waiters, 0);
	number = child->number;
	ended = child->status;
	/* As on Linux, it is gone even where its status cannot be told. */
	process_forget(child);
	if ((status && user_write(status, &ended, sizeof(ended))) ||
	    (usage && user_write(usage, used, sizeof(used))))
		return -EFAULT;
	return number;
}
