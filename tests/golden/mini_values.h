/* tests/golden/mini_values.h - the mini goldens: inputs and what the official modules give for
 * them. */
#ifndef WS_TESTS_GOLDEN_MINI_VALUES_H
#define WS_TESTS_GOLDEN_MINI_VALUES_H

#include <stddef.h>
#include <stdint.h>

typedef struct value {
    int c, y, x; /* channel or mask, row, column */
    double want;
} value;

enum { MAX_VALUES = 5, IMAGE = 256, GRID = 64, WIDTH = 256, LOGITS = 256 };

/* An encoder run: `embedding` of an image of IMAGE pixels a side, 16 x 16 x 256. */
typedef struct encoder_golden {
    const char *id, *file;
    double mean, abs_mean;
    value values[MAX_VALUES];
    int n_values;
} encoder_golden;

static const encoder_golden encoders[] = {
    {"G6 SAM encoder",
     "sam_mini",
     0.005840544,
     0.8054309,
     {{0, 0, 0, -2.355262}, {100, 7, 9, -1.140625}, {255, 15, 15, -1.300102}},
     3},
    {"G7 TinyViT encoder",
     "tiny_mini",
     0.008952742,
     0.8074429,
     {{0, 0, 0, 0.1037151}, {100, 7, 9, 2.161447}, {255, 15, 15, -0.913817}},
     3},
    {"G8 EfficientSAM encoder",
     "efficient_mini",
     0.004881457,
     0.8051374,
     {{0, 0, 0, 0.9393497}, {100, 7, 9, 0.03454311}, {255, 15, 15, -0.119058}},
     3},
};

/* A decoder run: one prompt of points in a frame (width, height), masks first..first+masks-1. */
typedef struct decoder_golden {
    const char *id, *file, *graph;
    int n_points, first, masks, with_mask;
    double frame_w, frame_h;
    float xy[6][2];
    int32_t labels[6];
    int n_iou;
    double iou[4];
    int out_h, out_w; /* masks are compared after a bicubic resize to this, when not 0 */
    double mean, abs_mean;
    value values[MAX_VALUES];
    int n_values;
} decoder_golden;

static const decoder_golden decoders[] = {
    {"G4 SAM decoder, two points",
     "mobile_sam",
     "mask_decoder",
     3,
     0,
     4,
     0,
     1024,
     1024,
     {{100, 200}, {700, 300.5f}, {0, 0}},
     {1, 0, -1},
     4,
     {0.1701493, 0.09088796, -0.1339070, 0.02147276},
     0,
     0,
     0.01066694,
     0.06393861,
     {{0, 0, 0, 0.1892537},
      {0, 100, 200, 0.02160404},
      {1, 128, 128, -0.08417788},
      {2, 7, 250, -0.09721546},
      {3, 255, 255, 0.001980043}},
     5},
    {"G5 SAM decoder, box and mask",
     "mobile_sam",
     "mask_decoder_with_mask",
     2,
     0,
     4,
     1,
     1024,
     1024,
     {{75, 275}, {800, 850}},
     {2, 3},
     4,
     {0.05686015, 0.006610926, -0.1830237, -0.003354508},
     0,
     0,
     0.007552937,
     0.06536466,
     {{0, 0, 0, 0.06086367}, {3, 100, 200, 0.08498007}},
     2},
    {"G9 EfficientSAM decoder",
     "efficient_sam_ti",
     "mask_decoder",
     6,
     1,
     3,
     0,
     1024,
     1024,
     {{100, 200}, {700, 300.5f}, {-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}},
     {1, 0, -1, -1, -1, -1},
     3,
     {-0.1447552, 0.03693204, 0.1992852},
     0,
     0,
     -0.003657308,
     0.05317528,
     {{0, 0, 0, 0.1006182}, {1, 100, 200, -0.02220353}, {2, 255, 255, -0.034209}},
     3},
    {"G9 EfficientSAM decoder, 800x600",
     "efficient_sam_ti",
     "mask_decoder",
     6,
     1,
     3,
     0,
     800,
     600,
     {{100, 200}, {700, 300.5f}, {-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}},
     {1, 0, -1, -1, -1, -1},
     0,
     {0},
     600,
     800,
     -0.00349458,
     0.0469132,
     {{0, 0, 0, 0.1653121}, {1, 300, 400, -0.004104173}, {2, 599, 799, -0.04365909}},
     3},
};

