/* cli/labels.c - what a person should know of labels. */
#include "cli/stages.h"

void cli_labels_one_class(const char *command, const char *name)
{
    fprintf(stderr, "weaksam %s: the class '", command);
    cli_print_safe(stderr, name);
    fprintf(stderr, "' is the only one: all images are searched for it, and nothing tells it from "
                    "others\n");
}

/* " (a.png, b.png and 3 more)" */
static void print_names(const wsam_label_gap *gap)
{
    fputs(" (", stderr);
    for (size_t i = 0; i < WSAM_LABEL_GAP_NAMES && gap->names[i]; i++) {
        fputs(i ? ", " : "", stderr);
        cli_print_safe(stderr, gap->names[i]);
    }
    if (gap->n > WSAM_LABEL_GAP_NAMES)
        fprintf(stderr, " and %zu more", gap->n - WSAM_LABEL_GAP_NAMES);
    fputs(")\n", stderr);
}

static void remark(const char *command, const char *one, const char *many,
                   const wsam_label_gap *gap)
{
    if (!gap->n)
        return;
    fprintf(stderr, "weaksam %s: %zu %s", command, gap->n, cli_plural(gap->n, one, many));
    print_names(gap);
}

void cli_labels_remarks(const char *command, const wsam_labels *l)
{
    int one = l->n > 0 && !l->negatives;
    fprintf(stderr, "weaksam %s: labels: %s; %zu images, %zu classes", command, l->kind, l->n,
            l->n_classes);
    if (l->negatives)
        fprintf(stderr, ", %zu images that show none of them", l->negatives);
    fputc('\n', stderr);
    remark(command, "image without labels is left out", "images without labels are left out",
           &l->unlabelled_images);
    remark(command, "labelled image is not there", "labelled images are not there",
           &l->missing_images);
    remark(command, "name is there more than once: the last counts",
           "names are there more than once: the last of each counts", &l->repeated_members);
    for (size_t i = 1; i < l->first[l->n] && one; i++)
        one = l->classes[i] == l->classes[0];
    if (one)
        cli_labels_one_class(command, l->names[l->classes[0]]);
}
