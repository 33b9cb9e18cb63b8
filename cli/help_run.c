/* cli/help_run.c - help of the commands over whole folders: run, merge, status, report, eval, export,
 * import, join. */
#include "cli/help_tables.h"

static const cli_help_row run_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--labels LABELS",
     "which classes each image has: X.csv (a row per image or per class, or a column per class), "
     "X.json ({\"image\": [\"class\"]} or COCO), or a folder (VOC annotations, a text file per image, "
     "or a folder of images per class); images without a class are known to show none",
     NULL},
    {"--list FILE", "use only the images that it names, one per line", NULL},
    {"-m, --model MODEL.wsam", "weight file of the segmenter", NULL},
    {"--clue-model FILE",
     "clue network; used as it is if it knows all classes, else as one more source to learn from",
     NULL},
    {"--backbone FILE", "another network to learn clues from", NULL},
    {"--scorer MIST.wsam",
     "score proposals with MIST, not with clue maps; converted with the classes' names", NULL},
    {"--clue-max-side N", "scale images for the clue network down to this long side; 0 keeps them",
     "640"},
    HELP_REVIEWED,
    {"--skip-missing", "ignore labels of images that do not exist", NULL},
    HELP_MAX_PIXELS,
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output OUT", "folder of the results", NULL},
    {"--keep-masks", "keep the masks of all proposals in proposals.jsonl", NULL},
    {"--rename OLD=NEW",
     "name of a class in final.json, its page and its reviews; all other files (masks.json, pgt.json, learn/, reviewed.json) keep "
     "the names of the labels. Two classes of one name become one. Repeat it for more classes: "
     "all get their names at once, so that A=B and B=A swap two. Nothing is done again",
     NULL},
    {"--drop CLASS", "leave a class out of final.json; likewise", NULL},
    {"--overwrite", "discard all results first, also those of other options", NULL},
    {NULL, "What to find", NULL},
    {"--scales, --no-mirror, --layers, --points-per-cluster", "as in weaksam clues", NULL},
    {"--point-threshold, --point-window, --point-max-per-map, --point-spacing, --point-seed",
     "as in weaksam clues without `point-`; --point-fine-threshold and so on for one kind of map",
     NULL},
    HELP_GRID,
    {"--score-nms, --score-max-per-image, --score-min, --score-context, --score-floor",
     "as in weaksam score without `score-` (--min-score); so are --score-level, --score-quality "
     "and --score-min-side",
     NULL},
    {"--method NAME", "choice of pseudo labels: adaptive, top1, top2 or fixed (weaksam pgt)",
     "adaptive; fixed for clues learnt from regions"},
    {"--keep F", "threshold of the method",
     "adaptive 0.3, fixed 0.2; 0.05 for clues learnt from regions"},
    {"--contained F", "drop boxes of which this share lies in another box of the class", "0.85"},
    {"--contained-by-higher-score", "but only if the other box has the higher score",
     "yes, for clues learnt from regions"},
    {NULL, "Learning", NULL},
    {"--learn",
     "then train a detection head on the results and label the images with it: OUT/learn gets "
     "masks.json, head.wsam and review.html. maps/ holds up to 2.6 MB per image (fast: 0.6) until "
     "the feature cache is built",
     NULL},
    {"--preset NAME", "base, or fast: a smaller head on the clue network alone", "base"},
    {"--epochs N", "length of training (weaksam train)", "fitted to the set"},
    {"--seed N", "seed of everything that is learnt", "1"},
    {"--roi-drop KIND", "none, joint, indep, indep-v1, range or top (weaksam train)", "joint"},
    {"--trust F",
     "weight in training of what people decided: boxes that they accepted or drew, and all of images "
     "that they completed",
     "3"},
    {"--assign RULE", "mist or oicr (weaksam train)", "mist"},
    {"--min-side N", "do not learn from smaller proposals (WeakSAM: 20 for VOC)", "0"},
    {"--relearn",
     "learn again; otherwise what was learnt stays as images or labels change, unless a class is new",
     NULL},
    {NULL, CLI_HELP_SPEED, NULL},
    {"--workers N", "images at once", "one per thread"},
    {NULL, "Resume and shards", NULL},
    {"--shard I/N", "do every N-th image, from I = 0; auto/N takes I from the scheduler", "0/1"},
    {"--steal",
     "help slower shards once this one is done, with images that nobody has begun; give it to all "
     "shards",
     NULL},
    {"--clues-only",
     "end when the clues are learnt; with --shard, when this shard's images are described for that",
     NULL},
    {"--no-merge", "leave the final files, and learning, to a later command", NULL},
    {"--prepared", "do not look again at images that were there when the run began", NULL},
    {"--lease-seconds F",
     "take over a shard, or learning, whose process has shown no sign of life for F seconds; the same for all",
     "120"},
    {"--plan", "say what would be done and why, and exit", NULL},
    {"--retry-failed", "try failed images again", NULL},
    {"--max-seconds F", "stop after F seconds, as after SIGTERM: in-progress images finish",
     "no limit"},
    {"--grace F", "abandon in-progress images that take longer than F seconds to finish", "20"},
    {"--log-interval F", "seconds between progress lines if stderr is no terminal; 0 is off", "30"},
    {"--exit-zero-on-failed-images", "exit with 0 even if images failed", NULL},
    {NULL, NULL, NULL}};

