/* pipeline/review/review_session_machine.c - members of an image in reviewed.json, what the machine had found among
 * them. */
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "pipeline/coco/image_notes.h"
#include "pipeline/coco/members.h"
#include "pipeline/review/review_session.h"

/* Under the name of its label, as all of reviewed.json. */
static void put_found(ws_text *t, const char *class_name, const wsam_instance *a)
{
    ws_text_put(t, "{\"class\":", 9);
    ws_json_string(t, class_name);
    ws_text_printf(t, ",\"bbox\":[%.10g,%.10g,%.10g,%.10g],\"score\":%.9g", a->bbox[0], a->bbox[1],
                   a->bbox[2], a->bbox[3], wsam_instance_evidence(a));
    if (a->counts) /* it is a mask's */
        ws_text_printf(t, ",\"confidence\":%.9g", a->confidence);
    ws_text_put(t, "}", 1);
}

static int is_undecided(const ws_review_image *image)
{
    int decided = image->review != WSAM_REVIEW_NONE;
    for (size_t k = 0; k < image->n; k++)
        decided |= image->objects[k].a.reviewed != WSAM_REVIEWED_NO;
    return !decided;
}

wsam_status ws_review_session_machine_keep(ws_review_session *s, wsam_error *error)
{
    for (size_t i = 0; i < s->n_images; i++) {
        ws_review_image *image = &s->images[i];
        ws_text t = {0};
        int first = 1;
        if (!is_undecided(image))
            continue;
        ws_text_put(&t, "[", 1);
        for (size_t k = 0; k < image->n; k++) {
            if (image->objects[k].a.unscored || image->objects[k].a.crowd)
                continue;
            ws_json_comma(&t, first);
            first = 0;
            put_found(&t,
                      ws_renamed_label(&s->renamed, s->classes[image->objects[k].a.class_index]),
                      &image->objects[k].a);
        }
        ws_text_put(&t, "]", 1);
        if (ws_text_take(&t, &image->machine))
            return ws_no_memory(error, "a review");
    }
    return WSAM_OK;
}

static char *copy_value(const ws_member *m)
{
    return strndup(m->value, m->value_length);
}

wsam_status ws_review_session_machine_members(ws_review_image *image, const char *members,
                                              const char *file, wsam_error *error)
{
    static const char *const own[] = {"seconds", "audit", "missing", "machine", NULL};
    ws_text object = {0}, others = {0};
    ws_image_notes notes;
    ws_member m;
    int whole = 1;
    const wsam_status status = ws_image_notes_read(&notes, members, file, image->name, error);
    ws_image_notes_free(&notes);
    if (status)
        return status;
    ws_text_printf(&object, "{%s}", members + (*members == ','));
    if (object.failed) {
        free(object.text);
        return ws_no_memory(error, "a review");
    }
    image->audit = notes.audit;
    image->missing = notes.missing;
    image->seconds = notes.seconds;
    free(image->machine), free(image->more);
    image->machine = image->more = NULL;
    for (const char *at = object.text; ws_members_next(&at, &m);)
        if (ws_members_is(&m, "machine") && !image->machine)
            whole = (image->machine = copy_value(&m)) != NULL;
    ws_members_others(&others, object.text, own);
    if (others.n)
        whole &= (image->more = ws_text_finish(&others)) != NULL;
    free(object.text);
    return whole ? WSAM_OK : ws_no_memory(error, "a review");
}
