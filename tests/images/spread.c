/* SPDX-License-Identifier: MIT */
/*
 * Pages that lie far apart: each needs page tables of its own.
 *
 *     spread [--gibs N=1800]
 *
 * Maps and unmaps a page in each of N GiB; keeps pages in a quarter of them; executes one
 * instruction that needs six pages at once, no two of them under the same 512 GiB; and moves 256
 * GiB that are nearly empty. A system that runs out of tables on the way, takes one page's for
 * another's, or looks at every page that could be, does not come to the end. Nor
 * does one that goes through all of 3900 mappings for each.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "images/common/args.h"

#define PAGE	   4096UL
#define GIB_SHIFT  30
#define HALF_SHIFT 39 /* 512 GiB */
#define RIGHTS	   (PROT_READ | PROT_WRITE | PROT_EXEC)
#define FIXED	   (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED)

static char *at_gib(uint64_t number)
{
	/* Not the first ones, where the program itself is. */
	return (char *)((number + 2) << GIB_SHIFT);
}

static void *map(char *address, size_t size)
{
	void *got = mmap(address, size, RIGHTS, FIXED, -1, 0);

	if (got == MAP_FAILED) {
		perror("spread: mmap");
		exit(1);
	}
	return got;
}

static void come_and_go(uint64_t gibs)
{
	for (uint64_t i = 0; i < gibs; i++)
		munmap(map(at_gib(i), PAGE), PAGE);
	printf("came and went %" PRIu64 "\n", gibs);
}

static void stay(uint64_t gibs)
{
	uint64_t kept = 0;

	for (uint64_t i = 0; i < gibs; i++)
		*(uint64_t *)map(at_gib(i), PAGE) = i + 1;
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < gibs; i++)
			kept += *(volatile uint64_t *)at_gib(i) == i + 1;
	}
	printf("stayed %" PRIu64 "\n", kept);
	for (uint64_t i = 0; i < gibs; i++)
		munmap(at_gib(i), PAGE);
}

/* Two pages, the boundary of two times 512 GiB between them. */
static char *map_boundary(uint64_t number)
{
	char *boundary = (char *)(number << HALF_SHIFT);

	map(boundary - PAGE, 2 * PAGE);
	return boundary;
}

static void six_pages(void)
{
	static const unsigned char code[] = {0x48, 0xa5, 0xc3}; /* movsq; ret */
	char *from = map_boundary(10) - 4;
	char *to = map_boundary(20) - 4;
	char *instruction = map_boundary(30) - 1;
	const uint64_t value = UINT64_C(0x123456789abcdef);
	uint64_t found;

	memcpy(from, &value, sizeof(value));
	memcpy(instruction, code, sizeof(code));
	__asm__ volatile("call *%2" : "+S"(from), "+D"(to) : "r"(instruction) : "memory");
	memcpy(&found, to - sizeof(found), sizeof(found));
	printf("one instruction on six pages %" PRIx64 "\n", found);
}

/* Of the pages that are used many lie side by side, and the others far apart. */
#define NEAR_PAGES 950UL
#define FAR_PAGES  120UL

static uint64_t *used_page(char *area, uint64_t number)
{
	uint64_t page = number;

	if (number >= NEAR_PAGES)
		page = (number - NEAR_PAGES + 1) << (GIB_SHIFT - 12);
	return (uint64_t *)(area + page * PAGE);
}

static void move(void)
{
	const size_t size = (size_t)256 << GIB_SHIFT;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *area = mmap(NULL, size, RIGHTS, flags, -1, 0);
	uint64_t kept = 0;
	char *moved;

	if (area == MAP_FAILED) {
		perror("spread: mmap");
		exit(1);
	}
	/* So that it cannot grow where it is. */
	mmap(area + size, PAGE, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
	for (uint64_t i = 0; i < NEAR_PAGES + FAR_PAGES; i++)
		*used_page(area, i) = i + 1;
	moved = mremap(area, size, size + ((size_t)1 << GIB_SHIFT), MREMAP_MAYMOVE);
	if (moved == MAP_FAILED || moved == area) {
		perror("spread: mremap");
		exit(1);
	}
	for (uint64_t i = 0; i < NEAR_PAGES + FAR_PAGES; i++)
		kept += *used_page(moved, i) == i + 1;
	printf("moved %" PRIu64 "\n", kept);
}

/* Neighbours that differ stay apart, however many: the first and last ones go first. */
static void many(void)
{
	enum { MAPPINGS = 3900 };
	static char *at[MAPPINGS];
	long gone = 0;

	for (int i = 0; i < MAPPINGS; i++)
		at[i] = mmap(NULL, PAGE, i % 2 ? PROT_READ : RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	for (int i = 0; i < MAPPINGS / 2; i++) {
		gone += !munmap(at[i], PAGE);
		gone += !munmap(at[MAPPINGS - 1 - i], PAGE);
	}
	printf("many %ld\n", gone);
}

int main(int argc, char **argv)
{
	struct args args = args_start("spread", argv);
	uint64_t gibs = 1800;
	const char *argument;
	int status = 0;

	(void)argc;
	while (!status && (argument = args_next(&args))) {
		if (!strcmp(argument, "--gibs"))
			status = args_number(&args, argument, args_next(&args), 1, 4000, &gibs);
		else
			status = args_unknown(&args, argument, "--gibs");
	}
	if (status)
		return status;
	come_and_go(gibs);
	stay(gibs / 4);
	six_pages();
	move();
	many();
	return 0;
}
