/* tests/unit/test_truth.c - what a person decided is what every later file says. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/coco/members.h"
#include "pipeline/stages/stages.h"
#include "weaksam/evaluate.h"

static char folder[64];

static const char *file(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/weaksam-truth-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(truth, .init = begin, .fini = end);

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(text, 1, strlen(text), f) == strlen(text));
    fclose(f);
}

static char *text_of(const char *path)
{
    FILE *f = fopen(path, "rb");
    cr_assert(f);
    char *text = calloc(1, 1 << 20);
    cr_assert(text && fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static wsam_instance box(int32_t class_index, double x, double w, wsam_reviewed reviewed)
{
    return (wsam_instance){
        .class_index = class_index, .bbox = {x, 0, w, 10}, .score = 0.5, .reviewed = reviewed};
}

static size_t kept_of(wsam_instance decided, wsam_instance machine, wsam_review_state review,
                      wsam_truth_counts *counts)
{
    wsam_instances list = {2, calloc(2, sizeof *list.items)};
    cr_assert(list.items);
    list.items[0] = machine; /* order does not matter */
    list.items[1] = decided;
    *counts = (wsam_truth_counts){0};
    wsam_keep_truth(&list, review, counts);
    const size_t n = list.n;
    wsam_instances_clear(&list);
    return n;
}

Test(truth, machines_give_way)
{
    wsam_truth_counts c;
    const wsam_instance accepted = box(0, 0, 10, WSAM_REVIEWED_ACCEPTED);
    const wsam_instance drawn = box(0, 0, 10, WSAM_REVIEWED_DRAWN);
    const wsam_instance rejected = box(0, 0, 10, WSAM_REVIEWED_REJECTED);
    /* IoU of shifts by 3, 4 and 1: 0.54, 0.43, 0.82 */
    cr_expect_eq(kept_of(accepted, box(0, 3, 10, 0), WSAM_REVIEW_NONE, &c), 1u);
    cr_expect(c.again == 1 && c.accepted == 1 && c.machine == 0);
    cr_expect_eq(kept_of(drawn, box(0, 4, 10, 0), WSAM_REVIEW_NONE, &c), 2u);
    cr_expect(c.again == 0 && c.drawn == 1 && c.machine == 1);
    cr_expect_eq(kept_of(drawn, box(1, 3, 10, 0), WSAM_REVIEW_NONE, &c), 2u, "another class");
    cr_expect_eq(kept_of(drawn, box(1, 1, 10, 0), WSAM_REVIEW_NONE, &c), 1u, "the same place");
    cr_expect_eq(kept_of(drawn, box(0, 2, 3, 0), WSAM_REVIEW_NONE, &c), 1u, "a part");
    cr_expect_eq(kept_of(rejected, box(0, 1, 10, 0), WSAM_REVIEW_NONE, &c), 1u);
    cr_expect(c.refused == 1 && c.rejected == 1);
    cr_expect_eq(kept_of(rejected, box(0, 3, 10, 0), WSAM_REVIEW_PARTIAL, &c), 2u);
    cr_expect_eq(kept_of(rejected, box(1, 1, 10, 0), WSAM_REVIEW_PARTIAL, &c), 2u,
                 "the rejected class was another one");
    cr_expect_eq(kept_of(rejected, box(1, 90, 10, 0), WSAM_REVIEW_COMPLETE, &c), 1u);
    cr_expect(c.complete == 1);
}

Test(truth, pseudo_labels_pass_decisions_on)
{
    wsam_instance items[3] = {box(0, 0, 10, 0), box(1, 50, 10, WSAM_REVIEWED_DRAWN),
                              box(0, 100, 10, WSAM_REVIEWED_REJECTED)};
    const wsam_instances in = {3, items};
    const int32_t labels[] = {0};
    wsam_instances out;
    items[1].id = 70;
    cr_assert_eq(wsam_pgt(&in, labels, 1, NULL, &out, NULL), WSAM_OK);
    cr_assert_eq(out.n, 3u);
    cr_expect(out.items[0].id == 70 && out.items[0].reviewed == WSAM_REVIEWED_DRAWN);
    cr_expect(out.items[1].reviewed == WSAM_REVIEWED_REJECTED);
    cr_expect(out.items[2].reviewed == WSAM_REVIEWED_NO && out.items[2].id == 0);
    wsam_instances_clear(&out);
}

