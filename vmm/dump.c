/* SPDX-License-Identifier: MIT */
#include "vmm/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include "vmm/stage1.h"

#define PAGE_MASK (HPT_PAGE_SIZE - 1)

/* Probes of one lookup that are printed; a hostile table could make it thousands. */
#define PROBES_SHOWN 70

/* Where an x86 CPU starts. */
#define RESET_CS_BASE 0xffff0000u
#define RESET_RIP     0xfff0u

#define CR0_PG	 (UINT64_C(1) << 31)
#define EFER_LMA (UINT64_C(1) << 10)

/* What the printing of one lookup carries from probe to probe. */
struct trail {
	FILE *stream;
	struct machine *machine;
	unsigned int probes;
};

/* Translations as one vCPU has them. */
struct view {
	struct machine *machine;
	unsigned int vcpu;
	bool paging;
	struct stage1 *stage1; /* NULL where the guest published nothing */
};

static void dump_registers(FILE *stream, const struct kvm_regs *r, const struct kvm_sregs *s)
{
	static const char row[] = "  %-6s %016llx  %-6s %016llx  %-6s %016llx  %-6s %016llx\n";

	fprintf(stream, "registers (%s, ring %u):\n",
		!(s->cr0 & CR0_PG)	? "paging off"
		: !(s->efer & EFER_LMA) ? "32-bit paging"
					: "long mode",
		s->ss.dpl);
	fprintf(stream, row, "rip", r->rip, "rflags", r->rflags, "rsp", r->rsp, "rbp", r->rbp);
	fprintf(stream, row, "rax", r->rax, "rbx", r->rbx, "rcx", r->rcx, "rdx", r->rdx);
	fprintf(stream, row, "rsi", r->rsi, "rdi", r->rdi, "r8", r->r8, "r9", r->r9);
	fprintf(stream, row, "r10", r->r10, "r11", r->r11, "r12", r->r12, "r13", r->r13);
	fprintf(stream, row, "r14", r->r14, "r15", r->r15, "cr0", s->cr0, "cr2", s->cr2);
	fprintf(stream, row, "cr3", s->cr3, "cr4", s->cr4, "efer", s->efer, "gdt", s->gdt.base);
	fprintf(stream, row, "idt", s->idt.base, "fs", s->fs.base, "gs", s->gs.base, "tr",
		s->tr.base);
	fprintf(stream, "  cs %04x  ds %04x  es %04x  fs %04x  gs %04x  ss %04x  tr %04x\n",
		s->cs.selector, s->ds.selector, s->es.selector, s->fs.selector, s->gs.selector,
		s->ss.selector, s->tr.selector);
}

static bool is_ram(struct machine *machine, gpa_t gpa)
{
	uint8_t byte;

	return !guest_read(machine, gpa, &byte, sizeof(byte));
}

/* " -> hfn 0x..." or why there is none. */
static void print_frame(FILE *stream, struct machine *machine, gpa_t gpa)
{
	uint64_t frame;

	if (!is_ram(machine, gpa))
		fputs("no guest RAM", stream);
	else if (ept_translate(&machine->ept, gpa, &frame))
		fputs("no entry", stream);
	else
		fprintf(stream, "hfn 0x%" PRIx64, frame);
}

static void dump_stage2(FILE *stream, struct machine *machine, gpa_t gpa)
{
	fprintf(stream, "    stage 2: gpa 0x%" PRIx64 " -> ", gpa);
	print_frame(stream, machine, gpa & ~PAGE_MASK);
	fputc('\n', stream);
}

static void dump_probe(void *context, gpa_t line, const uint64_t words[HPT_LINE_WORDS],
		       enum hpt_answer answer)
{
	static const char *const answers[] = {"miss", "hit", "next"};
	struct trail *trail = context;

	(void)words;
	if (trail->probes++ >= PROBES_SHOWN)
		return;
	fprintf(trail->stream, "      probe %u: line at gpa 0x%" PRIx64 " (", trail->probes, line);
	print_frame(trail->stream, trail->machine, line & ~PAGE_MASK);
	fprintf(trail->stream, ") -> %s\n", answers[answer]);
}

static void print_entry(FILE *stream, uint64_t entry)
{
	if (entry & HPT_SWAPPED)
		fprintf(stream, "swapped out to 0x%" PRIx64, hpt_swap_location(entry));
	else
		fprintf(stream, "gpa 0x%" PRIx64, entry & HPT_FRAME_MASK);
	fprintf(stream, " %c%c%c%c%c%c", entry & HPT_PRESENT ? 'p' : '-',
		entry & HPT_WRITE ? 'w' : '-', entry & HPT_USER ? 'u' : '-',
		entry & HPT_NOEXEC ? '-' : 'x', entry & HPT_ACCESSED ? 'a' : '-',
		entry & HPT_DIRTY ? 'd' : '-');
}

