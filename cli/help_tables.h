/* cli/help_tables.h - rows that several tables of help share. */
#ifndef WEAKSAM_CLI_HELP_TABLES_H
#define WEAKSAM_CLI_HELP_TABLES_H

#include <stddef.h>

#include "cli/help.h"

#define HELP_MAX_PIXELS                                                                            \
    {                                                                                              \
        "--max-pixels N", "refuse images with more pixels", "100 million"                          \
    }
#define HELP_REVIEWED                                                                              \
    {                                                                                              \
        "--reviewed FILE",                                                                         \
            "COCO data set with people's decisions: accepted and drawn annotations are kept "      \
            "unchanged, rejected ones do not come back, completely reviewed images get nothing "   \
            "else",                                                                                \
            NULL                                                                                   \
    }
#define HELP_RULES                                                                                 \
    {                                                                                              \
        "--rules FILE",                                                                            \
            "rules that results have to keep to, but for what people decided: sizes, shapes, "     \
            "confidence, region, number per image, classes that exclude each other "               \
            "(docs/pilot.md)",                                                                     \
            NULL                                                                                   \
    }
#define HELP_IMAGE_IDS                                                                             \
    {                                                                                              \
        "--image-ids FILE",                                                                        \
            "file with the images and categories that the ids of a results list "                  \
            "refer to",                                                                            \
            "images.json beside the list"                                                          \
    }
#define HELP_GRID                                                                                  \
    {"--sources LIST", "which prompts to use: grid, coarse, fine, class, cross", "all"},           \
        {"--points-per-side N", "grid of N x N points", "32"},                                     \
        {"--crop-n-layers N",                                                                      \
         "grids on crops of the image as well, for small objects: 4 crops, 16 more, ...; each is " \
         "encoded by itself",                                                                      \
         "0"},                                                                                     \
        {"--pred-iou-thresh F", "keep masks of the grid with a predicted IoU above F", "0.3"},     \
        {"--stability-score-thresh F", "keep masks of the grid with a stability of at least F",    \
         "0.3"},                                                                                   \
        {"--box-nms-thresh F", "IoU above which the NMS of the grid drops a box", "0.3"},          \
    {                                                                                              \
        "--cross-iou F", "IoU above which a cross box repeats an earlier one and is dropped",      \
            "0.9"                                                                                  \
    }

extern const cli_help help_convert, help_inspect, help_verify, help_bench, help_bench_compare,
    help_kernels, help_twin, help_draw, help_encode, help_segment, help_everything, help_clues,
    help_propose, help_score, help_pgt, help_masks, help_eval, help_report, help_run, help_merge,
    help_status, help_bench_scale, help_train, help_detect, help_export, help_export_onnx,
    help_import, help_import_pickle, help_join, help_trace, help_review, help_check, help_pilot;

#endif
