/* SPDX-License-Identifier: MIT */
/* See audit.h. */
#include "bench/audit.h"

#include <errno.h>
#include <math.h>

#include "bench/walker.h"
#include "hpt/lookup.h"

/* Where the host's own tables lie: above every frame that an entry can name. */
#define HOST_TABLES (UINT64_C(1) << 52)

static const struct audit_metric_kind kinds[AUDIT_METRICS] = {
	[AUDIT_REAL_RADIX] = {"radix", "nested radix with walk caches", AUDIT_RADIX},
	[AUDIT_REAL_HASHED] = {"hashed", "nested hashed tables", AUDIT_HASHED},
	[AUDIT_REAL_CUCKOO] = {"cuckoo", "cuckoo over cuckoo, all ways read", AUDIT_CUCKOO},
	[AUDIT_REAL_CUCKOO_CACHED] = {"cuckoo-cwc", "the same with cuckoo-walk caches",
				      AUDIT_CUCKOO_CACHED},
	[AUDIT_DMT] = {"dmt", "DMT: G4H4 + G4 + UDH4 + 12 on the radix walk", AUDIT_CUCKOO_CACHED},
	[AUDIT_WAYS_MOST] = {"emt-max", "EMT: maximum over ways", AUDIT_CUCKOO},
	[AUDIT_EARLY] = {"emt-early", "EMT: early return", AUDIT_CUCKOO},
	[AUDIT_CUCKOO_CACHES] = {"emt-cwc", "EMT: cuckoo-walk caches in parallel",
				 AUDIT_CUCKOO_CACHED},
};

const struct audit_metric_kind *audit_metric_kind(enum audit_metric metric)
{
	return &kinds[metric];
}

/* Of the two that walk the cuckoo tables one has their caches. */
static struct audit_machine *machine_of(struct audit *audit, int model)
{
	return &audit->machines[model == AUDIT_CUCKOO_CACHED ? AUDIT_CUCKOO : model];
}

static int begin_machine(struct audit *audit, enum hpt_organisation guest,
			 enum hpt_organisation host)
{
	const struct measure_work *work = &audit->config.work;
	struct audit_machine *machine = &audit->machines[audit->machine_count];
	const struct stages_config config = {
		.guest_table = guest,
		.host_table = host,
		.guest_pages = work->guest_pages,
		.host_pages = work->host_pages,
		.room = 1,
	};
	int error = stages_begin(&machine->stages, &config);

	if (error)
		return error;
	audit->machine_count++;
	machine->walk = stages_walk(&machine->stages, false);
	return walk_prepare(&machine->walk);
}

/* Caches of the core; `without` names kinds that this user of them does not have. */
static int begin_caches(struct mmu_caches *caches, const struct measure_work *work,
			const char *const *without)
{
	int error = mmu_caches_create(caches, work->caches);

	if (error)
		return error;
	if (work->without)
		mmu_caches_without(caches, work->without);
	for (; *without; without++)
		mmu_caches_without(caches, *without);
	return 0;
}

int audit_begin(struct audit *audit, const struct audit_config *config)
{
	static const char *const filter[] = {
		"nested-tlb",  "guest-walk", "host-walk", "guest-cuckoo",
		"host-cuckoo", "data",	     NULL};
	static const char *const plain[] = {"l1-tlb", "l2-tlb", "guest-cuckoo", "host-cuckoo",
					    NULL};
	static const char *const cuckoo[] = {"l1-tlb", "l2-tlb", NULL};
	const struct measure_work *work = &config->work;
	int error;

	*audit = (struct audit){.config = *config};
	if (work->caches == MMU_NONE)
		return -EINVAL;
	error = demand_begin(&audit->demand, work->frames, work->guest_pages, work->host_pages,
			     work->seed);
	if (error)
		return error;
	error = begin_caches(&audit->filter, work, filter);
	for (int model = 0; model < AUDIT_MODELS && !error; model++)
		error = begin_caches(&audit->caches[model], work,
				     model == AUDIT_CUCKOO_CACHED ? cuckoo : plain);
	if (!error)
		error = begin_machine(audit, HPT_RADIX, HPT_RADIX);
	if (!error)
		error = begin_machine(audit, config->guest_table, config->host_table);
	if (!error)
		error = begin_machine(audit, HPT_CUCKOO, HPT_CUCKOO);
	if (error)
		audit_end(audit);
	return error;
}

