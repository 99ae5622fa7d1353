/* SPDX-License-Identifier: MIT */
#include "vmm/walk_check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "ept/walk_ideal.h"
#include "ept/pinned.h"
#include "hpt/mix.h"
#include "vmm/table_slab.h"
#include "vmm/walk_choose.h"

/*
 * Who is asked one after the other may be told different things: Linux moves a page to another
 * frame, or KVM has a page looked up by a thread of the kernel's. So a disagreement is one when it
 * stays.
 */
#define TRIES	 5
#define PAUSE_NS 1000000

/* A table that takes more lines than so many a page, on average over a stop, lies. */
#define LINES_A_PAGE 64

void walk_check_init(struct walk_check *check, uint64_t pages, uint64_t seed, bool own_kernel)
{
	memset(check, 0, sizeof(*check));
	check->counts.pages = pages;
	check->counts.no_table_why = "the guest has published no table";
	check->own_kernel = own_kernel;
	check->next = 1;
	check->random = mix64(seed);
	check->counts.skipped_why = "the kernel tells PFNs to root only";
	if (pagemap_open(&check->pagemap))
		check->counts.skipped_why = "/proc/self/pagemap cannot be opened";
}

void walk_check_destroy(struct walk_check *check)
{
	pagemap_close(&check->pagemap);
}

bool walk_check_is_due(struct walk_check *check, const struct machine *machine)
{
	if (machine->devices.exited)
		return true;
	if (!machine->devices.published || ++check->exits < check->next)
		return false;
	check->next *= 2;
	return true;
}

/* Under the lock of stage 2: the host's table is one that walks can begin in. */
struct preparation {
	struct walk *walk;
	struct walk *slab_walk; /* or NULL */
	int error;
};

static void prepare(void *context, const struct hpt *table)
{
	struct preparation *preparation = context;

	preparation->walk->host = table;
	preparation->error = walk_prepare(preparation->walk);
	if (!walk_lines_aligned(&preparation->walk->guest->desc))
		preparation->error = -EINVAL;
	if (!preparation->slab_walk)
		return;
	preparation->slab_walk->host = table;
	if (walk_prepare(preparation->slab_walk))
		preparation->error = -EINVAL;
}

/*
 * The walk by the slab. What the guest says of it is not believed: that all of its table is there
 * is why it is tried, each address is checked, those of lines by the walk (ept/walk.h).
 */
static bool begin_slab(struct walk_check *check, const struct machine *machine)
{
	const struct ept_range *slab = &machine->ept.config.pinned;

	if (check->stage1.page.table_outside) {
		check->counts.no_slab_why = "not all of the guest's table is in it";
		return false;
	}
	if (!table_slab_holds(slab, &check->stage1.desc)) {
		check->counts.no_slab_why =
			"the published descriptor names memory outside of the slab";
		return false;
	}
	check->guest.memory.offset = ept_pinned_offset(&machine->ept);
	check->slab_walk = check->walk;
	check->slab_walk.slab = true;
	check->slab_walk.slab_start = slab->start;
	check->slab_walk.slab_end = slab->start + slab->size;
	return true;
}

bool walk_check_begin(struct walk_check *check, struct machine *machine, unsigned int vcpu)
{
	struct walk_check_counts *counts = &check->counts;
	struct preparation preparation = {.walk = &check->walk};
	struct ept_pool *pool = &machine->ept.pool;
	int error;

	counts->stops++;
	error = stage1_read(&check->stage1, machine, vcpu, &counts->no_table_why);
	if (error) {
		counts->no_table += error == -ENOENT;
		counts->invalid_table += error != -ENOENT;
		return false;
	}
	check->guest.desc = check->stage1.desc;
	check->walk = (struct walk){
		.guest = &check->guest,
		.guest_sizes = WALK_4K | WALK_2M,
		.host_sizes = machine->config.host_pages == EPT_4K ? WALK_4K : WALK_4K | WALK_2M,
		.frames = (uintptr_t)ept_pool_frame(pool, 0),
		.frame_count = ept_pool_size(pool),
	};
	check->has_slab = ept_pinned_pages(&machine->ept) && begin_slab(check, machine);
	if (check->has_slab)
		preparation.slab_walk = &check->slab_walk;
	ept_with_table(&machine->ept, prepare, &preparation);
	if (preparation.error) {
		counts->no_table_why = "the published descriptor names lines that are not aligned";
		counts->invalid_table++;
		return false;
	}
	counts->slab_stops += check->has_slab;
	counts->no_slab += ept_pinned_pages(&machine->ept) && !check->has_slab;
	check->has_root = x86_root(machine, vcpu, &check->root);
	return true;
}

/* One walk, and the same by the slab if there is one, under the lock. */
struct job {
	const struct walk *walk;
	const struct walk *slab_walk; /* or NULL */
	struct hpt_key key;
	struct walk_result result;
	struct walk_result slab_result;
	struct walk_ledger ledger;
	struct walk_ledger slab_ledger;
};

