# Tests, checks and fuzzing, by kind. Every program is built as BUILD/tests/NAME.
#   unit/test_X.c           Criterion suites, one binary each
#   kernels/checkkernels.c  the kernel checker (with check_X.c); plain, so that it runs under an emulator
#   golden/mini_make.c      writes the small models of the mini goldens; mini_run.c runs them (runtime alone)
#   golden/golden_run.c     the full models against golden tensors, if they are present
#   scripts/part_X.sh       the command, tested from outside
#   fuzz/fuzz_X.c           libFuzzer harnesses
#   util/util_X.c           what several of them share; util/suite_X.c what several suites share

T := $(BUILD)/tests
UTIL_SRC  := $(wildcard tests/util/util_*.c)
SUITE_SRC := $(wildcard tests/unit/test_*.c)
CHECK_SRC := $(filter-out $(if $(AMX),,%_amx.c), \
  $(wildcard tests/kernels/*.c tests/kernels/$(ARCH)/*.c))
# Programs that need the runtime alone, and those that need the whole library.
PLAIN_SRC := $(wildcard tests/golden/mini_run.c)
PLAIN_OBJ := $(T)/golden/mini_session.o
WHOLE_SRC := $(wildcard tests/golden/mini_make.c tests/golden/golden_run.c tests/golden/golden_clues.c tests/golden/golden_backbones.c tests/golden/golden_detector.c tests/scripts/pictures.c tests/scripts/person.c tests/scripts/thread_loops.c tests/scale/synthetic_run.c)
UTIL_OBJ  := $(UTIL_SRC:%.c=$(BUILD)/%.o)
SHARED_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/util/suite_*.c))
SUITES    := $(SUITE_SRC:tests/unit/%.c=$(T)/%)
CHECK_OBJ := $(CHECK_SRC:%.c=$(BUILD)/%.o)
PLAIN     := $(addprefix $(T)/,$(notdir $(PLAIN_SRC:%.c=%)))
WHOLE     := $(addprefix $(T)/,$(notdir $(WHOLE_SRC:%.c=%)))
OBJ += $(UTIL_OBJ) $(SHARED_OBJ) $(SUITE_SRC:%.c=$(BUILD)/%.o) $(CHECK_OBJ) $(PLAIN_SRC:%.c=$(BUILD)/%.o) $(PLAIN_OBJ) \
  $(WHOLE_SRC:%.c=$(BUILD)/%.o)
.SECONDARY: $(OBJ)

LINK = $(CC) $(WS_LDFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(1) $(WS_LDLIBS) $(LDLIBS) -o $@

$(T)/checkkernels: $(CHECK_OBJ) $(LIB_A)
	$(call LINK)

# The level amx on the C model of tiles, on every machine with AVX-512 VNNI: whatever touches tiles is compiled
# once more and linked in front of the library, whose own files of these names then stay out.
ifneq ($(AMX),)
MODEL_SRC := kernels/x86/tiles.c $(wildcard kernels/x86/*_amx.c)
MODEL_CHECK_SRC := $(filter %_amx.c,$(CHECK_SRC))
MODEL_OBJ := $(MODEL_SRC:%.c=$(BUILD)/model/%.o)
MODEL_CHECK_OBJ := $(MODEL_CHECK_SRC:%.c=$(BUILD)/model/%.o)
MODELLED := $(T)/checkkernels_model $(T)/mini_run_model $(T)/weaksam_model $(T)/refuse_tiles
OBJ += $(MODEL_OBJ) $(MODEL_CHECK_OBJ) $(BUILD)/tests/scripts/refuse_tiles.o
endif
$(BUILD)/model/%.o: %.c $(BUILD)/flags Makefile | packages
	@mkdir -p $(@D)
	$(CC) $(WS_CPPFLAGS) -DWS_TILE_MODEL $(CPPFLAGS) $(WS_CFLAGS) $(CFLAGS) $(if $(filter %_amx.c,$<),$(ISA_avx512vnni)) \
	  -MMD -MP -c $< -o $@
$(T)/checkkernels_model: $(filter-out $(MODEL_CHECK_SRC:%.c=$(BUILD)/%.o),$(CHECK_OBJ)) $(MODEL_CHECK_OBJ) $(MODEL_OBJ) $(LIB_A)
	$(call LINK)
$(T)/refuse_tiles: $(BUILD)/tests/scripts/refuse_tiles.o
	$(call LINK)
$(T)/mini_run_model: $(BUILD)/tests/golden/mini_run.o $(PLAIN_OBJ) $(T)/util/util_twin.o $(MODEL_OBJ) $(LIB_A)
	$(call LINK)
$(T)/weaksam_model: $(CLI_OBJ) $(MODEL_OBJ) $(LIB_A)
	$(call LINK)
# test_allocations counts what the library allocates.
comma := ,
WRAP_test_allocations := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc aligned_alloc posix_memalign mmap)
# test_leaks lets allocations fail, and counts what is freed.
WRAP_test_leaks := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc aligned_alloc free)
# test_onednn lets oneDNN fail.
WRAP_test_onednn := -Wl$(comma)--wrap=dnnl_primitive_execute
# test_threads lets threads fail.
WRAP_test_threads := -Wl$(comma)--wrap=pthread_create
# test_picture_costs packs chunks.
WRAP_test_picture_costs := -lz
$(SUITES): $(T)/%: $(T)/unit/%.o $(SHARED_OBJ) $(UTIL_OBJ) $(LIB_A)
	$(call LINK,$(WRAP_$*) -lcriterion)
$(T)/test_scenes: $(DEMO_OBJ)
$(T)/test_small: $(BUILD)/tests/fuzz/mutate.o
$(T)/pictures $(T)/person $(T)/thread_loops: $(T)/%: $(T)/scripts/%.o
$(T)/synthetic_run: $(T)/%: $(T)/scale/%.o
$(filter-out $(T)/pictures $(T)/person $(T)/thread_loops $(T)/synthetic_run,$(WHOLE) $(PLAIN)): $(T)/%: $(T)/golden/%.o
$(WHOLE): $(UTIL_OBJ) $(LIB_A)
	$(call LINK,-lz)
$(PLAIN): $(PLAIN_OBJ) $(T)/util/util_twin.o $(LIB_A)
	$(call LINK)

.PHONY: check-faults check-kill check-sanitizers check-threads fuzz-roles test run-test test-programs mini lint check-levels check-arm fuzz fuzz-build

test-programs: all $(T)/checkkernels $(MODELLED) $(SUITES) $(PLAIN) $(WHOLE) $(DEMO_BIN)

#: test       fetch packages, build, run all tests; the last line is the summary
test:
	$(call fetch,$(DEB_TEST))
	@echo 'weaksam: building'
	@$(MAKE) --no-print-directory -s run-test

run-test: test-programs mini
	+@CC='$(CC)' CXX='$(CXX)' PKG_CONFIG='$(PKG_CONFIG)' tests/run.sh $(BUILD)

# The small models of the mini goldens.
mini: $(BUILD)/mini/made
$(BUILD)/mini/made: $(T)/mini_make
	@mkdir -p $(@D)
	$(T)/mini_make $(@D)
	@touch $@

#: check-levels  kernels and mini goldens on every instruction set level of this machine
check-levels: $(T)/checkkernels $(T)/mini_run $(MODELLED) mini
	$(T)/checkkernels
	$(T)/mini_run $(BUILD)/mini
	$(if $(MODELLED),$(T)/checkkernels_model --isa amx)
	$(if $(MODELLED),$(T)/mini_run_model $(BUILD)/mini --isa amx)

# check-arm cross-compiles into a folder of its own; the models are written natively.
ARM_BUILD := $(BUILD)/arm
#: check-arm  the same for AArch64: neon, dotprod, i8mm under qemu-user (fetches the cross compiler)
check-arm:
	$(call fetch,$(DEB_ARM))
	@$(MAKE) --no-print-directory mini
	@$(MAKE) --no-print-directory CROSS=aarch64-linux-gnu- BUILD=$(ARM_BUILD) lib \
	  $(ARM_BUILD)/tests/checkkernels $(ARM_BUILD)/tests/mini_run
	@tests/scripts/check_arm.sh $(ARM_BUILD) $(BUILD)/mini

# One failing allocation or system call at a time, in every command (tests/faults).
#   FAULTS=N          at most N places per command and kind, spread evenly; 0: all of them
#   FAULTS_ALL=N      the same for failures from one place on
#   FAULTS_WEAKSAM=F  another binary, of a sanitizer build
FAULTS     ?= 0
FAULTS_ALL ?= 30
INJECT = python3 tests/faults/inject.py $(BUILD)
INJECT_FLAGS = $(if $(FAULTS_WEAKSAM),--weaksam $(FAULTS_WEAKSAM))
$(T)/libfaults.so: tests/faults/preload.c
	@mkdir -p $(@D)
	$(CC) -O1 -g -shared -fPIC -D_GNU_SOURCE -o $@ $< -ldl
#: check-faults  every allocation and every system call of every command fails once (an hour; fetches python3)
check-faults:
	$(call fetch,$(DEB_FAULTS))
	@$(MAKE) --no-print-directory -s all $(BUILD)/demo/scenes $(T)/libfaults.so
	$(INJECT) alloc --most $(FAULTS) $(INJECT_FLAGS)
	$(INJECT) alloc --all --most $(FAULTS_ALL) $(INJECT_FLAGS)
	$(INJECT) io --most $(FAULTS) $(INJECT_FLAGS)
#: check-kill  run, merge and train are killed before every system call that matters, and go on
check-kill:
	$(call fetch,$(DEB_FAULTS))
	@$(MAKE) --no-print-directory -s all $(BUILD)/demo/scenes $(T)/libfaults.so
	$(INJECT) io --kill --most $(FAULTS) $(INJECT_FLAGS)

# A real Slurm on this machine: munged, slurmctld and four slurmd in PID namespaces. Root, no systemd.
#   ROUNDS=N SEED=S  rounds of faults, drawn from S; SLURM_FLAGS: options of check_slurm.py
ROUNDS ?= 20
.PHONY: check-slurm
#: check-slurm  a run through deploy/slurm on a Slurm of four nodes, with faults (fetches slurm-wlm and munge; half an hour)
check-slurm:
	$(call fetch,$(DEB_FAULTS) slurm-wlm munge)
	@$(MAKE) --no-print-directory -s all $(BUILD)/demo/scenes $(T)/libfaults.so
	@python3 tests/slurm/check_slurm.py $(BUILD)/weaksam $(BUILD)/demo/scenes $(T)/libfaults.so --folder $(T)/slurm \
	  --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) $(SLURM_FLAGS) || [ $$? -eq 77 ]

.PHONY: check-deploy
#: check-deploy  the scripts of deploy/ for GNU parallel over ssh, Open MPI and Kubernetes (fetches them; a minute)
check-deploy:
	$(call fetch,$(DEB_FAULTS) parallel openssh-server openssh-client iproute2 openmpi-bin python3-venv)
	@$(MAKE) --no-print-directory -s all $(BUILD)/demo/scenes
	@tests/deploy/check_deploy.sh $(BUILD)

# Threads are the library's own, so a race detector sees all that orders them; oneDNN's are OpenMP's.
SAN_MAKE = $(MAKE) --no-print-directory -s OPENMP=0 ONEDNN=0 CFLAGS='-O1 -g'
#: check-sanitizers  all tests under ASan, UBSan and LSan, those with threads under TSan (an hour)
check-sanitizers:
	$(call fetch,$(DEB_TEST))
	$(SAN_MAKE) SAN=address,undefined BUILD=$(BUILD)/asan run-test
	@$(MAKE) --no-print-directory check-threads THREADED='everything clues dataset stages'
# Criterion does not start under TSan: plain programs, and the command through these script parts.
THREADED :=
TSAN := TSAN_OPTIONS=halt_on_error=1:exitcode=66
#: check-threads  what runs on threads under TSan; THREADED="everything clues" for parts of the command
check-threads:
	$(call fetch,$(DEB_TEST))
	@$(MAKE) --no-print-directory -s mini
	$(SAN_MAKE) SAN=thread BUILD=$(BUILD)/tsan $(addprefix $(BUILD)/tsan/tests/,thread_loops mini_run pictures) \
	  $(BUILD)/tsan/weaksam $(BUILD)/tsan/demo/scenes
	$(TSAN) $(BUILD)/tsan/tests/thread_loops 2000
	$(TSAN) $(BUILD)/tsan/tests/mini_run $(BUILD)/mini --isa avx2 --only G6
	@rm -rf $(BUILD)/tsan/mini && cp -r $(BUILD)/mini $(BUILD)/tsan/mini
	@for part in $(THREADED); do echo "$$part under TSan"; \
	  $(TSAN) sh tests/scripts/part_$$part.sh $(BUILD)/tsan >$(BUILD)/tsan/$$part.log 2>&1; \
	  if grep -e '^not ok' -e ThreadSanitizer $(BUILD)/tsan/$$part.log; then exit 1; fi; done

# Every harness is built with clang, libFuzzer and the sanitizers in a folder of its own.
FUZZ_SECONDS ?= 60
FUZZ_BUILD := $(BUILD)/fuzz
FUZZ_SRC   := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_UTIL  := $(UTIL_SRC) $(filter-out $(FUZZ_SRC) tests/fuzz/seeds.c,$(wildcard tests/fuzz/*.c))
FUZZERS    := $(FUZZ_SRC:tests/fuzz/%.c=%)
#: fuzz       a minute of libFuzzer per harness; FUZZ_SECONDS=10 for less (fetches clang)
fuzz:
	$(call fetch,$(DEB_FUZZ))
	@$(MAKE) --no-print-directory CC=clang OPENMP=0 ONEDNN=0 SAN=fuzzer-no-link,address,undefined \
	  CFLAGS='-O1 -g' BUILD=$(FUZZ_BUILD) fuzz-build
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh $(FUZZ_BUILD) $(FUZZERS)

# A harness of a role reads numbers of changes, so values that code compares lead to none of its bytes: without their
# trace, and with -O2, it runs twice as often.
ROLES_BUILD := $(BUILD)/fuzz-roles
#: fuzz-roles  50 000 changed weight files per role under the sanitizers; FUZZ_RUNS= for more
ROLES := fuzz_role_segmenter fuzz_role_clues fuzz_role_head fuzz_role_detector fuzz_role_mist fuzz_role_backbone
FUZZ_RUNS ?= 50000
fuzz-roles:
	$(call fetch,$(DEB_FUZZ))
	@$(MAKE) --no-print-directory CC=clang OPENMP=0 ONEDNN=0 SAN=fuzzer-no-link,address,undefined \
	  CFLAGS='-O2 -g -fno-sanitize-coverage=trace-cmp' BUILD=$(ROLES_BUILD) $(ROLES:%=$(ROLES_BUILD)/tests/fuzz/%) \
	  $(ROLES_BUILD)/tests/fuzz/seeds
	@FUZZ_SECONDS=36000 FUZZ_RUNS=$(FUZZ_RUNS) tests/fuzz/run.sh $(ROLES_BUILD) $(ROLES)

fuzz-build: $(FUZZERS:%=$(T)/fuzz/%) $(T)/fuzz/seeds
$(FUZZERS:%=$(T)/fuzz/%): $(T)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FUZZ_UTIL:%.c=$(BUILD)/%.o) $(LIB_A)
	$(CC) -fsanitize=fuzzer,address,undefined $^ $(WS_LDLIBS) $(LDLIBS) -o $@
$(T)/fuzz/seeds: $(BUILD)/tests/fuzz/seeds.o $(UTIL_OBJ) $(LIB_A)
	$(call LINK)
OBJ += $(FUZZ_SRC:%.c=$(BUILD)/%.o) $(FUZZ_UTIL:%.c=$(BUILD)/%.o) $(BUILD)/tests/fuzz/seeds.o

#: symbols    write tests/data/symbols.txt, the list of exported symbols that a test compares
.PHONY: symbols
symbols: $(LIB_SO)
	nm -D --defined-only $< | awk '$$3 ~ /^wsam_/ {print $$3}' | LC_ALL=C sort > tests/data/symbols.txt

#: check-page  the review page, served and as a file, in Chromium, which has to be there: keys, masks, 20 000 objects (pictures in
#:            BUILD/tests/page, page-report)
.PHONY: check-page
check-page: all $(BUILD)/demo/scenes
	@$(BUILD)/demo/scenes -o $(T)/page-picture --count 3 --seed 5 --size 320,240 >/dev/null
	@python3 tests/scripts/review_browser.py $(BUILD)/weaksam weights/demo/segmenter.wsam \
	  $(T)/page-picture/images/000001.jpg $(T)/page
	@$(BUILD)/weaksam report $(T)/page-picture/instances.json $(T)/page-picture/images -o $(T)/report.html --quiet
	@python3 tests/scripts/report_browser.py $(T)/report.html $(T)/page-report

#: check-readers  exported labels, opened by the readers of the tools that they are for (6 GB of Python packages in BUILD/readers)
.PHONY: check-readers
check-readers: all $(BUILD)/demo/scenes
	@test -x $(BUILD)/readers/bin/python || python3 -m venv $(BUILD)/readers
	@$(BUILD)/readers/bin/pip install -q pycocotools datumaro labelme label-studio-sdk ultralytics
	@$(BUILD)/demo/scenes -o $(T)/readers-set --count 8 --seed 21 --size 320,240 >/dev/null
	@$(BUILD)/readers/bin/python tests/scripts/exchange_readers.py $(BUILD)/weaksam $(T)/readers-set

#: check-growth  100 images added to a run of 1 000: what they cost, and that the files are those of a run at once (six minutes)
.PHONY: check-growth
check-growth: all $(BUILD)/demo/scenes
	@sh tests/scripts/growth.sh $(BUILD)

#: check-pilot  thresholds, intervals and calibration of weaksam pilot on 5 000 images with truth, 1 000 draws (a minute)
.PHONY: check-pilot
check-pilot: $(BUILD)/demo/evaluate_pilot
	$< tests/data/pilot_pictures.txt

#: lint       formatting, warnings of gcc and clang as errors, clang-tidy (fetches clang)
TIDY_SRC = $(filter-out %_avx512.c %_avx512vnni.c %_avx512bf16.c %_amx.c,$(LIB_SRC) $(CLI_SRC) $(CHECK_SRC) $(UTIL_SRC) $(PLAIN_SRC) $(WHOLE_SRC))
lint: $(PAGE_INC)
	$(call fetch,$(DEB_LINT))
	@clang-format --dry-run -Werror $(FORMATTED)
	@echo 'clang-format: clean'
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/lint-gcc CFLAGS='-O2 -Werror' test-programs \
	  $(BENCH_OBJ:$(BUILD)/%=$(BUILD)/lint-gcc/%)
	@echo 'gcc warnings: clean'
	@sh tests/scripts/cycles.sh $(BUILD)/lint-gcc
	@sh tests/scripts/names.sh $(BUILD)/lint-gcc
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/lint-clang CC=clang CFLAGS='-O1 -Werror' test-programs
	@echo 'clang warnings: clean'
	@printf '%s\n' $(TIDY_SRC) | xargs -P $$(nproc) -n 4 tests/scripts/tidy.sh $(WS_CPPFLAGS)
	@echo 'clang-tidy: clean'

FORMATTED = $(wildcard include/weaksam/*.h \
  $(foreach d,base kernels runtime weights pipeline cli demo bench tests,$(d)/*.[ch] $(d)/*/*.[ch] $(d)/*/*/*.[ch])) bench/gbench.cc
#: format     clang-format in place
format:
	clang-format -i $(FORMATTED)
