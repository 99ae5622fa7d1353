/* SPDX-License-Identifier: MIT */
/* See dns_origin.h. */
#include "bench/dns_origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/dns_wire.h"

#define START_TRIES    100
#define START_PATIENCE 100 /* ms for each */
#define TYPE_A	       1

static const char *const programs[] = {"/usr/sbin/nsd", "/usr/local/sbin/nsd", "/sbin/nsd"};

static const char *find_program(void)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!access(programs[i], X_OK))
			return programs[i];
	return NULL;
}

bool dns_origin_exists(void)
{
	return find_program();
}

static FILE *open_file(const struct dns_origin *origin, const char *name, char *path)
{
	snprintf(path, 256, "%s/%s", origin->directory, name);
	return fopen(path, "we");
}

static int write_zone(const struct dns_origin *origin)
{
	char path[256], zone[256];
	FILE *file = open_file(origin, "zone.new", path);

	if (!file)
		return -errno;
	fprintf(file, "$ORIGIN example.\n$TTL %d\n", DNS_ORIGIN_TTL);
	fprintf(file, "@ SOA ns hostmaster %u 3600 600 86400 %d\n", origin->version,
		DNS_ORIGIN_TTL);
	fprintf(file, "@ NS ns\nns A 127.0.0.1\n");
	for (int i = 0; i < DNS_ORIGIN_NAMES; i++)
		fprintf(file, "h%d A %u.%u.%u.%u\n", i, origin->version >> 24,
			origin->version >> 16 & 255, origin->version >> 8 & 255,
			origin->version & 255);
	if (fclose(file))
		return -EIO;
	/* nsd finds the old zone or the new one, never a part. */
	snprintf(zone, sizeof(zone), "%s/zone", origin->directory);
	return rename(path, zone) ? -errno : 0;
}

static int write_configuration(const struct dns_origin *origin)
{
	const char *at = origin->directory;
	char path[256];
	FILE *file = open_file(origin, "nsd.conf", path);

	if (!file)
		return -errno;
	fprintf(file, "server:\n\tserver-count: 1\n\tip-address: 127.0.0.1@%u\n", origin->port);
	fprintf(file, "\tusername: \"\"\n\tchroot: \"\"\n\tpidfile: \"\"\n\tdatabase: \"\"\n");
	fprintf(file, "\tzonesdir: \"%s\"\n\txfrdir: \"%s\"\n\txfrdfile: \"\"\n", at, at);
	fprintf(file, "\tzonelistfile: \"%s/zone.list\"\n\tlogfile: \"%s/log\"\n", at, at);
	fprintf(file, "remote-control:\n\tcontrol-enable: no\n");
	fprintf(file, "zone:\n\tname: \"example\"\n\tzonefile: \"zone\"\n");
	return fclose(file) ? -EIO : 0;
}

/* A port that is free now. */
static int pick_port(struct dns_origin *origin)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		error = -errno;
	close(fd);
	origin->port = ntohs(address.sin_port);
	return error;
}

static int start(struct dns_origin *origin, const char *program)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/nsd.conf", origin->directory);
	origin->process = fork();
	if (origin->process < 0)
		return -errno;
	if (!origin->process) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execl(program, program, "-d", "-c", path, (char *)NULL);
		_exit(127);
	}
	return 0;
}

static int wait_until_it_answers(const struct dns_origin *origin)
{
	const struct timespec pause = {.tv_nsec = START_PATIENCE * 1000000L};
	struct dns_question question = dns_origin_question(0);
	uint32_t address, ttl;
	int fd = dns_client_open(origin->port, START_PATIENCE);
	int error = -ETIMEDOUT;

	if (fd < 0)
		return fd;
	for (int i = 0; error && i < START_TRIES; i++) {
		if (waitpid(origin->process, NULL, WNOHANG))
			break;
		if (!dns_client_ask(fd, &question, &address, &ttl))
			error = 0;
		else
			nanosleep(&pause, NULL);
	}
	close(fd);
	return error;
}

int dns_origin_begin(struct dns_origin *origin)
{
	const char *program = find_program();
	const char *temporary = getenv("TMPDIR");
	int error;

	*origin = (struct dns_origin){.version = 1};
	if (!program)
		return -ENOENT;
	snprintf(origin->directory, sizeof(origin->directory), "%s/twostage-nsd-XXXXXX",
		 temporary && strlen(temporary) < 200 ? temporary : "/tmp");
	if (!mkdtemp(origin->directory))
		return -errno;
	error = pick_port(origin);
	if (!error)
		error = write_zone(origin);
	if (!error)
		error = write_configuration(origin);
	if (!error)
		error = start(origin, program);
	if (!error)
		error = wait_until_it_answers(origin);
	if (error)
		dns_origin_end(origin);
	return error;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void dns_origin_end(struct dns_origin *origin)
{
	if (origin->process > 0) {
		kill(origin->process, SIGTERM);
		waitpid(origin->process, NULL, 0);
	}
	nftw(origin->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int dns_origin_change(struct dns_origin *origin)
{
	int error;

	origin->version++;
	error = write_zone(origin);
	if (!error && kill(origin->process, SIGHUP))
		error = -errno;
	return error;
}

struct dns_question dns_origin_question(unsigned int name)
{
	static const uint8_t rest[] = "\7example";
	struct dns_question question = {.type = TYPE_A};
	int digits = snprintf((char *)question.name + 1, 8, "h%u", name);

	question.name[0] = (uint8_t)digits;
	memcpy(question.name + 1 + digits, rest, sizeof(rest));
	question.size = (uint8_t)(1 + (size_t)digits + sizeof(rest));
	return question;
}

int dns_client_open(uint16_t port, unsigned int patience)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					    .sin_port = htons(port)};
	const struct timeval limit = {.tv_sec = patience / 1000,
				      .tv_usec = (suseconds_t)(patience % 1000) * 1000};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit))) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

int dns_client_ask(int fd, const struct dns_question *question, uint32_t *address, uint32_t *ttl)
{
	uint8_t bytes[DNS_UDP_MOST];
	uint16_t id;
	size_t size;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	size = dns_write_query(question, id, bytes);
	if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
		return -errno;
	for (;;) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		/* A reply to a question that was given up is let go. */
		if (got >= DNS_HEADER_SIZE && wire_get16(bytes) == id)
			return dns_read_address(bytes, (size_t)got, address, ttl);
	}
}
