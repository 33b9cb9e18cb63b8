/* base/archive.c - see archive.h. */
#include "base/archive.h"
#include "base/file.h"
#include "base/read_at.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/input.h"
#include "base/text.h"

enum { BLOCK = 512, MAX_NAME = 4096, MAX_EXTRA = 1 << 20, MAX_MEMBERS = 1 << 26 };

typedef struct item {
    char *name, *file; /* file NULL: the archive itself */
    uint64_t offset, size;
    size_t order;
    int absolute; /* of a list: the line begins with a slash */
} item;

struct ws_archive {
    char *path;
    dev_t device;
    ino_t inode;
    uint64_t size, time;
    item *items;
    size_t n, capacity;
    ws_repeats repeats;
    ws_archive *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ws_archive *known; /* of the whole process, never shortened */

static int has_ending(const char *path, const char *ending)
{
    const size_t n = strlen(path), e = strlen(ending);
    return n > e && strcasecmp(path + n - e, ending) == 0;
}

static int is_list(const char *path)
{
    return has_ending(path, ".txt") || has_ending(path, ".lst");
}

int ws_is_archive(const char *path)
{
    struct stat st;
    return (has_ending(path, ".tar") || is_list(path)) && stat(path, &st) == 0 &&
           S_ISREG(st.st_mode);
}

wsam_status ws_archive_refuse_packed(const char *path, wsam_error *error)
{
    static const char *const endings[] = {".gz",  ".tgz", ".bz2",  ".tbz2", ".xz", ".txz",
                                          ".lz4", ".zst", ".tzst", ".zip",  ".7z", ".rar"};
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
            if (has_ending(path, endings[i]))
                return ws_fail(error, WSAM_ERR_FORMAT,
                               "%s: compressed, and members are read where they lie: unpack it "
                               "first, or make a plain tar file of it (gzip -dc A.tar.gz >A.tar)",
                               path);
    return WSAM_OK;
}

static uint64_t time_of(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}

static wsam_status damaged(const ws_archive *a, uint64_t offset, const char *what,
                           wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT, "%s: at byte %llu: %s", a->path,
                   (unsigned long long)offset, what);
}

/* ---- names ---- */

/* Without the `./` in front that tar writes; NULL where it leads out. */
static const char *clean(const char *name)
{
    while (name[0] == '.' && name[1] == '/')
        for (name += 2; *name == '/'; name++)
            ;
    if (*name == '/' || !*name)
        return NULL;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2]))
            return NULL;
    }
    return name;
}

/* `file` is taken over. */
static wsam_status add(ws_archive *a, const char *name, char *file, uint64_t offset, uint64_t size,
                       wsam_error *error)
{
    const char *kept = clean(name);
    if (!kept) {
        free(file);
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the name '%.300s' leads out of it", a->path,
                       name);
    }
    item *items = a->n < MAX_MEMBERS ? ws_grow(a->items, a->n, &a->capacity, sizeof *items) : NULL;
    char *copy = items ? strdup(kept) : NULL;
    if (items)
        a->items = items;
    if (!copy) {
        free(file);
        return ws_fail(error, a->n < MAX_MEMBERS ? WSAM_ERR_MEMORY : WSAM_ERR_LIMIT,
                       "%s: too many members", a->path);
    }
    a->items[a->n] = (item){copy, file, offset, size, a->n, 0};
    a->n++;
    return WSAM_OK;
}

static int by_name(const void *a, const void *b)
{
    const item *p = a, *q = b;
    const int order = strcmp(p->name, q->name);
    return order ? order : (p->order > q->order) - (p->order < q->order);
}

/* `i` goes, since the one behind it has its name; `again`: so had the one before it. */
static void drop(ws_archive *a, item *i, int again)
{
    ws_repeats *r = &a->repeats;
    r->n += !again;
    if (!again && r->n <= WS_REPEATS_NAMED)
        r->names[r->n - 1] = i->name;
    else
        free(i->name);
    free(i->file);
    i->name = i->file = NULL;
}

/* Of members with one name the last one counts, as for whoever unpacks them. */
static wsam_status sort(ws_archive *a, wsam_error *error)
{
    size_t n = 0;
    int again = 0;
    if (a->n)
        qsort(a->items, a->n, sizeof *a->items, by_name);
    for (size_t i = 1; i < a->n; i++)
        if (strcmp(a->items[i - 1].name, a->items[i].name) == 0 &&
            a->items[i - 1].absolute != a->items[i].absolute)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "%s: '/%.300s' and '%.300s' would be one image: write both in one way",
                           a->path, a->items[i].name, a->items[i].name);
    for (size_t i = 0; i < a->n; i++) {
        if (i + 1 < a->n && strcmp(a->items[i].name, a->items[i + 1].name) == 0) {
            drop(a, &a->items[i], again);
            again = 1;
        } else {
            a->items[n++] = a->items[i];
            again = 0;
        }
    }
    a->n = n;
    return WSAM_OK;
}

/* ---- tar ---- */

