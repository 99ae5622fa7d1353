/* SPDX-License-Identifier: MIT */
/*
 * What goes when a mapping changes: all that overlaps it and nothing that the contract keeps; and
 * no walk that uses the caches ever gives an answer that the tables do not.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "ept/mmu_caches.h"
#include "hpt/mix.h"

#define ASIDS	   3
#define REGIONS	   3 /* of 2 MiB */
#define FEW	   6 /* pages in each that are looked at */
#define KEYS_MAX   2000
#define FIRST_PAGE (UINT64_C(0x7f1234) << 9)

static struct mmu_caches caches;

/* Something that may be cached. */
struct key {
	enum mmu_kind kind;
	enum mmu_stage stage;
	uint16_t asid;
	uint64_t vpn; /* or gfn: where what it is of begins */
	uint64_t pages;
	uint64_t tag;
	enum hpt_size size;
	bool held;
};

static struct key keys[KEYS_MAX];
static unsigned int key_count;

static void add_key(struct key key)
{
	cr_assert_lt(key_count, KEYS_MAX);
	keys[key_count++] = key;
}

static void add_page(enum mmu_kind kind, uint16_t asid, uint64_t vpn, enum hpt_size size)
{
	add_key((struct key){.kind = kind,
			     .asid = asid,
			     .vpn = vpn,
			     .pages = size == HPT_2M ? 512 : 1,
			     .tag = mmu_page_tag(size, asid, vpn),
			     .size = size});
}

static uint64_t page_at(unsigned int region, unsigned int i)
{
	static const unsigned int offsets[FEW] = {0, 1, 77, 255, 510, 511};

	return FIRST_PAGE + region * UINT64_C(512) + offsets[i];
}

static void add_pages(enum mmu_kind kind, uint16_t asid)
{
	for (unsigned int region = 0; region < REGIONS; region++) {
		add_page(kind, asid, page_at(region, 0), HPT_2M);
		for (unsigned int i = 0; i < FEW; i++)
			add_page(kind, asid, page_at(region, i), HPT_4K);
	}
}

/* Nodes and rows have no size that matters here: they go with their address space or all. */
static void add_others(enum mmu_stage stage, uint16_t asid)
{
	for (unsigned int region = 0; region < REGIONS; region++) {
		uint64_t vpn = page_at(region, 0) + ((uint64_t)region << 30);

		for (int level = 0; level < MMU_WALK_LEVELS; level++)
			add_key((struct key){
				.kind = (stage == MMU_GUEST ? MMU_GUEST_WALK : MMU_HOST_WALK) +
					level,
				.stage = stage,
				.asid = asid,
				.vpn = vpn,
				.tag = mmu_node_tag(stage, asid, vpn, level)});
		for (int level = MMU_CUCKOO_PMD; level <= MMU_CUCKOO_PUD; level++)
			add_key((struct key){
				.kind = (stage == MMU_GUEST ? MMU_GUEST_CUCKOO : MMU_HOST_CUCKOO) +
					level,
				.stage = stage,
				.asid = asid,
				.vpn = vpn,
				.tag = mmu_tag(0, asid, vpn >> MMU_CUCKOO_SHIFT(level))});
	}
}

static void put_key(const struct key *key)
{
	switch (key->kind) {
	case MMU_L1_TLB:
	case MMU_L2_TLB:
		mmu_tlb_put(&caches, key->asid, key->vpn, key->size, 1);
		break;
	case MMU_NESTED_TLB:
		mmu_nested_put(&caches, key->vpn, key->size, 1);
		break;
	default:
		if (key->kind >= MMU_GUEST_CUCKOO)
			mmu_cuckoo_put(&caches, key->stage,
				       (key->kind - MMU_GUEST_CUCKOO) % 2 ? MMU_CUCKOO_PUD
									  : MMU_CUCKOO_PMD,
				       key->asid, key->vpn, 1);
		else
			mmu_walk_put(&caches, key->stage, key->asid, key->vpn,
				     (int)(key->kind - MMU_GUEST_WALK) % MMU_WALK_LEVELS, 1);
	}
}

