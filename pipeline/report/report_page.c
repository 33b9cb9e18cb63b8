/* pipeline/report/report_page.c - the review page as one file.
 *
 * Page, style and scripts are those that weaksam review serves (pipeline/review/page), put inside;
 * report.js stands where the server is elsewhere. The policy names their hashes, so that nothing
 * else runs, whatever names of files say. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/sha256.h"
#include "pipeline/report/report.h"
#include "pipeline/review/page.h"

static const char heading[] = "weaksam review",
                  style[] = "<link rel=\"stylesheet\" href=\"/review.css\">",
                  judgement[] = "<dialog id=\"judgement-box\">",
                  script[] = "<script src=\"/review.js\"></script>", head[] = "<title>";

static const ws_page_file *page_file(const char *url, wsam_error *error)
{
    const ws_page_file *file = ws_review_page_find(url);
    if (!file)
        ws_fail(error, WSAM_ERR_UNSUPPORTED, "the page lacks its part %s", url);
    return file;
}

/* The bytes of the page from `from` to the next `mark`, which *from is behind afterwards. */
static int put_until(FILE *f, const ws_page_file *page, size_t *from, const char *mark)
{
    const size_t n = strlen(mark);
    for (size_t i = *from; i + n <= page->n; i++)
        if (memcmp(page->bytes + i, mark, n) == 0) {
            fwrite(page->bytes + *from, 1, i - *from, f);
            *from = i + n;
            return 1;
        }
    return 0;
}

static void put_hash(FILE *f, const ws_page_file *file)
{
    uint8_t digest[32];
    char room[256]; /* 44 letters: nothing is allocated, so that nothing can be missing */
    ws_text t = {.text = room, .capacity = sizeof room};
    ws_sha256(file->bytes, file->n, digest);
    ws_base64_put(&t, digest, sizeof digest);
    fprintf(f, " 'sha256-%s'", t.text);
}

static void put_policy(FILE *f, const ws_page_file *css, const ws_page_file *js,
                       const ws_page_file *offline)
{
    fputs(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src",
        f);
    put_hash(f, css);
    fputs("; script-src", f);
    put_hash(f, offline);
    put_hash(f, js);
    fputs("; base-uri 'none'; form-action 'none'\">\n", f);
}

static void put_element(FILE *f, const char *name, const ws_page_file *file)
{
    fprintf(f, "<%s>", name);
    fwrite(file->bytes, 1, file->n, f);
    fprintf(f, "</%s>", name);
}

static wsam_status incomplete(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_UNSUPPORTED, "the review page has no place for a report");
}

wsam_status ws_report_begin(FILE *f, const char *title, wsam_error *error)
{
    size_t at = 0;
    const ws_page_file *page = page_file("/", error), *css = page_file("/review.css", error);
    const ws_page_file *js = page_file("/review.js", error);
    const ws_page_file *offline = page_file("/report.js", error);
    if (!page || !css || !js || !offline)
        return WSAM_ERR_UNSUPPORTED;
    if (!put_until(f, page, &at, head))
        return incomplete(error);
    put_policy(f, css, js, offline);
    fputs(head, f);
    if (!put_until(f, page, &at, heading))
        return incomplete(error);
    ws_report_html(f, title);
    if (!put_until(f, page, &at, style))
        return incomplete(error);
    put_element(f, "style", css);
    if (!put_until(f, page, &at, heading))
        return incomplete(error);
    ws_report_html(f, title);
    if (!put_until(f, page, &at, judgement))
        return incomplete(error);
    fputs(judgement, f);
    return WSAM_OK;
}

/* What follows a mark of the page. */
static size_t behind(const ws_page_file *page, const char *mark)
{
    const size_t n = strlen(mark);
    for (size_t i = 0; i + n <= page->n; i++)
        if (memcmp(page->bytes + i, mark, n) == 0)
            return i + n;
    return page->n;
}

wsam_status ws_report_data(FILE *f, wsam_error *error)
{
    const ws_page_file *page = page_file("/", error);
    if (!page)
        return WSAM_ERR_UNSUPPORTED;
    size_t at = behind(page, judgement);
    if (!put_until(f, page, &at, script))
        return incomplete(error);
    fputs("<script type=\"application/json\" id=\"data\">", f);
    return WSAM_OK;
}

wsam_status ws_report_end(FILE *f, wsam_error *error)
{
    const ws_page_file *page = page_file("/", error), *js = page_file("/review.js", error);
    const ws_page_file *offline = page_file("/report.js", error);
    if (!page || !js || !offline)
        return WSAM_ERR_UNSUPPORTED;
    fputs("</script>\n", f);
    put_element(f, "script", offline);
    fputc('\n', f);
    put_element(f, "script", js);
    const size_t at = behind(page, script);
    fwrite(page->bytes + at, 1, page->n - at, f);
    return WSAM_OK;
}
