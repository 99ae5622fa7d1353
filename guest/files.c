/* SPDX-License-Identifier: MIT */
/* See files.h. */
#include "guest/files.h"

#include <stddef.h>
#include <string.h>

#include "guest/frames.h"
#include "guest/output.h"

struct files *files_create(void)
{
	uint64_t gpa;
	struct files *files;

	if (frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa))
		return NULL;
	files = direct(gpa);
	files->users = 1;
	return files;
}

struct files *files_copy(struct files *files, bool is_shared)
{
	struct files *copy;

	if (is_shared) {
		files->users++;
		return files;
	}
	copy = files_create();
	if (copy)
		memcpy(copy->closed, files->closed, sizeof(copy->closed));
	return copy;
}

void files_put(struct files *files)
{
	if (!--files->users)
		frames_put_kernel(NULL, (uint64_t)files - DIRECT_BASE, HPT_PAGE_SIZE);
}
