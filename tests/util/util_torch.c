#include "tests/util/util_torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void op(ws_bytes *out, unsigned code)
{
    ws_bytes_put_u8(out, code);
}

void torch_put_global(ws_bytes *out, const char *module, const char *name)
{
    op(out, 'c');
    ws_bytes_put(out, module, strlen(module));
    op(out, '\n');
    ws_bytes_put(out, name, strlen(name));
    op(out, '\n');
}

void torch_put_text(ws_bytes *out, const char *text)
{
    op(out, 'X');
    ws_bytes_put_u32(out, (uint32_t)strlen(text));
    ws_bytes_put(out, text, strlen(text));
}

void torch_put_int(ws_bytes *out, uint32_t v)
{
    op(out, 'J');
    ws_bytes_put_u32(out, v);
}

static void put_ordered_dict(ws_bytes *out)
{
    torch_put_global(out, "collections", "OrderedDict");
    op(out, ')');
    op(out, 'R');
}

static void put_tuple(ws_bytes *out, int n, const uint32_t *v)
{
    op(out, '(');
    for (int i = 0; i < n; i++)
        torch_put_int(out, v[i]);
    op(out, 't');
}

static void put_tensor(ws_bytes *out, const torch_tensor *t, int flags)
{
    torch_put_text(out, t->name);
    torch_put_global(out, "torch._utils", "_rebuild_tensor_v2");
    op(out, '(');
    op(out, '(');
    torch_put_text(out, "storage");
    torch_put_global(out, "torch", t->type);
    torch_put_text(out, t->key);
    torch_put_text(out, "cuda:0");
    torch_put_int(out, t->elements);
    if (flags & TORCH_LEGACY)
        op(out, 'N');
    op(out, 't');
    op(out, 'Q');
    torch_put_int(out, t->offset);
    put_tuple(out, t->rank, t->dims);
    put_tuple(out, t->rank, t->strides);
    op(out, 0x89);
    put_ordered_dict(out);
    op(out, 't');
    op(out, 'R');
}

void torch_pickle(ws_bytes *out, const torch_tensor *tensors, int n, int flags)
{
    op(out, 0x80);
    op(out, 2);
    if (flags & TORCH_NESTED) {
        op(out, '}');
        torch_put_text(out, "epoch");
        torch_put_int(out, 7);
        op(out, 's');
        torch_put_text(out, "model");
    }
    put_ordered_dict(out);
    op(out, '(');
    for (int i = 0; i < n; i++)
        put_tensor(out, &tensors[i], flags);
    op(out, 'u');
    if (flags & TORCH_BUILD) {
        op(out, '}');
        torch_put_text(out, "_metadata");
        put_ordered_dict(out);
        op(out, 's');
        op(out, 'b');
    }
    if (flags & TORCH_NESTED)
        op(out, 's');
    op(out, '.');
}

/* ---- zip ---- */

static void put_local(ws_bytes *out, const zip_member *m)
{
    const size_t name = strlen(m->name);
    size_t pad = (64 - (out->size + 30 + name + 4) % 64) % 64;
    ws_bytes_put(out, "PK\3\4", 4);
    ws_bytes_put_u16(out, 0);
    ws_bytes_put_u16(out, 0x0808);
    ws_bytes_put_u16(out, m->method);
    for (int i = 0; i < 4; i++)
        ws_bytes_put_u32(out, 0); /* time, checksum, sizes */
    ws_bytes_put_u16(out, (unsigned)name);
    ws_bytes_put_u16(out, (unsigned)pad + 4);
    ws_bytes_put(out, m->name, name);
    ws_bytes_put(out, "FB", 2);
    ws_bytes_put_u16(out, (unsigned)pad);
    while (pad--)
        ws_bytes_put(out, "Z", 1);
    ws_bytes_put(out, m->data, m->size);
    ws_bytes_put(out, "PK\7\10", 4);
    ws_bytes_put_u32(out, 0);
    ws_bytes_put_u32(out, (uint32_t)m->size);
    ws_bytes_put_u32(out, (uint32_t)m->size);
}

