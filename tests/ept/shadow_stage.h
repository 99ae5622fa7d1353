/* SPDX-License-Identifier: MIT */
/* One stage of a world (shadow_world.h): its changes, done to table and model. */
#ifndef TESTS_EPT_SHADOW_STAGE_H
#define TESTS_EPT_SHADOW_STAGE_H

#include "tests/ept/shadow_world.h"

/*
 * One change at random. `frames`: the regions that frames lie in, NULL for any frames. Few frames
 * are used, so that pages share them.
 */
void stage_change(struct world_stage *stage, const uint64_t *frames, uint64_t *random);

/* The table has what the model has, and nothing else. */
void stage_compare(struct world_stage *stage);

#endif
