/* pipeline/train/log.c - see log.h. */
#include "pipeline/train/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/train/train_report.h"

enum { PATH = 4096, INTERVAL = 100 };

int ws_log_due(const ws_trainer *t)
{
    return t->iteration % INTERVAL == 0 || t->iteration % t->per_epoch == 0;
}

static wsam_status log_path(char path[PATH], const char *folder, wsam_error *error)
{
    return snprintf(path, PATH, "%s/log.jsonl", folder) < PATH
               ? WSAM_OK
               : ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", folder);
}

/* ---- a line ---- */

/* The iteration at which the interval that ends now began. */
static uint64_t interval_start(const ws_trainer *t)
{
    const uint64_t last = t->iteration - 1;
    const uint64_t hundred = last / INTERVAL * INTERVAL, epoch = last / t->per_epoch * t->per_epoch;
    return hundred > epoch ? hundred : epoch;
}

static void put_losses(const ws_trainer *t, ws_text *j)
{
    static const char *const names[WS_LOSSES] = {"image", "classification", "regression"};
    const uint64_t from = interval_start(t);
    for (int loss = 0; loss < WS_LOSSES; loss++) {
        double sum = 0.0;
        for (uint64_t i = from; i < t->iteration; i++)
            sum += (double)t->history[i][loss];
        ws_text_printf(j, ",\"%s\":", names[loss]);
        ws_json_number(j, sum / (double)(t->iteration - from));
    }
}

static char *line_of(const ws_trainer *t, const wsam_train_set *set)
{
    ws_text j = {0};
    const uint64_t last = t->iteration - 1;
    ws_text_printf(&j,
                   "{\"iteration\":%llu,\"epoch\":%llu,\"rate\":", (unsigned long long)t->iteration,
                   (unsigned long long)(last / t->per_epoch + 1));
    ws_json_number(&j, ws_trainer_rate_at(t, last));
    put_losses(t, &j);
    if (t->config.stage == WS_STAGE_RETRAIN) {
        ws_text_printf(&j, ",");
        ws_train_report_counts(t, WS_SPAN_INTERVAL, set, &j);
    }
    ws_text_printf(&j, "}\n");
    return ws_text_finish(&j);
}

static int add_text(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int failed = fd < 0;
    for (size_t left = strlen(text); left && !failed;) {
        const ssize_t wrote = write(fd, text, left);
        failed = wrote < 0 && errno != EINTR;
        text += wrote > 0 ? wrote : 0;
        left -= wrote > 0 ? (size_t)wrote : 0;
    }
    failed |= !failed && fsync(fd);
    const int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return failed;
}

wsam_status ws_log_append(const ws_trainer *t, const wsam_train_set *set, const char *folder,
                          wsam_error *error)
{
    char path[PATH];
    const wsam_status status = log_path(path, folder, error);
    if (status)
        return status;
    char *text = line_of(t, set);
    if (!text)
        return ws_no_memory(error, path);
    const int failed = add_text(path, text);
    free(text);
    return failed ? ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno)) : WSAM_OK;
}

/* ---- resuming ---- */

/* Where the first line begins that is not of an iteration up to `last`, or has no end. */
static off_t end_of_kept(FILE *f, uint64_t last)
{
    char *line = NULL;
    size_t room = 0;
    off_t kept = 0;
    for (ssize_t n = getline(&line, &room, f); n > 0; n = getline(&line, &room, f)) {
        unsigned long long iteration;
        if (line[n - 1] != '\n' || sscanf(line, "{\"iteration\":%llu,", &iteration) != 1 ||
            iteration > last)
            break;
        kept += n;
    }
    free(line);
    return kept;
}

wsam_status ws_log_cut(const char *folder, uint64_t last, wsam_error *error)
{
    char path[PATH];
    const wsam_status status = log_path(path, folder, error);
    if (status)
        return status;
    FILE *f = fopen(path, "r+b");
    if (!f)
        return errno == ENOENT ? WSAM_OK
                               : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    const off_t kept = end_of_kept(f, last);
    const int failed = ftruncate(fileno(f), kept);
    const int why = errno;
    fclose(f);
    return failed ? ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(why)) : WSAM_OK;
}
