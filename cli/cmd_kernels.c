/* cli/cmd_kernels.c - weaksam kernels: which kernel runs where. */
#include <string.h>

#include "cli/cli.h"
#include "cli/help_tables.h"

/* The kernel files that are in this program, from the Makefile: "gemm_f32_6x16_avx2 ...". Tables of
 * levels that the machine lacks cannot be asked: even what fills them is compiled for them. */
#ifndef CLI_BUILT_KERNELS
#define CLI_BUILT_KERNELS ""
#endif

typedef struct row {
    const char *family;
    const char *(*name)(const wsam_kernels *k);
    const char *widened; /* the family that stands in where the level has no instruction for it */
} row;

/* A function inside a family that has one version, and why. */
typedef struct plain_member {
    const char *family, *name;
    size_t offset; /* of its pointer in wsam_kernels */
    const char *why;
} plain_member;

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
    return k->tokens_name;
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

static const row rows[] = {{"gemm_f32", gemm_f32, NULL},
                           {"gemm_bf16", gemm_bf16, "gemm_f32"},
                           {"gemm_s8", gemm_s8, NULL},
                           {"attention_f32", attention_f32, NULL},
                           {"attention_bf16", attention_bf16, "attention_f32"},
                           {"conv", conv, NULL},
                           {"vector", vector, NULL},
                           {"few_token_attention", tokens, NULL},
                           {"resize", resize, NULL},
                           {"mask", mask, NULL},
                           {"roi", roi, NULL}};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const char moves_bytes[] = "they move bytes, and leave that to memcpy";
static const char per_picture[] = "once per image; whole masks are the mask family's";

static const plain_member plain_members[] = {
    {"conv", "im2col_f32", offsetof(wsam_kernels, conv.im2col_f32), moves_bytes},
    {"conv", "pixel_shuffle_f32", offsetof(wsam_kernels, conv.pixel_shuffle_f32), moves_bytes},
    {"vector", "sincos_f32", offsetof(wsam_kernels, vector.sincos_f32),
     "a few hundred values per prompt, and libm's range reduction"},
    {"resize", "bilinear_row_f32", offsetof(wsam_kernels, resize.bilinear_row_f32), per_picture},
    {"resize", "bicubic_row_f32", offsetof(wsam_kernels, resize.bicubic_row_f32), per_picture}};
enum { PLAIN_MEMBERS = sizeof plain_members / sizeof plain_members[0] };

typedef struct settings {
    cli_common common;
    int list, last; /* last: index of the highest level to be looked at as this machine's */
} settings;

static const char *suffix(const char *name)
{
    const char *at = strrchr(name, '_');
    return at ? at + 1 : name;
}

static int has_level(const settings *s, int level)
{
    return level <= s->last && wsam_isa_supported(wsam_isa_name(level));
}

static const char *name_at(const row *r, int level)
{
    const wsam_kernels *k;
    const char *name = wsam_kernels_for(wsam_isa_name(level), &k, NULL) ? NULL : r->name(k);
    return name ? name : "";
}

/* Whether a file FAMILY_..._LEVEL is in this program. */
static int is_built(const char *family, const char *level)
{
    const size_t prefix = strlen(family), end = strlen(level);
    for (const char *at = CLI_BUILT_KERNELS; *at;) {
        const size_t n = strcspn(at, " ");
        if (n > prefix + end && strncmp(at, family, prefix) == 0 && at[prefix] == '_' &&
            strncmp(at + n - end, level, end) == 0 && at[n - end - 1] == '_')
            return 1;
        at += n + strspn(at + n, " ");
    }
    return 0;
}

/* The level whose kernel of a family a level takes: its own, or the nearest one below. AVX-VNNI is
 * beside the AVX-512 levels, and AVX512-BF16 beside AMX, not below them. */
static const char *built_level(const row *r, int level)
{
    for (int i = level; i > 0; i--) {
        const char *isa = wsam_isa_name(i);
        if (i != level && (strcmp(isa, "avxvnni") == 0 || strcmp(isa, "avx512bf16") == 0))
            continue;
        if (is_built(r->family, isa) || (r->widened && is_built(r->widened, isa)))
            return isa;
    }
    return "c";
}

/* Whether a member is the C function at the highest level here. */
static int is_plain(const settings *s, const plain_member *m)
{
    int best = 0;
    for (int i = 0; wsam_isa_name(i); i++)
        best = has_level(s, i) ? i : best;
    const wsam_kernels *c, *b;
    if (wsam_kernels_for("c", &c, NULL) || wsam_kernels_for(wsam_isa_name(best), &b, NULL))
        return 0;
    return memcmp((const char *)c + m->offset, (const char *)b + m->offset,
                  sizeof(void (*)(void))) == 0;
}

/* ---- output ---- */

/* "(this machine does not have it)", or another reason. */
static const char *absence(int level)
{
    static char text[128];
    const char *why = wsam_isa_missing(wsam_isa_name(level));
    snprintf(text, sizeof text, "(%s)", why ? why : "left out");
    return text;
}

