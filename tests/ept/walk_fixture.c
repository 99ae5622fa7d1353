/* SPDX-License-Identifier: MIT */
/* See walk_fixture.h. */
#include "tests/ept/walk_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Guest memory is handed out in blocks of 2 MiB; a power of two of them. */
#define BLOCK	   (UINT64_C(1) << HPT_CHUNK_SHIFT)
#define BLOCKS	   (MACHINE_PAGES / HPT_LARGE_PAGES)
#define SIZE	   (MACHINE_PAGES * HPT_PAGE_SIZE)
#define GPA	   (MACHINE_TABLE_GFN * HPT_PAGE_SIZE)
#define TABLE_PAGE (HPT_PRESENT | HPT_WRITE)

uint64_t machine_frame(const struct machine *machine, uint64_t gfn)
{
	uint64_t block = (gfn - MACHINE_TABLE_GFN) / HPT_LARGE_PAGES;
	uint64_t page = (gfn - MACHINE_TABLE_GFN) % HPT_LARGE_PAGES;

	/* Both are permutations. */
	block = (5 * block + 3) % BLOCKS;
	if (!machine->large)
		page = (205 * page + 77 * block) % HPT_LARGE_PAGES;
	return block * HPT_LARGE_PAGES + page;
}

/* Makes a page of guest memory, zeroed, seen by its gPA, and known to the host's table. */
static void show_page(struct machine *machine, uint64_t gfn)
{
	uint64_t frame = machine_frame(machine, gfn);
	char *at = machine->by_gpa + (gfn - MACHINE_TABLE_GFN) * HPT_PAGE_SIZE;
	void *shown = mmap(at, HPT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			   machine->file, (off_t)(frame * HPT_PAGE_SIZE));

	cr_assert_eq(shown, at, "the test itself is out of memory");
	machine_map(&machine->host, hpt_key(0, gfn, HPT_4K), hpt_entry(frame, TABLE_PAGE));
}

/* The same for all pages of the block that this one is in, once, by one entry. */
static void show_block(struct machine *machine, uint64_t gfn)
{
	struct hpt_key key = hpt_key(0, gfn - gfn % HPT_LARGE_PAGES, HPT_2M);
	uint64_t frame = machine_frame(machine, key.vpn);
	char *at = machine->by_gpa + (key.vpn - MACHINE_TABLE_GFN) * HPT_PAGE_SIZE;
	void *shown;

	if (model_get(&machine->host.model, key))
		return;
	shown = mmap(at, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, machine->file,
		     (off_t)(frame * HPT_PAGE_SIZE));
	cr_assert_eq(shown, at, "the test itself is out of memory");
	machine_map(&machine->host, key, hpt_entry(frame, TABLE_PAGE | HPT_LARGE));
}

static int guest_get(void *context, size_t size, uint64_t *address)
{
	struct machine *machine = context;
	struct test_memory *memory = &machine->guest.memory;

	memory->calls++;
	if (size > machine->guest_limit) {
		memory->failures++;
		return -ENOMEM;
	}
	machine->used = (machine->used + size - 1) & ~(uint64_t)(size - 1);
	cr_assert_leq(machine->used + size, SIZE, "the test itself is out of guest memory");
	*address = GPA + machine->used;
	machine->used += size;
	memory->outstanding++;
	memory->bytes += size;
	for (uint64_t at = 0; at < size; at += HPT_PAGE_SIZE) {
		uint64_t gfn = (*address + at) / HPT_PAGE_SIZE;

		if (machine->large)
			show_block(machine, gfn);
		else
			show_page(machine, gfn);
	}
	return 0;
}

