/* SPDX-License-Identifier: MIT */
/* Where a comparison is, and what it finds. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "compare_walk.h"

/* ---- where it is */

void walk_member(struct compare *c, const char *name)
{
        assert(c->depth + 1 < RULE_LEVELS);
        rules_enter_member(&c->rules, c->depth, name);
        c->place[c->depth++] = name;
}

void walk_element(struct compare *c, size_t index, struct json_object *element)
{
        assert(c->depth + 1 < RULE_LEVELS);
        rules_enter_element(&c->rules, c->depth, index, element);
        c->number[c->depth] = index;
        c->place[c->depth++] = NULL;
}

static void path_words(const struct compare *c, struct text *path)
{
        for (unsigned i = c->list ? c->record_depth : 0; i < c->depth; i++)
                if (c->place[i])
                        text_printf(path, "%s%s", path->len ? "." : "", c->place[i]);
                else
                        text_printf(path, "[%zu]", c->number[i]);
}

/* ---- what is found */

char *walk_take(struct text *text)
{
        char *taken = text->at ? text->at : strdup("");

        *text = (struct text){ 0 };
        return taken;
}

static bool room(struct compare *c)
{
        struct findings *f = &c->findings;

        f->total++;
        if (c->muted || f->count == (f->max ? f->max : FINDINGS_MAX))
                return false;
        if (f->count < f->capacity)
                return true;
        size_t capacity = f->capacity ? 2 * f->capacity : 64;
        struct finding *grown = reallocarray(f->at, capacity, sizeof(*grown));
        c->bad |= !grown;
        if (!grown)
                return false;
        f->at = grown;
        f->capacity = capacity;
        return true;
}

/* wanted and told are taken over. */
void walk_keep(struct compare *c, enum finding_kind kind, const struct pair *pair, struct text *wanted,
               struct text *told)
{
        struct text who = { 0 }, path = { 0 };

        if (!room(c)) {
                text_free(wanted);
                text_free(told);
                return;
        }
        if (c->list)
                record_words(c->list, c->want ? c->want : c->found, &who);
        path_words(c, &path);
        c->findings.at[c->findings.count++] = (struct finding){
                .kind = kind,
                .list = c->list,
                .want = c->want,
                .found = c->found,
                .wanted = wanted->at ? walk_take(wanted) : NULL,
                .told = told->at ? walk_take(told) : NULL,
                .who = walk_take(&who),
                .path = walk_take(&path),
                .rule = rule_kind_name(pair->rule ? pair->rule->kind : RULE_EXACT),
        };
}

void walk_found(struct compare *c, const struct pair *pair)
{
        struct text wanted = { 0 }, told = { 0 };

        if (!c->muted) {
                value_words(pair->want, pair->want_parent, pair->key, &wanted);
                value_words(pair->found, pair->found_parent, pair->key, &told);
        }
        walk_keep(c, FIND_VALUE, pair, &wanted, &told);
}

/* What a rule asks for, in place of the reference's value. */
void walk_found_rule(struct compare *c, const struct pair *pair, struct text *wanted)
{
        struct text told = { 0 };

        value_words(pair->found, pair->found_parent, pair->key, &told);
        walk_keep(c, FIND_VALUE, pair, wanted, &told);
}

void walk_one_sided(struct compare *c, enum finding_kind kind, struct json_object *want, struct json_object *found,
                    const struct pair *pair)
{
        struct text wanted = { 0 }, told = { 0 };
        bool record = c->list && c->depth == c->record_depth; /* who it is says enough */

        if (want && !record)
                value_words(want, NULL, NULL, &wanted);
        if (found && !record)
                value_words(found, NULL, NULL, &told);
        walk_keep(c, kind, pair, &wanted, &told);
}
