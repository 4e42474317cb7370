/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct cli, member)

#define VERB_SYSTEM \
        (VERB_INFO | VERB_LISTS | VERB_STACKS | VERB_SYMBOLS | VERB_WAITS | VERB_TRANSLATE | VERB_READ | VERB_CHECK)

const struct cli_option cli_options[] = {
        { "format", 'f', "FORMAT", "text|json|jsonl|csv|raw|dot|junit|tap|github", VERB_ALL, TAKE_CHOICE, AT(format),
          "how to print the answer (text)" },
        { "against", 'A', "FILE", NULL, VERB_CHECK, TAKE_TEXT, AT(against),
          "the reference: a former answer (--format json of threads or processes, a result), or one written by hand" },
        { "update", 0, NULL, NULL, VERB_CHECK, TAKE_FLAG, AT(update),
          "rewrite the reference as it is found now; its rules stay, and a subset names what it did; where there is "
          "none, a whole one is made" },
        { "jobs", 'j', "N", NULL, VERB_CHECK, TAKE_NUMBER, AT(jobs),
          "how many cases of a folder run at the same time (as many as there are processors)" },
        { "process", 'p', "PID", NULL,
          VERB_THREADS | VERB_STACKS | VERB_WAITS | VERB_MODULES | VERB_SYMBOLS | VERB_TRANSLATE | VERB_READ,
          TAKE_NUMBER, AT(process), "only this process: its threads, its user modules, its address space" },
        { "tid", 't', "TID", NULL, VERB_THREADS | VERB_THREAD | VERB_STACKS | VERB_WAITS, TAKE_NUMBER, AT(tid),
          "only threads with this id" },
        { "object", 0, "ADDRESS", NULL, VERB_THREAD, TAKE_ADDRESS, AT(object),
          "the thread whose object is here, in a list or not; refused where there is none" },
        { "state", 's', "NAME", NULL, VERB_THREADS | VERB_STACKS, TAKE_TEXT, AT(state),
          "only threads in this state (Waiting, Running ...)" },
        { "all", 0, NULL, NULL, VERB_DIFF, TAKE_FLAG, AT(all),
          "also what always changes: times, counts of switches, what a running thread's stack holds" },
        { "all", 0, NULL, NULL, VERB_SYMBOLS, TAKE_FLAG, AT(all), "the user modules of every process too" },
        { "user", 'u', NULL, NULL, VERB_STACKS, TAKE_FLAG, AT(user), "the stacks in user mode too" },
        { "hidden", 0, NULL, NULL, VERB_THREADS, TAKE_FLAG, AT(hidden),
          "every way of finding threads, of Windows also a scan of all memory; only what they disagree on, with the "
          "reason" },
        { "noticed", 0, NULL, NULL, VERB_THREADS, TAKE_FLAG, AT(noticed),
          "only threads that a note speaks of: what is worth a second look about them, and what could not be read; the "
          "notes follow the table" },
        { "cross-view", 0, NULL, NULL, VERB_THREADS, TAKE_FLAG, AT(cross_view),
          "the same ways, all threads, one column a way (text, csv)" },
        { "scan", 0, NULL, NULL, VERB_THREADS | VERB_THREAD | VERB_PROCESSES | VERB_CHECK | VERB_DIFF | VERB_BATCH,
          TAKE_FLAG, AT(scan), "Windows: also the threads that only a scan of all memory finds" },
        { "jobs", 'j', "N", NULL, VERB_BATCH, TAKE_NUMBER, AT(jobs),
          "how many images are worked on at the same time (as many as there are processors)" },
        { "jobs", 'j', "N", NULL, VERB_THREADS | VERB_THREAD | VERB_PROCESSES, TAKE_NUMBER, AT(jobs),
          "how many threads such a scan runs in (as many as there are processors)" },
        { "columns", 'c', "KEYS", NULL, VERB_DIFF, TAKE_TEXT, AT(columns),
          "compare only these facts of threads and processes, separated by commas; '--columns help' lists them" },
        { "columns", 'c', "KEYS", NULL, VERB_LISTS, TAKE_TEXT, AT(columns),
          "the columns of text and csv, separated by commas; '--columns help' lists them" },
        { "all-columns", 'a', NULL, NULL, VERB_LISTS, TAKE_FLAG, AT(all_columns),
          "every column (text: one fact a line)" },
        { "evidence", 'e', NULL, NULL, VERB_INFO | VERB_LISTS, TAKE_FLAG, AT(evidence),
          "for each fact where it was read: virtual address, physical address, offset in the file" },
        { "explain", 'x', NULL, NULL, VERB_TRANSLATE, TAKE_FLAG, AT(explain),
          "each table entry that was crossed (text)" },
        { "reverse", 'R', NULL, NULL, VERB_TRANSLATE, TAKE_FLAG, AT(reverse),
          "the addresses are physical: which virtual ones, of the kernel and of every process, come to them" },
        { "physical", 0, NULL, NULL, VERB_READ, TAKE_FLAG, AT(physical), "the address is a physical one" },
        { "trace", 0, NULL, NULL, VERB_INFO, TAKE_FLAG, AT(trace), "every attempt of discovery, and why it failed" },
        { "root", 'r', "PA", NULL, VERB_SYSTEM, TAKE_ADDRESS, AT(root),
          "physical address of the top page table, as CR3 holds it" },
        { "mode", 'm', "MODE", "x86|pae|x64|la57", VERB_SYSTEM, TAKE_CHOICE_TEXT, AT(mode), "paging mode" },
        { "layout", 'l', "FILE", NULL, VERB_SYSTEM | VERB_DIFF, TAKE_TEXT, AT(layout),
          "structure layouts from this Volatility 3 ISF file (JSON, plain or .xz); 'inferred': from no file or table, "
          "but from what must hold in the image" },
        { "symbols", 'S', "PATH", NULL, VERB_SYSTEM | VERB_DIFF, TAKE_TEXTS, AT(symbols),
          "Windows: PDB and Volatility 3 ISF files, singly or in a folder or symbol store; one is used where its GUID "
          "and "
          "age are those of a module. Linux: types and symbols of the kernel from this vmlinux, .debug, BTF, "
          "System.map or "
          "ISF file. May be given several times" },
        { "pagefile", 'P', "[N=]FILE", NULL, VERB_SYSTEM, TAKE_TEXTS, AT(pagefiles),
          "Windows: page file number N (pagefile.sys as a rule 0), else the next one; may be given several times" },
        { "timeout", 0, "SECONDS", NULL, VERB_QUERY, TAKE_NUMBER, AT(timeout),
          "no answer after this long is an error (60)" },
        { "timeout", 0, "SECONDS", NULL, VERB_CHECK, TAKE_NUMBER, AT(timeout),
          "a case that takes longer than this is an error of that case (600); 0: as long as it likes" },
        { "timeout", 0, "SECONDS", NULL, VERB_BATCH, TAKE_NUMBER, AT(timeout),
          "how long one image may take (600); 0: as long as it likes" },
        { "memory", 0, "SIZE", NULL, VERB_BATCH, TAKE_SIZE, AT(memory),
          "how much memory one image may take, beside the file itself (4G)" },
        { "output-limit", 0, "SIZE", NULL, VERB_BATCH, TAKE_SIZE, AT(output_limit), "how long one result may be (4G)" },
        { "shard", 0, "K/N", NULL, VERB_BATCH, TAKE_TEXT, AT(shard),
          "only the K-th of N parts, from 1 on; 'slurm' and 'k8s/N': as the task of a Slurm array or the pod of an "
          "Indexed Job says; 'auto': whichever of them it is" },
        { "shard-by", 0, "WHAT", "name|content", VERB_BATCH, TAKE_CHOICE, AT(shard_by),
          "what decides on the part: the name, or the content, for which each part reads all files (name)" },
        { "sqlite", 0, "FILE", NULL, VERB_FOLDERS, TAKE_TEXT, AT(sqlite),
          "put all results into this SQLite file too; 'stasis query' asks it" },
        { "retry", 0, NULL, NULL, VERB_BATCH, TAKE_FLAG, AT(retry),
          "look again at what an earlier run could not read, and at what ended its worker" },
        { "no-sandbox", 0, NULL, NULL, VERB_BATCH, TAKE_FLAG, AT(no_sandbox),
          "workers without a sandbox; each result says so" },
        { "reader", 0, "NAME", "", VERB_IMAGES, TAKE_TEXT, AT(reader),
          "read IMAGE with this reader, whatever it looks like" },
        { "also", 0, "FILE", NULL, VERB_IMAGES & ~VERB_BATCH & ~VERB_DIFF, TAKE_TEXTS, AT(also),
          "a further file of the image: a part of a split kdump; may be given several times" },
        { "tmp", 0, "DIR", NULL, VERB_IMAGES, TAKE_TEXT, AT(tmp),
          "where an image that is compressed or in an archive is unpacked, if it must be ($TMPDIR, else /var/tmp)" },
        { "tmp-limit", 0, "SIZE", NULL, VERB_IMAGES, TAKE_SIZE, AT(tmp_limit),
          "unpack no more than this: bytes, or with K, M, G, T behind (64G)" },
        { "output", 'o', "DIR", NULL, VERB_FOLDERS, TAKE_TEXT, AT(output),
          "the folder of the answer; it is made where it is not there" },
        { "output", 'o', "FILE", NULL, VERB_ALL & ~VERB_FOLDERS, TAKE_TEXT, AT(output), "write the answer to FILE" },
        { "color", 0, "WHEN", "auto|always|never", VERB_ALL, TAKE_CHOICE, AT(color),
          "colours: on a terminal unless NO_COLOR is set (auto)" },
        { "quiet", 'q', NULL, NULL, VERB_ALL, TAKE_FLAG, AT(quiet),
          "no progress, no warnings, no heading, only notes on what is missing" },
        { "help", 'h', NULL, NULL, VERB_ALL, TAKE_FLAG, AT(help), "this help" },
        { 0 },
};

