/* tests/scripts/refuse_tiles.c - runs a command whose requests for tile registers the system
 * refuses.
 *
 * usage: refuse_tiles [--no-space] COMMAND [ARGUMENT]...
 *
 * A filter of system calls answers EPERM to arch_prctl(ARCH_REQ_XCOMP_PERM), and to ARCH_GET_FS,
 * which stands for it in the programs with the C model of tiles. With --no-space it answers ENOSPC,
 * as Linux does where an alternate signal stack is too small for tiles. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_arch_prctl

static int refuse(unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1023, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1003, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#else

static int refuse(unsigned error)
{
    (void)error;
    errno = ENOSYS;
    return -1;
}

#endif

int main(int argc, char **argv)
{
    const int no_space = argc > 1 && strcmp(argv[1], "--no-space") == 0;
    char **command = argv + 1 + no_space;
    if (argc < 2 + no_space) {
        fprintf(stderr, "usage: refuse_tiles [--no-space] COMMAND [ARGUMENT]...\n");
        return 2;
    }
    if (refuse(no_space ? ENOSPC : EPERM)) {
        perror("refuse_tiles: no filter of system calls");
        return 77;
    }
    execv(command[0], command);
    perror(command[0]);
    return 127;
}
