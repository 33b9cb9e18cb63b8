/* cli/help_models.c - help of the commands around weight files: convert, export-onnx, inspect,
 * verify, kernels, twin, draw. */
#include "cli/help_tables.h"

static const cli_help_row convert_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output MODEL.wsam", "the weight file", NULL},
    {"--type TYPE", "type of the weights: f32, bf16 or int8", "f32"},
    {"--license TEXT", "license text to store in the file", NULL},
    {"--classes FILE|LIST",
     "class names of a clue network or a detector: a file with one name per line, names separated by "
     "commas, voc or coco",
     NULL},
    {NULL, "Model", NULL},
    {"--arch NAME", "model family", "recognized by tensor names"},
    {"--image-size N", "side of the input, if it is not the published one", NULL},
    {"--heads N", "attention heads, if the head size is not 64", NULL},
    {"--positions MODE", "how a backbone's position table is resampled: offset, size or antialias",
     "as the model's own code does"},
    {"--uniform-fusion", "clue networks: weight all attention maps alike, as WeakSAM's code does",
     NULL},
    {NULL, "Detectors (Faster R-CNN, Mask R-CNN)", NULL},
    {"--backbone-style STYLE",
     "caffe: stride in 1x1 convolutions, BGR (detectron2's MSRA/R-50); pytorch: stride in 3x3 "
     "convolutions, RGB",
     "as the checkpoint tells"},
    {"--norm-eps E", "what is added to the norms' variances: 1e-5 or 0",
     "1e-5, for torchvision's published weights 0"},
    {"--sides SHORT,LONG", "size of resized images", "800,1333"},
    {NULL, "Quantization (int8)", NULL},
    {"--calibrate DIR", "measure outliers on up to 64 images of a folder", NULL},
    {"--no-smoothing", "do not move outliers of the inputs into the weights", NULL},
    {"--exact-rest", "keep f32 where int8 files have bf16", NULL},
    {NULL, NULL, NULL}};

const cli_help help_convert = {
    "Reads PyTorch checkpoints (.pth, both containers) and safetensors. Equal tensors give equal "
    "files, whatever they came in.",
    convert_rows, NULL,
    "weaksam convert sam_vit_b_01ec64.pth -o sam.wsam\n"
    "weaksam convert mobile_sam.pt --type int8 --calibrate photos -o sam_int8.wsam\n"};

static const cli_help_row export_onnx_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output OUT",
     "a folder, which gets GRAPH.onnx for every graph, or a file ending in .onnx", NULL},
    {"--graph NAME", "export only this graph", "all; image_encoder where OUT is a file"},
    {"--external-data", "store constants in GRAPH.onnx.data", "only above 1 GiB"},
    {NULL, "Decoder", NULL},
    {"--candidates N",
     "masks per prompt: 3 for ambiguous prompts, 1 for clear ones, 4 for both in one answer", "3"},
    {"--prompts N", "fix the number of prompts of a run", "free"},
    {"--points N", "fix the number of points of a prompt", "free"},
    {NULL, "Quantization (int8 files)", NULL},
    {"--calibrate DIR",
     "measure one constant scale per product on up to 64 images of a folder; other runtimes are "
     "fast with these",
     "a scale per row, computed in the graph"},
    {NULL, NULL, NULL}};

const cli_help help_export_onnx = {
    "Inputs and outputs are those of the weight file with the number of prompts, or 1, as first "
    "dimension, and maps as [1,C,H,W]: image [1,3,S,S] normalised as the model's metadata tell, "
    "embedding, points in [0,1], labels. An int8 file is written with QuantizeLinear and "
    "DequantizeLinear. Models of more than 1 GiB come with a data file.",
    export_onnx_rows, NULL,
    "weaksam export-onnx sam.wsam -o onnx\n"
    "weaksam export-onnx sam_int8.wsam -o encoder.onnx --calibrate photos\n"};

static const cli_help_row inspect_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"--tensors", "list every tensor", NULL},
    {"--steps", "list every step of the lowered graphs", NULL},
    {NULL, NULL, NULL}};

const cli_help help_inspect = {NULL, inspect_rows, NULL,
                               "weaksam inspect sam.wsam\n"
                               "weaksam inspect sam.wsam --steps --isa avx2\n"};

static const cli_help_row verify_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--against CHECKPOINT",
     "also run the checkpoint in f32 and print the error of every graph of the file", NULL},
    {NULL, NULL, NULL}};

const cli_help help_verify = {NULL, verify_rows, NULL,
                              "weaksam verify sam.wsam\n"
                              "weaksam verify sam_int8.wsam --against sam_vit_b_01ec64.pth\n"};

static const cli_help_row kernels_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"--list", "list the names of the kernels, one block per family", NULL},
    {"--as-if LEVEL", "show the choice of a machine whose best level is LEVEL", NULL},
    {NULL, NULL, NULL}};

const cli_help help_kernels = {NULL, kernels_rows, NULL,
                               "weaksam kernels\n"
                               "weaksam kernels --as-if avx2 --list\n"};

static const cli_help_row twin_rows[] = {
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output OUT.safetensors", "the checkpoint", NULL},
    {"--outliers", "make every 61st norm weight ten times larger, as in trained models", NULL},
    {NULL, NULL, NULL}};

const cli_help help_twin = {
    "The values are derived from the names of the tensors: a stand-in where no trained weights are "
    "at hand. It has the speed of the family, but its masks mean nothing.",
    twin_rows, NULL, "weaksam twin mobile_sam -o twin.safetensors\n"};

static const cli_help_row draw_rows[] = {{NULL, CLI_HELP_OUTPUT, NULL},
                                         {"-o, --output OUT.png", "the image", NULL},
                                         {"--size W,H", "width and height in pixels", "640,480"},
                                         {NULL, NULL, NULL}};

const cli_help help_draw = {NULL, draw_rows, NULL, "weaksam draw -o picture.png --size 320,240\n"};

static const cli_help_row trace_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"-m, --model MODEL.wsam", "weight file", NULL},
    {"--prompt NUMBERS", "of a segmenter: a point X,Y or X,Y,LABEL, or a box X0,Y0,X1,Y1",
     "a point in the middle"},
    HELP_MAX_PIXELS,
    {NULL, "What to compare", NULL},
    {"--diff REFERENCE",
     "compare with: plain (the same model operator by operator), an instruction-set level, or a "
     "file that --save wrote",
     NULL},
    {"--tolerance F",
     "largest relative L2 difference to accept; values beyond it are marked, and the exit status "
     "is 1",
     "0.001"},
    {"--steps PATTERN", "only values whose name matches, for example '*/blocks.3.*'", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"--save FILE", "write the values to a .safetensors file", NULL},
    {NULL, NULL, NULL}};

const cli_help help_trace = {
    "Segmenters run one prompt; clue networks, backbones and detectors see the image once.",
    trace_rows, NULL,
    "weaksam trace -m sam.wsam photo.jpg --diff plain\n"
    "weaksam trace -m sam.wsam photo.jpg --isa avx2 --save avx2.safetensors\n"};
