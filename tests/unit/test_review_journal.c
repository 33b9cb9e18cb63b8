/* The journal of a review after crashes: what is damaged is counted, named and kept. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/pilot/pilot_read.h"
#include "pipeline/review/review_session.h"
#include "tests/util/suite_folder.h"

static char remarks[512];

static void remark(void *user, const char *text)
{
    (void)user;
    snprintf(remarks, sizeof remarks, "%s", text);
}

static void begin(void)
{
    make_folder();
    mkdir(in_folder("review"), 0777);
    write_file("final.json",
               "{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":9,\"height\":9},{\"id\":2,"
               "\"file_name\":\"b.png\",\"width\":9,\"height\":9}],\"categories\":[{\"id\":1,"
               "\"name\":\"x\"}],\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":1,"
               "\"score\":0.5,\"bbox\":[1,1,4,4]},{\"id\":2,\"image_id\":2,\"category_id\":1,"
               "\"score\":0.5,\"bbox\":[1,1,4,4]}]}");
    *remarks = 0;
}

TestSuite(review_journal, .init = begin, .fini = remove_folder);

#define LINE(image, id, word)                                                                      \
    "{\"image\":\"" image "\",\"class\":\"x\",\"id\":" #id ",\"reviewed\":\"" word                 \
    "\",\"bbox\":[1,1,4,4],\"score\":0.5,\"confidence\":0,\"review\":\"partial\"}"

static void open_session(ws_review_session *s, wsam_review_options *o)
{
    wsam_error error = {0};
    wsam_review_options_default(o);
    o->output = in_folder("");
    o->folder = in_folder("");
    o->remark = remark;
    cr_assert_eq(ws_review_session_open(s, o, &error), WSAM_OK, "%s", error.message);
}

static int reviewed(const ws_review_session *s, size_t image)
{
    return s->images[image].objects[0].a.reviewed;
}

static void expect_text(const char *name, const char *text)
{
    size_t n;
    unsigned char *bytes = file_bytes(name, &n);
    cr_expect_str_eq((const char *)bytes, text);
    free(bytes);
}

Test(review_journal, damaged_lines_are_counted_and_kept)
{
    ws_review_session s;
    wsam_review_options o;
    static const char damaged[] =
        "{\"image\":\"a.png\",\"cla\n" LINE("gone.png", 7, "accepted") "\n";
    char text[1024];
    snprintf(text, sizeof text, "%s\n%s%s\n", LINE("a.png", 1, "rejected"), damaged,
             LINE("b.png", 2, "accepted"));
    write_file("review/journal.jsonl", text);
    open_session(&s, &o);
    cr_expect_eq(s.n_damaged, 2);
    cr_expect_eq(s.first_damaged, 2);
    cr_expect(strstr(remarks, "2 lines cannot be read") && strstr(remarks, "line 2 first"), "%s",
              remarks);
    cr_expect_eq(reviewed(&s, 0), WSAM_REVIEWED_REJECTED);
    cr_expect_eq(reviewed(&s, 1), WSAM_REVIEWED_ACCEPTED);
    ws_review_session_close(&s);
    expect_text("review/damaged.jsonl", damaged);
    *remarks = 0;
    open_session(&s, &o); /* told once: they are out of the way */
    cr_expect_str_empty(remarks);
    cr_expect_eq(reviewed(&s, 1), WSAM_REVIEWED_ACCEPTED);
    ws_review_session_close(&s);
}

/* Before, the next decision stood behind the half, and both were lost. */
Test(review_journal, the_end_that_a_crash_cut_off_takes_no_decision_with_it)
{
    ws_review_session s;
    wsam_review_options o;
    wsam_error error = {0};
    int64_t id;
    write_file("review/journal.jsonl", "{\"image\":\"a.png\",\"class\":\"x\",\"id\":1,\"rev");
    open_session(&s, &o);
    cr_expect_eq(s.n_damaged, 0);
    const ws_review_change change = {.image = 1, .id = 2, .reviewed = "accepted"};
    cr_assert_eq(ws_review_session_change(&s, &change, &id, &error), WSAM_OK, "%s", error.message);
    ws_review_session_close(&s); /* and killed: reviewed.json is not written */
    open_session(&s, &o);
    cr_expect_str_empty(remarks);
    size_t accepted = 0;
    for (size_t i = 0; i < s.n_images; i++)
        accepted += reviewed(&s, i) == WSAM_REVIEWED_ACCEPTED;
    cr_expect_eq(accepted, 1);
    ws_review_session_close(&s);
}

