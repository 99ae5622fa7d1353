/* SPDX-License-Identifier: MIT */
/*
 * Pipes and descriptors: what goes in comes out, who waits for bytes or for room gets them, ends
 * that close are noticed, and many processes at once. Standard input must be at its end.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "images/common/mix.h"
#include "tests/images/report.h"
#include "tests/images/wild.h"

#define CAPACITY 65536
#define WHOLE	 4096
#define LONG	 200000
#define CHAIN	 6
#define WRITERS	 4
#define RECORDS	 20
#define RECORD	 512

static char bytes[LONG];
static char more[LONG];

static void make(int ends[2], int flags)
{
	if (syscall(SYS_pipe2, ends, flags)) {
		perror("pipe2");
		exit(1);
	}
}

static void drop(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static int status_of(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return status;
}

static void check_order(struct report *report)
{
	int ends[2], left = 0;

	make(ends, 0);
	report_value(report, "a write", write(ends[1], "one", 3), 3);
	report_value(report, "another", write(ends[1], "two!", 4), 4);
	report_call(report, "FIONREAD", ioctl(ends[0], FIONREAD, &left), 0);
	report_value(report, "bytes that wait", left, 7);
	report_value(report, "a part of them", read(ends[0], more, 2), 2);
	report_value(report, "the rest", read(ends[0], more + 2, 100), 5);
	report_true(report, "in order", !memcmp(more, "onetwo!", 7));
	report_value(report, "nothing", read(ends[0], more, 0), 0);
	report_value(report, "nothing is written", write(ends[1], more, 0), 0);
	drop(ends);
}

static void check_ends(struct report *report)
{
	int ends[2];

	make(ends, 0);
	report_call(report, "reading the end for writing", read(ends[1], more, 1), EBADF);
	report_call(report, "writing the end for reading", write(ends[0], more, 1), EBADF);
	report_call(report, "lseek", lseek(ends[0], 0, SEEK_SET), ESPIPE);
	report_call(report, "lseek from nowhere", lseek(ends[0], 0, 77), EINVAL);
	report_call(report, "pread", pread(ends[0], more, 1, 0), ESPIPE);
	report_call(report, "pread before the start", pread(ends[0], more, 1, -1), EINVAL);
	report_call(report, "getdents", syscall(SYS_getdents64, ends[0], more, 100), ENOTDIR);
	report_call(report, "a terminal's size", ioctl(ends[0], TIOCGWINSZ, more), ENOTTY);
	report_value(report, "access mode of the one", fcntl(ends[0], F_GETFL) & O_ACCMODE,
		     O_RDONLY);
	report_value(report, "and of the other", fcntl(ends[1], F_GETFL) & O_ACCMODE, O_WRONLY);
	drop(ends);
	report_call(report, "unknown flags", syscall(SYS_pipe2, ends, 1), EINVAL);
	report_call(report, "closed twice", close(ends[0]), EBADF);
}

static void check_nonblock(struct report *report)
{
	int ends[2];
	long filled = 0;

	make(ends, O_NONBLOCK);
	report_call(report, "an empty pipe", read(ends[0], more, 1), EAGAIN);
	while (write(ends[1], bytes, WHOLE) == WHOLE)
		filled += WHOLE;
	report_value(report, "bytes it takes", filled, CAPACITY);
	report_call(report, "a full pipe", write(ends[1], bytes, 1), EAGAIN);
	report_value(report, "a page is read", read(ends[0], more, WHOLE), WHOLE);
	report_value(report, "half of it is written", write(ends[1], bytes, WHOLE / 2), WHOLE / 2);
	report_call(report, "what does not fit as a whole", write(ends[1], bytes, WHOLE), EAGAIN);
	report_value(report, "all is read", read(ends[0], more, LONG), CAPACITY - WHOLE / 2);
	report_value(report, "of more than it takes a part", write(ends[1], bytes, LONG), CAPACITY);
	report_call(report, "F_SETFL", fcntl(ends[0], F_SETFL, 0), 0);
	report_value(report, "is not O_NONBLOCK any more", fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
	drop(ends);
}

static void check_closed(struct report *report)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	int ends[2], copy, status;
	pid_t child;

	make(ends, 0);
	copy = dup(ends[1]);
	report_value(report, "a byte", write(copy, "x", 1), 1);
	close(ends[1]);
	report_value(report, "is read", read(ends[0], more, 10), 1);
	close(copy);
	report_value(report, "and then the end", read(ends[0], more, 10), 0);
	close(ends[0]);
	make(ends, 0);
	close(ends[0]);
	sigaction(SIGPIPE, &ignore, &before);
	report_call(report, "nobody reads", write(ends[1], "x", 1), EPIPE);
	report_value(report, "nothing to nobody", write(ends[1], "x", 0), 0);
	sigaction(SIGPIPE, &before, NULL);
	child = fork();
	if (!child) {
		if (write(ends[1], "x", 1))
			_exit(1);
		_exit(2);
	}
	status = status_of(child);
	report_true(report, "it kills", WIFSIGNALED(status));
	report_value(report, "by SIGPIPE", WTERMSIG(status), SIGPIPE);
	close(ends[1]);
}

/* A child writes what the parent reads, in pieces of other sizes; both wait for the other. */
static void check_long(struct report *report)
{
	int ends[2];
	pid_t child;
	long size, total = 0;

	for (long i = 0; i < LONG; i++)
		bytes[i] = (char)mix64((uint64_t)i);
	make(ends, 0);
	child = fork();
	if (!child) {
		close(ends[0]);
		for (long at = 0; at < LONG; at += 70000) {
			long piece = LONG - at < 70000 ? LONG - at : 70000;

			if (write(ends[1], bytes + at, (size_t)piece) != piece)
				_exit(1);
		}
		_exit(0);
	}
	close(ends[1]);
	while ((size = read(ends[0], more + total, total % 9000 + 1)) > 0)
		total += size;
	report_value(report, "the last read", size, 0);
	report_value(report, "bytes in all", total, LONG);
	report_true(report, "are those that were written", !memcmp(bytes, more, LONG));
	report_value(report, "each write was complete", status_of(child), 0);
	close(ends[0]);
}

