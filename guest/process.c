/* SPDX-License-Identifier: MIT */
/* See process.h: how processes and threads begin and end. */
#include "guest/process.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/apic.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/files.h"
#include "guest/frames.h"
#include "guest/futex.h"
#include "guest/layout.h"
#include "guest/publish.h"
#include "guest/schedule.h"
#include "guest/signal.h"
#include "guest/swap.h"
#include "guest/user.h"
#include "guest/vectors.h"
#include "guest/window.h"

/* Flags of clone(). */
#define CLONE_VM	     0x00000100
#define CLONE_FS	     0x00000200
#define CLONE_FILES	     0x00000400
#define CLONE_SIGHAND	     0x00000800
#define CLONE_VFORK	     0x00004000
#define CLONE_THREAD	     0x00010000
#define CLONE_SYSVSEM	     0x00040000
#define CLONE_SETTLS	     0x00080000
#define CLONE_PARENT_SETTID  0x00100000
#define CLONE_CHILD_CLEARTID 0x00200000
#define CLONE_DETACHED	     0x00400000
#define CLONE_CHILD_SETTID   0x01000000
#define CLONE_SIGNAL	     0xff /* what the parent gets when the process ends */
#define CLONE_THREAD_NEEDS   (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_KNOWN                                                                       \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK | CLONE_THREAD | \
	 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |      \
	 CLONE_DETACHED | CLONE_CHILD_SETTID | CLONE_SIGNAL)

#define FORK_FRAMES 32 /* that a process writes sooner or later, tables for them included */

#define SIGNAL_STATUS 128
#define STATUS_SIGNAL 0x7f /* of a wait status */

_Static_assert(sizeof(struct task) <= HPT_PAGE_SIZE, "a task is a page");
_Static_assert(sizeof(struct process) <= HPT_PAGE_SIZE, "a process is a page");

struct task *task_first;
static unsigned int task_count;
static uint32_t next_number = PROCESS_FIRST;

static void *get_page(void)
{
	uint64_t gpa;

	return frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa) ? NULL : direct(gpa);
}

static void put_page(void *page)
{
	if (page)
		frames_put_kernel(NULL, (uint64_t)page - DIRECT_BASE, HPT_PAGE_SIZE);
}

/* Who has ended, but is still to be waited for, has no task any more. */
static struct process *find_ended_child(const struct process *parent, uint32_t number)
{
	struct process *child = parent->children;

	while (child && !(child->has_ended && child->number == number))
		child = child->next_sibling;
	return child;
}

struct process *process_find(uint32_t number)
{
	struct process *found = NULL;

	for (struct task *task = task_first; task && !found; task = task->next_task)
		found = task->process->number == number ? task->process
							: find_ended_child(task->process, number);
	return found;
}

struct task *task_find(uint32_t number)
{
	struct task *task = task_first;

	while (task && task->number != number)
		task = task->next_task;
	return task;
}

/* A thread of the process, on the CPU that has the fewest, that does not run yet. */
static struct task *new_task(struct process *process)
{
	struct task *task = task_count < TASKS_MAX ? get_page() : NULL;

	if (!task)
		return NULL;
	task_count++;
	task->number = next_number++;
	task->process = process;
	task->next_thread = process->threads;
	process->threads = task;
	process->thread_count++;
	task->next_task = task_first;
	task_first = task;
	task->cpu = schedule_place();
	task->state = TASK_READY;
	(task->cpu == cpu.number ? &cpu : cpus[task->cpu])->tasks++;
	return task;
}

static void free_task(struct task *task)
{
	struct process *process = task->process;
	struct task **link = &task_first;

	while (*link != task)
		link = &(*link)->next_task;
	*link = task->next_task;
	for (link = &process->threads; *link != task; link = &(*link)->next_thread)
		continue;
	*link = task->next_thread;
	process->thread_count--;
	(task->cpu == cpu.number ? &cpu : cpus[task->cpu])->tasks--;
	task_count--;
	put_page(task);
}

/* The process's number is its first task's, which is made next. */
static struct process *new_process(void)
{
	struct process *process = get_page();

	if (!process)
		return NULL;
	process->actions = get_page();
	process->number = next_number;
	process->group = next_number;
	if (process->actions)
		return process;
	put_page(process);
	return NULL;
}

static void free_process(struct process *process)
{
	put_page(process->actions);
	put_page(process);
}

void process_start(void)
{
	struct process *process = new_process();
	struct task *task = process ? new_task(process) : NULL;

	if (!task || !(process->files = files_create()))
		refuse("memory: found too little for a process");
	process->space = cpu.window.space;
	process->space->vectors_used[0] = 1;
	cpu.task = cpu.vectors = task;
	published.asid[cpu.number] = process->space->pages.asid;
}

