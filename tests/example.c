/* A whole program: the mask of the object under one point of a picture.
 *
 * usage: example MODEL.wsam PICTURE X Y OUT.png
 * build: cc example.c $(pkg-config --cflags --libs weaksam) */
#include <stdio.h>
#include <stdlib.h>
#include <weaksam/weaksam.h>

/* Writes the mask that the model thinks best. */
static wsam_status save_best(const wsam_result *result, const char *path, wsam_error *error)
{
    const wsam_mask *best = &result->masks[0];
    for (size_t i = 1; i < result->n; i++)
        if (result->masks[i].predicted_iou > best->predicted_iou)
            best = &result->masks[i];
    printf("predicted IoU %.3f, stability %.3f, %llu pixels\n", (double)best->predicted_iou,
           (double)best->stability_score, (unsigned long long)best->area);
    uint8_t *pixels = malloc((size_t)result->height * (size_t)result->width);
    if (!pixels)
        return WSAM_ERR_MEMORY;
    wsam_rle_decode(&best->rle, 255, pixels, (size_t)result->width);
    const wsam_picture mask = {result->height,        result->width, 1,
                               (size_t)result->width, pixels,        NULL};
    const wsam_status status = wsam_picture_save(&mask, path, error);
    free(pixels);
    return status;
}

int main(int argc, char **argv)
{
    wsam_model *model = NULL;
    wsam_segmenter *segmenter = NULL;
    wsam_picture picture = {0};
    wsam_embedding *embedding = NULL;
    wsam_result *result = NULL;
    wsam_error error = {WSAM_OK, ""};
    if (argc != 6)
        return 2;
    const wsam_point point = {atof(argv[3]), atof(argv[4]), 1};
    const wsam_prompt prompt = {.points = &point, .n_points = 1, .multimask = 1};

    const int failed =
        wsam_model_open(argv[1], NULL, &model, &error) ||
        wsam_picture_load(argv[2], NULL, &picture, &error) ||
        wsam_segmenter_create(model, &segmenter, &error) ||
        wsam_segmenter_encode(segmenter, &picture, &embedding, &error) ||
        wsam_segmenter_run(segmenter, embedding, &prompt, 1, WSAM_WANT_MASKS, &result, &error) ||
        save_best(result, argv[5], &error);
    if (failed)
        fprintf(stderr, "%s\n", error.message);

    wsam_result_free(result);
    wsam_embedding_free(embedding);
    wsam_picture_free(&picture);
    wsam_segmenter_free(segmenter);
    wsam_model_close(model);
    return failed;
}
