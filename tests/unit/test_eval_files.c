/* tests/unit/test_eval_files.c - the readers of ground truth and results: forms, names, errors. */
#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_eval.h"

#define DATA "tests/data/eval/"

static void close_to(double got, double want)
{
    cr_assert(fabs(got - want) < 1e-12, "%.17g where %.17g is wanted", got, want);
}

/* ---- VOC folders, and everything that can be asked about them ---- */

Test(voc_folder, has_the_pictures_classes_and_objects)
{
    wsam_eval_truth *t;
    wsam_error error;
    cr_assert_eq(wsam_eval_read_truth(DATA "voc", NULL, &t, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_eval_image_count(t), 3);
    cr_assert_eq(wsam_eval_object_count(t), 4); /* the head is part of a person */
    cr_assert_eq(wsam_eval_category_count(t), 20);
    cr_assert_str_eq(wsam_eval_category_name(t, 0), "aeroplane");
    cr_assert_str_eq(wsam_eval_category_name(t, 11), "dog");
    cr_assert_str_eq(wsam_eval_category_name(t, 19), "tvmonitor");
    cr_assert_null(wsam_eval_category_name(t, 20));
    wsam_eval_truth_free(t);
}

/* dog: hit, ignored (difficult), miss, hit; recall 1/2, 1/2, 1/2, 1 at 1, 1, 1/2, 2/3. person: hit.
 */
static void check_dogs(const char *dt, const char *images)
{
    wsam_eval_read_options read;
    wsam_eval_read_options_default(&read);
    read.images = images;
    outcome o = eval_files(DATA "voc", dt, WSAM_EVAL_VOC, &read, NULL);
    cr_assert_eq(o.status, WSAM_OK, "%s", o.error.message);
    close_to(o.figures->per_class[11], 0.5 + 0.5 * 2 / 3);
    close_to(o.figures->per_class[14], 1);
    close_to(o.figures->per_class[0], -1);
    close_to(o.figures->mean, (0.5 + 0.5 * 2 / 3 + 1) / 2);
    wsam_eval_figures_free(o.figures);
}

Test(voc_folder, results_in_every_form_give_the_same)
{
    check_dogs(DATA "results.json", NULL);
    check_dogs(DATA "results_by_name.json", NULL);
    check_dogs(DATA "dataset.json", NULL);
    check_dogs(DATA "results_of_images.json", DATA "images.json");
}

/* 1-based inclusive corners are COCO's boxes: IoU 1 even at 0.95. Difficult objects are ignored. */
Test(voc_folder, coco_figures)
{
    outcome o = eval_files(DATA "voc", DATA "results.json", WSAM_EVAL_BBOX, NULL, NULL);
    cr_assert_eq(o.status, WSAM_OK, "%s", o.error.message);
    close_to(o.figures->per_class[11], (51 + 50 * 2.0 / 3) / 101);
    close_to(o.figures->per_class[14], 1);
    cr_assert_eq(o.figures->objects, 3);
    wsam_eval_figures_free(o.figures);
}

Test(voc_folder, proposals)
{
    outcome o = eval_files(DATA "voc", DATA "proposals.jsonl", WSAM_EVAL_RECALL, NULL, NULL);
    cr_assert_eq(o.status, WSAM_OK, "%s", o.error.message);
    cr_assert_eq(o.figures->objects, 4);
    cr_assert_eq(o.figures->found[0], 3); /* IoU 1, 0.975, 0.5 */
    cr_assert_eq(o.figures->found[5], 2);
    close_to(o.figures->results_per_image, 1);
    wsam_eval_figures_free(o.figures);
    o = eval_files(DATA "voc", DATA "proposals.jsonl", WSAM_EVAL_VOC, NULL, NULL);
    cr_assert_eq(o.status, WSAM_ERR_MISMATCH);
    cr_assert_not_null(strstr(o.error.message, "no classes"));
}

Test(voc_folder, a_list_leaves_pictures_out)
{
    wsam_eval_read_options read;
    wsam_eval_truth *t;
    wsam_eval_results *r;
    wsam_error error;
    wsam_eval_read_options_default(&read);
    read.list = DATA "voc/list.txt";
    cr_assert_eq(wsam_eval_read_truth(DATA "voc", &read, &t, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_eval_image_count(t), 2);
    cr_assert_eq(wsam_eval_object_count(t), 2);
    cr_assert_eq(wsam_eval_read_results(t, DATA "results.json", &read, &r, &error), WSAM_OK);
    cr_assert_eq(wsam_eval_result_count(r), 3);
    cr_assert_eq(wsam_eval_result_dropped(r), 2);
    wsam_eval_results_free(r);
    cr_assert_eq(wsam_eval_read_results(t, DATA "proposals.jsonl", &read, &r, &error), WSAM_OK);
    cr_assert_eq(wsam_eval_result_count(r), 2);
    cr_assert_eq(wsam_eval_result_dropped(r), 1);
    wsam_eval_results_free(r);
    wsam_eval_truth_free(t);
}

Test(voc_folder, other_classes_are_numbered_by_alphabet)
{
    wsam_eval_truth *t;
    wsam_error error;
    cr_assert_eq(wsam_eval_read_truth(DATA "parts", NULL, &t, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_eval_category_count(t), 2);
    cr_assert_str_eq(wsam_eval_category_name(t, 0), "bolt");
    cr_assert_str_eq(wsam_eval_category_name(t, 1), "washer & nut");
    wsam_eval_truth_free(t);
}

/* ---- numbers in any locale ---- */

Test(records, numbers_do_not_depend_on_the_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    size_t i = 0;
    while (i < 4 && !setlocale(LC_NUMERIC, names[i]))
        i++;
    if (i == 4)
        cr_skip_test("there is no locale with a decimal comma here");
    check_dogs(DATA "results.json", NULL);
    setlocale(LC_NUMERIC, "C");
}

/* Hashes of 64 bits and names as ids: pycocotools takes them all. */
Test(records, ids_are_opaque)
{
    static const char *const ids[] = {
        "1",           "9007199254740993", "13835058055282163712", "-9223372036854775807",
        "'0000001_d'", "'caf\\udce9'"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        for (int bom = 0; bom < 2; bom++) {
            char gt[512], dt[256];
            snprintf(gt, sizeof gt,
                     "%s{'images':[{'id':%s,'width':9,'height':9},{'id':9007199254740992}],"
                     "'categories':[{'id':%s,'name':'x'}],'annotations':[{'id':%s,'image_id':%s,"
                     "'category_id':%s,'area':16,'bbox':[1,1,4,4]}]}",
                     bom ? "\xef\xbb\xbf" : "", ids[i], ids[i], ids[i], ids[i], ids[i]);
            snprintf(dt, sizeof dt,
                     "%s[{'image_id':%s,'category_id':%s,'score':0.5,'bbox':[1,1,4,4]}]",
                     bom ? "\xef\xbb\xbf" : "", ids[i], ids[i]);
            outcome o = eval_texts(gt, dt, WSAM_EVAL_BBOX, NULL);
            cr_expect_eq(o.status, WSAM_OK, "%s: %s", ids[i], o.error.message);
            if (!o.status) {
                close_to(o.figures->coco[WSAM_EVAL_AP], 1);
                wsam_eval_figures_free(o.figures);
            }
        }
}

Test(records, long_numbers_are_the_nearest_doubles)
{
    static const char gt[] = "{'images':[{'id':1}],'categories':[{'id':1,'name':'x'}],"
                             "'annotations':[{'id':1,'image_id':1,'category_id':1,'area':1e2,"
                             "'bbox':[0.1234567890123456789,-12345.678901234567,1e1,10]}]}";
    static const char dt[] = "[{'image_id':1,'category_id':1,'score':-1.5E-3,'bbox':"
                             "[1.234567890123456789e-1,-1.2345678901234567e4,10.000,1.0e+1]}]";
    outcome o = eval_texts(gt, dt, WSAM_EVAL_BBOX, NULL);
    cr_assert_eq(o.status, WSAM_OK, "%s", o.error.message);
    close_to(o.figures->coco[WSAM_EVAL_AP], 1);
    wsam_eval_figures_free(o.figures);
}

/* ---- errors ---- */

#define CATEGORIES "'categories':[{'id':1,'name':'x'}]"
#define GT(images, annotations)                                                                    \
    "{'images':[" images "]," CATEGORIES ",'annotations':[" annotations "]}"
#define IMAGE                   "{'id':1,'height':8,'width':9,'file_name':'a.jpg'}"
#define ANNOTATION              "'image_id':1,'category_id':1,'bbox':[0,0,2,2],'area':4"
#define GOOD                    GT(IMAGE, "{'id':1," ANNOTATION ",'segmentation':[[0,0,2,0,2,2,0,2]]}")
#define WITH_MASK(segmentation) GT(IMAGE, "{'id':1," ANNOTATION ",'segmentation':" segmentation "}")

typedef struct refusal {
    const char *gt, *dt;
    wsam_eval_kind kind;
    const char *words;
} refusal;

static void refuse_all(const refusal *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const outcome o = eval_texts(list[i].gt, list[i].dt, list[i].kind, NULL);
        cr_assert_neq(o.status, WSAM_OK, "%s\n%s", list[i].gt, list[i].dt);
        cr_assert(strstr(o.error.message, list[i].words), "'%s' is not in: %s", list[i].words,
                  o.error.message);
        cr_assert(strstr(o.error.message, "weaksam-eval-") || strstr(o.error.message, "eval:"),
                  "no file in: %s", o.error.message);
    }
}

Test(errors, of_ground_truth)
{
    static const refusal list[] = {
        {"", "[]", WSAM_EVAL_BBOX, "not valid JSON"},
        {"5", "[]", WSAM_EVAL_BBOX, "neither a list nor an object"},
        {"[]", "[]", WSAM_EVAL_BBOX, "a list where a data set"},
        {"{'images':[}", "[]", WSAM_EVAL_BBOX, "not valid JSON at byte"},
        {"{'images':[", "[]", WSAM_EVAL_BBOX, "not valid JSON"},
        {"{'images':[],'annotations':[]}", "[]", WSAM_EVAL_BBOX, "no list 'categories'"},
        {"{'images':{},'annotations':[]}", "[]", WSAM_EVAL_BBOX, "'images' is not a list"},
        {"{'images':[3]}", "[]", WSAM_EVAL_BBOX, "element 0 of images is not an object"},
        {"{'images':[],'images':[]}", "[]", WSAM_EVAL_BBOX, "'images' is there twice"},
        {GT("{}", ""), "[]", WSAM_EVAL_BBOX, "images[0]: no 'id'"},
        {GT("{'id':1.5}", ""), "[]", WSAM_EVAL_BBOX, "'id' is not a whole number"},
        {GT("{'id':1},{'id':2},{'id':1}", ""), "[]", WSAM_EVAL_BBOX,
         "images[2] has the id of images[0]"},
        {GT(IMAGE, "{" ANNOTATION "}"), "[]", WSAM_EVAL_BBOX, "annotations[0]: no 'id'"},
        {GT(IMAGE, "{'id':1," ANNOTATION "},{'id':1," ANNOTATION "}"), "[]", WSAM_EVAL_BBOX,
         "annotations[1] has the id of annotations[0]"},
        {GT(IMAGE, "{'id':1," ANNOTATION ",'area':4}"), "[]", WSAM_EVAL_BBOX,
         "'area' is there twice"},
        {GT(IMAGE, "{'id':1,'image_id':2,'category_id':1,'bbox':[0,0,1,1]}"), "[]", WSAM_EVAL_BBOX,
         "image_id 2 is not among the images"},
        {GT(IMAGE, "{'id':1,'image_id':1,'category_id':2,'bbox':[0,0,1,1]}"), "[]", WSAM_EVAL_BBOX,
         "category_id 2 is not among the categories"},
        {GT(IMAGE, "{'id':1,'image_id':1,'category_id':1,'bbox':[0,0,1]}"), "[]", WSAM_EVAL_BBOX,
         "'bbox' is not a list of four numbers"},
        {GT(IMAGE, "{'id':1,'image_id':1,'category_id':1,'bbox':[0,0,1,'2']}"), "[]",
         WSAM_EVAL_BBOX, "'bbox' is not a list of four numbers"},
        {GT(IMAGE, "{'id':1,'image_id':1,'category_id':1,'bbox':[0,0,-1,2]}"), "[]", WSAM_EVAL_BBOX,
         "negative width"},
        {GT(IMAGE, "{'id':1,'image_id':1,'category_id':1,'bbox':[0,0,1,1]}"), "[]", WSAM_EVAL_BBOX,
         "annotation 1 has no 'area'"},
        {GT(IMAGE, "{'id':0," ANNOTATION "}"), "[]", WSAM_EVAL_BBOX, "has the id 0"},
        {"{'images':[],'categories':[{'id':1}],'annotations':[]}", "[]", WSAM_EVAL_BBOX,
         "categories[0]: no 'name'"},
        {"{'images':[],'categories':[{'id':1,'name':'x'},{'id':2,'name':'x'}],'annotations':[]}",
         "[]", WSAM_EVAL_BBOX, "two categories are named 'x'"},
        {"{'images':[],'categories':[{'id':1,'name':'x\\u0000y'}],'annotations':[]}", "[]",
         WSAM_EVAL_BBOX, "zero bytes"}};
    refuse_all(list, sizeof list / sizeof list[0]);
}

Test(errors, of_masks)
{
    static const refusal list[] = {
        {GT(IMAGE, "{'id':1," ANNOTATION "}"), "[]", WSAM_EVAL_SEGM, "no 'segmentation'"},
        {WITH_MASK("'x'"), "[]", WSAM_EVAL_SEGM, "'segmentation' is not polygons or run lengths"},
        {WITH_MASK("[]"), "[]", WSAM_EVAL_SEGM, "an empty segmentation"},
        {WITH_MASK("[[0,0,5,5]]"), "[]", WSAM_EVAL_SEGM, "takes it for a box"},
        {WITH_MASK("[[0,0,5,5,3]]"), "[]", WSAM_EVAL_SEGM, "a polygon of 5 numbers"},
        {WITH_MASK("[[0,0,5,5,3,1e9]]"), "[]", WSAM_EVAL_SEGM, "far outside"},
        {WITH_MASK("[0,0,5,5,3,1]"), "[]", WSAM_EVAL_SEGM, "'segmentation' is not"},
        {WITH_MASK("{'counts':[72]}"), "[]", WSAM_EVAL_SEGM, "'size' is not [height,width]"},
        {WITH_MASK("{'size':[8,9,1],'counts':[72]}"), "[]", WSAM_EVAL_SEGM, "'segmentation'"},
        {WITH_MASK("{'size':[9,8],'counts':[72]}"), "[]", WSAM_EVAL_SEGM,
         "size is 8 x 9, the image's 9 x 8"},
        {WITH_MASK("{'size':[8,9],'counts':[71]}"), "[]", WSAM_EVAL_SEGM, "sum less"},
        {WITH_MASK("{'size':[8,9],'counts':[-1,73]}"), "[]", WSAM_EVAL_SEGM, "run length 0"},
        {WITH_MASK("{'size':[8,9],'counts':'zz'}"), "[]", WSAM_EVAL_SEGM, "run lengths: damaged"},
        {WITH_MASK("{'size':[8,9]}"), "[]", WSAM_EVAL_SEGM, "no 'counts'"},
        {GT("{'id':1}", "{'id':1," ANNOTATION ",'segmentation':[[0,0,2,0,2,2]]}"), "[]",
         WSAM_EVAL_SEGM, "without height and width"},
        {GT("{'id':1}",
            "{'id':1," ANNOTATION ",'segmentation':{'size':[65536,65536],'counts':[4294967296]}}"),
         "[]", WSAM_EVAL_SEGM, "the limit is"}};
    refuse_all(list, sizeof list / sizeof list[0]);
}

Test(errors, of_results)
{
    static const refusal list[] = {
        {GOOD, "", WSAM_EVAL_BBOX, "the file is empty"},
        {GOOD, " \n", WSAM_EVAL_BBOX, "the file is empty"},
        {GOOD, "x", WSAM_EVAL_BBOX, "neither a results list"},
        {GOOD, "[]]", WSAM_EVAL_BBOX, "not valid JSON"},
        {GOOD, "[[]]", WSAM_EVAL_BBOX, "element 0 of results is not an object"},
        {GOOD, "[] []", WSAM_EVAL_BBOX, "'results' is there twice"},
        {GOOD, "[{'category_id':1,'bbox':[0,0,1,1],'score':1}]", WSAM_EVAL_BBOX,
         "results[0]: no 'image_id'"},
        {GOOD, "[{'image_id':1,'bbox':[0,0,1,1],'score':1}]", WSAM_EVAL_BBOX, "no 'category_id'"},
        {GOOD, "[{'image_id':1,'category_id':1,'bbox':[0,0,1,1]}]", WSAM_EVAL_BBOX, "no 'score'"},
        {GOOD, "[{'image_id':1,'category_id':1,'score':1e999,'bbox':[0,0,1,1]}]", WSAM_EVAL_BBOX,
         "'score' is not a number"},
        {GOOD, "[{'image_id':1,'category_id':1,'score':1}]", WSAM_EVAL_BBOX, "no 'bbox'"},
        {GOOD, "[{'image_id':1,'category_id':1,'score':1,'bbox':[0,0,1,1]}]", WSAM_EVAL_SEGM,
         "no 'segmentation'"},
        {GOOD, "[{'image_id':2,'category_id':1,'bbox':[0,0,1,1],'score':1}]", WSAM_EVAL_BBOX,
         "image_id 2 is not among"},
        {GOOD, "[{'image_id':'b','category_id':1,'bbox':[0,0,1,1],'score':1}]", WSAM_EVAL_BBOX,
         "the image 'b' is not in"},
        {GOOD, "[{'image_id':1,'category_id':9,'bbox':[0,0,1,1],'score':1}]", WSAM_EVAL_BBOX,
         "category_id 9 is not among"},
        {GOOD, "[{'image_id':1,'category_id':'y','bbox':[0,0,1,1],'score':1}]", WSAM_EVAL_BBOX,
         "the class 'y' is not in"},
        {GOOD, "[{'image_id':1,'category_id':1,'bbox':[0,0,1,-1],'score':1}]", WSAM_EVAL_BBOX,
         "negative width or height"},
        {GOOD, "{'annotations':[],'images':[]}", WSAM_EVAL_BBOX, "no list 'categories'"},
        {GOOD, "{'annotations':[],'images':[{'id':1}]," CATEGORIES "}", WSAM_EVAL_BBOX,
         "images[0]: no 'file_name'"},
        {GOOD,
         "{'annotations':[],'images':[{'id':1,'file_name':'a.jpg'},{'id':2,'file_name':'a.png'}]"
         "," CATEGORIES "}",
         WSAM_EVAL_BBOX, "are both 'a.jpg'"},
        {GOOD,
         "{'annotations':[{'image_id':4,'category_id':1,'bbox':[0,0,1,1],'score':1}],"
         "'images':[{'id':4,'file_name':'c.jpg'}]," CATEGORIES "}",
         WSAM_EVAL_BBOX, "image_id 4 is not in"},
        {GOOD,
         "{'annotations':[{'image_id':4,'category_id':7,'bbox':[0,0,1,1],'score':1}],"
         "'images':[{'id':4,'file_name':'a.jpg'}],'categories':[{'id':7,'name':'y'}]}",
         WSAM_EVAL_BBOX, "category_id 7 is not in"},
        {GT("{'id':1,'file_name':'p/a.jpg'},{'id':2,'file_name':'q/a.jpg'}", ""),
         "{'image':'a.jpg','proposals':[]}", WSAM_EVAL_RECALL, "there several times in"},
        {GOOD, "{}", WSAM_EVAL_RECALL, "no 'image'"},
        {GOOD, "{'image':3,'proposals':[]}", WSAM_EVAL_RECALL, "'image' is not a string"},
        {GOOD, "{'image':'b.jpg','proposals':[]}", WSAM_EVAL_RECALL, ":1: the image 'b.jpg'"},
        {GOOD, "{'image':'a.jpg','proposals':[]}\n{'image':'a.jpg','proposals':[]}\n",
         WSAM_EVAL_RECALL, ":2: the image 'a.jpg' is there twice"},
        {GOOD, "{'image':'a.jpg','proposals':[{'box':[0,0,1,1]},\n{}]}", WSAM_EVAL_RECALL,
         ":2: proposals[1]: no 'box'"},
        {GOOD, "{'image':'a.jpg','proposals':[{'box':[9,0,1,1]}]}", WSAM_EVAL_RECALL,
         "ends before it begins"}};
    refuse_all(list, sizeof list / sizeof list[0]);
}

Test(errors, of_nesting)
{
    char deep[512] = "{'x':";
    memset(deep + 5, '[', 100);
    deep[105] = 0;
    const outcome o = eval_texts(deep, "[]", WSAM_EVAL_BBOX, NULL);
    cr_assert_eq(o.status, WSAM_ERR_LIMIT);
}

static void refuse_truth(const char *path, const wsam_eval_read_options *read, const char *words)
{
    wsam_eval_truth *t = NULL;
    wsam_error error;
    cr_assert_neq(wsam_eval_read_truth(path, read, &t, &error), WSAM_OK);
    cr_assert_null(t);
    cr_assert(strstr(error.message, words), "'%s' is not in: %s", words, error.message);
}

Test(errors, of_lists_and_folders)
{
    wsam_eval_read_options read;
    wsam_eval_read_options_default(&read);
    refuse_truth("/nowhere/gt.json", NULL, "No such file");
    refuse_truth(DATA, NULL, "no .xml files");
    read.masks = 1;
    refuse_truth(DATA "voc", &read, "have no masks");
    read.masks = 0;
    char *list = eval_file("000001\n\n000004\n", 15);
    read.list = list;
    refuse_truth(DATA "voc", &read, ":3: '000004' is not among the images");
    eval_drop_file(list);
    list = eval_file("000001\n000001.jpg 1\n", 20);
    read.list = list;
    refuse_truth(DATA "voc", &read, ":2: '000001.jpg 1' is there twice");
    eval_drop_file(list);
}

/* A folder with one annotation. */
static void refuse_xml(const char *text, const char *words)
{
    char folder[] = "/tmp/weaksam-voc-XXXXXX", path[64];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.xml", folder);
    FILE *f = fopen(path, "wb");
    fputs(text, f);
    fclose(f);
    refuse_truth(folder, NULL, words);
    remove(path);
    rmdir(folder);
}

#define XML_BOX(x0, x1)                                                                            \
    "<bndbox><xmin>" x0 "</xmin><ymin>1</ymin><xmax>" x1 "</xmax><ymax>9</ymax></bndbox>"
#define XML_OBJECT(inside) "<annotation>\n<object>" inside "</object></annotation>"

Test(errors, of_xml)
{
    refuse_xml("", "is empty");
    refuse_xml("<annotation>", "a.xml:1: not valid XML");
    refuse_xml("<data/>", "the root is not 'annotation'");
    refuse_xml("<!DOCTYPE a [<!ENTITY x \"y\">]>\n<annotation/>", "a document type");
    refuse_xml("<!DOCTYPE annotation SYSTEM \"http://example.com/x\"><annotation/>",
               "a document type");
    refuse_xml("<annotation>&x;</annotation>", "not valid XML (undefined entity)");
    refuse_xml(XML_OBJECT("<name>dog</name>"), "a.xml:2: an object without");
    refuse_xml(XML_OBJECT(XML_BOX("1", "5")), "an object without");
    refuse_xml(XML_OBJECT("<name> </name>" XML_BOX("1", "5")), "an empty class name");
    refuse_xml(XML_OBJECT("<name>dog</name>" XML_BOX("x", "5")), "not a number");
    refuse_xml(XML_OBJECT("<name>dog</name>" XML_BOX("nan", "5")), "not a number");
    refuse_xml(XML_OBJECT("<name>dog</name>" XML_BOX("7", "5")), "ends before it begins");
    refuse_xml(XML_OBJECT("<name>dog</name><name>cat</name>" XML_BOX("1", "5")), "twice");
}

Test(errors, of_options)
{
    static const double many[7] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}, wrong = 1.5;
    wsam_eval_options options;
    wsam_eval_options_default(&options);
    options.ious = many;
    options.n_ious = 7;
    outcome o = eval_texts(GOOD, "[]", WSAM_EVAL_BBOX, &options);
    cr_assert_eq(o.status, WSAM_ERR_ARGUMENT);
    options.ious = &wrong;
    options.n_ious = 1;
    o = eval_texts(GOOD, "[]", WSAM_EVAL_VOC, &options);
    cr_assert_eq(o.status, WSAM_ERR_ARGUMENT);
}
