/* SPDX-License-Identifier: MIT */
#include "vmm/devices.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "guest/abi.h"
#include "vmm/acpi.h"

#define PAGE_MASK (HPT_PAGE_SIZE - 1)

/* The masks of the two interrupt controllers of a PC, which kernels write to switch them off. */
#define PORT_PIC1_MASK 0x21
#define PORT_PIC2_MASK 0xa1

/*
 * The two ways to reset a PC, with ACPI or without: a command of the keyboard controller that
 * pulses the processor's reset line, and the reset control register of chipsets.
 */
#define PORT_KEYBOARD  0x64
#define KEYBOARD_RESET 0xfe
#define RESET_CPU      0x04

/* The ISA interrupts of serial ports. */
#define COM1_INTERRUPT 4
#define COM2_INTERRUPT 3

static void sink(void *console, uint8_t byte)
{
	console_put(console, &byte, 1);
}

void devices_init(struct devices *devices, struct console *out, struct console *err,
		  guest_read_fn *read, void *context)
{
	*devices = (struct devices){.out = out, .err = err, .read = read, .context = context};
	serial_init(&devices->com1, sink, out);
	serial_init(&devices->com2, sink, err);
}

static void com1_changed(void *context, bool high)
{
	struct devices *devices = context;

	devices->pc.interrupt(devices->pc.context, COM1_INTERRUPT, high);
}

static void com2_changed(void *context, bool high)
{
	struct devices *devices = context;

	devices->pc.interrupt(devices->pc.context, COM2_INTERRUPT, high);
}

static bool next_input(void *context, uint8_t *byte)
{
	struct devices *devices = context;

	return devices->pc.input(devices->pc.context, byte);
}

void devices_make_pc(struct devices *devices, const struct devices_pc *pc)
{
	const struct serial_wire com1 = {com1_changed, next_input, devices};
	const struct serial_wire com2 = {com2_changed, NULL, devices};

	devices->is_pc = true;
	devices->pc = *pc;
	serial_connect(&devices->com1, &com1);
	serial_connect(&devices->com2, &com2);
}

void devices_add_cpus(struct devices *devices, devices_start_fn *start, unsigned int cpus)
{
	devices->start_cpu = start;
	devices->cpus = cpus;
}

void devices_feed(struct devices *devices)
{
	serial_feed(&devices->com1);
}

/* Counts what a doorbell is ignored for; says it the first time only, a guest could flood us. */
__attribute__((format(printf, 2, 3))) static void ignore(struct devices *devices,
							 const char *format, ...)
{
	va_list arguments;
	char text[160];
	char line[256];

	if (devices->ignored_doorbells++)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(line, sizeof(line),
		 "twostage: guest: doorbell ignored: %s (further ones are only counted)\n", text);
	console_put(devices->err, line, strlen(line));
}

static void publish(struct devices *devices, uint32_t frame)
{
	gpa_t gpa = (gpa_t)frame << HPT_PAGE_SHIFT;
	struct abi_page page;

	if (devices->published) {
		ignore(devices, "publish: found a second page, wanted one");
	} else if (devices->read(devices->context, gpa, &page, sizeof(page))) {
		ignore(devices, "publish: found frame 0x%" PRIx32 ", wanted guest RAM", frame);
	} else {
		devices->page = gpa;
		devices->published = true;
	}
}

/* What the guest asks to write, if every field of it can be believed. */
static bool read_request(struct devices *devices, struct abi_write *request)
{
	if (!devices->published) {
		ignore(devices, "write: found no published page, wanted one");
		return false;
	}
	if (devices->read(devices->context, devices->page + offsetof(struct abi_page, write),
			  request, sizeof(*request))) {
		ignore(devices, "write: the published page cannot be read");
		return false;
	}
	if (request->fd != 1 && request->fd != 2) {
		ignore(devices, "write: fd: found %" PRIu32 ", wanted 1 or 2", request->fd);
		return false;
	}
	if (request->size > HPT_PAGE_SIZE - (request->gpa & PAGE_MASK)) {
		ignore(devices,
		       "write: found gpa 0x%" PRIx64 " and size %" PRIu32
		       ", wanted bytes of one page",
		       request->gpa, request->size);
		return false;
	}
	return true;
}

static void write_out(struct devices *devices)
{
	uint8_t bytes[HPT_PAGE_SIZE];
	struct console *console;
	struct abi_write request;

	if (!read_request(devices, &request))
		return;
	if (devices->read(devices->context, request.gpa, bytes, request.size)) {
		ignore(devices, "write: gpa: found 0x%" PRIx64 ", wanted guest RAM", request.gpa);
		return;
	}
	console = request.fd == 1 ? devices->out : devices->err;
	console_put(console, bytes, request.size);
	/* One call of the program's write(2) is one write here, be there an end of line or not. */
	console->due = true;
}

static void take_samples(struct devices *devices)
{
	if (!devices->published)
		ignore(devices, "samples: found no published page, wanted one");
	else if (samples_take(&devices->samples, devices->read, devices->context, devices->page))
		ignore(devices, "samples: found more than %d, or no guest RAM", ABI_SAMPLES);
}