Test(review_journal, a_last_line_that_lacks_its_end_alone_counts)
{
    ws_review_session s;
    wsam_review_options o;
    write_file("review/journal.jsonl", LINE("a.png", 1, "rejected"));
    open_session(&s, &o);
    cr_expect_eq(reviewed(&s, 0), WSAM_REVIEWED_REJECTED);
    cr_expect_eq(s.n_damaged, 0);
    ws_review_session_close(&s);
}

/* Before, a word that is none undid the decision, and a box that is none became one of no size. */
Test(review_journal, values_that_no_review_writes_are_kept_aside)
{
    static const char *const wrong[] = {
        LINE("a.png", 1, "acepted"),
        "{\"image\":\"a.png\",\"review\":\"done\"}",
        "{\"image\":\"a.png\",\"review\":\"complete\",\"missing\":false,\"audit\":\"yes\",\"seconds\":3}",
        "{\"image\":\"a.png\",\"review\":\"complete\",\"missing\":false,\"audit\":true,\"seconds\":-3}",
        "{\"image\":\"a.png\",\"review\":\"complete\",\"missing\":1,\"audit\":true,\"seconds\":3}",
        "{\"image\":\"a.png\",\"class\":\"x\",\"id\":1,\"reviewed\":\"drawn\",\"bbox\":[1,1,4],"
        "\"review\":\"partial\"}",
        "{\"image\":\"a.png\",\"class\":3,\"id\":1,\"reviewed\":\"drawn\",\"bbox\":[1,1,4,4],"
        "\"review\":\"partial\"}",
        "{\"image\":\"a.png\",\"class\":\"x\",\"id\":1e300,\"reviewed\":\"drawn\",\"bbox\":[1,1,4,4],"
        "\"review\":\"partial\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ws_review_session s;
        wsam_review_options o;
        char text[1024];
        snprintf(text, sizeof text, "%s\n%s\n", LINE("a.png", 1, "rejected"), wrong[i]);
        write_file("review/journal.jsonl", text);
        remove(in_folder("reviewed.json"));
        open_session(&s, &o);
        cr_expect_eq(s.n_damaged, 1, "%s", wrong[i]);
        cr_expect_eq(reviewed(&s, 0), WSAM_REVIEWED_REJECTED, "%s", wrong[i]);
        ws_review_session_close(&s);
    }
}

#define REVIEWED                                                                                   \
    "{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":9,\"height\":9,\"review\":"          \
    "\"complete\",%s}],\"categories\":[{\"id\":1,\"name\":\"x\"}],\"annotations\":[]}"
#define FOUND "\"class\":\"x\",\"bbox\":[1,1,4,4]"

/* Notes about the image a.png in reviewed.json, as a review and a pilot take them. */
static void take_notes(const char *notes, wsam_status want, const char *member)
{
    ws_review_session s;
    ws_pilot_data d;
    wsam_review_options review;
    wsam_pilot_options pilot;
    wsam_error error = {0};
    char text[1024];
    snprintf(text, sizeof text, REVIEWED, notes);
    write_file("reviewed.json", text);
    wsam_review_options_default(&review);
    review.output = review.folder = in_folder("");
    cr_expect_eq(ws_review_session_open(&s, &review, &error), want, "%s: %s", notes, error.message);
    cr_expect(!member || strstr(error.message, member), "%s: %s", notes, error.message);
    if (want == WSAM_OK)
        ws_review_session_close(&s);
    wsam_pilot_options_default(&pilot);
    pilot.output = in_folder("");
    write_file("reviewed.json", text);
    *error.message = 0;
    cr_expect_eq(ws_pilot_read(&pilot, &d, &error), want, "%s: %s", notes, error.message);
    cr_expect(!member || (strstr(error.message, member) && strstr(error.message, "'a.png'")),
              "%s: %s", notes, error.message);
    if (want == WSAM_OK)
        ws_pilot_read_free(&d);
}

