/* SPDX-License-Identifier: MIT */
/* Entries that were mapped under a space's identifier without space.h. See there. */
#include "hpt/space_node.h"

/* What a visit has found in one region. */
struct adoption {
	struct hpt_spaces *spaces;
	struct space_node *node;
	uint16_t asid;
	uint64_t region;
	int error;
};

static uint64_t adopt(void *context, struct hpt_key key, uint64_t entry)
{
	struct adoption *adoption = context;
	uint64_t region = key.vpn >> HPT_SPACE_REGION;

	adoption->node->entries++;
	if (region != adoption->region && !adoption->error) {
		adoption->error =
			space_region_note(adoption->spaces, adoption->asid, region, REGION_HAS_4K);
		adoption->region = region;
	}
	return entry;
}

void hpt_space_adopt_start(struct hpt_space *space)
{
	node_of(space->spaces, space->asid)->entries = 0;
}

int hpt_space_adopt(struct hpt_space *space, uint64_t vpn, uint64_t count)
{
	struct hpt_spaces *spaces = space->spaces;
	struct adoption adoption = {.spaces = spaces,
				    .node = node_of(spaces, space->asid),
				    .asid = space->asid,
				    .region = NO_REGION};
	int error;

	if (!space_range_fits(spaces, vpn, HPT_4K, count))
		return -EINVAL;
	error = hpt_visit_range(spaces->config.table, hpt_key(space->asid, vpn, HPT_4K), count,
				adopt, &adoption);
	return error ? error : adoption.error;
}