static bool is_held(const struct key *key)
{
	struct mmu_cache *cache = caches.units[key->kind].holds[key->size];

	return cache && mmu_cache_entry(cache, key->tag) != MMU_CACHE_NONE;
}

/* The caches with a random choice of keys in them. */
static void fill(enum mmu_profile profile, const char *without, uint64_t seed)
{
	uint64_t random = seed;

	cr_assert_eq(mmu_caches_create(&caches, profile), 0);
	if (without)
		cr_assert_eq(mmu_caches_without(&caches, without), 0);
	key_count = 0;
	for (unsigned int asid = 0; asid < ASIDS; asid++) {
		add_pages(MMU_L1_TLB, (uint16_t)asid);
		add_pages(MMU_L2_TLB, (uint16_t)asid);
		add_others(MMU_GUEST, (uint16_t)asid);
	}
	add_pages(MMU_NESTED_TLB, 0);
	add_others(MMU_HOST, 0);
	for (unsigned int i = 0; i < 2 * key_count; i++)
		put_key(&keys[mix64_next(&random) % key_count]);
	for (int line = 0; line < 100; line++)
		mmu_data_access(&caches, (uint64_t)line);
	for (unsigned int i = 0; i < key_count; i++)
		keys[i].held = is_held(&keys[i]);
}

/* All keys are held as before but those that `goes` names; says how many went. */
static unsigned int expect_gone(bool (*goes)(const struct key *key, const struct key *changed),
				const struct key *changed)
{
	unsigned int gone = 0;

	for (unsigned int i = 0; i < key_count; i++) {
		bool stays = keys[i].held && !goes(&keys[i], changed);

		cr_assert_eq(is_held(&keys[i]), stays, "%s, asid %u, vpn %#lx, %lu pages: %s",
			     mmu_kind_name(keys[i].kind), keys[i].asid, (unsigned long)keys[i].vpn,
			     (unsigned long)keys[i].pages, stays ? "is lost" : "is stale");
		gone += keys[i].held && !stays;
	}
	return gone;
}

static bool overlaps(const struct key *key, const struct key *changed)
{
	return key->vpn < changed->vpn + changed->pages && changed->vpn < key->vpn + key->pages;
}

static bool goes_by_gva(const struct key *key, const struct key *changed)
{
	if (key->kind == MMU_NESTED_TLB || key->stage == MMU_HOST || key->asid != changed->asid)
		return false;
	return key->kind > MMU_NESTED_TLB || overlaps(key, changed);
}

static bool goes_by_gpa(const struct key *key, const struct key *changed)
{
	return key->kind != MMU_NESTED_TLB || overlaps(key, changed);
}

static bool goes(const struct key *key, const struct key *changed)
{
	(void)key;
	(void)changed;
	return true;
}

/* A page of either size: its first, or any address in it. */
static struct key change(uint16_t asid, uint64_t vpn, enum hpt_size size)
{
	return (struct key){.asid = asid,
			    .vpn = size == HPT_2M ? vpn & ~UINT64_C(511) : vpn,
			    .pages = size == HPT_2M ? 512 : 1};
}

static void change_all(enum mmu_profile profile, const char *without)
{
	unsigned int gone = 0;

	for (unsigned int i = 0; i < REGIONS * FEW * HPT_SIZES * ASIDS; i++) {
		uint64_t vpn = page_at(i % REGIONS, i / REGIONS % FEW);
		enum hpt_size size = i / (REGIONS * FEW) % HPT_SIZES;
		uint16_t asid = (uint16_t)(i / (REGIONS * FEW * HPT_SIZES));
		struct key changed = change(asid, vpn, size);

		fill(profile, without, i);
		mmu_caches_invalidate_gva(&caches, asid, vpn, size);
		gone += expect_gone(goes_by_gva, &changed);
		mmu_caches_destroy(&caches);
		fill(profile, without, i);
		mmu_caches_invalidate_gpa(&caches, vpn, size);
		gone += expect_gone(goes_by_gpa, &changed);
		cr_assert(caches.units[MMU_L1_DATA].holds[0] == NULL ||
				  mmu_data_access(&caches, 99) == MMU_DATA_L1,
			  "data caches are physical");
		mmu_caches_destroy(&caches);
	}
	cr_assert_gt(gone, 1000);
	fill(profile, without, 1);
	mmu_caches_flush(&caches);
	expect_gone(goes, NULL);
	mmu_caches_destroy(&caches);
}

