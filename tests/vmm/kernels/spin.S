/* SPDX-License-Identifier: MIT */
/* Never ends: 124 with a timeout. */
#include "kernel.inc"

start:
	pause
	jmp start
