/* weights/import/source_open.c - opening a checkpoint of any container, and finding by name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/family/vit_names.h"
#include "weights/import/source.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ws_source_tensor *)a)->name, ((const ws_source_tensor *)b)->name);
}

const ws_source_tensor *ws_source_find(const ws_source *s, const char *name)
{
    ws_source_tensor key;
    if (s->n_tensors == 0 || strlen(name) > WS_SOURCE_NAME)
        return NULL;
    memcpy(key.name, name, strlen(name) + 1);
    return bsearch(&key, s->tensors, s->n_tensors, sizeof *s->tensors, by_name);
}

const char *ws_source_note_value(const ws_source *s, const char *key)
{
    for (size_t i = 0; i < s->n_notes; i++)
        if (strcmp(s->notes[i].key, key) == 0)
            return s->notes[i].value;
    return NULL;
}

static int has_prefix(const ws_source *s, const char *prefix)
{
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strncmp(s->tensors[i].name, prefix, strlen(prefix)) == 0)
            return 1;
    return 0;
}

/* Hugging Face files may carry the Gaussian matrix under both names of its module tree. */
static void drop_second_gaussian(ws_source *s)
{
    if (!has_prefix(s, "shared_image_embedding."))
        return;
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, "prompt_encoder.shared_embedding.positional_embedding") ==
            0) {
            s->tensors[i] = s->tensors[--s->n_tensors];
            return;
        }
}

static void drop(ws_source *s, const char *prefix)
{
    const size_t n = strlen(prefix);
    for (size_t i = 0; i < s->n_tensors; i++) {
        char *name = s->tensors[i].name;
        if (strncmp(name, prefix, n) == 0 && name[n])
            memmove(name, name + n, strlen(name + n) + 1);
    }
}

static size_t count_prefix(const ws_source *s, const char *prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_tensors; i++)
        n += strncmp(s->tensors[i].name, prefix, strlen(prefix)) == 0;
    return n;
}

/* What trainers put around a model leaves a prefix on its names (module.module.sam.): it goes when
 * more than half of the tensors have it. */
static void drop_wrappers(ws_source *s)
{
    static const char *const prefixes[] = {"module.",    "_orig_mod.", "model.",   "sam.",
                                           "sam_model.", "net.",       "network.", "state_dict."};
    enum { DEEPEST = 6, PREFIXES = sizeof prefixes / sizeof prefixes[0] };
    drop(s, "module."); /* always: DataParallel's, on some tensors or all */
    for (int depth = 0; depth < DEEPEST; depth++) {
        int i = 0;
        while (i < PREFIXES && 2 * count_prefix(s, prefixes[i]) <= s->n_tensors)
            i++;
        if (i == PREFIXES)
            return;
        drop(s, prefixes[i]);
    }
}

/* A semi-supervised trainer keeps teacher and student: the teacher is what is used. */
static void choose_teacher(ws_source *s)
{
    size_t kept = 0;
    if (!has_prefix(s, "modelTeacher."))
        return;
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strncmp(s->tensors[i].name, "modelTeacher.", 13) == 0)
            s->tensors[kept++] = s->tensors[i];
    s->n_tensors = kept;
    drop(s, "modelTeacher.");
}

/* Published names, sorted, without duplicates. */
static wsam_status settle_names(ws_source *s, wsam_error *error)
{
    drop_wrappers(s);
    choose_teacher(s);
    if (has_prefix(s, "vision_encoder.")) {
        drop_second_gaussian(s);
        for (size_t i = 0; i < s->n_tensors; i++)
            ws_names_published(s->tensors[i].name);
    }
    const wsam_status status = ws_vit_names_settle(s, error);
    if (status)
        return status;
    if (s->n_tensors)
        qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_name);
    for (size_t i = 1; i < s->n_tensors; i++)
        if (by_name(&s->tensors[i - 1], &s->tensors[i]) == 0)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' appears twice", s->path,
                           s->tensors[i].name);
    return WSAM_OK;
}

/* Which container the first bytes announce. */
static wsam_status read_container(ws_source *s, wsam_error *error)
{
    static const unsigned char legacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46};
    unsigned char head[16] = {0};
    if (s->size < sizeof head)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: %s", s->path,
                       s->size ? "too short for a checkpoint" : "the file is empty");
    const wsam_status status = ws_source_bytes(s, 0, head, sizeof head, error);
    if (status)
        return status;
    if (memcmp(head, "PK\3\4", 4) == 0)
        return ws_torch_zip_read(s, error);
    if (memcmp(head, legacy, sizeof legacy) == 0)
        return ws_torch_legacy_read(s, error);
    if (head[8] == '{')
        return ws_safetensors_read(s, error);
    if (head[0] == 0x80 && head[1] >= 2 && head[1] <= 5)
        return ws_read_pickle(s, error);
    return ws_fail(error, WSAM_ERR_FORMAT,
                   "%s: not a checkpoint (neither a PyTorch file nor safetensors)", s->path);
}

static wsam_status open_file(ws_source *s, const char *path, wsam_error *error)
{
    struct stat st;
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", s->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", s->path,
                       S_ISDIR(st.st_mode) ? "is a directory" : "is not a regular file");
    s->size = (uint64_t)st.st_size;
    return WSAM_OK;
}

wsam_status ws_source_open(const char *path, ws_source **out, wsam_error *error)
{
    *out = NULL;
    ws_source *s = calloc(1, sizeof *s);
    if (!s)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a checkpoint");
    snprintf(s->path, sizeof s->path, "%s", path);
    wsam_status status = open_file(s, path, error);
    if (!status)
        status = read_container(s, error);
    if (!status)
        status = settle_names(s, error);
    if (status)
        ws_source_close(s);
    else
        *out = s;
    return status;
}

void ws_source_close(ws_source *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->tensors);
    free(s->classes);
    free(s->config);
    free(s->extra);
    free(s);
}
