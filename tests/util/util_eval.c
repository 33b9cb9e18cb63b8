/* tests/util/util_eval.c - see util_eval.h. */
#include "tests/util/util_eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *eval_file(const char *text, size_t n)
{
    const char *folder = getenv("TMPDIR");
    const size_t size = 64 + strlen(folder ? folder : "");
    char *path = malloc(size);
    if (!path)
        abort();
    snprintf(path, size, "%s/weaksam-eval-XXXXXX", folder ? folder : "/tmp");
    const int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0)
        abort();
    return path;
}

void eval_drop_file(char *path)
{
    remove(path);
    free(path);
}

static char *json_file(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    char *path = eval_file(copy, strlen(copy));
    free(copy);
    return path;
}

outcome eval_files(const char *gt, const char *dt, wsam_eval_kind kind,
                   const wsam_eval_read_options *read, const wsam_eval_options *options)
{
    wsam_eval_truth *truth = NULL;
    wsam_eval_results *results = NULL;
    outcome o = {.status = WSAM_OK};
    wsam_eval_read_options r;
    wsam_eval_read_options_default(&r);
    if (read)
        r = *read;
    r.masks = kind == WSAM_EVAL_SEGM;
    o.status = wsam_eval_read_truth(gt, &r, &truth, &o.error);
    if (!o.status)
        o.status = wsam_eval_read_results(truth, dt, &r, &results, &o.error);
    if (!o.status)
        o.status = wsam_eval(truth, results, kind, options, &o.figures, &o.error);
    wsam_eval_results_free(results);
    wsam_eval_truth_free(truth);
    return o;
}

outcome eval_texts(const char *gt, const char *dt, wsam_eval_kind kind,
                   const wsam_eval_options *options)
{
    char *g = json_file(gt), *d = json_file(dt);
    const outcome o = eval_files(g, d, kind, NULL, options);
    eval_drop_file(g);
    eval_drop_file(d);
    return o;
}
