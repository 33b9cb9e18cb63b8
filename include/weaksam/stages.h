/* weaksam/stages.h - from clue points to instance masks: proposals, scores, pseudo boxes, masks.
 *
 *   wsam_propose_run      a picture and its clue points -> boxes and masks without class
 *   wsam_score_proposals  proposals and clue maps -> scored boxes per class (or any wsam_scorer)
 *   wsam_pgt              scored boxes and image-level labels -> pseudo ground-truth boxes
 *   wsam_masks_run        boxes -> instance masks with a confidence
 *   wsam_roi_drop         which RoIs of a training batch lose their loss
 *
 * Every stage works on one picture and keeps nothing of it. The files between stages are read and
 * written one picture at a time: JSON lines for points and proposals, COCO documents for scored
 * boxes and masks. Method: WeakSAM (arXiv 2402.14812).
 *
 * Coordinates are pixels of the original picture. Structures that these functions fill belong to
 * the caller and are freed by the function named with them. Functions are thread-safe; an object
 * (proposer, reader, writer) belongs to one thread at a time. */
#ifndef WEAKSAM_STAGES_H
#define WEAKSAM_STAGES_H

#include "weaksam/base.h"
#include "weaksam/everything.h"
#include "weaksam/lines.h"
#include "weaksam/picture.h"
#include "weaksam/segment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- points ---------------------------------------------------------------------------------- */

typedef enum wsam_source {
    WSAM_SOURCE_GRID = 0, /* the even grid of the mask generator */
    WSAM_SOURCE_COARSE,   /* peaks of the class activation map */
    WSAM_SOURCE_FINE,     /* peaks of the refined map */
    WSAM_SOURCE_CLASS,    /* all coarse or all fine points of a class together */
    WSAM_SOURCE_CROSS,    /* clustered peaks of class-to-patch attention */
    WSAM_SOURCES
} wsam_source;

WSAM_API const char *wsam_source_name(wsam_source source); /* "grid", ...; NULL out of range */

typedef struct wsam_clue_point {
    double x, y;
    double score;
    int32_t class_index; /* in the classes of its picture; -1: none (cross) */
    wsam_source source;  /* coarse, fine or cross */
} wsam_clue_point;

/* The points of one picture: one line of a points file. Points of one source keep their order. */
typedef struct wsam_clue_points {
    char *image; /* relative path */
    int width, height;
    size_t n_classes;
    char **classes;
    double *logits; /* [n_classes] */
    size_t n;
    wsam_clue_point *points;
} wsam_clue_points;

WSAM_API void wsam_clue_points_free(wsam_clue_points *points); /* NULL is allowed */

/* The points of the next line; *points is NULL at the end of the file. An empty file is an
 * error. Messages name file, line and field. */
WSAM_API wsam_status wsam_points_next(wsam_line_reader *reader, wsam_clue_points **points,
                                      wsam_error *error);

/* One line of text as wsam_points_next reads it; `name` and `line` stand in messages. */
WSAM_API wsam_status wsam_points_parse(const char *text, size_t size, const char *name,
                                       uint64_t line, wsam_clue_points **points, wsam_error *error);

/* One line with a newline; free *json with wsam_free. WSAM_ERR_MEMORY is the only failure. */
WSAM_API wsam_status wsam_points_json(const wsam_clue_points *points, char **json);

/* ---- proposals ------------------------------------------------------------------------------- */

typedef struct wsam_proposal {
    float box[4]; /* x0, y0, x1, y1, inclusive; zeros for an empty mask */
    wsam_source source;
    float predicted_iou, stability_score;
    uint64_t area;        /* pixels of the mask; 0 when it was not kept */
    char *counts;         /* COCO's compressed run lengths, NUL-terminated; NULL: not kept */
    size_t counts_length; /* without the NUL */
    int cropped;          /* 1: found on a crop; on the whole image its box may not give its mask */
} wsam_proposal;

typedef struct wsam_proposals {
    int width, height;
    char *image; /* relative path; NULL as wsam_propose_run leaves it: allocated like the rest */
    size_t n;
    wsam_proposal *items;
} wsam_proposals;

WSAM_API void wsam_proposals_free(wsam_proposals *proposals); /* NULL is allowed */

