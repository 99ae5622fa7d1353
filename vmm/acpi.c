/* SPDX-License-Identifier: MIT */
#include "vmm/acpi.h"

#include <string.h>

#define LOCAL_APIC UINT32_C(0xfee00000)
#define IO_APIC	   UINT32_C(0xfec00000)

#define MADT_HAS_8259 1u

enum madt_type { MADT_LOCAL_APIC = 0, MADT_IO_APIC = 1, MADT_NMI = 4 };

#define MADT_ENABLED  1u
#define MADT_ALL_CPUS 0xff
#define MADT_LINT1    1

#define SCI 9 /* the interrupt of power management, which never comes */

/* FADT, IAPC_BOOT_ARCH */
#define BOOT_LEGACY_DEVICES (1u << 0)
#define BOOT_NO_VGA	    (1u << 2)
#define BOOT_NO_RTC	    (1u << 5)

/* FADT, flags */
#define FADT_WBINVD	     (1u << 0)
#define FADT_NO_POWER_BUTTON (1u << 4)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_RESET	     (1u << 10)

#define NO_C2 101 /* microseconds: more than a CPU may take for it */
#define NO_C3 1001

#define SPACE_IO 1

struct rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t whole_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[6];
	char oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access; /* bytes, as a power of two plus 1 */
	uint64_t address;
} __attribute__((packed));

struct xsdt {
	struct header header;
	uint64_t tables[2];
} __attribute__((packed));

struct fadt {
	struct header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved;
	uint8_t profile;
	uint16_t sci;
	uint32_t smi_port; /* 0: ACPI is on */
	uint8_t smi_values[4];
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cst_value;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_boot;
	uint8_t minor_revision;
	uint64_t x_facs, x_dsdt;
	struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control,
		x_pm_timer, x_gpe0, x_gpe1;
	struct address sleep_control, sleep_status;
} __attribute__((packed));

struct facs {
	char signature[4];
	uint32_t length;
	uint8_t rest[56];
} __attribute__((packed));

/* Name (_S5, Package (4) {0, 0, 0, 0}): what is written to switch off. */
struct dsdt {
	struct header header;
	uint8_t code[12];
} __attribute__((packed));

struct madt {
	struct header header;
	uint32_t local_apic;
	uint32_t flags;
} __attribute__((packed));

struct madt_local_apic {
	uint8_t type, length, processor, id;
	uint32_t flags;
} __attribute__((packed));

struct madt_io_apic {
	uint8_t type, length, id, reserved;
	uint32_t address, first_interrupt;
} __attribute__((packed));

struct madt_nmi {
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t line;
} __attribute__((packed));

_Static_assert(sizeof(struct rsdp) == 36 && sizeof(struct header) == 36, "as specified");
_Static_assert(sizeof(struct fadt) == 268 && sizeof(struct facs) == 64, "revision 5");

/* The FACS is aligned to 64 bytes. */
#define AT_XSDT 64
#define AT_FADT 128
#define AT_FACS 448
#define AT_DSDT 512
#define AT_MADT 576

static uint8_t checksum(const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *byte++);
	return (uint8_t)-sum;
}

static struct header header_of(const char *signature, size_t length, uint8_t revision)
{
	struct header header = {.length = (uint32_t)length,
				.revision = revision,
				.oem = {'T', 'W', 'O', 'S', 'T', 'G'},
				.oem_table = {'T', 'W', 'O', 'S', 'T', 'A', 'G', 'E'},
				.oem_revision = 1,
				.creator = {'T', 'W', 'O', 'S'},
				.creator_revision = 1};

	memcpy(header.signature, signature, sizeof(header.signature));
	return header;
}

/* Puts a table that begins with a header in its place. */
static void put(uint8_t *bytes, size_t at, const void *table, size_t size)
{
	struct header *header = (struct header *)(bytes + at);

	memcpy(bytes + at, table, size);
	header->checksum = checksum(bytes + at, header->length);
}

