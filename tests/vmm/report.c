/* SPDX-License-Identifier: MIT */
/* Reports on made-up data: percentiles, conversions, the JSON's names, and the table. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "vmm/report.h"
#include "vmm/status.h"

static struct hpt_histogram histogram;
static struct report report;
static struct host host;
static struct report_config config;

Test(report, percentiles_are_right_within_an_eighth)
{
	struct report_leg leg;

	for (uint64_t value = 1; value <= 100000; value++)
		hpt_histogram_add(&histogram, value);
	report_leg(&leg, &histogram, 1000000);
	cr_expect_eq(leg.count, 100000);
	cr_expect_leq(leg.p50, 50000);
	cr_expect_geq(leg.p50, 50000 * 7 / 8);
	cr_expect_leq(leg.p99, 99000);
	cr_expect_geq(leg.p99, 99000 * 7 / 8);
	cr_expect_eq(leg.max, 100000);
}

Test(report, cycles_become_nanoseconds)
{
	struct report_leg leg;

	hpt_histogram_add(&histogram, 2048);
	report_leg(&leg, &histogram, 2000000); /* 2 GHz */
	cr_expect_eq(leg.p50, 1024);
	cr_expect_eq(leg.max, 1024);
	report_leg(&leg, &histogram, 1000); /* 1 MHz */
	cr_expect_eq(leg.max, 2048000);
	report_leg(&leg, &histogram, 0);
	cr_expect_eq(leg.count, 1);
	cr_expect_eq(leg.max, 0, "without a frequency there is no time");
}

Test(report, a_guest_that_lies_about_time_stays_a_number)
{
	struct report_leg leg;

	hpt_histogram_add(&histogram, UINT64_MAX);
	report_leg(&leg, &histogram, 1);
	cr_expect_eq(leg.max, INT64_MAX);
}

Test(report, an_empty_leg_is_zeros)
{
	struct report_leg leg;

	report_leg(&leg, &histogram, 1000000);
	cr_expect_eq(leg.count, 0);
	cr_expect_eq(leg.p50, 0);
	cr_expect_eq(leg.p99, 0);
	cr_expect_eq(leg.max, 0);
}

Test(report, ratios_of_nothing_are_zero)
{
	struct hpt_counts table = {.lines = 0};
	struct hpt_ledger ledger = {.probes = 9};

	cr_expect_eq(report_load(&table), 0);
	cr_expect_eq(report_per_lookup(&ledger, ledger.probes), 0);
	table = (struct hpt_counts){.places = 64, .used = 16};
	ledger.lookups = 6;
	cr_expect_eq(report_load(&table), 0.25);
	cr_expect_eq(report_per_lookup(&ledger, ledger.probes), 1.5);
}

static void fill_report(void)
{
	static const struct machine_exit how = {
		.by = MACHINE_GUEST, .status = 125, .reason = "exit"};

	host = (struct host){.kind = KVM_PVM, .api_version = 12, .has_userfaultfd = true};
	config = (struct report_config){.image = "image\xff", .kind = "program", .mem = 1 << 28};
	report_without_machine(&report, &host, &config, &how);
	report.has_machine = true;
	report.has_stage1 = true;
	report.stage1 = (struct report_stage){.organisation = HPT_RADIX, .faults = 1000};
	report.stage2 = (struct report_stage){.organisation = HPT_CLUSTERED, .faults = 2000};
	report.stage2.ledger = (struct hpt_ledger){.lookups = 4, .probes = 6, .lines = 5};
	report.region_count = 2;
	report.regions[0] = (struct report_region){
		.guest = {.start = 0x1000, .pages = 8}, .walked = true, .stage1_entries = 7};
	report.regions[1].guest.pages = REPORT_WALK_PAGES + 1;
	report.legs[REPORT_TRAP].p50 = 30000;
	report.ept = (struct ept_counts){.repeats = 3, .frames = 2559};
	report.page.system_calls = 7;
}

static json_t *at(json_t *object, const char *first, const char *second)
{
	json_t *inner = json_object_get(object, first);

	cr_assert(inner, "%s", first);
	inner = json_object_get(inner, second);
	cr_assert(inner, "%s.%s", first, second);
	return inner;
}

