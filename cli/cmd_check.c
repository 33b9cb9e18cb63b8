/* cli/cmd_check.c - weaksam check: what a run would find in a folder and its labels, and what it would
 * cost here. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/archive.h"
#include "cli/check_cost.h"
#include "cli/help_tables.h"
#include "cli/stages.h"

enum { OPT_LABELS = CLI_OWN, OPT_CLUES };

static const struct option own_options[] = {{"labels", required_argument, NULL, OPT_LABELS},
                                            {"clue-model", required_argument, NULL, OPT_CLUES},
                                            {NULL, 0, NULL, 0}};

/* Names that are printed of each kind. */
enum { LISTED = 5 };

typedef struct request {
    cli_common common;
    const char *folder, *labels, *clue_model;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    *(option == OPT_LABELS ? &r->labels : &r->clue_model) = value;
    return CLI_OK;
}

static void print_name(const char *before, const char *name, const char *after)
{
    fputs(before, stdout);
    cli_print_safe(stdout, name);
    fputs(after, stdout);
}

/* ---- the folder ---- */

/* Formats of images that nothing here reads. */
static const char *const ignored[] = {".bmp", ".gif", ".heic", ".heif", ".avif", ".jxl", ".jp2",
                                      ".dng", ".cr2", ".cr3",  ".nef",  ".arw",  ".raw", ".psd",
                                      ".svg", ".ppm", ".pgm",  ".tga",  ".exr"};
enum { IGNORED = sizeof ignored / sizeof ignored[0] };

typedef struct ignored_files {
    size_t counts[IGNORED];
    char *first[IGNORED];
} ignored_files;

static void count_ignored(ignored_files *g, const char *name)
{
    const char *dot = strrchr(name, '.');
    for (int i = 0; i < IGNORED && dot; i++)
        if (strcasecmp(dot, ignored[i]) == 0) {
            g->counts[i]++;
            if (!g->first[i])
                g->first[i] = strdup(name);
        }
}

static wsam_status list_folder(const char *folder, ignored_files *g, wsam_error *error)
{
    DIR *d = opendir(folder);
    if (!d)
        return cli_error(error, WSAM_ERR_IO, "%.300s: %s", folder, strerror(errno));
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        count_ignored(g, e->d_name);
    closedir(d);
    return WSAM_OK;
}

static wsam_status list_archive(const char *path, ignored_files *g, wsam_error *error)
{
    const ws_archive *a;
    const wsam_status status = ws_archive_open(path, &a, error);
    for (size_t i = 0; !status && i < ws_archive_count(a); i++)
        count_ignored(g, ws_archive_name(a, i));
    return status;
}

static wsam_status look_at_folder(const request *r, wsam_error *error)
{
    ignored_files g = {.counts = {0}};
    const wsam_status status = ws_is_archive(r->folder) ? list_archive(r->folder, &g, error)
                                                        : list_folder(r->folder, &g, error);
    for (int i = 0; i < IGNORED; i++) {
        if (g.counts[i]) {
            printf("ignored: %zu %s file%s, which weaksam does not read", g.counts[i],
                   ignored[i] + 1, g.counts[i] == 1 ? "" : "s");
            print_name(" (", g.first[i] ? g.first[i] : "", ")\n");
        }
        free(g.first[i]);
    }
    return status;
}

/* ---- classes ---- */

static const char *format_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return "a folder of annotations";
    if (dot && strcasecmp(dot, ".tar") == 0)
        return "a tar file with a text beside each image";
    if (dot && strcasecmp(dot, ".json") == 0)
        return "JSON";
    return dot && strcasecmp(dot, ".csv") == 0 ? "CSV, an image and its classes a row" : "text";
}

/* Letters and digits alone, in lower case, without a plural's s. */
static void reduce(const char *name, char out[128])
{
    size_t n = 0;
    for (; *name && n < 126; name++)
        if (isalnum((unsigned char)*name) || (unsigned char)*name > 127)
            out[n++] = (char)tolower((unsigned char)*name);
    if (n > 3 && out[n - 1] == 's')
        n--;
    out[n] = 0;
}

