# SPDX-License-Identifier: MIT
#
#   make              build/twostage, the guest kernel, the guest images
#   make demo         all set-up, then a guest on two hashed page tables
#   make check        all set-up, then every test that takes minutes
#   make check-deep   large footprints and sanitizers only
#   make check-all    both
#   make help         the other targets

PREFIX ?= /usr/local
CC ?= gcc
CLANG ?= clang
CXX ?= g++
MUSL_CC ?= musl-gcc
BUILD := build

PACKAGES := gcc make libc6-dev libjansson-dev musl-tools \
	clang clang-format libcriterion-dev libelf-dev libssl-dev bats jq shellcheck \
	qemu-system-x86 busybox-static cpio xz-utils gnuplot-nox liblzma-dev zlib1g-dev valgrind \
	libldns-dev nsd dnsutils dnsperf

# Tables of others for `make bench-tables`, each of which may be missing.
PEER_PACKAGES := g++ pkg-config libhts-dev libglib2.0-dev liburcu-dev libabsl-dev robin-map-dev \
	libjudy-dev

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror
COMMON := -std=gnu11 -O2 -g $(WARNINGS) -I. -MMD -MP
# What check-sanitized builds the host's code with.
SANITIZE ?=
HOST_FLAGS := $(COMMON) -D_GNU_SOURCE -pthread $(SANITIZE)
CXX_FLAGS := $(patsubst -std=%,-std=gnu++17,$(filter-out -Wstrict-prototypes,$(HOST_FLAGS)))
# Ring 0 may be an instruction emulator that knows only baseline integer instructions (DESIGN.md);
# that of pvm goes astray at a jump through a table. Sections: what the kernel does not use of hpt/
# is not linked.
GUEST_FLAGS := $(COMMON) -ffreestanding -mgeneral-regs-only -mno-red-zone -fno-stack-protector \
	-fcf-protection=none -fno-pic -fno-pie -fno-asynchronous-unwind-tables \
	-fno-tree-vectorize -fno-jump-tables -mcmodel=kernel -ffunction-sections
IMAGE_FLAGS := $(COMMON) -D_GNU_SOURCE -static
VMM_LIBS := -ljansson
# ldns, and what its DNSSEC needs (which is not called), are linked into the program: loading them
# would double the time that every command takes to start.
BENCH_LIBS := -llzma -lz -lm -Wl,-Bstatic -lldns -lcrypto -Wl,-Bdynamic
TEST_LIBS := -lcriterion -lelf -lcrypto -ljansson $(BENCH_LIBS)

