/* SPDX-License-Identifier: MIT */
/* See apic.h. */
#include "guest/apic.h"

#include <stdbool.h>

#include "guest/clock.h"
#include "guest/cpu_area.h"
#include "guest/layout.h"

/* Registers. */
#define END_OF_INTERRUPT 0x0b0
#define SPURIOUS	 0x0f0
#define COMMAND_LOW	 0x300
#define COMMAND_HIGH	 0x310
#define TIMER		 0x320
#define TIMER_INITIAL	 0x380
#define TIMER_CURRENT	 0x390
#define TIMER_DIVIDE	 0x3e0

#define SOFTWARE_ENABLE	 0x100
#define MASKED		 0x10000
#define COMMAND_PENDING	 0x1000
#define COMMAND_ASSERT	 0x4000
#define DIVIDE_BY_16	 3
#define DESTINATION(cpu) ((uint32_t)(cpu) << 24)

#define MEASURE_NS 200000
#define TICKS_MAX  UINT32_MAX

/* Ticks in a nanosecond, times 2^32; 0: not measured yet. All CPUs' timers have one clock. */
static uint64_t ticks_per_ns;

static volatile uint32_t *reg(unsigned int offset)
{
	return (volatile uint32_t *)(CPU_APIC + offset);
}

void apic_start(void)
{
	if (cpu.has_apic)
		return;
	cpu.has_apic = true;
	*reg(SPURIOUS) = SOFTWARE_ENABLE | VECTOR_SPURIOUS;
	*reg(TIMER_DIVIDE) = DIVIDE_BY_16;
	*reg(TIMER) = VECTOR_TIMER;
}

static void measure(void)
{
	uint64_t start = clock_now(), end;
	uint32_t left;

	*reg(TIMER) = MASKED | VECTOR_TIMER;
	*reg(TIMER_INITIAL) = TICKS_MAX;
	do
		end = clock_now();
	while (end - start < MEASURE_NS);
	left = *reg(TIMER_CURRENT);
	*reg(TIMER_INITIAL) = 0;
	*reg(TIMER) = VECTOR_TIMER;
	ticks_per_ns = ((uint64_t)(TICKS_MAX - left) << 32) / (end - start);
	/* There is no timer: then nothing that waits for one goes on, but nothing else breaks. */
	if (!ticks_per_ns)
		ticks_per_ns = 1;
}

void apic_set_timer(uint64_t at)
{
	uint64_t now, ticks;

	if (at == cpu.timer_set)
		return;
	apic_start();
	if (!ticks_per_ns)
		measure();
	cpu.timer_set = at;
	if (!at) {
		*reg(TIMER_INITIAL) = 0;
		return;
	}
	now = clock_now();
	ticks = at > now ? (uint64_t)((unsigned __int128)(at - now) * ticks_per_ns >> 32) : 0;
	/* Where it is too far off, the timer comes early and is set again. */
	*reg(TIMER_INITIAL) = ticks >= TICKS_MAX ? TICKS_MAX : (uint32_t)ticks + 1;
}

void apic_send(unsigned int number, unsigned int vector)
{
	apic_start();
	while (*reg(COMMAND_LOW) & COMMAND_PENDING)
		continue;
	*reg(COMMAND_HIGH) = DESTINATION(number);
	*reg(COMMAND_LOW) = COMMAND_ASSERT | vector;
}

void apic_done(void)
{
	*reg(END_OF_INTERRUPT) = 0;
}
