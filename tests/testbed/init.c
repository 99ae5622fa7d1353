// SPDX-License-Identifier: MIT
/*
 * The testbed's /init: sets up a bare machine, runs one command, hands its output and its exit
 * status out of the machine, and switches the machine off.
 *
 * Three lists in the initramfs say what to do, each a file of NUL-terminated strings (so that any
 * argument arrives unaltered, the empty one too):
 *
 *	/modules/list	module files, in the order in which they can be loaded
 *	/environment	NAME=VALUE, all that the command gets
 *	/command	the command and its arguments
 *
 * Three virtio ports lead out: 1 takes stdout, 2 takes stderr, 3 takes the status as a decimal
 * line. A port is no terminal, so bytes pass unaltered; QEMU writes them to a file before write()
 * returns here, so nothing is lost when the machine stops. The status needs a port of its own:
 * QEMU shifts what isa-debug-exit is told and cuts it to 7 bits.
 *
 * The command gets pipes, not the ports themselves: a port can be opened only once, which breaks
 * /dev/stdout, and it writes at most 32 KiB a call.
 *
 * Where something fails before the command could run, the reason goes to the kernel console and no
 * status is written; that is how the outside tells a broken testbed from a failed command.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEBUG_EXIT_PORT 0x501
#define PORT_WAIT_MS	10000
#define RELAY_BYTES	65536

enum { STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127, STATUS_SIGNAL = 128 };
enum { VPORT_STDOUT = 1, VPORT_STDERR = 2, VPORT_STATUS = 3 };

/* One stream of the command on its way out. */
struct relay {
	int pipe; /* read end; -1 once the last writer is gone */
	int port;
};

/* Ends the machine at once; the value that QEMU exits with carries no meaning. */
static void __attribute__((noreturn)) power_off(void)
{
	if (ioperm(DEBUG_EXIT_PORT, 1, 1) == 0)
		outb(0, DEBUG_EXIT_PORT);
	/* Not reached while the device is there. Leaving PID 1 panics, which ends QEMU as well. */
	_exit(1);
}

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "init: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	power_off();
}

static void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) != 0)
		die("cannot mount %s at %s", type, where);
}

static void mount_all(void)
{
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("devtmpfs", "/dev");
	mount_at("tmpfs", "/dev/shm");
	mount_at("tmpfs", "/tmp");
	if (symlink("/proc/self/fd", "/dev/fd") != 0 ||
	    symlink("/proc/self/fd/0", "/dev/stdin") != 0 ||
	    symlink("/proc/self/fd/1", "/dev/stdout") != 0 ||
	    symlink("/proc/self/fd/2", "/dev/stderr") != 0)
		die("cannot link the standard streams into /dev");
}

/* Reads a file whole. The buffer ends with a NUL that *size does not count; it is never freed. */
static char *read_whole(const char *path, size_t *size)
{
	struct stat st;
	size_t done = 0;
	char *text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		die("cannot open %s", path);
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text)
		die("cannot hold %s", path);
	while (done < (size_t)st.st_size) {
		ssize_t n = read(fd, text + done, (size_t)st.st_size - done);

		if (n <= 0)
			die("cannot read %s", path);
		done += (size_t)n;
	}
	close(fd);
	*size = done;
	return text;
}

/* Reads a list of NUL-terminated strings into a NULL-terminated array; it is never freed. */
static char **read_list(const char *path)
{
	size_t size, count = 0;
	char *text = read_whole(path, &size);
	char **list;

	for (size_t i = 0; i < size; i++)
		count += text[i] == '\0';
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		die("cannot hold %s", path);
	for (size_t i = 0; i < count; i++) {
		list[i] = text;
		text += strlen(text) + 1;
	}
	return list;
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
		die("cannot load %s", path);
	close(fd);
}

/* The host's side announces a port some time after the driver is loaded, so this waits for it. */
static int open_port(int number)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vport0p%d", number);
	for (int i = 0; i < PORT_WAIT_MS; i++) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		usleep(1000);
	}
	die("cannot open %s", path);
}

