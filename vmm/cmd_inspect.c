/* SPDX-License-Identifier: MIT */
/* `twostage inspect IMAGE`: what the file is, whether it can be launched, every check it fails. */
#include <argp.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest/abi.h"
#include "vmm/command.h"
#include "vmm/image.h"
#include "vmm/status.h"

/* How much RAM the guest will have is not known here; but none has any in the device hole. */
static const struct image_ram any_ram = {
	.count = 2,
	.range = {{0, ABI_HOLE_START}, {ABI_HOLE_END, UINT64_MAX}},
};

struct inspection {
	const char *path;
	unsigned problems;
};

static void print_problem(void *context, const struct image_problem *problem)
{
	struct inspection *inspection = context;

	inspection->problems++;
	fprintf(stderr, "twostage inspect: %s: %s\n", inspection->path, problem->text);
}

static void print_segments(const struct image *image)
{
	printf("\n%-3s  %-18s  %-18s  %12s  %12s  %s\n", "", "address", "end", "file offset",
	       "file size", "access");
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];

		printf("%3u  0x%016" PRIx64 "  0x%016" PRIx64 "  %#12" PRIx64 "  %#12" PRIx64
		       "  %c%c%c\n",
		       i, segment->address, segment->address + segment->memory_size,
		       segment->file_offset, segment->file_size, segment->flags & PF_R ? 'r' : '-',
		       segment->flags & PF_W ? 'w' : '-', segment->flags & PF_X ? 'x' : '-');
	}
}

static void print_linux(const struct image_linux *kernel)
{
	printf("kernel      %s\n", kernel->name[0] ? kernel->name : "does not name itself");
	printf("protocol    Linux boot protocol %u.%02u, 64-bit entry\n", kernel->protocol >> 8,
	       kernel->protocol & 0xff);
	printf("append      at most %" PRIu32 " bytes\n", kernel->command_line_max);
	printf("initrd      up to 0x%" PRIx32 "\n", kernel->initrd_max);
}

static const char *entry_name(const struct image *image)
{
	switch (image->kind) {
	case IMAGE_LINUX_KERNEL:
		return "guest physical, long mode";
	case IMAGE_PVH_KERNEL:
	case IMAGE_MULTIBOOT_KERNEL:
		return "guest physical, 32-bit protected mode";
	default:
		return image->relocatable ? "guest virtual, plus a base" : "guest virtual, ring 3";
	}
}

static void print_image(const struct image *image)
{
	uint64_t start, end;

	image_bounds(image, &start, &end);
	if (image->kind == IMAGE_PVH_KERNEL)
		printf("note        XEN_ELFNOTE_PHYS32_ENTRY 0x%" PRIx64 "\n", image->entry);
	if (image->kind == IMAGE_LINUX_KERNEL)
		print_linux(&image->linux_kernel);
	printf("entry       0x%" PRIx64 " (%s)\n", image->entry, entry_name(image));
	printf("memory      0x%" PRIx64 " to 0x%" PRIx64 ", %u segment%s\n", start, end,
	       image->segment_count, image->segment_count == 1 ? "" : "s");
	print_segments(image);
}

static int inspect(const char *path)
{
	struct inspection inspection = {.path = path};
	struct image_problem problem;
	struct image image;
	void *bytes;
	size_t size;
	int error;

	if (image_read_file(path, &bytes, &size, &problem)) {
		print_problem(&inspection, &problem);
		return problem.status;
	}
	error = image_parse(bytes, size, &any_ram, &image, print_problem, &inspection);
	printf("kind        %s\n", image_kind_name(&image));
	if (error)
		printf("launchable  no, %u check%s failed\n", inspection.problems,
		       inspection.problems == 1 ? "" : "s");
	else
		printf("launchable  yes\n");
	if (!error)
		print_image(&image);
	free(bytes);
	return error ? STATUS_DATA : STATUS_OK;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	const char **path = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*path)
			argp_error(state, "found \"%s\" as well, wanted one IMAGE", argument);
		*path = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "found no IMAGE, wanted one");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_inspect(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_option,
		.children = command_help,
		.args_doc = "IMAGE",
		.doc = "Say what the file IMAGE is, whether `twostage run' can launch it, and every "
		       "check that it fails (on standard error).\v"
		       "Exit status: 0 launchable, 64 usage, 65 malformed or unsupported, 66 cannot "
		       "be read.",
	};
	const char *path = NULL;

	if (argp_parse(&argp, argc, argv, 0, NULL, &path))
		return STATUS_USAGE;
	return inspect(path);
}
