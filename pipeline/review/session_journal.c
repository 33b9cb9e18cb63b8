/* pipeline/review/session_journal.c - OUT/review/journal.jsonl: what was decided since reviewed.json
 * was written, a line each, complete in itself: the image by its name, the object with all it has.
 * Of several lines about one object the last one counts, so that undo is a line like others. A line
 * that was cut off by a crash is the last one, and is passed over. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_parse.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "pipeline/review/session.h"

enum { MAX_LINE = 64 << 20 };

static const char *const reviewed_names[] = {"none", "accepted", "drawn", "rejected"};
static const char *const review_names[] = {"none", "partial", "complete"};

/* ---- writing ---- */

static wsam_status append(ws_session *s, ws_text *t, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    ws_text_put(t, "\n", 1);
    if (t->failed)
        status = ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory");
    else if (fwrite(t->text, 1, t->n, s->journal) != t->n || fflush(s->journal) != 0 ||
             fsync(fileno(s->journal)) != 0)
        status = ws_fail(error, WSAM_ERR_IO, "%s/review/journal.jsonl: %s", s->options->output,
                         strerror(errno));
    free(t->text);
    return status;
}

static void put_name(ws_text *t, const char *key, const char *name)
{
    ws_text_printf(t, "\"%s\":", key);
    ws_json_string(t, name);
}

wsam_status ws_journal_object(ws_session *s, size_t image, const ws_review_object *o,
                              wsam_error *error)
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

wsam_status ws_journal_image(ws_session *s, size_t image, wsam_error *error)
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

static int word(const char *const *names, int n, const char *text)
{
    for (int i = 0; i < n && text; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return 0;
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

static wsam_status replay_object(ws_session *s, ws_review_image *image, const cJSON *line,
                                 wsam_error *error)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(line, "id");
    const cJSON *box = cJSON_GetObjectItemCaseSensitive(line, "bbox");
    const char *name = text_of(line, "class"), *counts = text_of(line, "counts");
    if (!cJSON_IsNumber(id) || !name)
        return WSAM_OK;
    ws_review_object *o = ws_session_find(image, (int64_t)id->valuedouble);
    if (!o && !(o = ws_session_add(image)))
        return ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory");
    ws_review_object_clear(o);
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
    return ws_session_class(s, name, &o->a.class_index, error);
}

static wsam_status replay_line(ws_session *s, char *text, size_t n, wsam_error *error)
{
    cJSON *line = NULL;
    wsam_status status = ws_json_parse("the journal", 0, text, n, &line, error);
    if (status)
        return status == WSAM_ERR_MEMORY ? status : WSAM_OK; /* cut off by a crash */
    const char *name = text_of(line, "image");
    for (size_t i = 0; name && i < s->n_images && !status; i++)
        if (strcmp(s->images[i].name, name) == 0) {
            replay_image(&s->images[i], line);
            if (cJSON_GetObjectItemCaseSensitive(line, "id"))
                status = replay_object(s, &s->images[i], line, error);
            s->unsaved++;
        }
    cJSON_Delete(line);
    return status;
}

static char *journal_path(const ws_session *s, int make_folder)
{
    const size_t size = strlen(s->options->output) + 32;
    char *path = malloc(size);
    if (!path)
        return NULL;
    snprintf(path, size, "%s/review", s->options->output);
    if (make_folder)
        mkdir(path, 0777); /* opening the file tells when that failed */
    snprintf(path, size, "%s/review/journal.jsonl", s->options->output);
    return path;
}

wsam_status ws_journal_open(ws_session *s, wsam_error *error)
{
    char *path = journal_path(s, 1), *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    wsam_status status = WSAM_OK;
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "the journal: no memory");
    s->journal = fopen(path, "a+");
    if (!s->journal)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    while (!status && (n = getline(&line, &capacity, s->journal)) > 0) {
        if (n > MAX_LINE || line[n - 1] != '\n')
            break;
        status = replay_line(s, line, (size_t)n, error);
    }
    free(line);
    free(path);
    return status;
}

wsam_status ws_journal_restart(ws_session *s, wsam_error *error)
{
    if (ftruncate(fileno(s->journal), 0) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s/review/journal.jsonl: %s", s->options->output,
                       strerror(errno));
    rewind(s->journal);
    return WSAM_OK;
}
