/* SPDX-License-Identifier: MIT */
/*
 * Clones of machines: a second one in this process that goes on where the first is, with its memory
 * copied on write (ept/clone.h) and the state of vCPU and devices as a snapshot has it
 * (vmm/snapshot.h). A facility of this library, by a snapshot's request (`instead`); no command has
 * it.
 */
#ifndef VMM_CLONE_H
#define VMM_CLONE_H

#include "vmm/machine.h"
#include "vmm/message.h"

/*
 * Makes *clone, which must not move until machine_destroy(), the clone of a machine that is stopped
 * where a snapshot could be taken of it, with `clones` in its configuration. Both go on by
 * themselves: the clone by machine_run(), by any one thread. Its consoles write to out_fd and
 * err_fd; it takes no snapshot and no walk check; for all else its configuration is the same. Both
 * are destroyed in any order.
 *
 * On failure there is no clone and the message says why (69 where this host cannot, 70 otherwise).
 * *machine goes on, unless KVM has refused to take its memory at another place.
 */
int machine_clone(struct machine *clone, struct machine *machine, int out_fd, int err_fd,
		  struct message *message);

#endif
