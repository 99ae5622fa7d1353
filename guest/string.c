/* SPDX-License-Identifier: MIT */
/*
 * What a freestanding compiler may call. String instructions: one instruction of ring 0, which may
 * be an emulator's, does the most that one can.
 */
#include <stddef.h>
#include <stdint.h>

void *memset(void *target, int value, size_t size);
void *memcpy(void *target, const void *source, size_t size);
void *memmove(void *target, const void *source, size_t size);

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

/* From the last byte on: the target begins within the source. */
static void move_up(void *target, const void *source, size_t size)
{
	size_t words = size / sizeof(uint64_t);
	size_t rest = size % sizeof(uint64_t);
	char *to = (char *)target + size - 1;
	const char *from = (const char *)source + size - 1;

	__asm__ volatile("std\n\t"
			 "rep movsb\n\t"
			 "subq $7, %0\n\t" /* from a last byte to the word that ends with it */
			 "subq $7, %1\n\t"
			 "movq %3, %2\n\t"
			 "rep movsq\n\t"
			 "cld"
			 : "+D"(to), "+S"(from), "+c"(rest)
			 : "r"(words)
			 : "memory", "cc");
}

void *memmove(void *target, const void *source, size_t size)
{
	if ((uintptr_t)target - (uintptr_t)source >= size)
		return memcpy(target, source, size);
	move_up(target, source, size);
	return target;
}
