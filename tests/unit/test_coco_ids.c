/* Ids of COCO files that are text, or beyond 2^53: they leave every command as they came. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/suite_folder.h"
#include "weaksam/exchange.h"
#include "weaksam/learn.h"
#include "weaksam/stages.h"

TestSuite(coco_ids, .init = make_folder, .fini = remove_folder);

#define BOX "\"bbox\":[1,1,4,4],\"area\":16,\"segmentation\":[[1,1,5,1,5,5,1,5]]"

static const char given[] =
    "{\"images\":[{\"id\":\"0000001_d\",\"file_name\":\"a.png\",\"width\":8,\"height\":8},"
    "{\"id\":18446744073709551615,\"file_name\":\"b.png\",\"width\":8,\"height\":8},"
    "{\"id\":9007199254740993,\"file_name\":\"c.png\",\"width\":8,\"height\":8}],"
    "\"categories\":[{\"id\":\"n0144\",\"name\":\"fish\"},{\"id\":7,\"name\":\"bird\"}],"
    "\"annotations\":[{\"id\":\"an \\\"id\\\"\",\"image_id\":\"0000001_d\",\"category_id\":\"n0144\"," BOX
    "},{\"id\":36893488147419103232,\"image_id\":18446744073709551615,\"category_id\":7," BOX
    "},{\"id\":\"kept\",\"image_id\":9007199254740993,\"category_id\":\"n0144\",\"reviewed\":"
    "\"accepted\"," BOX "}]}";

static const char *const ids[] = {"\"id\":\"0000001_d\"",
                                  "\"id\":18446744073709551615,",
                                  "\"id\":9007199254740993,",
                                  "\"id\":\"n0144\"",
                                  "\"id\":\"an \\\"id\\\"\"",
                                  "\"id\":36893488147419103232,",
                                  "\"id\":\"kept\"",
                                  "\"image_id\":\"0000001_d\"",
                                  "\"image_id\":18446744073709551615,",
                                  "\"category_id\":\"n0144\""};
enum { IDS = sizeof ids / sizeof *ids };

static wsam_coco_document *load(const char *name)
{
    wsam_coco_document *d;
    wsam_error error = {0};
    cr_assert_eq(wsam_coco_load_masks(in_folder(name), NULL, &d, &error), WSAM_OK, "%s",
                 error.message);
    return d;
}

/* The first `n` texts of ids above. */
static void has_ids(const char *name, int from, int to)
{
    static char text[1 << 16];
    FILE *f = fopen(in_folder(name), "r");
    cr_assert(f, "%s", name);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    for (int i = from; i < to; i++)
        cr_expect(strstr(text, ids[i]), "%s is not in %s", ids[i], text);
}

Test(coco_ids, masks_and_pseudo_labels_keep_them)
{
    wsam_error error = {0};
    const wsam_masks_document_options masks = {.images = in_folder("")};
    wsam_pgt_options pgt;
    write_file("d.json", given);
    wsam_coco_document *d = load("d.json");
    cr_assert_eq(wsam_masks_document(NULL, d, &masks, in_folder("m.json"), NULL, &error), WSAM_OK,
                 "%s", error.message);
    has_ids("m.json", 0, IDS);
    wsam_coco_free(d);
    d = load("m.json"); /* and once more */
    cr_assert_eq(wsam_coco_save(d, in_folder("s.json"), WSAM_COCO_MASKS, NULL, &error), WSAM_OK);
    has_ids("s.json", 0, IDS);
    wsam_pgt_options_default(&pgt);
    cr_assert_eq(wsam_pgt_document(d, NULL, &pgt, in_folder("p.json"), NULL, &error), WSAM_OK, "%s",
                 error.message);
    has_ids("p.json", 0, 4); /* its annotations are new ones */
    has_ids("p.json", 7, IDS);
    wsam_coco_free(d);
}

Test(coco_ids, new_annotations_are_numbered_from_one)
{
    wsam_error error = {0};
    wsam_coco_document *d;
    write_file("d.json", given);
    d = load("d.json");
    d->instances.items[1].id = 0;
    cr_assert_eq(wsam_coco_save(d, in_folder("s.json"), WSAM_COCO_MASKS, NULL, &error), WSAM_OK);
    wsam_coco_free(d);
    d = load("s.json");
    cr_expect_eq(d->instances.items[1].id, 1);
    wsam_coco_free(d);
}

Test(coco_ids, decisions_that_are_taken_over_keep_theirs)
{
    wsam_error error = {0};
    wsam_truth_counts counts = {0};
    size_t unknown = 0;
    write_file("truth.json", given);
    write_file("d.json",
               "{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":8,\"height\":8},{\"id\":2,"
               "\"file_name\":\"c.png\",\"width\":8,\"height\":8}],\"categories\":[{\"id\":1,"
               "\"name\":\"fish\"},{\"id\":2,\"name\":\"frog\"}],\"annotations\":[]}");
    wsam_coco_document *truth = load("truth.json"), *d = load("d.json");
    cr_assert_eq(wsam_coco_adopt(d, truth, &counts, &unknown, &error), WSAM_OK, "%s",
                 error.message);
    wsam_coco_free(truth);
    cr_assert_eq(wsam_coco_save(d, in_folder("s.json"), WSAM_COCO_MASKS, NULL, &error), WSAM_OK);
    wsam_coco_free(d);
    has_ids("s.json", 0, 1);
    has_ids("s.json", 2, 4);
    has_ids("s.json", 6, 7);
}

Test(coco_ids, a_review_may_name_them)
{
    wsam_error error = {0};
    wsam_review *review;
    char checksum[17], text[128];
    write_file("d.json", given);
    wsam_coco_document *d = load("d.json");
    cr_assert_eq(wsam_file_checksum(in_folder("d.json"), checksum, &error), WSAM_OK);
    snprintf(text, sizeof text, "{\"checksum\":\"%s\",\"an \\\"id\\\"\":\"reject\"}", checksum);
    write_file("r.json", text);
    cr_assert_eq(wsam_review_load(in_folder("r.json"), in_folder("d.json"), &review, &error),
                 WSAM_OK, "%s", error.message);
    cr_expect_eq(wsam_review_of(review, d->instances.items[0].id), -1);
    cr_expect_eq(wsam_review_of(review, d->instances.items[1].id), 0);
    wsam_review_free(review);
    wsam_coco_free(d);
}
