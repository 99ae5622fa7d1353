/* SPDX-License-Identifier: MIT */
/* The window (see window.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ept/pool.h"
#include "ept/window.h"
#include "hpt/entry.h"

#ifndef USERFAULTFD_IOC_NEW /* headers before Linux 6.1 */
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

#ifndef UFFDIO_CONTINUE_MODE_WP /* headers before Linux 6.4 */
#define UFFDIO_CONTINUE_MODE_WP (UINT64_C(1) << 1)
#endif

#define FEATURES (UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM)
#define PROTECTS (UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM)
#define MODES	 (UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR)

/* UFFD_FEATURE_WP_UNPOPULATED, of headers since Linux 6.4: came with UFFDIO_CONTINUE_MODE_WP. */
#define FEATURE_LINUX_6_4 (UINT64_C(1) << 13)

/* How often an install is tried while the kernel says that the address space changes. */
#define TRIES 100000

uint64_t ept_window_frame(const struct ept_window *window, gpa_t gpa)
{
	uint64_t block = window->blocks[(gpa - window->start) >> EPT_BLOCK_SHIFT] - UINT64_C(1);
	uint64_t frame = block * EPT_BLOCK_PAGES + (gpa >> HPT_PAGE_SHIFT) % EPT_BLOCK_PAGES;

	if (window->layers)
		frame += *ept_window_layer(window, gpa) * window->layer_frames;
	return frame;
}

/* The system call wants privilege, the device only its own file permissions. */
static int open_userfaultfd(const char **what)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int device;

	if (fd >= 0)
		return fd;
	if (errno == ENOSYS) {
		*what = "userfaultfd: this kernel is built without it (CONFIG_USERFAULTFD)";
		return -ENOSYS;
	}
	if (errno != EPERM) {
		*what = "userfaultfd: the system call failed; raise RLIMIT_NOFILE";
		return -errno;
	}
	*what = "userfaultfd: no permission; run as root, or set vm.unprivileged_userfaultfd=1, or "
		"give this user read and write access to /dev/userfaultfd (Linux 6.1 and later)";
	device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -EPERM;
	fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	close(device);
	return fd < 0 ? -EPERM : fd;
}

/* Tells the kernel which features are wanted; it refuses those that it does not know. */
static int shake_hands(int uffd, bool protects, uint64_t *features, const char **what)
{
	uint64_t wanted = FEATURES | (protects ? PROTECTS : 0);
	struct uffdio_api api = {.api = UFFD_API, .features = wanted};

	if (ioctl(uffd, UFFDIO_API, &api) == 0 && (api.features & wanted) == wanted) {
		*features = api.features;
		return 0;
	}
	*what = protects ? "userfaultfd: this kernel does not protect shared memory from writes "
			   "(UFFD_FEATURE_WP_HUGETLBFS_SHMEM); it needs Linux 5.19 or later"
			 : "userfaultfd: this kernel has no minor faults on shared memory "
			   "(UFFD_FEATURE_MINOR_SHMEM); it needs Linux 5.14 or later";
	return -EOPNOTSUPP;
}

int ept_userfaultfd(bool protects, uint64_t *features, const char **what)
{
	int uffd = open_userfaultfd(what);
	int ret;

	if (uffd < 0)
		return uffd;
	ret = shake_hands(uffd, protects, features, what);
	if (ret == 0)
		return uffd;
	close(uffd);
	return ret;
}

