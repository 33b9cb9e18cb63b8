/* cli/bench_scale.c - weaksam bench scale: what a run takes on more machines, by simulation. */
#include "cli/bench_scale.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json_parse.h"
#include "cli/cli.h"
#include "cli/help_tables.h"
#include "cli/stages.h"
#include "weaksam/scale.h"

enum { MOST_ROWS = 32 };

/* Options that are one number of wsam_scale_options. */
typedef struct number {
    const char *name;
    size_t offset;
    enum { REAL, COUNT, SMALL } kind;
    double low, high;
} number;

#define AT(field) offsetof(wsam_scale_options, field)
static const number numbers[] = {{"image-seconds", AT(image_s), REAL, 1e-9, 1e6},
                                 {"image-spread", AT(image_spread), REAL, 0, 3},
                                 {"start-seconds", AT(start_s), REAL, 0, 1e6},
                                 {"load-seconds", AT(load_s), REAL, 0, 1e6},
                                 {"slow-share", AT(slow_share), REAL, 0, 1},
                                 {"slow-factor", AT(slow_factor), REAL, 1, 1000},
                                 {"launches-per-second", AT(launches_per_s), REAL, 1e-6, 1e9},
                                 {"server-bandwidth", AT(server_bytes_per_s), REAL, 1, 1e15},
                                 {"machine-bandwidth", AT(machine_bytes_per_s), REAL, 1, 1e15},
                                 {"server-operations", AT(server_ops_per_s), REAL, 1, 1e12},
                                 {"model-bytes", AT(model_bytes), COUNT, 0, 1e15},
                                 {"image-bytes", AT(image_bytes), COUNT, 0, 1e12},
                                 {"record-bytes", AT(record_bytes), COUNT, 0, 1e12},
                                 {"merge-seconds", AT(merge_s), REAL, 0, 1e3},
                                 {"processes", AT(processes), SMALL, 1, 1000},
                                 {"cores", AT(cores), SMALL, 0, 1000},
                                 {"shards", AT(shards), SMALL, 0, 1000000},
                                 {"seed", AT(seed), COUNT, 0, 9e15}};
enum { NUMBERS = sizeof numbers / sizeof *numbers };
enum {
    OPT_NUMBER = CLI_OWN,
    OPT_IMAGES = CLI_OWN + NUMBERS,
    OPT_MACHINES,
    OPT_RUN,
    OPT_STEAL,
    OPT_PREPARED
};

static struct option own_options[NUMBERS + 6] = {
    {"images", required_argument, NULL, OPT_IMAGES},
    {"machines", required_argument, NULL, OPT_MACHINES},
    {"run", required_argument, NULL, OPT_RUN},
    {"steal", no_argument, NULL, OPT_STEAL},
    {"prepared", no_argument, NULL, OPT_PREPARED}};

typedef struct request {
    cli_common common;
    wsam_scale_options o;
    double images[MOST_ROWS], machines[MOST_ROWS];
    int n_images, n_machines;
    const char *run;
    unsigned char given[NUMBERS];
} request;

static int take_number(request *r, int i, const char *value)
{
    const number *n = &numbers[i];
    char *field = (char *)&r->o + n->offset;
    double v;
    if (!cli_numbers(value, 1, 1, &v) || !(v >= n->low && v <= n->high) ||
        (n->kind != REAL && v > floor(v)))
        return cli_usage("bench scale", "--%s '%s': expected a %snumber from %g to %g", n->name,
                         value, n->kind == REAL ? "" : "whole ", n->low, n->high);
    r->given[i] = 1;
    if (n->kind == REAL)
        memcpy(field, &v, sizeof v);
    else if (n->kind == COUNT)
        memcpy(field, &(uint64_t){(uint64_t)v}, sizeof(uint64_t));
    else
        memcpy(field, &(int){(int)v}, sizeof(int));
    return CLI_OK;
}

static int take_list(const char *name, const char *value, double high, double *list, int *n)
{
    int count = 1;
    for (const char *c = value; *c; c++)
        count += *c == ',';
    int good = count <= MOST_ROWS && cli_numbers(value, count, count, list);
    for (int i = 0; i < count && good; i++)
        good = list[i] >= 1 && list[i] <= high && list[i] <= floor(list[i]);
    if (!good)
        return cli_usage("bench scale", "--%s '%s': expected up to %d whole numbers from 1 to %g",
                         name, value, MOST_ROWS, high);
    *n = count;
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_IMAGES:
        return take_list("images", value, 1e12, r->images, &r->n_images);
    case OPT_MACHINES:
        return take_list("machines", value, 1e5, r->machines, &r->n_machines);
    case OPT_RUN:
        r->run = value;
        return CLI_OK;
    case OPT_STEAL:
        r->o.steal = 1;
        return CLI_OK;
    case OPT_PREPARED:
        r->o.prepared = 1;
        return CLI_OK;
    default:
        return take_number(r, option - OPT_NUMBER, value);
    }
}

/* ---- a run that was measured ---- */

/* Bytes of all journals. */
static double journal_bytes(const char *run)
{
    char path[4096];
    double bytes = 0;
    snprintf(path, sizeof path, "%.3000s/state", run);
    DIR *d = opendir(path);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        struct stat st;
        const char *end = strrchr(e->d_name, '.');
        if (end && strcmp(end, ".journal") == 0 && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
            bytes += (double)st.st_size;
    }
    if (d)
        closedir(d);
    return bytes;
}

