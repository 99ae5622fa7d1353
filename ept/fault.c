/* SPDX-License-Identifier: MIT */
/*
 * Stage-2 misses: which frame a page has (ept_fill), and the threads that install it.
 *
 * Policy. A page's frame is the one in the table. A page without an entry gets the frame that lies
 * in its window block's pool block where the page lies in the window block, because that is what
 * one UFFDIO_CONTINUE installs. An entry that somebody gave another frame is followed all the
 * same, with a mapping of its own for that page. A page that is swapped out gets that frame again.
 *
 * Threads. Whoever plays the guest (vCPUs, threads of a test) touches the window and then waits in
 * the kernel. Handler threads take misses, one at a time each, and install; they never touch the
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
#include <time.h>
#include <unistd.h>

#include "ept/clock.h"
#include "ept/evict.h"
#include "ept/fault.h"

#define NO_TABLE_MEMORY "no memory for the stage-2 table"

/* Entries of stage 2: all of guest RAM may be read, written and executed. */
#define FLAGS	  (HPT_PRESENT | HPT_WRITE)
#define IN_WINDOW (HPT_SOFT | HPT_ACCESSED)

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* What an entry says of a page that is being given to the window. */
static uint64_t in_window(const struct ept *ept, const struct ept_fill *fill)
{
	return IN_WINDOW | (ept->config.track && fill->is_write ? HPT_DIRTY : 0);
}

/* The pages of guest RAM from `gfn` on that are in the same window block, at most `wanted`. */
static uint64_t pages_behind(const struct ept *ept, uint64_t gfn, uint64_t wanted)
{
	uint64_t end = ept_block_start(gfn) + EPT_BLOCK_PAGES;

	for (unsigned int i = 0; i < ept->config.range_count; i++) {
		const struct ept_range *range = &ept->config.ranges[i];
		uint64_t range_end = (range->start + range->size) >> HPT_PAGE_SHIFT;

		if (gfn >= range->start >> HPT_PAGE_SHIFT && gfn < range_end && range_end < end)
			end = range_end;
	}
	return end - gfn < wanted ? end - gfn : wanted;
}

/*
 * How many pages a first touch of `gfn` shall get. None of them costs another page its frame, and
 * none seems to be used while that is tracked.
 */
static uint64_t width_of(const struct ept *ept, uint64_t gfn, const struct ept_stream *stream)
{
	uint64_t width = ept_around_width(stream, ept->config.around);
	uint64_t left = ept->pool.limit - ept->pool.frames;

	if (ept->config.track)
		return 1;
	return pages_behind(ept, gfn, width < left ? width : left);
}

static void set_run(struct ept_fill *fill, uint64_t first, uint64_t pages)
{
	fill->first = first;
	fill->pages = (unsigned int)pages;
}

/* Maps the page and those behind it that have no entry either, up to `width`. */
static int map_run(struct ept *ept, struct ept_fill *fill, uint64_t width)
{
	struct hpt_key key = hpt_key(0, fill->gfn, HPT_4K);
	int ret = -EEXIST;

	for (; width > 1 && ret == -EEXIST; width /= 2) {
		if (!ept_transit_widen(&ept->transit, fill->gfn, fill->gfn, width))
			continue;
		ret = hpt_map_range(&ept->table, key, width, fill->entry);
		set_run(fill, fill->gfn, width);
	}
	if (ret != -EEXIST)
		return ret;
	(void)ept_transit_widen(&ept->transit, fill->gfn, fill->gfn, 1);
	set_run(fill, fill->gfn, 1);
	return hpt_map(&ept->table, key, fill->entry);
}

/* Maps the page's whole block, if that may be: then *ret says how that went. */
static bool map_whole(struct ept *ept, struct ept_fill *fill, int *ret)
{
	uint64_t start = ept_block_start(fill->gfn);
	uint64_t offset = (fill->gfn - start) << HPT_FRAME_SHIFT;

	if (!ept_block_is_free(ept, fill->gfn) ||
	    !ept_transit_widen(&ept->transit, fill->gfn, start, EPT_BLOCK_PAGES))
		return false;
	set_run(fill, start, EPT_BLOCK_PAGES);
	*ret = hpt_map(&ept->table, hpt_key(0, start, HPT_2M), (fill->entry - offset) | HPT_LARGE);
	if (*ret == 0)
		fill->entry |= HPT_LARGE;
	return true;
}

