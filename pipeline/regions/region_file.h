/* pipeline/regions/region_file.h - regions of pictures on the disk: a record per picture, and all
 * of them behind each other as one file that is mapped.
 *
 * A record: a header, the groups, boxes (exclusive pixels, f32) and numbers (fp16), padded to a
 * multiple of 64 bytes. Little-endian. */
#ifndef WS_PIPELINE_REGIONS_REGION_FILE_H
#define WS_PIPELINE_REGIONS_REGION_FILE_H

#include "pipeline/regions/region_describe.h"

/* FOLDER/HASH.ENDING of a picture, by its name: pictures may be added between others. free() */
char *ws_region_path(const char *folder, const char *image, const char *ending);

/* A file with the record of one picture, under a temporary name that is renamed. Numbers beyond
 * half precision are cut; one that is not a number is an error. */
wsam_status ws_region_file_save(const char *path, const wsam_proposals *proposals,
                                const ws_region_layout *layout, const float *rows,
                                wsam_error *error);

typedef struct ws_region_picture {
    size_t n;
    float (*boxes)[4];
    uint16_t *numbers; /* [n][layout.count], half precision */
} ws_region_picture;

/* Records one behind another. The file may not be cut short while it is open. */
typedef struct ws_region_set {
    void *bytes;
    size_t size, n;
    ws_region_layout layout;
    ws_region_picture *pictures;
} ws_region_set;

/* Copies record files into one, in order; a path that does not exist becomes a picture without
 * regions. */
wsam_status ws_region_set_gather(const char *path, const char *const *files, size_t n,
                                 wsam_error *error);
wsam_status ws_region_set_open(const char *path, ws_region_set *set, wsam_error *error);
void ws_region_set_close(ws_region_set *set);

#endif
