/* SPDX-License-Identifier: MIT */
/*
 * The command: verbs, their options as data, and one context that the verbs share. It uses the public header alone.
 * Every verb prints to cli->out only through the writers (out.h, json.h, text.h), and to cli->err only one line an
 * error.
 */
#ifndef STASIS_CLI_H
#define STASIS_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <stasis/stasis.h>

#include "text.h"

#define CLI_WIDTH 120 /* columns that text output never exceeds (but for addresses and single words) */

enum cli_exit {
        CLI_COMPLETE = 0,
        CLI_USAGE = 1,
        CLI_UNREADABLE = 2, /* not readable, not understood, or the output could not be written */
        CLI_PARTIAL = 3,
        CLI_DIFFERENT = 4 /* check and diff: compared, and not the same; wins over 2 and 3 */
};
#define CLI_EXITS 5

enum cli_format { CLI_TEXT, CLI_JSON, CLI_JSONL, CLI_CSV, CLI_RAW, CLI_DOT, CLI_JUNIT, CLI_TAP, CLI_GITHUB };
enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };

enum cli_verb_bit {
        VERB_INFO = 1 << 0,
        VERB_PROCESSES = 1 << 1,
        VERB_THREADS = 1 << 2,
        VERB_THREAD = 1 << 3,
        VERB_MODULES = 1 << 4,
        VERB_TRANSLATE = 1 << 5,
        VERB_READ = 1 << 6,
        VERB_STACKS = 1 << 7,
        VERB_WAITS = 1 << 8,
        VERB_SYMBOLS = 1 << 9,
        VERB_CHECK = 1 << 10,
        VERB_DIFF = 1 << 11,
        VERB_QUERY = 1 << 12,
        VERB_BATCH = 1 << 13,
        VERB_MERGE = 1 << 14,
        VERB_FOLDERS = VERB_BATCH | VERB_MERGE, /* their answer is a folder */
        /* they open what the arguments name, which need not be an image */
        VERB_OPENS = VERB_CHECK | VERB_DIFF | VERB_QUERY | VERB_FOLDERS,
        VERB_LISTS = VERB_PROCESSES | VERB_THREADS | VERB_THREAD | VERB_MODULES,
        VERB_ALL = (1 << 15) - 1,
        VERB_IMAGES = VERB_ALL & ~(VERB_QUERY | VERB_MERGE) /* those that may read an image */
};

/* A number that may have been given or not. */
struct cli_number {
        bool known;
        uint64_t value;
};

/* What may be given several times, in that order. */
#define CLI_TEXTS_MAX 16
struct cli_texts {
        const char *at[CLI_TEXTS_MAX];
        size_t count;
};

struct cli_verb;

struct cli {
        FILE *in, *out, *err;
        const struct cli_verb *verb;
        const char *image_path;
        struct cli_texts also; /* further files of the image, by --also; */
        char **more;           /* and as arguments */
        size_t more_count;
        char **arg; /* what follows IMAGE */
        size_t arg_count;

        /* filled through the table of options */
        int format, color; /* enum cli_format, enum cli_color */
        int shard_by;      /* enum shard_by */
        bool help, quiet, trace, evidence, explain, reverse, physical, all_columns, user, all, hidden, cross_view, scan,
                no_sandbox, retry, update, folder;
        bool noticed; /* only threads that a note speaks of */
        const char *against, *reader, *layout, *mode, *output, *columns, *state;
        struct cli_texts symbols, pagefiles;
        const char *tmp, *shard, *sqlite;
        struct cli_number root, process, tid, object, jobs, tmp_limit, timeout, memory, output_limit;

        /* NULL: the image is opened by its paths. Else by this, each time that another reader is to try it. */
        enum stasis_status (*open_image)(struct cli *cli, const struct stasis_image_options *options,
                                         struct stasis_image **ret_image, struct stasis_error *err);
        void *open_ctx;
        struct stasis_image *image;
        struct stasis_system *system; /* also there where the system was not understood: only trace and notes then */
        bool understood;
        FILE *output_file; /* of --output; cli->out is then the same */
        bool colored;      /* of cli->out */
        bool progress_shown;
        int64_t progress_from; /* milliseconds, when the first long step began; 0: none yet */
        bool partial;          /* something that was asked for could not be given */
};

/* ---- verbs: a row each, in cli.c */

struct cli_verb {
        const char *name;
        uint32_t bit;          /* enum cli_verb_bit */
        const char *arguments; /* "IMAGE VA..." */
        const char *summary;   /* one line */
        const char *text;      /* paragraphs for --help and the manual */
        enum stasis_what what; /* what is listed; of the lists only */
        uint32_t formats;      /* 1 << enum cli_format */
        size_t arg_min, arg_max;
        enum cli_exit (*run)(struct cli *cli);
};

