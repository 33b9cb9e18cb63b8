/* pipeline/labels/labels_xml.c - the classes of a VOC annotation: annotation/object/name. */
#include <limits.h>
#include <string.h>

#include "pipeline/coco/voc_xml.h"
#include "pipeline/labels/labels.h"

enum { MAX_DEPTH = 64, MAX_NAME = 255, LEVELS = 3 };

typedef struct parse {
    ws_label_rows *rows;
    XML_Parser parser;
    const char *path, *image;
    size_t line;
    wsam_error *error;
    wsam_status status;
    int depth, matched; /* open elements; how many of them are annotation, object, name */
    int any;
    char text[MAX_NAME + 1];
    size_t n;
} parse;

static void stop(parse *p, wsam_status status, const char *what)
{
    if (!p->status)
        p->status = ws_fail(p->error, status, "%s:%lu: %s", p->path,
                            (unsigned long)XML_GetCurrentLineNumber(p->parser), what);
    XML_StopParser(p->parser, XML_FALSE);
}

static void on_start(void *user, const char *name, const char **attributes)
{
    static const char *const wanted[LEVELS] = {"annotation", "object", "name"};
    parse *p = user;
    (void)attributes;
    if (p->depth == MAX_DEPTH) {
        stop(p, WSAM_ERR_LIMIT, "elements nested more than 64 deep");
        return;
    }
    if (p->depth == p->matched && p->depth < LEVELS && strcmp(name, wanted[p->depth]) == 0)
        p->matched++;
    p->depth++;
    if (!p->matched)
        stop(p, WSAM_ERR_FORMAT, "not a VOC annotation: the root is not 'annotation'");
    p->n = 0;
}

static void take_name(parse *p)
{
    p->text[p->n] = 0;
    const char *name = p->text + strspn(p->text, " \t\r\n");
    while (p->n && strchr(" \t\r\n", p->text[p->n - 1]))
        p->text[--p->n] = 0;
    if (!*name) {
        stop(p, WSAM_ERR_FORMAT, "an empty class name");
        return;
    }
    p->any = 1;
    p->status = ws_label_rows_add(p->rows, p->image, name, p->line, p->error);
    if (p->status)
        XML_StopParser(p->parser, XML_FALSE);
}

static void on_end(void *user, const char *name)
{
    parse *p = user;
    (void)name;
    if (p->status) /* expat may call once more after it was stopped */
        return;
    if (p->matched == LEVELS && p->depth == LEVELS)
        take_name(p);
    p->matched = p->matched == p->depth ? p->matched - 1 : p->matched;
    p->depth--;
}

static void on_text(void *user, const char *text, int n)
{
    parse *p = user;
    if (p->status || p->matched != LEVELS || p->depth != LEVELS)
        return;
    if ((size_t)n > MAX_NAME - p->n) {
        stop(p, WSAM_ERR_LIMIT, "a class name of more than 255 bytes");
        return;
    }
    memcpy(p->text + p->n, text, (size_t)n);
    p->n += (size_t)n;
}

static void on_doctype(void *user, const char *name, const char *system, const char *public,
                       int own)
{
    (void)name, (void)system, (void)public, (void)own;
    stop(user, WSAM_ERR_UNSUPPORTED, "a document type (and entities) are refused");
}

wsam_status ws_labels_xml(ws_label_rows *rows, const char *text, size_t size, const char *path,
                          const char *image, size_t line, wsam_error *error)
{
    parse p = {.rows = rows, .path = path, .image = image, .line = line, .error = error};
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
    XML_ParserFree(p.parser);
    if (!p.status && !p.any)
        p.status = ws_label_rows_add(rows, image, NULL, line, error);
    return p.status;
}
