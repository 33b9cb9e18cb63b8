/* cli/clues_learnt.c - see clues_learnt.h. The file: a checksum of the rest, the options, a class
 * per line. */
#include "cli/clues_learnt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/outputs.h"
#include "base/text.h"

enum { LONGEST = 64 << 20, HEAD = 17 }; /* bytes; 16 digits and the line's end */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    return XXH64(bytes, n, h);
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    return mix(h, text, strlen(text) + 1);
}

uint64_t cli_learnt_digest(const char *options, const wsam_labels *l)
{
    uint64_t h = mix_text(0, options);
    for (size_t c = 0; c < l->n_classes; c++)
        h = mix_text(h, l->names[c]);
    for (size_t i = 0; i < l->n; i++) {
        const size_t n = l->first[i + 1] - l->first[i];
        h = mix_text(h, l->images[i]);
        h = mix(h, &n, sizeof n);
        h = mix(h, l->classes + l->first[i], n * sizeof *l->classes);
    }
    return h;
}

int cli_learnt_in_lines(const char *text, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, n) == 0 && (at[n] == '\n' || !at[n]))
            return 1;
    }
    return 0;
}

wsam_status cli_learnt_write(const char *path, const char *options, const wsam_labels *l,
                             wsam_error *error)
{
    ws_text rest = {0};
    ws_outputs out = {0};
    ws_text_printf(&rest, "%s\n", options);
    for (size_t c = 0; c < l->n_classes; c++)
        ws_text_printf(&rest, "%s\n", l->names[c]);
    FILE *f = rest.failed ? NULL : ws_outputs_open(&out, path, error);
    wsam_status status = f             ? WSAM_OK
                         : rest.failed ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for classes")
                                       : error->status;
    if (f) {
        fprintf(f, "%016" PRIx64 "\n%s", mix(0, rest.text, rest.n), rest.text);
        status = ws_outputs_close(&out, error);
    }
    free(rest.text);
    return ws_outputs_finish(&out, status, error);
}

/* `text` is the whole file. */
static cli_learnt compare(const char *text, size_t size, const char *options, const wsam_labels *l,
                          const char **name)
{
    const size_t n = strlen(options);
    char sum[HEAD];
    if (size <= HEAD)
        return CLI_LEARNT_UNKNOWN;
    snprintf(sum, sizeof sum, "%016" PRIx64, mix(0, text + HEAD, size - HEAD));
    if (memcmp(text, sum, HEAD - 1) != 0)
        return CLI_LEARNT_UNKNOWN;
    text += HEAD;
    if (strncmp(text, options, n) != 0 || text[n] != '\n')
        return CLI_LEARNT_OPTIONS;
    for (size_t c = 0; c < l->n_classes; c++)
        if (!cli_learnt_in_lines(text + n + 1, l->names[c])) {
            *name = l->names[c];
            return CLI_LEARNT_CLASS;
        }
    return CLI_LEARNT_SAME;
}

wsam_status cli_learnt_compare(const char *path, const char *options, const wsam_labels *labels,
                               cli_learnt *how, const char **name, wsam_error *error)
{
    int there;
    char *text = NULL;
    size_t size = 0;
    *how = CLI_LEARNT_UNKNOWN;
    *name = NULL;
    wsam_status status = ws_file_there(path, &there, error);
    if (status || !there)
        return status;
    status = ws_file_read_whole(path, LONGEST, &text, &size, error);
    if (status)
        return status == WSAM_ERR_FORMAT ? WSAM_OK : status; /* empty */
    *how = compare(text, size, options, labels, name);
    free(text);
    return WSAM_OK;
}
