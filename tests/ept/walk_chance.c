/* SPDX-License-Identifier: MIT */
/*
 * What walks cost where it is a matter of chance, against the formulas: keys and hashes are random
 * (siphash), each table is made anew under several salts, and the average must lie within four
 * standard errors of what theory says, and what the theory leaves out where it is not exact.
 *
 * The formulas, for n keys in a table, or in each of its groups (to which keys come by a binomial
 * distribution):
 *
 *  chained    1 + (n - 1) / 2m nodes a hit, n / m a miss, with m heads; and the head
 *  open       linear probing round a group of M slots (Knuth, The Art of Computer Programming 3,
 *             section 6.4, theorem K), in lines of four
 *  clustered  uniform probing of M lines: (M + 1) / (M + 1 - i) for the key that comes after i
 *  bucket     the same with b slots a line: lines are visited like a Poisson process of rate v, of
 *             which each keeps the first b; v / l probes a hit, where l = E min(b, Poisson(v)) is
 *             the load. (In the limit of many lines.)
 */
#include "hpt/bucket.h"
#include "hpt/mix.h"
#include "tests/ept/walk_fixture.h"

#define SALTS 12
#define ASID  1

/* In how much of the formula's value a walk may differ where the formula is of the limit only. */
#define EXACT 0.0
#define LIMIT 0.01

struct sample {
	double sum, squares;
	unsigned int count;
};

static struct machine machine;

static void sample_add(struct sample *sample, double value)
{
	sample->sum += value;
	sample->squares += value * value;
	sample->count++;
}

static void expect_mean(const struct sample *sample, double expected, double tolerance,
			const char *what)
{
	double mean = sample->sum / sample->count;
	double variance = (sample->squares - sample->sum * mean) / (sample->count - 1);
	double off = mean > expected ? mean - expected : expected - mean;

	off -= tolerance * expected;
	cr_expect(off <= 0 || off * off <= 16 * variance / sample->count,
		  "%s: %.5f instead of %.5f, variance of the mean %.3g", what, mean, expected,
		  variance / sample->count);
}

/* The average of value(k) over groups, to which `keys` keys come at random, by keys: k of them. */
static double by_groups(uint64_t keys, uint64_t groups, double (*value)(unsigned int))
{
	double share = 1.0 / (double)groups;
	double probability = 1;
	double sum = 0;

	for (uint64_t i = 0; i < keys; i++)
		probability *= 1 - share;
	for (unsigned int k = 0; k < keys && k < 1000; k++) {
		sum += probability * (k ? value(k) : 0);
		probability *= (double)(keys - k) / (k + 1) * share / (1 - share);
	}
	return sum * (double)groups / (double)keys;
}

/* Knuth's Q_0(M, n - 1) for M slots of a group. */
static double knuth_q(unsigned int n)
{
	double term = 1;
	double sum = 0;

	for (unsigned int k = 1; k <= n; k++) {
		sum += term;
		term *= (double)(n - k) / 256;
	}
	return sum;
}

/* Lines of all hits in a group of so many keys. */
static double open_hits(unsigned int keys)
{
	return keys * (1 + ((1 + knuth_q(keys)) / 2 - 1) / 4);
}

static double clustered_hits(unsigned int keys)
{
	double sum = 0;

	for (unsigned int i = 0; i < keys && i < 64; i++)
		sum += 65.0 / (65 - i);
	return sum;
}

/* E min(5, Poisson(v)), by the series of e^v. */
static double kept(double visits)
{
	double term = 1, sum = 1, all = 0;

	for (unsigned int k = 1; k < 80; k++) {
		term *= visits / k;
		sum += term;
		all += term * (k < 5 ? k : 5);
	}
	return all / sum;
}

static double bucket_hits(unsigned int keys)
{
	double load = keys / 64.0, low = load, high = 40;

	for (unsigned int i = 0; i < 60; i++) {
		double middle = (low + high) / 2;

		if (kept(middle) < load)
			low = middle;
		else
			high = middle;
	}
	return low * 64;
}

