/* tests/unit/test_grow.c - a run grows: what is there is not done again. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "weaksam/dataset.h"

static char folder[64];

static void begin(void)
{
    char path[128];
    snprintf(folder, sizeof folder, "/tmp/weaksam-grow-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/p", folder);
    cr_assert_eq(mkdir(path, 0777), 0);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(grow, .init = begin, .fini = end);

static const char *in(const char *name)
{
    static char paths[8][160];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in(name), "wb");
    cr_assert(f && fputs(text, f) >= 0);
    fclose(f);
}

/* Pictures [0, n) whose names do not sort as their numbers do, and their labels. */
static wsam_labels *labels(int n)
{
    char csv[4096] = "", name[64];
    wsam_labels *l;
    wsam_error error;
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "p/%c%d.png", 'a' + i % 3, i);
        if (access(in(name), F_OK))
            write_file(name, name);
        sprintf(csv + strlen(csv), "%s,%s\n", name + 2, i % 2 ? "cat" : "dog");
    }
    write_file("l.csv", csv);
    static const char *const names[] = {"cat", "cow", "dog"};
    const wsam_labels_options o = {.names = names, .n_names = 3};
    cr_assert_eq(wsam_labels_load(in("l.csv"), in("p"), &o, &l, &error), WSAM_OK, "%s",
                 error.message);
    return l;
}

typedef struct job {
    size_t first, late, segmented; /* calls, and masks that were made */
    double keep;
    long pause_ns;
    pthread_mutex_t lock;
} job;

static void add_mask(job *j, wsam_instances *masks, const wsam_instance *box, int made)
{
    wsam_instance *a = &masks->items[masks->n++];
    *a = *box;
    a->counts = strdup("06j7");
    a->counts_length = 4;
    a->area = 12;
    j->segmented += (size_t)made;
}

/* Four scored boxes a picture, from its name; those above `keep` get masks. */
static wsam_status fake(void *user, int worker, const wsam_run_item *item, wsam_run_output *o,
                        wsam_error *error)
{
    job *j = user;
    const struct timespec t = {0, j->pause_ns};
    (void)worker, (void)error;
    nanosleep(&t, NULL);
    pthread_mutex_lock(&j->lock);
    o->width = o->height = 16;
    o->scores.items = calloc(5, sizeof *o->scores.items);
    o->pgt.items = calloc(5, sizeof *o->pgt.items);
    o->masks.items = calloc(5, sizeof *o->masks.items);
    if (item->known) {
        j->late++;
    } else {
        j->first++;
        o->points = malloc(100);
        snprintf(o->points, 100, "{\"image\":\"%s\"}\n", item->image);
        o->proposals = strdup(o->points);
        for (int i = 0; i < 4; i++)
            o->scores.items[o->scores.n++] = (wsam_instance){.class_index = item->labels[0],
                                                             .bbox = {i, item->image[0], 3, 4},
                                                             .score = 0.2 * (i + 1)};
    }
    const wsam_instances *scores = item->known ? &item->known->scores : &o->scores;
    cr_assert_eq(scores->n, 4u);
    for (size_t i = 0; i < scores->n; i++)
        if (scores->items[i].score >= j->keep) {
            wsam_instance *box = &o->pgt.items[o->pgt.n++];
            int known = 0;
            *box = scores->items[i];
            box->id = (int64_t)o->pgt.n;
            for (size_t k = 0; item->known && k < item->known->pgt.n; k++)
                known |= (int)item->known->pgt.items[k].bbox[0] == (int)box->bbox[0];
            add_mask(j, &o->masks, box, !known);
        }
    pthread_mutex_unlock(&j->lock);
    return WSAM_OK;
}

static void choose(wsam_run_options *o, job *j, const char *out, const char *config)
{
    static char late[64];
    snprintf(late, sizeof late, "{\"keep\":%g}", j->keep);
    wsam_run_options_default(o);
    o->folder = in("p");
    o->output = out;
    o->config = config;
    o->late = late;
    o->workers = 3;
    o->fn = fake;
    o->user = j;
}

