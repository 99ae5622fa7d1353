/* SPDX-License-Identifier: MIT */
/*
 * What walks cost where theory says it exactly: n x m + n + m references for n lines of the guest's
 * table and m of the host's, all of them in slots of their own.
 */
#include "hpt/probe.h"
#include "tests/ept/walk_fixture.h"
#include "tests/ept/walk_oracle.h"

#define ASID 1

static struct machine machine;
static struct walk_ledger ledger;

/* Lines that answer where nothing collides; those of cuckoo are read side by side. */
static unsigned int lines_of(enum hpt_organisation organisation)
{
	return organisation == HPT_RADIX     ? 4
	       : organisation == HPT_CHAINED ? 2
	       : organisation == HPT_CUCKOO  ? 3
					     : 1;
}

static unsigned int steps_of(enum hpt_organisation organisation)
{
	return organisation == HPT_CUCKOO ? 1 : lines_of(organisation);
}

/*
 * Room for so much that hardly anything collides. An adaptive host says of at most four pages of
 * the guest's table with one line where they are, of more with two.
 */
static uint64_t guest_room(struct machine_pair pair)
{
	static const uint64_t of_four_pages[HPT_ORGANISATIONS] = {
		[HPT_CHAINED] = 1024,	[HPT_OPEN] = 512,    [HPT_BUCKET] = 1000,
		[HPT_CLUSTERED] = 1200, [HPT_CUCKOO] = 1700, [HPT_ADAPTIVE] = 200000};

	if (pair.guest == HPT_RADIX)
		return 0;
	return pair.host == HPT_ADAPTIVE ? of_four_pages[pair.guest] : 200000;
}

static void begin(struct machine_pair pair, bool large)
{
	struct machine_config config = {.pair = pair,
					.guest_pages = guest_room(pair),
					.host_pages = 200000,
					.large = large};

	machine_begin(&machine, &config);
}

/* Whether all ways of a page's search are in pages of their own; true where there are no ways. */
static bool ways_apart(const struct hpt *table, struct hpt_key key)
{
	uint64_t page[CUCKOO_WAYS];
	struct cuckoo_probe probe;

	if (table->desc.organisation != HPT_CUCKOO)
		return true;
	cuckoo_start(&table->desc, key, &probe);
	for (unsigned int way = 0; way < CUCKOO_WAYS; way++)
		page[way] = cuckoo_way_line(&table->desc, probe.tag, probe.hash, way) / 4096;
	return page[0] != page[1] && page[0] != page[2] && page[1] != page[2];
}

/* Where the search of a page begins. */
static uint64_t home(const struct hpt *table, struct hpt_key key)
{
	struct hpt_probe probe;

	hpt_probe_start(&table->desc, key, &probe);
	return probe.line;
}

/* Maps pages until one is found by the first line, or way; that one's key. */
static struct hpt_key map_first(struct pair *pair, uint16_t asid, uint64_t number, uint64_t entry)
{
	enum hpt_organisation organisation = (enum hpt_organisation)pair->table.desc.organisation;
	enum hpt_size size = entry & HPT_LARGE ? HPT_2M : HPT_4K;

	for (unsigned int tries = 0;; tries++) {
		struct hpt_key key = hpt_key(asid, number, size);
		struct hpt_ledger cost = {0};

		cr_assert_lt(tries, 1000, "no page is found by the first line");
		machine_map(pair, key, entry);
		hpt_lookup(&pair->table, key, &entry, &cost);
		if (cost.steps == steps_of(organisation) - (size == HPT_2M && !organisation) &&
		    ways_apart(&pair->table, key) && cost.probes == cost.steps)
			return key;
		number += UINT64_C(1000) * HPT_LARGE_PAGES;
	}
}

/* Counts one walk, which must find the page. */
static void count_one(const struct walk *walk, struct hpt_key key)
{
	struct walk_result result;

	ledger = (struct walk_ledger){0};
	walk_count(walk, key, &result, &ledger);
	cr_assert_eq(result.outcome, WALK_TRANSLATED, "%s", walk_outcome_name(result.outcome));
	oracle_check(&machine, walk, key);
}

