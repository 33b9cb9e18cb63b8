/* cli/help_stages.c - help of the stages of a run, one by one: clues, propose, score, pgt, masks. */
#include "cli/help_tables.h"

static const cli_help_row clues_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam", "weight file of the clue network", NULL},
    {"--labels LABELS",
     "classes of the images: a CSV or JSON file, a folder of VOC annotations, or names separated "
     "by commas that hold for all images",
     "the classes that the network finds"},
    {"--least-logit F", "without labels: logit above which a class counts as found", "-0.5"},
    {"--clue-max-side N", "scale larger images down to this long side; 0 keeps them", "640"},
    HELP_MAX_PIXELS,
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output POINTS.jsonl", "one line per image", "standard output"},
    {"--maps DIR", "also write NAME.safetensors per image: logits and maps", NULL},
    {"--heat DIR", "also write NAME/KIND_CLASS.png: maps laid over the image", NULL},
    {"--kinds LIST", "which maps to write: coarse, fine, cross", "coarse,fine"},
    {NULL, "Maps", NULL},
    {"--scales LIST", "scales at which an image is seen", "1,0.8,1.2"},
    {"--no-mirror", "do not see mirrored images as well", NULL},
    {"--layers LIST", "layers of the cross maps, from 0", "the model's choice"},
    {NULL, "Points", NULL},
    {"--threshold F", "lowest value of a peak, of 1", "0.9"},
    {"--window N", "side of the window in which a peak is the highest", "17; cross 129"},
    {"--max-per-map N", "most peaks per map", "25"},
    {"--spacing N", "least distance |dx|+|dy| between peaks", "half the window"},
    {"--coarse-..., --fine-..., --cross-...",
     "the four options above for one kind of map, for example --fine-threshold; overrides the "
     "general option",
     NULL},
    {"--points-per-cluster N", "cross points per cluster of k-means; 0 does not cluster", "5"},
    {"--seed N", "seed of the clustering", "0"},
    {NULL, NULL, NULL}};

const cli_help help_clues = {
    NULL, clues_rows, NULL,
    "weaksam clues -m clues.wsam photos --labels labels.csv -o points.jsonl\n"
    "weaksam clues -m clues.wsam photo.jpg --labels dog,cat --heat heat\n"};

static const cli_help_row propose_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam", "weight file of the segmenter", NULL},
    {"--points FILE", "clue points (weaksam clues); only the images it names are used",
     "the grid alone, on all images"},
    HELP_MAX_PIXELS,
    {NULL, "What to find", NULL},
    HELP_GRID,
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output PROPOSALS.jsonl", "one line per image", "standard output"},
    {"--no-masks", "write boxes without masks: smaller files, but scores of boxes only", NULL},
    {NULL, NULL, NULL}};

const cli_help help_propose = {
    NULL, propose_rows, NULL,
    "weaksam propose -m sam.wsam photos --points points.jsonl -o proposals.jsonl\n"
    "weaksam propose -m sam.wsam new --no-masks -o new.jsonl\n"};

static const cli_help_row score_rows[] = {
    {NULL, "Where scores come from", NULL},
    {"--maps DIR", "clue maps: NAME.safetensors per image (weaksam clues --maps)", NULL},
    {"--kind KIND", "which clue maps: fine or coarse", "fine"},
    {"--head FILE", "a trained head (weaksam train) instead", NULL},
    {"-m, --model MODEL.wsam",
     "MIST (weaksam convert) instead; with --head the segmenter, if the head was trained with one",
     NULL},
    {"--import FILE", "results of another detector instead: a COCO results list", NULL},
    {NULL, CLI_HELP_INPUT, NULL},
    {"--classes FILE", "class names in order, one per line; no other classes are accepted", NULL},
    HELP_IMAGE_IDS,
    {NULL, "Scores by clue maps", NULL},
    {"--context F", "how far the surroundings reach, in sides of the box", "0.5"},
    {"--floor F", "contrast below which a map counts as flat", "0.2"},
    {"--level F", "exponent of the mean of the map inside the mask", "1"},
    {"--quality F", "exponent of the predicted IoU", "1"},
    {"--min-side N", "smaller boxes get no score", "2"},
    {NULL, "Scores by a head", NULL},
    {"--features CACHE", "features of the images (weaksam train --stage features)", NULL},
    {"--images DIR", "or the images, to encode them with the models", NULL},
    {"--clue-model FILE", "the clue network, if the head was trained with one", NULL},
    {"--clue-max-side N", "long side of images for the clue network", "as in training"},
    {"--labels FILE", "keep only classes that an image has; needs --images", NULL},
    {NULL, "Scores by MIST (needs --images)", NULL},
    {"--scales LIST", "shorter sides of the views", "800,480,576,688,864,1000,1200"},
    {"--no-mirror", "no mirrored views: 7 instead of 14", NULL},
    {"--dump FILE.safetensors", "also write scores and boxes of the first image before suppression",
     NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output SCORES.json",
     "a COCO results list; images.json beside it says what its ids mean", NULL},
    {"--nms F", "IoU above which the box with the lower score is dropped, per class", "0.3"},
    {"--max-per-image N", "most boxes per image; 0 keeps all", "100"},
    {"--min-score F", "keep scores above F", "0"},
    {NULL, NULL, NULL}};

