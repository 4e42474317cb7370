/* SPDX-License-Identifier: MIT */
/*
 * A pull reader of JSON text for ISF files. No tree: the tree of a large symbol file takes a gigabyte, what we keep of
 * it a few megabytes. A value can be left where it is (json_skip) and read later from a copy of the reader. bad sticks.
 */
#ifndef STASIS_OS_LAYOUT_JSON_H
#define STASIS_OS_LAYOUT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
        const char *at, *end;
        bool bad;
};

struct json_text { /* between the quotes, escapes as they stand */
        const char *at;
        size_t len;
};

/* Goes into an object; false (and bad, where there is no value at all) when the value is something else. */
bool json_open(struct json *j);
/* The next key of the object, reader at its value; false at the end of the object. */
bool json_key(struct json *j, struct json_text *ret_key);
bool json_is(struct json_text text, const char *what);
/* Scalars; another kind of value is skipped and gives the empty one. Fractions are cut off; too large a number is bad.
 */
struct json_text json_string(struct json *j);
uint64_t json_number(struct json *j); /* negative ones as two's complement */
bool json_true(struct json *j);
void json_skip(struct json *j);

#endif
