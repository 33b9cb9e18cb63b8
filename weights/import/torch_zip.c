/* weights/import/torch_zip.c - PyTorch's zip container (since 1.6).
 *
 * An ordinary ZIP with stored members. Local headers carry no sizes (they follow the data), so the
 * central directory is read, with its ZIP64 fields. Stored members are used in place: an archive
 * library would copy gigabytes through its own buffers. Format: APPNOTE 4.3. */
#include <stdlib.h>
#include <string.h>

#include "weights/import/pickle.h"

enum { END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56, ENTRY_SIZE = 46, LOCAL_SIZE = 30 };
enum { DIRECTORY_CAP = 64 << 20, PICKLE_CAP = 64 << 20, MEMBER_CAP = 1 << 20 };

typedef struct member {
    char name[WS_SOURCE_NAME + 1];
    uint64_t header, begin, end; /* local header; data */
    int packed;                  /* compressed or encrypted: cannot be read in place */
} member;

typedef struct archive {
    ws_source *s;
    member *members;
    size_t n, prefix; /* length of "root/" */
    char root[WS_SOURCE_NAME + 1];
} archive;

static uint64_t le(const unsigned char *p, int n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

static wsam_status bad(const archive *a, const char *why, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT, "%s: damaged zip container: %s", a->s->path, why);
}

/* Offset, size and entry count of the central directory. */
static wsam_status find_directory(const archive *a, uint64_t *offset, uint64_t *size,
                                  uint64_t *count, wsam_error *error)
{
    const uint64_t file = a->s->size, window = file < 65557 ? file : 65557;
    unsigned char *tail = malloc((size_t)window), *end = NULL;
    if (!tail)
        return ws_no_memory(error, a->s->path);
    wsam_status status = ws_source_bytes(a->s, file - window, tail, (size_t)window, error);
    for (uint64_t i = window >= END_SIZE ? window - END_SIZE + 1 : 0; !status && !end && i-- > 0;)
        if (memcmp(tail + i, "PK\5\6", 4) == 0)
            end = tail + i;
    if (!status && !end)
        status = bad(a, "no end of central directory (truncated?)", error);
    if (!status) {
        *count = le(end + 10, 2);
        *size = le(end + 12, 4);
        *offset = le(end + 16, 4);
        if (end - tail >= LOCATOR_SIZE && memcmp(end - LOCATOR_SIZE, "PK\6\7", 4) == 0) {
            unsigned char end64[END64_SIZE];
            status = ws_source_bytes(a->s, le(end - LOCATOR_SIZE + 8, 8), end64, END64_SIZE, error);
            if (!status && memcmp(end64, "PK\6\6", 4) != 0)
                status = bad(a, "no ZIP64 end record", error);
            *count = le(end64 + 32, 8);
            *size = le(end64 + 40, 8);
            *offset = le(end64 + 48, 8);
        }
    }
    free(tail);
    if (!status && (*offset > file || *size > file - *offset))
        status = bad(a, "the central directory reaches beyond the file (truncated?)", error);
    if (!status && (*size > DIRECTORY_CAP || *count > MEMBER_CAP || *count > *size / ENTRY_SIZE))
        status = bad(a, "the central directory is too large", error);
    return status;
}

/* ZIP64 extra field: only the saturated sizes and offset are there, in this order. */
static int zip64(const unsigned char *extra, size_t n, uint64_t *usize, uint64_t *csize,
                 uint64_t *header)
{
    uint64_t *wanted[3] = {usize, csize, header};
    while (n >= 4) {
        const size_t id = (size_t)le(extra, 2), length = (size_t)le(extra + 2, 2);
        if (length > n - 4)
            return 0;
        if (id == 1) {
            const unsigned char *at = extra + 4, *end = at + length;
            for (int i = 0; i < 3; i++) {
                if (*wanted[i] != 0xffffffffu)
                    continue;
                if (end - at < 8)
                    return 0;
                *wanted[i] = le(at, 8);
                at += 8;
            }
            return 1;
        }
        extra += 4 + length;
        n -= 4 + length;
    }
    return *usize != 0xffffffffu && *csize != 0xffffffffu && *header != 0xffffffffu;
}

