/* SPDX-License-Identifier: MIT */
/* What the kernel was told at boot: memory, program, command line (abi.h). */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_RANGES 8

struct boot_range {
	uint64_t start; /* gPA, page-aligned */
	uint64_t end;
};

struct boot {
	struct boot_range ram[BOOT_RANGES]; /* ascending */
	unsigned int ram_count;
	uint64_t ram_pages;
	struct boot_range module;  /* the program's ELF, bytes; {0, 0}: there is none */
	struct boot_range archive; /* the initial archive, bytes; {0, 0}: there is none */
	struct boot_range modules; /* from the first byte of either to the last of either */
	struct boot_range slab;	   /* for the stage-1 table alone; {0, 0}: there is none */
	uint64_t window_pages;
	int organisation; /* enum hpt_organisation */
	uint64_t tsc_khz; /* 0: not told */
	uint64_t wall_ns;
	uint64_t seed;
	uint64_t disk; /* gPA of its registers; 0: there is none */
	bool doorbells;
	unsigned int cpus;
	const char *name;      /* argv[0], still percent-encoded */
	const char *arguments; /* what follows "--", still percent-encoded */
};

extern struct boot boot;

/* Reads the start of the world at gPA `start_info`; panics where it makes no sense. */
void boot_read(uint32_t start_info);

/*
 * Takes the next word of `*text`, percent-decoded, into `word` (`size` bytes, NUL-terminated), and
 * moves *text past it. False at the end of the text; a word that is too long ends the guest.
 */
bool boot_next_argument(const char **text, char *word, unsigned long size);

#endif
