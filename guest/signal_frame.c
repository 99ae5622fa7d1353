/* SPDX-License-Identifier: MIT */
/* See signal_frame.h. */
#include "guest/signal_frame.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "guest/layout.h"
#include "guest/schedule.h"
#include "guest/signal.h"
#include "guest/user.h"
#include "guest/vectors.h"

#define ON_STACK   UINT64_C(0x08000000)
#define RESTART	   UINT64_C(0x10000000)
#define NO_DEFER   UINT64_C(0x40000000)
#define RESET	   UINT64_C(0x80000000)
#define IS_KERNELS 0x80 /* si_code: SI_KERNEL; 0 is SI_USER, 1 a mapping that is missing */

#define RED_ZONE       128
#define VECTORS_ALIGN  64
#define SYSCALL_LENGTH 2
#define STACK_ON       1
#define STACK_DISABLED 2
#define STACK_MIN      2048
#define USER_FLAGS     UINT64_C(0x244dd5) /* what a program may set of RFLAGS */
#define RFLAGS_ALWAYS  0x202

struct stack {
	uint64_t start;
	uint32_t flags;
	uint32_t padding;
	uint64_t size;
};

/* struct sigcontext */
struct context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, vector, old_mask, cr2;
	uint64_t vectors;
	uint64_t reserved[8];
};

struct information {
	int32_t signal;
	int32_t error;
	int32_t code;
	int32_t padding;
	uint64_t gva; /* of a fault */
	uint64_t rest[13];
};

struct frame {
	uint64_t restorer; /* the return address */
	uint64_t flags;
	uint64_t link;
	struct stack stack;
	struct context context;
	uint64_t mask;
	struct information information;
};

_Static_assert(sizeof(struct context) == 256, "struct sigcontext");
_Static_assert(sizeof(struct information) == 128, "siginfo_t");

static char buffer[HPT_PAGE_SIZE];

/* Both are the task's own memory. */
static int copy_vectors(uint64_t to, uint64_t from)
{
	int error = user_read(buffer, from, sizeof(buffer));

	return error ? error : user_write(to, buffer, sizeof(buffer));
}

static bool is_on_stack(const struct task *task, uint64_t rsp)
{
	return task->stack_size && rsp > task->stack && rsp - task->stack <= task->stack_size;
}

static struct stack stack_of(const struct task *task, uint64_t rsp)
{
	uint32_t flags = is_on_stack(task, rsp) ? STACK_ON : 0;

	return (struct stack){.start = task->stack,
			      .flags = task->stack_size ? flags : STACK_DISABLED,
			      .size = task->stack_size};
}

static struct context context_of(const struct task *task, uint64_t vectors)
{
	const struct trap_frame *f = &task->frame;

	return (struct context){
		.r8 = f->r8,
		.r9 = f->r9,
		.r10 = f->r10,
		.r11 = f->r11,
		.r12 = f->r12,
		.r13 = f->r13,
		.r14 = f->r14,
		.r15 = f->r15,
		.rdi = f->rdi,
		.rsi = f->rsi,
		.rbp = f->rbp,
		.rbx = f->rbx,
		.rdx = f->rdx,
		.rax = f->rax,
		.rcx = f->rcx,
		.rsp = f->cpu.rsp,
		.rip = f->cpu.rip,
		.rflags = f->cpu.rflags,
		.cs = USER_CODE,
		.ss = USER_DATA,
		.error = task->fault.error,
		.vector = task->fault.vector,
		.old_mask = task->signal_mask,
		.cr2 = task->fault.gva,
		.vectors = vectors,
	};
}

/* A call that the signal has interrupted begins anew behind the handler, or has failed. */
static void end_call(struct task *task, uint64_t flags)
{
	if (!task->redo)
		return;
	task->redo = false;
	/* What has been done in part is done. */
	if (task->progress)
		task->frame.rax = task->progress;
	else if (flags & RESTART || task->restarts)
		task->frame.cpu.rip -= SYSCALL_LENGTH;
	else
		task->frame.rax = (uint64_t)-EINTR;
	task->progress = task->until = 0;
}

