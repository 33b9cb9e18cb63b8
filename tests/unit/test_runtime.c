/* The runtime on the toy model: sizes that a file claims, dimensions, cancelling, sharing, threads,
 * descriptions. */
#include <cJSON.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "runtime/run/threads.h"
#include "tests/util/util_toy.h"
#include "weaksam/model.h"

enum { POINTS = 4, PROMPTS = 3, MASKS = PROMPTS * POINTS * 16 };

/* ---- a model that is open ---- */

typedef struct opened {
    unsigned char *file;
    wsam_model *model;
    wsam_image *image; /* of the decoder, bound */
} opened;

static float pixels[4 * 4 * 8], vectors[PROMPTS * POINTS * 8];

static void open_toy(opened *o, const toy *t, int threads)
{
    size_t size;
    wsam_error error = {0};
    wsam_options options;
    wsam_options_default(&options);
    options.threads = threads;
    options.isa = "c";
    for (size_t i = 0; i < sizeof pixels / sizeof pixels[0]; i++)
        pixels[i] = (float)(i % 9) - 4.0f;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        vectors[i] = (float)(i % 5) - 2.0f;
    o->file = toy_write(t, &size);
    cr_assert(!wsam_model_open_memory(o->file, size, &options, &o->model, &error), "%s",
              error.message);
}

static void close_toy(opened *o)
{
    wsam_image_free(o->image);
    wsam_model_close(o->model);
    free(o->file);
}

static const wsam_dim dims[] = {{"points", POINTS}, {"prompts", PROMPTS}};

static wsam_session *decoder_session(const opened *o)
{
    wsam_error error = {0};
    wsam_session *s = NULL;
    cr_assert(!wsam_session_create(o->model, "tiny_decoder", &s, &error), "%s", error.message);
    cr_assert(!wsam_session_reserve(s, dims, 2, &error), "%s", error.message);
    return s;
}

static void bind_toy(opened *o, wsam_session *s)
{
    wsam_error error = {0};
    const wsam_tensor in = {"embedding", WSAM_F32, 3, {4, 4, 8}, pixels};
    cr_assert(!wsam_image_create(o->model, "tiny_decoder", dims, 2, &o->image, &error), "%s",
              error.message);
    cr_assert(!wsam_session_bind(s, &in, 1, o->image, &error), "%s", error.message);
}

static wsam_status run_toy(const opened *o, wsam_session *s, float *masks, wsam_error *error)
{
    const wsam_tensor in = {"vectors", WSAM_F32, 3, {PROMPTS, POINTS, 8}, vectors};
    wsam_tensor out = {"low_res", WSAM_F32, 4, {PROMPTS, POINTS, 4, 4}, masks};
    return wsam_session_run(s, o->image, dims, 2, &in, 1, &out, 1, error);
}

/* ---- sizes ---- */

static void refused(const toy *t, wsam_status status, const char *mention)
{
    size_t size;
    wsam_model *model = NULL;
    wsam_error error = {0};
    unsigned char *file = toy_write(t, &size);
    cr_expect_eq(wsam_model_open_memory(file, size, NULL, &model, &error), status, "'%s'",
                 error.message);
    cr_expect_not_null(strstr(error.message, mention), "'%s' without '%s'", error.message, mention);
    wsam_model_close(model);
    free(file);
}

Test(runtime, an_input_of_2_to_the_96_elements)
{
    toy t;
    toy_init(&t);
    t.graphs[0].inputs[0].rank = 4;
    for (int d = 0; d < 4; d++)
        t.graphs[0].inputs[0].dims[d] = WS_CAP_DIM;
    refused(&t, WSAM_ERR_LIMIT, "too large");
}

Test(runtime, a_tensor_of_2_to_the_64_elements)
{
    toy t;
    toy_init(&t);
    ws_tensor_def *d = &t.tensors[TOY_BF16];
    d->rank = 4;
    d->dims[0] = 1 << 16;
    d->dims[1] = d->dims[2] = 1 << 24;
    d->dims[3] = 1;
    d->bytes = 0;
    refused(&t, WSAM_ERR_FORMAT, "vector.weight");
}

