/* SPDX-License-Identifier: MIT */
/* The system calls of open files, paths and programs: their arguments, taken from the registers. */
#ifndef GUEST_FILE_CALLS_H
#define GUEST_FILE_CALLS_H

#include <stdint.h>

struct trap_frame;

int64_t sys_read(struct trap_frame *f);
int64_t sys_write(struct trap_frame *f);
int64_t sys_open(struct trap_frame *f);
int64_t sys_close(struct trap_frame *f);
int64_t sys_stat(struct trap_frame *f);
int64_t sys_fstat(struct trap_frame *f);
int64_t sys_lstat(struct trap_frame *f);
int64_t sys_poll(struct trap_frame *f);
int64_t sys_lseek(struct trap_frame *f);
int64_t sys_ioctl(struct trap_frame *f);
int64_t sys_pread64(struct trap_frame *f);
int64_t sys_pwrite64(struct trap_frame *f);
int64_t sys_readv(struct trap_frame *f);
int64_t sys_writev(struct trap_frame *f);
int64_t sys_access(struct trap_frame *f);
int64_t sys_pipe(struct trap_frame *f);
int64_t sys_dup(struct trap_frame *f);
int64_t sys_dup2(struct trap_frame *f);
int64_t sys_execve(struct trap_frame *f);
int64_t sys_fcntl(struct trap_frame *f);
int64_t sys_getcwd(struct trap_frame *f);
int64_t sys_chdir(struct trap_frame *f);
int64_t sys_fchdir(struct trap_frame *f);
int64_t sys_readlink(struct trap_frame *f);
int64_t sys_umask(struct trap_frame *f);
int64_t sys_getdents64(struct trap_frame *f);
int64_t sys_openat(struct trap_frame *f);
int64_t sys_newfstatat(struct trap_frame *f);
int64_t sys_readlinkat(struct trap_frame *f);
int64_t sys_faccessat(struct trap_frame *f);
int64_t sys_ppoll(struct trap_frame *f);
int64_t sys_dup3(struct trap_frame *f);
int64_t sys_pipe2(struct trap_frame *f);
int64_t sys_statx(struct trap_frame *f);
int64_t sys_faccessat2(struct trap_frame *f);

#endif
