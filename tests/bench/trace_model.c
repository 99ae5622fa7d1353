/* SPDX-License-Identifier: MIT */
#include "tests/bench/trace_model.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define HEX	"([0-9a-fA-F]{1,16})"
#define NUMBER	"([0-9]{1,16})"
#define COLUMNS "^ *[0-9]+( +[0-9]+)?: +(W-?[0-9]+\\.T|T)?[0-9]+ "
#define BYTES	" +" NUMBER " byte\\(s\\) @ 0x" HEX
#define GROUPS	8

/* A form of line; the numbers of the groups are those of size and address. */
struct form {
	const char *pattern;
	enum trace_kind kind; /* TRACE_KINDS: no access */
	int size, address;
	bool instruction; /* counts towards a view's total */
	regex_t compiled;
	bool ready;
};

#define ACCESS(text, what, size_group, address_group)                                        \
	{                                                                                    \
		.pattern = text, .kind = what, .size = size_group, .address = address_group, \
		.instruction = what == TRACE_FETCH,                                          \
	}
#define OTHER(text)                                  \
	{                                            \
		.pattern = text, .kind = TRACE_KINDS \
	}
#define NOT_FETCHED(text)                                                 \
	{                                                                 \
		.pattern = text, .kind = TRACE_KINDS, .instruction = true \
	}

static struct form lackey_forms[] = {
	ACCESS("^I  " HEX "," NUMBER "$", TRACE_FETCH, 2, 1),
	ACCESS("^ L " HEX "," NUMBER "$", TRACE_LOAD, 2, 1),
	ACCESS("^ S " HEX "," NUMBER "$", TRACE_STORE, 2, 1),
	ACCESS("^ M " HEX "," NUMBER "$", TRACE_MODIFY, 2, 1),
	OTHER("^SB " HEX "$"),
	OTHER("^==[0-9 :.]+==( .*)?$"),
	OTHER("^--[0-9 :.]+--( .*)?$"),
	OTHER("^\\*\\*[0-9 :.]+\\*\\*( .*)?$"),
};

/* The first that fits counts: the instruction that is not fetched stands before the one that is. */
static struct form view_forms[] = {
	NOT_FETCHED(COLUMNS "ifetch" BYTES " non-fetched instruction$"),
	ACCESS(COLUMNS "ifetch" BYTES " .*$", TRACE_FETCH, 3, 4),
	ACCESS(COLUMNS "read" BYTES " +by PC 0x" HEX "$", TRACE_LOAD, 3, 4),
	ACCESS(COLUMNS "write" BYTES " +by PC 0x" HEX "$", TRACE_STORE, 3, 4),
	NOT_FETCHED(COLUMNS "non-fetched" BYTES " .*$"),
	OTHER(COLUMNS "(iflush|dflush|pref|pref-[-0-9A-Za-z]*)" BYTES " +by PC 0x" HEX "$"),
	OTHER(COLUMNS "<(marker: |thread |entry type )"),
	OTHER(COLUMNS " +[0-9a-fA-F]{2}( +[0-9a-fA-F]{2})* *$"),
	OTHER("^<(marker: |thread |entry type )"),
	OTHER("^(Output format:|<record#>|<--record#->)"),
	OTHER("^-{10,}$"),
};

static const char results[] = "View tool results:";
static const char total[] = "^ *" NUMBER " : total (disassembled )?instructions$";

static bool match(regex_t *compiled, bool *ready, const char *pattern, const char *line,
		  regmatch_t *groups)
{
	if (!*ready && regcomp(compiled, pattern, REG_EXTENDED))
		abort();
	*ready = true;
	return !regexec(compiled, line, GROUPS, groups, 0);
}

static uint64_t group_value(const char *line, const regmatch_t *group, int base)
{
	return strtoull(line + group->rm_so, NULL, base);
}

static bool canonical(uint64_t address)
{
	return address <= 0x7fffffffffff || address >= 0xffff800000000000;
}

