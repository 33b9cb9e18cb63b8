/* pipeline/dataset/run_manifest.c - what a run's folder is about, and what it tells of itself. */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/json_parse.h"
#include "base/outputs.h"
#include "pipeline/dataset/claims.h"
#include "pipeline/dataset/shard.h"

const char *const ws_run_files[] = {"points.jsonl", "proposals.jsonl", "failures.jsonl",
                                    "scores.json",  "images.json",     "pgt.json",
                                    "masks.json",   "timing.json",     NULL};

static int is_journal(const void *user, const char *name)
{
    (void)user;
    return strstr(name, ".journal") != NULL;
}

static int is_final(const void *user, const char *name)
{
    int found = 0;
    (void)user;
    for (int i = 0; ws_run_files[i] && !found; i++)
        found = strcmp(name, ws_run_files[i]) == 0;
    return found;
}

/* Final files of results that are thrown away would pass for those of the new ones. */
static wsam_status remove_results(const char *output, wsam_error *error)
{
    char *path = ws_manifest_state_path(output, "");
    wsam_status status =
        path ? ws_file_remove_all(output, is_final, NULL, error) : ws_no_memory(error, output);
    if (!status)
        status = ws_file_remove_all(path, is_journal, NULL, error);
    free(path);
    return status;
}

void ws_run_manifest_remove_stale(const char *folder, const char *const *names)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        for (int i = 0; names[i]; i++) {
            const size_t n = strlen(names[i]), all = strlen(e->d_name);
            if (all > n + 6 && strncmp(e->d_name, names[i], n) == 0 && e->d_name[n] == '.' &&
                isdigit((unsigned char)e->d_name[n + 1]) &&
                strcmp(e->d_name + all - 4, ".tmp") == 0)
                unlinkat(dirfd(d), e->d_name, 0);
        }
    if (d)
        closedir(d);
}

/* ---- the manifest ---- */

/* The first difference between two objects, as a text for people; NULL: none. */
static char *difference(const char *old, const char *new)
{
    cJSON *a, *b;
    ws_text t = {0};
    if (ws_json_parse("", 0, old, strlen(old), &a, NULL))
        return NULL;
    if (ws_json_parse("", 0, new, strlen(new), &b, NULL)) {
        cJSON_Delete(a);
        return NULL;
    }
    for (int turn = 0; turn < 2 && !t.n; turn++) {
        const cJSON *item, *from = turn ? b : a, *to = turn ? a : b;
        cJSON_ArrayForEach(item, from)
        {
            const cJSON *other = cJSON_GetObjectItemCaseSensitive(to, item->string);
            if (t.n || cJSON_Compare(item, other, 1))
                continue;
            char *there = cJSON_PrintUnformatted(turn ? other : item);
            char *here = cJSON_PrintUnformatted(turn ? item : other);
            ws_text_printf(&t, "'%s' is %.200s there and %.200s here", item->string,
                           there ? there : "not given", here ? here : "not given");
            cJSON_free(there);
            cJSON_free(here);
        }
    }
    cJSON_Delete(a);
    cJSON_Delete(b);
    return t.text;
}

char *ws_run_manifest_difference(const char *old, const char *new)
{
    return difference(old ? old : "{}", new ? new : "{}");
}

/* Others are at work with the manifest that is there. */
wsam_status ws_run_manifest_refuse(const wsam_run_options *o, wsam_error *error)
{
    ws_manifest old;
    wsam_error ignored;
    char *what = NULL;
    if (!ws_manifest_load(o->output, &old, &ignored)) {
        what = ws_run_manifest_difference(old.config, o->config);
        if (!what)
            what = ws_run_manifest_difference(old.late, o->late);
        ws_manifest_free(&old);
    }
    ws_fail(error, WSAM_ERR_MISMATCH,
            "%s: another process works on it with other %s%s; wait for it, or stop it", o->output,
            what ? "models or options: " : "pictures, labels or classes", what ? what : "");
    free(what);
    return WSAM_ERR_MISMATCH;
}

/* Whether somebody writes the manifest, or was killed at it. */
static int has_unfinished_manifest(const char *state)
{
    int found = 0;
    DIR *d = opendir(state);
    for (struct dirent *e = d ? readdir(d) : NULL; e && !found; e = readdir(d))
        found = strncmp(e->d_name, "manifest.jsonl.", 15) == 0;
    if (d)
        closedir(d);
    return found;
}

