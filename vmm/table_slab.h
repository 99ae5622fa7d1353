/* SPDX-License-Identifier: MIT */
/*
 * The guest's table slab (`run --table-slab`): a run of guest RAM for the built-in kernel's stage-1
 * table, which is pinned (ept/pinned.h) and told to the kernel (guest/abi.h). A walker that knows
 * where it is in host memory reads the table's lines without stage 2 (ept/walk.h).
 *
 * That all of the table is there is the guest's word, and so is each address in it. The addresses
 * of the descriptor are checked here, once; those that stand in lines (nodes of radix and chained,
 * leaves of adaptive), and all others once more, by the walk, which keeps to the slab's bounds. So
 * every organisation may have one.
 */
#ifndef VMM_TABLE_SLAB_H
#define VMM_TABLE_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "ept/ept.h"

/* Slabs are of so many bytes, and begin at such addresses: chunks of a table, blocks of the pool.
 */
#define TABLE_SLAB_UNIT EPT_BLOCK_SIZE

/*
 * The size that the table of a guest with `mem` bytes of RAM needs if it maps all of it once: what
 * the kernel makes at its start, the nodes and leaves that come later, and some spill. 0 where
 * there is no memory to find out. Growth is not in it: pages that lie scattered may cause it.
 */
uint64_t table_slab_size(enum hpt_organisation organisation, uint64_t mem);

/*
 * Where a slab of this size lies: behind the kernel's image, so low that the kernel reaches it with
 * the tables that it boots with.
 */
struct ept_range table_slab_place(gpa_t kernel_end, uint64_t size);

/* Whether every address of memory that a valid descriptor names is in the slab. */
bool table_slab_holds(const struct ept_range *slab, const struct hpt_desc *desc);

#endif
