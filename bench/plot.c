/* SPDX-License-Identifier: MIT */
/* See plot.h. */
#include "bench/plot.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/status.h"

void plot_quoted(FILE *gnuplot, const char *text)
{
	fputc('\'', gnuplot);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', gnuplot);
		fputc(*text, gnuplot);
	}
	fputc('\'', gnuplot);
}

int plot_begin(struct plot *plot, const char *file, size_t width, size_t height,
	       struct message *message)
{
	if (access(file, W_OK) && errno != ENOENT)
		return message_set(message, -errno, STATUS_NOINPUT, "%s: cannot write: %s", file,
				   strerror(errno));
	fflush(NULL);
	plot->gnuplot = popen("gnuplot", "w");
	if (!plot->gnuplot)
		return message_set(message, -errno, STATUS_UNAVAILABLE,
				   "gnuplot: cannot be started: %s", strerror(errno));
	plot->broken_pipe = signal(SIGPIPE, SIG_IGN);
	fprintf(plot->gnuplot,
		"set terminal svg size %zu,%zu font 'sans,12' background '#ffffff'\n", width,
		height);
	fputs("set output ", plot->gnuplot);
	plot_quoted(plot->gnuplot, file);
	fputc('\n', plot->gnuplot);
	return 0;
}

int plot_end(struct plot *plot, const char *file, struct message *message)
{
	int status = pclose(plot->gnuplot);

	signal(SIGPIPE, plot->broken_pipe);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return message_set(message, -ENOENT, STATUS_UNAVAILABLE,
				   "gnuplot is missing; fix: apt-get install gnuplot-nox");
	if (status || access(file, R_OK))
		return message_set(message, -EIO, STATUS_NOINPUT, "%s: gnuplot could not write it",
				   file);
	return 0;
}
