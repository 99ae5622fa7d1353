/* SPDX-License-Identifier: MIT */
/*
 * See fault.h. This path is the one that is counted: with clustered at most 300 instructions of
 * ring 0 from trap to iretq, for a first touch with an eviction as well; with radix but for first
 * touches that add nodes (tests/guest/fault_cost).
 */
#include "guest/fault.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/cpu.h"
#include "guest/frames.h"
#include "guest/publish.h"
#include "guest/region.h"
#include "guest/stage1.h"
#include "guest/window_install.h"

#define ERROR_WRITE   0x2
#define ERROR_USER    0x4
#define ERROR_EXECUTE 0x10

/* What an entry must say for an access, and what the access leaves in it. */
static const struct rights {
	uint64_t asked; /* of these bits ... */
	uint64_t set;	/* ... these are set */
	uint64_t leave;
} rights_of[] = {
	[ACCESS_READ] = {HPT_PRESENT, HPT_PRESENT, HPT_ACCESSED},
	[ACCESS_WRITE] = {HPT_PRESENT | HPT_WRITE, HPT_PRESENT | HPT_WRITE,
			  HPT_ACCESSED | HPT_DIRTY},
	[ACCESS_EXECUTE] = {HPT_PRESENT | HPT_NOEXEC, HPT_PRESENT, HPT_ACCESSED},
};

static inline bool allowed(uint64_t entry, const struct rights *rights)
{
	return (entry & rights->asked) == rights->set;
}

/*
 * A page that the table does not know: made, if a region allows the access. `organisation` as in
 * handle().
 */
HPT_INLINE int first_touch(uint64_t vpn, const struct rights *rights, struct hpt_found *found,
			   enum hpt_organisation organisation)
{
	struct region *region = region_find(vpn);
	uint64_t allows, gpa;
	int error;

	if (!region)
		return -EFAULT;
	allows = region->rights;
	if (!allowed(allows, rights))
		return -EFAULT;
	region->first_touches++;
	if (__builtin_expect(!region->frame, 1)) {
		gpa = frames_get();
		if (__builtin_expect(!gpa, 0))
			return -ENOMEM;
	} else {
		gpa = region_frame(region, vpn) << HPT_PAGE_SHIFT;
	}
	found->entry = gpa | allows | HPT_USER | rights->leave;
	error = hpt_map_found_as(&stage1, program_key(vpn), found->entry, found, organisation);
	if (__builtin_expect(error, 0) && !region->frame)
		frames_put(found->entry & HPT_FRAME_MASK);
	return error;
}

/* A page that the table knows: checked, and the access noted. */
static inline int touch_again(uint64_t vpn, const struct rights *rights, struct hpt_found *found)
{
	if (!allowed(found->entry, rights))
		return -EFAULT;
	if ((found->entry & rights->leave) != rights->leave)
		return hpt_set_found(&stage1, program_key(vpn), found, rights->leave);
	return 0;
}

/*
 * What was refused is the first write to a page that lies in the boot module: the program gets a
 * copy of its own. Apart from the path that is counted, since it is rare.
 */
static int copy_page(uint64_t vpn, const struct rights *rights, struct hpt_found *found)
{
	struct region *region = region_find(vpn);
	struct hpt_key key = program_key(vpn);
	uint64_t gpa;
	int error;

	if (!region || !(region->rights & REGION_COPY) || rights != &rights_of[ACCESS_WRITE])
		return -EFAULT;
	gpa = frames_get();
	if (!gpa)
		return -ENOMEM;
	memcpy(direct(gpa), direct(region_frame(region, vpn) << HPT_PAGE_SHIFT), HPT_PAGE_SIZE);
	window_drop(vpn);
	error = hpt_unmap(&stage1, key, NULL);
	region->first_touches += error == -ENOENT;
	if (error != -ENOMEM)
		error = hpt_map(&stage1, key,
				gpa | (region->rights & ~REGION_COPY) | HPT_WRITE | HPT_USER |
					rights->leave);
	if (error)
		frames_put(gpa);
	else
		hpt_find(&stage1, key, found);
	return error;
}

