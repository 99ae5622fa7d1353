/* SPDX-License-Identifier: MIT */
/*
 * Processes and their threads ("tasks"). All of it is read and written with the kernel's lock held.
 *
 * The kernel has a stack for each CPU and none for tasks. A task that must wait is put aside with
 * its registers, and whatever the kernel was doing for it is given up: a system call that waits
 * returns one of the two results below, and either begins anew when the task is woken
 * (WAIT_AGAIN), or has its result put into the task's registers by whoever wakes it (WAIT_DONE).
 */
#ifndef GUEST_PROCESS_H
#define GUEST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/space.h"
#include "guest/trap.h"

#define WAIT_AGAIN (-512)
#define WAIT_DONE  (-513)

#define PROCESS_FIRST 1 /* its number; the guest ends when it does */
#define TASKS_MAX     4096

struct files;
struct node;

enum task_state { TASK_READY, TASK_WAITING };

/* Those who wait for something to happen. */
struct wait_queue {
	struct task *first;
};

/* A word that tasks wait for: a byte of a space's private memory, or of a segment. */
struct futex_word {
	uint64_t at;
	const void *owner;
};

/* The last fault that a handler is told of. */
struct signal_fault_at {
	uint64_t gva;
	uint64_t error;
	uint64_t vector;
	int signal; /* 0: it was told */
};

struct task {
	struct trap_frame frame; /* while it does not run */
	uint64_t fs_base;
	struct process *process;
	struct task *next_thread; /* of the process */
	struct task *next_task;	  /* of all */
	struct task *next_ready;
	struct task *next_sleeper;
	struct task *next_waiter;
	struct wait_queue *queue; /* that it waits in, or NULL */
	uint64_t wake_at;	  /* it waits until then at most, by clock_now(); 0: for ever */
	int64_t late;		  /* the result where that time comes: of WAIT_DONE */
	uint64_t signal_mask;
	uint64_t signals; /* pending ones, bit number - 1 */
	uint64_t saved_mask;
	/* Of a call that begins anew: what it has done already, and until when it waits at most. */
	uint64_t progress, until;
	struct signal_fault_at fault;
	uint64_t stack; /* for handlers that want it; size 0: none */
	uint64_t stack_size;
	uint64_t tell_child;  /* gVA of a word for its number, when it begins; 0: none */
	uint64_t tell_rest;   /* gVA of the time that an interrupted sleep had left; 0: none */
	uint64_t sleep_ends;  /* by clock_now() */
	uint64_t clear_child; /* gVA of a word that is cleared when it ends, and woken; 0: none */
	struct futex_word futex; /* what it waits for, if it does: see futex.c */
	uint32_t futex_bits;
	uint32_t number;
	unsigned int cpu;     /* where it runs, always */
	unsigned int vectors; /* which of the space's places for vector registers is its own */
	enum task_state state;
	bool redo;	    /* the system call in its registers begins anew */
	bool restarts;	    /* ... also where a signal comes that would interrupt others */
	bool has_mask;	    /* saved_mask is to be restored when a signal was handled */
	bool saves_vectors; /* the CPU is about to save its vector registers, ... */
	bool vectors_saved; /* ... or has, and they have not changed since */
	bool lends;	    /* a child of vfork() has its memory: only what ends it wakes it */
	bool was_late;	    /* the time has come: for a call that begins anew */
};

struct process {
	uint32_t number;
	uint32_t group;
	struct process *parent;
	struct process *children; /* the first, linked by next_sibling */
	struct process *next_sibling;
	struct task *threads;
	unsigned int thread_count;
	struct space *space;
	struct files *files;
	struct node *image;	       /* what it executes */
	struct task *executor;	       /* the thread that executes a program: the others end */
	struct wait_queue waiters;     /* its tasks in wait4() */
	struct wait_queue vforked;     /* the task that waits until this one ends or executes */
	struct signal_action *actions; /* of its signals: a page */
	uint64_t signals;	       /* pending ones for any of its threads */
	uint32_t status;	       /* as wait4() gives it, once it has ended */
	bool has_ended;
	bool is_ending; /* threads that are left end as soon as they would go on */
	char name[16];
};

extern struct task *task_first; /* of all */

/* The task that runs here, and its process. */
static inline struct task *current_task(void);
static inline struct process *current_process(void);

/* The first process, with the space that this CPU has; it is what runs here from then on. */
void process_start(void);

/* What clone() asks for. */
struct clone {
	uint64_t flags;
	uint64_t stack;	      /* 0: as it is */
	uint64_t parent_word; /* gVA */
	uint64_t child_word;
	uint64_t fs_base;
};

/*
 * Another thread of the current process, or a copy of it, with the registers in `frame`, whose
 * result is 0: its number, or a negative errno value.
 */
int64_t process_clone(const struct trap_frame *frame, const struct clone *clone);

/* The process needs its parent's memory no more, if it had it: who waits in vfork() goes on. */
void process_release_parent(struct process *process);

/* A thread that is to end as soon as it would go on. */
static inline bool task_is_ending(const struct task *task)
{
	const struct process *process = task->process;

	return process->is_ending || (process->executor && process->executor != task);
}

/*
 * The current thread remains alone of its process, and has the process's number: WAIT_AGAIN as long
 * as there are others, or 0.
 */
int64_t process_end_others(void);

struct process *process_find(uint32_t number);
struct task *task_find(uint32_t number);

/* The current thread ends; the process, if it is the last one, with `status` as of wait4(). */
void task_end(uint32_t status);

/* A process ends, all threads of it: as soon as they would go on. */
void process_end(struct process *process, uint32_t status);

/* A process that has ended is its parent's no more, and gone. */
void process_forget(struct process *process);

/* wait4(), of the current process. */
int64_t process_wait(int32_t number, uint64_t status, uint32_t options, uint64_t usage);

/* The current process ends as by a signal, with a message on stderr. Comes back. */
void process_killed(const struct trap_cpu_frame *frame, unsigned int signal, const char *why,
		    uint64_t gva);

/* The same where the kernel has no memory for what it was asked, and whatever asked. */
__attribute__((noreturn)) void process_out_of_memory(void);

#include "guest/cpu_area.h"

static inline struct task *current_task(void)
{
	return cpu.task;
}

static inline struct process *current_process(void)
{
	return cpu.task->process;
}

#endif