static void remove_stale_manifests(const char *output)
{
    static const char *const names[] = {"manifest.jsonl", NULL};
    char *state = ws_manifest_state_path(output, "");
    if (state)
        ws_run_manifest_remove_stale(state, names);
    free(state);
}

/* A manifest that cannot be read is not another one. */
static wsam_status compare(const char *path, const ws_text *text, int *same, wsam_error *error)
{
    char *old;
    size_t size;
    int there;
    *same = 0;
    wsam_status status = ws_file_there(path, &there, error);
    if (status || !there)
        return status;
    status = ws_file_read_whole(path, (uint64_t)1 << 30, &old, &size, error);
    if (status)
        return status == WSAM_ERR_FORMAT ? WSAM_OK : status; /* empty */
    *same = size == text->n && memcmp(old, text->text, size) == 0;
    free(old);
    return WSAM_OK;
}

/* The note of those who work with a manifest. */
static void name_manifest(const ws_text *text, char note[32])
{
    snprintf(note, 32, "%016llx", (unsigned long long)XXH64(text->text, text->n, 0));
}

wsam_status ws_run_manifest_note(const char *output, char note[32], wsam_error *error)
{
    char *path = ws_manifest_state_path(output, "manifest.jsonl"), *bytes = NULL;
    ws_text text = {0};
    int there = 0;
    strcpy(note, "-");
    wsam_status status = path ? ws_file_there(path, &there, error) : ws_no_memory(error, output);
    if (!status && there)
        status = ws_file_read_whole(path, (uint64_t)1 << 30, &bytes, &text.n, error);
    text.text = bytes;
    if (!status && there)
        name_manifest(&text, note);
    free(bytes);
    free(path);
    return status;
}

static wsam_status check_idle(const wsam_run_options *o, const char *note, ws_shard *shard,
                              wsam_error *error)
{
    char *busy = NULL;
    wsam_status status =
        ws_shards_idle(o->output, o->overwrite ? NULL : note, &shard->lease, &busy, error);
    if (!status && busy)
        status = o->overwrite ? ws_fail(error, WSAM_ERR_IO,
                                        "%s: another process works on it (%.80s): stop it first",
                                        o->output, busy)
                              : ws_run_manifest_refuse(o, error);
    free(busy);
    return status;
}

/* A manifest of another kind is replaced when nobody works with it: its results stay in the journals
 * under their own keys. */
static wsam_status take_manifest(const wsam_run_options *o, const char *path, const ws_text *text,
                                 ws_shard *shard, wsam_error *error)
{
    char note[32];
    name_manifest(text, note);
    remove_stale_manifests(o->output);
    int same;
    wsam_status status = compare(path, text, &same, error);
    if (status)
        return status;
    if (same && !o->overwrite) {
        ws_lease_set_note(&shard->lease, note);
        return WSAM_OK;
    }
    status = check_idle(o, note, shard, error);
    if (!status) /* claims are about the pictures of another manifest; with the new one there, others begin to claim */
        status = ws_claims_remove(o->output, error);
    if (!status)
        status = ws_outputs_write(path, text->text, text->n, 0, error);
    if (!status && o->overwrite)
        status = remove_results(o->output, error);
    if (!status)
        ws_lease_set_note(&shard->lease, note);
    return status;
}

static wsam_status make_text(const wsam_labels *labels, const wsam_run_options *o, int save,
                             ws_lease *lease, ws_text *text, wsam_error *error)
{
    uint64_t *contents = NULL;
    const ws_contents_options how = {.folder = o->folder,
                                     .output = o->output,
                                     .save = save,
                                     .prepared = o->prepared,
                                     .lease = lease};
    wsam_status status = ws_contents(labels, &how, &contents, error);
    ws_keys *keys = status ? NULL : ws_manifest_keys(labels, o->config, o->late, contents);
    if (!status && !keys)
        status = ws_no_memory(error, o->output);
    if (!status)
        status = ws_manifest_text(labels, o->config, o->late, keys, text, error);
    free(contents);
    free(keys);
    return status;
}

wsam_status ws_run_manifest_lock(const char *output, const char *name, double patience,
                                 ws_lease *lock, wsam_error *error)
{
    char *path = ws_manifest_state_path(output, name);
    wsam_status status = path ? ws_lease_create(lock, path, error) : ws_no_memory(error, output);
    free(path);
    if (!status && patience > 0)
        lock->patience = patience;
    return status ? status : ws_lease_wait(lock, NULL, NULL, error);
}