/* Inner values of a graph, made outputs by mini_make: [rows][channels] for one prompt. */
typedef struct tap_golden {
    const char *id, *file, *graph, *output;
    size_t rows, channels;
    double mean, abs_mean;
    struct {
        int row, channel;
        double want;
    } values[8];
    int n_values;
} tap_golden;

static const tap_golden encoder_taps[] = {
    {"G6 tokens",
     "sam_mini_taps",
     "image_encoder",
     "tokens",
     256,
     64,
     0.01450293,
     0.3603428,
     {{0, 0, 0.7393961}, {255, 63, -1.114907}},
     2},
    {"G6 block 0 (windows)",
     "sam_mini_taps",
     "image_encoder",
     "block0",
     256,
     64,
     0.0175702,
     0.405294,
     {{0, 0, 1.444395}, {3 * 16 + 14, 10, -0.03686264}, {255, 63, -1.25245}},
     3},
    {"G6 block 1 (global)",
     "sam_mini_taps",
     "image_encoder",
     "block1",
     256,
     64,
     -0.000928012,
     0.4611424,
     {{0, 0, 1.594457}, {3 * 16 + 14, 10, 0.3119399}, {255, 63, -0.6337519}},
     3},
    {"G6 block 2",
     "sam_mini_taps",
     "image_encoder",
     "block2",
     256,
     64,
     0.000857105,
     0.4982072,
     {{0, 0, 1.589052}, {3 * 16 + 14, 10, 0.0233387}, {255, 63, -0.827701}},
     3},
    {"G7 stem",
     "tiny_mini_taps",
     "image_encoder",
     "stem",
     4096,
     64,
     0.00512364,
     0.1117598,
     {{0, 0, -0.06049451}, {4095, 63, -0.2366882}},
     2},
    {"G7 layer 0",
     "tiny_mini_taps",
     "image_encoder",
     "layer0",
     1024,
     128,
     0.01639225,
     0.0673714,
     {{0, 0, -0.02974836}, {1023, 127, 0.07248262}, {512, 3, 0.03615318}},
     3},
    {"G7 layer 1",
     "tiny_mini_taps",
     "image_encoder",
     "layer1",
     256,
     160,
     -0.000723513,
     0.08138993,
     {{0, 0, 0.00351135}, {255, 159, -0.1432682}, {128, 3, -0.2040914}},
     3},
    {"G7 layer 2",
     "tiny_mini_taps",
     "image_encoder",
     "layer2",
     256,
     320,
     0.006715034,
     0.07200242,
     {{0, 0, 0.1075128}, {255, 319, 0.1274023}, {128, 3, 0.09896203}},
     3},
    {"G7 layer 3",
     "tiny_mini_taps",
     "image_encoder",
     "layer3",
     256,
     320,
     -0.000107331,
     0.2434987,
     {{0, 0, 0.3523114}, {255, 319, -0.1559566}, {128, 3, 0.0260968}},
     3},
};

/* Prompt-rate taps; the prompt is that of decoders[prompt]. */
static const struct {
    tap_golden tap;
    int prompt;
} decoder_taps[] = {
    {{"G1 SAM tokens of two points",
      "decoder_taps",
      "mask_decoder_with_mask",
      "sparse",
      3,
      256,
      0.1375556,
      0.4327061,
      {{0, 0, 0.7931213},
       {0, 1, 1.006465},
       {0, 128, -0.5998561},
       {1, 0, -0.246677},
       {1, 255, 0.851648},
       {2, 0, -0.02594098},
       {2, 255, 0.06233478}},
      7},
     0},
    {{"G2 SAM tokens of a box",
      "decoder_taps",
      "mask_decoder_with_mask",
      "sparse",
      2,
      256,
      0.09774805,
      0.6396478,
      {{0, 0, 0.660451}, {0, 200, 0.9734088}, {1, 0, -0.4677277}, {1, 200, 0.9353802}},
      4},
     1},
    {{"G3 SAM mask prompt",
      "decoder_taps",
      "mask_decoder_with_mask",
      "dense",
      4096,
      256,
      0.02254947,
      0.2899209,
      {{0, 0, 0.1896099}, {5 * 64 + 9, 17, 0.5369617}, {4095, 255, -0.3219962}},
      3},
     1},
    {{"G9 EfficientSAM tokens",
      "efficient_decoder_taps",
      "mask_decoder",
      "sparse",
      6,
      256,
      0.08064594,
      0.6267834,
      {{0, 0, 0.8237846}, {1, 0, -0.1845173}, {2, 0, 0.3771029}, {5, 255, 0.603156}},
      4},
     2},
};

#endif