static void expect_cost(uint64_t refs, uint64_t steps, uint64_t early)
{
	cr_assert_eq(ledger.refs, refs, "%d refs, not %d", (int)ledger.refs, (int)refs);
	cr_assert_eq(ledger.steps, steps, "%d steps, not %d", (int)ledger.steps, (int)steps);
	cr_assert_eq(ledger.early, early, "%d early, not %d", (int)ledger.early, (int)early);
}

/* One reference in each slot of so many lines, and none elsewhere. */
static void expect_slots(unsigned int guest_lines, unsigned int table_lines,
			 unsigned int data_lines)
{
	for (unsigned int row = 0; row <= WALK_DATA; row++) {
		for (unsigned int column = 0; column <= WALK_OWN; column++) {
			bool own = column == WALK_OWN && row < guest_lines;
			bool table = row < guest_lines && column < table_lines;
			bool data = row == WALK_DATA && column < data_lines;

			cr_assert_eq(ledger.slots[row][column], own || table || data, "slot %u, %u",
				     row, column);
		}
	}
}

/* A page of 4 KiB at both stages. */
static struct hpt_key map_page(void)
{
	struct hpt_key host = map_first(&machine.host, 0, MACHINE_DATA_GFN + 77,
					hpt_entry(0x12345678, HPT_PRESENT));

	return map_first(&machine.guest, ASID, 0x1234567, hpt_entry(host.vpn, HPT_PRESENT));
}

MACHINE_TEST(walk_exact, n_lines_over_m_cost_nm_n_m_references_and_a_slab_n_m)
{
	unsigned int n = lines_of(pair->guest), m = lines_of(pair->host);
	unsigned int n_steps = steps_of(pair->guest), m_steps = steps_of(pair->host);
	struct walk walk;
	struct hpt_key key;

	begin(*pair, false);
	key = map_page();
	walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
	count_one(&walk, key);
	expect_cost(n * m + n + m, n_steps * m_steps + n_steps + m_steps,
		    n_steps * m_steps + n_steps + m_steps);
	expect_slots(n, m, m);
	walk = machine_walk(&machine, true, WALK_BOTH, WALK_BOTH);
	count_one(&walk, key);
	expect_cost(n + m, n_steps + m_steps, n_steps + m_steps);
	expect_slots(n, 0, m);
	machine_end(&machine);
}

struct named {
	const char *name;
	struct machine_pair pair;
	bool slab;
	unsigned int refs, steps;
};

/* The numbers that are known by heart. */
Test(walk_exact, the_walks_that_have_names_cost_what_is_said_of_them)
{
	static const struct named walks[] = {
		{"RR", {HPT_RADIX, HPT_RADIX}, false, 24, 24},
		{"RH", {HPT_RADIX, HPT_CLUSTERED}, false, 9, 9},
		{"HR", {HPT_CLUSTERED, HPT_RADIX}, false, 9, 9},
		{"HH", {HPT_CLUSTERED, HPT_CLUSTERED}, false, 3, 3},
		{"HHp", {HPT_BUCKET, HPT_CLUSTERED}, true, 2, 2},
		{"RHp", {HPT_RADIX, HPT_OPEN}, true, 5, 5},
		{"HRp", {HPT_OPEN, HPT_RADIX}, true, 5, 5},
		{"ways over ways", {HPT_CUCKOO, HPT_CUCKOO}, false, 15, 3},
	};

	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		struct walk walk;
		struct hpt_key key;

		begin(walks[i].pair, false);
		key = map_page();
		walk = machine_walk(&machine, walks[i].slab, WALK_4K, WALK_4K);
		count_one(&walk, key);
		cr_assert_eq(ledger.refs, walks[i].refs, "%s", walks[i].name);
		cr_assert_eq(ledger.steps, walks[i].steps, "%s", walks[i].name);
		machine_end(&machine);
	}
}