#define OPTIONS_MAX 48

void cli_option_choices(const struct cli_option *option, const struct cli_verb *verb, struct text *ret_choices)
{
        const char *title, *name, *at = option->choices;

        if (!at)
                return;
        if (!*at) {
                for (size_t i = 0; (name = stasis_format_name_at(i, &title)); i++)
                        text_printf(ret_choices, "%s%s", i ? "|" : "", name);
                return;
        }
        bool formats = option->at == AT(format);
        for (unsigned i = 0; *at; i++) {
                size_t len = strcspn(at, "|");
                if (!formats || (verb->formats >> i & 1))
                        text_printf(ret_choices, "%s%.*s", ret_choices->len ? "|" : "", (int)len, at);
                at += len + (at[len] == '|');
        }
}

/* Which of "a|b|c" value is, or -1. */
static int choice_index(const char *choices, const char *value)
{
        for (int i = 0; *choices; i++) {
                size_t len = strcspn(choices, "|");
                if (strlen(value) == len && strncmp(choices, value, len) == 0)
                        return i;
                choices += len + (choices[len] == '|');
        }
        return -1;
}

static bool parse_digits(const char *text, int base, uint64_t *ret_value)
{
        char digits[32], *end;
        size_t len = 0;

        for (; *text; text++) {
                if (base == 16 && *text == '`') /* as debuggers of Windows group them */
                        continue;
                if (len + 1 == sizeof(digits))
                        return false;
                digits[len++] = *text;
        }
        digits[len] = '\0';
        if (len == 0 || strspn(digits, base == 16 ? "0123456789abcdefABCDEF" : "0123456789") != len)
                return false;
        errno = 0;
        uint64_t value = strtoull(digits, &end, base);
        if (errno)
                return false;
        *ret_value = value;
        return true;
}

