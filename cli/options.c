/* cli/options.c - parsing of the options that commands share, and of values. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

enum { MAX_OPTIONS = 128, MAX_COMMON = 16 };

/* ---- values ---- */

int cli_int(const char *text, long long min, long long max, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *text && !isspace((unsigned char)*text) && !*end && !errno && *out >= min && *out <= max;
}

int cli_numbers(const char *text, int least, int n, double *out)
{
    for (int i = 0; i < n; i++) {
        char *end;
        out[i] = strtod(text, &end);
        if (end == text || isspace((unsigned char)*text))
            return 0;
        if (!*end)
            return i + 1 >= least ? i + 1 : 0;
        if (*end != ',')
            return 0;
        text = end + 1;
    }
    return 0;
}

int cli_bytes(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    const int shift = *end == 'k' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    end += shift != 0;
    *out = (uint64_t)n << shift;
    return isdigit((unsigned char)*text) && !*end && !errno && n <= UINT64_MAX >> shift && n > 0;
}

/* ---- parsing ---- */

static int take_runtime(const char *command, wsam_options *r, int option, const char *value)
{
    long long n;
    switch (option) {
    case CLI_OPT_THREADS:
        if (!cli_int(value, 1, 1024, &n))
            return cli_usage(command, "--threads '%s': expected 1 to 1024", value);
        r->threads = (int)n;
        break;
    case CLI_OPT_ISA:
        r->isa = value;
        break;
    case CLI_OPT_BACKEND:
        if (strcmp(value, "native") != 0 && strcmp(value, "onednn") != 0)
            return cli_usage(command, "--backend '%s': expected native or onednn", value);
        r->backend = *value == 'n' ? WSAM_BACKEND_NATIVE : WSAM_BACKEND_ONEDNN;
        break;
    case CLI_OPT_LOWERING:
        if (strcmp(value, "auto") != 0 && strcmp(value, "plain") != 0)
            return cli_usage(command, "--lowering '%s': expected auto or plain", value);
        r->lowering = *value == 'a' ? WSAM_LOWERING_AUTO : WSAM_LOWERING_PLAIN;
        break;
    default:
        if (!cli_bytes(value, &r->max_memory))
            return cli_usage(command, "--max-memory '%s': expected bytes, for example 800M", value);
        break;
    }
    return CLI_OK;
}

static int take_common(const cli_command *c, cli_common *common, int option, const char *value)
{
    switch (option) {
    case 'm':
        common->model = value;
        break;
    case 'o':
        common->output = value;
        break;
    case 'j':
        common->json = 1;
        break;
    case 't':
        common->timing = 1;
        break;
    case 'q':
        common->quiet = 1;
        break;
    default:
        return take_runtime(c->name, &common->runtime, option, value);
    }
    return CLI_OK;
}

/* Old names of options, which work until 0.3 with a remark on stderr. `command` NULL: of every one
 * that has the new name. `when_file`: only where the value is a regular file; the name itself has
 * another meaning now. `quiet`: no remark, the name stays. */
typedef struct renamed_option {
    const char *command, *old, *now;
    int when_file, quiet;
} renamed_option;

static const renamed_option renamed[] = {
    {NULL, "clue-size", "clue-max-side", 0, 1},
    {NULL, "surer", "contained-by-higher-score", 0, 0},
    {"detect", "most", "max-per-image", 0, 0},
    {"score", "most", "max-per-image", 0, 0},
    {"run", "score-most", "score-max-per-image", 0, 0},
    {"report", "most", "max-instances", 0, 0},
    {"clues", "most", "max-per-map", 0, 0},
    {"clues", "coarse-most", "coarse-max-per-map", 0, 0},
    {"clues", "fine-most", "fine-max-per-map", 0, 0},
    {"clues", "cross-most", "cross-max-per-map", 0, 0},
    {"run", "point-most", "point-max-per-map", 0, 0},
    {"run", "point-coarse-most", "point-coarse-max-per-map", 0, 0},
    {"run", "point-fine-most", "point-fine-max-per-map", 0, 0},
    {"run", "point-cross-most", "point-cross-max-per-map", 0, 0},
    {"eval", "images", "image-ids", 0, 0},
    {"masks", "images", "image-ids", 0, 0},
    {"score", "pictures", "images", 0, 0},
    {"score", "images", "image-ids", 1, 0},
    {"pgt", "folder", "images", 0, 0},
    {"pgt", "images", "image-ids", 1, 0}};