int ept_window_reserve(struct ept_window *window, const char **what)
{
	uintptr_t first;

	window->blocks = calloc(window->size >> EPT_BLOCK_SHIFT, sizeof(*window->blocks));
	window->reserved_size = window->size + EPT_BLOCK_SIZE; /* to align within */
	window->reserved = MAP_FAILED;
	if (window->blocks)
		window->reserved = mmap(NULL, window->reserved_size, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (window->reserved == MAP_FAILED) {
		free(window->blocks);
		*what = "window: no address space for guest memory; raise RLIMIT_AS, or use less "
			"guest memory";
		return -ENOMEM;
	}
	first = ((uintptr_t)window->reserved + EPT_BLOCK_SIZE - 1) & ~(EPT_BLOCK_SIZE - 1);
	window->base = (char *)window->reserved + (first - (uintptr_t)window->reserved);
	return 0;
}

int ept_window_open(struct ept_window *window, gpa_t start, uint64_t size, bool protects,
		    const char **what)
{
	uint64_t features;
	int ret;

	*window = (struct ept_window){.start = start,
				      .size = size,
				      .mappings_limit = EPT_WINDOW_MAPPINGS,
				      .protects = protects};
	window->uffd = ept_userfaultfd(protects, &features, what);
	if (window->uffd < 0)
		return window->uffd;
	window->protects_late = !(features & FEATURE_LINUX_6_4);
	ret = ept_window_reserve(window, what);
	if (ret < 0)
		close(window->uffd);
	return ret;
}

void ept_window_close(struct ept_window *window)
{
	munmap(window->reserved, window->reserved_size);
	if (window->layers)
		munmap(window->layers, window->size >> HPT_PAGE_SHIFT);
	close(window->uffd);
	free(window->blocks);
}

int ept_window_map(struct ept_window *window, int memfd, gpa_t start, uint64_t size, uint32_t block,
		   const char **what)
{
	uint64_t offset = block * EPT_BLOCK_SIZE + start % EPT_BLOCK_SIZE;
	void *place = mmap(ept_window_place(window, start), size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memfd, (off_t)offset);

	if (place == MAP_FAILED) {
		*what = "window: no mapping left for a block of guest memory; raise "
			"vm.max_map_count, or use less guest memory";
		return -errno;
	}
	window->blocks[(start - window->start) >> EPT_BLOCK_SHIFT] = block + 1;
	window->mappings++;
	return 0;
}

static int arm_as(struct ept_window *window, gpa_t start, uint64_t size, uint64_t mode,
		  unsigned int wanted)
{
	struct uffdio_register call = {
		.range = {.start = (uintptr_t)ept_window_place(window, start), .len = size},
		.mode = mode};

	if (ioctl(window->uffd, UFFDIO_REGISTER, &call) < 0)
		return -errno;
	return call.ioctls & UINT64_C(1) << wanted ? 0 : -EOPNOTSUPP;
}

static int arm(struct ept_window *window, gpa_t start, uint64_t size)
{
	uint64_t modes = MODES | (window->protects ? UFFDIO_REGISTER_MODE_WP : 0);

	return arm_as(window, start, size, modes, _UFFDIO_CONTINUE);
}

int ept_window_arm(struct ept_window *window, gpa_t start, uint64_t size, const char **what)
{
	int ret = arm(window, start, size);

	if (ret < 0)
		*what = "userfaultfd: this kernel cannot watch a memfd mapping (UFFDIO_REGISTER "
			"with minor faults); it needs Linux 5.14 or later";
	return ret;
}

int ept_window_read(struct ept_window *window, void **place, bool *is_write)
{
	struct uffd_msg message;
	ssize_t got;

	do
		got = read(window->uffd, &message, sizeof(message));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (got != sizeof(message) || message.event != UFFD_EVENT_PAGEFAULT)
		return -EPROTO;
	*is_write =
		message.arg.pagefault.flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	*place = (void *)(uintptr_t)message.arg.pagefault.address;
	return 1;
}

static void wake(struct ept_window *window, const void *place, uint64_t size)
{
	struct uffdio_range range = {.start = (uintptr_t)place, .len = size};

	/* It fails for good only for a malformed range. Who is not woken would sleep for ever. */
	while (ioctl(window->uffd, UFFDIO_WAKE, &range) < 0 && (errno == EINTR || errno == EAGAIN))
		;
}

void ept_window_wake(struct ept_window *window, void *place, unsigned int pages)
{
	wake(window, place, pages * HPT_PAGE_SIZE);
}

/*
 * The kernel installs page after page and ends at the first that it cannot: one that is there
 * already (passed over here), or all of them while the address space changes (tried again).
 */
static int install(struct ept_window *window, gpa_t gpa, unsigned int pages, uint64_t mode)
{
	unsigned int done = 0;
	bool one = false; /* at a time: the pages are of several mappings */

	for (int tries = 0; done < pages && tries < TRIES; tries++) {
		struct uffdio_continue call = {
			.range = {.start = (uintptr_t)ept_window_place(window,
								       gpa + done * HPT_PAGE_SIZE),
				  .len = (one ? 1 : pages - done) * HPT_PAGE_SIZE},
			.mode = mode | UFFDIO_CONTINUE_MODE_DONTWAKE};
		int error = ioctl(window->uffd, UFFDIO_CONTINUE, &call) < 0 ? errno : 0;

		if (call.mapped > 0)
			done += (unsigned int)((uint64_t)call.mapped / HPT_PAGE_SIZE);
		else if (error == EEXIST)
			done++;
		else if (error == ENOENT && !one && pages - done > 1)
			one = true;
		else if (error && error != EAGAIN && error != EINTR)
			return -error;
		else
			sched_yield();
	}
	return done < pages ? -EAGAIN : 0;
}

/* A kernel that does not know the mode refuses it, whatever the pages are. */
int ept_window_install(struct ept_window *window, gpa_t gpa, unsigned int pages, bool protect)
{
	int ret;

	if (!protect)
		return install(window, gpa, pages, 0);
	if (!ept_window_protects_late(window)) {
		ret = install(window, gpa, pages, UFFDIO_CONTINUE_MODE_WP);
		if (ret != -EINVAL)
			return ret;
		__atomic_store_n(&window->protects_late, true, __ATOMIC_RELAXED);
	}
	ret = install(window, gpa, pages, 0);
	return ret < 0 ? ret : ept_window_protect(window, gpa, pages, true);
}

int ept_window_protect(struct ept_window *window, gpa_t gpa, unsigned int pages, bool protect)
{
	struct uffdio_writeprotect call = {
		.range = {.start = (uintptr_t)ept_window_place(window, gpa),
			  .len = pages * HPT_PAGE_SIZE},
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : UFFDIO_WRITEPROTECT_MODE_DONTWAKE};

	while (ioctl(window->uffd, UFFDIO_WRITEPROTECT, &call) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		sched_yield();
	}
	return 0;
}

int ept_window_take_out(struct ept_window *window, gpa_t gpa, uint64_t size)
{
	for (int tries = 0; tries < TRIES; tries++) {
		if (madvise(ept_window_place(window, gpa), size, MADV_DONTNEED) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		sched_yield();
	}
	return -EAGAIN;
}

int ept_window_map_frames(const struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame,
			  uint64_t size)
{
	if (mmap(ept_window_place(window, gpa), size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memfd,
		 (off_t)(frame << HPT_PAGE_SHIFT)) == MAP_FAILED)
		return errno == ENOMEM ? -ENOSPC : -errno;
	return 0;
}

/* Maps another frame than the block's, for which there must be mappings. */
static int map_other(struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame)
{
	int ret = -ENOSPC;

	if (window->mappings + 2 <= window->mappings_limit)
		ret = ept_window_map_frames(window, memfd, gpa, frame, HPT_PAGE_SIZE);
	window->mappings += ret == 0 ? 2 : 0;
	return ret;
}

int ept_window_remap(struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame)
{
	int ret = map_other(window, memfd, gpa, frame);

	if (ret == 0)
		ret = arm(window, gpa, HPT_PAGE_SIZE);
	return ret < 0 ? ret : ept_window_install(window, gpa, 1, false);
}

/*
 * The page is not in the page tables yet: what is protected is its place there, which keeps that
 * when a read brings the page, without a miss, as only writes are watched.
 */
int ept_window_share(struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame)
{
	int ret = map_other(window, memfd, gpa, frame);

	if (ret == 0)
		ret = arm_as(window, gpa, HPT_PAGE_SIZE, UFFDIO_REGISTER_MODE_WP,
			     _UFFDIO_WRITEPROTECT);
	return ret < 0 ? ret : ept_window_protect(window, gpa, 1, true);
}

int ept_window_unshare(struct ept_window *window, int memfd, gpa_t gpa, uint64_t frame)
{
	int ret = ept_window_map_frames(window, memfd, gpa, frame, HPT_PAGE_SIZE);

	if (ret == 0) {
		window->mappings -= 2;
		ret = arm(window, gpa, HPT_PAGE_SIZE);
	}
	return ret < 0 ? ret : ept_window_install(window, gpa, 1, false);
}

/*
 * PROT_NONE over the mapping: who waits is woken, retries, and finds an access that is not
 * allowed, on every kernel and for KVM as for a thread. The mapping stays registered, but a
 * forbidden access is refused before userfaultfd is asked.
 *
 * If the kernel has no memory left for that, the range goes away, which cuts no mapping in two
 * and therefore needs none.
 */
static void forbid(struct ept_window *window, char *place, uint64_t size)
{
	if (mprotect(place, size, PROT_NONE) < 0)
		(void)munmap(place, size);
	wake(window, place, size);
}

void ept_window_release(struct ept_window *window, gpa_t gpa)
{
	forbid(window, ept_window_place(window, gpa & ~(EPT_BLOCK_SIZE - 1)), EPT_BLOCK_SIZE);
}

void ept_window_seal(struct ept_window *window)
{
	forbid(window, window->base, window->size);
}
