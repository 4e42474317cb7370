/* SPDX-License-Identifier: MIT */
/* The table of verbs, and what happens around each: options, output file, colours, write errors, exit status. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLES (1u << CLI_TEXT | 1u << CLI_JSON | 1u << CLI_JSONL | 1u << CLI_CSV)

const struct cli_verb cli_verbs[] = {
        { "info", VERB_INFO, "IMAGE...", "what the image holds: format, ranges, system, version",
          "Tells what IMAGE is and what it holds: its format, the ranges of physical memory in it and those missing, "
          "what its container says (registers, bug check), and the system in it: name, version, layout, and how each "
          "was found.\n"
          "Where the system is not understood, the rest is told all the same, and the exit status is 2.",
          0, 1u << CLI_TEXT | 1u << CLI_JSON | 1u << CLI_JSONL, 0, 0, cmd_info },
        { "processes", VERB_PROCESSES, "IMAGE...", "every process", "Lists every process, by process id.",
          STASIS_PROCESSES, TABLES, 0, 0, cmd_processes },
        { "threads", VERB_THREADS, "IMAGE...", "every thread",
          "Lists every thread, by process id and thread id. Text shows a choice of columns in a table; the other "
          "formats give every fact.",
          STASIS_THREADS, TABLES, 0, 0, cmd_threads },
        { "thread", VERB_THREAD, "IMAGE...", "everything about one thread",
          "Tells every fact about the threads with the id of --tid, or about the thread object at the address of "
          "--object. Text is a page: what it does and waits for, its stacks and registers, for whom it acts, what is "
          "queued on it, what was noticed about it; then all other facts. With --evidence it is a plain list of facts.",
          STASIS_THREADS, TABLES, 0, 0, cmd_thread },
        { "stacks", VERB_STACKS, "IMAGE...", "all stacks, identical ones grouped",
          "Groups the threads whose kernel stacks are the same, most threads first. What is the same in two processes "
          "is told by module and offset. With --user the stacks in user mode are compared and shown too. Threads "
          "without a stack come last, by the reason.",
          STASIS_THREADS, TABLES, 0, 0, cmd_stacks },
        { "waits", VERB_WAITS, "IMAGE...", "who waits for whom, and deadlocks",
          "Tells for what threads wait that others have: deadlocks first, then chains, longest first, from a thread "
          "that nobody waits for to one that does not wait for anybody. A chain stops where another has told the rest. "
          "What nobody is known to have is in no chain; 'threads --columns tid,wait_objects' lists it, and so do --tid "
          "and --process here.\n"
          "A deadlock is proven: each thread of it waits for the next one alone. One whose thread waits for a time "
          "only is said to. A deadlock does not change the exit status. Windows only: Linux does not keep who holds "
          "what.",
          STASIS_THREADS, 1u << CLI_TEXT | 1u << CLI_JSON | 1u << CLI_DOT, 0, 0, cmd_waits },
        { "modules", VERB_MODULES, "IMAGE...", "the kernel's modules, or those of a process",
          "Lists the modules of the kernel, or with --process the user modules of that process.", STASIS_MODULES,
          TABLES, 0, 0, cmd_modules },
        { "symbols", VERB_SYMBOLS, "IMAGE...", "the PDB of each module, ready to be fetched elsewhere",
          "Tells of each module the PDB that its image names: file, GUID and age, as the path that a symbol store or "
          "server has it under, and whether it is among what --symbols gives. Of a module whose debug record is not in "
          "the image, that is said. With --format raw: the paths alone, of those that were not found, a line each.",
          STASIS_MODULES, TABLES | 1u << CLI_RAW, 0, 0, cmd_symbols },
        { "translate", VERB_TRANSLATE, "IMAGE VA...", "virtual addresses to physical ones",
          "Translates virtual addresses: hexadecimal, with or without 0x; '-' reads them from the standard input. An "
          "address that is not mapped is an answer; a page table that the image does not hold makes the exit status "
          "3.\n"
          "With --reverse the addresses are physical ones, and the answer is every virtual address that comes to them: "
          "in the kernel's tables, and in those of each process or of --process.\n"
          "With --root and --mode nothing is searched for. Else the page tables are those of --process, or the "
          "kernel's, or those that the image's container names.",
          0, TABLES, 1, SIZE_MAX, cmd_translate },
        { "read", VERB_READ, "IMAGE ADDRESS LENGTH", "bytes at an address",
          "Shows LENGTH bytes (decimal, or hexadecimal with 0x) at the virtual ADDRESS (hexadecimal), or with "
          "--physical at the physical one. What cannot be read is marked: question marks in text and JSON; zeros in "
          "raw output, with a message. The exit status is then 3.",
          0, 1u << CLI_TEXT | 1u << CLI_JSON | 1u << CLI_RAW, 2, 2, cmd_read },
        { "check", VERB_CHECK, "IMAGE...|DIR", "what is found against a reference, for CI",
          "Compares what is found in IMAGE, or stands in a document about one, with the reference of --against: a "
          "former answer, "
          "or a few threads and facts written by hand, with rules of what may differ and how. docs/CI.md tells the "
          "form.\n"
          "With DIR all cases of a folder: an image and its reference NAME.ref.json, or a folder with a case.json. "
          "What is neither is an error, and so is a folder without a case.\n"
          "The exit status is 4 where something differs, whatever else is wrong; else 2 where a case could not be "
          "compared; else 3 where something is missing in an image, unless its reference has the same missing.",
          0, 1u << CLI_TEXT | 1u << CLI_JSON | 1u << CLI_JUNIT | 1u << CLI_TAP | 1u << CLI_GITHUB, 0, 0, cmd_check },
        { "diff", VERB_DIFF, "A B", "what became of one machine: threads born, gone, changed",
          "Compares two images of one machine, or two results (--format json of threads or processes, results of "
          "batch), or one of each: threads, processes and modules that were born, are gone, or changed: state, wait, "
          "stack, token, any other fact. A thread is the same where its object and its time of creation are.\n"
          "What always changes (times, counts of switches, registers) is only counted. Where the two seem not to be "
          "of one machine and boot, that is said. The exit status is 4 where something differs.",
          STASIS_THREADS, 1u << CLI_TEXT | 1u << CLI_JSON, 1, 1, cmd_diff },
        { "query", VERB_QUERY, "FILE [NAME|SQL|- [VALUE...]]", "a question over the results of many images",
          "Asks FILE, which 'batch --sqlite' wrote, a question: one of those that have a NAME, or a statement of SQL "
          "('-': from the standard input). VALUEs stand for ?1, ?2 in it. Without a question the names are listed. "
          "docs/SQL.md has the tables, the views and the SQL of each name.\n"
          "Nothing but SELECT is run. A call stack is a cell of several lines in a table, and one text in the other "
          "formats.",
          0, TABLES, 0, 1 + CLI_TEXTS_MAX, cmd_query },
        { "batch", VERB_BATCH, "DIR|FILE|@LIST...", "many images, each in a process of its own",
          "Analyses every image that is found in folders and archives, by what it holds and not by its name, and "
          "writes "
          "one result an image and one line a file into the folder of --output: summary.jsonl, and "
          "results/SHA-256.json. @LIST is a file with a path a line ('@-': the standard input).\n"
          "Each image has a process of its own, without files, network and other programs, and with limits. Stopped or "
          "killed, the same command goes on where it was. What is done is not done again, nor is the same content "
          "under another name. docs/BATCH.md tells the rest.\n"
          "The exit status is 3 where an image is not complete or could not be read, and where there is none.",
          0, 1u << CLI_TEXT, 0, SIZE_MAX, cmd_batch },
        { "merge", VERB_MERGE, "DIR...", "the answers of all shards of a batch as one",
          "Checks that the folders are those of all shards of one batch, none missing and none unfinished, and that "
          "each file is in one of them. Writes into the folder of --output what a batch without shards would have "
          "written.",
          0, 1u << CLI_TEXT, 0, SIZE_MAX, cmd_merge },
        { 0 },
};

const char *const cli_exit_texts[CLI_EXITS] = {
        "complete",
        "usage: the command line makes no sense",
        "the image could not be read or understood, or the output not written",
        "partial: something is missing, and the answer says what",
        "different: check and diff found a difference, whatever else is missing",
};

static const struct cli_verb *verb_by_name(const char *name)
{
        for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
                if (strcmp(verb->name, name) == 0)
                        return verb;
        return NULL;
}

/* Never onto the evidence itself. */
static bool is_same_file(int fd, const char *path)
{
        struct stat a, b;

        return path && fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* "ARCHIVE!MEMBER" is read from ARCHIVE. */
static bool is_same_image(int fd, const char *path)
{
        bool found = is_same_file(fd, path);

        for (const char *mark = strchr(path, '!'); mark && !found; mark = strchr(mark + 1, '!')) {
                char *file = strndup(path, (size_t)(mark - path));
                found = is_same_file(fd, file);
                free(file);
        }
        return found;
}

static bool is_input(const struct cli *cli, int fd)
{
        bool found =
                is_same_image(fd, cli->image_path) || is_same_file(fd, cli->layout) || is_same_file(fd, cli->against);

        for (size_t i = 0; i < cli->symbols.count; i++)
                found |= is_same_file(fd, cli->symbols.at[i]);
        for (size_t i = 0; i < cli->also.count; i++)
                found |= is_same_image(fd, cli->also.at[i]);
        for (size_t i = 0; i < cli->more_count; i++)
                found |= is_same_image(fd, cli->more[i]);
        for (size_t i = 0; i < cli->arg_count && cli->verb->bit & VERB_OPENS; i++)
                found |= is_same_image(fd, cli->arg[i]);
        for (size_t i = 0; i < cli->pagefiles.count; i++)
                found |= is_same_file(fd, cli_pagefile(cli->pagefiles.at[i], NULL));
        return found;
}

static enum cli_exit open_output(struct cli *cli)
{
        if (!cli->output || cli->verb->bit & VERB_FOLDERS)
                return CLI_COMPLETE;
        int fd = open(cli->output, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
                return cli_fail(cli, "%s: cannot be opened for writing: %s", cli->output, strerror(errno));
        if (is_input(cli, fd)) {
                close(fd);
                return cli_usage(cli, "--output %s is an input; it would be overwritten", cli->output);
        }
        struct stat st;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd, 0) != 0) {
                close(fd);
                return cli_fail(cli, "%s: cannot be emptied: %s", cli->output, strerror(errno));
        }
        cli->output_file = fdopen(fd, "w");
        if (!cli->output_file) {
                close(fd);
                return cli_fail(cli, "%s: %s", cli->output, strerror(errno));
        }
        cli->out = cli->output_file;
        return CLI_COMPLETE;
}

