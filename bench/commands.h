/* SPDX-License-Identifier: MIT */
/* The commands of this room, for the command table in vmm/main.c (see vmm/command.h). */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

int cmd_measure(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_experiment(int argc, char **argv);

#endif
