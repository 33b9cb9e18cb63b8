/* Files of an evaluation: the first byte picks the reader. 0: ground truth, 1: results for a small
 * truth, 2: a VOC annotation; what could be read is evaluated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/coco/voc_xml.h"
#include "weaksam/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char truth_text[] =
    "{\"images\":[{\"id\":1,\"height\":8,\"width\":9,\"file_name\":\"a.jpg\"},"
    "{\"id\":2,\"height\":8,\"width\":9,\"file_name\":\"b/c.jpg\"}],"
    "\"categories\":[{\"id\":1,\"name\":\"x\"},{\"id\":2,\"name\":\"y\"}],"
    "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,4,4],\"area\":16,"
    "\"segmentation\":[[0,0,4,0,4,4,0,4]]},{\"id\":2,\"image_id\":2,\"category_id\":2,"
    "\"bbox\":[1,1,3,3],\"area\":9,\"iscrowd\":1,\"segmentation\":[[1,1,4,1,4,4,1,4]]}]}";

/* A file without a name; its path under /proc. */
static int memory_file(const void *bytes, size_t n, char path[64])
{
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void evaluate(const wsam_eval_truth *t, const char *results,
                     const wsam_eval_read_options *read)
{
    wsam_eval_results *r = NULL;
    wsam_eval_figures *f = NULL;
    wsam_eval_options options;
    wsam_error error;
    wsam_eval_options_default(&options);
    options.threads = 1;
    if (wsam_eval_read_results(t, results, read, &r, &error))
        return;
    for (int kind = WSAM_EVAL_BBOX; kind <= WSAM_EVAL_RECALL; kind++) {
        if (kind == WSAM_EVAL_SEGM && !read->masks)
            continue;
        if (!wsam_eval(t, r, (wsam_eval_kind)kind, &options, &f, &error) &&
            (f->mean > 1 || f->coco[WSAM_EVAL_AP] > 1))
            abort();
        wsam_eval_figures_free(f);
        f = NULL;
    }
    wsam_eval_results_free(r);
}

static void read_sets(const char *truth, const char *results)
{
    wsam_eval_read_options read;
    wsam_error error;
    wsam_eval_read_options_default(&read);
    read.max_pixels = 4096; /* outlines of polygons stay short */
    for (read.masks = 0; read.masks < 2; read.masks++) {
        wsam_eval_truth *t = NULL;
        if (!wsam_eval_read_truth(truth, &read, &t, &error))
            evaluate(t, results, &read);
        wsam_eval_truth_free(t);
    }
}

static void read_xml(const char *text, size_t size)
{
    wsam_eval_truth t = {0};
    wsam_error error;
    char path[] = "fuzz";
    t.path = path;
    ws_voc_xml_parse(&t, text, size, "a.xml", "a.xml", 1, &error);
    free(t.images);
    free(t.categories);
    free(t.objects);
    ws_text_arena_free(&t.store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], other[64];
    if (!size)
        return 0;
    if (data[0] == '2') {
        read_xml((const char *)data + 1, size - 1);
        return 0;
    }
    const int fd = memory_file(data + 1, size - 1, path);
    const int fixed = data[0] == '1' ? memory_file(truth_text, strlen(truth_text), other)
                                     : memory_file("[]", 2, other);
    if (data[0] == '1')
        read_sets(other, path);
    else
        read_sets(path, other);
    close(fd);
    close(fixed);
    return 0;
}
