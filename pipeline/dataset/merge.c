/* pipeline/dataset/merge.c - journals -> the final files, picture by picture. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/dataset/journal.h"
#include "pipeline/dataset/lease.h"
#include "weaksam/everything.h"

typedef struct merge {
    const char *output;
    ws_manifest manifest;
    ws_journals journals;
    char *parameters; /* the configuration as one object */
    wsam_lines *points, *proposals, *failures;
    wsam_coco_writer *scores, *pgt, *masks;
    wsam_classes classes;
    wsam_coco_document *truth; /* of people; NULL: none */
    int64_t first_id;          /* ids of machines come after it */
    wsam_run_summary sum;
    wsam_run_gap_fn gap;
    void *gap_user;
} merge;

static char *in_output(const merge *m, const char *name)
{
    const size_t size = strlen(m->output) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", m->output, name);
    return path;
}

/* ---- journals ---- */

static int is_done(const merge *m, size_t i, int *failed)
{
    return ws_journals_progress(&m->journals, &m->manifest.keys[i], failed) == WS_DONE;
}

static wsam_status scan_journals(merge *m, wsam_error *error)
{
    int failed;
    const wsam_status status = ws_journals_open(&m->journals, m->output, error);
    m->parameters = ws_manifest_parameters(&m->manifest);
    if (!status && !m->parameters)
        return ws_no_memory(error, m->output);
    for (size_t i = 0; i < m->manifest.n && !status; i++)
        m->sum.missing += !is_done(m, i, &failed);
    m->sum.images = m->manifest.n;
    m->sum.damaged = m->journals.damaged;
    return status;
}

/* ---- files ---- */

static wsam_status open_lines(const merge *m, const char *name, wsam_lines **lines,
                              wsam_error *error)
{
    char *path = in_output(m, name);
    const wsam_status status =
        path ? wsam_lines_open(path, lines, error) : ws_no_memory(error, m->output);
    free(path);
    return status;
}

static wsam_status open_coco(const merge *m, const char *name, wsam_coco_kind kind,
                             wsam_coco_writer **writer, wsam_error *error)
{
    char *path = in_output(m, name);
    const wsam_status status =
        path ? wsam_coco_open(path, kind, &m->classes, m->parameters, writer, error)
             : ws_no_memory(error, m->output);
    free(path);
    return status;
}

static wsam_status open_files(merge *m, wsam_error *error)
{
    const char *const *names;
    memcpy(&names, &m->manifest.classes, sizeof names); /* only read */
    m->classes = (wsam_classes){m->manifest.n_classes, names, NULL, NULL};
    wsam_status status = open_lines(m, "points.jsonl", &m->points, error);
    if (!status)
        status = open_lines(m, "proposals.jsonl", &m->proposals, error);
    if (!status)
        status = open_lines(m, "failures.jsonl", &m->failures, error);
    if (!status)
        status = open_coco(m, "scores.json", WSAM_COCO_RESULTS, &m->scores, error);
    if (!status)
        status = open_coco(m, "pgt.json", WSAM_COCO_BOXES, &m->pgt, error);
    if (!status)
        status = open_coco(m, "masks.json", WSAM_COCO_MASKS, &m->masks, error);
    return status;
}

/* failures.jsonl last: it is there when all others are. */
static wsam_status close_files(merge *m, wsam_status status, wsam_error *error)
{
    wsam_coco_writer *const coco[3] = {m->scores, m->pgt, m->masks};
    wsam_lines *const lines[3] = {m->points, m->proposals, m->failures};
    for (int i = 0; i < 3; i++)
        if (coco[i])
            status = wsam_coco_finish(coco[i], status, error);
    for (int i = 0; i < 3; i++)
        if (lines[i])
            status = wsam_lines_finish(lines[i], status, error);
    return status;
}

/* ---- pictures ---- */

static void tell_gap(const merge *m, size_t i, wsam_run_stage stage, const char *reason)
{
    const wsam_run_gap gap = {m->manifest.images[i], stage, reason};
    if (m->gap)
        m->gap(m->gap_user, &gap);
}

static wsam_status put_failure(merge *m, size_t i, const wsam_run_output *o, const char *failure,
                               wsam_error *error)
{
    ws_text t = {0};
    const char *image = m->manifest.images[i];
    tell_gap(m, i, o->stage, failure);
    ws_text_printf(&t, "{\"image\":");
    ws_json_bytes(&t, image, strlen(image));
    ws_text_printf(&t, ",\"stage\":\"%s\",\"error\":", wsam_run_stage_name(o->stage));
    ws_json_bytes(&t, failure, strlen(failure));
    ws_text_put(&t, "}\n", 2);
    m->sum.failed++;
    const wsam_status status =
        t.failed ? ws_no_memory(error, m->output) : wsam_lines_put(m->failures, t.text, error);
    free(t.text);
    return status;
}

/* Annotations are numbered through all pictures; masks have the numbers of their boxes. */
static void number_instances(merge *m, wsam_run_output *o)
{
    for (size_t k = 0; k < o->masks.n; k++)
        o->masks.items[k].id += m->first_id + (int64_t)m->sum.boxes;
    for (size_t k = 0; k < o->pgt.n; k++)
        o->pgt.items[k].id = m->first_id + (int64_t)(m->sum.boxes + k) + 1;
    m->sum.boxes += o->pgt.n;
    m->sum.instances += o->masks.n;
    m->sum.empty += o->pgt.n - o->masks.n;
}