static bool is_hex_prefixed(const char *text) { return text[0] == '0' && (text[1] == 'x' || text[1] == 'X'); }

bool cli_parse_address(const char *text, uint64_t *ret_value)
{
        return parse_digits(is_hex_prefixed(text) ? text + 2 : text, 16, ret_value);
}

bool cli_parse_number(const char *text, uint64_t *ret_value)
{
        bool hex = is_hex_prefixed(text);
        return parse_digits(hex ? text + 2 : text, hex ? 16 : 10, ret_value);
}

bool cli_parse_size(const char *text, uint64_t *ret_value)
{
        static const char units[] = "KMGT";
        char digits[32];
        size_t len = strlen(text);
        const char *unit = len ? strchr(units, text[len - 1]) : NULL;
        unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
        uint64_t value;

        len -= unit ? 1 : 0;
        if (len >= sizeof(digits))
                return false;
        memcpy(digits, text, len);
        digits[len] = '\0';
        if (!parse_digits(digits, 10, &value) || value > UINT64_MAX >> shift || value == 0)
                return false;
        *ret_value = value << shift;
        return true;
}

/* What a number may be, and how it is asked for. */
static const struct number_form {
        enum cli_take take;
        bool (*parse)(const char *text, uint64_t *ret_value);
        const char *is;
} number_forms[] = {
        { TAKE_NUMBER, cli_parse_number, "a number (decimal, or hexadecimal with 0x)" },
        { TAKE_SIZE, cli_parse_size, "a size (a number of bytes, or with K, M, G or T behind)" },
        { TAKE_ADDRESS, cli_parse_address, "an address (hexadecimal, with or without 0x)" },
};

