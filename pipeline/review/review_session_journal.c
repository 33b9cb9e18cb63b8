/* pipeline/review/review_session_journal.c - OUT/review/journal.jsonl: what was decided since reviewed.json
 * was written, a line each, complete in itself: the image by its name, the object with all it has.
 * Of several lines about one object the last one counts, so that undo is a line like others. The end
 * of a line that was cut off by a crash is taken off again; other lines that cannot be read, or are
 * about images that are gone, are counted, named, and kept in OUT/review/damaged.jsonl. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_parse.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "pipeline/coco/image_notes.h"
#include "pipeline/review/review_session.h"

enum { MAX_LINE = 64 << 20 };

static const char *const reviewed_names[] = {"none", "accepted", "drawn", "rejected"};
static const char *const review_names[] = {"none", "partial", "complete"};

/* ---- writing ---- */

static wsam_status failed(const ws_review_session *s, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_IO, "%s/review/journal.jsonl: %s", s->options->output,
                   strerror(errno));
}

/* All of a line, or nothing of it: the next one must not stand behind a half. */
static int put_line(int fd, const char *line, size_t n)
{
    const off_t end = lseek(fd, 0, SEEK_END);
    size_t done = 0;
    while (end >= 0 && done < n) {
        const ssize_t wrote = write(fd, line + done, n - done);
        if (wrote < 0 && errno != EINTR)
            break;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    if (end >= 0 && done == n && fsync(fd) == 0)
        return 1;
    const int why = errno;
    if (end >= 0)
        (void)!ftruncate(fd, end);
    errno = why;
    return 0;
}

static wsam_status append(ws_review_session *s, ws_text *t, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    ws_text_put(t, "\n", 1);
    if (t->failed)
        status = ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory");
    else if (!put_line(fileno(s->journal), t->text, t->n))
        status = failed(s, error);
    free(t->text);
    return status;
}

static void put_name(ws_text *t, const char *key, const char *name)
{
    ws_text_printf(t, "\"%s\":", key);
    ws_json_string(t, name);
}

wsam_status ws_review_session_journal_object(ws_review_session *s, size_t image,
                                             const ws_review_object *o, wsam_error *error)
{
    ws_text t = {0};
    const wsam_instance *a = &o->a;
    ws_text_put(&t, "{", 1);
    put_name(&t, "image", s->images[image].name);
    ws_text_put(&t, ",", 1);
    put_name(&t, "class", s->classes[a->class_index]);
    ws_text_printf(&t,
                   ",\"id\":%" PRId64 ",\"reviewed\":\"%s\",\"bbox\":[%.10g,%.10g,%.10g,%.10g],"
                   "\"score\":%.9g,\"confidence\":%.9g%s",
                   a->id, reviewed_names[a->reviewed], a->bbox[0], a->bbox[1], a->bbox[2],
                   a->bbox[3], a->score, a->confidence, o->gone ? ",\"gone\":true" : "");
    if (a->counts) {
        ws_text_put(&t, ",", 1);
        put_name(&t, "counts", a->counts);
    }
    ws_text_printf(&t, ",\"review\":\"%s\"}", review_names[s->images[image].review]);
    return append(s, &t, error);
}

wsam_status ws_review_session_journal_image(ws_review_session *s, size_t image, wsam_error *error)
{
    ws_text t = {0};
    const ws_review_image *i = &s->images[image];
    ws_text_put(&t, "{", 1);
    put_name(&t, "image", i->name);
    ws_text_printf(&t, ",\"review\":\"%s\",\"missing\":%s,\"audit\":%s,\"seconds\":%.6g}",
                   review_names[i->review], i->missing ? "true" : "false",
                   i->audit ? "true" : "false", i->seconds);
    return append(s, &t, error);
}

/* ---- replaying ---- */

static const char *text_of(const cJSON *line, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, key));
}

static double number_of(const cJSON *object, double otherwise)
{
    return cJSON_IsNumber(object) ? object->valuedouble : otherwise;
}