static void put_central(ws_bytes *out, const zip_member *m, size_t header, int zip64)
{
    const uint32_t full = 0xffffffffu;
    ws_bytes_put(out, "PK\1\2", 4);
    ws_bytes_put_u16(out, 0);
    ws_bytes_put_u16(out, 0);
    ws_bytes_put_u16(out, 0x0808);
    ws_bytes_put_u16(out, m->method);
    ws_bytes_put_u32(out, 0);
    ws_bytes_put_u32(out, 0);
    ws_bytes_put_u32(out, zip64 ? full : (uint32_t)m->size);
    ws_bytes_put_u32(out, zip64 ? full : (uint32_t)m->size);
    ws_bytes_put_u16(out, (unsigned)strlen(m->name));
    ws_bytes_put_u16(out, zip64 ? 28 : 0);
    for (int i = 0; i < 5; i++)
        ws_bytes_put_u16(out, 0); /* comment, disk, attributes */
    ws_bytes_put_u32(out, zip64 ? full : (uint32_t)header);
    ws_bytes_put(out, m->name, strlen(m->name));
    if (zip64) {
        ws_bytes_put_u16(out, 1);
        ws_bytes_put_u16(out, 24);
        ws_bytes_put_u64(out, m->size);
        ws_bytes_put_u64(out, m->size);
        ws_bytes_put_u64(out, header);
    }
}

static void put_end64(ws_bytes *out, int n, size_t begin, size_t size)
{
    const size_t at = out->size;
    ws_bytes_put(out, "PK\6\6", 4);
    ws_bytes_put_u64(out, 44);
    ws_bytes_put_u32(out, 0);
    ws_bytes_put_u64(out, 0); /* disks */
    ws_bytes_put_u64(out, (uint64_t)n);
    ws_bytes_put_u64(out, (uint64_t)n);
    ws_bytes_put_u64(out, size);
    ws_bytes_put_u64(out, begin);
    ws_bytes_put(out, "PK\6\7", 4);
    ws_bytes_put_u32(out, 0);
    ws_bytes_put_u64(out, at);
    ws_bytes_put_u32(out, 1);
}

void zip_write(ws_bytes *out, const zip_member *members, int n, int zip64)
{
    size_t header[16];
    for (int i = 0; i < n && i < 16; i++) {
        header[i] = out->size;
        put_local(out, &members[i]);
    }
    const size_t begin = out->size;
    for (int i = 0; i < n && i < 16; i++)
        put_central(out, &members[i], header[i], zip64);
    const size_t size = out->size - begin;
    if (zip64)
        put_end64(out, n, begin, size);
    ws_bytes_put(out, "PK\5\6", 4);
    ws_bytes_put_u32(out, 0);
    ws_bytes_put_u16(out, zip64 ? 0xffff : (unsigned)n);
    ws_bytes_put_u16(out, zip64 ? 0xffff : (unsigned)n);
    ws_bytes_put_u32(out, zip64 ? 0xffffffffu : (uint32_t)size);
    ws_bytes_put_u32(out, zip64 ? 0xffffffffu : (uint32_t)begin);
    ws_bytes_put_u16(out, 0);
}

/* ---- legacy ---- */

void legacy_write(ws_bytes *out, const ws_bytes *object, const legacy_storage *storages, int n)
{
    static const unsigned char preamble[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                             0x20, 0x6a, 0xa8, 0x50, 0x19, '.',  0x80, 2,    'M',
                                             0xe9, 3,    '.',  0x80, 2,    '}',  '.'};
    ws_bytes_put(out, preamble, sizeof preamble);
    ws_bytes_put(out, object->data, object->size);
    op(out, 0x80);
    op(out, 2);
    op(out, ']');
    op(out, '(');
    for (int i = 0; i < n; i++)
        torch_put_text(out, storages[i].key);
    op(out, 'e');
    op(out, '.');
    for (int i = 0; i < n; i++) {
        ws_bytes_put_u64(out, storages[i].elements);
        ws_bytes_put(out, storages[i].data, storages[i].size);
    }
}

void temporary_file(char path[64], const void *data, size_t size)
{
    strcpy(path, "/tmp/weaksam-test-XXXXXX");
    const int fd = mkstemp(path);
    if (fd < 0 || (size && write(fd, data, size) != (ssize_t)size)) {
        perror(path);
        abort();
    }
    close(fd);
}
