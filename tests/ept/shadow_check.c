/* SPDX-License-Identifier: MIT */
/* shadow_check() names each invariant when it alone is broken. */
#include <criterion/criterion.h>

#include "ept/shadow.h"
#include "tests/hpt/model.h"

static struct shadow shadow;
static struct test_memory memory;

/* Pages 1, 2 and 3 of ASID 4 have frame 9, page 5 has frame 10. */
static void prepare(void)
{
	struct shadow_config config = {.organisation = HPT_CLUSTERED, .reverse = HPT_CLUSTERED};

	memory = (struct test_memory){0};
	config.memory = test_memory_of(&memory);
	cr_assert_eq(shadow_create(&shadow, &config), 0);
	for (uint64_t vpn = 1; vpn <= 3; vpn++)
		cr_assert_eq(
			shadow_fill(&shadow, hpt_key(4, vpn, HPT_4K), 9, hpt_entry(1, HPT_PRESENT)),
			0);
	cr_assert_eq(shadow_fill(&shadow, hpt_key(4, 5, HPT_4K), 10, hpt_entry(2, HPT_PRESENT)), 0);
	cr_assert_null(shadow_check(&shadow));
}

static void finish(void)
{
	shadow_destroy(&shadow);
	test_memory_end(&memory);
}

static struct shadow_node *node_of(uint64_t vpn)
{
	uint64_t entry = 0;

	cr_assert_eq(hpt_lookup(&shadow.reverse.by_page, hpt_key(4, vpn, HPT_4K), &entry, NULL), 0);
	return shadow_node(&shadow.reverse, shadow_node_address(entry));
}

static void map(struct hpt *table, struct hpt_key key, uint64_t entry)
{
	cr_assert_eq(hpt_map(table, key, entry), 0);
}

static void unmap(struct hpt *table, struct hpt_key key)
{
	cr_assert_eq(hpt_unmap(table, key, NULL), 0);
}

static void table_itself(void)
{
	shadow.table.counts.entries++;
}

static void not_present(void)
{
	cr_assert_eq(hpt_change(&shadow.table, hpt_key(4, 5, HPT_4K), HPT_PRESENT, HPT_WRITE), 0);
}

static void no_frame(void)
{
	unmap(&shadow.reverse.by_page, hpt_key(4, 5, HPT_4K));
}

static void no_page(void)
{
	unmap(&shadow.table, hpt_key(4, 5, HPT_4K));
}

static void node_of_another(void)
{
	node_of(2)->tag++;
}

static void frame_of_another(void)
{
	unmap(&shadow.reverse.by_frame, shadow_frame_key(10, HPT_4K));
}

static void frame_without_page(void)
{
	map(&shadow.reverse.by_frame, shadow_frame_key(11, HPT_4K),
	    hpt_entry(5, SHADOW_SOLE | 4 << 1));
}

static void ring(void)
{
	struct shadow_node *first = node_of(1);

	while (first->previous)
		first = shadow_node(&shadow.reverse, first->previous);
	shadow_node(&shadow.reverse, shadow_node(&shadow.reverse, first->next)->next)->next =
		shadow_node(&shadow.reverse, first->next)->previous;
	/* The way back stands as well. */
	first->previous = shadow_node(&shadow.reverse, first->next)->next;
}

static void node_in_another_list(void)
{
	node_of(2)->gfn = 10;
}

static void wrong_previous(void)
{
	struct shadow_node *node = node_of(2);

	node->previous = node->previous ? 0 : node->next;
}

static void node_left_out(void)
{
	struct shadow_node *node = node_of(1);

	while (node->previous)
		node = shadow_node(&shadow.reverse, node->previous);
	node->next = 0;
}

static void large_counted(void)
{
	shadow.large++;
}

static void node_counted(void)
{
	shadow.reverse.nodes--;
}

static void node_not_there(void)
{
	shadow.reverse.nodes++;
}

static void node_lost(void)
{
	shadow.reverse.free = shadow_node(&shadow.reverse, shadow.reverse.free)->next;
}

static void lost(void)
{
	shadow.reverse.lost = true;
}

static const struct {
	void (*break_it)(void);
	const char *named;
} cases[] = {
	{table_itself, "counts.entries is the number of entries"},
	{not_present, "a combined page is present"},
	{no_frame, "a combined page has a guest frame"},
	{no_page, "a page with a guest frame is in the combined table"},
	{node_of_another, "a page's node is its own"},
	{frame_of_another, "a page's guest frame names the page"},
	{frame_without_page, "a guest frame's page names the frame"},
	{ring, "a node knows the one before"},
	{node_in_another_list, "a node is in the list of its guest frame"},
	{wrong_previous, "a node knows the one before"},
	{node_left_out, "each page has one guest frame"},
	{large_counted, "`large` counts pages of 2 MiB"},
	{node_counted, "lists have no ring"},
	{node_not_there, "each node is in a list"},
	{node_lost, "each node is in use or free"},
	{lost, "nothing was lost"},
};

Test(shadow_check, names_each_invariant_when_it_alone_is_broken)
{
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *named;

		prepare();
		cases[i].break_it();
		named = shadow_check(&shadow);
		cr_assert_not_null(named, "case %u", i);
		cr_assert_str_eq(named, cases[i].named, "case %u", i);
		finish();
	}
}