/* Lines a hit of a table, by its organisation, its size and what is in it. */
static double expected_hit(const struct hpt *table)
{
	uint64_t groups = table->counts.lines / HPT_GROUP_LINES;
	uint64_t used = table->counts.used;

	switch (table->desc.organisation) {
	case HPT_CHAINED:
		return 2 + (double)(used - 1) / (double)(2 * 8 * table->counts.lines);
	case HPT_OPEN:
		return by_groups(used, groups, open_hits);
	case HPT_BUCKET:
		return by_groups(used, groups, bucket_hits);
	default:
		return by_groups(used, groups, clustered_hits);
	}
}

static double tolerance_of(const struct hpt *table)
{
	return table->desc.organisation == HPT_BUCKET ? LIMIT : EXACT;
}

/* Places of the smallest table with so many lines. */
static uint64_t places_of(enum hpt_organisation organisation, uint64_t lines)
{
	return organisation == HPT_CHAINED || organisation == HPT_BUCKET
		       ? lines * (organisation == HPT_CHAINED ? 8 : 5)
		       : lines * (organisation == HPT_OPEN ? 4 : 1);
}

/* The n-th key: no two are in one block. */
static struct hpt_key random_key(uint16_t asid, uint64_t n)
{
	return hpt_key(asid, MACHINE_DATA_GFN + (mix64(n) >> 41) * 4096 + (n & 511) * 8, HPT_4K);
}

static uint64_t own_refs(const struct walk_ledger *ledger)
{
	uint64_t own = 0;

	for (unsigned int row = 0; row <= WALK_DATA; row++)
		own += ledger->slots[row][WALK_OWN];
	return own;
}

/* Walks the keys [first, end), and adds what they cost. */
static void walk_keys(const struct walk *walk, uint64_t first, uint64_t end,
		      struct walk_ledger *ledger)
{
	struct walk_result result;

	for (uint64_t n = first; n < end; n++)
		walk_count(walk, random_key(ASID, n), &result, ledger);
}

/* How full a table is: 64ths of its places. */
struct load {
	enum hpt_organisation organisation;
	unsigned int of_64;
};

static struct load loads[] = {
	{HPT_CHAINED, 16},   {HPT_CHAINED, 32},	  {HPT_CHAINED, 64},   {HPT_OPEN, 8},
	{HPT_OPEN, 16},	     {HPT_OPEN, 24},	  {HPT_OPEN, 32},      {HPT_BUCKET, 16},
	{HPT_BUCKET, 32},    {HPT_BUCKET, 44},	  {HPT_BUCKET, 52},    {HPT_CLUSTERED, 10},
	{HPT_CLUSTERED, 20}, {HPT_CLUSTERED, 30}, {HPT_CLUSTERED, 40},
};

#define LINES 1024

/* Where pages of the guest's table are what is sampled, there must be many. */
#define MANY_LINES 4096

/*
 * A machine whose guest's table has so many lines, filled to this load with random keys. How many.
 * The table is made for as much as it can take before it grows.
 */
static uint64_t begin_load(const struct load *load, enum hpt_organisation host, uint64_t lines,
			   unsigned int salt)
{
	static const unsigned int full[HPT_ORGANISATIONS] = {
		[HPT_CHAINED] = 64, [HPT_OPEN] = 32, [HPT_BUCKET] = 52, [HPT_CLUSTERED] = 40 * 8};
	uint64_t places = places_of(load->organisation, lines);
	uint64_t count = places * load->of_64 / 64;
	struct machine_config config = {.pair = {load->organisation, host},
					.guest_pages = places * full[load->organisation] / 64,
					.host_pages = 3000,
					.hash = HPT_SIPHASH,
					.salt = mix64(salt + 1)};

	machine_begin(&machine, &config);
	for (uint64_t n = 0; n < count; n++)
		machine_map(&machine.guest, random_key(ASID, n),
			    hpt_entry(random_key(0, n).vpn, HPT_PRESENT));
	cr_assert_eq(machine.guest.table.counts.lines, lines);
	cr_assert_eq(machine.guest.table.counts.used, count);
	return count;
}

