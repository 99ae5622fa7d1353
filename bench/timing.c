/* SPDX-License-Identifier: MIT */
/* See timing.h. */
#include "bench/timing.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#define CALIBRATION_NS 5000000

void timing_pin(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	/* Not being pinned costs precision only. */
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("bench: not pinned");
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t timing_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t timing_own_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

double timing_median(double *samples, size_t count)
{
	qsort(samples, count, sizeof(*samples), compare);
	return count % 2 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

double timing_least(const double *samples, size_t count)
{
	double least = samples[0];

	for (size_t i = 1; i < count; i++)
		least = samples[i] < least ? samples[i] : least;
	return least;
}

double timing_cycles_a_ns(void)
{
	uint64_t start = timing_now_ns();
	uint64_t ticks = __rdtsc();
	uint64_t now;

	do {
		now = timing_now_ns();
	} while (now - start < CALIBRATION_NS);
	return (double)(__rdtsc() - ticks) / (double)(now - start);
}