static bool wants_color(const struct cli *cli)
{
        const char *no_color = getenv("NO_COLOR"); /* no-color.org: present and not empty */

        if (cli->color != CLI_COLOR_AUTO)
                return cli->color == CLI_COLOR_ALWAYS;
        return cli->out == stdout && isatty(STDOUT_FILENO) && !(no_color && *no_color);
}

/* Write errors may show only now; they are errors of the answer, whatever was found. */
static enum cli_exit close_output(struct cli *cli, enum cli_exit status)
{
        const char *name = cli->output_file ? cli->output : "standard output";

        errno = 0;
        bool bad = fflush(cli->out) != 0 || ferror(cli->out);
        int error = errno;
        if (cli->output_file && fclose(cli->output_file) != 0 && !bad) {
                bad = true;
                error = errno;
        }
        cli->output_file = NULL;
        if (!bad)
                return status;
        return cli_fail(cli, "%s: the answer could not be written whole: %s", name,
                        error ? strerror(error) : "write error");
}

static enum cli_exit run_verb(struct cli *cli, int argc, char **argv)
{
        enum cli_exit status = cli_parse(cli, argc, argv);

        if (status)
                return status;
        if (cli->help) {
                help_verb(cli->out, cli->verb);
                return close_output(cli, CLI_COMPLETE);
        }
        if (cli->columns && strcmp(cli->columns, "help") == 0) {
                help_columns(cli->out, cli->verb);
                return close_output(cli, CLI_COMPLETE);
        }
        status = cli->verb->bit & VERB_OPENS ? CLI_COMPLETE : cli_open_image(cli);
        if (!status)
                status = open_output(cli); /* only now: a name mistyped must not empty an older answer */
        if (!status) {
                cli->colored = wants_color(cli);
                status = close_output(cli, cli->verb->run(cli));
        }
        stasis_system_close(cli->system);
        stasis_image_close(cli->image);
        return status;
}

