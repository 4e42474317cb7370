/* SPDX-License-Identifier: MIT */
/* Inside of a comparison: the way down, shared by compare*.c and merge.c. */
#ifndef STASIS_CLI_COMPARE_WALK_H
#define STASIS_CLI_COMPARE_WALK_H

#include "compare.h"

/* Two values at one place, and the objects that they are members of (NULL: elements). */
struct pair {
        struct json_object *want, *found, *want_parent, *found_parent;
        const char *key;
        struct rule *rule; /* in force, or NULL */
};

/* Compares, and tells what differs; goes down itself. */
void walk_pair(struct compare *c, struct pair pair);
/* Do they differ, without a word about it? */
bool walk_differs(struct compare *c, struct pair pair);
void walk_arrays(struct compare *c, const struct pair *pair);
/* Nothing but what the reference names may be there. */
bool walk_is_strict(const struct compare *c, const struct pair *pair);
/* Which records belong together: false where a list has no identity. */
bool walk_identity(struct compare *c, const struct pair *pair, struct pairing *ret_pairing);
/* `absent` is told with the members that it speaks of. */
bool walk_is_reasons(const char *key, struct json_object *value);

/* ---- where it is (compare_walk.c) */

void walk_member(struct compare *c, const char *name);
void walk_element(struct compare *c, size_t index, struct json_object *element);
static inline void walk_leave(struct compare *c) { c->depth--; }

/* ---- what is found: texts are taken over */

char *walk_take(struct text *text);
void walk_keep(struct compare *c, enum finding_kind kind, const struct pair *pair, struct text *wanted,
               struct text *told);
void walk_found(struct compare *c, const struct pair *pair);
/* What a rule asks for, in place of the reference's value. */
void walk_found_rule(struct compare *c, const struct pair *pair, struct text *wanted);
void walk_one_sided(struct compare *c, enum finding_kind kind, struct json_object *want, struct json_object *found,
                    const struct pair *pair);

/* ---- rules about one value (compare_rules.c); NULL of those that go further down */

extern void (*const compare_with[])(struct compare *c, const struct pair *pair);

#endif
