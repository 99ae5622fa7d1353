/* SPDX-License-Identifier: MIT */
/*
 * An ordinary program that lives on the heap: it builds a list of records of many sizes, frees some
 * and makes them anew, resizes others, sorts the list by merging, and checks that nothing was lost
 * or altered. One payload in LARGE_EVERY is so large that malloc maps it by itself, so that mmap,
 * munmap and mremap have work beside brk.
 *
 * Everything in a record follows from its recipe, so that the check needs no second copy.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/common/args.h"
#include "images/common/mix.h"

#define DEFAULT_RECORDS 20000
#define MOST_RECORDS	100000000
#define DEFAULT_SEED	1

#define KEY_LEAST     4
#define KEY_MOST      40
#define PAYLOAD_MOST  512
#define LARGE_EVERY   512
#define LARGE_PAYLOAD (256 << 10) /* twice the size from which musl maps a block by itself */
#define RUNS	      64	  /* runs of 2^0, 2^1, ... records: more than memory can hold */

struct record {
	struct record *next;
	uint64_t id;	 /* 0..records-1, one each */
	uint64_t recipe; /* what key and payload are made from */
	size_t length;	 /* of the payload */
	unsigned char *payload;
	char key[]; /* lower-case letters, NUL-terminated */
};

struct list {
	struct record *head;
	uint64_t seed;
	uint64_t renewed; /* records freed and made anew */
	uint64_t resized; /* payloads resized */
};

/* Byte @i of the endless row of bytes that @recipe stands for. */
static unsigned char recipe_byte(uint64_t recipe, size_t i)
{
	return (unsigned char)(mix64(recipe + i / 8) >> (i % 8 * 8));
}

static size_t recipe_key_length(uint64_t recipe)
{
	return KEY_LEAST + mix64_below(mix64(recipe ^ 'k'), KEY_MOST - KEY_LEAST + 1);
}

static char recipe_key_letter(uint64_t recipe, size_t i)
{
	return (char)('a' + recipe_byte(~recipe, i) % 26);
}

/* The first length of the payload (@turn 0), and the one it is resized to (@turn 1). */
static size_t recipe_payload_length(uint64_t recipe, uint64_t id, uint64_t turn)
{
	size_t most = id % LARGE_EVERY == LARGE_EVERY - 3 ? LARGE_PAYLOAD : PAYLOAD_MOST;

	/* Large ones stay above the size from which they are mapped. */
	return most / 2 + 1 + mix64_below(mix64(recipe ^ 'p' ^ turn << 8), most);
}

static void payload_fill(struct record *record, size_t from)
{
	for (size_t i = from; i < record->length; i++)
		record->payload[i] = recipe_byte(record->recipe, i);
}

/* A new record, or NULL when memory is exhausted. Whoever calls owns it: record_free(). */
static struct record *record_new(uint64_t id, uint64_t recipe)
{
	size_t key_length = recipe_key_length(recipe);
	struct record *record = malloc(sizeof(*record) + key_length + 1);

	if (!record)
		return NULL;
	*record = (struct record){.id = id, .recipe = recipe};
	for (size_t i = 0; i < key_length; i++)
		record->key[i] = recipe_key_letter(recipe, i);
	record->key[key_length] = '\0';
	record->length = recipe_payload_length(recipe, id, 0);
	record->payload = malloc(record->length);
	if (!record->payload) {
		free(record);
		return NULL;
	}
	payload_fill(record, 0);
	return record;
}

static void record_free(struct record *record)
{
	free(record->payload);
	free(record);
}

static int record_resize(struct record *record)
{
	size_t before = record->length;
	size_t after = recipe_payload_length(record->recipe, record->id, 1);
	unsigned char *payload = realloc(record->payload, after);

	if (!payload)
		return -ENOMEM;
	record->payload = payload;
	record->length = after;
	payload_fill(record, before);
	return 0;
}

/* Adds record @id, made for the first (@turn 0) or for the second time (@turn 1). */
static int list_add(struct list *list, uint64_t id, uint64_t turn)
{
	struct record *record = record_new(id, mix64(mix64(list->seed) + id * 2 + turn));

	if (!record)
		return -ENOMEM;
	record->next = list->head;
	list->head = record;
	return 0;
}

/* Frees every fourth record, resizes the payload of another fourth, makes the freed ones anew. */
static int list_churn(struct list *list, uint64_t records)
{
	for (struct record **link = &list->head; *link;) {
		struct record *record = *link;

		if (record->id % 4 == 0) {
			*link = record->next;
			record_free(record);
			continue;
		}
		if (record->id % 4 == 1) {
			if (record_resize(record))
				return -ENOMEM;
			list->resized++;
		}
		link = &record->next;
	}
	for (uint64_t id = 0; id < records; id += 4) {
		if (list_add(list, id, 1))
			return -ENOMEM;
		list->renewed++;
	}
	return 0;
}

