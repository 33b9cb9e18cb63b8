/* Folders of images that are a tar file or a list of paths: what tar programs write, and what nobody
 * should. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/archive.h"
#include "base/file.h"
#include "tests/util/suite_folder.h"
#include "weaksam/dataset.h"

TestSuite(archives, .init = make_folder, .fini = remove_folder);

/* A header of 512 bytes and its content, padded. */
static size_t put_member(char *to, const char *name, char kind, const char *content)
{
    const size_t n = strlen(content), padded = (n + 511) / 512 * 512;
    unsigned sum = 0;
    memset(to, 0, 512 + padded);
    strncpy(to, name, 100);
    memcpy(to + 100, "0000644\0000000000\0000000000", 24);
    snprintf(to + 124, 12, "%011o", (unsigned)n);
    memcpy(to + 136, "00000000000", 12);
    memset(to + 148, ' ', 8);
    to[156] = kind;
    memcpy(to + 257, "ustar\00000", 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)to[i];
    snprintf(to + 148, 8, "%06o", sum);
    memcpy(to + 512, content, n);
    return 512 + padded;
}

static void write_bytes(const char *name, const char *bytes, size_t n)
{
    FILE *f = fopen(in_folder(name), "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void expect_content(const char *path, const char *want)
{
    char *bytes;
    size_t n;
    wsam_error error = {0};
    cr_assert_eq(ws_file_read_whole(path, 1 << 20, &bytes, &n, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect(n == strlen(want) && strcmp(bytes, want) == 0, "%s", path);
    free(bytes);
}

/* Names of every form, as the tar of this machine writes them. */
static void tar_of_this_machine(const char *format)
{
    char command[1024], longer[300] = "d/";
    const ws_archive *a;
    wsam_error error = {0};
    for (int i = 0; i < 180; i++)
        strcat(longer, i % 60 == 59 ? "/" : "n");
    strcat(longer, ".png");
    snprintf(
        command, sizeof command,
        "cd %s && mkdir -p t && cd t && mkdir -p \"$(dirname %s)\" && printf one >a.png && printf "
        "second >'b c.png' && printf long >%s && tar --format=%s -cf ../%s.tar ./a.png 'b c.png' d",
        in_folder(""), longer, longer, format, format);
    cr_assert_eq(system(command), 0);
    snprintf(command, sizeof command, "%s.tar", format);
    const char *path = in_folder(command);
    cr_assert(ws_is_archive(path));
    cr_assert_eq(ws_archive_open(path, &a, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(ws_archive_count(a), 3u);
    cr_expect_str_eq(ws_archive_name(a, 0), "a.png");
    cr_expect_str_eq(ws_archive_name(a, 1), "b c.png");
    cr_expect_str_eq(ws_archive_name(a, 2), longer);
    char member[1024];
    snprintf(member, sizeof member, "%s/a.png", path);
    expect_content(member, "one");
    snprintf(member, sizeof member, "%s/%s", path, longer);
    expect_content(member, "long");
}

Test(archives, tar_files_as_they_are_written)
{
    tar_of_this_machine("ustar");
    tar_of_this_machine("gnu");
    tar_of_this_machine("pax");
}

Test(archives, a_size_of_pax_counts)
{
    char bytes[8192];
    size_t n = put_member(bytes, "x", 'x', "9 size=3\n14 path=q.png\n");
    n += put_member(bytes + n, "short", '0', "abc");
    memset(bytes + n, 0, 1024);
    write_bytes("p.tar", bytes, n + 1024);
    char member[256];
    snprintf(member, sizeof member, "%s/q.png", in_folder("p.tar"));
    expect_content(member, "abc");
}

static void refused(const char *bytes, size_t n, const char *words)
{
    const ws_archive *a;
    wsam_error error = {0};
    write_bytes("bad.tar", bytes, n);
    cr_expect_eq(ws_archive_open(in_folder("bad.tar"), &a, &error), WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, words), "'%s' is not in: %s", words, error.message);
    unlink(in_folder("bad.tar"));
}

Test(archives, what_is_damaged_or_leads_out_is_refused)
{
    char bytes[8192];
    size_t n = put_member(bytes, "../x.png", '0', "abc");
    refused(bytes, n, "leads out");
    n = put_member(bytes, "/etc/x.png", '0', "abc");
    refused(bytes, n, "leads out");
    n = put_member(bytes, "a/../../x.png", '0', "abc");
    refused(bytes, n, "leads out");
    n = put_member(bytes, "a.png", '0', "abc");
    bytes[3] ^= 1;
    refused(bytes, n, "not a header");
    n = put_member(bytes, "a.png", '0', "abc");
    refused(bytes, n - 512, "beyond the end");
    memcpy(bytes, "\x1f\x8b", 2);
    refused(bytes, 512, "compressed");
    n = put_member(bytes, "x", 'x', "999 path=q.png\n");
    n += put_member(bytes + n, "a.png", '0', "abc");
    refused(bytes, n, "not a header of a member");
    n = put_member(bytes, "x", 'x', "28 size=18446744073709551615\n");
    n += put_member(bytes + n, "a.png", '0', "abc");
    refused(bytes, n, "");
}

/* Any byte of a tar file may be anything: no crash, and nothing is read outside of the file. */
Test(archives, any_damage_is_survived)
{
    char bytes[8192], damaged[8192];
    unsigned seed = 12345;
    size_t n = put_member(bytes, "x", 'x', "14 path=q.png\n");
    n += put_member(bytes + n, "a.png", '0', "abc");
    n += put_member(bytes + n, "l", 'L', "some/longer/name.png");
    n += put_member(bytes + n, "b.png", '0', "def");
    for (int turn = 0; turn < 2000; turn++) {
        const ws_archive *a;
        wsam_error error;
        memcpy(damaged, bytes, n);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1103515245u + 12345u;
            damaged[(seed >> 8) % n] = (char)(seed >> 24);
        }
        seed = seed * 1103515245u + 12345u;
        write_bytes("fuzz.tar", damaged, turn % 3 ? n : (seed >> 8) % n);
        if (ws_archive_open(in_folder("fuzz.tar"), &a, &error) == WSAM_OK)
            for (size_t i = 0; i < ws_archive_count(a); i++) {
                char member[5000], *text;
                size_t size;
                snprintf(member, sizeof member, "%s/%s", in_folder("fuzz.tar"),
                         ws_archive_name(a, i));
                if (ws_file_read_whole(member, 1 << 20, &text, &size, &error) == WSAM_OK)
                    free(text);
            }
    }
}

Test(archives, labels_and_images_of_a_tar_file)
{
    char bytes[16384];
    wsam_labels *l;
    wsam_error error = {0};
    size_t n = put_member(bytes, "s/000.png", '0', "x");
    n += put_member(bytes + n, "s/000.cls", '0', "cat\ndog\n");
    n += put_member(bytes + n, "s/001.jpg", '0', "x");
    n += put_member(bytes + n, "s/001.cls", '0', "dog");
    n += put_member(bytes + n, "s/002.png", '0', "x");
    n += put_member(bytes + n, "s/002.cls", '0', "");
    n += put_member(bytes + n, "s/000.json", '0', "{}");
    memset(bytes + n, 0, 1024);
    write_bytes("w.tar", bytes, n + 1024);
    char path[256];
    snprintf(path, sizeof path, "%s", in_folder("w.tar"));
    cr_assert_eq(wsam_labels_load(path, path, NULL, &l, &error), WSAM_OK, "%s", error.message);
    cr_assert(l->n == 3 && l->n_classes == 2 && l->negatives == 1);
    cr_expect_str_eq(l->images[0], "s/000.png");
    cr_expect_str_eq(l->images[1], "s/001.jpg");
    cr_expect_eq(l->first[1], 2u);
    wsam_labels_free(l);
}

Test(archives, a_list_of_paths)
{
    wsam_labels *l;
    wsam_error error = {0};
    char text[512];
    mkdir(in_folder("elsewhere"), 0777);
    write_file("elsewhere/b.png", "bb");
    write_file("a.png", "a");
    snprintf(text, sizeof text, "%s\n\na.png\n", in_folder("elsewhere/b.png"));
    write_file("list.txt", text);
    snprintf(text, sizeof text, "a.png,cat\nelsewhere/b.png,dog\n");
    write_file("l.csv", text);
    char list[256];
    snprintf(list, sizeof list, "%s", in_folder("list.txt"));
    cr_assert_eq(wsam_labels_load(in_folder("l.csv"), list, NULL, &l, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(l->n, 2u);
    cr_expect_str_eq(l->images[0], "a.png");
    cr_expect_str_eq(l->images[1], in_folder("elsewhere/b.png") + 1);
    snprintf(text, sizeof text, "%s/%s", list, l->images[1]);
    expect_content(text, "bb");
    wsam_labels_free(l);
    write_file("list.txt", "../up.png\n");
    const ws_archive *a;
    cr_expect_eq(ws_archive_open(list, &a, &error), WSAM_ERR_FORMAT);
}

Test(archives, names_that_come_again_are_counted)
{
    char bytes[32768], name[32], member[300];
    const ws_archive *a;
    wsam_error error = {0};
    size_t n = 0;
    for (int turn = 0; turn < 2; turn++)
        for (int i = turn; i < 8; i++) {
            snprintf(name, sizeof name, "%s%d.png", i % 2 ? "./" : "", i);
            n += put_member(bytes + n, name, '0', turn ? "last" : "first");
        }
    n += put_member(bytes + n, "1.png", '0', "last");
    memset(bytes + n, 0, 1024);
    write_bytes("r.tar", bytes, n + 1024);
    cr_assert_eq(ws_archive_open(in_folder("r.tar"), &a, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(ws_archive_count(a), 8u);
    const ws_repeats *r = ws_archive_repeats(a);
    cr_expect_eq(r->n, 7u);
    cr_expect_str_eq(r->names[0], "1.png");
    cr_expect_str_eq(r->names[4], "5.png");
    snprintf(member, sizeof member, "%s/4.png", in_folder("r.tar"));
    expect_content(member, "last");
}

Test(archives, two_files_of_one_name_in_a_list_are_refused)
{
    const ws_archive *a;
    wsam_error error = {0};
    write_file("two.txt", "/d/a.png\nb.png\nd/a.png\n");
    cr_expect_eq(ws_archive_open(in_folder("two.txt"), &a, &error), WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, "would be one image"), "%s", error.message);
    write_file("same.txt", "d/a.png\n./d/a.png\n");
    cr_assert_eq(ws_archive_open(in_folder("same.txt"), &a, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(ws_archive_count(a), 1u);
    cr_expect_eq(ws_archive_repeats(a)->n, 1u);
}

Test(archives, a_compressed_one_says_what_to_do)
{
    wsam_error error = {0};
    wsam_labels *l;
    write_file("p.tar.gz", "\x1f\x8b.");
    cr_expect_eq(wsam_labels_load("labels.csv", in_folder("p.tar.gz"), NULL, &l, &error),
                 WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, "unpack it first"), "%s", error.message);
}
