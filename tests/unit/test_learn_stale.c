/* tests/unit/test_learn_stale.c - what goes when a learning run begins anew, and what ends one. */
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/learn/self_train.h"
#include "tests/util/suite_folder.h"

TestSuite(learn_stale, .init = make_folder, .fini = remove_folder);

static const char *const results[] = {"learn/features",   "learn/mil.wsam",    "learn/head.wsam",
                                      "learn/masks.json", "learn/fold-0.json", "learn/fold-1.wsam"};
enum { FEATURES, MIL, HEAD, MASKS, FOLD, FOLD_HEAD, RESULTS };

static int is_there(const char *name)
{
    return access(in_folder(name), F_OK) == 0;
}

static void expect(const int there[RESULTS])
{
    for (int i = 0; i < RESULTS; i++)
        cr_expect_eq(is_there(results[i]), there[i], "%s", results[i]);
}

static wsam_self_train_options options = {.config = "{}", .late = "{}"};

static ws_learning begin(void)
{
    ws_learning l = {.o = &options};
    mkdir(in_folder("learn"), 0777);
    write_file("proposals.jsonl", "{}\n");
    write_file("points.jsonl", "{}\n");
    write_file("reviewed.json", "{\"images\":[]}");
    snprintf(l.folder, sizeof l.folder, "%s", in_folder("learn"));
    snprintf(l.reviewed, sizeof l.reviewed, "%s", in_folder("reviewed.json"));
    return l;
}

/* As a run that was killed while it judged heads leaves it. */
static void put_results(const ws_learning *l)
{
    wsam_error error;
    cr_assert_eq(ws_self_train_key_drop_stale(l, &error), WSAM_OK, "%s", error.message);
    for (int i = 0; i < RESULTS; i++)
        write_file(results[i], "x");
}

Test(learn_stale, nothing_goes_where_nothing_changed)
{
    wsam_error error;
    const ws_learning l = begin();
    put_results(&l);
    cr_expect_eq(ws_self_train_key_drop_stale(&l, &error), WSAM_OK);
    expect((int[RESULTS]){1, 1, 1, 1, 1, 1});
}

/* Heads that saw the decisions of before would judge images that they know. */
Test(learn_stale, other_decisions_take_half_judged_heads_along)
{
    wsam_error error;
    const ws_learning l = begin();
    put_results(&l);
    write_file("reviewed.json", "{\"images\":[{\"id\":1,\"file_name\":\"a.png\"}]}");
    cr_expect_eq(ws_self_train_key_drop_stale(&l, &error), WSAM_OK);
    expect((int[RESULTS]){[FEATURES] = 1, [MIL] = 1});
}

Test(learn_stale, other_images_leave_heads)
{
    wsam_error error;
    const ws_learning l = begin();
    put_results(&l);
    write_file("proposals.jsonl", "{}\n{}\n");
    cr_expect_eq(ws_self_train_key_drop_stale(&l, &error), WSAM_OK);
    expect((int[RESULTS]){[MIL] = 1, [HEAD] = 1});
    cr_expect(is_there("learn/" WS_LEARN_BEFORE));
}

/* A result that stays would pass for one of now: a folder in its place cannot be removed as a file. */
Test(learn_stale, what_cannot_be_removed_is_an_error)
{
    wsam_error error;
    const ws_learning l = begin();
    put_results(&l);
    unlink(in_folder("learn/masks.json"));
    mkdir(in_folder("learn/masks.json"), 0777);
    write_file("reviewed.json", "{}");
    for (int i = 0; i < 2; i++) { /* not once alone: the decisions are not those of the results */
        cr_expect_eq(ws_self_train_key_drop_stale(&l, &error), WSAM_ERR_IO);
        cr_expect(strstr(error.message, "learn/masks.json: cannot be removed"), "%s",
                  error.message);
    }
}

Test(learn_stale, a_key_that_cannot_be_read_is_no_other_key)
{
    wsam_error error;
    const ws_learning l = begin();
    put_results(&l);
    unlink(in_folder("learn/learnt"));
    mkdir(in_folder("learn/learnt"), 0777);
    cr_expect_eq(ws_self_train_key_drop_stale(&l, &error), WSAM_ERR_IO);
    expect((int[RESULTS]){1, 1, 1, 1, 1, 1});
}

Test(learn_stale, a_process_that_was_replaced_stops)
{
    wsam_error error;
    ws_lease lease;
    ws_learning_watch watch = {.events = &options.events};
    begin();
    cr_assert_eq(ws_lease_create(&lease, in_folder("learn/.lease"), &error), WSAM_OK);
    lease.patience = 0.8; /* it is looked at ten times a second */
    cr_assert_eq(ws_lease_ask(&lease, &error), WS_LEASE_OWNED);
    ws_lease_keeper_start(&watch.keeper, &lease);
    cr_expect_not(ws_self_train_progress(&watch, 0.5));
    write_file("learn/.lease", "far:0000abcd-1:77:abc:1 12 0123456789abcdef\n");
    usleep(200000);
    cr_expect(ws_self_train_progress(&watch, 0.5));
    cr_expect(ws_self_train_training(&watch, &(wsam_train_progress){.iteration = 1}));
    ws_lease_keeper_stop(&watch.keeper);
    ws_lease_release(&lease);
    cr_expect(is_there("learn/.lease"), "it is the other's");
}
