/* SPDX-License-Identifier: MIT */
/*
 * Rules of a comparison: a path pattern, and what must hold of the values there. The last rule that a path matches is
 * in force. Matching goes down with the documents: a set of the rules that may still match, one bit for each place in
 * each pattern, so that a value costs a look at the rules that its parents left over, and no path is ever put together.
 *
 * PATTERN: NAME or `*` or `**`, separated by dots; `*` in a name stands for any part of it, `**` for any number of
 * members and elements. Behind a name `[*]`, `[7]` or `[pid=4,tid=8]`: elements of an array, all, by number, by
 * members.
 */
#ifndef STASIS_CLI_RULES_H
#define STASIS_CLI_RULES_H

#include <json-c/json.h>

#include "result.h"

enum rule_kind {
        RULE_EXACT,   /* the same, and nothing besides */
        RULE_IGNORE,  /* not looked at */
        RULE_SET,     /* the same elements in any order */
        RULE_SOME,    /* those of the reference are there; what else there is does not matter */
        RULE_FIRST,   /* the array begins with those of the reference */
        RULE_COUNT,   /* as many elements (or so many) */
        RULE_RANGE,   /* a number or time from low to high */
        RULE_NEAR,    /* no further from the reference's than this; times in seconds */
        RULE_PRESENT, /* known, whatever it is */
        RULE_ABSENT,  /* not known (for that reason) */
        RULE_KEYS     /* of `keys`: what tells the records of a list apart */
};

#define RULES_MAX 256 /* of one reference */
#define RULE_STEPS_MAX 30
#define RULE_PATTERN_MAX 512

struct rule_step {
        enum { STEP_NAME, STEP_DEEP, STEP_ELEMENT, STEP_INDEX, STEP_WHERE } kind;
        const char *text; /* of a name or a condition; in the rule's pattern */
        size_t len;
        uint64_t index;
};

struct rule {
        enum rule_kind kind;
        char *pattern;
        struct rule_step *step;
        unsigned step_count;
        struct json_object *low, *high; /* borrowed; NULL: open */
        struct json_object *keys;       /* borrowed: array of strings */
        uint64_t near;
        const char *reason; /* borrowed, or NULL: any */
        bool met;           /* a value or a list was at its path */
        uint64_t skipped;   /* of an ignored value: how often the two differed, where that is counted */
};

struct rule_state {
        uint32_t rule, mask; /* bit i: the steps before i have matched the path so far */
};

/* The rules that a path may still match; one for each depth. */
struct rule_level {
        struct rule_state *at;
        size_t count;
};

#define RULE_LEVELS (RESULT_DEPTH_MAX + 2)

struct rules {
        struct rule *at;
        size_t count, capacity;
        struct rule_level level[RULE_LEVELS];
};

/* Appends one; false with the reason in *ret_why. value: "exact", {"near":5} ...; NULL: exact. */
bool rules_add(struct rules *rules, const char *pattern, struct json_object *value, struct text *ret_why);
bool rules_add_kind(struct rules *rules, const char *pattern, enum rule_kind kind, struct text *ret_why);
/* The members `rules` and `keys` of a reference, which must outlive the rules. */
bool rules_of_reference(struct rules *rules, struct json_object *reference, struct text *ret_why);
/* After the last rule, before the first descent. */
bool rules_ready(struct rules *rules);
void rules_free(struct rules *rules);

/* From level depth to depth + 1: to the member of this name, or to the element of this number (record: it, or NULL). */
void rules_enter_member(struct rules *rules, unsigned depth, const char *name);
void rules_enter_element(struct rules *rules, unsigned depth, size_t index, struct json_object *element);
/* In force at this depth, or NULL; keys: among those of `keys` alone, else among the others. */
struct rule *rules_at(const struct rules *rules, unsigned depth, bool keys);
/* Might any rule still match something below? */
static inline bool rules_any(const struct rules *rules, unsigned depth) { return rules->level[depth].count != 0; }

const char *rule_kind_name(enum rule_kind kind);

#endif
