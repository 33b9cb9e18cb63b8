// bench/gbench.cc - the C wrapper around Google Benchmark; the project's one C++ file.
#include "bench/gbench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

struct gbench_state {
    benchmark::State *state;
};

namespace
{

struct Collected {
    std::string name, error;
    std::vector<double> seconds;
};

// Keeps every repetition instead of printing it.
class Collector : public benchmark::BenchmarkReporter
{
  public:
    std::vector<Collected> rows;

    bool ReportContext(const Context &) override
    {
        return true;
    }

    void ReportRuns(const std::vector<Run> &runs) override
    {
        for (const Run &run : runs) {
            if (run.run_type != Run::RT_Iteration)
                continue;
            Collected &row = find(run.run_name.function_name);
            if (run.error_occurred)
                row.error = run.error_message;
            else
                row.seconds.push_back(run.real_accumulated_time /
                                      static_cast<double>(run.iterations));
        }
    }

  private:
    Collected &find(const std::string &name)
    {
        for (Collected &row : rows)
            if (row.name == name)
                return row;
        rows.push_back(Collected{name, "", {}});
        return rows.back();
    }
};

void copy_text(char *to, size_t size, const std::string &from)
{
    std::snprintf(to, size, "%s", from.c_str());
}

} // namespace

extern "C" void gbench_register(const char *name, gbench_fn fn, void *arg)
{
    benchmark::RegisterBenchmark(name,
                                 [fn, arg](benchmark::State &state) {
                                     gbench_state wrapped{&state};
                                     fn(&wrapped, arg);
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
}

extern "C" int gbench_keep_running(gbench_state *state)
{
    return state->state->KeepRunning() ? 1 : 0;
}

extern "C" void gbench_counter(gbench_state *state, const char *name, double value)
{
    state->state->counters[name] = value;
}

extern "C" void gbench_skip(gbench_state *state, const char *why)
{
    state->state->SkipWithError(why);
}

extern "C" int gbench_run(int argc, char **argv, gbench_result *results, int max)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return -1;
    Collector collector;
    benchmark::RunSpecifiedBenchmarks(&collector);
    int n = 0;
    for (Collected &row : collector.rows) {
        if (n == max)
            break;
        gbench_result &r = results[n++];
        std::memset(&r, 0, sizeof r);
        copy_text(r.name, sizeof r.name, row.name);
        copy_text(r.error, sizeof r.error, row.error);
        if (row.seconds.empty())
            continue;
        std::sort(row.seconds.begin(), row.seconds.end());
        r.best_s = row.seconds.front();
        r.median_s = row.seconds[row.seconds.size() / 2];
        r.spread = row.seconds.back() / r.best_s - 1.0;
        r.repetitions = static_cast<int>(row.seconds.size());
    }
    return n;
}
