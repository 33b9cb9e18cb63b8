/* tests/unit/test_eval.c - evaluation: figures worked out by hand, and those of pycocotools.
 *
 * WEAKSAM_GOLDEN names a folder with coco_eval/{small,large}. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_eval.h"

static void close_to(double got, double want)
{
    cr_assert(fabs(got - want) < 1e-12, "%.17g where %.17g is wanted", got, want);
}

static wsam_eval_figures *figures(const char *gt, const char *dt, wsam_eval_kind kind,
                                  const wsam_eval_options *options)
{
    const outcome o = eval_texts(gt, dt, kind, options);
    cr_assert_eq(o.status, WSAM_OK, "%s", o.error.message);
    return o.figures;
}

/* One figure of COCO's twelve. */
static double coco(const char *gt, const char *dt, wsam_eval_kind kind, wsam_eval_figure figure)
{
    wsam_eval_figures *f = figures(gt, dt, kind, NULL);
    const double v = f->coco[figure];
    wsam_eval_figures_free(f);
    return v;
}

static double bbox(const char *gt, const char *dt, wsam_eval_figure figure)
{
    return coco(gt, dt, WSAM_EVAL_BBOX, figure);
}

#define CLASSES         "'categories': [{'id': 1, 'name': 'bolt'}, {'id': 5, 'name': 'nut'}]"
#define IMAGES          "'images': [{'id': 7, 'file_name': 'b.jpg'}, {'id': 3, 'file_name': 'a.jpg'}]"
#define GT(annotations) "{" IMAGES "," CLASSES ", 'annotations': [" annotations "]}"
/* id, picture, class, x, y, w, h (literals) */
#define BOX(id, image, class, x, y, w, h, more)                                                    \
    "{'id':" #id ",'image_id':" #image ",'category_id':" #class ",'bbox':[" #x "," #y "," #w       \
                                                                "," #h "]" more "}"
#define SCORED(image, class, x, y, w, h, score)                                                    \
    "{'image_id':" #image ",'category_id':" #class ",'bbox':[" #x "," #y "," #w "," #h             \
                                                   "],'score':" #score "}"

/* ---- COCO ---- */

static const char two_bolts[] =
    GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100") "," BOX(2, 3, 1, 50, 0, 10, 10, ",'area':100"));

Test(coco, a_false_positive_between_two_hits)
{
    static const char dt[] = "[" SCORED(3, 1, 0, 0, 10, 10, 0.9) "," SCORED(
        3, 1, 20, 20, 5, 5, 0.8) "," SCORED(3, 1, 50, 0, 10, 10, 0.7) "]";
    /* Recall 0.5 at precision 1, then 1 at 2/3: 51 and 50 of the 101 points. */
    close_to(bbox(two_bolts, dt, WSAM_EVAL_AP), (51 + 50 * 2.0 / 3) / 101);
    close_to(bbox(two_bolts, dt, WSAM_EVAL_AR1), 0.5);
    close_to(bbox(two_bolts, dt, WSAM_EVAL_AR10), 1);
    close_to(bbox(two_bolts, dt, WSAM_EVAL_APS), (51 + 50 * 2.0 / 3) / 101);
    close_to(bbox(two_bolts, dt, WSAM_EVAL_APM), -1);
    close_to(bbox(two_bolts, dt, WSAM_EVAL_ARL), -1);
}

Test(coco, iou_counts_from_its_threshold_on)
{
    /* IoU 0.8 exactly: a hit at 0.50 to 0.80, seven of ten thresholds. */
    static const char gt[] = GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100"));
    static const char dt[] = "[" SCORED(3, 1, 0, 0, 10, 8, 1) "]";
    close_to(bbox(gt, dt, WSAM_EVAL_AP), 0.7);
    close_to(bbox(gt, dt, WSAM_EVAL_AP75), 1);
}

