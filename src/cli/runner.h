/* SPDX-License-Identifier: MIT */
/* Runs the command inside a test, against the double, and keeps what it said. */
#ifndef STASIS_CLI_RUNNER_H
#define STASIS_CLI_RUNNER_H

#include <json-c/json.h>

#include "double.h"

struct ran {
        int status;
        char *out, *err;
        size_t out_len, err_len;
};

/* words: the command line after "stasis", separated by single spaces; input: of standard input, or NULL. */
struct ran run_with(const char *words, const char *input);
struct ran run(const char *words);
void ran_free(struct ran *ran);
/* The whole of its output as one JSON document; fails the test where it is none. */
struct json_object *ran_json(const struct ran *ran);
/* Runs, and gives the document; fails the test where the exit status is another one. */
struct json_object *document(const char *words, int status);
/* Runs; the output is out, err is part of the other one ("": there is none), the exit status is status. */
void expect_all(const char *words, int status, const char *out, const char *err);
/* A member by path, "system.build" or "threads[1].state"; fails the test where there is none. NULL is JSON's null. */
struct json_object *at(struct json_object *document, const char *path);
const char *text_at(struct json_object *document, const char *path);
int64_t number_at(struct json_object *document, const char *path);

#endif
