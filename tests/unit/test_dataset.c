/* Labels from files that people write, and runs that are killed. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "weaksam/dataset.h"

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void setup(void)
{
    strcpy(folder, "/tmp/weaksam-dataset-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void teardown(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(labels, .init = setup, .fini = teardown);
TestSuite(runs, .init = setup, .fini = teardown);

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "wb");
    cr_assert(f, "%s", name);
    fputs(text, f);
    fclose(f);
}

static void make_pictures(int n)
{
    mkdir(in_folder("p"), 0777);
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "p/%c%d.png", 'a' + i % 3, i / 3);
        write_file(name, "x");
    }
}

/* ---- labels ---- */

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
    refused("l.csv", NULL, WSAM_ERR_MISMATCH, "1 labelled pictures are not in");
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
    refused("l.csv", "a0.png,1,0\nb0.png,0,1\n", WSAM_ERR_FORMAT, "no header");
    refused("l.csv", "image,cat,\na0.png,1,1\n", WSAM_ERR_FORMAT, "a column without a name");
    refused("l.csv", ",cat\n", WSAM_ERR_FORMAT, ":1: a row without a picture");
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
    refused("l.csv", "a0.png,cat\n", WSAM_ERR_FORMAT, "no pictures (PNG, JPEG)");
}

/* ---- runs ---- */

enum { PICTURES = 41 };

typedef struct job {
    long pause_ns;
    int stop_after;
    wsam_status failure; /* of the sixth picture, in the last stage */
    int overwrite;
    double lease;
    size_t told, damaged; /* gaps and damage that were told of */
} job;

/* Results that depend on the picture alone; every seventh fails. */
static wsam_status fake(void *user, int worker, const wsam_run_item *item, wsam_run_output *o,
                        wsam_error *error)
{
    const job *j = user;
    const struct timespec t = {0, j->pause_ns};
    (void)worker;
    nanosleep(&t, NULL);
    o->stage = WSAM_RUN_LOAD;
    if (item->index % 7 == 3) {
        error->status = WSAM_ERR_FORMAT;
        snprintf(error->message, sizeof error->message, "%s: \"bad\"", item->image);
        return error->status;
    }
    if (j->failure && item->index == 5) {
        o->stage = WSAM_RUN_MASKS;
        snprintf(error->message, sizeof error->message, "the sixth");
        return error->status = j->failure;
    }
    o->width = o->height = 16;
    o->points = malloc(100);
    snprintf(o->points, 100, "{\"image\":\"%s\"}\n", item->image);
    o->proposals = strdup(o->points);
    const size_t n = item->index % 4;
    o->pgt.items = calloc(n + 1, sizeof *o->pgt.items);
    o->masks.items = calloc(n + 1, sizeof *o->masks.items);
    for (size_t i = 0; i < n; i++) {
        o->pgt.items[i] = (wsam_instance){
            .class_index = item->labels[0], .bbox = {1, 2, 3, 4}, .score = 0.5 + 0.01 * (double)i};
        if (i % 3 == 1)
            continue; /* an empty mask */
        wsam_instance *a = &o->masks.items[o->masks.n++];
        *a = o->pgt.items[i];
        a->id = (int64_t)i + 1;
        a->area = 12;
        a->counts = strdup("06j7");
        a->counts_length = 4;
    }
    o->pgt.n = n;
    o->seconds[WSAM_RUN_MASKS] = 1e-3;
    return WSAM_OK;
}

static void hear(void *user, const wsam_run_gap *gap)
{
    job *j = user;
    cr_expect(gap->image && (!gap->reason || *gap->reason));
    j->told++;
}

static int stop_after(void *user, const wsam_run_progress *p)
{
    job *j = user;
    j->damaged = p->damaged;
    return j->stop_after && p->done >= (size_t)j->stop_after;
}

