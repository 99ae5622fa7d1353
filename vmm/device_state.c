/* SPDX-License-Identifier: MIT */
#include "vmm/device_state.h"

#include <string.h>

static struct serial_state read_serial(const struct serial *serial)
{
	struct serial_state state = {
		.divisor = serial->divisor,
		.interrupts = serial->interrupts,
		.line = serial->line,
		.modem = serial->modem,
		.scratch = serial->scratch,
		.fifo = serial->fifo,
		.transmitted = serial->transmitted,
		.count = (uint8_t)serial->count,
		.again_count = (uint8_t)serial->again_count,
		.high = serial->high,
		.polls = serial->polls,
	};

	for (unsigned int i = 0; i < serial->count; i++)
		state.received[i] = serial->received[(serial->first + i) % SERIAL_FIFO_SIZE];
	memcpy(state.again, serial->again, serial->again_count);
	return state;
}

static unsigned int at_most_fifo(unsigned int count)
{
	return count <= SERIAL_FIFO_SIZE ? count : SERIAL_FIFO_SIZE;
}

/* The sink is the port's own. */
static void write_serial(const struct serial_state *state, struct serial *serial)
{
	serial->divisor = state->divisor;
	serial->interrupts = state->interrupts;
	serial->line = state->line;
	serial->modem = state->modem;
	serial->scratch = state->scratch;
	serial->fifo = state->fifo;
	serial->transmitted = state->transmitted;
	memcpy(serial->received, state->received, sizeof(serial->received));
	memcpy(serial->again, state->again, sizeof(serial->again));
	serial->first = 0;
	serial->count = at_most_fifo(state->count);
	serial->again_count = at_most_fifo(state->again_count);
	serial->high = state->high;
	serial->polls = state->polls;
}

void device_state_read(struct device_state *state, const struct devices *devices)
{
	memset(state, 0, sizeof(*state));
	state->com1 = read_serial(&devices->com1);
	state->com2 = read_serial(&devices->com2);
	state->exited = devices->exited;
	state->exit_status = devices->exit_status;
	state->published = devices->published;
	state->started = devices->started;
	memcpy(state->power, devices->power, sizeof(state->power));
	state->page = devices->page;
	state->ignored_doorbells = devices->ignored_doorbells;
	state->unknown_ports = devices->unknown_ports;
	state->samples = devices->samples;
}

void device_state_write(const struct device_state *state, struct devices *devices)
{
	write_serial(&state->com1, &devices->com1);
	write_serial(&state->com2, &devices->com2);
	devices->exited = state->exited;
	devices->exit_status = state->exit_status;
	devices->exit_reason = "exit";
	devices->published = state->published;
	devices->started = state->started;
	memcpy(devices->power, state->power, sizeof(devices->power));
	devices->page = state->page;
	devices->ignored_doorbells = state->ignored_doorbells;
	devices->unknown_ports = state->unknown_ports;
	devices->samples = state->samples;
}
