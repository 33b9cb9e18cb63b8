/* Rows of measurements: the statistic behind them, their format, and comparisons that are refused
 * where protocols differ. Nothing here depends on how fast anything is. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/peak.h"
#include "pipeline/bench/energy.h"
#include "pipeline/bench/peak_share.h"
#include "pipeline/bench/statistic.h"
#include "pipeline/bench/work.h"
#include "weaksam/weaksam.h"

static char folder[64];

static const char *in_folder(const char *name)
{
    static char paths[4][160];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_bench.XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void drop_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static const char *write_text(const char *name, const char *text)
{
    const char *path = in_folder(name);
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL);
    fputs(text, f);
    fclose(f);
    return path;
}

TestSuite(bench, .init = make_folder, .fini = drop_folder);

/* ---- statistic ---- */

Test(bench, percentiles_are_values_that_occurred)
{
    double v[10] = {9, 2, 7, 1, 8, 3, 6, 5, 4, 10};
    ws_statistic_sort(v, 10);
    cr_expect_float_eq(ws_statistic_percentile(v, 10, 50), 5.0, 0.0);
    cr_expect_float_eq(ws_statistic_percentile(v, 10, 90), 9.0, 0.0);
    cr_expect_float_eq(ws_statistic_percentile(v, 10, 99), 10.0, 0.0);
    cr_expect_float_eq(ws_statistic_percentile(v, 1, 50), 1.0, 0.0);
    cr_expect(ws_statistic_tells_percentile(10, 90) && !ws_statistic_tells_percentile(9, 90));
    cr_expect(ws_statistic_tells_percentile(100, 99) && !ws_statistic_tells_percentile(99, 99));
}

/* Ranks of the 95 % interval from tables of the binomial distribution: 6 values 1 and 6, 10 values 2
 * and 9, 20 values 6 and 15, 100 values 40 and 61. */
Test(bench, the_interval_of_the_median_has_the_ranks_of_the_tables)
{
    static const struct {
        size_t n, low, high;
    } table[] = {{6, 1, 6}, {9, 2, 8}, {10, 2, 9}, {20, 6, 15}, {30, 10, 21}, {100, 40, 61}};
    double v[100];
    for (int i = 0; i < 100; i++)
        v[i] = i + 1;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const double median = ws_statistic_percentile(v, table[i].n, 50);
        const double want = 100.0 * (double)(table[i].high - table[i].low) / median;
        cr_expect_float_eq(ws_statistic_median_interval(v, table[i].n), want, 1e-9, "%zu values",
                           table[i].n);
    }
    cr_expect(isinf(ws_statistic_median_interval(v, 5)), "five values enclose no median");
    cr_expect(isinf(ws_statistic_median_interval(v, 0)));
}

Test(bench, energy_survives_a_counter_that_begins_anew)
{
    ws_energy before, after, none;
    char path[160];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/intel-rapl:%d", folder, i);
        cr_assert_eq(mkdir(path, 0777), 0);
    }
    write_text("intel-rapl:0/max_energy_range_uj", "1000000000\n");
    write_text("intel-rapl:1/max_energy_range_uj", "1000000000\n");
    write_text("intel-rapl:0/energy_uj", "999000000\n");
    write_text("intel-rapl:1/energy_uj", "5000000\n");
    ws_energy_read(folder, &before);
    write_text("intel-rapl:0/energy_uj", "2000000\n");
    write_text("intel-rapl:1/energy_uj", "9000000\n");
    ws_energy_read(folder, &after);
    cr_expect_eq(before.n, 2);
    cr_expect_float_eq(ws_energy_between(&before, &after), 3.0 + 4.0, 1e-9);
    ws_energy_read("/nowhere", &none);
    cr_expect(isnan(ws_energy_between(&none, &none)));
}

/* ---- rows ---- */

#define ROW(device, scenario, region, more)                                                        \
    "{\"device\":\"" device "\",\"model\":\"sam_vit_b\",\"type\":\"int8\",\"resolution\":1024,"    \
    "\"prompts\":0,\"scenario\":\"" scenario "\",\"timed_region\":\"" region "\"" more "}\n"

static wsam_bench_row *load(const char *text, size_t *n)
{
    wsam_error error = {0};
    wsam_bench_row *rows = NULL;
    cr_assert(!wsam_bench_load(write_text("rows.jsonl", text), &rows, n, &error), "%s",
              error.message);
    return rows;
}

