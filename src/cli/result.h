/* SPDX-License-Identifier: MIT */
/*
 * A document about a machine, as a tree: a former answer out of a file, or the whole answer about an image that is
 * analysed now. The file may be hostile too: its size, its depth and what it would cost in memory are bounded, and what
 * its schema promises of the members below is checked, so that nobody asks again:
 * - the document is an object, and `schema` one of the names asked for;
 * - `threads`, `processes` and `modules` are arrays of objects, `notes` too; `system`, `image` and `analysis` are
 *   objects or null. All of them may be missing in RESULT_REFERENCE, and those that the schema has not in the others.
 */
#ifndef STASIS_CLI_RESULT_H
#define STASIS_CLI_RESULT_H

#include <json-c/json.h>

#include "cli.h"

#define RESULT_SIZE_MAX (UINT64_C(1) << 30) /* bytes of text */
#define RESULT_COST_MAX (UINT64_C(4) << 30) /* bytes of memory that its values take, estimated before they do */
#define RESULT_DEPTH_MAX 24                 /* of arrays and objects in each other; ours have nine */

enum result_kind {
        RESULT_THREADS = 1 << 0,   /* stasis/threads/1 */
        RESULT_PROCESSES = 1 << 1, /* stasis/processes/1 */
        RESULT_WHOLE = 1 << 2,     /* stasis/result/1 */
        RESULT_REFERENCE = 1 << 3, /* stasis/reference/1, of check alone */
        RESULT_CASE = 1 << 4,      /* stasis/case/1, of check alone */
        RESULT_ANSWERS = RESULT_THREADS | RESULT_PROCESSES | RESULT_WHOLE
};

struct result {
        struct json_object *document;
        enum result_kind kind;
        bool from_image;
        enum cli_exit status; /* what the analysis ended with: complete, partial, or not understood */
};

/* The schema's name; "" where there is none. */
const char *result_kind_name(enum result_kind kind);

/* A document from a file, or where that is none, the answer about the image (or ARCHIVE!NAME) of this path. */
enum cli_exit result_load(struct cli *cli, const char *path, uint32_t kinds, struct result *ret_result);
/* A document from a file, and nothing else. */
enum cli_exit result_read(struct cli *cli, const char *path, uint32_t kinds, struct result *ret_result);
/* The same from bytes; false with the reason in *ret_why. name is for that alone. */
bool result_parse(const char *bytes, size_t len, uint32_t kinds, struct result *ret_result, struct text *ret_why);
void result_free(struct result *result);

/* Does the file look like a document? Never of what is no regular file. */
bool result_is_document(const char *path);

#endif