Test(report, json_has_the_names_of_the_contract)
{
	json_t *object;

	fill_report();
	object = report_json(&report);
	cr_assert(object);
	cr_expect_str_eq(json_string_value(json_object_get(object, "command")), "run");
	cr_expect_str_eq(json_string_value(at(object, "exit", "by")), "guest");
	cr_expect_eq(json_integer_value(at(object, "exit", "status")), 125);
	cr_expect_str_eq(json_string_value(at(object, "host", "kind")), "pvm");
	cr_expect(json_is_true(at(object, "host", "ring0_emulated")));
	cr_expect(json_is_false(at(object, "host", "software_cpu")));
	cr_expect_str_eq(json_string_value(at(object, "config", "image")), "image?");
	cr_expect_str_eq(json_string_value(at(object, "stage1", "organisation")), "radix");
	cr_expect_eq(json_integer_value(at(object, "stage1", "faults")), 1000);
	cr_expect_eq(json_integer_value(at(object, "stage2", "faults")), 2000);
	cr_expect_eq(json_real_value(at(object, "stage2", "probes_per_lookup")), 1.5);
	cr_expect_eq(json_real_value(at(object, "stage2", "lines_per_lookup")), 1.25);
	cr_expect_eq(json_integer_value(json_object_get(at(object, "legs", "trap"), "p50_ns")),
		     30000);
	cr_expect(json_is_true(json_object_get(at(object, "legs", "trap"), "emulated")));
	cr_expect(json_is_false(json_object_get(at(object, "legs", "stage2_lookup"), "emulated")));
	json_decref(object);
}

Test(report, on_a_software_cpu_every_leg_is_emulated)
{
	json_t *object, *legs, *leg;
	const char *name;

	fill_report();
	host.kind = KVM_SVM;
	host.software_cpu = true;
	object = report_json(&report);
	cr_expect(json_is_true(at(object, "host", "software_cpu")));
	legs = json_object_get(object, "legs");
	cr_expect_eq(json_object_size(legs), REPORT_LEGS);
	json_object_foreach(legs, name, leg)
		cr_expect(json_is_true(json_object_get(leg, "emulated")), "%s", name);
	json_decref(object);
}

Test(report, regions_that_were_not_walked_have_no_entries)
{
	json_t *object, *regions;

	fill_report();
	object = report_json(&report);
	regions = json_object_get(object, "regions");
	cr_assert_eq(json_array_size(regions), 2);
	cr_expect_eq(
		json_integer_value(json_object_get(json_array_get(regions, 0), "stage1_entries")),
		7);
	cr_expect(json_is_null(json_object_get(json_array_get(regions, 1), "stage1_entries")));
	json_decref(object);
}

Test(report, an_absent_stage_1_is_null)
{
	json_t *object;

	fill_report();
	report.has_stage1 = false;
	config.kind = "kernel";
	object = report_json(&report);
	cr_expect(json_is_null(json_object_get(object, "stage1")));
	cr_expect(json_is_null(at(object, "config", "window")));
	cr_expect(json_is_null(at(object, "config", "guest_table")));
	cr_expect_null(json_object_get(json_object_get(object, "legs"), "trap"));
	cr_expect(json_object_get(json_object_get(object, "legs"), "stage2_lookup"));
	json_decref(object);
}

Test(report, without_a_machine_there_is_an_exit)
{
	struct machine_exit how = {.by = MACHINE_VMM, .status = STATUS_UNAVAILABLE, .reason = "no"};
	json_t *object;

	report_without_machine(&report, &host, &config, &how);
	config.image = config.kind = "";
	object = report_json(&report);
	cr_expect_str_eq(json_string_value(at(object, "exit", "by")), "vmm");
	cr_expect_null(json_object_get(object, "stage2"));
	json_decref(object);
}

Test(report, the_table_names_both_stages_and_says_what_is_emulated)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fill_report();
	report_print(stream, &report);
	fclose(stream);
	cr_expect(strstr(text, "radix      clustered\n"), "%s", text);
	cr_expect(strstr(text, "KVM: pvm"));
	cr_expect(strstr(text, "30000              0              0  emulated\n"), "%s", text);
	cr_expect(strstr(text, "not walked"));
	cr_expect(strstr(text, "\nrepeats                         -              3\n"), "%s", text);
	cr_expect(strstr(text, "           2559  (10236 KiB)\n"), "%s", text);
	cr_expect(strstr(text, "system calls: 7, 0 unknown\n"), "%s", text);
	free(text);
}

