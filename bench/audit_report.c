/* SPDX-License-Identifier: MIT */
/* See audit_report.h. */
#include "bench/audit_report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/audit.h"
#include "bench/trace_report.h"
#include "vmm/host.h"
#include "vmm/output.h"
#include "vmm/status.h"
#include "vmm/version.h"

#define BATCH 1024

/* The hashed walks that a proxy is held against. */
#define FIRST_REAL AUDIT_HASHED

static const char *real_name(int model)
{
	return audit_metric_kind((enum audit_metric)model)->name;
}

/* An error, with a star against the walk that the metric is a proxy of. */
static void print_errors(FILE *stream, const struct audit *audit, enum audit_metric metric)
{
	char text[32];

	for (int real = FIRST_REAL; real < AUDIT_MODELS; real++) {
		snprintf(text, sizeof(text), "%+.1f%%%s",
			 audit_error(audit, metric, (enum audit_model)real),
			 (int)audit_metric_kind(metric)->against == real ? "*" : " ");
		fprintf(stream, " %11s", (int)metric < AUDIT_MODELS ? "- " : text);
	}
}

static void print_table(FILE *stream, const struct audit *audit)
{
	const struct audit_config *config = &audit->config;

	fprintf(stream,
		"%s: %" PRIu64 " walks behind the TLBs; hashed: %s over %s; errors: over each real "
		"walk, * over the one that the metric stands for\n",
		mmu_profile_name(config->work.caches), audit->walks,
		hpt_organisation_name(config->guest_table),
		hpt_organisation_name(config->host_table));
	fprintf(stream, "%-10s %8s %6s", "metric", "cycles", "refs");
	for (int real = FIRST_REAL; real < AUDIT_MODELS; real++)
		fprintf(stream, " %10s ", real_name(real));
	fputs("  stands for\n", stream);
	for (int i = 0; i < AUDIT_METRICS; i++) {
		enum audit_metric metric = (enum audit_metric)i;

		fprintf(stream, "%-10s %8.2f", audit_metric_kind(metric)->name,
			audit_cycles(audit, metric));
		if (i < AUDIT_MODELS)
			fprintf(stream, " %6.2f", (double)audit->refs[i] / (double)audit->walks);
		else
			fprintf(stream, " %6s", "-");
		print_errors(stream, audit, metric);
		fprintf(stream, "  %s\n", audit_metric_kind(metric)->text);
	}
}

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *metric_json(const struct audit *audit, enum audit_metric metric)
{
	const struct audit_metric_kind *kind = audit_metric_kind(metric);
	json_t *object = json_pack("{s:s, s:s, s:o}", "metric", kind->name, "stands_for",
				   kind->text, "cycles", number(audit_cycles(audit, metric)));
	json_t *errors = json_object();

	if ((int)metric < AUDIT_MODELS) {
		json_object_set_new(object, "refs",
				    number((double)audit->refs[metric] / (double)audit->walks));
		json_decref(errors);
		return object;
	}
	for (int real = FIRST_REAL; real < AUDIT_MODELS; real++)
		json_object_set_new(errors, real_name(real),
				    number(audit_error(audit, metric, (enum audit_model)real)));
	json_object_set_new(object, "against", json_string(real_name((int)kind->against)));
	json_object_set_new(object, "error_percent",
			    number(audit_error(audit, metric, kind->against)));
	json_object_set_new(object, "errors_percent", errors);
	return object;
}

static json_t *result_json(const struct audit *audit, const struct measure_options *options,
			   const struct trace *trace)
{
	json_t *metrics = json_array();
	struct host host;

	for (int i = 0; i < AUDIT_METRICS; i++)
		json_array_append_new(metrics, metric_json(audit, (enum audit_metric)i));
	host_read(&host);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s, s:s, s:s, s:I, s:I, s:o}, s:I}",
			 "twostage", TWOSTAGE_VERSION, "command", "measure", "host",
			 host_json(&host), "config", measure_options_json(options), "trace",
			 trace_json(trace, options->audit, demand_pages(&audit->demand)), "audit",
			 "caches", mmu_profile_name(audit->config.work.caches), "guest_table",
			 hpt_organisation_name(audit->config.guest_table), "host_table",
			 hpt_organisation_name(audit->config.host_table), "accesses",
			 (json_int_t)audit->accesses, "walks", (json_int_t)audit->walks, "metrics",
			 metrics, "wrong", (json_int_t)audit->wrong);
}

/* The first that was chosen. */
static enum hpt_organisation first_of(const bool *chosen)
{
	int organisation = 0;

	while (!chosen[organisation] && organisation < HPT_ORGANISATIONS - 1)
		organisation++;
	return (enum hpt_organisation)organisation;
}

static int no_memory(int error, struct message *message)
{
	return message_set(message, error, STATUS_UNAVAILABLE,
			   "the tables do not fit into memory: %s", strerror(-error));
}

static int read_trace(struct audit *audit, struct trace *trace, struct message *message)
{
	struct trace_access accesses[BATCH];
	struct trace_meter meter;
	int error = 0;
	long count;

	trace_meter_begin(&meter);
	while ((count = trace_next(trace, accesses, BATCH, message)) > 0) {
		error = audit_accesses(audit, accesses, (size_t)count);
		if (error)
			break;
		trace_meter_show(&meter, trace, audit->accesses);
	}
	trace_meter_end(&meter);
	return error ? no_memory(error, message) : (int)count;
}

static int show(const struct audit *audit, const struct measure_options *options,
		const struct trace *trace, struct output *json, struct message *message)
{
	int error = 0;

	if (json->stream != stdout) {
		trace_print(stdout, trace, options->audit, demand_pages(&audit->demand));
		print_table(stdout, audit);
	}
	if (json->stream)
		error = output_json(json, result_json(audit, options, trace), message);
	if (!error && audit->wrong)
		error = message_set(message, -EIO, STATUS_INTERNAL,
				    "%llu translations differed from the oracle",
				    (unsigned long long)audit->wrong);
	return error;
}

static int audit_trace(const struct measure_options *options, struct trace *trace,
		       struct output *json, struct message *message)
{
	const struct matrix *matrix = &options->matrix;
	struct audit_config config = {
		.work = matrix->work,
		.guest_table = first_of(matrix->guest_tables),
		.host_table = first_of(matrix->host_tables),
	};
	struct audit *audit = malloc(sizeof(*audit));
	int error;

	if (config.work.caches == MMU_NONE)
		config.work.caches = MMU_SKYLAKE;
	error = audit ? audit_begin(audit, &config) : -ENOMEM;
	if (error) {
		free(audit);
		return no_memory(error, message);
	}
	error = read_trace(audit, trace, message);
	if (!error)
		error = show(audit, options, trace, json, message);
	audit_end(audit);
	free(audit);
	return error;
}

int audit_command(const struct measure_options *options, struct message *message)
{
	struct trace *trace = NULL;
	struct output json;
	int error = output_open(&json, options->json, message);

	if (!error)
		error = trace_open(&trace, options->audit, message);
	if (!error)
		error = audit_trace(options, trace, &json, message);
	trace_close(trace);
	return error;
}
