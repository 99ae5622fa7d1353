/* SPDX-License-Identifier: MIT */
/* See walker.h. */
#include "bench/walker.h"

#include <errno.h>

#define BATCH 1024

/* A page of 2 MiB is filled with its first page, or on demand with each that is asked for. */
static int fill_page(struct walker *walker, uint64_t vpn, bool first_only)
{
	struct shadow_page page;
	uint64_t stage1, stage2;
	int error = stages_entries(walker->stages, vpn, &stage1, &stage2);

	if (error)
		return error;
	if (!shadow_join(WALKER_ASID, vpn, stage1, stage2, &page) ||
	    (first_only && page.key.size == HPT_2M && page.key.vpn != vpn))
		return 0;
	return shadow_fill(&walker->shadow, page.key, page.gfn, page.entry);
}

static int fill_shadow(struct walker *walker)
{
	const struct layout *layout = &walker->stages->config.layout;
	int error = 0;

	for (uint64_t i = 0; i < layout->pages && !error; i++)
		error = fill_page(walker, layout_vpn(layout, i), true);
	return error;
}

int walker_add(struct walker *walker, uint64_t vpn)
{
	return form_kind(walker->form)->combined ? fill_page(walker, vpn, false) : 0;
}

static int create_shadow(struct walker *walker)
{
	const struct stages_config *config = &walker->stages->config;
	struct shadow_config shadow = {
		.organisation = config->guest_table,
		.reverse = config->guest_table,
		.hash = config->hash,
		.pages = config->layout.pages,
	};
	int error = arena_begin(&walker->shadow_memory, (size_t)24 << 30);

	if (error)
		return error;
	shadow.memory = arena_memory(&walker->shadow_memory);
	error = shadow_create(&walker->shadow, &shadow);
	if (!error)
		error = fill_shadow(walker);
	if (error)
		arena_end(&walker->shadow_memory);
	return error;
}

#define REGIONS_LOG2 20 /* at most, and where it is not known what will be mapped */

/* Room for every region of 512 pages that has one. */
static unsigned int regions_log2(const struct stages *stages)
{
	const struct layout *layout = &stages->config.layout;
	unsigned int log2 = 9;
	uint64_t regions;

	if (!layout->pages)
		return REGIONS_LOG2;
	regions = layout->space == LAYOUT_DENSE ? layout->pages
						: layout_vpn(layout, layout->pages - 1);
	regions /= HPT_LARGE_PAGES;
	while (log2 < REGIONS_LOG2 && UINT64_C(1) << log2 < regions)
		log2++;
	return log2;
}

int walker_create(struct walker *walker, enum form form, struct stages *stages,
		  enum mmu_profile profile)
{
	const struct form_kind *kind = form_kind(form);
	int error = 0;

	*walker = (struct walker){.form = form, .stages = stages};
	walker->walk = stages_walk(stages, kind->slab);
	if (kind->predictor) {
		error = walk_predictor_create(&walker->predictor, regions_log2(stages));
		walker->walk.predictor = &walker->predictor;
	} else if (kind->caches) {
		error = mmu_caches_create(&walker->caches, profile);
		walker->walk.caches = &walker->caches;
	} else if (kind->combined) {
		error = create_shadow(walker);
	}
	return error ? error : walk_prepare(&walker->walk);
}

void walker_destroy(struct walker *walker)
{
	const struct form_kind *kind = form_kind(walker->form);

	if (kind->predictor)
		walk_predictor_destroy(&walker->predictor);
	if (kind->caches)
		mmu_caches_destroy(&walker->caches);
	if (kind->combined)
		arena_end(&walker->shadow_memory);
}

LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
{
	const struct walker *walker = table;

	*entry = walk_one(&walker->walk, hpt_key(WALKER_ASID, vpn, HPT_4K)) & WALKER_COMPARED;
}

/* A page of 2 MiB in the combined table: the entry of one of its pages. */
static void find_large(const struct walker *walker, uint64_t vpn, uint64_t *entry)
{
	if (!hpt_lookup(&walker->shadow.table, hpt_key(WALKER_ASID, vpn, HPT_2M), entry, NULL))
		*entry += (vpn & (HPT_LARGE_PAGES - 1)) << HPT_FRAME_SHIFT;
}

LOOP_INLINE void find_combined(void *table, uint64_t vpn, uint64_t *entry)
{
	const struct walker *walker = table;

	if (hpt_lookup(&walker->shadow.table, hpt_key(WALKER_ASID, vpn, HPT_4K), entry, NULL) &&
	    walker->shadow.large)
		find_large(walker, vpn, entry);
	*entry &= WALKER_COMPARED;
}

static uint64_t latency(void *table, const struct query *queries, size_t count)
{
	const struct walker *walker = table;

	if (form_kind(walker->form)->combined)
		return loop_latency(find_combined, table, queries, count);
	return loop_latency(find, table, queries, count);
}

static uint64_t throughput(void *table, const struct query *queries, size_t count)
{
	const struct walker *walker = table;

	if (form_kind(walker->form)->combined)
		return loop_throughput(find_combined, table, queries, count);
	return loop_throughput(find, table, queries, count);
}

