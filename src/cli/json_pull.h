/* SPDX-License-Identifier: MIT */
/*
 * Reads a document that is one object, member by member; of an array that the caller wants so, element by element: the
 * memory of the largest value is needed, and not that of the document. The document may be anybody's.
 */
#ifndef STASIS_CLI_JSON_PULL_H
#define STASIS_CLI_JSON_PULL_H

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>

#define JSON_PULL_VALUE_MAX (4u << 20) /* bytes of one value; a record of ours takes some 20,000 */
#define JSON_PULL_KEY_MAX 64

struct json_pull {
        /* Is this member, an array, given element by element? */
        bool (*is_streamed)(void *ctx, const char *key);
        /* value is borrowed, NULL for null; index counts elements, and is 0 of what is given whole. false ends it. */
        bool (*member)(void *ctx, const char *key, size_t index, struct json_object *value);
        void *ctx;
};

/* NULL, or why the document is none (for people, without a full stop); "" where member ended it. */
const char *json_pull_all(FILE *in, const struct json_pull *pull);

#endif
