/* pipeline/review/server.c - wsam_review_start: HTTP on 127.0.0.1 (libmicrohttpd, one thread).
 *
 * Who may talk to it: requests whose Host names this very address (a page that rebinds its name to
 * 127.0.0.1 still sends its own name), whose Origin, if there is one, is this server, and that carry
 * the cookie. The cookie is given for a token in the address that the terminal shows, once; then
 * there is a new token. Nothing else on the machine that does not see the terminal gets in. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "pipeline/labels/picture_path.h"
#include "pipeline/review/answers.h"
#include "pipeline/review/page.h"

enum { MAX_BODY = 4 << 20, SECRET = 16, CONNECTIONS = 32, TIMEOUT = 60 };

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                             "'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                             "frame-ancestors 'none'";

struct wsam_review_server {
    wsam_review_options options;
    ws_review_session session;
    ws_encoder *encoder;
    char **paths; /* [n_images], in the order of the session */
    struct MHD_Daemon *daemon;
    int port;
    char cookie[2 * SECRET + 1], token[2 * SECRET + 1];
};

typedef struct body {
    char *bytes;
    size_t n;
    int too_long;
} body;

/* ---- secrets ---- */

static int new_secret(char *text)
{
    unsigned char bytes[SECRET];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return 0;
    for (int i = 0; i < SECRET; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 1;
}

/* In a time that does not tell how much of it is right. */
static int same_secret(const char *given, const char *own)
{
    unsigned difference = 0;
    if (!given || strlen(given) != 2 * SECRET)
        return 0;
    for (int i = 0; i < 2 * SECRET; i++)
        difference |= (unsigned)(given[i] ^ own[i]);
    return !difference;
}

static void tell_address(wsam_review_server *r)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/?token=%s", r->port, r->token);
    if (r->options.address)
        r->options.address(r->options.user, url);
}

/* ---- answers ---- */

