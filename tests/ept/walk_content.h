/* SPDX-License-Identifier: MIT */
/* Pages of all kinds for a machine, so that its tables take all forms that they have. */
#ifndef TESTS_EPT_WALK_CONTENT_H
#define TESTS_EPT_WALK_CONTENT_H

#include "tests/ept/walk_fixture.h"

#define CONTENT_ASID 3

/* Keys that content_fill() gives at most. */
#define CONTENT_KEYS 1024

/*
 * Maps, at both stages: pages on their own, a region of 512 pages that is full and one that is not
 * (their frames scattered), a run of contiguous frames, pages of 2 MiB. keys[] gets what to walk: a
 * part of these, and keys that have no page.
 */
size_t content_fill(struct machine *machine, struct hpt_key keys[CONTENT_KEYS]);

/* GFNs of the pages of the guest's table, as keys of the host's. How many there are. */
size_t content_table_pages(const struct machine *machine, struct hpt_key *pages, size_t most);

#endif
