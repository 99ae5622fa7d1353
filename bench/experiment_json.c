/* SPDX-License-Identifier: MIT */
/* See experiment_print.h: JSON. */
#include <math.h>

#include "bench/experiment_print.h"

/* JSON has no infinity. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *experiment_question_json(const struct experiment *experiment)
{
	return json_pack("{s:s, s:s, s:s}", "name", experiment->name, "question",
			 experiment->question, "theory", experiment->model);
}

static const char *relation_name(enum experiment_relation relation)
{
	return relation == EXPERIMENT_AT_MOST	 ? "at most"
	       : relation == EXPERIMENT_AT_LEAST ? "at least"
						 : "equal";
}

static json_t *claim_json(const struct experiment_claim *claim)
{
	if (claim->missing[0])
		return json_pack("{s:s, s:s, s:b, s:n, s:n, s:n, s:b, s:s}", "claim", claim->text,
				 "unit", claim->unit, "timed", claim->timed, "model", "measured",
				 "residual", "holds", 0, "missing", claim->missing);
	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:b}", "claim", claim->text,
			 "unit", claim->unit, "relation", relation_name(claim->relation), "timed",
			 claim->timed, "model", number(claim->model), "measured",
			 number(claim->measured), "residual", number(experiment_residual(claim)),
			 "tolerance", number(claim->tolerance), "holds",
			 experiment_claim_holds(claim));
}

static json_t *series_json(const struct experiment_series *series)
{
	json_t *points = json_array();

	for (size_t i = 0; i < series->count; i++)
		json_array_append_new(
			points, json_pack("[o, o]", number(series->x[i]), number(series->y[i])));
	return json_pack("{s:s, s:b, s:o}", "name", series->name, "model", series->model, "points",
			 points);
}

static json_t *chart_json(const struct experiment_chart *chart)
{
	json_t *series = json_array();

	for (size_t i = 0; i < chart->count; i++)
		json_array_append_new(series, series_json(&chart->series[i]));
	return json_pack("{s:s, s:s, s:s, s:o}", "title", chart->title, "x", chart->x, "y",
			 chart->y, "series", series);
}

/* What the result comes to: the claim that is worst off. */
static json_t *summary_json(const struct experiment *experiment,
			    const struct experiment_claim *worst)
{
	json_t *object = experiment_question_json(experiment);

	json_object_set_new(object, "claim", worst ? json_string(worst->text) : json_null());
	json_object_set_new(object, "model", worst ? number(worst->model) : json_null());
	json_object_set_new(object, "measured", worst ? number(worst->measured) : json_null());
	json_object_set_new(object, "residual",
			    worst ? number(experiment_residual(worst)) : json_null());
	return object;
}

json_t *experiment_json(const struct experiment *experiment, const struct experiment_result *result)
{
	json_t *object = summary_json(experiment, experiment_worst(result));
	json_t *claims = json_array();
	json_t *charts = json_array();
	json_t *notes = json_array();

	for (size_t i = 0; i < result->claim_count; i++)
		json_array_append_new(claims, claim_json(&result->claims[i]));
	for (size_t i = 0; i < result->chart_count; i++)
		json_array_append_new(charts, chart_json(&result->charts[i]));
	for (size_t i = 0; i < result->note_count; i++)
		json_array_append_new(notes, json_string(result->notes[i]));
	json_object_set_new(object, "holds", json_boolean(experiment_holds(result)));
	json_object_set_new(object, "claims", claims);
	json_object_set_new(object, "charts", charts);
	json_object_set_new(object, "notes", notes);
	json_object_set_new(object, "seconds", json_real(result->seconds));
	return object;
}
