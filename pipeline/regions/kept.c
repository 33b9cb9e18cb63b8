/* pipeline/regions/kept.c - regions of pictures that were found once and are needed twice: to learn
 * from, and in the stages that follow. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/half.h"
#include "base/outputs.h"
#include "pipeline/regions/finder.h"
#include "pipeline/regions/region_file.h"

enum { MOST_BYTES = 64 << 20 };

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for regions");
}

static wsam_status put_line(const char *path, const char *image, const wsam_proposals *p,
                            wsam_error *error)
{
    char *line = NULL;
    if (wsam_proposals_json(p, image, &line))
        return no_memory(error);
    const wsam_status status = ws_outputs_write(path, line, strlen(line), 1, error);
    wsam_free(line);
    return status;
}

/* Masks first: both are there when the regions are. */
wsam_status ws_kept_regions_store(const char *folder, const char *image, const ws_regions *r,
                                  wsam_error *error)
{
    char *regions = ws_region_path(folder, image, "regions");
    char *masks = ws_region_path(folder, image, "proposals");
    wsam_status status = regions && masks ? WSAM_OK : no_memory(error);
    if (!status) /* of other options */
        status = ws_file_remove(regions, error);
    if (!status)
        status = put_line(masks, image, r->proposals, error);
    if (!status)
        status = ws_region_file_save(regions, r->proposals, &r->layout, r->rows, error);
    free(regions);
    free(masks);
    return status;
}

static int same_layout(const ws_region_layout *a, const ws_region_layout *b)
{
    if (a->count != b->count || a->n_groups != b->n_groups)
        return 0;
    for (size_t g = 0; g < a->n_groups; g++)
        if (a->groups[g].count != b->groups[g].count ||
            strcmp(a->groups[g].name, b->groups[g].name) != 0)
            return 0;
    return 1;
}

/* Numbers of the one picture of `set`. */
static wsam_status take_rows(const ws_region_set *set, ws_regions *r, wsam_error *error)
{
    const ws_region_picture *p = &set->pictures[0];
    const size_t n = p->n * r->layout.count;
    r->rows = malloc((n + 1) * sizeof *r->rows);
    if (!r->rows)
        return no_memory(error);
    for (size_t i = 0; i < n; i++)
        r->rows[i] = ws_half_to_float(p->numbers[i]);
    return WSAM_OK;
}

static wsam_status read_line(const char *path, const char *image, wsam_proposals **proposals,
                             wsam_error *error)
{
    char *line;
    size_t size;
    wsam_status status = ws_file_read_whole(path, MOST_BYTES, &line, &size, error);
    if (status)
        return status;
    status = wsam_proposals_parse(line, size, path, 1, proposals, error);
    if (!status && strcmp((*proposals)->image, image) != 0)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: regions of another image", path);
    free(line);
    return status;
}

wsam_status ws_kept_regions_recall(const char *folder, const char *image,
                                   const wsam_picture *picture, ws_regions *r, int *found,
                                   wsam_error *error)
{
    ws_region_set set = {0};
    char *regions = ws_region_path(folder, image, "regions");
    char *masks = ws_region_path(folder, image, "proposals");
    wsam_status status = regions && masks ? WSAM_OK : no_memory(error);
    int kept = 0, with_masks = 0;
    *found = 0;
    if (!status)
        status = ws_file_there(regions, &kept, error);
    if (!status)
        status = ws_file_there(masks, &with_masks, error);
    if (!status && kept && with_masks) {
        status = ws_region_set_open(regions, &set, error);
        if (!status)
            status = read_line(masks, image, &r->proposals, error);
        *found = !status && set.n == 1 && set.pictures[0].n == r->proposals->n &&
                 r->proposals->width == picture->width && r->proposals->height == picture->height &&
                 (!r->proposals->n || same_layout(&set.layout, &r->layout));
        if (*found)
            status = take_rows(&set, r, error);
        if (!*found) {
            wsam_proposals_free(r->proposals);
            r->proposals = NULL;
        }
        ws_region_set_close(&set);
    }
    free(regions);
    free(masks);
    return status;
}