/* Several shards may begin at once: one of them looks at all pictures. */
static wsam_status settle_in_turn(const wsam_labels *labels, const wsam_run_options *o,
                                  const char *path, ws_shard *shard, wsam_error *error)
{
    ws_text text = {0};
    ws_lease lock = {0}, merge = {0};
    wsam_status status =
        ws_run_manifest_lock(o->output, "settle.lease", o->lease_seconds, &lock, error);
    if (!status && o->overwrite)
        status = ws_run_manifest_lock(o->output, "merge.lease", o->lease_seconds, &merge, error);
    if (!status)
        status = make_text(labels, o, 1, &lock, &text, error);
    if (!status)
        status = take_manifest(o, path, &text, shard, error);
    ws_lease_release(&merge);
    ws_lease_release(&lock);
    free(text.text);
    return status;
}

/* What is there already is looked at without waiting for others: 1 where it is what this process
 * wants, and others know that it works with it. */
static int is_settled(const wsam_labels *labels, const wsam_run_options *o, const char *path,
                      const char *state, ws_shard *shard)
{
    char note[32];
    ws_text text = {0};
    int same = 0, there; /* a failure is met again in turn */
    if (ws_file_there(path, &there, NULL) == WSAM_OK && there && !o->overwrite &&
        !has_unfinished_manifest(state) &&
        make_text(labels, o, 0, &shard->lease, &text, NULL) == WSAM_OK)
        compare(path, &text, &same, NULL);
    if (same) {
        name_manifest(&text, note);
        same = ws_lease_set_note(&shard->lease, note) &&
               compare(path, &text, &same, NULL) == WSAM_OK && same;
    }
    if (!same)
        ws_lease_set_note(&shard->lease, "-");
    free(text.text);
    return same;
}

static wsam_status settle_manifest(const wsam_labels *labels, const wsam_run_options *o,
                                   const char *state, ws_manifest *manifest, ws_shard *shard,
                                   wsam_error *error)
{
    char *path = ws_manifest_state_path(o->output, "manifest.jsonl");
    wsam_status status = path ? WSAM_OK : ws_no_memory(error, o->output);
    if (!status && !is_settled(labels, o, path, state, shard))
        status = settle_in_turn(labels, o, path, shard, error);
    if (!status)
        status = ws_manifest_load(o->output, manifest, error);
    free(path);
    return status;
}

/* What this call made and nobody needs: with a manifest there, the contents belong to it. */
static void unmake(const char *output, const char *state, int made)
{
    char *manifest = made ? ws_manifest_state_path(output, "manifest.jsonl") : NULL;
    char *path = manifest ? ws_manifest_state_path(output, "contents.jsonl") : NULL;
    int there = 1;
    if (path)
        ws_file_there(manifest, &there, NULL);
    if (!there)
        unlink(path);
    free(manifest);
    free(path);
    if (made && rmdir(state) == 0)
        rmdir(output);
}

/* A process that works on this shard with other options is the worse news. */
static wsam_status take_shard(const wsam_run_options *o, ws_shard *shard, wsam_error *error)
{
    ws_manifest old;
    wsam_error ignored;
    const wsam_status status = ws_shard_take(shard, o, error);
    if (status != WSAM_ERR_CANCELLED || ws_manifest_load(o->output, &old, &ignored))
        return status;
    char *config = ws_run_manifest_difference(old.config, o->config);
    char *late = ws_run_manifest_difference(old.late, o->late);
    const int other = config || late;
    free(config);
    free(late);
    ws_manifest_free(&old);
    return other ? ws_run_manifest_refuse(o, error) : status;
}

wsam_status ws_run_manifest_settle(const wsam_labels *labels, const wsam_run_options *o,
                                   ws_manifest *manifest, ws_shard *shard, wsam_error *error)
{
    char *state = ws_manifest_state_path(o->output, "");
    int there = 1; /* what may have been there is not unmade */
    if (state)
        ws_file_there(state, &there, NULL);
    const int made = !there;
    wsam_status status =
        state ? ws_file_folder_make(o->output, error) : ws_no_memory(error, o->output);
    if (!status)
        status = ws_file_folder_make(state, error);
    if (!status)
        status = take_shard(o, shard, error);
    if (!status) {
        ws_lease_remove_stale(state);
        status = settle_manifest(labels, o, state, manifest, shard, error);
    }
    if (status && state) {
        ws_shard_release(shard);
        unmake(o->output, state, made);
    }
    free(state);
    return status;
}
