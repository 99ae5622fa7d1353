/* SPDX-License-Identifier: MIT */
/*
 * The file of `--json FILE`, or of another such option. It is opened before anything is done, so
 * that a name that cannot be written is found out at once, and `-` is standard output.
 */
#ifndef VMM_OUTPUT_H
#define VMM_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "vmm/message.h"

struct output {
	const char *name; /* NULL: there is none, and nothing is written */
	FILE *stream;
};

/* Opens `name` (NULL: nothing to do). 0, or a negative errno and the message, status 66. */
int output_open(struct output *output, const char *name, struct message *message);

/* Writes the object and a newline, closes, and drops the reference. As output_open(). */
int output_json(struct output *output, json_t *object, struct message *message);

/* Closes a file that holds anything else. As output_open(). */
int output_close(struct output *output, struct message *message);

#endif
