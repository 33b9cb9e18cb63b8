/* kernels/template/attention_bias.h - the bias of scores: constants of a layer, terms of a block of
 * queries, and the rows that scores start from. Scores start from the bias, so that none, separable
 * and table differ in that alone. All pad keys of a window are ONE key more: its k and v are the
 * layer's constants and its bias is the logarithm of the pads' summed exponentials. */
/* ---- bias constants ---- */

/* Separable: rel_h, then rel_w, each [head_dim][2G-1 reversed, padded]: the terms of one query are
 * then contiguous in rising key position. Table: per head [w*w queries][w*w keys, padded with
 * NO_KEY], then for the four kinds of windows (cut below, cut on the right) the logarithm of the
 * pads' sum per query; behind the last head rows that a tile beyond the last query reads. */
static size_t rel_stride(int side)
{
    return round_up((size_t)(2 * side - 1), WS_VL) + WS_VL;
}

static size_t table_area(const wsam_attention_shape *s)
{
    return (size_t)(ws_bias_h(s) * ws_bias_w(s));
}

static size_t table_stride(const wsam_attention_shape *s)
{
    return round_up(table_area(s), WS_VL);
}

static size_t table_head(const wsam_attention_shape *s)
{
    return table_area(s) * (table_stride(s) + 4);
}

enum { SPARE_ROWS = 8 }; /* a tile has at most so many queries */

static size_t bias_bytes(const wsam_attention_shape *s)
{
    switch (s->bias) {
    case WSAM_BIAS_SEPARABLE:
        return (rel_stride(ws_bias_h(s)) + rel_stride(ws_bias_w(s))) * (size_t)s->head_dim *
               sizeof(float);
    case WSAM_BIAS_TABLE:
        return (table_head(s) * (size_t)s->heads + SPARE_ROWS * table_stride(s)) * sizeof(float);
    case WSAM_BIAS_NONE:
        break;
    }
    return 0;
}

static void reverse_rel(int side, int head_dim, const float *rel, float *out)
{
    const size_t stride = rel_stride(side);
    memset(out, 0, stride * (size_t)head_dim * sizeof *out);
    for (int r = 0; r < 2 * side - 1; r++)
        for (int d = 0; d < head_dim; d++)
            out[(size_t)d * stride + (size_t)(2 * side - 2 - r)] = rel[r * head_dim + d];
}

/* log sum over the keys outside a real part of h x w of a side x side window. */
static float pad_mass(const float *row, int side, int h, int w)
{
    double sum = 0.0;
    for (int i = 0; i < side * side; i++)
        if (i / side >= h || i % side >= w)
            sum += exp((double)row[i]);
    return sum > 0.0 ? (float)log(sum) : NO_KEY;
}

static void expand_table(const wsam_attention_shape *s, const float *table, float *out)
{
    const int gh = ws_bias_h(s), gw = ws_bias_w(s), area = gh * gw, span = 2 * gw - 1;
    const size_t stride = table_stride(s);
    const int cut_h = s->window ? s->q_h % s->window : 0,
              cut_w = s->window ? s->q_w % s->window : 0;
    for (int i = 0; i < area; i++) {
        float *row = out + (size_t)i * stride;
        for (int j = 0; j < area; j++)
            row[j] = table[(i / gw - j / gw + gh - 1) * span + i % gw - j % gw + gw - 1];
        for (size_t j = (size_t)area; j < stride; j++)
            row[j] = NO_KEY;
    }
    float *mass = out + (size_t)area * stride;
    for (int kind = 0; kind < 4; kind++)
        for (int i = 0; i < area; i++)
            mass[kind * area + i] =
                s->padded ? pad_mass(out + (size_t)i * stride, gw, kind & 2 && cut_h ? cut_h : gh,
                                     kind & 1 && cut_w ? cut_w : gw)
                          : NO_KEY;
}

static void prepare_bias(const wsam_attention_shape *s, const float *rel_h, const float *rel_w,
                         const float *table, void *bias)
{
    float *out = bias;
    const size_t span = (size_t)((2 * ws_bias_h(s) - 1) * (2 * ws_bias_w(s) - 1));
    if (s->bias == WSAM_BIAS_SEPARABLE) {
        reverse_rel(ws_bias_h(s), s->head_dim, rel_h, out);
        reverse_rel(ws_bias_w(s), s->head_dim, rel_w,
                    out + rel_stride(ws_bias_h(s)) * (size_t)s->head_dim);
    } else if (s->bias == WSAM_BIAS_TABLE) {
        for (int h = 0; h < s->heads; h++)
            expand_table(s, table + (size_t)h * span, out + (size_t)h * table_head(s));
        memset(out + (size_t)s->heads * table_head(s), 0,
               SPARE_ROWS * table_stride(s) * sizeof *out);
    }
}