/* What comes back is overwritten, and not handed out again. */
static void guest_put(void *context, uint64_t address, size_t size)
{
	struct machine *machine = context;
	struct test_memory *memory = &machine->guest.memory;
	char *at = machine->by_gpa + (address - GPA);

	memory->outstanding--;
	memory->bytes -= size;
	memset(at, 0xa5, size);
	if (machine->large)
		return;
	for (uint64_t page = 0; page < size; page += HPT_PAGE_SIZE) {
		struct hpt_key key = hpt_key(0, (address + page) / HPT_PAGE_SIZE, HPT_4K);

		if (model_get(&machine->host.model, key))
			pair_unmap(&machine->host, key);
	}
	cr_assert_neq(mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		      MAP_FAILED);
}

static int host_get(void *context, size_t size, uint64_t *address)
{
	struct machine *machine = context;
	struct test_memory *memory = &machine->host.memory;
	struct hpt_memory provider = test_memory_of(memory);

	if (size > machine->host_limit) {
		memory->failures++;
		return -ENOMEM;
	}
	return provider.get(provider.context, size, address);
}

static void host_put(void *context, uint64_t address, size_t size)
{
	struct machine *machine = context;
	struct hpt_memory provider = test_memory_of(&machine->host.memory);

	provider.put(provider.context, address, size);
}

static void begin_pair(struct pair *pair, const struct hpt_config *config)
{
	cr_assert_eq(hpt_create(&pair->table, config), 0);
	pair->model.bucket_count = 4096;
	model_begin(&pair->model);
}

static void *view(int protection, int flags, int file, uint64_t size)
{
	void *at = mmap(NULL, size, protection, flags | MAP_NORESERVE, file, 0);

	cr_assert_neq(at, MAP_FAILED, "the test itself is out of memory");
	return at;
}

static void begin_memory(struct machine *machine)
{
	machine->file = memfd_create("guest", MFD_CLOEXEC);
	cr_assert_geq(machine->file, 0);
	cr_assert_eq(ftruncate(machine->file, SIZE), 0);
	machine->by_gpa = view(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, SIZE);
	/* Behind the last frame there is nothing: the views are mapped into what is reserved. */
	machine->by_frame = view(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, SIZE + BLOCK);
	cr_assert_eq(mmap(machine->by_frame, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			  machine->file, 0),
		     machine->by_frame);
	machine->frame_count = SIZE / HPT_PAGE_SIZE;
}

void machine_begin(struct machine *machine, const struct machine_config *config)
{
	struct hpt_config host = {.organisation = config->pair.host,
				  .pages = config->host_pages,
				  .salt = config->salt,
				  .hash = config->hash,
				  .sealed = config->host_sealed,
				  .seal_key = "the host's seal",
				  .memory = {.get = host_get, .put = host_put, .context = machine}};
	struct hpt_config guest = {
		.organisation = config->pair.guest,
		.pages = config->guest_pages,
		.salt = ~config->salt,
		.hash = config->hash,
		.sealed = config->guest_sealed,
		.seal_key = "the other's key",
		.memory = {.get = guest_get, .put = guest_put, .context = machine}};

	*machine =
		(struct machine){.large = config->large, .guest_limit = SIZE, .host_limit = SIZE};
	if (!config->salt)
		guest.salt = 0;
	begin_memory(machine);
	machine->host.memory.offset = host.memory.offset = 0x7f000;
	begin_pair(&machine->host, &host);
	guest.memory.offset = (uintptr_t)machine->by_gpa - GPA;
	machine->guest.memory.offset = guest.memory.offset;
	begin_pair(&machine->guest, &guest);
}

static void end_memory(struct machine *machine)
{
	pair_end(&machine->host);
	munmap(machine->by_gpa, SIZE);
	munmap(machine->by_frame, SIZE + BLOCK);
	close(machine->file);
}

void machine_end(struct machine *machine)
{
	pair_end(&machine->guest);
	end_memory(machine);
}

void machine_abandon(struct machine *machine)
{
	model_end(&machine->guest.model);
	end_memory(machine);
}

