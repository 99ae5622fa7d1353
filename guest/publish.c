/* SPDX-License-Identifier: MIT */
/* See publish.h. */
#include "guest/publish.h"

#include "guest/boot.h"
#include "guest/cpu.h"
#include "guest/frames.h"
#include "guest/stage1.h"

struct abi_page published __attribute__((aligned(4096))) = {
	.magic = ABI_MAGIC,
	.version = ABI_VERSION,
};

struct abi_sample samples[ABI_SAMPLES] __attribute__((aligned(4096)));

static void ring(uint16_t port, uint32_t value)
{
	if (boot.doorbells)
		outl(port, value);
}

void publish_start(void)
{
	published.samples = kernel_gpa(samples);
	published.desc = kernel_gpa(&stage1.desc);
	published.counts = kernel_gpa(&stage1.counts);
	ring(ABI_PORT_PUBLISH, (uint32_t)(kernel_gpa(&published) / HPT_PAGE_SIZE));
}

void publish_write(int fd, uint64_t gpa, uint32_t size)
{
	uint64_t start = rdtsc();

	published.write = (struct abi_write){.gpa = gpa, .size = size, .fd = (uint32_t)fd};
	ring(ABI_PORT_WRITE, size);
	hpt_histogram_add(&published.exits, rdtsc() - start);
}

void publish_program(void)
{
	ring(ABI_PORT_START, 1);
}

void publish_cpu(unsigned int number)
{
	ring(ABI_PORT_CPU, number);
}

void publish_samples(void)
{
	ring(ABI_PORT_SAMPLES, ABI_SAMPLES);
	published.sample_count = 0;
}

void publish_panic(void)
{
	published.panicked = 1;
	if (!published.desc)
		publish_start();
}
