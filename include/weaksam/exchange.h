/* weaksam/exchange.h - data sets for and from other annotation tools.
 *
 *   wsam_export   a COCO document -> COCO, YOLO, PASCAL VOC, LabelMe, Label Studio, CVAT
 *   wsam_import   any of these -> a COCO document
 *   wsam_import_pickle  pickles of WeakSAM's and MIST's code <-> JSON lines
 *   wsam_join     several documents -> one, with a stated rule for conflicts
 *
 * Masks keep their pixels: run lengths, PNG and outlines along pixel edges are exact. What a format
 * cannot hold (ids, scores, decisions of a person, holes and overlaps in PASCAL VOC) goes into a
 * file of its own beside it, `weaksam.json`, from which an object that nobody changed comes back
 * complete; without that file the loss is counted. Thread-safe; documents are freed with
 * wsam_coco_free. */
#ifndef WEAKSAM_EXCHANGE_H
#define WEAKSAM_EXCHANGE_H

#include "weaksam/base.h"
#include "weaksam/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum wsam_exchange_format {
    WSAM_EXCHANGE_COCO = 0,     /* annotations.json */
    WSAM_EXCHANGE_YOLO,         /* data.yaml and labels/NAME.txt, a polygon per object */
    WSAM_EXCHANGE_VOC,          /* Annotations/NAME.xml, SegmentationObject/, SegmentationClass/ */
    WSAM_EXCHANGE_LABELME,      /* NAME.json per image */
    WSAM_EXCHANGE_LABEL_STUDIO, /* tasks.json with predictions, label_config.xml */
    WSAM_EXCHANGE_CVAT,         /* annotations.xml, "CVAT for images 1.1" */
    WSAM_EXCHANGE_FORMATS
} wsam_exchange_format;

/* "coco", "yolo", "voc", "labelme", "label-studio", "cvat"; NULL out of range. */
WSAM_API const char *wsam_exchange_name(wsam_exchange_format format);

/* What came in, what went out, and why the rest did not. */
typedef struct wsam_exchange_counts {
    size_t images, objects; /* written, or read */
    size_t complete;        /* images left out because a person is done with them */
    size_t rejected;        /* objects that a person rejected: formats without a word for it */
    size_t boxes;           /* objects without a mask, written or read as boxes */
    size_t lost;            /* objects that the format cannot hold and no side file keeps */
    size_t unmatched;       /* images of the file that are not in the folder of images */
    char first_unmatched[256];
    size_t restored; /* objects that came back complete from weaksam.json */
    size_t removed;  /* objects of weaksam.json that a person took out: rejected now */
    size_t skipped;  /* shapes of a kind that has no area: points, lines, keypoints */
    uint64_t reserved[8];
} wsam_exchange_counts;

typedef struct wsam_export_options {
    int open_only;        /* 1: only images that are not reviewed completely yet */
    int no_side_file;     /* 1: no weaksam.json */
    uint64_t reserved[8]; /* zero */
} wsam_export_options;

/* Writes into `folder`, which is made when it is missing. An earlier export in it is replaced whole
 * (FOLDER/.weaksam-export names its files); a folder with other files than images is refused. All
 * files appear together: nothing of a failed export stays, but for whole files when a later one
 * cannot be renamed. Errors: file names that lead out of the folder, two images that would share a
 * file (a.jpg and a.png in YOLO), images without width and height where the format needs them.
 * `options` and `counts` may be NULL. */
WSAM_API wsam_status wsam_export(const wsam_coco_document *document, wsam_exchange_format format,
                                 const wsam_export_options *options, const char *folder,
                                 wsam_exchange_counts *counts, wsam_error *error);

typedef struct wsam_import_options {
    /* 1: somebody went through all images of the file. What comes back unchanged from weaksam.json
     * is accepted, what is missing was wrong and is rejected, and the images are complete. */
    int reviewed;
    uint64_t reserved[8]; /* zero */
} wsam_import_options;

/* `path`: a folder, or for COCO, LabelMe, Label Studio and CVAT a file. `format`: -1 finds out from
 * what is there. `images`: the folder of images; names are matched to its files (a tool's prefix,
 * backslashes and leading folders do no harm) and images that are not there are left out and
 * counted. Objects that are not in weaksam.json become `drawn`: somebody made them. Ids are 1, 2,
 * ... where the format has none. `options`, `found` and `counts` may be NULL. */
