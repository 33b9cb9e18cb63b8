/* Shards of a run on several processes: who works on which, and what happens when one of them is
 * killed, stands still or wakes up again. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "pipeline/dataset/claims.h"
#include "pipeline/dataset/lease.h"
#include "tests/util/suite_folder.h"
#include "weaksam/dataset.h"

enum { PICTURES = 60 };

TestSuite(shards, .init = make_folder, .fini = remove_folder);

static wsam_labels *begin(void)
{
    char text[PICTURES * 24] = "";
    wsam_labels *l;
    wsam_error error = {0};
    mkdir(in_folder("p"), 0777);
    for (int i = 0; i < PICTURES; i++) {
        char name[32];
        snprintf(name, sizeof name, "p/%02d.png", i);
        write_file(name, "x");
        sprintf(text + strlen(text), "%02d.png,%s\n", i, i % 2 ? "cat" : "dog");
    }
    write_file("l.csv", text);
    cr_assert_eq(wsam_labels_load(in_folder("l.csv"), in_folder("p"), NULL, &l, &error), WSAM_OK,
                 "%s", error.message);
    return l;
}

typedef struct job {
    long pause_ms;
    const char *log; /* gets a line for each picture that is finished */
} job;

/* Results that depend on the picture alone. */
static wsam_status fake(void *user, int worker, const wsam_run_item *item, wsam_run_output *o,
                        wsam_error *error)
{
    const job *j = user;
    (void)worker, (void)error;
    const struct timespec t = {0, j->pause_ms * 1000000};
    nanosleep(&t, NULL);
    o->width = o->height = 16;
    o->points = malloc(100);
    snprintf(o->points, 100, "{\"image\":\"%s\"}\n", item->image);
    o->pgt.items = calloc(1, sizeof *o->pgt.items);
    o->pgt.items[0] = (wsam_instance){
        .class_index = item->labels[0], .bbox = {1, 2, 3, 4}, .score = 0.01 * (double)item->index};
    o->pgt.n = 1;
    FILE *f = j->log ? fopen(j->log, "a") : NULL;
    if (f) {
        fprintf(f, "%zu\n", item->index);
        fclose(f);
    }
    return WSAM_OK;
}

typedef struct how {
    int shard, shards, steal, workers;
    double lease;
    long pause_ms;
    const char *log;
} how;

static wsam_status run(const wsam_labels *l, const char *out, how h, wsam_error *error)
{
    wsam_run_options o;
    job j = {h.pause_ms, h.log};
    char pictures[128];
    snprintf(pictures, sizeof pictures, "%s", in_folder("p"));
    wsam_run_options_default(&o);
    o.folder = pictures;
    o.output = out;
    o.config = "{\"a\":1}";
    o.workers = h.workers ? h.workers : 1;
    o.shard = h.shard;
    o.shards = h.shards;
    o.steal = h.steal;
    o.lease_seconds = h.lease;
    o.fn = fake;
    o.user = &j;
    return wsam_run(l, &o, error);
}

static pid_t start(const wsam_labels *l, const char *out, how h)
{
    const pid_t child = fork();
    if (child == 0) {
        wsam_error error;
        _exit((int)run(l, out, h, &error));
    }
    return child;
}