static void walk_table(void *context, const struct hpt *table)
{
	struct job *job = context;

	(void)table; /* walk->host, from walk_check_begin() on */
	walk_count(job->walk, job->key, &job->result, &job->ledger);
	if (job->slab_walk)
		walk_count(job->slab_walk, job->key, &job->slab_result, &job->slab_ledger);
}

/* What is noted of a lookup in the guest's table. */
struct trail {
	struct machine *machine;
	uint64_t lines;
	enum hpt_answer last;
	bool untouched; /* a line lies in a page without a frame */
};

static void note_line(void *context, gpa_t line, const uint64_t words[HPT_LINE_WORDS],
		      enum hpt_answer answer)
{
	struct trail *trail = context;
	uint64_t entry;

	(void)words;
	trail->lines++;
	trail->last = answer;
	if (ept_entry(&trail->machine->ept, line, &entry) || !hpt_resident(entry))
		trail->untouched = true;
}

/*
 * Whether a lookup without an answer was cut short: by its bound, or since a chunk or a page of
 * spill is named as at address 0, where no table has memory.
 */
static bool is_cut(const struct walk_check *check, const struct trail *trail)
{
	if (!trail->lines)
		return check->stage1.desc.organisation != HPT_RADIX;
	return trail->last == HPT_NEXT || trail->lines >= HPT_SEQUENCE_MAX;
}

static int look_up(struct walk_check *check, struct machine *machine, enum hpt_size size,
		   struct walk_answers *answers)
{
	struct trail trail = {.machine = machine};
	int error = stage1_lookup(&check->stage1, stage1_key(&check->stage1, answers->gva, size),
				  &answers->guest_entry, note_line, &trail);

	answers->table_untouched |= trail.untouched;
	if (check->stage1.lines_read > check->counts.pages * LINES_A_PAGE + HPT_PROBES_MAX)
		return -ELOOP;
	return error == -ENOENT && is_cut(check, &trail) ? -ELOOP : error;
}

static void ask_tables(struct walk_check *check, struct machine *machine,
		       struct walk_answers *answers)
{
	uint64_t gva = answers->gva;
	gpa_t gpa;

	answers->guest_error = look_up(check, machine, HPT_4K, answers);
	if (answers->guest_error == -ENOENT)
		answers->guest_error = look_up(check, machine, HPT_2M, answers);
	if (answers->guest_error || !hpt_resident(answers->guest_entry))
		return;
	gpa = answers->guest_entry & HPT_FRAME_MASK;
	if (answers->guest_entry & HPT_LARGE)
		gpa += gva & (HPT_LARGE_PAGES - 1) << HPT_PAGE_SHIFT;
	answers->host_error = ept_entry(&machine->ept, gpa, &answers->host_entry);
}

static void ask_kvm(const struct walk_check *check, struct machine *machine,
		    struct walk_answers *answers)
{
	uint64_t gva = answers->gva;
	int error;

	if (!check->has_root)
		return;
	answers->x86_error = x86_walk(machine, check->root, gva, &answers->x86);
	if (answers->x86_error && answers->x86_error != -ENOENT)
		return;
	error = machine_translate(machine, check->stage1.vcpu, gva, &answers->window_gpa);
	if (!error)
		answers->window = WALK_WINDOW_PRESENT;
	else if (error == -ENOENT)
		answers->window = WALK_WINDOW_ABSENT;
}

/*
 * The window is not touched, so its page is there only if the guest was given it. Of the pool only
 * a page that is there then is touched: so it is in this process's page tables, too.
 */
static void ask_pagemap(struct walk_check *check, struct machine *machine,
			struct walk_answers *answers)
{
	const struct walk_result *walk = &answers->walk;
	gpa_t gpa = walk->gfn << HPT_PAGE_SHIFT;
	const volatile char *frame;
	uint8_t byte;

	if (walk->stage == 1 || walk->of_table || guest_read(machine, gpa, &byte, sizeof(byte)))
		return;
	answers->is_ram = true;
	answers->has_pagemap =
		check->pagemap.fd >= 0 &&
		!pagemap_read(&check->pagemap, ept_window_address(&machine->ept, gpa),
			      &answers->installed);
	if (!answers->has_pagemap || !answers->installed.present ||
	    walk->outcome != WALK_TRANSLATED || hpt_frame(walk->entry) >= answers->frame_count)
		return;
	frame = ept_pool_frame(&machine->ept.pool, hpt_frame(walk->entry));
	(void)*frame;
	answers->has_pagemap = !pagemap_read(&check->pagemap, (const void *)frame, &answers->frame);
}

static void gather(struct walk_check *check, struct machine *machine, struct job *job,
		   struct walk_answers *answers)
{
	memset(&job->ledger, 0, sizeof(job->ledger));
	memset(&job->slab_ledger, 0, sizeof(job->slab_ledger));
	ept_with_table(&machine->ept, walk_table, job);
	answers->walk = job->result;
	answers->has_slab = job->slab_walk;
	answers->slab = job->slab_result;
	answers->frame_count = check->walk.frame_count;
	ask_tables(check, machine, answers);
	ask_kvm(check, machine, answers);
	ask_pagemap(check, machine, answers);
}

