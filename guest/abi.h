/* SPDX-License-Identifier: MIT */
/*
 * The one contract that the guest kernel and the VMM share.
 *
 * Kernel command line (PVH start_info.cmdline_paddr), words separated by spaces:
 *
 *   window=PAGES      entries of the stage-1 window for user pages (default ABI_WINDOW_PAGES)
 *   table=NAME        organisation of the stage-1 table (default "clustered")
 *   tsc_khz=N         frequency of the time stamp counter; without it the kernel calibrates
 *   wall_ns=N         CLOCK_REALTIME at boot
 *   seed=N            what getrandom and AT_RANDOM are derived from
 *   slab_start=GPA    a run of RAM for the stage-1 table, of slab_size=BYTES, both multiples of
 *                     2 MiB, above the kernel's image and below the module, in the range that the
 *                     kernel is in: the VMM has it in one run of host memory and walks the table
 *                     there, if all of it is there
 *   cpus=N            CPUs that there are, 1 to ABI_CPUS_MAX (default 1); the kernel begins on
 *                     number 0 and starts the others by ABI_PORT_CPU
 *   disk=GPA          the registers of a virtio block device (virtio-mmio, version 2), at a
 *                     multiple of 512 where no RAM is: what the kernel swaps to. It may serve a
 *                     request while the register is written, or later; no interrupt is needed
 *   doorbells=1       the ports below from ABI_PORT_PUBLISH on exist: set by this VMM only
 *   name=TEXT         argv[0] of the program (percent-encoded, see below)
 *   -- ARG...         the program's further arguments; in them and in name=, bytes up to space,
 *                     '%' and bytes from 127 on stand as %XX; an empty argument stands as %
 *
 * The program, a static ELF, is the first PVH module; the second, if there is one, is the initial
 * archive, a cpio of the format newc (guest/archive.h). Both lie in one range of RAM. Every frame
 * of RAM that the start of the world does not name as used is zero when the guest first touches it,
 * and the kernel relies on it.
 */
#ifndef GUEST_ABI_H
#define GUEST_ABI_H

#include <stdint.h>

#include "guest/pvh.h"
#include "hpt/desc.h"
#include "hpt/histogram.h"
#include "hpt/hpt.h"

#define ABI_WINDOW_PAGES     4096
#define ABI_WINDOW_PAGES_MIN 16
#define ABI_WINDOW_PAGES_MAX (1 << 20)

/* What the program's stack has room for: the kernel refuses more, with 126; the VMM, with 64. */
#define ABI_ARGUMENTS_MAX 512 /* behind the program's name */
/* Name and arguments, decoded, with a zero behind each; then AT_RANDOM's 16 bytes, aligned. */
#define ABI_STRINGS_SIZE 32768
#define ABI_STRINGS_MAX	 (ABI_STRINGS_SIZE - 32)

/* CPUs of one guest. A CPU's number, from 0 on, is the ID of its local APIC as well. */
#define ABI_CPUS_MAX 32

/* Memory: RAM is [0, ABI_HOLE_START) and, for what is larger, from ABI_HOLE_END on. */
#define ABI_HOLE_START UINT64_C(0xc0000000)
#define ABI_HOLE_END   UINT64_C(0x100000000)

#define ABI_DISK_ALIGNMENT 512 /* of the disk's registers, and as many bytes */

#define ABI_PORT_COM1 0x3f8 /* stdout of the program */
#define ABI_PORT_COM2 0x2f8 /* stderr of the program and of the kernel */
#define ABI_PORT_EXIT 0xf4  /* 32-bit write: the guest ends with this status */

/* 32-bit write: the frame number of the struct abi_page of this guest, told once, early. */
#define ABI_PORT_PUBLISH 0x510
/* 32-bit write of anything: write out what abi_page.write describes. No answer: it cannot fail. */
#define ABI_PORT_WRITE 0x514

/* 32-bit write of anything: take abi_page.sample_count samples; the guest begins again at 0. */
#define ABI_PORT_SAMPLES 0x518

/* 32-bit write of anything: the next thing is the program's first instruction. No answer. */
#define ABI_PORT_START 0x51c

/*
 * 32-bit write of a CPU's number, once for each from 1 to cpus - 1: the CPU starts. CR0, CR4, EFER,
 * segments, GDT, IDT and TR are those of the CPU that asks, as they are there; CR3, RIP and RSP are
 * those of abi_page.cpu_start; RDI is its number; all other registers are 0, IF is clear. All that
 * is taken before the `out` completes, so cpu_start may be written again at once. A number that is
 * none of these, or of a CPU that has been started, is ignored and counted. The CPUs have local
 * APICs (at 0xfee00000, by MMIO) with KVM's timer and interrupts, and wait in HLT for those.
 */
#define ABI_PORT_CPU 0x520

