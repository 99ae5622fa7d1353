/* SPDX-License-Identifier: MIT */
/*
 * See exec.h. Read-only segments are mapped where they lie in the module, without a copy; segments
 * that can be written are copied, page by page. The VMM has checked the image already; under a VMM
 * that has not, these checks keep the kernel safe.
 */
#include "guest/exec.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest/abi.h"
#include "guest/boot.h"
#include "guest/clock.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/cpu_area.h"
#include "guest/frames.h"
#include "guest/memory.h"
#include "guest/process.h"
#include "guest/publish.h"
#include "guest/random.h"
#include "guest/trap.h"
#include "guest/user.h"
#include "guest/window.h"

#define STACK_SIZE    (UINT64_C(8) << 20)
#define SEGMENTS_MAX  32
#define ARGUMENTS_MAX ABI_ARGUMENTS_MAX
#define STRINGS_SIZE  ABI_STRINGS_SIZE
#define RANDOM_SIZE   (ABI_STRINGS_SIZE - ABI_STRINGS_MAX)
#define USER_RFLAGS   0x202

/* What the stack will hold: strings, and the words below them. */
static struct {
	char strings[STRINGS_SIZE];
	uint64_t string_bytes;
	uint64_t words[ARGUMENTS_MAX + 64];
	uint64_t word_count;
} stack;

static struct {
	const Elf64_Ehdr *header;
	const Elf64_Phdr *segments;
	uint64_t bias;	  /* added to the image's addresses */
	uint64_t end;	  /* of the highest segment */
	uint64_t headers; /* gVA of the program headers */
} program;

static __attribute__((noreturn)) void cannot_execute(const char *why)
{
	refuse("%s: cannot execute: %s", boot.name, why);
}

static void read_headers(void)
{
	const Elf64_Ehdr *header = direct(boot.module.start);
	uint64_t size = boot.module.end - boot.module.start;

	if (!boot.module.start || boot.module.start & (HPT_PAGE_SIZE - 1))
		cannot_execute("there is no page-aligned module");
	if (size < sizeof(*header) || header->e_ident[EI_MAG0] != ELFMAG0 ||
	    header->e_ident[EI_MAG1] != 'E' || header->e_ident[EI_MAG2] != 'L' ||
	    header->e_ident[EI_MAG3] != 'F' || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_machine != EM_X86_64)
		cannot_execute("it is not an x86-64 ELF");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		cannot_execute("e_type is neither executable nor position-independent");
	if (!header->e_phnum || header->e_phnum > SEGMENTS_MAX ||
	    header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff % 8 ||
	    header->e_phoff > size || size - header->e_phoff < header->e_phnum * sizeof(Elf64_Phdr))
		cannot_execute("its program headers are not in the file");
	program.header = header;
	program.segments = direct(boot.module.start + header->e_phoff);
	program.bias = header->e_type == ET_DYN ? ABI_RELOCATION_BASE : 0;
}

static uint64_t protection_of(const Elf64_Phdr *segment)
{
	return (segment->p_flags & PF_R ? PROTECTION_READ : 0) |
	       (segment->p_flags & PF_W ? PROTECTION_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROTECTION_EXECUTE : 0);
}

static void load_copy(const Elf64_Phdr *segment, uint64_t start, uint64_t pages)
{
	uint64_t gva = program.bias + segment->p_vaddr;
	uint64_t protection = protection_of(segment);

	if (memory_add(cpu.window.space, start >> HPT_PAGE_SHIFT, pages,
		       protection | PROTECTION_WRITE, 0) ||
	    user_write(gva, direct(boot.module.start + segment->p_offset), segment->p_filesz))
		cannot_execute("a segment does not fit into memory");
	if (!(protection & PROTECTION_WRITE))
		memory_protect(start, pages << HPT_PAGE_SHIFT, protection);
}

static void load_segment(const Elf64_Phdr *segment)
{
	uint64_t size = boot.module.end - boot.module.start;
	uint64_t gva = program.bias + segment->p_vaddr;
	uint64_t start = gva & ~(HPT_PAGE_SIZE - 1);
	uint64_t pages = (gva - start + segment->p_memsz + HPT_PAGE_SIZE - 1) >> HPT_PAGE_SHIFT;
	uint64_t first = (boot.module.start + segment->p_offset) >> HPT_PAGE_SHIFT;

	/* Where nothing is taken from the file it may be of any length. */
	if ((segment->p_filesz &&
	     (segment->p_offset > size || segment->p_filesz > size - segment->p_offset)) ||
	    segment->p_filesz > segment->p_memsz || segment->p_memsz > USER_END ||
	    segment->p_vaddr > USER_END ||
	    (segment->p_offset ^ segment->p_vaddr) & (HPT_PAGE_SIZE - 1))
		cannot_execute("a segment is not in the file or not aligned to it");
	if (!segment->p_memsz)
		return;
	if (segment->p_flags & PF_W || segment->p_memsz > segment->p_filesz)
		load_copy(segment, start, pages);
	else if (memory_add(cpu.window.space, start >> HPT_PAGE_SHIFT, pages,
			    protection_of(segment), first))
		cannot_execute("segments overlap or lie outside user space");
	if (gva + segment->p_memsz > program.end)
		program.end = gva + segment->p_memsz;
	if (program.header->e_phoff >= segment->p_offset &&
	    program.header->e_phoff < segment->p_offset + segment->p_filesz)
		program.headers = gva + program.header->e_phoff - segment->p_offset;
}