Test(truth, members_of_an_object)
{
    static const char object[] = "{\"id\" : 7,\"a\":{\"id\":1},\n \"t\":\"}\\\",\",\"n\":[1,[2]]}";
    const ws_member_id same[] = {{"id", 7, NULL}},
                       other[] = {{"id", 12, NULL}, {"image_id", 3, NULL}};
    const char *const skip[] = {"id", "t", NULL};
    ws_text t = {0};
    ws_members_put(&t, object, same, 1);
    cr_expect_str_eq(t.text, object);
    t.n = 0;
    ws_members_put(&t, object, other, 2);
    cr_expect_str_eq(
        t.text, "{\"id\" : 12,\"a\":{\"id\":1},\n \"t\":\"}\\\",\",\"n\":[1,[2]],\"image_id\":3}");
    t.n = 0;
    ws_members_others(&t, object, skip);
    cr_expect_str_eq(t.text, ",\"a\":{\"id\":1},\"n\":[1,[2]]");
    free(t.text);
}

#define DRAWN                                                                                      \
    "{\"reviewed\":\"drawn\", \"seconds\": 4.250, \"id\":9,\"image_id\":41,\"category_id\":5,"     \
    "\"bbox\":[10,10,20.50,20],\"iscrowd\":1,\"tool\":{\"name\":\"x\"}}"
#define REJECTED                                                                                   \
    "{\"id\":2,\"image_id\":41,\"category_id\":6,\"bbox\":[100,100,20,20],\"score\":0.5,"          \
    "\"reviewed\":\"rejected\"}"
static const char reviewed[] =
    "{\"images\":[{\"id\":41,\"file_name\":\"images/b.png\",\"width\":200,\"height\":200,"
    "\"review\":\"partial\",\"audit\":true,\"seconds\":12.5}],\n"
    "\"categories\":[{\"id\":5,\"name\":\"cat\"},{\"id\":6,\"name\":\"dog\"}],\n"
    "\"annotations\":[" DRAWN ",\n" REJECTED
    ",{\"id\":3,\"image_id\":41,\"category_id\":6,\"bbox\":[0,0,5,5],\"score\":0.1}]}\n";

/* Ids that collide with those above in every list. */
static const char machine[] =
    "{\"images\":[{\"id\":41,\"file_name\":\"a.png\",\"width\":200,\"height\":200},"
    "{\"id\":2,\"file_name\":\"b.png\",\"width\":200,\"height\":200}],\n"
    "\"categories\":[{\"id\":6,\"name\":\"bird\"},{\"id\":1,\"name\":\"dog\"}],\n"
    "\"annotations\":[{\"id\":9,\"image_id\":41,\"category_id\":1,\"bbox\":[1,1,9,9],\"score\":0.9}"
    ","
    "{\"id\":10,\"image_id\":2,\"category_id\":1,\"bbox\":[101,100,20,20],\"score\":0.8},"
    "{\"id\":11,\"image_id\":2,\"category_id\":1,\"bbox\":[150,100,20,20],\"score\":0.7}]}\n";

