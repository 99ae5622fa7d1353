/* SPDX-License-Identifier: MIT */
/*
 * Checksums of pages and of what describes them: against devices and files that lose, mix up or
 * damage something, not against whoever wants to deceive.
 *
 * Two sums side by side, each of every other word, so that the CPU has two multiplications under
 * way. A step is a permutation of the sum for a given word, and of the word for a given sum: who
 * changes one word changes the sum.
 */
#ifndef EPT_SUM_H
#define EPT_SUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The sum of `size` bytes, a multiple of 16 and aligned to 8. The two numbers are summed as well:
 * they say what the bytes are, so that one thing does not pass for another.
 */
uint64_t ept_sum(const void *bytes, size_t size, uint64_t first, uint64_t second);

#endif
