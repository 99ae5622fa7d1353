/* SPDX-License-Identifier: MIT */
/*
 * What `twostage run` does for kernels that others wrote, which find a PC (struct machine_config):
 * Linux and multiboot kernels always, a PVH kernel if --initrd or --append is given. And the files
 * of --initrd, which is the built-in kernel's archive where IMAGE is a program.
 */
#ifndef VMM_RUN_PC_H
#define VMM_RUN_PC_H

#include "vmm/image.h"
#include "vmm/machine.h"
#include "vmm/run_options.h"

/* Files of --initrd, as long as a machine is being made. */
struct run_pc {
	void *files[MACHINE_MODULES_MAX];
};

/* Whether the options go together with the kind of image. A message with status 64 if not. */
int run_pc_check(const struct run_options *options, const struct image *image,
		 struct message *message);

/*
 * Fills in what is the PC's of a machine's configuration, and reads the initrds; of a program,
 * whose module is there already, just the archive. Refuses Linux where KVM cannot run it (69).
 * run_pc_release() in any case.
 */
int run_pc_prepare(struct run_pc *pc, const struct run_options *options, const struct image *image,
		   struct machine_config *config, struct message *message);

void run_pc_release(struct run_pc *pc);

#endif
