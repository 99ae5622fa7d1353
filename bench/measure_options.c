/* SPDX-License-Identifier: MIT */
/* See measure_options.h. */
#include "bench/measure_options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/options.h"
#include "vmm/status.h"

#define NAME_MAX_LENGTH 32
#define QUERIES		(1u << 15)

/* Long options have keys that are no letters. */
enum {
	OPTION_GUEST_TABLE = 0x200,
	OPTION_HOST_TABLE,
	OPTION_FORM,
	OPTION_PAGES,
	OPTION_HOST_PAGES,
	OPTION_FRAMES,
	OPTION_CACHES,
	OPTION_WITHOUT,
	OPTION_LOAD,
	OPTION_SEED,
};

const struct argp_option measure_table_options[] = {
	{"form", OPTION_FORM, "FORM,...", 0,
	 "forms of the walk: RR, RRP, RH, HR, HH, HHp, HHs, SHD", 0},
	{"guest-table", OPTION_GUEST_TABLE, "ORG,...", 0,
	 "organisations of the hashed table of stage 1: radix, chained, open, bucket, clustered, "
	 "cuckoo, adaptive (default: the best, bucket for sparse and clustered for all else)",
	 0},
	{"host-table", OPTION_HOST_TABLE, "ORG,...", 0, "the same of stage 2", 0},
	{"pages", OPTION_PAGES, "4k|2m|mixed", 0, "page sizes of stage 1 (default 4k)", 0},
	{"host-pages", OPTION_HOST_PAGES, "4k|2m|mixed", 0, "page sizes of stage 2 (default 4k)",
	 0},
	{"frames", OPTION_FRAMES, "scattered|runs", 0,
	 "how the guest's frames lie: at random, or in runs of 2 MiB (default scattered)", 0},
	{"caches", OPTION_CACHES, "none|zen4|skylake", 0,
	 "model the TLBs and walk caches of a core as well (default none)", 0},
	{"without", OPTION_WITHOUT, "CACHE", 0,
	 "leave out one kind of them: l2-tlb, nested-tlb, guest-walk, host-walk, ...", 0},
	{"load", OPTION_LOAD, "F", 0,
	 "how full hashed tables are, as a share of what they are when they grow: above 0, at most "
	 "1 (default 1)",
	 0},
	{"seed", OPTION_SEED, "N", 0, "of accesses and of the order of frames (default 0)", 0},
	{0},
};

void measure_options_begin(struct measure_options *options)
{
	*options = (struct measure_options){.load = 1};
	options->matrix.work = (struct measure_work){
		.frames = LAYOUT_SCATTERED,
		.guest_pages = STAGES_4K,
		.host_pages = STAGES_4K,
		.room = 1,
		.queries = QUERIES,
	};
}

void measure_options_end(struct measure_options *options)
{
	static const enum form default_forms[] = {FORM_RR,  FORM_RRP, FORM_HH,
						  FORM_HHP, FORM_HHS, FORM_SHD};
	struct matrix *matrix = &options->matrix;

	for (size_t i = 0;
	     !options->forms_given && i < sizeof(default_forms) / sizeof(default_forms[0]); i++)
		matrix->forms[default_forms[i]] = true;
	matrix->work.room = 1 / options->load;
}

/* The next word of a list, without its comma; *text is NULL behind the last one. */
static void next_word(const char **text, char word[NAME_MAX_LENGTH])
{
	size_t length = strcspn(*text, ",");
	size_t kept = length < NAME_MAX_LENGTH ? length : NAME_MAX_LENGTH - 1;

	memcpy(word, *text, kept);
	word[kept] = 0;
	*text = (*text)[length] ? *text + length + 1 : NULL;
}

int measure_option_list(const char *option, const char *text, int (*find)(const char *name),
			const char *(*name)(int number), int count, bool *chosen,
			struct message *message)
{
	char names[256] = "";
	char word[NAME_MAX_LENGTH];

	memset(chosen, 0, (size_t)count * sizeof(*chosen));
	while (text) {
		int number;

		next_word(&text, word);
		number = find(word);
		if (number >= 0) {
			chosen[number] = true;
			continue;
		}
		for (int i = 0; i < count; i++) {
			strncat(names, i ? ", " : "", sizeof(names) - strlen(names) - 1);
			strncat(names, name(i), sizeof(names) - strlen(names) - 1);
		}
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "%s: found \"%s\", wanted one or more of %s", option, word,
				   names);
	}
	return 0;
}

static const char *organisation_name(int number)
{
	return hpt_organisation_name((enum hpt_organisation)number);
}

static const char *form_name(int number)
{
	return form_kind((enum form)number)->name;
}

static int pages_option(const char *option, const char *text, enum stages_pages *pages,
			struct message *message)
{
	int value;
	int error = option_pages(option, text, &value, message);