enum { RENAMED = sizeof renamed / sizeof renamed[0] };

static const struct option *find_option(const struct option *all, const char *name)
{
    for (; all->name; all++)
        if (strcmp(all->name, name) == 0)
            return all;
    return NULL;
}

/* Adds the old names that this command has to its options; returns how many there are then. */
static int add_renamed(const cli_command *c, struct option *all, int n)
{
    for (int i = 0; i < RENAMED; i++) {
        if (renamed[i].when_file || (renamed[i].command && strcmp(renamed[i].command, c->name)))
            continue;
        const struct option *now = find_option(all, renamed[i].now);
        if (!now || n == MAX_OPTIONS - 1)
            continue;
        all[n] = *now;
        all[n].name = renamed[i].old;
        memset(&all[++n], 0, sizeof *all);
    }
    return n;
}

static int is_file(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* What an option means that was written as `name`: its own value, or after a remark that of the new
 * name. */
static int new_meaning(const cli_command *c, const struct option *all, const char *name, int option,
                       const char *value, int quiet)
{
    for (int i = 0; i < RENAMED; i++) {
        const renamed_option *r = &renamed[i];
        if ((r->command && strcmp(r->command, c->name) != 0) || strcmp(r->old, name) != 0 ||
            (r->when_file && !is_file(value)))
            continue;
        const struct option *now = find_option(all, r->now);
        if (!now)
            continue;
        if (!r->quiet && !quiet)
            fprintf(stderr, "weaksam %s: --%s%s is now --%s; the old name will be removed in 0.3\n",
                    c->name, r->old, r->when_file ? " FILE" : "", r->now);
        return now->val;
    }
    return option;
}

/* The options of this command for getopt_long; the short ones -m and -o where they are taken. 0 when
 * there are too many for `all`. */
static int collect(const cli_command *c, const struct option *own, struct option all[MAX_OPTIONS],
                   char short_options[8])
{
    int n = 0;
    for (int i = 0; own && own[i].name; i++) {
        if (n >= MAX_OPTIONS - MAX_COMMON)
            return 0;
        all[n++] = own[i];
    }
    strcpy(short_options, ":h");
    for (int i = 0; i < MAX_COMMON - 1 && cli_common_options[i].option.name; i++) {
        if (!cli_common_takes(c, i))
            continue;
        all[n++] = cli_common_options[i].option;
        if (cli_common_options[i].letter == 'm' || cli_common_options[i].letter == 'o') {
            const char text[3] = {cli_common_options[i].letter, ':', 0};
            strcat(short_options, text);
        }
    }
    memset(&all[n], 0, sizeof all[n]);
    add_renamed(c, all, n);
    return 1;
}

int cli_options_parse(const cli_command *c, int argc, char **argv, cli_common *common,
                      const struct option *own, cli_take_fn take, void *user, int *status)
{
    struct option all[MAX_OPTIONS];
    char short_options[8];
    memset(common, 0, sizeof *common);
    wsam_options_default(&common->runtime);
    if (!collect(c, own, all, short_options)) {
        *status = cli_usage(c->name, "has more options than this program can take");
        return -1;
    }
    opterr = 0;
    optind = 1;
    *status = CLI_OK;
    for (int option, at = -1; (option = getopt_long(argc, argv, short_options, all, &at)) != -1;
         at = -1) {
        if (at >= 0 && option != '?' && option != ':')
            option = new_meaning(c, all, all[at].name, option, optarg, common->quiet);
        if (option == CLI_OPT_HELP || option == 'h') {
            cli_help_print(c);
            return -1;
        }
        if (option == '?')
            *status = cli_usage(c->name, "no option '%s'", argv[optind - 1]);
        else if (option == ':')
            *status = cli_usage(c->name, "option '%s' wants a value", argv[optind - 1]);
        else if (option >= CLI_OWN)
            *status = take(user, option, optarg);
        else
            *status = take_common(c, common, option, optarg);
        if (*status)
            return -1;
    }
    return optind;
}
