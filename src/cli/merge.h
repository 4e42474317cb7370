/* SPDX-License-Identifier: MIT */
/*
 * A reference brought up to date: what the rules are content with stays as it is written there, all else becomes what
 * was found. A subset keeps the members that it names. Written whole or not at all.
 */
#ifndef STASIS_CLI_MERGE_H
#define STASIS_CLI_MERGE_H

#include "compare.h"

/* After compare_documents, with the same documents: NULL where memory is exhausted. */
struct json_object *merge_documents(struct compare *compare, struct json_object *reference, struct json_object *found);
/* Beside `path`, then in its place; what it links to stays a link. False with the reason in *ret_why. */
bool write_whole(const char *path, struct json_object *document, struct text *ret_why);

#endif
