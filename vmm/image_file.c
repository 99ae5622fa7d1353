/* SPDX-License-Identifier: MIT */
/* Reading an image's file into memory: a copy, so that nobody changes the bytes under the checks.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/image.h"
#include "vmm/status.h"

__attribute__((format(printf, 4, 5))) static int refuse(struct image_problem *problem, int status,
							int error, const char *format, ...)
{
	va_list arguments;

	problem->status = status;
	va_start(arguments, format);
	vsnprintf(problem->text, sizeof(problem->text), format, arguments);
	va_end(arguments);
	return -error;
}

static int refuse_errno(struct image_problem *problem, int error)
{
	return refuse(problem, STATUS_NOINPUT, error,
		      "file: found none that can be read (%s), wanted a regular file",
		      strerror(error));
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

static int check_stat(const struct stat *status, struct image_problem *problem)
{
	if (!S_ISREG(status->st_mode))
		return refuse(problem, STATUS_NOINPUT, S_ISDIR(status->st_mode) ? EISDIR : EINVAL,
			      "file: found %s, wanted a regular file", type_name(status->st_mode));
	if ((uint64_t)status->st_size > IMAGE_FILE_MAX)
		return refuse(problem, STATUS_DATA, EFBIG,
			      "size: found %" PRIu64 " bytes, wanted at most %llu",
			      (uint64_t)status->st_size, IMAGE_FILE_MAX);
	return 0;
}

/* Reads what there is, at most *size bytes, and sets *size to it: the file may have shrunk. */
static int read_all(int fd, void **bytes, size_t *size)
{
	unsigned char *buffer = malloc(*size ? *size : 1);
	size_t done = 0;

	if (!buffer)
		return ENOMEM;
	while (done < *size) {
		ssize_t got = read(fd, buffer + done, *size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = errno;

			free(buffer);
			return error;
		}
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*bytes = buffer;
	*size = done;
	return 0;
}

int image_read_file(const char *path, void **bytes, size_t *size, struct image_problem *problem)
{
	struct stat status;
	int fd, error;

	*bytes = NULL;
	*size = 0;
	/* Asked twice: opening a device can have effects, and the name may change its meaning. */
	if (stat(path, &status))
		return refuse_errno(problem, errno);
	error = check_stat(&status, problem);
	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return refuse_errno(problem, errno);
	if (fstat(fd, &status)) {
		error = refuse_errno(problem, errno);
	} else {
		error = check_stat(&status, problem);
		*size = error ? 0 : (size_t)status.st_size;
	}
	if (!error) {
		error = read_all(fd, bytes, size);
		if (error)
			error = refuse_errno(problem, error);
	}
	close(fd);
	return error;
}
