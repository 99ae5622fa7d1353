/* SPDX-License-Identifier: MIT */
/*
 * What somebody keeps of a table's answers: entries that are added as they are, and dropped by the
 * hook (hpt_changed) alone. At no time between operations may one differ from the table's.
 */
#ifndef TESTS_HPT_KEPT_H
#define TESTS_HPT_KEPT_H

#include "tests/hpt/model.h"

struct kept_answer {
	struct hpt_key key;
	uint64_t entry; /* 0: none */
};

struct kept {
	struct hpt *table;
	struct model entries;
	struct hpt_key *changed; /* pages whose entry an operation has changed */
	size_t changes;
	size_t changed_room;
	struct kept_answer *answers; /* what the table said when the hook was called */
	size_t answer_count;
	size_t answer_room;
	uint64_t calls; /* of the hook */
	uint64_t told;	/* pages, added up */
	uint64_t checks;
};

/* Before the table is created: its hook. */
void kept_begin(struct kept *kept, struct hpt *table, struct hpt_config *config);
void kept_end(struct kept *kept);

/* An operation has changed a page, or may have: kept_check() will look at it. */
void kept_note(struct kept *kept, struct hpt_key key);

/*
 * Between operations: what is kept is what the model has, but for A and D, which may be set since;
 * where there are no readers, what the table said when the hook was called is still so. Then what
 * the operations have changed is kept again.
 */
void kept_check(struct kept *kept, const struct model *model);

#endif
