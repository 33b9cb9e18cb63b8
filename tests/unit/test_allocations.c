/* A run inside its reserve allocates nothing. The Makefile links this suite with --wrap for malloc
 * and its relatives, so that every call from the library comes through here. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/util/util_toy.h"
#include "weaksam/model.h"

static volatile int counting; /* volatile: compilers think that malloc does not look */
static volatile long count;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);

static void note(void)
{
    if (counting)
        __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
}

void *__wrap_malloc(size_t n)
{
    note();
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    note();
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    note();
    return __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    note();
    return __real_aligned_alloc(align, n);
}

int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
    note();
    return __real_posix_memalign(p, align, n);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    note();
    return __real_mmap(at, n, prot, flags, fd, offset);
}

typedef struct fixture {
    unsigned char *file;
    wsam_model *model;
    wsam_session *encoder, *decoder;
    wsam_image *encoded, *bound;
} fixture;

static void open_toy(fixture *f, int threads)
{
    toy t;
    size_t size;
    wsam_error error;
    wsam_options options;
    const wsam_dim dims[] = {{"points", 16}, {"prompts", 8}};
    memset(f, 0, sizeof *f);
    toy_init(&t);
    f->file = toy_write(&t, &size);
    wsam_options_default(&options);
    options.threads = threads;
    cr_assert(!wsam_model_open_memory(f->file, size, &options, &f->model, &error), "%s",
              error.message);
    cr_assert(!wsam_session_create(f->model, "small_encoder", &f->encoder, &error), "%s",
              error.message);
    cr_assert(!wsam_session_reserve(f->encoder, NULL, 0, &error), "%s", error.message);
    cr_assert(!wsam_image_create(f->model, "small_encoder", NULL, 0, &f->encoded, &error), "%s",
              error.message);
    cr_assert(!wsam_session_create(f->model, "tiny_decoder", &f->decoder, &error), "%s",
              error.message);
    cr_assert(!wsam_session_reserve(f->decoder, dims, 2, &error), "%s", error.message);
    cr_assert(!wsam_image_create(f->model, "tiny_decoder", dims, 2, &f->bound, &error), "%s",
              error.message);
}

static void close_toy(fixture *f)
{
    wsam_image_free(f->bound);
    wsam_image_free(f->encoded);
    wsam_session_free(f->decoder);
    wsam_session_free(f->encoder);
    wsam_model_close(f->model);
    free(f->file);
}

/* Both graphs, with `prompts` prompts of `points` vectors. */
static void run_toy(fixture *f, int prompts, int points)
{
    float image[4 * 4 * 8], vectors[8 * 16 * 8], low_res[8 * 16 * 16];
    for (size_t i = 0; i < sizeof image / sizeof image[0]; i++)
        image[i] = (float)(i % 9) - 4.0f;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        vectors[i] = (float)(i % 5) - 2.0f;
    const wsam_dim dims[] = {{"points", points}, {"prompts", prompts}};
    const wsam_tensor pixels = {"image", WSAM_F32, 3, {4, 4, 8}, image};
    const wsam_tensor prompt = {"vectors", WSAM_F32, 3, {prompts, points, 8}, vectors};
    wsam_tensor out = {"low_res", WSAM_F32, 4, {prompts, points, 4, 4}, low_res}, embedding;
    wsam_error error;
    cr_assert(!wsam_session_bind(f->encoder, &pixels, 1, f->encoded, &error), "%s", error.message);
    cr_assert(!wsam_image_output(f->encoded, "embedding", &embedding, &error), "%s", error.message);
    embedding.name = "embedding";
    cr_assert(!wsam_session_bind(f->decoder, &embedding, 1, f->bound, &error), "%s", error.message);
    cr_assert(!wsam_session_run(f->decoder, f->bound, dims, 2, &prompt, 1, &out, 1, &error), "%s",
              error.message);
}

static long allocations_of_a_run(int threads)
{
    fixture f;
    open_toy(&f, threads);
    run_toy(&f, 8, 16); /* the warm-up: OpenMP starts its threads, model-rate values are computed */
    counting = 1;
    for (int prompts = 1; prompts <= 8; prompts++)
        for (int points = 1; points <= 16; points += 5)
            run_toy(&f, prompts, points);
    counting = 0;
    close_toy(&f);
    return count;
}

Test(allocations, the_counter_counts)
{
    counting = 1;
    void *volatile p = malloc(10);
    counting = 0;
    free(p);
    cr_expect_eq(count, 1);
}

Test(allocations, none_with_one_thread)
{
    cr_expect_eq(allocations_of_a_run(1), 0, "%ld allocations", count);
}

Test(allocations, none_with_three_threads)
{
    cr_expect_eq(allocations_of_a_run(3), 0, "%ld allocations", count);
}

Test(allocations, a_run_outside_the_reserve_is_refused)
{
    fixture f;
    float vectors[9 * 8] = {0}, low_res[9 * 16] = {0};
    const wsam_dim dims[] = {{"points", 1}, {"prompts", 9}};
    const wsam_tensor prompt = {"vectors", WSAM_F32, 3, {9, 1, 8}, vectors};
    wsam_tensor out = {"low_res", WSAM_F32, 4, {9, 1, 4, 4}, low_res};
    wsam_error error = {0};
    open_toy(&f, 1);
    run_toy(&f, 1, 1);
    const wsam_status status =
        wsam_session_run(f.decoder, f.bound, dims, 2, &prompt, 1, &out, 1, &error);
    cr_expect_eq(status, WSAM_ERR_LIMIT, "%s", error.message);
    cr_expect_not_null(strstr(error.message, "prompts"), "'%s'", error.message);
    close_toy(&f);
}
