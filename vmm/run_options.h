/* SPDX-License-Identifier: MIT */
/* The options of `twostage run`. */
#ifndef VMM_RUN_OPTIONS_H
#define VMM_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "hpt/hpt.h"
#include "vmm/machine.h"
#include "vmm/snapshot.h"

/* Every field has its default or a value in its range. Strings are those of argv. */
struct run_options {
	uint64_t mem;
	uint64_t host_mem;
	uint64_t cpus;
	bool host_mem_given; /* else it is as mem */
	const char *swap;    /* NULL: an unnamed file */
	uint64_t around;
	bool dedup;
	uint64_t working_set_ns; /* between samples; 0: none */
	int host_pages;		 /* enum ept_pages */
	uint64_t window;
	bool window_given;
	enum hpt_organisation guest_table;
	bool guest_table_given;
	bool table_slab;
	uint64_t table_slab_size; /* 0: as much as the table may need */
	enum hpt_organisation host_table;
	uint64_t seed;
	uint64_t timeout_ns; /* 0: none */
	uint64_t walk_check; /* pages at a stop; 0: none */
	struct snapshot_request snapshot;
	const char *restore; /* NULL: boots IMAGE */
	const char *kept;    /* the last option given that a snapshot has itself; NULL: none */
	const char *disk;    /* NULL: none */
	bool stats;
	const char *json;   /* NULL: none */
	const char *append; /* NULL: none */
	const char *initrds[MACHINE_MODULES_MAX];
	unsigned int initrd_count;
	const char *image; /* NULL with `restore` */
	char **arguments;  /* the guest's, after -- */
	int argument_count;
};

/*
 * Parses argv. As every parser here, argp ends the process for --help (0) and for what it cannot
 * take (64, the message names option, value found and value wanted). Returns 0, or a status.
 */
int run_options_parse(struct run_options *options, int argc, char **argv);

#endif
