/* SPDX-License-Identifier: MIT */
#include "vmm/walk_choose.h"

#include "hpt/mix.h"
#include "vmm/x86_tables.h"

#define VPN_BITS 36
#define TRIES	 16 /* a table that is chosen may be empty, most of RAM untouched */
#define NEAR_MAX 12 /* log2 of the pages that near is, at most */

enum kind { IN_PROGRAM, IN_KERNEL, IN_REGION, NEAR, ANYWHERE };

static enum kind choose_kind(uint64_t *random)
{
	static const enum kind eighths[] = {IN_PROGRAM, IN_PROGRAM, IN_PROGRAM, IN_KERNEL,
					    IN_REGION,	NEAR,	    NEAR,	ANYWHERE};

	return eighths[mix64_next(random) % 8];
}

static uint64_t anywhere(uint64_t *random)
{
	return x86_gva(mix64_next(random) >> (64 - VPN_BITS));
}

static bool has_frame(const struct walk_choice *choice, uint64_t gva)
{
	struct x86_page page;
	uint64_t frame;

	return !x86_walk(choice->machine, choice->root, gva, &page) &&
	       !ept_translate(&choice->machine->ept, page.gpa, &frame);
}

/* A page of the program's that is in the window. */
static uint64_t in_program(const struct walk_choice *choice)
{
	uint64_t gva = anywhere(choice->random);

	for (int i = 0; choice->has_root && i < TRIES; i++) {
		if (!x86_choose(choice->machine, choice->root, 0, X86_WORDS_PROGRAM, choice->random,
				&gva))
			break;
	}
	return gva;
}

/*
 * A page of the kernel's. It has mapped all of RAM, most of which nobody has touched: other pages
 * of the same part of its addresses are tried then.
 */
static uint64_t in_kernel(const struct walk_choice *choice)
{
	unsigned int first = X86_WORDS_PROGRAM, count = X86_WORDS - X86_WORDS_PROGRAM;
	uint64_t gva = anywhere(choice->random);

	for (int i = 0; choice->has_root && i < TRIES; i++) {
		if (x86_choose(choice->machine, choice->root, first, count, choice->random, &gva))
			continue;
		if (has_frame(choice, gva))
			break;
		first = x86_root_index(gva);
		count = 1;
	}
	return gva;
}

/* Close by is likelier than far away. */
static uint64_t near(const struct walk_choice *choice)
{
	uint64_t gva = mix64_next(choice->random) % 4 ? in_program(choice) : in_kernel(choice);
	uint64_t bits = mix64_next(choice->random) % NEAR_MAX;
	uint64_t pages = 1 + mix64_next(choice->random) % (UINT64_C(1) << bits);
	uint64_t vpn = gva >> HPT_PAGE_SHIFT;

	return x86_gva(mix64_next(choice->random) % 2 ? vpn + pages : vpn - pages);
}

/* A page of a mapping: each mapping is as likely as any other. The guest may say what it likes. */
static uint64_t in_region(const struct walk_choice *choice)
{
	const struct abi_region *regions = choice->page->regions;
	const struct abi_region *region;
	unsigned int count = 0;

	while (count < ABI_REGIONS && regions[count].pages)
		count++;
	if (!count)
		return in_program(choice);
	region = &regions[mix64_next(choice->random) % count];
	return x86_gva((region->start >> HPT_PAGE_SHIFT) +
		       mix64_next(choice->random) % region->pages);
}

uint64_t walk_choose(const struct walk_choice *choice)
{
	switch (choose_kind(choice->random)) {
	case IN_PROGRAM:
		return in_program(choice);
	case IN_KERNEL:
		return in_kernel(choice);
	case IN_REGION:
		return in_region(choice);
	case NEAR:
		return near(choice);
	default:
		return anywhere(choice->random);
	}
}
