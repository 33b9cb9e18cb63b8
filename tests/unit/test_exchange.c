/* Data sets for and from other tools: what goes out comes back, and hostile files are refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weaksam/weaksam.h"

enum { W = 60, H = 40 };

static char folder[64];

static const char *file(const char *name)
{
    static char path[8][160];
    static int next;
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = file(name);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f, "%s", path);
    fputs(text, f);
    fclose(f);
    return path;
}

static void write_picture(const char *name)
{
    static uint8_t pixels[W * H * 3];
    const wsam_picture picture = {
        .pixels = pixels, .width = W, .height = H, .channels = 3, .stride = W * 3};
    cr_assert_eq(wsam_picture_save(&picture, file(name), NULL), WSAM_OK);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/weaksam-exchange-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    mkdir(file("p"), 0777);
    mkdir(file("p/sub"), 0777);
    write_picture("p/a.png");
    write_picture("p/b b.png");
    write_picture("p/sub/c.png");
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

TestSuite(exchange, .init = setup, .fini = teardown);

/* ---- a data set with everything ---- */

static uint8_t canvas[H][W];

static void fill(int x0, int y0, int x1, int y1, int value)
{
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            canvas[y][x] = (uint8_t)value;
}

/* As a JSON text has it: with backslashes doubled. */
static char *canvas_counts(void)
{
    static uint32_t counts[W * H + 1];
    wsam_rle rle = {.height = H, .width = W, .capacity = W * H + 1, .counts = counts};
    cr_assert_eq(wsam_rle_encode(&canvas[0][0], W, &rle), WSAM_OK);
    const size_t n = wsam_rle_to_string(&rle, NULL, 0);
    char *text = malloc(n), *escaped = malloc(2 * n + 1), *to = escaped;
    wsam_rle_to_string(&rle, text, n);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\\')
            *to++ = '\\';
        *to++ = text[i];
    }
    *to = 0;
    free(text);
    memset(canvas, 0, sizeof canvas);
    return escaped;
}

/* A square, one with a hole, two parts, a rejected box, a box; then an image with nothing, and one
 * in a subfolder whose object covers another. */
static wsam_coco_document *sample(void)
{
    char text[8192];
    fill(3, 4, 20, 19, 1);
    char *square = canvas_counts();
    fill(25, 5, 45, 30, 1), fill(30, 10, 36, 20, 0);
    char *ring = canvas_counts();
    fill(2, 30, 9, 38, 1), fill(50, 1, 59, 7, 1), fill(12, 33, 13, 34, 1);
    char *parts = canvas_counts();
    fill(0, 0, 30, 30, 1);
    char *large = canvas_counts();
    fill(10, 10, 20, 20, 1);
    char *small = canvas_counts();
    snprintf(
        text, sizeof text,
        "{\"images\":[{\"id\":7,\"width\":60,\"height\":40,\"file_name\":\"a.png\",\"review\":"
        "\"complete\"},{\"id\":9,\"width\":60,\"height\":40,\"file_name\":\"b b.png\"},"
        "{\"id\":11,\"width\":60,\"height\":40,\"file_name\":\"sub/c.png\",\"review\":\"partial\"}],"
        "\"categories\":[{\"id\":3,\"name\":\"nut\"},{\"id\":5,\"name\":\"bolt & <nut> \\\"M4\\\"\"}],"
        "\"annotations\":["
        "{\"id\":21,\"image_id\":7,\"category_id\":3,\"bbox\":[3,4,17,15],\"area\":255,\"iscrowd\":0,"
        "\"score\":0.75,\"reviewed\":\"accepted\",\"segmentation\":{\"size\":[40,60],\"counts\":\"%s\"}},"
        "{\"id\":22,\"image_id\":7,\"category_id\":5,\"bbox\":[25,5,20,25],\"area\":440,\"iscrowd\":0,"
        "\"score\":0.5,\"segmentation\":{\"size\":[40,60],\"counts\":\"%s\"}},"
        "{\"id\":23,\"image_id\":7,\"category_id\":3,\"bbox\":[2,1,57,37],\"area\":111,\"iscrowd\":0,"
        "\"score\":0.25,\"reviewed\":\"drawn\",\"segmentation\":{\"size\":[40,60],\"counts\":\"%s\"}},"
        "{\"id\":24,\"image_id\":7,\"category_id\":3,\"bbox\":[40,20,5,5],\"area\":25,\"iscrowd\":0,"
        "\"score\":0.1,\"reviewed\":\"rejected\"},"
        "{\"id\":25,\"image_id\":7,\"category_id\":5,\"bbox\":[1.5,2.25,10.5,8],\"area\":84,"
        "\"iscrowd\":0,\"score\":0.3},"
        "{\"id\":31,\"image_id\":11,\"category_id\":3,\"bbox\":[0,0,30,30],\"area\":900,"
        "\"iscrowd\":0,\"score\":0.9,\"segmentation\":{\"size\":[40,60],\"counts\":\"%s\"}},"
        "{\"id\":32,\"image_id\":11,\"category_id\":5,\"bbox\":[10,10,10,10],\"area\":100,"
        "\"iscrowd\":0,\"score\":0.8,\"segmentation\":{\"size\":[40,60],\"counts\":\"%s\"}}]}",
        square, ring, parts, large, small);
    free(square), free(ring), free(parts), free(large), free(small);
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    cr_assert_eq(wsam_coco_load_masks(write_file("sample.json", text), NULL, &d, &error), WSAM_OK,
                 "%s", error.message);
    return d;
}

