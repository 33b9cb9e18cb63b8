/* kernels/template/attention_pack.h - queries, keys and values on their way into the tiles. */
/* A row of one head as elements, zeros behind it up to `depth` and a whole vector. */
static void convert_row(const float *x, int head_dim, size_t depth, el *out)
{
    const size_t n = (size_t)head_dim;
    size_t d = 0;
    for (; d + WS_VL <= n; d += WS_VL)
        put_vector(out + d, vf_load(x + d));
    if (d < n) {
        put_vector(out + d, vf_load_n(x + d, n - d));
        d += WS_VL;
    }
    for (; d < depth; d += WS_VL)
        put_vector(out + d, vf_set1(0.0f));
}

/* Keys and values of up to WS_VL tokens (NULL: none, they are zero) as columns `first` on of the
 * key panels [d/GROUP][NK][GROUP] and as rows of values [n/GROUP][width][GROUP]. A group of
 * elements is a word of 32 bits. */
typedef struct tokens {
    const float *k[WS_VL], *v[WS_VL];
} tokens;

/* Elements of a row of a staging area: whole vectors, and whole words of 32 bits. */
enum { STAGE = MAX_HEAD + WS_VL, STAGE_WORDS = STAGE / GROUP };

/* Staged rows as columns of `to`, whose rows of words are `ld` words apart: the first `columns` of
 * them, at most WS_VL. */
static void turn_stage(const el *from, size_t words, size_t columns, el *to, size_t ld)
{
    uint32_t turned[WS_VL * WS_VL];
    for (size_t w = 0; w < words; w += WS_VL) {
        const size_t n = words - w < WS_VL ? words - w : WS_VL;
        if (n == WS_VL && columns == WS_VL) {
            ws_turn_tile(from + w * GROUP, STAGE_WORDS, to + w * ld * GROUP, ld);
            continue;
        }
        ws_turn_tile(from + w * GROUP, STAGE_WORDS, turned, WS_VL);
        for (size_t r = 0; r < n; r++)
            memcpy(to + (w + r) * ld * GROUP, turned + r * WS_VL, columns * sizeof *turned);
    }
}

/* f32 rows of whole vectors, turned from where they lie. */
static void turn_keys(const wsam_attention_shape *s, const tokens *t, el *to)
{
    static const float zeros[MAX_HEAD];
    for (size_t d = 0; d < (size_t)s->head_dim; d += WS_VL) {
        const void *row[WS_VL];
        for (size_t i = 0; i < WS_VL; i++)
            row[i] = (t->k[i] ? t->k[i] : zeros) + d;
        ws_turn_rows(row, to + d * NK, NK);
    }
}

static void pack_keys(const wsam_attention_shape *s, const tokens *t, size_t first, el *keys)
{
    el *to = keys + first / NK * (key_rows(s) * NK) + first % NK * GROUP;
    if (GROUP == 1 && s->head_dim % WS_VL == 0) {
        turn_keys(s, t, to);
        return;
    }
    el from[WS_VL * STAGE];
    for (size_t i = 0; i < WS_VL; i++)
        if (t->k[i])
            convert_row(t->k[i], s->head_dim, key_rows(s), from + i * STAGE);
        else
            memset(from + i * STAGE, 0, key_rows(s) * sizeof *from);
    turn_stage(from, key_rows(s) / GROUP, WS_VL, to, NK);
}

static void pack_values(const wsam_attention_shape *s, const tokens *t, size_t first, el *values)
{
    const size_t width = value_width(s), n = (size_t)s->head_dim;
    for (size_t i = 0; i < WS_VL; i += GROUP) {
        el *to = values + (first + i) / GROUP * (width * GROUP);
        for (size_t d = 0; d < width; d += WS_VL) {
            vf v[GROUP];
            for (size_t g = 0; g < GROUP; g++) {
                const float *row = t->v[i + g];
                v[g] = !row ? vf_set1(0.0f)
                            : (d + WS_VL <= n ? vf_load(row + d) : vf_load_n(row + d, n - d));
            }
            put_group(to + d * GROUP, v);
        }
    }
}

/* Tokens whose rows are asked for before they are packed: rows are pages apart, so that no
 * processor expects them, and those of a large picture exceed its caches. A third of the time of
 * windows of 7 on Zen 4, and 6 % of windows of 14, were such waits. */
enum { AHEAD = 16 };

/* One head of a token's row. Inlined by force: gcc drops calls that do nothing but prefetch. */
static inline __attribute__((always_inline)) void prefetch_row(const wsam_attention_shape *s,
                                                               const float *x)
{
    for (int d = 0; d < s->head_dim; d += 16)
        __builtin_prefetch(x + d, 0, 2);
}

