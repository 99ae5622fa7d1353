/* SPDX-License-Identifier: MIT */
#include "vmm/output.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/status.h"

static int failed(const struct output *output, const char *what, struct message *message)
{
	int error = errno;

	return message_set(message, -error, STATUS_NOINPUT, "--json: %s: cannot %s: %s",
			   output->name, what, strerror(error));
}

int output_open(struct output *output, const char *name, struct message *message)
{
	output->name = name;
	output->stream = NULL;
	if (!name)
		return 0;
	output->stream = strcmp(name, "-") ? fopen(name, "we") : stdout;
	return output->stream ? 0 : failed(output, "open for writing", message);
}

int output_json(struct output *output, json_t *object, struct message *message)
{
	int error = 0;

	if (output->stream && !object)
		error = message_set(message, -ENOMEM, STATUS_INTERNAL, "--json: out of memory");
	else if (output->stream && (json_dumpf(object, output->stream, JSON_INDENT(2)) ||
				    fputc('\n', output->stream) == EOF || fflush(output->stream)))
		error = failed(output, "write", message);
	if (output->stream && output->stream != stdout && fclose(output->stream) && !error)
		error = failed(output, "write", message);
	output->stream = NULL;
	json_decref(object);
	return error;
}

int output_close(struct output *output, struct message *message)
{
	bool broken;

	if (!output->stream)
		return 0;
	broken = ferror(output->stream) || fflush(output->stream);
	if (output->stream != stdout && fclose(output->stream))
		broken = true;
	output->stream = NULL;
	if (broken)
		return message_set(message, -EIO, STATUS_NOINPUT, "%s: cannot write", output->name);
	return 0;
}
