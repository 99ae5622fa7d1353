/* SPDX-License-Identifier: MIT */
/*
 * Faults of every kind, for fault_cost.sh to count:
 *
 *     fault_cost PAGES [STRIDE]
 *
 * Each phase goes over PAGES pages, each STRIDE pages from the last: written first; then read,
 * which faults where the window has lost them; then written again. A second mapping is read first
 * and written at once, so that the CPU makes its pages dirty without a fault and eviction finds
 * them so. Prints the name of each phase that it has done.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096

static size_t pages, stride;

static volatile uint8_t *map(void)
{
	void *memory = mmap(NULL, pages * stride * PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void read_all(volatile uint8_t *memory)
{
	for (size_t i = 0; i < pages; i++)
		(void)memory[i * stride * PAGE_SIZE];
}

static void write_all(volatile uint8_t *memory)
{
	for (size_t i = 0; i < pages; i++)
		memory[i * stride * PAGE_SIZE] = 1;
}

static void read_and_write_all(volatile uint8_t *memory)
{
	for (size_t i = 0; i < pages; i++)
		memory[i * stride * PAGE_SIZE]++;
}

static void read_then_write_all(volatile uint8_t *memory)
{
	for (size_t i = 0; i < pages; i++) {
		(void)memory[i * stride * PAGE_SIZE];
		memory[i * stride * PAGE_SIZE] = 1;
	}
}

int main(int argc, char **argv)
{
	volatile uint8_t *first, *second;

	pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	stride = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	first = map();
	second = map();
	if (!pages || !stride || !first || !second) {
		fprintf(stderr, "fault_cost: wanted PAGES [STRIDE], both above 0\n");
		return 64;
	}
	write_all(first);
	puts("first-touch");
	read_all(first);
	puts("refill-read");
	write_all(first);
	puts("refill-write");
	read_then_write_all(second);
	puts("dirty-by-cpu");
	read_and_write_all(second);
	puts("refill-dirty");
	return 0;
}