/* Fill with wsam_propose_options_default, then change fields. */
typedef struct wsam_propose_options {
    unsigned sources;                   /* bits 1 << wsam_source: all five */
    wsam_everything_options everything; /* of the grid: 32 x 32, IoU > 0.3, stability >= 0.3, NMS
                                           0.3; the picture alone, no clean-up (never done). With
                                           crops small objects are found, each crop being encoded by
                                           itself. Its progress is asked in the encoder and between
                                           prompts of all sources, too */
    double cross_iou;                   /* 0.9: score-less suppression of cross boxes */
    int keep_masks;                     /* 1: run lengths stay with the proposals */
    uint64_t reserved[8];               /* zero */
} wsam_propose_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_propose_options_default(wsam_propose_options *options);

typedef struct wsam_propose_stats {
    uint64_t prompts[WSAM_SOURCES], proposals[WSAM_SOURCES];
    double seconds[WSAM_SOURCES];
    double encode_s;     /* the picture's size and the encoder */
    uint64_t outside;    /* points outside the picture, left out */
    uint64_t suppressed; /* cross boxes */
    uint64_t reserved[4];
} wsam_propose_stats;

/* Working memory for one model. */
typedef struct wsam_proposer wsam_proposer;

/* Opens the model's encoder and decoder for grid and clue points. WSAM_ERR_MISMATCH or _UNSUPPORTED when
 * it is no segmenter. One thread at a time. The caller frees *proposer, before the model. */
WSAM_API wsam_status wsam_proposer_create(wsam_model *model, wsam_proposer **proposer,
                                          wsam_error *error);
WSAM_API void wsam_proposer_free(wsam_proposer *proposer); /* NULL is allowed; model last */

/* The picture is encoded once; `embedding` may give what wsam_segmenter_encode made of it, and
 * `out_embedding` takes it over for later stages (both may be NULL). `points` may be NULL: the grid
 * alone. Order: grid by predicted IoU; coarse points one by one, then their classes together in
 * order of first appearance; fine likewise; cross, suppressed in stored order by IoU > cross_iou of
 * inclusive boxes. Of the three masks of a clue prompt, the first is dropped. */
WSAM_API wsam_status wsam_propose_run(wsam_proposer *proposer, const wsam_picture *picture,
                                      const wsam_embedding *embedding,
                                      const wsam_clue_points *points,
                                      const wsam_propose_options *options,
                                      wsam_proposals **proposals, wsam_propose_stats *stats,
                                      wsam_embedding **out_embedding, wsam_error *error);

/* {"image","width","height","proposals":[{"box","source","predicted_iou","stability_score"}]}, with
 * "area" and "segmentation" where masks were kept, in one line with a newline; free *json with
 * wsam_free. WSAM_ERR_MEMORY is the only failure. */
WSAM_API wsam_status wsam_proposals_json(const wsam_proposals *proposals, const char *image,
                                         char **json);

/* The proposals of the next line; *proposals is NULL at the end of the file. An empty file is an
 * error. Messages name file, line and field. */
WSAM_API wsam_status wsam_proposals_next(wsam_line_reader *reader, wsam_proposals **proposals,
                                         wsam_error *error);

/* One line of text as wsam_proposals_next reads it; `name` and `line` stand in messages. */
WSAM_API wsam_status wsam_proposals_parse(const char *text, size_t size, const char *name,
                                          uint64_t line, wsam_proposals **proposals,
                                          wsam_error *error);

/* ---- scored boxes and instances -------------------------------------------------------------- */

/* What a person decided about an annotation: `reviewed` in COCO files ("accepted", "drawn",
 * "rejected"). A decided annotation is truth: no stage moves, redraws, drops or renumbers it, and
 * it is written as the bytes that it was read as. A rejected one stays in the file, so that nothing
 * like it comes back. */
typedef enum wsam_reviewed {
    WSAM_REVIEWED_NO = 0,
    WSAM_REVIEWED_ACCEPTED,
    WSAM_REVIEWED_DRAWN,
    WSAM_REVIEWED_REJECTED
} wsam_reviewed;

/* How far a person is with an image: `review` in COCO files ("partial", "complete"). On a complete
 * one everything that is not marked is background. */
typedef enum wsam_review_state {
    WSAM_REVIEW_NONE = 0,
    WSAM_REVIEW_PARTIAL,
    WSAM_REVIEW_COMPLETE
} wsam_review_state;

