# weaksam: a CPU inference library for WeakSAM. `make help` lists the targets.

VERSION := 0.1.0
SONAME  := 0

BUILD  ?= build
PREFIX ?= /usr/local
CROSS  ?=
SAN    ?=
MINIMAL ?=
OPENMP ?= 1

ifneq ($(CROSS),)
CC  := $(CROSS)gcc
CXX := $(CROSS)g++
AR  := $(CROSS)ar
else
ifeq ($(origin CC),default)
CC := gcc
endif
endif
PKG_CONFIG ?= pkg-config

MACHINE := $(shell $(CC) -dumpmachine)
ifneq ($(filter x86_64%,$(MACHINE)),)
ARCH := x86
else ifneq ($(filter aarch64%,$(MACHINE)),)
ARCH := arm
else
ARCH := none
endif

# zstd's list without -Wdeclaration-after-statement and -Wc++-compat: the sources are C11; the public
# headers are compiled as C++ by a test.
WARNINGS := -Wall -Wextra -Wcast-qual -Wcast-align -Wshadow -Wstrict-aliasing=1 -Wswitch-enum \
  -Wstrict-prototypes -Wundef -Wpointer-arith -Wvla -Wformat=2 -Winit-self -Wfloat-equal \
  -Wwrite-strings -Wredundant-decls -Wmissing-prototypes
CFLAGS ?= -O3 -g
# -ffp-contract=off: a*b+c is fused only where the source says so, or results would differ by compiler.
override CFLAGS += -std=c11 -ffp-contract=off -fno-math-errno -fvisibility=hidden -fPIC $(WARNINGS)
override CPPFLAGS += -D_GNU_SOURCE -Iinclude -I.
LDLIBS += -lm -lpthread

ifneq ($(SAN),)
override CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
override LDFLAGS += -fsanitize=$(SAN)
endif
ifeq ($(OPENMP),1)
override CFLAGS  += -fopenmp
override LDFLAGS += -fopenmp
endif

include packages.mk

# Instruction sets by file name: kernels/x86/gemm_s8_avx512vnni.c is compiled with the flags below.
ISA_avx2       := -mavx2 -mfma -mf16c
ISA_avxvnni    := $(ISA_avx2) -mavxvnni
ISA_avx512     := $(ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
ISA_avx512vnni := $(ISA_avx512) -mavx512vnni
ISA_avx512bf16 := $(ISA_avx512vnni) -mavx512bf16
ISA_neon       :=
ISA_dotprod    := -march=armv8.2-a+dotprod
ISA_i8mm       := -march=armv8.2-a+dotprod+i8mm+bf16
isa_flags = $(ISA_$(lastword $(subst _, ,$(basename $(notdir $(1))))))

KERNEL_SRC   := $(wildcard kernels/*.c kernels/$(ARCH)/*.c)
RUNTIME_SRC  := $(wildcard runtime/*.c)
WEIGHTS_SRC  := $(wildcard weights/*.c weights/import/*.c weights/family/*.c)
PIPELINE_SRC := $(wildcard pipeline/*.c)
CLI_SRC      := $(wildcard cli/*.c)
ifneq ($(MINIMAL),)
LIB_SRC := $(KERNEL_SRC) $(RUNTIME_SRC)
else
LIB_SRC := $(KERNEL_SRC) $(RUNTIME_SRC) $(WEIGHTS_SRC) $(PIPELINE_SRC)
endif
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)

.DEFAULT_GOAL := all
.PHONY: all lib
ifneq ($(MINIMAL),)
all: lib
else
all: lib $(BUILD)/weaksam
endif
lib: $(BUILD)/libweaksam.a $(BUILD)/libweaksam.so

$(BUILD)/%.o: %.c Makefile packages.mk
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(call isa_flags,$<) -MMD -MP -c $< -o $@

$(BUILD)/libweaksam.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libweaksam.so: $(LIB_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libweaksam.so.$(SONAME) -Wl,--no-undefined $^ $(PKG_LIBS) $(LDLIBS) -o $@.$(VERSION)
	ln -sf libweaksam.so.$(VERSION) $@.$(SONAME)
	ln -sf libweaksam.so.$(SONAME) $@

$(BUILD)/weaksam: $(CLI_OBJ) $(BUILD)/libweaksam.a
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) $(LDLIBS) -o $@

include tests/tests.mk

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d)
