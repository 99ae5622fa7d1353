/* SPDX-License-Identifier: MIT */
/* What an access asks of a page, and what an entry says of it. */
#ifndef GUEST_RIGHTS_H
#define GUEST_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/space.h"

/* The bits of an entry that are a region's to say. Without HPT_USER there is no access at all. */
#define RIGHTS_MASK (HPT_PRESENT | HPT_USER | HPT_WRITE | HPT_NOEXEC)

/*
 * What an entry must say for an access, and what the access leaves in it. Entries that forks have
 * marked (hpt/space.h) allow nothing here: the slow way knows what they mean.
 */
struct rights {
	uint64_t asked; /* of these bits ... */
	uint64_t set;	/* ... these are set */
	uint64_t leave;
};

#define RIGHTS_OF_USER (HPT_PRESENT | HPT_USER)
#define RIGHTS_ASKED   (RIGHTS_OF_USER | HPT_COMMON | HPT_COPIED)

static const struct rights rights_of[] = {
	[ACCESS_READ] = {RIGHTS_ASKED, RIGHTS_OF_USER, HPT_ACCESSED},
	[ACCESS_WRITE] = {RIGHTS_ASKED | HPT_WRITE, RIGHTS_OF_USER | HPT_WRITE,
			  HPT_ACCESSED | HPT_DIRTY},
	[ACCESS_EXECUTE] = {RIGHTS_ASKED | HPT_NOEXEC, RIGHTS_OF_USER, HPT_ACCESSED},
};

static inline bool rights_allow(uint64_t entry, enum access access)
{
	return (entry & rights_of[access].asked) == rights_of[access].set;
}

#endif