void *fault_user_byte(uint64_t gva, enum access access)
{
	const struct rights *rights = &rights_of[access];
	uint64_t vpn = gva >> HPT_PAGE_SHIFT;
	struct hpt_found found;
	bool known;
	int error;

	if (gva >= USER_END)
		return NULL;
	known = hpt_find(&stage1, program_key(vpn), &found);
	error = known ? touch_again(vpn, rights, &found)
		      : first_touch(vpn, rights, &found, HPT_ORGANISATIONS);
	if (error == -EFAULT)
		error = copy_page(vpn, rights, &found);
	if (error)
		return NULL;
	published.copies += !known;
	return direct((found.entry & HPT_FRAME_MASK) | (gva & (HPT_PAGE_SIZE - 1)));
}

static __attribute__((noreturn, noinline)) void kill(const struct trap_cpu_frame *frame,
						     uint64_t gva, int error)
{
	published.protection++;
	if (error == -ENOMEM)
		program_killed(frame, SIGNAL_KILL, "guest memory exhausted", gva);
	program_killed(frame, SIGNAL_SEGMENTATION, "page fault", gva);
}

/* The page of an access that was refused, if it can be had all the same. */
static __attribute__((noinline)) void copy_or_kill(const struct trap_cpu_frame *frame, uint64_t gva,
						   const struct rights *rights, int error,
						   struct hpt_found *found)
{
	if (error == -EFAULT)
		error = copy_page(gva >> HPT_PAGE_SHIFT, rights, found);
	if (error)
		kill(frame, gva, error);
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

/* What follows the lookup, whatever the organisation and however many probes. */
HPT_INLINE void resolve(const struct trap_cpu_frame *frame, uint64_t gva,
			const struct rights *rights, bool known, struct hpt_found *found,
			enum hpt_organisation organisation)
{
	int error;

	if (known) {
		published.refills++;
		error = touch_again(gva >> HPT_PAGE_SHIFT, rights, found);
	} else {
		published.first_touches++;
		error = first_touch(gva >> HPT_PAGE_SHIFT, rights, found, organisation);
	}
	if (__builtin_expect(error, 0)) {
		/* One of its own: the address of what is kept in registers is not taken. */
		struct hpt_found copied;

		copy_or_kill(frame, gva, rights, error, &copied);
		found->entry = copied.entry;
		found->word = copied.word;
	}
	window_install(gva >> HPT_PAGE_SHIFT, found->entry, found->word,
		       organisation == HPT_ORGANISATIONS);
}

HPT_INLINE void handle(const struct trap_cpu_frame *frame, uint64_t gva, uint32_t tsc,
		       enum hpt_organisation organisation)
{
	const struct rights *rights = rights_asked(frame->error);
	struct hpt_key key = program_key(gva >> HPT_PAGE_SHIFT);
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
	published.more_probes += found.probes - 1;
	resolve(frame, gva, rights, known, &found, organisation);
	publish_sample(tsc, asked, answered, rdtsc_low());
}

/* Apart, so that no organisation's code is in the way of the other's. */
static __attribute__((noinline)) void handle_radix(const struct trap_cpu_frame *frame, uint64_t gva,
						   uint32_t tsc)
{
	handle(frame, gva, tsc, HPT_RADIX);
}

static __attribute__((noinline)) void handle_other(const struct trap_cpu_frame *frame, uint64_t gva,
						   uint32_t tsc)
{
	handle(frame, gva, tsc, HPT_ORGANISATIONS);
}

void fault_handle(const struct trap_cpu_frame *frame, uint32_t tsc)
{
	uint64_t gva = read_cr2();

	if (gva >= USER_END || !(frame->error & ERROR_USER))
		refuse(frame, gva);
	if (stage1_short_way == HPT_CLUSTERED)
		handle(frame, gva, tsc, HPT_CLUSTERED);
	else if (stage1_short_way == HPT_RADIX)
		handle_radix(frame, gva, tsc);
	else
		handle_other(frame, gva, tsc);
}
