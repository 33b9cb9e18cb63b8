/* pipeline/review/encoder.c - see encoder.h. One thread encodes: first the image that is looked at,
 * then those after it, until the cache is full; the entry that is farthest behind goes first. */
#include "pipeline/review/encoder.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"

typedef struct cached {
    size_t position;
    wsam_embedding *embedding; /* NULL: the slot is free, or the image failed */
    wsam_status failed;
    wsam_error error;
    int used;
} cached;

struct ws_encoder {
    const wsam_review_options *options;
    const char *const *paths;
    size_t n, n_cached, wanted; /* wanted: the image that is looked at */
    cached *cache;
    wsam_segmenter *encodes, *decodes; /* of the encoding thread, and of who asks */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int has_thread, quit;
};

static cached *find(ws_encoder *e, size_t position)
{
    for (size_t i = 0; i < e->n_cached; i++)
        if (e->cache[i].used && e->cache[i].position == position)
            return &e->cache[i];
    return NULL;
}

/* The next image to encode, or n. Half of the cache is for images ahead, the rest for going back. */
static size_t next_image(ws_encoder *e)
{
    const size_t ahead = 1 + e->n_cached / 2;
    for (size_t k = 0; k < ahead && e->wanted + k < e->n; k++)
        if (!find(e, e->wanted + k))
            return e->wanted + k;
    return e->n;
}

static size_t distance(const ws_encoder *e, size_t position)
{
    return position >= e->wanted ? position - e->wanted : e->wanted - position;
}

static cached *free_slot(ws_encoder *e)
{
    cached *slot = &e->cache[0];
    for (size_t i = 0; i < e->n_cached; i++) {
        if (!e->cache[i].used)
            return &e->cache[i];
        if (distance(e, e->cache[i].position) > distance(e, slot->position))
            slot = &e->cache[i];
    }
    wsam_embedding_free(slot->embedding);
    *slot = (cached){0};
    return slot;
}

static wsam_status encode(ws_encoder *e, size_t position, wsam_embedding **embedding,
                          wsam_error *error)
{
    wsam_picture picture = {0};
    wsam_status status =
        wsam_picture_load(e->paths[position], &e->options->limits, &picture, error);
    if (!status)
        status = wsam_segmenter_encode(e->encodes, &picture, embedding, error);
    wsam_picture_free(&picture);
    return status;
}

static void *work(void *user)
{
    ws_encoder *e = user;
    pthread_mutex_lock(&e->lock);
    while (!e->quit) {
        const size_t position = next_image(e);
        if (position == e->n) {
            pthread_cond_wait(&e->changed, &e->lock);
            continue;
        }
        pthread_mutex_unlock(&e->lock);
        cached made = {.position = position, .used = 1};
        made.failed = encode(e, position, &made.embedding, &made.error);
        pthread_mutex_lock(&e->lock);
        *free_slot(e) = made;
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

wsam_status ws_review_encoder_open(const wsam_review_options *options, const char *const *paths,
                                   size_t n, ws_encoder **encoder, wsam_error *error)
{
    ws_encoder *e = calloc(1, sizeof *e);
    *encoder = NULL;
    if (!e)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    e->options = options;
    e->paths = paths;
    e->n = n;
    e->n_cached = options->cached > 1 ? (size_t)options->cached : 2;
    e->cache = calloc(e->n_cached, sizeof *e->cache);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    wsam_status status = e->cache
                             ? wsam_segmenter_create_encoder(options->model, &e->encodes, error)
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    if (!status)
        status = wsam_segmenter_create(options->model, &e->decodes, error);
    if (!status) {
        e->has_thread = pthread_create(&e->thread, NULL, work, e) == 0;
        if (!e->has_thread)
            status = ws_fail(error, WSAM_ERR_IO, "no thread can be made for encoding");
    }
    if (status)
        ws_review_encoder_close(e);
    else
        *encoder = e;
    return status;
}

void ws_review_encoder_close(ws_encoder *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->quit = 1;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    if (e->has_thread)
        pthread_join(e->thread, NULL);
    for (size_t i = 0; i < e->n_cached && e->cache; i++)
        wsam_embedding_free(e->cache[i].embedding);
    wsam_segmenter_free(e->encodes);
    wsam_segmenter_free(e->decodes);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->changed);
    free(e->cache);
    free(e);
}

void ws_review_encoder_look(ws_encoder *e, size_t position)
{
    pthread_mutex_lock(&e->lock);
    e->wanted = position;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

wsam_status ws_review_encoder_run(ws_encoder *e, size_t position, const wsam_prompt *prompt,
                                  wsam_result **result, wsam_error *error)
{
    cached *entry;
    pthread_mutex_lock(&e->lock);
    e->wanted = position;
    pthread_cond_broadcast(&e->changed);
    while (!(entry = find(e, position)))
        pthread_cond_wait(&e->changed, &e->lock);
    /* The encoding thread replaces entries under the lock, and this one is the nearest: it stays. */
    wsam_status status = entry->failed ? ws_fail(error, entry->failed, "%s", entry->error.message)
                                       : wsam_segmenter_run(e->decodes, entry->embedding, prompt, 1,
                                                            WSAM_WANT_MASKS, result, error);
    pthread_mutex_unlock(&e->lock);
    return status;
}