extern const struct cli_verb cli_verbs[]; /* ended by a row without a name */
extern const char *const cli_exit_texts[CLI_EXITS];

enum cli_exit cmd_info(struct cli *cli);
enum cli_exit cmd_processes(struct cli *cli);
enum cli_exit cmd_threads(struct cli *cli);
enum cli_exit cmd_stacks(struct cli *cli);
enum cli_exit cmd_symbols(struct cli *cli);
enum cli_exit cmd_waits(struct cli *cli);
enum cli_exit cmd_thread(struct cli *cli);
enum cli_exit cmd_modules(struct cli *cli);
enum cli_exit cmd_translate(struct cli *cli);
enum cli_exit cmd_reverse(struct cli *cli); /* translate --reverse */
enum cli_exit cmd_read(struct cli *cli);
enum cli_exit cmd_check(struct cli *cli);
enum cli_exit cmd_diff(struct cli *cli);
enum cli_exit cmd_query(struct cli *cli);
enum cli_exit cmd_batch(struct cli *cli);
enum cli_exit cmd_merge(struct cli *cli);

/* The whole command but for main(): returns the exit status. */
int cli_main(int argc, char **argv, FILE *in, FILE *out, FILE *err);

/* ---- options: rows, from which parsing, --help, the manual and the completion derive (options.c) */

enum cli_take { TAKE_FLAG, TAKE_TEXT, TAKE_TEXTS, TAKE_CHOICE, TAKE_CHOICE_TEXT, TAKE_NUMBER, TAKE_SIZE, TAKE_ADDRESS };

struct cli_option {
        const char *name;
        char letter;          /* 0: none */
        const char *argument; /* NULL: takes none */
        const char *choices;  /* "text|json"; NULL: anything; "" of --reader: the readers that are built in */
        uint32_t verbs;       /* enum cli_verb_bit */
        enum cli_take take;
        size_t at; /* of the member of struct cli */
        const char *help;
};

extern const struct cli_option cli_options[]; /* ended by a row without a name */

/* The choices of an option for one verb, separated by '|' (the formats differ by verb); empty where it takes anything.
 */
void cli_option_choices(const struct cli_option *option, const struct cli_verb *verb, struct text *ret_choices);
/* Fills cli from argv[1..]; CLI_COMPLETE, or CLI_USAGE with the message printed. */
enum cli_exit cli_parse(struct cli *cli, int argc, char **argv);
/* "8G": a number of bytes, K, M, G and T as powers of 1,024. */
bool cli_parse_size(const char *text, uint64_t *ret_value);
/* "0x1f", "1f" (hex where digits are 16-based), "fffff800`12345678"; false where that is no number of 64 bits. */
bool cli_parse_address(const char *text, uint64_t *ret_value);
/* "264" or "0x108". */
bool cli_parse_number(const char *text, uint64_t *ret_value);

/* ---- help (help.c) */

void help_overview(FILE *out);
void help_verb(FILE *out, const struct cli_verb *verb);
void help_columns(FILE *out, const struct cli_verb *verb); /* of --columns help */

/* ---- messages (session.c): one line, made safe, with what to do next */

enum cli_exit cli_usage(struct cli *cli, const char *fmt, ...) STASIS_PRINTF(2, 3);
enum cli_exit cli_fail(struct cli *cli, const char *fmt, ...) STASIS_PRINTF(2, 3);
/* A status of the library: err->text after the image's name, then `next` ("; " and what to do) where that is not NULL.
 */
enum cli_exit cli_fail_library(struct cli *cli, const struct stasis_error *err, const char *next);
/* Something that does not stop the work; not shown with --quiet. */
void cli_warn(struct cli *cli, const char *fmt, ...) STASIS_PRINTF(2, 3);

/* ---- the image and the system (session.c) */

enum cli_exit cli_open_image(struct cli *cli);
/* The file of "3=FILE" or "FILE"; a number there replaces *number (may be NULL). */
const char *cli_pagefile(const char *word, uint32_t *number);
/* The status itself, for who goes on without a system; *err holds the text. cli->system may be there all the same. */
enum stasis_status cli_try_system(struct cli *cli, struct stasis_error *err);
enum cli_exit cli_open_system(struct cli *cli);
/* CLI_PARTIAL where cli->partial, a note or a gap of the image says so; else CLI_COMPLETE. */
enum cli_exit cli_outcome(const struct cli *cli);
void cli_progress_end(struct cli *cli);

/* The address space that --root, --mode and --process ask for (space.c). */
struct cli_space {
        struct stasis_space *space;
        bool owned;
};
enum cli_exit cli_open_space(struct cli *cli, struct cli_space *ret_space);
void cli_close_space(struct cli_space *space);

#endif