static int end_of(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Lines of a log, and how many of them are there twice. */
static size_t count(const char *log, size_t *twice)
{
    size_t n = 0, of[PICTURES] = {0}, i;
    FILE *f = fopen(log, "r");
    *twice = 0;
    while (f && fscanf(f, "%zu", &i) == 1 && i < PICTURES) {
        n++;
        *twice += of[i]++ > 0;
    }
    if (f)
        fclose(f);
    return n;
}

static void wait_for_lines(const char *log, size_t n)
{
    size_t twice;
    const double start_s = ws_clock();
    while (count(log, &twice) < n && ws_clock() - start_s < 30.0)
        usleep(2000);
    cr_assert_geq(count(log, &twice), n);
}

static char *slurp(const char *out, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", out, name);
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    if (f) {
        cr_assert(fread(text, 1, (1 << 20) - 1, f) > 0, "%s is empty", path);
        fclose(f);
    }
    return text;
}

static void expect_whole(const wsam_labels *l, const char *out)
{
    static const char *const names[] = {"points.jsonl", "pgt.json", "masks.json"};
    wsam_run_summary sum;
    wsam_error error;
    cr_assert_eq(run(l, in_folder("plain"), (how){.shards = 1}, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_run_merge(in_folder("plain"), &sum, &error), WSAM_OK);
    cr_assert_eq(wsam_run_merge(out, &sum, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(sum.missing, 0u);
    for (int i = 0; i < 3; i++) {
        char *a = slurp(in_folder("plain"), names[i]), *b = slurp(out, names[i]);
        cr_expect(*a && strcmp(a, b) == 0, "%s differs", names[i]);
        free(a);
        free(b);
    }
}

/* ---- one process for a shard ---- */

Test(shards, a_second_process_is_refused)
{
    wsam_labels *l = begin();
    wsam_error error;
    const char *out = in_folder("out"), *log = in_folder("log");
    const how h = {.shards = 1, .lease = 1, .pause_ms = 50, .log = log};
    const pid_t first = start(l, out, h);
    wait_for_lines(log, 1);
    cr_expect_eq(run(l, out, h, &error), WSAM_ERR_CANCELLED);
    cr_expect(strstr(error.message, "another process works on this shard"), "%s", error.message);
    cr_expect_eq(end_of(first), 0);
    size_t twice;
    cr_expect_eq(count(log, &twice), (size_t)PICTURES);
    expect_whole(l, out);
    cr_expect_neq(access(in_folder("out/state/0-of-1.lease"), F_OK), 0, "the lease is given back");
    wsam_labels_free(l);
}

Test(shards, one_that_was_killed_here_is_replaced_at_once)
{
    wsam_labels *l = begin();
    wsam_error error;
    const char *out = in_folder("out"), *log = in_folder("log");
    const how h = {.shards = 1, .pause_ms = 10, .log = log}; /* a lease of 120 s */
    const pid_t first = start(l, out, h);
    wait_for_lines(log, 5);
    kill(first, SIGKILL); /* and not waited for: a zombie is dead, too */
    const double began = ws_clock();
    cr_expect_eq(run(l, out, h, &error), WSAM_OK, "%s", error.message);
    cr_expect_lt(ws_clock() - began, 30.0);
    cr_expect_eq(end_of(first), 128 + SIGKILL);
    size_t twice;
    cr_expect_leq(count(log, &twice), (size_t)PICTURES + 1);
    cr_expect_neq(access(in_folder("out/state/0-of-1.1.journal"), F_OK), 0,
                  "its journal has no other writer any more and goes on");
    expect_whole(l, out);
    wsam_labels_free(l);
}

/* The owner stands still for longer than a lease, another process takes over, the owner wakes up. */
Test(shards, a_frozen_owner_is_replaced_and_does_no_harm)
{
    wsam_labels *l = begin();
    wsam_error error;
    const char *out = in_folder("out"), *log = in_folder("log");
    const how h = {.shards = 1, .lease = 1, .pause_ms = 20, .log = log, .workers = 2};
    const pid_t first = start(l, out, h);
    wait_for_lines(log, 6);
    kill(first, SIGSTOP);
    const pid_t second = start(l, out, h);
    usleep(700000);
    size_t twice;
    const size_t before = count(log, &twice);
    cr_expect_leq(before, 20u, "nothing happens while the lease is young");
    wait_for_lines(log, before + 8);
    kill(first, SIGCONT); /* both are at work now */
    cr_expect_eq(end_of(first), WSAM_ERR_CANCELLED, "the first has lost its shard");
    cr_expect_eq(end_of(second), 0);
    cr_expect_leq(count(log, &twice), (size_t)PICTURES + 2, "pictures in flight alone come twice");
    cr_expect_eq(access(in_folder("out/state/0-of-1.1.journal"), F_OK), 0,
                 "each has a journal of its own");
    expect_whole(l, out);
    cr_expect_eq(run(l, out, h, &error), WSAM_OK);
    wsam_labels_free(l);
}

/* A lease of a machine that this one knows nothing of: the file's text alone counts. */
Test(shards, a_machine_that_is_gone_is_waited_for)
{
    wsam_labels *l = begin();
    wsam_error error;
    mkdir(in_folder("out"), 0777);
    mkdir(in_folder("out/state"), 0777);
    write_file("out/state/0-of-1.lease", "far:0000abcd-1:77:abc:1 12 0123456789abcdef\n");
    const double began = ws_clock();
    cr_expect_eq(run(l, in_folder("out"), (how){.shards = 1, .lease = 1}, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_geq(ws_clock() - began, 1.0);
    expect_whole(l, in_folder("out"));
    wsam_labels_free(l);
}

/* What could not be removed when it was given back keeps nobody waiting. */
Test(shards, a_lease_that_was_given_back_is_free)
{
    ws_lease l;
    wsam_error error;
    write_file("given.lease", "-\n");
    cr_assert_eq(ws_lease_create(&l, in_folder("given.lease"), &error), WSAM_OK);
    cr_expect_eq(ws_lease_ask(&l, &error), WS_LEASE_OWNED);
    ws_lease_release(&l);
    cr_expect_neq(access(in_folder("given.lease"), F_OK), 0);
}

/* ---- shards that help each other ---- */

Test(shards, blocks_cover_all_pictures)
{
    for (size_t n = 0; n < 3000; n += n < 100 ? 1 : 97) {
        const size_t blocks = ws_claims_blocks(n);
        size_t at = 0;
        for (size_t b = 0; b < blocks; b++) {
            cr_assert_eq(ws_claims_block_begin(n, b), at);
            const size_t end = ws_claims_block_begin(n, b + 1);
            cr_assert_gt(end, at);
            for (; at < end; at++)
                cr_assert_eq(ws_claims_block_of(n, at), b);
        }
        cr_assert_eq(at, n);
        cr_assert(n < 16 || ws_claims_block_begin(n, blocks - 16) == n - 16,
                  "the last are single ones");
    }
    cr_expect_lt(ws_claims_blocks(1000000), 300u);
}

Test(shards, a_fast_shard_takes_from_a_slow_one)
{
    wsam_labels *l = begin();
    const char *out = in_folder("out"), *log = in_folder("log"), *fast_log = in_folder("fast");
    size_t twice;
    const pid_t slow =
        start(l, out, (how){.shards = 3, .shard = 1, .steal = 1, .pause_ms = 60, .log = log});
    wait_for_lines(log, 1);
    const pid_t fast =
        start(l, out, (how){.shards = 3, .shard = 0, .steal = 1, .pause_ms = 2, .log = fast_log});
    const pid_t third =
        start(l, out, (how){.shards = 3, .shard = 2, .steal = 1, .pause_ms = 2, .log = fast_log});
    cr_expect_eq(end_of(fast), 0);
    cr_expect_eq(end_of(third), 0);
    cr_expect_eq(end_of(slow), 0);
    const size_t slow_n = count(log, &twice), fast_n = count(fast_log, &twice);
    cr_expect_eq(slow_n + fast_n, (size_t)PICTURES, "%zu and %zu", slow_n, fast_n);
    cr_expect_eq(twice, 0u);
    cr_expect_lt(slow_n, 12u, "the slow one of 20 pictures was helped");
    expect_whole(l, out);
    wsam_labels_free(l);
}

/* A helper is killed in a block of another shard: started again it goes on there; gone, the owner of
 * the pictures does them. */
static void kill_a_helper(int restart)
{
    wsam_labels *l = begin();
    wsam_error error;
    const char *out = in_folder("out"), *log = in_folder("log");
    size_t twice;
    const how h = {.shards = 2, .shard = 0, .steal = 1, .pause_ms = 4, .log = log};
    const pid_t helper = start(l, out, h);
    wait_for_lines(log, PICTURES / 2 + 5);
    kill(helper, SIGKILL);
    cr_expect_eq(end_of(helper), 128 + SIGKILL);
    const how other = {.shards = 2, .shard = 1, .steal = 1, .log = log};
    cr_expect_eq(run(l, out, restart ? h : other, &error), WSAM_OK, "%s", error.message);
    cr_expect_leq(count(log, &twice), (size_t)PICTURES + 1);
    expect_whole(l, out);
    wsam_labels_free(l);
}

Test(shards, a_helper_that_comes_back_goes_on)
{
    kill_a_helper(1);
}

Test(shards, what_a_helper_left_is_taken_back)
{
    kill_a_helper(0);
}
