/* pipeline/dataset/lease.c - see lease.h. */
#include "pipeline/dataset/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wait.h"

/* ---- who a process is ---- */

/* Where a process can be looked for: the boot of the kernel and the PID namespace. Empty where the
 * system does not tell. */
static void find_place(char place[48])
{
    char boot[9] = "";
    struct stat st;
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, boot, 8);
    if (fd >= 0)
        close(fd);
    *place = 0;
    if (n == 8 && stat("/proc/self/ns/pid", &st) == 0)
        snprintf(place, 48, "%s-%llx", boot, (unsigned long long)st.st_ino);
}

/* In clock ticks since the boot; 0: there is no such process, or it has ended and is not yet waited
 * for. */
static unsigned long long start_of(long pid)
{
    char path[48], text[1024];
    unsigned long long start = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    char *at = strrchr(text, ')'); /* the name before it may have anything */
    if (!at || at[1] != ' ' || strchr("ZX", at[2]))
        return 0;
    for (int field = 2; field < 22 && at; field++)
        at = strchr(at + 1, ' ');
    if (at)
        start = strtoull(at + 1, NULL, 10);
    return start;
}

static void name_owner(char owner[128])
{
    static unsigned long serial; /* several leases of one process */
    char host[40] = "", place[48];
    struct timespec t;
    gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        if (*c == ' ' || *c == '/' || *c == ':')
            *c = '_';
    find_place(place);
    clock_gettime(CLOCK_REALTIME, &t);
    snprintf(owner, 128, "%s:%s:%ld:%llx:%lx%lx", host, place, (long)getpid(), start_of(getpid()),
             (unsigned long)t.tv_nsec, __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
}

/* What a lease says that could not be removed. */
static const char given_back[] = "-\n";

/* Whether the owner ran where this process runs, and is gone. */
static int is_dead(const char *text)
{
    char place[48], there[48];
    long pid;
    unsigned long long start;
    const char *at = strchr(text, ':');
    if (strcmp(text, given_back) == 0)
        return 1;
    find_place(place);
    if (!at || !*place || sscanf(at, ":%47[^:]:%ld:%llx:", there, &pid, &start) != 3)
        return 0;
    return strcmp(place, there) == 0 && start && start_of(pid) != start;
}

wsam_status ws_lease_create(ws_lease *l, const char *path, wsam_error *error)
{
    memset(l, 0, sizeof *l);
    name_owner(l->owner);
    strcpy(l->note, "-");
    l->path = strdup(path);
    l->since = -1.0;
    l->patience = WS_LEASE_SECONDS;
    return l->path ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a lease");
}

/* ---- the file ---- */

/* The file's text; 0 and errno where there is none. */
static int read_text(const ws_lease *l, char text[WS_LEASE_TEXT])
{
    const int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, WS_LEASE_TEXT - 1);
    const int why = errno;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    errno = why;
    return n >= 0;
}

static int is_mine(const ws_lease *l, const char *text)
{
    const size_t n = strlen(l->owner);
    return strncmp(text, l->owner, n) == 0 && text[n] == ' ';
}

/* The next count under this process's name: a link, which fails where the file is there, or a
 * rename over it. */
static int write_text(ws_lease *l, int over)
{
    char text[WS_LEASE_TEXT];
    const size_t size = strlen(l->path) + sizeof l->owner + 8;
    char *temporary = malloc(size);
    int good = 0;
    if (!temporary)
        return 0;
    snprintf(temporary, size, "%s.%s.tmp", l->path, l->owner);
    const int n = snprintf(text, sizeof text, "%s %llu %s\n", l->owner, ++l->count, l->note);
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) {
        good = write(fd, text, (size_t)n) == n;
        good = close(fd) == 0 && good;
    }
    if (good)
        good = (over ? rename(temporary, l->path) : link(temporary, l->path)) == 0;
    const int why = errno;
    if (fd >= 0 && !(good && over))
        unlink(temporary);
    free(temporary);
    errno = why;
    if (good)
        l->raised = ws_clock();
    return good;
}

