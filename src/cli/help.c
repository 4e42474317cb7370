/* SPDX-License-Identifier: MIT */
/* --help, out of the tables of verbs and options alone. */
#include "cli.h"

#include <string.h>

#define HELP_WIDTH 80
#define HELP_COLUMN 28

void help_overview(FILE *out)
{
        fputs("Usage: stasis VERB [OPTION]... IMAGE [ARGUMENT]...\n\n", out);
        text_put_wrapped(out,
                         "Reads the static image of a dead machine (raw memory, ELF core, Windows crash dump) and "
                         "tells every thread of the system that was running, offline and without symbol files.",
                         0, 0, HELP_WIDTH);
        fputs("\nVerbs:\n", out);
        for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
                fprintf(out, "  %-11s %s\n", verb->name, verb->summary);
        fputs("\nOptions:\n  --help, -h      this help\n  --version, -V   the version\n\n"
              "'stasis help VERB' or 'stasis VERB --help' tells more.\n",
              out);
}

static void option_help(FILE *out, const struct cli_verb *verb, const struct cli_option *option)
{
        struct text head = { 0 }, choices = { 0 }, help = { 0 };

        text_printf(&head, option->letter ? "  -%c, " : "      ", option->letter);
        text_printf(&head, "--%s%s%s", option->name, option->argument ? " " : "",
                    option->argument ? option->argument : "");
        cli_option_choices(option, verb, &choices);
        text_str(&help, option->help);
        if (choices.len)
                text_printf(&help, ": %s", choices.at);
        fputs(text_get(&head), out);
        if (head.len + 2 > HELP_COLUMN)
                fprintf(out, "\n%*s", HELP_COLUMN, "");
        else
                fprintf(out, "%*s", HELP_COLUMN - (int)head.len, "");
        text_put_wrapped(out, text_get(&help), HELP_COLUMN, HELP_COLUMN, HELP_WIDTH);
        text_free(&head);
        text_free(&choices);
        text_free(&help);
}

void help_verb(FILE *out, const struct cli_verb *verb)
{
        fprintf(out, "Usage: stasis %s [OPTION]... %s\n\n", verb->name, verb->arguments);
        for (const char *at = verb->text; *at;) { /* paragraphs, separated by a newline */
                struct text paragraph = { 0 };
                size_t len = strcspn(at, "\n");
                text_add(&paragraph, at, len);
                text_put_wrapped(out, text_get(&paragraph), 0, 0, HELP_WIDTH);
                text_free(&paragraph);
                fputs("\n", out);
                at += len + (at[len] == '\n');
        }
        fputs("Options:\n", out);
        for (const struct cli_option *option = cli_options; option->name; option++)
                if (option->verbs & verb->bit)
                        option_help(out, verb, option);
        fputs("\nExit status:\n", out);
        for (int i = 0; i < CLI_EXITS; i++)
                fprintf(out, "  %d  %s\n", i, cli_exit_texts[i]);
}

static void os_columns(FILE *out, const struct cli_verb *verb, const char *os)
{
        const struct stasis_column *column;
        const char *group = NULL;

        for (size_t i = 0; (column = stasis_column_at(os, verb->what, i)); i++) {
                if (!group || strcmp(group, column->group) != 0)
                        fprintf(out, "%s%s\n", group ? "\n" : "", column->group);
                group = column->group;
                fprintf(out, "  %-32s %s\n", column->key, column->title);
        }
}

/* Which columns there are depends on the system in the image: those of each, under its name where there are several. */
void help_columns(FILE *out, const struct cli_verb *verb)
{
        const char *os, *title, *ignored;
        bool several = stasis_os_name_at(1, &ignored) != NULL;

        for (size_t i = 0; (os = stasis_os_name_at(i, &title)); i++) {
                if (several)
                        fprintf(out, "%sOf %s:\n\n", i ? "\n" : "", title);
                os_columns(out, verb, os);
        }
}