/* A scored box; a pseudo label; with `counts`, an instance mask. */
typedef struct wsam_instance {
    int64_t id;          /* annotation id in its file; 0: none yet */
    int32_t class_index; /* in the list of classes */
    double bbox[4];      /* x, y, width, height; areas are width * height */
    double score;
    double raw_score;  /* of a pseudo label: the score before wsam_pgt divided it; 0: `score` */
    double confidence; /* of a mask: see wsam_masks_run */
    uint64_t area;     /* of the mask, pixels */
    float predicted_iou, stability_score;
    int origin; /* 1 + wsam_source of the proposal that the box is; 0: not known, or a detector's */
    char *counts; /* COCO's compressed run lengths, NUL-terminated, or NULL */
    size_t counts_length;
    wsam_reviewed reviewed;
    int crowd;    /* iscrowd */
    int unscored; /* 1: its data set gives no score, as tools for people write them; `score` is 1 */
    char *json;   /* the text of a decided annotation, NUL-terminated; NULL: none was read */
} wsam_instance;

/* What was measured of a box: raw_score, or score where that is it. */
WSAM_API double wsam_instance_evidence(const wsam_instance *instance);

typedef struct wsam_instances {
    size_t n;
    wsam_instance *items;
} wsam_instances;

/* What people decided on images, and what of the machines gave way to it. */
typedef struct wsam_truth_counts {
    size_t accepted, drawn, rejected; /* decided ones */
    size_t machine;                   /* others that stay */
    size_t complete, refused, again;  /* that went: on complete pictures, like a rejected one, like
                                         one that is there */
} wsam_truth_counts;

/* Drops of what machines found on one picture everything that a person has decided, in place;
 * decided ones (`reviewed`) stay as they are. A machine's box goes when the picture is complete;
 *   its IoU with a rejected box of its class is 0.7 or more;
 *   it is an accepted or drawn one again: IoU 0.5 or more in its class, 0.7 or more in another one,
 *     or 0.85 of it lie within one of its class.
 * Adds to `counts` (may be NULL). */
WSAM_API void wsam_keep_truth(wsam_instances *instances, wsam_review_state review,
                              wsam_truth_counts *counts);

/* Also those of NULL counts; clears the list, which itself is the caller's. NULL is allowed. */
WSAM_API void wsam_instances_clear(wsam_instances *instances);

/* The texts that ids of a COCO document stand for: an id that is a string, or beyond 63 bits, is a
 * number of 2^52 to 2^53 in memory and is written as it came. */
typedef struct wsam_id_texts wsam_id_texts;

/* Classes of a run or a file; the caller's. */
typedef struct wsam_classes {
    size_t n;
    const char *const *names;
    const int64_t *ids;            /* of the COCO documents; NULL: 1, 2, ... */
    const wsam_id_texts *id_texts; /* of all ids of the document that is written; NULL: none */
} wsam_classes;

/* ---- scores ---------------------------------------------------------------------------------- */

/* Where a class shows in the picture: the fine clue map, values from 0 to 1, spread over the whole
 * picture (pixel centres: the map's (i + 0.5) / height is the picture's). */
typedef struct wsam_clue_map {
    int32_t class_index; /* in the list of classes */
    int height, width;
    const float *values; /* [height][width] */
    double weight;       /* 1 for a given label; the class's probability for a predicted one */
} wsam_clue_map;

/* Maps of a file; maps[i] is of the class names[i], its class_index is i, its weight 1. */
typedef struct wsam_clue_maps {
    size_t n;
    char **names;
    wsam_clue_map *maps;
} wsam_clue_maps;

/* Reads the maps of one kind from a clue file (wsam_clues_save_tensors): tensors "fine.NAME" [H,W]
 * for kind "fine". A file without such maps gives none. The caller frees *maps. */
WSAM_API wsam_status wsam_clue_maps_load(const char *path, const char *kind, wsam_clue_maps **maps,
                                         wsam_error *error);
WSAM_API void wsam_clue_maps_free(wsam_clue_maps *maps); /* NULL is allowed */

/* What a scorer may look at. Pointers may be NULL where a caller has nothing to give. */
typedef struct wsam_score_input {
    const wsam_proposals *proposals;
    const wsam_clue_map *maps; /* one for every class that may be in the picture */
    size_t n_maps;
    const wsam_picture *picture;
    const wsam_embedding *embedding;
} wsam_score_input;

