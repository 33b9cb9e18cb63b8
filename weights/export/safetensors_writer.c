/* weights/export/safetensors_writer.c - see safetensors_writer.h. */
#include "weights/export/safetensors_writer.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/outputs.h"

void ws_tensors_note(ws_tensors *t, const char *key, const char *value)
{
    if (t->notes.n)
        ws_text_put(&t->notes, ",", 1);
    ws_json_bytes(&t->notes, key, strlen(key));
    ws_text_put(&t->notes, ":", 1);
    ws_json_bytes(&t->notes, value, strlen(value));
}

void ws_tensors_note_int(ws_tensors *t, const char *key, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    ws_tensors_note(t, key, text);
}

static struct ws_tensor_data *append(ws_tensors *t)
{
    struct ws_tensor_data *data = ws_grow(t->data, t->n, &t->capacity, sizeof *data);
    if (!data)
        return NULL;
    t->data = data;
    return &t->data[t->n++];
}

void ws_tensors_add(ws_tensors *t, const char *name, int rank, const int *dims, const float *data)
{
    size_t n = 1;
    struct ws_tensor_data *d = append(t);
    t->failed |= !d;
    if (!d)
        return;
    ws_text_put(&t->header, ",", 1);
    ws_json_bytes(&t->header, name, strlen(name));
    ws_text_printf(&t->header, ":{\"dtype\":\"F32\",\"shape\":[");
    for (int i = 0; i < rank; i++) {
        ws_text_printf(&t->header, "%s%d", i ? "," : "", dims[i]);
        n *= (size_t)dims[i];
    }
    ws_text_printf(&t->header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)t->bytes,
                   (unsigned long long)t->bytes + n * sizeof *data);
    t->bytes += n * sizeof *data;
    *d = (struct ws_tensor_data){data, n};
}

float *ws_tensors_own(ws_tensors *t, size_t n)
{
    float **owned = ws_grow(t->owned, t->n_owned, &t->owned_capacity, sizeof *owned);
    if (!owned)
        return NULL;
    t->owned = owned;
    float *values = malloc((n + 1) * sizeof *values);
    if (values)
        t->owned[t->n_owned++] = values;
    return values;
}

void ws_tensors_clear(ws_tensors *t)
{
    for (size_t i = 0; i < t->n_owned; i++)
        free(t->owned[i]);
    free(t->owned);
    free(t->notes.text);
    free(t->header.text);
    free(t->data);
    memset(t, 0, sizeof *t);
}

/* Length, then {"__metadata__":{notes}, tensors}, filled with blanks to a multiple of 8. */
static void write_header(const ws_tensors *t, FILE *f)
{
    static const char open_text[] = "{\"__metadata__\":{";
    const size_t used = sizeof open_text - 1 + t->notes.n + 1 + t->header.n + 1;
    const uint64_t padded = (used + 7) & ~(uint64_t)7;
    for (int i = 0; i < 8; i++)
        fputc((int)(padded >> 8 * i & 255), f);
    fputs(open_text, f);
    fwrite(t->notes.text, 1, t->notes.n, f);
    fputc('}', f);
    fwrite(t->header.text, 1, t->header.n, f);
    fputc('}', f);
    for (size_t i = used; i < padded; i++)
        fputc(' ', f);
}

wsam_status ws_tensors_save(ws_tensors *t, const char *path, wsam_error *error)
{
    ws_outputs out = {0};
    wsam_status status = WSAM_OK;
    FILE *f = NULL;
    if (t->failed || t->notes.failed || t->header.failed || !t->notes.n || !t->n)
        status = ws_no_memory(error, path);
    else if (!(f = ws_outputs_open(&out, path, error)))
        status = WSAM_ERR_IO;
    if (!status) {
        write_header(t, f);
        for (size_t i = 0; i < t->n; i++)
            fwrite(t->data[i].data, sizeof(float), t->data[i].n, f);
        status = ws_outputs_close(&out, error);
    }
    ws_tensors_clear(t);
    return ws_outputs_finish(&out, status, error);
}
