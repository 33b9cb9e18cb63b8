/* pipeline/coco/voc_xml.c - see voc_xml.h.
 *
 * annotation: size (width, height), object* (name, difficult, bndbox: xmin, ymin, xmax, ymax).
 * Parts of objects have names and boxes of their own, one level deeper, and are not looked at. */
#include "pipeline/coco/voc_xml.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"

enum { MAX_DEPTH = 64, MAX_TEXT = 255, MAX_CLASSES = 1000 };

/* What is read, by its path below `annotation`. */
typedef enum item {
    ITEM_NONE,
    ITEM_WIDTH,
    ITEM_HEIGHT,
    ITEM_NAME,
    ITEM_DIFFICULT,
    ITEM_XMIN,
    ITEM_YMIN,
    ITEM_XMAX,
    ITEM_YMAX
} item;

static const struct {
    const char *path[4]; /* elements below the root */
    item item;
} items[] = {{{"size", "width"}, ITEM_WIDTH},           {{"size", "height"}, ITEM_HEIGHT},
             {{"object", "name"}, ITEM_NAME},           {{"object", "difficult"}, ITEM_DIFFICULT},
             {{"object", "bndbox", "xmin"}, ITEM_XMIN}, {{"object", "bndbox", "ymin"}, ITEM_YMIN},
             {{"object", "bndbox", "xmax"}, ITEM_XMAX}, {{"object", "bndbox", "ymax"}, ITEM_YMAX}};
enum { N_ITEMS = sizeof items / sizeof items[0], PATH = 4 };

typedef struct parse {
    wsam_eval_truth *truth;
    XML_Parser parser;
    const char *path;
    wsam_error *error;
    wsam_status status;
    int depth;
    char names[PATH][16]; /* of the open elements, the root first */
    item item;
    char text[MAX_TEXT + 1];
    size_t n;
    double size[2]; /* width, height */
    unsigned seen;  /* items of the current object */
    double corners[4];
    int32_t category;
    int difficult;
} parse;

static void stop(parse *p, wsam_status status, const char *what)
{
    if (!p->status)
        p->status = ws_fail(p->error, status, "%s:%lu: %s", p->path,
                            (unsigned long)XML_GetCurrentLineNumber(p->parser), what);
    XML_StopParser(p->parser, XML_FALSE);
}

wsam_status ws_voc_xml_class(wsam_eval_truth *t, const char *name, int32_t *index,
                             wsam_error *error)
{
    for (size_t i = 0; i < t->n_categories; i++)
        if (strcmp(t->categories[i].name, name) == 0) {
            *index = (int32_t)i;
            return WSAM_OK;
        }
    if (t->n_categories == MAX_CLASSES)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s: more than %d classes", t->path, MAX_CLASSES);
    ws_category *categories =
        ws_grow(t->categories, t->n_categories, &t->category_capacity, sizeof *categories);
    const char *kept = categories ? ws_text_arena_put(&t->store, name, strlen(name)) : NULL;
    if (categories)
        t->categories = categories;
    if (!kept)
        return ws_no_memory(error, t->path);
    *index = (int32_t)t->n_categories;
    t->categories[t->n_categories++] = (ws_category){.name = kept};
    return WSAM_OK;
}

/* ---- objects ---- */

static void end_object(parse *p)
{
    static const unsigned wanted =
        1u << ITEM_NAME | 1u << ITEM_XMIN | 1u << ITEM_YMIN | 1u << ITEM_XMAX | 1u << ITEM_YMAX;
    wsam_eval_truth *t = p->truth;
    const double *c = p->corners;
    if ((p->seen & wanted) != wanted) {
        stop(p, WSAM_ERR_FORMAT, "an object without name, xmin, ymin, xmax or ymax");
        return;
    }
    if (c[2] < c[0] || c[3] < c[1]) {
        stop(p, WSAM_ERR_FORMAT, "an object whose box ends before it begins");
        return;
    }
    ws_object *objects = ws_grow(t->objects, t->n_objects, &t->object_capacity, sizeof *objects);
    if (!objects || t->n_objects >= INT32_MAX) {
        stop(p, WSAM_ERR_MEMORY, "no memory");
        return;
    }
    t->objects = objects;
    /* From 1-based inclusive corners. */
    ws_object o = {.id = (int64_t)t->n_objects + 1,
                   .image = (int32_t)t->n_images,
                   .category = p->category,
                   .flags = p->difficult ? WS_OBJECT_DIFFICULT : 0u,
                   .box = {c[0] - 1, c[1] - 1, c[2] - c[0] + 1, c[3] - c[1] + 1}};
    o.area = o.box[2] * o.box[3];
    t->objects[t->n_objects++] = o;
}

static int number(const parse *p, double *out)
{
    char text[MAX_TEXT + 1], *end;
    memcpy(text, p->text, p->n + 1);
    *out = ws_locale_strtod(text, &end);
    end += strspn(end, " \t\r\n");
    return p->n && end != text && !*end && fabs(*out) <= 1e9;
}

static void take_name(parse *p)
{
    char *name = p->text + strspn(p->text, " \t\r\n");
    size_t n = strlen(name);
    while (n && strchr(" \t\r\n", name[n - 1]))
        name[--n] = 0;
    if (!n) {
        stop(p, WSAM_ERR_FORMAT, "an empty class name");
        return;
    }
    const wsam_status status = ws_voc_xml_class(p->truth, name, &p->category, p->error);
    if (status) {
        p->status = status;
        XML_StopParser(p->parser, XML_FALSE);
    }
}