Test(bench, rows_come_back_as_they_were_written)
{
    size_t n = 0;
    char *json = NULL, *again = NULL;
    wsam_bench_row *rows =
        load(ROW("a \\\"b\\\"", "Offline", "encoder",
                 ",\"images_per_s\":1.5,\"p90_ms\":null,\"batch\":1,\"threads\":2,\"unknown\":[1]"),
             &n);
    cr_assert_eq(n, 1u);
    cr_expect_str_eq(rows[0].device, "a \"b\"");
    cr_expect_float_eq(rows[0].images_per_s, 1.5, 0.0);
    cr_expect(isnan(rows[0].p90_ms) && isnan(rows[0].watts));
    cr_expect_eq(rows[0].threads, 2);
    cr_expect_eq(rows[0].runs, -1);
    cr_assert(!wsam_bench_json(&rows[0], &json));
    wsam_free(rows);
    rows = load(json, &n);
    cr_assert(!wsam_bench_json(&rows[0], &again));
    cr_expect_str_eq(json, again);
    wsam_free(json);
    wsam_free(again);
    wsam_free(rows);
}

static void expect_refused(const char *text, wsam_status want, const char *words)
{
    wsam_error error = {0};
    wsam_bench_row *rows = NULL;
    size_t n = 7;
    cr_expect_eq(wsam_bench_load(write_text("bad.jsonl", text), &rows, &n, &error), want);
    cr_expect(strstr(error.message, words) != NULL, "%s", error.message);
    cr_expect(rows == NULL && n == 0);
}

Test(bench, damaged_rows_name_line_and_field)
{
    expect_refused("{\"device\":\"a\"}\n", WSAM_ERR_FORMAT, "bad.jsonl:1: 'model' is missing");
    expect_refused(ROW("a", "Offline", "encoder", "")
                       ROW("a", "Offline", "encoder", ",\"p50_ms\":\"x\""),
                   WSAM_ERR_FORMAT, "bad.jsonl:2: 'p50_ms' must be a number");
    expect_refused(ROW("a", "Offline", "encoder", ",\"batch\":-1"), WSAM_ERR_FORMAT, "'batch'");
    expect_refused(ROW("a", "Offline", "encoder", ",\"batch\":1.5"), WSAM_ERR_FORMAT,
                   "'batch' must be a whole number, 0 or more");
    expect_refused(ROW("a", "Offline", "encoder", ",\"images_per_s\":-2"), WSAM_ERR_FORMAT,
                   "'images_per_s' must be a number, 0 or more");
    expect_refused(ROW("a", "Offline", "encoder", ",\"price_per_hour\":-1"), WSAM_ERR_FORMAT,
                   "'price_per_hour'");
    expect_refused(ROW("a", "Offline", "encoder, but of another kind than this one", ""),
                   WSAM_ERR_FORMAT, "'timed_region' must be shorter");
    expect_refused(ROW("a", "Offline", "encoder", ",\"source\":5"), WSAM_ERR_FORMAT,
                   "'source' must be text");
    expect_refused("[1]\n", WSAM_ERR_FORMAT, "bad.jsonl:1: ");
    expect_refused("{", WSAM_ERR_FORMAT, "bad.jsonl:1: ");
}

/* ---- comparing ---- */

#define CPU                                                                                        \
    ROW("cpu", "Offline", "encoder", ",\"threads\":2,\"batch\":1,\"images_per_s\":0.5,\"watts\":10")
#define GPU     ROW("gpu A100", "Offline", "encoder", ",\"batch\":1,\"images_per_s\":50")
#define BATCHED ROW("gpu A100", "Offline", "encoder", ",\"batch\":8,\"images_per_s\":80")

static wsam_status compare(const char *text, const wsam_bench_compare_options *o, char **out,
                           wsam_error *error)
{
    size_t n = 0;
    wsam_bench_row *rows = load(text, &n);
    memset(error, 0, sizeof *error);
    const wsam_status status = wsam_bench_compare(rows, n, o, out, error);
    wsam_free(rows);
    return status;
}

