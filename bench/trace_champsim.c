/* SPDX-License-Identifier: MIT */
/* Traces of ChampSim; the record is `struct input_instr` of its inc/trace_instruction.h. */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/trace_reader.h"

#define STORES 2
#define LOADS  4

struct champsim_record {
	uint64_t ip;
	uint8_t is_branch;
	uint8_t branch_taken;
	uint8_t destination_registers[2];
	uint8_t source_registers[4];
	uint64_t destination_memory[STORES];
	uint64_t source_memory[LOADS];
};

_Static_assert(sizeof(struct champsim_record) == 64, "ChampSim's record has 64 bytes");

static void load_record(struct champsim_record *record, const char *bytes)
{
	memcpy(record, bytes, sizeof(*record));
	record->ip = le64toh(record->ip);
	for (int i = 0; i < STORES; i++)
		record->destination_memory[i] = le64toh(record->destination_memory[i]);
	for (int i = 0; i < LOADS; i++)
		record->source_memory[i] = le64toh(record->source_memory[i]);
}

static bool valid(const struct champsim_record *record)
{
	bool well = record->ip && trace_canonical(record->ip) && record->is_branch <= 1 &&
		    record->branch_taken <= 1;

	for (int i = 0; i < STORES; i++)
		well &= trace_canonical(record->destination_memory[i]);
	for (int i = 0; i < LOADS; i++)
		well &= trace_canonical(record->source_memory[i]);
	return well;
}

static int refuse_flag(struct trace *trace, const char *field, size_t byte, uint8_t found)
{
	return trace_refuse(trace, field, byte, "found %d, wanted 0 or 1", found);
}

static int refuse_operand(struct trace *trace, const char *name, int i, size_t byte,
			  uint64_t address)
{
	char field[32];

	snprintf(field, sizeof(field), "%s[%d]", name, i);
	return trace_refuse(trace, field, byte, "found 0x%" PRIx64 ", wanted 0 or " TRACE_CANONICAL,
			    address);
}

/* Names the first field that is not valid(). */
static int refuse(struct trace *trace, const struct champsim_record *record)
{
	int load = 0;

	if (!record->ip)
		return trace_refuse(trace, "ip", 0,
				    "found 0, wanted the address of an instruction");
	if (!trace_canonical(record->ip))
		return trace_refuse(trace, "ip", 0, "found 0x%" PRIx64 ", wanted " TRACE_CANONICAL,
				    record->ip);
	if (record->is_branch > 1)
		return refuse_flag(trace, "is_branch", offsetof(struct champsim_record, is_branch),
				   record->is_branch);
	if (record->branch_taken > 1)
		return refuse_flag(trace, "branch_taken",
				   offsetof(struct champsim_record, branch_taken),
				   record->branch_taken);
	for (int i = 0; i < STORES; i++) {
		if (!trace_canonical(record->destination_memory[i]))
			return refuse_operand(
				trace, "destination_memory", i,
				offsetof(struct champsim_record, destination_memory[i]),
				record->destination_memory[i]);
	}
	/* Nothing else is left. */
	while (load < LOADS - 1 && trace_canonical(record->source_memory[load]))
		load++;
	return refuse_operand(trace, "source_memory", load,
			      offsetof(struct champsim_record, source_memory[load]),
			      record->source_memory[load]);
}

/* Text is never taken for it: bytes 8 and 9 of a text are not 0 or 1. */
static bool champsim_begins(const char *bytes, size_t size)
{
	struct champsim_record record;

	if (size < sizeof(record))
		return false;
	load_record(&record, bytes);
	return valid(&record);
}

static int emit(struct trace *trace, enum trace_kind kind, const uint64_t *addresses, int count,
		struct trace_access *out)
{
	int emitted = 0;

	for (int i = 0; i < count; i++) {
		if (!addresses[i])
			continue;
		out[emitted++] = (struct trace_access){addresses[i], 1, (uint8_t)kind};
		trace->counts.upper_half += addresses[i] >> 63;
	}
	trace->counts.accesses[kind] += (uint64_t)emitted;
	return emitted;
}

static int champsim_read(struct trace *trace, const char *bytes, size_t size,
			 struct trace_access *out)
{
	struct champsim_record record;
	int count;

	(void)size;
	load_record(&record, bytes);
	if (!valid(&record))
		return refuse(trace, &record);
	trace->counts.instructions++;
	count = emit(trace, TRACE_FETCH, &record.ip, 1, out);
	count += emit(trace, TRACE_LOAD, record.source_memory, LOADS, out + count);
	return count + emit(trace, TRACE_STORE, record.destination_memory, STORES, out + count);
}

const struct trace_reader trace_champsim_reader = {
	.begins = champsim_begins,
	.read = champsim_read,
	.record_size = sizeof(struct champsim_record),
};
