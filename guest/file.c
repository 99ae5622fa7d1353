/* SPDX-License-Identifier: MIT */
/* See file.h. */
#include "guest/file.h"

#include <stddef.h>

#include "guest/pipe.h"
#include "guest/pool.h"

static struct pool open_files = {.size = sizeof(struct file)};

struct file *file_create(enum file_kind kind, uint32_t flags)
{
	struct file *file = pool_get(&open_files);

	if (!file)
		return NULL;
	file->kind = kind;
	file->users = 1;
	file->flags = flags;
	return file;
}

void file_put(struct file *file)
{
	if (--file->users)
		return;
	if (file->kind == FILE_PIPE)
		pipe_close(file->pipe, file_can_write(file));
	pool_put(&open_files, file);
}