static wsam_status read_entry(const archive *a, const unsigned char **at, const unsigned char *end,
                              member *m, wsam_error *error)
{
    const unsigned char *e = *at;
    if (end - e < ENTRY_SIZE || memcmp(e, "PK\1\2", 4) != 0)
        return bad(a, "a central directory entry is broken", error);
    const size_t name = (size_t)le(e + 28, 2), extra = (size_t)le(e + 30, 2),
                 note = (size_t)le(e + 32, 2);
    if ((size_t)(end - e) < ENTRY_SIZE + name + extra + note || name > WS_SOURCE_NAME || !name)
        return bad(a, "a central directory entry is broken", error);
    uint64_t csize = le(e + 20, 4), usize = le(e + 24, 4), header = le(e + 42, 4);
    memcpy(m->name, e + ENTRY_SIZE, name);
    m->name[name] = 0;
    m->packed = le(e + 10, 2) != 0 || le(e + 8, 2) & 1;
    if (!zip64(e + ENTRY_SIZE + name, extra, &usize, &csize, &header) ||
        (usize != csize && !m->packed))
        return bad(a, "a member's sizes disagree", error);
    m->header = header;
    m->end = csize; /* until the data's place is known */
    *at = e + ENTRY_SIZE + name + extra + note;
    return WSAM_OK;
}

/* The data starts behind the local header, whose lengths may differ from the central entry's. */
static wsam_status locate_data(const archive *a, member *m, wsam_error *error)
{
    unsigned char local[LOCAL_SIZE];
    const uint64_t size = m->end;
    const wsam_status status = ws_source_bytes(a->s, m->header, local, LOCAL_SIZE, error);
    if (status)
        return status;
    if (memcmp(local, "PK\3\4", 4) != 0)
        return bad(a, "a local header is broken", error);
    m->begin = m->header + LOCAL_SIZE + le(local + 26, 2) + le(local + 28, 2);
    if (m->begin > a->s->size || size > a->s->size - m->begin)
        return bad(a, "a member reaches beyond the file (truncated?)", error);
    m->end = m->begin + size;
    return WSAM_OK;
}

static int by_header(const void *x, const void *y)
{
    const member *a = x, *b = y;
    return (a->header > b->header) - (a->header < b->header);
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const member *)x)->name, ((const member *)y)->name);
}

static wsam_status read_directory(archive *a, wsam_error *error)
{
    uint64_t offset = 0, size = 0, count = 0;
    wsam_status status = find_directory(a, &offset, &size, &count, error);
    if (status)
        return status;
    unsigned char *bytes = malloc((size_t)size + 1);
    a->members = calloc((size_t)count + 1, sizeof *a->members);
    if (!bytes || !a->members)
        status = ws_no_memory(error, a->s->path);
    if (!status)
        status = ws_source_bytes(a->s, offset, bytes, (size_t)size, error);
    const unsigned char *at = bytes;
    for (; a->n < count && !status; a->n++) {
        status = read_entry(a, &at, bytes + size, &a->members[a->n], error);
        if (!status)
            status = locate_data(a, &a->members[a->n], error);
    }
    free(bytes);
    if (!status && a->n)
        qsort(a->members, a->n, sizeof *a->members, by_header);
    for (size_t i = 1; i < a->n && !status; i++)
        if (a->members[i].header < a->members[i - 1].end)
            status = bad(a, "members overlap", error);
    if (!status && a->n)
        qsort(a->members, a->n, sizeof *a->members, by_name);
    for (size_t i = 1; i < a->n && !status; i++)
        if (by_name(&a->members[i - 1], &a->members[i]) == 0)
            status = bad(a, "two members have one name", error);
    return status;
}

static int ends_with(const char *name, const char *tail)
{
    const size_t n = strlen(name), t = strlen(tail);
    return n >= t && strcmp(name + n - t, tail) == 0;
}

/* Whether the archive is a TorchScript program: its code lies beside its tensors. */
static int is_script(const archive *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (ends_with(a->members[i].name, "/constants.pkl") || strstr(a->members[i].name, "/code/"))
            return 1;
    return 0;
}

