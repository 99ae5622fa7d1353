/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of a PC with several CPUs (Advanced Configuration and Power Interface
 * Specification, 6.5, chapter 5), by which kernels find the CPUs' local APICs:
 *
 *	RSDP -> XSDT -> MADT	local APICs (ID i is CPU i), the I/O APIC, the NMI line
 *		     -> FADT	what of the hardware is there: the registers of reset and of power
 *				management
 *			-> FACS, DSDT (how to switch off; no devices)
 *
 * They lie where kernels look for the RSDP in any case, in what firmware keeps for itself.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stddef.h>
#include <stdint.h>

#define ACPI_START UINT64_C(0xe0000) /* gPA of the RSDP, and of the rest behind it */
#define ACPI_END   UINT64_C(0x100000)
#define ACPI_SIZE  2048 /* of all of them, at most */

/*
 * The registers of power management (devices.c): no event ever comes, enable and control keep what
 * is written, and ACPI_SLEEP in control switches the PC off, since the only sleep that the DSDT
 * offers is that (S5).
 */
#define ACPI_PORT_STATUS  0x600 /* 2 bytes each */
#define ACPI_PORT_ENABLE  0x602
#define ACPI_PORT_CONTROL 0x604
#define ACPI_PORT_END	  0x606
#define ACPI_SLEEP	  (1u << 13)

/* Where PCs are reset, and by what (FADT, as chipsets of Intel have it). */
#define ACPI_PORT_RESET	 0xcf9
#define ACPI_RESET_VALUE 6

/* Builds the tables for `cpus` CPUs, at most 32, as they lie from ACPI_START on. Their size. */
size_t acpi_build(uint8_t bytes[ACPI_SIZE], unsigned int cpus);

#endif
