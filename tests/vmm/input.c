/* SPDX-License-Identifier: MIT */
/* What a guest's console reads: pipes, files, nothing at all, and a terminal's settings. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/input.h"

static struct input input;
static struct message message;
static int arrivals; /* an event for each call */

static void arrived(void *context)
{
	uint64_t one = 1;

	cr_assert_eq(context, &input);
	cr_assert_eq(write(arrivals, &one, sizeof(one)), sizeof(one));
}

static void start(int fd)
{
	arrivals = eventfd(0, EFD_SEMAPHORE);
	cr_assert_eq(input_start(&input, fd, arrived, &input, &message), 0, "%s", message.text);
}

static void wait_for_arrival(void)
{
	uint64_t one;

	cr_assert_eq(read(arrivals, &one, sizeof(one)), sizeof(one));
}

static bool has_arrived_soon(void)
{
	struct pollfd fd = {.fd = arrivals, .events = POLLIN};

	return poll(&fd, 1, 100) > 0;
}

static void expect_text(const char *text)
{
	uint8_t byte;

	for (; *text; text++) {
		cr_assert(input_take(&input, &byte), "before \"%s\"", text);
		cr_assert_eq(byte, (uint8_t)*text);
	}
	cr_expect_not(input_take(&input, &byte));
}

Test(input, bytes_of_a_pipe_come_in_order_as_they_are_written, .timeout = 30)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	start(fds[0]);
	expect_text("");
	cr_assert_eq(write(fds[1], "first", 5), 5);
	wait_for_arrival();
	expect_text("first");
	cr_assert_eq(write(fds[1], "second", 6), 6);
	wait_for_arrival();
	expect_text("second");
	input_stop(&input);
	expect_text("");
}

Test(input, no_more_is_read_before_all_is_taken, .timeout = 30)
{
	uint8_t byte;
	int fds[2], left = 0;

	cr_assert_eq(pipe(fds), 0);
	start(fds[0]);
	cr_assert_eq(write(fds[1], "ab", 2), 2);
	wait_for_arrival();
	cr_assert_eq(write(fds[1], "cd", 2), 2);
	cr_expect(input_take(&input, &byte));
	cr_expect_not(has_arrived_soon());
	cr_assert_eq(ioctl(fds[0], FIONREAD, &left), 0);
	cr_expect_eq(left, 2);
	cr_expect(input_take(&input, &byte));
	wait_for_arrival();
	expect_text("cd");
	input_stop(&input);
}

Test(input, the_end_of_a_pipe_ends_it_quietly, .timeout = 30)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(write(fds[1], "last", 4), 4);
	close(fds[1]);
	start(fds[0]);
	wait_for_arrival();
	expect_text("last");
	cr_expect_not(has_arrived_soon());
	input_stop(&input);
}

Test(input, an_endless_file_fills_one_buffer, .timeout = 30)
{
	uint8_t byte;
	int fd = open("/dev/zero", O_RDONLY);

	start(fd);
	wait_for_arrival();
	for (int i = 0; i < INPUT_SIZE; i++)
		cr_assert(input_take(&input, &byte));
	wait_for_arrival();
	input_stop(&input);
}

Test(input, what_is_closed_empty_or_absent_is_no_input, .timeout = 30)
{
	int fd = open("/dev/null", O_RDONLY);
	int other = dup(fd);

	start(fd);
	expect_text("");
	input_stop(&input);
	start(-1);
	expect_text("");
	input_stop(&input);
	close(other);
	start(other);
	expect_text("");
	input_stop(&input);
}

Test(input, a_descriptor_that_does_not_block_is_waited_for, .timeout = 30)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	start(fds[0]);
	cr_expect_not(has_arrived_soon());
	cr_assert_eq(write(fds[1], "x", 1), 1);
	wait_for_arrival();
	expect_text("x");
	input_stop(&input);
}

/* A terminal of our own; *master is its other end. Its session is this process's. */
static int open_terminal(int *master)
{
	int slave;

	setsid();
	*master = posix_openpt(O_RDWR | O_NOCTTY);
	if (*master < 0)
		cr_skip_test("there are no pseudo-terminals here");
	cr_assert_eq(grantpt(*master), 0);
	cr_assert_eq(unlockpt(*master), 0);
	slave = open(ptsname(*master), O_RDWR);
	cr_assert_geq(slave, 0);
	return slave;
}

static tcflag_t local_flags(int fd)
{
	struct termios settings;

	cr_assert_eq(tcgetattr(fd, &settings), 0);
	return settings.c_lflag;
}

Test(input, a_terminal_hands_over_each_key_and_is_restored, .timeout = 30)
{
	int master, slave = open_terminal(&master);
	tcflag_t before = local_flags(slave);

	cr_assert(before & ICANON && before & ECHO && before & ISIG);
	start(slave);
	cr_expect_not(local_flags(slave) & (ICANON | ECHO));
	cr_expect(local_flags(slave) & ISIG);
	cr_assert_eq(write(master, "k", 1), 1);
	wait_for_arrival();
	expect_text("k");
	cr_assert_eq(write(master, "\r", 1), 1);
	wait_for_arrival();
	expect_text("\r");
	input_stop(&input);
	cr_expect_eq(local_flags(slave), before);
}

Test(input, a_terminal_is_restored_before_a_signal_kills, .timeout = 30)
{
	int master, slave, status;
	tcflag_t before;
	pid_t child;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0)
		cr_skip_test("there are no pseudo-terminals here");
	cr_assert_eq(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	before = local_flags(slave);
	child = fork();
	if (!child) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		start(slave);
		if (local_flags(slave) & ICANON)
			_exit(1);
		/* The key that interrupts, typed. */
		if (write(master, "\003", 1) == 1)
			pause();
		_exit(2);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT, "status %x", status);
	cr_expect_eq(local_flags(slave), before);
}
