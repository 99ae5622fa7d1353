/* SPDX-License-Identifier: MIT */
/*
 * Snapshots, written: the guest's memory into a file (snapshot_format.h).
 *
 *	ept_save_open() -> ept_save_write() -> ept_save_close()
 *
 * The file is NAME.tmp, which is locked, until all of it is on the disk, and then gets its name in
 * the place of what had it before. So whoever is killed, or meets a full disk, leaves the file of
 * that name as it was.
 */
#ifndef EPT_SAVE_H
#define EPT_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "ept/ept.h"

struct ept_save {
	int fd; /* -1: nothing is open */
	const char *path;
	char *temporary; /* its name */
	bool is_done;	 /* it has its name */
	uint64_t pages;	 /* that were written */
	uint64_t bytes;	 /* of the file */
	char message[256];
};

/*
 * Makes `path`.tmp; `path` lives as long as *save. On failure a negative errno, *what (text that
 * lives as long as *save), and nothing is left: -EBUSY if another process writes that snapshot.
 */
int ept_save_open(struct ept_save *save, const char *path, const char **what);

/*
 * Writes the memory of a guest that does not run, and `owner_size` bytes of the owner's, at most
 * SNAPSHOT_OWNER_MAX; then the file has its name. Once for each ept_save_open(). Nothing of the
 * guest's changes, no page gets or loses its frame. A negative errno and *what as above.
 */
int ept_save_write(struct ept_save *save, struct ept *ept, const void *owner, uint64_t owner_size,
		   const char **what);

/* Ends it; what has not got its name is removed. Safe on one that ept_save_open() failed on. */
void ept_save_close(struct ept_save *save);

#endif