/* Pages of 2 MiB at a stage, or both; the last level of a tree is one less for those. */
static struct hpt_key map_large(bool guest, bool host)
{
	uint64_t gfn = MACHINE_DATA_GFN + UINT64_C(0x100000);
	uint64_t large = host ? HPT_LARGE : 0;
	struct hpt_key key;

	key = map_first(&machine.host, 0, gfn, hpt_entry(0x40000000, HPT_PRESENT | large));
	large = guest ? HPT_LARGE : 0;
	key = map_first(&machine.guest, ASID, 0x2000000, hpt_entry(key.vpn, HPT_PRESENT | large));
	return key;
}

Test(walk_exact, a_tree_has_a_level_less_for_2_mib_pages)
{
	/* By guest page, host page and the host's page for the guest's table. */
	static const unsigned int refs[2][2][2] = {
		{{4 * 5 + 4, 4 * 4 + 4}, {4 * 5 + 3, 4 * 4 + 3}},
		{{3 * 5 + 4, 3 * 4 + 4}, {3 * 5 + 3, 3 * 4 + 3}},
	};
	const struct machine_pair pair = {HPT_RADIX, HPT_RADIX};

	for (unsigned int i = 0; i < 8; i++) {
		bool guest = i & 1, host = i & 2, table = i & 4;
		struct walk walk;

		begin(pair, table);
		walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
		count_one(&walk, map_large(guest, host));
		expect_cost(refs[guest][host][table], refs[guest][host][table],
			    refs[guest][host][table]);
		cr_assert_eq(ledger.splintered, guest && !host);
		machine_end(&machine);
	}
}

/* Lines that tell that a page of 4 KiB is not there: of a chain there is only the head. */
static unsigned int miss_of(enum hpt_organisation organisation)
{
	return organisation == HPT_CHAINED ? 1 : lines_of(organisation);
}

/*
 * Whether the lines of the searches for both sizes are in pages of their own. (Those of adaptive
 * are the same line, that of the region.)
 */
static bool sizes_apart(const struct hpt *table, struct hpt_key key)
{
	struct hpt_key other = hpt_key(key.asid, key.vpn, HPT_4K);
	struct hpt_key large = hpt_key(key.asid, key.vpn, HPT_2M);

	if (table->desc.organisation == HPT_RADIX || table->desc.organisation == HPT_ADAPTIVE)
		return true;
	return home(table, other) / 4096 != home(table, large) / 4096 && ways_apart(table, other);
}

/*
 * Where a walk knows both sizes, the larger is asked for after the smaller, which costs its miss:
 * for the guest's page, each time for its table, if that lies in 2 MiB pages, and for the data.
 */
MACHINE_TEST(walk_exact, the_larger_size_costs_a_miss_of_the_smaller)
{
	const bool g_tree = pair->guest == HPT_RADIX, h_tree = pair->host == HPT_RADIX;
	/* Of the searches for pages of 2 MiB. */
	unsigned int n = g_tree ? 3 : miss_of(pair->guest) + lines_of(pair->guest);
	unsigned int m = h_tree ? 3 : miss_of(pair->host) + lines_of(pair->host);
	unsigned int n_pages = pair->guest == HPT_ADAPTIVE ? 1 : n;
	struct hpt_key key;

	for (unsigned int table = 0; table < 2; table++) {
		unsigned int m_table = table ? m : lines_of(pair->host);
		struct walk walk;

		begin(*pair, table);
		walk = machine_walk(&machine, false, WALK_BOTH, WALK_BOTH);
		key = map_large(true, true);
		while (!sizes_apart(&machine.guest.table, key)) {
			uint64_t entry = model_get(&machine.guest.model, key);

			cr_assert_eq(pair_unmap(&machine.guest, key), 0);
			key = map_first(&machine.guest, ASID, key.vpn + HPT_LARGE_PAGES, entry);
		}
		count_one(&walk, key);
		cr_assert_eq(ledger.refs, n_pages * m_table + n + m);
		walk = machine_walk(&machine, true, WALK_BOTH, WALK_BOTH);
		count_one(&walk, key);
		cr_assert_eq(ledger.refs, n + m);
		expect_slots(n, 0, m);
		walk = machine_walk(&machine, true, WALK_2M, WALK_2M);
		count_one(&walk, key);
		cr_assert_eq(ledger.refs,
			     lines_of(pair->guest) - g_tree + lines_of(pair->host) - h_tree);
		machine_end(&machine);
	}
}