/* A page without an entry gets its frame, and others beside it may. */
static int assign(struct ept *ept, struct ept_fill *fill, bool to_window, const char **reason)
{
	struct ept_stream *stream;
	uint64_t begin = nanoseconds();
	int ret = ept_make_room(ept, 1, reason);

	fill->waited_ns = nanoseconds() - begin;
	if (ret < 0)
		return ret;
	fill->entry = hpt_entry(ept_window_frame(&ept->window, fill->gfn << HPT_PAGE_SHIFT),
				FLAGS | (to_window ? in_window(ept, fill) : 0));
	if (!map_whole(ept, fill, &ret)) {
		stream = ept_around_stream(&ept->around, fill->gfn);
		ret = map_run(ept, fill, to_window ? width_of(ept, fill->gfn, stream) : 1);
		if (ret == 0) {
			ept_around_note(stream, fill->pages);
			ept_block_note(ept, fill->gfn, (int)fill->pages, 0);
		}
	}
	if (ret < 0) {
		*reason = NO_TABLE_MEMORY;
		return -ENOMEM;
	}
	(void)ept_pool_take(&ept->pool, fill->pages); /* there is room */
	ept_clock_arrived(ept, fill->first, fill->pages);
	return 0;
}

/* Notes that the window has the page, or with its entry the whole block. */
static int mark(struct ept *ept, struct ept_fill *fill)
{
	uint64_t start = ept_block_start(fill->gfn);
	bool whole = fill->entry & HPT_LARGE;
	struct hpt_key key = whole ? hpt_key(0, start, HPT_2M) : hpt_key(0, fill->gfn, HPT_4K);

	if (!(in_window(ept, fill) & ~fill->entry))
		return 0;
	if (whole && ept_transit_widen(&ept->transit, fill->gfn, start, EPT_BLOCK_PAGES))
		set_run(fill, start, EPT_BLOCK_PAGES);
	return hpt_change(&ept->table, key, 0, in_window(ept, fill));
}

/* A page with a frame. */
static int find(struct ept *ept, struct ept_fill *fill, bool to_window, const char **reason)
{
	uint64_t entry = fill->entry;

	if (!(entry & HPT_PRESENT) || hpt_frame(entry) >= ept_pool_size(&ept->pool)) {
		*reason = "the stage-2 table names a frame that the pool does not have";
		return -EIO;
	}
	fill->found = !(entry & HPT_SOFT)    ? EPT_LOADED
		      : entry & HPT_ACCESSED ? EPT_INSTALLED
					     : EPT_RESCUED;
	if (to_window && mark(ept, fill) == -ENOMEM) {
		*reason = NO_TABLE_MEMORY;
		return -ENOMEM;
	}
	return 0;
}

/* A page that is swapped out. */
static int bring_back(struct ept *ept, struct ept_fill *fill, bool to_window, const char **reason)
{
	uint64_t begin = nanoseconds();
	int ret = ept_bring_back(ept, fill->gfn, &fill->entry, reason);

	fill->waited_ns = nanoseconds() - begin;
	if (ret == 0)
		ret = find(ept, fill, to_window, reason);
	fill->found = EPT_RETURNED;
	return ret;
}

/*
 * A page that shares its frame and is written. A miss on one is a write: reads are not watched.
 */
static int make_own(struct ept *ept, struct ept_fill *fill, const char **reason)
{
	uint64_t begin = nanoseconds();
	int ret = ept_unshare(ept, fill->gfn, &fill->entry, reason);

	fill->found = EPT_UNSHARED;
	fill->waited_ns = nanoseconds() - begin;
	return ret;
}

/* Puts the page in transit, once it is not. */
static void claim(struct ept *ept, uint64_t gfn)
{
	while (ept_transit_has(&ept->transit, gfn, 1) || ept_transit_add(&ept->transit, gfn, 1) < 0)
		ept_transit_wait(&ept->transit, &ept->lock);
}

static int merge(struct ept *ept, uint64_t gfn, const char **reason)
{
	int ret = ept_block_merge(ept, gfn);

	if (ret < 0)
		*reason = NO_TABLE_MEMORY;
	return ret;
}

int ept_fill(struct ept *ept, uint64_t gfn, enum ept_access access, struct ept_fill *fill,
	     const char **reason)
{
	bool to_window = access == EPT_MISS || access == EPT_MISS_WRITE;
	struct hpt_ledger *ledger = to_window ? &ept->ledger : NULL;
	uint64_t begin;
	int ret;

	*fill = (struct ept_fill){.gfn = gfn,
				  .found = EPT_NEW,
				  .first = gfn,
				  .pages = 1,
				  .is_write = access == EPT_MISS_WRITE};
	claim(ept, gfn);
	begin = nanoseconds();
	if (ept_find(ept, gfn, &fill->entry, ledger) < 0)
		ret = assign(ept, fill, to_window, reason);
	else if (fill->entry & HPT_SWAPPED)
		ret = bring_back(ept, fill, to_window, reason);
	else if (access != EPT_READ && ept_is_shared_frame(&ept->dedup, hpt_frame(fill->entry)))
		ret = make_own(ept, fill, reason);
	else
		ret = find(ept, fill, to_window, reason);
	if (ret == 0 &&
	    (fill->found == EPT_NEW || fill->found == EPT_RETURNED || fill->found == EPT_UNSHARED))
		ret = merge(ept, gfn, reason);
	fill->lookup_ns = nanoseconds() - begin - fill->waited_ns;
	if (ret < 0)
		ept_filled(ept, fill);
	return ret;
}

