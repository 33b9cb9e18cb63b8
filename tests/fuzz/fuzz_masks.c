/* Run-length text of masks, and everything that is done with a mask afterwards; polygons. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weaksam/masks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SIDE = 300, MAX_RUNS = 4096 };

static void use_bits(const wsam_rle *rle)
{
    const size_t words = wsam_bits_words(rle->height, rle->width);
    uint64_t *bits = malloc(words * sizeof *bits), *work = malloc(words * sizeof *work);
    wsam_contour contours[8];
    int32_t vertices[64];
    uint32_t counts[MAX_RUNS];
    size_t n_contours, n_vertices;
    wsam_rle again = {
        .height = rle->height, .width = rle->width, .capacity = MAX_RUNS, .counts = counts};
    if (bits && work) {
        wsam_rle_to_bits(rle, bits);
        wsam_contours(bits, rle->height, rle->width, work, contours, 8, &n_contours, vertices, 32,
                      &n_vertices);
        if (!wsam_rle_from_bits(bits, rle->height, rle->width, NULL, 0, 0, &again) &&
            wsam_rle_area(&again) != wsam_rle_area(rle))
            abort();
    }
    free(bits);
    free(work);
}

static void use(const wsam_rle *rle)
{
    uint32_t counts[MAX_RUNS];
    wsam_component components[4];
    int32_t box[4];
    int changed;
    wsam_rle out = {.capacity = MAX_RUNS, .counts = counts};
    void *scratch = malloc(wsam_components_scratch(rle));
    if (!scratch || wsam_rle_validate(rle, NULL))
        abort();
    wsam_rle_box(rle, box);
    wsam_rle_iou(rle, rle, 0);
    wsam_rle_merge(rle, rle, WSAM_MERGE_UNION, &out);
    for (int kind = 0; kind < 2; kind++) {
        wsam_components(rle, (wsam_region)kind, scratch, components, 4);
        wsam_remove_small_regions(rle, (wsam_region)kind, 5, scratch, &out, &changed);
    }
    free(scratch);
    use_bits(rle);
}

static void polygon(const uint8_t *data, size_t size, int height, int width)
{
    double xy[64];
    uint64_t scratch[2048];
    uint32_t counts[MAX_RUNS];
    size_t n = size / sizeof(double) < 64 ? size / sizeof(double) : 64, needed;
    wsam_rle rle = {.height = height, .width = width, .capacity = MAX_RUNS, .counts = counts};
    memcpy(xy, data, n * sizeof *xy);
    for (size_t i = 0; i < n; i++) /* long outlines take time, they find nothing */
        if (xy[i] > 2000 || xy[i] < -2000)
            xy[i] /= 1e3;
    if (!wsam_rle_from_polygon(xy, n / 2, scratch, 2048, &needed, &rle, NULL))
        use(&rle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t counts[MAX_RUNS];
    if (size < 4)
        return 0;
    const int height = 1 + (data[0] | data[1] << 8) % MAX_SIDE;
    const int width = 1 + (data[2] | data[3] << 8) % MAX_SIDE;
    wsam_rle rle = {.height = height, .width = width, .capacity = MAX_RUNS, .counts = counts};
    wsam_error error;
    if (!wsam_rle_from_string((const char *)data + 4, size - 4, &rle, &error))
        use(&rle);
    polygon(data + 4, size - 4, height, width);
    return 0;
}