static enum cli_exit bad_choice(struct cli *cli, const struct cli_option *option, const char *value)
{
        struct text choices = { 0 };

        cli_option_choices(option, cli->verb, &choices);
        enum cli_exit status =
                cli_usage(cli, "--%s cannot be '%s'; it is one of %s", option->name, value, text_get(&choices));
        text_free(&choices);
        return status;
}

static enum cli_exit take_choice(struct cli *cli, const struct cli_option *option, const char *value)
{
        int index = choice_index(option->choices, value);
        char *member = (char *)cli + option->at;

        if (index < 0 || (option->at == AT(format) && !(cli->verb->formats >> index & 1)))
                return bad_choice(cli, option, value);
        if (option->take == TAKE_CHOICE)
                *(int *)(void *)member = index;
        else
                *(const char **)(void *)member = value;
        return CLI_COMPLETE;
}

static enum cli_exit take_number(struct cli *cli, const struct cli_option *option, const char *value)
{
        struct cli_number *number = (struct cli_number *)(void *)((char *)cli + option->at);
        const struct number_form *form = number_forms;

        while (form->take != option->take)
                form++;
        if (!form->parse(value, &number->value))
                return cli_usage(cli, "--%s %s is not %s", option->name, value, form->is);
        number->known = true;
        return CLI_COMPLETE;
}

static enum cli_exit take_texts(struct cli *cli, const struct cli_option *option, const char *value)
{
        struct cli_texts *texts = (struct cli_texts *)(void *)((char *)cli + option->at);

        if (texts->count == CLI_TEXTS_MAX)
                return cli_usage(cli, "--%s is given more than %d times", option->name, CLI_TEXTS_MAX);
        texts->at[texts->count++] = value;
        return CLI_COMPLETE;
}

static enum cli_exit take(struct cli *cli, const struct cli_option *option, const char *value)
{
        char *member = (char *)cli + option->at;