ParameterizedTestParameters(walk_chance, a_hit_costs_as_many_lines_as_the_formula_says)
{
	return cr_make_param_array(struct load, loads, sizeof(loads) / sizeof(loads[0]));
}

ParameterizedTest(struct load *load, walk_chance, a_hit_costs_as_many_lines_as_the_formula_says)
{
	struct sample sample = {0};
	double expected = 0;
	double tolerance = 0;

	for (unsigned int salt = 0; salt < SALTS; salt++) {
		uint64_t count = begin_load(load, HPT_CLUSTERED, LINES, salt);
		struct walk walk = machine_walk(&machine, true, WALK_4K, WALK_4K);
		struct walk_ledger ledger = {0};

		walk_keys(&walk, 0, count, &ledger);
		sample_add(&sample, (double)own_refs(&ledger) / (double)count);
		expected = expected_hit(&machine.guest.table);
		tolerance = tolerance_of(&machine.guest.table);
		machine_end(&machine);
	}
	expect_mean(&sample, expected, tolerance, hpt_organisation_name(load->organisation));
}

/* Pages that are not there: the head, and the whole chain. */
Test(walk_chance, a_miss_costs_the_head_and_the_load_of_a_chain)
{
	for (unsigned int of_64 = 16; of_64 <= 64; of_64 *= 2) {
		const struct load load = {HPT_CHAINED, of_64};
		struct sample sample = {0};

		for (unsigned int salt = 0; salt < SALTS; salt++) {
			uint64_t count = begin_load(&load, HPT_CLUSTERED, LINES, salt);
			struct walk walk = machine_walk(&machine, true, WALK_4K, WALK_4K);
			struct walk_ledger ledger = {0};

			walk_keys(&walk, count, 3 * count, &ledger);
			sample_add(&sample, (double)own_refs(&ledger) / (double)(2 * count));
			machine_end(&machine);
		}
		expect_mean(&sample, 1 + of_64 / 64.0, EXACT, "a miss");
	}
}

/* Ways are one step and three references, however full the table is. */
Test(walk_chance, ways_take_one_step_at_any_load)
{
	const struct machine_config config = {.pair = {HPT_CUCKOO, HPT_CLUSTERED},
					      .guest_pages = LINES * 8 * 27 / 32,
					      .hash = HPT_SIPHASH};
	const uint64_t count = LINES * 27 / 32;
	struct walk_ledger ledger = {0};
	struct walk walk;

	machine_begin(&machine, &config);
	cr_assert_eq(machine.guest.table.counts.lines, LINES);
	for (uint64_t n = 0; n < count; n++)
		machine_map(&machine.guest, random_key(ASID, n), HPT_PRESENT);
	cr_assert_eq(machine.guest.table.counts.lines, LINES);
	walk = machine_walk(&machine, true, WALK_4K, WALK_4K);
	walk_keys(&walk, 0, count, &ledger);
	cr_assert_eq(own_refs(&ledger), 3 * count);
	/* And one for the host's line that says that there is nothing. */
	cr_assert_eq(ledger.steps, 2 * count, "%llu", (unsigned long long)ledger.steps);
	/* Each way answers for some, so that they would read fewer by early returns. */
	cr_assert_gt(ledger.early, count + count + count / 10);
	cr_assert_lt(ledger.early, 3 * count + count);
	machine_end(&machine);
}

/* sum over k > b of (k - b) Poisson(l, k) / l */
static double poisson_overflow(double load, unsigned int slots)
{
	double term = 1, sum = 1, over = 0;

	for (unsigned int k = 1; k < 80; k++) {
		term *= load / k;
		sum += term;
		over += k > slots ? term * (k - slots) : 0;
	}
	return over / sum / load;
}

/*
 * The share of pages whose own bucket has no room for them, if no other's page comes there: by the
 * number of pages of each home line. It is what the formula says; walks read another line for at
 * least as many, since pages of other buckets come as well.
 */
