/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a stream of operations on a table and its model (stream.h). With -fsanitize=fuzzer the
 * fuzzer drives it; built without (HPT_FUZZ_MAIN), it replays the files named on its command line.
 *
 * The first two bytes choose organisation and features; a record that is not whole is left out.
 */
#include <stdio.h>
#include <string.h>

#include "tests/hpt/stream.h"

#define RECORDS_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stream_record records[RECORDS_MAX];
	struct stream stream = {.records = records};

	if (size < 2)
		return 0;
	stream.organisation = (enum hpt_organisation)(data[0] % HPT_ORGANISATIONS);
	stream.features = data[1] | (unsigned int)(data[0] >> 7) << 8;
	stream.count = (size - 2) / sizeof(*records);
	if (stream.count > RECORDS_MAX)
		stream.count = RECORDS_MAX;
	memcpy(records, data + 2, stream.count * sizeof(*records));
	stream_run(&stream);
	return 0;
}

#ifdef HPT_FUZZ_MAIN
static int replay(const char *name)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(name, "rb");
	size_t size;

	if (!file) {
		perror(name);
		return 1;
	}
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, size);
	return 0;
}

int main(int count, char **names)
{
	int failed = 0;

	for (int i = 1; i < count; i++)
		failed |= replay(names[i]);
	return failed;
}
#endif