static void put_rsdp(uint8_t *bytes)
{
	struct rsdp rsdp = {.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
			    .oem = {'T', 'W', 'O', 'S', 'T', 'G'},
			    .revision = 2,
			    .length = sizeof(rsdp),
			    .xsdt = ACPI_START + AT_XSDT};

	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.whole_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(bytes, &rsdp, sizeof(rsdp));
}

static void put_xsdt(uint8_t *bytes)
{
	const struct xsdt xsdt = {.header = header_of("XSDT", sizeof(xsdt), 1),
				  .tables = {ACPI_START + AT_FADT, ACPI_START + AT_MADT}};

	put(bytes, AT_XSDT, &xsdt, sizeof(xsdt));
}

static struct address port(uint16_t number, unsigned int size)
{
	return (struct address){.space = SPACE_IO,
				.bits = (uint8_t)(size * 8),
				.access = (uint8_t)(size == 1 ? 1 : 2),
				.address = number};
}

static void put_fadt(uint8_t *bytes)
{
	const struct fadt fadt = {
		.header = header_of("FACP", sizeof(fadt), 5),
		.facs = ACPI_START + AT_FACS,
		.dsdt = ACPI_START + AT_DSDT,
		.sci = SCI,
		.pm1a_event = ACPI_PORT_STATUS,
		.pm1a_control = ACPI_PORT_CONTROL,
		.pm1_event_length = 4,
		.pm1_control_length = 2,
		.c2_latency = NO_C2,
		.c3_latency = NO_C3,
		.boot = BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_RTC,
		.flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON | FADT_RESET,
		.reset = port(ACPI_PORT_RESET, 1),
		.reset_value = ACPI_RESET_VALUE,
		.x_facs = ACPI_START + AT_FACS,
		.x_dsdt = ACPI_START + AT_DSDT,
		.x_pm1a_event = port(ACPI_PORT_STATUS, 4),
		.x_pm1a_control = port(ACPI_PORT_CONTROL, 2),
	};
	const struct facs facs = {.signature = {'F', 'A', 'C', 'S'}, .length = sizeof(facs)};
	const struct dsdt dsdt = {
		.header = header_of("DSDT", sizeof(dsdt), 2),
		.code = {0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0},
	};

	put(bytes, AT_FADT, &fadt, sizeof(fadt));
	memcpy(bytes + AT_FACS, &facs, sizeof(facs));
	put(bytes, AT_DSDT, &dsdt, sizeof(dsdt));
}

/* Returns where it ends. */
static size_t put_madt(uint8_t *bytes, unsigned int cpus)
{
	const struct madt_io_apic io_apic = {
		.type = MADT_IO_APIC, .length = sizeof(io_apic), .address = IO_APIC};
	const struct madt_nmi nmi = {.type = MADT_NMI,
				     .length = sizeof(nmi),
				     .processor = MADT_ALL_CPUS,
				     .line = MADT_LINT1};
	size_t size = sizeof(struct madt) + cpus * sizeof(struct madt_local_apic) +
		      sizeof(io_apic) + sizeof(nmi);
	const struct madt madt = {.header = header_of("APIC", size, 4),
				  .local_apic = LOCAL_APIC,
				  .flags = MADT_HAS_8259};
	uint8_t *at = bytes + AT_MADT + sizeof(madt);

	for (unsigned int i = 0; i < cpus; i++, at += sizeof(struct madt_local_apic)) {
		const struct madt_local_apic local = {.type = MADT_LOCAL_APIC,
						      .length = sizeof(local),
						      .processor = (uint8_t)i,
						      .id = (uint8_t)i,
						      .flags = MADT_ENABLED};

		memcpy(at, &local, sizeof(local));
	}
	memcpy(at, &io_apic, sizeof(io_apic));
	memcpy(at + sizeof(io_apic), &nmi, sizeof(nmi));
	put(bytes, AT_MADT, &madt, sizeof(madt));
	return AT_MADT + size;
}

size_t acpi_build(uint8_t bytes[ACPI_SIZE], unsigned int cpus)
{
	memset(bytes, 0, ACPI_SIZE);
	put_rsdp(bytes);
	put_xsdt(bytes);
	put_fadt(bytes);
	return put_madt(bytes, cpus);
}