        switch (option->take) {
        case TAKE_FLAG: *(bool *)(void *)member = true; return CLI_COMPLETE;
        case TAKE_TEXT: *(const char **)(void *)member = value; return CLI_COMPLETE;
        case TAKE_TEXTS: return take_texts(cli, option, value);
        case TAKE_CHOICE:
        case TAKE_CHOICE_TEXT: return take_choice(cli, option, value);
        case TAKE_NUMBER:
        case TAKE_SIZE:
        case TAKE_ADDRESS: return take_number(cli, option, value);
        }
        return CLI_USAGE;
}

/* The rows of this verb, as getopt_long wants them; val is the row's number plus 256. */
static void getopt_tables(const struct cli_verb *verb, struct option longs[OPTIONS_MAX], char shorts[3 * OPTIONS_MAX])
{
        size_t count = 0, len = 0;

        shorts[len++] = ':';
        for (int i = 0; cli_options[i].name && count + 1 < OPTIONS_MAX; i++) {
                const struct cli_option *option = &cli_options[i];
                if (!(option->verbs & verb->bit))
                        continue;
                longs[count++] = (struct option){ option->name, option->argument ? required_argument : no_argument,
                                                  NULL, 256 + i };
                if (option->letter)
                        shorts[len++] = option->letter;
                if (option->letter && option->argument)
                        shorts[len++] = ':';
        }
        longs[count] = (struct option){ 0 };
        shorts[len] = '\0';
}

static const struct cli_option *option_found(int found)
{
        if (found >= 256)
                return &cli_options[found - 256];
        for (const struct cli_option *option = cli_options; option->name; option++)
                if (option->letter == found)
                        return option;
        return NULL;
}

static enum cli_exit bad_option(struct cli *cli, int found, const char *word)
{
        if (found == ':')
                return cli_usage(cli, "%s needs a value", word);
        if (optopt > 0 && optopt < 256)
                return cli_usage(cli, "%s has no option -%c", cli->verb->name, optopt);
        if (optopt >= 256)
                return cli_usage(cli, "%s takes no value", word);
        return cli_usage(cli, "%s has no option %s, or it is not plain which is meant", cli->verb->name, word);
}

static enum cli_exit check_arguments(struct cli *cli, int count, char **arg)
{
        if (cli->help || (cli->columns && strcmp(cli->columns, "help") == 0))
                return CLI_COMPLETE;
        if (count == 0)
                return cli_usage(cli, "%s: no %s is given", cli->verb->name,
                                 cli->verb->bit & VERB_OPENS ? "file or folder" : "image");
        if (cli->verb->bit & VERB_FOLDERS) {
                cli->arg = arg;
                cli->arg_count = (size_t)count;
                return CLI_COMPLETE;
        }
        cli->image_path = arg[0];
        if (cli->verb->arg_max == 0) { /* nothing but files can follow */
                cli->more = arg + 1;
                cli->more_count = (size_t)count - 1;
                return CLI_COMPLETE;
        }
        cli->arg = arg + 1;
        cli->arg_count = (size_t)count - 1;
        if (cli->arg_count < cli->verb->arg_min)
                return cli_usage(cli, "%s: something is missing: %s", cli->verb->name, cli->verb->arguments);
        if (cli->arg_count > cli->verb->arg_max)
                return cli_usage(cli, "%s: '%s' is one argument too many", cli->verb->name,
                                 cli->arg[cli->verb->arg_max]);
        return CLI_COMPLETE;
}

enum cli_exit cli_parse(struct cli *cli, int argc, char **argv)
{
        struct option longs[OPTIONS_MAX];
        char shorts[3 * OPTIONS_MAX];
        int found;

        getopt_tables(cli->verb, longs, shorts);
        optind = 0; /* glibc: begin anew, also where an earlier call stopped half-way */
        opterr = 0;
        while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
                if (found == '?' || found == ':')
                        return bad_option(cli, found, argv[optind - 1]);
                enum cli_exit status = take(cli, option_found(found), optarg);
                if (status)
                        return status;
        }
        return check_arguments(cli, argc - optind, argv + optind);
}
