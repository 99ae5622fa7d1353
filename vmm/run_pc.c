/* SPDX-License-Identifier: MIT */
#include "vmm/run_pc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/status.h"

static int refuse(struct message *message, const char *option, const char *text)
{
	return message_set(message, -EINVAL, STATUS_USAGE, "%s: %s", option, text);
}

static bool is_pc(const struct run_options *options, const struct image *image)
{
	return image->kind == IMAGE_LINUX_KERNEL || image->kind == IMAGE_MULTIBOOT_KERNEL ||
	       (image->kind == IMAGE_PVH_KERNEL && (options->initrd_count || options->append));
}

static int check_program(const struct run_options *options, struct message *message)
{
	if (options->initrd_count > 1)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "--initrd: found %u files, wanted 1: IMAGE is a program, whose "
				   "kernel takes one archive",
				   options->initrd_count);
	if (options->append)
		return refuse(message, "--append",
			      "IMAGE is a program, wanted a kernel; a program's arguments stand "
			      "behind --");
	return 0;
}

static int check_kernel(const struct run_options *options, const struct image *image,
			struct message *message)
{
	const char *option = options->window_given	  ? "--window"
			     : options->guest_table_given ? "--guest-table"
			     : options->table_slab	  ? "--table-slab"
							  : NULL;

	if (option)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: IMAGE is a %s, wanted a program", option,
				   image_kind_name(image));
	if (options->disk && is_pc(options, image))
		return refuse(message, "--disk",
			      "IMAGE finds a PC, where a disk would need an interrupt, which this "
			      "one has not; wanted a program, or a PVH kernel without --initrd and "
			      "--append");
	if (options->append && options->argument_count)
		return refuse(message, "--append",
			      "found arguments behind -- as well, wanted one of the two");
	if (options->initrd_count > 1 && image->kind != IMAGE_MULTIBOOT_KERNEL)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "--initrd: found %u files, wanted 1: IMAGE is a %s, and only a "
				   "multiboot kernel takes more",
				   options->initrd_count, image_kind_name(image));
	return 0;
}

int run_pc_check(const struct run_options *options, const struct image *image,
		 struct message *message)
{
	if (image_is_kernel(image->kind))
		return check_kernel(options, image, message);
	return check_program(options, message);
}

static int check_host(const struct image *image, struct message *message)
{
	struct message ignored;

	/* Where there is no KVM at all, whoever makes the machine will say so. */
	if (image->kind != IMAGE_LINUX_KERNEL || kvm_find_kind(&ignored) != KVM_PVM)
		return 0;
	return message_set(message, -ENOTSUP, STATUS_UNAVAILABLE,
			   "%s: a Linux kernel cannot boot on this KVM (pvm): ring 0 runs in its "
			   "instruction emulator, which lacks cmpxchg16b and xrstor; fix: use the "
			   "testbed: make testbed, then build/testbed/run --file IMAGE -- twostage "
			   "run ... /files/IMAGE",
			   KVM_DEVICE);
}

static int read_initrd(struct run_pc *pc, unsigned int i, const char *path,
		       struct machine_module *module, struct message *message)
{
	struct image_problem problem;
	int error = image_read_file(path, &pc->files[i], &module->size, &problem);

	if (error)
		return message_set(message, error, problem.status, "--initrd: %s: %s", path,
				   problem.text);
	module->bytes = pc->files[i];
	module->name = path;
	return 0;
}

/* Behind the program there is the archive, if there is one: with something in it. */
static int add_archive(struct run_pc *pc, const struct run_options *options,
		       struct machine_config *config, struct message *message)
{
	struct machine_module *module = &config->modules[config->module_count];
	int error;

	if (!options->initrd_count)
		return 0;
	error = read_initrd(pc, 0, options->initrds[0], module, message);
	if (error)
		return error;
	if (!module->size)
		return message_set(message, -EINVAL, STATUS_DATA,
				   "--initrd: %s: found 0 bytes, wanted a cpio archive",
				   options->initrds[0]);
	config->module_count++;
	return 0;
}

int run_pc_prepare(struct run_pc *pc, const struct run_options *options, const struct image *image,
		   struct machine_config *config, struct message *message)
{
	int error;

	memset(pc, 0, sizeof(*pc));
	if (image->kind == IMAGE_STATIC_PROGRAM)
		return add_archive(pc, options, config, message);
	if (!is_pc(options, image))
		return 0;
	error = check_host(image, message);
	for (unsigned int i = 0; i < options->initrd_count && !error; i++)
		error = read_initrd(pc, i, options->initrds[i], &config->modules[i], message);
	config->pc = true;
	config->name = options->image;
	config->module_count = options->initrd_count;
	return error;
}

void run_pc_release(struct run_pc *pc)
{
	for (unsigned int i = 0; i < MACHINE_MODULES_MAX; i++)
		free(pc->files[i]);
}