void ept_filled(struct ept *ept, const struct ept_fill *fill)
{
	ept_transit_remove(&ept->transit, fill->first);
}

/*
 * Keeps the first failure and tells it before the access is released, so that whoever sees the
 * access fail can find out why.
 */
static void fail(struct ept *ept, const char *reason, gpa_t gpa)
{
	bool first;

	pthread_mutex_lock(&ept->lock);
	first = !ept->failure;
	if (first) {
		ept->failure = reason;
		ept->failure_gpa = gpa;
	}
	pthread_mutex_unlock(&ept->lock);
	if (first && ept->config.failed)
		ept->config.failed(ept->config.context, reason, gpa);
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

/* NULL, or why the pages could not be installed. */
static const char *install(struct ept *ept, const struct ept_fill *fill)
{
	gpa_t gpa = fill->gfn << HPT_PAGE_SHIFT;
	gpa_t first = fill->first << HPT_PAGE_SHIFT;
	bool own = has_own_frame(ept, gpa, fill->entry);
	uint64_t frame = ept_fill_frame(fill);
	bool is_dirty = fill->is_write || fill->entry & HPT_DIRTY;
	bool protect = ept->config.track && !is_dirty;
	int ret = 0;

	if (fill->found == EPT_NEW || own)
		ret = ept_pool_populate(&ept->pool, frame, fill->pages);
	if (ret == 0 && own && fill->found == EPT_LOADED)
		ret = ept_window_remap(&ept->window, ept->pool.fd, gpa, frame);
	else if (ret == 0)
		ret = ept_window_install(&ept->window, first, fill->pages, protect);
	/* The frame of an entry that came from elsewhere may not be present. */
	if (ret == -EFAULT && ept_pool_populate(&ept->pool, frame, fill->pages) == 0)
		ret = ept_window_install(&ept->window, first, fill->pages, protect);
	/* It may have been there, protected. */
	if (ret == 0 && ept->config.track && is_dirty)
		ret = ept_window_protect(&ept->window, first, fill->pages, false);
	switch (ret) {
	case 0:
		return NULL;
	case -ENOMEM:
		return "host memory exhausted: the host has no frame left";
	case -ENOSPC:
		return "no mapping left for a page with a frame of its own";
	default:
		return "the kernel did not install a page in the window";
	}
}

/*
 * One miss: counted with its lookup under the lock, installed outside it, its time noted, woken. So
 * all that is counted of it is counted before the guest goes on.
 */
static void handle_miss(struct ept *ept, gpa_t gpa, bool is_write)
{
	enum ept_access access = is_write ? EPT_MISS_WRITE : EPT_MISS;
	const char *reason = NULL;
	struct ept_fill fill;
	uint64_t begin;
	int ret;

	pthread_mutex_lock(&ept->lock);
	ret = ept_fill(ept, gpa >> HPT_PAGE_SHIFT, access, &fill, &reason);
	if (ret == 0) {
		count_miss(ept, &fill, has_own_frame(ept, gpa, fill.entry));
		hpt_histogram_add(&ept->lookup_ns, fill.lookup_ns);
	}
	pthread_mutex_unlock(&ept->lock);

	begin = nanoseconds();
	if (ret == 0) {
		reason = install(ept, &fill);
		pthread_mutex_lock(&ept->lock);
		ept_filled(ept, &fill);
		if (!reason)
			hpt_histogram_add(&ept->install_ns, nanoseconds() - begin);
		pthread_mutex_unlock(&ept->lock);
	}
	if (reason) {
		fail(ept, reason, gpa);
		ept_window_release(&ept->window, gpa);
		return;
	}
	ept_window_wake(&ept->window, fill.first << HPT_PAGE_SHIFT, fill.pages);
}

/* Handles misses until it is told to stop: 0, or a negative errno. */
static int handle_misses(struct ept *ept)
{
	struct pollfd fds[] = {{.fd = ept->window.uffd, .events = POLLIN},
			       {.fd = ept->stop_fd, .events = POLLIN}};
	bool is_write;
	gpa_t gpa;
	int ret;

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return -errno;
			continue;
		}
		if (fds[1].revents)
			return 0;
		ret = ept_window_read(&ept->window, &gpa, &is_write);
		if (ret < 0)
			return ret;
		if (ret > 0)
			handle_miss(ept, gpa, is_write);
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
