/* SPDX-License-Identifier: MIT */
/*
 * What a run has measured, at both stages: gathered after the guest ended, printed as a table
 * (--stats) or as JSON (--json).
 */
#ifndef VMM_REPORT_H
#define VMM_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "guest/abi.h"
#include "vmm/host.h"
#include "vmm/machine.h"
#include "vmm/snapshot.h"
#include "vmm/walk_check.h"

/* What the user asked for. Strings are the caller's. */
struct report_config {
	const char *image;
	const char *kind; /* "program", "kernel", or "unknown" for a file that is neither */
	uint64_t mem;
	uint64_t cpus;
	uint64_t host_mem;
	const char *swap; /* NULL: unnamed */
	const char *disk; /* NULL: none */
	uint64_t around;
	enum ept_pages host_pages;
	bool dedup;
	uint64_t window; /* pages */
	enum hpt_organisation guest_table;
	enum hpt_organisation host_table;
	uint64_t seed;
	uint64_t timeout_ns; /* 0: none */
	uint64_t table_slab; /* bytes; 0: none */
	uint64_t walk_check; /* pages at a stop; 0: none */
	const char *append;  /* NULL: none */
	const char *const *initrds;
	unsigned int initrd_count;
	const struct snapshot_request *snapshot; /* NULL: none was asked for */
	const char *restore;			 /* the snapshot's name; NULL: it booted */
	uint64_t restore_pages;			 /* that are in it */
	uint64_t restore_ns;			 /* until the guest could be entered */
};

/* One stage, in the same words for both. */
struct report_stage {
	enum hpt_organisation organisation;
	struct hpt_counts table;
	struct hpt_ledger ledger; /* of lookups on behalf of faults */
	uint64_t faults;
	uint64_t first_touches; /* faults whose lookup found no entry */
	uint64_t refills;	/* faults whose lookup found one */
	uint64_t evictions;
	uint64_t copies; /* pages touched first by the kernel (stage 1) or the VMM (stage 2) */
};

/* A leg of an access. Times are in nanoseconds. */
struct report_leg {
	uint64_t count;
	uint64_t p50;
	uint64_t p99;
	uint64_t max;
};

enum report_leg_name {
	REPORT_TRAP, /* the first four are those of vmm/samples.h */
	REPORT_LOOKUP,
	REPORT_INSTALL,
	REPORT_FAULT,
	REPORT_EXIT, /* one doorbell of the guest, out to back: what leaving for the VMM costs */
	REPORT_STAGE2_LOOKUP,
	REPORT_STAGE2_INSTALL,
	REPORT_LEGS
};

struct report_region {
	struct abi_region guest; /* as the guest counted */
	bool walked;		 /* too large regions are not, then the next two are unknown */
	uint64_t stage1_entries; /* pages of it that the guest's table maps */
	uint64_t stage2_entries; /* of those, pages that the host's table maps */
};

/*
 * Regions of more pages are not walked: it takes about a microsecond a page. Nor is what is left
 * once so many lines were read: a table that lies may have thousands for each page.
 */
#define REPORT_WALK_PAGES (UINT64_C(4) << 20)
#define REPORT_WALK_LINES (8 * REPORT_WALK_PAGES)

struct report {
	const struct host *host;
	const struct report_config *config;
	struct machine_exit exit;
	bool has_machine; /* what follows is there: the machine could be made */
	uint64_t run_ns;
	struct machine_counts exits;			/* of all vCPUs */
	struct machine_counts vcpu_exits[ABI_CPUS_MAX]; /* of each */
	uint64_t unknown_ports;
	uint64_t ignored_doorbells;
	bool has_stage1;
	const char *stage1_absent; /* why not */
	struct report_stage stage1;
	struct abi_page page; /* only where has_stage1 */
	unsigned int region_count;
	struct report_region regions[ABI_REGIONS];
	struct report_stage stage2;
	struct ept_counts ept;
	struct report_leg legs[REPORT_LEGS];
	struct virtio_block_counts disk; /* of the disk, if there is one */
	const char *disk_broken;	 /* NULL, or what the guest broke it with; static */
	uint64_t disk_ignored;
	const struct working_set *working_set;	    /* the machine's */
	const struct walk_check_counts *walk_check; /* NULL: not asked for; the machine's */
};

/* A report of a run that did not get as far as a machine. */
void report_without_machine(struct report *report, const struct host *host,
			    const struct report_config *config, const struct machine_exit *how);

/*
 * Reads everything out of a machine whose guest has ended; once, since it takes the last samples.
 * Host and configuration must live on.
 */
void report_collect(struct report *report, const struct host *host,
		    const struct report_config *config, struct machine *machine,
		    const struct machine_exit *how);

/*
 * Count, median, 99th percentile and maximum of a histogram. `khz` says how many of its units are
 * a millisecond: the frequency of the counter, or 1,000,000 for nanoseconds. 0 gives times of 0.
 */
void report_leg(struct report_leg *leg, const struct hpt_histogram *histogram, uint64_t khz);

/* What stands for a leg in JSON, and whether the guest's ring 0 took the time. */
const char *report_leg_name(enum report_leg_name leg);
bool report_leg_is_guests(enum report_leg_name leg);

/* Whether an emulator executed it: KVM's for the guest's ring 0, or a software CPU for all. */
bool report_leg_is_emulated(const struct report *report, enum report_leg_name leg);

/* Used lines of all lines; 0 for an empty table. */
double report_load(const struct hpt_counts *table);

/* `amount` a lookup; 0 if there were none. */
double report_per_lookup(const struct hpt_ledger *ledger, uint64_t amount);

void report_print(FILE *stream, const struct report *report);

/* A new reference, or NULL if there is no memory. */
json_t *report_json(const struct report *report);

#endif
