/* cli/shard.c - which share of a data set a process does. */
#include <stdlib.h>
#include <string.h>

#include "cli/run.h"

static int bad_shard(const char *text, const char *why)
{
    cli_usage("run", "--shard '%s': %s", text, why);
    return EXIT_USAGE;
}

/* A variable of the scheduler or launcher that numbers its tasks; their number is never taken from
 * there, since a task that is run again may see another. */
static const char *task_variable(void)
{
    static const char *const arrays[] = {"JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"};
    static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"};
    const char *array = NULL;
    const char *size =
        getenv("OMPI_COMM_WORLD_SIZE") ? getenv("OMPI_COMM_WORLD_SIZE") : getenv("SLURM_NTASKS");
    for (int i = 1; i >= 0; i--)
        array = getenv(arrays[i]) ? arrays[i] : array;
    if (array)
        return size && atoi(size) > 1 ? NULL : array;
    for (int i = 0; i < 3; i++)
        if (getenv(ranks[i]))
            return ranks[i];
    return getenv("PARALLEL_SEQ") ? "PARALLEL_SEQ" : NULL;
}

int cli_shard(const char *text, int *shard, int *shards, const char **variable)
{
    char index[32];
    long long i, n;
    const size_t length = strcspn(text, "/");
    *variable = NULL;
    if (length >= sizeof index || !text[length] || !cli_int(text + length + 1, 1, 1000000, &n))
        return bad_shard(text, "expected I/N or auto/N, counted from 0");
    memcpy(index, text, length);
    index[length] = 0;
    if (strcmp(index, "auto") == 0 && !(*variable = task_variable()))
        return bad_shard(text, "the environment has no task number, or two that differ");
    if (!cli_int(*variable ? getenv(*variable) : index, 0, 1000000, &i))
        return bad_shard(text, "its first part is no number");
    i -= *variable && strcmp(*variable, "PARALLEL_SEQ") == 0;
    if (i < 0 || i >= n)
        return bad_shard(text, "there is no such shard");
    *shard = (int)i;
    *shards = (int)n;
    return CLI_OK;
}