/* Each process adds one to what it reads and hands it on. */
static void check_chain(struct report *report)
{
	int first[2], last[2], next[2];
	long value = 0, ended = 0;

	make(first, 0);
	last[0] = first[0];
	for (int i = 0; i < CHAIN; i++) {
		make(next, 0);
		if (!fork()) {
			close(first[1]);
			close(next[0]);
			while (read(last[0], &value, sizeof(value)) == sizeof(value)) {
				value++;
				if (write(next[1], &value, sizeof(value)) != sizeof(value))
					_exit(1);
			}
			_exit(0);
		}
		close(last[0]);
		close(next[1]);
		last[0] = next[0];
	}
	for (long token = 0; token < 3; token++) {
		value = 1000 * token;
		report_value(report, "a token", write(first[1], &value, sizeof(value)),
			     sizeof(value));
		read(last[0], &value, sizeof(value));
		report_value(report, "comes out", value, 1000 * token + CHAIN);
	}
	close(first[1]);
	report_value(report, "the end goes through all", read(last[0], &value, sizeof(value)), 0);
	close(last[0]);
	for (int status; wait(&status) > 0;)
		ended += status == 0;
	report_value(report, "processes ended", ended, CHAIN);
}

/* Records of up to a page arrive whole, however many write them. */
static void check_whole(struct report *report)
{
	long counts[WRITERS] = {0}, torn = 0, ended = 0, got;
	char record[RECORD];
	int ends[2];

	make(ends, 0);
	for (int i = 0; i < WRITERS; i++) {
		if (!fork()) {
			memset(record, 'a' + i, sizeof(record));
			for (int j = 0; j < RECORDS; j++) {
				if (write(ends[1], record, RECORD) != RECORD)
					_exit(1);
			}
			_exit(0);
		}
	}
	close(ends[1]);
	while ((got = read(ends[0], record, RECORD)) > 0) {
		for (long i = 1; i < got; i++)
			torn += record[i] != record[0];
		if (record[0] >= 'a' && record[0] < 'a' + WRITERS)
			counts[record[0] - 'a'] += got == RECORD;
	}
	for (int i = 0; i < WRITERS; i++)
		report_value(report, "records of a writer", counts[i], RECORDS);
	report_value(report, "bytes of another", torn, 0);
	for (int status; wait(&status) > 0;)
		ended += status == 0;
	report_value(report, "writers ended", ended, WRITERS);
	close(ends[0]);
}