/* Page by page. False if the access is none. */
static bool add(struct model *model, enum trace_kind kind, uint64_t address, uint64_t size)
{
	if (size < 1 || size > 4096 || !canonical(address) || !canonical(address + size - 1) ||
	    address + size - 1 < address)
		return false;
	while (size) {
		uint64_t page_end = (address | 4095) + 1, part = page_end - address;

		if (part > size)
			part = size;
		model->accesses =
			realloc(model->accesses, (model->count + 1) * sizeof(*model->accesses));
		if (!model->accesses)
			abort();
		model->accesses[model->count++] =
			(struct trace_access){address, (uint32_t)part, (uint8_t)kind};
		address += part;
		size -= part;
	}
	return true;
}

/* A line of one of these forms; *instructions counts. */
static bool read_line(struct model *model, struct form *forms, size_t count, const char *line,
		      uint64_t *instructions)
{
	regmatch_t groups[GROUPS];

	for (size_t i = 0; i < count; i++) {
		struct form *form = &forms[i];

		if (!match(&form->compiled, &form->ready, form->pattern, line, groups))
			continue;
		*instructions += form->instruction;
		return form->kind == TRACE_KINDS ||
		       add(model, form->kind, group_value(line, &groups[form->address], 16),
			   group_value(line, &groups[form->size], 10));
	}
	return false;
}

struct view {
	enum { RECORDS, TOTAL, CLOSED, OTHERS } state;
	uint64_t instructions;
};

static bool read_view_end(struct view *view, const char *line)
{
	static regex_t compiled;
	static bool ready;
	regmatch_t groups[GROUPS];

	if (view->state == TOTAL) {
		uint64_t number;

		if (!match(&compiled, &ready, total, line, groups))
			return false;
		number = group_value(line, &groups[1], 10);
		view->state = CLOSED;
		return !number || number == view->instructions;
	}
	if (!strcmp(line, "Output format:"))
		*view = (struct view){RECORDS, 0};
	else if (*line == '=')
		view->state = OTHERS;
	else if (*line)
		return view->state == OTHERS;
	return true;
}

static bool read_view(struct model *model, struct view *view, const char *line)
{
	if (view->state != RECORDS)
		return read_view_end(view, line);
	if (!strcmp(line, results)) {
		view->state = TOTAL;
		return true;
	}
	return read_line(model, view_forms, sizeof(view_forms) / sizeof(*view_forms), line,
			 &view->instructions);
}

static void read_text(enum trace_format format, const struct bytes *bytes, struct model *model)
{
	struct view view = {RECORDS, 0};
	uint64_t instructions = 0;
	size_t start = 0;

	for (model->place = 1; start < bytes->size && !model->fault; model->place++) {
		size_t end = start;
		char *line;

		while (end < bytes->size && bytes->bytes[end] != '\n')
			end++;
		line = strndup((const char *)bytes->bytes + start, end - start);
		if (!line)
			abort();
		model->fault = end == bytes->size || end - start > TRACE_LINE_MAX ||
			       strlen(line) != end - start;
		if (!model->fault && format == TRACE_LACKEY)
			model->fault = !read_line(model, lackey_forms,
						  sizeof(lackey_forms) / sizeof(*lackey_forms),
						  line, &instructions);
		else if (!model->fault)
			model->fault = !read_view(model, &view, line);
		free(line);
		start = end + 1;
	}
	model->place--;
}

static uint64_t word(const unsigned char *bytes)
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--)
		value = value * 256 + bytes[i];
	return value;
}

static void read_records(const struct bytes *bytes, struct model *model)
{
	static const int order[] = {32, 40, 48, 56, 16, 24};

	for (size_t start = 0; start < bytes->size && !model->fault; start += 64) {
		const unsigned char *record = bytes->bytes + start;
		size_t before = model->count;

		model->place = start;
		model->fault = bytes->size - start < 64 || !word(record) || record[8] > 1 ||
			       record[9] > 1 || !add(model, TRACE_FETCH, word(record), 1);
		for (int i = 0; i < 6 && !model->fault; i++) {
			uint64_t address = word(record + order[i]);

			model->fault = address &&
				       !add(model, i < 4 ? TRACE_LOAD : TRACE_STORE, address, 1);
		}
		if (model->fault)
			model->count = before;
	}
}

void model_read(enum trace_format format, const struct bytes *bytes, struct model *model)
{
	*model = (struct model){0};
	if (format == TRACE_CHAMPSIM)
		read_records(bytes, model);
	else
		read_text(format, bytes, model);
}

void model_free(struct model *model)
{
	free(model->accesses);
	model->accesses = NULL;
}