/* Becomes the command: a session of its own, an empty signal mask, nothing on stdin. */
static void __attribute__((noreturn)) execute(char **argv, int out, int err)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(STATUS_NOT_EXECUTABLE);
	execvp(argv[0], argv);
	error = errno;
	fprintf(stderr, "testbed: cannot run %s: %s\n", argv[0], strerror(error));
	_exit(error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

/* Starts the command; *out and *err get the read ends of its stdout and stderr. */
static pid_t start(char **argv, int *out, int *err)
{
	int out_pipe[2], err_pipe[2];
	pid_t pid;

	if (pipe2(out_pipe, O_CLOEXEC) != 0 || pipe2(err_pipe, O_CLOEXEC) != 0)
		die("cannot make pipes");
	pid = fork();
	if (pid < 0)
		die("cannot fork");
	if (pid == 0)
		execute(argv, out_pipe[1], err_pipe[1]);
	close(out_pipe[1]);
	close(err_pipe[1]);
	*out = out_pipe[0];
	*err = err_pipe[0];
	return pid;
}

/* Moves what one read gives. False: there is nothing more, for now or for ever. */
static bool relay_once(struct relay *relay)
{
	static char buffer[RELAY_BYTES];
	ssize_t n = read(relay->pipe, buffer, sizeof(buffer));

	if (n < 0)
		return false;
	if (n == 0) {
		close(relay->pipe);
		relay->pipe = -1;
		return false;
	}
	for (ssize_t done = 0; done < n;) {
		ssize_t written = write(relay->port, buffer + done, (size_t)(n - done));

		if (written <= 0)
			die("cannot write to a virtio port");
		done += written;
	}
	return true;
}

/* Moves what is left in the pipe, without waiting for writers that may never go away. */
static void relay_rest(struct relay *relay)
{
	if (relay->pipe < 0)
		return;
	if (fcntl(relay->pipe, F_SETFL, O_NONBLOCK) != 0)
		die("cannot drain the command's output");
	while (relay_once(relay))
		;
}

/* Reaps all that has died. True: `pid` was among them and *status is its wait status. */
static bool reap(int signals, pid_t pid, int *status)
{
	struct signalfd_siginfo info;
	bool found = false;
	int any;
	pid_t dead;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		die("cannot read signals");
	while ((dead = waitpid(-1, &any, WNOHANG)) > 0) {
		if (dead == pid) {
			*status = any;
			found = true;
		}
	}
	return found;
}

/* Passes the output on until the command is dead; returns its wait status. */
static int supervise(pid_t pid, int signals, struct relay *out, struct relay *err)
{
	int status = 0;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = signals, .events = POLLIN},
			{.fd = out->pipe, .events = POLLIN},
			{.fd = err->pipe, .events = POLLIN},
		};

		if (poll(fds, 3, -1) < 0)
			die("cannot poll");
		if (fds[1].revents)
			relay_once(out);
		if (fds[2].revents)
			relay_once(err);
		if (fds[0].revents && reap(signals, pid, &status))
			break;
	}
	/* What the command left running must not write for ever. */
	kill(-1, SIGKILL);
	relay_rest(out);
	relay_rest(err);
	return status;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Blocks SIGCHLD and returns the descriptor on which it arrives instead. */
static int catch_children(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("cannot make a signalfd");
	return fd;
}

int main(void)
{
	struct relay out, err;
	int signals, port, status;
	char **command;
	pid_t pid;

	mount_all();
	for (char **module = read_list("/modules/list"); *module; module++)
		load_module(*module);
	out.port = open_port(VPORT_STDOUT);
	err.port = open_port(VPORT_STDERR);
	port = open_port(VPORT_STATUS);

	environ = read_list("/environment");
	command = read_list("/command");
	signals = catch_children();
	pid = start(command, &out.pipe, &err.pipe);
	status = exit_status(supervise(pid, signals, &out, &err));
	if (dprintf(port, "%d\n", status) < 0)
		die("cannot hand out the status");
	power_off();
}
