/* Which image of a folder a name in any file means. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/labels/picture_names.h"

static const char *const list[] = {"IMG_1.JPG",   "a.png",          "b.jpg",   "b.png",
                                   "sub/a.png",   "sub/c.jpg",      "x/d.png", "y/d.png",
                                   "ab cd.e.jpg", "Gro\xc3\x9f.png"};
enum { N = sizeof list / sizeof list[0] };

static ws_picture_names *names;

static void setup(void)
{
    cr_assert_eq(ws_picture_names_of(list, N, &names, NULL), WSAM_OK);
}

static void teardown(void)
{
    ws_picture_names_free(names);
}

TestSuite(picture_names, .init = setup, .fini = teardown);

static ws_name_verdict find(const char *name, size_t *index)
{
    ws_name_verdict verdict;
    cr_assert_eq(ws_picture_names_find(names, name, index, &verdict, NULL), WSAM_OK);
    return verdict;
}

static void means(const char *name, const char *image)
{
    size_t index = 0;
    cr_assert_eq(find(name, &index), WS_NAME_FOUND, "%s", name);
    cr_expect_str_eq(ws_picture_names_at(names, index), image, "%s means %s", name,
                     ws_picture_names_at(names, index));
}

static void verdict_is(const char *name, ws_name_verdict wanted)
{
    size_t index = 0;
    cr_expect_eq(find(name, &index), wanted, "%s", name);
}

Test(picture_names, names_as_people_have_them)
{
    for (size_t i = 0; i < N; i++)
        means(list[i], list[i]);
    means("images/a.png", "a.png");
    means("C:\\data\\images\\a.png", "a.png");
    means("sub\\a.png", "sub/a.png");
    means("somewhere/sub/a.png", "sub/a.png");
    means("c.jpg", "sub/c.jpg");
    means("img_1.jpg", "IMG_1.JPG");
    means("photos/IMG_1.jpg", "IMG_1.JPG");
    means("IMG_1", "IMG_1.JPG");
    means("labels/IMG_1.txt", "IMG_1.JPG");
    means("labels/sub/c.xml", "sub/c.jpg");
    means("ab cd.e.jpg", "ab cd.e.jpg");
    means("ab cd.e.txt", "ab cd.e.jpg");
    means("/data/upload/3/1a2b3c4d-a.png", "a.png");
    means("1a2b3c4d-IMG_1.JPG", "IMG_1.JPG");
    means("b.JPG", "b.jpg");
    means("x/d.txt", "x/d.png");
    means("gro\xc3\x9f.png", "Gro\xc3\x9f.png");
}

Test(picture_names, nothing_is_guessed)
{
    verdict_is("gone.png", WS_NAME_UNKNOWN);
    verdict_is("", WS_NAME_UNKNOWN);
    verdict_is("/", WS_NAME_UNKNOWN);
    verdict_is("1a2b3c4d-", WS_NAME_UNKNOWN);
    verdict_is("d.png", WS_NAME_AMBIGUOUS);
    verdict_is("z/d.png", WS_NAME_AMBIGUOUS);
    verdict_is("b", WS_NAME_AMBIGUOUS);
    verdict_is("b.txt", WS_NAME_AMBIGUOUS);
}

Test(picture_names, a_folder_is_listed_without_what_is_hidden)
{
    char folder[] = "/tmp/weaksam-names-XXXXXX", command[256];
    ws_picture_names *here;
    cr_assert_not_null(mkdtemp(folder));
    snprintf(
        command, sizeof command,
        "cd %s && mkdir -p sub/deep .hidden x.png && touch b.PNG a.jpeg ._a.jpeg sub/deep/c.tif "
        ".hidden/d.png e.txt x.png/f.webp",
        folder);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(ws_picture_names_open(folder, &here, NULL), WSAM_OK);
    static const char *const wanted[] = {"a.jpeg", "b.PNG", "sub/deep/c.tif", "x.png/f.webp"};
    cr_assert_eq(ws_picture_names_count(here), 4);
    for (size_t i = 0; i < 4; i++)
        cr_expect_str_eq(ws_picture_names_at(here, i), wanted[i]);
    ws_picture_names_free(here);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_expect_eq(system(command), 0);
    wsam_error error = {0};
    cr_expect_eq(ws_picture_names_open(folder, &here, &error), WSAM_ERR_IO);
    cr_expect(strstr(error.message, folder), "%s", error.message);
}
