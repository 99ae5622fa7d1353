/* SPDX-License-Identifier: MIT */
/* The image loader and the files of a real system: reading them, and libelf as a second opinion. */
#include <criterion/criterion.h>

#include <dlfcn.h>
#include <errno.h>
#include <gelf.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/image.h"
#include "vmm/status.h"

static char directory[] = "/tmp/twostage-image-XXXXXX";

static void enter_directory(void)
{
	cr_assert(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
}

static void leave_directory(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(image_file, .init = enter_directory, .fini = leave_directory);

static void write_file(const char *name, const char *text, off_t size)
{
	FILE *file = fopen(name, "w");

	cr_assert(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(truncate(name, size), 0);
}

static void expect_unread(const char *path, int error, int status, const char *text)
{
	struct image_problem problem;
	void *bytes = &problem;
	size_t size = 1;

	cr_expect_eq(image_read_file(path, &bytes, &size, &problem), error, "%s", path);
	cr_expect_null(bytes);
	cr_expect_eq(problem.status, status);
	cr_expect_str_eq(problem.text, text);
}

Test(image_file, regular_file_is_read_whole)
{
	struct image_problem problem;
	void *bytes;
	size_t size;

	write_file("text", "some bytes", 10);
	cr_assert_eq(image_read_file("text", &bytes, &size, &problem), 0);
	cr_assert_eq(size, 10);
	cr_expect_eq(memcmp(bytes, "some bytes", 10), 0);
	free(bytes);
}

Test(image_file, empty_file_is_read_as_0_bytes)
{
	struct image_problem problem;
	void *bytes;
	size_t size = 1;

	write_file("empty", "", 0);
	cr_assert_eq(image_read_file("empty", &bytes, &size, &problem), 0);
	cr_expect_eq(size, 0);
	free(bytes);
}

Test(image_file, missing_file_is_named_so)
{
	expect_unread("missing", -ENOENT, STATUS_NOINPUT,
		      "file: found none that can be read (No such file or directory), wanted a "
		      "regular file");
}

Test(image_file, unreadable_file_is_named_so)
{
	uid_t user = geteuid();

	write_file("secret", "x", 1);
	cr_assert_eq(chmod("secret", 0), 0);
	/* Root reads every file, so be somebody else for a while. */
	cr_assert_eq(chmod(directory, 0755), 0);
	if (user == 0)
		cr_assert_eq(seteuid(65534), 0);
	expect_unread(
		"secret", -EACCES, STATUS_NOINPUT,
		"file: found none that can be read (Permission denied), wanted a regular file");
	if (user == 0)
		cr_assert_eq(seteuid(0), 0);
}

Test(image_file, directory_is_refused)
{
	expect_unread(".", -EISDIR, STATUS_NOINPUT,
		      "file: found a directory, wanted a regular file");
}

Test(image_file, fifo_without_a_writer_does_not_hang, .timeout = 10)
{
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	expect_unread("fifo", -EINVAL, STATUS_NOINPUT, "file: found a FIFO, wanted a regular file");
}

Test(image_file, device_is_refused)
{
	expect_unread("/dev/zero", -EINVAL, STATUS_NOINPUT,
		      "file: found a device, wanted a regular file");
}

Test(image_file, file_above_the_limit_is_refused_unread)
{
	write_file("large", "", (1 << 30) + 1);
	expect_unread("large", -EFBIG, STATUS_DATA,
		      "size: found 1073741825 bytes, wanted at most 1073741824");
}

/* What the loader says about a file, and the libelf view of the same bytes. */
struct opinion {
	struct image image;
	int error;
	char first[sizeof(((struct image_problem *)0)->text)];
	void *bytes;
	size_t size;
	Elf *elf;
	GElf_Ehdr header;
};

static void note_first(void *context, const struct image_problem *problem)
{
	struct opinion *opinion = context;

	if (!opinion->first[0])
		strcpy(opinion->first, problem->text);
}

static void ask(const char *path, struct opinion *opinion)
{
	struct image_problem problem;

	memset(opinion, 0, sizeof(*opinion));
	cr_assert_eq(image_read_file(path, &opinion->bytes, &opinion->size, &problem), 0, "%s: %s",
		     path, problem.text);
	opinion->error = image_parse(opinion->bytes, opinion->size, NULL, &opinion->image,
				     note_first, opinion);
	cr_assert_neq(elf_version(EV_CURRENT), EV_NONE);
	opinion->elf = elf_memory(opinion->bytes, opinion->size);
	cr_assert(opinion->elf);
	cr_assert(gelf_getehdr(opinion->elf, &opinion->header));
}

static void forget(struct opinion *opinion)
{
	elf_end(opinion->elf);
	free(opinion->bytes);
}

static bool libelf_has(const struct opinion *opinion, uint32_t type)
{
	size_t count = 0;

	elf_getphdrnum(opinion->elf, &count);
	for (int i = 0; i < (int)count; i++) {
		GElf_Phdr phdr;

		if (gelf_getphdr(opinion->elf, i, &phdr) && phdr.p_type == type)
			return true;
	}
	return false;
}

static void expect_same_program(const struct opinion *opinion)
{
	const struct image *image = &opinion->image;
	unsigned segments = 0;
	size_t count = 0;

	cr_assert_eq(opinion->error, 0, "%s", opinion->first);
	cr_expect_eq(image->kind, IMAGE_STATIC_PROGRAM);
	cr_expect_eq(image->entry, opinion->header.e_entry);
	cr_expect_eq(image->relocatable, opinion->header.e_type == ET_DYN);
	cr_expect_not(libelf_has(opinion, PT_INTERP));
	cr_assert_eq(elf_getphdrnum(opinion->elf, &count), 0);
	for (int i = 0; i < (int)count; i++) {
		const struct image_segment *segment = &image->segments[segments];
		GElf_Phdr phdr;

		cr_assert(gelf_getphdr(opinion->elf, i, &phdr));
		if (phdr.p_type != PT_LOAD || !phdr.p_memsz)
			continue;
		cr_assert_lt(segments++, image->segment_count);
		cr_expect_eq(segment->address, phdr.p_vaddr);
		cr_expect_eq(segment->file_offset, phdr.p_offset);
		cr_expect_eq(segment->file_size, phdr.p_filesz);
		cr_expect_eq(segment->memory_size, phdr.p_memsz);
		cr_expect_eq(segment->flags, phdr.p_flags);
	}
	cr_expect_eq(segments, image->segment_count);
}

/* Builds a program here by this compiler; skips the test where that does not work. */
static void compile(const char *compiler, const char *output)
{
	char command[256];

	write_file("program.c", "int numbers[9999]; int main(void) { return numbers[7]; }\n", 57);
	snprintf(command, sizeof(command), "%s -o %s program.c 2>compiler.log", compiler, output);
	if (system(command)) {
		leave_directory(); /* a skipped test has no end of its own */
		cr_skip_test("no %s here", compiler);
	}
}

static void expect_accepted(const char *compiler)
{
	struct opinion opinion;

	compile(compiler, "program");
	ask("program", &opinion);
	expect_same_program(&opinion);
	forget(&opinion);
}

Test(image_file, libelf_agrees_about_a_static_musl_program)
{
	expect_accepted("musl-gcc -static");
}

Test(image_file, libelf_agrees_about_a_static_glibc_program)
{
	expect_accepted("gcc -static");
}

Test(image_file, libelf_agrees_about_a_static_pie)
{
	expect_accepted("gcc -static-pie -fPIE");
}

Test(image_file, libelf_agrees_about_a_program_with_code_and_headers_in_one_segment)
{
	expect_accepted("gcc -static -Wl,-z,noseparate-code");
}

Test(image_file, dynamic_program_is_refused_by_its_interpreter)
{
	struct opinion opinion;

	ask("/bin/true", &opinion);
	cr_assert(libelf_has(&opinion, PT_INTERP));
	cr_expect_eq(opinion.error, -ENOEXEC);
	cr_expect_eq(strncmp(opinion.first, "PT_INTERP: found \"/lib", 22), 0, "%s", opinion.first);
	forget(&opinion);
}

Test(image_file, object_file_is_refused_by_its_type)
{
	struct opinion opinion;

	compile("gcc -c", "program.o");
	ask("program.o", &opinion);
	cr_assert_eq(opinion.header.e_type, ET_REL);
	cr_expect_eq(strncmp(opinion.first, "e_type: found 1 (object file)", 29), 0, "%s",
		     opinion.first);
	forget(&opinion);
}

Test(image_file, shared_library_is_refused_with_dependencies_or_without)
{
	struct opinion opinion;

	compile("gcc -shared -fPIC -Wl,--no-as-needed", "library.so");
	ask("library.so", &opinion);
	cr_assert_eq(opinion.header.e_type, ET_DYN);
	cr_expect_eq(strncmp(opinion.first, "DT_NEEDED: found ", 17), 0, "%s", opinion.first);
	forget(&opinion);
	compile("gcc -shared -fPIC -nostdlib", "library.so");
	ask("library.so", &opinion);
	cr_assert_eq(opinion.header.e_type, ET_DYN);
	cr_expect_eq(strncmp(opinion.first, "DT_FLAGS_1: found ", 18), 0, "%s", opinion.first);
	forget(&opinion);
}

Test(image_file, c_library_is_refused_though_it_can_be_run)
{
	struct opinion opinion;
	Dl_info info;

	cr_assert(dladdr((void *)gnu_get_libc_version, &info));
	ask(info.dli_fname, &opinion);
	cr_assert_eq(opinion.header.e_type, ET_DYN);
	cr_assert_neq(opinion.header.e_entry, 0);
	cr_expect_eq(opinion.error, -ENOEXEC);
	cr_expect_eq(opinion.image.kind, IMAGE_DYNAMIC_PROGRAM);
	forget(&opinion);
}