struct walk machine_walk(const struct machine *machine, bool slab, unsigned int guest_sizes,
			 unsigned int host_sizes)
{
	struct walk walk = {.host = &machine->host.table,
			    .guest = &machine->guest.table,
			    .slab = slab,
			    .guest_sizes = (uint8_t)guest_sizes,
			    .host_sizes = (uint8_t)host_sizes,
			    .frames = (uintptr_t)machine->by_frame,
			    .frame_count = machine->frame_count};

	cr_assert_eq(walk_prepare(&walk), 0);
	return walk;
}

void machine_map(struct pair *pair, struct hpt_key key, uint64_t entry)
{
	int error = pair_map(pair, key, entry);

	cr_assert_eq(error, 0, "map of vpn %#llx gave %d", (unsigned long long)key.vpn, error);
}

/* A naive map asked for a page of either size that the walk knows. */
static uint64_t find(const struct model *model, struct hpt_key key, unsigned int sizes)
{
	uint64_t entry = 0;

	key.size = HPT_4K;
	if (sizes & WALK_4K)
		entry = model_get(model, key);
	key.size = HPT_2M;
	key.vpn -= key.vpn % HPT_LARGE_PAGES;
	if (!entry && sizes & WALK_2M)
		entry = model_get(model, key);
	return entry;
}

/* The frame of page `number`, of which this is the entry. */
static uint64_t frame_of(uint64_t entry, uint64_t number)
{
	uint64_t frame = entry >> 12;

	if (entry & HPT_LARGE)
		frame += number % HPT_LARGE_PAGES;
	return frame % (UINT64_C(1) << 36);
}

/* Whether an entry that a stage gave ends the walk; then the result says so. */
static bool fails(struct walk_result *result, uint8_t stage, uint64_t entry)
{
	if (entry & HPT_PRESENT)
		return false;
	result->stage = stage;
	result->entry = entry;
	result->outcome = !entry		? WALK_ABSENT
			  : entry & HPT_SWAPPED ? WALK_SWAPPED
						: WALK_NOT_PRESENT;
	return true;
}

static bool has(uint64_t entry, uint64_t flag)
{
	return entry & flag;
}

static uint64_t joined(uint64_t guest, uint64_t host, uint64_t hfn)
{
	uint64_t entry = HPT_PRESENT + (hfn << 12);

	if (has(guest, HPT_WRITE) && has(host, HPT_WRITE))
		entry |= HPT_WRITE;
	if (has(guest, HPT_LARGE) && has(host, HPT_LARGE))
		entry |= HPT_LARGE;
	if (has(guest, HPT_NOEXEC) || has(host, HPT_NOEXEC))
		entry |= HPT_NOEXEC;
	if (has(guest, HPT_USER))
		entry |= HPT_USER;
	if (has(guest, HPT_GLOBAL))
		entry |= HPT_GLOBAL;
	return entry;
}

/* Whether the walk has no way to the first line of the guest's table. */
static bool out_of_reach(const struct machine *machine, const struct walk *walk, struct hpt_key key)
{
	const struct hpt_desc *desc = &machine->guest.table.desc;

	if (walk->slab || walk->host_sizes & (machine->large ? WALK_2M : WALK_4K))
		return false;
	key.size = HPT_4K;
	return hpt_key_fits(key, pair_vpn_bits(&machine->guest), pair_asid_bits(&machine->guest)) &&
	       (desc->organisation != HPT_RADIX || desc->directory[key.asid]);
}

void machine_expect(const struct machine *machine, const struct walk *walk, struct hpt_key key,
		    struct walk_result *result)
{
	uint64_t guest = find(&machine->guest.model, key, walk->guest_sizes);
	uint64_t host;

	*result = (struct walk_result){.of_table = out_of_reach(machine, walk, key)};
	if (result->of_table) {
		result->outcome = WALK_ABSENT;
		result->stage = 2;
		return;
	}
	if (fails(result, 1, guest))
		return;
	result->gfn = frame_of(guest, key.vpn);
	result->guest_size = has(guest, HPT_LARGE) ? HPT_2M : HPT_4K;
	host = find(&machine->host.model, hpt_key(0, result->gfn, HPT_4K), walk->host_sizes);
	if (fails(result, 2, host))
		return;
	result->host_size = has(host, HPT_LARGE) ? HPT_2M : HPT_4K;
	result->entry = joined(guest, host, frame_of(host, result->gfn));
}

