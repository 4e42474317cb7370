/* SPDX-License-Identifier: MIT */
/* The way down through two documents. It goes no deeper than the loader lets a document be. */
#include <stdlib.h>
#include <string.h>

#include "compare_walk.h"

/* ---- objects */

bool walk_is_strict(const struct compare *c, const struct pair *pair)
{
        if (c->depth == 0) /* documents of different kinds have different members */
                return false;
        return pair->rule ? pair->rule->kind != RULE_SOME : !c->subset;
}

/* The reasons of two values that are both absent. */
static void compare_reasons(struct compare *c, const struct pair *pair)
{
        const char *want = reason_of(pair->want_parent, pair->key), *found = reason_of(pair->found_parent, pair->key);

        if (!want || (found && strcmp(want, found) == 0))
                return;
        /* `threads[*].absent` may be ignored; the value's own rules are not needed any more */
        rules_enter_member(&c->rules, c->depth - 1, "absent");
        const struct rule *rule = rules_at(&c->rules, c->depth, false);
        if (!rule || rule->kind != RULE_IGNORE)
                walk_found(c, pair);
}

static void compare_member(struct compare *c, const struct pair *parent, const char *key, struct json_object *want)
{
        struct pair pair = { .want = want, .want_parent = parent->want, .found_parent = parent->found, .key = key };
        bool there = json_object_object_get_ex(parent->found, key, &pair.found);

        walk_member(c, key);
        pair.rule = rules_at(&c->rules, c->depth, false);
        bool by_rule = pair.rule && pair.rule->kind >= RULE_COUNT;
        if (there || by_rule || (pair.rule && pair.rule->kind == RULE_IGNORE) || (c->subset && !want))
                walk_pair(c, pair);
        else
                walk_one_sided(c, FIND_MISSING, want, NULL, &pair);
        walk_leave(c);
}

/* `absent` is told with the members that it speaks of. */
bool walk_is_reasons(const char *key, struct json_object *value)
{
        return strcmp(key, "absent") == 0 && json_object_is_type(value, json_type_object);
}

static void compare_further(struct compare *c, const struct pair *parent)
{
        json_object_object_foreach(parent->found, key, found)
        {
                struct pair pair = { .found = found, .key = key };
                if (json_object_object_get_ex(parent->want, key, NULL) || walk_is_reasons(key, found))
                        continue;
                walk_member(c, key);
                pair.rule = rules_at(&c->rules, c->depth, false);
                if (!pair.rule || pair.rule->kind != RULE_IGNORE)
                        walk_one_sided(c, FIND_UNEXPECTED, NULL, found, &pair);
                walk_leave(c);
        }
}

static void compare_objects(struct compare *c, const struct pair *pair)
{
        json_object_object_foreach(pair->want, key, want)
        {
                if (!walk_is_reasons(key, want))
                        compare_member(c, pair, key, want);
        }
        if (walk_is_strict(c, pair))
                compare_further(c, pair);
}

bool walk_differs(struct compare *c, struct pair pair)
{
        uint64_t before = c->findings.total;

        c->muted++;
        walk_pair(c, pair);
        c->muted--;
        bool differ = c->findings.total != before;
        c->findings.total = before;
        return differ;
}

/* The word and its names are one value. */
static bool is_flags(const struct pair *pair)
{
        return json_object_object_get_ex(pair->found, "value", NULL) &&
               json_object_object_get_ex(pair->found, "names", NULL) && json_object_object_length(pair->found) == 2;
}

/* ---- any two values */

static void compare_flags(struct compare *c, const struct pair *pair)
{
        if (walk_differs(c, *pair))
                walk_found(c, pair);
}

static void compare_same(struct compare *c, const struct pair *pair)
{
        enum json_type type = json_object_get_type(pair->want);
        bool same_type = type == json_object_get_type(pair->found);

        c->findings.values += !c->muted && type != json_type_object && type != json_type_array;
        if (!pair->want && !pair->found)
                compare_reasons(c, pair);
        else if (type == json_type_object && same_type && !c->muted && is_flags(pair))
                compare_flags(c, pair);
        else if (type == json_type_object && same_type)
                compare_objects(c, pair);
        else if (type == json_type_array && same_type)
                walk_arrays(c, pair);
        else if (!value_same(pair->want, pair->found))
                walk_found(c, pair);
}

void walk_pair(struct compare *c, struct pair pair)
{
        if (pair.rule && compare_with[pair.rule->kind]) {
                c->findings.values += !c->muted && pair.rule->kind != RULE_IGNORE;
                compare_with[pair.rule->kind](c, &pair);
        } else {
                compare_same(c, &pair);
        }
}

void compare_documents(struct compare *compare, struct json_object *reference, struct json_object *found)
{
        compare->depth = 0;
        walk_pair(compare, (struct pair){ .want = reference, .found = found });
}

void compare_free(struct compare *compare)
{
        for (size_t i = 0; i < compare->findings.count; i++) {
                struct finding *f = &compare->findings.at[i];
                free(f->who);
                free(f->path);
                free(f->wanted);
                free(f->told);
        }
        free(compare->findings.at);
        rules_free(&compare->rules);
        *compare = (struct compare){ 0 };
}
