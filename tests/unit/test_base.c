/* tests/unit/test_base.c - the small tools below everything: buffer, JSON guard, text reader,
 * outputs, numbers in every locale. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/input.h"
#include "base/json_guard.h"
#include "base/json_parse.h"
#include "base/json_writer.h"
#include "base/output.h"
#include "base/outputs.h"
#include "base/wait.h"

/* ---- files of a test ---- */

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/weaksam-base-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static const char *in_folder(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *file_of(const char *name, const void *bytes, size_t n)
{
    const char *path = in_folder(name);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    return path;
}

static void expect_content(const char *path, const char *content)
{
    char bytes[256] = "";
    FILE *f = fopen(path, "rb");
    cr_assert(f, "%s", path);
    const size_t n = fread(bytes, 1, sizeof bytes - 1, f);
    fclose(f);
    bytes[n] = 0;
    cr_expect_str_eq(bytes, content, "%s", path);
}

TestSuite(base, .init = make_folder, .fini = remove_folder);

/* ---- buffer, numbers ---- */

Test(base, text_of_any_length)
{
    ws_text t = {0};
    char word[1000];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = 0;
    for (int i = 0; i < 100; i++)
        ws_text_printf(&t, "%s|", word);
    cr_expect(!t.failed && t.n == 100 * sizeof word && strlen(t.text) == t.n);
    free(t.text);
}

/* A comma locale: any that is installed, else the one that the environment's script made. */
static int comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR", "comma"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_ALL, names[i]) && *localeconv()->decimal_point == ',')
            return 1;
    return 0;
}

Test(base, numbers_have_a_point_in_every_locale)
{
    char line[64];
    ws_text t = {0};
    cJSON *root;
    if (!comma_locale())
        cr_skip("no locale with a decimal comma is installed; part_environment.sh makes one");
    snprintf(line, sizeof line, "%.1f", 1.5);
    cr_assert_str_eq(line, "1,5");
    ws_text_printf(&t, "[%.2f,", 0.25);
    ws_json_number(&t, 1e-7);
    ws_text_put(&t, "]", 1);
    cr_expect_str_eq(t.text, "[0.25,1e-07]");
    cr_assert_eq(ws_json_parse("f", 0, t.text, t.n, &root, NULL), WSAM_OK);
    cr_expect_float_eq(cJSON_GetArrayItem(root, 0)->valuedouble, 0.25, 0);
    snprintf(line, sizeof line, "%.1f", 1.5);
    cr_expect_str_eq(line, "1,5", "the host's own locale is as it was");
    cJSON_Delete(root);
    free(t.text);
}

/* ---- JSON ---- */

static ws_json_verdict verdict(const char *text)
{
    size_t at;
    return ws_json_guard(text, strlen(text), WS_JSON_VALUES, &at);
}

