/* SPDX-License-Identifier: MIT */
/*
 * More and more processes, until no more are given or there are N; then they all end, and it is as
 * if they had never been. Repeated, it must come as far again.
 *
 *     swarm N
 */
#include <signal.h>
#include <stdlib.h>

#include "images/common/args.h"
#include "tests/images/children.h"

#define ROUNDS	  3
#define COUNT_MAX 5000

static pid_t numbers[COUNT_MAX];

static int pauses(void)
{
	while (words)
		pause();
	return 0;
}

/* How many there were, or -1 where something was otherwise than it has to be. */
static long swarm(uint64_t limit)
{
	long count = 0;
	bool good = true;

	while (count < (long)limit) {
		numbers[count] = child_start(pauses);
		if (numbers[count] == -1) {
			good = errno == EAGAIN || errno == ENOMEM;
			break;
		}
		count++;
	}
	for (long i = 0; i < count; i++)
		good &= kill(numbers[i], SIGKILL) == 0;
	for (long i = 0; i < count; i++)
		good &= child_end(numbers[i]) == KILLED_BY(SIGKILL);
	good &= child_end(-1) == -1;
	return good ? count : -1;
}

int main(int argc, char **argv)
{
	struct args args = args_start("swarm", argv);
	uint64_t limit;
	int error = args_number(&args, "N", args_next(&args), 1, COUNT_MAX, &limit);
	long first;

	(void)argc;
	if (error)
		return error;
	if (!children_start()) {
		perror("swarm: mmap");
		return 1;
	}
	first = swarm(limit);
	for (int i = 1; i < ROUNDS; i++) {
		long count = swarm(limit);

		/* How many it is depends on how far they have come when memory is nearly out. */
		if (count < first / 2 || count < 1) {
			printf("swarm: found %ld processes in round %d, wanted no less than half of %ld\n",
			       count, i + 1, first);
			return 1;
		}
	}
	puts(first < 1 ? "swarm: one could not be ended, or forks failed otherwise"
		       : "swarm: all have ended, each time");
	return first < 1;
}
