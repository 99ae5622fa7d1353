/* SPDX-License-Identifier: MIT */
/*
 * Values of command-line options. Every function takes the option's name for its message, which
 * has the form
 *
 *	--mem: found "12Q", wanted SIZE: a whole number with an optional K, M or G
 *
 * and returns 0, or -EINVAL with the message and status 64; *value is set only on success.
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdint.h>

#include "hpt/hpt.h"
#include "vmm/message.h"

/*
 * SIZE: decimal digits and an optional suffix K, M or G (2^10, 2^20, 2^30). The number of bytes
 * must be a multiple of 4 KiB from `least` to `most`.
 */
int option_size(const char *option, const char *text, uint64_t least, uint64_t most,
		uint64_t *value, struct message *message);

/* A whole number, decimal, from `least` to `most`. */
int option_count(const char *option, const char *text, uint64_t least, uint64_t most,
		 uint64_t *value, struct message *message);

/* SECONDS: decimal, with an optional fraction of up to nine digits; more than 0, at most 10^9. */
int option_seconds(const char *option, const char *text, uint64_t *nanoseconds,
		   struct message *message);

/* ORG: the name of an organisation that this build has. */
int option_organisation(const char *option, const char *text, enum hpt_organisation *value,
			struct message *message);

/* Page sizes: 4k (0), 2m (1) or mixed (2). */
int option_pages(const char *option, const char *text, int *value, struct message *message);

#endif