static const struct walk_check_counts checked = {
	.pages = 8,
	.stops = 3,
	.no_table = 1,
	.no_table_why = "there is none",
	.walks = 16,
	.translated = 9,
	.absent1 = 4,
	.absent2 = 2,
	.untouched = 1,
	.kvm_same = 11,
	.kvm_absent = 3,
	.not_in_window = 1,
	.frames_same = 5,
	.skipped = 4,
	.skipped_why = "nobody looked",
	.costs = {[HPT_4K] = {.walks = 8, .refs = 26, .ideal_refs = 24}},
};

Test(report, walk_checks_stand_in_both_if_they_were_asked_for)
{
	json_t *object, *small;
	char *text = NULL;
	FILE *stream;
	size_t size;

	fill_report();
	object = report_json(&report);
	cr_expect_null(json_object_get(object, "walk_check"));
	cr_expect(json_is_null(at(object, "config", "walk_check")));
	json_decref(object);
	config.walk_check = 8;
	report.walk_check = &checked;
	object = report_json(&report);
	cr_expect_eq(json_integer_value(at(object, "config", "walk_check")), 8);
	cr_expect_eq(json_integer_value(at(object, "walk_check", "walks")), 16);
	cr_expect_eq(json_integer_value(at(object, "walk_check", "absent_table")), 1);
	cr_expect_eq(json_integer_value(at(object, "walk_check", "wrong")), 0);
	cr_expect_str_eq(json_string_value(at(object, "walk_check", "no_table_reason")),
			 "there is none");
	small = at(object, "walk_check", "4k");
	cr_expect_eq(json_real_value(json_object_get(small, "refs")), 3.25);
	cr_expect_eq(json_real_value(at(small, "model", "refs")), 3);
	json_decref(object);
	stream = open_memstream(&text, &size);
	report_print(stream, &report);
	fclose(stream);
	cr_expect(strstr(text, "\nwalks                          16  at 3 stops\n"), "%s", text);
	cr_expect(strstr(text, " 1  stops: there is none\n"), "%s", text);
	cr_expect(strstr(text, " 4  nobody looked\n"), "%s", text);
	cr_expect(strstr(text, "\nwrong                           0\n"), "%s", text);
	free(text);
}

Test(report, walks_by_a_slab_stand_beside_those_without)
{
	struct walk_check_counts by_slab = checked;
	json_t *object, *small;
	char *text = NULL;
	FILE *stream;
	size_t size;

	fill_report();
	by_slab.slab_stops = 2;
	by_slab.no_slab = 1;
	by_slab.no_slab_why = "it was too small";
	by_slab.slab_costs[HPT_4K] =
		(struct walk_check_cost){.walks = 8, .refs = 17, .ideal_refs = 16};
	report.walk_check = &checked;
	object = report_json(&report);
	cr_expect(json_is_null(at(object, "walk_check", "slab")));
	json_decref(object);
	report.walk_check = &by_slab;
	report.ept.pinned = 512;
	report.page.table_in_slab = 3 * HPT_PAGE_SIZE;
	report.page.table_outside = 5 * HPT_PAGE_SIZE;
	object = report_json(&report);
	small = at(object, "walk_check", "slab");
	cr_expect_eq(json_integer_value(json_object_get(small, "stops")), 2);
	cr_expect_eq(json_integer_value(json_object_get(small, "stops_without")), 1);
	cr_expect_str_eq(json_string_value(json_object_get(small, "reason")), "it was too small");
	cr_expect_eq(json_real_value(at(small, "4k", "refs")), 2.125);
	cr_expect_eq(json_integer_value(at(object, "stage1", "table_outside")), 5 * 4096);
	cr_expect_eq(json_integer_value(at(object, "stage2", "pinned")), 512);
	json_decref(object);
	stream = open_memstream(&text, &size);
	report_print(stream, &report);
	fclose(stream);
	cr_expect(strstr(text, "\nnot by the slab                 1  it was too small\n"), "%s",
		  text);
	cr_expect(strstr(text, "\n4 KiB, by the slab              8          2.125          2.000"),
		  "%s", text);
	cr_expect(strstr(text, " 3 pages of the table in it, 5 outside; pinned are 512\n"), "%s",
		  text);
	free(text);
}

Test(report, the_table_says_no_more_than_it_must)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fill_report();
	report.ept.frames = 2560;
	report.page.unknown_calls = 1;
	report.page.unknown_last = 999;
	report_print(stream, &report);
	fclose(stream);
	cr_expect(strstr(text, "           2560  (10 MiB)\n"), "%s", text);
	cr_expect(strstr(text, "system calls: 7, 1 unknown (the last was number 999)\n"), "%s",
		  text);
	free(text);
}
