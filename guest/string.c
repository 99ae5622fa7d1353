/* SPDX-License-Identifier: MIT */
/*
 * What a freestanding compiler may call. String instructions: one instruction of ring 0, which may
 * be an emulator's, does the most that one can.
 */
#include <stddef.h>
#include <stdint.h>

void *memset(void *target, int value, size_t size);
void *memcpy(void *target, const void *source, size_t size);

void *memset(void *target, int value, size_t size)
{
	uint64_t pattern = UINT64_C(0x0101010101010101) * (uint8_t)value;
	size_t words = size / sizeof(pattern);
	void *at = target;

	size %= sizeof(pattern);
	__asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(pattern) : "memory");
	return target;
}

void *memcpy(void *target, const void *source, size_t size)
{
	size_t words = size / sizeof(uint64_t);
	void *at = target;

	size %= sizeof(uint64_t);
	__asm__ volatile("rep movsq" : "+D"(at), "+S"(source), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(source), "+c"(size) : : "memory");
	return target;
}
