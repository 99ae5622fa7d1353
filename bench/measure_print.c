/* SPDX-License-Identifier: MIT */
/* See measure_print.h: tables, CSV and JSON. */
#include "bench/measure_print.h"

#include <inttypes.h>
#include <math.h>

const char *measure_size_text(uint64_t bytes, char text[24])
{
	static const char suffixes[] = "KMG";
	int suffix = -1;

	while (suffix < 2 && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		suffix++;
	}
	snprintf(text, 24, "%" PRIu64 "%.1s", bytes, suffix < 0 ? "" : &suffixes[suffix]);
	return text;
}

/* A ratio, or nothing where there is none. */
static void print_ratio(FILE *stream, double ratio)
{
	if (isfinite(ratio))
		fprintf(stream, " %6.2f", ratio);
	else
		fprintf(stream, " %6s", "-");
}

static double a_translation(const struct measure_row *row, uint64_t count)
{
	return (double)count / (double)row->counted;
}

static bool same_group(const struct measure_row *one, const struct measure_row *other)
{
	return one->work.workload == other->work.workload &&
	       one->work.footprint == other->work.footprint &&
	       one->work.sealed == other->work.sealed && one->guest_table == other->guest_table &&
	       one->host_table == other->host_table;
}

static void print_heading(FILE *stream, const struct measure_row *row)
{
	char size[24];

	fprintf(stream,
		"%s, %s: %s over %s%s; ref1 %.1f ns, ref2 %.1f ns, ref2 in batches %.1f ns\n",
		measure_name(row), measure_size_text(row->work.footprint, size),
		hpt_organisation_name(row->guest_table), hpt_organisation_name(row->host_table),
		row->work.sealed ? ", sealed" : "", row->ref1, row->ref2, row->limit_batch);
	fprintf(stream, "%-4s %7s %7s %7s %6s %8s %6s %6s %6s %6s %8s %8s %6s %7s%s\n", "form",
		"refs", "model", "steps", "lines", "latency", "/ref1", "/ref2", "/RR", "/RRP",
		"through", "batch", "/bRR", "B/page",
		row->work.caches == MMU_NONE ? "" : " modelled");
}

void measure_print_row(FILE *stream, const struct measure_row *before,
		       const struct measure_row *row)
{
	if (!before || !same_group(before, row)) {
		fputs(before ? "\n" : "", stream);
		print_heading(stream, row);
	}
	fprintf(stream, "%-4s %7.3f %7.3f %7.3f %6.2f %8.1f", form_kind(row->form)->name,
		a_translation(row, row->ledger.refs), row->model.refs,
		a_translation(row, row->ledger.steps), a_translation(row, row->ledger.lines),
		row->latency);
	print_ratio(stream, row->latency / row->ref1);
	print_ratio(stream, row->latency / row->ref2);
	print_ratio(stream, row->over_rr);
	print_ratio(stream, row->over_rrp);
	fprintf(stream, " %8.1f %8.1f", row->throughput, row->batch);
	print_ratio(stream, row->batch_over_radix);
	fprintf(stream, " %7.2f", row->bytes_per_page);
	if (row->work.caches != MMU_NONE)
		fprintf(stream, " %8.3f", row->modelled_refs);
	fprintf(stream, "%s%s\n", measure_differs(row) ? " model?" : "",
		row->wrong ? " WRONG" : "");
	fflush(stream);
}

void measure_csv_head(FILE *stream)
{
	fputs("workload,footprint,form,guest_table,host_table,pages,host_pages,frames,caches,"
	      "translations,refs,steps,lines,pages_touched,hashes,refs_early,model_refs,"
	      "model_steps,differs,latency_ns,latency_least_ns,latency_most_ns,latency_cycles,"
	      "throughput_ns,batch_ns,ref1_ns,ref2_ns,limit_batch_ns,over_rr,over_rrp,"
	      "batch_over_rr,bytes_per_page,modelled_refs,modelled_steps,wrong\n",
	      stream);
}

static const char *pages_name(enum stages_pages pages)
{
	static const char *const names[] = {
		[STAGES_4K] = "4k", [STAGES_2M] = "2m", [STAGES_MIXED] = "mixed"};

	return names[pages];
}

/* A number, or nothing where there is none. */
static void csv_number(FILE *stream, double number)
{
	if (isfinite(number))
		fprintf(stream, ",%.4f", number);
	else
		fputc(',', stream);
}

void measure_csv_row(FILE *stream, const struct measure_row *row)
{
	const struct walk_ledger *ledger = &row->ledger;
	const double numbers[] = {
		a_translation(row, ledger->refs),
		a_translation(row, ledger->steps),
		a_translation(row, ledger->lines),
		a_translation(row, ledger->pages),
		a_translation(row, ledger->hashes),
		a_translation(row, ledger->early),
		row->model.refs,
		row->model.steps,
		measure_differs(row),
		row->latency,
		row->latency_least,
		row->latency_most,
		row->latency * row->cycles,
		row->throughput,
		row->batch,
		row->ref1,
		row->ref2,
		row->limit_batch,
		row->over_rr,
		row->over_rrp,
		row->batch_over_radix,
		row->bytes_per_page,
		row->work.caches == MMU_NONE ? NAN : row->modelled_refs,
		row->work.caches == MMU_NONE ? NAN : row->modelled_steps,
	};

	fprintf(stream, "%s,%" PRIu64 ",%s,%s,%s,%s,%s,%s,%s,%" PRIu64, measure_name(row),
		row->work.footprint, form_kind(row->form)->name,
		hpt_organisation_name(row->guest_table), hpt_organisation_name(row->host_table),
		pages_name(row->work.guest_pages), pages_name(row->work.host_pages),
		layout_frames_name(row->work.frames), mmu_profile_name(row->work.caches),
		row->counted);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		csv_number(stream, numbers[i]);
	fprintf(stream, ",%" PRIu64 "\n", row->wrong);
}