static void run(const wsam_labels *l, job *j, const char *out, const char *config)
{
    wsam_run_options o;
    wsam_error error;
    choose(&o, j, out, config);
    cr_assert_eq(wsam_run(l, &o, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_run_merge(out, NULL, &error), WSAM_OK, "%s", error.message);
}

static wsam_run_plan plan(const wsam_labels *l, job *j, const char *out, const char *config)
{
    wsam_run_options o;
    wsam_run_plan p;
    wsam_error error;
    choose(&o, j, out, config);
    cr_assert_eq(wsam_run_look_ahead(l, &o, &p, &error), WSAM_OK, "%s", error.message);
    return p;
}

static job new_job(double keep)
{
    return (job){.keep = keep, .lock = PTHREAD_MUTEX_INITIALIZER};
}

static void expect_equal(const char *a, const char *b)
{
    static const char *const names[] = {"points.jsonl",  "proposals.jsonl", "scores.json",
                                        "images.json",   "pgt.json",        "masks.json",
                                        "failures.jsonl"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char command[512];
        snprintf(command, sizeof command, "cmp %s/%s %s/%s", a, names[i], b, names[i]);
        cr_expect_eq(system(command), 0, "%s", names[i]);
    }
}

Test(grow, new_pictures_cost_themselves)
{
    wsam_labels *few = labels(10);
    job j = new_job(0.5), whole = new_job(0.5);
    run(few, &j, in("out"), "{}");
    cr_expect(j.first == 10 && j.late == 0);
    wsam_labels *all = labels(13);
    wsam_run_plan p = plan(all, &j, in("out"), "{}");
    cr_expect(p.images == 13 && p.done == 10 && p.first == 3 && p.new_images == 3 && !*p.options);
    j = new_job(0.5);
    run(all, &j, in("out"), "{}");
    cr_expect(j.first == 3 && j.late == 0, "%zu %zu", j.first, j.late);
    run(all, &whole, in("whole"), "{}");
    expect_equal(in("out"), in("whole"));
    /* fewer again: nothing to do */
    p = plan(few, &j, in("out"), "{}");
    cr_expect(p.done == 10 && p.first == 0 && p.removed == 3);
    wsam_labels_free(few);
    wsam_labels_free(all);
}

Test(grow, late_options_leave_the_first_stages)
{
    wsam_labels *l = labels(10);
    job j = new_job(0.5), fewer = new_job(0.7), more = new_job(0.3), whole = new_job(0.3);
    run(l, &j, in("out"), "{}");
    cr_expect_eq(j.segmented, 20u, "two of each");
    wsam_run_plan p = plan(l, &fewer, in("out"), "{}");
    cr_expect(p.late == 10 && p.done == 0 && p.first == 0);
    cr_expect_str_eq(p.options, "'keep' is 0.5 there and 0.7 here");
    run(l, &fewer, in("out"), "{}");
    cr_expect(fewer.late == 10 && fewer.first == 0 && fewer.segmented == 0);
    run(l, &more, in("out"), "{}");
    cr_expect(more.late == 10 && more.segmented == 10, "%zu", more.segmented);
    run(l, &whole, in("whole"), "{}");
    expect_equal(in("out"), in("whole"));
    j = new_job(0.5);
    run(l, &j, in("out"), "{}");
    cr_expect(j.late == 0 && j.first == 0, "back to what was there");
    wsam_labels_free(l);
}

Test(grow, other_contents_labels_and_options_are_done_again)
{
    wsam_labels *l = labels(6);
    job j = new_job(0.5);
    run(l, &j, in("out"), "{\"a\":1}");
    l->classes[2] = 1; /* a cow */
    wsam_run_plan p = plan(l, &j, in("out"), "{\"a\":1}");
    cr_expect(p.new_labels == 1 && p.done == 5);
    write_file("p/a0.png", "another picture");
    p = plan(l, &j, in("out"), "{\"a\":1}");
    cr_expect(p.new_labels == 1 && p.new_contents == 1 && p.done == 4);
    j = new_job(0.5);
    run(l, &j, in("out"), "{\"a\":1}");
    cr_expect_eq(j.first, 2u);
    p = plan(l, &j, in("out"), "{\"a\":2}");
    cr_expect(p.new_options == 6 && p.done == 0);
    cr_expect_str_eq(p.options, "'a' is 1 there and 2 here");
    wsam_labels_free(l);
}

/* Two with different options at once: the second is refused, and leaves nothing of itself. */
Test(grow, two_at_once_want_the_same)
{
    wsam_labels *l = labels(9);
    job j = new_job(0.5);
    wsam_run_options o;
    wsam_error error;
    j.pause_ns = 100000000;
    const pid_t child = fork();
    if (child == 0) {
        choose(&o, &j, in("out"), "{\"a\":1}");
        o.workers = 1;
        o.lease_seconds = 1;
        _exit(wsam_run(l, &o, &error) ? 1 : 0);
    }
    struct stat st;
    while (stat(in("out/state/0-of-1.journal"), &st) != 0 || !st.st_size)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    job other = new_job(0.5);
    choose(&o, &other, in("out"), "{\"a\":2}");
    o.lease_seconds = 1;
    cr_expect_eq(wsam_run(l, &o, &error), WSAM_ERR_MISMATCH);
    cr_expect(strstr(error.message, "another process works on it") &&
                  strstr(error.message, "'a' is 1 there and 2 here"),
              "%s", error.message);
    o.overwrite = 1; /* its journal is not taken from it */
    cr_expect_neq(wsam_run(l, &o, &error), WSAM_OK);
    cr_expect(strstr(error.message, "another process works on it"), "%s", error.message);
    cr_expect_eq(stat(in("out/state/0-of-1.journal"), &st), 0);
    o.overwrite = 0;
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    other = new_job(0.5);
    run(l, &other, in("out"), "{\"a\":2}");
    cr_expect_eq(other.first, 9u, "afterwards it may");
    j = new_job(0.5);
    run(l, &j, in("out"), "{\"a\":1}");
    cr_expect_eq(j.first, 0u, "and the first one's results are still there");
    wsam_labels_free(l);
}

/* Shards are a matter of who does it: results are found by whoever looks. */
Test(grow, another_number_of_shards)
{
    wsam_labels *l = labels(10);
    job j = new_job(0.5), rest = new_job(0.5);
    wsam_run_options o;
    wsam_error error;
    for (int shard = 0; shard < 2; shard++) {
        choose(&o, &j, in("out"), "{}");
        o.shard = shard;
        o.shards = 3;
        cr_assert_eq(wsam_run(l, &o, &error), WSAM_OK, "%s", error.message);
    }
    cr_expect_eq(j.first, 7u);
    run(l, &rest, in("out"), "{}");
    cr_expect_eq(rest.first, 3u);
    wsam_labels_free(l);
}
