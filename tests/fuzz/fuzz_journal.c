/* What a run finds in its folder: a journal whose records are the input's pieces with right checksums,
 * one byte of it changed perhaps, and a manifest or a review of the input's bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/dataset/journal.h"

enum { KEYS = 5, MOST = 8 };

/* Pieces of the input, each with its length in front. */
static void append_pieces(int fd, const uint8_t *data, size_t size)
{
    wsam_error error;
    for (int n = 0; n < MOST && size > 2; n++) {
        size_t length = data[0] + 256u * (data[1] & 15u);
        length = length < size - 2 ? length : size - 2;
        ws_text payload = {0};
        ws_text_put(&payload, (const char *)data + 2, length);
        if (!payload.failed)
            ws_journal_append(
                fd, "fuzz",
                &(ws_new_record){(uint64_t)(data[1] >> 4) % KEYS, data[1] & 1u, &payload}, 1,
                &error);
        free(payload.text);
        data += 2 + length;
        size -= 2 + length;
    }
}

static void read_places(int fd, const ws_records_index *index)
{
    const ws_place *places = index->places;
    wsam_error error;
    for (size_t i = 0; i < index->n; i++) {
        wsam_run_output o;
        char *bytes = NULL, *failure = NULL;
        if (ws_journal_read(fd, "fuzz", &places[i], &bytes, &error))
            continue;
        ws_picture_record_get(bytes, (size_t)places[i].bytes, &o, &failure, &error);
        ws_picture_record_free(&o);
        free(failure);
        free(bytes);
    }
}

static void journal(const uint8_t *data, size_t size)
{
    ws_records_index index = {0};
    uint64_t end;
    size_t damaged = 0;
    wsam_error error;
    char path[] = "/dev/shm/weaksam-fuzz-XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0)
        abort();
    unlink(path);
    append_pieces(fd, data + 2, size - 2);
    const off_t length = lseek(fd, 0, SEEK_END);
    if (data[0] & 1 && length > 0 && pwrite(fd, data, 1, (off_t)(data[1] * 7 % length)) != 1)
        abort();
    if (!ws_journal_scan(fd, "fuzz", 0, &index, &end, &damaged, &error)) {
        ws_journal_index_sort(&index);
        read_places(fd, &index);
    }
    ws_journal_index_free(&index);
    close(fd);
}

/* The folder of a run whose manifest is the input. */
static void manifest(const uint8_t *data, size_t size)
{
    static char folder[64];
    char path[128];
    ws_manifest m;
    wsam_run_summary sum;
    wsam_error error;
    if (!*folder) {
        strcpy(folder, "/dev/shm/weaksam-fuzz-XXXXXX");
        if (!mkdtemp(folder))
            abort();
        snprintf(path, sizeof path, "%s/state", folder);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/state/manifest.jsonl", folder);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
    if (!ws_manifest_load(folder, &m, &error))
        ws_manifest_free(&m);
    wsam_run_merge(folder, &sum, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    if (data[0] & 128)
        manifest(data + 1, size - 1);
    else
        journal(data, size);
    return 0;
}