bool machine_same(const struct walk_result *a, const struct walk_result *b, bool probe)
{
	return a->entry == b->entry && a->gfn == b->gfn && a->outcome == b->outcome &&
	       a->stage == b->stage && a->of_table == b->of_table &&
	       a->guest_size == b->guest_size && a->host_size == b->host_size &&
	       (!probe || a->probe == b->probe);
}

void machine_fail(const struct machine *machine, const struct walk *walk, struct hpt_key key,
		  const char *what)
{
	const struct hpt_desc *guest = &walk->guest->desc;
	const struct hpt_desc *host = &walk->host->desc;
	struct walk_result counted;

	walk_count(walk, key, &counted, NULL);
	cr_log_error("%s over %s, %s, sizes %u and %u, sealed %u and %u, hash %u%s: "
		     "asid %u, vpn %#llx, size %u: %s; counted: %s, entry %#llx, gfn %#llx, "
		     "stage %u, of_table %d, probe %u",
		     hpt_organisation_name((enum hpt_organisation)guest->organisation),
		     hpt_organisation_name((enum hpt_organisation)host->organisation),
		     walk->slab ? "slab" : "nested", walk->guest_sizes, walk->host_sizes,
		     guest->sealed, host->sealed, guest->family,
		     machine->large ? ", tables in large pages" : "", key.asid,
		     (unsigned long long)key.vpn, key.size, what,
		     walk_outcome_name(counted.outcome), (unsigned long long)counted.entry,
		     (unsigned long long)counted.gfn, counted.stage, counted.of_table,
		     (unsigned int)counted.probe);
	cr_assert_fail("%s", what);
	abort();
}

/* The entry that walk_one() and walk_batch() give. */
static uint64_t plain(const struct walk_result *result)
{
	return result->outcome == WALK_TRANSLATED ? result->entry : 0;
}

static void check_batches(const struct machine *machine, const struct walk *walk,
			  const struct hpt_key *keys, const struct walk_result *results,
			  size_t count)
{
	static const size_t sizes[] = {1, 15, 16, 17, 100, 0, 31, 32, 33};
	uint64_t entries[128];

	for (size_t first = 0, batch = 0; first < count; batch++) {
		size_t size = sizes[batch % (sizeof(sizes) / sizeof(sizes[0]))];

		size = size < count - first ? size : count - first;
		memset(entries, 0xee, sizeof(entries));
		walk_batch(walk, keys + first, entries, size);
		for (size_t i = 0; i < size; i++) {
			if (entries[i] != plain(&results[first + i]))
				machine_fail(machine, walk, keys[first + i], "wrong in a batch");
		}
		if (entries[size] != UINT64_C(0xeeeeeeeeeeeeeeee))
			machine_fail(machine, walk, keys[first], "a batch has written too far");
		first += size;
	}
}

void machine_check_all(const struct machine *machine, const struct walk *walk,
		       const struct hpt_key *keys, const struct walk_result *results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct walk_result counted;

		if (walk_one(walk, keys[i]) != plain(&results[i]))
			machine_fail(machine, walk, keys[i], "wrong");
		walk_count(walk, keys[i], &counted, NULL);
		if (!machine_same(&counted, &results[i], false))
			machine_fail(machine, walk, keys[i], "counted wrong");
	}
	check_batches(machine, walk, keys, results, count);
}

void machine_check(const struct machine *machine, const struct walk *walk,
		   const struct hpt_key *keys, size_t count)
{
	struct walk_result *results = calloc(count, sizeof(*results));

	cr_assert_not_null(results);
	for (size_t i = 0; i < count; i++)
		machine_expect(machine, walk, keys[i], &results[i]);
	machine_check_all(machine, walk, keys, results, count);
	free(results);
}
