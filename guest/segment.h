/* SPDX-License-Identifier: MIT */
/*
 * Shared mappings: pages that spaces have in common. Their entries stand once, under an identifier
 * of their own (hpt/space.h), and each space that has the mapping attaches them. What a space may
 * do there its regions say (REGION_SHARED).
 */
#ifndef GUEST_SEGMENT_H
#define GUEST_SEGMENT_H

#include <stdint.h>

#include "guest/space.h"

struct segment;

/* A new segment in [start, end) of a space that is not alone. -ENOMEM. */
int segment_create(struct space *space, uint64_t start, uint64_t end);

/* Enters a page, for all that have it. As hpt_map(); -EFAULT where there is no segment. */
int segment_map(struct space *space, uint64_t vpn, uint64_t entry);

/* Takes [start, end) of whatever is attached there away from a space. -ENOMEM: nothing is. */
int segment_detach(struct space *space, uint64_t start, uint64_t end);

/* Which segment is attached at a page of a space, and its page there; NULL: none. */
const struct segment *segment_at(const struct space *space, uint64_t vpn, uint64_t *page);

/* A fork: the child has all that the parent has. -ENOMEM: it has none. */
int segment_copy(struct space *child, const struct space *parent);

#endif