/* Gives every proposal a score for the class of every map: scores [proposals->n][n_maps], at most 0
 * for no. `boxes` is [proposals->n][n_maps][4], x0,y0,x1,y1 with inclusive ends, preset to the
 * proposals' own: a scorer that regresses boxes changes them. */
typedef struct wsam_scorer {
    void *user;
    wsam_status (*score)(void *user, const wsam_score_input *input, float *scores, float *boxes,
                         wsam_error *error);
    uint64_t reserved[4]; /* zero */
} wsam_scorer;

/* The built-in scorer: how well the mask explains the clue map around it. With f the map, M the
 * mask, W its box grown on every side by `context` of its width and height and cut at the picture,
 * p = |M| / |W|, m_in and m_out the means of f inside M and in W without M, s its deviation in W:
 *
 *   r     = (m_in - m_out) sqrt(p (1 - p)) / sqrt(s^2 + floor^2)   (correlation of f and M in W)
 *   score = weight * max(r, 0)^2 * m_in^level * max(predicted_iou, 0)^quality
 *
 * r^2 is the share of the map's variation around the mask that the mask explains, whatever its
 * size: a part leaves high values outside, an object with background takes low ones in, and both
 * lower it. Squared, scores fall off as fast as a detector's, which wsam_pgt's thresholds are made
 * for. Proposals without a mask are scored as boxes. Memory: 16 bytes a pixel. */
typedef struct wsam_evidence_options {
    double context;       /* 0.5 */
    double floor;         /* 0.2: contrasts below it count as flat */
    double level;         /* 1 */
    double quality;       /* 1 */
    double min_side;      /* 2: smaller boxes (inclusive width or height) get no score */
    uint64_t reserved[8]; /* zero */
} wsam_evidence_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_evidence_options_default(wsam_evidence_options *options);
/* `options` must live as long as the scorer; NULL takes the defaults. */
WSAM_API void wsam_evidence_scorer(const wsam_evidence_options *options, wsam_scorer *scorer);

typedef struct wsam_score_options {
    double nms;           /* 0.3: suppress boxes of a class above this IoU; 1 or more: off */
    size_t most;          /* 100 boxes a picture; 0: no limit. Equal scores at the limit all stay */
    double min_score;     /* 0: keep scores above this */
    uint64_t reserved[8]; /* zero */
} wsam_score_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_score_options_default(wsam_score_options *options);

/* Exact duplicates among proposals are dropped, then scores, NMS per class, and the limit. Out:
 * classes in the order of the maps, best score first; bbox of inclusive boxes: width = x1 - x0 + 1.
 * `options` may be NULL. */
WSAM_API wsam_status wsam_score_proposals(const wsam_scorer *scorer, const wsam_score_input *input,
                                          const wsam_score_options *options, wsam_instances *out,
                                          wsam_error *error);

/* ---- pseudo ground truth --------------------------------------------------------------------- */

typedef enum wsam_pgt_method {
    WSAM_PGT_ADAPTIVE = 0, /* threshold relative to the range of scores, and the overlap filter */
    WSAM_PGT_TOP1,
    WSAM_PGT_TOP2,
    WSAM_PGT_FIXED /* threshold on scores as they are, and the overlap filter */
} wsam_pgt_method;

typedef struct wsam_pgt_options {
    wsam_pgt_method method;
    double keep;          /* t_keep: 0.3 adaptive, 0.2 fixed; negative takes these */
    double contained;     /* t_con 0.85: a box of which so much lies in another of its class goes */
    int surer;            /* 1: only a box of a higher score removes what it contains; 0 */
    uint64_t reserved[7]; /* zero */
} wsam_pgt_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_pgt_options_default(wsam_pgt_options *options);

/* One picture. Decided boxes stay as they are, before the others. Adaptive: scores are divided by
 * (highest - lowest + 1e-8) of their class in the picture (where all are equal, a single one above
 * all, there is no range: they become 1, or 0 when they are not above 0); the best box of each
 * class stays, others when >= keep; then every box of which at least `contained` lies inside
 * another kept one of its class is dropped, all tested against the same set. The published rule
 * drops the best box of a class, too, where a weaker one covers it, such as one around a group:
 * `surer` keeps it. `labels`: classes of the picture, n_labels of them; boxes of other classes are
 * dropped. NULL labels: any class. The order stays that of `in`; scores written are those compared,
 * raw_score is what they were made of. TOP1 wants scores above 0, TOP2 truncates coordinates to
 * whole numbers. Areas are width * height. */
