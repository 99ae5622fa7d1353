/* SPDX-License-Identifier: MIT */
/* See consistency.h: the schedule. */
#include "bench/consistency.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "hpt/mix.h"

/* A number of [0, 1) that belongs to one change of one thing, whenever it is asked for. */
static double chance_of(const struct consistency *world, uint32_t thing, uint64_t version)
{
	uint64_t bits = mix64(mix64(world->setting.seed + thing) + version + 1);

	return (double)(bits >> 11) * 0x1p-53;
}

/* From one version's beginning to its end. */
static double lifetime(const struct consistency *world, uint32_t thing, uint64_t version)
{
	double mean = 1 / world->setting.changes;
	double chance = chance_of(world, thing, version);

	if (!world->setting.periodic)
		return -log1p(-chance) * mean;
	return version ? mean : chance * mean;
}

int consistency_begin(struct consistency *world, const struct consistency_setting *setting)
{
	*world = (struct consistency){.setting = *setting, .random = setting->seed};
	world->things = calloc(setting->things, sizeof(*world->things));
	if (!world->things)
		return -ENOMEM;
	for (uint32_t i = 0; i < setting->things; i++)
		world->things[i].changed = lifetime(world, i, 0);
	return 0;
}

void consistency_end(struct consistency *world)
{
	free(world->things);
}

double consistency_chance(struct consistency *world)
{
	return (double)(mix64_next(&world->random) >> 11) * 0x1p-53;
}

uint32_t consistency_next(struct consistency *world)
{
	const struct consistency_setting *setting = &world->setting;
	double all = setting->asked * setting->things;
	uint32_t i;

	world->now += -log1p(-consistency_chance(world)) / all;
	i = (uint32_t)(mix64_next(&world->random) % setting->things);
	/* What nobody asks for may change unseen: only this thing has to be as it is now. */
	while (world->things[i].changed <= world->now) {
		world->things[i].version++;
		world->changes++;
		world->things[i].changed += lifetime(world, i, world->things[i].version);
		if (world->tell)
			world->tell(world->context, i);
	}
	return i;
}

double consistency_superseded(const struct consistency *world, uint32_t thing, uint64_t version)
{
	double at = world->things[thing].changed;

	/* Back from the end of the version that it has now. */
	for (uint64_t v = world->things[thing].version; v > version; v--)
		at -= lifetime(world, thing, v);
	return at;
}