/* What the headers before a member say of it. */
typedef struct extra {
    char name[MAX_NAME + 1]; /* empty: not said */
    uint64_t size;
    int has_size;
} extra;

/* Octal digits with blanks around, or, behind a first byte of 0x80, eight bytes in big endian. */
static int get_number(const unsigned char *field, size_t n, uint64_t *value)
{
    size_t i = 0;
    *value = 0;
    if (field[0] == 0x80) {
        for (i = 1; i < n; i++) {
            if (*value >> 55)
                return 0;
            *value = *value << 8 | field[i];
        }
        return 1;
    }
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
        *value = *value << 3 | (uint64_t)(field[i] - '0');
    return i == n || field[i] == ' ' || !field[i];
}

/* The sum of all bytes with blanks in place of the sum itself. */
static int sum_is_right(const unsigned char *h)
{
    uint64_t sum = 0, said;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    return get_number(h + 148, 8, &said) && said == sum;
}

static int is_empty(const unsigned char *h)
{
    for (int i = 0; i < BLOCK; i++)
        if (h[i])
            return 0;
    return 1;
}

/* Records "LENGTH KEY=VALUE\n" of a pax header. */
static int read_pax(const char *text, size_t n, extra *e)
{
    while (n) {
        char *end;
        const unsigned long long length = strtoull(text, &end, 10);
        const char *key = end + 1, *equals;
        if (end == text || *end != ' ' || length > n || length < (size_t)(key - text) + 2 ||
            text[length - 1] != '\n' || !(equals = memchr(key, '=', length - (size_t)(key - text))))
            return 0;
        const size_t key_n = (size_t)(equals - key);
        const size_t value_n = length - 1 - (size_t)(equals + 1 - text);
        if (key_n == 4 && memcmp(key, "path", 4) == 0) {
            if (value_n > MAX_NAME || memchr(equals + 1, 0, value_n))
                return 0;
            memcpy(e->name, equals + 1, value_n);
            e->name[value_n] = 0;
        } else if (key_n == 4 && memcmp(key, "size", 4) == 0) {
            e->size = strtoull(equals + 1, &end, 10);
            e->has_size = 1;
            if (end != text + length - 1)
                return 0;
        }
        text += length;
        n -= length;
    }
    return 1;
}

/* 'x' and 'L': about the member behind them. */
static wsam_status read_extra(ws_archive *a, int fd, int kind, uint64_t at, uint64_t size, extra *e,
                              wsam_error *error)
{
    if (size > MAX_EXTRA)
        return damaged(a, at, "a header of more than a megabyte", error);
    char *text = malloc((size_t)size + 1);
    if (!text)
        return ws_no_memory(error, a->path);
    int good = ws_read_at(fd, text, (size_t)size, at);
    text[size] = 0;
    if (good && kind == 'x')
        good = read_pax(text, (size_t)size, e);
    else if (good && (good = strlen(text) <= MAX_NAME))
        strcpy(e->name, text);
    free(text);
    return good ? WSAM_OK : damaged(a, at, "not a header of a member", error);
}

static void name_of(const unsigned char *h, const extra *e, char name[MAX_NAME + 1])
{
    const int ustar = memcmp(h + 257, "ustar", 5) == 0;
    if (*e->name)
        snprintf(name, MAX_NAME + 1, "%s", e->name);
    else if (ustar && h[262] == 0 && h[345])
        snprintf(name, MAX_NAME + 1, "%.155s/%.100s", (const char *)h + 345, (const char *)h);
    else
        snprintf(name, MAX_NAME + 1, "%.100s", (const char *)h);
}

/* Of a file whose first block is no header. */
static const char *what_it_is(const unsigned char *h)
{
    static const struct {
        const char *magic;
        size_t n;
    } packed[] = {{"\x1f\x8b", 2},
                  {"BZh", 3},
                  {"\xfd"
                   "7zXZ",
                   5},
                  {"\x28\xb5\x2f\xfd", 4}};
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++)
        if (memcmp(h, packed[i].magic, packed[i].n) == 0)
            return "compressed, and members are read where they lie: unpack it first, or make a "
                   "plain tar file of it (gzip -dc)";
    return "not a header of a tar file";
}

static wsam_status read_tar(ws_archive *a, int fd, wsam_error *error)
{
    unsigned char h[BLOCK];
    char name[MAX_NAME + 1];
    extra e = {.size = 0};
    uint64_t size;
    for (uint64_t at = 0; at + BLOCK <= a->size;) {
        wsam_status status = WSAM_OK;
        if (!ws_read_at(fd, h, sizeof h, at))
            return ws_fail(error, WSAM_ERR_IO, "%s: reading failed", a->path);
        if (is_empty(h))
            break;
        if (!sum_is_right(h) || !get_number(h + 124, 12, &size))
            return damaged(a, at, at ? "not a header of a tar file" : what_it_is(h), error);
        const int kind = h[156];
        if (e.has_size && kind != 'x' && kind != 'L' && kind != 'g')
            size = e.size;
        at += BLOCK;
        if (size > a->size - at)
            return damaged(a, at, "a member that goes beyond the end", error);
        if (kind == 'x' || kind == 'L') {
            status = read_extra(a, fd, kind, at, size, &e, error);
        } else if (kind != 'g' && kind != 'K') {
            name_of(h, &e, name);
            if (kind == '0' || !kind || kind == '7')
                status = add(a, name, NULL, at, size, error);
            e = (extra){.size = 0};
        }
        if (status)
            return status;
        at += (size + BLOCK - 1) / BLOCK * BLOCK;
    }
    return WSAM_OK;
}

