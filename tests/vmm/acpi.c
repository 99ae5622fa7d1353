/* SPDX-License-Identifier: MIT */
/* The ACPI tables, read by offsets of the specification (6.5), as a kernel would. */
#include <criterion/criterion.h>

#include <string.h>

#include "vmm/acpi.h"

static uint8_t bytes[ACPI_SIZE];

static const uint8_t *at(uint64_t gpa)
{
	cr_assert_geq(gpa, ACPI_START);
	cr_assert_lt(gpa, ACPI_START + ACPI_SIZE);
	return bytes + (gpa - ACPI_START);
}

static uint32_t word(const uint8_t *table, size_t offset)
{
	uint32_t value;

	memcpy(&value, table + offset, sizeof(value));
	return value;
}

static uint64_t quad(const uint8_t *table, size_t offset)
{
	return word(table, offset) | (uint64_t)word(table, offset + 4) << 32;
}

static uint8_t sum(const uint8_t *table, size_t size)
{
	uint8_t total = 0;

	while (size--)
		total = (uint8_t)(total + table[size]);
	return total;
}

/* The table of this signature, with a length and a checksum that are right. */
static const uint8_t *find(const char *signature)
{
	const uint8_t *xsdt = at(quad(bytes, 24));

	cr_assert_eq(memcmp(xsdt, "XSDT", 4), 0);
	cr_assert_eq(sum(xsdt, word(xsdt, 4)), 0);
	for (size_t offset = 36; offset < word(xsdt, 4); offset += 8) {
		const uint8_t *table = at(quad(xsdt, offset));

		if (memcmp(table, signature, 4))
			continue;
		cr_assert_leq((size_t)(table - bytes) + word(table, 4), ACPI_SIZE);
		cr_assert_eq(sum(table, word(table, 4)), 0);
		return table;
	}
	cr_assert_fail("no %s", signature);
	return NULL;
}

Test(acpi, the_root_is_found_and_whole)
{
	cr_assert_leq(acpi_build(bytes, 2), ACPI_SIZE);
	cr_assert_eq(memcmp(bytes, "RSD PTR ", 8), 0);
	cr_expect_eq(bytes[15], 2, "revision");
	cr_expect_eq(sum(bytes, 20), 0);
	cr_expect_eq(sum(bytes, 36), 0);
	cr_expect_eq(ACPI_START % 16, 0);
}

Test(acpi, each_cpu_has_its_local_apic)
{
	for (unsigned int cpus = 1; cpus <= 32; cpus++) {
		unsigned int locals = 0, others = 0;
		const uint8_t *madt;

		cr_assert_leq(acpi_build(bytes, cpus), ACPI_SIZE);
		madt = find("APIC");
		cr_expect_eq(word(madt, 36), 0xfee00000);
		cr_expect_eq(word(madt, 40) & 1, 1, "8259s");
		for (size_t offset = 44; offset < word(madt, 4); offset += madt[offset + 1]) {
			cr_assert_gt(madt[offset + 1], 0);
			if (madt[offset] == 0) {
				cr_expect_eq(madt[offset + 2], locals);
				cr_expect_eq(madt[offset + 3], locals, "APIC ID");
				cr_expect_eq(word(madt, offset + 4), 1, "enabled");
				locals++;
			} else if (madt[offset] == 1) {
				cr_expect_eq(word(madt, offset + 4), 0xfec00000);
				cr_expect_eq(word(madt, offset + 8), 0, "first interrupt");
				others++;
			} else {
				cr_expect_eq(madt[offset], 4, "NMI");
				others++;
			}
		}
		cr_expect_eq(locals, cpus);
		cr_expect_eq(others, 2);
	}
}

Test(acpi, the_fixed_hardware_is_the_devices)
{
	const uint8_t *fadt, *facs, *dsdt;

	acpi_build(bytes, 3);
	fadt = find("FACP");
	cr_expect_eq(word(fadt, 48), 0, "no SMI command: ACPI is on");
	cr_expect_eq(word(fadt, 56), ACPI_PORT_STATUS);
	cr_expect_eq(word(fadt, 64), ACPI_PORT_CONTROL);
	cr_expect_eq(word(fadt, 112) & 1u << 20, 0, "there is a PIC");
	cr_expect_eq(quad(fadt, 120), ACPI_PORT_RESET);
	cr_expect_eq(fadt[128], ACPI_RESET_VALUE);
	cr_expect_eq(quad(fadt, 132), word(fadt, 36), "FACS");
	cr_expect_eq(quad(fadt, 140), word(fadt, 40), "DSDT");
	facs = at(word(fadt, 36));
	cr_expect_eq(memcmp(facs, "FACS", 4), 0);
	cr_expect_eq(word(fadt, 36) % 64, 0);
	cr_expect_eq(word(facs, 4), 64);
	dsdt = at(word(fadt, 40));
	cr_expect_eq(memcmp(dsdt, "DSDT", 4), 0);
	cr_expect_eq(sum(dsdt, word(dsdt, 4)), 0);
}
