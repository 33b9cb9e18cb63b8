/* pipeline/report/report.c - the page, written picture by picture. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/labels/folder_list.h"
#include "pipeline/labels/picture_path.h"
#include "pipeline/report/report.h"
#include "weaksam/stages.h"

void wsam_report_options_default(wsam_report_options *o)
{
    memset(o, 0, sizeof *o);
    o->thumbnail = 640;
    o->most = 2000;
}

/* ---- text ---- */

/* Bytes of the UTF-8 character at text; 0: there is none. */
static int utf8_length(const unsigned char *t)
{
    const int n = *t < 0x80                 ? 1
                  : *t >= 0xc2 && *t < 0xe0 ? 2
                  : (*t & 0xf0) == 0xe0     ? 3
                  : *t >= 0xf0 && *t < 0xf5 ? 4
                                            : 0;
    for (int i = 1; i < n; i++)
        if ((t[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* A JSON string inside a script element: what could end it or open a comment is escaped, and so is
 * whatever is no UTF-8. */
static void put_string(ws_text *t, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    ws_text_put(t, "\"", 1);
    while (*p) {
        const int n = utf8_length(p);
        if (!n)
            ws_text_put(t, "\\ufffd", 6);
        else if (n == 1 && (*p < 0x20 || *p == 0x7f || strchr("<>&\"'\\", *p)))
            ws_text_printf(t, "\\u%04x", *p);
        else
            ws_text_put(t, (const char *)p, (size_t)n);
        p += n ? n : 1;
    }
    ws_text_put(t, "\"", 1);
}

static void put_number(ws_text *t, const char *name, double v)
{
    if (isfinite(v))
        ws_text_printf(t, ",\"%s\":%.6g", name, v);
    else
        ws_text_printf(t, ",\"%s\":null", name);
}

/* ---- instances ---- */

static wsam_status put_instance(const ws_page *p, size_t i, int width, int height, int readable,
                                ws_text *t)
{
    const ws_shown *s = &p->shown[i];
    const ws_listed *image = &p->images[s->image];
    const double sx = (double)width / (image->width ? image->width : width);
    const double sy = (double)height / (image->height ? image->height : height);
    ws_text_printf(t,
                   "{\"id\":%lld,\"class\":%zu,\"picture\":%zu,\"reviewed\":\"%s\",\"suspect\":%s",
                   (long long)s->id, s->category, image->thumbnail, s->reviewed,
                   s->rank == SIZE_MAX ? "false" : "true");
    put_number(t, "score", s->score);
    put_number(t, "confidence", s->confidence);
    ws_text_printf(t, ",\"box\":[%.1f,%.1f,%.1f,%.1f]", sx * s->bbox[0], sy * s->bbox[1],
                   sx * s->bbox[2], sy * s->bbox[3]);
    wsam_status status = WSAM_OK;
    if (s->counts && readable) {
        ws_text_printf(t, ",\"path\":\"");
        status = ws_report_outline(s, image, width, height, t, p->error);
        ws_text_put(t, "\"", 1);
    }
    ws_text_put(t, "}", 1);
    return status;
}

/* ---- pictures ---- */

/* Whether a name that could not be looked up is one of an image all the same. */
static int may_be_there(const ws_page *p, const char *name)
{
    int there = 1;
    char *path = ws_folder_list_path(p->options->folder, name);
    if (path && ws_file_there(path, &there, NULL))
        there = 1;
    free(path);
    return there;
}

/* *good is 0 for a picture that is not there, not readable, or not of the size that the data set
 * says, if it says one. A failure that may pass is an error: the page would be without the picture for good. */
static wsam_status load(const ws_page *p, ws_listed *image, wsam_picture *picture, int *good)
{
    *good = 0;
    char *path;
    wsam_status status = ws_picture_path(p->options->folder, image->name, &path, p->error);
    if (status)
        return status == WSAM_ERR_MEMORY || may_be_there(p, image->name) ? status : WSAM_OK;
    status = wsam_picture_load(path, &p->options->limits, picture, p->error);
    const int passes = status && ws_file_failure_passes(status, path);
    free(path);
    if (passes)
        return status;
    if (!status && !image->width && !image->height) {
        image->width = picture->width;
        image->height = picture->height;
    }
    *good = !status && picture->width == image->width && picture->height == image->height;
    if (!status && !*good)
        wsam_picture_free(picture);
    return WSAM_OK;
}

/* `first`: the image's first instance, if it has one. */
static wsam_status put_picture(ws_page *p, size_t number, size_t first, FILE *f, ws_text *instances)
{
    ws_listed *image = &p->images[p->order[number]];
    wsam_picture picture = {0};
    ws_text t = {0};
    int width = p->options->thumbnail, height = width * 3 / 4;
    int readable;
    wsam_status status = load(p, image, &picture, &readable);
    if (status)
        return status;
    p->summary.unreadable += (size_t)!readable;
    ws_text_printf(&t, "%s{\"name\":", number ? ",\n" : "");
    put_string(&t, image->name);
    if (readable) {
        ws_text_printf(&t, ",\"src\":\"");
        status =
            ws_report_thumbnail(&picture, p->options->thumbnail, &t, &width, &height, p->error);
        ws_text_put(&t, "\"", 1);
    }
    ws_text_printf(&t, ",\"w\":%d,\"h\":%d,\"width\":%d,\"height\":%d,\"review\":\"%s\"}", width,
                   height, image->width ? image->width : width,
                   image->height ? image->height : height, image->review);
    for (size_t i = first; i < p->n && p->shown[i].image == p->order[number] && !status; i++)
        status = put_instance(p, i, width, height, readable, &instances[i]);
    if (!status && t.failed)
        status = ws_no_memory(p->error, image->name);
    if (!status)
        fwrite(t.text, 1, t.n, f);
    free(t.text);
    wsam_picture_free(&picture);
    return status;
}

/* In the order of their most doubtful instance; instances lie image by image. */
static wsam_status put_pictures(ws_page *p, FILE *f, ws_text *instances)
{
    wsam_status status = WSAM_OK;
    fputs("\"pictures\":[\n", f);
    for (size_t i = 0; i < p->n_order && !status; i++) {
        size_t low = 0, high = p->n;
        while (low < high) { /* they are sorted by image */
            const size_t middle = low + (high - low) / 2;
            if (p->shown[middle].image < p->order[i])
                low = middle + 1;
            else
                high = middle;
        }
        status = put_picture(p, i, low, f, instances);
        if (!status && p->options->progress &&
            p->options->progress(p->options->progress_user, (double)(i + 1) / (double)p->n_order))
            status = ws_fail(p->error, WSAM_ERR_CANCELLED, "cancelled");
    }
    fputs("],\n", f);
    p->summary.pictures = p->n_order;
    return status;
}

static wsam_status put_data(ws_page *p, FILE *f)
{
    char checksum[17];
    ws_text t = {0}, *instances = calloc(p->n + 1, sizeof *instances);
    wsam_status status = wsam_file_checksum(p->options->dataset, checksum, p->error);
    if (!status && !instances)
        status = ws_fail(p->error, WSAM_ERR_MEMORY, "no memory for a page");
    if (!status) {
        fprintf(f, "{\"checksum\":\"%s\",\n", checksum);
        status = put_pictures(p, f, instances);
    }
    ws_text_printf(&t, "\"classes\":[");
    for (size_t i = 0; i < p->n_categories; i++) {
        ws_text_put(&t, ",", i > 0);
        put_string(&t, p->categories[i].name);
    }
    ws_text_printf(&t, "],\n\"instances\":[\n");
    for (size_t i = 0; i < p->n && instances; i++) {
        ws_text_put(&t, ",\n", i ? 2 : 0);
        if (instances[i].text)
            ws_text_put(&t, instances[i].text, instances[i].n);
        t.failed |= instances[i].failed;
        free(instances[i].text);
    }
    ws_text_put(&t, "]}", 2);
    if (!status && t.failed)
        status = ws_fail(p->error, WSAM_ERR_MEMORY, "no memory for a page");
    if (!status)
        fwrite(t.text, 1, t.n, f);
    free(t.text);
    free(instances);
    return status;
}

/* ---- the page ---- */

static wsam_status put_page(ws_page *p, FILE *f)
{
    const char *slash = strrchr(p->options->dataset, '/');
    const char *title = p->options->title ? p->options->title
                        : slash           ? slash + 1
                                          : p->options->dataset;
    wsam_status status = ws_report_begin(f, title, p->error);
    if (!status && p->options->judgement)
        status = ws_report_judgement(p->options->judgement, f, p->error);
    if (!status)
        status = ws_report_data(f, p->error);
    if (!status)
        status = put_data(p, f);
    if (!status)
        status = ws_report_end(f, p->error);
    p->summary.instances = p->n;
    p->summary.bytes = (uint64_t)ftell(f);
    return status;
}

wsam_status wsam_report(const wsam_report_options *o, wsam_report_summary *summary,
                        wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_page p = {.options = o, .error = error};
    ws_outputs out = {0};
    if (!o->dataset || !o->folder || !o->output || o->thumbnail < 32 || o->thumbnail > 2048)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "a report needs dataset, folder, output and a thumbnail of 32 to 2048");
    wsam_status status = ws_report_read(&p);
    FILE *f = status ? NULL : ws_outputs_open(&out, o->output, error);
    if (!status && !f)
        status = WSAM_ERR_IO;
    if (f)
        status = put_page(&p, f);
    if (f && !status)
        status = ws_outputs_close(&out, error);
    status = ws_outputs_finish(&out, status, error);
    if (summary)
        *summary = p.summary;
    ws_report_free(&p);
    return status;
}