static void print_json_plain(const settings *s)
{
    int n = 0;
    printf("\"c_by_design\":[");
    for (int i = 0; i < PLAIN_MEMBERS; i++)
        if (is_plain(s, &plain_members[i]))
            printf("%s\"%s.%s\"", n++ ? "," : "", plain_members[i].family, plain_members[i].name);
    printf("]");
}

static void print_json(const settings *s)
{
    printf("{\"best\":\"%s\",", wsam_isa_best());
    print_json_plain(s);
    printf(",\"levels\":{");
    for (int i = 0; wsam_isa_name(i); i++) {
        const int here = has_level(s, i);
        printf("%s\"%s\":{\"supported\":%s", i ? "," : "", wsam_isa_name(i),
               here ? "true" : "false");
        for (int r = 0; r < ROWS && here; r++)
            printf(",\"%s\":\"%s\"", rows[r].family, name_at(&rows[r], i));
        printf("}");
    }
    printf("}}\n");
}

static void print_list(const settings *s)
{
    printf("best level here: %s\n", wsam_isa_best());
    for (int r = 0; r < ROWS; r++) {
        printf("\n%s\n", rows[r].family);
        for (int i = 0; wsam_isa_name(i); i++)
            printf("  %-12s %s\n", wsam_isa_name(i),
                   has_level(s, i) ? name_at(&rows[r], i) : absence(i));
    }
}

/* Members with the same reason stand on one line. */
static void print_plain(const settings *s)
{
    const char *why = NULL;
    printf("\nOne version, C, at every level:");
    for (int i = 0; i < PLAIN_MEMBERS; i++) {
        const plain_member *m = &plain_members[i];
        if (!is_plain(s, m))
            continue;
        if (why != m->why)
            printf("%s%s%s\n  %s: ", why ? " (" : "", why ? why : "", why ? ")" : "", m->family);
        printf("%s%s", why == m->why ? ", " : "", m->name);
        why = m->why;
    }
    printf(why ? " (%s)\n" : " none%s\n", why ? why : "");
}

static void print_lacking(const settings *s)
{
    printf("(level): built, but this machine does not have it.\n");
    for (int i = 0; wsam_isa_name(i); i++) {
        const char *isa = wsam_isa_name(i), *why = wsam_isa_missing(isa);
        if (i <= s->last && why && strncmp(why, "the system", strlen("the system")) == 0)
            printf("%s: %s.\n", isa, why);
    }
}

/* What stands in a cell; row -1: the level's own name. */
static const char *cell(const settings *s, int r, int level)
{
    static char head[32];
    const int here = has_level(s, level);
    if (r >= 0)
        return here ? suffix(name_at(&rows[r], level)) : built_level(&rows[r], level);
    snprintf(head, sizeof head, here ? "%s" : "(%s)", wsam_isa_name(level));
    return head;
}

/* The same whether the machine has the level or not. */
static int column_width(const settings *s, int level)
{
    size_t width = strlen(wsam_isa_name(level)) + strlen("()");
    for (int r = 0; r < ROWS; r++) {
        const size_t n = strlen(cell(s, r, level));
        width = n > width ? n : width;
    }
    return (int)width;
}

static void print_matrix(const settings *s)
{
    int lacking = 0;
    for (int r = -1; r < ROWS; r++) {
        printf("%-19s", r < 0 ? "family" : rows[r].family);
        for (int i = 0; wsam_isa_name(i); i++) {
            printf(" %-*s", column_width(s, i), cell(s, r, i));
            lacking |= !has_level(s, i);
        }
        printf("\n");
    }
    printf("\nA cell names the level that the kernel is written for; --list names the kernels.\n");
    if (lacking)
        print_lacking(s);
    print_plain(s);
}

/* ---- the command ---- */

enum { OPT_LIST = CLI_OWN, OPT_AS_IF };

static const struct option own_options[] = {{"list", no_argument, NULL, OPT_LIST},
                                            {"as-if", required_argument, NULL, OPT_AS_IF},
                                            {NULL, 0, NULL, 0}};

static int take(void *user, int option, const char *value)
{
    settings *s = user;
    if (option == OPT_LIST) {
        s->list = 1;
        return CLI_OK;
    }
    for (s->last = 0; wsam_isa_name(s->last); s->last++)
        if (strcmp(wsam_isa_name(s->last), value) == 0)
            return CLI_OK;
    return cli_usage("kernels", "--as-if '%s': no such level", value);
}

static int run(int argc, char **argv)
{
    settings s = {.last = 1000};
    int status;
    const int first =
        cli_options_parse(&cmd_kernels, argc, argv, &s.common, own_options, take, &s, &status);
    if (first < 0)
        return status;
    if (first != argc)
        return cli_usage("kernels", "expected no arguments");
    if (s.common.json)
        print_json(&s);
    else if (s.list)
        print_list(&s);
    else
        print_matrix(&s);
    return CLI_OK;
}

const cli_command cmd_kernels = {.name = "kernels",
                                 .summary =
                                     "Show which kernel runs at which instruction-set level.",
                                 .usage = "kernels [--list] [--json]",
                                 .takes = "j",
                                 .run = run,
                                 .table = &help_kernels};