static ws_attr_def *set_attr(toy_op *op, uint32_t i, const char *label, ws_attr_kind kind)
{
    strcpy(op->attrs[i].name, label);
    op->attrs[i].kind = kind;
    op->def.n_attrs = i + 1;
    return &op->attrs[i];
}

Test(runtime, a_reshape_to_nothing)
{
    toy t;
    toy_init(&t);
    toy_op *op = &t.graphs[0].ops[1];
    strcpy(op->def.kind, "reshape");
    set_attr(op, 0, "dim0", WS_ATTR_INT)->i = -2;
    refused(&t, WSAM_ERR_FORMAT, "reshape");
}

/* x[0:points] of `ref`, in the place of the decoder's linear. */
static void make_slice(toy *t, uint32_t ref)
{
    toy_op *op = &t->graphs[1].ops[0];
    strcpy(op->def.kind, "slice");
    op->def.n_inputs = 1;
    op->def.inputs[0] = ref;
    set_attr(op, 0, "begin", WS_ATTR_INT)->i = 0;
    set_attr(op, 1, "length", WS_ATTR_SYMBOL)->i = 0;
}

Test(runtime, a_constant_that_depends_on_a_symbol)
{
    toy t;
    toy_init(&t);
    make_slice(&t, WS_REF_TENSOR + TOY_NORM_W);
    refused(&t, WSAM_ERR_FORMAT, "symbol");
}

Test(runtime, a_rule_that_fails_at_a_symbols_largest_value)
{
    toy t;
    toy_init(&t);
    make_slice(&t, 1);
    t.graphs[1].inputs[1].dims[0] = 2;
    refused(&t, WSAM_ERR_FORMAT, "range");
}

/* The embedding's first `points` rows: an image state for one point must not serve four. */
Test(runtime, an_image_state_of_other_dimensions)
{
    toy t;
    opened o = {NULL, NULL, NULL};
    float masks[4 * 4 * 8];
    wsam_error error = {0};
    const wsam_dim one[] = {{"points", 1}}, four[] = {{"points", 4}};
    const wsam_tensor in = {"embedding", WSAM_F32, 3, {4, 4, 8}, pixels};
    const wsam_tensor prompt = {"vectors", WSAM_F32, 3, {1, 4, 8}, vectors};
    wsam_tensor out = {"low_res", WSAM_F32, 4, {1, 4, 4, 4}, masks};
    wsam_session *s = NULL;
    toy_init(&t);
    t.graphs[1].symbols[0].max = 4;
    make_slice(&t, 0);
    t.graphs[1].ops[1].def.inputs[0] = 2;
    t.graphs[1].ops[1].def.inputs[1] = 1;
    open_toy(&o, &t, 1);
    cr_assert(!wsam_session_create(o.model, "tiny_decoder", &s, &error), "%s", error.message);
    cr_assert(!wsam_session_reserve(s, four, 1, &error), "%s", error.message);
    cr_assert(!wsam_image_create(o.model, "tiny_decoder", one, 1, &o.image, &error), "%s",
              error.message);
    cr_assert(!wsam_session_bind(s, &in, 1, o.image, &error), "%s", error.message);
    cr_expect_eq(wsam_session_run(s, o.image, four, 1, &prompt, 1, &out, 1, &error),
                 WSAM_ERR_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "points"), "'%s'", error.message);
    wsam_session_free(s);
    close_toy(&o);
}