static void adopt(const char *from, const char *to, wsam_truth_counts *counts, size_t *unknown)
{
    wsam_coco_document *d, *t;
    wsam_error error;
    *unknown = 0;
    cr_assert_eq(wsam_coco_load(from, NULL, &d, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_coco_load(file("reviewed.json"), NULL, &t, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_coco_adopt(d, t, counts, unknown, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_coco_save(d, to, WSAM_COCO_BOXES, NULL, &error), WSAM_OK);
    wsam_coco_free(d);
    wsam_coco_free(t);
}

Test(truth, adopted_as_it_was_read)
{
    wsam_truth_counts counts = {0};
    size_t unknown;
    put(file("reviewed.json"), reviewed);
    put(file("machine.json"), machine);
    adopt(file("machine.json"), file("out.json"), &counts, &unknown);
    char *text = text_of(file("out.json"));
    cr_expect(strstr(text, DRAWN) && strstr(text, REJECTED), "%s", text);
    cr_expect(strstr(text, "\"id\":41,\"width\":200,\"height\":200,\"file_name\":\"b.png\","
                           "\"review\":\"partial\",\"audit\":true,\"seconds\":12.5}"));
    cr_expect(strstr(text, "{\"id\":6,\"name\":\"dog\"}") &&
              strstr(text, "{\"id\":5,\"name\":\"cat\"}"));
    cr_expect(strstr(text, "\"bbox\":[150,100,20,20]") && !strstr(text, "[101,100,20,20]"));
    cr_expect(counts.drawn == 1 && counts.rejected == 1 && counts.refused == 1 &&
              counts.machine == 2 && unknown == 0);
    free(text);
    /* again and again: nothing moves */
    counts = (wsam_truth_counts){0};
    adopt(file("out.json"), file("again.json"), &counts, &unknown);
    char *first = text_of(file("out.json")), *second = text_of(file("again.json"));
    cr_expect_str_eq(first, second);
    free(first);
    free(second);
    wsam_coco_document *d;
    cr_assert_eq(wsam_coco_load(file("again.json"), NULL, &d, NULL), WSAM_OK);
    for (size_t i = 0; i < d->instances.n; i++)
        for (size_t k = 0; k < i; k++)
            cr_expect_neq(d->instances.items[i].id, d->instances.items[k].id);
    wsam_coco_free(d);
}

Test(truth, images_that_are_not_there_are_counted)
{
    wsam_truth_counts counts = {0};
    size_t unknown;
    put(file("reviewed.json"), reviewed);
    put(file("machine.json"),
        "{\"images\":[{\"id\":1,\"file_name\":\"c.png\"}],\"categories\":[{\"id\":1,\"name\":"
        "\"dog\"}],\"annotations\":[]}");
    adopt(file("machine.json"), file("out.json"), &counts, &unknown);
    cr_expect_eq(unknown, 1u);
}

/* Records that lie across the reader's chunks of 64 KiB. */
Test(truth, long_files_keep_their_bytes)
{
    enum { N = 3000 };
    wsam_coco_document *d;
    wsam_error error;
    FILE *f = fopen(file("long.json"), "wb");
    cr_assert(f);
    fputs("{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":9,\"height\":9}],"
          "\"categories\":[{\"id\":1,\"name\":\"dog\"}],\"annotations\":[",
          f);
    for (int i = 1; i <= N; i++)
        fprintf(f,
                "%s{ \"id\":%d,\"image_id\":1,\"category_id\":1,\"bbox\":[%d,1,2,3],"
                "\"note\":\"%0*d\",\"reviewed\":\"accepted\"}",
                i > 1 ? ",\n" : "", i, i, i % 97 + 1, i);
    fputs("]}", f);
    fclose(f);
    cr_assert_eq(wsam_coco_load(file("long.json"), NULL, &d, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(d->instances.n, (size_t)N);
    for (int i = 1; i <= N; i++) {
        char want[300];
        snprintf(
            want, sizeof want,
            "{ \"id\":%d,\"image_id\":1,\"category_id\":1,\"bbox\":[%d,1,2,3],\"note\":\"%0*d\","
            "\"reviewed\":\"accepted\"}",
            i, i, i % 97 + 1, i);
        cr_assert_str_eq(d->instances.items[i - 1].json, want);
    }
    wsam_coco_free(d);
}

Test(truth, other_words_are_errors)
{
    wsam_coco_document *d;
    wsam_error error;
    put(file("x.json"), "{\"images\":[{\"id\":1,\"file_name\":\"a\"}],\"categories\":[{\"id\":1,"
                        "\"name\":\"c\"}],\"annotations\":[{\"id\":1,\"image_id\":1,"
                        "\"category_id\":1,\"bbox\":[1,1,1,1],\"reviewed\":\"yes\"}]}");
    cr_assert_eq(wsam_coco_load(file("x.json"), NULL, &d, &error), WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, "accepted, drawn or rejected"), "%s", error.message);
    put(file("y.json"), "{\"images\":[{\"id\":1,\"file_name\":\"a\",\"review\":\"done\"}],"
                        "\"categories\":[{\"id\":1,\"name\":\"c\"}],\"annotations\":[]}");
    cr_assert_eq(wsam_coco_load(file("y.json"), NULL, &d, &error), WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, "partial or complete"), "%s", error.message);
}

/* A file of results has decided ones without a score; rejected ones are no objects. */
Test(truth, rejected_ones_are_not_evaluated)
{
    wsam_eval_truth *truth;
    wsam_eval_results *results;
    wsam_error error;
    put(file("reviewed.json"), reviewed);
    cr_assert_eq(wsam_eval_read_truth(file("reviewed.json"), NULL, &truth, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_eq(wsam_eval_object_count(truth), 2u);
    cr_assert_eq(wsam_eval_read_results(truth, file("reviewed.json"), NULL, &results, &error),
                 WSAM_OK, "%s", error.message);
    cr_expect_eq(wsam_eval_result_count(results), 2u);
    wsam_eval_results_free(results);
    wsam_eval_truth_free(truth);
}
