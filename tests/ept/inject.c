/* SPDX-License-Identifier: MIT */
/* See inject.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/ept/inject.h"

#define BLOCK 4096

static atomic_int armed;
static int how;
static unsigned int first;
static bool always;
static atomic_uint count, failures;

static const char *const names[INJECT_CALLS] = {
	[INJECT_REGISTER] = "register", [INJECT_PROTECT] = "protect",
	[INJECT_NOTHING] = "nothing",	[INJECT_FALLOCATE] = "fallocate",
	[INJECT_PREADV] = "preadv",	[INJECT_PWRITEV] = "pwritev",
	[INJECT_CONTINUE] = "continue", [INJECT_WAKE] = "wake",
	[INJECT_MADVISE] = "madvise",	[INJECT_MMAP] = "mmap",
	[INJECT_MPROTECT] = "mprotect", [INJECT_POLL] = "poll",
	[INJECT_READ] = "read",		[INJECT_API] = "api",
	[INJECT_THREAD] = "thread",	[INJECT_TRUNCATE] = "ftruncate",
	[INJECT_EVENT] = "eventfd",	[INJECT_MEMFD] = "memfd_create",
};

const char *inject_name(enum inject_call call)
{
	return names[call];
}

void inject_arm(enum inject_call call, int manner, unsigned int nth, bool for_good)
{
	how = manner;
	first = nth;
	always = for_good;
	count = 0;
	failures = 0;
	armed = (int)call;
}

void inject_disarm(unsigned int *calls, unsigned int *failed)
{
	armed = INJECT_NOTHING;
	*calls = count;
	*failed = failures;
}

/* Whether this call is to fail; then errno says how, if it is an error. */
static bool fails(enum inject_call call)
{
	unsigned int number;

	if (armed != (int)call)
		return false;
	number = ++count;
	if (always ? number < first : number != first)
		return false;
	failures++;
	if (how > 0)
		errno = how;
	return true;
}

int __real_fallocate(int fd, int mode, off_t offset, off_t size);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size);
ssize_t __real_preadv(int fd, const struct iovec *vector, int parts, off_t offset);
ssize_t __wrap_preadv(int fd, const struct iovec *vector, int parts, off_t offset);
ssize_t __real_pwritev(int fd, const struct iovec *vector, int parts, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *vector, int parts, off_t offset);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_madvise(void *start, size_t size, int advice);
int __wrap_madvise(void *start, size_t size, int advice);
void *__real_mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset);
int __real_mprotect(void *start, size_t size, int protection);
int __wrap_mprotect(void *start, size_t size, int protection);
int __real_poll(struct pollfd *fds, nfds_t number, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t number, int timeout);
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
	return fails(INJECT_FALLOCATE) ? -1 : __real_fallocate(fd, mode, offset, size);
}

/* Half of what was asked for, which ends inside of a block. */
static ssize_t transfer_half(int fd, bool out, const struct iovec *vector, off_t offset)
{
	static char aligned[BLOCK] __attribute__((aligned(BLOCK)));

	if (out)
		return __real_pwritev(fd, vector, 1, offset) < 0 ? -1 : BLOCK / 2;
	if (__real_preadv(fd, &(struct iovec){aligned, BLOCK}, 1, offset) < 0)
		return -1;
	memcpy(vector->iov_base, aligned,
	       vector->iov_len < BLOCK / 2 ? vector->iov_len : BLOCK / 2);
	return vector->iov_len < BLOCK / 2 ? (ssize_t)vector->iov_len : BLOCK / 2;
}

ssize_t __wrap_preadv(int fd, const struct iovec *vector, int parts, off_t offset)
{
	ssize_t ret;

	if (!fails(INJECT_PREADV))
		return __real_preadv(fd, vector, parts, offset);
	if (how == INJECT_SHORT)
		return transfer_half(fd, false, vector, offset);
	if (how != INJECT_DAMAGE)
		return how == INJECT_END ? 0 : -1;
	ret = __real_preadv(fd, vector, parts, offset);
	((char *)vector->iov_base)[100] ^= 4;
	return ret;
}

ssize_t __wrap_pwritev(int fd, const struct iovec *vector, int parts, off_t offset)
{
	static char damaged[BLOCK] __attribute__((aligned(BLOCK)));
	ssize_t ret;

	if (!fails(INJECT_PWRITEV))
		return __real_pwritev(fd, vector, parts, offset);
	if (how == INJECT_SHORT)
		return transfer_half(fd, true, vector, offset);
	if (how != INJECT_DAMAGE)
		return how == INJECT_END ? 0 : -1;
	ret = __real_pwritev(fd, vector, parts, offset);
	memcpy(damaged, vector->iov_base, BLOCK);
	damaged[200] ^= 16;
	return __real_pwritev(fd, &(struct iovec){damaged, BLOCK}, 1, offset) < 0 ? -1 : ret;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == UFFDIO_CONTINUE && fails(INJECT_CONTINUE)) {
		((struct uffdio_continue *)argument)->mapped = -how;
		return -1;
	}
	if ((request == UFFDIO_WAKE && fails(INJECT_WAKE)) ||
	    (request == UFFDIO_REGISTER && fails(INJECT_REGISTER)) ||
	    (request == UFFDIO_API && fails(INJECT_API)) ||
	    (request == UFFDIO_WRITEPROTECT && fails(INJECT_PROTECT)))
		return -1;
	return __real_ioctl(fd, request, argument);
}

int __wrap_madvise(void *start, size_t size, int advice)
{
	return fails(INJECT_MADVISE) ? -1 : __real_madvise(start, size, advice);
}

void *__wrap_mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (fails(INJECT_MMAP))
		return MAP_FAILED;
	return __real_mmap(start, size, protection, flags, fd, offset);
}

int __wrap_mprotect(void *start, size_t size, int protection)
{
	return fails(INJECT_MPROTECT) ? -1 : __real_mprotect(start, size, protection);
}

int __wrap_poll(struct pollfd *fds, nfds_t number, int timeout)
{
	return fails(INJECT_POLL) ? -1 : __real_poll(fds, number, timeout);
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	ssize_t got;

	if (size != sizeof(struct uffd_msg) || !fails(INJECT_READ))
		return __real_read(fd, buffer, size);
	if (how != INJECT_SHORT)
		return -1;
	got = __real_read(fd, buffer, size);
	return got < 0 ? got : got / 2;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __real_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument)
{
	return fails(INJECT_THREAD) ? how
				    : __real_pthread_create(thread, attributes, run, argument);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return fails(INJECT_TRUNCATE) ? -1 : __real_ftruncate(fd, size);
}

int __wrap_eventfd(unsigned int value, int flags)
{
	return fails(INJECT_EVENT) ? -1 : __real_eventfd(value, flags);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return fails(INJECT_MEMFD) ? -1 : __real_memfd_create(name, flags);
}
