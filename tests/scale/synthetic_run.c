/* tests/scale/synthetic_run.c - the state of a large run whose images were never looked at: what merge
 * and status take at a size that no test can compute.
 *
 *   synthetic_run OUT IMAGES INSTANCES SHARDS [PROPOSALS]
 *
 * INSTANCES are of all images together. Everything is drawn from the numbers of images. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/dataset/journal.h"

enum { CLASSES = 20, WIDTH = 640, HEIGHT = 480, BATCH = 256 };

static void fail(const char *what, const wsam_error *error)
{
    fprintf(stderr, "synthetic_run: %s: %s\n", what, error ? error->message : "no memory");
    exit(1);
}

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static wsam_labels *make_labels(size_t n)
{
    wsam_labels *l = calloc(1, sizeof *l);
    if (l) {
        l->images = calloc(n, sizeof *l->images);
        l->first = calloc(n + 1, sizeof *l->first);
        l->classes = calloc(n, sizeof *l->classes);
        l->names = calloc(CLASSES, sizeof *l->names);
    }
    if (!l || !l->images || !l->first || !l->classes || !l->names)
        fail("labels", NULL);
    l->n = n;
    l->n_classes = CLASSES;
    for (size_t i = 0; i < n + CLASSES; i++) {
        char name[32], *copy;
        snprintf(name, sizeof name, i < n ? "set/img%08zu.jpg" : "class%02zu", i < n ? i : i - n);
        if (!(copy = strdup(name)))
            fail("names", NULL);
        *(i < n ? &l->images[i] : &l->names[i - n]) = copy;
    }
    for (size_t i = 0; i < n; i++) {
        l->first[i + 1] = i + 1;
        l->classes[i] = (int32_t)(i % CLASSES);
    }
    return l;
}

static void free_labels(wsam_labels *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->images[i]);
    for (size_t i = 0; i < l->n_classes; i++)
        free(l->names[i]);
    free(l->images);
    free(l->first);
    free(l->classes);
    free(l->names);
    free(l);
}

/* Run lengths as masks of objects have them: some sixty characters. */
static void draw_counts(uint64_t *state, wsam_instance *a)
{
    a->counts_length = 40 + draw(state) % 40;
    a->counts = malloc(a->counts_length + 1);
    if (!a->counts)
        fail("masks", NULL);
    for (size_t i = 0; i < a->counts_length; i++)
        a->counts[i] = (char)('0' + draw(state) % 40);
    a->counts[a->counts_length] = 0;
}

static void draw_instances(uint64_t *state, size_t n, int c, int masks, wsam_instances *list)
{
    list->items = calloc(n + 1, sizeof *list->items);
    if (!list->items)
        fail("instances", NULL);
    list->n = n;
    for (size_t i = 0; i < n; i++) {
        wsam_instance *a = &list->items[i];
        *a = (wsam_instance){.class_index = c,
                             .id = masks ? (int64_t)i + 1 : 0,
                             .bbox = {(double)(draw(state) % 500), (double)(draw(state) % 300),
                                      20.0 + (double)(draw(state) % 100), 30.0},
                             .score = (double)(draw(state) % 1000) / 1000.0,
                             .area = 1000};
        if (masks)
            draw_counts(state, a);
    }
}

