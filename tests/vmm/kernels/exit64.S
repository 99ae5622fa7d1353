/* SPDX-License-Identifier: MIT */
/* Exits with 64, which is also a status of the VMM's own. */
#include "kernel.inc"

start:
	finish 64
