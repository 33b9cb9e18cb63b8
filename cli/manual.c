/* cli/manual.c - see manual.h. */
#include "cli/manual.h"

#include <string.h>

void cli_manual_overview(FILE *f, const cli_command *const *commands, int n)
{
    fprintf(f, "usage: weaksam COMMAND [OPTION...] [ARGUMENT...]\n\n");
    for (int i = 0; i < n; i++)
        fprintf(f, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(f, "\nweaksam COMMAND --help lists the options of a command.\n"
               "weaksam --version prints the version.\n"
               "Exit status: 0 success, 1 failure, 2 wrong usage; run and merge use sysexits-style "
               "codes.\n");
}

/* ---- roff ---- */

/* Text in a line of roff: no character of it is a command. */
static void put(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        const int begins = i == 0 || text[i - 1] == '\n';
        if (begins && (c == '.' || c == '\''))
            fputs("\\&", stdout);
        if (c == '\\')
            fputs("\\e", stdout);
        else if (c == '-')
            fputs("\\-", stdout);
        else if (c == '\'')
            fputs("\\(aq", stdout);
        else if (c == '`')
            fputs("\\(ga", stdout);
        else if (c == '~')
            fputs("\\(ti", stdout);
        else if (c == '^')
            fputs("\\(ha", stdout);
        else
            putchar(c);
    }
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

static void put_paragraphs(const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        const size_t n = end ? (size_t)(end - text) : strlen(text);
        fputs(*text == ' ' ? ".PP\n.nf\n" : ".PP\n", stdout);
        put(text, n);
        fputs(*text == ' ' ? "\n.fi\n" : "\n", stdout);
        text += n + (end ? 2 : 0);
    }
}

static void put_lines(const char *text)
{
    fputs(".nf\n", stdout);
    put_text(text);
    if (*text && text[strlen(text) - 1] != '\n')
        putchar('\n');
    fputs(".fi\n", stdout);
}

static void man_group(void *user, const char *title)
{
    (void)user;
    printf(".SS %s\n", title);
}

static void man_row(void *user, const char *names, const char *text, const char *preset)
{
    (void)user;
    fputs(".TP\n.B ", stdout);
    put_text(names);
    putchar('\n');
    put_text(text);
    if (preset) {
        fputs(" (default: ", stdout);
        put_text(preset);
        putchar(')');
    }
    fputs(".\n", stdout);
}

static void print_manual(const cli_command *c)
{
    const cli_help_visitor man = {man_group, man_row, NULL};
    const cli_help *h = c->table;
    printf(".TH WEAKSAM\\-%s 1 \"\" \"weaksam %s\" \"weaksam\"\n.SH NAME\nweaksam\\-%s \\- ",
           c->name, wsam_version(), c->name);
    put_text(c->summary);
    fputs("\n.SH SYNOPSIS\n.nf\n.B weaksam ", stdout);
    put_text(c->usage);
    fputs("\n.fi\n.SH DESCRIPTION\n", stdout);
    put_text(c->summary);
    putchar('\n');
    if (h && h->about)
        put_paragraphs(h->about);
    if (!h && c->help && *c->help)
        put_lines(c->help);
    fputs(".SH OPTIONS\n", stdout);
    cli_help_walk(c, &man);
    if (h && h->notes) {
        fputs(".SH NOTES\n", stdout);
        put_paragraphs(h->notes);
    }
    if (h && h->examples) {
        fputs(".SH EXAMPLES\n", stdout);
        put_lines(h->examples);
    }
    fputs(".SH SEE ALSO\n.BR weaksam (1)\n", stdout);
}

static void print_overview_manual(const cli_command *const *commands, int n)
{
    printf(".TH WEAKSAM 1 \"\" \"weaksam %s\" \"weaksam\"\n.SH NAME\nweaksam \\- Segment Anything "
           "and labels for object detection on CPUs\n.SH SYNOPSIS\n.B weaksam\n.I COMMAND\n"
           "[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n.SH COMMANDS\n",
           wsam_version());
    for (int i = 0; i < n; i++) {
        printf(".TP\n.BR weaksam\\-%s (1)\n", commands[i]->name);
        put_text(commands[i]->summary);
        putchar('\n');
    }
    fputs(".SH ENVIRONMENT\n.TP\n.B WEAKSAM_ISA\nThe instruction\\-set level, unless "
          "\\-\\-isa names one.\n.TP\n.B OMP_NUM_THREADS, SLURM_CPUS_PER_TASK\nThe number of "
          "threads, unless \\-\\-threads names one.\n"
          ".SH EXIT STATUS\n0 success, 1 failure, 2 wrong usage. The commands run and merge use "
          "sysexits\\-style codes, which their pages list.\n",
          stdout);
}

/* ---- completion ---- */

/* The names of options in "-o, --output FILE": words that begin with a dash. */
static void completion_row(void *user, const char *names, const char *text, const char *preset)
{
    (void)user, (void)text, (void)preset;
    for (const char *p = names; *p;) {
        const size_t n = strcspn(p, " ,");
        if (*p == '-' && n > 2)
            printf(" %.*s", (int)n, p);
        p += n;
        p += strspn(p, " ,");
    }
}

static void no_group(void *user, const char *title)
{
    (void)user, (void)title;
}

static void print_completion(const cli_command *const *commands, int n)
{
    const cli_help_visitor words = {no_group, completion_row, NULL};
    fputs("# bash completion for weaksam: commands, their options, then files.\n"
          "_weaksam() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} options=\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"help",
          stdout);
    for (int i = 0; i < n; i++)
        printf(" %s", commands[i]->name);
    fputs(" --help --version\" -- \"$word\"))\n        return\n    fi\n"
          "    case ${COMP_WORDS[1]} in\n",
          stdout);
    for (int i = 0; i < n; i++) {
        printf("    %s) options=\"", commands[i]->name);
        cli_help_walk(commands[i], &words);
        fputs("\" ;;\n", stdout);
    }
    fputs("    esac\n"
          "    case $word in\n"
          "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
          "    *) compopt -o default 2>/dev/null ;;\n"
          "    esac\n"
          "}\n"
          "complete -F _weaksam weaksam\n",
          stdout);
}

/* ---- the command ---- */

static const cli_command *find(const char *name, const cli_command *const *commands, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

int cli_manual_command(int argc, char **argv, const cli_command *const *commands, int n)
{
    const int man = argc > 1 && strcmp(argv[1], "--man") == 0;
    const char *name = argc > 1 + man ? argv[1 + man] : NULL;
    const cli_command *c = name ? find(name, commands, n) : NULL;
    if (argc == 2 && strcmp(argv[1], "--completion") == 0) {
        print_completion(commands, n);
    } else if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (int i = 0; i < n; i++)
            puts(commands[i]->name);
    } else if (argc > 2 + man || (name && !c)) {
        fputs("weaksam help: expected the name of a command, with --man for its manual page, "
              "--completion or --list\n",
              stderr);
        return CLI_USAGE;
    } else if (man && c) {
        print_manual(c);
    } else if (man) {
        print_overview_manual(commands, n);
    } else if (c) {
        cli_help_print(c);
    } else {
        cli_manual_overview(stdout, commands, n);
    }
    return CLI_OK;
}
