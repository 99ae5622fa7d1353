/* SPDX-License-Identifier: MIT */
/*
 * bad_images DIR: writes one file for each way in which an image can be unfit into DIR, an existing
 * directory, and DIR/index with a line "NAME STATUS FIELD" for each: a command that is given
 * DIR/NAME must exit with STATUS and print a message that contains FIELD, which has no blanks. The
 * kernels that some of them are made from are there too, as sound-*: they exit with 42.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/vmm/build_elf.h"
#include "tests/vmm/build_kernel.h"
#include "vmm/image.h"
#include "vmm/status.h"

static void fail(const char *what)
{
	fprintf(stderr, "bad_images: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_file(const char *name, const void *bytes, size_t size, mode_t mode)
{
	FILE *file = fopen(name, "w");

	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) || chmod(name, mode))
		fail(name);
}

/* A file of one byte more than the loader reads; it has no blocks. */
static void write_too_large(const char *name)
{
	write_file(name, "", 0, 0644);
	if (truncate(name, IMAGE_FILE_MAX + 1))
		fail(name);
}

static void write_unreadable(FILE *index)
{
	struct built built;

	if (mkdir("directory", 0755) && errno != EEXIST)
		fail("directory");
	fprintf(index, "directory %d file\n", STATUS_NOINPUT);
	if (mkfifo("fifo", 0644) && errno != EEXIST)
		fail("fifo");
	fprintf(index, "fifo %d file\n", STATUS_NOINPUT);
	if (symlink("/dev/null", "device") && errno != EEXIST)
		fail("device");
	fprintf(index, "device %d file\n", STATUS_NOINPUT);
	fprintf(index, "missing %d file\n", STATUS_NOINPUT);
	write_too_large("too-large");
	fprintf(index, "too-large %d size\n", STATUS_DATA);
	/* Root reads whatever the mode says. */
	if (geteuid()) {
		unlink("unreadable");
		build_image(BUILT_PROGRAM, &built);
		write_file("unreadable", built.bytes, built.size, 0);
		fprintf(index, "unreadable %d file\n", STATUS_NOINPUT);
	}
}

/* The field is what stands before the first colon. */
static void write_kernels(FILE *index)
{
	for (size_t i = 0; i < broken_kernel_count; i++) {
		const struct broken_kernel *broken = &broken_kernels[i];
		struct built built;

		build_broken_kernel(broken, &built);
		write_file(broken->name, built.bytes, built.size, 0644);
		fprintf(index, "%s %d %.*s\n", broken->name, STATUS_DATA,
			(int)strcspn(broken->text, ":"), broken->text);
	}
}

static void write_sound_kernels(void)
{
	static const char *const names[KERNEL_KINDS] = {"sound-bzimage", "sound-multiboot-elf",
							"sound-multiboot-flat"};

	for (int i = 0; i < KERNEL_KINDS; i++) {
		struct built built;

		build_kernel((enum built_kernel_kind)i, &built);
		write_file(names[i], built.bytes, built.size, 0644);
	}
}

int main(int argc, char **argv)
{
	FILE *index;

	if (argc != 2) {
		fprintf(stderr, "usage: bad_images DIR\n");
		return STATUS_USAGE;
	}
	if (chdir(argv[1]))
		fail(argv[1]);
	index = fopen("index", "w");
	if (!index)
		fail("index");
	for (size_t i = 0; i < bad_image_count(); i++) {
		struct built built;
		struct bad_image bad = build_bad_image(i, &built);

		write_file(bad.name, built.bytes, built.size, 0644);
		fprintf(index, "%s %d %s\n", bad.name, bad.status, bad.field);
	}
	write_kernels(index);
	write_sound_kernels();
	write_unreadable(index);
	if (fclose(index))
		fail("index");
	return 0;
}
