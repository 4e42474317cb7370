/* SPDX-License-Identifier: MIT */
/* What rules ask of single values. */
#include <inttypes.h>
#include <string.h>

#include "compare_walk.h"

static void with_present(struct compare *c, const struct pair *pair)
{
        struct text wanted = { 0 };

        if (pair->found)
                return;
        text_str(&wanted, "any value");
        walk_found_rule(c, pair, &wanted);
}

static void with_absent(struct compare *c, const struct pair *pair)
{
        struct text wanted = { 0 };
        const char *asked = pair->rule->reason, *reason = reason_of(pair->found_parent, pair->key);

        if (!pair->found && (!asked || (reason && strcmp(reason, asked) == 0)))
                return;
        text_printf(&wanted, "absent%s%s", asked ? ": " : "", asked ? asked : "");
        walk_found_rule(c, pair, &wanted);
}

static bool is_within(const struct rule *rule, struct json_object *value)
{
        return value && (!rule->low || value_not_above(rule->low, value)) &&
               (!rule->high || value_not_above(value, rule->high));
}

static void bounds_words(const struct rule *rule, struct text *text)
{
        text_printf(text, "%s to ", rule->low ? json_object_get_string(rule->low) : "anything");
        text_str(text, rule->high ? json_object_get_string(rule->high) : "anything");
}

static void with_range(struct compare *c, const struct pair *pair)
{
        struct text wanted = { 0 };

        if (is_within(pair->rule, pair->found))
                return;
        bounds_words(pair->rule, &wanted);
        walk_found_rule(c, pair, &wanted);
}

static bool is_near(struct json_object *a, struct json_object *b, uint64_t near)
{
        bool a_negative, b_negative, a_time, b_time, over;
        uint64_t x, y, apart, unit = near;

        if (!value_number(a, &a_negative, &x, &a_time) || !value_number(b, &b_negative, &y, &b_time) ||
            a_time != b_time)
                return false;
        if (a_time)
                unit = near > UINT64_MAX / 10000000 ? UINT64_MAX : near * 10000000;
        if (a_negative == b_negative)
                return (x > y ? x - y : y - x) <= unit;
        over = __builtin_add_overflow(x, y, &apart);
        return !over && apart <= unit;
}

static void with_near(struct compare *c, const struct pair *pair)
{
        struct text wanted = { 0 };

        if (is_near(pair->want, pair->found, pair->rule->near))
                return;
        value_words(pair->want, pair->want_parent, pair->key, &wanted);
        text_printf(&wanted, ", give or take %" PRIu64, pair->rule->near);
        walk_found_rule(c, pair, &wanted);
}

static bool length_of(struct json_object *value, uint64_t *ret_len)
{
        if (json_object_is_type(value, json_type_array))
                *ret_len = json_object_array_length(value);
        else if (json_object_is_type(value, json_type_object))
                *ret_len = (uint64_t)json_object_object_length(value);
        else
                return false;
        return true;
}

static void with_count(struct compare *c, const struct pair *pair)
{
        const struct rule *rule = pair->rule;
        struct text wanted = { 0 }, told = { 0 };
        uint64_t want = 0, found = 0;
        bool open = !rule->low && !rule->high; /* as many as the reference has */
        bool known = (!open || length_of(pair->want, &want)) && length_of(pair->found, &found);
        struct json_object *count = json_object_new_uint64(found);

        bool same = known && count && (open ? want == found : is_within(rule, count));
        json_object_put(count);
        c->bad |= !count;
        if (same)
                return;
        if (open)
                text_printf(&wanted, "%" PRIu64 " elements", want);
        else if (rule->low == rule->high)
                text_printf(&wanted, "%s elements", json_object_get_string(rule->low));
        else
                bounds_words(rule, &wanted);
        if (known)
                text_printf(&told, "%" PRIu64, found);
        else
                value_words(pair->found, pair->found_parent, pair->key, &told);
        walk_keep(c, FIND_VALUE, pair, &wanted, &told);
}

static void with_ignore(struct compare *c, const struct pair *pair)
{
        if (c->count_skipped && !value_same(pair->want, pair->found))
                pair->rule->skipped++;
}

void (*const compare_with[])(struct compare *c, const struct pair *pair) = {
        [RULE_IGNORE] = with_ignore, [RULE_COUNT] = with_count,     [RULE_RANGE] = with_range,
        [RULE_NEAR] = with_near,     [RULE_PRESENT] = with_present, [RULE_ABSENT] = with_absent,
};
