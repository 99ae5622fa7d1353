/* SPDX-License-Identifier: MIT */
/*
 * See fault.h. This path is the one that is counted: at most 300 instructions of ring 0 from trap
 * to iretq, for a first touch with an eviction as well (tests/guest/fault_cost).
 */
#include "guest/fault.h"

#include <errno.h>
#include <stddef.h>

#include "guest/cpu.h"
#include "guest/frames.h"
#include "guest/publish.h"
#include "guest/region.h"
#include "guest/stage1.h"
#include "guest/window.h"

#define ERROR_WRITE   0x2
#define ERROR_USER    0x4
#define ERROR_EXECUTE 0x10

/* What an entry must say for an access, and what the access leaves in it. */
static const struct rights {
	uint64_t set;	/* these bits are set */
	uint64_t clear; /* these are not */
	uint64_t leave;
} rights_of[] = {
	[ACCESS_READ] = {HPT_PRESENT, 0, HPT_ACCESSED},
	[ACCESS_WRITE] = {HPT_PRESENT | HPT_WRITE, 0, HPT_ACCESSED | HPT_DIRTY},
	[ACCESS_EXECUTE] = {HPT_PRESENT, HPT_NOEXEC, HPT_ACCESSED},
};

static inline bool allowed(uint64_t entry, const struct rights *rights)
{
	return (entry & (rights->set | rights->clear)) == rights->set;
}

/* A page that the table does not know: made, if a region allows the access. */
static int first_touch(uint64_t vpn, const struct rights *rights, uint64_t *entry)
{
	struct region *region = region_find(vpn);
	uint64_t gpa = 0;
	uint64_t frame;
	int error;

	if (!region || !allowed(region->rights, rights))
		return -EFAULT;
	region->first_touches++;
	if (region->frame) {
		frame = region->frame + (vpn - region->start);
	} else {
		gpa = frames_get();
		if (!gpa)
			return -ENOMEM;
		frame = gpa >> HPT_PAGE_SHIFT;
	}
	*entry = hpt_entry(frame, region->rights | HPT_USER | rights->leave);
	error = hpt_map(&stage1, program_key(vpn), *entry);
	if (error && gpa)
		frames_put(gpa);
	return error;
}

/* A page that the table knows: checked, and the access noted. */
static int touch_again(uint64_t vpn, const struct rights *rights, uint64_t *entry)
{
	if (!allowed(*entry, rights))
		return -EFAULT;
	if ((*entry & rights->leave) != rights->leave) {
		*entry |= rights->leave;
		hpt_change(&stage1, program_key(vpn), 0, rights->leave);
	}
	return 0;
}

void *fault_user_byte(uint64_t gva, enum access access)
{
	const struct rights *rights = &rights_of[access];
	uint64_t vpn = gva >> HPT_PAGE_SHIFT;
	uint64_t entry;
	int error;

	if (gva >= USER_END)
		return NULL;
	if (hpt_lookup(&stage1, program_key(vpn), &entry, NULL)) {
		error = first_touch(vpn, rights, &entry);
		published.copies += !error;
	} else {
		error = touch_again(vpn, rights, &entry);
	}
	if (error)
		return NULL;
	return direct((hpt_frame(entry) << HPT_PAGE_SHIFT) + (gva & (HPT_PAGE_SIZE - 1)));
}

static __attribute__((noreturn, noinline)) void kill(const struct trap_cpu_frame *frame,
						     uint64_t gva, int error)
{
	published.protection++;
	if (error == -ENOMEM)
		program_killed(frame, SIGNAL_KILL, "guest memory exhausted", gva);
	program_killed(frame, SIGNAL_SEGMENTATION, "page fault", gva);
}

/* Faults that are no business of a program's pages. */
static __attribute__((noreturn, noinline)) void refuse(const struct trap_cpu_frame *frame,
						       uint64_t gva)
{
	if ((frame->cs & TRAP_LEVEL_MASK) != TRAP_LEVEL_USER)
		trap_in_kernel(frame, TRAP_PAGE_FAULT);
	trap_probe_faulted(frame);
	kill(frame, gva, -EFAULT);
}

/* The rights that go with an error code: bit 1 says write, bit 4 says execute. */
static inline const struct rights *rights_asked(uint64_t error)
{
	if (error & ERROR_WRITE)
		return &rights_of[ACCESS_WRITE];
	return &rights_of[error & ERROR_EXECUTE ? ACCESS_EXECUTE : ACCESS_READ];
}

void fault_handle(const struct trap_cpu_frame *frame, uint32_t tsc)
{
	uint64_t gva = read_cr2();
	uint64_t vpn = gva >> HPT_PAGE_SHIFT;
	const struct rights *rights = rights_asked(frame->error);
	uint32_t asked, found;
	uint64_t entry;
	int error;

	if (gva >= USER_END || !(frame->error & ERROR_USER))
		refuse(frame, gva);
	published.faults++;
	asked = rdtsc_low();
	error = hpt_lookup(&stage1, program_key(vpn), &entry, &published.ledger);
	found = rdtsc_low();
	if (error) {
		published.first_touches++;
		error = first_touch(vpn, rights, &entry);
	} else {
		error = touch_again(vpn, rights, &entry);
	}
	if (error)
		kill(frame, gva, error);
	window_install(vpn, entry);
	publish_sample(tsc, asked, found, rdtsc_low());
}
