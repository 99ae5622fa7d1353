/* SPDX-License-Identifier: MIT */
/*
 * Counts what a page fault costs in instructions: the time stamp counter before and after one
 * access. Only where the counter counts instructions (QEMU with -icount shift=0) is it a count of
 * ring 0; three of the instructions counted are this program's.
 *
 *     fault_cost PAGES [STRIDE]
 *
 * First touches of PAGES pages, each STRIDE pages from the last, then reads of them all (which the
 * window has lost where it is smaller), then writes. Prints one line a phase:
 *
 *     first-touch median 210 max 254
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096
#define OWN	  3 /* mov, the access, and half of each RDTSC's frame */

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static void report(const char *phase, uint64_t *cost, size_t pages)
{
	qsort(cost, pages, sizeof(*cost), compare);
	printf("%s median %llu max %llu\n", phase, (unsigned long long)cost[pages / 2],
	       (unsigned long long)cost[pages - 1]);
}

static uint64_t cost_of_write(volatile uint8_t *byte)
{
	uint64_t start = rdtsc();

	*byte = 1;
	return rdtsc() - start - OWN;
}

static uint64_t cost_of_read(volatile uint8_t *byte)
{
	uint64_t start = rdtsc();

	(void)*byte;
	return rdtsc() - start - OWN;
}

int main(int argc, char **argv)
{
	size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	size_t stride = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	uint64_t *cost = calloc(pages + 1, sizeof(*cost));
	uint8_t *memory = mmap(NULL, (pages + 1) * stride * PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (!pages || !stride || !cost || memory == MAP_FAILED) {
		fprintf(stderr, "fault_cost: wanted PAGES [STRIDE], both above 0\n");
		return 64;
	}
	/* The array's own pages are there before anything is counted. */
	for (size_t i = 0; i <= pages; i++)
		cost[i] = 1;
	for (size_t i = 0; i < pages; i++)
		cost[i] = cost_of_write(memory + i * stride * PAGE_SIZE);
	report("first-touch", cost, pages);
	for (size_t i = 0; i < pages; i++)
		cost[i] = cost_of_read(memory + i * stride * PAGE_SIZE);
	report("refill-read", cost, pages);
	for (size_t i = 0; i < pages; i++)
		cost[i] = cost_of_write(memory + i * stride * PAGE_SIZE);
	report("refill-write", cost, pages);
	return 0;
}
