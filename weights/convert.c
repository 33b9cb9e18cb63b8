/* weights/convert.c - wsam_convert: checkpoint -> family -> description -> weight file. */
#include "weaksam/convert.h"
#include "kernels/float_scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weights/family/clue_head.h"
#include "weights/family/family.h"
#include "weights/family/head.h"
#include "weights/family/region_clues.h"
#include "weights/writer.h"

void wsam_convert_options_default(wsam_convert_options *options)
{
    memset(options, 0, sizeof *options);
    options->smoothing = 1;
}

static const char *type_name(wsam_file_type type)
{
    return type == WSAM_FILE_F32 ? "f32" : (type == WSAM_FILE_BF16 ? "bf16" : "int8");
}

/* One canonical tensor into the hash: name, rank, shape, f32 values. */
static wsam_status hash_tensor(const ws_source *s, const ws_source_tensor *t, XXH3_state_t *hash,
                               wsam_error *error)
{
    const uint64_t n = ws_source_elements(t);
    float *values = malloc((size_t)n * sizeof *values);
    if (!values)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for tensor '%s'", t->name);
    const wsam_status status = ws_source_read(s, t, values, error);
    if (!status) {
        XXH3_128bits_update(hash, t->name, strlen(t->name) + 1);
        XXH3_128bits_update(hash, &t->rank, sizeof t->rank);
        XXH3_128bits_update(hash, t->dims, (size_t)t->rank * sizeof t->dims[0]);
        XXH3_128bits_update(hash, values, (size_t)n * sizeof *values);
    }
    free(values);
    return status;
}

/* XXH3-128 over the float tensors in the order of their names: the same for every container. */
static wsam_status hash_source(const ws_source *s, char text[33], wsam_error *error)
{
    XXH3_state_t *hash = XXH3_createState();
    if (!hash)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a checksum");
    XXH3_128bits_reset(hash);
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < s->n_tensors && !status; i++)
        if (s->tensors[i].dtype != WS_DTYPE_INT)
            status = hash_tensor(s, &s->tensors[i], hash, error);
    const XXH128_hash_t digest = XXH3_128bits_digest(hash);
    snprintf(text, 33, "%016llx%016llx", (unsigned long long)digest.high64,
             (unsigned long long)digest.low64);
    XXH3_freeState(hash);
    return status;
}

static void describe_origin(ws_builder *b, const wsam_convert_options *o, const char *hash)
{
    char id[48];
    snprintf(id, sizeof id, "%s-%s", hash, type_name(o->type));
    ws_meta_string(b, "model.id", id);
    ws_meta_string(b, "model.type", type_name(o->type));
    ws_meta_string(b, "source.hash", hash);
    if (o->license)
        ws_meta_string(b, "license", o->license);
}

static wsam_status describe(const ws_source *s, const wsam_convert_options *o, ws_builder *b,
                            wsam_error *error)
{
    ws_family family;
    if (ws_is_head(s))
        return ws_describe_head(b, s, error);
    if (ws_is_clue_head(s))
        return ws_describe_clue_head(b, s, error);
    if (ws_is_region_clues(s))
        return ws_describe_region_clues(b, s, error);
    const wsam_status status = ws_family_detect(s, o, &family, error);
    if (!status)
        ws_family_describe(&family, b);
    return status;
}

static wsam_status convert_source(const ws_source *s, const char *out,
                                  const wsam_convert_options *o, wsam_error *error)
{
    char hash[33];
    ws_builder *b = ws_builder_new(s, o, error);
    if (!b)
        return WSAM_ERR_MEMORY;
    wsam_status status = describe(s, o, b, error);
    if (!status)
        status = ws_builder_status(b, error);
    if (!status)
        status = ws_check_needs(b, error);
    if (!status)
        status = hash_source(s, hash, error);
    if (!status) {
        describe_origin(b, o, hash);
        status = ws_writer_write(b, out, error);
    }
    ws_builder_free(b);
    return status;
}

static wsam_status check_options(const wsam_convert_options *o, wsam_error *error)
{
    if ((int)o->type < WSAM_FILE_F32 || (int)o->type > WSAM_FILE_INT8)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "unknown file type %d", (int)o->type);
    if (o->image_size < 0 || o->image_size > 4096 || o->heads < 0 || o->heads > 1024)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "image size %d or heads %d out of range",
                       o->image_size, o->heads);
    if (o->license && strlen(o->license) > WS_CAP_STRING)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "a license text of %zu bytes; %d fit",
                       strlen(o->license), WS_CAP_STRING);
    for (size_t i = 0; i < o->n_classes; i++)
        if (!*o->classes[i] || strlen(o->classes[i]) > WS_CAP_NAME)
            return ws_fail(error, WSAM_ERR_ARGUMENT,
                           "class name %zu is empty or longer than %d bytes", i, WS_CAP_NAME);
        else
            for (size_t j = 0; j < i; j++)
                if (strcmp(o->classes[i], o->classes[j]) == 0)
                    return ws_fail(error, WSAM_ERR_ARGUMENT, "two classes are called '%s'",
                                   o->classes[i]);
    return WSAM_OK;
}

wsam_status wsam_convert(const char *checkpoint, const char *out,
                         const wsam_convert_options *options, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_convert_options defaults;
    if (!checkpoint || !out)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_convert: no path given");
    wsam_convert_options_default(&defaults);
    const wsam_convert_options *o = options ? options : &defaults;
    ws_source *source = NULL;
    wsam_status status = check_options(o, error);
    if (!status)
        status = ws_source_open(checkpoint, &source, error);
    if (!status)
        status = convert_source(source, out, o, error);
    ws_source_close(source);
    return status;
}
