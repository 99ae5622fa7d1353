/* SPDX-License-Identifier: MIT */
/* Starting the program that the boot module holds. */
#ifndef GUEST_EXEC_H
#define GUEST_EXEC_H

/*
 * Lays out the program's segments and its stack (argc, argv, envp, auxv) and enters it. An image
 * that is not a static x86-64 ELF ends the guest with a message and status 126, as a shell does.
 */
__attribute__((noreturn)) void exec_start(void);

#endif
