/* bench/bench_models.c - the published models in one table: the encoder's latency and its rate with
 * one image per core, the decoder's time per prompt, peak memory, per cent of the peak.
 *
 * usage: bench_models [--models A,B] [--types f32,bf16,int8] [--threads N] [--isa LEVEL]
 *                     [--backend native|onednn] [--dir DIR] [--repeat N] [--json-to FILE]
 *
 * Without --repeat an encoder is timed until its median is known to 3 %, for ten seconds at most.
 * --json-to appends the rows (weaksam/bench.h) to a file beside the table. Weights are stand-ins
 * derived from tensor names (wsam_write_twin): speed does not depend on their values. `weaksam
 * bench` measures one model in more ways. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "weaksam/bench.h"
#include "weaksam/convert.h"

enum { PROMPTS = 64, MOST_RUNS = 1000 };

typedef struct settings {
    const char *models, *types, *dir, *json_to;
    wsam_bench_options options;
    FILE *rows; /* of json_to */
} settings;

/* One file that is measured. */
typedef struct subject {
    const char *family, *type;
    char path[512];
} subject;

/* ---- the files ---- */

static int exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

static wsam_file_type file_type(const char *type)
{
    return strcmp(type, "int8") == 0 ? WSAM_FILE_INT8
                                     : (strcmp(type, "bf16") == 0 ? WSAM_FILE_BF16 : WSAM_FILE_F32);
}

/* DIR/family.type.wsam from the family's stand-in checkpoint, which is written when it is missing.
 */
static int make_model(const settings *s, const subject *t)
{
    wsam_error error = {0};
    char checkpoint[512];
    wsam_convert_options options;
    if (mkdir(s->dir, 0777) != 0 && errno != EEXIST) {
        perror(s->dir);
        return 0;
    }
    snprintf(checkpoint, sizeof checkpoint, "%.400s/%.60s.safetensors", s->dir, t->family);
    wsam_convert_options_default(&options);
    options.type = file_type(t->type);
    if ((!exists(checkpoint) && wsam_write_twin(t->family, checkpoint, 0, &error)) ||
        wsam_convert(checkpoint, t->path, &options, &error)) {
        fprintf(stderr, "bench_models: %s\n", error.message);
        return 0;
    }
    return 1;
}

/* ---- measuring ---- */

static int measure(const settings *s, const subject *t, const wsam_bench_options *o,
                   wsam_bench_row *row)
{
    wsam_error error = {0};
    char *json = NULL;
    if (wsam_bench_measure(t->path, o, row, &error)) {
        printf("%-16s %-4s failed: %s\n", t->family, t->type, error.message);
        return 0;
    }
    snprintf(row->source, sizeof row->source, "bench_models");
    if (s->rows && !wsam_bench_json(row, &json)) {
        fputs(json, s->rows);
        wsam_free(json);
    }
    return 1;
}

static void print_number(double value, int width, int digits)
{
    if (isfinite(value))
        printf(" %*.*f", width, digits, value);
    else
        printf(" %*s", width, "-");
}

static void bench_file(const settings *s, const char *family, const char *type)
{
    subject t = {.family = family, .type = type};
    wsam_bench_row alone, each, decoder, memory;
    wsam_bench_options o = s->options, one_each = o, decode = o, whole = o;
    snprintf(t.path, sizeof t.path, "%.400s/%.60s.%.10s.wsam", s->dir, family, type);
    if (!exists(t.path) && !make_model(s, &t))
        return;
    one_each.offline = 1;
    one_each.sessions = o.runtime.threads;
    one_each.runtime.threads = 1;
    decode.region = WSAM_BENCH_DECODER;
    decode.prompts = PROMPTS;
    whole.region = WSAM_BENCH_PROMPTS;
    whole.runs = 1;
    if (!measure(s, &t, &o, &alone) || !measure(s, &t, &one_each, &each) ||
        !measure(s, &t, &decode, &decoder) || !measure(s, &t, &whole, &memory))
        return;
    printf("%-16s %-4s", family, type);
    print_number(alone.p50_ms, 7, 0);
    print_number(alone.p90_ms, 7, 0);
    print_number(alone.p99_ms, 7, 0);
    printf(" %5d", alone.runs);
    print_number(alone.percent_of_peak, 5, 0);
    print_number(each.images_per_s, 8, 2);
    print_number(each.percent_of_peak, 5, 0);
    print_number(decoder.p50_ms / PROMPTS, 8, 1);
    print_number(memory.peak_rss_bytes / 1048576.0, 6, 0);
    printf("\n");
    fflush(stdout);
}

/* Every model and type of the comma-separated lists. */
static void bench_all(const settings *s)
{
    char models[512], *model_rest = NULL;
    snprintf(models, sizeof models, "%s", s->models);
    for (char *m = strtok_r(models, ",", &model_rest); m; m = strtok_r(NULL, ",", &model_rest)) {
        char types[64], *type_rest = NULL;
        snprintf(types, sizeof types, "%s", s->types);
        for (char *t = strtok_r(types, ",", &type_rest); t; t = strtok_r(NULL, ",", &type_rest))
            bench_file(s, m, t);
    }
}

/* ---- the program ---- */

static int take_value(settings *s, const char *option, const char *value)
{
    wsam_options *r = &s->options.runtime;
    const struct {
        const char *option, **text;
    } texts[] = {{"--models", &s->models},
                 {"--types", &s->types},
                 {"--isa", &r->isa},
                 {"--dir", &s->dir},
                 {"--json-to", &s->json_to}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].option, option) == 0) {
            *texts[i].text = value;
            return 1;
        }
    if (strcmp(option, "--threads") == 0)
        return (r->threads = atoi(value)) >= 1;
    if (strcmp(option, "--repeat") == 0)
        return (s->options.runs = atoi(value)) >= 1 && s->options.runs <= MOST_RUNS;
    if (strcmp(option, "--backend") != 0)
        return 0;
    r->backend = strcmp(value, "onednn") == 0 ? WSAM_BACKEND_ONEDNN : WSAM_BACKEND_NATIVE;
    return r->backend == WSAM_BACKEND_ONEDNN || strcmp(value, "native") == 0;
}

int main(int argc, char **argv)
{
    settings s = {.models = "sam_vit_b,mobile_sam,efficient_sam_ti,efficient_sam_s",
                  .types = "f32,bf16,int8",
                  .dir = "build/bench-models"};
    wsam_bench_options_default(&s.options);
    s.options.max_seconds = 10.0;
    s.options.runtime.threads = wsam_default_threads();
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !take_value(&s, argv[i], argv[i + 1])) {
            fprintf(stderr, "usage: bench_models [--models A,B] [--types f32,bf16,int8] "
                            "[--threads N] [--isa LEVEL] [--backend native|onednn] [--dir DIR] "
                            "[--repeat N] [--json-to FILE]\n");
            return 2;
        }
    if (s.json_to && !(s.rows = fopen(s.json_to, "a"))) {
        perror(s.json_to);
        return 1;
    }
    printf("encoder, 1024 x 1024, %d threads: ms  |  1/core: images/s with one on every core  |  "
           "%%: of the peak\n"
           "prompt: ms for one of %d clicks decoded together; MiB: at most, with one image and one "
           "prompt\n"
           "%-16s %-4s %7s %7s %7s %5s %5s %8s %5s %8s %6s\n",
           s.options.runtime.threads, PROMPTS, "model", "type", "p50", "p90", "p99", "runs", "%",
           "1/core", "%", "prompt", "MiB");
    bench_all(&s);
    return s.rows && fclose(s.rows) != 0;
}
