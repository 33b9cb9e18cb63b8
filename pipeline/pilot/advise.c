/* pipeline/pilot/advise.c - see advise.h. */
#include "pipeline/pilot/advise.h"

#include <math.h>
#include <string.h>

/* From here on an interval is about 10 points to either side, which decides most questions. */
enum { ENOUGH_IMAGES = 50, MANY_UNTIMED = 2 };

void ws_advise_put_share(ws_text *t, const ws_figure *f)
{
    if (f->few)
        ws_text_printf(t, "too few");
    else
        ws_text_printf(t, "%.0f %% (%.0f to %.0f)", 100 * f->value, 100 * f->low, 100 * f->high);
}

void ws_advise_put_rate(ws_text *t, const ws_figure *f)
{
    if (f->few)
        ws_text_printf(t, "too few");
    else
        ws_text_printf(t, "%.3g (%.2g to %.2g)", f->value, f->low, f->high);
}

/* ---- in short ---- */

void ws_advise_short(const ws_pilot_facts *f, ws_text *t)
{
    const ws_pilot_sample *s = &f->data.sample;
    const ws_outcome_figures *e = &f->everything;
    ws_text_printf(t,
                   "%zu images of the random sample are complete, with %.0f objects; the machine "
                   "found %zu things on them.\n",
                   s->n_pictures, e->n_objects, s->n);
    if (e->precision.few)
        ws_text_printf(t, "That is too little to say how often it is right.\n");
    else
        ws_text_printf(
            t,
            "If you take all it finds, %.0f of 100 are right (between %.0f and %.0f with 95 "
            "%% certainty), and %.0f of 100 objects are found (%.0f to %.0f).\n",
            100 * e->precision.value, 100 * e->precision.low, 100 * e->precision.high,
            100 * e->recall.value, 100 * e->recall.low, 100 * e->recall.high);
    if (f->timed >= WS_PILOT_FEW && f->hours_saved.low > 0)
        ws_text_printf(
            t,
            "Looking through %llu images would take %.0f hours (%.0f to %.0f), drawing them by hand "
            "%.0f at %.0f seconds an object: it saves %.0f hours (%.0f to %.0f).\n",
            (unsigned long long)f->o->images, f->hours_of_review.value, f->hours_of_review.low,
            f->hours_of_review.high, f->hours_by_hand.value, f->o->seconds_per_mask,
            f->hours_saved.value, f->hours_saved.low, f->hours_saved.high);
    else if (f->timed >= WS_PILOT_FEW)
        ws_text_printf(
            t,
            "Looking takes %.0f seconds an image (%.0f to %.0f); whether that saves time over drawing "
            "by hand, at %.0f seconds an object, these images do not show.\n",
            f->seconds.value, f->seconds.low, f->seconds.high, f->o->seconds_per_mask);
}

void ws_advise_say_rule(const ws_pilot_facts *f, const ws_pilot_rule *r, ws_text *t)
{
    const ws_outcome_figures *g = &r->figures;
    const double all = (double)f->o->images;
    if (r->bands.accept > r->bands.drop)
        ws_text_printf(
            t,
            "Take what is right with a probability of at least %.2f, look at what is between %.2f and "
            "that, drop the rest. ",
            r->bands.accept, r->bands.drop);
    else
        ws_text_printf(t, "Take what is right with a probability of at least %.2f, drop the rest. ",
                       r->bands.accept);
    if (g->precision.few)
        ws_text_printf(t, "Fewer than ten detections of the sample are taken unseen. ");
    else
        ws_text_printf(t, "Of what nobody sees, %.1f %% is wrong (%.1f to %.1f). ",
                       100 - 100 * g->precision.value, 100 - 100 * g->precision.high,
                       100 - 100 * g->precision.low);
    if (r->bands.accept > r->bands.drop)
        ws_text_printf(t, "Of the next %llu images a person sees %.0f (%.0f to %.0f).",
                       (unsigned long long)f->o->images, all * g->viewed.value, all * g->viewed.low,
                       all * g->viewed.high);
    if (r->bands.accept > r->bands.drop && f->timed >= WS_PILOT_FEW)
        ws_text_printf(t, " That is at most %.0f hours (%.0f to %.0f).", r->hours_of_looking.value,
                       r->hours_of_looking.low, r->hours_of_looking.high);
    else if (!(r->bands.accept > r->bands.drop) && r->costs.look > 0)
        ws_text_printf(t, "Looking costs more than it saves.");
    ws_text_printf(t, "\n");
}

/* ---- what to do next ---- */

static void advise_size(const ws_pilot_facts *f, ws_text *t)
{
    const size_t n = f->data.sample.n_pictures;
    if (n < ENOUGH_IMAGES)
        ws_text_printf(
            t,
            "Review about %zu more images in the order of the page; %d of the sample make most "
            "intervals narrow enough to decide, and half as wide an interval takes four times as many.\n",
            (ENOUGH_IMAGES - n) * 5 / 2, (int)ENOUGH_IMAGES);
    if (f->data.unfinished)
        ws_text_printf(
            t,
            "%zu images of the sample are begun and not complete. Finish them first: if they are the "
            "hard ones, these figures are too good.\n",
            f->data.unfinished);
    if (f->data.open_journal)
        ws_text_printf(
            t,
            "Some decisions are in the journal of a review alone and not counted: start weaksam review "
            "and end it with Ctrl-C, then make this page again.\n");
    if (f->data.held_out)
        ws_text_printf(
            t,
            "A head has learnt from the review since: --detections OUT/learn/held_out.json judges it, by "
            "images that it had not seen.\n");
    if (f->data.without_record)
        ws_text_printf(
            t,
            "For %zu images there is no record of what the machine had found; corrected boxes count as "
            "missed there, and changed classes as right.\n",
            f->data.without_record);
    if (f->timed * MANY_UNTIMED < n)
        ws_text_printf(t, "For most images no time of looking was measured: hours are left out.\n");
}

