/* Labels from files that people write. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/util/suite_folder.h"
#include "weaksam/dataset.h"

TestSuite(labels, .init = make_folder, .fini = remove_folder);

static void make_pictures(int n)
{
    mkdir(in_folder("p"), 0777);
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "p/%c%d.png", 'a' + i % 3, i / 3);
        write_file(name, "x");
    }
}

static wsam_labels *load(const char *name)
{
    wsam_labels *l;
    wsam_error error = {0};
    cr_assert_eq(wsam_labels_load(in_folder(name), in_folder("p"), NULL, &l, &error), WSAM_OK, "%s",
                 error.message);
    return l;
}

static void refused(const char *name, const char *text, wsam_status status, const char *words)
{
    wsam_labels *l;
    wsam_error error = {0};
    if (text)
        write_file(name, text);
    cr_expect_eq(wsam_labels_load(in_folder(name), in_folder("p"), NULL, &l, &error), status,
                 "%s: %s", text, error.message);
    cr_expect(strstr(error.message, words), "'%s' is not in: %s", words, error.message);
    cr_expect_null(l);
}

static void expect_same(const wsam_labels *l)
{
    cr_assert_eq(l->n, 2);
    cr_expect_str_eq(l->images[0], "a0.png");
    cr_expect_str_eq(l->images[1], "b0.png");
    cr_assert_eq(l->n_classes, 2);
    cr_expect_str_eq(l->names[0], "cat, small");
    cr_expect_str_eq(l->names[1], "dog");
    cr_assert_eq(l->first[2], 3);
    cr_expect_eq(l->classes[0], 1);
    cr_expect_eq(l->classes[1], 0);
    cr_expect_eq(l->classes[2], 1);
    cr_expect_eq(l->unlabelled, 1);
    cr_expect_str_eq(l->first_unlabelled, "c0.png");
}

Test(labels, one_meaning_in_three_forms)
{
    static const char *const names[] = {"l.csv", "l.json", "voc", "bare.csv"};
    make_pictures(3);
    mkdir(in_folder("voc"), 0777);
    mkdir(in_folder("voc/Annotations"), 0777);
    write_file("l.csv",
               "\xef\xbb\xbfimage,class\r\nb0.png,dog,\"cat, small\",dog\r\n\r\na0.png , dog \r\n");
    write_file("bare.csv", "b0.png,\"cat, small\",dog\na0.png,dog");
    write_file("l.json", "{\"b0.png\":[\"dog\",\"cat, small\"],\"a0.png\":[\"dog\"]}\n");
    write_file("voc/Annotations/b0.xml",
               "<annotation><size><name>no</name></size><object><name>dog</name><part><name>head"
               "</name></part></object><object><name> cat, small </name></object>"
               "<object><name>dog</name></object></annotation>");
    write_file("voc/Annotations/a0.xml",
               "<annotation><object><name>dog</name></object></annotation>");
    for (int i = 0; i < 4; i++) {
        wsam_labels *l = load(names[i]);
        expect_same(l);
        wsam_labels_free(l);
    }
}

/* Peak memory of this process in kB. */
static size_t peak(void)
{
    char line[256];
    size_t kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtoull(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kb;
}

/* `line` again and again, to `size` bytes. */
static void write_lines(const char *name, const char *line, size_t size)
{
    FILE *f = fopen(in_folder(name), "w");
    cr_assert(f);
    for (size_t n = 0; n < size; n += strlen(line))
        fputs(line, f);
    fclose(f);
}

/* SECURITY.md: 4 times the file and 64 MB, whatever the rows are. */
Test(labels, many_short_rows_are_refused_in_little_memory)
{
    static const char *const lines[] = {"a\n", "a,b\n", "a,b;b;b;b;b;b;b;b;b;b;b;b\n"};
    enum { MB = 1 << 20 };
    make_pictures(1);
    for (int i = 0; i < 3; i++) {
        const size_t size = i == 1 ? 12 * MB : 6 * MB;
        write_lines("l.csv", lines[i], size);
        refused("l.csv", NULL, WSAM_ERR_LIMIT, "more than 2500000 labels");
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
        cr_expect_leq(peak() * 1024, 4 * size + 64 * MB, "%s takes %zu kB", lines[i], peak());
#endif
    }
    write_lines("l.csv", ",", 70000);
    refused("l.csv", NULL, WSAM_ERR_LIMIT, "more than 65536 cells in a row");
}

Test(labels, classes_in_the_order_that_is_asked_for)
{
    static const char *const names[] = {"zebra", "dog", "cat"};
    const wsam_labels_options o = {.names = names, .n_names = 3};
    wsam_labels *l;
    wsam_error error;
    make_pictures(2);
    write_file("l.csv", "a0.png,cat,zebra\nb0.png,dog\n");
    cr_assert_eq(wsam_labels_load(in_folder("l.csv"), in_folder("p"), &o, &l, &error), WSAM_OK);
    cr_expect_eq(l->n_classes, 3);
    cr_expect(l->classes[0] == 0 && l->classes[1] == 2 && l->classes[2] == 1);
    wsam_labels_free(l);
    write_file("l.csv", "a0.png,cat\nb0.png,unicorn\n");
    cr_expect_eq(wsam_labels_load(in_folder("l.csv"), in_folder("p"), &o, &l, &error),
                 WSAM_ERR_MISMATCH);
    cr_expect(strstr(error.message, "'b0.png' has the unknown class 'unicorn'"), "%s",
              error.message);
}

Test(labels, missing_pictures_may_be_allowed)
{
    const wsam_labels_options o = {.allow_missing = 1};
    wsam_labels *l;
    wsam_error error;
    make_pictures(1);
    write_file("l.csv", "a0.png,cat\ngone.png,cat\n");
    refused("l.csv", NULL, WSAM_ERR_MISMATCH, "1 labelled image is not in");
    cr_assert_eq(wsam_labels_load(in_folder("l.csv"), in_folder("p"), &o, &l, &error), WSAM_OK);
    cr_expect(l->n == 1 && l->missing == 1);
    cr_expect_str_eq(l->first_missing, "gone.png");
    wsam_labels_free(l);
}

Test(labels, bad_lists_are_refused_with_a_reason)
{
    make_pictures(2);
    refused("l.csv", "a0.png,cat,cow\na0.png,dog\n", WSAM_ERR_FORMAT, "named twice (rows 1 and 2)");
    refused("l.json", "{\"a0.png\":[\"x\"],\"a0.png\":[\"y\"]}", WSAM_ERR_FORMAT, "named twice");
    refused("l.csv", "image,class\n", WSAM_ERR_FORMAT, "no labels");
    refused("l.csv", "a0.png\n", WSAM_ERR_FORMAT, "no classes");
    refused("l.csv", "../x.png,cat\n", WSAM_ERR_FORMAT, "leads out of the folder");
    refused("l.csv", "/x.png,cat\n", WSAM_ERR_FORMAT, "leads out of the folder");
    refused("l.csv", "a0.png,caf\xe9\n", WSAM_ERR_FORMAT, "is not UTF-8 text");
    refused("l.csv", "image,caf\xe9\na0.png,1\nb0.png,0\n", WSAM_ERR_FORMAT, "is not UTF-8 text");
    refused("l.json", "{\"a0.png\":[\"caf\xe9\"]}", WSAM_ERR_FORMAT, "is not UTF-8 text");
    refused("l.json", "{\"a0.png\":[\"caf\\udce9\"]}", WSAM_ERR_FORMAT, "is not UTF-8 text");
    refused("l.csv", "image,width,score\na0.png,8,0.5\nb0.png,9,0.25\n", WSAM_ERR_FORMAT,
            "column 2 ('width') has numbers");
    refused("l.csv", "image,name,score\na0.png,cat,0.5\nb0.png,dog,\n", WSAM_ERR_FORMAT,
            "column 3 ('score') has numbers");
    refused("l.csv", "file,x\na0.png,1e-3;-4\nb0.png,+.5\n", WSAM_ERR_FORMAT, "column 2 ('x') has");
    refused("l.csv", "a0.png,3\nb0.png,7\n", WSAM_ERR_FORMAT, "column 2 has numbers");
    refused("l.csv", "a0.png,3\n", WSAM_ERR_FORMAT, "say so in the first row");
    refused("l.csv", "a0.png,1,0\nb0.png,0,1\n", WSAM_ERR_FORMAT, "no header");
    refused("l.csv", "image,cat,\na0.png,1,1\n", WSAM_ERR_FORMAT, "a column without a name");
    refused("l.csv", ",cat\n", WSAM_ERR_FORMAT, ":1: a row without an image");
    refused("l.csv", "a0.png,\"cat\n", WSAM_ERR_FORMAT, "a quote that does not close");
    refused("l.csv", "a0.png,\"cat\"s\n", WSAM_ERR_FORMAT, "text behind a closing quote");
    refused("l.csv", "b9.png,cat\n", WSAM_ERR_MISMATCH, "'b9.png' first");
    refused("l.json", "{\"a0.png\":\"cat\"}", WSAM_ERR_FORMAT, "'a0.png' is not a list");
    refused("l.json", "{\"a0.png\":[1]}", WSAM_ERR_FORMAT, "a class of 'a0.png' is not a name");
    refused("l.json", "[]", WSAM_ERR_FORMAT, "not a JSON object");
    refused("l.txt", "a0.png,cat\n", WSAM_ERR_FORMAT, "a .csv, .tsv or .json file");
    refused("none.csv", NULL, WSAM_ERR_IO, "No such file");
    mkdir(in_folder("voc"), 0777);
    refused("voc", NULL, WSAM_ERR_FORMAT, "no VOC annotations");
    refused("voc/a0.xml", "<annotation><object/>", WSAM_ERR_FORMAT, "a .csv, .tsv or .json");
    refused("voc", NULL, WSAM_ERR_FORMAT, "a0.xml:1: not valid XML");
}

/* Names that begin alike stand between a picture and its neighbours in the order of bytes. */
Test(labels, an_annotation_finds_its_picture_among_longer_names)
{
    static const char xml[] = "<annotation><object><name>dog</name></object></annotation>";
    static const char *const pictures[] = {"p/a.jpg",   "p/a.b.jpg", "p/a.c.jpg",
                                           "p/a-1.jpg", "p/a0.jpg",  "p/ab.jpg"};
    mkdir(in_folder("p"), 0777);
    mkdir(in_folder("voc"), 0777);
    for (int i = 0; i < 6; i++)
        write_file(pictures[i], "x");
    write_file("voc/a.xml", xml);
    write_file("voc/a.b.xml", xml);
    write_file("voc/ab.XML", xml);
    wsam_labels *l = load("voc");
    cr_assert_eq(l->n, 3);
    cr_expect_str_eq(l->images[0], "a.b.jpg");
    cr_expect_str_eq(l->images[1], "a.jpg");
    cr_expect_str_eq(l->images[2], "ab.jpg");
    cr_expect(l->unlabelled == 3 && strcmp(l->first_unlabelled, "a-1.jpg") == 0);
    wsam_labels_free(l);
    write_file("p/a.png", "x");
    refused("voc", NULL, WSAM_ERR_FORMAT, "is 'a.xml' about 'a.jpg' or another");
}

static void expect_kind(const char *name, const char *kind)
{
    wsam_labels *l = load(name);
    cr_expect_str_eq(l->kind, kind);
    cr_expect(l->n == 3 && l->n_classes == 2 && l->negatives == 1, "%s: %zu, %zu, %zu", name, l->n,
              l->n_classes, l->negatives);
    cr_assert_eq(l->first[3], 3);
    cr_expect_str_eq(l->names[0], "bolt");
    cr_expect_str_eq(l->names[1], "nut");
    cr_expect(l->first[1] == 1 && l->classes[0] == 0, "a0.png shows a bolt");
    cr_expect(l->first[2] == 3 && l->classes[1] == 0 && l->classes[2] == 1, "b0.png both");
    wsam_labels_free(l);
}

/* Numbers are names where the header says so, and beside other names. */
Test(labels, classes_may_be_called_by_numbers)
{
    static const char *const tables[] = {"image,class\na0.png,3\nb0.png,7\n",
                                         "a0.png,3\nb0.png,7d\n",
                                         "image,size,label\na0.png,9,3\nb0.png,9,7\n"};
    make_pictures(2);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        write_file("l.csv", tables[i]);
        wsam_labels *l = load("l.csv");
        cr_expect_eq(l->n_classes, 2, "%s", tables[i]);
        cr_expect_str_eq(l->names[0], "3");
        wsam_labels_free(l);
    }
}

