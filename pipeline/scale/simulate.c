/* pipeline/scale/simulate.c - a discrete simulation of a run in shards (weaksam/scale.h).
 *
 * A process is always in one of few phases; the event queue has the time at which each is through
 * with what it does. Whoever comes first is served first, by two servers: one transfers bytes, one
 * does operations on names (stat, create, fsync). Images are handled in chunks, a sixty-fourth of what
 * the shard has left, so that an event is an image near the end of a shard, where it matters, and
 * 10^8 images are some thousand events for each process. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernels/float_scope.h"
#include "weaksam/scale.h"

typedef enum phase { BEGINS, SETTLES, WORKS, ENDED } phase;

typedef struct process {
    double time; /* when it is through with its chunk */
    phase phase;
    int machine, shard; /* shard -1: none */
    double factor;      /* of seconds for an image */
} process;

typedef struct simulation {
    const wsam_scale_options *o;
    process *processes;
    int *queue; /* heap by time */
    int n, queued;
    uint64_t *left; /* [shards] images that nobody has begun */
    int next_shard;
    double server_free, ops_free, server_busy;
    double *machine_free; /* network of each machine */
    double settled;       /* when the first process has looked at all images; 0: nobody has */
    uint64_t random;
    wsam_scale_result *r;
    double begin_sum, io_wait, compute;
} simulation;

void wsam_scale_options_default(wsam_scale_options *o)
{
    *o = (wsam_scale_options){.machines = 1,
                              .processes = 1,
                              .image_s = 1.0,
                              .image_spread = 0.4,
                              .start_s = 0.2,
                              .load_s = 0.5,
                              .slow_share = 0.02,
                              .slow_factor = 1.5,
                              .launches_per_s = 50,
                              .server_bytes_per_s = 2e9,
                              .machine_bytes_per_s = 1e9,
                              .server_ops_per_s = 20000,
                              .model_bytes = 100u << 20,
                              .image_bytes = 200000,
                              .record_bytes = 4000,
                              .manifest_bytes = 150,
                              .manifest_s = 2e-6,
                              .process_memory_bytes = 300,
                              .merge_s = 6e-5,
                              .merge_memory_bytes = 500,
                              .seed = 1};
}

/* ---- numbers ---- */

