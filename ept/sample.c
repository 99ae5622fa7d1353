/* SPDX-License-Identifier: MIT */
/* Samples of what the guest uses (see sample.h). */
#include "ept/sample.h"

#include "ept/ept.h"

struct visit {
	const struct ept *ept;
	struct ept_sample *sample;
};

static uint64_t look(void *context, struct hpt_key key, uint64_t entry)
{
	struct visit *visit = context;
	struct ept_sample *sample = visit->sample;
	uint64_t pages = hpt_pages_in((enum hpt_size)key.size);

	sample->away += entry & HPT_SWAPPED ? pages : 0;
	if (!hpt_resident(entry))
		return entry;
	sample->resident += pages;
	sample->accessed += entry & HPT_ACCESSED ? pages : 0;
	sample->dirty += entry & HPT_DIRTY ? pages : 0;
	/* A shared page is watched for its first write alone: it would not miss. */
	if (ept_is_shared_frame(&visit->ept->dedup, hpt_frame(entry)) ||
	    ept_transit_has(&visit->ept->transit, key.vpn, pages))
		return entry;
	return entry & ~(HPT_ACCESSED | HPT_DIRTY);
}

int ept_take_sample(struct ept *ept, struct ept_sample *sample)
{
	struct visit visit = {.ept = ept, .sample = sample};
	int ret;

	*sample = (struct ept_sample){0};
	pthread_mutex_lock(&ept->lock);
	ret = hpt_visit(&ept->table, look, &visit);
	for (unsigned int i = 0; i < ept->config.range_count; i++)
		ept_window_take_out(&ept->window, ept->config.ranges[i].start,
				    ept->config.ranges[i].size);
	pthread_mutex_unlock(&ept->lock);
	return ret;
}
