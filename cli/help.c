/* cli/help.c - the tables of help.h as text for a terminal. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/manual.h"

enum { WIDTH = 100, NAMES = 27 }; /* columns; where the text of an option begins */

/* Prints text from column `at` on, wrapped before WIDTH, further lines from `indent` on. */
static void print_wrapped(const char *text, int at, int indent)
{
    int line_has_word = 0;
    for (const char *p = text; *p;) {
        const char *end = strchr(p, ' ');
        const int n = end ? (int)(end - p) : (int)strlen(p);
        if (line_has_word && at + 1 + n > WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
            line_has_word = 0;
        }
        at += printf("%s%.*s", line_has_word ? " " : "", n, p);
        line_has_word = 1;
        p += n + (end != NULL);
    }
    putchar('\n');
}

/* Paragraphs are separated by an empty line; one that begins with a blank stays as it is. */
static void print_paragraphs(const char *text)
{
    while (*text) {
        char paragraph[2048];
        const char *end = strstr(text, "\n\n");
        const size_t n = end ? (size_t)(end - text) : strlen(text);
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)n, text);
        for (char *p = paragraph; *paragraph != ' ' && *p; p++)
            if (*p == '\n')
                *p = ' ';
        if (*paragraph == ' ')
            puts(paragraph);
        else
            print_wrapped(paragraph, 0, 0);
        text += n + (end ? 2 : 0);
        if (*text)
            putchar('\n');
    }
}

static void print_row(const char *names, const char *text, const char *preset)
{
    char all[1024];
    const int at = printf("  %s", names);
    snprintf(all, sizeof all, "%s%s%s%s", text, preset ? " (default: " : "", preset ? preset : "",
             preset ? ")" : "");
    if (at + 2 > NAMES)
        printf("\n%*s", NAMES, "");
    else
        printf("%*s", NAMES - at, "");
    print_wrapped(all, NAMES, NAMES);
}

static void on_group(void *user, const char *title)
{
    (void)user;
    printf("\n%s:\n", title);
}

static void on_row(void *user, const char *names, const char *text, const char *preset)
{
    (void)user;
    print_row(names, text, preset);
}

/* ---- walking the table ---- */

static int has_row(const cli_help *h, const char *names)
{
    const size_t n = strcspn(names, " ");
    for (const cli_help_row *r = h ? h->rows : NULL; r && (r->names || r->text); r++)
        if (r->names && strncmp(r->names, names, n) == 0)
            return 1;
    return 0;
}

static void walk_common(const cli_command *c, const char *group, int *begun,
                        const cli_help_visitor *v)
{
    for (int i = 0; cli_common_options[i].option.name; i++) {
        const cli_common_option *o = &cli_common_options[i];
        if (!cli_common_takes(c, i) || strcmp(o->group, group) != 0 || has_row(c->table, o->names))
            continue;
        if (!*begun)
            v->group(v->user, group);
        *begun = 1;
        v->row(v->user, o->names, o->text, o->preset);
    }
}

void cli_help_walk(const cli_command *c, const cli_help_visitor *v)
{
    static const char *const groups[] = {CLI_HELP_INPUT, CLI_HELP_OUTPUT, CLI_HELP_SPEED,
                                         CLI_HELP_OTHER};
    enum { GROUPS = sizeof groups / sizeof groups[0] };
    int done[GROUPS] = {0};
    const char *title = NULL;
    for (const cli_help_row *r = c->table ? c->table->rows : NULL; r; r++) {
        if (!r->names) { /* the end of a group */
            for (int i = 0; i < GROUPS && title; i++)
                if (strcmp(groups[i], title) == 0) {
                    int begun = 1;
                    walk_common(c, title, &begun, v);
                    done[i] = 1;
                }
            title = r->text;
            if (!title)
                break;
            v->group(v->user, title);
        } else {
            v->row(v->user, r->names, r->text, r->preset);
        }
    }
    for (int i = 0; i < GROUPS; i++) {
        int begun = 0;
        if (!done[i])
            walk_common(c, groups[i], &begun, v);
    }
}

/* ---- the text ---- */

static void print_examples(const char *examples)
{
    printf("\nExamples:\n");
    for (const char *p = examples; *p;) {
        const int n = (int)strcspn(p, "\n");
        printf("  %.*s\n", n, p);
        p += n + (p[n] != 0);
    }
}

void cli_help_print(const cli_command *c)
{
    const cli_help_visitor text = {on_group, on_row, NULL};
    const cli_help *h = c->table;
    printf("usage: weaksam %s\n\n%s\n", c->usage, c->summary);
    if (h && h->about) {
        putchar('\n');
        print_paragraphs(h->about);
    }
    if (!h && c->help && *c->help)
        printf("\n%s", c->help);
    cli_help_walk(c, &text);
    if (h && h->notes) {
        putchar('\n');
        print_paragraphs(h->notes);
    }
    if (h && h->examples)
        print_examples(h->examples);
}
