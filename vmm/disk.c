/* SPDX-License-Identifier: MIT */
#include "vmm/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/status.h"

/* What the kernel cannot do with offsets of signed 64 bits is no size either. */
#define SIZE_MAX_BYTES (UINT64_MAX >> 1)

static int refuse(struct message *message, const char *option, const char *path, const char *text)
{
	int error = errno ? -errno : -EINVAL;

	return message_set(message, error, STATUS_NOINPUT, "%s: %s: %s: %s", option, path, text,
			   strerror(-error));
}

/* Not O_CREAT: a disk has a size. O_NONBLOCK so that a pipe is refused and not waited for. */
static int open_file(struct disk *disk, const char *path)
{
	int flags = O_CLOEXEC | O_NONBLOCK;

	disk->fd = open(path, O_RDWR | flags);
	if (disk->fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
		disk->fd = open(path, O_RDONLY | flags);
		disk->read_only = true;
	}
	return disk->fd;
}

static int read_size(struct disk *disk, uint64_t *size, const char **wrong)
{
	struct stat status;

	if (fstat(disk->fd, &status) < 0)
		return -1;
	*size = (uint64_t)status.st_size;
	if (S_ISBLK(status.st_mode))
		return ioctl(disk->fd, BLKGETSIZE64, size);
	if (!S_ISREG(status.st_mode))
		*wrong = "a special file";
	return 0;
}

static int check(struct disk *disk, const char *option, const char *path, struct message *message)
{
	const char *wrong = NULL;
	uint64_t size = 0;

	if (read_size(disk, &size, &wrong) < 0)
		return refuse(message, option, path, "its size cannot be read");
	if (wrong)
		return message_set(message, -EINVAL, STATUS_NOINPUT,
				   "%s: %s: found %s, wanted a regular file or a block device",
				   option, path, wrong);
	if (!size || size % DISK_SECTOR_SIZE || size > SIZE_MAX_BYTES)
		return message_set(message, -EINVAL, STATUS_NOINPUT,
				   "%s: %s: size: found %" PRIu64
				   " bytes, wanted a multiple of 512 above 0",
				   option, path, size);
	if (flock(disk->fd, (disk->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) {
		disk->sectors = size / DISK_SECTOR_SIZE;
		return 0;
	}
	if (errno != EWOULDBLOCK)
		return refuse(message, option, path, "it cannot be locked");
	return message_set(message, -EBUSY, STATUS_NOINPUT,
			   "%s: %s: found it locked by another process, wanted it for this guest "
			   "alone",
			   option, path);
}

int disk_open(struct disk *disk, const char *option, const char *path, struct message *message)
{
	int error;

	*disk = (struct disk){.fd = -1};
	if (open_file(disk, path) < 0)
		return refuse(message, option, path, "cannot be opened");
	error = check(disk, option, path, message);
	if (error)
		disk_close(disk);
	return error;
}

void disk_close(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
}

int disk_read(const struct disk *disk, uint64_t offset, void *target, uint64_t size)
{
	uint8_t *to = target;

	while (size) {
		ssize_t got = pread(disk->fd, to, size, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		to += got;
		offset += (uint64_t)got;
		size -= (uint64_t)got;
	}
	return 0;
}

int disk_write(const struct disk *disk, uint64_t offset, const void *source, uint64_t size)
{
	const uint8_t *from = source;

	while (size) {
		ssize_t put = pwrite(disk->fd, from, size, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		from += put;
		offset += (uint64_t)put;
		size -= (uint64_t)put;
	}
	return 0;
}

int disk_flush(const struct disk *disk)
{
	return fdatasync(disk->fd) < 0 ? -errno : 0;
}
