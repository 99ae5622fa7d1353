/* SPDX-License-Identifier: MIT */
/* The object of --json, with the names of the command-line contract. */
#include <string.h>

#include "vmm/report.h"
#include "vmm/version.h"

/* A count may come from a guest that lies; JSON integers end at 2^63 - 1. */
static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

/* A file name may be any bytes; JSON is UTF-8, so what is not ASCII then becomes '?'. */
static json_t *text(const char *bytes)
{
	json_t *string = json_string(bytes);
	char copy[512];
	size_t i;

	if (string)
		return string;
	for (i = 0; i < sizeof(copy) - 1 && bytes[i]; i++)
		copy[i] = bytes[i] & 0x80 ? '?' : bytes[i];
	return json_stringn(copy, i);
}

static const char *const page_sizes[] = {[EPT_4K] = "4k", [EPT_2M] = "2m", [EPT_MIXED] = "mixed"};

static json_t *initrds_json(const struct report_config *config)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < config->initrd_count; i++)
		json_array_append_new(array, text(config->initrds[i]));
	return array;
}

/* A kernel brings its own first stage: what is asked of the built-in one's is null then. */
static json_t *config_json(const struct report_config *config)
{
	bool has_stage1 = strcmp(config->kind, "kernel");
	json_t *object = json_object();

	set(object, "image", text(config->image));
	set(object, "kind", json_string(config->kind));
	set(object, "mem", number(config->mem));
	set(object, "cpus", number(config->cpus));
	set(object, "host_mem", number(config->host_mem));
	set(object, "swap", config->swap ? text(config->swap) : json_null());
	set(object, "disk", config->disk ? text(config->disk) : json_null());
	set(object, "host_pages", text(page_sizes[config->host_pages]));
	set(object, "fault_around", number(config->around));
	set(object, "dedup", json_boolean(config->dedup));
	set(object, "window", has_stage1 ? number(config->window) : json_null());
	set(object, "guest_table",
	    has_stage1 ? json_string(hpt_organisation_name(config->guest_table)) : json_null());
	set(object, "host_table", json_string(hpt_organisation_name(config->host_table)));
	set(object, "seed", number(config->seed));
	set(object, "timeout_s",
	    config->timeout_ns ? json_real((double)config->timeout_ns / 1e9) : json_null());
	set(object, "table_slab", config->table_slab ? number(config->table_slab) : json_null());
	set(object, "walk_check", config->walk_check ? number(config->walk_check) : json_null());
	set(object, "initrd", initrds_json(config));
	set(object, "append", config->append ? text(config->append) : json_null());
	return object;
}

static json_t *exit_json(const struct machine_exit *how)
{
	json_t *object = json_object();

	set(object, "by", json_string(how->by == MACHINE_GUEST ? "guest" : "vmm"));
	set(object, "status", json_integer(how->status));
	set(object, "reason", text(how->reason));
	if (how->has_address)
		set(object, "gpa", number(how->address));
	return object;
}

/* What both stages have. */
static json_t *stage_json(const struct report_stage *stage)
{
	const struct hpt_ledger *ledger = &stage->ledger;
	json_t *object = json_object();

	set(object, "organisation", json_string(hpt_organisation_name(stage->organisation)));
	set(object, "entries", number(stage->table.entries));
	set(object, "load", json_real(report_load(&stage->table)));
	set(object, "lines", number(stage->table.lines));
	set(object, "places", number(stage->table.places));
	set(object, "places_used", number(stage->table.used));
	set(object, "moves", number(stage->table.moves));
	set(object, "bytes", number(stage->table.bytes));
	set(object, "faults", number(stage->faults));
	set(object, "first_touches", number(stage->first_touches));
	set(object, "refills", number(stage->refills));
	set(object, "evictions", number(stage->evictions));
	set(object, "copies", number(stage->copies));
	set(object, "lookups", number(ledger->lookups));
	set(object, "hits", number(ledger->hits));
	set(object, "hashes_per_lookup", json_real(report_per_lookup(ledger, ledger->hashes)));
	set(object, "probes_per_lookup", json_real(report_per_lookup(ledger, ledger->probes)));
	set(object, "lines_per_lookup", json_real(report_per_lookup(ledger, ledger->lines)));
	set(object, "steps_per_lookup", json_real(report_per_lookup(ledger, ledger->steps)));
	return object;
}

static json_t *stage1_json(const struct report *report)
{
	const struct abi_page *page = &report->page;
	json_t *object;

	if (!report->has_stage1)
		return json_null();
	object = stage_json(&report->stage1);
	set(object, "window_pages", number(page->window_pages));
	set(object, "window_resident", number(page->window_resident));
	set(object, "pinned", number(page->pinned));
	set(object, "protection_faults", number(page->protection));
	set(object, "table_in_slab", number(page->table_in_slab));
	set(object, "table_outside", number(page->table_outside));
	set(object, "system_calls", number(page->system_calls));
	set(object, "unknown_calls", number(page->unknown_calls));
	set(object, "unknown_last", number(page->unknown_last));
	set(object, "syscall_stays", json_boolean(page->syscall_stays));
	set(object, "panicked", json_boolean(page->panicked));
	set(object, "tsc_khz", number(page->tsc_khz));
	return object;
}

