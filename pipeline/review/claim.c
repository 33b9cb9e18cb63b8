/* pipeline/review/claim.c - one review of a run at a time: the journal is locked while it is open. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.h"
#include "pipeline/review/review_session.h"

/* 0: another process has it. Where the file system has no locks nothing is known, and it is taken. */
int ws_review_claim(int journal)
{
    return flock(journal, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

wsam_status ws_review_claim_held(const char *output, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_IO, "%.300s: a review of this run is open; end it first",
                   output);
}

wsam_status wsam_review_closed(const char *output, wsam_error *error)
{
    ws_text path = {0};
    ws_text_printf(&path, "%s/review/journal.jsonl", output);
    if (path.failed) {
        free(path.text);
        return ws_no_memory(error, output);
    }
    const int journal = open(path.text, O_RDWR | O_CLOEXEC);
    free(path.text);
    if (journal < 0) /* none was ever begun, or it cannot be written either */
        return WSAM_OK;
    const int free_now = ws_review_claim(journal);
    close(journal);
    return free_now ? WSAM_OK : ws_review_claim_held(output, error);
}