/* ---- terms of a block of queries ---- */

/* Called with constants: terms of nq queries for nv vectors of positions, from the same slice. */
static inline __attribute__((always_inline)) void rel_tile(const int nq, const int nv, int head_dim,
                                                           const float *const *q, const float *from,
                                                           size_t stride, float *const *terms)
{
    vf acc[4][4];
    for (int i = 0; i < nq; i++)
        for (int j = 0; j < nv; j++)
            acc[i][j] = vf_set1(0.0f);
    for (int d = 0; d < head_dim; d++) {
        const float *row = from + (size_t)d * stride;
        vf r[4];
        for (int j = 0; j < nv; j++)
            r[j] = vf_load(row + (size_t)j * WS_VL);
        for (int i = 0; i < nq; i++) {
            const vf v = vf_set1(q[i][d]);
            for (int j = 0; j < nv; j++)
                acc[i][j] = vf_fma(v, r[j], acc[i][j]);
        }
    }
    for (int i = 0; i < nq; i++)
        for (int j = 0; j < nv; j++)
            vf_store(terms[i] + (size_t)j * WS_VL, acc[i][j]);
}

/* terms[i][k] = q_i . rel[position - k + side - 1], k < side, of n <= 4 queries at one position: a
 * slice of the reversed table. What is stored beyond `side` is not used. */
static void rel_terms(int n, const float *const *q, int head_dim, const float *reversed, int side,
                      int position, float *const *terms)
{
    const size_t stride = rel_stride(side);
    const float *from = reversed + (side - 1 - position);
    size_t k = 0;
    for (; k + 4 * WS_VL <= term_stride(side); k += 4 * WS_VL) {
        float *to[4];
        for (int i = 0; i < n; i++)
            to[i] = terms[i] + k;
        if (n == 4)
            rel_tile(4, 4, head_dim, q, from + k, stride, to);
        else
            for (int i = 0; i < n; i++)
                rel_tile(1, 4, head_dim, q + i, from + k, stride, to + i);
    }
    for (; k < (size_t)side; k += WS_VL) {
        float *to[4];
        for (int i = 0; i < n; i++)
            to[i] = terms[i] + k;
        if (n == 4)
            rel_tile(4, 1, head_dim, q, from + k, stride, to);
        else
            for (int i = 0; i < n; i++)
                rel_tile(1, 1, head_dim, q + i, from + k, stride, to + i);
    }
}

/* log of sum_{k in [first, end)} e^{terms[k] - top}, as the sum itself */
static float exp_sum(const float *terms, int first, int end, float top)
{
    float sum = 0.0f, e[WS_VL];
    for (int k = first; k < end; k += WS_VL) {
        const int n = end - k < WS_VL ? end - k : WS_VL;
        const vf v =
            vf_sub(n < WS_VL ? vf_load_n(terms + k, (size_t)n) : vf_load(terms + k), vf_set1(top));
        vf_store(e, vf_exp(vf_max(vf_set1(-104.0f), v)));
        for (int j = 0; j < n; j++)
            sum += e[j];
    }
    return sum;
}

