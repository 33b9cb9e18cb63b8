/* cli/cmd_inspect.c - weaksam inspect: what a weight file holds, and how it would run here. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parse.h"
#include "cli/cli.h"
#include "cli/help_tables.h"

enum { OPT_TENSORS = CLI_OWN, OPT_STEPS };

static const struct option own_options[] = {{"tensors", no_argument, NULL, OPT_TENSORS},
                                            {"steps", no_argument, NULL, OPT_STEPS},
                                            {NULL, 0, NULL, 0}};

typedef struct wishes {
    int tensors, steps;
} wishes;

static int take(void *user, int option, const char *value)
{
    wishes *w = user;
    (void)value;
    if (option == OPT_TENSORS)
        w->tensors = 1;
    else
        w->steps = 1;
    return CLI_OK;
}

/* ---- text ---- */

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0.0;
}

static int no_memory; /* for a value */

static void print_value(const cJSON *item)
{
    char *text = cJSON_PrintUnformatted(item);
    if (text)
        cli_print_safe(stdout, text);
    no_memory |= item && !text;
    free(text);
}

static void print_metadata(const cJSON *file)
{
    const cJSON *item;
    puts("\nmetadata");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(file, "metadata"))
    {
        printf("  ");
        cli_print_safe(stdout, item->string);
        printf(" = ");
        print_value(item);
        putchar('\n');
    }
}

static void print_sections(const cJSON *file)
{
    const cJSON *item;
    printf("version %.0f, %.0f bytes\n\nsections\n", number_of(file, "version"),
           number_of(file, "bytes"));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(file, "sections"))
        printf("  %-10s at %12.0f  %12.0f bytes\n", text_of(item, "name"),
               number_of(item, "offset"), number_of(item, "bytes"));
}

static void print_tensors(const cJSON *file, int all)
{
    const cJSON *tensors = cJSON_GetObjectItemCaseSensitive(file, "tensors"), *item;
    static const char *const types[] = {"f32", "bf16", "s8"};
    printf("\ntensors: %d\n", cJSON_GetArraySize(tensors));
    for (int i = 0; i < 3; i++) {
        int n = 0;
        double bytes = 0.0;
        cJSON_ArrayForEach(item, tensors)
        {
            const int same = strcmp(text_of(item, "type"), types[i]) == 0;
            n += same;
            bytes += same ? number_of(item, "bytes") : 0.0;
        }
        if (n)
            printf("  %-5s %5d tensors  %12.0f bytes\n", types[i], n, bytes);
    }
    cJSON_ArrayForEach(item, tensors)
    {
        if (!all)
            break;
        printf("  %-5s %12.0f  ", text_of(item, "type"), number_of(item, "bytes"));
        cli_print_safe(stdout, text_of(item, "name"));
        putchar(' ');
        print_value(cJSON_GetObjectItemCaseSensitive(item, "shape"));
        putchar('\n');
    }
}

static void print_graphs(const cJSON *file)
{
    const cJSON *graph, *item;
    cJSON_ArrayForEach(graph, cJSON_GetObjectItemCaseSensitive(file, "graphs"))
    {
        printf("\ngraph ");
        cli_print_safe(stdout, text_of(graph, "name"));
        printf(": %.0f operators\n", number_of(graph, "operators"));
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(graph, "symbols"))
        {
            printf("  symbol ");
            cli_print_safe(stdout, text_of(item, "name"));
            printf(": %.0f to %.0f, multiple of %.0f\n", number_of(item, "min"),
                   number_of(item, "max"), number_of(item, "multiple"));
        }
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(graph, "inputs"))
        {
            printf("  input  ");
            cli_print_safe(stdout, text_of(item, "name"));
            printf(" %s ", text_of(item, "type"));
            print_value(cJSON_GetObjectItemCaseSensitive(item, "shape"));
            printf(", %s rate\n", text_of(item, "rate"));
        }
        printf("  output ");
        print_value(cJSON_GetObjectItemCaseSensitive(graph, "outputs"));
        putchar('\n');
    }
}