Test(bench, equal_protocols_stand_side_by_side_with_cost)
{
    wsam_error error;
    char *text = NULL;
    wsam_bench_compare_options o = {
        .prices =
            write_text("prices.tsv", "# hourly\n0.36\tcpu\ta page\t2026-11-01\n3.6\ta100\tanother "
                                     "page\t2026-11-02\n9\tunused\tx\ty\n")};
    cr_assert(!compare(CPU GPU, &o, &text, &error), "%s", error.message);
    /* 0.5 images a second on two cores, 10 W, 0.36 an hour: 0.25 a core, 0.05 a watt, 200 a million */
    cr_expect(strstr(text, "| cpu |") &&
                  strstr(text, "| 0.5000 | - | 0.2500 | 0.0500 | 0.3600 | 200 | "
                               "1.00 |"),
              "%s", text);
    /* 50 images a second at 3.6 an hour: 20 a million, as much as 100 of the CPU's machines */
    cr_expect(strstr(text, "| 50.0 | - | - | - | 3.60 | 20.0 | 100 |"), "%s", text);
    cr_expect(strstr(text, "- 3.6 per hour, a100: another page, 2026-11-02"), "%s", text);
    cr_expect(!strstr(text, "unused"));
    wsam_free(text);
    o.format = WSAM_BENCH_CSV;
    cr_assert(!compare(CPU GPU, &o, &text, &error));
    cr_expect(strstr(text, ",50,,,3.6,20,100\n"), "%s", text);
    wsam_free(text);
    o.format = WSAM_BENCH_SVG;
    cr_assert(!compare(CPU GPU, &o, &text, &error));
    cr_expect(strncmp(text, "<svg ", 5) == 0 && strstr(text, "gpu A100"));
    wsam_free(text);
}

static void expect_unequal(const char *a, const char *b, const char *words)
{
    char rows[2048];
    wsam_error error;
    char *text = NULL;
    snprintf(rows, sizeof rows, "%s%s", a, b);
    cr_expect_eq(compare(rows, NULL, &text, &error), WSAM_ERR_MISMATCH);
    cr_expect(strstr(error.message, words) != NULL, "%s", error.message);
    cr_expect(text == NULL);
}

Test(bench, unequal_protocols_are_refused_and_named)
{
    static const char other_size[] =
        "{\"device\":\"d\",\"model\":\"sam_vit_b\",\"type\":\"f32\",\"resolution\":512,\"prompts\":16,"
        "\"scenario\":\"Offline\",\"timed_region\":\"encoder\",\"batch\":1,\"images_per_s\":1}\n";
    static const char other_model[] =
        "{\"device\":\"d\",\"model\":\"mobile_sam\",\"type\":\"f32\",\"resolution\":512,\"prompts\":16,"
        "\"scenario\":\"Offline\",\"timed_region\":\"encoder\",\"batch\":1,\"images_per_s\":1}\n";
    wsam_error error;
    char *text = NULL;
    expect_unequal(CPU, BATCHED, "batch 1 and 8");
    expect_unequal(CPU, ROW("cpu", "SingleStream", "encoder", ",\"batch\":1"),
                   "scenario Offline and SingleStream");
    expect_unequal(CPU, ROW("cpu", "Offline", "encode+prompts", ",\"batch\":1"),
                   "timed_region encoder and encode+prompts");
    expect_unequal(CPU, other_size, "resolution 1024 and 512, prompts 0 and 16");
    expect_unequal(CPU, ROW("cpu", "Offline", "encoder", ""), "batch 1 and unstated");
    cr_expect(
        !compare(CPU BATCHED, &(wsam_bench_compare_options){.across = "batch"}, &text, &error));
    cr_expect(strstr(text, "| batch |") && strstr(text, "| 8 |"));
    wsam_free(text);
    cr_expect(!compare(CPU, NULL, &text, &error));
    wsam_free(text);
    char two[2048]; /* other models are other tables */
    snprintf(two, sizeof two, "%s%s", CPU, other_model);
    cr_expect(!compare(two, NULL, &text, &error), "%s", error.message);
    cr_expect(strstr(text, "### sam_vit_b") && strstr(text, "### mobile_sam"));
    wsam_free(text);
    cr_expect_eq(compare(CPU, &(wsam_bench_compare_options){.across = "colour"}, &text, &error),
                 WSAM_ERR_ARGUMENT);
}

