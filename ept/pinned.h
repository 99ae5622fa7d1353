/* SPDX-License-Identifier: MIT */
/*
 * The pinned range (ept_config.pinned): guest memory that has its frames from the beginning.
 *
 * Its window blocks have pool blocks that follow each other, so that all of it is one run of host
 * memory: whoever knows one address of it knows all, without the table. It is in the table like
 * everything else and in the window from the start, so that the guest never misses there (but with
 * `track`, which wants to see its touches); its frames count against the limit, the clock passes it
 * by, and no page of it shares a frame. That is what a guest's table needs to
 * be walked without stage 2 (ept/walk.h, `slab`).
 */
#ifndef EPT_PINNED_H
#define EPT_PINNED_H

#include <stdbool.h>
#include <stdint.h>

struct ept;

/* Whether the page is in the pinned range. */
bool ept_is_pinned(const struct ept *ept, uint64_t gfn);

/* Its pages, 0 where there is none. */
uint64_t ept_pinned_pages(const struct ept *ept);

/*
 * What to add to a gPA of the pinned range, which is there, to get where the VMM reaches that byte
 * (struct hpt_memory's offset).
 */
uintptr_t ept_pinned_offset(const struct ept *ept);

/*
 * For ept_create(), before there are handlers: maps the range's pages, makes their frames present
 * and installs them. 0, or a negative errno and *what (static text).
 */
int ept_pinned_fill(struct ept *ept, const char **what);

#endif
