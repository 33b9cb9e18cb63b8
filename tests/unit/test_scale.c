/* The simulation of runs on many machines: what must hold whatever the figures are. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "weaksam/scale.h"

static wsam_scale_options small(void)
{
    wsam_scale_options o;
    wsam_scale_options_default(&o);
    o.images = 4000;
    o.image_spread = 0;
    o.slow_share = 0;
    return o;
}

static wsam_scale_result simulate(const wsam_scale_options *o)
{
    wsam_scale_result r;
    wsam_error error = {0};
    cr_assert_eq(wsam_scale_simulate(o, &r, &error), WSAM_OK, "%s", error.message);
    return r;
}

Test(scale, one_machine_is_arithmetic)
{
    const wsam_scale_options o = small();
    const wsam_scale_result r = simulate(&o);
    cr_expect_lt(fabs(r.work_s - r.begin_s - 4000.0), 4.0, "%f", r.work_s - r.begin_s);
    cr_expect_gt(r.efficiency, 0.99);
    cr_expect_str_eq(r.limit, "compute");
    cr_expect_eq(r.stolen, 0u);
}

Test(scale, cores_are_shared)
{
    wsam_scale_options o = small();
    o.processes = 4;
    o.cores = 2;
    const wsam_scale_result r = simulate(&o);
    cr_expect_lt(fabs(r.work_s - r.begin_s - 2000.0), 40.0, "%f", r.work_s);
    o.cores = 0;
    const wsam_scale_result own = simulate(&o);
    cr_expect_lt(fabs(own.work_s - own.begin_s - 1000.0), 20.0, "%f", own.work_s);
}

Test(scale, a_slow_machine_is_helped)
{
    wsam_scale_options o = small();
    o.machines = 20;
    o.slow_share = 0.1;
    o.slow_factor = 3;
    o.seed = 5;
    const wsam_scale_result alone = simulate(&o);
    o.steal = 1;
    const wsam_scale_result helped = simulate(&o);
    cr_expect_gt(alone.work_s, 590.0, "a slow machine has 200 images of 3 s");
    cr_expect_str_eq(alone.limit, "stragglers");
    cr_expect_lt(helped.work_s, 240.0, "%f", helped.work_s);
    cr_expect_lt(helped.work_s - helped.first_s, 8.0, "nobody waits for longer than some images");
    cr_expect_gt(helped.stolen, 100u);
}

Test(scale, a_slow_server_is_the_limit)
{
    wsam_scale_options o = small();
    o.machines = 100;
    o.images = 100000;
    o.image_bytes = 5000000;
    o.server_bytes_per_s = 1e8; /* 20 images a second, of 100 that would be computed */
    o.prepared = 1;
    const wsam_scale_result r = simulate(&o);
    cr_expect_gt(r.server_busy, 0.95, "%f", r.server_busy);
    cr_expect_gt(r.work_s, 2 * 5000.0 * 0.95,
                 "every image is read twice: for its hash, and to work on it");
    cr_expect(strcmp(r.limit, "storage") == 0 || strcmp(r.limit, "start") == 0, "%s", r.limit);
}

Test(scale, looking_at_all_images_on_every_machine_costs)
{
    wsam_scale_options o = small();
    o.images = 1000000;
    o.machines = 1000;
    const wsam_scale_result each = simulate(&o);
    o.prepared = 1;
    const wsam_scale_result once = simulate(&o);
    cr_expect_gt(each.begin_s, 40 * once.begin_s, "%f and %f", each.begin_s, once.begin_s);
}

Test(scale, the_same_seed_gives_the_same)
{
    wsam_scale_options o = small();
    o.machines = 7;
    o.image_spread = 0.8;
    o.steal = 1;
    const wsam_scale_result a = simulate(&o), b = simulate(&o);
    cr_expect_eq(memcmp(&a.total_s, &b.total_s, sizeof a.total_s), 0);
    o.seed = 2;
    const wsam_scale_result c = simulate(&o);
    cr_expect_neq(memcmp(&a.total_s, &c.total_s, sizeof a.total_s), 0);
}

Test(scale, nonsense_is_refused)
{
    wsam_scale_result r;
    wsam_error error;
    wsam_scale_options o = small();
    o.images = 0;
    cr_expect_eq(wsam_scale_simulate(&o, &r, &error), WSAM_ERR_ARGUMENT);
    o = small();
    o.machines = 1000001;
    cr_expect_eq(wsam_scale_simulate(&o, &r, &error), WSAM_ERR_ARGUMENT);
    o = small();
    o.server_bytes_per_s = NAN;
    cr_expect_eq(wsam_scale_simulate(&o, &r, &error), WSAM_ERR_ARGUMENT);
}