static void draw_output(const char *image, size_t i, size_t instances, int proposals,
                        wsam_run_output *o)
{
    uint64_t state = 0x9E3779B97F4A7C15u * (i + 1);
    ws_text t = {0};
    *o = (wsam_run_output){
        .width = WIDTH, .height = HEIGHT, .stage = WSAM_RUN_MASKS, .prompts = 100};
    ws_text_printf(&t, "{\"image\":\"%s\",\"width\":%d,\"height\":%d,\"proposals\":[", image, WIDTH,
                   HEIGHT);
    for (int p = 0; p < proposals; p++)
        ws_text_printf(&t,
                       "%s{\"box\":[%u,%u,%u,%u],\"source\":\"grid\",\"predicted_iou\":0.9%02u,"
                       "\"stability_score\":0.95}",
                       p ? "," : "", (unsigned)(draw(&state) % 300), (unsigned)(draw(&state) % 200),
                       300 + (unsigned)(draw(&state) % 300), 200 + (unsigned)(draw(&state) % 200),
                       (unsigned)(draw(&state) % 100));
    ws_text_printf(&t, "]}\n");
    o->proposals = ws_text_finish(&t);
    t = (ws_text){0};
    ws_text_printf(&t,
                   "{\"image\":\"%s\",\"width\":%d,\"height\":%d,\"classes\":{\"class%02zu\":3.1},"
                   "\"points\":[{\"x\":%u,\"y\":%u,\"class\":\"class%02zu\",\"score\":0.5,"
                   "\"source\":\"coarse\"}]}\n",
                   image, WIDTH, HEIGHT, i % CLASSES, (unsigned)(draw(&state) % WIDTH),
                   (unsigned)(draw(&state) % HEIGHT), i % CLASSES);
    o->points = ws_text_finish(&t);
    if (!o->points || !o->proposals)
        fail("lines", NULL);
    draw_instances(&state, instances, (int)(i % CLASSES), 0, &o->scores);
    draw_instances(&state, instances, (int)(i % CLASSES), 0, &o->pgt);
    draw_instances(&state, instances, (int)(i % CLASSES), 1, &o->masks);
}

/* Instances are spread evenly: image i has those from total*i/n to total*(i+1)/n. */
static void write_shard(const char *out, const wsam_labels *l, const ws_keys *keys, size_t total,
                        int shard, int shards, int proposals)
{
    char name[64];
    wsam_error error = {0};
    ws_text payloads[BATCH] = {{0}};
    ws_new_record records[BATCH];
    size_t n = 0;
    snprintf(name, sizeof name, "%d-of-%d.journal", shard, shards);
    char *path = ws_manifest_state_path(out, name);
    const int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666) : -1;
    if (fd < 0)
        fail("a journal cannot be made", NULL);
    for (size_t i = (size_t)shard; i < l->n; i += (size_t)shards) {
        wsam_run_output o;
        const size_t instances = total * (i + 1) / l->n - total * i / l->n;
        draw_output(l->images[i], i, instances, proposals, &o);
        ws_picture_record_put(&payloads[n], &o, NULL);
        ws_picture_record_free(&o);
        records[n] = (ws_new_record){keys[i].first, 0, &payloads[n]};
        if (++n == BATCH || i + (size_t)shards >= l->n) {
            if (ws_journal_append(fd, path, records, n, &error))
                fail(path, &error);
            for (; n; n--) {
                free(payloads[n - 1].text);
                payloads[n - 1] = (ws_text){0};
            }
        }
    }
    close(fd);
    free(path);
}

int main(int argc, char **argv)
{
    wsam_error error = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: synthetic_run OUT IMAGES INSTANCES SHARDS [PROPOSALS]\n");
        return 2;
    }
    const char *out = argv[1];
    const size_t n = strtoull(argv[2], NULL, 10), total = strtoull(argv[3], NULL, 10);
    const int shards = atoi(argv[4]), proposals = argc > 5 ? atoi(argv[5]) : 8;
    wsam_labels *l = make_labels(n);
    uint64_t *contents = calloc(n, sizeof *contents);
    for (size_t i = 0; contents && i < n; i++)
        contents[i] = i + 1;
    ws_keys *keys = contents ? ws_manifest_keys(l, "{\"synthetic\":1}", NULL, contents) : NULL;
    ws_text text = {0};
    if (!keys)
        fail("keys", NULL);
    if (ws_manifest_text(l, "{\"synthetic\":1}", NULL, keys, &text, &error))
        fail("manifest", &error);
    char *state = ws_manifest_state_path(out, ""),
         *manifest = ws_manifest_state_path(out, "manifest.jsonl");
    mkdir(out, 0777);
    if (!state || !manifest || mkdir(state, 0777))
        fail("the folder is there already, or cannot be made", NULL);
    FILE *f = fopen(manifest, "wb");
    if (!f || fwrite(text.text, 1, text.n, f) != text.n || fclose(f))
        fail("the manifest cannot be written", NULL);
    free(text.text);
    for (int s = 0; s < shards; s++)
        write_shard(out, l, keys, total, s, shards, proposals);
    free(state);
    free(manifest);
    free(contents);
    free(keys);
    free_labels(l);
    return 0;
}