/* A table of one page: stage 2 is asked for it once, whatever is read there. */
Test(walk_exact, lines_of_one_page_share_its_translation)
{
	struct machine_config config = {.pair = {HPT_CUCKOO, HPT_BUCKET}, .host_pages = 200000};
	struct hpt_key key;
	struct walk walk;

	machine_begin(&machine, &config);
	machine_map(&machine.host, hpt_key(0, MACHINE_DATA_GFN, HPT_4K), HPT_PRESENT);
	key = hpt_key(ASID, 5, HPT_4K);
	machine_map(&machine.guest, key, hpt_entry(MACHINE_DATA_GFN, HPT_PRESENT));
	walk = machine_walk(&machine, false, WALK_4K, WALK_4K);
	count_one(&walk, key);
	expect_cost(1 + 3 + 1, 3, 3);
	machine_end(&machine);
}

#define SEQUENCE 20

/* Keys whose blocks have one home line and one stride: the n-th costs n probes. */
static void find_sequence(const struct hpt *table, uint16_t asid, uint64_t first,
			  struct hpt_key keys[SEQUENCE])
{
	unsigned int found = 0;
	uint64_t wanted = 0;

	for (uint64_t block = first; found < SEQUENCE; block++) {
		struct hpt_key key = hpt_key(asid, 8 * block, HPT_4K);
		uint64_t tag = clustered_tag(key);
		uint64_t line = hpt_hash(&table->desc, tag) >> 58 << HPT_LINE_SHIFT;
		uint64_t sequence = line << 32 | hpt_group_line(line, tag, 1);

		wanted = found ? wanted : sequence;
		if (sequence == wanted)
			keys[found++] = key;
	}
}

Test(walk_exact, probes_beyond_the_slots_of_a_stage_are_counted_in_its_last)
{
	struct machine_config config = {.pair = {HPT_CLUSTERED, HPT_CLUSTERED}};
	struct hpt_key guest[SEQUENCE], host[SEQUENCE];
	struct walk walk;

	machine_begin(&machine, &config);
	find_sequence(&machine.guest.table, ASID, 0, guest);
	/* The page of the guest's table has a line in the host's, which is not in this sequence. */
	find_sequence(&machine.host.table, 0, MACHINE_DATA_GFN / 8 + 1, host);
	for (unsigned int i = 0; i < SEQUENCE; i++) {
		machine_map(&machine.host, host[i], hpt_entry(i, HPT_PRESENT));
		machine_map(&machine.guest, guest[i], hpt_entry(host[i].vpn, HPT_PRESENT));
	}
	walk = machine_walk(&machine, false, WALK_4K, WALK_4K);
	for (unsigned int i = 0; i < SEQUENCE; i++) {
		unsigned int beyond = i < 7 ? 0 : i - 7;

		count_one(&walk, guest[i]);
		for (unsigned int slot = 0; slot < 7; slot++) {
			cr_assert_eq(ledger.slots[slot][WALK_OWN], slot <= i);
			cr_assert_eq(ledger.slots[WALK_DATA][slot], slot <= i);
		}
		cr_assert_eq(ledger.slots[7][WALK_OWN], i < 7 ? 0 : beyond + 1);
		cr_assert_eq(ledger.slots[WALK_DATA][7], i < 7 ? 0 : beyond + 1);
		cr_assert_eq(ledger.hashes, 3);
	}
	machine_end(&machine);
}