WSAM_API wsam_status wsam_pgt(const wsam_instances *in, const int32_t *labels, size_t n_labels,
                              const wsam_pgt_options *options, wsam_instances *out,
                              wsam_error *error);

/* ---- instance masks -------------------------------------------------------------------------- */

/* Box prompts, one mask each (mask 0); empty masks are left out; decided boxes and
 * those that have a mask stay as they are. In the order of the boxes: out[i] has the id, class and
 * score of its box, bbox and area of its mask. An unscored box is a person's: its bbox stays.
 *
 *   confidence = cube root(clamp(evidence) * clamp(predicted_iou) * clamp(stability_score))
 *
 * with clamp to [0,1] and wsam_instance_evidence: the best box of a class has an adaptive score of
 * 1 or more however weak it is. Boxes are cut at the picture's edge; those outside of it are left
 * out. */
WSAM_API wsam_status wsam_masks_run(wsam_segmenter *segmenter, const wsam_embedding *embedding,
                                    const wsam_instances *boxes, wsam_instances *out,
                                    wsam_error *error);

/* ---- COCO documents -------------------------------------------------------------------------- */

typedef enum wsam_coco_kind {
    WSAM_COCO_RESULTS = 0, /* a list of scored boxes, with images.json beside it; `source` where
                              it is known. A proposal of a crop has its mask, crop_mask, here and in
                              data sets of boxes, for wsam_masks_run */
    WSAM_COCO_BOXES,       /* a data set: images, annotations, categories, info. Pseudo labels have
                              raw_score and source, the proposal's or "detector" */
    WSAM_COCO_MASKS,       /* with segmentation as run lengths, predicted_iou, stability_score */
    WSAM_COCO_POLYGONS     /* with segmentation as polygons */
} wsam_coco_kind;

typedef struct wsam_coco_image {
    int64_t id; /* 0: its position from 1 */
    const char *file_name;
    int width, height;
    wsam_review_state review;
    const char *more; /* further members, `,"name":value...`; NULL: none */
} wsam_coco_image;

/* A document written image by image, under a temporary name. */
typedef struct wsam_coco_writer wsam_coco_writer;

/* Opens a document. `info` is the text of a JSON object with the parameters, or NULL. The classes
 * must live until finish. */
WSAM_API wsam_status wsam_coco_open(const char *path, wsam_coco_kind kind,
                                    const wsam_classes *classes, const char *info,
                                    wsam_coco_writer **writer, wsam_error *error);

/* Adds an image and its annotations. Annotations without an id get the next number above all
 * before; a decided one is written as it was read, with other ids where `image` or the classes say
 * so. */
WSAM_API wsam_status wsam_coco_put(wsam_coco_writer *writer, const wsam_coco_image *image,
                                   const wsam_instances *instances, wsam_error *error);

/* Annotations without an id get numbers above `id` from now on. */
WSAM_API void wsam_coco_reserve(wsam_coco_writer *writer, int64_t id);

/* Renames the files when `status` is WSAM_OK, else removes them; frees the writer. Returns
 * `status`, or what went wrong while finishing. */
WSAM_API wsam_status wsam_coco_finish(wsam_coco_writer *writer, wsam_status status,
                                      wsam_error *error);

/* A results list or data set, read as a stream into boxes by picture; of segmentations only a
 * crop_mask is kept. Pictures in the order of the file, boxes of one in the order of the file. */
typedef struct wsam_coco_document {
    size_t n_images, n_classes;
    int64_t *image_ids;
    char **file_names;
    int *sizes; /* [n_images][2]: width, height; 0 when not said */
    char **class_names;
    int64_t *class_ids;
    wsam_review_state *reviews; /* [n_images] */
    char **more;   /* [n_images]: members of reviewed images that nothing here reads, or NULL */
    size_t *first; /* [n_images + 1] */
    wsam_instances instances; /* of image i: items first[i] .. first[i+1]-1 */
    wsam_id_texts *id_texts;  /* of images, classes and annotations; NULL: all are numbers */
} wsam_coco_document;

/* `images`: for a results list, the file with its images and categories; NULL: images.json beside
 * it, unless that says that it is about other lists (WSAM_ERR_MISMATCH). Ids may be strings, a
 * picture's file name or a class's name. Unknown pictures and classes, duplicate ids and file names,
 * and an empty file are errors. */