/* Seconds and bytes of an image, from the timing and the journals of a run. */
static wsam_status read_run(request *r, wsam_error *error)
{
    char path[4096], *text;
    size_t size;
    cJSON *root = NULL;
    double images = 0, seconds = 0;
    snprintf(path, sizeof path, "%.4000s/timing.json", r->run);
    wsam_status status = ws_file_read_whole(path, 1 << 20, &text, &size, error);
    if (status)
        return status;
    status = ws_json_parse(path, 0, text, size, &root, error);
    free(text);
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(root, "images"), *stage;
    if (cJSON_IsNumber(n))
        images = n->valuedouble;
    cJSON_ArrayForEach(stage, cJSON_GetObjectItemCaseSensitive(root, "seconds")) seconds +=
        cJSON_IsNumber(stage) ? stage->valuedouble : 0;
    cJSON_Delete(root);
    if (!status && (!(images >= 1) || !(seconds > 0)))
        return cli_error(error, WSAM_ERR_FORMAT, "%.300s: no images or no seconds", path);
    if (!status && !r->given[0])
        r->o.image_s = seconds / images;
    const double bytes = journal_bytes(r->run);
    if (!status && bytes > 0)
        r->o.record_bytes = (uint64_t)(bytes / images);
    return status;
}

/* ---- output ---- */

/* The larger one: merge, or every process. */
static double memory_of(const wsam_scale_result *s)
{
    return s->merge_memory_bytes > s->process_memory_bytes ? s->merge_memory_bytes
                                                           : s->process_memory_bytes;
}

static void print_row(const request *r, const wsam_scale_options *o, const wsam_scale_result *s)
{
    if (r->common.json) {
        printf("{\"images\":%llu,\"machines\":%d,\"processes\":%d,\"shards\":%d,\"steal\":%s,"
               "\"prepared\":%s,\"image_s\":%.6g,\"begin_s\":%.6g,\"first_s\":%.6g,\"work_s\":%.6g,"
               "\"merge_s\":%.6g,\"total_s\":%.6g,\"images_per_s\":%.6g,\"efficiency\":%.4f,"
               "\"server_busy\":%.4f,\"process_memory_bytes\":%.0f,\"merge_memory_bytes\":%.0f,"
               "\"stolen\":%llu,\"limit\":\"%s\"}\n",
               (unsigned long long)o->images, o->machines, o->processes,
               o->shards ? o->shards : o->machines * o->processes, o->steal ? "true" : "false",
               o->prepared ? "true" : "false", o->image_s, s->begin_s, s->first_s, s->work_s,
               s->merge_s, s->total_s, s->images_per_s, s->efficiency, s->server_busy,
               s->process_memory_bytes, s->merge_memory_bytes, (unsigned long long)s->stolen,
               s->limit);
        return;
    }
    printf(
        "%11llu  %8d  %9.1f  %11.1f  %11.1f  %9.1f  %11.1f  %9.4g  %5.1f %%  %5.1f %%  %6.2f GB  %s\n",
        (unsigned long long)o->images, o->machines, s->begin_s, s->first_s, s->work_s, s->merge_s,
        s->total_s, s->images_per_s, 100 * s->efficiency, 100 * s->server_busy, 1e-9 * memory_of(s),
        s->limit);
}

static const cli_command bench_scale = {.name = "bench scale",
                                        .summary = "Simulate a run in shards on many machines.",
                                        .usage = "bench scale [--images N,...] [--machines N,...]",
                                        .takes = "j",
                                        .table = &help_bench_scale};

int cli_bench_scale(int argc, char **argv)
{
    request r = {.images = {1e6}, .n_images = 1, .machines = {1, 10, 100, 1000}, .n_machines = 4};
    wsam_error error = {0};
    int status;
    for (int i = 0; i < NUMBERS; i++)
        own_options[5 + i] =
            (struct option){numbers[i].name, required_argument, NULL, OPT_NUMBER + i};
    wsam_scale_options_default(&r.o);
    const int first =
        cli_options_parse(&bench_scale, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (first != argc)
        return cli_usage("bench scale", "takes options alone");
    wsam_status failed = r.run ? read_run(&r, &error) : WSAM_OK;
    if (!failed && !r.common.json)
        printf("%.4g s per image%s%s\n     images  machines  begin, s   first end, s  last end, s  "
               "merge, s    total, s  images/s   used   server  memory     limit\n",
               r.o.image_s, r.o.steal ? ", --steal" : "", r.o.prepared ? ", --prepared" : "");
    for (int i = 0; i < r.n_images && !failed; i++)
        for (int m = 0; m < r.n_machines && !failed; m++) {
            wsam_scale_result result;
            wsam_scale_options o = r.o;
            o.images = (uint64_t)r.images[i];
            o.machines = (int)r.machines[m];
            failed = wsam_scale_simulate(&o, &result, &error);
            if (!failed)
                print_row(&r, &o, &result);
        }
    return failed ? cli_failed("bench scale", &error) : CLI_OK;
}
