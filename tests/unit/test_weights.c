/* Conversion: families and their tensors, twins, equal files from every container, int8 and its
 * smoothing, errors that leave nothing behind. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/util/suite_copy.h"
#include "tests/util/suite_folder.h"
#include "tests/util/util_torch.h"
#include "tests/util/util_twin.h"
#include "weaksam/weaksam.h"
#include "weights/builder_internal.h"
#include "weights/family/family.h"
#include "weights/quantize.h"
#include "weights/smooth.h"
#include "weights/writer.h"

/* ---- files ---- */

static int files_in_folder(void)
{
    int n = 0;
    DIR *d = opendir(in_folder(""));
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

TestSuite(weights, .init = make_folder, .fini = remove_folder);

static void make_twin(const char *family, const char *name, int outliers)
{
    wsam_error error;
    cr_assert_eq(wsam_write_twin(family, in_folder(name), outliers, &error), WSAM_OK, "%s",
                 error.message);
}

static wsam_status convert(const char *from, const char *to, wsam_file_type type, int image_size,
                           wsam_error *error)
{
    wsam_convert_options o;
    wsam_convert_options_default(&o);
    o.type = type;
    o.image_size = image_size;
    memset(error, 0, sizeof *error);
    return wsam_convert(in_folder(from), in_folder(to), &o, error);
}

static void must_convert(const char *from, const char *to, wsam_file_type type)
{
    wsam_error error;
    cr_assert_eq(convert(from, to, type, 0, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(wsam_verify(in_folder(to), &error), WSAM_OK, "%s", error.message);
}

static int is(const char *name, const char *which)
{
    return strcmp(name, which) == 0;
}

/* ---- families ---- */

static ws_builder *described(const char *name, const ws_source *s,
                             const wsam_convert_options *options)
{
    ws_family f;
    wsam_error error;
    cr_assert_eq(ws_family_by_name(name, &f, &error), WSAM_OK, "%s", error.message);
    ws_builder *b = ws_builder_new(s, options, &error);
    ws_family_describe(&f, b);
    cr_assert_eq(ws_builder_status(b, &error), WSAM_OK, "%s", error.message);
    return b;
}

/* Float tensors and their elements in the published checkpoints (MobileSAM: without the 27
 * counters of its BatchNorms). */
Test(weights, tensors_of_the_published_models)
{
    static const struct {
        const char *family;
        size_t tensors;
        uint64_t elements;
    } published[] = {{"sam_vit_b", 314, 93735728},        {"sam_vit_l", 482, 312343088},
                     {"sam_vit_h", 594, 641090864},       {"mobile_sam", 412, 10140204},
                     {"efficient_sam_ti", 278, 10223460}, {"efficient_sam_s", 278, 26413284}};
    wsam_convert_options options;
    wsam_convert_options_default(&options);
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        ws_builder *b = described(published[i].family, NULL, &options);
        uint64_t elements = 0;
        for (size_t j = 0; j < ws_need_count(b); j++) {
            const ws_need *n = ws_need_at(b, j);
            uint64_t e = 1;
            for (int d = 0; d < n->rank; d++)
                e *= n->dims[d];
            elements += e;
        }
        cr_expect_eq(ws_need_count(b), published[i].tensors, "%s: %zu", published[i].family,
                     ws_need_count(b));
        cr_expect_eq(elements, published[i].elements, "%s: %llu", published[i].family,
                     (unsigned long long)elements);
        ws_builder_free(b);
    }
}

Test(weights, families_have_names)
{
    wsam_error error;
    int n = 0;
    for (; wsam_family_name(n); n++)
        cr_expect(strlen(wsam_family_name(n)) > 0);
    cr_expect_geq(n, 6);
    cr_expect_null(wsam_family_name(-1));
    cr_expect_eq(wsam_write_twin("sam_vit_z", in_folder("z"), 0, &error), WSAM_ERR_ARGUMENT);
    cr_expect(strstr(error.message, "sam_vit_z"));
    cr_expect_eq(files_in_folder(), 0);
}

/* ---- twins ---- */

Test(weights, twin_values)
{
    float u[96], values[8192];
    wsam_error error;
    ws_source *s = NULL;
    make_twin("sam_vit_mini", "t", 1);
    cr_assert_eq(ws_source_open(in_folder("t"), &s, &error), WSAM_OK);
    const char *norm = "image_encoder.blocks.0.norm1.weight";
    twin_uniform(norm, 64, u);
    cr_assert_eq(ws_source_read(s, ws_source_find(s, norm), values, &error), WSAM_OK);
    for (int i = 0; i < 64; i++) { /* every 61st is ten times larger, from the seventh on */
        const float v = 1.0f + 0.25f * u[i];
        cr_expect_float_eq(values[i], i % 61 == 7 ? v * 10.0f : v, 0);
    }
    const char *table = "image_encoder.blocks.1.attn.rel_pos_w"; /* [31][32] */
    twin_uniform(table, 96, u);
    cr_assert_eq(ws_source_read(s, ws_source_find(s, table), values, &error), WSAM_OK);
    for (int i = 0; i < 96; i++)
        cr_expect_float_eq(values[i], 0.5f * u[i], 0);
    const char *bias = "image_encoder.blocks.2.mlp.lin1.bias";
    twin_uniform(bias, 96, u);
    cr_assert_eq(ws_source_read(s, ws_source_find(s, bias), values, &error), WSAM_OK);
    for (int i = 0; i < 96; i++)
        cr_expect_float_eq(values[i], 0.1f * u[i], 0);
    ws_source_close(s);
}

/* ---- equal tensors, equal files ---- */

Test(weights, one_file_from_every_container)
{
    static const edit same = {.hugging_face = 0}, names = {.hugging_face = 1};
    make_twin("sam_vit_mini", "twin", 0);
    must_convert("twin", "twin.wsam", WSAM_FILE_INT8);
    copy_edited("twin", "sorted", &same);
    copy_edited("twin", "hf", &names);
    copy_torch("twin", "zip", 0);
    copy_torch("twin", "legacy", 1);
    static const char *const others[] = {"sorted", "hf", "zip", "legacy"};
    for (int i = 0; i < 4; i++) {
        must_convert(others[i], "other.wsam", WSAM_FILE_INT8);
        cr_expect(equal_files("twin.wsam", "other.wsam"), "%s gives another file", others[i]);
    }
}

/* f16 tensors give the file of their f32 values. */
Test(weights, half_precision_checkpoints)
{
    static const edit half = {.half = 1}, same = {.half = 0};
    make_twin("efficient_sam_mini", "twin", 0);
    wsam_convert_options o;
    wsam_error error;
    wsam_convert_options_default(&o);
    o.image_size = 256;
    o.heads = 2;
    copy_edited("twin", "half", &half);
    copy_edited("half", "float", &same);
    cr_assert_eq(wsam_convert(in_folder("half"), in_folder("h.wsam"), &o, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_convert(in_folder("float"), in_folder("f.wsam"), &o, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect(equal_files("h.wsam", "f.wsam"));
}

Test(weights, every_type_of_every_small_family)
{
    static const char *const small[] = {"sam_vit_mini", "tiny_vit_mini", "efficient_sam_mini"};
    for (int i = 0; i < 3; i++) {
        make_twin(small[i], "twin", 1);
        for (int type = WSAM_FILE_F32; type <= WSAM_FILE_INT8; type++)
            must_convert("twin", "out.wsam", (wsam_file_type)type);
    }
}

/* ---- other input sizes ---- */

static void expect_size(const char *name, int64_t side, int64_t grid)
{
    wsam_error error;
    wsam_model *m = NULL;
    int64_t size = 0, mask = 0;
    cr_assert_eq(wsam_model_open(in_folder(name), NULL, &m, &error), WSAM_OK, "%s", error.message);
    cr_assert(wsam_model_int(m, "picture.size", &size));
    cr_assert(wsam_model_int(m, "prompt.mask_size", &mask));
    cr_expect_eq(size, side);
    cr_expect_eq(mask, 4 * grid);
    wsam_model_close(m);
}

Test(weights, other_input_sizes)
{
    wsam_error error;
    make_twin("sam_vit_mini", "sam", 0);
    make_twin("tiny_vit_mini", "tiny", 0);
    static const int sizes[] = {128, 256, 512};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(convert("sam", "s.wsam", WSAM_FILE_F32, sizes[i], &error), WSAM_OK, "%s",
                     error.message);
        expect_size("s.wsam", sizes[i], sizes[i] / 16);
        cr_assert_eq(convert("tiny", "t.wsam", WSAM_FILE_F32, sizes[i], &error), WSAM_OK, "%s",
                     error.message);
        expect_size("t.wsam", sizes[i], sizes[i] / 16);
    }
    cr_expect_eq(convert("sam", "s.wsam", WSAM_FILE_F32, 250, &error), WSAM_ERR_MISMATCH);
    cr_expect_eq(convert("sam", "s.wsam", WSAM_FILE_F32, -1, &error), WSAM_ERR_ARGUMENT);
}

/* Tables of another grid are resampled: positions bilinearly, relative ones linearly. */
Test(weights, resampled_tables)
{
    ws_family f;
    wsam_error error;
    wsam_convert_options o;
    ws_source *s = NULL;
    float *in = malloc(16 * 16 * 64 * sizeof *in), *out = malloc(32 * 32 * 64 * sizeof *out);
    make_twin("sam_vit_mini", "t", 0);
    wsam_convert_options_default(&o);
    o.image_size = 512;
    cr_assert_eq(ws_source_open(in_folder("t"), &s, &error), WSAM_OK);
    cr_assert_eq(ws_family_detect(s, &o, &f, &error), WSAM_OK);
    ws_builder *b = ws_builder_new(s, &o, &error);
    ws_family_describe(&f, b);
    cr_assert_eq(ws_check_needs(b, &error), WSAM_OK, "%s", error.message);
    int seen = 0;
    for (size_t i = 0; i < b->n_tensors; i++) {
        const ws_tensor_def *t = &b->tensors[i];
        const int position = is(t->name, "image_encoder.pos_embed");
        if (!position && !is(t->name, "image_encoder.blocks.1.attn.rel_pos_h"))
            continue;
        seen++;
        cr_assert_eq(b->recipes[i].make(b, &b->recipes[i], out, &error), WSAM_OK);
        cr_assert_eq(ws_source_read(s, ws_source_find(s, t->name), in, &error), WSAM_OK);
        if (position) {
            cr_expect(t->rank == 3 && t->dims[0] == 32 && t->dims[1] == 32 && t->dims[2] == 64);
            /* halfway between four: row 1 lies a quarter behind row 0 */
            const float wanted = 0.75f * (0.75f * in[5] + 0.25f * in[64 + 5]) +
                                 0.25f * (0.75f * in[16 * 64 + 5] + 0.25f * in[17 * 64 + 5]);
            cr_expect_float_eq(out[(32 + 1) * 64 + 5], wanted, 1e-6);
            cr_expect_float_eq(out[7], in[7], 0);
        } else {
            cr_expect(t->rank == 2 && t->dims[0] == 63 && t->dims[1] == 32);
            const double at = 31.0 / 63.0 * (40 + 0.5) - 0.5;
            const int row = (int)at;
            const double l = at - row;
            cr_expect_float_eq(out[40 * 32 + 3],
                               (1 - l) * (double)in[row * 32 + 3] + l * (double)in[row * 32 + 35],
                               1e-5);
        }
    }
    cr_expect_eq(seen, 2);
    ws_builder_free(b);
    ws_source_close(s);
    free(in);
    free(out);
}

/* ---- int8 ---- */

Test(weights, s8_rounds_per_row)
{
    enum { N = 3, K = 5 };
    static const float w[N * K] = {1.0f, -2.0f, 0.5f,         0.25f, 127.0f, 0, 0,    0,
                                   0,    0,     -0.00390625f, 0.01f, 0.02f,  0, 0.03f};
    int8_t q[N * K];
    float scale[N];
    ws_quantize_s8(N, K, w, q, scale);
    cr_expect_float_eq(scale[0], 1.0f, 0);
    cr_expect_float_eq(scale[1], 0.0f, 0);
    cr_expect_eq(q[1], -2);
    cr_expect_eq(q[2], 0, "half to even");
    cr_expect_eq(q[4], 127);
    for (int i = 0; i < N * K; i++) {
        cr_expect_geq(q[i], -127);
        cr_expect(fabsf((float)q[i] * scale[i / K] - w[i]) <= 0.501f * scale[i / K]);
    }
}

/* A product of more than 65536 terms would overflow its s32 sum: its weight stays bf16. */
Test(weights, long_products_are_not_s8)
{
    wsam_error error;
    wsam_convert_options o;
    wsam_convert_options_default(&o);
    o.type = WSAM_FILE_INT8;
    ws_builder *b = ws_builder_new(NULL, &o, &error);
    ws_store(b, WS_ROLE_LINEAR, ws_need_2d(b, 4, 65536, "fits"));
    ws_store(b, WS_ROLE_LINEAR, ws_need_2d(b, 4, 65537, "too long"));
    cr_expect_eq(b->tensors[0].type, WSAM_S8);
    cr_expect_eq(b->tensors[1].type, WSAM_BF16);
    ws_builder_free(b);
}

/* Values of stored tensor `name` before quantization, smoothed or not. */
static void stored_values(ws_builder *b, const char *name, float *out)
{
    wsam_error error;
    for (size_t i = 0; i < b->n_tensors; i++)
        if (is(b->tensors[i].name, name)) {
            cr_assert_eq(b->recipes[i].make(b, &b->recipes[i], out, &error), WSAM_OK);
            cr_assert_eq(ws_smooth(b, &b->recipes[i], &b->tensors[i], out, &error), WSAM_OK);
            return;
        }
    cr_assert_fail("%s is not stored", name);
}

/* gamma, beta and weight of one pair; returns how far the norm's channels lie apart. */
static float smoothed_pair(const char *checkpoint, int smoothing, float *gamma, float *beta,
                           float *w)
{
    enum { K = 64 };
    wsam_error error;
    wsam_convert_options o;
    ws_source *s = NULL;
    wsam_convert_options_default(&o);
    o.type = WSAM_FILE_INT8;
    o.smoothing = smoothing;
    cr_assert_eq(ws_source_open(in_folder(checkpoint), &s, &error), WSAM_OK);
    ws_builder *b = described("sam_vit_mini", s, &o);
    stored_values(b, "image_encoder.blocks.0.norm2.weight", gamma);
    stored_values(b, "image_encoder.blocks.0.norm2.bias", beta);
    stored_values(b, "image_encoder.blocks.0.mlp.lin1.weight", w);
    float smallest = INFINITY, largest = 0.0f;
    for (int j = 0; j < K; j++) {
        smallest = fminf(smallest, fabsf(gamma[j]));
        largest = fmaxf(largest, fabsf(gamma[j]));
    }
    ws_builder_free(b);
    ws_source_close(s);
    return largest / smallest;
}

Test(weights, smoothing_changes_no_product)
{
    enum { N = 256, K = 64 };
    static float gamma[2][K], beta[2][K], w[2][N * K];
    make_twin("sam_vit_mini", "outlier", 1);
    make_twin("sam_vit_mini", "plain", 0);
    const float before = smoothed_pair("outlier", 0, gamma[0], beta[0], w[0]),
                after = smoothed_pair("outlier", 1, gamma[1], beta[1], w[1]);
    cr_expect(after < 0.5f * before, "channels lie %g apart, %g before", (double)after,
              (double)before);
    for (int j = 0; j < K; j++)
        for (int i = 0; i < N; i += 17) {
            const float x = gamma[0][j] * w[0][i * K + j], y = gamma[1][j] * w[1][i * K + j];
            const float u = beta[0][j] * w[0][i * K + j], v = beta[1][j] * w[1][i * K + j];
            cr_expect(fabsf(x - y) <= 1e-6f * fabsf(x) && fabsf(u - v) <= 1e-6f * fabsf(u));
        }
    /* where channels are even nothing is gained, and nothing done */
    const float even = smoothed_pair("plain", 0, gamma[0], beta[0], w[0]);
    cr_expect_float_eq(smoothed_pair("plain", 1, gamma[1], beta[1], w[1]), even, 0);
    cr_expect_eq(memcmp(w[0], w[1], sizeof w[0]), 0);
}

/* ---- errors ---- */

static void expect_refusal(const char *from, wsam_status status, const char *const *mentions)
{
    wsam_error error;
    const int before = files_in_folder();
    cr_expect_eq(convert(from, "out.wsam", WSAM_FILE_F32, 0, &error), status, "%s", error.message);
    for (; *mentions; mentions++)
        cr_expect(strstr(error.message, *mentions), "'%s' does not mention '%s'", error.message,
                  *mentions);
    cr_expect_null(strchr(error.message, '\n'));
    cr_expect_eq(files_in_folder(), before, "something was left behind");
}

Test(weights, one_error_names_all_that_does_not_fit)
{
    static const edit e = {.drop = "mask_decoder.iou_prediction_head.layers.1.bias",
                           .reshape = "image_encoder.blocks.2.mlp.lin2.bias",
                           .add = "image_encoder.surplus"};
    static const char *const mentions[] = {"3 tensors", "missing mask_decoder.iou_prediction_head",
                                           "misshaped image_encoder.blocks.2.mlp.lin2.bias",
                                           "extra image_encoder.surplus", NULL};
    make_twin("sam_vit_mini", "twin", 0);
    copy_edited("twin", "edited", &e);
    expect_refusal("edited", WSAM_ERR_MISMATCH, mentions);
}

Test(weights, infinite_values_are_refused)
{
    static const edit e = {.spoil = "image_encoder.neck.2.weight"};
    static const char *const mentions[] = {"image_encoder.neck.2.weight", "finite", NULL};
    make_twin("sam_vit_mini", "twin", 0);
    copy_edited("twin", "spoiled", &e);
    expect_refusal("spoiled", WSAM_ERR_FORMAT, mentions);
}

Test(weights, other_models_are_refused)
{
    static const char *const mentions[] = {"no known family", NULL};
    static const torch_tensor tensors[] = {{"x.weight", "FloatStorage", "0", 2, 0, 1, {2}, {1}}};
    static const float two[2] = {1, 2};
    ws_bytes pickle = {0}, out = {0};
    torch_pickle(&pickle, tensors, 1, 0);
    const zip_member members[] = {{"x/data.pkl", pickle.data, pickle.size, 0},
                                  {"x/data/0", two, sizeof two, 0}};
    zip_write(&out, members, 2, 0);
    FILE *f = fopen(in_folder("other"), "wb");
    cr_assert(f && fwrite(out.data, 1, out.size, f) == out.size);
    fclose(f);
    expect_refusal("other", WSAM_ERR_UNSUPPORTED, mentions);
    free(pickle.data);
    free(out.data);
}

static int stop_at_half(void *user, double fraction)
{
    *(double *)user = fraction;
    return fraction >= 0.5;
}

Test(weights, cancelled)
{
    wsam_convert_options o;
    wsam_error error;
    double fraction = 0.0;
    make_twin("sam_vit_mini", "twin", 0);
    wsam_convert_options_default(&o);
    o.progress = stop_at_half;
    o.progress_user = &fraction;
    cr_expect_eq(wsam_convert(in_folder("twin"), in_folder("out.wsam"), &o, &error),
                 WSAM_ERR_CANCELLED);
    cr_expect(fraction >= 0.5 && fraction < 0.6);
    cr_expect_eq(files_in_folder(), 1);
}

Test(weights, bad_arguments)
{
    wsam_convert_options o;
    wsam_error error;
    make_twin("sam_vit_mini", "twin", 0);
    const char *twin = in_folder("twin");
    wsam_convert_options_default(&o);
    cr_expect_eq(wsam_convert(NULL, "x", &o, &error), WSAM_ERR_ARGUMENT);
    cr_expect_eq(wsam_convert(twin, NULL, &o, NULL), WSAM_ERR_ARGUMENT);
    cr_expect_eq(wsam_convert(twin, in_folder("no/such/folder"), &o, &error), WSAM_ERR_IO);
    cr_expect_eq(mkdir(in_folder("sub"), 0777), 0);
    cr_expect_eq(wsam_convert(twin, in_folder("sub"), &o, &error), WSAM_ERR_IO);
    o.arch = "mobile_sam";
    cr_expect_eq(wsam_convert(twin, in_folder("out"), &o, &error), WSAM_ERR_MISMATCH);
    o.arch = "auto";
    o.heads = 5000;
    cr_expect_eq(wsam_convert(twin, in_folder("out"), &o, &error), WSAM_ERR_ARGUMENT);
    o.heads = 0;
    memset(&o.type, 7, sizeof o.type);
    cr_expect_eq(wsam_convert(twin, in_folder("out"), &o, &error), WSAM_ERR_ARGUMENT);
    cr_expect_eq(files_in_folder(), 2);
}

/* ---- what is written can be opened ---- */

Test(weights, nothing_is_written_that_the_runtime_refuses)
{
    wsam_convert_options o;
    wsam_error error = {0};
    char path[64];
    const int32_t shape[3] = {4, 4, 3};
    wsam_convert_options_default(&o);
    ws_builder *b = ws_builder_new(NULL, &o, &error);
    ws_graph_begin(b, "image_encoder"); /* of this name: with another signature */
    const ws_ref in = ws_input(b, "image", WSAM_F32, WSAM_RATE_IMAGE, 3, shape);
    ws_output(b, "out", ws_activation(b, "twice", in, "relu"));
    snprintf(path, sizeof path, "/tmp/weaksam-refused-%d.wsam", (int)getpid());
    cr_expect_neq(ws_writer_write(b, path, &error), WSAM_OK);
    cr_expect(strstr(error.message, "not written, as the runtime would refuse it"), "%s",
              error.message);
    cr_expect(strstr(error.message, path), "%s", error.message);
    cr_expect_neq(access(path, F_OK), 0, "%s is there", path);
    ws_builder_free(b);
    unlink(path);
}