static void *read_byte(void *context)
{
	char byte = 0;

	return (void *)(read(*(int *)context, &byte, 1) == 1 ? (long)byte : -1);
}

static void check_threads(struct report *report)
{
	pthread_t threads[4];
	void *found;
	long sum = 0;
	int ends[2];

	make(ends, 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, read_byte, &ends[0]);
	for (int i = 0; i < 4; i++)
		report_value(report, "a byte for a thread",
			     write(ends[1], &(char){(char)(i + 1)}, 1), 1);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &found);
		sum += (long)found;
	}
	report_value(report, "each got one", sum, 10);
	drop(ends);
}

static void check_vectors(struct report *report)
{
	struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
	struct iovec in[] = {{more, 1}, {more + 100, 3}, {more + 200, 9}};
	struct iovec bad[] = {{more, 1}, {(void *)WILD_UNMAPPED, 3}};
	int ends[2];

	make(ends, 0);
	report_value(report, "writev", writev(ends[1], out, 3), 5);
	report_value(report, "readv", readv(ends[0], in, 3), 5);
	report_true(report, "each part has its own",
		    more[0] == 'a' && !memcmp(more + 100, "bcd", 3) && more[200] == 'e');
	report_value(report, "two bytes", write(ends[1], "xy", 2), 2);
	report_call(report, "a part that is nowhere", readv(ends[0], bad + 1, 1), EFAULT);
	report_call(report, "too many parts", readv(ends[0], in, 1025), EINVAL);
	report_call(report, "no vector", readv(ends[0], (void *)WILD_UNMAPPED, 1), EFAULT);
	drop(ends);
}

static void check_poll(struct report *report)
{
	struct pollfd list[3];
	int ends[2];
	pid_t child;

	make(ends, 0);
	list[0] = (struct pollfd){.fd = ends[0], .events = POLLIN};
	list[1] = (struct pollfd){.fd = ends[1], .events = POLLOUT};
	list[2] = (struct pollfd){.fd = -1, .events = POLLIN};
	report_value(report, "one is ready", poll(list, 3, -1), 1);
	report_value(report, "nothing to read", list[0].revents, 0);
	report_value(report, "room to write", list[1].revents, POLLOUT);
	report_value(report, "nobody's", list[2].revents, 0);
	report_value(report, "none of one, at once", poll(list, 1, 0), 0);
	child = fork();
	if (!child)
		_exit(write(ends[1], "x", 1) != 1);
	report_value(report, "poll waits", poll(list, 1, -1), 1);
	report_value(report, "for a byte", list[0].revents, POLLIN);
	report_value(report, "of a child", status_of(child), 0);
	close(ends[1]);
	report_value(report, "one is closed, one has ended", poll(list, 2, -1), 2);
	report_value(report, "bytes and no writer", list[0].revents, POLLIN | POLLHUP);
	report_value(report, "not open", list[1].revents, POLLNVAL);
	close(ends[0]);
	make(ends, 0);
	close(ends[0]);
	list[0] = (struct pollfd){.fd = ends[1], .events = POLLOUT};
	report_value(report, "without a reader", poll(list, 1, -1), 1);
	report_value(report, "it is an error", list[0].revents, POLLOUT | POLLERR);
	close(ends[1]);
	report_call(report, "a list that is nowhere", poll((void *)WILD_UNMAPPED, 1, 0), EFAULT);
	report_call(report, "a long one", poll(list, 1000000000, 0), EINVAL);
}

