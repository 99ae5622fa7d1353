/* SPDX-License-Identifier: MIT */
/* See interleave_run.h. This file is not compiled for the sanitizer. */
#include "tests/hpt/interleave_run.h"

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* A reader that makes so many accesses without an end waits for the writer. */
#define PATIENCE 2000

struct fiber {
	ucontext_t context;
	void (*call)(void);
	unsigned long accesses;
	unsigned long stop; /* after so many */
	bool ended;
	char stack[1 << 16] __attribute__((aligned(16)));
};

static struct fiber writer, reader;
static struct fiber *running;
static ucontext_t outside;

static void enter(void)
{
	running->call();
	running->ended = true;
}

static void start(struct fiber *fiber, void (*call)(void))
{
	fiber->call = call;
	fiber->accesses = 0;
	fiber->ended = false;
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = fiber->stack;
	fiber->context.uc_stack.ss_size = sizeof(fiber->stack);
	fiber->context.uc_link = &outside;
	makecontext(&fiber->context, enter, 0);
}

static void go_on(struct fiber *fiber, unsigned long stop)
{
	fiber->stop = stop;
	if (fiber->ended || fiber->accesses >= stop)
		return;
	running = fiber;
	swapcontext(&outside, &fiber->context);
	running = NULL;
}

bool interleave_run(const struct interleave *interleave, const struct interleave_stops *stops)
{
	start(&writer, interleave->write);
	start(&reader, interleave->read);
	go_on(&writer, stops->writer_first);
	go_on(&reader, stops->reader);
	go_on(&writer, stops->writer_then);
	go_on(&reader, reader.accesses + PATIENCE);
	go_on(&writer, INTERLEAVE_END);
	go_on(&reader, reader.accesses + PATIENCE);
	return reader.ended;
}

unsigned long interleave_writes(void)
{
	return writer.accesses;
}

unsigned long interleave_reads(void)
{
	return reader.accesses;
}

/* An access has been made. */
static void count(void)
{
	struct fiber *fiber = running;

	if (fiber && ++fiber->accesses == fiber->stop)
		swapcontext(&fiber->context, &outside);
}

/*
 * What the compiler calls. That the writer has read a word that is 0 is no place to stop: readers
 * change no such word.
 */
#define ATOMIC(bits, type)                                                            \
	type __tsan_atomic##bits##_load(const volatile type *word, int order);        \
	void __tsan_atomic##bits##_store(volatile type *word, type value, int order); \
	type __tsan_atomic##bits##_load(const volatile type *word, int order)         \
	{                                                                             \
		type value = __atomic_load_n(word, __ATOMIC_SEQ_CST);                 \
                                                                                      \
		(void)order;                                                          \
		if (value || running != &writer)                                      \
			count();                                                      \
		return value;                                                         \
	}                                                                             \
	void __tsan_atomic##bits##_store(volatile type *word, type value, int order)  \
	{                                                                             \
		(void)order;                                                          \
		__atomic_store_n(word, value, __ATOMIC_SEQ_CST);                      \
		count();                                                              \
	}

ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

uint64_t __tsan_atomic64_fetch_and(volatile uint64_t *word, uint64_t value, int order);
int __tsan_atomic64_compare_exchange_strong(volatile uint64_t *word, uint64_t *expected,
					    uint64_t value, int order, int order_of_failure);
void __tsan_atomic_signal_fence(int order);

uint64_t __tsan_atomic64_fetch_and(volatile uint64_t *word, uint64_t value, int order)
{
	uint64_t old = __atomic_fetch_and(word, value, __ATOMIC_SEQ_CST);

	(void)order;
	count();
	return old;
}

int __tsan_atomic64_compare_exchange_strong(volatile uint64_t *word, uint64_t *expected,
					    uint64_t value, int order, int order_of_failure)
{
	bool done = __atomic_compare_exchange_n(word, expected, value, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST);

	(void)order;
	(void)order_of_failure;
	count();
	return done;
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* Accesses that are not atomic are nobody else's. */
#define IGNORED(name)           \
	void name(void *place); \
	void name(void *place)  \
	{                       \
		(void)place;    \
	}
#define IGNORED_RANGE(name)                  \
	void name(void *place, size_t size); \
	void name(void *place, size_t size)  \
	{                                    \
		(void)place;                 \
		(void)size;                  \
	}
#define IGNORED_CALL(name) \
	void name(void);   \
	void name(void)    \
	{                  \
	}

IGNORED(__tsan_read1)
IGNORED(__tsan_read2)
IGNORED(__tsan_read4)
IGNORED(__tsan_read8)
IGNORED(__tsan_read16)
IGNORED(__tsan_write1)
IGNORED(__tsan_write2)
IGNORED(__tsan_write4)
IGNORED(__tsan_write8)
IGNORED(__tsan_write16)
IGNORED(__tsan_func_entry)
IGNORED_RANGE(__tsan_read_range)
IGNORED_RANGE(__tsan_write_range)
IGNORED_CALL(__tsan_func_exit)
IGNORED_CALL(__tsan_init)