static wsam_status put_results(merge *m, size_t i, wsam_run_output *o, wsam_error *error)
{
    const wsam_coco_image image = {.id = (int64_t)i + 1,
                                   .file_name = m->manifest.images[i],
                                   .width = o->width,
                                   .height = o->height};
    wsam_status status = WSAM_OK;
    number_instances(m, o);
    if (o->points)
        status = wsam_lines_put(m->points, o->points, error);
    if (!status && o->proposals)
        status = wsam_lines_put(m->proposals, o->proposals, error);
    if (!status)
        status = wsam_coco_put(m->scores, &image, &o->scores, error);
    if (!status)
        status = wsam_coco_put(m->pgt, &image, &o->pgt, error);
    return status ? status : wsam_coco_put(m->masks, &image, &o->masks, error);
}

static wsam_status read_record(merge *m, size_t i, wsam_run_output *o, char **failure,
                               wsam_error *error)
{
    return ws_journals_read(&m->journals, &m->manifest.keys[i], o, failure, error);
}

/* What stands in the way of the final files: pictures without a record, and failures so far. */
static wsam_status tell_gaps(merge *m, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < m->manifest.n && !status; i++) {
        wsam_run_output o = {0};
        char *failure = NULL;
        int failed;
        if (!is_done(m, i, &failed)) {
            tell_gap(m, i, WSAM_RUN_LOAD, NULL);
        } else if (failed) {
            m->sum.failed++;
            status = m->gap ? read_record(m, i, &o, &failure, error) : WSAM_OK;
            if (failure)
                tell_gap(m, i, o.stage, failure);
        }
        ws_picture_record_free(&o);
        free(failure);
    }
    return status;
}

static wsam_status put_picture(merge *m, size_t i, wsam_error *error)
{
    wsam_run_output o = {0};
    char *failure = NULL;
    wsam_status status = read_record(m, i, &o, &failure, error);
    if (!status) {
        for (int s = 0; s < WSAM_RUN_STAGES; s++)
            m->sum.seconds[s] += o.seconds[s];
        m->sum.prompts += o.prompts;
        status = failure ? put_failure(m, i, &o, failure, error) : put_results(m, i, &o, error);
    }
    ws_picture_record_free(&o);
    free(failure);
    return status;
}

static wsam_status write_timing(const merge *m, wsam_error *error)
{
    ws_outputs out = {0};
    char *path = in_output(m, "timing.json");
    FILE *f = path ? ws_outputs_open(&out, path, error) : NULL;
    wsam_status status = path ? WSAM_OK : ws_no_memory(error, m->output);
    if (path && !f)
        status = WSAM_ERR_IO;
    if (f) {
        fprintf(f, "{\"images\":%zu,\"failed\":%zu,\"prompts\":%" PRIu64 ",\"seconds\":{",
                m->sum.images, m->sum.failed, m->sum.prompts);
        const locale_t before = ws_locale_plain();
        for (int s = 0; s < WSAM_RUN_STAGES; s++)
            fprintf(f, "%s\"%s\":%.6f", s ? "," : "", wsam_run_stage_name((wsam_run_stage)s),
                    m->sum.seconds[s]);
        ws_locale_restore(before);
        fprintf(f, "}}\n");
        status = ws_outputs_close(&out, error);
    }
    free(path);
    return ws_outputs_finish(&out, status, error);
}

static wsam_status write_files(merge *m, wsam_error *error)
{
    ws_lease lock = {0};
    wsam_status status = ws_run_manifest_lock(m->output, "merge.lease", 0, &lock, error);
    if (!status) {
        ws_run_manifest_remove_stale(m->output, ws_run_files);
        status = ws_run_truth_load(m->output, &m->truth, error);
        m->first_id = ws_run_truth_last_id(m->truth);
    }
    if (!status)
        status = open_files(m, error);
    for (size_t i = 0; i < m->manifest.n && !status; i++) {
        status = put_picture(m, i, error);
        ws_lease_keep(&lock); /* another that takes over makes the same files */
    }
    status = close_files(m, status, error);
    if (!status && m->truth)
        status = ws_run_truth_adopt(m->output, m->truth, m->parameters, &m->sum, error);
    if (!status)
        status = write_timing(m, error);
    ws_lease_release(&lock);
    return status;
}

wsam_status wsam_run_merge_gaps(const char *output, wsam_run_gap_fn fn, void *user,
                                wsam_run_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    merge m = {.output = output, .gap = fn, .gap_user = user};
    wsam_status status = ws_manifest_load(output, &m.manifest, error);
    if (!status)
        status = scan_journals(&m, error);
    if (!status)
        status = m.sum.missing ? tell_gaps(&m, error) : write_files(&m, error);
    if (summary)
        *summary = m.sum;
    ws_manifest_free(&m.manifest);
    ws_journals_close(&m.journals);
    wsam_coco_free(m.truth);
    free(m.parameters);
    return status;
}

wsam_status wsam_run_merge(const char *output, wsam_run_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    return wsam_run_merge_gaps(output, NULL, NULL, summary, error);
}