Test(coco, classes_without_objects_drop_out_and_those_without_results_count_0)
{
    static const char one[] = GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100"));
    static const char both[] =
        GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100") "," BOX(2, 7, 5, 0, 0, 9, 9, ",'area':81"));
    static const char dt[] = "[" SCORED(3, 1, 0, 0, 10, 10, 1) "]";
    wsam_eval_figures *f = figures(one, dt, WSAM_EVAL_BBOX, NULL);
    close_to(f->coco[WSAM_EVAL_AP], 1);
    close_to(f->per_class[0], 1);
    close_to(f->per_class[1], -1);
    wsam_eval_figures_free(f);
    f = figures(both, dt, WSAM_EVAL_BBOX, NULL);
    close_to(f->coco[WSAM_EVAL_AP], 0.5);
    close_to(f->per_class[1], 0);
    wsam_eval_figures_free(f);
}

Test(coco, nothing_detected_and_nothing_there)
{
    close_to(bbox(two_bolts, "[]", WSAM_EVAL_AP), 0);
    close_to(bbox(two_bolts, "[]", WSAM_EVAL_AR100), 0);
    close_to(bbox(GT(""), "[]", WSAM_EVAL_AP), -1);
    close_to(bbox(GT(""), "[" SCORED(3, 1, 0, 0, 10, 10, 1) "]", WSAM_EVAL_AP), -1);
}

