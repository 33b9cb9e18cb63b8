/* tests/faults/preload.c - lets one allocation or system call of a program fail (LD_PRELOAD).
 *
 * FAULT="KIND N WIDTH ERRNO PAGE": the N-th call of KIND (from 1 on; 0: none) fails, and, with the
 * WIDTH "all", every later one; with "kill" the program is killed there. KIND is alloc, or one of the system calls below, which fails with the
 * number ERRNO. PAGE is a file of 8-byte counters: calls of each kind so far, and at the end how
 * many failed; the names of the kinds, NAMES_AT bytes in, tell which counter is whose. The driver
 * (inject.py) reads it after the program, however that ended.
 *
 * System calls are caught by a seccomp filter, so that those of the C library's own files fail, too:
 * the filter sends SIGSYS, and the handler does the call itself, at an address that the filter lets
 * through. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum kind { ALLOC, OPEN, READ, WRITE, SYNC, RENAME, REMOVE, ACCESS, CLOSE, KINDS };
static const char *const kind_names[KINDS] = {"alloc",  "open",   "read",   "write", "sync",
                                              "rename", "remove", "access", "close"};

enum { NAMES_AT = 1024, PAGE = 4096 };

/* The counters in front of the page; KINDS counts the failures. */
static _Atomic uint64_t *counters;
static enum kind failing = KINDS;
static uint64_t fail_at;
static int fail_all, fail_kill, fail_errno;

static int fails(enum kind k)
{
    if (!counters)
        return 0;
    const uint64_t n = counters[k]++ + 1;
    if (k != failing || !fail_at || (fail_all ? n < fail_at : n != fail_at))
        return 0;
    counters[KINDS]++;
    if (fail_kill)
        syscall(SYS_kill, getpid(), SIGKILL);
    return 1;
}

/* ---- memory ---- */

/* dlsym allocates before the real functions are known. */
static char early[1 << 16];
static size_t early_used;

static void *from_early(size_t n)
{
    n = (n + 15) & ~(size_t)15;
    if (n > sizeof early - early_used)
        _exit(99);
    void *p = early + early_used;
    early_used += n;
    return p;
}

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static void *(*real_aligned_alloc)(size_t, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);

