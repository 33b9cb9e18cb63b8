/* cli/help_images.c - help of the commands that look at images: encode, segment, everything. */
#include "cli/help_tables.h"

static const cli_help_row encode_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam", "weight file of a segmenter or a backbone", NULL},
    {"--max-side N",
     "backbones: scale the image so that its long side has N pixels, rounded to whole patches",
     "518"},
    HELP_MAX_PIXELS,
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output FILE.safetensors", "the embedding, or the patch tokens of a backbone", NULL},
    {NULL, NULL, NULL}};

const cli_help help_encode = {
    "Encoding is the expensive part of segmentation. weaksam segment --embedding takes the result "
    "for any number of prompts.",
    encode_rows, NULL,
    "weaksam encode -m sam.wsam photo.jpg -o photo.safetensors\n"
    "weaksam encode -m dinov2.wsam photo.jpg --max-side 518 -o tokens.safetensors\n"};

static const cli_help_row segment_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam", "weight file of the segmenter", NULL},
    {"--embedding FILE", "embedding from weaksam encode, instead of an image", NULL},
    HELP_MAX_PIXELS,
    {NULL, "What to find", NULL},
    {"--point X,Y[,LABEL]", "point on the object (label 1) or off it (0); may be repeated", "1"},
    {"--box X0,Y0,X1,Y1", "box around the object", NULL},
    {"--mask-input FILE", "logits of an earlier result (.safetensors) to refine", NULL},
    {"--prompts FILE",
     "many prompts as JSON lines: {\"id\", \"points\", \"box\", \"mask\", \"multimask\"}", NULL},
    {"--multimask", "three candidates per prompt, from part to whole", "on"},
    {"--single", "one mask per prompt", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output OUT",
     "a folder (mask_PROMPT_CANDIDATE.png, overlay.png, masks.json), X.json or X.safetensors",
     "JSON on standard output"},
    {NULL, NULL, NULL}};

const cli_help help_segment = {
    "Coordinates are pixels of the image, (0,0) its top left corner.", segment_rows, NULL,
    "weaksam segment -m sam.wsam photo.jpg --point 400,300 -o masks\n"
    "weaksam segment -m sam.wsam photo.jpg --box 120,80,520,460 --single -o mask.json\n"
    "weaksam segment -m sam.wsam --embedding photo.safetensors --prompts prompts.jsonl\n"};

static const cli_help_row everything_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam", "weight file of the segmenter", NULL},
    HELP_MAX_PIXELS,
    {NULL, "What to find", NULL},
    {"--points-per-side N", "grid of N x N points", "32"},
    {"--pred-iou-thresh F", "keep masks with a predicted IoU above F; 0 keeps all", "0.88"},
    {"--stability-score-thresh F", "keep masks with a stability of at least F; 0 keeps all",
     "0.95"},
    {"--stability-score-offset F", "offset of the logits for the stability", "1.0"},
    {"--box-nms-thresh F", "IoU above which NMS drops the box with the lower score", "0.7"},
    {"--crop-n-layers N", "layers of crops to look at as well: 4, 16, ... crops; at most 4", "0"},
    {"--crop-nms-thresh F", "IoU of the NMS between crops", "0.7"},
    {"--crop-overlap-ratio F", "overlap of crops, as a share of the shorter side", "0.341"},
    {"--crop-n-points-downscale-factor N", "divide points per side by N in each layer", "1"},
    {"--min-mask-region-area N", "fill holes and remove islands with fewer pixels; 0 is off", "0"},
    {"--hierarchical",
     "every fourth point of every fourth row first, then only points that none of these masks "
     "covers with confidence: faster, but finds fewer masks inside of others",
     NULL},
    {"--confident-logit F", "with --hierarchical: logit above which a point counts as covered",
     "8.5"},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output OUT",
     "a folder (NAME.json per image; repeated names get a number), X.json, or X.jsonl with one "
     "line per image",
     "lines on standard output"},
    {"--png", "also write masks as images: OUT/NAME/0.png, ... and metadata.csv", NULL},
    {"--overlay", "also write OUT/NAME_overlay.png", NULL},
    {NULL, CLI_HELP_SPEED, NULL},
    {"--workers N", "images at once; each worker gets its share of the threads",
     "one per thread; 1 with --max-memory"},
    {"--points-per-batch N", "most prompts per decoder call; does not change results", "64"},
    {"--mask-memory BYTES", "memory for masks that NMS may still drop", "64M"},
    {NULL, NULL, NULL}};

const cli_help help_everything = {
    "Options have the names, defaults and meaning of segment-anything's mask generator. Prints peak "
    "memory at the end; with --timing also counts and times, summed over workers.",
    everything_rows, NULL,
    "weaksam everything -m sam.wsam photo.jpg -o out --overlay\n"
    "weaksam everything -m sam.wsam photos/*.jpg --points-per-side 16 -o masks.jsonl\n"};
