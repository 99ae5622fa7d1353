/* SPDX-License-Identifier: MIT */
/* See files.h. */
#include "guest/files.h"

#include <errno.h>
#include <stddef.h>

#include "guest/file.h"
#include "guest/frames.h"
#include "guest/node.h"
#include "guest/pipe.h"
#include "guest/pool.h"
#include "guest/process.h"
#include "guest/user.h"

#define FIRST	      16 /* descriptors that need no page of their own */
#define PER_PAGE      (HPT_PAGE_SIZE / sizeof(struct file *))
#define PAGES	      (FILES_MAX / PER_PAGE)
#define WORDS	      (FILES_MAX / 64)
#define NEW_FILE_MASK 0022

/* Commands of fcntl(), and flags that it changes. */
#define DUPLICATE	 0
#define GET_FLAGS	 1
#define SET_FLAGS	 2
#define GET_STATUS	 3
#define SET_STATUS	 4
#define DUPLICATE_CLOSED 1030
#define CLOSE_ON_EXEC	 1
#define CHANGED		 (OPEN_APPEND | OPEN_NONBLOCK)

/* Commands of ioctl(). */
#define CLOSE_NOT     0x5450
#define CLOSE	      0x5451
#define SET_NONBLOCK  0x5421
#define BYTES_TO_READ 0x541b

struct files {
	unsigned int users;
	uint32_t mask;
	struct node *directory;
	uint64_t open[WORDS];	/* a bit for each descriptor */
	uint64_t closed[WORDS]; /* those that are closed when another program is executed */
	struct file *first[FIRST];
	struct file **pages[PAGES]; /* NULL: none of them was needed yet */
};

static struct pool tables = {.size = sizeof(struct files)};

static struct file **slot(struct files *files, unsigned int fd)
{
	return fd < FIRST ? &files->first[fd] : &files->pages[fd / PER_PAGE][fd % PER_PAGE];
}

static uint64_t bit(unsigned int fd)
{
	return UINT64_C(1) << fd % 64;
}

static bool is_open(const struct files *files, unsigned int fd)
{
	return fd < FILES_MAX && files->open[fd / 64] & bit(fd);
}

static void set_closed(struct files *files, unsigned int fd, bool closed)
{
	if (closed)
		files->closed[fd / 64] |= bit(fd);
	else
		files->closed[fd / 64] &= ~bit(fd);
}

/* -ENOMEM. */
static int place(struct files *files, unsigned int fd, struct file *file, bool closed)
{
	uint64_t gpa;

	if (fd >= FIRST && !files->pages[fd / PER_PAGE]) {
		if (frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa))
			return -ENOMEM;
		files->pages[fd / PER_PAGE] = direct(gpa);
	}
	*slot(files, fd) = file;
	files->open[fd / 64] |= bit(fd);
	set_closed(files, fd, closed);
	return 0;
}

static void close(struct files *files, unsigned int fd)
{
	struct file *file = *slot(files, fd);

	files->open[fd / 64] &= ~bit(fd);
	file_put(file);
}

/* The first descriptor from `fd` on whose bit, in words that `flip` is applied to, is set. */
static unsigned int next_bit(const struct files *files, unsigned int fd, uint64_t flip)
{
	while (fd < FILES_MAX) {
		uint64_t rest = (files->open[fd / 64] ^ flip) >> fd % 64;

		if (rest)
			return fd + (unsigned int)__builtin_ctzll(rest);
		fd = (fd | 63) + 1;
	}
	return FILES_MAX;
}

/* The first one from `fd` on that is open, or that is free; FILES_MAX if there is none. */
static unsigned int next_open(const struct files *files, unsigned int fd)
{
	return next_bit(files, fd, 0);
}

static unsigned int next_free(const struct files *files, unsigned int fd)
{
	return next_bit(files, fd, UINT64_MAX);
}

struct files *files_create(void)
{
	struct files *files = pool_get(&tables);

	if (!files)
		return NULL;
	files->users = 1;
	files->mask = NEW_FILE_MASK;
	files->directory = node_root;
	for (unsigned int fd = 0; fd < 3; fd++) {
		struct file *file = file_create(FILE_CONSOLE, fd ? OPEN_WRITE : OPEN_READ);

		if (!file) {
			files_put(files);
			return NULL;
		}
		file->console = (int)fd;
		place(files, fd, file, false);
	}
	return files;
}

struct files *files_copy(struct files *files, bool is_shared)
{
	struct files *copy;

	if (is_shared) {
		files->users++;
		return files;
	}
	copy = pool_get(&tables);
	if (!copy)
		return NULL;
	copy->users = 1;
	copy->mask = files->mask;
	copy->directory = files->directory;
	for (unsigned int fd = next_open(files, 0); fd < FILES_MAX; fd = next_open(files, fd + 1)) {
		struct file *file = *slot(files, fd);

		if (place(copy, fd, file, files->closed[fd / 64] & bit(fd))) {
			files_put(copy);
			return NULL;
		}
		file->users++;
	}
	return copy;
}

void files_put(struct files *files)
{
	if (--files->users)
		return;
	for (unsigned int fd = next_open(files, 0); fd < FILES_MAX; fd = next_open(files, fd + 1))
		close(files, fd);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (files->pages[i])
			frames_put_kernel(NULL, (uint64_t)files->pages[i] - DIRECT_BASE,
					  HPT_PAGE_SIZE);
	}
	pool_put(&tables, files);
}

int files_own(struct files **files)
{
	struct files *copy;

	if ((*files)->users == 1)
		return 0;
	copy = files_copy(*files, false);
	if (!copy)
		return -ENOMEM;
	files_put(*files);
	*files = copy;
	return 0;
}