Test(runtime, more_prompts_than_sizes_can_hold)
{
    toy t;
    opened o = {NULL, NULL, NULL};
    wsam_error error = {0};
    const wsam_dim many[] = {{"points", 1 << 22}, {"prompts", 65536}};
    toy_init(&t);
    t.graphs[1].symbols[0].max = 1 << 24;
    open_toy(&o, &t, 1);
    uint64_t bytes;
    cr_expect_eq(wsam_plan_bytes(o.model, "tiny_decoder", many, 2, &bytes, &error), WSAM_ERR_LIMIT);
    cr_expect_eq(error.status, WSAM_ERR_LIMIT, "%s", error.message);
    cr_expect_eq(wsam_plan_bytes(o.model, "tiny_decoder", dims, 2, &bytes, &error), WSAM_OK);
    cr_expect_gt(bytes, MASKS * sizeof(float));
    close_toy(&o);
}

/* ---- sessions ---- */

static int stop(void *user, double fraction)
{
    (void)fraction;
    return ++*(int *)user >= 2;
}

Test(runtime, a_cancelled_run_can_be_run_again)
{
    toy t;
    opened o = {NULL, NULL, NULL};
    float first[MASKS], again[MASKS];
    wsam_error error = {0};
    int calls = 0;
    toy_init(&t);
    open_toy(&o, &t, 1);
    wsam_session *s = decoder_session(&o);
    bind_toy(&o, s);
    cr_assert(!run_toy(&o, s, first, &error), "%s", error.message);
    wsam_session_set_progress(s, stop, &calls);
    cr_expect_eq(run_toy(&o, s, again, &error), WSAM_ERR_CANCELLED);
    wsam_session_set_progress(s, NULL, NULL);
    cr_assert(!run_toy(&o, s, again, &error), "%s", error.message);
    cr_expect_arr_eq(first, again, sizeof first);
    wsam_session_free(s);
    close_toy(&o);
}

Test(runtime, inputs_that_are_not_what_the_graph_wants)
{
    toy t;
    opened o = {NULL, NULL, NULL};
    float masks[MASKS];
    wsam_error error = {0};
    wsam_session *s = NULL;
    toy_init(&t);
    open_toy(&o, &t, 1);
    cr_expect_eq(wsam_session_create(o.model, "nothing", &s, &error), WSAM_ERR_ARGUMENT);
    s = decoder_session(&o);
    bind_toy(&o, s);
    wsam_tensor in = {"vectors", WSAM_F32, 3, {PROMPTS, POINTS, 9}, vectors};
    wsam_tensor out = {"low_res", WSAM_F32, 4, {PROMPTS, POINTS, 4, 4}, masks};
    cr_expect_eq(wsam_session_run(s, o.image, dims, 2, &in, 1, &out, 1, &error), WSAM_ERR_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "vectors"), "'%s'", error.message);
    in.shape[2] = 8;
    cr_expect_eq(wsam_session_run(s, o.image, dims, 2, NULL, 0, &out, 1, &error),
                 WSAM_ERR_ARGUMENT);
    out.name = "high_res";
    cr_expect_eq(wsam_session_run(s, o.image, dims, 2, &in, 1, &out, 1, &error), WSAM_ERR_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "high_res"), "'%s'", error.message);
    wsam_session_free(s);
    close_toy(&o);
}

typedef struct shared {
    const opened *o;
    float masks[MASKS];
    int failures;
} shared;

static void *use_image(void *arg)
{
    shared *u = arg;
    wsam_error error;
    wsam_session *s = decoder_session(u->o);
    for (int i = 0; i < 20; i++)
        u->failures += run_toy(u->o, s, u->masks, &error) != WSAM_OK;
    wsam_session_free(s);
    return NULL;
}

Test(runtime, an_image_state_serves_several_threads)
{
    toy t;
    opened o = {NULL, NULL, NULL};
    pthread_t threads[3];
    static shared uses[3];
    toy_init(&t);
    open_toy(&o, &t, 2);
    wsam_session *s = decoder_session(&o);
    bind_toy(&o, s);
    wsam_session_free(s);
    for (int i = 0; i < 3; i++) {
        uses[i].o = &o;
        cr_assert(!pthread_create(&threads[i], NULL, use_image, &uses[i]));
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(uses[i].failures, 0);
        cr_expect_arr_eq(uses[i].masks, uses[0].masks, sizeof uses[0].masks);
    }
    close_toy(&o);
}

