/* Runs over a folder of images that are killed, cut and resumed. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/util/suite_folder.h"
#include "weaksam/dataset.h"

TestSuite(runs, .init = make_folder, .fini = remove_folder);

static void make_pictures(int n)
{
    mkdir(in_folder("p"), 0777);
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "p/%c%d.png", 'a' + i % 3, i / 3);
        write_file(name, "x");
    }
}

enum { PICTURES = 41 };

typedef struct job {
    long pause_ns;
    int stop_after;
    wsam_status failure; /* of the sixth picture, in the last stage */
    wsam_status unread;  /* of the sixth picture, while it is loaded */
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
    if (j->unread && item->index == 5) {
        snprintf(error->message, sizeof error->message, "the sixth");
        return error->status = j->unread;
    }
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

static wsam_labels *load(const char *name)
{
    wsam_labels *l;
    wsam_error error = {0};
    cr_assert_eq(wsam_labels_load(in_folder(name), in_folder("p"), NULL, &l, &error), WSAM_OK, "%s",
                 error.message);
    return l;
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
    snprintf(out, 128, "%s", in_folder("reference"));
    cr_assert_eq(run(l, out, &j, 1, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
    merge(out, 0);
}

static void copy_name(char to[128], const char *name)
{
    snprintf(to, 128, "%s", in_folder(name));
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
    cr_expect(strstr(error.message, "of 41 images done"), "%s", error.message);
    j = (job){0};
    cr_assert_eq(run(l, out, &j, 2, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
    merge(out, 0);
    expect_equal(whole, out);
    wsam_labels_free(l);
}

/* No memory for an image, or a file server that does not answer: the next run tries again. What is
 * damaged is damaged. */
Test(runs, what_passes_is_no_fault_of_the_image)
{
    static const wsam_status statuses[] = {WSAM_ERR_MEMORY, WSAM_ERR_IO, WSAM_ERR_FORMAT};
    wsam_labels *l = begin();
    char whole[128], out[128], name[16];
    wsam_error error;
    reference(l, whole);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "passes%zu", i);
        copy_name(out, name);
        job j = {.unread = statuses[i]};
        const wsam_status status = run(l, out, &j, 2, 0, 1, "{\"a\":1}", &error);
        if (statuses[i] == WSAM_ERR_FORMAT) {
            cr_expect_eq(status, WSAM_OK);
            continue;
        }
        cr_expect_eq(status, statuses[i]);
        cr_expect(j.told > 0, "status %d is not told", (int)statuses[i]);
        j = (job){0};
        cr_assert_eq(run(l, out, &j, 2, 0, 1, "{\"a\":1}", &error), WSAM_OK, "%s", error.message);
        merge(out, 0);
        expect_equal(whole, out);
    }
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
        cr_expect(strstr(error.message, i ? "the sixth" : "no memory for 1 images; 40 of 41"), "%s",
                  error.message);
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