/* One size of page in the guest's own table. True if it has an entry, which is then shown. */
static bool dump_lookup(FILE *stream, struct stage1 *stage1, uint64_t gva, enum hpt_size size)
{
	struct hpt_key key = stage1_key(stage1, gva, size);
	struct trail trail = {.stream = stream, .machine = stage1->machine};
	uint64_t entry = 0;
	int error;

	fprintf(stream, "    stage 1, the guest's %s table, %s page, asid %u, vpn 0x%" PRIx64 ":\n",
		hpt_organisation_name((enum hpt_organisation)stage1->desc.organisation),
		size == HPT_2M ? "2M" : "4K", key.asid, key.vpn);
	error = stage1_lookup(stage1, key, &entry, dump_probe, &trail);
	if (trail.probes > PROBES_SHOWN)
		fprintf(stream, "      ... %u more probes\n", trail.probes - PROBES_SHOWN);
	fputs("      -> ", stream);
	if (error)
		fputs(error == -ENOENT ? "no entry" : "the walk leads out of guest RAM", stream);
	else
		print_entry(stream, entry);
	fputc('\n', stream);
	return !error;
}

/* What x86 makes of the address: true and *gpa, if it is translated at all. */
static bool dump_window(FILE *stream, const struct view *view, uint64_t gva, gpa_t *gpa)
{
	if (machine_translate(view->machine, view->vcpu, gva, gpa)) {
		fputs("    stage 1, x86 window: no translation\n", stream);
		return false;
	}
	if (view->paging)
		fprintf(stream, "    stage 1, x86 window: gpa 0x%" PRIx64 "\n", *gpa);
	else
		fputs("    stage 1: paging is off\n", stream);
	return true;
}

/* Both stages for one guest-virtual address. */
static void dump_address(FILE *stream, const struct view *view, const char *name, uint64_t gva)
{
	struct stage1 *stage1 = view->stage1;
	bool in_window, in_table;
	gpa_t window = 0, table = 0;

	fprintf(stream, "translation of %s, gva 0x%" PRIx64 ":\n", name, gva);
	in_window = dump_window(stream, view, gva, &window);
	in_table = false;
	if (stage1) {
		if (!dump_lookup(stream, stage1, gva, HPT_4K))
			dump_lookup(stream, stage1, gva, HPT_2M);
		in_table = !stage1_translate(stage1, gva, &table);
	}
	if (in_table)
		dump_stage2(stream, view->machine, table);
	if (in_window && !(in_table && table == window))
		dump_stage2(stream, view->machine, window);
}

static void dump_translations(FILE *stream, struct view *view, const struct machine_exit *how,
			      const struct kvm_regs *r, const struct kvm_sregs *s)
{
	static struct stage1 stage1; /* 39 KiB: not for the stack */
	const char *why = "";

	view->paging = s->cr0 & CR0_PG;
	if (!stage1_read(&stage1, view->machine, view->vcpu, &why))
		view->stage1 = &stage1;
	else
		fprintf(stream, "stage 1: no table of the guest: %s\n", why);
	if (how->has_wrong_gva && view->vcpu == how->vcpu)
		dump_address(stream, view, "the walk that is wrong", how->wrong_gva);
	dump_address(stream, view, "cs:rip", s->cs.base + r->rip);
	if (s->cr2 && s->cr2 != r->rip)
		dump_address(stream, view, "cr2", s->cr2);
}

static void dump_vcpu(FILE *stream, struct machine *machine, unsigned int vcpu,
		      const struct machine_exit *how)
{
	struct view view = {.machine = machine, .vcpu = vcpu};
	int fd = machine->kvm.vcpus[vcpu].fd;
	struct kvm_regs registers;
	struct kvm_sregs special;

	if (machine->config.cpus > 1)
		fprintf(stream, "CPU %u%s:\n", vcpu,
			gate_is_started(&machine->gate, vcpu) ? "" : ", which was not started");
	if (!gate_is_started(&machine->gate, vcpu))
		return;
	if (ioctl(fd, KVM_GET_REGS, &registers) < 0 || ioctl(fd, KVM_GET_SREGS, &special) < 0) {
		fprintf(stream, "registers cannot be read: %m\n");
		return;
	}
	dump_registers(stream, &registers, &special);
	if (special.cs.base == RESET_CS_BASE && registers.rip == RESET_RIP)
		fputs("These are the values after a reset: on this kind of KVM (svm) a triple "
		      "fault leaves no others.\n",
		      stream);
	dump_translations(stream, &view, how, &registers, &special);
}

void dump_write(FILE *stream, struct machine *machine, const struct machine_exit *how)
{
	fprintf(stream, "twostage: the guest was ended: %s\n", how->reason);
	if (how->has_address) {
		fprintf(stream, "the access that failed:\n");
		dump_stage2(stream, machine, how->address);
	}
	dump_vcpu(stream, machine, how->vcpu, how);
	for (unsigned int i = 0; i < machine->config.cpus; i++) {
		if (i != how->vcpu)
			dump_vcpu(stream, machine, i, how);
	}
}