Test(base, json_that_is_good_and_bad)
{
    static const char *const good[] = {"1",
                                       " {} ",
                                       "[]",
                                       "[1,2.5e+3,-0]",
                                       "{\"a\":[{\"b\":null}]}",
                                       "\"\\u00e9\\ud83d\\ude00\\udce9\"",
                                       "[true,false]",
                                       "\"\""};
    static const char *const bad[] = {
        "",           "[",         "]",         "{\"a\"}", "[1,]",        "{,}",
        "{\"a\":1,}", "01",        "1.",        "-",       "+1",          "NaN",
        "tru",        "[1] x",     "\"\\x\"",   "\"",      "\"\\ud83d\"", "\"\\udc00\"",
        "[1}",        "{\"a\":1]", "\"\\u12\"", "1e",      "[1 2]",       "{1:2}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cJSON *root;
        cr_expect_eq(verdict(good[i]), WS_JSON_GOOD, "%s", good[i]);
        cr_expect_eq(ws_json_parse("f", 0, good[i], strlen(good[i]), &root, NULL), WSAM_OK, "%s",
                     good[i]);
        cJSON_Delete(root);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(verdict(bad[i]), WS_JSON_BAD, "%s", bad[i]);
}

Test(base, json_bombs_are_refused_before_they_are_built)
{
    enum { N = 8 << 20 };
    char *text = malloc(N);
    size_t at;
    cJSON *root;
    wsam_error error;
    cr_assert(text);
    memset(text, '[', N);
    cr_expect_eq(ws_json_guard(text, N, WS_JSON_VALUES, &at), WS_JSON_TOO_DEEP);
    for (size_t i = 0; i < N; i++)
        text[i] = i % 2 ? ',' : '0';
    text[0] = '[', text[1] = '0', text[2] = ',', text[3] = '0', text[N - 1] = ']';
    for (size_t i = 2; i < N - 1; i++)
        text[i] = i % 2 ? '0' : ',';
    text[N - 2] = '0', text[N - 3] = ',';
    cr_expect_eq(ws_json_parse("f", 3, text, N, &root, &error), WSAM_ERR_LIMIT);
    cr_expect(strstr(error.message, "f:3: more than 300000 values"), "%s", error.message);
    cr_expect_null(root);
    free(text);
}

Test(base, names_of_any_bytes_come_back)
{
    static const char name[] = "caf\xe9 \xff\xc3\xa9/\xed\xa0\x80.png";
    ws_text t = {0};
    cJSON *root;
    ws_json_string(&t, name);
    for (size_t i = 0; i < t.n; i++)
        cr_expect(t.text[i] > 0 || memcmp(t.text + i, "\xc3\xa9", 2) == 0 ||
                  memcmp(t.text + i - 1, "\xc3\xa9", 2) == 0);
    cr_assert_eq(ws_json_parse("f", 0, t.text, t.n, &root, NULL), WSAM_OK);
    cr_expect_str_eq(root->valuestring, name);
    cJSON_Delete(root);
    free(t.text);
}

/* ---- text readers ---- */

static void expect_lines(const char *bytes, size_t n, const char *const *lines, size_t most)
{
    ws_text_lines *l;
    char *line;
    size_t length;
    wsam_error error = {0};
    cr_assert_eq(ws_input_lines_open(file_of("lines", bytes, n), most, &l, &error), WSAM_OK);
    for (; *lines; lines++) {
        cr_assert_eq(ws_input_lines_next(l, &line, &length, &error), WSAM_OK, "%s", error.message);
        cr_assert(line, "before '%s'", *lines);
        cr_expect_str_eq(line, *lines);
        cr_expect_eq(length, strlen(*lines));
    }
    cr_assert_eq(ws_input_lines_next(l, &line, &length, &error), WSAM_OK, "%s", error.message);
    cr_expect_null(line);
    ws_input_lines_close(l);
}

Test(base, lines_of_every_editor)
{
    static const char *const want[] = {"one", "two words", "three", NULL};
    static const char *const texts[] = {
        "one\ntwo words\nthree\n", "one\r\ntwo words\r\nthree", "one\rtwo words\rthree\r",
        "\xef\xbb\xbfone\n\n  two words\t\n\r\nthree", " one \r\r\n two words\r three "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_lines(texts[i], strlen(texts[i]), want, 20);
}

Test(base, lines_across_chunks)
{
    enum { N = (1 << 16) + 5 };
    char *text = malloc(2 * N + 2), *first = malloc(N + 1);
    cr_assert(text && first);
    memset(text, 'a', 2 * N + 2);
    text[N] = '\r', text[N + 1] = '\n';
    memset(first, 'a', N);
    first[N] = 0;
    const char *const want[] = {first, first, NULL};
    expect_lines(text, 2 * N + 2, want, N);
    free(first);
    free(text);
}

static void refuse(const char *path, const char *words)
{
    char *text;
    size_t n;
    wsam_error error = {0};
    const double start = ws_clock();
    cr_expect_neq(ws_input_whole(path, 100, &text, &n, &error), WSAM_OK, "%s", path);
    cr_expect(strstr(error.message, path) && strstr(error.message, words), "%s", error.message);
    cr_expect_lt(ws_clock() - start, 5);
    cr_expect_null(text);
}

Test(base, texts_that_are_none)
{
    refuse(file_of("utf16",
                   "\xff\xfe"
                   "a\0",
                   4),
           "UTF-16");
    refuse(file_of("utf16be", "\xfe\xff\0a", 4), "UTF-16");
    refuse(file_of("zero", "a\0b", 3), "zero byte");
    refuse(file_of("empty", "", 0), "empty");
    refuse("/dev/zero", "device");
    refuse(folder, "directory");
    refuse(in_folder("absent"), "No such file");
    char big[101];
    memset(big, 'x', sizeof big);
    refuse(file_of("big", big, sizeof big), "more than 100 bytes");
    const char *pipe = in_folder("pipe");
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    refuse(pipe, "empty"); /* nobody writes to it */
}

static void *write_slowly(void *arg)
{
    const int fd = *(const int *)arg;
    for (int i = 0; i < 3; i++) {
        usleep(20000);
        cr_expect_eq(write(fd, "ab\n", 3), 3);
    }
    close(fd);
    return NULL;
}

Test(base, a_pipe_is_read_to_its_end)
{
    int ends[2];
    char path[32], *text;
    size_t n;
    pthread_t thread;
    wsam_error error;
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(pthread_create(&thread, NULL, write_slowly, &ends[1]), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    cr_assert_eq(ws_input_whole(path, 100, &text, &n, &error), WSAM_OK, "%s", error.message);
    cr_expect_str_eq(text, "ab\nab\nab\n");
    pthread_join(thread, NULL);
    close(ends[0]);
    free(text);
}

/* ---- outputs ---- */

static wsam_status put(const char *path, int seekable, const char *text, wsam_error *error)
{
    ws_outputs out = {0};
    FILE *f =
        seekable ? ws_outputs_open_seekable(&out, path, error) : ws_outputs_open(&out, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    if (f) {
        fputs(text, f);
        status = ws_outputs_close(&out, error);
    }
    return ws_outputs_finish(&out, status, error);
}

static int names_in_folder(void)
{
    char command[128];
    int n = 0;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *f = popen(command, "r");
    cr_assert(f && fscanf(f, "%d", &n) == 1);
    pclose(f);
    return n;
}

Test(base, a_file_is_replaced_and_keeps_its_permissions)
{
    struct stat st;
    const char *path = file_of("x", "old", 3);
    cr_assert_eq(chmod(path, 0640), 0);
    cr_expect_eq(put(path, 0, "new", NULL), WSAM_OK);
    expect_content(path, "new");
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    cr_expect_eq(names_in_folder(), 1, "no temporary file is left");
}

Test(base, links_are_followed)
{
    struct stat st;
    for (int seekable = 0; seekable < 2; seekable++) {
        file_of("target", "old", 3);
        unlink(in_folder("link"));
        unlink(in_folder("new"));
        unlink(in_folder("dangling"));
        cr_assert_eq(symlink("target", in_folder("link")), 0);
        cr_assert_eq(symlink(in_folder("new"), in_folder("dangling")), 0);
        cr_expect_eq(put(in_folder("link"), seekable, "new", NULL), WSAM_OK);
        cr_expect_eq(put(in_folder("dangling"), seekable, "made", NULL), WSAM_OK);
        cr_expect(lstat(in_folder("link"), &st) == 0 && S_ISLNK(st.st_mode));
        cr_expect(lstat(in_folder("dangling"), &st) == 0 && S_ISLNK(st.st_mode));
        expect_content(in_folder("target"), "new");
        expect_content(in_folder("new"), "made");
    }
    wsam_error error;
    cr_assert_eq(symlink("loop", in_folder("loop")), 0);
    cr_expect_eq(put(in_folder("loop"), 0, "x", &error), WSAM_ERR_IO);
    cr_expect(strstr(error.message, "loop"), "%s", error.message);
}

static void *read_pipe(void *arg)
{
    static char got[64];
    const int fd = open(arg, O_RDONLY);
    size_t n = 0;
    for (ssize_t some; (some = read(fd, got + n, sizeof got - 1 - n)) > 0;)
        n += (size_t)some;
    got[n] = 0;
    close(fd);
    return got;
}

Test(base, devices_and_pipes_are_written_through)
{
    struct stat st;
    char path[128];
    snprintf(path, sizeof path, "%s", in_folder("pipe"));
    cr_assert_eq(mkfifo(path, 0600), 0);
    for (int seekable = 0; seekable < 2; seekable++) {
        pthread_t thread;
        void *got;
        cr_expect_eq(put("/dev/null", seekable, "gone", NULL), WSAM_OK);
        cr_assert_eq(pthread_create(&thread, NULL, read_pipe, path), 0);
        cr_expect_eq(put(path, seekable, "through", NULL), WSAM_OK);
        pthread_join(thread, &got);
        cr_expect_str_eq(got, "through");
        cr_expect(stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
        wsam_error error;
        cr_expect_eq(put("/dev/full", seekable, "x", &error), WSAM_ERR_IO);
        cr_expect_str_eq(error.message, "/dev/full: No space left on device");
    }
    cr_expect(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
}

Test(base, own_streams_go_on_where_they_are)
{
    char path[32];
    const char *name = file_of("log", "", 0);
    const int fd = open(name, O_WRONLY);
    cr_assert(fd >= 0 && write(fd, "a", 1) == 1);
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    cr_expect_eq(put(path, 0, "b", NULL), WSAM_OK);
    cr_expect_eq(put(path, 1, "c", NULL), WSAM_OK);
    cr_expect_eq(write(fd, "d", 1), 1);
    close(fd);
    expect_content(name, "abcd");
}

Test(base, a_failed_output_leaves_nothing)
{
    wsam_error error;
    const char *path = file_of("x", "old", 3);
    ws_outputs out = {0};
    FILE *f = ws_outputs_open(&out, path, &error);
    cr_assert(f);
    fputs("half", f);
    cr_expect_eq(ws_outputs_finish(&out, WSAM_ERR_FORMAT, &error), WSAM_ERR_FORMAT);
    expect_content(path, "old");
    cr_expect_eq(names_in_folder(), 1);
    cr_expect_eq(put(in_folder("no/such"), 0, "x", &error), WSAM_ERR_IO);
    cr_expect(strstr(error.message, "no/such: No such file"), "%s", error.message);
    cr_expect_eq(put(folder, 0, "x", &error), WSAM_ERR_IO);
    cr_expect(strstr(error.message, "is a directory"), "%s", error.message);
}

Test(base, long_names_have_room_for_a_temporary_one)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_expect_eq(put(path, 0, "x", NULL), WSAM_OK);
    expect_content(path, "x");
    cr_expect_eq(names_in_folder(), 1);
}

/* ---- clock ---- */

Test(base, waits_end_by_the_clock_that_never_steps)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition;
    cr_assert_eq(ws_wait_init(&condition), 0);
    const double start = ws_clock();
    pthread_mutex_lock(&lock);
    while (ws_clock() - start < 0.05)
        ws_wait_for(&condition, &lock, 50);
    pthread_mutex_unlock(&lock);
    cr_expect_lt(ws_clock() - start, 5);
    pthread_cond_destroy(&condition);
}
