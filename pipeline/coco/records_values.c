/* pipeline/coco/records_values.c - numbers, strings and booleans of a record. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/records_state.h"

/* Digits that fit 53 bits with a power of ten that is exact: one division gives the nearest double,
 * which is what strtod gives, many times faster. */
static int short_number(const char *text, size_t n, double *out)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const int negative = n && text[0] == '-';
    size_t digits = 0, behind = 0;
    uint64_t value = 0;
    int point = 0;
    for (size_t i = (size_t)negative; i < n; i++) {
        if (text[i] == '.') {
            point = 1;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || ++digits > 15)
            return 0;
        value = 10 * value + (uint64_t)(text[i] - '0');
        behind += (size_t)point;
    }
    *out = (negative ? -1.0 : 1.0) * ((double)value / power[behind]);
    return 1;
}

/* A JSON number, whatever the locale's decimal point. */
static int parse_number(const char *text, size_t n, double *out)
{
    char copy[128], *end;
    if (short_number(text, n, out))
        return 1;
    if (n >= sizeof copy)
        return 0;
    memcpy(copy, text, n);
    copy[n] = 0;
    *out = ws_locale_strtod(copy, &end);
    return end == copy + n && isfinite(*out);
}

static int push_number(ws_records *r, double value)
{
    ws_segmentation *s = &r->record.segmentation;
    double *numbers = ws_grow(s->numbers, s->n, &s->capacity, sizeof *numbers);
    if (!numbers)
        return ws_records_no_memory(r);
    s->numbers = numbers;
    s->numbers[s->n++] = value;
    return 1;
}

int ws_records_whole_number(double value, const ws_text *digits, int64_t *out)
{
    const double limit = 9007199254740992;
    if (digits->n) { /* more than a double holds */
        char *end;
        errno = 0;
        *out = strtoll(digits->text, &end, 10);
        return !*end && !errno;
    }
    if (!(fabs(value) <= limit) || floor(value) < value)
        return 0;
    *out = (int64_t)value;
    return 1;
}

/* The bytes of a name that is not UTF-8: yajl makes \udc80 to \udcff (json_writer.h) the three bytes
 * that UTF-8 would have for them. */
static void unescape_bytes(ws_text *t)
{
    size_t to = 0;
    for (size_t i = 0; i < t->n; i++) {
        const unsigned char *s = (const unsigned char *)t->text + i;
        if (i + 2 < t->n && s[0] == 0xed && (s[1] == 0xb2 || s[1] == 0xb3)) {
            t->text[to++] = (char)((s[1] & 1) << 6 | 0x80 | (s[2] & 0x3f));
            i += 2;
        } else {
            t->text[to++] = t->text[i];
        }
    }
    t->n = to;
    t->text[to] = 0;
}

static int take_text(ws_records *r, ws_text *to, const char *text, size_t n)
{
    to->n = 0;
    ws_text_put(to, text, n);
    if (to->failed)
        return ws_records_no_memory(r);
    if (memchr(text, 0xed, n))
        unescape_bytes(to);
    return 1;
}

/* Digits of an id that a double may not hold. */
static int take_digits(ws_records *r, ws_record *to, const char *text, size_t n)
{
    enum { EXACT = 15 };
    if (n <= EXACT || r->field > WS_CATEGORY_ID) {
        to->text[r->field].n = 0;
        return 1;
    }
    return take_text(r, &to->text[r->field], text, n);
}

/* A number, string, or boolean under a key of a record or of a top-level object. */
static int take_field(ws_records *r, ws_record *to, ws_value_kind kind, const char *text, size_t n)
{
    if (r->field < 0)
        return 1;
    const unsigned bit = 1u << r->field;
    if (to->seen & bit) {
        ws_records_fail(r, WSAM_ERR_FORMAT, "'%s' is there twice", ws_field_rules[r->field].name);
        return 0;
    }
    if (!(ws_field_rules[r->field].kinds & (unsigned)kind))
        return r->field >= WS_PREDICTED_IOU ? 1 : ws_records_wrong_field(r);
    to->seen |= bit;
    if (kind == A_TEXT) {
        to->texts |= bit;
        if (memchr(text, 0, n))
            return ws_records_not_a(r, ws_field_rules[r->field].name,
                                    "a string without zero bytes");
        return take_text(r, &to->text[r->field], text, n);
    }
    if (kind == A_BOOL)
        to->number[r->field] = *text == 't';
    else if (!parse_number(text, n, &to->number[r->field]))
        return ws_records_wrong_field(r);
    return kind != A_NUMBER || take_digits(r, to, text, n);
}

static int take_number(ws_records *r, const char *text, size_t n)
{
    ws_segmentation *s = &r->record.segmentation;
    double value;
    if (!parse_number(text, n, &value))
        return ws_records_wrong_field(r);
    if (r->at == IN_NUMBERS) {
        if (r->n_box < 4)
            r->record.box[r->n_box] = value;
        r->n_box++;
        return 1;
    }
    if (r->at == IN_SIZE) {
        if (s->n_size < 2)
            s->size[s->n_size] = value;
        s->n_size++;
        return 1;
    }
    return push_number(r, value);
}

int ws_records_scalar(ws_records *r, ws_value_kind kind, const char *text, size_t n)
{
    ws_segmentation *s = &r->record.segmentation;
    if (r->skip)
        return 1;
    switch (r->at) {
    case IN_RECORD:
        return take_field(r, &r->record, kind, text, n);
    case IN_OBJECT:
        if (r->section >= 0)
            return ws_records_not_a(r, ws_section_names[r->section], "a list");
        return take_field(r, &r->object, kind, text, n);
    case IN_SECTION:
        ws_records_fail(r, WSAM_ERR_FORMAT, "element %zu of %s is not an object", r->index,
                        ws_section_names[r->section]);
        return 0;
    case IN_MASK:
        if (r->mask_key == KEY_OTHER)
            return 1;
        if (r->mask_key == KEY_SIZE || kind != A_TEXT)
            return ws_records_wrong_field(r);
        s->kind = WS_SEG_TEXT;
        return take_text(r, &s->text, text, n);
    case AT_TOP:
        ws_records_fail(r, WSAM_ERR_FORMAT, "neither a list nor an object");
        return 0;
    case IN_NUMBERS:
    case IN_SIZE:
    case IN_COUNTS:
    case IN_POLYGONS:
    case IN_POLYGON:
    default:
        if (kind != A_NUMBER || r->at == IN_POLYGONS)
            return ws_records_wrong_field(r);
        return take_number(r, text, n);
    }
}
