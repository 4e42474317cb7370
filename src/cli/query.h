/* SPDX-License-Identifier: MIT */
/* The answer to one query, row by row, in each format. Values are as the database has them: anybody's bytes. */
#ifndef STASIS_CLI_QUERY_H
#define STASIS_CLI_QUERY_H

#include <sqlite3.h>

#include "cli.h"
#include "json.h"

struct answer {
        struct cli *cli;
        sqlite3_stmt *stmt;
        int columns;
        size_t rows;
        struct json json;
        struct grid *grid; /* of text */
};

struct answer_writer {
        void (*begin)(struct answer *answer);
        void (*row)(struct answer *answer); /* the statement stands on it */
        void (*end)(struct answer *answer);
};

const struct answer_writer *answer_writer_of(enum cli_format format);
extern const struct answer_writer answer_text; /* query_text.c */

/* A value as text: a blob in hexadecimal, NULL as `null`, with no zero byte but as U+FFFD. */
void answer_value(sqlite3_stmt *stmt, int column, const char *null, struct text *ret_text);

#endif
