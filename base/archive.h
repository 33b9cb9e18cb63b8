/* base/archive.h - a file that stands for a folder: a tar file, or a list of paths.
 *
 * A path like photos.tar/dir/a.jpg names a member as if photos.tar were a folder; ws_file_read_whole reads it
 * so. Tar files are ustar, pax (path, size) or GNU with long names, not compressed: members are read where
 * they lie. A list is a text file (.txt, .lst) with a path per line, relative to its folder; the member
 * list.txt/a/b.jpg is the line `a/b.jpg`, and `/a/b.jpg` for lines that begin with a slash. An index is made
 * once in a process and kept; a file that has changed gets a new one. Any thread. */
#ifndef WS_BASE_ARCHIVE_H
#define WS_BASE_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct ws_archive ws_archive;

/* Names that a tar file or a list has more than once: of each, the last member counts. */
enum { WS_REPEATS_NAMED = 5 };
typedef struct ws_repeats {
    size_t n;
    char *names[WS_REPEATS_NAMED]; /* the first of them; NULL behind the last */
} ws_repeats;

/* Whether a path is a regular file with the ending of a tar file or a list. */
int ws_is_archive(const char *path);
/* WSAM_ERR_FORMAT for a file whose ending is that of a compressed archive: what to do instead. */
wsam_status ws_archive_refuse_packed(const char *path, wsam_error *error);
/* *archive lives as long as the process. Refuses what is damaged, names that lead out of it, and two files of a
 * list that have one name (`/a.jpg` and `a.jpg`). */
wsam_status ws_archive_open(const char *path, const ws_archive **archive, wsam_error *error);
/* Members in byte order of their names. */
size_t ws_archive_count(const ws_archive *archive);
const char *ws_archive_name(const ws_archive *archive, size_t index);
const ws_repeats *ws_archive_repeats(const ws_archive *archive);

typedef struct ws_member {
    char *file; /* that has the bytes; free() */
    uint64_t offset, size;
    uint64_t time; /* of the file's last change, ns */
} ws_member;

/* 1: `path` names a member; 0: it does not, or there is none of that name. */
int ws_archive_find(const char *path, ws_member *member);

#endif
