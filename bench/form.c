/* SPDX-License-Identifier: MIT */
/* See form.h. */
#include "bench/form.h"

#include <errno.h>
#include <string.h>

static const struct form_kind kinds[FORMS] = {
	[FORM_RR] = {.name = "RR", .text = "radix over radix"},
	[FORM_RRP] = {.name = "RRP",
		      .text = "radix over radix, with page-walk caches in software",
		      .caches = true},
	[FORM_RH] = {.name = "RH", .text = "radix over hashed", .host_hashed = true},
	[FORM_HR] = {.name = "HR", .text = "hashed over radix", .guest_hashed = true},
	[FORM_HH] = {.name = "HH",
		     .text = "hashed over hashed",
		     .guest_hashed = true,
		     .host_hashed = true},
	[FORM_HHP] = {.name = "HHp",
		      .text = "the guest's table in host memory that the walker knows",
		      .guest_hashed = true,
		      .host_hashed = true,
		      .slab = true},
	[FORM_HHS] = {.name = "HHs",
		      .text = "HHp, and a predictor from which stage 2 is fetched ahead",
		      .guest_hashed = true,
		      .host_hashed = true,
		      .slab = true,
		      .predictor = true},
	[FORM_SHD] = {.name = "SHD",
		      .text = "one combined table, kept coherent with both stages",
		      .guest_hashed = true,
		      .host_hashed = true,
		      .combined = true},
};

const struct form_kind *form_kind(enum form form)
{
	return &kinds[form];
}

int form_find(const char *name)
{
	for (int i = 0; i < FORMS; i++) {
		if (!strcmp(kinds[i].name, name))
			return i;
	}
	return -ENOENT;
}
