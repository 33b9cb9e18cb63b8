/* Numbers of files in a host program whose locale has a decimal comma. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/report/report.h"
#include "tests/util/suite_folder.h"
#include "weaksam/dataset.h"

static void begin(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    size_t i = 0;
    char text[8];
    while (i < 4 && !setlocale(LC_NUMERIC, names[i]))
        i++;
    if (i == 4)
        cr_skip_test("there is no locale with a decimal comma here");
    snprintf(text, sizeof text, "%.1f", 0.5);
    cr_assert_str_eq(text, "0,5");
    make_folder();
}

TestSuite(comma, .init = begin, .fini = remove_folder);

Test(comma, numbers_of_a_judgement_on_the_page)
{
    char *page = NULL;
    size_t n;
    wsam_error error = {0};
    write_file("j.json", "{\"map\":0.75,\"folds\":3,\"judged\":12,\"pictures\":12,\"classes\":[{"
                         "\"class\":\"bolt\",\"pictures\":6,\"ap\":0.5,\"low\":0.25,\"high\":0.875,"
                         "\"sentence\":\"well\"}]}");
    FILE *f = open_memstream(&page, &n);
    cr_assert_eq(ws_report_judgement(in_folder("j.json"), f, &error), WSAM_OK, "%s", error.message);
    fclose(f);
    cr_expect(strstr(page, "precision: 0.75."), "%s", page);
    cr_expect(strstr(page, "0.50 (0.25 to 0.88)"), "%s", page);
    free(page);
}

Test(comma, numbers_of_boxes_in_text_files)
{
    wsam_labels *l;
    wsam_error error = {0};
    mkdir(in_folder("p"), 0777);
    mkdir(in_folder("t"), 0777);
    write_file("p/a.png", "x");
    write_file("t/classes.txt", "bolt\nnut\n");
    write_file("t/a.txt", "1 0.5 0.5 0.25 0.25\n");
    cr_assert_eq(wsam_labels_load(in_folder("t"), in_folder("p"), NULL, &l, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect(l->n_classes == 1 && !strcmp(l->names[0], "nut"), "'%s'", l->names[0]);
    wsam_labels_free(l);
}
