/* SPDX-License-Identifier: MIT */
/* See experiment_print.h: charts. */
#include "bench/experiment_print.h"
#include "bench/plot.h"

#define WIDTH  900
#define HEIGHT 460

static const char *const colours[EXPERIMENT_SERIES] = {
	"#4878a8", "#d1495b", "#2a9d5c", "#e9a03b", "#7b5ea7",
	"#3a3a3a", "#17a2b8", "#a05a2c", "#c2185b", "#7f8c1f",
};

static void write_data(FILE *gnuplot, const struct experiment_chart *chart, size_t number)
{
	for (size_t i = 0; i < chart->count; i++) {
		const struct experiment_series *series = &chart->series[i];

		fprintf(gnuplot, "$chart%zu_%zu << END\n", number, i);
		for (size_t point = 0; point < series->count; point++)
			fprintf(gnuplot, "%.9g %.9g\n", series->x[point], series->y[point]);
		fputs("END\n", gnuplot);
	}
}

static void write_chart(FILE *gnuplot, const struct experiment_chart *chart, size_t number)
{
	size_t colour = 0;

	fputs("set title ", gnuplot);
	plot_quoted(gnuplot, chart->title);
	fputs("\nset xlabel ", gnuplot);
	plot_quoted(gnuplot, chart->x);
	fputs("\nset ylabel ", gnuplot);
	plot_quoted(gnuplot, chart->y);
	fprintf(gnuplot, "\n%s logscale x\n%s logscale y\n", chart->log_x ? "set" : "unset",
		chart->log_y ? "set" : "unset");
	/* From 0 on, where there is one. */
	fprintf(gnuplot, "set yrange [%s:*]\nplot ", chart->log_y ? "*" : "0");
	for (size_t i = 0; i < chart->count; i++) {
		const struct experiment_series *series = &chart->series[i];

		/* A model has the colour of what it is of, the series before it. */
		if (i && !(series->model && !chart->series[i - 1].model))
			colour++;
		fprintf(gnuplot, "%s$chart%zu_%zu with %s lc '%s' title ", i ? ", " : "", number, i,
			series->model ? "lines lw 2 dt 2" : "linespoints pt 7 ps 0.6",
			colours[colour]);
		plot_quoted(gnuplot, series->name);
	}
	fputc('\n', gnuplot);
}

int experiment_plot(const char *file, const struct experiment *experiment,
		    const struct experiment_result *result, struct message *message)
{
	struct plot plot;
	FILE *gnuplot;
	int error;

	if (!result->chart_count)
		return 0;
	error = plot_begin(&plot, file, WIDTH, HEIGHT * result->chart_count + 40, message);
	if (error)
		return error;
	gnuplot = plot.gnuplot;
	for (size_t i = 0; i < result->chart_count; i++)
		write_data(gnuplot, &result->charts[i], i);
	fprintf(gnuplot, "set multiplot layout %zu,1 title ", result->chart_count);
	plot_quoted(gnuplot, experiment->name);
	fputs("\nset grid lc '#dddddd'\nset key outside right noenhanced\n", gnuplot);
	fputs("set title noenhanced\nset xlabel noenhanced\nset ylabel noenhanced\n", gnuplot);
	for (size_t i = 0; i < result->chart_count; i++)
		write_chart(gnuplot, &result->charts[i], i);
	fputs("unset multiplot\n", gnuplot);
	return plot_end(&plot, file, message);
}