/* -1: none of them. */
static int word(const char *const *names, int n, const char *text)
{
    for (int i = 0; i < n && text; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

typedef int is_fn(const cJSON *value);

/* A member may lack; what is there has to be of its kind. */
static int is_or_lacks(const cJSON *line, const char *key, is_fn *is)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(line, key);
    return !value || is(value);
}

static int is_finite(const cJSON *value)
{
    return cJSON_IsNumber(value) && isfinite(value->valuedouble);
}

static int is_bool(const cJSON *value)
{
    return cJSON_IsBool(value) != 0;
}

static int is_text(const cJSON *value)
{
    return cJSON_IsString(value) != 0;
}

/* Whether a line says what a review writes: one that does not is kept aside, and none of it counts. */
static int is_ours(const cJSON *line)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(line, "id");
    const int image = word(review_names, 3, text_of(line, "review")) >= 0 &&
                      is_or_lacks(line, "seconds", ws_image_notes_is_seconds) &&
                      is_or_lacks(line, "missing", is_bool) && is_or_lacks(line, "audit", is_bool);
    if (!id)
        return image;
    return image && is_finite(id) && fabs(id->valuedouble) <= 9007199254740991.0 &&
           text_of(line, "class") && word(reviewed_names, 4, text_of(line, "reviewed")) >= 0 &&
           ws_image_notes_is_box(cJSON_GetObjectItemCaseSensitive(line, "bbox")) &&
           is_or_lacks(line, "score", is_finite) && is_or_lacks(line, "confidence", is_finite) &&
           is_or_lacks(line, "gone", is_bool) && is_or_lacks(line, "counts", is_text);
}

static void replay_image(ws_review_image *image, const cJSON *line)
{
    image->review = (wsam_review_state)word(review_names, 3, text_of(line, "review"));
    if (!cJSON_GetObjectItemCaseSensitive(line, "seconds"))
        return;
    image->missing = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(line, "missing"));
    image->audit = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(line, "audit"));
    image->seconds = number_of(cJSON_GetObjectItemCaseSensitive(line, "seconds"), 0);
}

static wsam_status replay_object(ws_review_session *s, ws_review_image *image, const cJSON *line,
                                 wsam_error *error)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(line, "id");
    const cJSON *box = cJSON_GetObjectItemCaseSensitive(line, "bbox");
    const char *name = text_of(line, "class"), *counts = text_of(line, "counts");
    ws_review_object *o = ws_review_session_find(image, (int64_t)id->valuedouble);
    if (!o && !(o = ws_review_session_add(image)))
        return ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory");
    ws_review_session_object_clear(o);
    o->a.id = (int64_t)id->valuedouble;
    o->a.reviewed = (wsam_reviewed)word(reviewed_names, 4, text_of(line, "reviewed"));
    o->a.score = number_of(cJSON_GetObjectItemCaseSensitive(line, "score"), 1);
    o->a.confidence = number_of(cJSON_GetObjectItemCaseSensitive(line, "confidence"), 0);
    o->gone = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(line, "gone"));
    for (int k = 0; k < 4; k++)
        o->a.bbox[k] = number_of(cJSON_GetArrayItem(box, k), 0);
    if (counts) {
        o->a.counts = strdup(counts);
        o->a.counts_length = strlen(counts);
        if (!o->a.counts)
            return ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory");
    }
    if (o->a.id >= s->next_id)
        s->next_id = o->a.id + 1;
    return ws_review_session_class(s, name, &o->a.class_index, error);
}

/* *taken: it is a line of ours, about an image of these. */
static wsam_status replay_line(ws_review_session *s, char *text, size_t n, int *taken,
                               wsam_error *error)
{
    cJSON *line = NULL;
    *taken = 0;
    wsam_status status = ws_json_parse("the journal", 0, text, n, &line, error);
    if (status)
        return status == WSAM_ERR_MEMORY ? status : WSAM_OK;
    const char *name = text_of(line, "image");
    const int ours = is_ours(line);
    for (size_t i = 0; name && ours && i < s->n_images && !status; i++)
        if (strcmp(s->images[i].name, name) == 0) {
            replay_image(&s->images[i], line);
            if (cJSON_GetObjectItemCaseSensitive(line, "id"))
                status = replay_object(s, &s->images[i], line, error);
            s->unsaved++;
            *taken = 1;
        }
    cJSON_Delete(line);
    return status;
}

