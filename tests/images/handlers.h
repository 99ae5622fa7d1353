/* SPDX-License-Identifier: MIT */
/* Handlers of probes, what they have caught, and the few calls about signals that probes make. */
#ifndef TESTS_IMAGES_HANDLERS_H
#define TESTS_IMAGES_HANDLERS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define WORDS 8

static volatile sig_atomic_t caught, last;
static volatile double spoilt;
static siginfo_t told;

static inline void note(int signal)
{
	last = signal;
	caught++;
	/* What the program has in its vector registers is not a handler's to keep. */
	for (int i = 0; i < WORDS; i++)
		spoilt = spoilt * 1.5 + i;
}

static inline void note_information(int signal, siginfo_t *information, void *context)
{
	(void)context;
	told = *information;
	note(signal);
}

/* Sets a handler (or SIG_IGN, SIG_DFL), with nothing of what was caught before. */
static inline void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigaction(signal, &action, NULL);
	caught = last = 0;
}

static inline void handle_information(int signal, void (*handler)(int, siginfo_t *, void *),
				      int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	sigaction(signal, &action, NULL);
	caught = last = 0;
}

static inline sigset_t set_of(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return set;
}

static inline void mask(int how, int signal)
{
	sigset_t set = set_of(signal);

	sigprocmask(how, &set, NULL);
}

static inline bool is_blocked(int signal)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	return sigismember(&now, signal);
}

static inline bool is_pending(int signal)
{
	sigset_t now;

	sigpending(&now);
	return sigismember(&now, signal);
}

#endif