/* ---- threads ---- */

enum { TASKS = 1000 };

typedef struct tally {
    atomic_int done[TASKS];
    atomic_int bad_workers;
    int threads;
} tally;

static void count_task(void *arg, int task, int worker)
{
    tally *t = arg;
    atomic_fetch_add(&t->done[task], 1);
    if (worker < 0 || worker >= t->threads)
        atomic_fetch_add(&t->bad_workers, 1);
}

Test(runtime, a_loop_does_every_task_once)
{
    for (int threads = 1; threads <= 7; threads += 3) {
        static tally t;
        memset(&t, 0, sizeof t);
        t.threads = threads;
        ws_parallel_for(threads, TASKS, count_task, &t);
        for (int i = 0; i < TASKS; i++)
            cr_expect_eq(t.done[i], 1, "task %d of %d threads", i, threads);
        cr_expect_eq(t.bad_workers, 0);
    }
}

Test(runtime, the_default_thread_count_is_the_schedulers)
{
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("OMP_NUM_THREADS");
    const int processors = wsam_default_threads();
    cr_expect(processors >= 1 && processors <= sysconf(_SC_NPROCESSORS_ONLN));
    setenv("OMP_NUM_THREADS", "5,2", 1);
    cr_expect_eq(wsam_default_threads(), 5);
    setenv("SLURM_CPUS_PER_TASK", "3", 1);
    cr_expect_eq(wsam_default_threads(), 3);
    setenv("SLURM_CPUS_PER_TASK", "many", 1);
    setenv("OMP_NUM_THREADS", "-1", 1);
    cr_expect_eq(wsam_default_threads(), processors);
}

/* ---- descriptions ---- */

Test(runtime, json_of_any_bytes)
{
    ws_text j = {0};
    ws_text_printf(&j, "[");
    ws_json_string(&j, "a\"\\\n\x7f\xc3\xa9|\xe9|\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82");
    ws_text_printf(&j, ",");
    ws_json_number(&j, 0.1);
    ws_text_printf(&j, ",");
    ws_json_number(&j, -1.0 / 0.0);
    ws_text_printf(&j, "]");
    char *text = ws_text_finish(&j);
    cr_expect_str_eq(text, "[\"a\\\"\\\\\\u000a\\u007f\xc3\xa9|\\udce9|\\udcc0\\udc80|"
                           "\\udced\\udca0\\udc80|\\udcf4\\udc90\\udc80\\udc80|\\udce2\\udc82\""
                           ",0.1,null]");
    wsam_free(text);
}

static cJSON *parsed(char *text)
{
    cr_assert_not_null(text);
    cJSON *json = cJSON_Parse(text);
    cr_assert_not_null(json, "not JSON: %s", text);
    wsam_free(text);
    return json;
}

Test(runtime, descriptions_and_profiles_are_json)
{
    toy t;
    opened o = {NULL, NULL, NULL};
    float masks[MASKS];
    wsam_error error = {0};
    toy_init(&t);
    open_toy(&o, &t, 1);
    wsam_session *s = decoder_session(&o);
    bind_toy(&o, s);
    cr_assert(!run_toy(&o, s, masks, &error), "%s", error.message);
    char *text;
    cr_assert(!wsam_session_profile(s, &text, &error));
    cJSON *profile = parsed(text);
    cr_expect_eq(cJSON_GetArraySize(profile), 2);
    cr_assert(!wsam_model_describe(o.model, &text, &error));
    cJSON *model = parsed(text);
    cr_expect_eq(cJSON_GetArraySize(cJSON_GetObjectItem(model, "graphs")), 2);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(model, "isa")), "c");
    cJSON_Delete(profile);
    cJSON_Delete(model);
    wsam_session_free(s);
    close_toy(&o);
}
