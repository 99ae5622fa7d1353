/* SPDX-License-Identifier: MIT */
/* The chart of `twostage measure`: see measure_print.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure_print.h"
#include "vmm/status.h"

#define WIDTH_MIN   900
#define WIDTH_A_ROW 34

static void write_rows(FILE *gnuplot, const struct measure_row *rows, size_t count)
{
	fputs("$rows << END\n", gnuplot);
	for (size_t i = 0; i < count; i++) {
		const struct measure_row *row = &rows[i];
		double ref2 = isfinite(row->ref2) ? row->ref2 : row->ref1;
		char size[24];

		fprintf(gnuplot, "\"%s %s %s\" %.2f %.2f %.2f %.2f %.2f\n",
			form_kind(row->form)->name, stream_name(row->work.workload),
			measure_size_text(row->work.footprint, size), row->latency,
			row->latency_least, row->latency_most, row->ref1, ref2);
	}
	fputs("END\n", gnuplot);
}

/* A name in single quotes, in which gnuplot has the quote twice. */
static void write_quoted(FILE *gnuplot, const char *text)
{
	fputc('\'', gnuplot);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', gnuplot);
		fputc(*text, gnuplot);
	}
	fputc('\'', gnuplot);
}

static void write_script(FILE *gnuplot, const char *file, const struct measure_row *rows,
			 size_t count)
{
	size_t width = WIDTH_MIN + count * WIDTH_A_ROW;

	fprintf(gnuplot, "set terminal svg size %zu,640 font 'sans,12' background '#ffffff'\n",
		width);
	fputs("set output ", gnuplot);
	write_quoted(gnuplot, file);
	fputs("\nset title 'two-stage translation: nanoseconds, and the limits of one and two "
	      "dependent loads'\n"
	      "set ylabel 'ns a translation'\n"
	      "set yrange [0:*]\n"
	      "set style fill solid 0.8 border -1\n"
	      "set boxwidth 0.7\n"
	      "set xtics rotate by -45 scale 0\n"
	      "set grid ytics lc '#dddddd'\n"
	      "set key top left\n",
	      gnuplot);
	write_rows(gnuplot, rows, count);
	fputs("plot $rows using 0:2:xtic(1) with boxes lc '#4878a8' title 'latency, median', \\\n"
	      "  $rows using 0:2:3:4 with yerrorbars lc '#333333' pt 0 title 'least and most', \\\n"
	      "  $rows using 0:5 with steps lw 2 lc '#2a9d5c' title 'ref1', \\\n"
	      "  $rows using 0:6 with steps lw 2 lc '#d1495b' title 'ref2'\n",
	      gnuplot);
}

int measure_plot(const char *file, const struct measure_row *rows, size_t count,
		 struct message *message)
{
	FILE *gnuplot;
	int status;

	if (access(file, W_OK) && errno != ENOENT)
		return message_set(message, -errno, STATUS_NOINPUT, "%s: cannot write: %s", file,
				   strerror(errno));
	fflush(NULL);
	gnuplot = popen("gnuplot", "w");
	if (!gnuplot)
		return message_set(message, -errno, STATUS_UNAVAILABLE,
				   "gnuplot: cannot be started: %s", strerror(errno));
	write_script(gnuplot, file, rows, count);
	status = pclose(gnuplot);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return message_set(message, -ENOENT, STATUS_UNAVAILABLE,
				   "gnuplot is missing; fix: apt-get install gnuplot-nox");
	if (status || access(file, R_OK))
		return message_set(message, -EIO, STATUS_NOINPUT, "%s: gnuplot could not write it",
				   file);
	return 0;
}