const cli_help help_score = {
    "The score of a mask for a class is r^2 * m^level * q^quality. r is the correlation of mask and "
    "clue map around the mask, (inside - outside) sqrt(p (1 - p)) / spread, where p is the mask's "
    "share of its surroundings; m is the mean of the map inside the mask, q the predicted IoU.",
    score_rows, NULL,
    "weaksam score proposals.jsonl --maps maps -o scores.json\n"
    "weaksam score proposals.jsonl --head head.wsam --features cache -o scores.json\n"
    "weaksam score proposals.jsonl -m mist.wsam --images photos -o scores.json\n"
    "weaksam score --import detections.json --image-ids images.json -o scores.json\n"};

static const cli_help_row pgt_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    HELP_IMAGE_IDS,
    {"--labels LABELS",
     "drop boxes of classes that an image does not have: CSV, JSON or VOC annotations", NULL},
    {"--images DIR", "folder of the images that the labels describe", NULL},
    {"--points FILE", "labels from a points file (weaksam clues) instead", NULL},
    HELP_REVIEWED,
    HELP_RULES,
    {NULL, "What to keep", NULL},
    {"--method NAME",
     "adaptive: threshold relative to the range of scores of a class in an image; top1, top2: the "
     "best boxes of a class; fixed: threshold on the scores",
     "adaptive"},
    {"--keep F", "the threshold", "adaptive 0.3, fixed 0.2"},
    {"--contained F", "drop boxes of which this share lies in another box of the class", "0.85"},
    {"--contained-by-higher-score", "but only if the other box has the higher score", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output LABELS.json", "a COCO data set", NULL},
    {NULL, NULL, NULL}};

const cli_help help_pgt = {
    "SCORES.json is a COCO results list, or a data set whose annotations have a score. In the "
    "result `score` is what the method compared, `raw_score` what was measured, and `source` where "
    "the box comes from.",
    pgt_rows, NULL,
    "weaksam pgt scores.json -o pgt.json\n"
    "weaksam pgt scores.json --labels labels.csv --images photos --method top1 -o pgt.json\n"};

static const cli_help_row masks_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam", "weight file of the segmenter; not needed if all have masks", NULL},
    HELP_IMAGE_IDS,
    HELP_REVIEWED,
    HELP_RULES,
    {"--review FILE",
     "decisions from a review page about LABELS.json: accepted annotations are kept whatever their "
     "confidence, rejected ones stay in the file as rejected",
     NULL},
    {"--checksum FILE", "print the checksum by which a review refers to FILE, and exit", NULL},
    HELP_MAX_PIXELS,
    {NULL, "What to keep", NULL},
    {"--min-confidence F", "drop masks below this confidence", "0"},
    {"--redraw", "make machine-made masks again from their boxes", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output MASKS.json", "a COCO data set", NULL},
    {"--polygons", "write outlines instead of run lengths; fills holes", NULL},
    {NULL, NULL, NULL}};

const cli_help help_masks = {
    "LABELS.json is a data set of boxes (weaksam pgt, or masks again), FOLDER has its images. Boxes "
    "get masks. Annotations that already have one, and those that a person has decided about, stay "
    "as they are.\n\n"
    "The confidence of a mask is the cube root of score, predicted IoU and stability, each clamped "
    "to 0..1. Ids are kept; if one is below 1, all are raised by the same number.",
    masks_rows, NULL,
    "weaksam masks -m sam.wsam pgt.json photos -o masks.json\n"
    "weaksam masks masks.json photos --review review.json --min-confidence 0.5 -o final.json\n"};

static const cli_help_row import_pickle_rows[] = {
    {NULL, "Names", NULL},
    {"--names LIST",
     "names of the images, one per line: in the order of a pickled list, or looked up by the "
     "number in them (2007_000027 is 2007000027, COCO_val2014_000000000042 is 42)",
     "numbers"},
    {"--images DIR",
     "the images: lines get their file names, and width and height, which score needs", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output FILE", "JSON lines of a pickle, or a pickle of JSON lines", NULL},
    {"--form FORM",
     "of a pickle that is written. Proposals: list: arrays [n][4], as WeakSAM's code has them; "
     "dict: boxes, scores and indexes, as MIST's code reads them. Annotations: dict: a list per "
     "image; list: one of all",
     "proposals list, annotations dict"},
    {NULL, NULL, NULL}};

const cli_help help_import_pickle = {
    "Nothing of a pickle is run. Numbers, texts, lists, dictionaries and numpy's arrays of numbers "
    "are read; a pickle that asks for anything else is refused. Lines are those of weaksam propose "
    "(all boxes as from the grid), or {\"image\",\"annotations\"} with what the pickle has for the "
    "image.",
    import_pickle_rows, NULL,
    "weaksam import-pickle voc07.pkl --names trainval.txt --images JPEGImages -o proposals.jsonl\n"
    "weaksam import-pickle proposals.jsonl --form dict -o mist.pkl\n"};
