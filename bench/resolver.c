/* SPDX-License-Identifier: MIT */
/*
 * build/resolver: the resolver of the experiment `consistency` by itself, for dig, dnsperf and
 * whoever is curious. It is no part of the command, and not installed.
 */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/dns_server.h"
#include "vmm/options.h"
#include "vmm/status.h"

static struct dns_server server;

static void refuse(struct argp_state *state, const struct message *message)
{
	argp_failure(state, message->status, 0, "%s", message->text);
}

/* ADDRESS:PORT, or PORT of 127.0.0.1. */
static int parse_origin(const char *text, struct dns_server_config *config, struct message *message)
{
	const char *colon = strrchr(text, ':');
	char address[16] = "127.0.0.1";
	struct in_addr parsed;
	uint64_t port;

	if (colon && (size_t)(colon - text) < sizeof(address)) {
		memcpy(address, text, (size_t)(colon - text));
		address[colon - text] = 0;
	}
	if ((colon && (size_t)(colon - text) >= sizeof(address)) ||
	    inet_pton(AF_INET, address, &parsed) != 1)
		return message_set(message, -EINVAL, STATUS_USAGE,
				   "--origin: found \"%s\", wanted PORT or 127.X.X.X:PORT", text);
	config->origin = ntohl(parsed.s_addr);
	if (option_count("--origin", colon ? colon + 1 : text, 1, 65535, &port, message))
		return -EINVAL;
	config->origin_port = (uint16_t)port;
	return 0;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct dns_server_config *config = state->input;
	struct message message;
	uint64_t value;
	int error = 0;

	switch (key) {
	case 'o':
		error = parse_origin(argument, config, &message);
		break;
	case 'p':
		error = option_count("--port", argument, 0, 65535, &value, &message);
		if (!error)
			config->port = (uint16_t)value;
		break;
	case 'r':
		error = option_count("--records", argument, 1, DNS_RECORDS_MOST, &value, &message);
		if (!error)
			config->records = (uint32_t)value;
		break;
	case 't':
		error = option_organisation("--table", argument, &config->organisation, &message);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "found \"%s\", wanted options only", argument);
		break;
	case ARGP_KEY_END:
		if (!config->origin_port)
			argp_error(state, "--origin: it is missing, wanted PORT or 127.X.X.X:PORT");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (error)
		refuse(state, &message);
	return 0;
}

static const struct argp_option options[] = {
	{"origin", 'o', "[ADDRESS:]PORT", 0, "Server on loopback that knows the answers", 0},
	{"port", 'p', "PORT", 0, "Of 127.0.0.1, by UDP and TCP (0: one that is free, default)", 0},
	{"records", 'r', "N", 0, "Answers that are kept (4096)", 0},
	{"table", 't', "ORG", 0, "Organisation of their table (bucket)", 0},
	{0},
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.doc = "Answers DNS questions on loopback from a cache over a hashed page table, and asks "
	       "an origin for what it does not have. Prints its port, serves until SIGINT or "
	       "SIGTERM, and then prints what it has counted.",
};

static void stop(int signal)
{
	(void)signal;
	dns_server_stop(&server);
}

static void print_counts(void)
{
	const struct dns_cache_counts *cache = &server.resolver.cache.counts;
	const struct dns_resolver_counts *counts = &server.resolver.counts;
	const struct dns_forward_counts *forward = &server.forward.counts;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"queries", counts->queries},	 {"dropped", counts->dropped},
		{"refused", counts->refused},	 {"hits", cache->hits},
		{"misses", cache->misses},	 {"expired", cache->expired},
		{"collided", cache->collided},	 {"evicted", cache->evicted},
		{"too large", cache->too_large}, {"questions", forward->questions},
		{"joined", forward->joined},	 {"by TCP", forward->by_tcp},
		{"retries", forward->retries},	 {"ignored", forward->ignored},
		{"failed", forward->failed},	 {"no room", forward->full},
		{"lost", server.lost},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("%s: %llu\n", rows[i].name, (unsigned long long)rows[i].value);
}

int main(int argc, char **argv)
{
	struct dns_server_config config = {
		.origin = INADDR_LOOPBACK, .records = 4096, .organisation = HPT_BUCKET};
	struct sigaction action = {.sa_handler = stop};
	struct message message;
	int error;

	argp_err_exit_status = STATUS_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &config);
	error = dns_server_create(&server, &config, &message);
	if (!error) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		printf("127.0.0.1 port %u\n", server.port);
		fflush(stdout);
		error = dns_server_run(&server, &message);
		print_counts();
		dns_server_destroy(&server);
	}
	if (error)
		fprintf(stderr, "resolver: %s\n", message.text);
	return error ? message.status : STATUS_OK;
}
