/* SPDX-License-Identifier: MIT */
/*
 * A small machine to walk in: a table for each stage beside its naive map (tests/hpt/model.h), and
 * the guest memory that the guest's table lies in.
 *
 * Each 4 KiB page of the guest's table has an entry in the host's, which puts it into a frame of
 * its own: neighbours in gPA are no neighbours there. There are two views of that memory, one by
 * gPA, where the library changes the guest's table, and one by frame, where the walker reads it.
 * Pages that the table gives back vanish from both.
 *
 * Data pages have frames from `frame_count` on, with nothing behind: who reads there dies.
 */
#ifndef TESTS_EPT_WALK_FIXTURE_H
#define TESTS_EPT_WALK_FIXTURE_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "ept/walk.h"
#include "ept/walk_ledger.h"
#include "tests/hpt/model.h"

#define WALK_BOTH (WALK_4K | WALK_2M)

/* GFNs of the guest's table and of all that tests map as data. */
#define MACHINE_TABLE_GFN UINT64_C(0x40000)
#define MACHINE_DATA_GFN  UINT64_C(0x1000000)

/* Pages of guest memory: a few are the guest's table, from the first on. */
#define MACHINE_PAGES UINT64_C(0x8000)

struct machine_pair {
	enum hpt_organisation guest, host;
};

struct machine_config {
	struct machine_pair pair;
	bool guest_sealed, host_sealed;
	enum hpt_hash_family hash; /* of both tables */
	uint64_t salt;
	uint64_t guest_pages, host_pages; /* that are expected: struct hpt_config */
	bool large;			  /* the guest's table lies in 2 MiB pages of the host's */
};

struct machine {
	struct pair guest;
	struct pair host;
	bool large;
	/* Blocks larger than that are refused: a table of one group that cannot grow spills. */
	size_t guest_limit, host_limit;
	int file;
	char *by_gpa;
	char *by_frame;
	uint64_t used; /* bytes of gPA that were handed out */
	uint64_t frame_count;
};

/* The machine stays where it is until machine_end(), which checks both tables. */
void machine_begin(struct machine *machine, const struct machine_config *config);
void machine_end(struct machine *machine);

/* The same where the guest's table is no table any more: only the host's is checked. */
void machine_abandon(struct machine *machine);

/* The frame that a page of the guest's table was put into. */
uint64_t machine_frame(const struct machine *machine, uint64_t gfn);

/* A walk of the machine, prepared. */
struct walk machine_walk(const struct machine *machine, bool slab, unsigned int guest_sizes,
			 unsigned int host_sizes);

/* Maps a page and expects that it works. */
void machine_map(struct pair *pair, struct hpt_key key, uint64_t entry);

/*
 * What a walk should say, by the naive maps: `probe` apart. The pages of the guest's table are
 * where machine_begin() has put them.
 */
void machine_expect(const struct machine *machine, const struct walk *walk, struct hpt_key key,
		    struct walk_result *result);

/* Whether two results say the same. `probe`: compared as well. */
bool machine_same(const struct walk_result *a, const struct walk_result *b, bool probe);

/*
 * walk_one(), walk_count() and batches of 1, 15, 16, 17, 100 and so on say of each of these keys
 * what machine_expect() does.
 */
void machine_check(const struct machine *machine, const struct walk *walk,
		   const struct hpt_key *keys, size_t count);

/* The same where what they should say is known: results[i] of keys[i]. */
void machine_check_all(const struct machine *machine, const struct walk *walk,
		       const struct hpt_key *keys, const struct walk_result *results, size_t count);

/* Ends the test: this walk says something else of a key than it should. */
void machine_fail(const struct machine *machine, const struct walk *walk, struct hpt_key key,
		  const char *what) __attribute__((noreturn));

/* A test whose body is run with `pair` set to each pair of organisations; a walk may not end. */
#define MACHINE_TEST(suite, name)                                                          \
	ParameterizedTestParameters(suite, name)                                           \
	{                                                                                  \
		static struct machine_pair all[HPT_ORGANISATIONS * HPT_ORGANISATIONS];     \
                                                                                           \
		for (unsigned int i = 0; i < HPT_ORGANISATIONS * HPT_ORGANISATIONS; i++) { \
			all[i].guest = (enum hpt_organisation)(i / HPT_ORGANISATIONS);     \
			all[i].host = (enum hpt_organisation)(i % HPT_ORGANISATIONS);      \
		}                                                                          \
		return cr_make_param_array(struct machine_pair, all,                       \
					   HPT_ORGANISATIONS * HPT_ORGANISATIONS);         \
	}                                                                                  \
	ParameterizedTest(struct machine_pair *pair, suite, name, .timeout = 300)

#endif
