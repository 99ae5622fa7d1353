/* SPDX-License-Identifier: MIT */
/*
 * The state of the devices of a machine, in one struct without pointers. Consoles are
 * not in it: they are written out before the state is read.
 */
#ifndef VMM_DEVICE_STATE_H
#define VMM_DEVICE_STATE_H

#include <stdint.h>

#include "vmm/devices.h"

struct serial_state {
	uint16_t divisor;
	uint8_t interrupts;
	uint8_t line;
	uint8_t modem;
	uint8_t scratch;
	uint8_t fifo;
	uint8_t transmitted;
	uint8_t received[SERIAL_FIFO_SIZE]; /* `count` bytes, the oldest first */
	uint8_t again[SERIAL_FIFO_SIZE];    /* `again_count` bytes */
	uint8_t count;
	uint8_t again_count;
	uint8_t high;
	uint8_t reserved[1];
	uint32_t polls;
};

struct device_state {
	struct serial_state com1;
	struct serial_state com2;
	uint8_t exited;
	uint8_t exit_status;
	uint8_t published;
	uint8_t started;
	uint8_t power[6]; /* of a PC */
	uint8_t reserved[6];
	uint64_t page;
	uint64_t ignored_doorbells;
	uint64_t unknown_ports;
	struct samples samples; /* the guest's own counts go on as well, in its memory */
};

void device_state_read(struct device_state *state, const struct devices *devices);

/* Into devices that devices_init() has made. The state may be anything. */
void device_state_write(const struct device_state *state, struct devices *devices);

#endif
