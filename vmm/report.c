/* SPDX-License-Identifier: MIT */
#include "vmm/report.h"

#include <string.h>

#include "vmm/stage1.h"

#define NANOSECONDS_KHZ UINT64_C(1000000)

_Static_assert((int)REPORT_FAULT == (int)SAMPLES_FAULT, "the legs of a fault come first");

const char *report_leg_name(enum report_leg_name leg)
{
	static const char *const names[REPORT_LEGS] = {
		[REPORT_TRAP] = "trap",
		[REPORT_LOOKUP] = "lookup",
		[REPORT_INSTALL] = "install",
		[REPORT_FAULT] = "fault",
		[REPORT_EXIT] = "exit",
		[REPORT_STAGE2_LOOKUP] = "stage2_lookup",
		[REPORT_STAGE2_INSTALL] = "stage2_install",
	};

	return names[leg];
}

bool report_leg_is_guests(enum report_leg_name leg)
{
	return leg <= REPORT_EXIT;
}

bool report_leg_is_emulated(const struct report *report, enum report_leg_name leg)
{
	return report->host->software_cpu ||
	       (report_leg_is_guests(leg) && host_emulates_ring0(report->host));
}

double report_load(const struct hpt_counts *table)
{
	return table->places ? (double)table->used / (double)table->places : 0;
}

double report_per_lookup(const struct hpt_ledger *ledger, uint64_t amount)
{
	return ledger->lookups ? (double)amount / (double)ledger->lookups : 0;
}