rooms_of = $(patsubst %.c,$(BUILD)/obj/$(1)/%.o,$(wildcard $(2:%=%/*.c)))

LIB_OBJECTS := $(call rooms_of,host,hpt ept)
# Of bench/ what is a benchmark of its own; the rest is an archive, from which each program takes
# what it needs.
BENCH_TABLES := $(addprefix bench/,tables.c lookups.c ranges.c sealed.c growth.c spaces.c readers.c \
	subject.c $(notdir $(wildcard bench/hashes.c bench/peer*.c)))
BENCH_WALKS := $(wildcard bench/walks*.c)
BENCH_STAGE2 := $(wildcard bench/stage2*.c)
BENCH_LIB_OBJECTS := $(patsubst %.c,$(BUILD)/obj/host/%.o,\
	$(filter-out $(BENCH_TABLES) $(BENCH_WALKS) $(BENCH_STAGE2) bench/resolver.c,\
	$(wildcard bench/*.c)))
BENCH_LIB := $(BUILD)/bench.a
VMM_OBJECTS := $(filter-out %/main.o,$(call rooms_of,host,vmm)) $(BUILD)/obj/host/vmm/embed.o
GUEST_OBJECTS := $(call rooms_of,guest,guest hpt) \
	$(patsubst %.S,$(BUILD)/obj/guest/%.o,$(wildcard guest/*.S))
IMAGES := $(patsubst images/%.c,$(BUILD)/images/%,\
	$(foreach folder,$(wildcard images/*),$(wildcard $(folder)/$(notdir $(folder)).c)))
IMAGES := $(addprefix $(BUILD)/images/,$(notdir $(IMAGES)))
TEST_IMAGES := $(patsubst tests/images/%.c,$(BUILD)/tests/images/%,$(wildcard tests/images/*.c))
GUEST_PROBES := $(BUILD)/tests/guest/fault_cost
TEST_KERNELS := $(patsubst tests/vmm/kernels/%.S,$(BUILD)/tests/kernels/%,\
	$(wildcard tests/vmm/kernels/*.S)) \
	$(patsubst tests/vmm/kernels/multiboot/%.S,$(BUILD)/tests/kernels/multiboot_%,\
	$(wildcard tests/vmm/kernels/multiboot/*.S)) $(BUILD)/tests/kernels/multiboot_information.flat

LINUX_GUEST := $(BUILD)/tests/linux/initrd

comma := ,

# Programs with a main() of their own; all other files of tests/ROOM make up the room's unit tests.
TEST_PROGRAMS := $(wildcard tests/*/torture*.c tests/*/interleave*.c tests/*/fuzz_*.c \
	tests/vmm/bad_images.c tests/guest/agree.c)
unit_objects = $(patsubst %.c,$(BUILD)/obj/host/%.o,\
	$(filter-out $(TEST_PROGRAMS),$(wildcard tests/$(1)/*.c)))
UNIT_TESTS := $(BUILD)/tests/hpt $(BUILD)/tests/ept $(BUILD)/tests/vmm $(BUILD)/tests/bench

.PHONY: all deps deps-bench demo check check-deep check-all check-sanitized fuzz bench bench-tables \
	bench-walks bench-stage2 testbed install clean help lint format tests unit-tests sanitized FORCE
.DELETE_ON_ERROR:

all: $(BUILD)/twostage $(BUILD)/resolver $(IMAGES)

help:
	@sed -n 's/^#   //p' Makefile
	@echo 'make deps         install the Debian packages that are missing'
	@echo 'make deps-bench   the tables of others that bench-tables compares with, as far as there are'
	@echo 'make testbed      build/testbed: QEMU with emulated SVM, where /dev/kvm is missing'
	@echo 'make bench        the measurements: bench-tables, bench-walks, bench-stage2'
	@echo 'make fuzz         $(FUZZ_SECONDS) s (FUZZ_SECONDS) of each fuzzer; needs libclang-rt-14-dev'
	@echo 'make check-sanitized  the unit tests under the address and undefined-behaviour sanitizers'
	@echo 'make lint         clang, clang-format, who includes whom'
	@echo 'make format       apply clang-format'
	@echo 'make install      to PREFIX=$(PREFIX): bin/twostage, lib/twostage/images/'
	@echo 'make clean        remove build/'

deps:
	@tests/deps.sh $(PACKAGES)

# One at a time, so that one that there is not leaves the others.
deps-bench:
	@for package in $(PEER_PACKAGES); do \
		tests/deps.sh $$package 2>/dev/null && echo "deps-bench: $$package is installed" || \
			echo "deps-bench: $$package cannot be installed"; \
	done

demo: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@tests/demo.sh

# Where nobody has said how many jobs, as many as there are CPUs.
JOBS = $(if $(findstring -j,$(MAKEFLAGS))$(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

check: deps
	@$(MAKE) --no-print-directory $(JOBS) all tests testbed
	@tests/check.sh

check-deep: deps
	@$(MAKE) --no-print-directory $(JOBS) all tests testbed sanitized
	@tests/check_deep.sh

# One after the other, whatever -j says: both use the machine's one /dev/kvm and build/check/.
check-all:
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory check-deep

check-sanitized: deps
	@$(MAKE) --no-print-directory sanitized
	@tests/check_sanitized.sh

# The unit tests once more, in a build directory of their own.
sanitized: $(BUILD)/images/hello
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' unit-tests

testbed: $(BUILD)/twostage $(IMAGES)
	@tests/testbed/build.sh $(BUILD)/testbed

unit-tests: $(UNIT_TESTS)

tests: unit-tests $(TEST_IMAGES) $(GUEST_PROBES) $(TEST_KERNELS) $(LINUX_GUEST) \
	$(BUILD)/tests/bad_images \
	$(BUILD)/tests/torture_ept $(BUILD)/tests/torture_hpt $(BUILD)/tests/interleave_hpt \
	$(BUILD)/tests/agree

install: all
	install -D -m 755 $(BUILD)/twostage $(DESTDIR)$(PREFIX)/bin/twostage
	install -d $(DESTDIR)$(PREFIX)/lib/twostage/images
	install -m 755 $(IMAGES) $(DESTDIR)$(PREFIX)/lib/twostage/images

clean:
	rm -rf $(BUILD)

# The flags are part of what an object depends on.
$(BUILD)/obj/host/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CC) $(HOST_FLAGS) -c $< -o $@

$(BUILD)/obj/guest/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CC) $(GUEST_FLAGS) -c $< -o $@

$(BUILD)/obj/guest/%.o: %.S Makefile
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CC) $(GUEST_FLAGS) -c $< -o $@

$(BUILD)/guest/kernel: $(GUEST_OBJECTS) guest/kernel.lds
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) -nostdlib -static -no-pie -Wl,-T,guest/kernel.lds -Wl,--build-id=none -Wl,--gc-sections \
		-Wl,-z,max-page-size=4096 $(GUEST_OBJECTS) -o $@

$(BUILD)/obj/host/vmm/embed.o: vmm/embed.S $(BUILD)/guest/kernel Makefile
	@mkdir -p $(@D)
	@echo '  AS   $@'
	@$(CC) -DGUEST_KERNEL_PATH='"$(BUILD)/guest/kernel"' -c $< -o $@

$(BENCH_LIB): $(BENCH_LIB_OBJECTS)
	@echo '  AR   $@'
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/twostage: $(BUILD)/obj/host/vmm/main.o $(BENCH_LIB) $(VMM_OBJECTS) $(LIB_OBJECTS)
	@echo '  LD   $@'
	@$(CC) -pthread $^ -o $@ $(VMM_LIBS) $(BENCH_LIBS)

# The resolver of the experiment `consistency`, for dig and dnsperf.
$(BUILD)/resolver: $(BUILD)/obj/host/bench/resolver.o $(BENCH_LIB) $(VMM_OBJECTS) $(LIB_OBJECTS)
	@echo '  LD   $@'
	@$(CC) -pthread $^ -o $@ $(VMM_LIBS) $(BENCH_LIBS)

define image_rule
$(BUILD)/images/$(1): images/$(1)/$(1).c Makefile
	@mkdir -p $$(@D) $(BUILD)/obj
	@echo '  CC   $$@'
	@$(MUSL_CC) $(IMAGE_FLAGS) -MF $(BUILD)/obj/image_$(1).d $$< -o $$@
endef
$(foreach image,$(notdir $(IMAGES)),$(eval $(call image_rule,$(image))))

$(BUILD)/tests/images/%: tests/images/%.c Makefile
	@mkdir -p $(@D) $(BUILD)/obj
	@echo '  CC   $@'
	@$(MUSL_CC) $(IMAGE_FLAGS) -MF $(BUILD)/obj/test_image_$*.d $< -o $@

$(BUILD)/tests/guest/%: tests/guest/%.c Makefile
	@mkdir -p $(@D) $(BUILD)/obj
	@echo '  CC   $@'
	@$(MUSL_CC) $(IMAGE_FLAGS) -MF $(BUILD)/obj/guest_probe_$*.d $< -o $@

$(BUILD)/tests/kernels/%: tests/vmm/kernels/%.S $(wildcard tests/vmm/kernels/*.inc) \
		tests/vmm/kernels/kernel.lds Makefile
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) -I. -nostdlib -static -no-pie -Wl,-T,tests/vmm/kernels/kernel.lds \
		-Wl,--build-id=none -Wl,--no-warn-rwx-segments -Itests/vmm/kernels $< -o $@

# What a Linux guest boots to.
$(BUILD)/tests/linux/leave: tests/vmm/linux/leave.c Makefile
	@mkdir -p $(@D) $(BUILD)/obj
	@echo '  CC   $@'
	@$(MUSL_CC) $(IMAGE_FLAGS) -MF $(BUILD)/obj/linux_leave.d $< -o $@

$(LINUX_GUEST): $(BUILD)/tests/linux/leave tests/vmm/linux/init tests/vmm/linux/build.sh
	@echo '  GEN  $@'
	@tests/vmm/linux/build.sh $< $@

MULTIBOOT_FLAGS := -m32 -nostdlib -static -no-pie -Wl,-T,tests/vmm/kernels/multiboot/multiboot.lds \
	-Wl,--build-id=none -Wl,--no-warn-rwx-segments -Itests/vmm/kernels/multiboot

$(BUILD)/tests/kernels/multiboot_%: tests/vmm/kernels/multiboot/%.S \
		$(wildcard tests/vmm/kernels/multiboot/multiboot.*) Makefile
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) $(MULTIBOOT_FLAGS) $< -o $@

# Without its ELF header: the addresses stand in the multiboot header.
$(BUILD)/tests/kernels/multiboot_%.flat: tests/vmm/kernels/multiboot/%.S \
		$(wildcard tests/vmm/kernels/multiboot/multiboot.*) Makefile
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) $(MULTIBOOT_FLAGS) -DADDRESSES $< -o $@.elf
	@objcopy -O binary $@.elf $@

# The guest's hashes beside the host's: absolute addresses, so the program is not one that is moved.
$(BUILD)/obj/guest_hash.o: $(BUILD)/obj/guest/hpt/hash.o $(BUILD)/obj/guest/hpt/aes.o
	@echo '  CP   $@'
	@$(LD) -r $^ -o $@
	@objcopy --prefix-symbols=guest_ $@

$(BUILD)/tests/hpt: $(call unit_objects,hpt) $(LIB_OBJECTS) $(BUILD)/obj/guest_hash.o
$(BUILD)/tests/hpt: LINK_FLAGS := -no-pie
$(BUILD)/tests/ept: $(call unit_objects,ept) $(LIB_OBJECTS) \
	$(patsubst %,$(BUILD)/obj/host/tests/hpt/%.o,model pair pair_mark kept)
# System calls that tests/ept/inject.c lets fail.
$(BUILD)/tests/ept: LINK_FLAGS := $(patsubst %,-Wl$(comma)--wrap=%,fallocate preadv pwritev ioctl \
	madvise mmap mprotect poll read)
$(BUILD)/tests/vmm: $(call unit_objects,vmm) $(LIB_OBJECTS) $(VMM_OBJECTS)
# System calls that tests/vmm/virtio_block.c lets fail.
$(BUILD)/tests/vmm: LINK_FLAGS := $(patsubst %,-Wl$(comma)--wrap=%,pread pwrite fdatasync)
$(BUILD)/tests/bench: $(call unit_objects,bench) $(BENCH_LIB) $(VMM_OBJECTS) $(LIB_OBJECTS)
$(UNIT_TESTS):
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) -pthread $(SANITIZE) $(LINK_FLAGS) $^ -o $@ $(TEST_LIBS)

$(BUILD)/tests/bad_images: $(patsubst %,$(BUILD)/obj/host/tests/vmm/%.o,\
		bad_images build_elf build_kernel broken_kernels)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) $^ -o $@

$(BUILD)/tests/agree: $(BUILD)/obj/host/tests/guest/agree.o $(LIB_OBJECTS) $(VMM_OBJECTS)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) -pthread $^ -o $@ $(VMM_LIBS)

# Which peers are installed is found out each time; what depends on it is made again if it changed.
PEER_OBJECTS := $(patsubst %.c,$(BUILD)/obj/host/%.o,$(wildcard bench/peer*.c))
PEERS_CXX = $(if $(shell command -v $(CXX)),$(BUILD)/obj/host/bench/peers_cxx.o)

$(BUILD)/bench/peers.cflags $(BUILD)/bench/peers.libs: FORCE
	@mkdir -p $(@D)
	@bench/peers.sh $(patsubst .%,%,$(suffix $@)) '$(CC)' '$(CXX)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(PEER_OBJECTS) $(BUILD)/obj/host/bench/peers_cxx.o: $(BUILD)/bench/peers.cflags
$(PEER_OBJECTS): HOST_FLAGS += @$(BUILD)/bench/peers.cflags

$(BUILD)/obj/host/bench/peers_cxx.o: bench/peers_cxx.cc Makefile
	@mkdir -p $(@D)
	@echo '  CXX  $@'
	@$(CXX) $(CXX_FLAGS) @$(BUILD)/bench/peers.cflags -c $< -o $@

$(BUILD)/bench_tables: $(BENCH_TABLES:%.c=$(BUILD)/obj/host/%.o) $(BENCH_LIB) \
		$(LIB_OBJECTS) $(PEERS_CXX) $(BUILD)/bench/peers.libs
	@echo '  LD   $@'
	@$(CC) -pthread $(filter %.o,$^) $(BENCH_LIB) -o $@ $(VMM_LIBS) -lm @$(BUILD)/bench/peers.libs

$(BUILD)/bench_walks: $(BENCH_WALKS:%.c=$(BUILD)/obj/host/%.o) $(BENCH_LIB) $(VMM_OBJECTS) \
		$(LIB_OBJECTS)
	@echo '  LD   $@'
	@$(CC) -pthread $^ -o $@ $(VMM_LIBS) $(BENCH_LIBS)

$(BUILD)/bench_stage2: $(BENCH_STAGE2:%.c=$(BUILD)/obj/host/%.o) $(BENCH_LIB) $(VMM_OBJECTS) \
		$(LIB_OBJECTS)
	@echo '  LD   $@'
	@$(CC) -pthread $^ -o $@ $(VMM_LIBS) $(BENCH_LIBS)

bench: bench-tables bench-walks bench-stage2

bench-stage2: deps
	@mkdir -p $(BUILD)/bench
	@$(MAKE) --no-print-directory $(BUILD)/bench_stage2
	@$(BUILD)/bench_stage2 --json $(BUILD)/bench/stage2.json

bench-walks: deps
	@mkdir -p $(BUILD)/bench
	@$(MAKE) --no-print-directory $(BUILD)/bench_walks
	@$(BUILD)/bench_walks --json $(BUILD)/bench/walks.json

bench-tables: deps
	@mkdir -p $(BUILD)/bench
	@$(MAKE) --no-print-directory $(BUILD)/bench_tables
	@$(BUILD)/bench_tables --json $(BUILD)/bench/tables.json

# One program from sources, so that the thread sanitizer sees all of them.
# Walks have no threads.
$(BUILD)/tests/torture_ept: tests/ept/torture.c \
		$(filter-out ept/walk% ept/mmu% ept/shadow%,$(wildcard ept/*.c)) \
		$(wildcard hpt/*.c ept/*.h hpt/*.h) Makefile
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) $(filter-out -MMD -MP,$(HOST_FLAGS)) -fsanitize=thread $(filter %.c,$^) -o $@

$(BUILD)/tests/torture_hpt: $(wildcard tests/hpt/torture* hpt/*.[ch]) Makefile
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) $(filter-out -MMD -MP,$(HOST_FLAGS)) -fsanitize=thread $(filter %.c,$^) -o $@

# Compiled for the thread sanitizer and linked without it: interleave_run.c answers its calls.
$(BUILD)/obj/interleave/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CC) $(HOST_FLAGS) -fsanitize=thread -c $< -o $@

$(BUILD)/tests/interleave_hpt: $(call rooms_of,interleave,hpt) \
		$(patsubst %.c,$(BUILD)/obj/host/%.o,$(wildcard tests/hpt/interleave*.c))
	@mkdir -p $(@D)
	@echo '  LD   $@'
	@$(CC) $^ -o $@

# Programs from sources as well, by clang, whose runtime is a package of its own.
FUZZ_SECONDS ?= 60
FUZZERS := $(BUILD)/fuzz/table $(BUILD)/fuzz/image $(BUILD)/fuzz/trace \
	$(BUILD)/fuzz/dns
FUZZ_FLAGS = $(filter-out -MMD -MP,$(HOST_FLAGS)) -DFUZZ_ENGINE \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

$(BUILD)/fuzz/table: tests/hpt/fuzz_table.c $(wildcard tests/hpt/model.* hpt/*.[ch]) \
	tests/hpt/pair.c tests/hpt/pair_mark.c tests/hpt/stream.c tests/hpt/kept.c $(wildcard tests/hpt/*.h)
$(BUILD)/fuzz/image: tests/vmm/fuzz_image.c tests/vmm/image_invariants.c $(wildcard vmm/image*.[ch])
$(BUILD)/fuzz/trace: tests/bench/fuzz_trace.c tests/bench/trace_fixture.c \
	tests/bench/trace_golden.c $(wildcard tests/bench/trace_*.h bench/trace*.[ch]) vmm/message.c
$(BUILD)/fuzz/dns: tests/bench/fuzz_dns.c tests/bench/dns_invariants.c \
	$(wildcard tests/bench/dns_*.h bench/dns_*.h) bench/dns_message.c bench/dns_wire.c \
	bench/dns_cache.c bench/dns_resolver.c bench/arena.c $(wildcard hpt/*.[ch])
$(FUZZERS): Makefile
	@mkdir -p $(@D)
	@test -e "$$($(CLANG) -print-file-name=libclang_rt.fuzzer-x86_64.a)" || \
		{ echo 'fuzz: $(CLANG) has no fuzzer runtime; fix: apt-get install libclang-rt-14-dev' >&2; exit 1; }
	@echo '  LD   $@'
	@$(CLANG) $(FUZZ_FLAGS) $(filter %.c,$^) -o $@ $(BENCH_LIBS)

fuzz: $(FUZZERS) $(BUILD)/tests/bad_images
	@mkdir -p $(BUILD)/fuzz/image.corpus
	@$(BUILD)/tests/bad_images $(BUILD)/fuzz/image.corpus
	@tests/fuzz.sh $(FUZZ_SECONDS) $(FUZZERS)

lint:
	@tests/lint.sh "$(CLANG)" "$(filter-out -MMD -MP -I. -g,$(HOST_FLAGS))" \
		"$(filter-out -MMD -MP -I. -g,$(GUEST_FLAGS))"

format:
	find . -path ./build -prune -o \( -name '*.[ch]' -o -name '*.cc' \) -exec clang-format -i {} +

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
