/* cli/parameters.c - see parameters.h. */
#include "cli/parameters.h"

#include <inttypes.h>
#include <string.h>

typedef struct taker {
    const char *command, *name, *value;
} taker;

static int whole(const taker *t, long long low, long long high, long long *out)
{
    if (!cli_int(t->value, low, high, out))
        return cli_usage(t->command, "--%s '%s': expected a whole number from %lld to %lld",
                         t->name, t->value, low, high);
    return CLI_OK;
}

static int number(const taker *t, double low, double high, double *out)
{
    double v;
    if (!cli_numbers(t->value, 1, 1, &v) || !(v >= low && v <= high))
        return cli_usage(t->command, "--%s '%s': expected a number from %g to %g", t->name,
                         t->value, low, high);
    *out = v;
    return CLI_OK;
}

/* ---- clue points ---- */

static int take_layers(const taker *t, wsam_clues_params *p)
{
    double layers[WSAM_CLUES_MAX_LAYERS];
    const int n = cli_numbers(t->value, 1, WSAM_CLUES_MAX_LAYERS, layers);
    for (int i = 0; i < n; i++) {
        if (!(layers[i] >= 0.0 && layers[i] < 1e6) || layers[i] > (double)(int)layers[i])
            return cli_usage(t->command, "--%s '%s': expected layers from 0, with commas", t->name,
                             t->value);
        p->layers[i] = (int)layers[i];
    }
    p->n_layers = n;
    return n ? CLI_OK
             : cli_usage(t->command, "--%s '%s': expected layers, with commas", t->name, t->value);
}

/* One number of the peaks of all kinds of maps, or of one. The window of all is that of coarse and
 * fine: cross maps want a much wider one. */
static int take_peak(const taker *t, wsam_clues_params *p, int option)
{
    wsam_peak_params *const peaks[] = {&p->coarse, &p->fine, &p->cross};
    const int what = (option - CLI_PEAK_THRESHOLD) / 4, which = (option - CLI_PEAK_THRESHOLD) % 4;
    static const long long low[] = {0, 1, 1, 0}, high[] = {0, 65535, 65536, 1 << 20};
    double f = 0;
    long long n = 0;
    const int status = what ? whole(t, low[what], high[what], &n) : number(t, 0, 1, &f);
    if (status)
        return status;
    if (option >= CLI_PEAK_WINDOW && option < CLI_PEAK_MOST && n % 2 == 0)
        return cli_usage(t->command, "--%s '%s': expected an odd number", t->name, t->value);
    const int last = option == CLI_PEAK_WINDOW ? 2 : 3;
    for (int i = which ? which - 1 : 0; i < (which ? which : last); i++) {
        if (what == 0)
            peaks[i]->threshold = f;
        else if (what == 1)
            peaks[i]->window = (int)n;
        else if (what == 2)
            peaks[i]->most = (int)n;
        else
            peaks[i]->spacing = (int)n;
    }
    return CLI_OK;
}

static int take_point(const taker *t, wsam_clues_params *p, int option)
{
    long long n = 0;
    int status = CLI_OK;
    switch (option) {
    case CLI_VIEW_SIZE:
        status = whole(t, 0, 16384, &n);
        p->size = (int)n;
        return status;
    case CLI_VIEW_SCALES:
        p->n_scales = cli_numbers(t->value, 1, WSAM_CLUES_MAX_SCALES, p->scales);
        return p->n_scales ? CLI_OK
                           : cli_usage(t->command, "--scales '%s': expected up to %d numbers",
                                       t->value, WSAM_CLUES_MAX_SCALES);
    case CLI_VIEW_NO_MIRROR:
        p->mirror = 0;
        return CLI_OK;
    case CLI_VIEW_LAYERS:
        return take_layers(t, p);
    case CLI_VIEW_LOGIT:
        return number(t, -1e30, 1e30, &p->least_logit);
    case CLI_POINT_CLUSTER:
        status = whole(t, 0, 1 << 20, &n);
        p->points_per_cluster = (int)n;
        return status;
    case CLI_POINT_SEED:
        status = whole(t, 0, INT64_MAX, &n);
        p->seed = (uint64_t)n;
        return status;
    default:
        return take_peak(t, p, option);
    }
}

/* ---- proposals ---- */

static int take_sources(const taker *t, wsam_propose_options *o)
{
    o->sources = 0;
    for (const char *at = t->value; at; at = strchr(at, ',')) {
        at += *at == ',';
        const size_t n = strcspn(at, ",");
        const unsigned before = o->sources;
        for (int s = 0; s < WSAM_SOURCES; s++) {
            const char *name = wsam_source_name((wsam_source)s);
            if (strlen(name) == n && strncmp(name, at, n) == 0)
                o->sources |= 1u << s;
        }
        if (o->sources == before)
            return cli_usage(t->command,
                             "--sources '%s': expected grid, coarse, fine, class, cross, each once",
                             t->value);
    }
    return CLI_OK;
}

static int take_propose(const taker *t, wsam_propose_options *o, int option)
{
    long long n = 0;
    int status;
    switch (option) {
    case CLI_PROPOSE_SOURCES:
        return take_sources(t, o);
    case CLI_GRID_SIDE:
        status = whole(t, 1, 1024, &n);
        o->everything.points_per_side = (int)n;
        return status;
    case CLI_GRID_CROPS:
        status = whole(t, 0, 4, &n);
        o->everything.crop_n_layers = (int)n;
        return status;
    case CLI_GRID_IOU:
        return number(t, 0, 1e6, &o->everything.pred_iou_thresh);
    case CLI_GRID_STABILITY:
        return number(t, 0, 1e6, &o->everything.stability_score_thresh);
    case CLI_GRID_NMS:
        return number(t, 0, 1, &o->everything.box_nms_thresh);
    default:
        return number(t, 0, 1e6, &o->cross_iou);
    }
}

