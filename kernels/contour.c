/* kernels/contour.c - outlines of masks along pixel edges.
 *
 * An outline is walked with the set pixels on its right. Every closed outline goes up along the
 * left edge of at least one set pixel, so those edges are the list of work: one bit each, cleared
 * as it is walked. Where only the two pixels of a diagonal are set the walk turns left, which joins
 * them. */
#include "base/error.h"
#include "weaksam/masks.h"

typedef struct tracer {
    const uint64_t *bits;
    uint64_t *left_edges;
    int height, width;
    int32_t *vertices;
    size_t n_vertices, capacity;
} tracer;

static int is_set(const tracer *t, int x, int y)
{
    if (x < 0 || y < 0 || x >= t->width || y >= t->height)
        return 0;
    return (int)(t->bits[(size_t)(y / 64) * (size_t)t->width + (size_t)x] >> (y % 64) & 1);
}

static void find_left_edges(const tracer *t)
{
    const size_t w = (size_t)t->width, words = wsam_bits_words(t->height, t->width);
    for (size_t i = 0; i < words; i++)
        t->left_edges[i] = t->bits[i] & ~(i % w ? t->bits[i - 1] : 0);
}

static void add_vertex(tracer *t, int x, int y)
{
    if (t->n_vertices < t->capacity) {
        t->vertices[2 * t->n_vertices] = x;
        t->vertices[2 * t->n_vertices + 1] = y;
    }
    t->n_vertices++;
}

/* Walks the outline that goes up along the left edge of pixel (x,y); returns 1 for a hole. */
static int trace(tracer *t, int x, int y)
{
    /* Directions clockwise: up, right, down, left. The pixel ahead on the right of corner (x,y),
     * and the one ahead on the left, are (x + right[d][0], y + right[d][1]) and so on. */
    static const int move[4][2] = {{0, -1}, {1, 0}, {0, 1}, {-1, 0}};
    static const int right[4][2] = {{0, -1}, {0, 0}, {-1, 0}, {-1, -1}};
    static const int left[4][2] = {{-1, -1}, {0, -1}, {0, 0}, {-1, 0}};
    const int start_x = x, start_y = y + 1;
    int at_x = start_x, at_y = start_y, d = 0;
    int64_t area = 0;
    do {
        if (d == 0)
            t->left_edges[(size_t)((at_y - 1) / 64) * (size_t)t->width + (size_t)at_x] &=
                ~((uint64_t)1 << ((at_y - 1) % 64));
        at_x += move[d][0];
        at_y += move[d][1];
        area += (int64_t)at_x * move[d][1];
        int turn = 0;
        if (is_set(t, at_x + left[d][0], at_y + left[d][1]))
            turn = 3;
        else if (!is_set(t, at_x + right[d][0], at_y + right[d][1]))
            turn = 1;
        if (turn)
            add_vertex(t, at_x, at_y);
        d = (d + turn) & 3;
    } while (d != 0 || at_x != start_x || at_y != start_y);
    return area < 0;
}

wsam_status wsam_contours(const uint64_t *bits, int height, int width, uint64_t *work,
                          wsam_contour *contours, size_t contour_capacity, size_t *n_contours,
                          int32_t *vertices, size_t vertex_capacity, size_t *n_vertices)
{
    tracer t = {.bits = bits,
                .left_edges = work,
                .height = height,
                .width = width,
                .vertices = vertices,
                .capacity = vertex_capacity};
    const int bands = (height + 63) / 64;
    size_t n = 0;
    find_left_edges(&t);
    for (int x = 0; x < width; x++)
        for (int band = 0; band < bands; band++) {
            const size_t word = (size_t)band * (size_t)width + (size_t)x;
            while (work[word]) {
                const size_t first = t.n_vertices;
                const int hole = trace(&t, x, band * 64 + __builtin_ctzll(work[word]));
                if (n < contour_capacity)
                    contours[n] = (wsam_contour){first, t.n_vertices - first, hole};
                n++;
            }
        }
    *n_contours = n;
    *n_vertices = t.n_vertices;
    return n > contour_capacity || t.n_vertices > vertex_capacity ? WSAM_ERR_LIMIT : WSAM_OK;
}
