/* SPDX-License-Identifier: MIT */
/* The tables as data: what makes them, what fills them, and what docs/SQL.md says of them. */
#ifndef STASIS_CLI_SQLITE_SCHEMA_H
#define STASIS_CLI_SQLITE_SCHEMA_H

#include <stddef.h>

/* Where a column's value comes from. */
enum sql_from {
        SQL_MEMBER, /* a member of the record: `key` */
        SQL_IMAGE,  /* the image that the row belongs to */
        SQL_ROW,    /* the row's own number, which SQLite gives */
        SQL_PARENT, /* number of the row that this one is inside of */
        SQL_INDEX,  /* its place among its neighbours, from 0 on */
        SQL_STACK,  /* which of the stacks */
        SQL_RECORD, /* what is left of the record, as JSON */
        SQL_LATER   /* nothing yet: sql_finish fills it */
};

struct sql_column {
        const char *name, *type; /* as CREATE TABLE has them */
        enum sql_from from;
        const char *key; /* "a.b": a member of a member; "a|b": the first that is there */
        const char *help;
};

struct sql_table {
        const char *name;
        const char *member; /* of the document: an array of records. NULL: of the whole, or inside of another table */
        const char *help;
        const struct sql_column *column; /* ended by a row without a name */
        const char *more;                /* of CREATE TABLE, after the columns */
};

/* Records that are in records of another table. */
struct sql_inside {
        const char *table, *member, *inner, *stack;
};

struct sql_view {
        const char *name, *help, *sql;
};

extern const struct sql_table sql_tables[]; /* each ended by a row without a name */
extern const struct sql_inside sql_insides[];
extern const struct sql_view sql_views[];
extern const char *const sql_indexes[]; /* ended by NULL */
extern const char sql_finish[];         /* for one image, ?1, when all its rows are there */

/* ---- named questions (questions.c) */

#define QUESTION_VALUES 2

struct question {
        const char *name, *help;
        struct {
                const char *name, *otherwise; /* its value where none is given; NULL: one must be given */
        } value[QUESTION_VALUES];             /* ?1 and ?2 */
        const char *sql;
};

extern const struct question questions[]; /* ended by a row without a name */

#endif