/* There is room for ARGUMENTS_MAX arguments and what stands around them. */
static void push_word(uint64_t value)
{
	stack.words[stack.word_count++] = value;
}

/* An argument is pushed as its offset into the strings; place_stack() makes it an address. */
static bool push_argument(const char **text)
{
	char *string = &stack.strings[stack.string_bytes];

	if (!boot_next_argument(text, string, STRINGS_SIZE - RANDOM_SIZE - stack.string_bytes))
		return false;
	/* The count and the program's name stand before them. */
	if (stack.word_count > ARGUMENTS_MAX + 1)
		refuse("arguments: found more than %u", ARGUMENTS_MAX);
	push_word(stack.string_bytes);
	while (stack.strings[stack.string_bytes++])
		continue;
	return true;
}

static uint64_t push_random(void)
{
	uint64_t at = stack.string_bytes = (stack.string_bytes + 15) & ~UINT64_C(15);

	for (unsigned int i = 0; i < 2; i++)
		*(uint64_t *)&stack.strings[at + 8 * i] = random_next();
	stack.string_bytes += 16;
	return at;
}

static void push_vector(uint64_t strings, uint64_t random)
{
	const uint64_t vector[][2] = {
		{AT_PHDR, program.headers},
		{AT_PHENT, sizeof(Elf64_Phdr)},
		{AT_PHNUM, program.header->e_phnum},
		{AT_PAGESZ, HPT_PAGE_SIZE},
		{AT_ENTRY, program.bias + program.header->e_entry},
		{AT_UID, 0},
		{AT_EUID, 0},
		{AT_GID, 0},
		{AT_EGID, 0},
		{AT_SECURE, 0},
		{AT_CLKTCK, 100},
		{AT_RANDOM, strings + random},
		{AT_EXECFN, strings},
		{AT_NULL, 0},
	};

	for (unsigned int i = 0; i < sizeof(vector) / sizeof(vector[0]); i++) {
		push_word(vector[i][0]);
		push_word(vector[i][1]);
	}
}

/* argc, argv, envp (none), auxv below the strings; returns the stack pointer. */
static uint64_t build_stack(void)
{
	const char *name = *boot.name && *boot.name != ' ' ? boot.name : "program";
	const char *arguments = boot.arguments;
	uint64_t strings, random, bottom;
	uint64_t count = 1;

	push_word(0);
	push_argument(&name);
	while (push_argument(&arguments))
		count++;
	random = push_random();
	strings = USER_END - ((stack.string_bytes + 15) & ~UINT64_C(15));
	stack.words[0] = count;
	for (uint64_t i = 1; i <= count; i++)
		stack.words[i] += strings;
	push_word(0);
	push_word(0);
	push_vector(strings, random);
	bottom = (strings - stack.word_count * sizeof(uint64_t)) & ~UINT64_C(15);
	if (memory_add(cpu.window.space, (USER_END - STACK_SIZE) >> HPT_PAGE_SHIFT,
		       STACK_SIZE >> HPT_PAGE_SHIFT, PROTECTION_READ | PROTECTION_WRITE, 0) ||
	    user_write(bottom, stack.words, stack.word_count * sizeof(uint64_t)) ||
	    user_write(strings, stack.strings, stack.string_bytes))
		cannot_execute("no memory for its stack");
	return bottom;
}

void exec_start(void)
{
	struct trap_frame frame = {
		.cpu = {.cs = USER_CODE, .ss = USER_DATA, .rflags = USER_RFLAGS},
	};

	struct space *space = space_create();

	if (!space)
		refuse("memory: found too little for the first program");
	window_enter(space);
	read_headers();
	for (unsigned int i = 0; i < program.header->e_phnum; i++) {
		if (program.segments[i].p_type == PT_INTERP)
			cannot_execute("it is dynamically linked");
		if (program.segments[i].p_type == PT_LOAD)
			load_segment(&program.segments[i]);
	}
	memory_start_heap(space, program.end);
	frame.cpu.rsp = build_stack();
	frame.cpu.rip = program.bias + program.header->e_entry;
	if (frame.cpu.rip >= USER_END)
		cannot_execute("e_entry is outside user space");
	process_start();
	cpu_start_others();
	publish_program();
	trap_leave(&frame);
}
