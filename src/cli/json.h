/* SPDX-License-Identifier: MIT */
/*
 * A JSON document written piece by piece: each piece is built with json-c, printed and freed, so that a document of any
 * length needs the memory of one record. Order of calls is order in the file; nothing here depends on hashing.
 */
#ifndef STASIS_CLI_JSON_H
#define STASIS_CLI_JSON_H

#include <json-c/json.h>

#include "cli.h"

#define JSON_DEPTH 8

struct json {
        FILE *out;
        bool pretty;
        bool bad; /* memory was exhausted: the document must not be believed */
        unsigned depth;
        bool some[JSON_DEPTH]; /* something was written at this depth */
        char close[JSON_DEPTH];
};

/* key is NULL inside arrays and for the document itself. */
void json_begin(struct json *json, const char *key, char bracket);
void json_end(struct json *json);
/* Ends the line, and with it the document (json) or the record (jsonl). */
void json_line(struct json *json);

/* Prints and frees. A NULL value is exhausted memory, never null: that is json_put_null. */
void json_put(struct json *json, const char *key, struct json_object *value);
void json_put_null(struct json *json, const char *key);
void json_put_text(struct json *json, const char *key, const char *text); /* NULL: null */
void json_put_number(struct json *json, const char *key, uint64_t value);
void json_put_hex(struct json *json, const char *key, uint64_t value);
void json_put_place(struct json *json, const char *key, uint64_t value); /* STASIS_NOWHERE: null */
void json_put_bool(struct json *json, const char *key, bool value);
/* A string of our own making, streamed: the caller writes what needs no escape to json->out between these two. */
void json_string_begin(struct json *json, const char *key);
void json_string_end(struct json *json);

/* Values; NULL where memory is exhausted. */
struct json_object *json_text(const char *text); /* what is no UTF-8 becomes U+FFFD */
struct json_object *json_hex(uint64_t value);
/* Adds to an object, which takes it over; false where value (or memory) is not there. */
bool json_add(struct json_object *object, const char *key, struct json_object *value);

/* One record as an object: keys of its columns, "absent", and with evidence (image not NULL) where each was read. */
struct json_object *json_record(const struct stasis_record *record, const struct stasis_image *evidence);

/* The frames of a call stack that is there, as an array. */
struct json_object *json_frames(const struct stasis_fact *fact);

/* The parts that documents share. whole: with every range, gap and register. */
void json_image(struct json *json, const struct stasis_image *image, bool whole);
/* The whole of it but for what tells where it was found: paths and containers. */
void json_image_contents(struct json *json, const struct stasis_image *image);
void json_system(struct json *json, const struct cli *cli);
void json_unloaded(struct json *json, const struct cli *cli);
void json_processors(struct json *json, const struct cli *cli);
void json_notes(struct json *json, const struct cli *cli);

#endif