static void start_cpu(struct devices *devices, uint32_t number)
{
	struct abi_cpu_start start;

	if (!devices->published)
		ignore(devices, "cpu: found no published page, wanted one");
	else if (devices->read(devices->context,
			       devices->page + offsetof(struct abi_page, cpu_start), &start,
			       sizeof(start)))
		ignore(devices, "cpu: the published page cannot be read");
	else if (!devices->start_cpu || devices->start_cpu(devices->context, number, &start))
		ignore(devices,
		       "cpu: found %" PRIu32
		       ", wanted the number of one of %u CPUs that has not been started, and a "
		       "state that it can start in",
		       number, devices->start_cpu ? devices->cpus : 1);
}

static void write_doorbell(struct devices *devices, uint16_t port, unsigned int size,
			   const void *data)
{
	uint32_t value;

	if (size != sizeof(value)) {
		ignore(devices, "port 0x%x: found a write of %u bytes, wanted 4", port, size);
		return;
	}
	memcpy(&value, data, sizeof(value));
	if (port == ABI_PORT_PUBLISH)
		publish(devices, value);
	else if (port == ABI_PORT_WRITE)
		write_out(devices);
	else if (port == ABI_PORT_START)
		devices->started = true;
	else if (port == ABI_PORT_CPU)
		start_cpu(devices, value);
	else
		take_samples(devices);
}

static bool is_doorbell(const struct devices *devices, uint16_t port)
{
	return !devices->is_pc &&
	       (port == ABI_PORT_PUBLISH || port == ABI_PORT_WRITE || port == ABI_PORT_SAMPLES ||
		port == ABI_PORT_START || port == ABI_PORT_CPU);
}

/* The serial port that decodes `port`, and the register's number; NULL if neither does. */
static struct serial *find_serial(struct devices *devices, uint16_t port, unsigned int *offset)
{
	if (port >= ABI_PORT_COM1 && port < ABI_PORT_COM1 + SERIAL_PORTS) {
		*offset = port - ABI_PORT_COM1;
		return &devices->com1;
	}
	if (port >= ABI_PORT_COM2 && port < ABI_PORT_COM2 + SERIAL_PORTS) {
		*offset = port - ABI_PORT_COM2;
		return &devices->com2;
	}
	return NULL;
}

/*
 * There are no interrupts, so a mask is all ones for ever, whatever is written. A kernel that
 * probes finds no controller by that.
 */
static bool is_interrupt_mask(uint16_t port)
{
	return port == PORT_PIC1_MASK || port == PORT_PIC2_MASK;
}

/* Only a byte counts: a wider access that covers the port of chipsets is one to PCI's address. */
static bool is_reset(const struct devices *devices, uint16_t port, unsigned int size, uint8_t value)
{
	return devices->is_pc && size == 1 &&
	       ((port == PORT_KEYBOARD && value == KEYBOARD_RESET) ||
		(port == ACPI_PORT_RESET && value & RESET_CPU));
}

/* The first one counts, as another CPU may write there before it is stopped. */
static void leave(struct devices *devices, uint8_t status, const char *reason)
{
	if (devices->exited)
		return;
	devices->exited = true;
	devices->exit_status = status;
	devices->exit_reason = reason;
}

/* The register of power management at a port (acpi.h), or NULL. */
static uint8_t *find_power(struct devices *devices, uint16_t port)
{
	if (!devices->is_pc || port < ACPI_PORT_STATUS || port >= ACPI_PORT_END)
		return NULL;
	return &devices->power[port - ACPI_PORT_STATUS];
}

static bool is_power_off(const struct devices *devices, uint16_t port, unsigned int size,
			 const uint8_t *bytes)
{
	return devices->is_pc && port == ACPI_PORT_CONTROL && size >= 2 &&
	       bytes[1] & ACPI_SLEEP >> 8;
}

/* A serial port is eight bits wide: a wider access is one to each of the ports it covers. */
static void write_byte(struct devices *devices, uint16_t port, uint8_t value)
{
	unsigned int offset;
	struct serial *serial = find_serial(devices, port, &offset);
	uint8_t *power = find_power(devices, port);

	if (serial)
		serial_write(serial, offset, value);
	else if (power && port >= ACPI_PORT_ENABLE)
		*power = value;
	else if (!power && !is_interrupt_mask(port))
		devices->unknown_ports++;
}

static uint8_t read_byte(struct devices *devices, uint16_t port)
{
	unsigned int offset;
	struct serial *serial = find_serial(devices, port, &offset);
	const uint8_t *power = find_power(devices, port);

	if (serial)
		return serial_read(serial, offset);
	if (power)
		return *power;
	if (!is_interrupt_mask(port))
		devices->unknown_ports++;
	return 0xff;
}

void devices_write(struct devices *devices, uint16_t port, unsigned int size, const void *data)
{
	const uint8_t *bytes = data;

	if (port == ABI_PORT_EXIT) {
		leave(devices, bytes[0], "exit");
	} else if (is_reset(devices, port, size, bytes[0])) {
		leave(devices, 0, "reset");
	} else if (is_power_off(devices, port, size, bytes)) {
		leave(devices, 0, "power off");
	} else if (is_doorbell(devices, port)) {
		write_doorbell(devices, port, size, data);
	} else {
		for (unsigned int i = 0; i < size; i++)
			write_byte(devices, (uint16_t)(port + i), bytes[i]);
		devices_feed(devices);
	}
}

void devices_read(struct devices *devices, uint16_t port, unsigned int size, void *data)
{
	uint8_t *bytes = data;

	for (unsigned int i = 0; i < size; i++)
		bytes[i] = read_byte(devices, (uint16_t)(port + i));
	devices_feed(devices);
}
