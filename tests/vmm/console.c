/* SPDX-License-Identifier: MIT */
/* Consoles: nothing is lost, nothing waits, and a reader that went away is an error. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "vmm/console.h"

static struct console console;

Test(console, lines_make_it_due)
{
	console_init(&console, -1);
	console_put(&console, "half ", 5);
	cr_expect_not(console_is_due(&console));
	console_put(&console, "line\n", 5);
	cr_expect(console_is_due(&console));
}

Test(console, it_is_due_while_there_is_room_for_one_more_exit)
{
	console_init(&console, -1);
	while (!console_is_due(&console))
		console_put(&console, "x", 1);
	cr_expect_leq(console.used + CONSOLE_EXIT_MAX, CONSOLE_SIZE + 1);
	cr_expect_geq(CONSOLE_SIZE - console.used, CONSOLE_EXIT_MAX - 1);
}

Test(console, everything_is_written_once)
{
	char bytes[16];
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	console_init(&console, fds[1]);
	console_put(&console, "one\ntwo", 7);
	cr_expect_eq(console_flush(&console), 0);
	cr_expect_eq(console_flush(&console), 0);
	cr_expect_not(console_is_due(&console));
	cr_expect_eq(read(fds[0], bytes, sizeof(bytes)), 7);
	cr_expect_eq(memcmp(bytes, "one\ntwo", 7), 0);
	cr_expect_eq(console.written, 7);
}

Test(console, a_reader_that_went_away_is_an_error_each_time)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(fds), 0);
	close(fds[0]);
	console_init(&console, fds[1]);
	console_put(&console, "x", 1);
	cr_expect_eq(console_flush(&console), -EPIPE);
	console_put(&console, "\n", 1);
	cr_expect_eq(console_flush(&console), -EPIPE);
	cr_expect_eq(console.used, 0, "what nobody reads does not pile up");
}

Test(console, a_full_disk_is_an_error)
{
	console_init(&console, open("/dev/full", O_WRONLY));
	console_put(&console, "x\n", 2);
	cr_expect_eq(console_flush(&console), -ENOSPC);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* A pipe that is full: the flush is interrupted, keeps its bytes, and goes on later. */
static void expect_interruption(int flags)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval soon = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000};
	struct itimerval never = {.it_value.tv_usec = 0};
	static char bytes[65536];
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	while (write(fds[1], bytes, sizeof(bytes)) > 0)
		continue;
	cr_assert_eq(fcntl(fds[1], F_SETFL, flags), 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);

	console_init(&console, fds[1]);
	console_put(&console, "kept\n", 5);
	cr_expect_eq(console_flush(&console), -EINTR);
	cr_expect_eq(console.used, 5);
	cr_expect(console_is_due(&console));
	setitimer(ITIMER_REAL, &never, NULL);
	cr_expect_gt(read(fds[0], bytes, sizeof(bytes)), 0);
	cr_expect_eq(console_flush(&console), 0);
	cr_expect_eq(console.used, 0);
}

Test(console, a_signal_ends_the_wait_for_a_slow_reader, .timeout = 20)
{
	expect_interruption(0);
}

Test(console, a_descriptor_that_does_not_block_is_waited_for, .timeout = 20)
{
	expect_interruption(O_NONBLOCK);
}
