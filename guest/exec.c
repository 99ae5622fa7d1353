/* SPDX-License-Identifier: MIT */
/* See exec.h. */
#include "guest/exec.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "guest/arguments.h"
#include "guest/boot.h"
#include "guest/clock.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/cpu_area.h"
#include "guest/files.h"
#include "guest/frames.h"
#include "guest/futex.h"
#include "guest/node.h"
#include "guest/path.h"
#include "guest/process.h"
#include "guest/program.h"
#include "guest/publish.h"
#include "guest/schedule.h"
#include "guest/signal.h"
#include "guest/user.h"
#include "guest/vectors.h"
#include "guest/window.h"

#define USER_RFLAGS 0x202
#define SCRIPT_LINE 256

static struct program program;

/* The boot module as a file, which stands in no directory. */
static struct node boot_image = {.mode = MODE_FILE | 0755, .links = 1};

/* The first line of a script: what interprets it, and one argument, or NULL. */
static struct {
	char text[SCRIPT_LINE];
	const char *interpreter;
	const char *argument;
} script;

static __attribute__((noreturn)) void cannot_execute(const char *why)
{
	refuse("%s: cannot execute: %s", boot.name, why);
}

static struct trap_frame first_frame(uint64_t rsp)
{
	return (struct trap_frame){
		.cpu = {.rip = program.entry,
			.cs = USER_CODE,
			.rflags = USER_RFLAGS,
			.rsp = rsp,
			.ss = USER_DATA},
	};
}

static void set_name(struct process *process, const char *path)
{
	const char *name = path;
	unsigned int i = 0;

	for (; *path; path++) {
		if (*path == '/')
			name = path + 1;
	}
	for (; i < sizeof(process->name) - 1 && name[i]; i++)
		process->name[i] = name[i];
	process->name[i] = 0;
}

void exec_start(void)
{
	/* As it was written: what stands for other bytes in it is as good a name. */
	const char *encoded = *boot.name && *boot.name != ' ' ? boot.name : "program";
	static char name[PATH_SIZE];
	const char *text = encoded;
	struct space *space = space_create();
	struct trap_frame frame;
	uint64_t rsp;

	if (!space || arguments_begin())
		refuse("memory: found too little for the first program");
	window_enter(space);
	boot_image.gpa = boot.module.start;
	boot_image.size = boot.module.end - boot.module.start;
	if (!boot.module.start || boot.module.start & (HPT_PAGE_SIZE - 1))
		cannot_execute("there is no page-aligned module");
	if (program_read(&program, boot_image.gpa, boot_image.size) || program_load(&program))
		cannot_execute(program.why);
	arguments_add_boot(encoded);
	boot_next_argument(&text, name, sizeof(name));
	if (arguments_lay_out(&program, name, &rsp))
		cannot_execute("no memory for its stack");
	frame = first_frame(rsp);
	process_start();
	set_name(current_process(), name);
	current_process()->image = &boot_image;
	cpu_start_others();
	publish_program();
	trap_leave(&frame);
}

/* What can be executed by that path: -ENOENT, -EACCES, ... */
static int find_program(const char *path, struct node **found)
{
	bool parent_found;
	int error = path_find(path, files_directory(), true, found, &parent_found);

	if (error)
		return error;
	return node_is(*found, MODE_FILE) && (*found)->mode & MODE_EXECUTABLE ? 0 : -EACCES;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static char *skip_blanks(char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

/* Whether the file is a script; -ENOEXEC where its first line makes no sense. */
static int read_script(const struct node *node)
{
	uint64_t size = node->size < SCRIPT_LINE - 1 ? node->size : SCRIPT_LINE - 1;
	char *at = script.text, *end;

	script.interpreter = NULL;
	memcpy(script.text, direct(node->gpa), size);
	script.text[size] = 0;
	if (at[0] != '#' || at[1] != '!')
		return 0;
	at = skip_blanks(at + 2);
	for (end = at; *end && *end != '\n'; end++)
		continue;
	/* A line that is longer than this has been cut. */
	if (!*end && node->size > size)
		return -ENOEXEC;
	while (end > at && is_blank(end[-1]))
		end--;
	*end = 0;
	if (!*at)
		return -ENOEXEC;
	script.interpreter = at;
	script.argument = NULL;
	while (*at && !is_blank(*at))
		at++;
	if (*at) {
		*at = 0;
		script.argument = skip_blanks(at + 1);
	}
	return 0;
}

/* Of a script, what interprets it; and the arguments that come before those of the call. */
static int interpret(const char *path, struct node **node)
{
	int error = read_script(*node);

	if (error || !script.interpreter)
		return error;
	error = find_program(script.interpreter, node);
	if (!error)
		error = arguments_add(script.interpreter, false);
	if (!error && script.argument)
		error = arguments_add(script.argument, false);
	return error ? error : arguments_add(path, false);
}

static int gather(const char *path, uint64_t arguments, uint64_t environment, struct node **node)
{
	int error = find_program(path, node);

	if (!error)
		error = arguments_begin();
	if (!error)
		error = interpret(path, node);
	if (!error)
		error = arguments_add_list(arguments, script.interpreter ? 1 : 0, false);
	if (!error)
		error = arguments_add_list(environment, 0, true);
	return error ? error : program_read(&program, (*node)->gpa, (*node)->size);
}

/* The program in a space of its own, which this CPU has then; or an error, and it has the old one.
 */
static int load(const char *path, struct space **space, unsigned int *place, uint64_t *rsp)
{
	int error;

	*space = space_create();
	if (!*space)
		return -ENOMEM;
	window_enter(*space);
	error = program_load(&program);
	if (!error)
		error = arguments_lay_out(&program, path, rsp);
	if (!error)
		error = vectors_get(*space, place);
	if (!error)
		return 0;
	window_enter(current_process()->space);
	space_put(*space);
	return error == -ENOEXEC ? error : -ENOMEM;
}

/* The thread is gone from the old space, as far as others there may wait for that. */
static void leave_space(struct task *task)
{
	static const uint32_t zero;

	if (task->clear_child && task->process->space->users > 1 &&
	    !user_write(task->clear_child, &zero, sizeof(zero)))
		futex_wake(task->clear_child, 1);
	task->clear_child = 0;
	vectors_put(task->process->space, task->vectors);
}

static void replace_space(struct task *task, struct space *space, unsigned int place)
{
	struct process *process = task->process;
	struct space *old = process->space;

	window_enter(old);
	leave_space(task);
	window_enter(space);
	process->space = space;
	published.asid[cpu.number] = space->pages.asid;
	task->vectors = place;
	task->vectors_saved = false;
	schedule_forget_vectors();
	space_put(old);
	process_release_parent(process);
}

int64_t exec_call(struct trap_frame *frame, uint64_t gva, uint64_t arguments, uint64_t environment)
{
	struct task *task = current_task();
	struct process *process = task->process;
	struct space *space;
	unsigned int place;
	struct node *node;
	const char *path;
	uint64_t rsp;
	int64_t error = path_take(gva, &path);

	if (!error)
		error = gather(path, arguments, environment, &node);
	if (!error)
		error = process_end_others();
	if (!error)
		error = files_own(&process->files);
	if (!error)
		error = load(path, &space, &place, &rsp);
	if (error) {
		if (error != WAIT_AGAIN)
			process->executor = NULL;
		return error;
	}
	replace_space(task, space, place);
	files_close_on_exec(process->files);
	signal_reset(process);
	set_name(process, path);
	process->image = node;
	task->fs_base = 0;
	task->stack_size = 0;
	*frame = first_frame(rsp);
	return 0;
}
