/* SPDX-License-Identifier: MIT */
/* Which pages of a stopped guest are worth a walk. */
#ifndef VMM_WALK_CHOOSE_H
#define VMM_WALK_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"
#include "vmm/machine.h"

struct walk_choice {
	struct machine *machine;
	const struct abi_page *page; /* what the guest has published */
	bool has_root;		     /* the CPU walks tables of four levels: */
	gpa_t root;
	uint64_t *random; /* state of hpt/mix.h */
};

/*
 * Chooses a gVA at random. Half are pages of the window, of the program's half or the kernel's; an
 * eighth of the program's largest mappings, where the guest has published them (it does when its
 * program ends). A quarter are near a page of the window: pages that the window has lost, and such
 * as nobody has touched; an eighth are anywhere, which is nowhere as a rule. Where the CPU has no
 * such tables all are anywhere.
 */
uint64_t walk_choose(const struct walk_choice *choice);

#endif