static wsam_labels *begin(void)
{
    char text[PICTURES * 40] = "";
    make_pictures(PICTURES);
    for (int i = 0; i < PICTURES; i++)
        sprintf(text + strlen(text), "%c%d.png,%s\n", 'a' + i % 3, i / 3, i % 2 ? "cat" : "dog");
    write_file("l.csv", text);
    return load("l.csv");
}

static wsam_status run(const wsam_labels *l, const char *out, job *j, int workers, int shard,
                       int shards, const char *config, wsam_error *error)
{
    wsam_run_options o;
    char pictures[128];
    snprintf(pictures, sizeof pictures, "%s", in_folder("p"));
    wsam_run_options_default(&o);
    o.folder = pictures;
    o.output = out;
    o.config = config;
    o.workers = workers;
    o.shard = shard;
    o.shards = shards;
    o.fn = fake;
    o.user = j;
    o.progress = stop_after;
    o.progress_user = j;
    o.failed = hear;
    o.overwrite = j->overwrite;
    o.lease_seconds = j->lease;
    return wsam_run(l, &o, error);
}

static char *slurp(const char *out, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", out, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *text = calloc(1, 1 << 20);
    cr_assert(fread(text, 1, (1 << 20) - 1, f) > 0, "%s is empty", path);
    fclose(f);
    return text;
}

static void expect_equal(const char *a, const char *b)
{
    static const char *const names[] = {"points.jsonl",  "proposals.jsonl", "scores.json",
                                        "images.json",   "pgt.json",        "masks.json",
                                        "failures.jsonl"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *p = slurp(a, names[i]), *q = slurp(b, names[i]);
        cr_expect(p && q && strcmp(p, q) == 0, "%s differs", names[i]);
        free(p);
        free(q);
    }
}