static enum MHD_Result answer_with(struct MHD_Connection *c, unsigned status, const char *type,
                                   const void *bytes, size_t n, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *answer;
    union {
        const void *in;
        void *out;
    } memory = {bytes}; /* libmicrohttpd only reads it, or frees it */
    answer = MHD_create_response_from_buffer(n, memory.out, mode);
    if (!answer)
        return MHD_NO;
    MHD_add_response_header(answer, "Content-Type", type);
    MHD_add_response_header(answer, "Content-Security-Policy", policy);
    MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(answer, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(answer, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(answer, "Cache-Control", "no-store");
    const enum MHD_Result result = MHD_queue_response(c, status, answer);
    MHD_destroy_response(answer);
    return result;
}

static enum MHD_Result send_text(struct MHD_Connection *c, unsigned status, const char *text)
{
    return answer_with(c, status, "text/plain; charset=utf-8", text, strlen(text),
                       MHD_RESPMEM_MUST_COPY);
}

/* JSON, or the error as {"error": "..."}. Frees the text. */
static enum MHD_Result send_json(struct MHD_Connection *c, ws_text *t, wsam_status status,
                                 const wsam_error *error)
{
    unsigned code = MHD_HTTP_OK;
    if (status || t->failed) {
        const char *message = status ? error->message : "no memory";
        free(t->text);
        *t = (ws_text){0};
        ws_text_printf(t, "{\"error\":");
        ws_json_string(t, message);
        ws_text_put(t, "}", 1);
        code = status == WSAM_ERR_ARGUMENT || status == WSAM_ERR_FORMAT || status == WSAM_ERR_LIMIT
                   ? MHD_HTTP_BAD_REQUEST
                   : MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (t->failed || !t->text) {
        free(t->text);
        return send_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory");
    }
    return answer_with(c, code, "application/json", t->text, t->n, MHD_RESPMEM_MUST_FREE);
}

/* ---- who asks ---- */

static const char *header(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static int named_here(const wsam_review_server *r, const char *host)
{
    char own[32];
    snprintf(own, sizeof own, "127.0.0.1:%d", r->port);
    if (host && strcmp(host, own) == 0)
        return 1;
    snprintf(own, sizeof own, "localhost:%d", r->port);
    return host && strcmp(host, own) == 0;
}

static int from_here(const wsam_review_server *r, struct MHD_Connection *c)
{
    const char *origin = header(c, "Origin"), *site = header(c, "Sec-Fetch-Site");
    if (!named_here(r, header(c, "Host")))
        return 0;
    if (origin && (strncmp(origin, "http://", 7) != 0 || !named_here(r, origin + 7)))
        return 0;
    return !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
}

static int has_cookie(const wsam_review_server *r, struct MHD_Connection *c)
{
    return same_secret(MHD_lookup_connection_value(c, MHD_COOKIE_KIND, "weaksam_review"),
                       r->cookie);
}

/* The token moves into a cookie, and the address loses it. */
static enum MHD_Result let_in(wsam_review_server *r, struct MHD_Connection *c)
{
    char cookie[160];
    struct MHD_Response *answer = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!answer)
        return MHD_NO;
    snprintf(cookie, sizeof cookie, "weaksam_review=%s; Path=/; HttpOnly; SameSite=Strict",
             r->cookie);
    MHD_add_response_header(answer, "Set-Cookie", cookie);
    MHD_add_response_header(answer, "Location", "/");
    MHD_add_response_header(answer, "Cache-Control", "no-store");
    const enum MHD_Result result = MHD_queue_response(c, MHD_HTTP_SEE_OTHER, answer);
    MHD_destroy_response(answer);
    if (new_secret(r->token))
        tell_address(r);
    return result;
}

/* ---- images ---- */

static const char *type_of(const unsigned char *b, size_t n)
{
    if (n > 3 && b[0] == 0xff && b[1] == 0xd8)
        return "image/jpeg";
    if (n > 8 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0)
        return "image/png";
    if (n > 12 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WEBP", 4) == 0)
        return "image/webp";
    return NULL;
}

/* As PNG, for what browsers do not show. */
static enum MHD_Result send_converted(wsam_review_server *r, struct MHD_Connection *c,
                                      const char *path)
{
    wsam_picture picture = {0};
    wsam_error error = {0};
    char *bytes = NULL;
    size_t n = 0;
    wsam_status status = wsam_picture_load(path, &r->options.limits, &picture, &error);
    if (!status)
        status = ws_review_page_png(&picture, &bytes, &n, &error);
    wsam_picture_free(&picture);
    if (status)
        return send_text(c, MHD_HTTP_NOT_FOUND, error.message);
    return answer_with(c, MHD_HTTP_OK, "image/png", bytes, n, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result send_image(wsam_review_server *r, struct MHD_Connection *c, size_t place)
{
    wsam_error error = {0};
    char *bytes = NULL;
    size_t n = 0;
    if (place >= r->session.n_images)
        return send_text(c, MHD_HTTP_NOT_FOUND, "no such image");
    const uint64_t limit =
        r->options.limits.max_file_bytes ? r->options.limits.max_file_bytes : 512u << 20;
    if (ws_file_read_whole(r->paths[place], limit, &bytes, &n, &error))
        return send_text(c, MHD_HTTP_NOT_FOUND, error.message);
    const char *type = type_of((const unsigned char *)bytes, n);
    if (type)
        return answer_with(c, MHD_HTTP_OK, type, bytes, n, MHD_RESPMEM_MUST_FREE);
    free(bytes);
    return send_converted(r, c, r->paths[place]);
}

/* ---- requests ---- */

static size_t number_argument(struct MHD_Connection *c, const char *name)
{
    const char *text = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return SIZE_MAX;
    const unsigned long long v = strtoull(text, &end, 10);
    return *end ? SIZE_MAX : (size_t)v;
}

static enum MHD_Result get(wsam_review_server *r, struct MHD_Connection *c, const char *url)
{
    ws_text t = {0};
    wsam_error error = {0};
    wsam_status status = WSAM_OK;
    if (strcmp(url, "/image") == 0)
        return send_image(r, c, number_argument(c, "image"));
    if (strcmp(url, "/list") == 0) {
        ws_answers_list(&r->session, r->encoder != NULL, &t);
        return send_json(c, &t, status, &error);
    }
    if (strcmp(url, "/objects") == 0) {
        const size_t place = number_argument(c, "image");
        status = ws_answers_objects(&r->session, place, &t, &error);
        if (!status && r->encoder)
            ws_review_encoder_look(r->encoder, place);
        return send_json(c, &t, status, &error);
    }
    const ws_page_file *file = ws_review_page_find(url);
    if (!file)
        return send_text(c, MHD_HTTP_NOT_FOUND, "no such page");
    return answer_with(c, MHD_HTTP_OK, file->type, file->bytes, file->n, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result post(wsam_review_server *r, struct MHD_Connection *c, const char *url,
                            const body *b)
{
    const char *type = header(c, "Content-Type");
    ws_text t = {0};
    wsam_error error = {0};
    if (b->too_long)
        return send_text(c, MHD_HTTP_CONTENT_TOO_LARGE, "the request is too long");
    if (!type || strncmp(type, "application/json", 16) != 0) /* a form cannot say that */
        return send_text(c, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "expected application/json");
    const wsam_status status =
        ws_answers_post(&r->session, r->encoder, url, b->bytes ? b->bytes : "", b->n, &t, &error);
    return send_json(c, &t, status, &error);
}

static enum MHD_Result respond(wsam_review_server *r, struct MHD_Connection *c, const char *url,
                               const char *method, const body *b)
{
    const char *token = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "token");
    if (!named_here(r, header(c, "Host")))
        return send_text(c, MHD_HTTP_FORBIDDEN, "this server answers to 127.0.0.1 alone");
    if (strcmp(method, "GET") == 0 && strcmp(url, "/") == 0 && same_secret(token, r->token))
        return let_in(r, c);
    if (!has_cookie(r, c))
        return send_text(c, MHD_HTTP_FORBIDDEN,
                         "Please open the address that weaksam review shows in its terminal; each "
                         "is good for one browser.");
    if (strcmp(method, "GET") == 0)
        return get(r, c, url);
    if (strcmp(method, "POST") != 0)
        return send_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and POST only");
    return from_here(r, c) ? post(r, c, url, b)
                           : send_text(c, MHD_HTTP_FORBIDDEN, "a request of another page");
}

/* ---- libmicrohttpd ---- */

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    body *b = *state;
    (void)version;
    if (!b) {
        *state = calloc(1, sizeof *b);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*size) {
        char *grown =
            b->too_long || *size > MAX_BODY - b->n ? NULL : realloc(b->bytes, b->n + *size);
        if (grown) {
            memcpy(grown + b->n, data, *size);
            b->bytes = grown;
            b->n += *size;
        } else {
            b->too_long = 1;
        }
        *size = 0;
        return MHD_YES;
    }
    return respond(user, c, url, method, b);
}

static void on_end(void *user, struct MHD_Connection *c, void **state,
                   enum MHD_RequestTerminationCode code)
{
    body *b = *state;
    (void)user, (void)c, (void)code;
    if (b)
        free(b->bytes);
    free(b);
    *state = NULL;
}

static wsam_status listen_here(wsam_review_server *r, wsam_error *error)
{
    const struct sockaddr_in here = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)r->options.port),
                                     .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_storage address = {0};
    memcpy(&address, &here, sizeof here);
    r->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, (uint16_t)r->options.port, NULL, NULL,
                         on_request, r, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED,
                         on_end, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT, MHD_OPTION_END);
    if (!r->daemon)
        return ws_fail(error, WSAM_ERR_IO, "127.0.0.1:%d: %s", r->options.port, strerror(errno));
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(r->daemon, MHD_DAEMON_INFO_BIND_PORT);
    r->port = info ? info->port : r->options.port;
    return WSAM_OK;
}

/* ---- start and stop ---- */

void wsam_review_options_default(wsam_review_options *options)
{
    *options = (wsam_review_options){.cached = 8, .audit = 0.4, .seed = 1};
}

static wsam_status make_paths(wsam_review_server *r, wsam_error *error)
{
    const ws_review_session *s = &r->session;
    struct stat st;
    if (stat(r->options.folder, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%.300s: %s", r->options.folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return ws_fail(error, WSAM_ERR_IO, "%.300s: not a folder of images", r->options.folder);
    r->paths = calloc(s->n_images + 1, sizeof *r->paths);
    if (!r->paths)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    for (size_t place = 0; place < s->n_images; place++) {
        const char *name = s->images[s->order[place]].name;
        const size_t size = strlen(r->options.folder) + strlen(name) + 2;
        if (ws_picture_path_leads_out(name))
            return ws_fail(error, WSAM_ERR_FORMAT, "'%s' leads out of the folder of images", name);
        if (!(r->paths[place] = malloc(size)))
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
        snprintf(r->paths[place], size, "%s/%s", r->options.folder, name);
    }
    return WSAM_OK;
}

static void free_server(wsam_review_server *r)
{
    if (r->daemon)
        MHD_stop_daemon(r->daemon);
    ws_review_encoder_close(r->encoder);
    for (size_t i = 0; r->paths && i < r->session.n_images; i++)
        free(r->paths[i]);
    free(r->paths);
    ws_review_session_close(&r->session);
    free(r);
}

wsam_status wsam_review_start(const wsam_review_options *options, wsam_review_server **server,
                              wsam_error *error)
{
    *server = NULL;
    if (!options->output || !options->folder || !(options->audit >= 0 && options->audit <= 1))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "a review needs a run's folder, its images and a share from 0 to 1");
    wsam_review_server *r = calloc(1, sizeof *r);
    if (!r)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    r->options = *options;
    wsam_status status = ws_review_session_open(&r->session, &r->options, error);
    if (!status)
        status = make_paths(r, error);
    if (!status && options->model)
        status = ws_review_encoder_open(&r->options, (const char *const *)r->paths,
                                        r->session.n_images, &r->encoder, error);
    if (!status && (!new_secret(r->cookie) || !new_secret(r->token)))
        status = ws_fail(error, WSAM_ERR_IO, "no random numbers: %s", strerror(errno));
    if (!status)
        status = listen_here(r, error);
    if (status) {
        free_server(r);
        return status;
    }
    tell_address(r);
    *server = r;
    return WSAM_OK;
}

wsam_status wsam_review_stop(wsam_review_server *r, wsam_review_summary *summary, wsam_error *error)
{
    MHD_stop_daemon(r->daemon);
    r->daemon = NULL;
    const wsam_status status = ws_review_session_save(&r->session, error);
    if (summary)
        ws_review_session_summary(&r->session, summary);
    free_server(r);
    return status;
}