Test(bench, a_latency_of_single_images_is_a_rate)
{
    wsam_error error;
    char *text = NULL;
    cr_assert(!compare(ROW("gpu", "SingleStream", "encoder", ",\"batch\":1,\"p50_ms\":8"), NULL,
                       &text, &error));
    cr_expect(strstr(text, "| 125 | 8.00 |"), "%s", text);
    wsam_free(text);
    /* two calls, one of which was held up: the mean tells of the machine's other work */
    cr_assert(!compare(
        ROW("cpu", "SingleStream", "encoder", ",\"batch\":1,\"p50_ms\":8,\"images_per_s\":40"),
        NULL, &text, &error));
    cr_expect(strstr(text, "| 125 | 8.00 |"), "%s", text);
    wsam_free(text);
    cr_assert(
        !compare(ROW("cpu", "Offline", "encoder", ",\"batch\":1,\"p50_ms\":8,\"images_per_s\":40"),
                 NULL, &text, &error));
    cr_expect(strstr(text, "| 40.0 | 8.00 |"), "%s", text);
    wsam_free(text);
}

Test(bench, the_fastest_row_of_the_first_cpu_stands_for_its_machines)
{
    wsam_error error;
    char *text = NULL;
    cr_assert(!compare(
        ROW("cpu", "Offline", "encoder", ",\"threads\":1,\"batch\":1,\"images_per_s\":5")
            ROW("cpu", "Offline", "encoder", ",\"threads\":2,\"batch\":1,\"images_per_s\":10")
                ROW("other cpu", "Offline", "encoder",
                    ",\"threads\":8,\"batch\":1,\"images_per_s\":40") GPU,
        NULL, &text, &error));
    cr_expect(strstr(text, "| - | 50.0 | - | - | - | - | - | 5.00 |"), "%s", text);
    cr_expect(strstr(text, "| 5.00 | - | 5.00 | - | - | - | 0.5000 |"), "%s", text);
    wsam_free(text);
}

/* What others wrote goes into Markdown as text. */
Test(bench, text_of_rows_is_text_in_tables)
{
    wsam_error error;
    char *text = NULL;
    cr_assert(!compare(ROW("a | <b>", "Offline", "<i>", ",\"batch\":1"), NULL, &text, &error));
    cr_expect(strstr(text, "| a \\| &lt;b> | - | int8 | - |"), "%s", text);
    cr_expect(strstr(text, "timed_region &lt;i>,"), "%s", text);
    wsam_free(text);
    const wsam_bench_compare_options all = {.across =
                                                "resolution,prompts,scenario,timed_region,batch"};
    cr_assert(!compare(CPU, &all, &text, &error));
    cr_expect(strstr(text, "### sam_vit_b\n\n| device"), "%s", text);
    wsam_free(text);
}

/* One axis for all models, and whatever it takes to know rows of a device from each other. */
Test(bench, a_chart_names_what_its_rows_differ_in)
{
    wsam_error error;
    char *text = NULL;
    const wsam_bench_compare_options o = {.across = "batch", .format = WSAM_BENCH_SVG};
    cr_assert(!compare(CPU GPU BATCHED, &o, &text, &error), "%s", error.message);
    cr_expect(strstr(text, ">sam_vit_b, resolution 1024, prompts 0, scenario Offline, "
                           "timed_region encoder<"),
              "%s", text);
    cr_expect(strstr(text, ">gpu A100, int8, batch 1<") &&
                  strstr(text, ">gpu A100, int8, batch 8<"),
              "%s", text);
    cr_expect(strstr(text, ">0.1<") && strstr(text, ">1<") && strstr(text, ">100<"), "%s", text);
    cr_expect(!strstr(text, "nan") && !strstr(text, "inf"));
    wsam_free(text);
}

Test(bench, damaged_price_lists_name_the_line)
{
    static const char *const bad[] = {"1\tdevice\tsource\n", "x\td\ts\t2026\n", "-1\td\ts\t2026\n",
                                      "1\td\t\t2026\n"};
    for (size_t i = 0; i < 4; i++) {
        wsam_error error;
        char *text = NULL;
        char list[64];
        snprintf(list, sizeof list, "# one\n%s", bad[i]);
        const wsam_bench_compare_options o = {.prices = write_text("p.tsv", list)};
        cr_expect_eq(compare(CPU, &o, &text, &error), WSAM_ERR_FORMAT);
        cr_expect(strstr(error.message, "p.tsv:2: ") != NULL, "%s", error.message);
    }
}

