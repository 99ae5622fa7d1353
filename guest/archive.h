/* SPDX-License-Identifier: MIT */
/*
 * The initial archive: the second PVH module, a cpio of the format "newc" (Linux's
 * Documentation/driver-api/early-userspace/buffer-format.rst), or several behind each other. Its
 * files are read where they lie.
 */
#ifndef GUEST_ARCHIVE_H
#define GUEST_ARCHIVE_H

/*
 * Enters what the archive holds into the tree (node.h), if there is an archive. A malformed one
 * ends the guest with status 126 and a message that names entry and field.
 */
void archive_start(void);

#endif
