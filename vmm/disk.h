/* SPDX-License-Identifier: MIT */
/*
 * The file of --disk: a regular file or a block device, as an array of sectors of 512 bytes. It has
 * an advisory lock (flock) while it is open: no two guests share one that either may write.
 */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/message.h"

#define DISK_SECTOR_SIZE UINT64_C(512)

struct disk {
	int fd; /* -1: not open */
	uint64_t sectors;
	bool read_only;
};

/*
 * Opens it for reading and writing, or for reading alone where this user, or the file system,
 * allows no more. Status 66 where it cannot be opened, is no file or block device, has a size that
 * is no multiple of 512, or is another guest's. `option` is how the message calls it.
 */
int disk_open(struct disk *disk, const char *option, const char *path, struct message *message);

/* Safe on a disk that is not open. */
void disk_close(struct disk *disk);

/*
 * Bytes, all of them, from `offset` on: 0 or a negative errno; -EIO where the file has become
 * shorter. Then some may have been read or written. Any thread may call them.
 */
int disk_read(const struct disk *disk, uint64_t offset, void *target, uint64_t size);
int disk_write(const struct disk *disk, uint64_t offset, const void *source, uint64_t size);

/* What was written is on the device afterwards. 0 or a negative errno. */
int disk_flush(const struct disk *disk);

#endif