/* ---- scores ---- */

static int take_score(const taker *t, const cli_parameters *to, int option)
{
    long long n = 0;
    int status;
    switch (option) {
    case CLI_SCORE_MOST: /* 0: all */
        status = whole(t, 0, 1000000, &n);
        to->score->most = (size_t)n;
        return status;
    case CLI_SCORE_NMS:
        return number(t, 0, 1e6, &to->score->nms);
    case CLI_SCORE_MIN:
        return number(t, 0, 1e6, &to->score->min_score);
    case CLI_SCORE_CONTEXT:
        return number(t, 0, 1e6, &to->evidence->context);
    case CLI_SCORE_FLOOR:
        return number(t, 0, 1e6, &to->evidence->floor);
    case CLI_SCORE_LEVEL:
        return number(t, 0, 1e6, &to->evidence->level);
    case CLI_SCORE_QUALITY:
        return number(t, 0, 1e6, &to->evidence->quality);
    default:
        return number(t, 0, 1e6, &to->evidence->min_side);
    }
}

int cli_parameters_take(const char *command, const struct option *own, const cli_parameters *to,
                        int option, const char *value)
{
    while (own->val != option)
        own++;
    const taker t = {command, own->name, value};
    if (option < CLI_GRID_SIDE)
        return take_point(&t, to->clues, option);
    return option < CLI_SCORE_NMS ? take_propose(&t, to->propose, option)
                                  : take_score(&t, to, option);
}

/* ---- as text ---- */

static void print_peaks(ws_text *t, const char *name, const wsam_peak_params *p)
{
    ws_text_printf(t, "\"%s\":{\"window\":%d,\"threshold\":%.9g,\"most\":%d,\"spacing\":%d},", name,
                   p->window, p->threshold, p->most,
                   p->spacing < 0 ? (p->window - 1) / 2 : p->spacing);
}

static void print_clues(ws_text *t, const wsam_clues_params *p)
{
    ws_text_printf(t, "\"clue_size\":%d,\"scales\":[", p->size);
    for (int i = 0; i < p->n_scales; i++)
        ws_text_printf(t, "%s%.9g", i ? "," : "", p->scales[i]);
    ws_text_printf(t, "],\"mirror\":%d,\"layers\":[", p->mirror);
    for (int i = 0; i < p->n_layers; i++)
        ws_text_printf(t, "%s%d", i ? "," : "", p->layers[i]);
    ws_text_printf(t, "],");
    print_peaks(t, "coarse", &p->coarse);
    print_peaks(t, "fine", &p->fine);
    print_peaks(t, "cross", &p->cross);
    ws_text_printf(t, "\"points_per_cluster\":%d,\"point_seed\":%" PRIu64 ",",
                   p->points_per_cluster, p->seed);
}

static void print_propose(ws_text *t, const wsam_propose_options *p)
{
    const char *comma = "";
    ws_text_printf(t, "\"sources\":[");
    for (int s = 0; s < WSAM_SOURCES; s++)
        if (p->sources >> s & 1) {
            ws_text_printf(t, "%s\"%s\"", comma, wsam_source_name((wsam_source)s));
            comma = ",";
        }
    ws_text_printf(
        t,
        "],\"points_per_side\":%d,\"pred_iou_thresh\":%.9g,\"stability_score_thresh\":%.9g,"
        "\"box_nms_thresh\":%.9g,\"cross_iou\":%.9g,",
        p->everything.points_per_side, p->everything.pred_iou_thresh,
        p->everything.stability_score_thresh, p->everything.box_nms_thresh, p->cross_iou);
    if (p->everything.crop_n_layers)
        ws_text_printf(t, "\"crop_n_layers\":%d,", p->everything.crop_n_layers);
}

void cli_parameters_print_late(ws_text *t, const wsam_stage_options *o)
{
    static const char *const methods[] = {"adaptive", "top1", "top2", "fixed"};
    const double keep = o->pgt.keep >= 0                  ? o->pgt.keep
                        : o->pgt.method == WSAM_PGT_FIXED ? 0.2
                                                          : 0.3;
    ws_text_printf(t, "\"method\":\"%s\",\"keep\":%.9g,\"contained\":%.9g,\"surer\":%d",
                   methods[o->pgt.method], keep, o->pgt.contained, o->pgt.surer);
}

void cli_parameters_print(ws_text *t, const wsam_stage_options *o)
{
    print_clues(t, &o->clues);
    print_propose(t, &o->propose);
    ws_text_printf(t,
                   "\"nms\":%.9g,\"most\":%zu,\"min_score\":%.9g,\"context\":%.9g,\"floor\":%.9g,"
                   "\"score_level\":%.9g,\"quality\":%.9g,\"min_side\":%.9g,",
                   o->score.nms, o->score.most, o->score.min_score, o->evidence.context,
                   o->evidence.floor, o->evidence.level, o->evidence.quality, o->evidence.min_side);
    ws_text_printf(t, "\"keep_masks\":%d", o->keep_masks);
}