const cli_help help_run = {
    "DIR is a folder of images, a tar file of them (.tar, as WebDataset has them; its .cls members may "
    "be the labels), or a text file (.txt) with a path per line. Compressed ones are unpacked first.\n\n"
    "Any classes will do: what no clue network knows is learnt first, from these images, and judged "
    "(OUT/clues); then OUT/report.html says how well the classes are told apart.\n\n"
    "OUT gets points.jsonl, proposals.jsonl, scores.json, pgt.json, masks.json, final.json, "
    "failures.jsonl and timing.json. A run that was stopped or killed resumes when it is started "
    "again, and produces identical output.",
    run_rows,
    "Each shard is processed by one process at a time: a second one exits with 75 and may be tried "
    "again; it takes the shard over when the first is gone. Results of different instruction-set levels or backends do not mix; use the same --isa "
    "on all machines. OUT/.status/I-of-N.json shows the progress of a shard; it is also the last "
    "line of the output.\n\n"
    "Exit status: 0 success, 1 some images failed, 64 wrong usage or unclear shard, 65 labels or "
    "models cannot be used, 66 they do not exist, 71 out of memory, 74 reading or writing failed, "
    "75 stopped, or the shard is another process's (start it again), 78 OUT has results of another configuration.",
    "weaksam run photos --labels labels.csv -m sam.wsam --clue-model clues.wsam -o out\n"
    "weaksam run photos --labels labels.csv -m sam.wsam -o out --learn --preset fast\n"
    "weaksam run photos --labels labels.csv -m sam.wsam -o out --shard auto/8\n"};

static const cli_help_row merge_rows[] = {{NULL, NULL, NULL}};

const cli_help help_merge = {
    "OUT is the folder that weaksam run --shard I/N wrote to. Names up to 20 missing and 20 failed "
    "images.",
    merge_rows,
    "Exit status: 0 success, 1 some images failed, 64 wrong usage, 65 a damaged manifest, 66 no run "
    "is there, 71 out of memory, 74 reading or writing failed, 75 shards are missing.",
    "weaksam merge out\n"};

static const cli_help_row status_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"--watch", "print it again and again until all images are done", NULL},
    {"--interval F", "seconds between looks", "2"},
    {NULL, NULL, NULL}};

const cli_help help_status = {
    "OUT is the folder that weaksam run writes to, on any machine that sees it. Prints images done and "
    "failed, images per second, time left, the slowest image and the most memory of any process, and "
    "a line for each shard that is not done. A shard is `gone` if its process ended without a word, "
    "and `silent` if --watch has seen no sign of life for two minutes: start it again.",
    status_rows,
    "Exit status: 0 all images are done, 1 done but some failed or a status file is damaged, 64 wrong usage, "
    "66 no run is there, 75 images are left, or a damaged status file cannot tell.",
    "weaksam status out\n"
    "weaksam status out --watch\n"
    "weaksam status out --json\n"};

static const cli_help_row scale_rows[] = {
    {NULL, "The run", NULL},
    {"--images N[,N...]", "images", "1000000"},
    {"--machines N[,N...]", "machines: a row for each", "1,10,100,1000"},
    {"--processes N", "shards at work on a machine at once", "1"},
    {"--cores N", "cores of a machine; more processes than these share them", "one each"},
    {"--shards N", "shards", "one for each process"},
    {"--steal", "shards help each other (weaksam run --steal)", NULL},
    {"--prepared", "one process looks at all images (weaksam run --prepared)", NULL},
    {"--seed N", "seed of what is drawn", "1"},
    {NULL, "Measured figures", NULL},
    {"--run OUT", "take seconds and journal bytes per image from this run", NULL},
    {"--image-seconds F", "seconds of an image in one process", "1"},
    {"--image-spread F", "standard deviation of their logarithm", "0.4"},
    {"--start-seconds F", "start of a process", "0.2"},
    {"--load-seconds F", "opening the models", "0.5"},
    {"--slow-share F", "share of machines that are slow", "0.02"},
    {"--slow-factor F", "how much longer they take", "1.5"},
    {"--launches-per-second F", "processes that the scheduler starts", "50"},
    {"--merge-seconds F", "seconds of weaksam merge per image", "0.00006"},
    {NULL, "Storage", NULL},
    {"--server-bandwidth F", "bytes per second of the file server", "2e9"},
    {"--machine-bandwidth F", "bytes per second of a machine's network", "1e9"},
    {"--server-operations F", "opens, creates and syncs per second", "20000"},
    {"--model-bytes N", "weight files", "104857600"},
    {"--image-bytes N", "an image file", "200000"},
    {"--record-bytes N", "results of an image in the journal", "4000"},
    {NULL, NULL, NULL}};