WSAM_API wsam_status wsam_coco_load(const char *path, const char *images,
                                    wsam_coco_document **document, wsam_error *error);
/* As before, with `counts`, area, confidence and qualities of annotations that have a segmentation
 * (run lengths or polygons); without a confidence, the score is taken for it. */
WSAM_API wsam_status wsam_coco_load_masks(const char *path, const char *images,
                                          wsam_coco_document **document, wsam_error *error);
WSAM_API void wsam_coco_free(wsam_coco_document *document); /* NULL is allowed */

/* Takes over what people decided in `truth`: decided annotations, review states, the ids of its
 * images and classes; images are found by their names. Machine annotations of `document` stay where
 * wsam_keep_truth leaves them; ids of theirs that would be there twice become new ones. Decided
 * annotations that `document` had itself stay unless truth decided about the same id. Adds to
 * `counts`; `unknown` (may be NULL) counts the images with decisions that `document` lacks. */
WSAM_API wsam_status wsam_coco_adopt(wsam_coco_document *document, const wsam_coco_document *truth,
                                     wsam_truth_counts *counts, size_t *unknown, wsam_error *error);
/* Gives a class another name; where a class of that name is there, the two become one. */
WSAM_API wsam_status wsam_coco_rename_class(wsam_coco_document *document, const char *from,
                                            const char *to, wsam_error *error);
/* Classes under the names of the labels again: `run --rename` gives them others in `final`, the final.json that the
 * document was made from, which says so. Of a file that is not there, or says nothing, nothing is undone. */
WSAM_API wsam_status wsam_coco_undo_renames(wsam_coco_document *document, const char *final,
                                            wsam_error *error);
/* Removes a class with all its annotations, also those that people decided; *dropped (may be NULL)
 * is how many. Both: WSAM_ERR_ARGUMENT when there is no such class. */
WSAM_API wsam_status wsam_coco_drop_class(wsam_coco_document *document, const char *name,
                                          size_t *dropped, wsam_error *error);
/* The whole document as a file; `info` as for wsam_coco_open. */
WSAM_API wsam_status wsam_coco_save(const wsam_coco_document *document, const char *path,
                                    wsam_coco_kind kind, const char *info, wsam_error *error);

/* ---- review ---------------------------------------------------------------------------------- */

/* What a person said: {"checksum": wsam_file_checksum of the data set, "ID": "accept" or "reject", ...}. */
typedef struct wsam_review wsam_review;
/* `dataset` is the file that was reviewed; another checksum is WSAM_ERR_MISMATCH. */
WSAM_API wsam_status wsam_review_load(const char *path, const char *dataset, wsam_review **review,
                                      wsam_error *error);
WSAM_API void wsam_review_free(wsam_review *review); /* NULL is allowed */
/* 1 accepted, -1 rejected, 0 not marked. */
WSAM_API int wsam_review_of(const wsam_review *review, int64_t annotation_id);

/* ---- RoI drop -------------------------------------------------------------------------------- */

typedef enum wsam_roi_drop_rule {
    WSAM_ROI_DROP_OFF = 0,
    WSAM_ROI_DROP_JOINT,      /* both losses above their thresholds: both are dropped */
    WSAM_ROI_DROP_INDEPENDENT /* regression above its threshold: both are dropped; classification
                                 above its threshold: classification alone */
} wsam_roi_drop_rule;

typedef struct wsam_roi_drop_options {
    wsam_roi_drop_rule rule; /* joint */
    double cls, reg;         /* thresholds: 4.0, 4.0 */
    int64_t warmup;          /* iterations before the first drop: 2000 */
    uint64_t reserved[8];    /* zero */
} wsam_roi_drop_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_roi_drop_options_default(wsam_roi_drop_options *options);

/* Per RoI: cls_loss, reg_loss (read for foreground alone), foreground 0 or 1. keep_cls and keep_reg
 * receive 1 or 0; background RoIs always keep their classification loss and never have a regression
 * loss. Divisors stay the number of all RoIs: loss = sum(keep * loss) / n. Returns the number of
 * RoIs that lost something. NaN losses are above every threshold. */
WSAM_API size_t wsam_roi_drop(const float *cls_loss, const float *reg_loss,
                              const uint8_t *foreground, size_t n, int64_t iteration,
                              const wsam_roi_drop_options *options, uint8_t *keep_cls,
                              uint8_t *keep_reg);

#ifdef __cplusplus
}
#endif
#endif