static json_t *stage2_json(const struct report *report)
{
	const struct ept_counts *counts = &report->ept;
	json_t *object = stage_json(&report->stage2);

	set(object, "repeats", number(counts->repeats));
	set(object, "rescues", number(counts->rescues));
	set(object, "swapped_faults", number(counts->swapped));
	set(object, "fault_around_pages", number(counts->around));
	set(object, "swap_ins", number(counts->swaps_in));
	set(object, "swap_outs", number(counts->swaps_out));
	set(object, "zero_ins", number(counts->zeros_in));
	set(object, "zero_outs", number(counts->zeros_out));
	set(object, "restored_pages", number(counts->restored));
	set(object, "swap_slots", number(counts->slots));
	set(object, "shared_frames", number(counts->shared_frames));
	set(object, "sharings", number(counts->shared));
	set(object, "unsharings", number(counts->unshared));
	set(object, "merges", number(counts->merges));
	set(object, "splits", number(counts->splits));
	set(object, "pinned", number(counts->pinned));
	set(object, "frames", number(counts->frames));
	set(object, "blocks", number(counts->blocks));
	return object;
}

static json_t *legs_json(const struct report *report)
{
	json_t *legs = json_object();

	for (int i = 0; i < REPORT_LEGS; i++) {
		enum report_leg_name name = (enum report_leg_name)i;
		const struct report_leg *leg = &report->legs[i];
		json_t *object;

		if (report_leg_is_guests(name) && !report->has_stage1)
			continue;
		object = json_object();
		set(object, "count", number(leg->count));
		set(object, "p50_ns", number(leg->p50));
		set(object, "p99_ns", number(leg->p99));
		set(object, "max_ns", number(leg->max));
		set(object, "emulated", json_boolean(report_leg_is_emulated(report, name)));
		set(legs, report_leg_name(name), object);
	}
	return legs;
}

static json_t *regions_json(const struct report *report)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < report->region_count; i++) {
		const struct report_region *region = &report->regions[i];
		json_t *object = json_object();

		set(object, "start", number(region->guest.start));
		set(object, "pages", number(region->guest.pages));
		set(object, "first_touches", number(region->guest.first_touches));
		set(object, "stage1_entries",
		    region->walked ? number(region->stage1_entries) : json_null());
		set(object, "stage2_entries",
		    region->walked ? number(region->stage2_entries) : json_null());
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *counts_json(const struct machine_counts *counts)
{
	json_t *object = json_object();

	set(object, "entries", number(counts->entries));
	set(object, "port", number(counts->port));
	set(object, "mmio", number(counts->mmio));
	set(object, "interruptions", number(counts->interruptions));
	return object;
}

static json_t *exits_json(const struct report *report)
{
	json_t *object = counts_json(&report->exits);
	json_t *cpus = json_array();

	for (uint64_t i = 0; i < report->config->cpus; i++)
		json_array_append_new(cpus, counts_json(&report->vcpu_exits[i]));
	set(object, "cpus", cpus);
	set(object, "ignored_doorbells", number(report->ignored_doorbells));
	set(object, "unknown_port_bytes", number(report->unknown_ports));
	return object;
}

/* What the built-in kernel does with its disk. */
static void set_swap(json_t *object, const struct abi_page *page)
{
	set(object, "swapped_lookups", number(page->swapped_lookups));
	set(object, "swapped_in", number(page->swap_ins));
	set(object, "swapped_out", number(page->swap_outs));
	set(object, "spared", number(page->swap_spared));
	set(object, "swap_errors", number(page->swap_errors));
	set(object, "slots", number(page->swap_slots));
	set(object, "slots_used", number(page->swap_slots_used));
}

static json_t *disk_json(const struct report *report)
{
	const struct virtio_block_counts *counts = &report->disk;
	json_t *object;

	if (!report->config->disk)
		return json_null();
	object = json_object();
	set(object, "reads", number(counts->reads));
	set(object, "writes", number(counts->writes));
	set(object, "flushes", number(counts->flushes));
	set(object, "bytes_read", number(counts->bytes_read));
	set(object, "bytes_written", number(counts->bytes_written));
	set(object, "failed", number(counts->failed));
	set(object, "unsupported", number(counts->unsupported));
	set(object, "ignored_accesses", number(report->disk_ignored));
	if (report->has_stage1)
		set_swap(object, &report->page);
	set(object, "broken", report->disk_broken ? text(report->disk_broken) : json_null());
	return object;
}

static json_t *snapshot_json(const struct snapshot_request *request)
{
	json_t *object = json_object();

	set(object, "file", text(request->path));
	set(object, "taken", json_boolean(request->is_taken));
	set(object, "pages", number(request->save.pages));
	set(object, "bytes", number(request->save.bytes));
	set(object, "ns", number(request->took_ns));
	return object;
}

static json_t *restore_json(const struct report_config *config)
{
	json_t *object = json_object();

	set(object, "file", text(config->restore));
	set(object, "pages", number(config->restore_pages));
	set(object, "ns", number(config->restore_ns));
	return object;
}

json_t *report_json(const struct report *report)
{
	json_t *object = json_object();

	set(object, "twostage", json_string(TWOSTAGE_VERSION));
	set(object, "command", json_string("run"));
	set(object, "host", host_json(report->host));
	set(object, "config", config_json(report->config));
	set(object, "exit", exit_json(&report->exit));
	if (report->config->snapshot)
		set(object, "snapshot", snapshot_json(report->config->snapshot));
	if (report->config->restore)
		set(object, "restore", restore_json(report->config));
	if (!report->has_machine)
		return object;
	set(object, "run_ns", number(report->run_ns));
	set(object, "stage1", stage1_json(report));
	set(object, "stage2", stage2_json(report));
	set(object, "legs", legs_json(report));
	set(object, "working_set", working_set_json(report->working_set));
	set(object, "regions", regions_json(report));
	set(object, "exits", exits_json(report));
	set(object, "disk", disk_json(report));
	if (report->walk_check)
		set(object, "walk_check", walk_check_json(report->walk_check));
	return object;
}