static double uniform(simulation *s)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return ((double)(s->random >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(simulation *s)
{
    const double u = uniform(s), v = uniform(s);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* Seconds of `n` images: each drawn, or, for many, their sum by its mean and deviation. The median of
 * a log-normal is exp(mu); its mean is image_s here. */
static double seconds_of(simulation *s, uint64_t n)
{
    const double sigma = s->o->image_spread, mean = s->o->image_s;
    double sum = 0;
    if (n > 32) {
        sum = mean * ((double)n + sqrt((double)n * (exp(sigma * sigma) - 1.0)) * normal(s));
        return sum > 0 ? sum : 0;
    }
    for (uint64_t i = 0; i < n; i++)
        sum += mean * exp(sigma * normal(s) - 0.5 * sigma * sigma);
    return sum;
}

/* ---- servers ---- */

static double later(double a, double b)
{
    return a > b ? a : b;
}

/* When `bytes` are there that machine m asks for at time t. */
static double transfer(simulation *s, int m, double t, double bytes)
{
    const double server = bytes / s->o->server_bytes_per_s;
    s->server_free = later(s->server_free, t) + server;
    s->server_busy += server;
    s->machine_free[m] = later(s->machine_free[m], t) + bytes / s->o->machine_bytes_per_s;
    return later(s->server_free, s->machine_free[m]);
}

static double operate(simulation *s, double t, double operations)
{
    s->ops_free = later(s->ops_free, t) + operations / s->o->server_ops_per_s;
    return s->ops_free;
}

/* ---- the queue ---- */

static int before(const simulation *s, int a, int b)
{
    const process *p = &s->processes[a], *q = &s->processes[b];
    return p->time < q->time || (!(p->time > q->time) && a < b);
}

static void push(simulation *s, int p)
{
    int at = s->queued++;
    for (; at > 0 && before(s, p, s->queue[(at - 1) / 2]); at = (at - 1) / 2)
        s->queue[at] = s->queue[(at - 1) / 2];
    s->queue[at] = p;
}

static int pop(simulation *s)
{
    const int first = s->queue[0], last = s->queue[--s->queued];
    int at = 0;
    for (int child; (child = 2 * at + 1) < s->queued; at = child) {
        child += child + 1 < s->queued && before(s, s->queue[child + 1], s->queue[child]);
        if (before(s, last, s->queue[child]))
            break;
        s->queue[at] = s->queue[child];
    }
    s->queue[at] = last;
    return first;
}

/* ---- phases ---- */

/* Process start and models. What is asked of a server is asked at the time of the event: who asks
 * earlier is served earlier. */
static void begin(simulation *s, process *p)
{
    p->time =
        transfer(s, p->machine, p->time, (double)s->o->model_bytes) + s->o->start_s + s->o->load_s;
    p->phase = SETTLES;
}

/* What a shard looks at before its first image. The first process reads every image once, for its
 * hash, and writes the manifest; the others wait for it. */
static void settle(simulation *s, process *p)
{
    const wsam_scale_options *o = s->o;
    const double n = (double)o->images, now = p->time;
    double bytes = n * 2.0 * (double)o->manifest_bytes, t = now;
    if (s->settled > now) {
        p->time = s->settled;
        return;
    }
    if (!(s->settled > 0))
        bytes += n * (double)o->image_bytes;
    if (!(s->settled > 0) || !o->prepared)
        t = operate(s, now, n);
    t = later(t, transfer(s, p->machine, now, bytes)) + n * o->manifest_s;
    if (!(s->settled > 0))
        s->settled = t;
    p->phase = WORKS;
    p->time = t;
    s->r->begin_s = later(s->r->begin_s, t);
    s->begin_sum += t;
}

static int richest(const simulation *s)
{
    int best = -1;
    for (int i = 0; i < s->next_shard; i++)
        if (s->left[i] && (best < 0 || s->left[i] > s->left[best]))
            best = i;
    return best;
}

/* The next chunk of its shard, of the next shard, or of another one; 0: there is nothing to do. */
static uint64_t take(simulation *s, process *p, int shards)
{
    uint64_t share = 64;
    if (p->shard < 0 || !s->left[p->shard])
        p->shard = s->next_shard < shards ? s->next_shard++ : -1;
    int from = p->shard;
    if (from < 0 && s->o->steal) {
        from = richest(s);
        share = 128; /* helpers take from the end, where blocks are small */
    }
    if (from < 0 || !s->left[from])
        return 0;
    const uint64_t n = s->left[from] / share + 1;
    s->left[from] -= n;
    if (from != p->shard)
        s->r->stolen += n;
    return n;
}

/* The next images are read while these are computed. */
static void work(simulation *s, process *p, int shards)
{
    const wsam_scale_options *o = s->o;
    const uint64_t n = take(s, p, shards);
    if (!n) {
        p->phase = ENDED;
        if (!(s->r->first_s > 0))
            s->r->first_s = p->time;
        s->r->work_s = later(s->r->work_s, p->time);
        return;
    }
    const double compute = seconds_of(s, n) * p->factor;
    const double there =
        transfer(s, p->machine, p->time, (double)n * (double)(o->image_bytes + o->record_bytes));
    const double done = operate(s, p->time, 2.0 * (double)n); /* open and fsync */
    const double t = later(p->time + compute, later(there, done));
    s->compute += compute;
    s->io_wait += t - p->time - compute;
    p->time = t;
}

static void run(simulation *s, int shards)
{
    while (s->queued) {
        process *p = &s->processes[pop(s)];
        if (p->phase == BEGINS)
            begin(s, p);
        else if (p->phase == SETTLES)
            settle(s, p);
        else
            work(s, p, shards);
        if (p->phase != ENDED)
            push(s, (int)(p - s->processes));
    }
}

/* ---- the whole ---- */

static void merge(simulation *s)
{
    const wsam_scale_options *o = s->o;
    const double n = (double)o->images;
    const double start = s->r->work_s;
    /* journals are read to find the records, and once more for their results */
    const double there =
        transfer(s, 0, start, 2.0 * n * (double)(o->record_bytes + o->manifest_bytes));
    s->r->merge_s = later(there, start + n * o->merge_s) - start + o->start_s;
    s->r->merge_memory_bytes = n * (double)o->merge_memory_bytes;
    s->r->process_memory_bytes = n * (double)o->process_memory_bytes;
}

static const char *find_limit(const simulation *s)
{
    const wsam_scale_result *r = s->r;
    const double n = s->n, wait = n * r->work_s - s->compute - s->io_wait - s->begin_sum;
    const double merge = n * r->merge_s;
    const double lost[4] = {s->begin_sum, s->io_wait, wait, merge};
    static const char *const names[4] = {"start", "storage", "stragglers", "merge"};
    int most = 0;
    for (int i = 1; i < 4; i++)
        most = lost[i] > lost[most] ? i : most;
    return lost[most] > 0.02 * s->compute ? names[most] : "compute";
}

static void set_up(simulation *s, int shards)
{
    const wsam_scale_options *o = s->o;
    const int cores = o->cores ? o->cores : o->processes;
    const double crowd = o->processes > cores ? (double)o->processes / cores : 1.0;
    for (int i = 0; i < shards; i++)
        s->left[i] = o->images / (uint64_t)shards + ((uint64_t)i < o->images % (uint64_t)shards);
    for (int m = 0; m < o->machines; m++) {
        const double slow = uniform(s) < o->slow_share ? o->slow_factor : 1.0;
        for (int k = 0; k < o->processes; k++) {
            const int i = m * o->processes + k;
            s->processes[i] = (process){
                .time = i / o->launches_per_s, .machine = m, .shard = -1, .factor = slow * crowd};
            push(s, i);
        }
    }
}

static wsam_status check(const wsam_scale_options *o, wsam_error *error)
{
    const double rates[] = {o->launches_per_s, o->server_bytes_per_s, o->machine_bytes_per_s,
                            o->server_ops_per_s, o->image_s};
    int good = o->images > 0 && o->images < (uint64_t)1 << 50 && o->machines > 0 &&
               o->processes > 0 && o->machines <= 1000000 / o->processes && o->shards >= 0 &&
               o->shards <= 1000000 && o->cores >= 0;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        good = good && rates[i] > 0 && isfinite(rates[i]);
    good = good && o->image_spread >= 0 && o->image_spread < 4 && o->slow_factor >= 1;
    return good ? WSAM_OK
                : ws_fail(error, WSAM_ERR_ARGUMENT,
                          "a simulation needs at least one image and machine, at most 1000000 "
                          "processes, and rates above zero");
}

wsam_status wsam_scale_simulate(const wsam_scale_options *o, wsam_scale_result *r,
                                wsam_error *error)
{
    WS_FLOAT_SCOPE;
    simulation s = {.o = o, .r = r, .random = o->seed * 0x9E3779B97F4A7C15u + 1};
    *r = (wsam_scale_result){.limit = "compute"};
    wsam_status status = check(o, error);
    if (status)
        return status;
    s.n = o->machines * o->processes;
    const int shards = o->shards ? o->shards : s.n;
    s.processes = calloc((size_t)s.n, sizeof *s.processes);
    s.queue = calloc((size_t)s.n, sizeof *s.queue);
    s.left = calloc((size_t)shards, sizeof *s.left);
    s.machine_free = calloc((size_t)o->machines, sizeof *s.machine_free);
    if (!s.processes || !s.queue || !s.left || !s.machine_free) {
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a simulation");
    } else {
        set_up(&s, shards);
        run(&s, shards);
        r->server_busy = s.server_busy / r->work_s;
        merge(&s);
        r->total_s = r->work_s + r->merge_s;
        r->images_per_s = (double)o->images / r->total_s;
        const int cores = o->cores && o->cores < o->processes ? o->cores : o->processes;
        r->efficiency = (double)o->images * o->image_s / (r->total_s * o->machines * cores);
        r->limit = find_limit(&s);
    }
    free(s.processes);
    free(s.queue);
    free(s.left);
    free(s.machine_free);
    return status;
}