	if (!error)
		*pages = (enum stages_pages)value;
	return error;
}

static int frames_option(const char *text, enum layout_frames *frames, struct message *message)
{
	int found = layout_frames_find(text);

	if (found != LAYOUT_SCATTERED && found != LAYOUT_RUNS)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "--frames: found \"%s\", wanted scattered or runs", text);
	*frames = (enum layout_frames)found;
	return 0;
}

static int caches_option(const char *text, enum mmu_profile *profile, struct message *message)
{
	int found = mmu_profile_find(text);

	if (found < 0)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "--caches: found \"%s\", wanted none, zen4 or skylake", text);
	*profile = (enum mmu_profile)found;
	return 0;
}

/* A name is right if caches of some core have it. */
static int without_option(const char *text, const char **without, struct message *message)
{
	struct mmu_caches caches;
	char names[256] = "";
	int error = mmu_caches_create(&caches, MMU_SKYLAKE);

	if (error)
		return message_set(message, error, STATUS_INTERNAL, "out of memory");
	error = mmu_caches_without(&caches, text);
	mmu_caches_destroy(&caches);
	if (!error) {
		*without = text;
		return 0;
	}
	for (unsigned int i = 0; mmu_ablation_name(i); i++) {
		strncat(names, i ? ", " : "", sizeof(names) - strlen(names) - 1);
		strncat(names, mmu_ablation_name(i), sizeof(names) - strlen(names) - 1);
	}
	return message_set(message, -EINVAL, STATUS_USAGE,
			   "--without: found \"%s\", wanted one of %s", text, names);
}

static int load_option(const char *text, double *load, struct message *message)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0.01 && value <= 1))
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "--load: found \"%s\", wanted a number from 0.01 to 1", text);
	*load = value;
	return 0;
}

int measure_table_option(struct measure_options *options, int key, const char *text,
			 struct message *message)
{
	struct matrix *matrix = &options->matrix;
	struct measure_work *work = &matrix->work;

	switch (key) {
	case OPTION_FORM:
		options->forms_given = true;
		return measure_option_list("--form", text, form_find, form_name, FORMS,
					   matrix->forms, message);
	case OPTION_GUEST_TABLE:
		return measure_option_list("--guest-table", text, hpt_organisation_find,
					   organisation_name, HPT_ORGANISATIONS,
					   matrix->guest_tables, message);
	case OPTION_HOST_TABLE:
		return measure_option_list("--host-table", text, hpt_organisation_find,
					   organisation_name, HPT_ORGANISATIONS,
					   matrix->host_tables, message);
	case OPTION_PAGES:
		return pages_option("--pages", text, &work->guest_pages, message);
	case OPTION_HOST_PAGES:
		return pages_option("--host-pages", text, &work->host_pages, message);
	case OPTION_FRAMES:
		return frames_option(text, &work->frames, message);
	case OPTION_CACHES:
		return caches_option(text, &work->caches, message);
	case OPTION_WITHOUT:
		return without_option(text, &work->without, message);
	case OPTION_LOAD:
		return load_option(text, &options->load, message);
	case OPTION_SEED:
		return option_count("--seed", text, 0, UINT64_MAX, &work->seed, message);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The names that were chosen. */
static json_t *names_json(const bool *chosen, int count, const char *(*name)(int number))
{
	json_t *names = json_array();

	for (int i = 0; i < count; i++) {
		if (chosen[i])
			json_array_append_new(names, json_string(name(i)));
	}
	return names;
}

static const char *workload_of(int number)
{
	return stream_name((enum stream_workload)number);
}

json_t *measure_options_json(const struct measure_options *options)
{
	static const char *const pages[] = {"4k", "2m", "mixed"};
	const struct matrix *matrix = &options->matrix;
	const struct measure_work *work = &matrix->work;
	json_t *footprints = json_array();

	for (size_t i = 0; i < matrix->footprint_count; i++)
		json_array_append_new(footprints, json_integer((json_int_t)matrix->footprints[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:s?, s:f, s:I}", "forms",
			 names_json(matrix->forms, FORMS, form_name), "guest_tables",
			 names_json(matrix->guest_tables, HPT_ORGANISATIONS, organisation_name),
			 "host_tables",
			 names_json(matrix->host_tables, HPT_ORGANISATIONS, organisation_name),
			 "workloads", names_json(matrix->workloads, STREAM_WORKLOADS, workload_of),
			 "footprints", footprints, "pages", pages[work->guest_pages], "host_pages",
			 pages[work->host_pages], "frames", layout_frames_name(work->frames),
			 "caches", mmu_profile_name(work->caches), "without", work->without, "load",
			 options->load, "seed", (json_int_t)work->seed);
}
