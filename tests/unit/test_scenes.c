/* tests/unit/test_scenes.c - the picture maker: what a scene says of itself is what it shows. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/coco.h"
#include "demo/drawing/view.h"
#include "weaksam/weaksam.h"

static const demo_options plain = {.distractors = 0.3f};

Test(scenes, the_same_seed_gives_the_same_picture)
{
    demo_scene a, b, c;
    cr_assert(demo_scene_draw(17, &plain, &a) && demo_scene_draw(17, &plain, &b));
    cr_assert(demo_scene_draw(18, &plain, &c));
    const size_t pixels = (size_t)a.width * (size_t)a.height;
    cr_assert_eq(a.width, b.width);
    cr_assert(memcmp(a.rgb, b.rgb, 3 * pixels) == 0);
    cr_assert(memcmp(a.ids, b.ids, pixels) == 0);
    cr_assert_eq(a.n, b.n);
    cr_assert(c.width != a.width || c.height != a.height || memcmp(a.rgb, c.rgb, 3 * pixels) != 0);
    demo_scene_free(&a);
    demo_scene_free(&b);
    demo_scene_free(&c);
}

static void check_instances(const demo_scene *s)
{
    for (int i = 0; i < s->n; i++) {
        const demo_instance *at = &s->instances[i];
        int64_t area = 0;
        int box[4] = {s->width, s->height, -1, -1};
        for (int y = 0; y < s->height; y++)
            for (int x = 0; x < s->width; x++)
                if (s->ids[(long)y * s->width + x] == i + 1) {
                    area++;
                    box[0] = x < box[0] ? x : box[0];
                    box[1] = y < box[1] ? y : box[1];
                    box[2] = x > box[2] ? x : box[2];
                    box[3] = y > box[3] ? y : box[3];
                }
        cr_assert_eq(area, at->area);
        cr_assert_geq(area, 16);
        cr_assert_arr_eq(box, at->box, sizeof box);
        cr_assert_eq(s->ids[(long)at->inner[1] * s->width + at->inner[0]], i + 1);
        cr_assert_lt((int)at->kind, (int)DEMO_PARTS);
    }
}

Test(scenes, boxes_areas_and_inner_points_are_those_of_the_id_map)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        demo_scene s;
        cr_assert(demo_scene_draw(seed, &plain, &s));
        check_instances(&s);
        demo_scene_free(&s);
    }
}

/* Photographs draw from a stream of their own: whoever is none looks as it did without the option. */
Test(scenes, a_share_of_photographs_leaves_the_others_as_they_were)
{
    demo_options o = plain;
    o.photographic = 0.5f;
    int same = 0, changed = 0;
    for (uint64_t seed = 100; seed < 112; seed++) {
        demo_scene a, b;
        cr_assert(demo_scene_draw(seed, &plain, &a) && demo_scene_draw(seed, &o, &b));
        const size_t bytes = 3 * (size_t)a.width * (size_t)a.height;
        const int equal = a.jpeg_bytes == b.jpeg_bytes && a.width == b.width &&
                          memcmp(a.rgb, b.rgb, bytes) == 0 && memcmp(a.ids, b.ids, bytes / 3) == 0;
        same += equal;
        changed += !equal;
        demo_scene_free(&a);
        demo_scene_free(&b);
    }
    cr_assert_gt(same, 2);
    cr_assert_gt(changed, 2);
}

Test(scenes, photographs_are_the_same_twice_and_know_their_instances)
{
    demo_options o = plain;
    o.photographic = 1;
    for (uint64_t seed = 0; seed < 6; seed++) {
        demo_scene a, b;
        cr_assert(demo_scene_draw(seed, &o, &a) && demo_scene_draw(seed, &o, &b));
        cr_assert(memcmp(a.rgb, b.rgb, 3 * (size_t)a.width * (size_t)a.height) == 0);
        check_instances(&a);
        demo_scene_free(&a);
        demo_scene_free(&b);
    }
}

Test(scenes, classes_that_are_left_out_do_not_appear)
{
    demo_options o = plain;
    o.without = ~(1u << DEMO_GEAR);
    int gears = 0;
    for (uint64_t seed = 100; seed < 110; seed++) {
        demo_scene s;
        cr_assert(demo_scene_draw(seed, &o, &s));
        for (int i = 0; i < s.n; i++)
            cr_assert_eq(s.instances[i].kind, DEMO_GEAR);
        gears += s.n;
        demo_scene_free(&s);
    }
    cr_assert_gt(gears, 10);
}

