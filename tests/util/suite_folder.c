/* tests/util/suite_folder.c - see suite_folder.h. */
#include "tests/util/suite_folder.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64];

void make_folder(void)
{
    strcpy(folder, "/tmp/weaksam-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *in_folder(const char *name)
{
    static char paths[8][2048];
    static int next;
    if (!*name)
        return folder;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "wb");
    cr_assert(f, "%s", name);
    fputs(text, f);
    fclose(f);
}

unsigned char *file_bytes(const char *name, size_t *size)
{
    struct stat st;
    FILE *f = fopen(in_folder(name), "rb");
    cr_assert(f && fstat(fileno(f), &st) == 0, "%s", name);
    *size = (size_t)st.st_size;
    unsigned char *bytes = calloc(*size + 1, 1);
    cr_assert_eq(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

int equal_files(const char *a, const char *b)
{
    size_t m, n;
    unsigned char *x = file_bytes(a, &m), *y = file_bytes(b, &n);
    const int equal = m == n && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return equal;
}