/* Edits from one text to the other, two neighbours that changed places being one; at most `most`. */
static int edits(const char *a, const char *b, int most)
{
    int rows[3][128];
    const int n = (int)strlen(a), m = (int)strlen(b);
    if (abs(n - m) > most)
        return most + 1;
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++) {
            int *row = rows[i % 3], *up = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
            if (!i || !j) {
                row[j] = i + j;
                continue;
            }
            int best = up[j - 1] + (a[i - 1] != b[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    return rows[n % 3][m];
}

/* Two names that look like one: the same but for case, spaces and plural, or an edit apart where one
 * is rare beside the other. */
static int looks_like(const char *a, size_t n_a, const char *b, size_t n_b)
{
    char x[128], y[128];
    reduce(a, x);
    reduce(b, y);
    if (strcmp(x, y) == 0)
        return 1;
    const size_t few = n_a < n_b ? n_a : n_b, many = n_a < n_b ? n_b : n_a;
    const size_t length = strlen(x) < strlen(y) ? strlen(x) : strlen(y);
    const int most = length >= 8 ? 2 : length >= 4 ? 1 : 0;
    return most && 5 * few <= many && edits(x, y, most) <= most;
}

static size_t *count_classes(const wsam_labels *l)
{
    size_t *counts = calloc(l->n_classes + 1, sizeof *counts);
    for (size_t i = 0; counts && i < l->first[l->n]; i++)
        counts[l->classes[i]]++;
    return counts;
}

static void print_classes(const wsam_labels *l, const size_t *counts)
{
    printf("classes: %zu\n", l->n_classes);
    for (size_t i = 0; i < l->n_classes; i++) {
        print_name("  ", l->names[i], "");
        printf(": %zu image%s%s\n", counts[i], counts[i] == 1 ? "" : "s",
               counts[i] < 10 ? ", few to learn from" : "");
    }
    for (size_t i = 0; i < l->n_classes; i++)
        for (size_t k = 0; k < i; k++)
            if (looks_like(l->names[i], counts[i], l->names[k], counts[k])) {
                print_name("probably one class: '", l->names[k], "'");
                printf(" (%zu) and ", counts[k]);
                print_name("'", l->names[i], "'");
                printf(" (%zu)\n", counts[i]);
            }
}

static void print_rows(const wsam_labels *l)
{
    if (l->unlabelled) {
        printf("images without a row: %zu, left out", l->unlabelled);
        print_name(" (", l->first_unlabelled ? l->first_unlabelled : "", ")\n");
    }
    if (l->missing) {
        printf("rows without an image: %zu; run needs --skip-missing", l->missing);
        print_name(" (", l->first_missing ? l->first_missing : "", ")\n");
    }
    if (l->repeated_members.n) {
        printf("names that are there more than once: %zu; the last of each counts",
               l->repeated_members.n);
        print_name(" (", l->repeated_members.names[0] ? l->repeated_members.names[0] : "", ")\n");
    }
}

/* ---- the same picture twice ---- */

typedef struct content {
    char sum[17];
    size_t image;
} content;

static int by_sum(const void *a, const void *b)
{
    const content *p = a, *q = b;
    const int order = strcmp(p->sum, q->sum);
    return order ? order : (p->image > q->image) - (p->image < q->image);
}

static int same_labels(const wsam_labels *l, size_t a, size_t b)
{
    const size_t n = l->first[a + 1] - l->first[a];
    return n == l->first[b + 1] - l->first[b] &&
           memcmp(l->classes + l->first[a], l->classes + l->first[b], n * sizeof *l->classes) == 0;
}

static void print_duplicates(const wsam_labels *l, const content *c, size_t n)
{
    size_t same = 0, listed = 0;
    for (size_t i = 1; i < n; i++)
        same += strcmp(c[i].sum, c[i - 1].sum) == 0;
    if (same)
        printf("duplicates: %zu images have the bytes of another one\n", same);
    for (size_t i = 1; i < n && listed < LISTED; i++)
        if (strcmp(c[i].sum, c[i - 1].sum) == 0) {
            print_name("  ", l->images[c[i - 1].image], " = ");
            print_name("", l->images[c[i].image],
                       same_labels(l, c[i - 1].image, c[i].image) ? "\n" : ", with other labels\n");
            listed++;
        }
}

static wsam_status find_duplicates(const request *r, const wsam_labels *l, wsam_error *error)
{
    static char label[] = "reading";
    content *c = calloc(l->n + 1, sizeof *c);
    size_t n = 0;
    wsam_status status =
        c ? WSAM_OK : cli_error(error, WSAM_ERR_MEMORY, "no memory for %zu images", l->n);
    for (size_t i = 0; i < l->n && !status; i++) {
        char *path = NULL;
        status = cli_folder_join(r->folder, l->images[i], "", &path, error);
        c[n].image = i;
        if (!status)
            status = wsam_file_checksum(path, c[n].sum, error);
        n += !status;
        free(path);
        if (cli_wants_progress(&r->common))
            cli_progress(label, (double)(i + 1) / (double)l->n);
    }
    cli_progress_end();
    if (!status && n) {
        qsort(c, n, sizeof *c, by_sum);
        print_duplicates(l, c, n);
    }
    free(c);
    return status;
}

/* ---- all ---- */

static wsam_status check(const request *r, wsam_error *error)
{
    const wsam_labels_options options = {.allow_missing = 1};
    wsam_labels *l = NULL;
    wsam_status status = wsam_labels_load(r->labels, r->folder, &options, &l, error);
    if (status)
        return status;
    size_t *counts = count_classes(l);
    print_name("labels: ", r->labels, "");
    printf(", read as %s\nimages: %zu with labels\n", format_of(r->labels), l->n);
    if (counts)
        print_classes(l, counts);
    else
        status = cli_error(error, WSAM_ERR_MEMORY, "no memory for the classes");
    print_rows(l);
    if (!status)
        status = look_at_folder(r, error);
    if (!status)
        status = find_duplicates(r, l, error);
    free(counts);
    wsam_labels_free(l);
    if (!status && r->common.model)
        status = check_cost_measure(&r->common, r->clue_model, r->folder, r->labels, error);
    else if (!status)
        printf("a run here: give -m, and --clue-model if there is one, to measure it on three "
               "images\n");
    return status;
}

static int run(int argc, char **argv)
{
    request r = {0};
    wsam_error error = {0};
    int status;
    const int first =
        cli_options_parse(&cmd_check, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.labels || argc - first != 1)
        return cli_usage("check", "expected a folder and --labels");
    r.folder = argv[first];
    if (check(&r, &error))
        return cli_failed("check", &error);
    return cli_print_result("") ? CLI_OK : CLI_FAILED;
}

const cli_command cmd_check = {
    .name = "check",
    .summary = "Check a folder and its labels, and estimate the cost of a run.",
    .usage = "check DIR --labels LABELS [-m MODEL.wsam [--clue-model CLUES.wsam]]",
    .takes = "mrq",
    .run = run,
    .table = &help_check};
