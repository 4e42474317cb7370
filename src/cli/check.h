/* SPDX-License-Identifier: MIT */
/*
 * stasis check: cases, each an image and a reference. What came of a case is a JSON object (of stasis/check/1,
 * docs/JSON.md), as a process of its own works each case of a folder; the writers read that.
 */
#ifndef STASIS_CLI_CHECK_H
#define STASIS_CLI_CHECK_H

#include <json-c/json.h>

#include "cli.h"

enum check_outcome { CHECK_EQUAL, CHECK_DIFFERENT, CHECK_PARTIAL, CHECK_ERROR, CHECK_OUTCOMES };

struct check_case {
        char *name;     /* what it is called: the path in the folder */
        char *image;    /* or a document */
        char *against;  /* the reference */
        char *manifest; /* case.json, or NULL */
        char *error;    /* it cannot be run: why; NULL else */
};

struct check_cases {
        struct check_case *at;
        size_t count, capacity;
};

const char *check_outcome_name(enum check_outcome outcome);
enum check_outcome check_outcome_of(struct json_object *told);
enum cli_exit check_exit_of(enum check_outcome outcome);

/* Runs a case; NULL where memory is exhausted. */
struct json_object *check_one(const struct cli *cli, const struct check_case *one);
/* Of a case that came to nothing. */
struct json_object *check_failed(const struct check_case *one, const char *error);

/* ---- folders (check_cases.c) */

/* Every case below, by name; false with the message printed. */
bool check_find(struct cli *cli, const char *folder, struct check_cases *ret_cases);
/* What case.json says: options of one case, into its own cli. The texts live as long as *ret_manifest. */
bool check_manifest(struct cli *own, const struct check_case *one, struct json_object **ret_manifest,
                    struct text *ret_image, struct text *ret_against, struct text *ret_why);
void check_cases_free(struct check_cases *cases);

/* ---- each in a process of its own (check_run.c): told[i] of case i */

#define CHECK_TIMEOUT 600 /* seconds of a case */

bool check_run(struct cli *cli, const struct check_cases *cases, struct json_object **told);

/* ---- what is printed: cases is an array of what check_one gives (out_check.c, out_check_ci.c) */

struct check_totals {
        size_t of[CHECK_OUTCOMES], count;
};

void check_put_text(struct cli *cli, struct json_object *cases, const struct check_totals *totals);
void check_put_json(struct cli *cli, struct json_object *cases, const struct check_totals *totals);
void check_put_junit(struct cli *cli, struct json_object *cases, const struct check_totals *totals);
void check_put_tap(struct cli *cli, struct json_object *cases, const struct check_totals *totals);
void check_put_github(struct cli *cli, struct json_object *cases, const struct check_totals *totals);

/* "3 differences", "2 of 7 are different, 1 could not be checked": for every format. */
void check_words(struct json_object *told, struct text *text);
void check_totals_words(const struct check_totals *totals, struct text *text);
/* A member as text; "" where it is none. */
const char *check_text(struct json_object *object, const char *key);
uint64_t check_number(struct json_object *object, const char *key);
/* "thread 264 of smss.exe (pid 264): state: expected Waiting, found Running", made safe */
void check_difference_words(struct json_object *difference, bool who, struct text *text);

#endif