void files_close_on_exec(struct files *files)
{
	for (unsigned int i = 0; i < WORDS; i++) {
		for (uint64_t rest; (rest = files->closed[i] & files->open[i]);)
			close(files, 64 * i + (unsigned int)__builtin_ctzll(rest));
	}
}

static struct files *current_files(void)
{
	return current_process()->files;
}

struct file *files_find(int fd)
{
	struct files *files = current_files();

	return is_open(files, (unsigned int)fd) ? *slot(files, (unsigned int)fd) : NULL;
}

struct node *files_directory(void)
{
	return current_files()->directory;
}

void files_set_directory(struct node *node)
{
	current_files()->directory = node;
}

int64_t files_add(struct file *file, int lowest, uint32_t flags)
{
	struct files *files = current_files();
	unsigned int fd = next_free(files, (unsigned int)lowest);
	int error = -EMFILE;

	if (fd < FILES_MAX)
		error = place(files, fd, file, flags & OPEN_CLOEXEC);
	if (!error)
		return fd;
	file_put(file);
	return error;
}

int64_t files_close(int fd)
{
	if (!files_find(fd))
		return -EBADF;
	close(current_files(), (unsigned int)fd);
	return 0;
}

int64_t files_duplicate(int fd, int lowest, uint32_t flags)
{
	struct file *file = files_find(fd);

	if (!file)
		return -EBADF;
	if (lowest < 0 || lowest >= FILES_MAX)
		return -EINVAL;
	file->users++;
	return files_add(file, lowest, flags);
}

static int64_t replace(int fd, int to, uint32_t flags)
{
	struct files *files = current_files();
	struct file *file = files_find(fd);
	struct file *before = files_find(to);

	if (!file || to < 0 || to >= FILES_MAX)
		return -EBADF;
	if (place(files, (unsigned int)to, file, flags & OPEN_CLOEXEC))
		return -ENOMEM;
	file->users++;
	if (before)
		file_put(before);
	return to;
}

int64_t files_duplicate_to(int fd, int to)
{
	if (fd == to)
		return files_find(fd) ? fd : -EBADF;
	return replace(fd, to, 0);
}

int64_t files_duplicate_as(int fd, int to, uint32_t flags)
{
	if (flags & ~(uint32_t)OPEN_CLOEXEC || fd == to)
		return -EINVAL;
	return replace(fd, to, flags);
}

int64_t files_control(int fd, uint32_t command, uint64_t argument)
{
	struct files *files = current_files();
	struct file *file = files_find(fd);

	if (!file)
		return -EBADF;
	switch (command) {
	case DUPLICATE:
		return files_duplicate(fd, argument < FILES_MAX ? (int)argument : -1, 0);
	case DUPLICATE_CLOSED:
		return files_duplicate(fd, argument < FILES_MAX ? (int)argument : -1, OPEN_CLOEXEC);
	case GET_FLAGS:
		return files->closed[fd / 64] & bit((unsigned int)fd) ? CLOSE_ON_EXEC : 0;
	case SET_FLAGS:
		set_closed(files, (unsigned int)fd, argument & CLOSE_ON_EXEC);
		return 0;
	case GET_STATUS:
		return file->flags;
	case SET_STATUS:
		file->flags = (file->flags & ~(uint32_t)CHANGED) | ((uint32_t)argument & CHANGED);
		return 0;
	default:
		return -EINVAL;
	}
}

static int64_t set_nonblock(struct file *file, uint64_t argument)
{
	int32_t on;

	if (user_read(&on, argument, sizeof(on)))
		return -EFAULT;
	file->flags &= ~(uint32_t)OPEN_NONBLOCK;
	file->flags |= on ? OPEN_NONBLOCK : 0;
	return 0;
}

/* There is no terminal. */
int64_t files_device_control(int fd, uint32_t command, uint64_t argument)
{
	struct file *file = files_find(fd);
	uint32_t bytes;

	if (!file)
		return -EBADF;
	switch (command) {
	case CLOSE:
	case CLOSE_NOT:
		set_closed(current_files(), (unsigned int)fd, command == CLOSE);
		return 0;
	case SET_NONBLOCK:
		return set_nonblock(file, argument);
	case BYTES_TO_READ:
		if (file->kind != FILE_PIPE)
			return -ENOTTY;
		bytes = pipe_bytes(file->pipe);
		return user_write(argument, &bytes, sizeof(bytes));
	default:
		return -ENOTTY;
	}
}

int64_t files_pipe(uint64_t ends, uint32_t flags)
{
	struct file *files[2];
	int64_t error;
	int32_t fds[2];

	if (flags & ~(uint32_t)(OPEN_CLOEXEC | OPEN_NONBLOCK))
		return -EINVAL;
	error = pipe_create(files, flags & OPEN_NONBLOCK);
	if (error)
		return error;
	fds[0] = (int32_t)files_add(files[0], 0, flags);
	if (fds[0] < 0) {
		file_put(files[1]);
		return fds[0];
	}
	fds[1] = (int32_t)files_add(files[1], 0, flags);
	error = fds[1] < 0 ? fds[1] : user_write(ends, fds, sizeof(fds));
	if (!error)
		return 0;
	files_close(fds[0]);
	if (fds[1] >= 0)
		files_close(fds[1]);
	return error;
}

int64_t files_mask(uint32_t mask)
{
	struct files *files = current_files();
	uint32_t before = files->mask;

	files->mask = mask & 0777;
	return before;
}
