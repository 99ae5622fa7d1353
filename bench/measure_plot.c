/* SPDX-License-Identifier: MIT */
/* The chart of `twostage measure`: see measure_print.h. */
#include <math.h>

#include "bench/measure_print.h"
#include "bench/plot.h"

#define WIDTH_MIN   900
#define WIDTH_A_ROW 34
#define HEIGHT	    640

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

static void write_script(FILE *gnuplot, const struct measure_row *rows, size_t count)
{
	fputs("set title 'two-stage translation: nanoseconds, and the limits of one and two "
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
	struct plot plot;
	int error = plot_begin(&plot, file, WIDTH_MIN + count * WIDTH_A_ROW, HEIGHT, message);

	if (error)
		return error;
	write_script(plot.gnuplot, rows, count);
	return plot_end(&plot, file, message);
}