static void check_descriptors(struct report *report)
{
	const struct rlimit limit = {1024, 1024};
	int fd = dup(0), high;

	/* Where there are more than the kernel of ours has. */
	setrlimit(RLIMIT_NOFILE, &limit);
	report_value(report, "dup2 to itself", dup2(fd, fd), fd);
	report_call(report, "dup3 to itself", dup3(fd, fd, 0), EINVAL);
	report_call(report, "dup3 with flags", syscall(SYS_dup3, fd, 50, 1), EINVAL);
	report_value(report, "dup3", dup3(fd, 50, O_CLOEXEC), 50);
	report_value(report, "is closed by execve", fcntl(50, F_GETFD), FD_CLOEXEC);
	report_value(report, "dup2", dup2(50, 51), 51);
	report_value(report, "is not", fcntl(51, F_GETFD), 0);
	report_value(report, "F_DUPFD", fcntl(fd, F_DUPFD, 50), 52);
	report_value(report, "F_DUPFD_CLOEXEC", fcntl(fd, F_DUPFD_CLOEXEC, 50), 53);
	report_value(report, "is closed, too", fcntl(53, F_GETFD), FD_CLOEXEC);
	report_call(report, "F_SETFD", fcntl(53, F_SETFD, 0), 0);
	report_value(report, "is closed no more", fcntl(53, F_GETFD), 0);
	report_call(report, "F_DUPFD beyond all", fcntl(fd, F_DUPFD, 1024), EINVAL);
	report_call(report, "dup2 beyond all", dup2(fd, 1024), EBADF);
	report_value(report, "the last one", dup2(fd, 1023), 1023);
	report_call(report, "an unknown command", fcntl(fd, 999), EINVAL);
	while ((high = dup(fd)) >= 0)
		continue;
	report_call(report, "when all are in use", high, EMFILE);
	close(70);
	report_value(report, "the lowest that is free", dup(fd), 70);
	report_call(report, "no pipe", pipe((int[2]){0}), EMFILE);
	for (high = 3; high < 1024; high++)
		close(high);
	report_call(report, "all are closed", dup(fd), EBADF);
}

static void check_wild(struct report *report)
{
	int ends[2];

	make(ends, 0);
	write(ends[1], "abc", 3);
	wild_pointers(report, "read", SYS_read, (long[4]){ends[0], 0, 3}, 1);
	wild_pointers(report, "write", SYS_write, (long[4]){ends[1], 0, 3}, 1);
	wild_pointers(report, "readv", SYS_readv, (long[4]){ends[0], 0, 1}, 1);
	wild_pointers(report, "pipe2", SYS_pipe2, (long[4]){0, 0}, 0);
	wild_pointers(report, "pipe", SYS_pipe, (long[4]){0}, 0);
	wild_pointers(report, "poll", SYS_poll, (long[4]){0, 1, 0}, 0);
	wild_pointers(report, "ppoll", SYS_ppoll, (long[4]){0, 1, 0}, 0);
	wild_pointers(report, "fstat", SYS_fstat, (long[4]){ends[0], 0}, 1);
	wild_numbers(report, "read of none", SYS_read, (long[4]){0, (long)more, 1}, 0);
	wild_numbers(report, "write to none", SYS_write, (long[4]){0, (long)more, 1}, 0);
	wild_numbers(report, "close of none", SYS_close, (long[4]){0}, 0);
	wild_numbers(report, "dup of none", SYS_dup, (long[4]){0}, 0);
	wild_numbers(report, "dup2 of none", SYS_dup2, (long[4]){0, 60}, 0);
	wild_numbers(report, "fcntl of none", SYS_fcntl, (long[4]){0, F_GETFD}, 0);
	wild_numbers(report, "fstat of none", SYS_fstat, (long[4]){0, (long)more}, 0);
	wild_numbers(report, "lseek of none", SYS_lseek, (long[4]){0, 0, 0}, 0);
	report_call(report, "a length without end", syscall(SYS_read, ends[0], more, (size_t)-1),
		    EFAULT);
	report_value(report, "nothing is lost", read(ends[0], more, 10), 3);
	report_value(report, "none was left open", dup(0), ends[1] + 1);
	close(ends[1] + 1);
	drop(ends);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"order", check_order},
		{"ends", check_ends},
		{"nonblock", check_nonblock},
		{"closed", check_closed},
		{"long", check_long},
		{"chain", check_chain},
		{"whole", check_whole},
		{"threads", check_threads},
		{"vectors", check_vectors},
		{"poll", check_poll},
		{"wild", check_wild},
		{"descriptors", check_descriptors},
		{NULL, NULL},
	};
	struct args args = args_start("pipes", argv);

	(void)argc;
	return report_main(&args, sections);
}