void audit_end(struct audit *audit)
{
	for (int model = 0; model < AUDIT_MODELS; model++) {
		mmu_caches_destroy(&audit->caches[model]);
		audit_walk_free(&audit->walks_noted[model]);
	}
	mmu_caches_destroy(&audit->filter);
	while (audit->machine_count)
		stages_destroy(&audit->machines[--audit->machine_count].stages);
	demand_end(&audit->demand);
}

/* The host-physical address of a byte of a table. */
static uint64_t physical(const struct stages *stages, uintptr_t address)
{
	uintptr_t guest = (uintptr_t)stages->guest_memory.base;

	if (address - guest < stages->guest_memory.size)
		return address - guest;
	return HOST_TABLES + (address - (uintptr_t)stages->host_memory.base);
}

/* The one walk that is being noted. */
struct noting {
	struct audit *audit;
	enum audit_model model;
	const struct stages *stages;
	const struct walk_ledger *ledger;
};

static void note(void *context, unsigned int row, unsigned int column, const void *line)
{
	const struct noting *noting = context;
	struct audit *audit = noting->audit;
	uint64_t address = physical(noting->stages, (uintptr_t)line);
	const struct audit_reference reference = {
		.row = (uint8_t)row,
		.column = (uint8_t)column,
		.level = (uint8_t)mmu_data_access(&audit->caches[noting->model],
						  address / HPT_LINE_SIZE),
		.step = noting->ledger->step,
		.line = (uintptr_t)line,
	};

	audit->error |= audit_walk_add(&audit->walks_noted[noting->model], &reference);
}

/* One walk of a model, noted and compared. */
static void walk_model_once(struct audit *audit, int model, struct hpt_key key, uint64_t expected)
{
	struct audit_machine *machine = machine_of(audit, model);
	struct audit_walk *noted = &audit->walks_noted[model];
	struct walk walk = machine->walk;
	struct walk_ledger ledger = {0};
	struct noting noting = {audit, (enum audit_model)model, &machine->stages, &ledger};
	struct walk_result result;

	audit_walk_clear(noted);
	ledger.reference = note;
	ledger.context = &noting;
	walk.caches = &audit->caches[model];
	walk_count(&walk, key, &result, &ledger);
	audit_walk_caches(noted, &ledger, &result);
	audit->refs[model] += ledger.refs;
	audit->wrong += (result.entry & WALKER_COMPARED) != expected;
}

/* The line that answers for a page of either size, or 0. */
static uintptr_t answering_line(const struct hpt *table, uint16_t asid, uint64_t number)
{
	struct hpt_found found;

	if (!hpt_find(table, hpt_key(asid, number, HPT_4K), &found) &&
	    !hpt_find(table, hpt_key(asid, number, HPT_2M), &found))
		return 0;
	return (uintptr_t)found.word;
}

/* The same at stage 2 of the page of the guest's table that has this line. */
static uintptr_t table_answer(void *context, uintptr_t line)
{
	const struct stages *stages = context;
	uint64_t page = (line - (uintptr_t)stages->guest_memory.base) / HPT_PAGE_SIZE;

	return answering_line(&stages->host, 0, stages->table_gfn + page);
}

