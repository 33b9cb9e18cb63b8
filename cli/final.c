/* cli/final.c - see final.h. */
#include "cli/final.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096, PIECE = 1 << 16 };

static int copy(FILE *from, FILE *to)
{
    static char bytes[PIECE];
    size_t n;
    while ((n = fread(bytes, 1, sizeof bytes, from)) > 0)
        if (fwrite(bytes, 1, n, to) != n)
            return 0;
    return !ferror(from);
}

wsam_status cli_final_write(const char *output, const char *from, wsam_error *error)
{
    char source[PATH], path[PATH], temporary[PATH];
    if (snprintf(source, PATH, "%s/%s", output, from) >= PATH - 64)
        return cli_error(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    snprintf(path, PATH, "%.4000s/final.json", output);
    snprintf(temporary, PATH, "%.4000s/final.json.%ld-0.tmp", output, (long)getpid());
    FILE *in = fopen(source, "rb"), *out = in ? fopen(temporary, "wb") : NULL;
    int good = in && out && copy(in, out);
    if (in)
        fclose(in);
    if (out)
        good = fclose(out) == 0 && good;
    if (good && rename(temporary, path) == 0)
        return WSAM_OK;
    const int why = errno;
    if (out)
        unlink(temporary);
    return cli_error(error, WSAM_ERR_IO, "%.300s: %s", out ? path : source, strerror(why));
}

wsam_status cli_final_report(const char *output, const char *folder, wsam_error *error)
{
    char dataset[PATH], page[PATH], judgement[PATH];
    wsam_report_options o;
    wsam_report_options_default(&o);
    snprintf(dataset, PATH, "%.4000s/final.json", output);
    snprintf(page, PATH, "%.4000s/report.html", output);
    snprintf(judgement, PATH, "%.4000s/clues/clues.judgement.json", output);
    o.dataset = dataset;
    o.folder = folder;
    o.output = page;
    o.title = "final.json";
    o.judgement = judgement;
    return wsam_report(&o, NULL, error);
}
