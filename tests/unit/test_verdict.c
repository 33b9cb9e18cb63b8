/* tests/unit/test_verdict.c - when labels that were learnt are taken. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/learn/blend.h"
#include "pipeline/learn/verdict.h"

static char folder[64];

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/weaksam-verdict-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(verdict, .init = begin, .fini = end);

static const char *in(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* `each` boxes in ten images, `shift` pixels apart from those of no shift. */
static void put_labels(const char *name, int each, int shift)
{
    FILE *f = fopen(in(name), "wb");
    cr_assert(f);
    fputs("{\"images\":[", f);
    for (int i = 1; i <= 10; i++)
        fprintf(f, "%s{\"id\":%d,\"file_name\":\"%d.png\"}", i > 1 ? "," : "", i, i);
    fputs("],\"categories\":[{\"id\":1,\"name\":\"cat\"}],\"annotations\":[", f);
    for (int i = 0; i < 10 * each; i++)
        fprintf(f,
                "%s{\"id\":%d,\"image_id\":%d,\"category_id\":1,\"bbox\":[%d,0,20,20],\"score\":1}",
                i ? "," : "", i + 1, i / each + 1, 40 * (i % each) + shift);
    fputs("]}", f);
    fclose(f);
}

static void put_fit(double ap, double chance, double agreement)
{
    FILE *f = fopen(in("fit.json"), "wb");
    cr_assert(f);
    fprintf(f,
            "{\"hash\":\"12ab\",\"iterations\":600,\"label_ap\":%.6f,\"chance\":%.6f,"
            "\"agreement\":%.6f,\"truth_agreement\":-1.000000,\"pairs\":10}\n",
            ap, chance, agreement);
    fclose(f);
}

static ws_verdict judge(const char *learnt)
{
    ws_verdict v;
    wsam_error error;
    cr_assert_eq(ws_verdict_make(in("first.json"), in(learnt), in("fit.json"), &v, &error), WSAM_OK,
                 "%s", error.message);
    return v;
}

Test(verdict, signs_together)
{
    put_labels("first.json", 2, 0);
    put_labels("near.json", 2, 4);
    put_labels("flood.json", 5, 0);
    put_labels("none.json", 0, 0);
    ws_verdict v = judge("near.json");
    cr_expect(v.better && v.met == 10 && v.first.boxes == 20 && v.learnt.pairs == 10 &&
                  v.fit.label_ap < 0,
              "%s", v.why);
    v = judge("flood.json");
    cr_expect(!v.better && strstr(v.why, "20 labels became 50"), "%s", v.why);
    cr_expect(!judge("none.json").better);
    put_fit(0.9, 0.3, 0.6);
    v = judge("near.json");
    cr_expect(v.better && v.fit.pairs == 10 && v.fit.iterations == 600);
    cr_expect(!judge("flood.json").better);
    put_fit(0.35, 0.3, 0.6);
    v = judge("near.json");
    cr_expect(!v.better && strstr(v.why, "hardly better than a guess"), "%s", v.why);
    put_fit(0.9, 0.3, 0.05);
    v = judge("near.json");
    cr_expect(!v.better && strstr(v.why, "the same box in 5 %"), "%s", v.why);
}

/* ---- blend.h ---- */

static void put_text(const char *name, const char *text)
{
    FILE *f = fopen(in(name), "wb");
    cr_assert(f && fputs(text, f) >= 0);
    fclose(f);
}

/* The stages number images and classes in another way, know of one image less, and score on a scale of their own. */
Test(verdict, scores_are_the_mean_of_the_heads_and_the_stages)
{
    static const double want[] = {(0.8 + 1) / 2, (0.9 + 0.25) / 2, 0.4 / 2, 0.6 / 2, 0.7};
    wsam_coco_document *d = NULL;
    wsam_error error;
    put_text(
        "head.json",
        "{\"images\":[{\"id\":1,\"file_name\":\"a.png\"},{\"id\":2,\"file_name\":\"b.png\"}],"
        "\"categories\":[{\"id\":1,\"name\":\"cat\"},{\"id\":2,\"name\":\"dog\"}],\"annotations\":["
        "{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,20,20],\"score\":0.8},"
        "{\"id\":2,\"image_id\":1,\"category_id\":1,\"bbox\":[40,0,20,20],\"score\":0.9},"
        "{\"id\":3,\"image_id\":1,\"category_id\":2,\"bbox\":[0,0,20,20],\"score\":0.4},"
        "{\"id\":4,\"image_id\":2,\"category_id\":1,\"bbox\":[0,0,20,20],\"score\":0.6},"
        "{\"id\":5,\"image_id\":2,\"category_id\":1,\"bbox\":[0,0,20,20],\"score\":0.7,"
        "\"reviewed\":\"drawn\"}]}");
    put_text(
        "stages.json",
        "{\"images\":[{\"id\":7,\"file_name\":\"a.png\"}],\"categories\":[{\"id\":5,\"name\":\"cat\"}],"
        "\"annotations\":["
        "{\"id\":1,\"image_id\":7,\"category_id\":5,\"bbox\":[1,0,20,20],\"score\":0.04},"
        "{\"id\":2,\"image_id\":7,\"category_id\":5,\"bbox\":[41,0,20,20],\"score\":0.01},"
        "{\"id\":3,\"image_id\":7,\"category_id\":5,\"bbox\":[50,0,20,20],\"score\":0.02}]}");
    cr_assert_eq(wsam_coco_load(in("head.json"), NULL, &d, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(ws_blend_scores(d, in("stages.json"), &error), WSAM_OK, "%s", error.message);
    for (size_t i = 0; i < 5; i++)
        cr_expect_float_eq(d->instances.items[i].score, want[i], 1e-12, "%zu: %g", i,
                           d->instances.items[i].score);
    wsam_coco_free(d);
}
