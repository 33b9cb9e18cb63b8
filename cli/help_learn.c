/* cli/help_learn.c - help of the commands around detection heads: train, detect. */
#include "cli/help_tables.h"

static const cli_help_row train_rows[] = {
    {NULL, "What to do", NULL},
    {"--stage NAME",
     "clues: learn where classes show, and judge it; features: build a feature cache; mil: learn from image-level labels; retrain: learn from "
     "pseudo labels",
     NULL},
    {NULL, CLI_HELP_INPUT, NULL},
    {"--images DIR", "folder of the images", NULL},
    {"-m, --model MODEL.wsam", "features: use the segmenter's embedding", NULL},
    {"--clue-model FILE", "features: use the patches of a clue network, which tell classes best",
     NULL},
    {"--clue-max-side N", "features: long side of images for the clue network; 0 keeps them",
     "640"},
    {"--features CACHE", "mil, retrain: the feature cache", NULL},
    {"--labels FILE", "mil: classes of the images: CSV, JSON or VOC annotations", NULL},
    {"--classes FILE", "mil: class names in order, one per line", "by alphabet"},
    {"--pgt FILE", "retrain: pseudo labels (weaksam pgt)", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output OUT", "the cache, or the head's weight file", NULL},
    {"--components N", "features: channels to keep of each source", "clues 128, segmenter 64"},
    {"--like CACHE", "features: same components as another cache, for images to test a head on",
     NULL},
    {NULL, "Network", NULL},
    {"--preset NAME", "base: 7 x 7 cells, 1024 units; fast: 4 x 4 cells, 512 units", "base"},
    {"--hidden N", "hidden units", "the preset's"},
    {"--dropout F", "dropout of hidden units", "mil 0.5, retrain 0"},
    {"--cell-drop on|off", "mil: leave out patches of a box's cells", "on"},
    {NULL, "Clues", NULL},
    {"--backbone FILE", "clues: another network to look with", NULL},
    {"--points-per-side N", "clues: grid of N x N points", "32"},
    {"--crop-n-layers N", "clues: grids on crops of the images as well, for small objects", "0"},
    {"--head KIND",
     "clues: regions: judge the segmenter's regions; tokens: a clue network on the tokens of "
     "--backbone (or --clue-model, or -m)",
     "regions"},
    {"--sources LIST", "clues: sources to use (shape,look,sam,...)", "chosen by trial"},
    {"--list FILE", "clues: use only the images that it names, one per line", NULL},
    {"--skip-missing", "clues: ignore labels of images that do not exist", NULL},
    {"--keep-holdout", "clues: do not learn from the images that are judged on", NULL},
    {NULL, "Instances (mil)", NULL},
    {"--assign RULE", "mist: several per class; oicr: the best box of a class alone", "mist"},
    {"--min-side N", "do not learn from smaller proposals (WeakSAM: 20 for VOC)", "0"},
    {NULL, "Optimization", NULL},
    {"--epochs N", "epochs", "12; more for small sets, fitted to the labels"},
    {"--iterations N", "iterations, instead of epochs", NULL},
    {"--batch N", "images per iteration", "mil 8, retrain 16"},
    {"--rate F", "learning rate", "1e-4"},
    {"--decay F", "weight decay", "mil 5e-4, retrain 1e-4"},
    {"--seed N", "seed of weights, order and dropout", "1"},
    {NULL, "Wrong pseudo labels (retrain)", NULL},
    {"--roi-drop KIND", "which RoIs lose their loss: none, joint, indep, indep-v1, range or top",
     "joint"},
    {"--tau-cls F",
     "threshold of the classification loss; for range a share of an image's range of losses, for "
     "top a share of its foreground",
     "4"},
    {"--tau-reg F", "the same for the regression loss", "4"},
    {"--drop-start F", "share of the iterations before the first drop", "0.22"},
    {NULL, "What people decided (retrain)", NULL},
    {"--trust F",
     "weight of what they accepted or drew, and of all of images that they completed; RoI drop leaves "
     "it alone",
     "3"},
    {"--start HEAD.safetensors", "begin with this head of the same classes and size",
     "random weights"},
    {NULL, "Resume and shards", NULL},
    {"--state DIR",
     "write checkpoints here, every ten minutes, after every epoch and on SIGTERM, and resume from "
     "them; also log.jsonl and, when retraining, pgt_suspects.json",
     NULL},
    {"--force", "resume even if options, data or instruction-set level have changed", NULL},
    {NULL, CLI_HELP_SPEED, NULL},
    {"--products TYPE",
     "f32, or bf16: faster if the hardware multiplies bf16 at a higher rate than f32", "f32"},
    {NULL, NULL, NULL}};

const cli_help help_train = {
    "HEAD.safetensors beside HEAD.wsam can be converted to other types (weaksam convert); "
    "HEAD.wsam.svg plots the losses. weaksam run --learn does all stages in one go.",
    train_rows, NULL,
    "weaksam train --stage features --clue-model clues.wsam --images photos proposals.jsonl -o cache\n"
    "weaksam train --stage mil --features cache --labels labels.csv --images photos \\\n"
    "    proposals.jsonl -o mil.wsam\n"
    "weaksam train --stage retrain --features cache --pgt pgt.json proposals.jsonl -o head.wsam\n"};

static const cli_help_row detect_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam",
     "the detector; with --head the segmenter, if the head was trained with one, and for --masks",
     NULL},
    HELP_MAX_PIXELS,
    {"--sides SHORT,LONG", "size of resized images for the detector", "as the file says"},
    {"--tta",
     "test-time augmentation of the detector: see each image at several sizes and mirrored, and "
     "join the results",
     NULL},
    {"--scales LIST", "shorter sides of the views of --tta", "480,576,688,864,1000,1200"},
    {"--no-mirror", "no mirrored views with --tta: half as many", NULL},
    {"--sam SAM.wsam", "a segmenter: the boxes are prompts for its masks", NULL},
    {NULL, "A head", NULL},
    {"--head FILE", "the head (weaksam train)", NULL},
    {"--images DIR", "folder of the images, to be encoded with the models", NULL},
    {"--clue-model FILE", "the clue network, if the head was trained with one", NULL},
    {"--clue-max-side N", "long side of images for the clue network", "as in training"},
    {"--features CACHE", "a feature cache instead of images", NULL},
    HELP_REVIEWED,
    HELP_RULES,
    {NULL, "What to keep", NULL},
    {"--min-score F", "keep scores above F", "0.05"},
    {"--nms F", "IoU above which the box with the lower score is dropped, per class", "0.5"},
    {"--max-per-image N", "most detections per image; 0 keeps all", "100"},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output DETECTIONS.json",
     "a COCO data set with masks if the detector gives masks, else a results list; images.json "
     "beside it says what its ids mean",
     NULL},
    {"--no-masks", "a results list of boxes, even if the detector gives masks", NULL},
    {"--overlay DIR", "also draw the detections over each image, into DIR", NULL},
    {"--masks",
     "of a head: write a COCO data set with masks and confidences, as weaksam masks does; needs -m "
     "and --images",
     NULL},
    {"--dump FILE.safetensors",
     "write what the detector computes for one image: image_size, fpn_0..3, fpn_pool, "
     "rpn_objectness_0..4, rpn_deltas_0..4, proposals",
     NULL},
    {"--rois FILE.safetensors",
     "with --dump: also class_logits, box_regression and mask_logits of the boxes in tensor rois "
     "[n,4], pixels of the resized image",
     NULL},
    {NULL, NULL, NULL}};

const cli_help help_detect = {
    "Needs no labels. A detector (Faster R-CNN, Mask R-CNN) comes from weaksam convert and runs by "
    "the rules of the library it was trained with, one image per thread. A head (weaksam train) "
    "needs PROPOSALS.jsonl from weaksam propose.",
    detect_rows, NULL,
    "weaksam convert maskrcnn.pth --classes coco -o maskrcnn.wsam\n"
    "weaksam detect -m maskrcnn.wsam photos --min-score 0.5 --overlay drawn -o found.json\n"
    "weaksam propose -m sam.wsam new --no-masks -o new.jsonl\n"
    "weaksam detect --head head.wsam -m sam.wsam --clue-model clues.wsam --images new new.jsonl \\\n"
    "    --masks -o found.json\n"};