/* ---- measuring ---- */

static void make_model(const char *family, wsam_file_type type)
{
    wsam_error error = {0};
    wsam_convert_options options;
    wsam_convert_options_default(&options);
    options.type = type;
    cr_assert(!wsam_write_twin(family, in_folder("t.st"), 0, &error) &&
                  !wsam_convert(in_folder("t.st"), in_folder("m.wsam"), &options, &error),
              "%s", error.message);
}

/* Published sizes: 486 GMAC of ViT-B less the pads that are skipped (linear 348, attention 112,
 * convolutions 5.6), counted layer by layer. */
Test(bench, the_work_of_an_encoder_is_counted_from_its_graph)
{
    wsam_error error = {0};
    wsam_model *model = NULL;
    ws_work f32, int8;
    make_model("efficient_sam_ti", WSAM_FILE_F32);
    cr_assert(!wsam_model_open(in_folder("m.wsam"), NULL, &model, &error), "%s", error.message);
    cr_assert(!ws_encoder_work(model, &f32, &error));
    wsam_model_close(model);
    make_model("efficient_sam_ti", WSAM_FILE_INT8);
    cr_assert(!wsam_model_open(in_folder("m.wsam"), NULL, &model, &error));
    cr_assert(!ws_encoder_work(model, &int8, &error));
    wsam_model_close(model);
    cr_expect_float_eq(f32.macs[WS_PEAK_F32] * 1e-9, 21.7 + 77.3 + 3.2, 0.5);
    cr_expect_float_eq(int8.macs[WS_PEAK_S8] * 1e-9, 21.7, 0.2);
    cr_expect_float_eq(int8.macs[WS_PEAK_BF16] * 1e-9, 77.3 + 3.2, 0.3);
}

Test(bench, every_region_gives_a_whole_row)
{
    wsam_error error = {0};
    wsam_bench_options o;
    make_model("sam_vit_mini", WSAM_FILE_INT8);
    wsam_bench_options_default(&o);
    o.runs = 2;
    o.watts = 5.0;
    o.runtime.threads = 1;
    for (int region = 0; region < WSAM_BENCH_EVERYTHING; region++) {
        wsam_bench_row row;
        o.region = (wsam_bench_region)region;
        o.prompts = 3;
        cr_assert(!wsam_bench_measure(in_folder("m.wsam"), &o, &row, &error), "%s", error.message);
        cr_expect_str_eq(row.timed_region, wsam_bench_region_name(region));
        cr_expect_str_eq(row.type, "int8");
        cr_expect_str_eq(row.kind, "measured");
        cr_expect_eq(row.runs, 2);
        cr_expect_eq(row.resolution, 256);
        cr_expect_eq(row.prompts, region < WSAM_BENCH_PROMPTS ? 0 : 3);
        cr_expect(row.images_per_s > 0.0 && row.p50_ms > 0.0 && row.worst_ms >= row.p50_ms);
        cr_expect(row.clock_hz > 1e8 && row.peak_gops > 0.0 && row.peak_rss_bytes > 1e6);
        cr_expect(isnan(row.p90_ms), "two runs tell no percentile");
        cr_expect(!(row.percent_of_peak > 100.0));
        cr_expect(region < WSAM_BENCH_PROMPTS || isnan(row.percent_of_peak));
    }
    cr_expect(wsam_bench_region_name(WSAM_BENCH_REGIONS) == NULL && !wsam_bench_region_name(-1));
}

/* 30 Gop in 3 s at 20 Gop/s of f32 and 20 Gop/s of int8: half a second and one. */
Test(bench, no_share_of_the_peak_passes_a_hundred)
{
    const ws_work work = {{[WS_PEAK_F32] = 5e9, [WS_PEAK_S8] = 10e9}};
    const double peaks[3] = {[WS_PEAK_F32] = 20.0, [WS_PEAK_S8] = 20.0};
    const double slow[3] = {[WS_PEAK_F32] = 5.0, [WS_PEAK_S8] = 5.0},
                 none[3] = {[WS_PEAK_F32] = 20.0};
    cr_expect_float_eq(ws_peak_share_percent(&work, peaks, 1.0 / 3.0), 50.0, 1e-9);
    cr_expect(isnan(ws_peak_share_percent(&work, slow, 1.0 / 3.0)), "the loops were held up");
    cr_expect(isnan(ws_peak_share_percent(&work, none, 1.0 / 3.0)), "a peak that is not known");
}