/* Objects that no threshold brings back. */
static void advise_unreached(const ws_pilot_facts *f, ws_text *t)
{
    double unfound = 0, small = 0;
    for (size_t c = 0; c < f->data.sample.n_classes; c++) {
        unfound += f->data.classes[c].unfound;
        small += f->data.classes[c].small_unfound;
    }
    if (unfound < 0.1 * f->everything.n_objects || unfound < WS_PILOT_FEW)
        return;
    ws_text_printf(
        t,
        "No detection hits %.0f of %.0f objects, so no threshold brings them back: try a denser "
        "grid (--points-per-side), a lower --keep, or more labelled images.",
        unfound, f->everything.n_objects);
    if (small >= 0.5 * unfound)
        ws_text_printf(
            t,
            " %.0f of them are smaller than 1/200 of their image: cut images into tiles, or photograph "
            "from nearer.",
            small);
    ws_text_printf(t, "\n");
}

static const char *reason_of(const ws_pilot_class *c, const ws_pilot_facts *f, ws_text *t)
{
    double wrong = 0;
    int main_cause = WS_PILOT_TWICE;
    for (int k = WS_PILOT_TWICE; k < WS_PILOT_CAUSES; k++) {
        wrong += c->cause[k];
        main_cause = c->cause[k] > c->cause[main_cause] ? k : main_cause;
    }
    switch (main_cause) {
    case WS_PILOT_CONFUSED:
        ws_text_printf(t, "%.0f of %.0f wrong ones are another class, most often %s",
                       c->cause[main_cause], wrong, f->data.classes[c->confused_with].name);
        return "add images that show each of the two alone";
    case WS_PILOT_LOOSE:
        ws_text_printf(
            t, "%.0f of %.0f wrong ones lie on an object, with a box too large or too small",
            c->cause[main_cause], wrong);
        return "the segmenter's outline is the weak point: correct some masks, then run --learn";
    case WS_PILOT_TWICE:
        ws_text_printf(t, "%.0f of %.0f wrong ones are a second box on an object",
                       c->cause[main_cause], wrong);
        return "drop boxes that overlap more (--score-nms)";
    default:
        ws_text_printf(t, "%.0f of %.0f wrong ones are on no object", c->cause[main_cause], wrong);
        return "reject such boxes in some more images, then run --learn";
    }
}

/* A class whose precision or recall is surely below that of all. */
static void advise_class(const ws_pilot_facts *f, size_t k, ws_text *t)
{
    const ws_pilot_class *c = &f->data.classes[k];
    const ws_outcome_figures *g = &f->classes[k], *all = &f->everything;
    if (!g->precision.few && g->precision.high < all->precision.value) {
        ws_text_printf(t, "%s: %.0f %% of what is found is right, below the others: ", c->name,
                       100 * g->precision.value);
        const char *what = reason_of(c, f, t);
        ws_text_printf(t, "; %s.\n", what);
    }
    if (!g->recall.few && g->recall.high < all->recall.value)
        ws_text_printf(t, "%s: %.0f %% of its objects are found, below the others%s.\n", c->name,
                       100 * g->recall.value,
                       c->small_unfound * 2 > c->unfound ? ", most of the missed ones are small"
                                                         : "");
}

static void advise_few(const ws_pilot_facts *f, ws_text *t)
{
    size_t few = 0;
    for (size_t c = 0; c < f->data.sample.n_classes; c++)
        few += f->classes[c].precision.few || f->classes[c].recall.few;
    if (!few)
        return;
    ws_text_printf(t, "Too few to judge:");
    for (size_t c = 0, shown = 0; c < f->data.sample.n_classes; c++) {
        if (!f->classes[c].precision.few && !f->classes[c].recall.few)
            continue;
        if (shown == 8)
            break;
        ws_text_printf(t, "%s %s (%.0f objects, %.0f detections)", shown++ ? "," : "",
                       f->data.classes[c].name, f->classes[c].n_objects, f->classes[c].n_accepted);
    }
    if (few > 8)
        ws_text_printf(t, ", and %zu more classes", few - 8);
    ws_text_printf(t, ". Their thresholds are mostly those of all classes together.\n");
}

void ws_advise(const ws_pilot_facts *f, ws_text *t)
{
    advise_size(f, t);
    advise_unreached(f, t);
    for (size_t c = 0; c < f->data.sample.n_classes; c++)
        advise_class(f, c, t);
    advise_few(f, t);
    if (f->ece_after < f->ece_before)
        ws_text_printf(
            t,
            "The machine's confidence is off by %.0f points in the mean, %.0f after calibration: use the "
            "thresholds of this page, not round numbers.\n",
            100 * f->ece_before, 100 * f->ece_after);
}
