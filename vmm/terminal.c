/* SPDX-License-Identifier: MIT */
#include "vmm/terminal.h"

#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define DEADLY (sizeof(deadly) / sizeof(deadly[0]))

/* Static because a signal handler needs them. */
static volatile sig_atomic_t is_set;
static int terminal;
static struct termios before;
static struct sigaction actions_before[DEADLY];

bool terminal_may_be_read(int fd)
{
	return !isatty(fd) || tcgetpgrp(fd) == getpgrp();
}

/* tcsetattr() and signal() may be called in a handler; the signal comes again as it was meant. */
static void on_deadly(int number)
{
	if (is_set)
		tcsetattr(terminal, TCSANOW, &before);
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_deadly(void)
{
	struct sigaction action = {.sa_handler = on_deadly};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < DEADLY; i++) {
		sigaction(deadly[i], NULL, &actions_before[i]);
		/* One that is ignored (nohup) stays ignored. */
		if (actions_before[i].sa_handler == SIG_DFL)
			sigaction(deadly[i], &action, NULL);
	}
}

void terminal_set(int fd)
{
	struct termios settings;

	if (!isatty(fd) || tcgetattr(fd, &before))
		return;
	terminal = fd;
	is_set = 1;
	catch_deadly();
	settings = before;
	settings.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON);
	settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
	settings.c_cc[VMIN] = 1;
	settings.c_cc[VTIME] = 0;
	settings.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(fd, TCSADRAIN, &settings);
}

void terminal_restore(void)
{
	if (!is_set)
		return;
	tcsetattr(terminal, TCSADRAIN, &before);
	is_set = 0;
	for (size_t i = 0; i < DEADLY; i++)
		sigaction(deadly[i], &actions_before[i], NULL);
}