static void end_item(parse *p)
{
    double value;
    const unsigned bit = 1u << p->item;
    if (p->seen & bit) {
        stop(p, WSAM_ERR_FORMAT, "an element that is there twice");
        return;
    }
    p->seen |= bit;
    if (p->item == ITEM_NAME) {
        take_name(p);
        return;
    }
    if (!number(p, &value)) {
        stop(p, WSAM_ERR_FORMAT, "not a number");
        return;
    }
    if (p->item == ITEM_DIFFICULT)
        p->difficult = fabs(value) > 0;
    else if (p->item >= ITEM_XMIN)
        p->corners[p->item - ITEM_XMIN] = value;
    else
        p->size[p->item - ITEM_WIDTH] = value;
}

/* ---- events ---- */

static item find_item(const parse *p)
{
    for (int i = 0; i < N_ITEMS; i++) {
        int level = 0;
        while (level < PATH - 1 && items[i].path[level] && level + 1 < p->depth &&
               strcmp(items[i].path[level], p->names[level + 1]) == 0)
            level++;
        if (!items[i].path[level] && level + 1 == p->depth)
            return items[i].item;
    }
    return ITEM_NONE;
}

static void on_start(void *user, const char *name, const char **attributes)
{
    parse *p = user;
    (void)attributes;
    if (p->depth == 0 && strcmp(name, "annotation") != 0) {
        stop(p, WSAM_ERR_FORMAT, "not a VOC annotation: the root is not 'annotation'");
        return;
    }
    if (p->depth == MAX_DEPTH) {
        stop(p, WSAM_ERR_LIMIT, "elements nested more than 64 deep");
        return;
    }
    if (p->depth < PATH) {
        const int fits = strlen(name) < sizeof p->names[0];
        strcpy(p->names[p->depth], fits ? name : "");
    }
    p->depth++;
    if (p->depth == 2) {
        p->seen = 0;
        p->difficult = 0;
    }
    p->item = p->depth <= PATH ? find_item(p) : ITEM_NONE;
    p->n = 0;
    p->text[0] = 0;
}

static void on_end(void *user, const char *name)
{
    parse *p = user;
    if (p->status) /* expat may call once more after it was stopped */
        return;
    if (p->item != ITEM_NONE)
        end_item(p);
    p->item = ITEM_NONE;
    if (p->depth == 2 && strcmp(name, "object") == 0 && !p->status)
        end_object(p);
    p->depth--;
}

static void on_text(void *user, const char *text, int n)
{
    parse *p = user;
    if (p->item == ITEM_NONE || p->status)
        return;
    if ((size_t)n > MAX_TEXT - p->n) {
        stop(p, WSAM_ERR_LIMIT, "a value of more than 255 bytes");
        return;
    }
    memcpy(p->text + p->n, text, (size_t)n);
    p->n += (size_t)n;
    p->text[p->n] = 0;
}

static void on_doctype(void *user, const char *name, const char *system, const char *public,
                       int own)
{
    (void)name, (void)system, (void)public, (void)own;
    stop(user, WSAM_ERR_UNSUPPORTED, "a document type (and entities) are refused");
}

/* ---- a file ---- */

static wsam_status add_image(parse *p, const char *name, size_t stem)
{
    wsam_eval_truth *t = p->truth;
    ws_image image = {.listed = 1};
    if (p->size[0] >= 1 && p->size[1] >= 1) {
        image.width = (int32_t)p->size[0];
        image.height = (int32_t)p->size[1];
    }
    ws_image *images = ws_grow(t->images, t->n_images, &t->image_capacity, sizeof *images);
    image.name = images ? ws_text_arena_put(&t->store, name, stem) : NULL;
    if (images)
        t->images = images;
    if (!image.name)
        return ws_no_memory(p->error, p->path);
    t->images[t->n_images++] = image;
    return WSAM_OK;
}

wsam_status ws_voc_xml_parse(wsam_eval_truth *t, const char *text, size_t size, const char *path,
                             const char *name, size_t stem, wsam_error *error)
{
    parse p = {.truth = t, .path = path, .error = error};
    p.parser = XML_ParserCreate(NULL);
    if (!p.parser)
        return ws_no_memory(error, path);
    XML_SetUserData(p.parser, &p);
    XML_SetElementHandler(p.parser, on_start, on_end);
    XML_SetCharacterDataHandler(p.parser, on_text);
    XML_SetStartDoctypeDeclHandler(p.parser, on_doctype);
    if (size > INT_MAX)
        p.status = ws_fail(error, WSAM_ERR_LIMIT, "%s: too large", path);
    else if (XML_Parse(p.parser, text, (int)size, 1) != XML_STATUS_OK && !p.status)
        p.status = ws_fail(error, ws_xml_status(p.parser), "%s:%lu: not valid XML (%s)", path,
                           (unsigned long)XML_GetCurrentLineNumber(p.parser),
                           XML_ErrorString(XML_GetErrorCode(p.parser)));
    if (!p.status)
        p.status = add_image(&p, name, stem);
    XML_ParserFree(p.parser);
    return p.status;
}
