/* SPDX-License-Identifier: MIT */
#include "vmm/x86_tables.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "hpt/mix.h"

#define LEVELS	   4
#define INDEX_BITS 9

#define CR0_PG	 (UINT64_C(1) << 31)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)

/* P, W, U and the size bit stand where entries of hpt/ have them. */
#define WORD_NOEXEC  (UINT64_C(1) << 63)
#define ADDRESS_MASK (((UINT64_C(1) << 52) - 1) & ~(HPT_PAGE_SIZE - 1))

/* The lowest level is 0. */
static unsigned int shift_of(int level)
{
	return HPT_PAGE_SHIFT + INDEX_BITS * (unsigned int)level;
}

bool x86_root(struct machine *machine, unsigned int vcpu, gpa_t *root)
{
	struct kvm_sregs special;

	if (ioctl(machine->kvm.vcpus[vcpu].fd, KVM_GET_SREGS, &special) < 0)
		return false;
	*root = special.cr3 & ADDRESS_MASK;
	return special.cr0 & CR0_PG && special.efer & EFER_LMA && !(special.cr4 & CR4_LA57);
}

/* 0 if the page of a table is one that the window was given. */
static int is_touched(struct machine *machine, gpa_t table)
{
	uint64_t entry;

	if (guest_read(machine, table, &entry, sizeof(entry)))
		return -EFAULT;
	return ept_entry(&machine->ept, table, &entry) || !(entry & HPT_SOFT) ? -EAGAIN : 0;
}

static bool is_leaf(uint64_t word, int level)
{
	return !level || (level < LEVELS - 1 && word & HPT_LARGE);
}

static uint64_t address_in(uint64_t word, int level, uint64_t gva)
{
	uint64_t offset = (UINT64_C(1) << shift_of(level)) - 1;

	return (word & ADDRESS_MASK & ~offset) | (gva & offset);
}

int x86_walk(struct machine *machine, gpa_t root, uint64_t gva, struct x86_page *page)
{
	uint64_t word = root;

	page->flags = HPT_WRITE | HPT_USER;
	for (int level = LEVELS - 1;; level--) {
		gpa_t table = word & ADDRESS_MASK;
		uint64_t index = gva >> shift_of(level) & (X86_WORDS - 1);
		int error = is_touched(machine, table);

		if (!error)
			error = guest_read(machine, table + index * sizeof(word), &word,
					   sizeof(word));
		if (error)
			return error;
		if (!(word & HPT_PRESENT))
			return -ENOENT;
		page->flags &= word | HPT_NOEXEC;
		page->flags |= word & WORD_NOEXEC ? HPT_NOEXEC : 0;
		if (is_leaf(word, level)) {
			page->gpa = address_in(word, level, gva);
			page->shift = shift_of(level);
			return 0;
		}
	}
}

/* One of the words in use among `count` from `first` on, each as likely; `count` if there is none.
 */
static unsigned int choose_word(const uint64_t *words, unsigned int first, unsigned int count,
				uint64_t *random)
{
	unsigned int chosen = count;
	unsigned int used = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (words[first + i] & HPT_PRESENT && mix64_next(random) % ++used == 0)
			chosen = i;
	}
	return chosen;
}

int x86_choose(struct machine *machine, gpa_t root, unsigned int first, unsigned int count,
	       uint64_t *random, uint64_t *gva)
{
	uint64_t words[X86_WORDS];
	uint64_t vpn = 0;
	gpa_t table = root;

	for (int level = LEVELS - 1;; level--) {
		int error = is_touched(machine, table);
		unsigned int chosen;

		if (!error)
			error = guest_read(machine, table, words, sizeof(words));
		if (error)
			return error;
		chosen = choose_word(words, first, count, random);
		if (chosen == count)
			return -ENOENT;
		vpn = vpn << INDEX_BITS | (first + chosen);
		if (is_leaf(words[first + chosen], level)) {
			uint64_t within = (UINT64_C(1) << INDEX_BITS * level) - 1;

			vpn = vpn << INDEX_BITS * level | (mix64_next(random) & within);
			*gva = x86_gva(vpn);
			return 0;
		}
		table = words[first + chosen] & ADDRESS_MASK;
		first = 0;
		count = X86_WORDS;
	}
}