const cli_help help_bench_scale = {
    "Simulates weaksam run --shard on machines that share a file server, from figures of one process. "
    "`begin` is when the last process begins its first image, `first end` and `last end` when the first "
    "and the last one are through, `server` the share of that time in which the file server transfers, "
    "`memory` that of a process or the merge, whichever needs more. "
    "`used` is the share of all cores' time that went into images; `limit` is what most of the rest "
    "went to: compute (nothing to speak of), start, storage, stragglers or merge.",
    scale_rows, NULL,
    "weaksam bench scale --run out --machines 1,2,4,8 --images 100000\n"
    "weaksam bench scale --images 1e6 --image-seconds 8 --steal --prepared --json\n"};

static const cli_help_row report_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--suspects FILE", "annotations to show first (pgt_suspects.json)", NULL},
    HELP_MAX_PIXELS,
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output PAGE.html", "the page", NULL},
    {"--max-instances N", "most instances on the page: whole images, least certain first", "2000"},
    {"--thumbnail N", "long side of the images on the page in pixels", "640"},
    {"--title TEXT", "title of the page", "the data set's file name"},
    {NULL, NULL, NULL}};

const cli_help help_report = {
    "MASKS.json is a data set (weaksam run, masks or pgt), FOLDER has its images. The page is one "
    "file and loads nothing from the network. Accept and reject objects, draw boxes around others, "
    "mark images as done or as lacking objects, and export the review: weaksam import --into takes it "
    "into a run, and the page can load it again.",
    report_rows, NULL,
    "weaksam report out/masks.json photos -o review.html\n"
    "weaksam report out/learn/pgt.json photos --suspects out/learn/retrain/pgt_suspects.json \\\n"
    "    -o review.html\n"};

static const cli_help_row review_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--images FOLDER", "the images of the run", NULL},
    {"-m, --model MODEL.wsam", "weight file of a segmenter, to draw masks with", NULL},
    {"--data FILE", "labels to review", "OUT/final.json, else OUT/masks.json"},
    HELP_MAX_PIXELS,
    {NULL, "Order", NULL},
    {"--audit F", "share of images in random order, from which error rates are estimated", "0.4"},
    {"--seed N", "seed of that order", "1"},
    {"--minutes F", "show as many images as take so long, at the pace so far", "all"},
    {"--print-order", "print the names of the images in that order, and exit", NULL},
    {NULL, CLI_HELP_SPEED, NULL},
    {"--cached N", "embeddings to keep in memory", "8"},
    {NULL, CLI_HELP_OTHER, NULL},
    {"--port N", "port to listen on", "any free one"},
    {NULL, NULL, NULL}};

const cli_help help_review = {
    "OUT is the folder of a run. The page is served on 127.0.0.1 only; its address, good for one "
    "browser, is printed. Decisions go to OUT/review/journal.jsonl at once and to OUT/reviewed.json, "
    "which weaksam run and all later stages keep to.",
    review_rows, NULL, "weaksam review out --images photos -m sam.wsam\n"};

static const cli_help_row pilot_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--detections FILE",
     "what a machine finds on the reviewed images that was not trained on them (a COCO file with "
     "scores)",
     "what it had found when they were reviewed"},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output PAGE.html", "the page", "OUT/pilot.html"},
    {"--json FILE", "all figures as JSON", NULL},
    {"--write-rules FILE",
     "the thresholds for the first costs as a rules file, for --rules of weaksam masks, pgt and "
     "detect",
     NULL},
    {NULL, "What it costs", NULL},
    {"--costs FALSE:MISS[:LOOK]",
     "what a false detection costs, a miss and, if anybody looks, a look at one detection; may be "
     "given up to eight times",
     "20:1, 1:1 and 1:5"},
    {"--seconds-per-mask N", "to draw one object by hand", "79, as for COCO (Lin et al. 2014)"},
    {"--for-images N", "how many images there will be", "10000"},
    {"--iou F", "a detection is right from this IoU with an object of its class on", "0.5"},
    {NULL, NULL, NULL}};

const cli_help help_pilot = {
    "OUT is the folder of a run that was reviewed (weaksam review). Figures are those of the complete "
    "images of its random sample, two of five; 20 of them are a beginning, 50 decide most questions.",
    pilot_rows, NULL, "weaksam pilot out --costs 20:1:0.5\n"};

