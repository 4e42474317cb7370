/* SPDX-License-Identifier: MIT */
/* Arrays: in their order, by the identity of their records, or in any order. */
#include <stdlib.h>
#include <string.h>

#include "compare_walk.h"

/* ---- in their order */

static void compare_elements(struct compare *c, const struct pair *pair, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct pair inner = { .want = json_object_array_get_idx(pair->want, i),
                                      .found = json_object_array_get_idx(pair->found, i) };
                walk_element(c, i, inner.want);
                inner.rule = rules_at(&c->rules, c->depth, false);
                walk_pair(c, inner);
                walk_leave(c);
        }
}

static bool is_plain_array(struct json_object *array)
{
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                struct json_object *element = json_object_array_get_idx(array, i);
                if (json_object_is_type(element, json_type_object) || json_object_is_type(element, json_type_array))
                        return false;
        }
        return true;
}

/* Where the places of elements mean nothing any more, both arrays tell more than what differs at each place. */
static void compare_in_order(struct compare *c, const struct pair *pair)
{
        size_t want = json_object_array_length(pair->want), found = json_object_array_length(pair->found);
        bool first = pair->rule && pair->rule->kind == RULE_FIRST;

        if (first ? found < want : found != want) {
                walk_found(c, pair);
                return;
        }
        if (!is_plain_array(pair->want)) {
                compare_elements(c, pair, want);
                return;
        }
        uint64_t before = c->findings.total;
        c->muted++;
        compare_elements(c, pair, want);
        c->muted--;
        bool differ = c->findings.total != before;
        c->findings.total = before;
        if (differ)
                walk_found(c, pair);
}

/* ---- lists of records */

struct outer { /* what a record inside a record must leave as it was */
        const char *list;
        struct json_object *want, *found;
        unsigned record_depth;
};

static struct outer begin_record(struct compare *c, struct json_object *want, struct json_object *found)
{
        struct outer outer = { c->list, c->want, c->found, c->record_depth };

        if (c->depth == 2 && record_is_named(c->place[0])) { /* an element of a member of the document */
                c->list = c->place[0];
                c->want = want;
                c->found = found;
                c->record_depth = c->depth;
        }
        return outer;
}

static void end_record(struct compare *c, const struct outer *outer)
{
        c->list = outer->list;
        c->want = outer->want;
        c->found = outer->found;
        c->record_depth = outer->record_depth;
}

static void compare_record(struct compare *c, size_t index, struct json_object *want, struct json_object *found,
                           enum finding_kind otherwise)
{
        struct pair pair = { .want = want, .found = found };

        walk_element(c, index, want ? want : found);
        pair.rule = rules_at(&c->rules, c->depth, false);
        struct outer outer = begin_record(c, want, found);
        bool ignored = pair.rule && pair.rule->kind == RULE_IGNORE;
        if (want && found) {
                c->findings.records += c->depth == 2 && !c->muted && !ignored;
                walk_pair(c, pair);
        } else if (!ignored) {
                walk_one_sided(c, otherwise, want, found, &pair);
        }
        end_record(c, &outer);
        walk_leave(c);
}

static void compare_records(struct compare *c, const struct pair *pair, const struct pairing *pairing)
{
        for (size_t i = 0; i < pairing->count; i++) {
                size_t at = pairing->of[i];
                bool paired = at < pairing->found_count;
                compare_record(c, i, json_object_array_get_idx(pair->want, i),
                               paired ? json_object_array_get_idx(pair->found, at) : NULL,
                               at == PAIR_AMBIGUOUS ? FIND_AMBIGUOUS : FIND_MISSING);
        }
        for (size_t i = 0; walk_is_strict(c, pair) && i < pairing->found_count; i++)
                if (!pairing->taken[i])
                        compare_record(c, i, NULL, json_object_array_get_idx(pair->found, i), FIND_UNEXPECTED);
}

bool walk_identity(struct compare *c, const struct pair *pair, struct pairing *ret_pairing)
{
        const struct rule *keys = rules_at(&c->rules, c->depth, true);
        struct pairing_how how = { .list = c->depth == 1 ? pair->key : NULL,
                                   .keys = keys ? keys->keys : NULL,
                                   .single = c->subset && !walk_is_strict(c, pair),
                                   .lives = c->lives };

        return pairing_make(&how, pair->want, pair->found, ret_pairing, &c->bad);
}

static bool compare_by_identity(struct compare *c, const struct pair *pair)
{
        struct pairing pairing = { 0 };

        if (!walk_identity(c, pair, &pairing))
                return false;
        if (!c->bad)
                compare_records(c, pair, &pairing);
        pairing_free(&pairing);
        return true;
}

