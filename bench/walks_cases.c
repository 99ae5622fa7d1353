/* SPDX-License-Identifier: MIT */
/* See walks.h. */
#include "bench/walks.h"

#define RADIX	  HPT_RADIX
#define CLUSTERED HPT_CLUSTERED
#define BUCKET	  HPT_BUCKET

#define SUBJECT(f, g, h)                                             \
	{                                                            \
		.used = true, .form = (f), .guest = (g), .host = (h) \
	}
#define SEALED(f, g, h)                                                              \
	{                                                                            \
		.used = true, .form = (f), .guest = (g), .host = (h), .sealed = true \
	}

const struct walks_case walks_cases[] = {
	{
		.name = "scattered-128",
		.title = "128 GiB, frames scattered, uniform",
		.workload = STREAM_UNIFORM,
		.gib = 128,
		.frames = LAYOUT_SCATTERED,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX), SUBJECT(FORM_RRP, RADIX, RADIX),
			     SUBJECT(FORM_HH, CLUSTERED, CLUSTERED),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED),
			     SUBJECT(FORM_SHD, CLUSTERED, CLUSTERED)},
		.bars = {{"HHp-over-ref2-128-GiB", WALKS_OVER_REF2, 3, 0, 1.05, true},
			 {"RR-over-HHp-128-GiB", WALKS_OVER, 0, 3, 1.7, false},
			 {"SHD-over-ref1-128-GiB", WALKS_OVER_REF1, 4, 0, 1.25, true},
			 {"RR-over-SHD-128-GiB", WALKS_OVER, 0, 4, 4, false}},
	},
	{
		.name = "batches-128",
		.title = "128 GiB, frames scattered, in batches",
		.workload = STREAM_UNIFORM,
		.gib = 128,
		.frames = LAYOUT_SCATTERED,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED)},
		.bars = {{"HHp-batch-over-two-load-limit-128-GiB", WALKS_BATCH_OVER_LIMIT, 1, 0,
			  1.0, true},
			 {"RR-batch-over-HHp-batch-128-GiB", WALKS_BATCH_OVER, 0, 1, 1.8, false}},
	},
	{
		.name = "scattered-512",
		.title = "512 GiB, frames scattered, uniform",
		.workload = STREAM_UNIFORM,
		.gib = 512,
		.frames = LAYOUT_SCATTERED,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED)},
		.bars = {{"HHp-over-ref2-512-GiB", WALKS_OVER_REF2, 1, 0, 1.05, true},
			 {"RR-over-HHp-512-GiB", WALKS_OVER, 0, 1, 2.2, false},
			 {"HHp-batch-over-two-load-limit-512-GiB", WALKS_BATCH_OVER_LIMIT, 1, 0,
			  1.0, true},
			 {"RR-batch-over-HHp-batch-512-GiB", WALKS_BATCH_OVER, 0, 1, 1.8, false}},
	},
	{
		.name = "runs-128",
		.title = "128 GiB, the guest's frames in runs of 2 MiB, uniform",
		.workload = STREAM_UNIFORM,
		.gib = 128,
		.frames = LAYOUT_RUNS,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED),
			     SUBJECT(FORM_HHS, CLUSTERED, CLUSTERED)},
		.bars = {{"HHs-over-ref2-runs-128-GiB", WALKS_OVER_REF2, 2, 0, 0.6, true},
			 {"RR-over-HHs-runs-128-GiB", WALKS_OVER, 0, 2, 2.5, false}},
	},
	{
		.name = "sparse-512",
		.title = "one page of 512 over a span of 512 GiB",
		.workload = STREAM_SPARSE,
		.gib = 512,
		.frames = LAYOUT_SCATTERED,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX), SUBJECT(FORM_RRP, RADIX, RADIX),
			     SUBJECT(FORM_HHP, BUCKET, BUCKET), SUBJECT(FORM_HHS, BUCKET, BUCKET),
			     SUBJECT(FORM_SHD, BUCKET, BUCKET)},
		.bars = {{"RR-over-SHD-sparse", WALKS_OVER, 0, 4, 5, false},
			 {"RR-over-HHs-sparse", WALKS_OVER, 0, 3, 3.5, false}},
	},
	{
		.name = "sequential-128",
		.title = "128 GiB, page after page",
		.workload = STREAM_SEQUENTIAL,
		.gib = 128,
		.frames = LAYOUT_RUNS,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX), SUBJECT(FORM_RRP, RADIX, RADIX),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED),
			     SUBJECT(FORM_HHS, CLUSTERED, CLUSTERED),
			     SUBJECT(FORM_SHD, HPT_ADAPTIVE, HPT_ADAPTIVE)},
		.bars = {{"SHD-over-RRP-sequential", WALKS_OVER, 4, 1, 1.5, true},
			 {"RR-over-SHD-sequential", WALKS_OVER, 0, 4, 3, false}},
	},
	{
		.name = "fragmented-16",
		.title = "16 GiB in segments of 64 MiB here and there",
		.workload = STREAM_FRAGMENTED,
		.gib = 16,
		.frames = LAYOUT_SCATTERED,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED),
			     SUBJECT(FORM_HHP, BUCKET, BUCKET)},
		.bars = {{"HHp-refs-fragmented", WALKS_REFS, 2, 0, 2.1, true}},
	},
	{
		.name = "sealed-128",
		.title = "128 GiB, frame numbers sealed by AES-128 (the last two rows)",
		.workload = STREAM_UNIFORM,
		.gib = 128,
		.frames = LAYOUT_SCATTERED,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED), SEALED(FORM_RR, RADIX, RADIX),
			     SEALED(FORM_HHP, CLUSTERED, CLUSTERED)},
		.bars = {{"sealed-HHp-over-HHp-128-GiB", WALKS_OVER, 3, 1, 1.1, true},
			 {"sealed-RR-over-sealed-HHp-128-GiB", WALKS_OVER, 2, 3, 2.7, false}},
	},
	{
		.name = "small-1",
		.title = "1 GiB, uniform",
		.workload = STREAM_UNIFORM,
		.gib = 1,
		.frames = LAYOUT_SCATTERED,
		.subjects = {SUBJECT(FORM_RR, RADIX, RADIX), SUBJECT(FORM_RRP, RADIX, RADIX),
			     SUBJECT(FORM_HHP, CLUSTERED, CLUSTERED),
			     SUBJECT(FORM_SHD, CLUSTERED, CLUSTERED)},
		.bars = {{"SHD-over-RRP-1-GiB", WALKS_OVER, 3, 1, 1.1, true}},
	},
};

const size_t walks_case_count = sizeof(walks_cases) / sizeof(walks_cases[0]);
