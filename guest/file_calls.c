/* SPDX-License-Identifier: MIT */
/* See file_calls.h. */
#include "guest/file_calls.h"

#include "guest/directory.h"
#include "guest/exec.h"
#include "guest/files.h"
#include "guest/path.h"
#include "guest/poll.h"
#include "guest/stat.h"
#include "guest/transfer.h"
#include "guest/trap.h"

int64_t sys_read(struct trap_frame *f)
{
	return transfer_read((int32_t)f->rdi, f->rsi, f->rdx);
}

int64_t sys_write(struct trap_frame *f)
{
	return transfer_write((int32_t)f->rdi, f->rsi, f->rdx);
}

int64_t sys_open(struct trap_frame *f)
{
	return directory_open(PATH_HERE, f->rdi, (uint32_t)f->rsi);
}

int64_t sys_close(struct trap_frame *f)
{
	return files_close((int32_t)f->rdi);
}

int64_t sys_stat(struct trap_frame *f)
{
	return stat_path(PATH_HERE, f->rdi, f->rsi, 0);
}

int64_t sys_fstat(struct trap_frame *f)
{
	return stat_open((int32_t)f->rdi, f->rsi);
}

int64_t sys_lstat(struct trap_frame *f)
{
	return stat_path(PATH_HERE, f->rdi, f->rsi, PATH_NOFOLLOW);
}

int64_t sys_poll(struct trap_frame *f)
{
	return poll(f->rdi, (uint32_t)f->rsi, (int32_t)f->rdx);
}

int64_t sys_lseek(struct trap_frame *f)
{
	return transfer_seek((int32_t)f->rdi, (int64_t)f->rsi, (uint32_t)f->rdx);
}

int64_t sys_ioctl(struct trap_frame *f)
{
	return files_device_control((int32_t)f->rdi, (uint32_t)f->rsi, f->rdx);
}

int64_t sys_pread64(struct trap_frame *f)
{
	return transfer_read_at((int32_t)f->rdi, f->rsi, f->rdx, (int64_t)f->r10);
}

int64_t sys_pwrite64(struct trap_frame *f)
{
	return transfer_write_at((int32_t)f->rdi, f->rsi, f->rdx, (int64_t)f->r10);
}

int64_t sys_readv(struct trap_frame *f)
{
	return transfer_read_vector((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx);
}

int64_t sys_writev(struct trap_frame *f)
{
	return transfer_write_vector((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx);
}

int64_t sys_access(struct trap_frame *f)
{
	return directory_access(PATH_HERE, f->rdi, (uint32_t)f->rsi, 0);
}

int64_t sys_pipe(struct trap_frame *f)
{
	return files_pipe(f->rdi, 0);
}

int64_t sys_dup(struct trap_frame *f)
{
	return files_duplicate((int32_t)f->rdi, 0, 0);
}

int64_t sys_dup2(struct trap_frame *f)
{
	return files_duplicate_to((int32_t)f->rdi, (int32_t)f->rsi);
}

int64_t sys_execve(struct trap_frame *f)
{
	return exec_call(f, f->rdi, f->rsi, f->rdx);
}

int64_t sys_fcntl(struct trap_frame *f)
{
	return files_control((int32_t)f->rdi, (uint32_t)f->rsi, f->rdx);
}

int64_t sys_getcwd(struct trap_frame *f)
{
	return directory_current(f->rdi, f->rsi);
}

int64_t sys_chdir(struct trap_frame *f)
{
	return directory_change(f->rdi);
}

int64_t sys_fchdir(struct trap_frame *f)
{
	return directory_change_to((int32_t)f->rdi);
}

int64_t sys_readlink(struct trap_frame *f)
{
	return directory_read_link(PATH_HERE, f->rdi, f->rsi, (int32_t)f->rdx);
}

int64_t sys_umask(struct trap_frame *f)
{
	return files_mask((uint32_t)f->rdi);
}

int64_t sys_getdents64(struct trap_frame *f)
{
	return directory_list((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx);
}

int64_t sys_openat(struct trap_frame *f)
{
	return directory_open((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx);
}

int64_t sys_newfstatat(struct trap_frame *f)
{
	return stat_path((int32_t)f->rdi, f->rsi, f->rdx, (uint32_t)f->r10);
}

int64_t sys_readlinkat(struct trap_frame *f)
{
	return directory_read_link((int32_t)f->rdi, f->rsi, f->rdx, (int32_t)f->r10);
}

int64_t sys_faccessat(struct trap_frame *f)
{
	return directory_access((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx, 0);
}

int64_t sys_ppoll(struct trap_frame *f)
{
	return poll_masked(f->rdi, (uint32_t)f->rsi, f->rdx, f->r10, f->r8);
}

int64_t sys_dup3(struct trap_frame *f)
{
	return files_duplicate_as((int32_t)f->rdi, (int32_t)f->rsi, (uint32_t)f->rdx);
}

int64_t sys_pipe2(struct trap_frame *f)
{
	return files_pipe(f->rdi, (uint32_t)f->rsi);
}

int64_t sys_statx(struct trap_frame *f)
{
	return stat_extended((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx, (uint32_t)f->r10, f->r8);
}

int64_t sys_faccessat2(struct trap_frame *f)
{
	return directory_access((int32_t)f->rdi, f->rsi, (uint32_t)f->rdx, (uint32_t)f->r10);
}
