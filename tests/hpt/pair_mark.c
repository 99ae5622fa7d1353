/* SPDX-License-Identifier: MIT */
/* What a mark is in the model: of one page, or of a run of an adaptive table (hpt.h). */
#include "hpt/adaptive_region.h"
#include "tests/hpt/model.h"

/* The run that a 4 KiB page of an adaptive table is in; itself, if it has a word of its own. */
static struct adaptive_run run_of(const struct pair *pair, struct hpt_key key)
{
	uint64_t tag = adaptive_region_tag(key) | adaptive_pages(adaptive_page(key), 0);
	unsigned int page = adaptive_page(key);
	struct adaptive_found found;

	adaptive_find(&pair->table, adaptive_region_tag(key), &found);
	if (adaptive_form_of(&found) == ADAPTIVE_FORM_SPREAD)
		adaptive_find(&pair->table, tag | ADAPTIVE_BY_BLOCK, &found);
	for (unsigned int i = 0; i < found.count; i++) {
		struct adaptive_run run;

		if (!adaptive_code(adaptive_tag_of(found.slot[i])))
			continue; /* the marker of a leaf */
		run = adaptive_run_of(found.slot[i]);
		if (page - run.first < 1u << run.log2)
			return run;
	}
	return (struct adaptive_run){.first = page};
}

/*
 * What a mark of a mapped page is for: its page, or all of the run that it is in, whose frames are
 * contiguous and whose flags are equal.
 */
void pair_mark_in_model(struct pair *pair, struct hpt_key key, uint64_t flags)
{
	struct adaptive_run run = {0};
	uint64_t first;

	if (pair->table.desc.organisation == HPT_ADAPTIVE && key.size == HPT_4K) {
		run = run_of(pair, key);
		key.vpn += run.first - (uint64_t)adaptive_page(key);
	}
	first = model_get(&pair->model, key);
	for (unsigned int i = 0; i < 1u << run.log2; i++, key.vpn++) {
		uint64_t entry = model_get(&pair->model, key);

		MODEL_EXPECT(entry == adaptive_page_entry(first, i), "a run is not one");
		model_set(&pair->model, key, entry | flags);
	}
}