/* Where links do not exist (SMB, FAT): a file that must not be there. */
static int write_new(ws_lease *l)
{
    if (write_text(l, 0))
        return 1;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return 0;
    const int fd = open(l->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return 0;
    close(fd);
    return write_text(l, 1);
}

void ws_lease_note_of(const char *text, char note[32])
{
    *note = 0;
    sscanf(text, "%*s %*s %31s", note);
}

/* ---- looking and taking ---- */

ws_lease_sight ws_lease_look(ws_lease *l)
{
    char text[WS_LEASE_TEXT];
    const double t = ws_clock();
    if (!read_text(l, text) && (errno == ENOENT || errno == ENOTDIR))
        return WS_LEASE_FREE;
    if (is_mine(l, text))
        return WS_LEASE_MINE;
    if (l->since < 0.0 || strcmp(text, l->seen) != 0) {
        const int again = l->since >= 0.0;
        memcpy(l->seen, text, sizeof text);
        l->since = t;
        return is_dead(text) ? WS_LEASE_DEAD : again ? WS_LEASE_ALIVE : WS_LEASE_UNSURE;
    }
    if (is_dead(text))
        return WS_LEASE_DEAD;
    return t - l->since < l->patience ? WS_LEASE_UNSURE : WS_LEASE_SILENT;
}

static ws_lease_state take_free(ws_lease *l, wsam_error *error)
{
    if (write_new(l))
        return WS_LEASE_OWNED;
    if (errno == EEXIST)
        return WS_LEASE_OTHERS;
    ws_fail(error, WSAM_ERR_IO, "%s: %s", l->path, strerror(errno));
    return WS_LEASE_FAILED;
}

/* Others may have waited as long and take over in the same moment: the last one has it. */
static ws_lease_state take_over(ws_lease *l)
{
    char text[WS_LEASE_TEXT];
    l->since = -1.0;
    if (!write_text(l, 1))
        return WS_LEASE_OTHERS;
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    return read_text(l, text) && is_mine(l, text) ? WS_LEASE_OWNED : WS_LEASE_OTHERS;
}

ws_lease_state ws_lease_ask(ws_lease *l, wsam_error *error)
{
    const ws_lease_sight sight = ws_lease_look(l);
    ws_lease_state state = WS_LEASE_OTHERS;
    if (sight == WS_LEASE_MINE)
        return WS_LEASE_OWNED;
    if (sight == WS_LEASE_FREE)
        state = take_free(l, error);
    else if (sight == WS_LEASE_DEAD || sight == WS_LEASE_SILENT)
        state = take_over(l);
    if (state == WS_LEASE_OWNED)
        l->from = sight;
    return state;
}

wsam_status ws_lease_wait(ws_lease *l, int (*stop)(void *user), void *user, wsam_error *error)
{
    for (long ms = 5;; ms = ms < 250 ? 2 * ms : ms) {
        const ws_lease_state state = ws_lease_ask(l, error);
        if (state == WS_LEASE_OWNED)
            return WSAM_OK;
        if (state == WS_LEASE_FAILED)
            return WSAM_ERR_IO;
        if (stop && stop(user))
            return ws_fail(error, WSAM_ERR_CANCELLED, "stopped while another process works on it");
        nanosleep(&(struct timespec){0, ms * 1000000L}, NULL);
    }
}

/* ---- having it ---- */

int ws_lease_keep(ws_lease *l)
{
    char text[WS_LEASE_TEXT];
    const double often = l->patience / 8.0;
    if (ws_clock() - l->raised < (often < WS_LEASE_RAISE_SECONDS ? often : WS_LEASE_RAISE_SECONDS))
        return 1;
    if (read_text(l, text) ? !is_mine(l, text) : errno == ENOENT)
        return 0; /* gone, too: another had it, and has finished */
    write_text(l, 1);
    l->raised = ws_clock(); /* a disk that is full for a while is no reason to stop */
    return 1;
}

int ws_lease_set_note(ws_lease *l, const char *note)
{
    snprintf(l->note, sizeof l->note, "%s", note);
    l->raised = -1e9;
    return ws_lease_keep(l);
}

void ws_lease_release(ws_lease *l)
{
    char text[WS_LEASE_TEXT];
    if (l->path && read_text(l, text) && is_mine(l, text) && unlink(l->path) && errno != ENOENT) {
        const int fd = open(l->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        if (fd >= 0) {
            const ssize_t n = write(fd, given_back, sizeof given_back - 1);
            (void)n; /* others wait until it is silent */
            close(fd);
        }
    }
    free(l->path);
    memset(l, 0, sizeof *l);
}

void ws_lease_remove_stale(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        const char *owner = strstr(e->d_name, ".lease.");
        const size_t n = strlen(e->d_name);
        if (owner && strcmp(e->d_name + n - 4, ".tmp") == 0 && is_dead(owner + 7))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
}

/* ---- a thread ---- */

static void *keep(void *user)
{
    ws_lease_keeper *k = user;
    pthread_mutex_lock(&k->lock);
    while (!k->stop && ws_lease_keep(k->lease))
        ws_wait_for(&k->changed, &k->lock, 500);
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

void ws_lease_keeper_start(ws_lease_keeper *k, ws_lease *lease)
{
    *k = (ws_lease_keeper){.lease = lease};
    pthread_mutex_init(&k->lock, NULL);
    ws_wait_init(&k->changed);
    k->started = pthread_create(&k->thread, NULL, keep, k) == 0;
}

int ws_lease_keeper_lost(ws_lease_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    const int lost = !ws_lease_keep(k->lease);
    pthread_mutex_unlock(&k->lock);
    return lost;
}

void ws_lease_keeper_stop(ws_lease_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->stop = 1;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
    if (k->started)
        pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
}
