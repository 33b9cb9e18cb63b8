/* tests/unit/test_polygons.c - polygons, and figures of masks against pycocotools.
 *
 * WEAKSAM_GOLDEN names a folder with coco_eval/{small,large}: figures of pycocotools for random
 * masks. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weaksam/masks.h"

enum { MAX_RUNS = 1 << 16 };

static wsam_rle polygons_to_rle(const cJSON *list, int h, int w)
{
    wsam_rle sum = {.height = h, .width = w, .capacity = MAX_RUNS}, one = sum, next = sum;
    sum.counts = malloc(MAX_RUNS * sizeof *sum.counts);
    one.counts = malloc(MAX_RUNS * sizeof *sum.counts);
    next.counts = malloc(MAX_RUNS * sizeof *sum.counts);
    sum.n = 1;
    sum.counts[0] = (uint32_t)(h * w);
    const cJSON *polygon;
    cJSON_ArrayForEach(polygon, list)
    {
        double xy[256];
        uint64_t scratch[4096];
        size_t n = 0, needed;
        const cJSON *value;
        cJSON_ArrayForEach(value, polygon) xy[n++] = value->valuedouble;
        cr_assert_eq(wsam_rle_from_polygon(xy, n / 2, scratch, 4096, &needed, &one, NULL), WSAM_OK);
        cr_assert_eq(wsam_rle_merge(&sum, &one, WSAM_MERGE_UNION, &next), WSAM_OK);
        const wsam_rle swap = sum;
        sum = next;
        next = swap;
    }
    free(one.counts), free(next.counts);
    return sum;
}

static void check_polygon(const cJSON *golden)
{
    const cJSON *size = cJSON_GetObjectItem(golden, "size");
    wsam_rle rle = polygons_to_rle(cJSON_GetObjectItem(golden, "polygons"),
                                   cJSON_GetArrayItem(size, 0)->valueint,
                                   cJSON_GetArrayItem(size, 1)->valueint);
    const char *want = cJSON_GetObjectItem(golden, "counts")->valuestring;
    char text[1024];
    const size_t n = wsam_rle_to_string(&rle, text, sizeof text);
    cr_assert_eq(n, strlen(want));
    cr_assert_arr_eq(text, want, n);
    free(rle.counts);
}

Test(polygons, a_pixel_square_is_itself)
{
    const double xy[] = {2, 1, 5, 1, 5, 4, 2, 4};
    uint64_t scratch[64];
    uint32_t counts[64];
    size_t needed;
    int32_t box[4];
    wsam_rle rle = {.height = 6, .width = 8, .capacity = 64, .counts = counts};
    cr_assert_eq(wsam_rle_from_polygon(xy, 4, scratch, 0, &needed, &rle, NULL), WSAM_ERR_LIMIT);
    cr_assert_eq(wsam_rle_from_polygon(xy, 4, scratch, needed, &needed, &rle, NULL), WSAM_OK);
    wsam_rle_box(&rle, box);
    cr_assert_arr_eq(box, ((const int32_t[]){2, 1, 4, 3}), sizeof box);
    cr_assert_eq(wsam_rle_area(&rle), 9);
}

Test(polygons, bad_coordinates_are_refused)
{
    const double bad[] = {0, NAN, 1, 1, 2, 2}, far[] = {0, 0, 1e7, 1, 2, 2};
    uint32_t counts[4];
    size_t needed;
    wsam_rle rle = {.height = 6, .width = 8, .capacity = 4, .counts = counts};
    cr_assert_eq(wsam_rle_from_polygon(bad, 3, NULL, 0, &needed, &rle, NULL), WSAM_ERR_FORMAT);
    cr_assert_eq(wsam_rle_from_polygon(far, 3, NULL, 0, &needed, &rle, NULL), WSAM_ERR_FORMAT);
}

static cJSON *load(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    cr_assert(f, "%s cannot be read", path);
    fseek(f, 0, SEEK_END);
    const size_t n = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(n + 1);
    cr_assert_eq(fread(text, 1, n, f), n);
    fclose(f);
    text[n] = 0;
    cJSON *json = cJSON_Parse(text);
    cr_assert(json);
    free(text);
    return json;
}

static wsam_rle read_rle(const cJSON *record)
{
    const cJSON *s = cJSON_GetObjectItem(record, "segmentation");
    const cJSON *size = cJSON_GetObjectItem(s, "size");
    const char *text = cJSON_GetObjectItem(s, "counts")->valuestring;
    wsam_rle rle = {.height = cJSON_GetArrayItem(size, 0)->valueint,
                    .width = cJSON_GetArrayItem(size, 1)->valueint,
                    .capacity = strlen(text) + 1};
    rle.counts = malloc(rle.capacity * sizeof *rle.counts);
    cr_assert_eq(wsam_rle_from_string(text, strlen(text), &rle, NULL), WSAM_OK);
    return rle;
}

static void check_figures(const char *folder)
{
    cJSON *golden = load(folder, "pycocotools.json"), *gt = load(folder, "gt.json");
    cJSON *dt = load(folder, "detections.json");
    const cJSON *annotations = cJSON_GetObjectItem(gt, "annotations"), *row, *value;
    check_polygon(cJSON_GetObjectItem(golden, "polygon_rle"));
    int i = 0;
    cJSON_ArrayForEach(value, cJSON_GetObjectItem(golden, "rle_area_first10"))
    {
        wsam_rle a = read_rle(cJSON_GetArrayItem(dt, i++));
        cr_assert_eq(wsam_rle_area(&a), (uint64_t)value->valuedouble);
        free(a.counts);
    }
    i = 0;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(golden, "rle_iou_first6x5"))
    {
        wsam_rle d = read_rle(cJSON_GetArrayItem(dt, i++));
        int k = 0;
        cJSON_ArrayForEach(value, row)
        {
            const cJSON *annotation = cJSON_GetArrayItem(annotations, k++);
            const int crowd = cJSON_GetObjectItem(annotation, "iscrowd")->valueint;
            wsam_rle g = read_rle(annotation);
            cr_assert_float_eq(wsam_rle_iou(&d, &g, crowd), value->valuedouble, 1e-15);
            free(g.counts);
        }
        free(d.counts);
    }
    cJSON_Delete(golden), cJSON_Delete(gt), cJSON_Delete(dt);
}

Test(golden, pycocotools)
{
    const char *named = getenv("WEAKSAM_GOLDEN"), *root = named ? named : "../shared/golden";
    char folder[2048];
    snprintf(folder, sizeof folder, "%s/coco_eval/small", root);
    if (access(folder, R_OK) != 0)
        cr_skip_test("there is no folder %s (WEAKSAM_GOLDEN names another)", folder);
    check_figures(folder);
    snprintf(folder, sizeof folder, "%s/coco_eval/large", root);
    check_figures(folder);
}
