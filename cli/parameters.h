/* cli/parameters.h - options of the stages, which the stage's own command and weaksam run take. */
#ifndef WEAKSAM_CLI_PARAMETERS_H
#define WEAKSAM_CLI_PARAMETERS_H

#include "base/text.h"
#include "cli/cli.h"

/* Peaks come in fours: of all maps, coarse, fine, cross. */
enum {
    CLI_VIEW_SIZE = CLI_OWN + 200,
    CLI_VIEW_SCALES,
    CLI_VIEW_NO_MIRROR,
    CLI_VIEW_LAYERS,
    CLI_VIEW_LOGIT,
    CLI_POINT_CLUSTER,
    CLI_POINT_SEED,
    CLI_PEAK_THRESHOLD,
    CLI_PEAK_WINDOW = CLI_PEAK_THRESHOLD + 4,
    CLI_PEAK_MOST = CLI_PEAK_WINDOW + 4,
    CLI_PEAK_SPACING = CLI_PEAK_MOST + 4,
    CLI_GRID_SIDE = CLI_PEAK_SPACING + 4,
    CLI_GRID_CROPS,
    CLI_GRID_IOU,
    CLI_GRID_STABILITY,
    CLI_GRID_NMS,
    CLI_PROPOSE_SOURCES,
    CLI_PROPOSE_CROSS,
    CLI_SCORE_NMS,
    CLI_SCORE_MOST,
    CLI_SCORE_MIN,
    CLI_SCORE_CONTEXT,
    CLI_SCORE_FLOOR,
    CLI_SCORE_LEVEL,
    CLI_SCORE_QUALITY,
    CLI_SCORE_SIDE,
    CLI_PARAMETERS_END
};

/* Lines of a table of options; P stands before the names that another stage has, too. */
#define CLI_OPTION(name, value)                                                                    \
    {                                                                                              \
        name, required_argument, NULL, value                                                       \
    }
#define CLI_PEAK_OPTIONS(P, name, value)                                                           \
    CLI_OPTION(P name, value), CLI_OPTION(P "coarse-" name, value + 1),                            \
        CLI_OPTION(P "fine-" name, value + 2), CLI_OPTION(P "cross-" name, value + 3)
#define CLI_POINT_OPTIONS(P)                                                                       \
    CLI_OPTION("clue-max-side", CLI_VIEW_SIZE), CLI_OPTION("scales", CLI_VIEW_SCALES),             \
        {"no-mirror", no_argument, NULL, CLI_VIEW_NO_MIRROR},                                      \
        CLI_OPTION("layers", CLI_VIEW_LAYERS),                                                     \
        CLI_PEAK_OPTIONS(P, "threshold", CLI_PEAK_THRESHOLD),                                      \
        CLI_PEAK_OPTIONS(P, "window", CLI_PEAK_WINDOW),                                            \
        CLI_PEAK_OPTIONS(P, "max-per-map", CLI_PEAK_MOST),                                         \
        CLI_PEAK_OPTIONS(P, "spacing", CLI_PEAK_SPACING),                                          \
        CLI_OPTION("points-per-cluster", CLI_POINT_CLUSTER), CLI_OPTION(P "seed", CLI_POINT_SEED)
#define CLI_PROPOSE_OPTIONS                                                                        \
    CLI_OPTION("sources", CLI_PROPOSE_SOURCES), CLI_OPTION("points-per-side", CLI_GRID_SIDE),      \
        CLI_OPTION("crop-n-layers", CLI_GRID_CROPS), CLI_OPTION("pred-iou-thresh", CLI_GRID_IOU),  \
        CLI_OPTION("stability-score-thresh", CLI_GRID_STABILITY),                                  \
        CLI_OPTION("box-nms-thresh", CLI_GRID_NMS), CLI_OPTION("cross-iou", CLI_PROPOSE_CROSS)
#define CLI_SCORE_OPTIONS(P, MIN)                                                                  \
    CLI_OPTION(P "nms", CLI_SCORE_NMS), CLI_OPTION(P "max-per-image", CLI_SCORE_MOST),             \
        CLI_OPTION(MIN, CLI_SCORE_MIN), CLI_OPTION(P "context", CLI_SCORE_CONTEXT),                \
        CLI_OPTION(P "floor", CLI_SCORE_FLOOR), CLI_OPTION(P "level", CLI_SCORE_LEVEL),            \
        CLI_OPTION(P "quality", CLI_SCORE_QUALITY), CLI_OPTION(P "min-side", CLI_SCORE_SIDE)

/* Takes one of the options above for whichever of the structures is there; `own` is the command's
 * table. Returns CLI_OK or what cli_usage returned. */
typedef struct cli_parameters {
    wsam_clues_params *clues;
    wsam_propose_options *propose;
    wsam_score_options *score;
    wsam_evidence_options *evidence;
} cli_parameters;
int cli_parameters_take(const char *command, const struct option *own, const cli_parameters *to,
                        int option, const char *value);

/* All of them as members of a JSON object: what changes the results of a run. */
void cli_parameters_print(ws_text *t, const wsam_stage_options *options);
/* Those that change pseudo labels and masks alone. */
void cli_parameters_print_late(ws_text *t, const wsam_stage_options *o);

#endif
