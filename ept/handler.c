/* SPDX-License-Identifier: MIT */
/*
 * Stage-2 misses: the threads that take them and install pages.
 *
 * Whoever plays the guest (vCPUs, threads of a test) touches the window and then waits in the
 * kernel. Handler threads take misses, one at a time each, and install; they never touch the
 * window, so they wait for nobody but each other. VMM threads come through ept_copy_*() and reach
 * frames through the pool's mapping, which has no userfaultfd, so whoever holds the lock never
 * waits for a handler either. Table, pool and counts change under ept->lock. What takes time,
 * zeroing, I/O and installing, is done outside it, by the one thread that has the page in transit
 * (transit.h): others that want the page wait until it has arrived, others that want other pages do
 * not.
 *
 * A page that two threads miss on at once is one miss as a rule: installing wakes both and takes
 * the second's message back. But a thread that has just seen the page missing and queues itself
 * while it is being installed leaves a message behind. The kernel may also take an installed page
 * out of the page tables, when it reclaims memory. Both come here as a miss on a page of which the
 * entry says that it is in the window, and are counted as repeats; installing such a page once more
 * is right for both, and does nothing but wake for the first.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ept/fault.h"

/*
 * Keeps the first failure and tells it before the access is released, so that whoever sees the
 * access fail can find out why.
 */
static void fail(struct ept *ept, const char *reason, gpa_t gpa)
{
	bool first;

	pthread_mutex_lock(&ept->lock);
	first = !ept->is_told;
	ept->is_told = true;
	if (!ept->failure) {
		ept->failure = reason;
		ept->failure_gpa = gpa;
	}
	pthread_mutex_unlock(&ept->lock);
	if (first && ept->config.failed)
		ept->config.failed(ept->config.context, reason, gpa);
}

void ept_close_block(struct ept *ept, gpa_t gpa)
{
	ept_window_release(&ept->window, gpa);
	if (ept->failure)
		return;
	ept->failure = EPT_NOT_EXCHANGED;
	ept->failure_gpa = gpa;
}

/* Whether an entry asks for another frame than the one that belongs to the block's mapping. */
static bool has_own_frame(const struct ept *ept, gpa_t gpa, uint64_t entry)
{
	return hpt_frame(entry) != ept_window_frame(&ept->window, gpa);
}

static void count_miss(struct ept *ept, const struct ept_fill *fill, bool own_frame)
{
	struct ept_counts *counts = &ept->counts;

	counts->misses++;
	switch (fill->found) {
	case EPT_NEW:
		counts->touches++;
		counts->around += fill->pages - 1;
		break;
	case EPT_LOADED:
		counts->loaded++;
		counts->remaps += own_frame;
		break;
	case EPT_RESCUED:
		counts->rescues++;
		break;
	case EPT_RETURNED:
		counts->swapped++;
		break;
	case EPT_UNSHARED:
		counts->written++;
		break;
	case EPT_INSTALLED:
		counts->repeats++;
		counts->dirtied += fill->is_write && !(fill->entry & HPT_DIRTY);
		break;
	}
}

static bool may_be_protected(const struct ept *ept, const struct ept_fill *fill, bool is_dirty)
{
	return (ept->config.track && is_dirty) ||
	       (ept->family->users && fill->is_write && fill->found == EPT_INSTALLED);
}

/* NULL, or why the pages could not be installed. */
static const char *install(struct ept *ept, const struct ept_fill *fill)
{
	gpa_t gpa = fill->gfn << HPT_PAGE_SHIFT;
	gpa_t first = fill->first << HPT_PAGE_SHIFT;
	bool own = has_own_frame(ept, gpa, fill->entry);
	uint64_t frame = ept_fill_frame(fill);
	bool is_dirty = fill->is_write || fill->entry & HPT_DIRTY;
	bool protect = (ept->config.track && !is_dirty) || (fill->is_common && !fill->is_write);
	int ret = 0;

	if (fill->found == EPT_NEW || own)
		ret = ept_pool_populate(&ept->pool, frame, fill->pages);
	if (ret == 0 && own && fill->found == EPT_LOADED)
		ret = ept_window_remap(&ept->window, ept->pool.fd, gpa, frame);
	else if (ret == 0 && fill->place.is_moved)
		ret = ept_window_show(&ept->window, ept->pool.fd, gpa, 1);
	else if (ret == 0)
		ret = ept_window_install(&ept->window, first, fill->pages, protect);
	/* The frame of an entry that came from elsewhere may not be present. */
	if (ret == -EFAULT && ept_pool_populate(&ept->pool, frame, fill->pages) == 0)
		ret = ept_window_install(&ept->window, first, fill->pages, protect);
	/* It may have been there, protected: as it was not dirty, or common. */
	if (ret == 0 && !protect && may_be_protected(ept, fill, is_dirty))
		ret = ept_window_protect(&ept->window, first, fill->pages, false);
	switch (ret) {
	case 0:
		return NULL;
	case -ENOMEM:
		return EPT_NO_FRAME;
	case -ENOSPC:
		return EPT_NO_MAPPING;
	default:
		return "the kernel did not install a page in the window";
	}
}