Test(mmu_invalidate, a_changed_page_takes_what_overlaps_it_and_nothing_that_stays, .timeout = 120)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		change_all(profile, NULL);
		for (unsigned int i = 0; mmu_ablation_name(i); i++)
			change_all(profile, mmu_ablation_name(i));
	}
}

/*
 * A guest in small: each region is a page of 2 MiB or a node with 512 entries; each guest frame has
 * a host frame, regions of them a page of 2 MiB. Its walker asks every cache.
 */
#define WORLD_REGIONS 24
#define WORLD_FRAMES  (64 * 512)

static struct {
	bool large[ASIDS][WORLD_REGIONS];
	uint64_t node[ASIDS][WORLD_REGIONS]; /* gfn of the node */
	uint64_t gfn[ASIDS][WORLD_REGIONS * 512];
	bool host_large[WORLD_FRAMES / 512];
	uint64_t hfn[WORLD_FRAMES];
	uint64_t next_hfn;
	uint64_t random;
} world;

static uint64_t draw(uint64_t below)
{
	return mix64_next(&world.random) % below;
}

static void host_maps(uint64_t region, bool large)
{
	for (uint64_t i = 0; i < 512; i++)
		world.hfn[region * 512 + i] = world.next_hfn + i;
	world.host_large[region] = large;
	world.next_hfn += 512;
}

static void guest_maps(unsigned int asid, unsigned int region, bool large)
{
	uint64_t frames = draw(WORLD_FRAMES / 512) * 512;

	world.large[asid][region] = large;
	world.node[asid][region] = draw(WORLD_FRAMES);
	for (unsigned int i = 0; i < 512; i++)
		world.gfn[asid][region * 512 + i] = large ? frames + i : draw(WORLD_FRAMES);
}

static void begin_world(enum mmu_profile profile, const char *without)
{
	cr_assert_eq(mmu_caches_create(&caches, profile), 0);
	if (without)
		cr_assert_eq(mmu_caches_without(&caches, without), 0);
	world.random = 1;
	world.next_hfn = 512;
	for (unsigned int region = 0; region < WORLD_FRAMES / 512; region++)
		host_maps(region, draw(2));
	for (unsigned int asid = 0; asid < ASIDS; asid++)
		for (unsigned int region = 0; region < WORLD_REGIONS; region++)
			guest_maps(asid, region, draw(2));
}

/* gfn -> hfn by the caches of the host's stage; what they hold is compared where it is used. */
static uint64_t host_walk(uint64_t gfn, enum hpt_size *size)
{
	uint64_t region = gfn / 512, value;

	if (mmu_nested_find(&caches, gfn, size, &value))
		return *size == HPT_2M ? value + gfn % 512 : value;
	/* A node, and a row, of the host: its region's first frame stands for its place. */
	if (mmu_walk_find(&caches, MMU_HOST, 0, gfn, &value) == 0)
		cr_assert_eq(value, world.hfn[region * 512]);
	else
		mmu_walk_put(&caches, MMU_HOST, 0, gfn, 0, world.hfn[region * 512]);
	*size = world.host_large[region] ? HPT_2M : HPT_4K;
	mmu_nested_put(&caches, gfn, *size, world.hfn[*size == HPT_2M ? region * 512 : gfn]);
	return world.hfn[gfn];
}