static wsam_status keep_damaged(ws_review_session *s, const char *line, size_t n, size_t number,
                                wsam_error *error)
{
    if (!s->n_damaged++)
        s->first_damaged = number;
    ws_text_put(&s->damaged, line, n);
    return s->damaged.failed ? ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory") : WSAM_OK;
}

/* `line` ends the file and has no end of its own: whole but for that, or cut off. */
static wsam_status mend_end(ws_review_session *s, int whole, off_t begin, wsam_error *error)
{
    const int fd = fileno(s->journal);
    if (whole ? !put_line(fd, "\n", 1) : ftruncate(fd, begin) != 0)
        return failed(s, error);
    return WSAM_OK;
}

static wsam_status replay(ws_review_session *s, wsam_error *error)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    off_t begin = 0;
    wsam_status status = WSAM_OK;
    rewind(s->journal);
    for (size_t number = 1; !status && (n = getline(&line, &capacity, s->journal)) > 0; number++) {
        int taken = 0;
        if (n <= MAX_LINE)
            status = replay_line(s, line, (size_t)n, &taken, error);
        if (!status && line[n - 1] != '\n')
            status = mend_end(s, taken, begin, error);
        else if (!status && !taken)
            status = keep_damaged(s, line, (size_t)n, number, error);
        begin += n;
    }
    if (!status && ferror(s->journal))
        status = failed(s, error);
    free(line);
    return status;
}

static void tell_damaged(const ws_review_session *s)
{
    char text[256];
    if (!s->n_damaged || !s->options->remark)
        return;
    snprintf(text, sizeof text,
             "review/journal.jsonl: %zu line%s cannot be read, or name no image of this data set "
             "(line %zu first): passed over, and kept in review/damaged.jsonl",
             s->n_damaged, s->n_damaged == 1 ? "" : "s", s->first_damaged);
    s->options->remark(s->options->user, text);
}

static char *path_of(const ws_review_session *s, const char *name)
{
    const size_t size = strlen(s->options->output) + strlen(name) + 16;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/review%s", s->options->output, name);
    return path;
}

wsam_status ws_review_session_journal_open(ws_review_session *s, wsam_error *error)
{
    char *folder = path_of(s, ""), *path = path_of(s, "/journal.jsonl");
    wsam_status status =
        folder && path ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory");
    if (!status) {
        mkdir(folder, 0777); /* opening the file tells when that failed */
        s->journal = fopen(path, "a+");
        status = !s->journal ? failed(s, error)
                 : ws_review_claim(fileno(s->journal))
                     ? replay(s, error)
                     : ws_review_claim_held(s->options->output, error);
    }
    if (!status)
        tell_damaged(s);
    free(folder), free(path);
    return status;
}

/* What could not be read is somebody's work all the same. */
static wsam_status save_damaged(ws_review_session *s, wsam_error *error)
{
    if (!s->damaged.n)
        return WSAM_OK;
    char *path = path_of(s, "/damaged.jsonl");
    const int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    const int good = fd >= 0 && put_line(fd, s->damaged.text, s->damaged.n);
    wsam_status status = !path  ? ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory")
                         : good ? WSAM_OK
                                : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(path);
    if (!status)
        s->damaged.n = 0;
    return status;
}

wsam_status ws_review_session_journal_restart(ws_review_session *s, wsam_error *error)
{
    const wsam_status status = save_damaged(s, error);
    if (status)
        return status;
    return ftruncate(fileno(s->journal), 0) == 0 ? WSAM_OK : failed(s, error);
}