/* What an archive without a pickle of tensors is, and what to do about it. */
static wsam_status refuse(const archive *a, wsam_error *error)
{
    const char *path = a->s->path;
    if (is_script(a))
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "%s: a TorchScript program, not of a PyTorch state dict: save "
                       "torch.jit.load(FILE).state_dict() with torch.save and convert that",
                       path);
    for (size_t i = 0; i < a->n; i++) {
        const char *name = a->members[i].name;
        if (ends_with(name, ".pt") || ends_with(name, ".pth") || ends_with(name, ".bin") ||
            ends_with(name, ".safetensors"))
            return ws_fail(
                error, WSAM_ERR_UNSUPPORTED,
                "%s: an ordinary zip archive, not of a PyTorch state dict: unpack it and "
                "convert '%.200s'",
                path, name);
    }
    return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                   "%s: a zip archive, but not of a PyTorch state dict", path);
}

/* Every member of a state dict's archive is stored as it is. */
static wsam_status check_packing(const archive *a, wsam_error *error)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->members[i].packed)
            return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                           "%s: the member '%.200s' is compressed or encrypted; torch.save stores "
                           "members as they are",
                           a->s->path, a->members[i].name);
    return WSAM_OK;
}

/* The one member root/data.pkl; its root is that of the storages. */
static const member *find_pickle(archive *a)
{
    const member *found = NULL;
    if (is_script(a))
        return NULL;
    for (size_t i = 0; i < a->n; i++) {
        if (!ends_with(a->members[i].name, "/data.pkl"))
            continue;
        if (found)
            return NULL;
        found = &a->members[i];
    }
    if (found) {
        a->prefix = strlen(found->name) - strlen("data.pkl");
        memcpy(a->root, found->name, a->prefix);
    }
    return found;
}

/* root/data/<key> */
static int locate(void *user, const ws_node *storage, uint64_t *begin, uint64_t *end)
{
    const char *key = storage->text;
    const uint32_t length = storage->length;
    const archive *a = user;
    member wanted;
    if (a->prefix + 5 + length > WS_SOURCE_NAME)
        return 0;
    memcpy(wanted.name, a->root, a->prefix);
    memcpy(wanted.name + a->prefix, "data/", 5);
    memcpy(wanted.name + a->prefix + 5, key, length);
    wanted.name[a->prefix + 5 + length] = 0;
    const member *m = a->n ? bsearch(&wanted, a->members, a->n, sizeof *a->members, by_name) : NULL;
    if (!m)
        return 0;
    *begin = m->begin;
    *end = m->end;
    return 1;
}

static wsam_status check_byte_order(const archive *a, wsam_error *error)
{
    for (size_t i = 0; i < a->n; i++) {
        const member *m = &a->members[i];
        char text[6] = "";
        if (!ends_with(m->name, "/byteorder"))
            continue;
        const wsam_status status =
            m->end - m->begin == 6 ? ws_source_bytes(a->s, m->begin, text, 6, error) : WSAM_OK;
        if (status)
            return status;
        if (memcmp(text, "little", 6) != 0)
            return ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: tensors are not little-endian",
                           a->s->path);
    }
    return WSAM_OK;
}

static wsam_status read_pickle(archive *a, const member *m, wsam_error *error)
{
    const uint64_t size = m->end - m->begin;
    ws_pickle p = {0};
    uint32_t top;
    size_t used;
    if (size > PICKLE_CAP)
        return bad(a, "data.pkl is too large", error);
    unsigned char *bytes = malloc((size_t)size + 1);
    if (!bytes)
        return ws_no_memory(error, a->s->path);
    wsam_status status = ws_source_bytes(a->s, m->begin, bytes, (size_t)size, error);
    if (!status)
        status = ws_unpickle(&p, a->s->path, bytes, (size_t)size, &top, &used, error);
    if (!status)
        status = ws_state_dict_tensors(&p, top, a->s, locate, a, error);
    ws_pickle_free(&p);
    free(bytes);
    return status;
}

wsam_status ws_torch_zip_read(ws_source *s, wsam_error *error)
{
    archive a = {.s = s};
    wsam_status status = read_directory(&a, error);
    if (!status) {
        const member *pickle = find_pickle(&a);
        status = pickle ? check_packing(&a, error) : refuse(&a, error);
        if (!status)
            status = check_byte_order(&a, error);
        if (!status)
            status = read_pickle(&a, pickle, error);
    }
    free(a.members);
    return status;
}
