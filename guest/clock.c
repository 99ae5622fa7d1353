/* SPDX-License-Identifier: MIT */
/* See clock.h. */
#include "guest/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest/boot.h"
#include "guest/cpu.h"
#include "guest/publish.h"
#include "guest/schedule.h"
#include "guest/user.h"

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

#define NS_PER_SECOND UINT64_C(1000000000)
#define FOR_EVER      INT64_MAX /* in nanoseconds, as on Linux: 292 years */
#define SLEEP_UNTIL   1		/* TIMER_ABSTIME */

/* What a clock can do. Those of CPU time tell time as such: nothing else runs here. */
#define CAN_TELL  1
#define CAN_SLEEP 2
#define TELLS_DAY 4 /* the time of day; the others the time since the start */

struct timespec64 {
	int64_t seconds;
	int64_t nanoseconds;
};

static const uint8_t clocks[] = {
	[CLOCK_REALTIME] = CAN_TELL | CAN_SLEEP | TELLS_DAY,
	[CLOCK_MONOTONIC] = CAN_TELL | CAN_SLEEP,
	[2] = CAN_TELL | CAN_SLEEP,		/* PROCESS_CPUTIME_ID */
	[3] = CAN_TELL,				/* THREAD_CPUTIME_ID */
	[4] = CAN_TELL,				/* MONOTONIC_RAW */
	[5] = CAN_TELL | TELLS_DAY,		/* REALTIME_COARSE */
	[6] = CAN_TELL,				/* MONOTONIC_COARSE */
	[7] = CAN_TELL | CAN_SLEEP,		/* BOOTTIME; the alarm clocks, 8 and 9: none */
	[11] = CAN_TELL | CAN_SLEEP | TELLS_DAY /* TAI */
};

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

uint64_t clock_after(uint64_t ns)
{
	uint64_t now = clock_now();

	return ns < FOR_EVER - now ? now + ns : FOR_EVER;
}

static unsigned int kind_of(uint32_t number)
{
	return number < sizeof(clocks) ? clocks[number] : 0;
}

static uint64_t now_by(uint32_t number)
{
	return clock_now() + (kind_of(number) & TELLS_DAY ? boot.wall_ns : 0);
}

uint64_t clock_when(uint32_t number, uint64_t ns)
{
	uint64_t day = kind_of(number) & TELLS_DAY ? boot.wall_ns : 0;

	return ns > day ? ns - day : 1;
}

int clock_take_time(uint64_t gva, uint64_t *ns)
{
	struct timespec64 time;

	if (user_read(&time, gva, sizeof(time)))
		return -EFAULT;
	if (time.seconds < 0 || (uint64_t)time.nanoseconds >= NS_PER_SECOND)
		return -EINVAL;
	*ns = FOR_EVER;
	if ((uint64_t)time.seconds < FOR_EVER / NS_PER_SECOND)
		*ns = (uint64_t)time.seconds * NS_PER_SECOND + (uint64_t)time.nanoseconds;
	return 0;
}

static int64_t give_time(uint64_t gva, uint64_t ns)
{
	struct timespec64 time = {.seconds = (int64_t)(ns / NS_PER_SECOND),
				  .nanoseconds = (int64_t)(ns % NS_PER_SECOND)};

	return user_write(gva, &time, sizeof(time));
}

int64_t clock_get(uint32_t number, uint64_t gva)
{
	return kind_of(number) ? give_time(gva, now_by(number)) : -EINVAL;
}

int64_t clock_resolution(uint32_t number, uint64_t gva)
{
	if (!kind_of(number))
		return -EINVAL;
	return gva ? give_time(gva, 1) : 0;
}

int64_t clock_time_of_day(uint64_t time, uint64_t zone)
{
	static const int32_t greenwich[2];
	uint64_t ns = now_by(CLOCK_REALTIME);
	int64_t parts[2] = {(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND / 1000)};

	if (time && user_write(time, parts, sizeof(parts)))
		return -EFAULT;
	return zone ? user_write(zone, greenwich, sizeof(greenwich)) : 0;
}

int64_t clock_sleep(uint32_t number, uint32_t flags, uint64_t gva, uint64_t rest)
{
	struct task *task = current_task();
	uint64_t ns;
	int error;

	if (!(kind_of(number) & CAN_SLEEP))
		return kind_of(number) ? -EOPNOTSUPP : -EINVAL;
	error = clock_take_time(gva, &ns);
	if (error)
		return error;
	task->sleep_ends = flags & SLEEP_UNTIL ? clock_when(number, ns) : clock_after(ns);
	task->tell_rest = flags & SLEEP_UNTIL ? 0 : rest;
	return schedule_wait(NULL, task->sleep_ends, 0);
}

void clock_tell_rest(struct task *task)
{
	uint64_t now = clock_now();

	if (task->frame.rax == (uint64_t)-EINTR)
		give_time(task->tell_rest, task->sleep_ends > now ? task->sleep_ends - now : 0);
	task->tell_rest = 0;
}
