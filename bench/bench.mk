# Benchmarks: see the heads of bench_kernels.c, bench_training.c and bench_models.c for their options.

B := $(BUILD)/bench
CASE_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/kernel_*.c))
PROGRAMS  := $(B)/bench_kernels $(B)/bench_training $(B)/bench_models $(B)/bench_detector $(B)/stopwatch
BENCH_OBJ := $(PROGRAMS:%=%.o) $(CASE_OBJ)
OBJ += $(BENCH_OBJ)

$(BUILD)/%.o: %.cc $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -Wall -Wextra -I. -MMD -MP -c $< -o $@

$(B)/bench_kernels: $(CASE_OBJ)
$(B)/bench_kernels $(B)/bench_training: $(B)/%: $(B)/%.o $(B)/gbench.o $(LIB_A)
	$(CXX) $(WS_LDFLAGS) $(LDFLAGS) $(filter %.o,$^) $(LIB_A) -lbenchmark $(WS_LDLIBS) $(LDLIBS) -o $@

$(B)/bench_models $(B)/bench_detector $(B)/stopwatch: $(B)/%: $(B)/%.o $(LIB_A)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) $^ $(WS_LDLIBS) $(LDLIBS) -o $@

# The table of `make bench`; BENCH_JSON=FILE gets the same as JSON lines.
BENCH_JSON ?=
.PHONY: run-bench bench-programs
bench-programs: $(PROGRAMS)
run-bench:
	@$(MAKE) --no-print-directory -s bench-programs
	@$(if $(BENCH_JSON),rm -f '$(BENCH_JSON)')
	@$(B)/bench_kernels --brief $(if $(BENCH_JSON),--json-to '$(BENCH_JSON)') \
	  --benchmark_min_time=0.02 --benchmark_repetitions=3
	@echo
	@$(B)/bench_models --types f32,int8 --dir $(BUILD)/bench-models $(if $(BENCH_JSON),--json-to '$(BENCH_JSON)')

# bench/RESULTS.md and its charts from the stored rows.
.PHONY: results
results: $(BIN)
	@python3 bench/results.py $(BIN)
