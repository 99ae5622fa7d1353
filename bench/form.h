/* SPDX-License-Identifier: MIT */
/*
 * The forms of a two-stage walk: which stages are hashed, and what the walker has beside the two
 * tables (ept/walk.h).
 */
#ifndef BENCH_FORM_H
#define BENCH_FORM_H

#include <stdbool.h>

enum form { FORM_RR, FORM_RRP, FORM_RH, FORM_HR, FORM_HH, FORM_HHP, FORM_HHS, FORM_SHD, FORMS };

struct form_kind {
	const char *name;
	const char *text; /* one line */
	bool guest_hashed, host_hashed;
	bool slab;	/* the guest's table is in host memory that the walker knows */
	bool predictor; /* of region to region */
	bool caches;	/* of upper levels of trees, and of stage 2 */
	bool combined;	/* one table gVA -> hPA instead of both */
};

/* `form` is below FORMS. */
const struct form_kind *form_kind(enum form form);

/* The form of this name ("HHp"); -ENOENT if there is none. */
int form_find(const char *name);

#endif