/* What the walks cost, each by what it is priced by. */
static void price(struct audit *audit, const struct stages_page *page)
{
	struct stages *stages = &audit->machines[AUDIT_CUCKOO].stages;
	const struct audit_walk *walks = audit->walks_noted;
	const struct audit_answers answers = {
		.guest = answering_line(&stages->guest, WALKER_ASID, page->vpn),
		.data = answering_line(&stages->host, 0, page->gfn),
		.table = table_answer,
		.context = stages,
	};
	unsigned int caches =
		MMU_CYCLES_HASH > MMU_CYCLES_CUCKOO ? MMU_CYCLES_HASH : MMU_CYCLES_CUCKOO;

	audit->cycles[AUDIT_REAL_RADIX] += audit_real(&walks[AUDIT_RADIX], 0);
	audit->cycles[AUDIT_REAL_HASHED] += audit_real(&walks[AUDIT_HASHED], 0);
	audit->cycles[AUDIT_REAL_CUCKOO] += audit_real(&walks[AUDIT_CUCKOO], 0);
	audit->cycles[AUDIT_REAL_CUCKOO_CACHED] += audit_real(&walks[AUDIT_CUCKOO_CACHED], caches);
	audit->cycles[AUDIT_DMT] += audit_dmt(&walks[AUDIT_RADIX]);
	audit->cycles[AUDIT_WAYS_MOST] += audit_ways_most(&walks[AUDIT_CUCKOO]);
	audit->cycles[AUDIT_EARLY] += audit_early(&walks[AUDIT_CUCKOO], &answers);
	audit->cycles[AUDIT_CUCKOO_CACHES] += audit_cuckoo_caches(&walks[AUDIT_CUCKOO], &answers);
}

static void walk_all(struct audit *audit, const struct stages_page *page)
{
	struct hpt_key key = hpt_key(WALKER_ASID, page->vpn, HPT_4K);
	uint64_t expected = stages_page_expected(page);
	enum hpt_size size;
	uint64_t value;

	if (mmu_tlb_find(&audit->filter, key.asid, key.vpn, &size, &value) != MMU_TLB_MISS)
		return;
	for (int model = 0; model < AUDIT_MODELS; model++)
		walk_model_once(audit, model, key, expected);
	mmu_tlb_put(&audit->filter, key.asid, key.vpn, expected & HPT_LARGE ? HPT_2M : HPT_4K,
		    expected);
	audit->walks++;
	price(audit, page);
}

/* The lines of an access itself. */
static void read_data(struct audit *audit, const struct trace_access *access,
		      const struct stages_page *page)
{
	uint64_t start = hpt_frame(stages_page_expected(page)) * HPT_PAGE_SIZE +
			 access->address % HPT_PAGE_SIZE;
	uint64_t last = (start + access->size - 1) / HPT_LINE_SIZE;

	for (uint64_t line = start / HPT_LINE_SIZE; line <= last; line++) {
		for (int model = 0; model < AUDIT_MODELS; model++)
			mmu_data_access(&audit->caches[model], line);
	}
}

int audit_accesses(struct audit *audit, const struct trace_access *accesses, size_t count)
{
	for (size_t i = 0; i < count && !audit->error; i++) {
		struct stages_page page;
		int error = demand_touch(&audit->demand, trace_vpn(accesses[i].address), &page);

		for (size_t j = 0; error > 0 && j < audit->machine_count; j++) {
			int failed = stages_map(&audit->machines[j].stages, &page);

			error = failed ? failed : error;
		}
		if (error < 0)
			return error;
		walk_all(audit, &page);
		read_data(audit, &accesses[i], &page);
		audit->accesses++;
	}
	return audit->error ? -ENOMEM : 0;
}

double audit_cycles(const struct audit *audit, enum audit_metric metric)
{
	return audit->walks ? (double)audit->cycles[metric] / (double)audit->walks : NAN;
}

double audit_error(const struct audit *audit, enum audit_metric metric, enum audit_model real)
{
	double is = audit_cycles(audit, (enum audit_metric)real);

	return 100 * (audit_cycles(audit, metric) - is) / is;
}