/* "stasis help [VERB]", "stasis --help", "stasis --version": true where it was one of them. */
static bool run_meta(struct cli *cli, int argc, char **argv, enum cli_exit *ret_status)
{
        bool help = strcmp(argv[1], "help") == 0;

        if (help && argc > 2) {
                const struct cli_verb *verb = verb_by_name(argv[2]);
                if (!verb) {
                        *ret_status = cli_usage(cli, "there is no verb '%s'", argv[2]);
                        return true;
                }
                help_verb(cli->out, verb);
        } else if (help || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
                help_overview(cli->out);
        } else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
                fputs("stasis " STASIS_VERSION "\n", cli->out);
        } else {
                return false;
        }
        *ret_status = close_output(cli, CLI_COMPLETE);
        return true;
}

int cli_main(int argc, char **argv, FILE *in, FILE *out, FILE *err)
{
        struct cli cli = { .in = in, .out = out, .err = err };
        enum cli_exit status;

        if (argc < 2)
                return (int)cli_usage(&cli, "no verb is given");
        if (run_meta(&cli, argc, argv, &status))
                return (int)status;
        cli.verb = verb_by_name(argv[1]);
        if (!cli.verb)
                return (int)cli_usage(&cli,
                                      argv[1][0] == '-' ? "'%s' is not known here: the verb comes first"
                                                        : "there is no verb '%s'",
                                      argv[1]);
        return (int)run_verb(&cli, argc - 1, argv + 1);
}
