/* pipeline/labels/class_names.c - the class lists of published data sets, in their order. */
#include <string.h>

#include "weaksam/dataset.h"

static const char *const voc[] = {"aeroplane",   "bicycle", "bird",  "boat",      "bottle",
                                  "bus",         "car",     "cat",   "chair",     "cow",
                                  "diningtable", "dog",     "horse", "motorbike", "person",
                                  "pottedplant", "sheep",   "sofa",  "train",     "tvmonitor"};

static const char *const coco[] = {"person",        "bicycle",      "car",
                                   "motorcycle",    "airplane",     "bus",
                                   "train",         "truck",        "boat",
                                   "traffic light", "fire hydrant", "stop sign",
                                   "parking meter", "bench",        "bird",
                                   "cat",           "dog",          "horse",
                                   "sheep",         "cow",          "elephant",
                                   "bear",          "zebra",        "giraffe",
                                   "backpack",      "umbrella",     "handbag",
                                   "tie",           "suitcase",     "frisbee",
                                   "skis",          "snowboard",    "sports ball",
                                   "kite",          "baseball bat", "baseball glove",
                                   "skateboard",    "surfboard",    "tennis racket",
                                   "bottle",        "wine glass",   "cup",
                                   "fork",          "knife",        "spoon",
                                   "bowl",          "banana",       "apple",
                                   "sandwich",      "orange",       "broccoli",
                                   "carrot",        "hot dog",      "pizza",
                                   "donut",         "cake",         "chair",
                                   "couch",         "potted plant", "bed",
                                   "dining table",  "toilet",       "tv",
                                   "laptop",        "mouse",        "remote",
                                   "keyboard",      "cell phone",   "microwave",
                                   "oven",          "toaster",      "sink",
                                   "refrigerator",  "book",         "clock",
                                   "vase",          "scissors",     "teddy bear",
                                   "hair drier",    "toothbrush"};

size_t wsam_class_names(const char *set, const char *const **names)
{
    if (strcmp(set, "voc") == 0) {
        *names = voc;
        return sizeof voc / sizeof *voc;
    }
    if (strcmp(set, "coco") == 0) {
        *names = coco;
        return sizeof coco / sizeof *coco;
    }
    *names = NULL;
    return 0;
}
