/* SPDX-License-Identifier: MIT */
/* What the parts of the ISF parser share. */
#ifndef STASIS_OS_LAYOUT_ISF_PARSE_H
#define STASIS_OS_LAYOUT_ISF_PARSE_H

#include <string.h>

#include "layout_isf.h"
#include "layout_json.h"

#define SIZE_LIMIT (1u << 28) /* of anything; offsets too */
#define FIELDS_MAX (1u << 20) /* read in all: unnamed members that hold each other multiply */

struct isf_parse {
        struct isf *isf;
        uint32_t fields; /* visited so far */
        enum stasis_status status;
};

/* Room for one more; the status sticks where memory ends. */
#define table_add(p, table) \
        (stasis_grow(&(table)->at, &(table)->capacity, (table)->count + 1, sizeof *(table)->at) \
                 ? &(table)->at[(table)->count++] \
                 : (isf_fail((p), STASIS_NOMEM), NULL))

#define table_find(table, text) isf_find((table)->at, (table)->count, sizeof *(table)->at, (text).at, (text).len)

void isf_fail(struct isf_parse *p, enum stasis_status status);
const char *isf_keep(struct isf_parse *p, struct json_text text);
/* A size or an offset: what is out of reason makes the file unusable, since nothing could be read with it. */
uint32_t isf_reasonable(struct isf_parse *p, uint64_t value);
/* The members of one structure; bases, enumerations and sizes of structures are known. */
void isf_struct_members(struct isf_parse *p, struct isf_struct *s);

#endif