/* ---- lists ---- */

static wsam_status read_list(ws_archive *a, wsam_error *error)
{
    ws_text_lines *lines = NULL;
    char *line = NULL;
    size_t n;
    const char *slash = strrchr(a->path, '/');
    const int folder = slash ? (int)(slash - a->path) + 1 : 0;
    wsam_status status = ws_input_lines_open(a->path, MAX_NAME, &lines, error);
    while (!status && !(status = ws_input_lines_next(lines, &line, &n, error)) && line) {
        const size_t size = (size_t)folder + n + 1;
        if (!*line)
            continue;
        char *file = malloc(size);
        if (!file) {
            status = ws_no_memory(error, a->path);
            break;
        }
        snprintf(file, size, "%.*s%s", *line == '/' ? 0 : folder, a->path, line);
        status = add(a, line + strspn(line, "/"), file, 0, 0, error);
        if (!status)
            a->items[a->n - 1].absolute = *line == '/';
    }
    if (lines)
        ws_input_lines_close(lines);
    return status;
}

/* ---- the index ---- */

static void free_archive(ws_archive *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->items[i].name);
        free(a->items[i].file);
    }
    for (size_t i = 0; i < WS_REPEATS_NAMED; i++)
        free(a->repeats.names[i]);
    free(a->items);
    free(a->path);
    free(a);
}

static wsam_status read_index(const char *path, int fd, const struct stat *st, ws_archive **out,
                              wsam_error *error)
{
    ws_archive *a = calloc(1, sizeof *a);
    if (!a || !(a->path = strdup(path))) {
        free(a);
        return ws_no_memory(error, path);
    }
    a->device = st->st_dev;
    a->inode = st->st_ino;
    a->size = (uint64_t)st->st_size;
    a->time = time_of(st);
    wsam_status status = is_list(path) ? read_list(a, error) : read_tar(a, fd, error);
    if (!status)
        status = sort(a, error);
    if (status) {
        free_archive(a);
        return status;
    }
    *out = a;
    return WSAM_OK;
}

static ws_archive *find_known(const char *path, const struct stat *st)
{
    for (ws_archive *a = known; a; a = a->next)
        if (a->device == st->st_dev && a->inode == st->st_ino && a->size == (uint64_t)st->st_size &&
            a->time == time_of(st) && strcmp(a->path, path) == 0)
            return a;
    return NULL;
}

wsam_status ws_archive_open(const char *path, const ws_archive **out, wsam_error *error)
{
    struct stat st;
    ws_archive *a = NULL;
    wsam_status status = WSAM_OK;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *out = NULL;
    if (fd < 0 || fstat(fd, &st) != 0) {
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    } else {
        pthread_mutex_lock(&lock);
        a = find_known(path, &st);
        if (!a && !(status = read_index(path, fd, &st, &a, error))) {
            a->next = known;
            known = a;
        }
        pthread_mutex_unlock(&lock);
    }
    if (fd >= 0)
        close(fd);
    *out = a;
    return status;
}

size_t ws_archive_count(const ws_archive *a)
{
    return a->n;
}

const char *ws_archive_name(const ws_archive *a, size_t index)
{
    return a->items[index].name;
}

const ws_repeats *ws_archive_repeats(const ws_archive *a)
{
    return &a->repeats;
}

static const item *find_item(const ws_archive *a, const char *name)
{
    const item key = {.name = (char *)(uintptr_t)name};
    size_t low = 0;
    for (size_t high = a->n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(a->items[middle].name, key.name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->n && strcmp(a->items[low].name, name) == 0 ? &a->items[low] : NULL;
}

static int take_item(const ws_archive *a, const item *i, ws_member *m)
{
    struct stat st;
    *m = (ws_member){strdup(i->file ? i->file : a->path), i->offset, i->size, a->time};
    if (m->file && i->file) {
        if (stat(i->file, &st) != 0 || !S_ISREG(st.st_mode)) {
            free(m->file);
            return 0;
        }
        m->size = (uint64_t)st.st_size;
        m->time = time_of(&st);
    }
    return m->file != NULL;
}

int ws_archive_find(const char *path, ws_member *m)
{
    char *copy = strdup(path);
    const ws_archive *a = NULL;
    const item *i = NULL;
    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash && !i;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (ws_is_archive(copy) && !ws_archive_open(copy, &a, NULL))
            i = find_item(a, slash + 1);
        *slash = '/';
    }
    free(copy);
    return i && take_item(a, i, m);
}