static float largest(const float *x, int n)
{
    float top = x[0];
    for (int i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

/* The pads of a window as one key: pad rows with all columns, and real rows with the pad columns.
 */
static float separable_pad_bias(const problem *p, const float *row, const float *column)
{
    const ws_attention_block *b = &p->block;
    const float top_h = largest(row, b->side_h), top_w = largest(column, b->side_w);
    const float real_h = exp_sum(row, 0, b->h, top_h), pad_h = exp_sum(row, b->h, b->side_h, top_h);
    const float real_w = exp_sum(column, 0, b->w, top_w),
                pad_w = exp_sum(column, b->w, b->side_w, top_w);
    return top_h + top_w + logf(pad_h * (real_w + pad_w) + real_h * pad_w);
}

static const float *head_table(const problem *p)
{
    return (const float *)p->io->bias + (size_t)p->head * table_head(p->s);
}

static const float *table_row(const problem *p, place at)
{
    return head_table(p) + (size_t)(at.y * ws_bias_w(p->s) + at.x) * table_stride(p->s);
}

/* Terms of nq queries in one row of a small window, both tables at once: one vector holds the terms
 * of a query and table, and 2 * nq chains of sums hide the latency of 4. Called with constants. */
static inline __attribute__((always_inline)) void
small_terms(const int nq, int head_dim, const float *const *q, const float *rel_h, size_t stride_h,
            const float *rel_w, size_t stride_w, float *row_terms, float *column_terms)
{
    vf h[4], w[4];
    for (int i = 0; i < nq; i++)
        h[i] = w[i] = vf_set1(0.0f);
    for (int d = 0; d < head_dim; d++, rel_h += stride_h, rel_w += stride_w) {
        const vf row = vf_load(rel_h);
        for (int i = 0; i < nq; i++) {
            const vf v = vf_set1(q[i][d]);
            h[i] = vf_fma(v, row, h[i]);
            w[i] = vf_fma(v, vf_load(rel_w - i), w[i]); /* one column further, one term earlier */
        }
    }
    for (int i = 0; i < nq; i++) {
        vf_store(row_terms + i * WS_VL, h[i]);
        vf_store(column_terms + i * WS_VL, w[i]);
    }
}

static void separable_terms_small(problem *p, int n)
{
    const wsam_attention_shape *s = p->s;
    const int side = s->window, d = s->head_dim;
    const size_t stride = rel_stride(side);
    const float *rel_h = p->io->bias, *rel_w = rel_h + stride * (size_t)d;
    int m;
    for (int i = 0; i < n; i += m) {
        const place at = p->at[i];
        const float *q[4];
        for (m = 0; m < 4 && at.x + m < p->block.w && i + m < n; m++)
            q[m] = query_row(p, i + m);
        m = m == 3 ? 2 : m;
        const float *h = rel_h + (side - 1 - at.y), *w = rel_w + (side - 1 - at.x);
        float *rows = p->row_terms + i * WS_VL, *columns = p->column_terms + i * WS_VL;
        if (m == 4)
            small_terms(4, d, q, h, stride, w, stride, rows, columns);
        else if (m == 2)
            small_terms(2, d, q, h, stride, w, stride, rows, columns);
        else
            small_terms(1, d, q, h, stride, w, stride, rows, columns);
    }
}

/* Both tables' terms of the n queries at work: those of one row of the block meet the same slice of
 * rel_h, those of one column the same of rel_w. */
static void separable_terms(problem *p, int n)
{
    const wsam_attention_shape *s = p->s;
    const int gh = ws_bias_h(s), gw = ws_bias_w(s), w = p->block.w;
    const float *rel_h = p->io->bias, *rel_w = rel_h + rel_stride(gh) * (size_t)s->head_dim;
    const float *q[4];
    float *to[4];
    int m;
    for (int i = 0; i < n; i += m) {
        const int left = w - p->at[i].x;
        for (m = 0; m < 4 && m < left && i + m < n; m++) {
            q[m] = query_row(p, i + m);
            to[m] = p->row_terms + (size_t)(i + m) * term_stride(gh);
        }
        rel_terms(m, q, s->head_dim, rel_h, gh, p->at[i].y, to);
    }
    for (int column = 0; column < w && column < n; column++)
        for (int i = column; i < n; i += m * w) {
            for (m = 0; m < 4 && i + m * w < n; m++) {
                q[m] = query_row(p, i + m * w);
                to[m] = p->column_terms + (size_t)(i + m * w) * column_stride(s);
            }
            rel_terms(m, q, s->head_dim, rel_w, gw, p->at[i].x, to);
        }
    for (int i = 0; i < n && spans_rows(s); i++) {
        float *terms = p->column_terms + (size_t)i * column_stride(s);
        memcpy(terms + gw, terms, NK * sizeof *terms);
    }
}

/* Bias of the pad key of query i at work. */
static float pad_bias(const problem *p, int i)
{
    const wsam_attention_shape *s = p->s;
    const int gw = ws_bias_w(s), area = ws_bias_h(s) * gw;
    const int kind =
        (p->block.h < p->block.side_h ? 2 : 0) + (p->block.w < p->block.side_w ? 1 : 0);
    if (s->bias == WSAM_BIAS_SEPARABLE)
        return separable_pad_bias(p, p->row_terms + (size_t)i * term_stride(ws_bias_h(s)),
                                  p->column_terms + (size_t)i * column_stride(s));
    if (s->bias == WSAM_BIAS_TABLE)
        return (head_table(p) +
                (size_t)area * table_stride(s))[kind * area + p->at[i].y * gw + p->at[i].x];
    return logf((float)(p->block.side_h * p->block.side_w - (int)p->n_real));
}

/* Bias terms of the n queries at work. */
static void bias_terms(problem *p, int n)
{
    if (small_keys(p->s))
        separable_terms_small(p, n);
    else if (p->s->bias == WSAM_BIAS_SEPARABLE)
        separable_terms(p, n);
    for (int i = 0; i < n; i++)
        p->pad_bias[i] = p->n_keys > p->n_real ? pad_bias(p, i) : 0.0f;
}

/* out[0..n) = value + terms[0..n) */
static void add_scalar(float *out, const float *terms, float value, size_t n)
{
    const vf v = vf_set1(value);
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(out + i, vf_add(vf_load(terms + i), v));
    if (i < n)
        vf_store_n(out + i, vf_add(vf_load_n(terms + i, n - i), v), n - i);
}

/* Whole vectors and a rest; memcpy's call costs more than 49 floats. */
static inline void copy_row(float *out, const float *from, size_t n)
{
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(out + i, vf_load(from + i));
    if (i < n)
        vf_store_n(out + i, vf_load_n(from + i, n - i), n - i);
}

/* Where the keys of a small window stand. */
static void locate_keys(problem *p)
{
    const size_t n = small_keys(p->s);
    place at = place_of(p, 0);
    for (size_t j = 0; j < n; j++, at = next_place(p, at)) {
        const int here = j < p->n_real;
        p->key_y[j] = here ? at.y : 0;
        p->key_x[j] = here ? at.x : 0;
    }
}

/* A small window's terms are one vector each, from which its keys pick: 5 instructions for a vector
 * of keys, not 20 for each row of 14. */
static void start_small(const problem *p, int i, size_t k0, size_t n, float *row)
{
    const vf rows = vf_load(p->row_terms + i * WS_VL),
             columns = vf_load(p->column_terms + i * WS_VL);
    for (size_t j = 0; j < n; j += WS_VL) {
        const vf bias =
            vf_add(vf_pick(columns, p->key_x + k0 + j), vf_pick(rows, p->key_y + k0 + j));
        if (j + WS_VL <= n)
            vf_store(row + j, bias);
        else
            vf_store_n(row + j, bias, n - j);
    }
}

/* Keys [k0, k0 + n) of the block by its rows: runs of table[key in the grid of the bias], or of
 * the sum of a row's and a column's term. */
static void start_runs(const problem *p, int i, const float *table, size_t k0, size_t n, float *row)
{
    const size_t w = (size_t)p->block.w, bias_w = (size_t)ws_bias_w(p->s);
    const float *column = p->column_terms + (size_t)i * column_stride(p->s);
    const float *rows = p->row_terms + (size_t)i * term_stride(ws_bias_h(p->s));
    size_t ky = k0 ? k0 / w : 0, kx = k0 ? k0 % w : 0;
    for (size_t done = 0; done < n; ky++, kx = 0) {
        const size_t run = w - kx < n - done ? w - kx : n - done;
        if (table)
            copy_row(row + done, table + ky * bias_w + kx, run);
        else
            add_scalar(row + done, column + kx, rows[ky], run);
        done += run;
    }
}

/* Starts the scores of query i at work for keys [k0, k0 + n). */
static void start_scores(const problem *p, int i, size_t k0, size_t n, float *row)
{
    const wsam_attention_shape *s = p->s;
    const size_t real = p->n_real < k0 + n ? (p->n_real > k0 ? p->n_real - k0 : 0) : n;
    const float *table = s->bias == WSAM_BIAS_TABLE ? table_row(p, p->at[i]) : NULL;
    /* The vector in which the keys end first, whole; a rest's stores are masked, or short. */
    for (size_t j = real - real % WS_VL; j < n; j += WS_VL)
        vf_store(row + j, vf_set1(NO_KEY));
    if (s->bias == WSAM_BIAS_NONE)
        memset(row, 0, real * sizeof *row);
    else if (table && p->block.w == ws_bias_w(s)) /* the block's rows are the table's */
        copy_row(row, table + k0, real);
    else if (small_keys(s))
        start_small(p, i, k0, real, row);
    else
        start_runs(p, i, table, k0, real, row);
    if (real < n && k0 + real == p->n_real && p->n_keys > p->n_real)
        row[real] = p->pad_bias[i];
}
