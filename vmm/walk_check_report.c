/* SPDX-License-Identifier: MIT */
/* What is printed and written of walk checks (walk_check.h). */
#include <inttypes.h>

#include "vmm/walk_check.h"

static const char *const size_names[HPT_SIZES] = {[HPT_4K] = "4 KiB", [HPT_2M] = "2 MiB"};
static const char *const size_keys[HPT_SIZES] = {[HPT_4K] = "4k", [HPT_2M] = "2m"};

static double a_walk(const struct walk_check_cost *cost, uint64_t amount)
{
	return cost->walks ? (double)amount / (double)cost->walks : 0;
}

static void print_row(FILE *stream, const char *name, uint64_t value, const char *what)
{
	fprintf(stream, "%-18s %14" PRIu64 "%s%s\n", name, value, what ? "  " : "",
		what ? what : "");
}

static void print_cost(FILE *stream, enum hpt_size size, const char *how,
		       const struct walk_check_cost *cost)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s", size_names[size], how);
	fprintf(stream, "%-18s %14" PRIu64 " %14.3f %14.3f %14.3f %14.3f\n", name, cost->walks,
		a_walk(cost, cost->refs), a_walk(cost, cost->ideal_refs), a_walk(cost, cost->steps),
		a_walk(cost, cost->ideal_steps));
}

static void print_costs(FILE *stream, const struct walk_check_counts *counts)
{
	fprintf(stream, "%-18s %14s %14s %14s %14s %14s\n", "walks to pages of", "translated",
		"refs a walk", "model", "steps a walk", "model");
	for (int size = 0; size < HPT_SIZES; size++)
		print_cost(stream, (enum hpt_size)size, "", &counts->costs[size]);
	for (int size = 0; size < HPT_SIZES && counts->slab_stops; size++)
		print_cost(stream, (enum hpt_size)size, ", by the slab", &counts->slab_costs[size]);
}

void walk_check_print(FILE *stream, const struct walk_check_counts *counts)
{
	fprintf(stream, "\n%-18s %14" PRIu64 "  at %" PRIu64 " stops\n", "walks", counts->walks,
		counts->stops);
	if (counts->busy)
		print_row(stream, "put off", counts->busy, "since another CPU was in the kernel");
	if (counts->no_table || counts->invalid_table)
		fprintf(stream, "%-18s %14" PRIu64 "  stops: %s\n", "nothing to walk",
			counts->no_table + counts->invalid_table, counts->no_table_why);
	if (!counts->walks)
		return;
	print_row(stream, "translated", counts->translated, NULL);
	print_row(stream, "absent", counts->absent1, "at stage 1");
	print_row(stream, "", counts->absent2, "at stage 2");
	print_row(stream, "", counts->untouched,
		  "at stage 2, for a page of the guest's table that has no frame");
	print_row(stream, "KVM_TRANSLATE", counts->kvm_same, "the same gPA and rights");
	print_row(stream, "", counts->kvm_absent, "no translation either");
	print_row(stream, "", counts->not_in_window, "not in the window");
	if (counts->kvm_unknown)
		print_row(stream, "", counts->kvm_unknown, "not asked: it would have missed");
	print_row(stream, "frames", counts->frames_same, "the same PFN in window and pool");
	print_row(stream, "", counts->not_installed, "not installed in the window");
	if (counts->skipped)
		print_row(stream, "", counts->skipped, counts->skipped_why);
	if (counts->lied)
		print_row(stream, "lied", counts->lied, "the guest's table or window cannot be");
	print_row(stream, "wrong", counts->wrong, NULL);
	if (counts->slab_stops)
		print_row(stream, "by the slab", counts->slab_stops,
			  "stops at which all walks went this way as well");
	if (counts->no_slab)
		print_row(stream, "not by the slab", counts->no_slab, counts->no_slab_why);
	print_costs(stream, counts);
}

static void set(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_ratio(json_t *object, const char *name, const struct walk_check_cost *cost,
		      uint64_t amount)
{
	json_object_set_new(object, name, json_real(a_walk(cost, amount)));
}

static json_t *cost_json(const struct walk_check_cost *cost)
{
	json_t *object = json_object();
	json_t *model = json_object();

	set(object, "translated", cost->walks);
	set_ratio(object, "refs", cost, cost->refs);
	set_ratio(object, "steps", cost, cost->steps);
	set_ratio(model, "refs", cost, cost->ideal_refs);
	set_ratio(model, "steps", cost, cost->ideal_steps);
	json_object_set_new(object, "model", model);
	return object;
}

/* Static text, or null where it does not apply. */
static void set_reason(json_t *object, const char *name, const char *text, bool applies)
{
	json_object_set_new(object, name, applies ? json_string(text) : json_null());
}

/* null where the guest has no slab */
static json_t *slab_json(const struct walk_check_counts *counts)
{
	json_t *object;

	if (!counts->slab_stops && !counts->no_slab)
		return json_null();
	object = json_object();
	set(object, "stops", counts->slab_stops);
	set(object, "stops_without", counts->no_slab);
	set_reason(object, "reason", counts->no_slab_why, counts->no_slab);
	for (int size = 0; size < HPT_SIZES; size++)
		json_object_set_new(object, size_keys[size], cost_json(&counts->slab_costs[size]));
	return object;
}

json_t *walk_check_json(const struct walk_check_counts *counts)
{
	json_t *object = json_object();

	set(object, "pages", counts->pages);
	set(object, "stops", counts->stops);
	set(object, "stops_put_off", counts->busy);
	set(object, "stops_without_table", counts->no_table);
	set(object, "stops_with_invalid_table", counts->invalid_table);
	set_reason(object, "no_table_reason", counts->no_table_why,
		   counts->no_table || counts->invalid_table);
	set(object, "walks", counts->walks);
	set(object, "translated", counts->translated);
	set(object, "absent_stage1", counts->absent1);
	set(object, "absent_stage2", counts->absent2);
	set(object, "absent_table", counts->untouched);
	set(object, "kvm_agrees", counts->kvm_same);
	set(object, "kvm_absent", counts->kvm_absent);
	set(object, "not_in_window", counts->not_in_window);
	set(object, "kvm_not_asked", counts->kvm_unknown);
	set(object, "frames_compared", counts->frames_same);
	set(object, "frames_not_installed", counts->not_installed);
	set(object, "frames_skipped", counts->skipped);
	set_reason(object, "frames_skipped_reason", counts->skipped_why, counts->skipped);
	set(object, "lied", counts->lied);
	set(object, "wrong", counts->wrong);
	for (int size = 0; size < HPT_SIZES; size++)
		json_object_set_new(object, size_keys[size], cost_json(&counts->costs[size]));
	json_object_set_new(object, "slab", slab_json(counts));
	return object;
}