static const wsam_instance *object(const wsam_coco_document *d, const char *image, size_t k)
{
    for (size_t i = 0; i < d->n_images; i++)
        if (strcmp(d->file_names[i], image) == 0 && d->first[i] + k < d->first[i + 1])
            return &d->instances.items[d->first[i] + k];
    return NULL;
}

static int same(const wsam_coco_document *a, const wsam_instance *p, const wsam_coco_document *b,
                const wsam_instance *q)
{
    if (!p || !q || strcmp(a->class_names[p->class_index], b->class_names[q->class_index]) != 0)
        return 0;
    if (!p->counts != !q->counts || (p->counts && strcmp(p->counts, q->counts) != 0))
        return 0;
    for (int k = 0; k < 4; k++)
        if (fabs(p->bbox[k] - q->bbox[k]) > 1e-4)
            return 0;
    return 1;
}

static wsam_coco_document *there_and_back(wsam_exchange_format format, int side_file,
                                          wsam_exchange_counts *out, wsam_exchange_counts *in)
{
    wsam_coco_document *d = sample(), *back = NULL;
    wsam_error error = {0};
    wsam_exchange_format found;
    const wsam_export_options options = {.no_side_file = !side_file};
    const char *to = file(wsam_exchange_name(format));
    cr_assert_eq(wsam_export(d, format, &options, to, out, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_import(to, -1, file("p"), NULL, &back, &found, in, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_eq(found, format, "%s taken for %s", wsam_exchange_name(format),
                 wsam_exchange_name(found));
    wsam_coco_free(d);
    return back;
}

/* With weaksam.json everything comes back, decisions, scores and ids too. */
Test(exchange, every_format_comes_back_complete)
{
    for (int f = 0; f < WSAM_EXCHANGE_FORMATS; f++) {
        const char *name = wsam_exchange_name((wsam_exchange_format)f);
        wsam_exchange_counts out, in;
        wsam_coco_document *d = sample();
        wsam_coco_document *back = there_and_back((wsam_exchange_format)f, 1, &out, &in);
        const size_t kept = f == WSAM_EXCHANGE_COCO ? 5 : 4; /* COCO alone has rejected ones */
        cr_expect_eq(out.objects, kept + 2, "%s wrote %zu", name, out.objects);
        cr_expect_eq(in.objects, kept + 2, "%s read %zu", name, in.objects);
        cr_expect_eq(out.rejected, f != WSAM_EXCHANGE_COCO);
        cr_expect_eq(in.restored, kept + 2, "%s restored %zu", name, in.restored);
        for (size_t k = 0, other = 0; k < 5; k++) {
            const wsam_instance *p = object(d, "a.png", k);
            if (p->reviewed == WSAM_REVIEWED_REJECTED && f != WSAM_EXCHANGE_COCO)
                continue;
            const wsam_instance *q = object(back, "a.png", other++);
            cr_assert(same(d, p, back, q), "%s: object %zu", name, k);
            cr_expect_eq(q->id, p->id, "%s: id %d", name, (int)q->id);
            if (p->reviewed)
                cr_expect_eq(q->reviewed, p->reviewed, "%s: object %zu", name, k);
            cr_expect_float_eq(q->score, p->score, 1e-9);
        }
        for (size_t k = 0; k < 2; k++)
            cr_expect(same(d, object(d, "sub/c.png", k), back, object(back, "sub/c.png", k)),
                      "%s: object %zu of sub/c.png", name, k);
        wsam_coco_free(d);
        wsam_coco_free(back);
    }
}

/* Without it masks are exact all the same, but for what PASCAL VOC hides under other objects. */
Test(exchange, masks_are_exact_without_a_side_file)
{
    for (int f = 0; f < WSAM_EXCHANGE_FORMATS; f++) {
        const char *name = wsam_exchange_name((wsam_exchange_format)f);
        wsam_exchange_counts out, in;
        wsam_coco_document *d = sample();
        wsam_coco_document *back = there_and_back((wsam_exchange_format)f, 0, &out, &in);
        cr_expect_eq(in.restored, 0);
        cr_expect_neq(access(file("yolo/weaksam.json"), F_OK), 0);
        for (size_t k = 0; k < 3; k++) {
            const wsam_instance *q = object(back, "a.png", k);
            cr_expect(same(d, object(d, "a.png", k), back, q), "%s: object %zu", name, k);
            cr_expect_neq(q->reviewed, WSAM_REVIEWED_NO, "%s", name);
        }
        cr_expect(same(d, object(d, "sub/c.png", 1), back, object(back, "sub/c.png", 1)), "%s",
                  name);
        cr_expect_eq(same(d, object(d, "sub/c.png", 0), back, object(back, "sub/c.png", 0)),
                     f != WSAM_EXCHANGE_VOC, "%s: the covered object", name);
        wsam_coco_free(d);
        wsam_coco_free(back);
    }
}

/* Somebody deleted an object, drew another one, and left the rest. */
Test(exchange, a_review_elsewhere_decides)
{
    wsam_coco_document *d = sample(), *back = NULL;
    wsam_exchange_counts counts;
    const wsam_import_options options = {.reviewed = 1};
    cr_assert_eq(wsam_export(d, WSAM_EXCHANGE_YOLO, NULL, file("y"), NULL, NULL), WSAM_OK);
    char command[256];
    snprintf(command, sizeof command,
             "cd %s/y/labels/sub && sed -i 1d c.txt && echo '0 0.5 0.5 0.1 0.1' >> c.txt", folder);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(wsam_import(file("y"), -1, file("p"), &options, &back, NULL, &counts, NULL),
                 WSAM_OK);
    cr_expect_eq(counts.removed, 1);
    cr_expect_eq(counts.restored, 5);
    const wsam_instance *small = object(back, "sub/c.png", 0), *new = object(back, "sub/c.png", 1);
    const wsam_instance *large = object(back, "sub/c.png", 2);
    cr_expect(small->id == 32 && small->reviewed == WSAM_REVIEWED_ACCEPTED);
    cr_expect(new->reviewed == WSAM_REVIEWED_DRAWN);
    cr_expect(large->id == 31 && large->reviewed == WSAM_REVIEWED_REJECTED);
    cr_expect_eq(object(back, "a.png", 2)->reviewed, WSAM_REVIEWED_DRAWN, "as it was");
    for (size_t i = 0; i < back->n_images; i++)
        cr_expect_eq(back->reviews[i], WSAM_REVIEW_COMPLETE);
    wsam_coco_free(d);
    wsam_coco_free(back);
}

Test(exchange, open_only_leaves_out_what_is_done)
{
    wsam_coco_document *d = sample();
    wsam_exchange_counts counts;
    const wsam_export_options options = {.open_only = 1};
    cr_assert_eq(wsam_export(d, WSAM_EXCHANGE_YOLO, &options, file("open"), &counts, NULL),
                 WSAM_OK);
    cr_expect_eq(counts.complete, 1);
    cr_expect_eq(counts.images, 2);
    cr_expect_neq(access(file("open/labels/a.txt"), F_OK), 0);
    cr_expect_eq(access(file("open/labels/sub/c.txt"), F_OK), 0);
    wsam_coco_free(d);
}

Test(exchange, a_failed_export_leaves_nothing)
{
    wsam_coco_document *d = sample();
    wsam_error error = {0};
    free(d->file_names[1]);
    d->file_names[1] = strdup("../b.png");
    for (int f = WSAM_EXCHANGE_YOLO; f <= WSAM_EXCHANGE_LABELME; f++) {
        cr_expect_eq(wsam_export(d, (wsam_exchange_format)f, NULL, file("bad"), NULL, &error),
                     WSAM_ERR_FORMAT);
        cr_expect(strstr(error.message, "leads out of the folder"), "%s", error.message);
        cr_expect_neq(access(file("bad"), F_OK), 0, "format %d", f);
    }
    free(d->file_names[1]);
    d->file_names[1] = strdup("a.jpg");
    cr_expect_eq(wsam_export(d, WSAM_EXCHANGE_YOLO, NULL, file("bad"), NULL, &error),
                 WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, "would share the file"), "%s", error.message);
    wsam_coco_free(d);
}

/* ---- what other tools write ---- */

static wsam_coco_document *import(const char *path, wsam_exchange_counts *counts)
{
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    cr_assert_eq(wsam_import(path, -1, file("p"), NULL, &d, NULL, counts, &error), WSAM_OK, "%s",
                 error.message);
    return d;
}

static void box_is(const wsam_instance *a, double x, double y, double w, double h)
{
    cr_assert_not_null(a);
    cr_expect_float_eq(a->bbox[0], x, 1e-6, "x %g", a->bbox[0]);
    cr_expect_float_eq(a->bbox[1], y, 1e-6, "y %g", a->bbox[1]);
    cr_expect_float_eq(a->bbox[2], w, 1e-6, "w %g", a->bbox[2]);
    cr_expect_float_eq(a->bbox[3], h, 1e-6, "h %g", a->bbox[3]);
}

/* The side file is one of the files: where it cannot be written, none appears. */
Test(exchange, files_appear_with_their_side_file_or_not_at_all)
{
    wsam_coco_document *d = sample();
    wsam_error error = {0};
    char command[256];
    snprintf(command, sizeof command, "mkdir -p %s/side/weaksam.json", folder);
    cr_assert_eq(system(command), 0);
    for (int f = WSAM_EXCHANGE_YOLO; f < WSAM_EXCHANGE_FORMATS; f++) {
        cr_expect_neq(wsam_export(d, (wsam_exchange_format)f, NULL, file("side"), NULL, &error),
                      WSAM_OK);
        cr_expect(strstr(error.message, "weaksam.json"), "%s", error.message);
    }
    snprintf(command, sizeof command, "test -z \"$(find %s/side -type f)\"", folder);
    cr_expect_eq(system(command), 0, "files of a failed export");
    wsam_coco_free(d);
}

Test(exchange, yolo_of_other_hands)
{
    wsam_exchange_counts counts;
    mkdir(file("y"), 0777);
    mkdir(file("y/labels"), 0777);
    mkdir(file("y/labels/train"), 0777);
    write_file("y/data.yaml",
               "# made by hand\ntrain: images/train\nnc: 2\nnames: ['bolt', \"nut\"] # two\n");
    write_file("y/labels/train/a.txt", "1 0.5 0.5 0.5 0.5\r\n\r\n0 0.1 0.1 0.5 0.1 0.5 0.6\r\n");
    write_file("y/labels/train/gone.txt", "1 0.5 0.5 0.5 0.5\n");
    wsam_coco_document *d = import(file("y"), &counts);
    cr_expect_eq(counts.images, 1);
    cr_expect_eq(counts.unmatched, 1);
    cr_expect(strstr(counts.first_unmatched, "gone"), "%s", counts.first_unmatched);
    box_is(object(d, "a.png", 0), 15, 10, 30, 20);
    cr_expect_str_eq(d->class_names[object(d, "a.png", 0)->class_index], "nut");
    cr_expect_eq(object(d, "a.png", 0)->reviewed, WSAM_REVIEWED_DRAWN);
    cr_expect_not_null(object(d, "a.png", 1)->counts);
    wsam_coco_free(d);
}

Test(exchange, label_studio_of_other_hands)
{
    wsam_exchange_counts counts;
    write_file(
        "tasks.json",
        "[{\"id\":1,\"data\":{\"image\":\"/data/upload/3/1a2b3c4d-a.png\"},\"annotations\":["
        "{\"was_cancelled\":true,\"result\":[]},{\"result\":["
        "{\"type\":\"rectanglelabels\",\"original_width\":60,\"original_height\":40,\"value\":"
        "{\"x\":10,\"y\":10,\"width\":50,\"height\":25,\"rotation\":0,\"rectanglelabels\":[\"nut\"]}},"
        "{\"type\":\"polygonlabels\",\"original_width\":60,\"original_height\":40,\"value\":"
        "{\"points\":[[0,0],[50,0],[50,50],[0,50]],\"polygonlabels\":[\"bolt\"]}},"
        "{\"type\":\"choices\",\"value\":{\"choices\":[\"blurred\"]}}]}],\"predictions\":[]}]");
    wsam_coco_document *d = import(file("tasks.json"), &counts);
    cr_expect_eq(counts.skipped, 1);
    box_is(object(d, "a.png", 0), 6, 4, 30, 10);
    box_is(object(d, "a.png", 1), 0, 0, 30, 20);
    cr_expect_eq(object(d, "a.png", 1)->area, 600);
    wsam_coco_free(d);
}

Test(exchange, cvat_of_other_hands)
{
    wsam_exchange_counts counts;
    write_file(
        "annotations.xml",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations><version>1.1</version>\n"
        "<meta><job><labels><label><name>nut</name></label></labels></job></meta>\n"
        "<image id=\"0\" name=\"images\\a.png\" width=\"60\" height=\"40\">\n"
        "<box label=\"nut\" source=\"manual\" occluded=\"0\" xtl=\"1.50\" ytl=\"2.00\" "
        "xbr=\"11.50\" ybr=\"7.00\" z_order=\"0\"></box>\n"
        "<mask label=\"bolt\" source=\"manual\" occluded=\"0\" rle=\"0, 2, 1, 3\" left=\"4\" "
        "top=\"5\" width=\"3\" height=\"2\" z_order=\"0\"></mask>\n"
        "<points label=\"nut\" points=\"1,2\"/></image></annotations>\n");
    wsam_coco_document *d = import(file("annotations.xml"), &counts);
    cr_expect_eq(counts.skipped, 1);
    box_is(object(d, "a.png", 0), 1.5, 2, 10, 5);
    box_is(object(d, "a.png", 1), 4, 5, 3, 2);
    cr_expect_eq(object(d, "a.png", 1)->area, 5);
    wsam_coco_free(d);
}

Test(exchange, labelme_of_other_hands)
{
    wsam_exchange_counts counts;
    mkdir(file("lm"), 0777);
    write_file(
        "lm/b b.json",
        "{\"version\":\"5.0.1\",\"flags\":{},\"shapes\":["
        "{\"label\":\"nut\",\"points\":[[30,20],[10,5]],\"shape_type\":\"rectangle\",\"flags\":{}},"
        "{\"label\":\"nut\",\"points\":[[20,20],[26,28]],\"shape_type\":\"circle\",\"flags\":{}},"
        "{\"label\":\"nut\",\"points\":[[1,1],[2,2]],\"shape_type\":\"line\",\"flags\":{}}],"
        "\"imagePath\":\"..\\\\photos\\\\b b.png\",\"imageData\":null,\"imageHeight\":40,"
        "\"imageWidth\":60}");
    wsam_coco_document *d = import(file("lm"), &counts);
    cr_expect_eq(counts.skipped, 1);
    box_is(object(d, "b b.png", 0), 10, 5, 20, 15);
    cr_expect_float_eq((double)object(d, "b b.png", 1)->area, 314, 8);
    wsam_coco_free(d);
}

/* ---- hostile files ---- */

static void refused(const char *name, const char *text, const char *words)
{
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    cr_expect_neq(wsam_import(write_file(name, text), -1, file("p"), NULL, &d, NULL, NULL, &error),
                  WSAM_OK, "%s", text);
    cr_expect_null(d);
    cr_expect(strstr(error.message, words), "'%s' is not in: %s", words, error.message);
}

Test(exchange, hostile_files_are_refused)
{
    refused("h.xml", "<annotations><track id=\"0\"/></annotations>", "tracks of a video");
    refused("h.xml", "<!DOCTYPE a [<!ENTITY b \"c\">]><annotations></annotations>",
            "document type");
    refused("h.xml", "<annotations></annotations>", "no images");
    refused("h.xml",
            "<annotations><image name=\"a.png\" width=\"60\" height=\"40\"><mask label=\"n\" "
            "rle=\"0, 7\" left=\"59\" top=\"0\" width=\"3\" height=\"2\"/></image></annotations>",
            "outside of its image");
    refused(
        "h.xml",
        "<annotations><image name=\"a.png\" width=\"60\" height=\"40\"><mask label=\"n\" "
        "rle=\"0, 999999999999\" left=\"0\" top=\"0\" width=\"3\" height=\"2\"/></image></annotations>",
        "do not fit");
    refused("h.xml",
            "<annotations><image name=\"a.png\" width=\"60\" height=\"40\"><polygon label=\"n\" "
            "points=\"1,1;2,2\"/></image></annotations>",
            "three are the least");
    refused(
        "h.json",
        "[{\"data\":{\"image\":\"a.png\"},\"annotations\":[{\"result\":[{\"type\":"
        "\"brushlabels\",\"original_width\":60,\"original_height\":40,\"value\":{\"rle\":[0,0,37,128,"
        "99],\"brushlabels\":[\"n\"]}}]}]}]",
        "task 0: ");
    refused("h.json",
            "[{\"data\":{\"image\":\"a.png\"},\"annotations\":[{\"result\":[{\"type\":"
            "\"rectanglelabels\",\"value\":{\"x\":1,\"rectanglelabels\":[\"n\"]}}]}]}]",
            "a rectangle without 'y'");
    refused("h.json",
            "{\"shapes\":[{\"label\":\"n\",\"shape_type\":\"mask\",\"points\":[[0,0],[70,3]],"
            "\"mask\":\"AAAA\"}],\"imagePath\":\"a.png\"}",
            "outside of the image");
    refused("h.json",
            "{\"shapes\":[{\"label\":\"n\",\"shape_type\":\"mask\",\"points\":[[0,0],[3,3]],"
            "\"mask\":\"AAAA\"}],\"imagePath\":\"a.png\"}",
            "PNG");
    refused("h.txt", "hello", "no format is recognised");
}

/* ---- joining ---- */

static wsam_coco_document *document(const char *name, const char *images, const char *annotations)
{
    char text[2048];
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    snprintf(
        text, sizeof text,
        "{\"images\":[%s],\"categories\":[{\"id\":1,\"name\":\"nut\"},{\"id\":2,\"name\":\"bolt\"}],"
        "\"annotations\":[%s]}",
        images, annotations);
    cr_assert_eq(wsam_coco_load_masks(write_file(name, text), NULL, &d, &error), WSAM_OK, "%s",
                 error.message);
    return d;
}

#define IMAGE_A "{\"id\":1,\"width\":60,\"height\":40,\"file_name\":\"a.png\"}"
#define BOX(id, class, x, more)                                                                    \
    "{\"id\":" #id ",\"image_id\":1,\"category_id\":" #class ",\"bbox\":[" #x                      \
                                                             ",5,10,10],\"score\":0.5" more "}"

Test(exchange, a_person_beats_a_machine_and_newer_beats_older)
{
    wsam_coco_document *older = document(
        "o.json", IMAGE_A,
        BOX(1, 1, 0, ",\"reviewed\":\"accepted\"") "," BOX(2, 1, 20, "") "," BOX(3, 2, 40, ""));
    wsam_coco_document *newer = document(
        "n.json", IMAGE_A ",{\"id\":2,\"width\":60,\"height\":40,\"file_name\":\"z.png\"}",
        BOX(1, 1, 1, "") "," BOX(2, 1, 21, "") "," BOX(3, 2, 41, ",\"reviewed\":\"rejected\""));
    const wsam_coco_document *both[2] = {older, newer};
    wsam_coco_document *joined = NULL;
    wsam_join_counts counts;
    cr_assert_eq(wsam_join(both, 2, NULL, &joined, &counts, NULL), WSAM_OK);
    cr_expect_eq(joined->n_images, 2);
    cr_assert_eq(joined->instances.n, 3);
    box_is(&joined->instances.items[0], 0, 5, 10, 10);  /* the accepted one */
    box_is(&joined->instances.items[1], 21, 5, 10, 10); /* the newer of two machines' */
    cr_expect_eq(joined->instances.items[2].reviewed, WSAM_REVIEWED_REJECTED);
    cr_expect_eq(counts.duplicates, 2);
    cr_expect_eq(counts.by_person, 1);
    cr_expect_eq(counts.rejected, 1);
    cr_expect_eq(counts.same_file, 1);
    wsam_coco_free(older), wsam_coco_free(newer), wsam_coco_free(joined);
}

Test(exchange, a_complete_image_stands_alone)
{
    wsam_coco_document *done = document(
        "o.json",
        "{\"id\":1,\"width\":60,\"height\":40,\"file_name\":\"a.png\",\"review\":\"complete\"}",
        BOX(1, 1, 0, ",\"reviewed\":\"drawn\""));
    wsam_coco_document *machine =
        document("n.json", IMAGE_A, BOX(1, 1, 30, "") "," BOX(2, 2, 45, ""));
    const wsam_coco_document *both[2] = {done, machine};
    wsam_coco_document *joined = NULL;
    wsam_join_counts counts;
    cr_assert_eq(wsam_join(both, 2, NULL, &joined, &counts, NULL), WSAM_OK);
    cr_assert_eq(joined->instances.n, 1);
    cr_expect_eq(joined->reviews[0], WSAM_REVIEW_COMPLETE);
    cr_expect_eq(counts.by_person, 2);
    wsam_coco_free(done), wsam_coco_free(machine), wsam_coco_free(joined);
}
