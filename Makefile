# weaksam: a CPU inference library for the Segment Anything family. `make help` lists the targets.

# The version is that of the headers. While MAJOR is 0 another MINOR may change the ABI.
version_of = $(shell sed -n 's/^.define WSAM_VERSION_$(1) //p' include/weaksam/base.h)
MAJOR   := $(call version_of,MAJOR)
MINOR   := $(call version_of,MINOR)
VERSION := $(MAJOR).$(MINOR).$(call version_of,PATCH)
SONAME  := $(if $(filter 0,$(MAJOR)),0.$(MINOR),$(MAJOR))

BUILD   ?= build
PREFIX  ?= /usr/local
CROSS   ?=
SAN     ?=
MINIMAL ?=
OPENMP  ?= 1
ONEDNN  ?= auto

ifneq ($(CROSS),)
CC  := $(CROSS)gcc
CXX := $(CROSS)g++
AR  := $(CROSS)ar
else ifeq ($(origin CC),default)
CC := gcc
endif

MACHINE := $(shell ($(CC) -dumpmachine) 2>/dev/null)
ifneq ($(filter x86_64%,$(MACHINE)),)
ARCH := x86
else ifneq ($(filter aarch64%,$(MACHINE)),)
ARCH := arm
else
ARCH := none
endif

.DEFAULT_GOAL := all
include packages.mk

# Tile instructions are written as asm: the level amx is there where the assembler knows them.
ifeq ($(ARCH),x86)
AMX := $(shell echo '__asm__("tilerelease");' | $(CC) -x c -c -o /dev/null - 2>/dev/null && echo 1)
endif

# zstd's list without -Wdeclaration-after-statement and -Wc++-compat: the sources are C11; the public
# headers are compiled as C++ by a test.
WARNINGS := -Wall -Wextra -Wcast-qual -Wcast-align -Wshadow -Wstrict-aliasing=1 -Wswitch-enum \
  -Wstrict-prototypes -Wundef -Wpointer-arith -Wvla -Wformat=2 -Winit-self -Wfloat-equal \
  -Wwrite-strings -Wredundant-decls -Wmissing-prototypes
CFLAGS ?= -O3 -g
# -ffp-contract=off: a*b+c is fused only where the source says so, or results would differ by compiler.
WS_CPPFLAGS := -D_GNU_SOURCE -Iinclude -I. -I$(BUILD)/generated $(PKG_CFLAGS) $(if $(AMX),-DWS_AMX)
WS_CFLAGS   := -std=c11 -ffp-contract=off -fno-math-errno -fvisibility=hidden -fPIC $(WARNINGS)
WS_LDFLAGS  :=
WS_LDLIBS   := $(PKG_LIBS) -lm -lpthread
ifneq ($(SAN),)
SAN_FLAGS  := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
WS_CFLAGS  += $(SAN_FLAGS)
WS_LDFLAGS += -fsanitize=$(SAN)
endif
ifeq ($(OPENMP),1)
WS_CFLAGS  += -fopenmp
WS_LDFLAGS += -fopenmp
endif

