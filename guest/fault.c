/* SPDX-License-Identifier: MIT */
/*
 * See fault.h. This path is the one that is counted: with clustered at most 300 instructions of
 * ring 0 from trap to iretq, for a first touch with an eviction as well; with radix but for first
 * touches that add nodes (tests/guest/fault_cost). It is for spaces that were never forked, and
 * for pages that need no more than an entry; all else is space_reach()'s.
 */
#include "guest/fault.h"

#include <errno.h>
#include <stddef.h>

#include "guest/cpu.h"
#include "guest/cpu_area.h"
#include "guest/frames.h"
#include "guest/layout.h"
#include "guest/lock.h"
#include "guest/process.h"
#include "guest/publish.h"
#include "guest/rights.h"
#include "guest/signal.h"
#include "guest/stage1.h"
#include "guest/window_install.h"

#define ERROR_WRITE   0x2
#define ERROR_USER    0x4
#define ERROR_EXECUTE 0x10

static inline bool allowed(uint64_t entry, const struct rights *rights)
{
	return (entry & rights->asked) == rights->set;
}

/*
 * A page that the table does not know: made, if a region allows the access. `organisation` as in
 * handle().
 */
HPT_INLINE int first_touch(struct space *space, struct hpt_key key, const struct rights *rights,
			   struct hpt_found *found, enum hpt_organisation organisation)
{
	struct region *region = region_find(&space->regions, key.vpn);
	uint64_t allows, gpa;
	int error;

	if (!region)
		return -EFAULT;
	allows = region->rights;
	if (!allowed(allows, rights))
		return -EFAULT;
	if (__builtin_expect(!region->frame, 1)) {
		gpa = frames_get();
		if (__builtin_expect(!gpa, 0))
			return -ENOMEM;
	} else {
		gpa = region_frame(region, key.vpn) << HPT_PAGE_SHIFT;
		if (rights == &rights_of[ACCESS_WRITE] || region_is_copied(region))
			return -EFAULT;
		allows &= ~HPT_WRITE;
	}
	region->first_touches++;
	found->entry = gpa | allows | rights->leave;
	error = hpt_map_found_as(&stage1, key, found->entry, found, organisation);
	if (__builtin_expect(error, 0) && !region->frame)
		frames_put(found->entry & HPT_FRAME_MASK);
	return error;
}

/* A page that the table knows: checked, and the access noted. */
static inline int touch_again(struct hpt_key key, const struct rights *rights,
			      struct hpt_found *found)
{
	if (!allowed(found->entry, rights))
		return -EFAULT;
	if ((found->entry & rights->leave) != rights->leave)
		return hpt_set_found(&stage1, key, found, rights->leave);
	return 0;
}

void *fault_user_byte(uint64_t gva, enum access access)
{
	const struct rights *rights = &rights_of[access];
	uint64_t vpn = gva >> HPT_PAGE_SHIFT;
	struct space *space = cpu.window.space;
	uint64_t entry, before;
	bool known;

	if (gva >= USER_END)
		return NULL;
	known = space_lookup(space, vpn, &before);
	/* Of what spaces share the entry does not say all. */
	if (known && space_is_alone(space) && allowed(before, rights) &&
	    (before & rights->leave) == rights->leave)
		entry = before;
	else if (space_reach(space, vpn, access, &entry))
		return NULL;
	published.copies += !known;
	return direct((entry & HPT_FRAME_MASK) | (gva & (HPT_PAGE_SIZE - 1)));
}

/* The page of an access that the short way cannot give. */
static __attribute__((noinline)) bool reach(struct space *space, uint64_t vpn,
					    const struct rights *rights)
{
	uint64_t entry;

	if (space_reach(space, vpn, (enum access)(rights - rights_of), &entry))
		return false;
	window_install(vpn, entry, NULL, true);
	return true;
}

/* A fault that is no business of a program's pages. */
static __attribute__((noinline)) bool is_none(const struct trap_cpu_frame *frame)
{
	if ((frame->cs & TRAP_LEVEL_MASK) != TRAP_LEVEL_USER)
		trap_in_kernel(frame, TRAP_PAGE_FAULT);
	return false;
}

/* The rights that go with an error code: bit 1 says write, bit 4 says execute. */
static inline const struct rights *rights_asked(uint64_t error)
{
	if (error & ERROR_WRITE)
		return &rights_of[ACCESS_WRITE];
	return &rights_of[error & ERROR_EXECUTE ? ACCESS_EXECUTE : ACCESS_READ];
}

