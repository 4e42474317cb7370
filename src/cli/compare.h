/* SPDX-License-Identifier: MIT */
/*
 * Two documents compared by rules. Records of a list are brought together by what tells them apart (identity.c), all
 * else by place. What is found is a list of differences, each with the record that it is in.
 */
#ifndef STASIS_CLI_COMPARE_H
#define STASIS_CLI_COMPARE_H

#include <json-c/json.h>

#include "rules.h"

enum finding_kind {
        FIND_VALUE,      /* not what the rule asks for */
        FIND_MISSING,    /* of the reference, and not found */
        FIND_UNEXPECTED, /* found, and not of the reference */
        FIND_AMBIGUOUS   /* several records are what the reference names */
};

/* Texts are made safe by who prints them. */
struct finding {
        enum finding_kind kind;
        const char *list;                 /* "threads" ...; NULL: of no record */
        struct json_object *want, *found; /* the records, borrowed; NULL where there is none */
        char *who;                        /* "thread 264 of smss.exe (pid 264)"; "" */
        char *path;                       /* in the record, or in the document */
        char *wanted, *told;              /* in words; NULL: nothing to say */
        const char *rule;                 /* its name */
};

#define FINDINGS_MAX 2000 /* that are kept of one comparison; all are counted */

struct findings {
        struct finding *at;
        size_t count, capacity, max; /* max 0: FINDINGS_MAX */
        uint64_t total;
        uint64_t records, values; /* that were compared */
};

struct compare {
        struct rules rules;
        size_t own_rules;   /* where among them those of the reference begin */
        bool lives;         /* records have a time of creation to be known by: of diff */
        bool subset;        /* the reference names what it asks for; else it is everything that there is */
        bool count_skipped; /* of ignored values: in rule.skipped */
        struct findings findings;
        bool bad; /* memory is exhausted */

        /* where it is */
        const char *list;
        struct json_object *want, *found;
        const char *place[RULE_LEVELS]; /* member names; NULL: an element, by number */
        size_t number[RULE_LEVELS];
        unsigned depth, record_depth;
        unsigned muted; /* above 0: count, do not keep */
        uint32_t tries; /* of single elements against each other */
};

/* Fills compare->findings. The rules are ready; documents are of result_read and its like. */
void compare_documents(struct compare *compare, struct json_object *reference, struct json_object *found);
void compare_free(struct compare *compare);

/* ---- identity of records (identity.c) */

struct pairing {
        size_t *of; /* of each record of the reference: index of the found one, or */
#define PAIR_NONE SIZE_MAX
#define PAIR_AMBIGUOUS (SIZE_MAX - 1)
        bool *taken; /* of each record found */
        size_t count, found_count;
};

struct pairing_how {
        const char *list;         /* "threads" or another one; NULL: a list in a record */
        struct json_object *keys; /* array of names; NULL: what is usual for the list */
        bool single;              /* of several found records that one names none is taken */
        bool lives;               /* the same object of another time of creation is another one */
};

/* False: this list has no identity, and is compared by place. */
bool pairing_make(const struct pairing_how *how, struct json_object *want, struct json_object *found,
                  struct pairing *ret_pairing, bool *ret_bad);
void pairing_free(struct pairing *pairing);

/* ---- values (compare_value.c) */

/* The same value: numbers and hexadecimal strings by what they are worth. */
bool value_same(struct json_object *a, struct json_object *b);
/* A number, hexadecimal string or time (100 ns) as one of 65 bits; false where it is none. */
bool value_number(struct json_object *value, bool *ret_negative, uint64_t *ret_magnitude, bool *ret_time);
/* a <= b, as numbers or as times; false where they cannot be compared. */
bool value_not_above(struct json_object *a, struct json_object *b);
/* "Waiting", "7 frames: KiSwapContext+0xa5 ...", "absent: paged out". record: that it is a member of, or NULL. */
void value_words(struct json_object *value, struct json_object *record, const char *key, struct text *text);
/* "thread 264 of smss.exe (pid 264)": of lists that are named. */
bool record_is_named(const char *list);
void record_words(const char *list, struct json_object *record, struct text *text);
/* Why a member of a record is null; NULL where nobody says. */
const char *reason_of(struct json_object *record, const char *key);
/* In canonical form without what rules ignore: for elements in any order. depth: of the value, in rules. */
void value_canonical(struct json_object *value, struct rules *rules, unsigned depth, struct text *text);

#endif
