/* pipeline/learn/pgt_document.c - pseudo labels of all images of a document. */
#include <string.h>

#include "base/locale.h"
#include "kernels/float_scope.h"
#include "pipeline/learn/learn.h"

typedef struct work {
    const wsam_coco_document *d;
    const wsam_document_labels *labels;
    const wsam_pgt_options *options;
    wsam_coco_writer *writer;
    wsam_pgt_summary sum;
} work;

static size_t machine_made(const wsam_instances *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += !list->items[i].reviewed;
    return n;
}

/* Machine boxes of classes that the image does not have. */
static size_t of_other_classes(const wsam_instances *in, const int32_t *classes, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < in->n; i++) {
        int own = in->items[i].reviewed != WSAM_REVIEWED_NO;
        for (size_t k = 0; k < count && !own; k++)
            own = classes[k] == in->items[i].class_index;
        n += !own;
    }
    return n;
}

static wsam_status do_image(work *w, size_t i, wsam_error *error)
{
    static const int32_t none[1] = {-1};
    const wsam_coco_document *d = w->d;
    const wsam_document_labels *l = w->labels;
    const wsam_coco_image image = {d->image_ids[i],     d->file_names[i], d->sizes[2 * i],
                                   d->sizes[2 * i + 1], d->reviews[i],    d->more[i]};
    const wsam_instances in = {d->first[i + 1] - d->first[i], d->instances.items + d->first[i]};
    const size_t n = l ? l->count[i] : 0;
    const int32_t *classes = !l ? NULL : n ? l->classes + l->first[i] : none;
    wsam_instances out;
    wsam_status status = wsam_pgt(&in, classes, n, w->options, &out, error);
    if (status)
        return status;
    const size_t other = l ? of_other_classes(&in, classes, n) : 0;
    w->sum.other_class += other;
    w->sum.not_chosen += machine_made(&in) - other - machine_made(&out);
    wsam_keep_truth(&out, d->reviews[i], &w->sum.truth);
    status = wsam_coco_put(w->writer, &image, &out, error);
    w->sum.written += out.n;
    wsam_instances_clear(&out);
    return status;
}

wsam_status wsam_pgt_document(const wsam_coco_document *d, const wsam_document_labels *labels,
                              const wsam_pgt_options *options, const char *output,
                              wsam_pgt_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    static const char *const methods[] = {"adaptive", "top1", "top2", "fixed"};
    work w = {.d = d, .labels = labels, .options = options};
    char info[160];
    const char *const *names;
    memcpy(&names, &d->class_names, sizeof names); /* only read */
    const wsam_classes classes = {d->n_classes, names, d->class_ids, d->id_texts};
    const double keep = options->keep >= 0                  ? options->keep
                        : options->method == WSAM_PGT_FIXED ? 0.2
                                                            : 0.3;
    if ((unsigned)options->method > WSAM_PGT_FIXED)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no such method of pseudo labels");
    ws_locale_print(info, sizeof info, "{\"method\":\"%s\",\"keep\":%.9g,\"contained\":%.9g%s}",
                    methods[options->method], keep, options->contained,
                    options->surer ? ",\"surer\":1" : "");
    wsam_status status = wsam_coco_open(output, WSAM_COCO_BOXES, &classes, info, &w.writer, error);
    for (size_t i = 0; i < d->instances.n && !status; i++)
        if (d->instances.items[i].reviewed)
            wsam_coco_reserve(w.writer, d->instances.items[i].id);
    for (size_t i = 0; i < d->n_images && !status; i++)
        status = do_image(&w, i, error);
    if (summary)
        *summary = w.sum;
    return wsam_coco_finish(w.writer, status, error);
}