/* a0.png shows a bolt, b0.png a bolt and a nut, c0.png neither. */
Test(labels, as_people_have_them)
{
    make_pictures(3);
    write_file("one_hot.csv", "filename;bolt;nut\na0.png;1;0\nb0.png;1;1\nc0.png;0;0\n");
    expect_kind("one_hot.csv", "a table with one column per class");
    write_file("rows.csv", "image,class\nb0.png,nut\na0.png,bolt\nb0.png,bolt\nc0.png,\n");
    expect_kind("rows.csv", "a table with one row per class");
    write_file("cells.csv", "image,labels\na0.png,bolt\nb0.png,bolt; nut\nc0.png,\n");
    expect_kind("cells.csv", "a table with one row per image");
    write_file("objects.csv", "filename,width,height,class,xmin\na0.png,8,8,bolt,1\n"
                              "b0.png,8,8,bolt,1\nb0.png,8,8,nut,3\nc0.png,8,8,,\n");
    expect_kind("objects.csv", "a table with one row per class");
    write_file("tabs.tsv", "image\tclass\na0.png\tbolt\nb0.png\tbolt\tnut\nc0.png\n");
    expect_kind("tabs.tsv", "a table with one row per image");
    write_file("l.json", "{\"a0.png\":[\"bolt\"],\"b0.png\":[\"nut\",\"bolt\"],\"c0.png\":[]}");
    expect_kind("l.json", "a JSON object of images and their classes");
    write_file("coco.json",
               "{\"images\":[{\"id\":1,\"file_name\":\"images\\\\a0.png\"},"
               "{\"id\":2,\"file_name\":\"b0.png\"},{\"id\":3,\"file_name\":\"c0.png\"}],"
               "\"categories\":[{\"id\":1,\"name\":\"bolt\"},{\"id\":2,\"name\":\"nut\"}],"
               "\"annotations\":["
               "{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[1,1,2,2]},"
               "{\"id\":2,\"image_id\":2,\"category_id\":1,\"bbox\":[1,1,2,2]},"
               "{\"id\":3,\"image_id\":2,\"category_id\":2,\"bbox\":[1,1,2,2]}]}");
    expect_kind("coco.json", "a COCO data set");
    mkdir(in_folder("t"), 0777);
    write_file("t/a0.txt", "bolt\n");
    write_file("t/b0.txt", "1 0.5 0.5 0.1 0.1\n0 0.2 0.2 0.1 0.1\n");
    write_file("t/c0.txt", "");
    refused("t", NULL, WSAM_ERR_FORMAT, "no classes.txt");
    write_file("t/classes.txt", "bolt\r\nnut\r\n");
    expect_kind("t", "a folder with a text file per image");
}

