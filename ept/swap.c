/* SPDX-License-Identifier: MIT */
/* The swap file (see swap.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ept/sum.h"
#include "ept/swap.h"
#include "hpt/entry.h"

#define PAGE HPT_PAGE_SIZE

/* Slots behind which the search for free ones begins again, beside those in use. */
#define SPARE_SLOTS 1024

static const char mark[] = "twostage swap file\n";

static off_t offset_of(uint64_t slot)
{
	return (off_t)((slot + 1) * PAGE); /* behind the block that says what it is */
}

/* Half of a sum: a word a slot would be as much as the table has for a page. */
static uint32_t sum_of(const void *page, uint64_t slot, uint64_t gfn)
{
	return (uint32_t)ept_sum(page, PAGE, slot, gfn);
}

bool ept_swap_is_zero(const void *page)
{
	const uint64_t *words = page;

	/* Most pages differ in their first words. */
	if (words[0] | words[1] | words[2] | words[3])
		return false;
	return !memcmp(page, (const char *)page + 4 * sizeof(*words), PAGE - 4 * sizeof(*words));
}

void ept_swap_none(struct ept_swap *swap)
{
	*swap = (struct ept_swap){.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
}

/* A file without a name in a folder, where its file system can do that; else one that loses it. */
static int open_in(const char *folder, bool *direct)
{
	int flags = O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC;
	char name[4096];
	int fd = open(folder, flags | O_DIRECT, 0600);

	*direct = fd >= 0;
	if (fd < 0) /* a file system without O_DIRECT */
		fd = open(folder, flags, 0600);
	if (fd >= 0 ||
	    (size_t)snprintf(name, sizeof(name), "%s/twostage-XXXXXX", folder) >= sizeof(name))
		return fd;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(name);
	return fd;
}

static int open_unnamed(struct ept_swap *swap, const char **what)
{
	const char *folders[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};

	for (unsigned int i = 0; i < 3 && swap->fd < 0; i++) {
		if (folders[i])
			swap->fd = open_in(folders[i], &swap->direct);
	}
	*what = "swap: no temporary file can be made in TMPDIR, /var/tmp or /tmp; name one with "
		"--swap";
	return swap->fd < 0 ? -errno : 0;
}

/* Whether what is in the file may be overwritten: nothing, zeros, or what a run has left. */
static int check_content(struct ept_swap *swap, const char **what)
{
	static char block[PAGE] __attribute__((aligned(PAGE)));
	ssize_t got = pread(swap->fd, block, PAGE, 0);

	if (got < 0) {
		*what = "swap: the file that --swap names cannot be read";
		return -errno;
	}
	if (got == 0 || !memcmp(block, mark, sizeof(mark)) ||
	    (got == (ssize_t)PAGE && ept_swap_is_zero(block)))
		return 0;
	*what = "swap: the file that --swap names holds other data, which would be overwritten; "
		"name one that is empty or does not exist";
	return -EEXIST;
}

static int open_file(struct ept_swap *swap, const char **what)
{
	int flags = O_RDWR | O_CLOEXEC;

	*what = "swap: the file that --swap names cannot be opened for reading and writing";
	swap->fd = open(swap->path, flags | O_CREAT | O_EXCL, 0600);
	swap->created = swap->fd >= 0;
	if (swap->fd < 0 && errno == EEXIST)
		swap->fd = open(swap->path, flags);
	if (swap->fd < 0)
		return -errno;
	if (flock(swap->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		*what = "swap: another process swaps to the file that --swap names";
		return -EBUSY;
	}
	return check_content(swap, what);
}

static int open_named(struct ept_swap *swap, const char **what)
{
	struct stat status;
	int ret = open_file(swap, what);

	if (ret < 0)
		return ret;
	swap->named = true;
	*what = "swap: the file that --swap names cannot be emptied";
	if (fstat(swap->fd, &status) < 0 || (S_ISREG(status.st_mode) && ftruncate(swap->fd, 0) < 0))
		return -errno;
	swap->direct = !fcntl(swap->fd, F_SETFL, O_RDWR | O_DIRECT);
	return 0;
}

/* Of guest memory's size, mostly never used: from the kernel, which gives what is touched. */
static void *reserve(uint64_t size)
{
	void *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return start == MAP_FAILED ? NULL : start;
}

static uint64_t bytes_taken(const struct ept_swap *swap)
{
	return (swap->slots + 63) / 64 * sizeof(*swap->taken);
}

static uint64_t bytes_sums(const struct ept_swap *swap)
{
	return swap->slots * sizeof(*swap->sums);
}

int ept_swap_open(struct ept_swap *swap, const char *path, uint64_t slots, const char **what)
{
	int ret;

	ept_swap_none(swap);
	swap->path = path;
	swap->slots = slots;
	ret = path ? open_named(swap, what) : open_unnamed(swap, what);
	if (ret == 0) {
		*what = "swap: no memory for its slots";
		swap->taken = reserve(bytes_taken(swap));
		swap->sums = reserve(bytes_sums(swap));
		swap->others = reserve(swap->slots);
		ret = swap->taken && swap->sums && swap->others ? 0 : -ENOMEM;
	}
	if (ret < 0) {
		swap->named = ret != -EEXIST && ret != -EBUSY && swap->fd >= 0;
		ept_swap_close(swap);
	}
	return ret;
}

/* A named file is left empty, or not at all if it was made here. */
void ept_swap_close(struct ept_swap *swap)
{
	if (swap->named && swap->created)
		(void)unlink(swap->path);
	else if (swap->named)
		(void)!ftruncate(swap->fd, 0);
	if (swap->fd >= 0)
		close(swap->fd);
	if (swap->taken)
		munmap(swap->taken, bytes_taken(swap));
	if (swap->sums)
		munmap(swap->sums, bytes_sums(swap));
	if (swap->others)
		munmap(swap->others, swap->slots);
	ept_swap_none(swap);
}

static bool is_taken(const struct ept_swap *swap, uint64_t slot)
{
	return swap->taken[slot / 64] >> slot % 64 & 1;
}

/* The first free slot in [from, end), or end. */
static uint64_t find_free(const struct ept_swap *swap, uint64_t from, uint64_t end)
{
	while (from < end) {
		uint64_t clear = ~swap->taken[from / 64] >> from % 64;

		if (clear) {
			from += (unsigned int)__builtin_ctzll(clear);
			return from < end ? from : end;
		}
		from = (from / 64 + 1) * 64;
	}
	return end;
}

static int take(struct ept_swap *swap, unsigned int wanted, uint64_t *first)
{
	unsigned int count = 0;
	uint64_t slot;

	if (swap->used == swap->slots)
		return -ENOSPC;
	/* File and sums stay small: not much more than twice as large as what is in use. */
	if (swap->next > 2 * swap->used + SPARE_SLOTS)
		swap->next = 0;
	slot = find_free(swap, swap->next, swap->slots);
	if (slot == swap->slots)
		slot = find_free(swap, 0, swap->slots);
	*first = slot;
	for (; count < wanted && slot < swap->slots && !is_taken(swap, slot); count++, slot++)
		swap->taken[slot / 64] |= UINT64_C(1) << slot % 64;
	swap->used += count;
	swap->next = slot < swap->slots ? slot : 0;
	return (int)count;
}

int ept_swap_take(struct ept_swap *swap, unsigned int wanted, uint64_t *first)
{
	int ret;

	pthread_mutex_lock(&swap->lock);
	ret = take(swap, wanted, first);
	pthread_mutex_unlock(&swap->lock);
	return ret;
}

void ept_swap_free(struct ept_swap *swap, uint64_t slot)
{
	if (slot == EPT_SWAP_ZERO)
		return;
	pthread_mutex_lock(&swap->lock);
	if (swap->others[slot]) {
		swap->others[slot]--;
	} else {
		swap->taken[slot / 64] &= ~(UINT64_C(1) << slot % 64);
		swap->used--;
		if (slot + 1 == swap->next)
			swap->next = slot;
	}
	pthread_mutex_unlock(&swap->lock);
}

void ept_swap_share(struct ept_swap *swap, uint64_t slot)
{
	if (slot == EPT_SWAP_ZERO)
		return;
	pthread_mutex_lock(&swap->lock);
	swap->others[slot]++;
	pthread_mutex_unlock(&swap->lock);
}

uint64_t ept_swap_used(struct ept_swap *swap)
{
	uint64_t used;

	pthread_mutex_lock(&swap->lock);
	used = swap->used;
	pthread_mutex_unlock(&swap->lock);
	return used;
}

/* All of it, however often the device takes or gives a part. */
static int transfer(int fd, bool out, struct iovec *vector, int count, off_t offset)
{
	while (count) {
		ssize_t done = out ? pwritev(fd, vector, count, offset)
				   : preadv(fd, vector, count, offset);

		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		offset += done;
		while (count && (size_t)done >= vector->iov_len) {
			done -= (ssize_t)vector->iov_len;
			vector++;
			count--;
		}
		if (done) {
			vector->iov_base = (char *)vector->iov_base + done;
			vector->iov_len -= (size_t)done;
		}
	}
	return 0;
}

/*
 * A transfer that was cut in the middle of a block cannot go on without the page cache: then, and
 * where the device wants another alignment, it is used from now on.
 */
static int transfer_pages(int fd, bool out, void *const *pages, unsigned int count, off_t offset)
{
	struct iovec vector[EPT_SWAP_RUN];
	int ret = 0;

	for (int tries = 0; tries < 2; tries++) {
		for (unsigned int i = 0; i < count; i++)
			vector[i] = (struct iovec){.iov_base = pages[i], .iov_len = PAGE};
		ret = transfer(fd, out, vector, (int)count, offset);
		if (ret != -EINVAL || fcntl(fd, F_SETFL, O_RDWR) < 0)
			break;
	}
	return ret;
}

static int begin(struct ept_swap *swap)
{
	static char block[PAGE] __attribute__((aligned(PAGE)));
	void *pages[] = {block};
	int ret;

	if (!swap->named || __atomic_load_n(&swap->begun, __ATOMIC_RELAXED))
		return 0;
	memcpy(block, mark, sizeof(mark));
	ret = transfer_pages(swap->fd, true, pages, 1, 0);
	if (ret == 0)
		__atomic_store_n(&swap->begun, true, __ATOMIC_RELAXED);
	return ret;
}

int ept_swap_write(struct ept_swap *swap, uint64_t first, unsigned int count, void *const *pages,
		   const uint64_t *gfns)
{
	int ret = begin(swap);

	if (ret < 0)
		return ret;
	for (unsigned int i = 0; i < count; i++)
		swap->sums[first + i] = sum_of(pages[i], first + i, gfns[i]);
	return transfer_pages(swap->fd, true, pages, count, offset_of(first));
}

int ept_swap_read(const struct ept_swap *swap, uint64_t slot, uint64_t gfn, unsigned int count,
		  void *pages)
{
	void *vector[EPT_SWAP_RUN] = {0};
	int ret;

	for (unsigned int i = 0; i < count; i++)
		vector[i] = (char *)pages + i * PAGE;
	ret = transfer_pages(swap->fd, false, vector, count, offset_of(slot));
	for (unsigned int i = 0; i < count && ret == 0; i++) {
		if (sum_of(vector[i], slot + i, gfn + i) != swap->sums[slot + i])
			ret = -EBADMSG;
	}
	return ret;
}
