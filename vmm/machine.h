/* SPDX-License-Identifier: MIT */
/*
 * The machine: second stage, VM, vCPU and devices, with a kernel loaded and ready to run.
 *
 *	machine_create() -> machine_run() -> look into it -> machine_destroy()
 *
 * After the guest ended everything stays readable: its memory through guest_read() and ept_*(),
 * its first stage through machine_translate() and vmm/stage1.h, its registers by KVM_GET_REGS.
 *
 * A machine is used by the thread that created it. machine_run() has threads of its own (loop.h),
 * which are gone when it returns; the handlers of ept stay.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ept/ept.h"
#include "vmm/console.h"
#include "vmm/devices.h"
#include "vmm/gate.h"
#include "vmm/image.h"
#include "vmm/input.h"
#include "vmm/kvm.h"
#include "vmm/message.h"
#include "vmm/pin.h"
#include "vmm/virtio_block.h"
#include "vmm/working_set.h"

/* Less is no machine that a kernel can do something in; more has no room in the window. */
#define MACHINE_MEM_MIN (UINT64_C(4) << 20)
/* An instruction may need pages of code, data, stack and paging all at once. */
#define MACHINE_HOST_MEM_MIN (UINT64_C(64) << 10)
#define MACHINE_MEM_MAX	     (EPT_WINDOW_BLOCKS * EPT_BLOCK_SIZE)

/* As many files can be handed to a multiboot kernel; all others take one. */
#define MACHINE_MODULES_MAX 8

/* Where the disk's registers are: in the hole, away from interrupt controllers. */
#define MACHINE_DISK UINT64_C(0xd0000000)

struct snapshot;
struct snapshot_request;
struct walk_check;

/* A file that the kernel finds in memory: a program, an initrd. */
struct machine_module {
	const void *bytes;
	size_t size;
	const char *name;
};

struct machine_config {
	uint64_t mem;	   /* bytes of guest RAM, a multiple of 4 KiB, MACHINE_MEM_MIN to _MAX */
	uint64_t host_mem; /* bytes of host frames, a multiple of 4 KiB */
	const char *swap;  /* the file where pages go for which that is too little; NULL: unnamed */
	enum ept_pages host_pages;
	bool dedup;	     /* pages of equal content share a frame */
	bool clones;	     /* machine_clone() may be called (vmm/clone.h); not with `dedup` */
	uint64_t sample_ns;  /* between samples of the working set; 0: none */
	unsigned int around; /* pages that a first touch in a sequence may get; 0: as 1 */
	enum hpt_organisation organisation; /* of the host table */
	uint64_t seed;
	uint64_t timeout_ns; /* how long the guest may run; 0: without limit */
	unsigned int cpus;   /* vCPUs, at most KVM_VCPUS_MAX; 0: one */
	/*
	 * Each vCPU's thread and a handler of ept to one CPU, as many as there are: misses take
	 * half the time.
	 */
	bool pin;
	const struct image *kernel; /* accepted, of a kind that image_is_kernel() */
	const void *kernel_bytes;
	size_t kernel_size;
	const char *name;	  /* of the kernel's file, for a multiboot kernel */
	const char *command_line; /* of the kernel */
	bool clocks;		  /* put the keys tsc_khz and wall_ns of guest/abi.h before it */
	uint64_t table_slab;	  /* bytes for its table (vmm/table_slab.h); 0: no slab */
	struct machine_module modules[MACHINE_MODULES_MAX];
	unsigned int module_count;
	/*
	 * Interrupt controllers, so that HLT waits for an interrupt. Several vCPUs need them, and
	 * the built-in kernel.
	 */
	bool apics;
	/*
	 * What a kernel that others wrote finds in a PC: interrupt controllers, a timer, input.
	 * Linux and multiboot kernels need it; a PVH kernel may do without.
	 */
	bool pc;
	int in_fd;  /* a PC: what its console reads; -1: nothing */
	int out_fd; /* the guest's console and standard output */
	int err_fd; /* its standard error, and the devices' diagnostics */
	/* A block device at MACHINE_DISK, which outlives the machine; NULL: none; not of a PC. */
	const struct disk *disk;
	struct snapshot_request *snapshot; /* NULL: none shall be taken; not with a disk */
	const struct snapshot *restore;	   /* goes on from there; no kernel then; NULL: boots */
	struct walk_check *walk_check;	   /* NULL: none; else what walks when (vmm/walk_check.h) */
};