static void ask_batch(const struct walker *walker, const struct hpt_key *keys, uint64_t *entries,
		      size_t count)
{
	if (!form_kind(walker->form)->combined) {
		walk_batch(&walker->walk, keys, entries, count);
		return;
	}
	hpt_lookup_batch(&walker->shadow.table, keys, entries, count);
	for (size_t i = 0; walker->shadow.large && i < count; i++) {
		if (!entries[i])
			find_large(walker, keys[i].vpn, &entries[i]);
	}
}

static uint64_t batch(void *table, const struct query *queries, size_t count)
{
	struct hpt_key keys[BATCH];
	uint64_t entries[BATCH];
	uint64_t wrong = 0;

	for (size_t start = 0; start < count; start += BATCH) {
		size_t in_batch = count - start < BATCH ? count - start : BATCH;

		for (size_t i = 0; i < in_batch; i++)
			keys[i] = hpt_key(WALKER_ASID, queries[start + i].vpn, HPT_4K);
		ask_batch(table, keys, entries, in_batch);
		for (size_t i = 0; i < in_batch; i++)
			wrong += (entries[i] & WALKER_COMPARED) != queries[start + i].entry;
	}
	return wrong;
}

const struct loops walker_loops = {latency, throughput, batch};

/* The combined table has no stages: what its lookup cost is in the slots of stage 1. */
static void count_combined(const struct walker *walker, struct hpt_key key,
			   struct walk_result *result, struct walk_ledger *ledger)
{
	struct hpt_ledger lookup = {0};
	uint64_t entry = 0;

	if (hpt_lookup(&walker->shadow.table, key, &entry, &lookup) && walker->shadow.large) {
		key.size = HPT_2M;
		if (!hpt_lookup(&walker->shadow.table, key, &entry, &lookup))
			entry += (key.vpn & (HPT_LARGE_PAGES - 1)) << HPT_FRAME_SHIFT;
	}
	*result = (struct walk_result){.entry = entry,
				       .outcome = entry ? WALK_TRANSLATED : WALK_ABSENT};
	ledger->translations++;
	ledger->outcomes[result->outcome]++;
	ledger->refs += lookup.probes;
	ledger->early += lookup.probes;
	ledger->steps += lookup.steps;
	ledger->lines += lookup.lines;
	ledger->pages += lookup.lines;
	ledger->hashes += lookup.hashes;
	for (uint64_t probe = 0; probe < lookup.probes; probe++)
		ledger->slots[probe < WALK_STAGE1_SLOTS ? probe : WALK_STAGE1_SLOTS - 1]
			     [WALK_OWN]++;
}

void walker_count(struct walker *walker, struct hpt_key key, struct walk_result *result,
		  struct walk_ledger *ledger)
{
	if (form_kind(walker->form)->combined)
		count_combined(walker, key, result, ledger);
	else
		walk_count(&walker->walk, key, result, ledger);
}

double walker_bytes_per_page(const struct walker *walker)
{
	const struct stages *stages = walker->stages;
	uint64_t bytes = stages->guest.counts.bytes + stages->host.counts.bytes;

	if (form_kind(walker->form)->combined) {
		struct shadow_counts counts;

		shadow_count(&walker->shadow, &counts);
		bytes = counts.table_bytes + counts.reverse_bytes;
	}
	return (double)bytes / (double)stages->pages;
}

static struct walk_model_table model_table(const struct hpt *table, enum stages_pages pages,
					   enum layout_space space, bool runs)
{
	const struct hpt_counts *counts = &table->counts;

	return (struct walk_model_table){
		.organisation = (enum hpt_organisation)table->desc.organisation,
		.load = (double)counts->used / (double)counts->places,
		.even = table->desc.family == HPT_FIBONACCI && space == LAYOUT_DENSE,
		.compact = space == LAYOUT_SPARSE || runs,
		.large = pages == STAGES_4K   ? 0
			 : pages == STAGES_2M ? 1
					      : 0.5,
		.sizes_mixed = pages == STAGES_MIXED,
	};
}

struct walk_model walker_model(const struct walker *walker)
{
	const struct stages_config *config = &walker->stages->config;
	const struct layout *layout = &config->layout;
	struct walk_model_table guest = model_table(
		form_kind(walker->form)->combined ? &walker->shadow.table : &walker->stages->guest,
		config->guest_pages, layout->space, layout->guest.frames != LAYOUT_SCATTERED);
	struct walk_model_table host =
		model_table(&walker->stages->host, config->host_pages, LAYOUT_DENSE,
			    layout->host.frames != LAYOUT_SCATTERED);

	/* The guest's table is in pages of 4 KiB. */
	host.sizes_mixed = host.sizes_mixed || config->host_pages == STAGES_2M;
	return walk_model(form_kind(walker->form), &guest, &host);
}

struct limit_memory walker_memory(const struct walker *walker, int number)
{
	const struct arena *arena = form_kind(walker->form)->combined ? &walker->shadow_memory
				    : number			      ? &walker->stages->host_memory
					     : &walker->stages->guest_memory;

	return (struct limit_memory){
		.lines = (const uint64_t *)(const void *)arena_start(arena),
		.count = arena_bytes(arena) / HPT_LINE_SIZE,
	};
}
