/* base/outputs.c - see outputs.h. */
#include "base/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/output.h"

enum { SYNCED = 8 };

struct ws_output_item {
    ws_output_file file;
    FILE *stream;
};

wsam_status ws_outputs_folder(ws_outputs *out, const char *path, wsam_error *error)
{
    if (strcmp(path, "-") == 0)
        return ws_fail(
            error, WSAM_ERR_ARGUMENT,
            "'-' is standard output, and a folder is needed; ./- is the folder of that name");
    if (mkdir(path, 0777) == 0) {
        out->folder = strdup(path);
        return out->folder ? WSAM_OK : ws_no_memory(error, path);
    }
    return ws_file_folder_make(path, error);
}

static struct ws_output_item *append(ws_outputs *out)
{
    struct ws_output_item *files = ws_grow(out->files, out->n, &out->capacity, sizeof *files);
    if (!files)
        return NULL;
    out->files = files;
    struct ws_output_item *f = &out->files[out->n++];
    memset(f, 0, sizeof *f);
    return f;
}

/* Takes back what append made: not every caller finishes a list that nothing came into. */
static void take_back(ws_outputs *out)
{
    ws_output_drop(&out->files[--out->n].file, 0);
    if (out->n)
        return;
    free(out->files);
    out->files = NULL;
    out->capacity = 0;
}

static FILE *open_one(ws_outputs *out, const char *path, int seekable, wsam_error *error)
{
    struct ws_output_item *f = append(out);
    if (!f) {
        ws_no_memory(error, path);
        return NULL;
    }
    if (ws_output_open(&f->file, path, seekable, error)) {
        take_back(out);
        return NULL;
    }
    const int copy = fcntl(f->file.fd, F_DUPFD_CLOEXEC, 3);
    FILE *stream = copy < 0 ? NULL : fdopen(copy, seekable ? "w+b" : "wb");
    if (!stream) {
        ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
        if (copy >= 0)
            close(copy);
        take_back(out);
        return NULL;
    }
    f->stream = stream;
    return stream;
}

FILE *ws_outputs_open(ws_outputs *out, const char *path, wsam_error *error)
{
    return open_one(out, path, 0, error);
}

FILE *ws_outputs_open_seekable(ws_outputs *out, const char *path, wsam_error *error)
{
    return open_one(out, path, 1, error);
}

wsam_status ws_outputs_close(ws_outputs *out, wsam_error *error)
{
    struct ws_output_item *f = &out->files[out->n - 1];
    int failed = ferror(f->stream);
    errno = 0;
    if (fflush(f->stream)) /* after a failed write, too: it says why once more */
        failed = 1;
    if (failed && !errno && write(fileno(f->stream), "\n", 1) < 0) /* nothing was left to flush */
        failed = 1;
    const int why = errno;
    if (fclose(f->stream) != 0 || failed) {
        errno = failed && why ? why : errno;
        f->stream = NULL;
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", f->file.path,
                       errno ? strerror(errno) : "write failed");
    }
    f->stream = NULL;
    /* Many files at once (a folder of masks) are left to the system: a wait for the disk for each
     * would cost more than they do. */
    return ws_output_complete(&f->file, out->n <= SYNCED && !out->brief, error);
}

void ws_outputs_first(ws_outputs *out)
{
    const struct ws_output_item last = out->files[out->n - 1];
    memmove(out->files + 1, out->files, (out->n - 1) * sizeof last);
    out->files[0] = last;
}

wsam_status ws_outputs_finish(ws_outputs *out, wsam_status status, wsam_error *error)
{
    size_t renamed = 0;
    for (; renamed < out->n && !status; renamed++) {
        status = ws_output_rename(&out->files[renamed].file, out->n == 1 && !out->brief, error);
        if (status)
            break;
    }
    for (size_t i = 0; i < out->n; i++) {
        struct ws_output_item *f = &out->files[i];
        if (f->stream)
            fclose(f->stream);
        ws_output_drop(&f->file, i < renamed); /* what has its name is whole and stays */
    }
    if (status && out->folder)
        rmdir(out->folder);
    free(out->folder);
    free(out->files);
    memset(out, 0, sizeof *out);
    return status;
}

wsam_status ws_outputs_write(const char *path, const char *bytes, size_t n, int brief,
                             wsam_error *error)
{
    ws_outputs out = {.brief = brief};
    FILE *f = ws_outputs_open(&out, path, error);
    wsam_status status = f ? WSAM_OK : error->status;
    if (f) {
        fwrite(bytes, 1, n, f);
        status = ws_outputs_close(&out, error);
    }
    return ws_outputs_finish(&out, status, error);
}

wsam_status ws_outputs_copy(const char *from, const char *to, wsam_error *error)
{
    char bytes[1 << 14];
    size_t n;
    ws_outputs out = {0};
    FILE *in = fopen(from, "rb");
    FILE *f = in ? ws_outputs_open(&out, to, error) : NULL;
    wsam_status status = f ? WSAM_OK : error->status;
    if (!in)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", from, strerror(errno));
    while (f && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
        fwrite(bytes, 1, n, f);
    if (f && ferror(in))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", from, strerror(errno));
    if (f && !status)
        status = ws_outputs_close(&out, error);
    if (in)
        fclose(in);
    return ws_outputs_finish(&out, status, error);
}