WSAM_API wsam_status wsam_import(const char *path, int format, const char *images,
                                 const wsam_import_options *options, wsam_coco_document **document,
                                 wsam_exchange_format *found, wsam_exchange_counts *counts,
                                 wsam_error *error);

/* Whether a file is a review that a page of wsam_report exported. */
WSAM_API int wsam_is_review(const char *path);
/* Such a review, as decisions about the one of `datasets` (paths, n of them) that it was made of,
 * which is found by its checksum: marked objects with all they have there, drawn boxes, states of
 * the images that somebody looked at. `counts` may be NULL. */
WSAM_API wsam_status wsam_import_review(const char *path, const char *const *datasets, size_t n,
                                        wsam_coco_document **document, wsam_exchange_counts *counts,
                                        wsam_error *error);

typedef struct wsam_join_options {
    double iou;           /* 0.5: objects of a class and image that overlap more are the same one */
    uint64_t reserved[8]; /* zero */
} wsam_join_options;

typedef struct wsam_join_counts {
    size_t images, objects; /* of the result */
    size_t duplicates;      /* objects dropped because another document has the same one */
    size_t by_person;       /* of these: dropped because a person made or accepted the other */
    size_t rejected;        /* objects of a machine dropped because a person rejected them */
    size_t same_file;       /* images that more than one document has */
    uint64_t reserved[8];
} wsam_join_counts;

/* Fills in the defaults. */
WSAM_API void wsam_join_options_default(wsam_join_options *options);

/* Images are the same by their file name, classes by their name. In an image that several documents
 * have, an object of a person (accepted, drawn) beats a machine's, a later document beats an earlier
 * one, and a rejected object removes what a machine found there (IoU above `iou`, of masks where
 * both have one, else of boxes; the same class). An image that a person reviewed completely keeps
 * the objects of that document alone; of several such, those of the last. Ids are kept where they
 * are free, else new ones are given. */
WSAM_API wsam_status wsam_join(const wsam_coco_document *const *documents, size_t n,
                               const wsam_join_options *options, wsam_coco_document **joined,
                               wsam_join_counts *counts, wsam_error *error);

/* ---- Python's pickles of proposals and labels -------------------------------------------------- */

typedef enum wsam_pickle_form {
    WSAM_PICKLE_USUAL = 0, /* a list for proposals, a dictionary for annotations */
    WSAM_PICKLE_LIST,      /* of arrays [n][4], as WeakSAM's code has them, or of all annotations */
    WSAM_PICKLE_DICT /* boxes, scores and indexes, as MIST's code reads them, or annotations by image */
} wsam_pickle_form;

/* Fill with zeros, then change fields. */
typedef struct wsam_pickle_options {
    /* Text file with a name per line, in the order of a pickled list; the ids of a dictionary are
     * looked up in it by their digits (2007_000027 is 2007000027, COCO_val2014_000000000042 is 42).
     * NULL: none */
    const char *names;
    const char *images;    /* folder with the images: lines get their file names and sizes; NULL */
    wsam_pickle_form form; /* of a pickle that is written */
    uint64_t reserved[8];  /* zero */
} wsam_pickle_options;

typedef struct wsam_pickle_counts {
    size_t images, boxes;
    int written; /* 1: a pickle was written, 0: lines */
    uint64_t reserved[4];
} wsam_pickle_counts;

/* A pickle into JSON lines, or such lines into a pickle of protocol 3; the file tells which it is.
 * Nothing of a pickle is run: numbers, texts, lists, dictionaries and numpy's arrays of numbers are
 * read, what else it asks for is an error (weights/import/pickle.h). Lines of proposals are those of
 * wsam_proposals_json, but that without `images` they have no width and height; other lines are
 * {"image","annotations":[...]} with what the pickle has. `options` and `counts` may be NULL. */
WSAM_API wsam_status wsam_import_pickle(const char *path, const wsam_pickle_options *options,
                                        const char *output, wsam_pickle_counts *counts,
                                        wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