Test(review_journal, notes_that_no_review_writes_are_refused)
{
    static const char *const wrong[][2] = {
        {"\"audit\":\"yes\"", "'audit'"},
        {"\"audit\":2", "'audit'"},
        {"\"audit\":true,\"seconds\":\"12\"", "'seconds'"},
        {"\"audit\":true,\"seconds\":-1", "'seconds'"},
        {"\"audit\":true,\"seconds\":1e300", "'seconds'"},
        {"\"audit\":true,\"missing\":[]", "'missing'"},
        {"\"audit\":true,\"machine\":{}", "'machine'"},
        {"\"audit\":true,\"machine\":[3]", "'machine'"},
        {"\"audit\":true,\"machine\":[{" FOUND "}]", "'machine'"},
        {"\"audit\":true,\"machine\":[{" FOUND ",\"score\":1e999}]", "'machine'"},
        {"\"audit\":true,\"machine\":[{" FOUND ",\"score\":1,\"confidence\":\"1\"}]", "'machine'"},
        {"\"audit\":true,\"machine\":[{\"class\":\"x\",\"bbox\":[1,1,-4,4],\"score\":1}]",
         "'machine'"},
        {"\"audit\":true,\"machine\":[{\"class\":\"x\",\"bbox\":[1,1,4,1e7],\"score\":1}]",
         "'machine'"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        take_notes(wrong[i][0], WSAM_ERR_FORMAT, wrong[i][1]);
    take_notes("\"audit\":1,\"seconds\":0,\"machine\":[{" FOUND ",\"score\":1}]", WSAM_OK, NULL);
    take_notes("\"audit\":true,\"seconds\":12.5,\"machine\":[],\"theirs\":\"audit\"", WSAM_OK,
               NULL);
}

/* The class of an object of reviewed.json. */
static void expect_class(int64_t id, const char *name)
{
    wsam_coco_document *d;
    wsam_error error = {0};
    cr_assert_eq(wsam_coco_load(in_folder("reviewed.json"), NULL, &d, &error), WSAM_OK, "%s",
                 error.message);
    size_t found = 0;
    for (size_t i = 0; i < d->instances.n; i++)
        if (d->instances.items[i].id == id) {
            cr_expect_str_eq(d->class_names[d->instances.items[i].class_index], name);
            found++;
        }
    cr_expect_eq(found, 1);
    wsam_coco_free(d);
}

/* Before, a decision under a new name was one about a class that no label has. */
Test(review_journal, decisions_are_kept_under_the_names_of_labels)
{
    ws_review_session s;
    wsam_review_options o;
    wsam_error error = {0};
    wsam_coco_document *d;
    int64_t id;
    write_file(
        "final.json",
        "{\"info\":{\"version\":\"0\",\"parameters\":{\"renamed\":{\"x\":\"y\",\"y\":\"x\",\"gear\":\"cog\"}}},"
        "\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":9,\"height\":9}],"
        "\"categories\":[{\"id\":1,\"name\":\"y\"},{\"id\":2,\"name\":\"x\"},{\"id\":3,\"name\":\"cog\"}],"
        "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":1,\"score\":0.5,\"bbox\":[1,1,4,4]},"
        "{\"id\":2,\"image_id\":1,\"category_id\":3,\"score\":0.5,\"bbox\":[5,5,3,3]}]}");
    for (int again = 0; again < 2;
         again++) { /* what was decided is shown under the new names again */
        open_session(&s, &o);
        for (size_t k = 0; k < s.images[0].n; k++) {
            const wsam_instance *a = &s.images[0].objects[k].a;
            cr_expect_str_eq(s.classes[a->class_index], a->id == 1 ? "y" : "cog");
        }
        cr_expect_eq(s.n_classes, 3);
        for (int k = 1; k <= 2; k++) {
            const ws_review_change change = {.image = 0, .id = k, .reviewed = "accepted"};
            cr_assert_eq(ws_review_session_change(&s, &change, &id, &error), WSAM_OK, "%s",
                         error.message);
        }
        cr_assert_eq(ws_review_session_save(&s, &error), WSAM_OK, "%s", error.message);
        ws_review_session_close(&s);
        expect_class(1, "x");
        expect_class(2, "gear");
    }
    cr_assert_eq(wsam_coco_load(in_folder("final.json"), NULL, &d, &error), WSAM_OK);
    cr_assert_eq(wsam_coco_undo_renames(d, in_folder("final.json"), &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_str_eq(d->class_names[0], "x");
    cr_expect_str_eq(d->class_names[1], "y");
    cr_expect_str_eq(d->class_names[2], "gear");
    wsam_coco_free(d);
}
