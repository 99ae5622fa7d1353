/* SPDX-License-Identifier: MIT */
/*
 * What a process has open: descriptors, which forks copy and threads share, and with them the
 * directory that it is in and its mask of new files' rights.
 */
#ifndef GUEST_FILES_H
#define GUEST_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define FILES_MAX 1024

struct file;
struct files;
struct node;

/* 0 at its end, 1 and 2 the consoles; or NULL where memory is out. */
struct files *files_create(void);

/* A copy, or the same with one user more; or NULL. */
struct files *files_copy(struct files *files, bool is_shared);

/* One user less: the last one closes all. */
void files_put(struct files *files);

/* A process executes another program: its descriptors are its own, and some are closed. */
int files_own(struct files **files);
void files_close_on_exec(struct files *files);

/* What the current process has by that number, or NULL. */
struct file *files_find(int fd);

/*
 * The lowest free number from `lowest` on for a file, whose one user is the descriptor then; the
 * flags are those of open(). -EMFILE, -ENOMEM: then the file is put.
 */
int64_t files_add(struct file *file, int lowest, uint32_t flags);

/* The directory that paths begin in. */
struct node *files_directory(void);
void files_set_directory(struct node *node);

/* System calls. */
int64_t files_close(int fd);
int64_t files_duplicate(int fd, int lowest, uint32_t flags);
int64_t files_duplicate_to(int fd, int to);
int64_t files_duplicate_as(int fd, int to, uint32_t flags);
int64_t files_control(int fd, uint32_t command, uint64_t argument);
int64_t files_device_control(int fd, uint32_t command, uint64_t argument);
int64_t files_pipe(uint64_t ends, uint32_t flags);
int64_t files_mask(uint32_t mask);

#endif
