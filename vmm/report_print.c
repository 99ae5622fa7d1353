/* SPDX-License-Identifier: MIT */
/*
 * The table of --stats:
 *
 *	                          stage 1      stage 2
 *	organisation            clustered    clustered
 *	entries                     65662        66113
 *	...
 *	leg                count      p50 ns      p99 ns      max ns
 *	trap               65538         ...
 */
#include <inttypes.h>
#include <string.h>

#include "vmm/report.h"

static void print_number(FILE *stream, const struct report *report, const char *name,
			 uint64_t stage1, uint64_t stage2)
{
	char absent[] = "-";
	char first[24];

	snprintf(first, sizeof(first), "%" PRIu64, stage1);
	fprintf(stream, "%-18s %14s %14" PRIu64 "\n", name, report->has_stage1 ? first : absent,
		stage2);
}

static void print_ratio(FILE *stream, const struct report *report, const char *name, double stage1,
			double stage2)
{
	char absent[] = "-";
	char first[24];

	snprintf(first, sizeof(first), "%.3f", stage1);
	fprintf(stream, "%-18s %14s %14.3f\n", name, report->has_stage1 ? first : absent, stage2);
}

static void print_frames(FILE *stream, uint64_t frames)
{
	bool few = frames < 10 << 8;

	fprintf(stream, "%-18s %14s %14" PRIu64 "  (%" PRIu64 " %s)\n", "frames", "", frames,
		few ? frames << 2 : frames >> 8, few ? "KiB" : "MiB");
}

/* The slab, and what the guest says that it has there; in pages. */
static void print_slab(FILE *stream, const struct report *report)
{
	fprintf(stream,
		"%-18s %14" PRIu64 " pages of the table in it, %" PRIu64
		" outside; pinned are %" PRIu64 "\n",
		"table slab", report->page.table_in_slab >> HPT_PAGE_SHIFT,
		report->page.table_outside >> HPT_PAGE_SHIFT, report->ept.pinned);
}

/* Where pages went for which there was no frame, and how they came back. */
static void print_swapping(FILE *stream, const struct ept_counts *counts)
{
	fprintf(stream, "%-18s %14s %14" PRIu64 "  (%" PRIu64 " of zeros)\n", "pages out", "",
		counts->swaps_out + counts->zeros_out, counts->zeros_out);
	fprintf(stream, "%-18s %14s %14" PRIu64 "  (%" PRIu64 " of zeros)\n", "pages in", "",
		counts->swaps_in + counts->zeros_in, counts->zeros_in);
	fprintf(stream, "%-18s %14s %14" PRIu64 "\n", "rescued", "", counts->rescues);
}

static void print_stages(FILE *stream, const struct report *report)
{
	const struct report_stage *one = &report->stage1;
	const struct report_stage *two = &report->stage2;
	const struct hpt_ledger *first = &one->ledger;
	const struct hpt_ledger *second = &two->ledger;

	fprintf(stream, "%-18s %14s %14s\n", "", "stage 1", "stage 2");
	fprintf(stream, "%-18s %14s %14s\n", "organisation",
		report->has_stage1 ? hpt_organisation_name(one->organisation) : "absent",
		hpt_organisation_name(two->organisation));
	print_number(stream, report, "entries", one->table.entries, two->table.entries);
	print_ratio(stream, report, "load", report_load(&one->table), report_load(&two->table));
	print_number(stream, report, "table bytes", one->table.bytes, two->table.bytes);
	print_number(stream, report, "faults", one->faults, two->faults);
	print_number(stream, report, "first touches", one->first_touches, two->first_touches);
	print_number(stream, report, "refills", one->refills, two->refills);
	fprintf(stream, "%-18s %14s %14" PRIu64 "\n", "repeats", "-", report->ept.repeats);
	print_number(stream, report, "evictions", one->evictions, two->evictions);
	print_number(stream, report, "lookups", first->lookups, second->lookups);
	print_ratio(stream, report, "probes a lookup", report_per_lookup(first, first->probes),
		    report_per_lookup(second, second->probes));
	print_ratio(stream, report, "lines a lookup", report_per_lookup(first, first->lines),
		    report_per_lookup(second, second->lines));
	print_ratio(stream, report, "steps a lookup", report_per_lookup(first, first->steps),
		    report_per_lookup(second, second->steps));
	print_number(stream, report, "copied pages", one->copies, two->copies);
	if (report->has_stage1)
		fprintf(stream,
			"window             %14" PRIu64 " pages, %" PRIu64 " resident, %" PRIu64
			" pinned\n",
			report->page.window_pages, report->page.window_resident,
			report->page.pinned);
	else
		fprintf(stream, "stage 1 is absent: %s\n", report->stage1_absent);
	print_frames(stream, report->ept.frames);
	if (report->ept.pinned)
		print_slab(stream, report);
	if (report->ept.merges + report->ept.splits)
		fprintf(stream, "%-18s %14s %14" PRIu64 "  (%" PRIu64 " split)\n",
			"blocks made whole", "", report->ept.merges, report->ept.splits);
	if (report->ept.shared)
		fprintf(stream, "%-18s %14s %14" PRIu64 "  (on %" PRIu64 " frames)\n",
			"pages that share", "", report->ept.shared - report->ept.unshared,
			report->ept.shared_frames);
	if (two->evictions)
		print_swapping(stream, &report->ept);
}

