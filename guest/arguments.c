/* SPDX-License-Identifier: MIT */
/* See arguments.h. */
#include "guest/arguments.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/abi.h"
#include "guest/boot.h"
#include "guest/console.h"
#include "guest/cpu_area.h"
#include "guest/frames.h"
#include "guest/memory.h"
#include "guest/program.h"
#include "guest/random.h"
#include "guest/user.h"

#define STACK_SIZE  (UINT64_C(8) << 20)
#define RANDOM_SIZE 16
#define PIECE	    256
#define PATH_BYTES  4096 /* for the path that was executed, with a zero */
#define STORE_SIZE  (UINT64_C(256) << 10)

/* The strings, and the words that the stack will have below them; both from the bottom up. */
static struct {
	uint64_t bytes;
	uint64_t count[2]; /* arguments, environment */
	uint64_t words[ARGUMENTS_MAX + 48];
	uint64_t word_count;
	char strings[ARGUMENTS_BYTES + PATH_BYTES + 2 * RANDOM_SIZE];
} * stack;

_Static_assert(sizeof(*stack) <= STORE_SIZE, "the store holds it");

int arguments_begin(void)
{
	uint64_t gpa;

	if (!stack) {
		if (frames_get_block(STORE_SIZE, &gpa))
			return -ENOMEM;
		stack = direct(gpa);
	}
	stack->bytes = 0;
	stack->count[0] = stack->count[1] = 0;
	/* The first is for argc. */
	stack->word_count = 1;
	return 0;
}

static void push_word(uint64_t value)
{
	stack->words[stack->word_count++] = value;
}

/* A string whose bytes are there: its word is its offset until the strings have their place. */
static void push_string(uint64_t size, bool is_environment)
{
	/* The zero behind the arguments. */
	if (is_environment && !stack->count[1])
		push_word(0);
	push_word(stack->bytes);
	stack->bytes += size;
	stack->count[is_environment]++;
}

static uint64_t room(void)
{
	return stack->count[0] + stack->count[1] < ARGUMENTS_MAX ? ARGUMENTS_BYTES - stack->bytes
								 : 0;
}

int arguments_add(const char *text, bool is_environment)
{
	uint64_t size = 0;

	while (text[size])
		size++;
	if (++size > room())
		return -E2BIG;
	memcpy(&stack->strings[stack->bytes], text, size);
	push_string(size, is_environment);
	return 0;
}

static int add_user_string(uint64_t gva, bool is_environment)
{
	char *to = &stack->strings[stack->bytes];
	uint64_t most = room();

	for (uint64_t size = 0; size < most;) {
		uint64_t piece = PIECE - (gva + size) % PIECE;

		if (piece > most - size)
			piece = most - size;
		if (user_read(to + size, gva + size, piece))
			return -EFAULT;
		for (; piece; piece--) {
			if (!to[size++]) {
				push_string(size, is_environment);
				return 0;
			}
		}
	}
	return -E2BIG;
}

int arguments_add_list(uint64_t gva, unsigned int skip, bool is_environment)
{
	uint64_t string;

	for (unsigned int i = 0; gva; i++, gva += sizeof(string)) {
		int error;

		if (user_read(&string, gva, sizeof(string)))
			return -EFAULT;
		if (!string)
			return 0;
		error = i < skip ? 0 : add_user_string(string, is_environment);
		if (error)
			return error;
	}
	return 0;
}

static bool add_boot(const char **text)
{
	char *to = &stack->strings[stack->bytes];
	uint64_t size = 0;

	if (!boot_next_argument(text, to, ABI_STRINGS_MAX - stack->bytes))
		return false;
	/* The program's name stands before them. */
	if (stack->count[0] > ABI_ARGUMENTS_MAX)
		refuse("arguments: found more than %u", ABI_ARGUMENTS_MAX);
	while (to[size++])
		continue;
	push_string(size, false);
	return true;
}

void arguments_add_boot(const char *name)
{
	const char *arguments = boot.arguments;

	add_boot(&name);
	while (add_boot(&arguments))
		continue;
}

static uint64_t put_random(void)
{
	uint64_t at = stack->bytes = (stack->bytes + 15) & ~UINT64_C(15);

	for (unsigned int i = 0; i < RANDOM_SIZE / sizeof(uint64_t); i++)
		*(uint64_t *)&stack->strings[at + 8 * i] = random_next();
	stack->bytes += RANDOM_SIZE;
	return at;
}

static uint64_t put_path(const char *path)
{
	uint64_t at = stack->bytes, size = 0;

	while (path[size] && size < PATH_BYTES - 1)
		size++;
	memcpy(&stack->strings[at], path, size);
	stack->strings[at + size] = 0;
	stack->bytes += size + 1;
	return at;
}

static void push_vector(const struct program *program, uint64_t path, uint64_t random)
{
	const uint64_t vector[][2] = {
		{AT_PHDR, program->headers},
		{AT_PHENT, sizeof(Elf64_Phdr)},
		{AT_PHNUM, program->header.e_phnum},
		{AT_PAGESZ, HPT_PAGE_SIZE},
		{AT_ENTRY, program->entry},
		{AT_UID, 0},
		{AT_EUID, 0},
		{AT_GID, 0},
		{AT_EGID, 0},
		{AT_SECURE, 0},
		{AT_CLKTCK, 100},
		{AT_RANDOM, random},
		{AT_EXECFN, path},
		{AT_NULL, 0},
	};

	for (unsigned int i = 0; i < sizeof(vector) / sizeof(vector[0]); i++) {
		push_word(vector[i][0]);
		push_word(vector[i][1]);
	}
}

/* Offsets of strings become their addresses; between the two lists there is a zero. */
static void place_strings(uint64_t strings)
{
	uint64_t *word = &stack->words[1];

	for (uint64_t i = 0; i < stack->count[0]; i++)
		*word++ += strings;
	word++;
	for (uint64_t i = 0; i < stack->count[1]; i++)
		*word++ += strings;
}

int arguments_lay_out(const struct program *program, const char *path, uint64_t *bottom)
{
	uint64_t at = put_path(path);
	uint64_t random = put_random();
	uint64_t strings = USER_END - stack->bytes;

	stack->words[0] = stack->count[0];
	if (!stack->count[1])
		push_word(0);
	push_word(0);
	place_strings(strings);
	push_vector(program, strings + at, strings + random);
	*bottom = (strings - stack->word_count * sizeof(uint64_t)) & ~UINT64_C(15);
	if (memory_add(cpu.window.space, (USER_END - STACK_SIZE) >> HPT_PAGE_SHIFT,
		       STACK_SIZE >> HPT_PAGE_SHIFT, PROTECTION_READ | PROTECTION_WRITE, 0) ||
	    user_write(*bottom, stack->words, stack->word_count * sizeof(uint64_t)) ||
	    user_write(strings, stack->strings, stack->bytes))
		return -ENOMEM;
	return 0;
}
