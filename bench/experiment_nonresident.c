/* SPDX-License-Identifier: MIT */
/*
 * nonresident: a guest that has RAM for a half and an eighth of what its program works on, and a
 * disk.
 * An entry of a page that is on the disk says where: the lookup is a hit with another answer. So
 * lookups that found such an entry, pages that came in and requests that the disk has served must
 * be one number; and the program compares every page with what it has written there.
 *
 * `touch` writes its pages and then reads them all. Of N pages no more than RAM has room for can
 * stay, so at least the others have to come back. Of 6 MiB kernel and tables leave the program 510
 * frames: how many it had is N less the places on the disk that are in use at the end.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/experiment.h"
#include "bench/guest_run.h"
#include "vmm/status.h"

#define DISK_SIZE (64L << 20)
#define RAM	  "6M"

/* Of the chart. */
#define FRAMES	   510
#define PAGES_MAX  4600
#define PAGES_STEP 256

static const struct working_set {
	const char *part; /* that RAM is of it */
	double share;
	const char *size;
	double pages;
	const char *table;
} working_sets[] = {
	{"a half", 0.5, "4M", 1024, "clustered"},
	{"a half", 0.5, "4M", 1024, "radix"},
	{"an eighth", 0.125, "16M", 4096, "clustered"},
};

#define WORKING_SETS (sizeof(working_sets) / sizeof(working_sets[0]))

static void missing(struct experiment_result *result, const struct working_set *set,
		    const char *reason)
{
	experiment_missing(result, "lookups", reason,
			   "RAM for %s of %s, %s: lookups that found a place on the disk, swap-ins",
			   set->part, set->size, set->table);
}

static void claim(struct experiment_result *result, const struct working_set *set,
		  const struct guest_run *run)
{
	double found = guest_run_number(run, "disk.swapped_lookups");
	double came = guest_run_number(run, "disk.swapped_in");
	double away = guest_run_number(run, "disk.slots_used");

	experiment_equal(result, "status", 0, guest_run_number(run, "exit.status"), 0,
			 "RAM for %s of %s, %s: every page is what was written", set->part,
			 set->size, set->table);
	experiment_equal(result, "lookups", came, found, 0,
			 "RAM for %s of %s, %s: lookups that found a place on the disk, swap-ins",
			 set->part, set->size, set->table);
	experiment_equal(result, "requests", came, guest_run_number(run, "disk.reads"), 0,
			 "RAM for %s of %s, %s: requests that the disk has served", set->part,
			 set->size, set->table);
	experiment_at_most(result, "of its pages", set->share, 1 - away / set->pages, 0.05,
			   "RAM for %s of %s, %s: what RAM has room for", set->part, set->size,
			   set->table);
	experiment_at_least(result, "pages", away, came, 0,
			    "RAM for %s of %s, %s: pages that came back", set->part, set->size,
			    set->table);
	experiment_note(result, "%s in %s, %s: %.0f pages of %.0f out, %.0f in", set->size, RAM,
			set->table, guest_run_number(run, "disk.swapped_out"), set->pages, came);
}

static int make_disk(char *file, struct message *message)
{
	int fd = mkstemp(file);
	int error = fd < 0 || ftruncate(fd, DISK_SIZE) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return error ? message_set(message, error, STATUS_NOINPUT,
				   "%s: %m; wanted 64 MiB for a disk", file)
		     : 0;
}

/* What came back by how much larger than RAM the working set is. */
static struct experiment_series *add_chart(struct experiment_result *result)
{
	struct experiment_chart *chart =
		experiment_chart(result, "Pages that come back from the disk",
				 "pages of the working set", "swap-ins");
	struct experiment_series *least =
		experiment_series(chart, "at least: those that RAM cannot hold", true);

	for (double pages = FRAMES; pages <= PAGES_MAX; pages += PAGES_STEP)
		experiment_point(least, pages, pages - FRAMES);
	return experiment_series(chart, "measured", false);
}

static int run(struct experiment_result *result, struct message *message)
{
	char disk[] = "/tmp/nonresident.XXXXXX";
	int error = make_disk(disk, message);
	struct experiment_series *measured = add_chart(result);

	for (size_t i = 0; i < WORKING_SETS && !error; i++) {
		const struct working_set *set = &working_sets[i];
		const char *const options[] = {"--mem",		RAM,	    "--disk", disk,
					       "--guest-table", set->table, NULL};
		const char *const arguments[] = {set->size, "--order", "random", NULL};
		struct guest_run guest;

		guest_run(&guest, "touch", options, arguments);
		if (guest.report) {
			claim(result, set, &guest);
			experiment_point(measured, set->pages,
					 guest_run_number(&guest, "disk.swapped_in"));
		} else {
			missing(result, set, guest.missing);
		}
		json_decref(guest.report);
	}
	unlink(disk);
	return error;
}

const struct experiment nonresident_experiment = {
	.name = "nonresident",
	.question = "What is a page that was swapped out to the table: nothing that it knows, or a "
		    "page with another answer?",
	.model = "lookups that found a location = swap-ins = reads of the disk; of N pages that "
		 "are "
		 "written and then read, at least N - RAM come back, each as it was",
	.run = run,
};