Test(walk_chance, the_share_that_overflows_a_bucket_is_poissons)
{
	static const unsigned int at[] = {16, 32, 44, 52};

	for (unsigned int i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		const struct load load = {HPT_BUCKET, at[i]};
		double expected = poisson_overflow(at[i] / 64.0 * 5, 5);
		struct sample over = {0};
		struct sample second = {0};

		for (unsigned int salt = 0; salt < SALTS; salt++) {
			static unsigned int homes[LINES];
			uint64_t count = begin_load(&load, HPT_CLUSTERED, LINES, salt);
			struct walk walk = machine_walk(&machine, true, WALK_4K, WALK_4K);
			struct walk_ledger ledger = {0};
			uint64_t more = 0;

			for (unsigned int line = 0; line < LINES; line++)
				homes[line] = 0;
			for (uint64_t n = 0; n < count; n++) {
				uint64_t tag = bucket_hashed(bucket_tag(random_key(ASID, n)), 0);

				more += ++homes[hpt_hash(&machine.guest.table.desc, tag) >> 54] > 5;
			}
			walk_keys(&walk, 0, count, &ledger);
			sample_add(&over, (double)more / (double)count);
			sample_add(&second, (double)ledger.slots[1][WALK_OWN] / (double)count);
			machine_end(&machine);
		}
		expect_mean(&over, expected, EXACT, "overflow");
		cr_assert_geq(second.sum, over.sum * 0.98);
		/* Where a table is not full, hardly any other's pages come. */
		if (at[i] <= 32)
			cr_assert_lt(second.sum, over.sum * 1.35, "%f of %f", second.sum, over.sum);
	}
}

/* A pair whose hosts' p_h the formulas know. */
static struct machine_pair pairs[] = {
	{HPT_CLUSTERED, HPT_CLUSTERED}, {HPT_CLUSTERED, HPT_BUCKET}, {HPT_OPEN, HPT_OPEN},
	{HPT_BUCKET, HPT_CHAINED},	{HPT_OPEN, HPT_CLUSTERED},   {HPT_BUCKET, HPT_BUCKET},
};

ParameterizedTestParameters(walk_chance, nested_walks_cost_p_g_and_twice_p_h)
{
	return cr_make_param_array(struct machine_pair, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

/*
 * The probes of one walk of the guest's table stay in one page: p_g + p_h + p_h references. The
 * host's table gets another salt when all is mapped, for then its entries have been inserted in an
 * order that is nobody's: those of the guest's table would else be the first, and cheaper.
 */
ParameterizedTest(struct machine_pair *pair, walk_chance, nested_walks_cost_p_g_and_twice_p_h)
{
	static const unsigned int full[HPT_ORGANISATIONS] = {
		[HPT_OPEN] = 28, [HPT_BUCKET] = 48, [HPT_CLUSTERED] = 36};
	const struct load load = {pair->guest, full[pair->guest]};
	struct sample sample = {0};
	double expected = 0;
	double tolerance = 0;

	for (unsigned int salt = 0; salt < SALTS; salt++) {
		uint64_t count = begin_load(&load, pair->host, MANY_LINES, salt);
		struct walk_ledger ledger = {0};
		struct walk walk;

		for (uint64_t n = 0; n < count; n++)
			machine_map(&machine.host, random_key(0, n), HPT_PRESENT);
		pair_settle(&machine.host, UINT64_MAX);
		cr_assert_eq(pair_rekey(&machine.host, mix64(salt)), 0);
		pair_settle(&machine.host, UINT64_MAX);
		walk = machine_walk(&machine, false, WALK_4K, WALK_4K);
		walk_keys(&walk, 0, count, &ledger);
		cr_assert_eq(ledger.outcomes[WALK_TRANSLATED], count);
		sample_add(&sample, (double)ledger.refs / (double)count);
		expected =
			expected_hit(&machine.guest.table) + 2 * expected_hit(&machine.host.table);
		tolerance = tolerance_of(&machine.guest.table) + tolerance_of(&machine.host.table);
		machine_end(&machine);
	}
	expect_mean(&sample, expected, tolerance, "nested");
}