static int record_compare(const struct record *a, const struct record *b)
{
	int order = strcmp(a->key, b->key);

	return order ? order : (a->id > b->id) - (a->id < b->id);
}

static struct record *merge(struct record *a, struct record *b)
{
	struct record *head = NULL;
	struct record **tail = &head;

	while (a && b) {
		struct record **less = record_compare(a, b) < 0 ? &a : &b;

		*tail = *less;
		tail = &(*less)->next;
		*less = *tail;
	}
	*tail = a ? a : b;
	return head;
}

/* Merge sort from the bottom up: runs[i] is empty or a sorted run of 2^i records. */
static struct record *merge_sort(struct record *unsorted)
{
	struct record *runs[RUNS] = {NULL};
	struct record *run;

	while (unsorted) {
		int i = 0;

		run = unsorted;
		unsorted = unsorted->next;
		run->next = NULL;
		for (; runs[i]; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	run = NULL;
	for (int i = 0; i < RUNS; i++)
		run = merge(runs[i], run);
	return run;
}

static bool record_intact(const struct record *record)
{
	size_t key_length = recipe_key_length(record->recipe);

	if (strlen(record->key) != key_length)
		return false;
	for (size_t i = 0; i < key_length; i++) {
		if (record->key[i] != recipe_key_letter(record->recipe, i))
			return false;
	}
	for (size_t i = 0; i < record->length; i++) {
		if (record->payload[i] != recipe_byte(record->recipe, i))
			return false;
	}
	return true;
}

/* Sorted, every id exactly once, every byte as it was made? Says on stderr what is not. */
static int list_verify(const struct list *list, uint64_t records, uint64_t *checksum)
{
	unsigned char *seen = calloc(records, 1);
	uint64_t count = 0;
	const char *fault = NULL;

	if (!seen)
		return -ENOMEM;
	for (const struct record *record = list->head; record && !fault; record = record->next) {
		if (record->id >= records || seen[record->id]++)
			fault = "a record twice";
		else if (!record_intact(record))
			fault = "an altered record";
		else if (record->next && record_compare(record, record->next) >= 0)
			fault = "two records in the wrong order";
		*checksum = mix64_sum(*checksum, record->id);
		*checksum = mix64_sum(*checksum, record->recipe);
		*checksum = mix64_sum(*checksum, record->length);
		count++;
	}
	if (!fault && count != records)
		fault = "a record missing";
	if (fault)
		fprintf(stderr, "sort: found %s at place %" PRIu64 " of %" PRIu64 "\n", fault,
			count, records);
	free(seen);
	return fault ? -EIO : 0;
}

static int list_run(struct list *list, uint64_t records, uint64_t *checksum)
{
	for (uint64_t id = 0; id < records; id++) {
		if (list_add(list, id, 0))
			return -ENOMEM;
	}
	if (list_churn(list, records))
		return -ENOMEM;
	list->head = merge_sort(list->head);
	return list_verify(list, records, checksum);
}

static void list_free(struct list *list)
{
	while (list->head) {
		struct record *record = list->head;

		list->head = record->next;
		record_free(record);
	}
}

static int parse(uint64_t *records, uint64_t *seed, char **argv)
{
	struct args args = args_start("sort", argv);
	const char *argument;
	bool records_given = false;
	int error;

	while ((argument = args_next(&args))) {
		if (strcmp(argument, "--seed") == 0) {
			error = args_number(&args, argument, args_next(&args), 0, UINT64_MAX, seed);
		} else if (argument[0] == '-' || records_given) {
			error = args_unknown(&args, argument, "one N or --seed N");
		} else {
			error = args_number(&args, "N", argument, 1, MOST_RECORDS, records);
			records_given = true;
		}
		if (error)
			return error;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct list list = {.seed = DEFAULT_SEED};
	uint64_t records = DEFAULT_RECORDS;
	uint64_t checksum = 0;
	int error = parse(&records, &list.seed, argv);

	(void)argc;
	if (error)
		return error;

	error = list_run(&list, records, &checksum);
	if (error == -ENOMEM)
		fprintf(stderr, "sort: memory is exhausted\n");
	if (!error)
		printf("records %" PRIu64 "\nrenewed %" PRIu64 "\nresized %" PRIu64
		       "\nsorted and complete\nchecksum 0x%016" PRIx64 "\n",
		       records, list.renewed, list.resized, checksum);
	list_free(&list);
	return error ? 1 : 0;
}