Test(coco, a_result_in_an_empty_picture_is_false)
{
    static const char dt[] =
        "[" SCORED(7, 1, 0, 0, 10, 10, 0.9) "," SCORED(3, 1, 0, 0, 10, 10, 0.8) "]";
    close_to(bbox(GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100")), dt, WSAM_EVAL_AP), 0.5);
}

Test(coco, ties_go_by_picture_id_then_by_place_in_the_file)
{
    static const char gt[] = GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100"));
    /* Picture 3 goes before picture 7, though 7 comes first in both files. */
    static const char pictures[] =
        "[" SCORED(7, 1, 0, 0, 10, 10, 0.5) "," SCORED(3, 1, 0, 0, 10, 10, 0.5) "]";
    static const char hit_first[] =
        "[" SCORED(3, 1, 0, 0, 10, 10, 0.5) "," SCORED(3, 1, 30, 0, 10, 10, 0.5) "]";
    static const char hit_last[] =
        "[" SCORED(3, 1, 30, 0, 10, 10, 0.5) "," SCORED(3, 1, 0, 0, 10, 10, 0.5) "]";
    close_to(bbox(gt, pictures, WSAM_EVAL_AP), 1);
    close_to(bbox(gt, hit_first, WSAM_EVAL_AP), 1);
    close_to(bbox(gt, hit_last, WSAM_EVAL_AP), 0.5);
}

Test(coco, of_equal_ious_the_later_object_is_taken)
{
    /* Both objects have IoU 1/3 with the first result; it takes the second, and the second result,
     * which only the first object fits, is a hit too. */
    static const char gt[] = GT(
        BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100") "," BOX(2, 3, 1, 0, 20, 10, 10, ",'area':100"));
    static const char dt[] =
        "[" SCORED(3, 1, 0, 0, 10, 30, 0.9) "," SCORED(3, 1, 0, 0, 10, 10, 0.8) "]";
    wsam_eval_options options;
    const double iou = 0.3;
    wsam_eval_options_default(&options);
    options.ious = &iou;
    options.n_ious = 1;
    wsam_eval_figures *f = figures(gt, dt, WSAM_EVAL_BBOX, &options);
    close_to(f->per_iou[0], 1);
    wsam_eval_figures_free(f);
}

Test(coco, crowds_swallow_any_number_of_results)
{
    static const char gt[] = GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100,'iscrowd':0") "," BOX(
        2, 3, 1, 40, 0, 50, 50, ",'area':2500,'iscrowd':1"));
    /* Inside the crowd the overlap is all of the result's area, though IoU proper is 0.04. */
    static const char dt[] = "[" SCORED(3, 1, 45, 5, 10, 10, 0.9) "," SCORED(
        3, 1, 60, 5, 10, 10, 0.8) "," SCORED(3, 1, 0, 0, 10, 10, 0.7) "]";
    wsam_eval_figures *f = figures(gt, dt, WSAM_EVAL_BBOX, NULL);
    close_to(f->coco[WSAM_EVAL_AP], 1);
    cr_assert_eq(f->objects, 1);
    wsam_eval_figures_free(f);
    /* Half outside of it a result is false at every threshold above its share of 0.5. */
    close_to(bbox(gt, "[" SCORED(3, 1, 35, 0, 10, 10, 0.9) "," SCORED(3, 1, 0, 0, 10, 10, 0.7) "]",
                  WSAM_EVAL_AP),
             (1 + 9 * 0.5) / 10);
}

Test(coco, sizes_are_inclusive_and_others_are_left_alone)
{
    /* 32 x 32 is small and medium; the large object and its result do not disturb. */
    static const char gt[] = GT(BOX(1, 3, 1, 0, 0, 32, 32, ",'area':1024") "," BOX(
        2, 3, 1, 100, 100, 100, 100, ",'area':10000"));
    static const char dt[] = "[" SCORED(3, 1, 100, 100, 100, 100, 0.9) "," SCORED(
        3, 1, 300, 300, 96, 97, 0.8) "," SCORED(3, 1, 0, 0, 32, 32, 0.7) "]";
    close_to(bbox(gt, dt, WSAM_EVAL_APS), 1);
    close_to(bbox(gt, dt, WSAM_EVAL_APM), 1); /* 96 x 97 is large: ignored here */
    close_to(bbox(gt, dt, WSAM_EVAL_APL), 1); /* false, but after the hit */
    close_to(bbox(gt, dt, WSAM_EVAL_AP), (51 + 50 * 2.0 / 3) / 101);
}

/* 101 results of falling score in one picture; the last one is the hit. */
Test(coco, a_hundred_results_of_a_class_count)
{
    static const char gt[] = GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100"));
    char dt[16384] = "[";
    for (int i = 0; i <= 100; i++) {
        char one[128];
        snprintf(one, sizeof one, "%s{'image_id':3,'category_id':1,'bbox':[%d,0,10,10],'score':%d}",
                 i ? "," : "", i == 99 ? 0 : 50, -i);
        strcat(dt, one);
    }
    strcat(dt, "]");
    close_to(bbox(gt, dt, WSAM_EVAL_AP), 0.01);
    close_to(bbox(gt, dt, WSAM_EVAL_AR10), 0);
    char *hit = strstr(dt, "[0,0,10,10]"), *last = strrchr(dt, '[');
    memcpy(hit, "[9,9,10,10]", 11);
    memcpy(last, "[ 0", 3);
    close_to(bbox(gt, dt, WSAM_EVAL_AP), 0);
}

/* Inside the crowd the result has "IoU" 1, with the object 0.64: the object it is. */
Test(coco, an_object_is_not_given_up_for_a_crowd)
{
    static const char gt[] = GT(BOX(1, 3, 1, 0, 0, 10, 10, ",'area':100") "," BOX(
        2, 3, 1, 0, 0, 50, 50, ",'area':2500,'iscrowd':1"));
    close_to(bbox(gt, "[" SCORED(3, 1, 0, 0, 8, 8, 1) "]", WSAM_EVAL_AP50), 1);
}

Test(coco, recall_with_one_result_a_picture)
{
    static const char dt[] =
        "[" SCORED(3, 1, 0, 0, 10, 10, 0.9) "," SCORED(3, 1, 50, 0, 10, 10, 0.8) "]";
    close_to(bbox(two_bolts, dt, WSAM_EVAL_AR1), 0.5);
    close_to(bbox(two_bolts, dt, WSAM_EVAL_AR10), 1);
}

/* ---- masks ---- */

#define SIZED "'images': [{'id': 3, 'height': 20, 'width': 30}]"
#define MASKS(segmentation)                                                                        \
    "{" SIZED "," CLASSES ", 'annotations': [{'id':1,'image_id':3,'category_id':1,'area':16,"      \
    "'bbox':[2,3,4,4],'segmentation':" segmentation "}]}"
#define MASKED(segmentation)                                                                       \
    "[{'image_id':3,'category_id':1,'score':1,'segmentation':" segmentation "}]"

/* The square 4 x 4 at (2,3), in three ways. */
#define RUNS    "{'size':[20,30],'counts':[43,4,16,4,16,4,16,4,493]}"
#define TEXT    "{'size':[20,30],'counts':'[14`000000m>'}"
#define POLYGON "[[2,3,6,3,6,7,2,7]]"

Test(masks, every_form_is_the_same_mask)
{
    static const char *const gts[] = {MASKS(RUNS), MASKS(TEXT), MASKS(POLYGON)};
    static const char *const dts[] = {MASKED(RUNS), MASKED(TEXT), MASKED(POLYGON)};
    for (int g = 0; g < 3; g++)
        for (int d = 0; d < 3; d++) {
            close_to(coco(gts[g], dts[d], WSAM_EVAL_SEGM, WSAM_EVAL_AP), 1);
            close_to(coco(gts[g], dts[d], WSAM_EVAL_BBOX, WSAM_EVAL_AP), 1);
        }
}

Test(masks, iou_is_of_pixels)
{
    /* Rows 3 and 4, twice as wide as the square: 8 of 24 pixels are in both. */
    static const char dt[] = MASKED("[[2,3,10,3,10,5,2,5]]");
    static const double ious[] = {1.0 / 3, 0.34};
    wsam_eval_options options;
    wsam_eval_options_default(&options);
    options.ious = ious;
    options.n_ious = 2;
    wsam_eval_figures *f = figures(MASKS(RUNS), dt, WSAM_EVAL_SEGM, &options);
    close_to(f->per_iou[0], 1);
    close_to(f->per_iou[1], 0);
    wsam_eval_figures_free(f);
}

/* All of the result is inside the crowd, a quarter of it. */
Test(masks, crowds_swallow_what_is_inside_them)
{
    static const char gt[] =
        "{" SIZED "," CLASSES ", 'annotations': ["
        "{'id':1,'image_id':3,'category_id':1,'area':16,'bbox':[2,3,4,4],'segmentation':" RUNS "},"
        "{'id':2,'image_id':3,'category_id':1,'area':64,'bbox':[10,3,8,8],'iscrowd':1,"
        "'segmentation':[[10,3,18,3,18,11,10,11]]}]}";
    static const char dt[] =
        "[{'image_id':3,'category_id':1,'score':0.5,'segmentation':" RUNS "},"
        "{'image_id':3,'category_id':1,'score':1,'segmentation':[[10,3,14,3,14,7,10,7]]}]";
    close_to(coco(gt, dt, WSAM_EVAL_SEGM, WSAM_EVAL_AP), 1);
}

Test(masks, polygons_are_merged)
{
    static const char dt[] = MASKED("[[2,3,4,3,4,7,2,7],[3,3,6,3,6,7,3,7]]");
    close_to(coco(MASKS(RUNS), dt, WSAM_EVAL_SEGM, WSAM_EVAL_AP), 1);
}

Test(masks, sizes_go_by_box_or_by_pixels)
{
    /* A missed mask of 16 pixels with a box of 40 x 40: medium by its box, small by its pixels. */
    static const char gt[] =
        "{" SIZED "," CLASSES ", 'annotations': [{'id':1,'image_id':3,'category_id':1,'area':2000,"
        "'bbox':[0,0,4,4],'segmentation':[[10,10,14,10,14,14,10,14]]}]}";
    static const char dt[] =
        "[{'image_id':3,'category_id':1,'score':1,'bbox':[0,0,40,40],'segmentation':" RUNS
        "},{'image_id':3,'category_id':1,'score':0.5,'bbox':[0,0,40,40],'segmentation':"
        "[[10,10,14,10,14,14,10,14]]}]";
    char *files[2];
    const char *texts[2] = {gt, dt};
    for (int i = 0; i < 2; i++) {
        char copy[1024];
        snprintf(copy, sizeof copy, "%s", texts[i]);
        for (char *at = copy; *at; at++)
            *at = *at == '\'' ? '"' : *at;
        files[i] = eval_file(copy, strlen(copy));
    }
    wsam_eval_read_options read;
    wsam_eval_read_options_default(&read);
    for (int by_pixels = 0; by_pixels < 2; by_pixels++) {
        read.mask_area = by_pixels;
        outcome o = eval_files(files[0], files[1], WSAM_EVAL_SEGM, &read, NULL);
        cr_assert_eq(o.status, WSAM_OK, "%s", o.error.message);
        close_to(o.figures->coco[WSAM_EVAL_APM], by_pixels ? 1 : 0.5);
        wsam_eval_figures_free(o.figures);
    }
    eval_drop_file(files[0]);
    eval_drop_file(files[1]);
}

/* ---- VOC ---- */

static double voc(const char *gt, const char *dt, wsam_eval_metric metric)
{
    wsam_eval_options options;
    wsam_eval_options_default(&options);
    options.metric = metric;
    wsam_eval_figures *f = figures(gt, dt, WSAM_EVAL_VOC, &options);
    const double v = f->mean;
    wsam_eval_figures_free(f);
    return v;
}

/* Three that count and a difficult one. */
static const char three_nuts[] =
    GT(BOX(1, 3, 5, 0, 0, 10, 10, "") "," BOX(2, 3, 5, 50, 0, 10, 10, "") "," BOX(
        3, 7, 5, 0, 0, 10, 10, "") "," BOX(4, 7, 5, 50, 0, 10, 10, ",'difficult':1"));

Test(voc, hit_miss_hit)
{
    static const char dt[] = "[" SCORED(3, 5, 0, 0, 10, 10, 0.9) "," SCORED(
        3, 5, 80, 0, 10, 10, 0.8) "," SCORED(7, 5, 0, 0, 10, 10, 0.7) "]";
    /* Recall 1/3, 1/3, 2/3 at precision 1, 1/2, 2/3. */
    close_to(voc(three_nuts, dt, WSAM_EVAL_11POINT), (4 * 1 + 3 * 2.0 / 3) / 11);
    close_to(voc(three_nuts, dt, WSAM_EVAL_AREA), 1.0 / 3 + 2.0 / 9);
}

Test(voc, difficult_objects_neither_help_nor_harm)
{
    static const char dt[] = "[" SCORED(7, 5, 50, 0, 10, 10, 0.95) "," SCORED(
        7, 5, 50, 1, 10, 10, 0.9) "," SCORED(3, 5, 0, 0, 10, 10, 0.8) "]";
    close_to(voc(three_nuts, dt, WSAM_EVAL_AREA), 1.0 / 3);
    close_to(voc(three_nuts, dt, WSAM_EVAL_11POINT), 4.0 / 11);
}

Test(voc, a_second_hit_is_false)
{
    static const char dt[] = "[" SCORED(3, 5, 0, 0, 10, 10, 0.9) "," SCORED(
        3, 5, 0, 1, 10, 10, 0.8) "," SCORED(3, 5, 50, 0, 10, 10, 0.7) "]";
    close_to(voc(three_nuts, dt, WSAM_EVAL_AREA), 1.0 / 3 + 2.0 / 9);
}

/* The second result is nearer to the object that is taken: the free one is not tried. */
Test(voc, only_the_best_object_is_looked_at)
{
    static const char gt[] = GT(BOX(1, 3, 5, 0, 0, 10, 10, "") "," BOX(2, 3, 5, 0, 3, 10, 10, ""));
    static const char dt[] =
        "[" SCORED(3, 5, 0, 0, 10, 10, 0.9) "," SCORED(3, 5, 0, 1, 10, 10, 0.8) "]";
    close_to(voc(gt, dt, WSAM_EVAL_AREA), 0.5);
}

Test(voc, of_equal_ious_the_first_object_is_taken)
{
    static const char gt[] =
        GT(BOX(1, 3, 5, 0, 0, 10, 10, "") "," BOX(2, 3, 5, 0, 0, 10, 10, ",'difficult':1"));
    close_to(voc(gt, "[" SCORED(3, 5, 0, 0, 10, 10, 1) "]", WSAM_EVAL_AREA), 1);
}

Test(voc, iou_has_to_be_above_a_half)
{
    static const char gt[] = GT(BOX(1, 3, 5, 0, 0, 10, 10, ""));
    close_to(voc(gt, "[" SCORED(3, 5, 0, 0, 10, 5, 1) "]", WSAM_EVAL_AREA), 0);
    close_to(voc(gt, "[" SCORED(3, 5, 0, 0, 10, 5.1, 1) "]", WSAM_EVAL_AREA), 1);
}

/* ---- CorLoc ---- */

Test(corloc, the_best_box_of_each_picture)
{
    /* nut: picture 3 is right, though a worse box is not; picture 7 is wrong, though a worse box is
     * right. bolt: no result at all. */
    static const char gt[] = GT(BOX(1, 3, 5, 0, 0, 10, 10, "") "," BOX(
        2, 7, 5, 0, 0, 10, 10, "") "," BOX(3, 3, 1, 0, 0, 10, 10, ""));
    static const char dt[] =
        "[" SCORED(3, 5, 70, 0, 10, 10, 0.2) "," SCORED(3, 5, 0, 0, 10, 9, 0.3) "," SCORED(
            7, 5, 0, 0, 10, 10, 0.2) "," SCORED(7, 5, 50, 0, 10, 10, 0.9) "]";
    wsam_eval_figures *f = figures(gt, dt, WSAM_EVAL_CORLOC, NULL);
    close_to(f->per_class[0], 0);
    close_to(f->per_class[1], 0.5);
    close_to(f->mean, 0.25);
    wsam_eval_figures_free(f);
}

Test(corloc, difficult_objects_can_be_found_but_do_not_make_a_picture_count)
{
    static const char gt[] = GT(BOX(1, 3, 5, 0, 0, 10, 10, "") "," BOX(
        2, 3, 5, 50, 0, 10, 10, ",'difficult':1") "," BOX(3, 7, 5, 0, 0, 10, 10, ",'difficult':1"));
    static const char dt[] =
        "[" SCORED(3, 5, 50, 0, 10, 10, 0.9) "," SCORED(7, 5, 50, 0, 10, 10, 0.9) "]";
    wsam_eval_figures *f = figures(gt, dt, WSAM_EVAL_CORLOC, NULL);
    close_to(f->per_class[1], 1);
    close_to(f->per_class[0], -1);
    wsam_eval_figures_free(f);
}

/* ---- recall ---- */

static const char proposals[] =
    "{'image':'a.jpg','width':99,'height':99,'proposals':["
    "{'box':[0,0,9,9],'source':'grid'},{'box':[0,0,9,5],'source':'grid'},"
    "{'box':[51,0,59,9],'source':'fine'},{'box':[70,0,79,9],'source':'class'}]}\n"
    "{'image':'b.jpg','proposals':[]}\n";

Test(recall, pairs_are_taken_from_the_best_down)
{
    /* IoU 1, 0.9 and, for the object below the first, nothing but the box of IoU 0.6: its other is
     * taken. The crowd does not count. Nothing was proposed in picture 7. */
    static const char gt[] =
        GT(BOX(1, 3, 1, 0, 0, 10, 10, "") "," BOX(2, 3, 5, 0, 0, 10, 10, ",'difficult':1") "," BOX(
            3, 3, 5, 50, 0, 10, 10,
            "") "," BOX(4, 7, 1, 0, 0, 10, 10, "") "," BOX(5, 3, 1, 70, 0, 10, 10, ",'iscrowd':1"));
    static const uint64_t found[] = {3, 3, 2, 2, 2, 2};
    wsam_eval_figures *f = figures(gt, proposals, WSAM_EVAL_RECALL, NULL);
    cr_assert_eq(f->n_ious, 6);
    cr_assert_eq(f->objects, 4);
    cr_assert_eq(f->results, 4);
    close_to(f->results_per_image, 2);
    cr_assert_arr_eq(f->found, found, sizeof found);
    for (int i = 0; i < 6; i++)
        close_to(f->per_iou[i], (double)found[i] / 4);
    wsam_eval_figures_free(f);
}

/* The one proposal has IoU 0.5 with the first object and 1 with the second. */
Test(recall, a_proposal_goes_to_its_best_object)
{
    static const char gt[] = GT(BOX(1, 3, 1, 0, 0, 10, 5, "") "," BOX(2, 3, 1, 0, 0, 10, 10, ""));
    static const char line[] = "{'image':'a.jpg','proposals':[{'box':[0,0,9,9]}]}";
    wsam_eval_figures *f = figures(gt, line, WSAM_EVAL_RECALL, NULL);
    cr_assert_eq(f->found[0], 1);
    cr_assert_eq(f->found[5], 1);
    wsam_eval_figures_free(f);
}

Test(recall, results_lists_can_be_asked_too)
{
    static const char dt[] = "[" SCORED(3, 5, 0, 0, 10, 10, 0.1) "]";
    wsam_eval_figures *f = figures(two_bolts, dt, WSAM_EVAL_RECALL, NULL);
    close_to(f->per_iou[0], 0.5);
    wsam_eval_figures_free(f);
}

/* ---- threads ---- */

static uint32_t state = 1;

static uint32_t rnd(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

enum { IMAGES_MADE = 60, CLASSES_MADE = 12, OBJECTS_MADE = 900, RESULTS_MADE = 4000 };

static void write_box(FILE *f, int i, int scored)
{
    fprintf(f, "%s{\"id\":%d,\"image_id\":%u,\"category_id\":%u,\"bbox\":[%u,%u,%u,%u],",
            i ? "," : "", i + 1, rnd(IMAGES_MADE), rnd(CLASSES_MADE), rnd(4) * 20, rnd(4) * 20,
            10 + rnd(60), 10 + rnd(60));
    if (scored)
        fprintf(f, "\"score\":0.%u}", rnd(50));
    else
        fprintf(f, "\"area\":%u,\"iscrowd\":%d}", 100 + rnd(4000), rnd(10) == 0);
}

static char *made(int truth)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    fprintf(f, truth ? "{\"images\":[" : "[");
    for (int i = 0; i < IMAGES_MADE && truth; i++)
        fprintf(f, "%s{\"id\":%d}", i ? "," : "", i);
    if (truth)
        fprintf(f, "],\"categories\":[");
    for (int i = 0; i < CLASSES_MADE && truth; i++)
        fprintf(f, "%s{\"id\":%d,\"name\":\"c%d\"}", i ? "," : "", i, i);
    if (truth)
        fprintf(f, "],\"annotations\":[");
    for (int i = 0; i < (truth ? OBJECTS_MADE : RESULTS_MADE); i++)
        write_box(f, i, !truth);
    fprintf(f, truth ? "]}" : "]");
    fclose(f);
    char *path = eval_file(text, n);
    free(text);
    return path;
}

static void same(const wsam_eval_figures *a, const wsam_eval_figures *b)
{
    cr_assert_arr_eq(a->coco, b->coco, sizeof a->coco);
    cr_assert_arr_eq(&a->mean, &b->mean, sizeof a->mean);
    cr_assert_arr_eq(a->per_class, b->per_class, a->n_classes * sizeof *a->per_class);
    cr_assert_arr_eq(a->per_iou, b->per_iou, a->n_ious * sizeof *a->per_iou);
}

Test(threads, do_not_change_a_byte)
{
    static const double ious[] = {0.1, 0.33};
    char *gt = made(1), *dt = made(0);
    wsam_eval_options options;
    wsam_eval_options_default(&options);
    options.ious = ious;
    options.n_ious = 2;
    for (int kind = WSAM_EVAL_BBOX; kind <= WSAM_EVAL_RECALL; kind++) {
        if (kind == WSAM_EVAL_SEGM)
            continue;
        options.threads = 1;
        const outcome one = eval_files(gt, dt, (wsam_eval_kind)kind, NULL, &options);
        options.threads = 3;
        const outcome three = eval_files(gt, dt, (wsam_eval_kind)kind, NULL, &options);
        cr_assert_eq(one.status, WSAM_OK, "%s", one.error.message);
        cr_assert_eq(three.status, WSAM_OK, "%s", three.error.message);
        cr_assert(kind == WSAM_EVAL_RECALL || one.figures->mean > 0);
        same(one.figures, three.figures);
        wsam_eval_figures_free(one.figures);
        wsam_eval_figures_free(three.figures);
    }
    eval_drop_file(gt);
    eval_drop_file(dt);
}

/* ---- pycocotools ---- */

static cJSON *load(const char *folder)
{
    char path[2304], *text = calloc(1, 1 << 16);
    snprintf(path, sizeof path, "%s/pycocotools.json", folder);
    FILE *f = fopen(path, "rb");
    cr_assert(f && text);
    fread(text, 1, (1 << 16) - 1, f);
    fclose(f);
    cJSON *root = cJSON_Parse(text);
    free(text);
    cr_assert(root);
    return root;
}

static void check_list(const cJSON *golden, const char *name, const char *part, const double *got,
                       size_t n)
{
    char key[64];
    snprintf(key, sizeof key, "%s%s", name, part);
    const cJSON *list = cJSON_GetObjectItem(golden, key), *value;
    cr_assert_eq((size_t)cJSON_GetArraySize(list), n, "%s", key);
    cJSON_ArrayForEach(value, list)
    {
        cr_assert(fabs(*got - value->valuedouble) <= 1e-9, "%s: %.17g, pycocotools has %.17g", key,
                  *got, value->valuedouble);
        got++;
    }
}

static void check_golden(const char *folder)
{
    static const char *const names[] = {"bbox", "segm"};
    static const double ious[] = {0.25, 0.5, 0.7, 0.75};
    char gt[2304], dt[2304];
    snprintf(gt, sizeof gt, "%s/gt.json", folder);
    snprintf(dt, sizeof dt, "%s/detections.json", folder);
    cJSON *golden = load(folder);
    wsam_eval_options options;
    wsam_eval_options_default(&options);
    options.ious = ious;
    options.n_ious = 4;
    for (int kind = 0; kind < 2; kind++) {
        const outcome o = eval_files(gt, dt, (wsam_eval_kind)kind, NULL, &options);
        cr_assert_eq(o.status, WSAM_OK, "%s", o.error.message);
        check_list(golden, names[kind], "", o.figures->coco, WSAM_EVAL_FIGURES);
        check_list(golden, names[kind], "_ap_per_class", o.figures->per_class,
                   o.figures->n_classes);
        check_list(golden, names[kind], "_ap_25_50_70_75", o.figures->per_iou, 4);
        wsam_eval_figures_free(o.figures);
    }
    cJSON_Delete(golden);
}

Test(golden, pycocotools)
{
    const char *named = getenv("WEAKSAM_GOLDEN"), *root = named ? named : "../shared/golden";
    char folder[2048];
    snprintf(folder, sizeof folder, "%s/coco_eval/small", root);
    if (access(folder, R_OK) != 0)
        cr_skip_test("there is no folder %s (WEAKSAM_GOLDEN names another)", folder);
    check_golden(folder);
    snprintf(folder, sizeof folder, "%s/coco_eval/large", root);
    check_golden(folder);
}