static uint64_t walk(uint16_t asid, uint64_t vpn)
{
	enum hpt_size size, host_size;
	uint64_t value, gfn;
	unsigned int region = (unsigned int)(vpn / 512);

	if (mmu_tlb_find(&caches, asid, vpn, &size, &value))
		return size == HPT_2M ? value + vpn % 512 : value;
	/* Where the guest's node is in the host, which either stage may change. */
	if (!world.large[asid][region]) {
		uint64_t place;

		if (mmu_walk_find(&caches, MMU_GUEST, asid, vpn, &place) != 0) {
			place = host_walk(world.node[asid][region], &host_size);
			mmu_walk_put(&caches, MMU_GUEST, asid, vpn, 0, place);
		}
		cr_assert_eq(place, world.hfn[world.node[asid][region]], "a stale node");
	}
	if (mmu_cuckoo_find(&caches, MMU_GUEST, MMU_CUCKOO_PMD, asid, vpn, &value))
		cr_assert_eq(value, world.large[asid][0] + 1u, "a stale row");
	else
		mmu_cuckoo_put(&caches, MMU_GUEST, MMU_CUCKOO_PMD, asid, vpn,
			       world.large[asid][0] + 1u);
	gfn = world.gfn[asid][vpn];
	value = host_walk(gfn, &host_size);
	size = world.large[asid][region] && host_size == HPT_2M ? HPT_2M : HPT_4K;
	mmu_tlb_put(&caches, asid, vpn, size, size == HPT_2M ? value - gfn % 512 : value);
	return value;
}

/* One change of a table, told as its contract wants it. */
static void change_world(void)
{
	unsigned int asid = (unsigned int)draw(ASIDS);
	uint64_t vpn = draw(WORLD_REGIONS * 512);
	unsigned int region = (unsigned int)(vpn / 512);
	uint64_t gfn = draw(WORLD_FRAMES);
	bool was_large = world.large[asid][region];

	switch (draw(6)) {
	case 0: /* the guest maps a region anew, in either size: its old page, or pages, went */
		guest_maps(asid, region, draw(2));
		mmu_caches_invalidate_gva(&caches, (uint16_t)asid, vpn, HPT_2M);
		break;
	case 1:
		host_maps(gfn / 512, draw(2));
		mmu_caches_invalidate_gpa(&caches, gfn, HPT_2M);
		break;
	case 2: /* one host page, whose region is then of small ones */
		if (world.host_large[gfn / 512]) {
			world.host_large[gfn / 512] = false;
			mmu_caches_invalidate_gpa(&caches, gfn, HPT_2M);
		}
		world.hfn[gfn] = world.next_hfn++;
		world.next_hfn += 511;
		mmu_caches_invalidate_gpa(&caches, gfn, HPT_4K);
		break;
	default:
		if (was_large)
			break;
		world.gfn[asid][vpn] = draw(WORLD_FRAMES);
		mmu_caches_invalidate_gva(&caches, (uint16_t)asid, vpn, HPT_4K);
		break;
	}
}

static void live(enum mmu_profile profile, const char *without)
{
	uint64_t hits = 0;

	begin_world(profile, without);
	for (unsigned int step = 0; step < 60000; step++) {
		uint16_t asid = (uint16_t)draw(ASIDS);
		uint64_t vpn =
			draw(2) ? draw(WORLD_REGIONS * 512) : draw(WORLD_REGIONS) * 512 + draw(4);

		if (draw(40) == 0)
			change_world();
		cr_assert_eq(walk(asid, vpn), world.hfn[world.gfn[asid][vpn]],
			     "%s without %s: step %u, asid %u, vpn %#lx", mmu_profile_name(profile),
			     without ? without : "none", step, asid, (unsigned long)vpn);
	}
	for (int kind = 0; kind < MMU_KINDS; kind++)
		hits += caches.units[kind].hits;
	cr_assert_gt(hits, 20000, "%lu hits", (unsigned long)hits);
	mmu_caches_destroy(&caches);
}

Test(mmu_invalidate, no_walk_by_way_of_the_caches_is_ever_stale, .timeout = 120)
{
	for (int profile = MMU_ZEN4; profile < MMU_PROFILES; profile++) {
		live(profile, NULL);
		for (unsigned int i = 0; mmu_ablation_name(i); i++)
			live(profile, mmu_ablation_name(i));
	}
}