static void print_legs(FILE *stream, const struct report *report)
{
	fprintf(stream, "\n%-18s %14s %14s %14s %14s\n", "leg", "count", "p50 ns", "p99 ns",
		"max ns");
	for (int i = 0; i < REPORT_LEGS; i++) {
		enum report_leg_name name = (enum report_leg_name)i;
		const struct report_leg *leg = &report->legs[i];

		if (report_leg_is_guests(name) && !report->has_stage1)
			continue;
		fprintf(stream, "%-18s %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "%s\n",
			report_leg_name(name), leg->count, leg->p50, leg->p99, leg->max,
			report_leg_is_emulated(report, name) ? "  emulated" : "");
	}
}

static void print_regions(FILE *stream, const struct report *report)
{
	if (!report->region_count)
		return;
	fprintf(stream, "\n%-18s %14s %14s %14s %14s\n", "region", "pages", "first touches",
		"stage-1 mapped", "stage-2 mapped");
	for (unsigned int i = 0; i < report->region_count; i++) {
		const struct report_region *region = &report->regions[i];

		fprintf(stream, "0x%-16" PRIx64 " %14" PRIu64 " %14" PRIu64, region->guest.start,
			region->guest.pages, region->guest.first_touches);
		if (region->walked)
			fprintf(stream, " %14" PRIu64 " %14" PRIu64 "\n", region->stage1_entries,
				region->stage2_entries);
		else
			fprintf(stream, " %14s %14s\n", "not walked", "not walked");
	}
}

static void print_system_calls(FILE *stream, const struct abi_page *page)
{
	fprintf(stream, "system calls: %" PRIu64 ", %" PRIu64 " unknown", page->system_calls,
		page->unknown_calls);
	if (page->unknown_calls)
		fprintf(stream, " (the last was number %" PRIu64 ")", page->unknown_last);
	fputc('\n', stream);
}

static void print_disk(FILE *stream, const struct report *report)
{
	const struct virtio_block_counts *counts = &report->disk;

	fprintf(stream,
		"disk: %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " flushes, %" PRIu64
		" failed; %" PRIu64 " bytes read, %" PRIu64 " written\n",
		counts->reads, counts->writes, counts->flushes,
		counts->failed + counts->unsupported, counts->bytes_read, counts->bytes_written);
	if (report->has_stage1)
		fprintf(stream,
			"disk: the guest kernel swapped %" PRIu64 " pages out and %" PRIu64
			" in, %" PRIu64 " lookups found one there; %" PRIu64 " of %" PRIu64
			" slots are in use\n",
			report->page.swap_outs, report->page.swap_ins, report->page.swapped_lookups,
			report->page.swap_slots_used, report->page.swap_slots);
	if (report->disk_broken)
		fprintf(stream, "disk: broken by the guest: %s\n", report->disk_broken);
}

void report_print(FILE *stream, const struct report *report)
{
	const struct machine_exit *how = &report->exit;

	fprintf(stream, "\nended by the %s: %s, status %d",
		how->by == MACHINE_GUEST ? "guest" : "VMM", how->reason, how->status);
	if (!report->has_machine) {
		fputc('\n', stream);
		return;
	}
	fprintf(stream, "; %.3f s; KVM: %s%s\n\n", (double)report->run_ns / 1e9,
		kvm_kind_name(report->host->kind),
		report->host->software_cpu ? " (on a software CPU)" : "");
	print_stages(stream, report);
	print_legs(stream, report);
	working_set_print(stream, report->working_set);
	print_regions(stream, report);
	if (report->walk_check)
		walk_check_print(stream, report->walk_check);
	fprintf(stream,
		"\nexits: %" PRIu64 " port, %" PRIu64 " memory-mapped, %" PRIu64 " interruptions; "
		"ignored: %" PRIu64 " doorbells, %" PRIu64 " bytes at unknown ports\n",
		report->exits.port, report->exits.mmio, report->exits.interruptions,
		report->ignored_doorbells, report->unknown_ports);
	for (uint64_t i = 0; report->config->cpus > 1 && i < report->config->cpus; i++)
		fprintf(stream,
			"  CPU %" PRIu64 ": %" PRIu64 " port, %" PRIu64 " memory-mapped, %" PRIu64
			" interruptions\n",
			i, report->vcpu_exits[i].port, report->vcpu_exits[i].mmio,
			report->vcpu_exits[i].interruptions);
	if (report->config->disk)
		print_disk(stream, report);
	if (report->has_stage1)
		print_system_calls(stream, &report->page);
	fprintf(stream, "timings: %s\n", host_timings(report->host));
}