Test(scenes, the_jpeg_is_the_picture)
{
    demo_scene s;
    wsam_picture picture;
    wsam_error error;
    cr_assert(demo_scene_draw(5, &plain, &s));
    cr_assert_eq(wsam_picture_decode(s.jpeg, s.jpeg_bytes, NULL, &picture, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(picture.width, s.width);
    for (int y = 0; y < s.height; y++)
        cr_assert(memcmp(picture.pixels + (size_t)y * picture.stride,
                         s.rgb + (size_t)y * (size_t)s.width * 3, (size_t)s.width * 3) == 0);
    wsam_picture_free(&picture);
    demo_scene_free(&s);
}

Test(scenes, run_lengths_hold_the_instance)
{
    demo_scene s;
    wsam_error error;
    cr_assert(demo_scene_draw(40, &plain, &s));
    cr_assert_gt(s.n, 0);
    char *counts = demo_instance_counts(&s, 0);
    cr_assert_not_null(counts);
    uint32_t runs[20000];
    wsam_rle rle = {s.height, s.width, 0, 20000, runs};
    cr_assert_eq(wsam_rle_from_string(counts, strlen(counts), &rle, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq((int64_t)wsam_rle_area(&rle), s.instances[0].area);
    free(counts);
    demo_scene_free(&s);
}

Test(scenes, a_view_is_the_picture_as_the_model_gets_it)
{
    enum { SIDE = 128 };
    static uint8_t rgb[SIDE * SIDE * 3], ids[SIDE * SIDE];
    int content[2], kinds[DEMO_MOST];
    const int n = demo_view(40, &plain, SIDE, rgb, ids, content, kinds);
    cr_assert_gt(n, 0);
    cr_assert(content[0] == SIDE || content[1] == SIDE);
    int seen = 0;
    for (int k = 0; k < SIDE * SIDE; k++) {
        seen |= ids[k] == 1;
        cr_assert_leq(ids[k], n);
        if (k % SIDE >= content[0] || k / SIDE >= content[1])
            cr_assert_eq(ids[k], 0);
    }
    cr_assert(seen);
}

/* ---- other sets ------------------------------------------------------------------------------ */

static uint64_t hash_of(const uint8_t *bytes, size_t n)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 1099511628211u;
    return h;
}

/* The ten parts are drawn as they were before others came: ids of three scenes, byte for byte. */
Test(scenes, old_scenes_stay_as_they_were)
{
    static const uint64_t want[3] = {0xd6e5386cbac1a0afu, 0x740f5e5335611b9eu, 0xa023deff4ecd92f4u};
    for (uint64_t i = 0; i < 3; i++) {
        demo_scene s;
        cr_assert(demo_scene_draw(77 + i, &plain, &s));
        cr_expect_eq(hash_of(s.ids, (size_t)s.width * (size_t)s.height), want[i], "seed %d: %#llx",
                     77 + (int)i,
                     (unsigned long long)hash_of(s.ids, (size_t)s.width * (size_t)s.height));
        demo_scene_free(&s);
    }
}

/* Six classes, at most two of them in a picture, each in a sixth to a third of the pictures. */
Test(scenes, new_classes)
{
    enum { SCENES = 60 };
    const demo_options o = {.set = DEMO_NEW, .classes = 2, .distractors = 0.3f};
    int with[DEMO_NEW_PARTS] = {0};
    for (uint64_t seed = 0; seed < SCENES; seed++) {
        demo_scene s;
        unsigned seen = 0;
        cr_assert(demo_scene_draw(seed, &o, &s));
        for (int i = 0; i < s.n; i++) {
            cr_assert_geq((int)s.instances[i].kind, (int)DEMO_HINGE);
            cr_assert_lt((int)s.instances[i].kind, (int)DEMO_KINDS);
            seen |= 1u << ((int)s.instances[i].kind - (int)DEMO_HINGE);
        }
        cr_expect_leq(__builtin_popcount(seen), 2);
        for (int k = 0; k < (int)DEMO_NEW_PARTS; k++)
            with[k] += seen >> k & 1;
        demo_scene_free(&s);
    }
    for (int k = 0; k < (int)DEMO_NEW_PARTS; k++)
        cr_expect(with[k] >= SCENES / 10 && with[k] <= SCENES * 2 / 5, "class %d in %d of %d", k,
                  with[k], SCENES);
}

/* Sound parts have no instances; defects have masks of their own, and all kinds occur. */
Test(scenes, defects)
{
    const demo_options sound = {.set = DEMO_INSPECTED}, bad = {.set = DEMO_INSPECTED, .defects = 1};
    int found[DEMO_DEFECTS] = {0}, missed = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        demo_scene s;
        if (seed < 8) {
            cr_assert(demo_scene_draw(seed, &sound, &s));
            cr_expect_eq(s.n, 0);
            demo_scene_free(&s);
        }
        cr_assert(demo_scene_draw(seed, &bad, &s));
        missed += s.n == 0;
        cr_expect_leq(s.n, 3);
        for (int i = 0; i < s.n; i++) {
            cr_assert_eq((int)s.instances[i].kind, (int)DEMO_DEFECT);
            cr_assert(s.instances[i].defect > DEMO_SOUND && s.instances[i].defect < DEMO_DEFECTS);
            cr_expect_geq(s.instances[i].area, 16);
            found[s.instances[i].defect]++;
        }
        demo_scene_free(&s);
    }
    cr_expect_leq(missed, 1);
    for (int k = 1; k < (int)DEMO_DEFECTS; k++)
        cr_expect_gt(found[k], 0, "%s never occurs", demo_defect_names[k]);
}