/* In 128 bits: a guest may say that a leg took all of time. */
static uint64_t to_ns(uint64_t units, uint64_t khz)
{
	unsigned __int128 ns;

	if (!khz)
		return 0;
	ns = (unsigned __int128)units * NANOSECONDS_KHZ / khz;
	return ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

void report_leg(struct report_leg *leg, const struct hpt_histogram *histogram, uint64_t khz)
{
	leg->count = hpt_histogram_count(histogram);
	leg->p50 = to_ns(hpt_histogram_percentile(histogram, 50), khz);
	leg->p99 = to_ns(hpt_histogram_percentile(histogram, 99), khz);
	leg->max = to_ns(histogram->max, khz);
}

static void collect_stage2(struct report *report, struct machine *machine)
{
	struct ept *ept = &machine->ept;
	struct ept_snapshot snapshot;

	ept_read(ept, &snapshot);
	report->ept = snapshot.counts;
	report->stage2 = (struct report_stage){
		.organisation = machine->config.organisation,
		.table = snapshot.table,
		.ledger = snapshot.ledger,
		.faults = snapshot.counts.misses,
		.first_touches = snapshot.counts.touches,
		.refills =
			snapshot.counts.loaded + snapshot.counts.rescues + snapshot.counts.swapped,
		.evictions = snapshot.counts.swaps_out + snapshot.counts.zeros_out,
		.copies = snapshot.counts.copies,
	};
	report_leg(&report->legs[REPORT_STAGE2_LOOKUP], &ept->lookup_ns, NANOSECONDS_KHZ);
	report_leg(&report->legs[REPORT_STAGE2_INSTALL], &ept->install_ns, NANOSECONDS_KHZ);
}

static void walk_region(struct report_region *region, struct stage1 *stage1)
{
	uint64_t entry;
	gpa_t gpa;

	region->walked = region->guest.pages <= REPORT_WALK_PAGES;
	for (uint64_t i = 0; region->walked && i < region->guest.pages; i++) {
		region->walked = stage1->lines_read < REPORT_WALK_LINES;
		if (stage1_translate(stage1, region->guest.start + i * HPT_PAGE_SIZE, &gpa))
			continue;
		region->stage1_entries++;
		if (!ept_entry(&stage1->machine->ept, gpa, &entry))
			region->stage2_entries++;
	}
}

/* The legs of faults come from samples, of which the last ones are still in the guest's memory. */
static void collect_legs(struct report *report, struct machine *machine,
			 const struct abi_page *page)
{
	struct devices *devices = &machine->devices;

	samples_take(&devices->samples, devices->read, devices->context, devices->page);
	for (unsigned int i = 0; i < SAMPLES_LEGS; i++)
		report_leg(&report->legs[i], &devices->samples.legs[i], page->tsc_khz);
	report_leg(&report->legs[REPORT_EXIT], &page->exits, page->tsc_khz);
}

/*
 * The guest counts as little as it can; the rest follows. A fault is one lookup, no two probes of
 * one are counted as the same line, and each depends on the one before; those of cuckoo, whose ways
 * do not, are one step and up to three hashes.
 */
static struct hpt_ledger stage1_ledger(const struct stage1 *stage1)
{
	const struct abi_page *page = &stage1->page;
	uint64_t lookups = page->first_touches + page->refills;
	uint64_t probes = lookups + page->more_probes;
	bool cuckoo = stage1->desc.organisation == HPT_CUCKOO;
	uint64_t hashes = cuckoo ? probes : lookups;

	return (struct hpt_ledger){
		.lookups = lookups,
		.hits = page->refills,
		.hashes = stage1->desc.organisation == HPT_RADIX ? 0 : hashes,
		.probes = probes,
		.lines = probes,
		.steps = cuckoo ? lookups : probes,
	};
}

static void collect_stage1(struct report *report, struct machine *machine)
{
	static struct stage1 stage1; /* 39 KiB: not for the stack */
	const struct abi_page *page = &stage1.page;

	report->has_stage1 =
		!stage1_read(&stage1, machine, report->exit.vcpu, &report->stage1_absent);
	if (!report->has_stage1)
		return;
	report->page = *page;
	report->stage1 = (struct report_stage){
		.organisation = (enum hpt_organisation)stage1.desc.organisation,
		.table = stage1.counts,
		.ledger = stage1_ledger(&stage1),
		.faults = page->first_touches + page->refills,
		.first_touches = page->first_touches,
		.refills = page->refills,
		.evictions =
			page->first_touches + page->refills - page->drops - page->window_resident,
		.copies = page->copies,
	};
	collect_legs(report, machine, page);
	for (unsigned int i = 0; i < ABI_REGIONS && page->regions[i].pages; i++) {
		report->regions[i].guest = page->regions[i];
		walk_region(&report->regions[i], &stage1);
		report->region_count++;
	}
}

static void collect_disk(struct report *report, struct machine *machine)
{
	if (!machine->config.disk)
		return;
	virtio_block_read_counts(&machine->disk, &report->disk);
	report->disk_broken = machine->disk.mmio.broken;
	report->disk_ignored = machine->disk.mmio.ignored;
}

void report_without_machine(struct report *report, const struct host *host,
			    const struct report_config *config, const struct machine_exit *how)
{
	memset(report, 0, sizeof(*report));
	report->host = host;
	report->config = config;
	report->exit = *how;
	report->stage1_absent = "the machine could not be made";
}

void report_collect(struct report *report, const struct host *host,
		    const struct report_config *config, struct machine *machine,
		    const struct machine_exit *how)
{
	report_without_machine(report, host, config, how);
	report->has_machine = true;
	report->run_ns = machine->run_ns;
	report->exits = machine_counts(machine);
	memcpy(report->vcpu_exits, machine->vcpu_counts, sizeof(report->vcpu_exits));
	report->working_set = &machine->working_set;
	report->unknown_ports = machine->devices.unknown_ports;
	report->ignored_doorbells = machine->devices.ignored_doorbells;
	if (machine->config.walk_check)
		report->walk_check = &machine->config.walk_check->counts;
	collect_disk(report, machine);
	/* Before anything else looks around in the guest's memory. */
	collect_stage2(report, machine);
	collect_stage1(report, machine);
}
