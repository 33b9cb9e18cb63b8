/* Every allocation fails once, and nothing that was allocated before stays behind. The Makefile links
 * this suite with --wrap for malloc and its relatives: calls from the library come through here. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/util/suite_folder.h"
#include "tests/util/util_scene.h"
#include "weaksam/dataset.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void __wrap_free(void *p);

enum { PLACES = 1 << 14 };
static uintptr_t live[PLACES]; /* blocks that the library has, while it is watched; 1: was one */
static volatile int watching;
static volatile size_t calls, fail_at, blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a run has a thread for each worker */

static uintptr_t *place_of(const void *p)
{
    size_t at = ((uintptr_t)p >> 4) % PLACES;
    for (int i = 0; i < PLACES; i++, at = (at + 1) % PLACES)
        if (!live[at] || live[at] == (uintptr_t)p)
            return &live[at];
    abort();
}

static void *keep(void *p)
{
    pthread_mutex_lock(&lock);
    if (watching && p) {
        *place_of(p) = (uintptr_t)p;
        blocks++;
    }
    pthread_mutex_unlock(&lock);
    return p;
}

static void drop(const void *p)
{
    pthread_mutex_lock(&lock);
    uintptr_t *at = watching && p ? place_of(p) : NULL;
    if (at && *at) {
        *at = 1;
        blocks--;
    }
    pthread_mutex_unlock(&lock);
}

static int fails(void)
{
    pthread_mutex_lock(&lock);
    const int now = watching && ++calls == fail_at;
    pthread_mutex_unlock(&lock);
    errno = now ? ENOMEM : errno;
    return now;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : keep(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : keep(__real_calloc(n, size));
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return fails() ? NULL : keep(__real_aligned_alloc(align, n));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (fails())
        return NULL;
    drop(p);
    return keep(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
    drop(p);
    __real_free(p);
}

/* `call` with each of its allocations failing, one after another, until it has no more. */
static void each_failing(wsam_status (*call)(wsam_error *error))
{
    wsam_error error = {0};
    cr_assert_eq(call(&error), WSAM_OK, "%s", error.message); /* what is made once is made now */
    for (fail_at = 1; fail_at < 20000; fail_at++) {
        memset(live, 0, sizeof live);
        calls = blocks = 0;
        watching = 1;
        const wsam_status status = call(&error);
        watching = 0;
        cr_expect_eq(blocks, 0u, "allocation %zu: %zu blocks stay (%s)", fail_at, blocks,
                     error.message);
        if (calls < fail_at) {
            cr_expect_eq(status, WSAM_OK);
            cr_expect_gt(calls, 5u);
            return;
        }
        cr_expect(status == WSAM_OK || status == WSAM_ERR_MEMORY ||
                      (status == WSAM_ERR_IO && strstr(error.message, "Cannot allocate memory")),
                  "allocation %zu: %s", fail_at, error.message);
    }
    cr_assert_fail("it does not end");
}

/* ---- all masks of an image ---- */

static int pass_over(void *user, const wsam_everything_record *r)
{
    (void)user, (void)r;
    return 0;
}

static wsam_status everything(wsam_error *error)
{
    scene s = {.height = 40, .width = 60, .seed = 11};
    const ws_logits_source source = scene_source(&s, 1);
    wsam_everything_options o;
    wsam_everything_options_default(&o);
    o.points_per_side = 4;
    o.points_per_batch = 5;
    o.pred_iou_thresh = 0.3;
    o.stability_score_thresh = 0.5;
    return ws_everything(&source, 40, 60, &o, pass_over, NULL, NULL, error);
}

Test(leaks, everything_mode)
{
    each_failing(everything);
}

/* ---- a run of a folder ---- */

static wsam_labels *labels;

static wsam_status nothing(void *user, int worker, const wsam_run_item *item, wsam_run_output *o,
                           wsam_error *error)
{
    (void)user, (void)worker, (void)item, (void)error;
    o->width = o->height = 16;
    return WSAM_OK;
}

static wsam_status run(wsam_error *error)
{
    char pictures[256], out[256];
    wsam_run_options o;
    snprintf(pictures, sizeof pictures, "%s", in_folder("p"));
    snprintf(out, sizeof out, "%s", in_folder("out"));
    wsam_run_options_default(&o);
    o.folder = pictures;
    o.output = out;
    o.config = "{\"a\":1}";
    o.workers = 1;
    o.fn = nothing;
    return wsam_run(labels, &o, error);
}

Test(leaks, a_run, .init = make_folder, .fini = remove_folder)
{
    wsam_error error = {0};
    mkdir(in_folder("p"), 0777);
    write_file("p/a.png", "x");
    write_file("p/b.png", "y");
    write_file("l.csv", "a.png,cat\nb.png,dog\n");
    cr_assert_eq(wsam_labels_load(in_folder("l.csv"), in_folder("p"), NULL, &labels, &error),
                 WSAM_OK, "%s", error.message);
    each_failing(run);
    wsam_labels_free(labels);
}
