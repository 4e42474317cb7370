/* SPDX-License-Identifier: MIT */
/* What the parts of the ISF parser share. */
#ifndef STASIS_OS_LAYOUT_ISF_PARSE_H
#define STASIS_OS_LAYOUT_ISF_PARSE_H

#include <json-c/json.h>
#include <string.h>

#include "layout_isf.h"

#define SIZE_LIMIT (1u << 28) /* of anything; offsets too */
#define FIELDS_MAX (1u << 20) /* read in all: unnamed members that hold each other multiply */

struct isf_parse {
        struct isf *isf;
        struct json_object *structs; /* user_types */
        uint32_t fields;             /* visited so far */
        enum stasis_status status;
        struct stasis_error *err;
        const char *file, *type, *member; /* where we are, for the message */
};

/* Room for one more; the status sticks where memory ends. */
#define table_add(p, table) \
        (stasis_grow(&(table)->at, &(table)->capacity, (table)->count + 1, sizeof *(table)->at) \
                 ? &(table)->at[(table)->count++] \
                 : (isf_fail((p), STASIS_NOMEM, "no memory"), NULL))

#define table_find(table, name) isf_find((table)->at, (table)->count, sizeof *(table)->at, (name), strlen(name))

/* The first failure is said, and sticks. */
void isf_fail(struct isf_parse *p, enum stasis_status status, const char *what);
const char *isf_keep(struct isf_parse *p, const char *text);
/* A size or an offset: what is out of reason makes the file unusable, since nothing could be read with it. */
uint32_t isf_reasonable(struct isf_parse *p, uint64_t value, const char *what);

/* Values of an object by their key; where object is none or has none: NULL, "", 0, false. */
struct json_object *isf_object(struct json_object *object, const char *key); /* NULL also for other kinds */
const char *isf_text(struct json_object *object, const char *key);           /* "" also for other kinds */
/* Negative ones as two's complement. Another kind of value is a failure. */
uint64_t isf_number(struct isf_parse *p, struct json_object *object, const char *key);
uint32_t isf_size(struct isf_parse *p, struct json_object *object, const char *key);
bool isf_true(struct json_object *object, const char *key);

/* The members of one structure; bases, enumerations and sizes of structures are known. */
void isf_struct_members(struct isf_parse *p, struct isf_struct *s);
/* The whole: tree to tables. */
enum stasis_status isf_tables(struct json_object *tree, const char *file, struct stasis_layout **ret_layout,
                              struct stasis_error *err) STASIS_MUST_CHECK;

#endif
