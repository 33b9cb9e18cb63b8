# Benchmarks: see the heads of bench_kernels.c, bench_training.c and bench_models.c for their options.

B := $(BUILD)/bench
PEAK_SRC  := bench/peak.c $(wildcard bench/$(ARCH)/peak_*.c)
PEAK_OBJ  := $(PEAK_SRC:%.c=$(BUILD)/%.o)
BENCH_OBJ := $(BUILD)/bench/bench_kernels.o $(BUILD)/bench/bench_training.o $(BUILD)/bench/bench_models.o $(PEAK_OBJ)
OBJ += $(BENCH_OBJ)

$(BUILD)/%.o: %.cc $(BUILD)/flags Makefile
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -Wall -Wextra -I. -MMD -MP -c $< -o $@

$(B)/bench_kernels $(B)/bench_training: $(B)/%: $(B)/%.o $(PEAK_OBJ) $(B)/gbench.o $(LIB_A)
	$(CXX) $(WS_LDFLAGS) $(LDFLAGS) $^ -lbenchmark $(WS_LDLIBS) $(LDLIBS) -o $@

$(B)/bench_models: $(BUILD)/bench/bench_models.o $(LIB_A)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) $^ $(WS_LDLIBS) $(LDLIBS) -o $@

.PHONY: run-bench
run-bench: $(B)/bench_kernels $(B)/bench_training $(B)/bench_models
	@$(B)/bench_kernels --benchmark_min_time=0.02 --benchmark_repetitions=3
	@$(B)/bench_training --benchmark_min_time=0.02 --benchmark_repetitions=3
	@$(B)/bench_models