static void *symbol(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void find_memory(void)
{
    static int finding;
    if (finding)
        return;
    finding = 1;
    void *p[6] = {symbol("malloc"),        symbol("calloc"),         symbol("realloc"),
                  symbol("aligned_alloc"), symbol("posix_memalign"), symbol("free")};
    memcpy(&real_malloc, &p[0], sizeof p[0]);
    memcpy(&real_calloc, &p[1], sizeof p[1]);
    memcpy(&real_realloc, &p[2], sizeof p[2]);
    memcpy(&real_aligned_alloc, &p[3], sizeof p[3]);
    memcpy(&real_posix_memalign, &p[4], sizeof p[4]);
    memcpy(&real_free, &p[5], sizeof p[5]);
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t n)
{
    if (!real_malloc)
        find_memory();
    if (!real_malloc)
        return from_early(n);
    return fails(ALLOC) ? no_memory() : real_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (!real_calloc)
        find_memory();
    if (!real_calloc)
        return from_early(n * size); /* zero: never used before */
    return fails(ALLOC) ? no_memory() : real_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    if (!real_realloc)
        find_memory();
    if ((char *)p >= early && (char *)p < early + sizeof early) {
        void *to = malloc(n);
        const size_t most = (size_t)(early + sizeof early - (char *)p);
        return to ? memcpy(to, p, n < most ? n : most) : NULL;
    }
    return fails(ALLOC) ? no_memory() : real_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    if (!real_aligned_alloc)
        find_memory();
    return fails(ALLOC) ? no_memory() : real_aligned_alloc(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    if (!real_posix_memalign)
        find_memory();
    return fails(ALLOC) ? ENOMEM : real_posix_memalign(p, align, n);
}

void free(void *p)
{
    if ((char *)p >= early && (char *)p < early + sizeof early)
        return;
    if (!real_free)
        find_memory();
    real_free(p);
}

/* ---- system calls ---- */

/* The one place from which the filter lets everything through. */
long fault_system_call(long number, long a, long b, long c, long d, long e, long f);
#if defined(__x86_64__)
__asm__(".text\n.globl fault_system_call\n.type fault_system_call,@function\nfault_system_call:\n"
        "mov %rdi,%rax\nmov %rsi,%rdi\nmov %rdx,%rsi\nmov %rcx,%rdx\nmov %r8,%r10\nmov %r9,%r8\n"
        "mov 8(%rsp),%r9\nsyscall\n.globl fault_system_call_end\nfault_system_call_end:\nret\n");
#define THIS_ARCH        AUDIT_ARCH_X86_64
#define REG(i)           ((const int[6]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9}[i])
#define ARG(u, i)        ((long)(u)->uc_mcontext.gregs[REG(i)])
#define SET_RESULT(u, v) ((u)->uc_mcontext.gregs[REG_RAX] = (v))
#elif defined(__aarch64__)
__asm__(".text\n.globl fault_system_call\n.type fault_system_call,%function\nfault_system_call:\n"
        "mov x8,x0\nmov x0,x1\nmov x1,x2\nmov x2,x3\nmov x3,x4\nmov x4,x5\nmov x5,x6\nsvc #0\n"
        ".globl fault_system_call_end\nfault_system_call_end:\nret\n");
#define THIS_ARCH        AUDIT_ARCH_AARCH64
#define ARG(u, i)        ((long)(u)->uc_mcontext.regs[i])
#define SET_RESULT(u, v) ((u)->uc_mcontext.regs[0] = (unsigned long long)(v))
#endif
extern const char fault_system_call_end[];

static const struct {
    int number;
    enum kind kind;
} caught[] = {
#ifdef SYS_open
    {SYS_open, OPEN},
#endif
    {SYS_openat, OPEN},       {SYS_read, READ},        {SYS_pread64, READ}, {SYS_write, WRITE},
    {SYS_pwrite64, WRITE},    {SYS_writev, WRITE},     {SYS_fsync, SYNC},   {SYS_fdatasync, SYNC},
#ifdef SYS_rename
    {SYS_rename, RENAME},
#endif
    {SYS_renameat, RENAME},   {SYS_renameat2, RENAME},
#ifdef SYS_unlink
    {SYS_unlink, REMOVE},     {SYS_rmdir, REMOVE},
#endif
    {SYS_unlinkat, REMOVE},
#ifdef SYS_access
    {SYS_access, ACCESS},
#endif
    {SYS_faccessat, ACCESS},
#ifdef SYS_stat
    {SYS_stat, ACCESS},
#endif
#ifdef SYS_newfstatat
    {SYS_newfstatat, ACCESS},
#endif
    {SYS_statx, ACCESS},
#ifdef SYS_faccessat2
    {SYS_faccessat2, ACCESS},
#endif
    {SYS_close, CLOSE},
};
enum { CAUGHT = sizeof caught / sizeof caught[0] };

/* A look at an open file: it has no path that could fail. */
static int is_fstat(int number, const ucontext_t *u)
{
    int with_folder = number == SYS_statx;
#ifdef SYS_newfstatat
    with_folder |= number == SYS_newfstatat;
#endif
    const char *path = (const char *)ARG(u, 1);
    return with_folder && (!path || !*path);
}

/* What a failing close() does besides: the descriptor is gone. */
static void on_call(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    enum kind k = KINDS;
    (void)signal;
    for (int i = 0; i < CAUGHT; i++)
        if (caught[i].number == info->si_syscall)
            k = caught[i].kind;
    const int fail = k != KINDS && !is_fstat(info->si_syscall, u) && fails(k);
    long result = -fail_errno;
    if (!fail || k == CLOSE)
        result = fault_system_call(info->si_syscall, ARG(u, 0), ARG(u, 1), ARG(u, 2), ARG(u, 3),
                                   ARG(u, 4), ARG(u, 5));
    SET_RESULT(u, fail ? -fail_errno : result);
}

static void catch_calls(void)
{
    struct sock_filter code[16 + CAUGHT];
    const uint64_t end = (uint64_t)(uintptr_t)fault_system_call_end;
    int n = 0, i;
    const uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
#define LOAD(at)         (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define SKIP_IF(v, a, b) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, a, b)
#define ANSWER(v)        (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, v)
    code[n++] = LOAD(offsetof(struct seccomp_data, arch));
    code[n++] = SKIP_IF(THIS_ARCH, 1, 0);
    code[n++] = ANSWER(SECCOMP_RET_ALLOW);
    code[n++] = LOAD(ip);
    code[n++] = SKIP_IF((uint32_t)end, 0, 3);
    code[n++] = LOAD(ip + 4);
    code[n++] = SKIP_IF((uint32_t)(end >> 32), 0, 1);
    code[n++] = ANSWER(SECCOMP_RET_ALLOW);
    code[n++] = LOAD(offsetof(struct seccomp_data, nr));
    for (i = 0; i < CAUGHT; i++)
        code[n++] = SKIP_IF((uint32_t)caught[i].number, (uint8_t)(CAUGHT - i), 0);
    code[n++] = ANSWER(SECCOMP_RET_ALLOW);
    code[n++] = ANSWER(SECCOMP_RET_TRAP);
    const struct sock_fprog program = {(unsigned short)n, code};
    struct sigaction action = {0};
    action.sa_sigaction = on_call;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    if (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(98);
}

/* ---- start ---- */

__attribute__((constructor)) static void start(void)
{
    char kind[16] = "", width[8] = "", page[512] = "";
    unsigned long long at = 0;
    const char *text = getenv("FAULT");
    if (!text || sscanf(text, "%15s %llu %7s %d %511s", kind, &at, width, &fail_errno, page) != 5)
        return;
    find_memory();
    const int fd = open(page, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, PAGE) != 0)
        _exit(97);
    void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        _exit(96);
    close(fd);
    for (int i = 0, to = NAMES_AT; i < KINDS; i++)
        to += snprintf((char *)map + to, (size_t)(PAGE - to), "%s ", kind_names[i]);
    int k = 0;
    while (k < KINDS && strcmp(kind, kind_names[k]) != 0)
        k++;
    failing = (enum kind)k;
    fail_at = at;
    fail_all = strcmp(width, "all") == 0;
    fail_kill = strcmp(width, "kill") == 0;
    unsetenv("FAULT");
    if (failing != ALLOC)
        catch_calls();
    counters = map;
}
