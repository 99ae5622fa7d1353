/* SPDX-License-Identifier: MIT */
/* See clock.h. */
#include "guest/clock.h"

#include "guest/boot.h"
#include "guest/cpu.h"
#include "guest/publish.h"

#define PIT_HZ	     1193182
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_ONE_SHOT 0xb0 /* channel 2, low byte then high byte, mode 0 */
#define PORT_B	     0x61
#define PORT_B_GATE2 0x01
#define PORT_B_OUT2  0x20
#define WAIT_TICKS   11932 /* 10 ms */

/* Where there is no PIT: a guess, so that time goes on. */
#define DEFAULT_KHZ 1000000

static uint64_t start;
static uint64_t ns_per_tick; /* times 2^32 */

static uint64_t measure_khz(void)
{
	uint8_t gate = (uint8_t)(inb(PORT_B) & ~3);
	uint64_t begin;
	unsigned int tries = 0;

	outb(PORT_B, gate | PORT_B_GATE2);
	outb(PIT_COMMAND, PIT_ONE_SHOT);
	outb(PIT_CHANNEL2, WAIT_TICKS & 0xff);
	outb(PIT_CHANNEL2, WAIT_TICKS >> 8);
	begin = rdtsc();
	while (!(inb(PORT_B) & PORT_B_OUT2))
		tries++;
	/* A port that is not there reads as ones at once. */
	if (tries < 2)
		return DEFAULT_KHZ;
	return (rdtsc() - begin) * PIT_HZ / WAIT_TICKS / 1000;
}

void clock_start(void)
{
	uint64_t khz = boot.tsc_khz ? boot.tsc_khz : measure_khz();

	published.tsc_khz = khz;
	ns_per_tick = (UINT64_C(1000000) << 32) / khz;
	start = rdtsc();
}

uint64_t clock_now(void)
{
	return (uint64_t)((unsigned __int128)(rdtsc() - start) * ns_per_tick >> 32);
}

void clock_wait(uint64_t ns)
{
	uint64_t end = clock_now() + ns;

	while (clock_now() < end)
		__asm__ volatile("pause");
}
