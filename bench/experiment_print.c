/* SPDX-License-Identifier: MIT */
/* See experiment_print.h: text. */
#include "bench/experiment_print.h"

#include <math.h>
#include <string.h>

#define COLUMNS	    100
#define NUMBER_TEXT 32
#define NUMBER	    9 /* columns that a number takes */
#define INDENT	    14

/* "  label:   text", words wrapped below where the text begins. */
static void print_text(FILE *stream, const char *label, const char *text)
{
	int column = INDENT;

	fprintf(stream, "  %-*s", INDENT - 2, label);
	while (*text) {
		int length = (int)strcspn(text, " ");

		if (column > INDENT && column + 1 + length > COLUMNS) {
			fprintf(stream, "\n%*s", INDENT, "");
			column = INDENT;
		}
		column += fprintf(stream, "%s%.*s", column > INDENT ? " " : "", length, text);
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', stream);
}

void experiment_print_question(FILE *stream, const struct experiment *experiment)
{
	print_text(stream, experiment->name, experiment->question);
}

static const char *relation_text(enum experiment_relation relation)
{
	return relation == EXPERIMENT_AT_MOST ? "<=" : relation == EXPERIMENT_AT_LEAST ? ">=" : "";
}

/* A count as it is, anything else by four digits. */
static const char *number_text(double number, char text[NUMBER_TEXT])
{
	bool count = number == floor(number) && fabs(number) < 1e9;

	snprintf(text, NUMBER_TEXT, count ? "%.0f" : "%.4g", number);
	return text;
}

static void print_claim(FILE *stream, const struct experiment_claim *claim, int width)
{
	char model[NUMBER_TEXT], measured[NUMBER_TEXT], bound[NUMBER_TEXT + 4];

	if (claim->missing[0]) {
		fprintf(stream, "  %-*s  not measured: %s\n", width, claim->text, claim->missing);
		return;
	}
	snprintf(bound, sizeof(bound), "%s %s", relation_text(claim->relation),
		 number_text(claim->model, model));
	fprintf(stream, "  %-*s %11s %10s %-8s", width, claim->text, bound,
		number_text(claim->measured, measured), claim->unit);
	if (claim->model != 0)
		fprintf(stream, " %+7.1f %%", 100 * experiment_residual(claim));
	else
		fprintf(stream, " %+9.4g", experiment_residual(claim));
	if (claim->tolerance > 0)
		fprintf(stream, " of %2.0f %%", 100 * claim->tolerance);
	else
		fputs("        ", stream);
	fprintf(stream, "  %s%s\n", experiment_claim_holds(claim) ? "holds" : "does not hold",
		claim->timed ? " (time)" : "");
}

static void print_claims(FILE *stream, const struct experiment_result *result)
{
	int width = 0;

	for (size_t i = 0; i < result->claim_count; i++) {
		int length = (int)strlen(result->claims[i].text);

		width = length > width ? length : width;
	}
	fprintf(stream, "\n  %-*s %11s %10s %-8s %9s\n", width, "claim", "model", "measured", "",
		"residual");
	for (size_t i = 0; i < result->claim_count; i++)
		print_claim(stream, &result->claims[i], width);
}

static int series_width(const struct experiment_series *series)
{
	int length = (int)strlen(series->name);

	return length > NUMBER ? length : NUMBER;
}

/* The value of a series at x, which it has at `row` if it has all of them. */
static void print_value(FILE *stream, const struct experiment_series *series, size_t row, double x)
{
	char text[NUMBER_TEXT] = "-";

	for (size_t i = 0; i < series->count && series->x[row % series->count] != x; i++)
		row = i;
	if (series->count && series->x[row % series->count] == x)
		number_text(series->y[row % series->count], text);
	fprintf(stream, "  %*s", series_width(series), text);
}

/* The one that names the rows. */
static const struct experiment_series *longest(const struct experiment_chart *chart)
{
	const struct experiment_series *found = &chart->series[0];

	for (size_t i = 1; i < chart->count; i++) {
		if (chart->series[i].count > found->count)
			found = &chart->series[i];
	}
	return found;
}

static void print_chart(FILE *stream, const struct experiment_chart *chart)
{
	const struct experiment_series *rows = longest(chart);

	fprintf(stream, "\n  %s: %s\n", chart->title, chart->y);
	fprintf(stream, "  %-18s", chart->x);
	for (size_t i = 0; i < chart->count; i++)
		fprintf(stream, "  %*s", series_width(&chart->series[i]), chart->series[i].name);
	fputc('\n', stream);
	for (size_t row = 0; row < rows->count; row++) {
		fprintf(stream, "  %-18.6g", rows->x[row]);
		for (size_t i = 0; i < chart->count; i++)
			print_value(stream, &chart->series[i], row, rows->x[row]);
		fputc('\n', stream);
	}
}

void experiment_print(FILE *stream, const struct experiment *experiment,
		      const struct experiment_result *result)
{
	size_t held = 0, timed = 0;

	fprintf(stream, "%s\n", experiment->name);
	print_text(stream, "question", experiment->question);
	print_text(stream, "model", experiment->model);
	print_claims(stream, result);
	for (size_t i = 0; i < result->claim_count; i++) {
		held += experiment_claim_holds(&result->claims[i]);
		timed += result->claims[i].timed;
	}
	for (size_t i = 0; i < result->chart_count; i++)
		print_chart(stream, &result->charts[i]);
	if (result->note_count)
		fputc('\n', stream);
	for (size_t i = 0; i < result->note_count; i++)
		print_text(stream, "note", result->notes[i]);
	fprintf(stream, "\n  %s: %zu of %zu claims (%zu are of times); %.1f s\n\n",
		experiment_holds(result) ? "holds" : "does not hold", held, result->claim_count,
		timed, result->seconds);
	fflush(stream);
}
