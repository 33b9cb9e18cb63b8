/* Files between the stages: points, proposals, COCO documents, reviews. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/stages/stages.h"
#include "weaksam/weaksam.h"

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/weaksam-stages-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

TestSuite(stage_files, .init = setup, .fini = teardown);

static const char *file(const char *name)
{
    static char path[4][128];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = file(name);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

/* ---- lines ---- */

static const char points_line[] =
    "{\"image\":\"a "
    "\\\"b\\\"/c.jpg\",\"width\":20,\"height\":10,\"classes\":{\"cat\":1.5,\"dog\":-0.25}"
    ",\"points\":[{\"x\":3,\"y\":4.5,\"class\":\"dog\",\"score\":0.9,\"source\":\"fine\"},"
    "{\"x\":1,\"y\":2,\"class\":\"\",\"score\":1,\"source\":\"cross\"}]}\n";

Test(stage_files, points_come_back)
{
    wsam_line_reader *r;
    wsam_clue_points *p;
    wsam_error error = {0};
    char both[1024];
    snprintf(both, sizeof both, "\n%s  \n%s", points_line, points_line);
    cr_assert_eq(wsam_line_reader_open(write_file("p.jsonl", both), &r, &error), WSAM_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(wsam_points_next(r, &p, &error), WSAM_OK, "%s", error.message);
        cr_assert_not_null(p);
        cr_expect_str_eq(p->image, "a \"b\"/c.jpg");
        cr_expect_eq(p->points[0].class_index, 1);
        cr_expect_eq(p->points[1].class_index, -1);
        cr_expect_eq(p->points[1].source, WSAM_SOURCE_CROSS);
        char *text;
        cr_assert(!wsam_points_json(p, &text));
        cr_expect_str_eq(text, points_line);
        wsam_free(text);
        wsam_clue_points_free(p);
    }
    cr_assert_eq(wsam_points_next(r, &p, &error), WSAM_OK);
    cr_expect_null(p);
    wsam_line_reader_close(r);
}