enum { PACK_KEYS = 512 };

static size_t head_elements(const wsam_attention_shape *s)
{
    return round_up(padded_keys(s) * (key_rows(s) + value_width(s)), 64);
}

static size_t packed_bytes(const wsam_attention_shape *s)
{
    return s->window ? 0 : (size_t)s->heads * head_elements(s) * sizeof(el);
}

static int pack_blocks(const wsam_attention_shape *s)
{
    return (s->k_h * s->k_w + PACK_KEYS - 1) / PACK_KEYS;
}

static int pack_tasks(const wsam_attention_shape *s)
{
    return s->window ? 0 : s->heads * pack_blocks(s);
}

static void pack(const wsam_attention_shape *s, const wsam_attention_io *io, int task, void *packed)
{
    const size_t n = (size_t)s->k_h * (size_t)s->k_w, head = (size_t)(task / pack_blocks(s));
    const size_t first = (size_t)(task % pack_blocks(s)) * PACK_KEYS;
    const size_t end = n - first <= PACK_KEYS ? padded_keys(s) : first + PACK_KEYS;
    const size_t column = head * (size_t)s->head_dim;
    el *keys = (el *)packed + head * head_elements(s);
    el *values = keys + padded_keys(s) * key_rows(s);
    for (size_t i = first; i < end; i += WS_VL) {
        tokens t = {{NULL}, {NULL}};
        for (size_t j = i + AHEAD; j < i + AHEAD + WS_VL && j < n; j++) {
            prefetch_row(s, io->k + j * io->ld_k + column);
            prefetch_row(s, io->v + j * io->ld_v + column);
        }
        for (size_t j = i; j < i + WS_VL && j < n; j++) {
            t.k[j - i] = io->k + j * io->ld_k + column;
            t.v[j - i] = io->v + j * io->ld_v + column;
        }
        pack_keys(s, &t, i, keys);
        pack_values(s, &t, i, values);
    }
}

/* Tokens of a window, which are packed soon: n of them from `at` on; their queries follow. Returns
 * where it ends. */
static inline __attribute__((always_inline)) place prefetch_tokens(const problem *p, place at,
                                                                   size_t n)
{
    const wsam_attention_io *io = p->io;
    const size_t head = (size_t)p->head * (size_t)p->s->head_dim;
    for (size_t j = 0; j < n; j++, at = next_place(p, at)) {
        prefetch_row(p->s, io->k + at.token * io->ld_k + head);
        prefetch_row(p->s, io->v + at.token * io->ld_v + head);
        prefetch_row(p->s, io->q + at.token * io->ld_q + head);
    }
    return at;
}

static size_t smaller_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A window's keys and values, and its pad key, into scratch. */
static void pack_window(problem *p, el *keys, el *values)
{
    const wsam_attention_io *io = p->io;
    const size_t head = (size_t)p->head * (size_t)p->s->head_dim;
    size_t asked = p->fetched ? p->n_real : smaller_of(AHEAD, p->n_real);
    place at = place_of(p, 0), ahead = p->fetched ? at : prefetch_tokens(p, at, asked);
    for (size_t i = 0; i < round_up(p->n_keys, NK); i += WS_VL) {
        tokens t = {{NULL}, {NULL}};
        const size_t more = smaller_of(WS_VL, p->n_real - asked);
        ahead = prefetch_tokens(p, ahead, more);
        asked += more;
        for (size_t j = i; j < i + WS_VL && j < p->n_keys; j++) {
            const int real = j < p->n_real;
            t.k[j - i] = (real ? io->k + at.token * io->ld_k : io->pad_k) + head;
            t.v[j - i] = (real ? io->v + at.token * io->ld_v : io->pad_v) + head;
            at = next_place(p, at);
        }
        pack_keys(p->s, &t, i, keys);
        pack_values(p->s, &t, i, values);
    }
    p->keys = keys;
    p->values = values;
}

/* Query i at work, scaled, as a row of elements. */
static void stage_query(const problem *p, int i, el *to)
{
    const float *q = query_row(p, i);
    const vf scale = vf_set1(p->s->scale);
    const size_t n = (size_t)p->s->head_dim, depth = key_rows(p->s);
    size_t d = 0;
    for (; d + WS_VL <= n; d += WS_VL)
        put_vector(to + d, vf_mul(vf_load(q + d), scale));
    if (d < n) {
        put_vector(to + d, vf_mul(vf_load_n(q + d, n - d), scale));
        d += WS_VL;
    }
    for (; d < depth; d += WS_VL)
        put_vector(to + d, vf_set1(0.0f));
}