static const cli_help_row eval_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--gt GT", "ground truth: a COCO data set, or a folder of VOC annotations", NULL},
    {"--dt RESULTS",
     "results: a COCO results list, a COCO data set with scores, or proposals as JSON lines", NULL},
    {"--list FILE", "evaluate only these images: one name per line, as in VOC's ImageSets", NULL},
    {"--image-ids FILE",
     "file with the images and categories that the ids of a results list refer to; - for the ids of "
     "the ground truth",
     "images.json beside the list"},
    {NULL, "What to measure", NULL},
    {"--kind KIND[,KIND...]",
     "bbox and segm: COCO AP and AR; voc: VOC AP; corloc: CorLoc; recall: recall of proposals",
     "bbox"},
    {"--iou F[,F...]", "further IoU thresholds; for recall instead of 0.5,0.6,0.7,0.75,0.8,0.9",
     NULL},
    {"--metric NAME", "VOC AP: area, or 11point as in 2007", "area"},
    {"--mask-area", "segm: tell small, medium and large masks by their pixels, not their boxes",
     NULL},
    {NULL, CLI_HELP_SPEED, NULL},
    {"--threads N", "number of threads", "what this process may use"},
    {NULL, NULL, NULL}};

const cli_help help_eval = {
    "COCO figures equal those of pycocotools.", eval_rows, NULL,
    "weaksam eval --gt instances_val.json --dt masks.json --kind bbox,segm\n"
    "weaksam eval --gt VOC2007 --dt detections.json --kind voc,corloc --metric 11point\n"
    "weaksam eval --gt instances_val.json --dt proposals.jsonl --kind recall\n"};

static const cli_help_row export_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output FOLDER", "folder to write to", NULL},
    {"--format FORMAT", "coco, yolo (segmentation), voc, labelme, label-studio or cvat", NULL},
    {"--open-only", "leave out images that are completely reviewed", NULL},
    {"--no-side-file",
     "do not write weaksam.json, which keeps ids, scores and whatever else the format cannot hold "
     "until weaksam import reads it back",
     NULL},
    {NULL, NULL, NULL}};

const cli_help help_export = {"OUT is the folder of a run; its final data set is used.",
                              export_rows, NULL,
                              "weaksam export out --format cvat --open-only -o to_cvat\n"
                              "weaksam export out/final.json --format yolo -o yolo\n"};

static const cli_help_row import_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--images FOLDER", "the images; file names in the export are matched to them", NULL},
    {"--format FORMAT", "coco, yolo, voc, labelme, label-studio or cvat", "recognized"},
    {"--reviewed", "mark the images as completely reviewed", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output DATA.json", "a COCO data set", NULL},
    {"--into OUT", "or add to the decisions about a run (OUT/reviewed.json)", NULL},
    {NULL, NULL, NULL}};

const cli_help help_import = {
    "PATH is what the tool exported: a folder, or a file of COCO, LabelMe, Label Studio or CVAT "
    "(\"CVAT for images 1.1\"); with --into also a review that a page of weaksam report exported. Objects become `drawn`: a person made them, and no later stage "
    "changes them.",
    import_rows, NULL,
    "weaksam import from_cvat --images photos --into out --reviewed\n"
    "weaksam import yolo --images photos -o truth.json\n"};

static const cli_help_row join_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output C.json", "the joined data set", NULL},
    {"--iou F", "objects with a higher IoU are the same", "0.5"},
    {NULL, NULL, NULL}};

const cli_help help_join = {
    "Joins COCO data sets. Images match by file name, classes by name. If two objects are the same, "
    "a person's wins over a machine's, and a later file's over an earlier one's. A rejected object "
    "removes what a machine found there. A completely reviewed image keeps that review alone.",
    join_rows, NULL,
    "weaksam join monday.json tuesday.json -o all.json\n"
    "weaksam join out/final.json corrected.json -o final.json\n"};

static const cli_help_row check_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--labels LABELS", "which classes each image has, as for weaksam run", NULL},
    {"-m, --model MODEL.wsam",
     "run three images to estimate the time and disk space of a whole run", NULL},
    {"--clue-model FILE",
     "the clue network of that run; without one its classes are learnt, from three images here",
     NULL},
    {NULL, NULL, NULL}};

const cli_help help_check = {
    "DIR is what weaksam run takes: a folder, a tar file or a list. Reads labels and images and prints the classes with their numbers of images, names that are "
    "probably one class, images without a row and rows without an image, formats that are ignored, "
    "and images that are there twice. Changes nothing.",
    check_rows, NULL,
    "weaksam check photos --labels labels.csv\n"
    "weaksam check photos --labels labels.csv -m sam.wsam --clue-model clues.wsam\n"};
