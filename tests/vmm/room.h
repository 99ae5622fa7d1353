/* SPDX-License-Identifier: MIT */
/*
 * A machine without KVM: guest memory and a published page, so that what reads them is tested on
 * every machine that has userfaultfd. Without that the test is skipped.
 */
#ifndef TESTS_VMM_ROOM_H
#define TESTS_VMM_ROOM_H

#include <criterion/criterion.h>

#include "vmm/machine.h"

#define ROOM_SIZE (UINT64_C(16) << 20)

/* With a pinned range, as where the guest has a slab for its table. */
static inline void room_create_pinned(struct machine *machine, enum hpt_organisation organisation,
				      struct ept_range pinned)
{
	struct ept_config config = {
		.ranges = {{0, ROOM_SIZE}},
		.range_count = 1,
		.pinned = pinned,
		.host_mem = ROOM_SIZE,
		.organisation = organisation,
	};
	const char *what = "";

	machine->ranges[0] = config.ranges[0];
	machine->range_count = 1;
	machine->kvm = (struct kvm){.fd = -1, .vm = -1};
	if (ept_create(&machine->ept, &config, &what))
		cr_skip_test("%s", what);
	machine->has_ept = true;
}

static inline void room_create_with(struct machine *machine, enum hpt_organisation organisation)
{
	room_create_pinned(machine, organisation, (struct ept_range){0, 0});
}

static inline void room_create(struct machine *machine)
{
	room_create_with(machine, HPT_CLUSTERED);
}

#endif
