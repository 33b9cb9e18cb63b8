/* pipeline/coco/records_fields.c - names of sections and fields, and what a field takes. */
#include "pipeline/coco/records_state.h"

const ws_field_rule ws_field_rules[WS_FIELDS] = {
    [WS_ID] = {"id", A_NUMBER | A_TEXT, "a number or a string"},
    [WS_IMAGE_ID] = {"image_id", A_NUMBER | A_TEXT, "a number or a string"},
    [WS_CATEGORY_ID] = {"category_id", A_NUMBER | A_TEXT, "a number or a string"},
    [WS_AREA] = {"area", A_NUMBER, "a number"},
    [WS_SCORE] = {"score", A_NUMBER, "a number"},
    [WS_ISCROWD] = {"iscrowd", A_NUMBER | A_BOOL, "0 or 1"},
    [WS_IGNORE] = {"ignore", A_NUMBER | A_BOOL, "0 or 1"},
    [WS_DIFFICULT] = {"difficult", A_NUMBER | A_BOOL, "0 or 1"},
    [WS_HEIGHT] = {"height", A_NUMBER, "a number"},
    [WS_WIDTH] = {"width", A_NUMBER, "a number"},
    [WS_FILE_NAME] = {"file_name", A_TEXT, "a string"},
    [WS_NAME] = {"name", A_TEXT, "a string"},
    [WS_IMAGE] = {"image", A_TEXT, "a string"},
    [WS_BBOX] = {"bbox", 0, "a list of four numbers"},
    [WS_BOX] = {"box", 0, "a list of four numbers"},
    [WS_SEGMENTATION] = {"segmentation", 0, "polygons or run lengths"},
    [WS_PREDICTED_IOU] = {"predicted_iou", A_NUMBER, "a number"},
    [WS_STABILITY] = {"stability_score", A_NUMBER, "a number"},
    [WS_CONFIDENCE] = {"confidence", A_NUMBER, "a number"},
    [WS_RAW_SCORE] = {"raw_score", A_NUMBER, "a number"},
    [WS_SOURCE] = {"source", A_TEXT, "a string"},
    [WS_REVIEWED] = {"reviewed", A_TEXT, "a string"},
    [WS_REVIEW] = {"review", A_TEXT, "a string"},
    [WS_AUDIT] = {"audit", A_NUMBER | A_BOOL, "0 or 1"},
    [WS_CROP_MASK] = {"crop_mask", 0, "run lengths"}};

const char *const ws_section_names[WS_SECTIONS] = {
    [WS_RESULTS] = "results",       [WS_IMAGES] = "images",       [WS_ANNOTATIONS] = "annotations",
    [WS_CATEGORIES] = "categories", [WS_PROPOSALS] = "proposals", [WS_OBJECT] = ""};
