/* Files between the stages: the first byte picks the reader. 0: points, 1: proposals, 2: a COCO
 * document with its own images, 3: a review. What could be read is written and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weaksam/stages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void points(const char *text, size_t n)
{
    wsam_clue_points *p;
    wsam_error error;
    if (wsam_points_parse(text, n, "fuzz", 1, &p, &error))
        return;
    char *written;
    if (!wsam_points_json(p, &written))
        wsam_free(written);
    wsam_clue_points_free(p);
}

static void proposals(const char *text, size_t n)
{
    wsam_proposals *p, *again;
    wsam_error error;
    if (wsam_proposals_parse(text, n, "fuzz", 1, &p, &error))
        return;
    char *written;
    if (!wsam_proposals_json(p, p->image, &written)) {
        if (wsam_proposals_parse(written, strlen(written) - 1, "again", 1, &again, &error) ||
            again->n != p->n)
            abort();
        wsam_proposals_free(again);
    }
    wsam_free(written);
    wsam_proposals_free(p);
}

static void document(const char *path, int masks)
{
    wsam_coco_document *d;
    wsam_error error;
    if (masks ? wsam_coco_load_masks(path, NULL, &d, &error)
              : wsam_coco_load(path, NULL, &d, &error))
        return;
    for (size_t i = 0; i < d->n_images && d->instances.n < 256; i++) {
        const wsam_instances in = {d->first[i + 1] - d->first[i], d->instances.items + d->first[i]};
        wsam_instances out;
        if (!wsam_pgt(&in, NULL, 0, NULL, &out, &error) && out.n > in.n)
            abort();
        wsam_instances_clear(&out);
    }
    wsam_coco_free(d);
}

static void review(const char *path)
{
    wsam_review *r;
    wsam_error error;
    if (!wsam_review_load(path, "/dev/null", &r, &error))
        wsam_review_of(r, 1);
    else
        r = NULL;
    wsam_review_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (size < 1 || size > 1 << 16)
        return 0;
    const char *text = (const char *)data + 1;
    const int kind = data[0] % 4;
    if (kind == 0)
        points(text, size - 1);
    else if (kind == 1)
        proposals(text, size - 1);
    if (kind < 2)
        return 0;
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, text, size - 1) != (ssize_t)(size - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (kind == 2)
        for (int masks = 0; masks < 2; masks++)
            document(path, masks);
    else
        review(path);
    close(fd);
    return 0;
}