/* ---- in any order */

#define LOOSE_TRIES (1U << 20) /* of single elements against each other, in one comparison */

struct loose {
        char *form; /* canonical */
        size_t index;
};

static int by_form(const void *a, const void *b)
{
        const struct loose *x = a, *y = b;
        int order = strcmp(x->form, y->form);

        return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void loose_free(struct loose *loose, size_t count)
{
        for (size_t i = 0; loose && i < count; i++)
                free(loose[i].form);
        free(loose);
}

static struct loose *loosen(struct compare *c, struct json_object *array)
{
        size_t len = json_object_array_length(array);
        struct loose *loose = calloc(len + 1, sizeof(*loose));

        for (size_t i = 0; loose && i < len; i++) {
                struct text form = { 0 };
                struct json_object *element = json_object_array_get_idx(array, i);
                rules_enter_element(&c->rules, c->depth, i, element);
                value_canonical(element, &c->rules, c->depth + 1, &form);
                loose[i] = (struct loose){ walk_take(&form), i };
        }
        if (loose)
                qsort(loose, len, sizeof(*loose), by_form);
        c->bad |= !loose;
        return loose;
}

/* What looks the same is the same. */
static void pair_forms(const struct loose *want, const struct loose *found, struct pairing *pairing)
{
        for (size_t w = 0, f = 0; w < pairing->count && f < pairing->found_count;) {
                int order = strcmp(want[w].form, found[f].form);
                if (order == 0) {
                        pairing->of[want[w].index] = found[f].index;
                        pairing->taken[found[f].index] = true;
                }
                w += order <= 0;
                f += order >= 0;
        }
}

/* The rest by comparing each with each, for elements that name only some members, and rules inside of them. */
static void pair_rest(struct compare *c, const struct pair *pair, struct pairing *pairing)
{
        for (size_t w = 0; w < pairing->count; w++)
                for (size_t f = 0; pairing->of[w] == PAIR_NONE && f < pairing->found_count && c->tries < LOOSE_TRIES;
                     f++) {
                        struct pair inner = { .want = json_object_array_get_idx(pair->want, w),
                                              .found = json_object_array_get_idx(pair->found, f) };
                        if (pairing->taken[f])
                                continue;
                        c->tries++;
                        walk_element(c, w, inner.want);
                        inner.rule = rules_at(&c->rules, c->depth, false);
                        if (!walk_differs(c, inner)) {
                                pairing->of[w] = f;
                                pairing->taken[f] = true;
                        }
                        walk_leave(c);
                }
}

static void tell_unpaired(struct compare *c, const struct pair *pair, const struct pairing *pairing)
{
        for (size_t i = 0; i < pairing->count; i++)
                if (pairing->of[i] == PAIR_NONE)
                        compare_record(c, i, json_object_array_get_idx(pair->want, i), NULL, FIND_MISSING);
        for (size_t i = 0; pair->rule->kind == RULE_SET && i < pairing->found_count; i++)
                if (!pairing->taken[i])
                        compare_record(c, i, NULL, json_object_array_get_idx(pair->found, i), FIND_UNEXPECTED);
}

static void compare_loose(struct compare *c, const struct pair *pair)
{
        struct pairing pairing = { .count = json_object_array_length(pair->want),
                                   .found_count = json_object_array_length(pair->found) };
        struct loose *want = loosen(c, pair->want), *found = loosen(c, pair->found);

        pairing.of = calloc(pairing.count + 1, sizeof(*pairing.of));
        pairing.taken = calloc(pairing.found_count + 1, sizeof(*pairing.taken));
        c->bad |= !pairing.of || !pairing.taken;
        if (!c->bad) {
                for (size_t i = 0; i < pairing.count; i++)
                        pairing.of[i] = PAIR_NONE;
                pair_forms(want, found, &pairing);
                pair_rest(c, pair, &pairing);
                tell_unpaired(c, pair, &pairing);
        }
        loose_free(want, pairing.count);
        loose_free(found, pairing.found_count);
        pairing_free(&pairing);
}

/* ---- any of them */

void walk_arrays(struct compare *c, const struct pair *pair)
{
        bool loose = pair->rule && (pair->rule->kind == RULE_SET || pair->rule->kind == RULE_SOME);

        bool by_identity = compare_by_identity(c, pair);
        if (!json_object_array_length(pair->want) && (walk_is_strict(c, pair) || (!by_identity && !loose)))
                c->findings.values += !c->muted; /* that there is nothing is a value too */
        if (by_identity)
                return;
        if (loose)
                compare_loose(c, pair);
        else
                compare_in_order(c, pair);
}
