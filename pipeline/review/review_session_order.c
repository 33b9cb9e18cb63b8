/* pipeline/review/review_session_order.c - which image comes when.
 *
 * A seeded uniform sample of the images, so that error rates can be estimated from it alone (ranked
 * images would bias them), lies evenly between the others, which come in the order in which looking
 * pays: expected wrong decisions per second of looking. An object that is right with probability p
 * adds min(p, 1 - p), each object that one scorer has and another one lacks half a decision, and an
 * image without any object counts as half a one. Images that look like one of the last ten come
 * later. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/review/doubts.h"

/* Seconds to look at an image, and to decide about an object (a keystroke and its judgement): of
 * the simulated person's 6 to 10 seconds a photograph of two objects. Their ratio alone matters. */
static const double look_seconds = 4.0, object_seconds = 2.0, default_seconds = 20.0;
enum { RECENT = 10, AHEAD = 50 };

typedef struct ranked {
    size_t image;
    double value;
} ranked;

static double value_of(const ws_review_image *image, double disagreement)
{
    double sum = 0.5 * disagreement;
    size_t open = 0;
    for (size_t i = 0; i < image->n; i++) {
        const wsam_instance *a = &image->objects[i].a;
        const double p = a->confidence > 0 ? a->confidence : a->score;
        if (a->reviewed)
            continue;
        open++;
        sum += fmin(fmax(p, 0), fmax(1 - p, 0));
    }
    return (open ? sum : sum + 0.5) / (look_seconds + object_seconds * (double)open);
}

static int by_value(const void *a, const void *b)
{
    const ranked *p = a, *q = b;
    if (p->value < q->value || p->value > q->value)
        return p->value > q->value ? -1 : 1;
    return (p->image > q->image) - (p->image < q->image);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void shuffle(size_t *list, size_t n, uint64_t seed)
{
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)(next_random(&seed) % i), other = list[i - 1];
        list[i - 1] = list[k];
        list[k] = other;
    }
}

/* No ten near-duplicates in a row: of the next images the first that looks like none of those just
 * taken. */
static void spread(ranked *rank, size_t n, const ws_doubts *d)
{
    for (size_t i = 1; i < n && d->n_values; i++) {
        const size_t end = n - i < AHEAD ? n : i + AHEAD;
        size_t take = end;
        for (size_t k = i; k < end && take == end; k++) {
            int alike = 0;
            for (size_t j = i < RECENT ? 0 : i - RECENT; j < i && !alike; j++)
                alike = ws_doubts_alike(d, rank[j].image, rank[k].image);
            if (!alike)
                take = k;
        }
        if (take == end)
            continue; /* all of them are alike */
        const ranked taken = rank[take];
        memmove(rank + i + 1, rank + i, (take - i) * sizeof *rank);
        rank[i] = taken;
    }
}

/* Takes turns: of the first m images, audit * m are of the sample, which is fixed beforehand: a ranked
 * image never keeps one of the sample from being counted. */
static void interleave(ws_review_session *s, const size_t *sample, const ranked *rank)
{
    const double share = s->options->audit;
    const size_t size = (size_t)ceil(share * (double)s->n_images);
    size_t n = 0, at_sample = 0, at_rank = 0;
    for (size_t i = 0; i < size; i++)
        s->images[sample[i]].audit = 1;
    while (n < s->n_images) {
        if (at_sample < size && (double)at_sample < share * (double)(n + 1))
            s->order[n++] = sample[at_sample++];
        else if (at_rank < s->n_images && s->images[rank[at_rank].image].audit)
            at_rank++; /* it comes, or came, with the sample */
        else if (at_rank < s->n_images)
            s->order[n++] = rank[at_rank++].image;
        else
            s->order[n++] = sample[at_sample++];
    }
}

/* As many open images as the minutes are for, at the pace of those that were reviewed. */
static size_t listed(const ws_review_session *s)
{
    double seconds = 0;
    size_t reviewed = 0, open = 0;
    for (size_t i = 0; i < s->n_images; i++) {
        reviewed += s->images[i].seconds > 0;
        seconds += s->images[i].seconds;
    }
    const double each = reviewed ? seconds / (double)reviewed : default_seconds;
    const double most = 60 * s->options->minutes / fmax(each, 0.1);
    for (size_t i = 0; i < s->n_images && s->options->minutes > 0; i++) {
        open += s->images[s->order[i]].review != WSAM_REVIEW_COMPLETE;
        if ((double)open >= most)
            return i + 1;
    }
    return s->n_images;
}

wsam_status ws_review_session_order(ws_review_session *s, wsam_error *error)
{
    const size_t n = s->n_images;
    ranked *rank = malloc((n + 1) * sizeof *rank);
    size_t *sample = calloc(n + 1, sizeof *sample);
    s->order = malloc((n + 1) * sizeof *s->order);
    ws_doubts doubts = {0};
    wsam_status status = WSAM_OK;
    if (!rank || !sample || !s->order)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    else
        status = ws_doubts_load(s, &doubts, error);
    if (!status) {
        for (size_t i = 0; i < n; i++) {
            rank[i] = (ranked){i, value_of(&s->images[i], doubts.disagreement[i])};
            sample[i] = i;
        }
        if (n)
            qsort(rank, n, sizeof *rank, by_value);
        spread(rank, n, &doubts);
        shuffle(sample, n, s->options->seed);
        interleave(s, sample, rank);
        s->n_listed = listed(s);
    }
    ws_doubts_free(&doubts);
    free(rank);
    free(sample);
    return status;
}
