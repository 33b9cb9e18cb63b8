/* Files of a data set: the first byte picks the reader. 0: CSV, 1: JSON, 2: a VOC annotation, 3: a
 * record of a journal, 4: a data set for a page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/dataset/journal.h"
#include "pipeline/labels/labels.h"
#include "pipeline/report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is not longer when it is written again. */
static void record(const char *text, size_t size)
{
    wsam_run_output o;
    wsam_error error;
    char *failure = NULL;
    ws_text again = {0};
    if (!ws_picture_record_get(text, size, &o, &failure, &error)) {
        ws_picture_record_put(&again, &o, failure);
        if (!again.failed && (again.n > size || (failure && strlen(failure) > size)))
            abort();
    }
    free(again.text);
    free(failure);
    ws_picture_record_free(&o);
}

static void page(const char *text, size_t size)
{
    char path[64];
    wsam_error error;
    wsam_report_options o;
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, text, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    wsam_report_options_default(&o);
    o.dataset = path;
    o.folder = "/nonexistent";
    o.output = "/dev/shm/weaksam-fuzz-page.html";
    wsam_report(&o, NULL, &error);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ws_label_rows rows = {.path = "fuzz"};
    wsam_error error;
    if (size < 2)
        return 0;
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0] % 5) {
    case 0:
        ws_labels_csv(&rows, text, size - 1, &error);
        break;
    case 1:
        ws_labels_json(&rows, text, size - 1, &error);
        break;
    case 2:
        ws_labels_xml(&rows, text, size - 1, "fuzz", "fuzz.png", 1, &error);
        break;
    case 3:
        record(text, size - 1);
        break;
    default:
        page(text, size - 1);
        break;
    }
    ws_label_rows_free(&rows);
    free(text);
    return 0;
}