/* A static PIE goes here: its addresses are counted from this one. */
#define ABI_RELOCATION_BASE 0x555555554000ull

/* gVA half of the kernel: its mappings are those of ASID 0. Programs have ASIDs from 1 on. */
#define ABI_KERNEL_HALF UINT64_C(0xffff800000000000)
#define ABI_ASID_KERNEL 0

/* A page of the kernel's that is in every space of a program: its entry is one of ASID 0, too. */
#define ABI_TRAP_PAGE UINT64_C(0x00007fffffffd000)

/* gVA of what each CPU has for itself, at the same address on each: to the end of the space. */
#define ABI_CPU_AREA UINT64_C(0xffffffffc0000000)

#define ABI_MAGIC   UINT64_C(0x3065676174736f77) /* "wostage0" */
#define ABI_VERSION 3

/*
 * One stage-1 fault: the low halves of the time stamp counter at the first instruction of the
 * handler, before and after the table lookup, and after the last store. Raw, since a histogram
 * would cost ring 0 more than the fault's own bookkeeping: the VMM makes one of them.
 */
struct abi_sample {
	uint32_t trap;
	uint32_t asked;
	uint32_t found;
	uint32_t installed;
};

#define ABI_SAMPLES 4096

/* A mapping of the program, as the kernel saw it used. */
struct abi_region {
	uint64_t start; /* gVA */
	uint64_t pages;
	uint64_t first_touches; /* lookups that found no entry */
};

#define ABI_REGIONS 16

struct abi_write {
	uint64_t gpa;  /* where the bytes are; they do not cross a page */
	uint32_t size; /* at most 4096 */
	uint32_t fd;   /* 1 or 2 */
};

/* Where a CPU begins. */
struct abi_cpu_start {
	uint64_t cr3;
	uint64_t rip;
	uint64_t rsp;
};

/* What the kernel publishes. Lives in its own page(s), written by the guest, read by the VMM. */
struct abi_page {
	uint64_t magic;
	uint32_t version;
	uint32_t panicked; /* the kernel itself gave up: its message is on stderr */
	struct abi_write write;
	struct abi_cpu_start cpu_start;
	uint64_t desc;			 /* gPA of the stage-1 table's struct hpt_desc */
	uint64_t counts;		 /* gPA of its struct hpt_counts */
	uint16_t asid[ABI_CPUS_MAX];	 /* the address space that runs on each CPU; 0: none */
	uint16_t own_asid[ABI_CPUS_MAX]; /* of each CPU's own area, from ABI_CPU_AREA on */
	uint64_t first_touches;		 /* faults whose lookup found no entry */
	uint64_t refills;		 /* faults whose lookup found one: the window had lost it */
	uint64_t more_probes;		 /* lines that those lookups read, beyond one for each */
	uint64_t protection; /* faults that the mapping forbids, and programs killed for it */
	/*
	 * Window entries that went because their mapping did. What was evicted to make room is
	 * first_touches + refills - drops - window_resident.
	 */
	uint64_t drops;
	uint64_t copies; /* pages touched first by the kernel, for a system call or the loader */
	uint64_t forks;
	uint64_t pages_copied; /* written for the first time while another process had them */
	/* Of pages on the disk (guest/swap.h); swapped_lookups = swap_ins where the disk is read.
	 */
	uint64_t swapped_lookups; /* accesses whose lookup found where the page is on the disk */
	uint64_t swap_ins;	  /* pages that were read from there, */
	uint64_t swap_outs;	  /* and written */
	uint64_t swap_spared;	  /* were to go, but were touched in time */
	uint64_t swap_errors;	  /* requests that the disk answered with an error */
	uint64_t swap_slots;	  /* pages that the disk has room for */
	uint64_t swap_slots_used;
	uint64_t pages_taken;  /* the same, when no other had them any more: not copied */
	uint64_t window_pages; /* of all CPUs */
	uint64_t window_resident;
	uint64_t pinned; /* window entries of the kernel's own mappings */
	uint64_t system_calls;
	uint64_t unknown_calls;
	uint64_t unknown_last; /* number of the last one */
	uint64_t
		syscall_stays; /* SYSCALL does not switch rings here (pvm): the trap page is used */
	uint64_t tsc_khz;
	/*
	 * Bytes of the stage-1 table's memory, with the index of its spaces (hpt/space.h), in the
	 * slab and outside of it. A walker that knows the slab alone finds all of the table if none
	 * are outside.
	 */
	uint64_t table_in_slab;
	uint64_t table_outside;
	uint64_t samples; /* gPA of struct abi_sample[ABI_SAMPLES] */
	uint64_t sample_count;
	struct abi_region regions[ABI_REGIONS]; /* the largest by pages, largest first */
	/* One doorbell, out to back, in cycles: what leaving for the VMM costs. */
	struct hpt_histogram exits;
};

#endif