enum machine_ender { MACHINE_GUEST, MACHINE_VMM };

/* How the guest ended. */
struct machine_exit {
	enum machine_ender by;
	unsigned int vcpu; /* on which, if it was on one */
	int status;	   /* the guest's own, or one of vmm/status.h */
	char reason[512];  /* one line: "exit", "timeout: ...", "triple fault", ... */
	bool has_address;  /* the access that failed is known: */
	gpa_t address;
	bool has_wrong_gva; /* a walk was wrong (STATUS_INTERNAL), to this address: */
	uint64_t wrong_gva;
};

/* Exits from the guest on one vCPU, by what was done about them. */
struct machine_counts {
	uint64_t entries; /* KVM_RUN calls that reached the guest or an interruption */
	uint64_t port;	  /* exits for port I/O */
	uint64_t mmio;	  /* accesses to addresses where nothing is */
	uint64_t interruptions;
};

struct machine {
	struct machine_config config;
	struct ept_range ranges[EPT_RANGES_MAX];
	unsigned int range_count;
	struct ept_range slab; /* size 0: none */
	struct ept ept;
	bool has_ept;
	struct kvm kvm;
	struct console out;
	struct console err;
	struct devices devices;
	struct input input;				  /* of a PC, while it runs */
	struct virtio_block disk;			  /* only with config.disk */
	struct machine_counts vcpu_counts[KVM_VCPUS_MAX]; /* of each by its own thread */
	struct working_set working_set;
	uint64_t run_ns; /* how long machine_run() took */
	struct pin pin;
	struct gate gate;
	pthread_mutex_t lock; /* of devices and consoles, while vCPUs run */
	unsigned int serving; /* the vCPU whose exit is served, under the lock */
	int wake_fd;	      /* eventfd: gets the keeper (loop.h) to look around */
	pid_t keeper;	      /* its thread; 0: there is none; atomic */
	bool host_failed;     /* ept gave up on a miss: atomic, set by its handler */
};

/* Guest RAM for `mem` bytes: up to the hole, and behind it. Returns how many ranges (1 or 2). */
unsigned int machine_layout(uint64_t mem, struct ept_range ranges[EPT_RANGES_MAX]);

/* The same in the loader's form, to be given to image_parse(). */
void machine_ram(uint64_t mem, struct image_ram *ram);

/*
 * Makes the machine in *machine, which must not move until machine_destroy(). The kernel and the
 * modules are copied; everything else that the configuration points to is no longer needed either.
 * On failure nothing is left and the message says what to do about it.
 */
int machine_create(struct machine *machine, const struct machine_config *config,
		   struct message *message);

/* Runs until the guest ends, dies, or runs out of time. Call it once. It cannot fail otherwise. */
void machine_run(struct machine *machine, struct machine_exit *how);

/*
 * What the guest's own paging on a vCPU says about `gva` (KVM_TRANSLATE: a walk of the tables under
 * CR3; the identity while paging is off). -ENOENT if they have no translation.
 */
int machine_translate(struct machine *machine, unsigned int vcpu, uint64_t gva, gpa_t *gpa);

/* The sum over all vCPUs. */
struct machine_counts machine_counts(const struct machine *machine);

/*
 * Reads guest memory without touching it (ept_peek()): -EFAULT if any byte is not guest RAM, and
 * then nothing is read; -EIO where a page is in the swap file, which cannot be read.
 */
int guest_read(struct machine *machine, gpa_t gpa, void *target, uint64_t size);

/*
 * One access of `size` bytes (1 to 8) to a gPA that is no RAM. False where nothing is: what is
 * read are ones then.
 */
bool machine_mmio_read(struct machine *machine, gpa_t gpa, unsigned int size, void *data);
bool machine_mmio_write(struct machine *machine, gpa_t gpa, unsigned int size, const void *data);

void machine_destroy(struct machine *machine);

/* For vmm/clone.c: what a machine is made of, around a second stage that it has. */
void machine_make_devices(struct machine *machine);
int machine_make_gate(struct machine *machine, struct message *message);
int machine_create_vm(struct machine *machine, struct message *message);

#endif
