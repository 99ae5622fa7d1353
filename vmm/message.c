/* SPDX-License-Identifier: MIT */
#include "vmm/message.h"

#include <stdarg.h>
#include <stdio.h>

int message_set(struct message *message, int error, int status, const char *format, ...)
{
	va_list arguments;

	message->status = status;
	va_start(arguments, format);
	vsnprintf(message->text, sizeof(message->text), format, arguments);
	va_end(arguments);
	return error;
}
