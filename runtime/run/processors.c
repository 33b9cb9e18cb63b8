/* runtime/run/processors.c - how many threads this process may use: what a scheduler's variables
 * say, else the affinity mask, and the quota of its control group and of every group above it. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weaksam/model.h"

static int affinity_count(void)
{
#if defined(__linux__) && defined(CPU_COUNT)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

/* The first line of folder/name. */
static int read_line(const char *folder, const char *name, char *line, int size)
{
    char path[1024];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return 0;
    FILE *f = fopen(path, "r");
    const int ok = f && fgets(line, size, f);
    if (f)
        fclose(f);
    return ok;
}

/* Whole processors that a group's own quota allows, rounded up; 0 without a quota. Version 2 has
 * "quota period" in cpu.max, version 1 two files. */
static int group_quota(const char *folder)
{
    char line[128];
    long long quota = 0, period = 0;
    if (read_line(folder, "cpu.max", line, sizeof line)) {
        if (sscanf(line, "%lld %lld", &quota, &period) != 2)
            return 0; /* "max 100000" */
    } else if (!read_line(folder, "cpu.cfs_quota_us", line, sizeof line) ||
               sscanf(line, "%lld", &quota) != 1 ||
               !read_line(folder, "cpu.cfs_period_us", line, sizeof line) ||
               sscanf(line, "%lld", &period) != 1) {
        return 0;
    }
    if (quota <= 0 || period <= 0)
        return 0;
    const long long n = quota / period + (quota % period != 0);
    return n < 65536 ? (int)n : 0;
}

/* The smallest quota from a group up to the root of its hierarchy. */
static int smallest_quota(const char *root, const char *group)
{
    char folder[1024];
    int smallest = 0;
    if (snprintf(folder, sizeof folder, "%s%s", root, group) >= (int)sizeof folder)
        return 0;
    while (strlen(folder) >= strlen(root)) {
        const int n = group_quota(folder);
        if (n && (!smallest || n < smallest))
            smallest = n;
        char *slash = strrchr(folder, '/');
        if (!slash)
            break;
        *slash = 0;
    }
    return smallest;
}

/* Whether "cpu" is in a list like "cpu,cpuacct". */
static int has_cpu(const char *list)
{
    while (*list) {
        const size_t n = strcspn(list, ",");
        if (n == 3 && strncmp(list, "cpu", 3) == 0)
            return 1;
        list += n + (list[n] == ',');
    }
    return 0;
}

/* Lines of /proc/self/cgroup are "number:controllers:path"; version 2 names no controllers. */
static int quota_count(void)
{
    char line[1024];
    int smallest = 0;
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        controllers++;
        path[strcspn(path, "\n")] = 0;
        if (*controllers && !has_cpu(controllers))
            continue;
        char root[256] = "/sys/fs/cgroup"; /* version 1: a folder with the controllers' names */
        if (*controllers)
            snprintf(root, sizeof root, "/sys/fs/cgroup/%.200s", controllers);
        const int n = smallest_quota(root, path);
        if (n && (!smallest || n < smallest))
            smallest = n;
    }
    if (f)
        fclose(f);
    return smallest;
}

/* A whole number from 1 to 1024 in the environment; 0: there is none. */
static int from_environment(const char *name)
{
    const char *text = getenv(name);
    char *end;
    const long n = text ? strtol(text, &end, 10) : 0;
    return text && end != text && (*end == 0 || *end == ',') && n >= 1 && n <= 1024 ? (int)n : 0;
}

int wsam_default_threads(void)
{
    const int task = from_environment("SLURM_CPUS_PER_TASK");
    const int asked = task ? task : from_environment("OMP_NUM_THREADS");
    if (asked)
        return asked;
    const int affinity = affinity_count(), quota = quota_count();
    const int n = quota > 0 && quota < affinity ? quota : affinity;
    return n > 0 ? n : 1;
}