Test(bench, processes_and_sessions_add_up)
{
    wsam_error error = {0};
    wsam_bench_options o;
    wsam_bench_row row;
    make_model("sam_vit_mini", WSAM_FILE_F32);
    wsam_bench_options_default(&o);
    o.runs = 2;
    o.runtime.threads = 1;
    o.processes = 2;
    o.sessions = 2;
    o.offline = 1;
    cr_assert(!wsam_bench_measure(in_folder("m.wsam"), &o, &row, &error), "%s", error.message);
    cr_expect_eq(row.runs, 8);
    cr_expect_str_eq(row.scenario, "Offline");
    o.sessions = 513;
    cr_expect_eq(wsam_bench_measure(in_folder("m.wsam"), &o, &row, &error), WSAM_ERR_ARGUMENT);
}

Test(bench, failures_of_a_child_come_back)
{
    wsam_error error = {0};
    wsam_bench_options o;
    wsam_bench_row row;
    const char *missing[1] = {"/no/such.png"};
    wsam_bench_options_default(&o);
    cr_expect_neq(wsam_bench_measure("/no/such.wsam", &o, &row, &error), WSAM_OK);
    cr_expect(strstr(error.message, "/no/such.wsam") != NULL, "%s", error.message);
    make_model("sam_vit_mini", WSAM_FILE_F32);
    o.pictures = missing;
    o.n_pictures = 1;
    o.processes = 2;
    cr_expect_neq(wsam_bench_measure(in_folder("m.wsam"), &o, &row, &error), WSAM_OK);
    cr_expect(strstr(error.message, "/no/such.png") != NULL, "%s", error.message);
}

Test(bench, scaling_is_drawn)
{
    wsam_error error = {0};
    char *svg = NULL;
    size_t n = 0;
    wsam_bench_row *rows =
        load(ROW("c", "SingleStream", "encoder",
                 ",\"threads\":1,\"processes\":1,\"sessions\":1,\"images_per_s\":1")
                 ROW("c", "SingleStream", "encoder",
                     ",\"threads\":2,\"processes\":1,\"sessions\":1,\"images_per_s\":1.8")
                     ROW("c", "Offline", "encoder",
                         ",\"threads\":1,\"processes\":2,\"sessions\":1,\"images_per_s\":1.9"),
             &n);
    cr_assert(!wsam_bench_scaling_svg(rows, n, &svg, &error), "%s", error.message);
    cr_expect(strstr(svg, "processes of one thread") && strstr(svg, "</svg>"));
    cr_expect(!strstr(svg, "nan") && !strstr(svg, "inf"));
    wsam_free(svg);
    wsam_free(rows);
    /* one session of one thread is one process of it: one point, the best */
    rows = load(ROW("c", "SingleStream", "encoder",
                    ",\"threads\":1,\"processes\":1,\"sessions\":1,\"images_per_s\":1")
                    ROW("c", "Offline", "encoder",
                        ",\"threads\":1,\"processes\":1,\"sessions\":1,\"images_per_s\":2"),
                &n);
    cr_assert(!wsam_bench_scaling_svg(rows, n, &svg, &error), "%s", error.message);
    cr_expect(strstr(svg, "points=\"980.0,60.0 \""), "%s", svg);
    cr_expect(strstr(svg, ">0.5<") && strstr(svg, ">1.5<") && strstr(svg, ">2<"), "%s", svg);
    wsam_free(svg);
    cr_expect_neq(wsam_bench_scaling_svg(rows, 0, &svg, &error), WSAM_OK);
    wsam_free(rows);
}

/* The share of the peak has something to refer to, whatever level is added. */
Test(bench, every_level_has_register_loops)
{
    for (int i = 0; wsam_isa_name(i); i++)
        for (int type = WS_PEAK_F32; type <= WS_PEAK_S8; type++)
            cr_expect_not_null(ws_peak_loop_of(wsam_isa_name(i), (ws_peak_type)type), "%s",
                               wsam_isa_name(i));
}