static void merge(const char *out, size_t missing)
{
    wsam_run_summary sum;
    wsam_error error;
    cr_assert_eq(wsam_run_merge(out, &sum, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(sum.missing, missing);
    cr_expect_eq(sum.images, PICTURES);
}

static void reference(const wsam_labels *l, char out[128])
{
    job j = {0};
    wsam_error error;
    snprintf(out, 128, "%s/reference", folder);
    cr_assert_eq(run(l, out, &j, 1, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
    merge(out, 0);
}

static void copy_name(char to[128], const char *name)
{
    snprintf(to, 128, "%s/%s", folder, name);
}

Test(runs, files_say_what_the_workers_found)
{
    wsam_labels *l = begin();
    char out[128];
    reference(l, out);
    char *failures = slurp(out, "failures.jsonl"), *masks = slurp(out, "masks.json");
    cr_expect(strstr(failures, "{\"image\":\"a11.png\",\"stage\":\"load\","
                               "\"error\":\"a11.png: \\\"bad\\\"\"}\n"),
              "%s", failures);
    cr_expect(strstr(masks, "\"parameters\":{\"a\":1}"));
    wsam_coco_document *d;
    wsam_error error;
    char path[160];
    snprintf(path, sizeof path, "%s/masks.json", out);
    cr_assert_eq(wsam_coco_load(path, NULL, &d, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(d->n_images, PICTURES - 6);
    /* The third label of a picture has an empty mask before it: its number stays. */
    cr_expect_eq(d->instances.items[0].id, 1);
    wsam_coco_free(d);
    free(failures);
    free(masks);
    wsam_labels_free(l);
}

Test(runs, killed_at_random_moments_and_resumed)
{
    wsam_labels *l = begin();
    char whole[128], out[128];
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    cr_log_info("kills are drawn from seed %u", seed);
    reference(l, whole);
    copy_name(out, "killed");
    for (int kill_number = 0; kill_number < 10; kill_number++) {
        const pid_t child = fork();
        if (child == 0) {
            job j = {.pause_ns = 2000000};
            wsam_error error;
            wsam_status status = run(l, out, &j, 3, 0, 1, "{\"a\":1}", &error);
            while (!status)
                status = wsam_run_merge(out, NULL, &error);
            _exit(1);
        }
        seed = seed * 1103515245u + 12345u;
        const struct timespec t = {0, 1000000 + (long)(seed >> 8) % 12000000};
        nanosleep(&t, NULL);
        kill(child, SIGKILL);
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert(WIFSIGNALED(status), "kill %d: the run ended by itself", kill_number);
    }
    job j = {0};
    wsam_error error;
    cr_assert_eq(run(l, out, &j, 2, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
    merge(out, 0);
    expect_equal(whole, out);
    wsam_labels_free(l);
}

Test(runs, a_journal_cut_anywhere_loses_its_last_record_alone)
{
    wsam_labels *l = begin();
    char whole[128], path[192];
    struct stat st;
    job j = {0};
    wsam_error error;
    reference(l, whole);
    snprintf(path, sizeof path, "%s/state/0-of-1.journal", whole);
    for (int cut = 1; cut < 60; cut += 7) {
        cr_assert_eq(stat(path, &st), 0);
        cr_assert_eq(truncate(path, st.st_size - cut), 0);
        merge(whole, 1);
        cr_assert_eq(run(l, whole, &j, 1, 0, 1, "{\"a\":1}", &error), WSAM_OK);
        merge(whole, 0);
    }
    wsam_labels_free(l);
}

Test(runs, shards_give_the_same_files)
{
    wsam_labels *l = begin();
    char whole[128], out[128];
    job j = {0};
    wsam_error error;
    reference(l, whole);
    copy_name(out, "shards");
    for (int i = 0; i < 7; i++) {
        cr_assert_eq(run(l, out, &j, 2, i, 7, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
        merge(out,
              i < 6 ? (size_t)(PICTURES - (PICTURES / 7) * (i + 1) - (i + 1 < 6 ? i + 1 : 6)) : 0);
    }
    expect_equal(whole, out);
    wsam_labels_free(l);
}

/* More journals than may be open at once; most have nothing. */
Test(runs, many_shards_give_the_same_files)
{
    wsam_labels *l = begin();
    char whole[128], out[128];
    job j = {0};
    wsam_error error;
    reference(l, whole);
    copy_name(out, "many");
    for (int i = 0; i < 600; i++)
        cr_assert_eq(run(l, out, &j, 1, i, 600, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
    merge(out, 0);
    expect_equal(whole, out);
    wsam_labels_free(l);
}

/* A second process on the same shard is told so, and does no harm. */
Test(runs, a_shard_has_one_worker)
{
    wsam_labels *l = begin();
    char whole[128], out[128];
    job j = {.pause_ns = 30000000, .lease = 1};
    wsam_error error;
    reference(l, whole);
    copy_name(out, "two");
    const pid_t child = fork();
    if (child == 0) {
        const wsam_status status = run(l, out, &j, 1, 0, 1, "{\"a\":1}", &error);
        _exit(status ? 1 : 0);
    }
    char path[192];
    struct stat st;
    snprintf(path, sizeof path, "%s/state/0-of-1.journal", out);
    while (stat(path, &st) != 0 || !st.st_size)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    cr_expect_eq(run(l, out, &j, 1, 0, 1, "{\"a\":1}", &error), WSAM_ERR_CANCELLED);
    cr_expect(strstr(error.message, "another process works on this shard"), "%s", error.message);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    merge(out, 0);
    expect_equal(whole, out);
    wsam_labels_free(l);
}

Test(runs, stopping_finishes_what_is_at_work)
{
    wsam_labels *l = begin();
    char whole[128], out[128];
    job j = {.pause_ns = 20000000, .stop_after = 5};
    wsam_error error;
    reference(l, whole);
    copy_name(out, "stopped");
    cr_expect_eq(run(l, out, &j, 2, 0, 1, "{\"a\":1}", &error), WSAM_ERR_CANCELLED);
    cr_expect(strstr(error.message, "of 41 pictures done"), "%s", error.message);
    j = (job){0};
    cr_assert_eq(run(l, out, &j, 2, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
    merge(out, 0);
    expect_equal(whole, out);
    wsam_labels_free(l);
}

/* Final files of what is thrown away would pass for those of the new results. */
Test(runs, overwriting_throws_away)
{
    wsam_labels *l = begin();
    char whole[128];
    wsam_error error;
    reference(l, whole);
    job j = {.overwrite = 1, .stop_after = 1, .pause_ns = 20000000};
    cr_expect_eq(run(l, whole, &j, 1, 0, 1, "{\"a\":2}", &error), WSAM_ERR_CANCELLED);
    char *masks = slurp(whole, "masks.json");
    cr_expect_null(masks);
    wsam_labels_free(l);
}

/* A record that is damaged costs its picture alone, wherever it stands, and is told of. */
Test(runs, damage_in_the_middle_of_a_journal_costs_one_record)
{
    wsam_labels *l = begin();
    char whole[128], again[128], path[192], from[300];
    job j = {0};
    wsam_error error;
    wsam_run_summary sum;
    reference(l, whole);
    copy_name(again, "reference2");
    snprintf(from, sizeof from, "cp -r %s %s", whole, again);
    cr_assert_eq(system(from), 0);
    snprintf(path, sizeof path, "%s/state/0-of-1.journal", whole);
    static const long places[] = {0, 1800, 3600};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        FILE *f = fopen(path, "r+b");
        cr_assert(f && fseek(f, places[i], SEEK_SET) == 0);
        const int byte = getc(f);
        cr_assert(byte != EOF && fseek(f, places[i], SEEK_SET) == 0);
        putc(byte ^ 0x55, f);
        fclose(f);
        cr_assert_eq(wsam_run_merge(whole, &sum, &error), WSAM_OK, "%s", error.message);
        cr_expect_eq(sum.missing, 1, "place %ld: %zu", places[i], sum.missing);
        cr_expect_eq(sum.damaged, i + 1, "place %ld", places[i]);
        cr_assert_eq(run(l, whole, &j, 1, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
        cr_expect_eq(j.damaged, i + 1);
        merge(whole, 0);
    }
    expect_equal(again, whole);
    wsam_labels_free(l);
}

/* No memory, or nowhere to write, is not the picture's failure: another try does it. */
Test(runs, failures_of_the_machine_are_not_recorded)
{
    static const wsam_status kinds[] = {WSAM_ERR_MEMORY, WSAM_ERR_IO};
    wsam_labels *l = begin();
    char whole[128];
    wsam_error error;
    reference(l, whole);
    for (int i = 0; i < 2; i++) {
        char out[128];
        job j = {.failure = kinds[i]};
        copy_name(out, i ? "io" : "memory");
        cr_expect_eq(run(l, out, &j, 1, 0, 1, "{\"a\":1}", &error), kinds[i], "%s", error.message);
        cr_expect(strstr(error.message, i ? "the sixth" : "no memory for 1 pictures; 40 of 41"),
                  "%s", error.message);
        j = (job){0};
        cr_assert_eq(run(l, out, &j, 1, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
        merge(out, 0);
        expect_equal(whole, out);
    }
    wsam_labels_free(l);
}

Test(runs, what_is_missing_or_failed_is_told)
{
    wsam_labels *l = begin();
    char out[128];
    job j = {0};
    wsam_error error;
    wsam_run_summary sum;
    copy_name(out, "gaps");
    cr_assert_eq(run(l, out, &j, 2, 1, 2, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(j.told, 3, "3, 17 and 31 of the second shard: %zu", j.told);
    j.told = 0;
    cr_assert_eq(wsam_run_merge_gaps(out, hear, &j, &sum, &error), WSAM_OK, "%s", error.message);
    cr_expect(sum.missing == 21 && sum.failed == 3 && j.told == 24, "%zu %zu %zu", sum.missing,
              sum.failed, j.told);
    wsam_labels_free(l);
}
