/* SPDX-License-Identifier: MIT */
/*
 * Stage-2 misses: which frame a page has (ept_fill), and the thread that installs it.
 *
 * Policy. A page's frame is the one in the table. A page without an entry gets the frame that lies
 * in its window block's pool block where the page lies in the window block, because that is what
 * one UFFDIO_CONTINUE installs. An entry that somebody gave another frame is followed all the
 * same, with a mapping of its own for that page.
 *
 * Threads. Whoever plays the guest (vCPUs, threads of a test) touches the window and then waits in
 * the kernel. The handler thread alone takes misses, one at a time, and installs; it never touches
 * the window, so it waits for nobody but the lock. VMM threads come through ept_copy_*() and reach
 * frames through the pool's mapping, which has no userfaultfd, so whoever holds the lock never
 * waits for the handler either. Table, pool and counts change under ept->lock. Installing is done
 * outside it: it needs only the entry, and an entry's frame does not change once it is there.
 *
 * A page that two threads miss on at once is one miss as a rule: installing wakes both and takes
 * the second's message back. But a thread that has just seen the page missing and queues itself
 * while it is being installed leaves a message behind. The kernel may also take an installed page
 * out of the page tables, when it reclaims memory. Both come here as a miss on a page that carries
 * HPT_SOFT, "was given to the window", and are counted as repeats; installing such a page once more
 * is right for both, and does nothing but wake for the first.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ept/fault.h"

#define NO_TABLE_MEMORY "no memory for the stage-2 table"

/* Entries of stage 2: all of guest RAM may be read, written and executed. */
#define FLAGS (HPT_PRESENT | HPT_WRITE)

static int assign(struct ept *ept, struct hpt_key key, uint64_t flags, uint64_t *entry,
		  const char **reason)
{
	uint64_t frame = ept_window_frame(&ept->window, key.vpn << HPT_PAGE_SHIFT);

	if (ept_pool_take(&ept->pool) < 0) {
		*reason = "host memory exhausted: all frames of --host-mem are in use";
		return -ENOMEM;
	}
	*entry = hpt_entry(frame, FLAGS | flags);
	if (hpt_map(&ept->table, key, *entry) < 0) {
		ept_pool_give_back(&ept->pool);
		*reason = NO_TABLE_MEMORY;
		return -ENOMEM;
	}
	return 0;
}

int ept_fill(struct ept *ept, uint64_t gfn, uint64_t flags, uint64_t *entry, enum ept_found *found,
	     const char **reason)
{
	struct hpt_key key = hpt_key(0, gfn, HPT_4K);
	struct hpt_ledger *ledger = flags & HPT_SOFT ? &ept->ledger : NULL;

	if (hpt_lookup(&ept->table, key, entry, ledger) < 0) {
		*found = EPT_NEW;
		return assign(ept, key, flags, entry, reason);
	}
	if (!(*entry & HPT_PRESENT) || hpt_frame(*entry) >= ept_pool_size(&ept->pool)) {
		*reason = "the stage-2 table names a frame that the pool does not have";
		return -EIO;
	}
	*found = *entry & HPT_SOFT ? EPT_INSTALLED : EPT_LOADED;
	if (flags & ~*entry && hpt_change(&ept->table, key, 0, flags) == -ENOMEM) {
		*reason = NO_TABLE_MEMORY;
		return -ENOMEM;
	}
	return 0;
}

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
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

static void count_miss(struct ept *ept, enum ept_found found, bool own_frame)
{
	ept->counts.misses++;
	switch (found) {
	case EPT_NEW:
		ept->counts.touches++;
		break;
	case EPT_LOADED:
		ept->counts.loaded++;
		ept->counts.remaps += own_frame;
		break;
	case EPT_INSTALLED:
		ept->counts.repeats++;
		break;
	}
}

/* NULL, or why the page could not be installed. */
static const char *install(struct ept *ept, gpa_t gpa, uint64_t entry, enum ept_found found)
{
	bool own = has_own_frame(ept, gpa, entry);
	uint64_t frame = hpt_frame(entry);
	int ret = found == EPT_NEW || own ? ept_pool_populate(&ept->pool, frame) : 0;

	if (ret == 0 && own && found == EPT_LOADED)
		ret = ept_window_remap(&ept->window, ept->pool.fd, gpa, frame);
	else if (ret == 0)
		ret = ept_window_install(&ept->window, gpa);
	/* The frame of an entry that came from elsewhere may not be present. */
	if (ret == -EFAULT && ept_pool_populate(&ept->pool, frame) == 0)
		ret = ept_window_install(&ept->window, gpa);
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
static void handle_miss(struct ept *ept, gpa_t gpa)
{
	uint64_t begin, looked_up, installed;
	enum ept_found found;
	const char *reason = NULL;
	uint64_t entry;
	int ret;

	pthread_mutex_lock(&ept->lock);
	begin = nanoseconds();
	ret = ept_fill(ept, gpa >> HPT_PAGE_SHIFT, HPT_SOFT, &entry, &found, &reason);
	looked_up = nanoseconds();
	if (ret == 0) {
		count_miss(ept, found, has_own_frame(ept, gpa, entry));
		hpt_histogram_add(&ept->lookup_ns, looked_up - begin);
	}
	pthread_mutex_unlock(&ept->lock);

	if (ret == 0)
		reason = install(ept, gpa, entry, found);
	installed = nanoseconds();
	if (reason) {
		fail(ept, reason, gpa);
		ept_window_release(&ept->window, gpa);
		return;
	}

	pthread_mutex_lock(&ept->lock);
	hpt_histogram_add(&ept->install_ns, installed - looked_up);
	pthread_mutex_unlock(&ept->lock);
	ept_window_wake(&ept->window, gpa);
}

/* Handles misses until it is told to stop: 0, or a negative errno. */
static int handle_misses(struct ept *ept)
{
	struct pollfd fds[] = {{.fd = ept->window.uffd, .events = POLLIN},
			       {.fd = ept->stop_fd, .events = POLLIN}};
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
		ret = ept_window_read(&ept->window, &gpa);
		if (ret < 0)
			return ret;
		if (ret > 0)
			handle_miss(ept, gpa);
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
	if (ept->config.cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(ept->config.cpu, &cpus);
		ret = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	}
	if (!ret)
		ret = pthread_create(&ept->handler, &attributes, handler, ept);
	if (ret == EINVAL && ept->config.cpu >= 0)
		*what = "handler thread: this process may not run on the CPU that was asked for";
	pthread_attr_destroy(&attributes);
	return -ret;
}

/* Signals are for other threads: the handler starts with all of them blocked. */
int ept_handler_start(struct ept *ept, const char **what)
{
	sigset_t all, before;
	int ret;

	ept->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (ept->stop_fd < 0) {
		*what = "handler thread: no eventfd; raise RLIMIT_NOFILE";
		return -errno;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = start_thread(ept, what);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret < 0)
		close(ept->stop_fd);
	return ret;
}

void ept_handler_stop(struct ept *ept)
{
	uint64_t one = 1;

	while (write(ept->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(ept->handler, NULL);
	close(ept->stop_fd);
}