static void *page_of(void *place)
{
	return (char *)place - (uintptr_t)place % HPT_PAGE_SIZE;
}

/*
 * One miss: counted with its lookup under the lock, installed outside it, its time noted, woken. So
 * all that is counted of it is counted before the guest goes on.
 */
static void handle_miss(struct ept *ept, void *place, bool is_write)
{
	enum ept_access access = is_write ? EPT_MISS_WRITE : EPT_MISS;
	const char *reason = NULL;
	struct ept_fill fill;
	uint64_t begin;
	gpa_t gpa;
	int ret;

	pthread_mutex_lock(&ept->lock);
	if (!ept_window_has(&ept->window, place)) { /* it was, and nobody waits there for long */
		pthread_mutex_unlock(&ept->lock);
		ept_window_wake(&ept->window, page_of(place), 1);
		return;
	}
	gpa = ept_window_gpa(&ept->window, place);
	ret = ept_fill(ept, gpa >> HPT_PAGE_SHIFT, access, &fill, &reason);
	if (ret == 0) {
		count_miss(ept, &fill, has_own_frame(ept, gpa, fill.entry));
		hpt_histogram_add(&ept->lookup_ns, fill.lookup_ns);
	}
	pthread_mutex_unlock(&ept->lock);

	begin = ept_nanoseconds();
	if (ret == 0) {
		reason = install(ept, &fill);
		pthread_mutex_lock(&ept->lock);
		/* Where it is now: a clone may move the window once nothing is in transit. */
		place = ept_window_place(&ept->window, fill.first << HPT_PAGE_SHIFT);
		ept_filled(ept, &fill);
		if (!reason)
			hpt_histogram_add(&ept->install_ns, ept_nanoseconds() - begin);
		pthread_mutex_unlock(&ept->lock);
	}
	if (reason) {
		fail(ept, reason, gpa);
		ept_window_release(&ept->window, gpa);
		return;
	}
	ept_window_wake(&ept->window, place, fill.pages);
}

/* Handles misses until it is told to stop: 0, or a negative errno. */
static int handle_misses(struct ept *ept)
{
	struct pollfd fds[] = {{.fd = ept->window.uffd, .events = POLLIN},
			       {.fd = ept->stop_fd, .events = POLLIN}};
	bool is_write;
	void *place;
	int ret;

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return -errno;
			continue;
		}
		if (fds[1].revents)
			return 0;
		ret = ept_window_read(&ept->window, &place, &is_write);
		if (ret < 0)
			return ret;
		if (ret > 0)
			handle_miss(ept, place, is_write);
	}
}

static void *handler(void *argument)
{
	struct ept *ept = argument;

	if (handle_misses(ept) < 0) {
		fail(ept, "userfaultfd gives no more misses", 0);
		ept_window_seal(&ept->window);
	}
	return NULL;
}

static int start_thread(struct ept *ept, const char **what)
{
	pthread_attr_t attributes;
	cpu_set_t cpus;
	int ret;

	*what = "handler thread: it cannot be made; raise RLIMIT_NPROC";
	ret = pthread_attr_init(&attributes);
	if (ret)
		return -ret;
	if (ept->config.cpu_count) {
		CPU_ZERO(&cpus);
		CPU_SET(ept->config.cpus[ept->running % ept->config.cpu_count], &cpus);
		ret = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	}
	if (!ret)
		ret = pthread_create(&ept->handlers[ept->running], &attributes, handler, ept);
	if (ret == EINVAL && ept->config.cpu_count)
		*what = "handler thread: this process may not run on the CPU that was asked for";
	pthread_attr_destroy(&attributes);
	return -ret;
}

/* Signals are for other threads: the handlers start with all of them blocked. */
int ept_handlers_start(struct ept *ept, const char **what)
{
	unsigned int wanted = ept->config.handlers ? ept->config.handlers : 1;
	sigset_t all, before;
	int ret = 0;

	ept->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (ept->stop_fd < 0) {
		*what = "handler thread: no eventfd; raise RLIMIT_NOFILE";
		return -errno;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (ept->running = 0; ept->running < wanted && ret == 0; ept->running += ret == 0)
		ret = start_thread(ept, what);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret < 0)
		ept_handlers_stop(ept);
	return ret;
}

/* What is written to the eventfd is never read: it ends all of them. */
void ept_handlers_stop(struct ept *ept)
{
	uint64_t one = 1;

	while (write(ept->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	while (ept->running)
		pthread_join(ept->handlers[--ept->running], NULL);
	close(ept->stop_fd);
}
