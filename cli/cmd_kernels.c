/* cli/cmd_kernels.c - weaksam kernels: which kernel runs where. */
#include <string.h>

#include "cli/cli.h"

typedef struct row {
    const char *family;
    const char *(*name)(const wsam_kernels *k);
} row;

static const char *gemm_f32(const wsam_kernels *k)
{
    return k->gemm_f32.name;
}

static const char *gemm_bf16(const wsam_kernels *k)
{
    return k->gemm_bf16.name;
}

static const char *gemm_s8(const wsam_kernels *k)
{
    return k->gemm_s8.name;
}

static const char *attention_f32(const wsam_kernels *k)
{
    return k->attention_f32.name;
}

static const char *attention_bf16(const wsam_kernels *k)
{
    return k->attention_bf16.name;
}

static const char *conv(const wsam_kernels *k)
{
    return k->conv.name;
}

static const char *vector(const wsam_kernels *k)
{
    return k->vector.name;
}

static const char *tokens(const wsam_kernels *k)
{
    return k->tokens.name;
}

static const char *resize(const wsam_kernels *k)
{
    return k->resize.name;
}

static const char *mask(const wsam_kernels *k)
{
    return k->mask.name;
}

static const char *roi(const wsam_kernels *k)
{
    return k->roi.name;
}

static const row rows[] = {{"gemm_f32", gemm_f32},
                           {"gemm_bf16", gemm_bf16},
                           {"gemm_s8", gemm_s8},
                           {"attention_f32", attention_f32},
                           {"attention_bf16", attention_bf16},
                           {"conv", conv},
                           {"vector", vector},
                           {"tokens", tokens},
                           {"resize", resize},
                           {"mask", mask},
                           {"roi", roi}};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const char *name_at(const row *r, const char *isa)
{
    wsam_error error;
    const wsam_kernels *k = wsam_isa_supported(isa) ? wsam_kernels_for(isa, &error) : NULL;
    const char *name = k ? r->name(k) : NULL;
    return name ? name : "";
}

static void print_json(void)
{
    printf("{\"best\":\"%s\",\"levels\":{", wsam_isa_best());
    for (int i = 0; wsam_isa_name(i); i++) {
        printf("%s\"%s\":{\"supported\":%s", i ? "," : "", wsam_isa_name(i),
               wsam_isa_supported(wsam_isa_name(i)) ? "true" : "false");
        for (int r = 0; r < ROWS && wsam_isa_supported(wsam_isa_name(i)); r++)
            printf(",\"%s\":\"%s\"", rows[r].family, name_at(&rows[r], wsam_isa_name(i)));
        printf("}");
    }
    printf("}}\n");
}

static void print_text(void)
{
    printf("best level here: %s\n", wsam_isa_best());
    for (int r = 0; r < ROWS; r++) {
        printf("\n%s\n", rows[r].family);
        for (int i = 0; wsam_isa_name(i); i++)
            printf("  %-12s %s\n", wsam_isa_name(i),
                   wsam_isa_supported(wsam_isa_name(i)) ? name_at(&rows[r], wsam_isa_name(i))
                                                        : "(not on this machine)");
    }
}

static int run(int argc, char **argv)
{
    cli_common common;
    int status;
    const int first = cli_parse(&cmd_kernels, argc, argv, &common, NULL, NULL, NULL, &status);
    if (first < 0)
        return status;
    if (first != argc)
        return cli_usage("kernels", "wants no arguments");
    if (common.json)
        print_json();
    else
        print_text();
    return CLI_OK;
}

const cli_command cmd_kernels = {.name = "kernels",
                                 .summary = "Which kernel runs at which instruction set level.",
                                 .usage = "kernels [--json]",
                                 .help = "",
                                 .takes = "j",
                                 .run = run};
