/* pipeline/exchange/exchange_json.c - see exchange_json.h. */
#include "pipeline/exchange/exchange_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/input.h"
#include "base/json_parse.h"

enum { MAX_FILE = 256 << 20, MAX_VALUES = 8000000, HEAD = 64 << 10 };

wsam_status ws_exchange_json(const char *path, cJSON **root, wsam_error *error)
{
    char *text = NULL;
    size_t n;
    *root = NULL;
    wsam_status status = ws_input_whole(path, MAX_FILE, &text, &n, error);
    if (!status)
        status = ws_json_parse_up_to(MAX_VALUES, path, 0, text, n, root, error);
    free(text);
    return status;
}

int ws_exchange_json_side(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) && item->valuedouble >= 1 && item->valuedouble <= 65535
               ? (int)item->valuedouble
               : 0;
}

int ws_exchange_json_mentions(const char *path, const char *text, wsam_error *failure)
{
    struct stat st;
    int there = 0, found = 0;
    const wsam_status status = ws_file_there(path, &there, failure);
    if (status || !there || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    FILE *f = fopen(path, "rb");
    char *head = f ? malloc(HEAD + 1) : NULL;
    if (head) {
        const size_t n = fread(head, 1, HEAD, f);
        head[n] = 0;
        found = memmem(head, n, text, strlen(text)) != NULL;
    }
    if (f && !head)
        ws_no_memory(failure, path);
    else if (f ? ferror(f) != 0 : !ws_file_errno_stays(errno))
        ws_fail(failure, errno == ENOMEM ? WSAM_ERR_MEMORY : WSAM_ERR_IO, "%s: %s", path,
                strerror(errno));
    free(head);
    if (f)
        fclose(f);
    return found;
}
