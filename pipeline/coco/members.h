/* pipeline/coco/members.h - the members of a JSON object as text: records are kept as they were
 * read.
 *
 * The text must be one valid object, as the record reader delivers it. */
#ifndef WS_PIPELINE_COCO_MEMBERS_H
#define WS_PIPELINE_COCO_MEMBERS_H

#include <stdint.h>

#include "base/text.h"

typedef struct ws_member {
    const char *key, *value; /* the key without its quotes */
    size_t key_length, value_length;
} ws_member;

/* The next member of the object; *at begins as its text and is moved on. 0 at the end. */
int ws_members_next(const char **at, ws_member *member);
int ws_members_is(const ws_member *member, const char *key);

/* An id that an object shall have. */
typedef struct ws_member_id {
    const char *key;
    int64_t value;
    const char *text; /* its JSON where it is no number, or NULL */
} ws_member_id;

/* The object with these members: the same bytes where it has them. */
void ws_members_put(ws_text *to, const char *object, const ws_member_id *ids, size_t n);
/* `,"key":value` of all members but those named; `skip` ends with NULL. */
void ws_members_others(ws_text *to, const char *object, const char *const *skip);

#endif