static void add_cost(struct walk_check_cost *cost, const struct walk_ledger *ledger,
		     struct walk_ideal ideal)
{
	cost->walks++;
	cost->refs += ledger->refs;
	cost->steps += ledger->steps;
	cost->ideal_refs += ideal.refs;
	cost->ideal_steps += ideal.steps;
}

static void count_cost(struct walk_check *check, const struct machine *machine,
		       const struct job *job)
{
	enum hpt_organisation guest = (enum hpt_organisation)check->stage1.desc.organisation;
	enum hpt_organisation host = machine->ept.config.organisation;
	enum hpt_size size = (enum hpt_size)job->result.guest_size;

	add_cost(&check->counts.costs[size], &job->ledger, walk_ideal(guest, host, size));
	if (job->slab_walk)
		add_cost(&check->counts.slab_costs[size], &job->slab_ledger,
			 walk_ideal_slab(guest, host, size));
}

/* A walk that agrees with all who were asked. */
static void count_agreement(struct walk_check_counts *counts, const struct walk_answers *answers,
			    enum walk_frames frames)
{
	const struct walk_result *walk = &answers->walk;

	counts->translated += walk->outcome == WALK_TRANSLATED;
	counts->absent1 += walk->stage == 1;
	counts->absent2 += walk->stage == 2 && !walk->of_table;
	counts->untouched += walk->of_table;
	counts->frames_same += frames == WALK_FRAMES_COMPARED;
	counts->not_installed += frames == WALK_FRAMES_NOT_INSTALLED;
	counts->skipped += frames == WALK_FRAMES_SKIPPED;
	if (walk->of_table)
		return;
	counts->kvm_same += answers->window == WALK_WINDOW_PRESENT;
	counts->kvm_absent += answers->window == WALK_WINDOW_ABSENT && walk->stage == 1;
	counts->not_in_window += answers->window == WALK_WINDOW_ABSENT && walk->stage != 1;
	counts->kvm_unknown += answers->window == WALK_WINDOW_UNKNOWN;
}

bool walk_check_page(struct walk_check *check, struct machine *machine, uint64_t gva)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct job job = {
		.walk = &check->walk,
		.slab_walk = check->has_slab ? &check->slab_walk : NULL,
		.key = stage1_key(&check->stage1, gva, HPT_4K),
	};
	struct walk_check_counts *counts = &check->counts;
	struct walk_answers answers;
	struct walk_verdict verdict;

	for (int i = 0; i < TRIES; i++) {
		answers = (struct walk_answers){.gva = gva};
		gather(check, machine, &job, &answers);
		walk_compare(&answers, check->own_kernel, &verdict);
		if (verdict.kind != WALK_WRONG)
			break;
		nanosleep(&pause, NULL);
	}
	counts->walks++;
	switch (verdict.kind) {
	case WALK_AGREES:
		count_agreement(counts, &answers, verdict.frames);
		if (answers.walk.outcome == WALK_TRANSLATED)
			count_cost(check, machine, &job);
		return true;
	case WALK_LIED:
		counts->lied++;
		return true;
	default:
		counts->wrong++;
		check->wrong_gva = gva;
		snprintf(check->wrong_text, sizeof(check->wrong_text), "gva 0x%" PRIx64 ": %s", gva,
			 verdict.text);
		return false;
	}
}

/* Whether a vCPU that is stopped can have left the kernel's tables half changed. */
static bool is_in_kernel(const struct machine *machine, unsigned int vcpu)
{
	struct kvm_mp_state state = {0};
	struct kvm_sregs special;
	int fd = machine->kvm.vcpus[vcpu].fd;

	if (ioctl(fd, KVM_GET_MP_STATE, &state) == 0 && state.mp_state != KVM_MP_STATE_RUNNABLE)
		return false;
	return ioctl(fd, KVM_GET_SREGS, &special) < 0 || special.ss.dpl != 3;
}

static bool is_busy(struct machine *machine, unsigned int vcpu)
{
	for (unsigned int i = 0; i < machine->kvm.vcpu_count; i++) {
		if (i != vcpu && gate_is_started(&machine->gate, i) && is_in_kernel(machine, i))
			return true;
	}
	return false;
}

bool walk_check_stop(struct walk_check *check, struct machine *machine, unsigned int vcpu)
{
	uint64_t lied = check->counts.lied;
	struct walk_choice choice;

	if (is_busy(machine, vcpu)) {
		check->counts.busy++;
		check->next = check->exits + 1;
		return true;
	}
	if (!walk_check_begin(check, machine, vcpu))
		return true;
	choice = (struct walk_choice){
		.machine = machine,
		.page = &check->stage1.page,
		.has_root = check->has_root,
		.root = check->root,
		.random = &check->random,
	};
	/* One lie is enough: a table of lies may take long for each page. */
	for (uint64_t i = 0; i < check->counts.pages && check->counts.lied == lied; i++) {
		if (!walk_check_page(check, machine, walk_choose(&choice)))
			return false;
	}
	return true;
}
