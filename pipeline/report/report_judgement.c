/* pipeline/report/report_judgement.c - the first part of a page: how well classes that were learnt
 * are told apart (the JSON of wsam_judgement_json). */
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "base/json_parse.h"
#include "base/locale.h"
#include "pipeline/report/report.h"

enum { MAX_FILE = 16 << 20 };

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : -1.0;
}

static void put_errors(FILE *f, const cJSON *c)
{
    const cJSON *name, *errors = cJSON_GetObjectItemCaseSensitive(c, "errors");
    int first = 1;
    cJSON_ArrayForEach(name, errors)
    {
        if (!cJSON_IsString(name))
            continue;
        fputs(first ? "<td>" : ", ", f);
        ws_report_html(f, name->valuestring);
        first = 0;
    }
    fputs(first ? "<td></td>" : "</td>", f);
}

static void put_class(FILE *f, const cJSON *c)
{
    const double ap = number_of(c, "ap");
    fputs("<tr><td>", f);
    ws_report_html(f, text_of(c, "class"));
    fprintf(f, "</td><td>%.0f</td>", number_of(c, "pictures"));
    if (ap >= 0.0)
        fprintf(f, "<td>%.2f (%.2f to %.2f)</td><td>", ap, number_of(c, "low"),
                number_of(c, "high"));
    else
        fputs("<td></td><td>", f);
    ws_report_html(f, text_of(c, "sentence"));
    fputs("</td>", f);
    put_errors(f, c);
    fputs("</tr>\n", f);
}

static void put_section(FILE *f, const cJSON *root)
{
    const cJSON *c, *classes = cJSON_GetObjectItemCaseSensitive(root, "classes");
    const double folds = number_of(root, "folds"), map = number_of(root, "map");
    fputs("<section id=\"judgement\">\n<h2>How well the classes are told apart</h2>\n<p>", f);
    if (folds > 0.0)
        fprintf(f, "%.0f images, each held out of the learning once (%.0f parts).",
                number_of(root, "judged"), folds);
    else
        fprintf(f, "%.0f images of %.0f, held out of the learning.", number_of(root, "judged"),
                number_of(root, "pictures"));
    if (map >= 0.0)
        fprintf(f, " Mean average precision: %.2f.", map);
    fputs("</p>\n<table>\n<tr><th>Class</th><th>Images</th><th>Average precision (90 % "
          "interval)</th><th>What that says</th><th>Look at</th></tr>\n",
          f);
    cJSON_ArrayForEach(c, classes) put_class(f, c);
    fputs("</table>\n</section>\n", f);
}

wsam_status ws_report_judgement(const char *path, FILE *f, wsam_error *error)
{
    char *text;
    size_t size;
    cJSON *root = NULL;
    wsam_status status = ws_input_whole(path, MAX_FILE, &text, &size, error);
    if (status)
        return status;
    status = ws_json_parse(path, 0, text, size, &root, error);
    free(text);
    if (status)
        return status;
    const locale_t before = ws_locale_plain();
    put_section(f, root);
    ws_locale_restore(before);
    cJSON_Delete(root);
    return WSAM_OK;
}
