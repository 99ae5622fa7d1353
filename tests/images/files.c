/* SPDX-License-Identifier: MIT */
/*
 * Files, directories, links and devices, of the tree that tests/guest/tree.sh makes: natively in
 * the working directory, in the guest as its archive. All paths but those of devices are relative.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tests/images/report.h"
#include "tests/images/wild.h"

#define BIG   100000
#define EMPTY 0x1000 /* AT_EMPTY_PATH */
#define BASIC 0x7ff  /* STATX_BASIC_STATS */

static char buffer[BIG + 10];

static int open_or_end(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void check_open(struct report *report)
{
	int directory = open_or_end("data", O_RDONLY | O_DIRECTORY);
	int file = open_or_end("data/one", O_RDONLY);
	char name[300], path[5000];

	memset(name, 'n', sizeof(name));
	name[256] = 0;
	memset(path, '/', sizeof(path));
	path[4500] = 0;
	report_call(report, "what is not there", open("data/none", O_RDONLY), ENOENT);
	report_call(report, "in what is not there", open("none/one", O_RDONLY), ENOENT);
	report_call(report, "in a file", open("data/one/x", O_RDONLY), ENOTDIR);
	report_call(report, "a file as a directory", open("data/one/", O_RDONLY), ENOTDIR);
	report_call(report, "and by a flag", open("data/one", O_RDONLY | O_DIRECTORY), ENOTDIR);
	report_call(report, "a directory for writing", open("data", O_WRONLY), EISDIR);
	report_call(report, "no path", open("", O_RDONLY), ENOENT);
	report_call(report, "a long name", open(name, O_RDONLY), ENAMETOOLONG);
	report_call(report, "a long path", open(path, O_RDONLY), ENAMETOOLONG);
	report_call(report, "one that must not be there",
		    open("data/one", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
	report_call(report, "dots and slashes", close(open(".//data/../data/./one", O_RDONLY)), 0);
	report_call(report, "above the root", close(open("/../../dev/null", O_RDONLY)), 0);
	report_call(report, "from a directory", close(openat(directory, "one", O_RDONLY)), 0);
	report_call(report, "from a file", openat(file, "one", O_RDONLY), ENOTDIR);
	report_call(report, "from nothing", openat(999, "one", O_RDONLY), EBADF);
	report_call(report, "from nothing, from the root", close(openat(999, "/dev/null", 0)), 0);
	report_call(report, "writing what was opened for reading", write(file, "x", 1), EBADF);
	report_call(report, "reading a directory", read(directory, buffer, 10), EISDIR);
	close(directory);
	close(file);
}

static void check_read(struct report *report)
{
	int fd = open_or_end("data/big", O_RDONLY), same = dup(fd);
	long size, total = 0, wrong = 0;

	while ((size = read(fd, buffer + total, 7777)) > 0)
		total += size;
	for (long i = 0; i < total; i++)
		wrong += buffer[i] != (char)('0' + i % 10);
	report_value(report, "bytes of a file", total, BIG);
	report_value(report, "that are wrong", wrong, 0);
	report_value(report, "behind its end", read(fd, buffer, 10), 0);
	report_value(report, "SEEK_SET", lseek(fd, 12345, SEEK_SET), 12345);
	report_value(report, "a duplicate is there, too", lseek(same, 0, SEEK_CUR), 12345);
	report_value(report, "a byte", read(same, buffer, 1), 1);
	report_value(report, "from there", buffer[0], '5');
	report_value(report, "SEEK_CUR", lseek(fd, -6, SEEK_CUR), 12340);
	report_value(report, "SEEK_END", lseek(fd, -3, SEEK_END), BIG - 3);
	report_value(report, "up to the end", read(fd, buffer, 10), 3);
	report_value(report, "beyond the end", lseek(fd, 10, SEEK_END), BIG + 10);
	report_value(report, "there is nothing", read(fd, buffer, 10), 0);
	report_call(report, "before the start", lseek(fd, -1, SEEK_SET), EINVAL);
	report_call(report, "from nowhere", lseek(fd, 0, 9), EINVAL);
	report_value(report, "pread", pread(fd, buffer, 4, 99998), 2);
	report_value(report, "moves nothing", lseek(fd, 0, SEEK_CUR), BIG + 10);
	report_call(report, "pread before the start", pread(fd, buffer, 4, -1), EINVAL);
	report_value(report, "pread beyond the end", pread(fd, buffer, 4, BIG + 1), 0);
	close(fd);
	close(same);
	fd = open_or_end("data/empty", O_RDONLY);
	report_value(report, "an empty file", read(fd, buffer, 10), 0);
	close(fd);
}

static void check_stat(struct report *report)
{
	struct stat stat_of, other;
	uint64_t extended[32] = {0}; /* struct statx, which musl may not know */
	int fd = open_or_end("data/big", O_RDONLY);

	report_call(report, "stat", stat("data/big", &stat_of), 0);
	report_value(report, "mode", stat_of.st_mode, S_IFREG | 0640);
	report_value(report, "size", stat_of.st_size, BIG);
	report_value(report, "names", (long)stat_of.st_nlink, 2);
	report_value(report, "modified", stat_of.st_mtime, 1000000000);
	report_call(report, "fstat", fstat(fd, &other), 0);
	report_true(report, "is the same", other.st_ino == stat_of.st_ino);
	report_call(report, "another name", stat("hard", &other), 0);
	report_true(report, "of the same", other.st_ino == stat_of.st_ino);
	report_value(report, "as long", other.st_size, BIG);
	report_call(report, "a directory", stat("data", &stat_of), 0);
	report_value(report, "its mode", stat_of.st_mode, S_IFDIR | 0755);
	report_value(report, "its names", (long)stat_of.st_nlink, 3);
	report_call(report, "a link", lstat("links/one", &stat_of), 0);
	report_value(report, "its type", stat_of.st_mode & S_IFMT, S_IFLNK);
	report_value(report, "its length", stat_of.st_size, 11);
	report_call(report, "where it leads", stat("links/one", &stat_of), 0);
	report_value(report, "a file of", stat_of.st_size, 4);
	report_call(report, "a descriptor", syscall(SYS_newfstatat, fd, "", &other, EMPTY), 0);
	report_value(report, "its size", other.st_size, BIG);
	report_call(report, "unknown flags", syscall(SYS_newfstatat, fd, "", &other, 1), EINVAL);
	report_call(report, "statx", syscall(SYS_statx, AT_FDCWD, "data/big", 0, BASIC, extended),
		    0);
	report_value(report, "its size", (long)extended[5], BIG);
	report_value(report, "its mode", (long)(extended[3] >> 32 & 0xffff), S_IFREG | 0640);
	report_call(report, "statx of a descriptor",
		    syscall(SYS_statx, fd, "", EMPTY, BASIC, extended), 0);
	report_value(report, "its size", (long)extended[5], BIG);
	report_call(report, "stat of nothing", stat("data/none", &stat_of), ENOENT);
	close(fd);
}

static int by_name(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

static void check_list(struct report *report)
{
	char *names[20];
	unsigned int count = 0;
	struct dirent *entry;
	DIR *directory = opendir("links");
	int fd = open_or_end("data", O_RDONLY), file = open_or_end("data/one", O_RDONLY);
	long rest, total = 0, calls = 0;

	while (directory && count < 20 && (entry = readdir(directory))) {
		names[count] = strdup(entry->d_name);
		count++;
	}
	qsort(names, count, sizeof(names[0]), by_name);
	for (unsigned int i = 0; i < count; i++)
		report_call(report, names[i], 0, 0);
	closedir(directory);
	report_call(report, "a list of a file", syscall(SYS_getdents64, file, buffer, 100),
		    ENOTDIR);
	report_call(report, "no room", syscall(SYS_getdents64, fd, buffer, 10), EINVAL);
	for (; (rest = syscall(SYS_getdents64, fd, buffer, 40)) > 0; calls++)
		total += rest;
	report_value(report, "the end of a list", rest, 0);
	report_true(report, "that was read in parts", calls > 2 && total > 100);
	close(fd);
	close(file);
}

static void check_links(struct report *report)
{
	report_value(report, "readlink", readlink("links/one", buffer, 100), 11);
	report_true(report, "leads there", !memcmp(buffer, "../data/one", 11));
	report_value(report, "a part of it", readlink("links/one", buffer, 4), 4);
	report_call(report, "of a file", readlink("data/one", buffer, 100), EINVAL);
	report_call(report, "into nothing", syscall(SYS_readlink, "links/one", buffer, 0), EINVAL);
	report_call(report, "a loop", open("links/loop", O_RDONLY), ELOOP);
	report_call(report, "to nowhere", open("links/nowhere", O_RDONLY), ENOENT);
	report_call(report, "that is not followed", open("links/one", O_RDONLY | O_NOFOLLOW),
		    ELOOP);
	report_call(report, "to a directory", close(open("links/data/one", O_RDONLY)), 0);
	report_call(report, "and back", close(open("links/data/../data/one", O_RDONLY)), 0);
	report_call(report, "to a link", close(open("links/chain", O_RDONLY)), 0);
	report_call(report, "to a file, as a directory", open("links/one/", O_RDONLY), ENOTDIR);
}

static void check_access(struct report *report)
{
	report_call(report, "there", access("data/one", F_OK), 0);
	report_call(report, "not there", access("data/none", F_OK), ENOENT);
	report_call(report, "to be read", access("data/one", R_OK), 0);
	report_call(report, "not to be executed", access("data/one", X_OK), EACCES);
	report_call(report, "to be executed", access("bin/execute", X_OK), 0);
	report_call(report, "a directory", access("data", X_OK), 0);
	report_call(report, "unknown modes", access("data", 8), EINVAL);
	report_call(report, "a device to be written", access("/dev/null", W_OK), 0);
	report_call(report, "faccessat2",
		    syscall(SYS_faccessat2, AT_FDCWD, "links/nowhere", F_OK, AT_SYMLINK_NOFOLLOW),
		    0);
}

static void check_directory(struct report *report)
{
	char before[4096], path[4096];
	int fd = open_or_end(".", O_RDONLY), file;
	long length = syscall(SYS_getcwd, before, sizeof(before));

	report_true(report, "getcwd counts the zero", length == (long)strlen(before) + 1);
	report_call(report, "chdir", chdir("links/data"), 0);
	report_call(report, "is where files are", close(open("one", O_RDONLY)), 0);
	report_true(report, "getcwd",
		    getcwd(path, sizeof(path)) && strlen(path) >= 5 &&
			    !strcmp(path + strlen(path) - 5, "/data"));
	report_call(report, "no room", syscall(SYS_getcwd, path, 3), ERANGE);
	report_call(report, "to a file", chdir("one"), ENOTDIR);
	report_call(report, "to nothing", chdir("none"), ENOENT);
	file = open_or_end("one", O_RDONLY);
	report_call(report, "fchdir to a file", fchdir(file), ENOTDIR);
	report_call(report, "fchdir", fchdir(fd), 0);
	report_true(report, "back again", getcwd(path, sizeof(path)) && !strcmp(path, before));
	umask(022);
	report_value(report, "umask", umask(077), 022);
	report_value(report, "the last one", umask(022), 077);
	close(fd);
	close(file);
}

static void check_devices(struct report *report)
{
	int null = open_or_end("/dev/null", O_RDWR), zero = open_or_end("/dev/zero", O_RDWR);
	struct stat stat_of;
	long sum = 0;

	memset(buffer, 1, 5000);
	report_value(report, "null is at its end", read(null, buffer, 10), 0);
	report_value(report, "and takes all", write(null, buffer, 5000), 5000);
	report_value(report, "zero has zeroes", read(zero, buffer, 5000), 5000);
	for (int i = 0; i < 5000; i++)
		sum += buffer[i];
	report_value(report, "nothing else", sum, 0);
	report_value(report, "and takes all", write(zero, buffer, 5000), 5000);
	report_value(report, "lseek stays", lseek(null, 100, SEEK_SET), 0);
	report_call(report, "stat", fstat(zero, &stat_of), 0);
	report_value(report, "type", stat_of.st_mode & S_IFMT, S_IFCHR);
	report_true(report, "number", stat_of.st_rdev == makedev(1, 5));
	report_call(report, "is no terminal", ioctl(null, 0x5401, buffer), ENOTTY);
	report_call(report, "as a directory", open("/dev/null/x", O_RDONLY), ENOTDIR);
	close(null);
	close(zero);
}

static void check_wild(struct report *report)
{
	int fd = open_or_end("data/big", O_RDONLY), directory = open_or_end("data", O_RDONLY);
	long here = AT_FDCWD, one = (long)"data/one";

	wild_pointers(report, "open", SYS_open, (long[4]){0}, 0);
	wild_pointers(report, "openat", SYS_openat, (long[4]){here}, 1);
	wild_pointers(report, "stat", SYS_stat, (long[4]){0, (long)buffer}, 0);
	wild_pointers(report, "stat to", SYS_stat, (long[4]){one}, 1);
	wild_pointers(report, "lstat", SYS_lstat, (long[4]){0, (long)buffer}, 0);
	wild_pointers(report, "newfstatat", SYS_newfstatat, (long[4]){here, 0, (long)buffer}, 1);
	wild_pointers(report, "newfstatat to", SYS_newfstatat, (long[4]){here, one}, 2);
	wild_pointers(report, "statx", SYS_statx, (long[4]){here, 0, 0, 0x7ff}, 1);
	wild_pointers(report, "access", SYS_access, (long[4]){0}, 0);
	wild_pointers(report, "readlink", SYS_readlink, (long[4]){0, (long)buffer, 9}, 0);
	wild_pointers(report, "readlink to", SYS_readlink, (long[4]){(long)"links/one", 0, 9}, 1);
	wild_pointers(report, "chdir", SYS_chdir, (long[4]){0}, 0);
	wild_pointers(report, "getcwd", SYS_getcwd, (long[4]){0, 4096}, 0);
	wild_pointers(report, "getdents64", SYS_getdents64, (long[4]){directory, 0, 100}, 1);
	wild_pointers(report, "read", SYS_read, (long[4]){fd, 0, 100}, 1);
	wild_pointers(report, "pread64", SYS_pread64, (long[4]){fd, 0, 100, 5}, 1);
	wild_numbers(report, "getdents64 of none", SYS_getdents64, (long[4]){0, (long)buffer, 99},
		     0);
	wild_numbers(report, "fchdir to none", SYS_fchdir, (long[4]){0}, 0);
	wild_numbers(report, "pread64 of none", SYS_pread64, (long[4]){0, (long)buffer, 9, 0}, 0);
	report_value(report, "nothing was read", lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	close(directory);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"open", check_open},		{"read", check_read},
		{"stat", check_stat},		{"list", check_list},
		{"links", check_links},		{"access", check_access},
		{"directory", check_directory}, {"devices", check_devices},
		{"wild", check_wild},		{NULL, NULL},
	};
	struct args args = args_start("files", argv);

	(void)argc;
	return report_main(&args, sections);
}