static void add_child(struct process *parent, struct process *child)
{
	child->parent = parent;
	child->next_sibling = parent->children;
	parent->children = child;
}

static void remove_child(struct process *child)
{
	struct process **link = &child->parent->children;

	while (*link != child)
		link = &(*link)->next_sibling;
	*link = child->next_sibling;
}

static void set_up(struct task *task, const struct trap_frame *frame, const struct clone *clone)
{
	task->frame = *frame;
	task->frame.rax = 0;
	if (clone->stack)
		task->frame.cpu.rsp = clone->stack;
	task->fs_base = clone->flags & CLONE_SETTLS ? clone->fs_base : cpu.task->fs_base;
	task->signal_mask = cpu.task->signal_mask;
	/* Two tasks on one stack would be the end of both. */
	if ((clone->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
		task->stack = cpu.task->stack;
		task->stack_size = cpu.task->stack_size;
	}
	task->clear_child = clone->flags & CLONE_CHILD_CLEARTID ? clone->child_word : 0;
	task->tell_child = clone->flags & CLONE_CHILD_SETTID ? clone->child_word : 0;
}

/* As on Linux, nobody hears of a word that is not there. */
static int64_t begin_task(struct task *task, const struct clone *clone)
{
	if (clone->flags & CLONE_PARENT_SETTID)
		user_write(clone->parent_word, &task->number, sizeof(task->number));
	schedule_ready(task);
	return task->number;
}

static int64_t new_thread(const struct trap_frame *frame, const struct clone *clone)
{
	struct process *process = current_process();
	unsigned int place;
	struct task *task;
	int error = vectors_get(process->space, &place);

	if (error)
		return error;
	task = new_task(process);
	if (!task) {
		vectors_put(process->space, place);
		return -EAGAIN;
	}
	task->vectors = place;
	set_up(task, frame, clone);
	return begin_task(task, clone);
}

/* The space of a new process: the parent's, or a copy; and where its task's vectors are. */
static int give_space(struct process *child, struct task *task, uint64_t flags)
{
	struct space *space = current_process()->space;
	unsigned int place = cpu.task->vectors;

	if (flags & CLONE_VM) {
		int error = vectors_get(space, &task->vectors);

		child->space = space;
		space->users += !error;
		return error;
	}
	child->space = space_fork(space);
	if (!child->space)
		return -ENOMEM;
	child->space->vectors_used[place / 64] = UINT64_C(1) << place % 64;
	task->vectors = place;
	return 0;
}

static int fill_child(struct process *child, struct task *task, uint64_t flags)
{
	struct process *parent = current_process();

	child->group = parent->group;
	memcpy(child->actions, parent->actions, HPT_PAGE_SIZE);
	memcpy(child->name, parent->name, sizeof(child->name));
	child->image = parent->image;
	child->files = files_copy(parent->files, flags & CLONE_FILES);
	return child->files ? give_space(child, task, flags) : -ENOMEM;
}

static int64_t new_child(const struct trap_frame *frame, const struct clone *clone)
{
	struct process *child = new_process();
	struct task *task = child ? new_task(child) : NULL;
	int64_t number;
	int error = task ? fill_child(child, task, clone->flags) : -EAGAIN;

	if (error) {
		if (task)
			free_task(task);
		if (child && child->files)
			files_put(child->files);
		if (child)
			free_process(child);
		return error;
	}
	published.forks++;
	add_child(current_process(), child);
	set_up(task, frame, clone);
	number = begin_task(task, clone);
	if (!(clone->flags & CLONE_VFORK))
		return number;
	cpu.task->lends = true;
	return schedule_wait(&child->vforked, 0, 0);
}

int64_t process_clone(const struct trap_frame *frame, const struct clone *clone)
{
	uint64_t flags = clone->flags;
	int error;

	if (flags & ~(uint64_t)CLONE_KNOWN || (flags & CLONE_SIGHAND && !(flags & CLONE_VM)))
		return -EINVAL;
	if (flags & CLONE_THREAD) {
		if ((flags & CLONE_THREAD_NEEDS) != CLONE_THREAD_NEEDS || flags & CLONE_VFORK)
			return -EINVAL;
		return new_thread(frame, clone);
	}
	/* Copies are made when pages are written, and it is too late then to say no. */
	if (!(flags & CLONE_VM) && frames_left() + swap_left() < (uint64_t)task_count * FORK_FRAMES)
		return -ENOMEM;
	/* A copy has of the vector registers what is in memory. */
	if (!(flags & CLONE_VM) && !cpu.task->vectors_saved) {
		error = vectors_prepare(current_process()->space);
		return error ? error : schedule_save_vectors();
	}
	return new_child(frame, clone);
}

void process_release_parent(struct process *process)
{
	if (!process->vforked.first)
		return;
	process->vforked.first->lends = false;
	schedule_wake(process->vforked.first, process->number);
}

static __attribute__((noreturn)) void end_guest(const struct process *process, uint32_t status)
{
	uint32_t signal = status & STATUS_SIGNAL;

	region_publish(&process->space->regions);
	cpu_exit(signal ? SIGNAL_STATUS + signal : status >> 8 & 0xff);
}

/* It is its parent's to ask for its status, or nobody wants to know. */
static void tell_parent(struct process *process)
{
	struct process *parent = process->parent;

	if (signal_ignores_children(parent)) {
		remove_child(process);
		free_process(process);
	} else {
		signal_send_process(parent, SIGNAL_CHILD);
	}
	schedule_wake_all(&parent->waiters);
}

/* Children whose parent has ended are the first process's. */
static void give_children_away(struct process *process)
{
	struct process *first = process_find(PROCESS_FIRST);

	while (process->children) {
		struct process *child = process->children;

		remove_child(child);
		add_child(first, child);
		if (child->has_ended)
			tell_parent(child);
	}
}

void process_forget(struct process *process)
{
	remove_child(process);
	free_process(process);
}

static void end_process(struct process *process, uint32_t status)
{
	if (process->number == PROCESS_FIRST)
		end_guest(process, status);
	files_put(process->files);
	space_put(process->space);
	process_release_parent(process);
	give_children_away(process);
	process->status = status;
	process->has_ended = true;
}

void task_end(uint32_t status)
{
	static const uint32_t zero;
	struct task *task = cpu.task;
	struct process *process = task->process;
	bool is_last = process->thread_count == 1;

	if (task->clear_child && !user_write(task->clear_child, &zero, sizeof(zero)))
		futex_wake(task->clear_child, 1);
	vectors_put(process->space, task->vectors);
	if (is_last)
		end_process(process, process->is_ending ? process->status : status);
	if (process->executor == task)
		process->executor = NULL;
	schedule_end();
	free_task(task);
	if (is_last)
		tell_parent(process);
	else if (process->executor && process->thread_count == 1)
		schedule_wake(process->executor, 0);
}

/* Threads that wait, or run elsewhere, come to see that they are to end. */
static void attend_threads(const struct process *process, const struct task *but)
{
	for (struct task *task = process->threads; task; task = task->next_thread) {
		if (task == but)
			continue;
		if (task->state == TASK_WAITING)
			schedule_wake(task, 0);
		else if (task->cpu != cpu.number)
			apic_send(task->cpu, VECTOR_ATTEND);
	}
}

int64_t process_end_others(void)
{
	struct process *process = current_process();
	struct task *task = cpu.task;

	process->executor = process->thread_count > 1 ? task : NULL;
	if (process->executor) {
		attend_threads(process, task);
		return schedule_wait_again(NULL, 0);
	}
	task->number = process->number;
	return 0;
}

void process_end(struct process *process, uint32_t status)
{
	if (process->is_ending)
		return;
	if (process->number == PROCESS_FIRST)
		end_guest(process, status);
	process->is_ending = true;
	process->status = status;
	attend_threads(process, NULL);
}

void process_killed(const struct trap_cpu_frame *frame, unsigned int signal, const char *why,
		    uint64_t gva)
{
	const struct process *process = current_process();

	if (process->number == PROCESS_FIRST)
		print("twostage guest: program killed by signal %u: %s, address %lx, rip %lx, rsp "
		      "%lx\n",
		      signal, why, gva, frame->rip, frame->rsp);
	else
		print("twostage guest: process %u killed by signal %u: %s, address %lx, rip %lx, "
		      "rsp %lx\n",
		      process->number, signal, why, gva, frame->rip, frame->rsp);
	process_end(current_process(), signal);
}

/* The stack in ring 0 begins at its top, and first on it is where the program was. */
void process_out_of_memory(void)
{
	const struct trap_cpu_frame *frame = (const void *)(CPU_STACK_TOP - sizeof(*frame));

	if (!cpu.task)
		refuse("memory: found too little for the first program");
	process_killed(frame, SIGNAL_KILL, "guest memory exhausted", read_cr2());
	task_end(current_process()->status);
	schedule();
}