Test(stage_files, proposals_come_back)
{
    static const char line[] =
        "{\"image\":\"x.png\",\"width\":3,\"height\":2,\"proposals\":[{\"box\":[0,0,1,1],"
        "\"source\":"
        "\"grid\",\"predicted_iou\":0.5,\"stability_score\":0.25,\"cropped\":true,\"area\":4,"
        "\"segmentation\":{"
        "\"size\":"
        "[2,3],\"counts\":\"042\"}},{\"box\":[1,0,2,1],\"source\":\"class\",\"predicted_iou\":1,"
        "\"stability_score\":1}]}\n";
    wsam_proposals *p;
    wsam_error error = {0};
    cr_assert_eq(wsam_proposals_parse(line, sizeof line - 2, "x", 1, &p, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(p->n, 2);
    cr_expect_eq(p->items[0].area, 4);
    cr_expect_null(p->items[1].counts);
    cr_expect(p->items[0].cropped && !p->items[1].cropped);
    char *text;
    cr_assert(!wsam_proposals_json(p, p->image, &text));
    cr_expect_str_eq(text, line);
    wsam_free(text);
    wsam_proposals_free(p);
}

static void refuse_points(const char *text, const char *words)
{
    wsam_clue_points *p;
    wsam_error error = {0};
    cr_expect_neq(wsam_points_parse(text, strlen(text), "f", 7, &p, &error), WSAM_OK, "%s", text);
    cr_expect_null(p);
    cr_expect(strstr(error.message, "f:7: ") && strstr(error.message, words), "%s", error.message);
}

Test(stage_files, bad_points_are_named)
{
    refuse_points("[]", "not a JSON object");
    refuse_points("{\"image\":\"a\"} x", "not valid JSON");
    refuse_points("{\"width\":1}", "'image'");
    refuse_points("{\"image\":\"a\",\"width\":0,\"height\":1}", "'width'");
    refuse_points("{\"image\":\"a\",\"width\":1,\"height\":1}", "'classes'");
    refuse_points(
        "{\"image\":\"a\",\"width\":1,\"height\":1,\"classes\":{\"a\":1,\"a\":2},\"points\":[]}",
        "free of duplicates");
    refuse_points("{\"image\":\"a\",\"width\":1,\"height\":1,\"classes\":{}}", "'points'");
    refuse_points(
        "{\"image\":\"a\",\"width\":1,\"height\":1,\"classes\":{},\"points\":[{\"x\":1,\"y\":1,"
        "\"source\":\"grid\"}]}",
        "coarse, fine or cross");
    refuse_points(
        "{\"image\":\"a\",\"width\":1,\"height\":1,\"classes\":{},\"points\":[{\"x\":1,\"y\":1,"
        "\"class\":\"z\",\"source\":\"fine\"}]}",
        "'points.class'");
}

static void refuse_proposals(const char *tail, const char *words)
{
    char text[400];
    wsam_proposals *p;
    wsam_error error = {0};
    snprintf(text, sizeof text, "{\"image\":\"a\",\"width\":3,\"height\":2,\"proposals\":%s}",
             tail);
    cr_expect_neq(wsam_proposals_parse(text, strlen(text), "f", 7, &p, &error), WSAM_OK, "%s",
                  text);
    cr_expect(strstr(error.message, words), "%s", error.message);
}

Test(stage_files, bad_proposals_are_named)
{
    refuse_proposals("{}", "'proposals'");
    refuse_proposals("[{\"box\":[0,0,1]}]", "'proposals.box'");
    refuse_proposals("[{\"box\":[2,0,1,1],\"source\":\"grid\"}]", "'proposals.box'");
    refuse_proposals("[{\"box\":[0,0,1,1],\"source\":\"x\"}]", "'proposals.source'");
    refuse_proposals("[{\"box\":[0,0,1,1],\"source\":\"grid\",\"segmentation\":{\"size\":[3,2],"
                     "\"counts\":\"06\"}}]",
                     "of the image");
    refuse_proposals("[{\"box\":[0,0,1,1],\"source\":\"grid\",\"segmentation\":{\"size\":[2,3],"
                     "\"counts\":\"07\"}}]",
                     "of the image");
}

Test(stage_files, an_empty_file_says_so)
{
    wsam_line_reader *r;
    wsam_proposals *p;
    wsam_error error = {0};
    cr_assert_eq(wsam_line_reader_open(write_file("e.jsonl", "\n \n"), &r, &error), WSAM_OK);
    cr_expect_eq(wsam_proposals_next(r, &p, &error), WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, "the file is empty"), "%s", error.message);
    wsam_line_reader_close(r);
}

/* ---- documents ---- */

static const char *const names[] = {"cat", "a\"b"};
static const wsam_classes classes = {2, names, NULL, NULL};
static char counts[] = "042"; /* 2 x 2 of 2 x 3 */

static void write_document(const char *path, wsam_coco_kind kind)
{
    wsam_coco_writer *w;
    wsam_error error = {0};
    wsam_instance items[] = {{.class_index = 1,
                              .bbox = {0, 0, 2, 2},
                              .score = 0.5,
                              .raw_score = kind == WSAM_COCO_RESULTS ? 0 : 0.125,
                              .origin = 1 + WSAM_SOURCE_FINE,
                              .area = 4,
                              .predicted_iou = 0.75F,
                              .counts = counts,
                              .counts_length = 3},
                             {.class_index = 0, .bbox = {1, 0, 2, 1}, .score = 0.25}};
    const wsam_instances all = {2, items}, none = {0};
    const wsam_coco_image images[] = {{.file_name = "a.jpg", .width = 3, .height = 2},
                                      {.file_name = "sub/b.png", .width = 5, .height = 4},
                                      {.file_name = "c.jpg", .width = 3, .height = 2}};
    cr_assert_eq(wsam_coco_open(path, kind, &classes, "{\"x\":1}", &w, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_coco_put(w, &images[0], &all, &error), WSAM_OK);
    cr_assert_eq(wsam_coco_put(w, &images[1], &none, &error), WSAM_OK);
    cr_assert_eq(wsam_coco_put(w, &images[2], &all, &error), WSAM_OK);
    cr_assert_eq(access(path, F_OK), -1, "the file appears when it is finished");
    cr_assert_eq(wsam_coco_finish(w, WSAM_OK, &error), WSAM_OK, "%s", error.message);
}

static void check_document(const wsam_coco_document *d, int ids)
{
    cr_assert_eq(d->n_images, 3);
    cr_assert_eq(d->n_classes, 2);
    cr_expect_str_eq(d->class_names[1], "a\"b");
    cr_expect_str_eq(d->file_names[1], "sub/b.png");
    cr_expect_eq(d->sizes[2], 5);
    cr_expect_eq(d->sizes[3], 4);
    cr_assert(d->first[1] == 2 && d->first[2] == 2 && d->first[3] == 4);
    const wsam_instance *a = &d->instances.items[2];
    cr_expect(a->class_index == 1 && a->score > 0.49 && a->bbox[2] > 1.9);
    cr_expect_eq(a->id, ids ? 3 : 0);
    cr_expect_eq(a->origin, 1 + WSAM_SOURCE_FINE);
    cr_expect(!ids || (a->raw_score > 0.12 && a->raw_score < 0.13));
}

Test(stage_files, documents_come_back)
{
    for (int kind = WSAM_COCO_RESULTS; kind <= WSAM_COCO_POLYGONS; kind++) {
        wsam_coco_document *d;
        wsam_error error = {0};
        char name[24];
        snprintf(name, sizeof name, "%d.json", kind);
        write_document(file(name), (wsam_coco_kind)kind);
        cr_assert_eq(wsam_coco_load(file(name), NULL, &d, &error), WSAM_OK, "%s", error.message);
        check_document(d, kind != WSAM_COCO_RESULTS);
        wsam_coco_free(d);
    }
}

static int begins_with(const char *name, const char *line)
{
    char text[256] = "";
    FILE *f = fopen(file(name), "rb");
    cr_assert_not_null(f);
    const char *got = fgets(text, sizeof text, f);
    fclose(f);
    return got && strcmp(text, line) == 0;
}

/* images.json is about every list of the folder that it fits, and about no other. */
Test(stage_files, lists_share_their_names)
{
    wsam_coco_writer *w;
    const char *const zebra[] = {"zebra"};
    const wsam_classes other = {1, zebra, NULL, NULL};
    wsam_error error = {0};
    write_document(file("second.json"), WSAM_COCO_RESULTS);
    cr_expect(begins_with("images.json", "{\"results\":\"second.json\",\n"));
    write_document(file("first.json"), WSAM_COCO_RESULTS);
    cr_expect(begins_with("images.json", "{\"results\":[\"first.json\",\"second.json\"],\n"));
    unlink(file("second.json"));
    write_document(file("third.json"), WSAM_COCO_RESULTS);
    cr_expect(begins_with("images.json", "{\"results\":[\"first.json\",\"third.json\"],\n"));
    cr_assert_eq(wsam_coco_open(file("other.json"), WSAM_COCO_RESULTS, &other, NULL, &w, &error),
                 WSAM_OK);
    cr_assert_eq(wsam_coco_finish(w, WSAM_OK, &error), WSAM_OK, "%s", error.message);
    cr_expect(begins_with("images.json", "{\"results\":\"other.json\",\n"));
}

static void write_list(const char *name, size_t n_classes, const char *const *its_classes)
{
    wsam_coco_writer *w;
    wsam_error error = {0};
    const wsam_classes some = {n_classes, its_classes, NULL, NULL};
    const wsam_instances none = {0};
    const wsam_coco_image image = {.file_name = "a", .width = 3, .height = 2};
    cr_assert_eq(wsam_coco_open(file(name), WSAM_COCO_RESULTS, &some, NULL, &w, &error), WSAM_OK);
    cr_assert_eq(wsam_coco_put(w, &image, &none, &error), WSAM_OK);
    cr_assert_eq(wsam_coco_finish(w, WSAM_OK, &error), WSAM_OK, "%s", error.message);
}

/* A class that a person adds comes last: ids of older lists mean what they meant. */
Test(stage_files, lists_share_their_names_where_its_classesare_added)
{
    const char *const animals[] = {"cat", "dog", "zebra"}, *const others[] = {"cat", "doge"};
    write_list("two.json", 2, animals);
    write_list("three.json", 3, animals);
    cr_expect(begins_with("images.json", "{\"results\":[\"three.json\",\"two.json\"],\n"));
    write_list("one.json", 1, animals);
    cr_expect(
        begins_with("images.json", "{\"results\":[\"one.json\",\"three.json\",\"two.json\"],\n"));
    wsam_coco_document *d;
    wsam_error error = {0};
    cr_assert_eq(wsam_coco_load(file("three.json"), NULL, &d, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_eq(d->n_classes, 3);
    wsam_coco_free(d);
    write_list("others.json", 2, others);
    cr_expect(begins_with("images.json", "{\"results\":\"others.json\",\n"));
}

static wsam_status load_crop_mask(const char *mask, wsam_coco_document **d, wsam_error *error)
{
    FILE *f = fopen(file("crop.json"), "wb");
    cr_assert(f);
    fprintf(
        f,
        "{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":2,\"height\":2}],"
        "\"categories\":[{\"id\":1,\"name\":\"cat\"}],\"annotations\":[{\"id\":1,\"image_id\":1,"
        "\"category_id\":1,\"bbox\":[0,0,1,1],\"score\":0.5,\"source\":\"grid\",\"predicted_iou\":0.5,"
        "\"crop_mask\":%s}]}",
        mask);
    fclose(f);
    return wsam_coco_load(file("crop.json"), NULL, d, error);
}

/* What a crop showed comes back with a box, and its confidence is not there yet. */
Test(stage_files, masks_of_crops_are_kept_with_boxes)
{
    wsam_coco_document *d;
    wsam_error error = {0};
    cr_assert_eq(load_crop_mask("{\"size\":[2,2],\"counts\":[1,2,1]}", &d, &error), WSAM_OK, "%s",
                 error.message);
    const wsam_instance *a = &d->instances.items[0];
    cr_assert_not_null(a->counts);
    cr_expect(a->area == 2 && !(a->confidence > 0) && a->predicted_iou > 0.4F);
    cr_assert_eq(wsam_coco_save(d, file("crop2.json"), WSAM_COCO_BOXES, NULL, &error), WSAM_OK);
    wsam_coco_free(d);
    cr_assert_eq(wsam_coco_load(file("crop2.json"), NULL, &d, &error), WSAM_OK);
    cr_expect_eq(d->instances.items[0].area, 2);
    wsam_coco_free(d);
    cr_assert_eq(load_crop_mask("[[0,0,1,1,1,0]]", &d, &error), WSAM_OK, "another program's");
    cr_expect_null(d->instances.items[0].counts);
    wsam_coco_free(d);
    cr_expect_eq(load_crop_mask("{\"size\":[3,3],\"counts\":[9]}", &d, &error), WSAM_ERR_MISMATCH);
    cr_expect_neq(load_crop_mask("{\"size\":[2,2]}", &d, &error), WSAM_OK);
}

/* Names of ours mean something else in files of others; an empty segmentation is none. */
Test(stage_files, fields_of_other_programs_are_passed_over)
{
    wsam_coco_document *d;
    wsam_error error = {0};
    FILE *f = fopen(file("other.json"), "wb");
    cr_assert(f);
    fputs("{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":3,\"height\":2}],"
          "\"categories\":[{\"id\":1,\"name\":\"cat\"}],\"annotations\":[{\"id\":0,\"image_id\":1,"
          "\"category_id\":1,\"bbox\":[0,0,1,1],\"confidence\":\"high\",\"source\":[1,{\"a\":2}],"
          "\"raw_score\":{\"x\":1},\"segmentation\":[]}]}",
          f);
    fclose(f);
    cr_assert_eq(wsam_coco_load_masks(file("other.json"), NULL, &d, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(d->instances.n, 1);
    cr_expect_null(d->instances.items[0].counts);
    cr_expect_eq(d->instances.items[0].origin, 0);
    wsam_coco_free(d);
}

/* The evaluation reads what was written, and finds every object where it is. */
Test(stage_files, documents_are_what_the_evaluation_reads)
{
    wsam_eval_read_options read;
    wsam_eval_truth *truth;
    wsam_eval_results *results;
    wsam_eval_figures *f;
    wsam_error error = {0};
    wsam_eval_read_options_default(&read);
    write_document(file("masks.json"), WSAM_COCO_MASKS);
    write_document(file("results.json"), WSAM_COCO_RESULTS);
    cr_assert_eq(wsam_eval_read_truth(file("masks.json"), &read, &truth, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_eval_read_results(truth, file("results.json"), &read, &results, &error),
                 WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_eval(truth, results, WSAM_EVAL_BBOX, NULL, &f, &error), WSAM_OK);
    cr_expect(f->coco[WSAM_EVAL_AP] > 0.999, "%g", f->coco[WSAM_EVAL_AP]);
    wsam_eval_figures_free(f);
    wsam_eval_results_free(results);
    wsam_eval_truth_free(truth);
}

Test(stage_files, outlines_fill_to_the_mask)
{
    char text[2048] = "";
    write_document(file("p.json"), WSAM_COCO_POLYGONS);
    FILE *f = fopen(file("p.json"), "rb");
    cr_assert_not_null(f);
    cr_assert_gt(fread(text, 1, sizeof text - 1, f), 0);
    fclose(f);
    const char *outline = strstr(text, "\"segmentation\":[[");
    cr_assert_not_null(outline);
    double xy[8];
    cr_assert_eq(sscanf(outline, "\"segmentation\":[[%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf]]", xy, xy + 1,
                        xy + 2, xy + 3, xy + 4, xy + 5, xy + 6, xy + 7),
                 8);
    uint64_t scratch[256];
    uint32_t runs[32];
    size_t needed;
    wsam_rle rle = {2, 3, 0, 32, runs};
    wsam_error error;
    cr_assert_eq(wsam_rle_from_polygon(xy, 4, scratch, 256, &needed, &rle, &error), WSAM_OK);
    cr_expect_eq(wsam_rle_area(&rle), 4);
}

static void refuse_document(const char *text, const char *images, const char *words)
{
    wsam_coco_document *d;
    wsam_error error = {0};
    const char *beside = images ? write_file("i.json", images) : NULL;
    cr_expect_neq(wsam_coco_load(write_file("d.json", text), beside, &d, &error), WSAM_OK, "%s",
                  text);
    cr_expect_null(d);
    cr_expect(strstr(error.message, words), "%s", error.message);
}

static const char small_images[] =
    "{\"images\":[{\"id\":1,\"file_name\":\"f/a.jpg\",\"width\":3,\"height\":2}],"
    "\"categories\":[{\"id\":9,\"name\":\"cat\"}]}";

Test(stage_files, results_of_other_detectors)
{
    wsam_coco_document *d;
    wsam_error error = {0};
    const char *images = write_file("i.json", small_images);
    const char *list =
        write_file("d.json", "[{\"image_id\":\"a\",\"category_id\":\"cat\",\"bbox\":[0,0,1,"
                             "1],\"score\":0.5},{\"image_id\":1,\"category_id\":9,"
                             "\"bbox\":[0,0,2,1],\"score\":0.25}]");
    cr_assert_eq(wsam_coco_load(list, images, &d, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(d->instances.n, 2);
    cr_expect_eq(d->class_ids[d->instances.items[0].class_index], 9);
    wsam_coco_free(d);
}

Test(stage_files, bad_documents_are_named)
{
    refuse_document("", NULL, "the file is empty");
    refuse_document("{}", NULL, "no images");
    refuse_document("{\"images\":[{\"id\":1,\"file_name\":\"a\"}]}", NULL, "no categories");
    refuse_document("{\"images\":[{\"id\":1,\"file_name\":\"a\"},{\"id\":1,\"file_name\":\"b\"}],"
                    "\"categories\":[{\"id\":1,\"name\":\"x\"}]}",
                    NULL, "images[1] has the id of images[0]");
    refuse_document("{\"images\":[{\"id\":1,\"file_name\":\"a\"},{\"id\":2,\"file_name\":\"a\"}],"
                    "\"categories\":[{\"id\":1,\"name\":\"x\"}]}",
                    NULL, "two images have the file name 'a'");
    refuse_document(
        "{\"images\":[{\"id\":1,\"file_name\":\"a\"}],\"categories\":[{\"id\":1,\"name\":"
        "\"x\"}],\"annotations\":[{\"id\":\"k\",\"image_id\":1,\"category_id\":1,\"bbox\":"
        "[0,0,1,1]},{\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,1,1]},{\"id\":\"k\","
        "\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,2,2]}]}",
        NULL, "annotations[2] has the id of annotations[0]");
    refuse_document(
        "{\"images\":[{\"id\":1,\"file_name\":\"a\"}],\"categories\":[{\"id\":1,\"name\":"
        "\"x\"},{\"id\":2,\"name\":\"x\"}]}",
        NULL, "two classes are called 'x'");
    refuse_document("[{\"image_id\":2,\"category_id\":9,\"bbox\":[0,0,1,1],\"score\":1}]",
                    small_images, "image_id 2 is not among the images");
    refuse_document("[{\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,1,1],\"score\":1}]",
                    small_images, "category_id 1 is not among the categories");
    refuse_document("[{\"image_id\":1,\"category_id\":9,\"score\":1}]", small_images, "no 'bbox'");
    refuse_document("[{\"image_id\":1,\"category_id\":9,\"bbox\":[0,0,1,1]}]", small_images,
                    "no 'score'");
    refuse_document("[{\"image_id\":1,\"category_id\":9,\"bbox\":[0,0,-1,1],\"score\":1}]",
                    small_images, "'bbox'");
}

Test(stage_files, a_failed_document_leaves_nothing)
{
    wsam_coco_writer *w;
    wsam_error error = {0};
    wsam_instance item = {.class_index = 2};
    const wsam_instances one = {1, &item};
    const wsam_coco_image image = {.file_name = "a", .width = 3, .height = 2};
    cr_assert_eq(wsam_coco_open(file("x.json"), WSAM_COCO_RESULTS, &classes, NULL, &w, &error),
                 WSAM_OK);
    const wsam_status status = wsam_coco_put(w, &image, &one, &error);
    cr_expect_eq(status, WSAM_ERR_ARGUMENT);
    cr_expect_eq(wsam_coco_finish(w, status, &error), WSAM_ERR_ARGUMENT);
    cr_expect_eq(rmdir(folder), 0, "the folder is empty");
    cr_assert_not_null(mkdtemp(strcpy(folder, "/tmp/weaksam-stages-XXXXXX")));
}

/* Without images.json nobody could read it. */
Test(stage_files, a_list_that_is_there_has_its_names)
{
    wsam_coco_writer *w;
    wsam_error error = {0};
    ws_outputs out = {0};
    const wsam_instances none = {0};
    const wsam_coco_image image = {.file_name = "a", .width = 3, .height = 2};
    cr_assert_eq(
        ws_coco_write_in(&out, file("x.json"), WSAM_COCO_RESULTS, &classes, NULL, &w, &error),
        WSAM_OK);
    cr_assert_eq(wsam_coco_put(w, &image, &none, &error), WSAM_OK);
    cr_assert_eq(wsam_coco_finish(w, WSAM_OK, &error), WSAM_OK);
    cr_assert_eq(mkdir(file("images.json"), 0777), 0); /* its name is taken by now */
    cr_expect_eq(ws_outputs_finish(&out, WSAM_OK, &error), WSAM_ERR_IO);
    cr_expect_neq(access(file("x.json"), F_OK), 0);
}

/* ---- reviews ---- */

Test(stage_files, reviews_belong_to_their_data_set)
{
    char checksum[17], text[200];
    wsam_review *r;
    wsam_error error = {0};
    char set[128];
    snprintf(set, sizeof set, "%s", write_file("set.json", "abc"));
    cr_assert_eq(wsam_file_checksum(set, checksum, &error), WSAM_OK);
    cr_expect_str_eq(checksum, "44bc2cf5ad770999", "XXH64 of abc");
    snprintf(text, sizeof text, "{\"checksum\":\"%s\",\"7\":\"reject\",\"3\":\"accept\"}",
             checksum);
    cr_assert_eq(wsam_review_load(write_file("r.json", text), set, &r, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_eq(wsam_review_of(r, 7), -1);
    cr_expect_eq(wsam_review_of(r, 3), 1);
    cr_expect_eq(wsam_review_of(r, 5), 0);
    wsam_review_free(r);
    cr_expect_eq(wsam_review_load(file("r.json"), write_file("other.json", "abd"), &r, &error),
                 WSAM_ERR_MISMATCH);
    static const char *const bad[][2] = {
        {"[]", "not an object"},
        {"{\"3\":\"accept\"}", "no 'checksum'"},
        {"{\"checksum\":\"44bc2cf5ad770999\",\"\":\"accept\"}", "an empty annotation id"},
        {"{\"checksum\":\"44bc2cf5ad770999\",\"3\":\"maybe\"}", "neither"},
        {"{\"checksum\":\"44bc2cf5ad770999\",\"3\":\"accept\",\"3\":"
         "\"reject\"}",
         "twice"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_neq(wsam_review_load(write_file("r.json", bad[i][0]), set, &r, &error), WSAM_OK);
        cr_expect(strstr(error.message, bad[i][1]), "%s", error.message);
    }
}