Test(labels, a_folder_of_images_per_class)
{
    mkdir(in_folder("p"), 0777);
    mkdir(in_folder("p/bolt"), 0777);
    mkdir(in_folder("p/nut"), 0777);
    write_file("p/bolt/1.png", "x");
    write_file("p/nut/2.png", "x");
    wsam_labels *l = load("p");
    cr_expect_str_eq(l->kind, "a folder of images per class");
    cr_expect(l->n == 2 && l->n_classes == 2 && !l->unlabelled);
    cr_expect_str_eq(l->images[0], "bolt/1.png");
    cr_expect(l->classes[0] == 0 && l->classes[1] == 1);
    wsam_labels_free(l);
}

Test(labels, a_list_names_the_pictures_to_take)
{
    wsam_labels *l;
    wsam_error error;
    make_pictures(3);
    write_file("train.txt", "b0  1\nc0 -1\n");
    write_file("l.csv", "a0.png,dog\nb0.png,cat\nc0.png\n");
    const wsam_labels_options o = {.list = in_folder("train.txt")};
    char list[256];
    snprintf(list, sizeof list, "%s", o.list);
    const wsam_labels_options kept = {.list = list};
    cr_assert_eq(wsam_labels_load(in_folder("l.csv"), in_folder("p"), &kept, &l, &error), WSAM_OK,
                 "%s", error.message);
    cr_expect(l->n == 2 && l->n_classes == 1 && l->negatives == 1);
    cr_expect_str_eq(l->images[0], "b0.png");
    wsam_labels_free(l);
}

Test(labels, an_empty_folder_says_so)
{
    make_pictures(0);
    refused("l.csv", "a0.png,cat\n", WSAM_ERR_FORMAT, "no images (JPEG, PNG, WebP, TIFF)");
}
