/* SPDX-License-Identifier: MIT */
/* The order of the kernel's start. */
#include <stdint.h>

#include "guest/archive.h"
#include "guest/boot.h"
#include "guest/clock.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/disk.h"
#include "guest/exec.h"
#include "guest/frames.h"
#include "guest/node.h"
#include "guest/publish.h"
#include "guest/stage1.h"
#include "guest/swap.h"
#include "guest/trap.h"

void kernel_main(uint32_t start_info);

void kernel_main(uint32_t start_info)
{
	cpu_start();
	console_start();
	boot_read(start_info);
	frames_start();
	stage1_start();
	publish_start();
	disk_start();
	swap_start();
	clock_start();
	node_start();
	archive_start();
	trap_probe_syscall(exec_start);
}
