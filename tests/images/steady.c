/* SPDX-License-Identifier: MIT */
/*
 * steady [LOOKS]: works, and looks so often (100) whether the monotonic clock went on and the
 * registers that the work does not touch are as they were: general ones, SSE's, and AVX's where
 * there are any. Status 0, or 1 and a line that says what was wrong.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 200000

static const uint64_t pattern[4] = {0x0123456789abcdef, 0xfedcba9876543210, 0x5555aaaa3333cccc,
				    0x0f0ff0f000ffff00};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Most of the time of a round is spent between the two loads and the two stores. */
static void hold_sse(uint64_t found[4])
{
	__asm__ volatile("movdqu (%1), %%xmm13\n\t"
			 "movdqu 16(%1), %%xmm14\n\t"
			 "mov %2, %%rcx\n"
			 "1:\n\t"
			 "dec %%rcx\n\t"
			 "jnz 1b\n\t"
			 "movdqu %%xmm13, (%0)\n\t"
			 "movdqu %%xmm14, 16(%0)"
			 :
			 : "r"(found), "r"(pattern), "i"(ROUNDS)
			 : "rcx", "xmm13", "xmm14", "memory", "cc");
}

static void hold_avx(uint64_t found[4])
{
	__asm__ volatile("vmovdqu (%1), %%ymm15\n\t"
			 "mov %2, %%rcx\n"
			 "1:\n\t"
			 "dec %%rcx\n\t"
			 "jnz 1b\n\t"
			 "vmovdqu %%ymm15, (%0)\n\t"
			 "vzeroupper"
			 :
			 : "r"(found), "r"(pattern), "i"(ROUNDS)
			 : "rcx", "xmm15", "memory", "cc");
}

static int look(uint64_t *last)
{
	uint64_t found[4];
	uint64_t now;

	hold_sse(found);
	if (memcmp(found, pattern, sizeof(found))) {
		puts("a register of SSE has changed");
		return 1;
	}
	if (__builtin_cpu_supports("avx"))
		hold_avx(found);
	if (memcmp(found, pattern, sizeof(found))) {
		puts("a register of AVX has changed");
		return 1;
	}
	now = now_ns();
	if (now <= *last) {
		printf("the clock went from %" PRIu64 " to %" PRIu64 "\n", *last, now);
		return 1;
	}
	*last = now;
	return 0;
}

int main(int argc, char **argv)
{
	long looks = argc > 1 ? atol(argv[1]) : 100;
	uint64_t first = now_ns(), last = first;

	for (long i = 0; i < looks; i++) {
		if (look(&last))
			return 1;
	}
	/* An hour is no time that this takes. */
	if (last - first > UINT64_C(3600) * 1000000000) {
		printf("%ld looks took %" PRIu64 " ns\n", looks, last - first);
		return 1;
	}
	printf("looks %ld\n", looks);
	return 0;
}
