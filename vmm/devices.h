/* SPDX-License-Identifier: MIT */
/*
 * Everything that the guest reaches by port: two serial ports, debug exit, the doorbells of
 * guest/abi.h, and the interrupt controllers' masks, which stay all ones. All other ports read as
 * ones and ignore writes, too, but are counted.
 *
 * A kernel that others wrote finds a PC instead (devices_make_pc()): serial ports with interrupts
 * and input, debug exit, the two ports by which PCs are reset, the registers of power management,
 * and no doorbells. Interrupt
 * controllers and timer are KVM's then, whose ports never come here.
 *
 * What a doorbell says is the guest's word: it is checked field by field, and what is wrong is
 * counted and ignored, with one diagnostic (the first) on the error console.
 */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/console.h"
#include "vmm/guest_read.h"
#include "vmm/samples.h"
#include "vmm/serial.h"

/* What the devices of a PC lead to. */
struct devices_pc {
	void (*interrupt)(void *context, unsigned int number, bool high); /* an ISA interrupt */
	bool (*input)(void *context, uint8_t *byte); /* the next byte for COM1, if there is one */
	void *context;
};

struct abi_cpu_start;

/* Starts a CPU of the guest (ABI_PORT_CPU); a negative errno if the number makes no sense. */
typedef int devices_start_fn(void *context, uint32_t number, const struct abi_cpu_start *start);

struct devices {
	struct console *out; /* COM1 and fd 1 */
	struct console *err; /* COM2, fd 2 and diagnostics */
	guest_read_fn *read;
	void *context;
	struct serial com1;
	struct serial com2;
	bool exited;
	uint8_t exit_status;
	const char *exit_reason; /* static text: "exit", "reset" or "power off" */
	bool is_pc;
	uint8_t power[6]; /* of a PC: the registers of power management (acpi.h) */
	struct devices_pc pc;
	devices_start_fn *start_cpu; /* NULL: there is one CPU */
	unsigned int cpus;
	bool published;
	bool started;		/* the built-in kernel has said that the program begins */
	gpa_t page;		/* of the struct abi_page, once published */
	struct samples samples; /* what the guest has handed over so far */
	uint64_t ignored_doorbells;
	uint64_t unknown_ports; /* bytes accessed at ports where nothing is */
};

/* The consoles stay the caller's and outlive the devices. */
void devices_init(struct devices *devices, struct console *out, struct console *err,
		  guest_read_fn *read, void *context);

/* Before the guest runs: it has so many CPUs, of which it starts all but one. */
void devices_add_cpus(struct devices *devices, devices_start_fn *start, unsigned int cpus);

/* Before the guest runs. Of `pc` a copy is kept. */
void devices_make_pc(struct devices *devices, const struct devices_pc *pc);

/* Gives COM1 of the input as much as it wants. Also done after each access that may make it want.
 */
void devices_feed(struct devices *devices);

/* One access of `size` bytes (1, 2 or 4). `data` holds what is written, or gets what is read. */
void devices_write(struct devices *devices, uint16_t port, unsigned int size, const void *data);
void devices_read(struct devices *devices, uint16_t port, unsigned int size, void *data);

#endif