int signal_push_frame(struct task *task, int number)
{
	struct signal_action *action = &task->process->actions[number - 1];
	struct trap_frame *f = &task->frame;
	struct frame frame = {.restorer = action->restorer};
	uint64_t top = f->cpu.rsp - RED_ZONE;
	uint64_t vectors, at;

	if (action->flags & ON_STACK && task->stack_size && !is_on_stack(task, f->cpu.rsp))
		top = task->stack + task->stack_size;
	vectors = (top - HPT_PAGE_SIZE) & ~(uint64_t)(VECTORS_ALIGN - 1);
	at = ((vectors - sizeof(frame)) & ~UINT64_C(15)) - 8;
	if (action->handler >= USER_END || !user_range(at, top - at))
		return -EFAULT;
	if (is_on_stack(task, top) && at <= task->stack)
		return -EFAULT;
	end_call(task, action->flags);
	frame.stack = stack_of(task, f->cpu.rsp);
	frame.context = context_of(task, vectors);
	frame.mask = task->has_mask ? task->saved_mask : task->signal_mask;
	frame.information.signal = number;
	if (task->fault.signal == number) {
		frame.information.code = number == SIGNAL_SEGMENTATION ? 1 : IS_KERNELS;
		frame.information.gva = task->fault.gva;
	}
	if (copy_vectors(vectors, vectors_at(task->vectors)) ||
	    user_write(at, &frame, sizeof(frame)))
		return -EFAULT;
	task->fault.signal = 0;
	task->has_mask = false;
	task->signal_mask |= action->mask;
	if (!(action->flags & NO_DEFER))
		task->signal_mask |= UINT64_C(1) << (number - 1);
	f->rdi = (uint64_t)number;
	f->rsi = at + __builtin_offsetof(struct frame, information);
	f->rdx = at + __builtin_offsetof(struct frame, flags);
	f->rax = 0;
	f->cpu.rip = action->handler;
	f->cpu.rsp = at;
	f->cpu.rflags = RFLAGS_ALWAYS;
	if (action->flags & RESET)
		*action = (struct signal_action){0};
	return 0;
}

static void take_context(struct trap_frame *f, const struct context *from)
{
	f->r8 = from->r8, f->r9 = from->r9, f->r10 = from->r10, f->r11 = from->r11;
	f->r12 = from->r12, f->r13 = from->r13, f->r14 = from->r14, f->r15 = from->r15;
	f->rdi = from->rdi, f->rsi = from->rsi, f->rbp = from->rbp, f->rbx = from->rbx;
	f->rdx = from->rdx, f->rax = from->rax, f->rcx = from->rcx;
	f->cpu.rsp = from->rsp;
	f->cpu.rip = from->rip;
	f->cpu.rflags = (from->rflags & USER_FLAGS) | RFLAGS_ALWAYS;
}

int64_t signal_return(struct trap_frame *f)
{
	struct task *task = current_task();
	struct frame frame;

	/* The handler's return has taken the restorer's address. */
	if (user_read(&frame, f->cpu.rsp - sizeof(frame.restorer), sizeof(frame)) ||
	    frame.context.rip >= USER_END || frame.context.rsp > USER_END ||
	    copy_vectors(vectors_at(task->vectors), frame.context.vectors)) {
		process_killed(&f->cpu, SIGNAL_SEGMENTATION, "frame of a signal", f->cpu.rsp);
		return 0;
	}
	take_context(f, &frame.context);
	task->signal_mask = frame.mask & ~SIGNAL_NEVER_BLOCKED;
	schedule_forget_vectors();
	return (int64_t)f->rax;
}

int64_t signal_set_stack(const struct trap_frame *f, uint64_t stack, uint64_t old)
{
	struct task *task = current_task();
	struct stack before = stack_of(task, f->cpu.rsp), new;

	if (stack && user_read(&new, stack, sizeof(new)))
		return -EFAULT;
	if (stack && before.flags & STACK_ON)
		return -EPERM;
	if (stack && new.flags & ~(uint32_t)STACK_DISABLED)
		return -EINVAL;
	if (stack && !(new.flags &STACK_DISABLED) && new.size < STACK_MIN)
		return -ENOMEM;
	if (old && user_write(old, &before, sizeof(before)))
		return -EFAULT;
	if (stack) {
		task->stack = new.start;
		task->stack_size = new.flags &STACK_DISABLED ? 0 : new.size;
	}
	return 0;
}