# Instruction sets by file name: kernels/x86/gemm_s8_avx512vnni.c is compiled with the flags below.
ISA_avx2       := -mavx2 -mfma -mf16c
ISA_avxvnni    := $(ISA_avx2) -mavxvnni
ISA_avx512     := $(ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
# gcc 12's own AVX-512 header returns uninitialized registers on purpose and warns about it.
ifeq ($(findstring clang,$(shell $(CC) --version)),)
ISA_avx512     += -Wno-maybe-uninitialized -Wno-uninitialized
endif
ISA_avx512vnni := $(ISA_avx512) -mavx512vnni
ISA_avx512bf16 := $(ISA_avx512vnni) -mavx512bf16
ISA_amx        := $(ISA_avx512bf16)
ISA_neon       :=
ISA_dotprod    := -march=armv8.2-a+dotprod
ISA_i8mm       := -march=armv8.2-a+dotprod+i8mm+bf16
# Two tiles are written in the order in which in-order cores shall issue them; gcc would undo that.
ifeq ($(findstring clang,$(shell $(CC) --version)),)
KEPT_ORDER := -fno-schedule-insns -fno-schedule-insns2 -frename-registers -fira-region=one
endif
$(BUILD)/kernels/arm/gemm_s8_4x4_neon.o $(BUILD)/kernels/arm/gemm_s8_8x12_dotprod.o: WS_CFLAGS += $(KEPT_ORDER)
# `weaksam kernels` tells of levels that the machine lacks, too.
$(BUILD)/cli/cmd_kernels.o: private WS_CPPFLAGS += \
  -DCLI_BUILT_KERNELS='"$(sort $(notdir $(basename $(wildcard kernels/$(ARCH)/*.c))))"'
isa_flags = $(ISA_$(lastword $(subst _, ,$(basename $(notdir $(1))))))

# Kernels and runtime read no JSON: without them no package is needed.
BASE_SRC     := $(if $(MINIMAL),$(filter-out base/json_parse.c,$(wildcard base/*.c)),$(wildcard base/*.c))
KERNEL_SRC   := $(filter-out $(if $(AMX),,%_amx.c),$(wildcard kernels/*.c kernels/$(ARCH)/*.c))
RUNTIME_SRC  := $(wildcard runtime/*.c runtime/*/*.c)
WEIGHTS_SRC  := $(wildcard weights/*.c weights/*/*.c)
PIPELINE_SRC := $(wildcard pipeline/*.c pipeline/*/*.c)
CLI_SRC      := $(wildcard cli/*.c)
# What MINIMAL=1 can serve is installed, no more.
PUBLIC_H     := $(if $(MINIMAL),$(addprefix include/weaksam/,base.h kernels.h masks.h model.h),$(wildcard include/weaksam/*.h))
LIB_SRC := $(BASE_SRC) $(KERNEL_SRC) $(RUNTIME_SRC) $(if $(MINIMAL),,$(WEIGHTS_SRC) $(PIPELINE_SRC))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
OBJ      = $(LIB_OBJ) $(CLI_OBJ)

LIB_A  := $(BUILD)/libweaksam.a
LIB_SO := $(BUILD)/libweaksam.so
BIN    := $(if $(MINIMAL),,$(BUILD)/weaksam)

.PHONY: all lib install uninstall clean format demo bench help FORCE
#: all        the library and the command (default)
all: lib $(BIN) $(BUILD)/weaksam.pc
#: lib        libweaksam.a and libweaksam.so
lib: $(LIB_A) $(LIB_SO)

# Other flags, other objects: this file changes when the command line does.
FLAGS = $(CC) $(WS_CPPFLAGS) $(CPPFLAGS) $(WS_CFLAGS) $(CFLAGS) $(WS_LDFLAGS) $(LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

$(BUILD)/%.o: %.c $(BUILD)/flags $(SYS_HEADERS) Makefile | packages
	@mkdir -p $(@D)
	$(CC) $(WS_CPPFLAGS) $(CPPFLAGS) $(WS_CFLAGS) $(CFLAGS) $(call isa_flags,$<) -MMD -MP -c $< -o $@

# The files of a page become arrays of bytes.
$(BUILD)/generated/%.inc: %
	@mkdir -p $(@D)
	@od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' > $@
PAGE_INC := $(patsubst %,$(BUILD)/generated/%.inc,$(wildcard pipeline/review/page/*))
$(BUILD)/pipeline/review/page.o: $(PAGE_INC)

$(LIB_A): $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# A sanitizer's own symbols come with the program that loads the library.
$(LIB_SO): $(LIB_OBJ)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) -shared -Wl,-soname,libweaksam.so.$(SONAME) $(if $(SAN),,-Wl,--no-undefined) \
	  $^ $(WS_LDLIBS) $(LDLIBS) -o $@.$(VERSION)
	@ln -sf libweaksam.so.$(VERSION) $@.$(SONAME)
	@ln -sf libweaksam.so.$(SONAME) $@

$(BUILD)/weaksam: $(CLI_OBJ) $(LIB_A)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) $^ $(WS_LDLIBS) $(LDLIBS) -o $@

# libmicrohttpd is named as a library: its own file asks for gnutls, of which a static link would need all.
$(BUILD)/weaksam.pc: weaksam.pc.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	  -e 's|@REQUIRES@|$(if $(MINIMAL),,$(filter-out libmicrohttpd,$(PKGS)))|' \
	  -e 's|@LIBS@|$(if $(MINIMAL),,-lmicrohttpd )$(if $(ONEDNN_FOUND),-ldnnl )$(filter -fopenmp,$(WS_LDFLAGS)) -lm -lpthread|' $< > $@

# Man pages and completion are written by the command itself: not when it is built for another machine.
ifeq ($(CROSS)$(MINIMAL),)
MANUAL := $(BUILD)/manual/weaksam.bash
$(MANUAL): $(BUILD)/weaksam
	@rm -rf $(@D) && mkdir -p $(@D)
	@$< help --man > $(@D)/weaksam.1
	@for c in $$($< help --list); do $< help --man $$c > $(@D)/weaksam-$$c.1 || exit 1; done
	@$< help --completion > $@
endif

#: install    into $(DESTDIR)$(PREFIX): command, libraries, headers, man pages, completion, pkg-config file
install: all $(MANUAL)
	install -d $(DESTDIR)$(PREFIX)/include/weaksam $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 $(PUBLIC_H) $(DESTDIR)$(PREFIX)/include/weaksam
	install -m 644 $(LIB_A) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(LIB_SO).$(VERSION) $(DESTDIR)$(PREFIX)/lib
	ln -sf libweaksam.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libweaksam.so.$(SONAME)
	ln -sf libweaksam.so.$(SONAME) $(DESTDIR)$(PREFIX)/lib/libweaksam.so
	install -m 644 $(BUILD)/weaksam.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig
ifneq ($(BIN),)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin
endif
ifneq ($(MANUAL),)
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 $(dir $(MANUAL))*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(MANUAL) $(DESTDIR)$(PREFIX)/share/bash-completion/completions/weaksam
endif

#: uninstall  remove what install wrote
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/weaksam $(DESTDIR)$(PREFIX)/lib/libweaksam.a
	rm -f $(DESTDIR)$(PREFIX)/lib/libweaksam.so $(DESTDIR)$(PREFIX)/lib/libweaksam.so.$(SONAME)
	rm -f $(DESTDIR)$(PREFIX)/lib/libweaksam.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/pkgconfig/weaksam.pc
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(PUBLIC_H))
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/weaksam.1 $(DESTDIR)$(PREFIX)/share/man/man1/weaksam-*.1
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/weaksam
	-rmdir $(DESTDIR)$(PREFIX)/include/weaksam

#: clean      remove the build folder and the demo's output
clean:
	rm -rf $(BUILD) out

#: demo       fetch packages, build, segment a picture; look at out/demo afterwards
demo:
	$(call fetch,$(DEB_BUILD))
	@echo 'weaksam: building'
	@$(MAKE) --no-print-directory -s all $(BUILD)/demo/scenes
	@demo/demo.sh $(BUILD) out/demo

#: bench      kernel and model benchmarks as one table (fetches Google Benchmark and oneDNN first)
bench:
	$(call fetch,$(DEB_BENCH))
	@$(MAKE) --no-print-directory run-bench

include demo/demo.mk
include tests/tests.mk
include bench/bench.mk

#: help       this list
help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)
	@echo
	@echo 'variables: BUILD=dir PREFIX=/usr/local DESTDIR= CC=gcc CROSS=aarch64-linux-gnu- SAN=address,undefined'
	@echo '           MINIMAL=1 (kernels and runtime alone) OPENMP=0 ONEDNN=auto|0|1'

-include $(OBJ:.o=.d)
