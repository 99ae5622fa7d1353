/* SPDX-License-Identifier: MIT */
/* Charts by gnuplot, which is asked for where somebody wants one, and is no part of the build. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <stdio.h>

#include "vmm/message.h"

struct plot {
	FILE *gnuplot;		  /* takes the script */
	void (*broken_pipe)(int); /* what SIGPIPE did before: a gnuplot that is not there is told */
};

/*
 * Starts gnuplot with an SVG of so many points as its output. 0, or a negative errno with the
 * message: 66 where the file cannot be written, 69 where there is no shell. Until plot_end()
 * SIGPIPE is ignored.
 */
int plot_begin(struct plot *plot, const char *file, size_t width, size_t height,
	       struct message *message);

/* Ends it. 0, or as above: 69 where there is no gnuplot, 66 where it could not write the file. */
int plot_end(struct plot *plot, const char *file, struct message *message);

/* A text in single quotes, as gnuplot's script has them. */
void plot_quoted(FILE *gnuplot, const char *text);

#endif
