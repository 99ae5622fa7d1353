/* SPDX-License-Identifier: MIT */
/*
 * The disk of boot.disk: a virtio block device behind registers in memory (virtio 1.2, 4.2 and
 * 5.2). One request at a time, and the kernel waits for it: there is no interrupt. What is read and
 * written are pages.
 *
 * Whoever calls these functions holds the kernel's lock, if there is one.
 */
#ifndef GUEST_DISK_H
#define GUEST_DISK_H

#include <stdint.h>

/* Whole pages that the disk has; 0: there is no disk. */
extern uint64_t disk_pages;

/*
 * Finds the disk, if boot.disk names one, and makes it ready; behind stage1_start(). A disk that
 * cannot be used ends the guest with a message.
 */
void disk_start(void);

/* One page of the disk, below disk_pages, from or to the page of RAM at `gpa`. 0 or -EIO. */
int disk_read(uint64_t page, uint64_t gpa);
int disk_write(uint64_t page, uint64_t gpa);

#endif
