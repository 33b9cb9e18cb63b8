/* kernels/template/attention_tasks.h - the stages of an attention kernel as tasks. Included last, after
 *     static size_t query_elements(const wsam_attention_shape *s)     of a block of queries
 *     static void query_block(problem *p, int first, int n)
 * where query_block computes n <= QUERIES rows of output, from query `first` of the block on. */
typedef struct layout {
    size_t queries, weights, scores, out, row_terms, column_terms, pad_bias, key_y, key_x, keys,
        values, bytes;
} layout;

static layout scratch_layout(const wsam_attention_shape *s)
{
    layout l;
    size_t at = 0;
    l.queries = at;
    at += ws_align64(query_elements(s) * sizeof(el));
    l.weights = at;
    at += ws_align64(WEIGHT_ROWS * WEIGHT_LD * sizeof(el));
    l.scores = at;
    at += ws_align64(SCORE_ROWS * SCORE_LD * sizeof(float));
    l.out = at;
    at += ws_align64(QUERIES * value_width(s) * sizeof(float));
    l.row_terms = at;
    at +=
        ws_align64(QUERIES * term_stride(ws_bias_h(s)) * sizeof(float) + 4 * WS_VL * sizeof(float));
    l.column_terms = at;
    at += ws_align64(QUERIES * column_stride(s) * sizeof(float) + 4 * WS_VL * sizeof(float));
    l.pad_bias = at;
    at += ws_align64(QUERIES * sizeof(float));
    l.key_y = at;
    at += ws_align64(small_keys(s) * sizeof(int32_t));
    l.key_x = at;
    at += ws_align64(small_keys(s) * sizeof(int32_t));
    l.keys = at;
    at += s->window ? ws_align64(padded_keys(s) * key_rows(s) * sizeof(el)) : 0;
    l.values = at;
    at += s->window ? ws_align64(padded_keys(s) * value_width(s) * sizeof(el)) : 0;
    l.bytes = at;
    return l;
}

static size_t scratch_bytes(const wsam_attention_shape *s)
{
    return scratch_layout(s).bytes;
}

static int blocks_per_head(const wsam_attention_shape *s)
{
    return (s->q_h * s->q_w + QUERIES - 1) / QUERIES;
}

enum { TASKS = 128 }; /* for many threads */

/* Heads of a window that one task takes, one after another, so that the rows of the next can be
 * asked for: as many as leave enough tasks. */
static int heads_per_task(const wsam_attention_shape *s)
{
    const int groups = (TASKS + ws_window_count(s) - 1) / ws_window_count(s);
    return groups < s->heads ? (s->heads + groups - 1) / groups : 1;
}

static int head_groups(const wsam_attention_shape *s)
{
    return (s->heads + heads_per_task(s) - 1) / heads_per_task(s);
}

/* The same of windows, where there are more than that. */
static int windows_per_task(const wsam_attention_shape *s)
{
    const int some = ws_window_count(s) / TASKS;
    return some > 1 ? some : 1;
}

static int window_groups(const wsam_attention_shape *s)
{
    return (ws_window_count(s) + windows_per_task(s) - 1) / windows_per_task(s);
}

static int run_tasks(const wsam_attention_shape *s)
{
    return s->window ? head_groups(s) * window_groups(s) : s->heads * blocks_per_head(s);
}

/* Heads [head, end) of a window; `more`: those of the window to its right follow. */
static void run_window(problem *p, int head, int end, int more, el *keys, el *values)
{
    const int queries = p->block.h * p->block.w;
    p->n_real = (size_t)queries;
    p->n_keys = p->n_real + (p->s->padded && queries < p->block.side_h * p->block.side_w ? 1 : 0);
    locate_keys(p);
    for (p->head = head; p->head < end; p->head++) {
        const int last = p->head + 1 == end;
        p->fetched = p->next;
        p->next = FETCH_NEXT && (!last || more);
        p->next_head = (size_t)(last ? head : p->head + 1) * (size_t)p->s->head_dim;
        p->next_token = last ? (size_t)p->s->window : 0;
        pack_window(p, keys, values);
        for (int first = 0; first < queries; first += QUERIES)
            query_block(p, first, queries - first < QUERIES ? queries - first : QUERIES);
    }
}

/* One group of heads of one group of windows. */
static void run_windows(problem *p, int heads, int windows, el *keys, el *values)
{
    const wsam_attention_shape *s = p->s;
    const int some = windows_per_task(s), all = ws_window_count(s);
    const int across = ws_windows_across(s->q_w, s->window);
    const int head = heads * heads_per_task(s), first = windows * some;
    const int end_head = head + heads_per_task(s) < s->heads ? head + heads_per_task(s) : s->heads;
    const int end = first + some < all ? first + some : all;
    for (int i = first; i < end; i++) {
        p->block = ws_window(s, i);
        run_window(p, head, end_head, i + 1 < end && (i + 1) % across != 0, keys, values);
    }
}

/* A block of one head's queries, whose keys are shared with other tasks. */
static void run_block(problem *p, int head, int block, const void *packed)
{
    const wsam_attention_shape *s = p->s;
    const int first = block * QUERIES, queries = p->block.h * p->block.w;
    p->head = head;
    p->n_real = p->n_keys = (size_t)s->k_h * (size_t)s->k_w;
    p->keys = (const el *)packed + (size_t)head * head_elements(s);
    p->values = p->keys + padded_keys(s) * key_rows(s);
    query_block(p, first, queries - first < QUERIES ? queries - first : QUERIES);
}

static void run(const wsam_attention_shape *s, const wsam_attention_io *io, int task,
                const void *packed, void *scratch)
{
    const layout l = scratch_layout(s);
    char *base = scratch;
    problem p; /* its lists are written as far as they are used */
    p.s = s;
    p.io = io;
    p.queries = (el *)(void *)(base + l.queries);
    p.weights = (el *)(void *)(base + l.weights);
    p.scores = (float *)(void *)(base + l.scores);
    p.out = (float *)(void *)(base + l.out);
    p.row_terms = (float *)(void *)(base + l.row_terms);
    p.column_terms = (float *)(void *)(base + l.column_terms);
    p.pad_bias = (float *)(void *)(base + l.pad_bias);
    p.key_y = (int32_t *)(void *)(base + l.key_y);
    p.key_x = (int32_t *)(void *)(base + l.key_x);
    p.fetched = p.next = 0;
    if (s->window) {
        run_windows(&p, task % head_groups(s), task / head_groups(s), (el *)(void *)(base + l.keys),
                    (el *)(void *)(base + l.values));
    } else {
        p.block = ws_window(s, 0);
        run_block(&p, task / blocks_per_head(s), task % blocks_per_head(s), packed);
    }
}

static void fill(wsam_attention_kernel *k, const char *name)
{
    k->name = name;
    k->bias_bytes = bias_bytes;
    k->prepare_bias = prepare_bias;
    k->packed_bytes = packed_bytes;
    k->pack_tasks = pack_tasks;
    k->pack = pack;
    k->scratch_bytes = scratch_bytes;
    k->run_tasks = run_tasks;
    k->run = run;
}