/* Kernels in the order of their first step, with the number of steps. */
static void print_kernels(const cJSON *steps)
{
    const cJSON *step, *other;
    cJSON_ArrayForEach(step, steps)
    {
        const char *kernel = text_of(step, "kernel");
        int before = 0, n = 0;
        cJSON_ArrayForEach(other, steps)
        {
            const int same = strcmp(text_of(other, "kernel"), kernel) == 0;
            before += same && !n && other != step;
            n += same;
            if (other == step && before)
                break;
        }
        if (!before && *kernel)
            printf("    %4d x %s\n", n, kernel);
    }
}

static void print_program(const cJSON *program, int all)
{
    const cJSON *graph, *step;
    printf("\nhere: level %s, %.0f threads, %.0f bytes of packed weights\n",
           text_of(program, "isa"), number_of(program, "threads"),
           number_of(program, "packed_bytes"));
    cJSON_ArrayForEach(graph, cJSON_GetObjectItemCaseSensitive(program, "graphs"))
    {
        const cJSON *steps = cJSON_GetObjectItemCaseSensitive(graph, "steps");
        printf("  ");
        cli_print_safe(stdout, text_of(graph, "name"));
        if (!steps) {
            printf(": ");
            cli_print_safe(stdout, text_of(graph, "error"));
            putchar('\n');
            continue;
        }
        printf(": %d steps, %.0f bytes of working memory\n", cJSON_GetArraySize(steps),
               number_of(graph, "arena_bytes"));
        print_kernels(steps);
        cJSON_ArrayForEach(step, steps)
        {
            if (!all)
                break;
            printf("    %-8s %-24s %-32s ", text_of(step, "rate"), text_of(step, "step"),
                   text_of(step, "kernel"));
            cli_print_safe(stdout, text_of(step, "name"));
            putchar('\n');
        }
    }
}

/* What the library wrote about a model; a large one has more values than others' JSON may. */
static cJSON *own_json(const char *text)
{
    cJSON *root;
    ws_json_parse_up_to(SIZE_MAX, "model", 0, text, strlen(text), &root, NULL);
    return root;
}

static int print_text(const char *file_json, const char *program_json, const wishes *w)
{
    cJSON *file = own_json(file_json), *program = own_json(program_json);
    const int read = file && program;
    if (read) {
        print_sections(file);
        print_metadata(file);
        print_tensors(file, w->tensors);
        print_graphs(file);
        print_program(program, w->steps);
    }
    cJSON_Delete(file);
    cJSON_Delete(program);
    return read && !no_memory;
}

/* ---- the command ---- */

static char *describe(const char *path, const cli_common *common, wsam_error *error)
{
    wsam_model *model;
    if (wsam_model_open(path, &common->runtime, &model, error))
        return NULL;
    char *program;
    wsam_model_describe(model, &program, error);
    wsam_model_close(model);
    return program;
}

static int run(int argc, char **argv)
{
    cli_common common;
    wishes w = {0};
    wsam_error error = {0};
    char *file = NULL;
    int status;
    const int first =
        cli_options_parse(&cmd_inspect, argc, argv, &common, own_options, take, &w, &status);
    if (first < 0)
        return status;
    if (argc - first != 1)
        return cli_usage("inspect", "expected one weight file");
    if (wsam_inspect(argv[first], &file, &error))
        return cli_failed("inspect", &error);
    char *program = describe(argv[first], &common, &error);
    if (!program) {
        status = cli_failed("inspect", &error);
    } else if (common.json) {
        printf("{\"file\":%s,\"program\":%s}\n", file, program);
    } else if (!print_text(file, program, &w)) {
        snprintf(error.message, sizeof error.message, "no memory for a description");
        status = cli_failed("inspect", &error);
    }
    wsam_free(program);
    wsam_free(file);
    return status;
}

const cli_command cmd_inspect = {
    .name = "inspect",
    .summary = "Show what a weight file contains and how it runs on this machine.",
    .usage = "inspect MODEL.wsam [--tensors] [--steps] [OPTION...]",
    .takes = "rj",
    .run = run,
    .table = &help_inspect};