void measure_slots_head(FILE *stream)
{
	fputs("workload,footprint,form,guest_table,host_table,stage1,stage2,refs,"
	      "refs_a_translation,cached\n",
	      stream);
}

void measure_slots_row(FILE *stream, const struct measure_row *row)
{
	char prefix[128];

	snprintf(prefix, sizeof(prefix), "%s,%" PRIu64 ",%s,%s,%s,", measure_name(row),
		 row->work.footprint, form_kind(row->form)->name,
		 hpt_organisation_name(row->guest_table), hpt_organisation_name(row->host_table));
	walk_ledger_csv(&row->ledger, prefix, stream);
}

static void set_number(json_t *object, const char *name, double number)
{
	json_object_set_new(object, name, isfinite(number) ? json_real(number) : json_null());
}

static json_t *hit_rates(const struct measure_row *row)
{
	json_t *rates = json_object();

	for (int kind = 0; kind < MMU_KINDS && row->work.caches != MMU_NONE; kind++) {
		const struct mmu_report *report = &row->hits[kind];

		if (report->lookups)
			set_number(rates, report->name,
				   (double)report->hits / (double)report->lookups);
	}
	return rates;
}

json_t *measure_json_row(const struct measure_row *row)
{
	const struct walk_ledger *ledger = &row->ledger;
	json_t *object = json_pack(
		"{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "workload", measure_name(row),
		"footprint", (json_int_t)row->work.footprint, "form", form_kind(row->form)->name,
		"guest_table", hpt_organisation_name(row->guest_table), "host_table",
		hpt_organisation_name(row->host_table), "pages", pages_name(row->work.guest_pages),
		"host_pages", pages_name(row->work.host_pages), "frames",
		layout_frames_name(row->work.frames), "caches", mmu_profile_name(row->work.caches),
		"translations", (json_int_t)row->counted);
	json_t *latency = json_object();
	json_t *model = json_object();

	set_number(object, "refs", a_translation(row, ledger->refs));
	set_number(object, "steps", a_translation(row, ledger->steps));
	set_number(object, "lines", a_translation(row, ledger->lines));
	set_number(object, "pages_touched", a_translation(row, ledger->pages));
	set_number(object, "hashes", a_translation(row, ledger->hashes));
	set_number(object, "refs_early", a_translation(row, ledger->early));
	set_number(object, "splintered", a_translation(row, ledger->splintered));
	json_object_set_new(object, "hit_rates", hit_rates(row));
	set_number(latency, "p50", row->latency);
	set_number(latency, "least", row->latency_least);
	set_number(latency, "most", row->latency_most);
	json_object_set_new(object, "latency_ns", latency);
	set_number(object, "latency_cycles", row->latency * row->cycles);
	set_number(object, "throughput_ns", row->throughput);
	set_number(object, "batch_ns", row->batch);
	set_number(object, "ref1_ns", row->ref1);
	set_number(object, "ref2_ns", row->ref2);
	set_number(object, "limit_batch_ns", row->limit_batch);
	set_number(object, "over_rr", row->over_rr);
	set_number(object, "over_rrp", row->over_rrp);
	set_number(object, "batch_over_rr", row->batch_over_radix);
	set_number(object, "bytes_per_page", row->bytes_per_page);
	if (row->work.caches != MMU_NONE) {
		set_number(object, "modelled_refs", row->modelled_refs);
		set_number(object, "modelled_steps", row->modelled_steps);
		if (row->work.trace)
			json_object_set_new(object, "walks", json_integer((json_int_t)row->walks));
	}
	set_number(model, "refs", row->model.refs);
	set_number(model, "steps", row->model.steps);
	json_object_set_new(object, "model", model);
	json_object_set_new(object, "differs", json_boolean(measure_differs(row)));
	json_object_set_new(object, "wrong", json_integer((json_int_t)row->wrong));
	return object;
}

void measure_report_begin(struct measure_report *report)
{
	if (report->csv)
		measure_csv_head(report->csv);
	if (report->slots)
		measure_slots_head(report->slots);
}

void measure_report_row(struct measure_report *report, const struct measure_row *row)
{
	if (report->table)
		measure_print_row(report->table, report->begun ? &report->last : NULL, row);
	if (report->rows)
		json_array_append_new(report->rows, measure_json_row(row));
	if (report->csv)
		measure_csv_row(report->csv, row);
	if (report->slots)
		measure_slots_row(report->slots, row);
	report->last = *row;
	report->begun = true;
}
