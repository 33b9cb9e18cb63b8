/* pipeline/coco/image_notes.c - see image_notes.h. */
#include "pipeline/coco/image_notes.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_parse.h"
#include "base/text.h"
#include "pipeline/coco/members.h"

static const double most_seconds = 1e6, farthest = 1e6;

int ws_image_notes_is_seconds(const cJSON *value)
{
    return cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble <= most_seconds;
}

int ws_image_notes_is_flag(const cJSON *value)
{
    return cJSON_IsBool(value) ||
           (cJSON_IsNumber(value) && (value->valueint == 0 || value->valueint == 1) &&
            value->valuedouble >= 0 && value->valuedouble <= value->valueint);
}

static int is_set(const cJSON *flag)
{
    return cJSON_IsTrue(flag) || (cJSON_IsNumber(flag) && flag->valueint == 1);
}

int ws_image_notes_is_box(const cJSON *value)
{
    double box[4] = {0};
    int n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, value)
    {
        if (n == 4 || !cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= farthest))
            return 0;
        box[n++] = item->valuedouble;
    }
    return cJSON_IsArray(value) && n == 4 && box[2] >= 0 && box[3] >= 0;
}

int ws_image_notes_found(const cJSON *item, ws_found *found)
{
    const cJSON *box = cJSON_GetObjectItemCaseSensitive(item, "bbox");
    const cJSON *score = cJSON_GetObjectItemCaseSensitive(item, "score");
    const cJSON *confidence = cJSON_GetObjectItemCaseSensitive(item, "confidence");
    *found = (ws_found){0};
    found->class_name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "class"));
    if (!found->class_name || !*found->class_name || !ws_image_notes_is_box(box) ||
        !cJSON_IsNumber(score) || !isfinite(score->valuedouble))
        return 0;
    if (confidence && (!cJSON_IsNumber(confidence) || !isfinite(confidence->valuedouble)))
        return 0;
    for (int k = 0; k < 4; k++)
        found->box[k] = cJSON_GetArrayItem(box, k)->valuedouble;
    found->score = score->valuedouble;
    found->has_confidence = confidence != NULL;
    found->confidence = confidence ? confidence->valuedouble : 0;
    return 1;
}

static int is_machine(const cJSON *list)
{
    const cJSON *item;
    ws_found found;
    cJSON_ArrayForEach(item, list) if (!ws_image_notes_found(item, &found)) return 0;
    return cJSON_IsArray(list);
}

/* The first member whose value is none, and what it should be; NULL. */
static const char *wrong_member(const cJSON *root, const char **wants)
{
    static const struct {
        const char *name, *wants;
        int (*good)(const cJSON *value);
    } rules[] = {{"seconds", "a number of seconds", ws_image_notes_is_seconds},
                 {"audit", "true or false", ws_image_notes_is_flag},
                 {"missing", "true or false", ws_image_notes_is_flag},
                 {"machine", "a list of objects with class, bbox and score", is_machine}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, rules[i].name);
        *wants = rules[i].wants;
        if (value && !rules[i].good(value))
            return rules[i].name;
    }
    return NULL;
}

/* Of our members alone: others may be as deep and large as they like. */
static wsam_status parse(const char *members, const char *file, cJSON **root, wsam_error *error)
{
    static const char *const ours[] = {"seconds", "audit", "missing", "machine"};
    ws_text all = {0}, object = {0};
    ws_member m;
    ws_text_printf(&all, "{%s}", members + (*members == ','));
    ws_text_put(&object, "{", 1);
    for (const char *at = all.text; !all.failed && ws_members_next(&at, &m);)
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
            if (ws_members_is(&m, ours[i])) {
                ws_text_printf(&object, "%s\"%s\":", object.n > 1 ? "," : "", ours[i]);
                ws_text_put(&object, m.value, m.value_length);
            }
    ws_text_put(&object, "}", 1);
    const wsam_status status = all.failed || object.failed
                                   ? ws_no_memory(error, file)
                                   : ws_json_parse(file, 0, object.text, object.n, root, error);
    free(all.text);
    free(object.text);
    return status;
}

wsam_status ws_image_notes_read(ws_image_notes *notes, const char *members, const char *file,
                                const char *image, wsam_error *error)
{
    cJSON *root = NULL;
    const char *wants;
    *notes = (ws_image_notes){0};
    if (!members)
        return WSAM_OK;
    wsam_status status = parse(members, file, &root, error);
    const char *wrong = status ? NULL : wrong_member(root, &wants);
    if (wrong)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: image '%.200s': '%s' is not %s", file, image,
                         wrong, wants);
    if (!status) {
        const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(root, "seconds");
        notes->seconds = seconds ? seconds->valuedouble : 0;
        notes->audit = is_set(cJSON_GetObjectItemCaseSensitive(root, "audit"));
        notes->missing = is_set(cJSON_GetObjectItemCaseSensitive(root, "missing"));
        notes->machine = cJSON_DetachItemFromObjectCaseSensitive(root, "machine");
    }
    cJSON_Delete(root);
    return status;
}

void ws_image_notes_free(ws_image_notes *notes)
{
    cJSON_Delete(notes->machine);
    notes->machine = NULL;
}