/* What follows the lookup, whatever the organisation and however many probes. */
HPT_INLINE bool resolve(struct space *space, struct hpt_key key, const struct rights *rights,
			bool known, struct hpt_found *found, enum hpt_organisation organisation)
{
	int error;

	if (known) {
		published.refills++;
		error = touch_again(key, rights, found);
	} else {
		published.first_touches++;
		error = first_touch(space, key, rights, found, organisation);
	}
	if (__builtin_expect(error, 0))
		return reach(space, key.vpn, rights);
	window_install(key.vpn, found->entry, found->word, organisation == HPT_ORGANISATIONS);
	return true;
}

HPT_INLINE bool handle(struct space *space, const struct trap_cpu_frame *frame, uint64_t gva,
		       uint32_t tsc, enum hpt_organisation organisation)
{
	const struct rights *rights = rights_asked(frame->error);
	struct hpt_key key = hpt_key(space->pages.asid, gva >> HPT_PAGE_SHIFT, HPT_4K);
	uint32_t asked, answered;
	struct hpt_found found;
	bool known;

	asked = rdtsc_low();
	if (organisation == HPT_CLUSTERED)
		known = hpt_find_clustered(&stage1, key, &found);
	else if (organisation == HPT_RADIX)
		known = hpt_find_radix(&stage1, key, &found);
	else
		known = hpt_find(&stage1, key, &found);
	answered = rdtsc_low();
	if (__builtin_expect(found.probes > 1, 0))
		published.more_probes += found.probes - 1;
	known = resolve(space, key, rights, known, &found, organisation);
	publish_sample(tsc, asked, answered, rdtsc_low());
	return known;
}

/* Apart, so that no organisation's code is in the way of the other's. */
static __attribute__((noinline)) bool handle_radix(struct space *space,
						   const struct trap_cpu_frame *frame, uint64_t gva,
						   uint32_t tsc)
{
	return handle(space, frame, gva, tsc, HPT_RADIX);
}

static __attribute__((noinline)) bool handle_other(struct space *space,
						   const struct trap_cpu_frame *frame, uint64_t gva,
						   uint32_t tsc)
{
	return handle(space, frame, gva, tsc, HPT_ORGANISATIONS);
}

/* A space that shares pages: its lookups are several searches, and are not sampled. */
static __attribute__((noinline)) bool handle_shared(struct space *space,
						    const struct trap_cpu_frame *frame,
						    uint64_t gva)
{
	uint64_t vpn = gva >> HPT_PAGE_SHIFT;
	uint64_t entry;

	if (space_lookup(space, vpn, &entry))
		published.refills++;
	else
		published.first_touches++;
	return reach(space, vpn, rights_asked(frame->error));
}

/* What a space's faults go through is decided where it is made, and when it is forked. */
HPT_INLINE bool handle_any(const struct trap_cpu_frame *frame, uint64_t gva, uint32_t tsc)
{
	struct space *space = cpu.window.space;

	if (__builtin_expect(space->way == SPACE_CLUSTERED, 1))
		return handle(space, frame, gva, tsc, HPT_CLUSTERED);
	if (space->way == SPACE_RADIX)
		return handle_radix(space, frame, gva, tsc);
	if (space->way == SPACE_OTHER)
		return handle_other(space, frame, gva, tsc);
	return handle_shared(space, frame, gva);
}

/* Apart, so that one CPU alone has no lock in its way. */
static __attribute__((noinline)) bool handle_locked(const struct trap_cpu_frame *frame,
						    uint64_t gva, uint32_t tsc)
{
	bool resolved;

	if (gva >= USER_END)
		__builtin_unreachable();
	lock_kernel();
	resolved = handle_any(frame, gva, tsc);
	unlock_kernel();
	return resolved;
}

bool fault_handle(const struct trap_cpu_frame *frame, uint32_t tsc)
{
	uint64_t gva = read_cr2();

	if (gva >= USER_END || !(frame->error & ERROR_USER))
		return is_none(frame);
	if (__builtin_expect(lock_needed, 0))
		return handle_locked(frame, gva, tsc);
	return handle_any(frame, gva, tsc);
}

/* Another thread may have made it right meanwhile: then the access is just made again. */
void fault_unresolved(struct trap_frame *frame)
{
	uint64_t gva = read_cr2();
	uint64_t entry;
	int error = -EFAULT;

	if (gva < USER_END)
		error = space_reach(cpu.window.space, gva >> HPT_PAGE_SHIFT,
				    (enum access)(rights_asked(frame->cpu.error) - rights_of),
				    &entry);
	if (!error)
		return;
	published.protection++;
	if (error == -ENOMEM)
		process_killed(&frame->cpu, SIGNAL_KILL, "guest memory exhausted", gva);
	else if (error == -EIO)
		process_killed(&frame->cpu, SIGNAL_BUS, "the disk cannot be read", gva);
	else
		signal_fault(frame, SIGNAL_SEGMENTATION, "page fault", gva);
}
