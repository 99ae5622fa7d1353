/* SPDX-License-Identifier: MIT */
/*
 * What published evaluations let a reference of a walk cost, in cycles: for the audit, which prices
 * the same walks their way. Nothing in the caches depends on it.
 *
 * DMT (Zhang et al., ASPLOS'24): Formula.cs of its artifact. EMT (OSDI'25): to what the way that
 * answers costs, by its level, the largest of hash and cuckoo-walk caches is added, which work at
 * the same time. ipc_with_inst.py of its artifact has the hash's 2 below, but 1 for a cuckoo-walk
 * cache, and for the levels 2, 16, 56 and 180, with DMT's beside them commented out. The 4 is
 * nested ECPT's: DMT's 12 are its three steps.
 */
#ifndef EPT_MMU_LATENCY_H
#define EPT_MMU_LATENCY_H

#include "ept/mmu_caches.h"

#define MMU_CYCLES_WALK_CACHE	 1u
#define MMU_CYCLES_L1		 4u
#define MMU_CYCLES_L2		 14u
#define MMU_CYCLES_L3		 54u
#define MMU_CYCLES_MEMORY	 200u
#define MMU_CYCLES_NESTED_CUCKOO 12u /* what DMT adds to G4H4 + G4 + UDH4 */

#define MMU_CYCLES_HASH	      2u
#define MMU_CYCLES_CUCKOO     4u /* a cuckoo-walk cache */
#define MMU_CYCLES_CUCKOO_EMT 1u /* the same in EMT's artifact */

static inline unsigned int mmu_data_cycles(enum mmu_data_level level)
{
	return level == MMU_DATA_L1   ? MMU_CYCLES_L1
	       : level == MMU_DATA_L2 ? MMU_CYCLES_L2
	       : level == MMU_DATA_L3 ? MMU_CYCLES_L3
				      : MMU_CYCLES_MEMORY;
}

#endif
