/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
        [RULE_EXACT] = "exact", [RULE_IGNORE] = "ignore",   [RULE_SET] = "set",       [RULE_SOME] = "some",
        [RULE_FIRST] = "first", [RULE_COUNT] = "count",     [RULE_RANGE] = "range",   [RULE_NEAR] = "near",
        [RULE_KEYS] = "keys",   [RULE_PRESENT] = "present", [RULE_ABSENT] = "absent",
};

const char *rule_kind_name(enum rule_kind kind) { return kind_names[kind]; }

/* ---- patterns */

/* Any part of a name for each '*'; no more work than the product of the lengths. */
static bool glob(const char *pattern, size_t len, const char *name)
{
        size_t p = 0, star = SIZE_MAX;
        const char *resume = name;

        while (*name) {
                if (p < len && pattern[p] == '*') {
                        star = p++;
                        resume = name;
                } else if (p < len && pattern[p] == *name) {
                        p++;
                        name++;
                } else if (star != SIZE_MAX) {
                        p = star + 1;
                        name = ++resume;
                } else {
                        return false;
                }
        }
        while (p < len && pattern[p] == '*')
                p++;
        return p == len;
}

/* "[*]", "[7]", "[pid=4,tid=8]", without the brackets. */
static bool element_step(const char *text, size_t len, struct rule_step *ret_step)
{
        *ret_step = (struct rule_step){ .text = text, .len = len };
        if (len == 1 && *text == '*')
                ret_step->kind = STEP_ELEMENT;
        else if (len && len < 10 && strspn(text, "0123456789") == len)
                ret_step->index = strtoull(text, NULL, 10), ret_step->kind = STEP_INDEX;
        else if (len > 2 && memchr(text + 1, '=', len - 1))
                ret_step->kind = STEP_WHERE;
        else
                return false;
        return true;
}

static bool add_step(struct rule *rule, struct rule_step step)
{
        if (rule->step_count == RULE_STEPS_MAX)
                return false;
        if (step.kind == STEP_DEEP && rule->step_count && rule->step[rule->step_count - 1].kind == STEP_DEEP)
                return true;
        rule->step[rule->step_count++] = step;
        return true;
}

/* One name with what is in brackets behind it; *at is left at the dot, or at the end. */
static bool segment(struct rule *rule, const char **at)
{
        size_t len = strcspn(*at, ".[");
        struct rule_step step = { .kind = len == 2 && memcmp(*at, "**", 2) == 0 ? STEP_DEEP : STEP_NAME,
                                  .text = *at,
                                  .len = len };

        if (len == 0 || !add_step(rule, step))
                return false;
        *at += len;
        while (**at == '[') {
                len = strcspn(*at, "]");
                if (!(*at)[len] || !element_step(*at + 1, len - 1, &step) || !add_step(rule, step))
                        return false;
                *at += len + 1;
        }
        return **at == '\0' || **at == '.';
}

static bool parse_pattern(struct rule *rule)
{
        const char *at = rule->pattern;

        while (segment(rule, &at)) {
                if (!*at)
                        return true;
                at++;
        }
        return false;
}

/* ---- what a rule asks for */

/* Bounds that no value can lie between are a slip of the pen. */
static bool are_bounds(const struct rule *rule)
{
        struct json_object *low = rule->low ? rule->low : rule->high, *high = rule->high ? rule->high : rule->low;

        return low && value_not_above(low, high);
}

static bool parse_count(struct rule *rule, struct json_object *value)
{
        if (json_object_is_type(value, json_type_int)) {
                rule->low = rule->high = value;
                return json_object_get_int64(value) >= 0;
        }
        if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 2)
                return false;
        rule->low = json_object_array_get_idx(value, 0);
        rule->high = json_object_array_get_idx(value, 1);
        return (!rule->low || json_object_is_type(rule->low, json_type_int)) &&
               (!rule->high || json_object_is_type(rule->high, json_type_int)) && are_bounds(rule);
}

static bool parse_range(struct rule *rule, struct json_object *value)
{
        if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 2)
                return false;
        rule->low = json_object_array_get_idx(value, 0);
        rule->high = json_object_array_get_idx(value, 1);
        return are_bounds(rule);
}

static bool parse_near(struct rule *rule, struct json_object *value)
{
        if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
                return false;
        rule->near = json_object_get_uint64(value);
        return true;
}

static bool parse_absent(struct rule *rule, struct json_object *value)
{
        rule->reason = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
        for (int i = STASIS_PRESENT + 1; rule->reason && i <= STASIS_NOT_MAPPED; i++)
                if (strcmp(rule->reason, stasis_absence_name((enum stasis_absence)i)) == 0)
                        return true;
        return false;
}

/* Rules with something behind them are objects of one member. */
static const struct rule_form {
        enum rule_kind kind;
        bool (*parse)(struct rule *rule, struct json_object *value);
        const char *wants;
} forms[] = {
        { RULE_COUNT, parse_count, "{\"count\":N}, or {\"count\":[FROM,TO]}; null: no bound" },
        { RULE_RANGE, parse_range,
          "{\"range\":[LOW,HIGH]}, two numbers or two times as stasis prints them; null: no bound" },
        { RULE_NEAR, parse_near, "{\"near\":N}, a number from 0 on" },
        { RULE_ABSENT, parse_absent, "{\"absent\":REASON}, as \"paged out\" or \"not in this image\"" },
};

static bool parse_form(struct rule *rule, struct json_object *value)
{
        struct json_object *inner;

        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
                if (json_object_object_length(value) == 1 &&
                    json_object_object_get_ex(value, kind_names[forms[i].kind], &inner)) {
                        rule->kind = forms[i].kind;
                        return forms[i].parse(rule, inner);
                }
        return false;
}

static bool parse_name(struct rule *rule, const char *name)
{
        for (enum rule_kind kind = RULE_EXACT; kind < RULE_KEYS; kind++)
                if (strcmp(kind_names[kind], name) == 0 && kind != RULE_RANGE && kind != RULE_NEAR) {
                        rule->kind = kind;
                        return true;
                }
        return false;
}

static bool parse_keys(struct rule *rule, struct json_object *value)
{
        if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) == 0)
                return false;
        for (size_t i = 0; i < json_object_array_length(value); i++)
                if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_string))
                        return false;
        rule->keys = value;
        return true;
}

static bool parse_value(struct rule *rule, struct json_object *value)
{
        if (rule->kind == RULE_KEYS)
                return parse_keys(rule, value);
        if (!value)
                return false;
        if (json_object_is_type(value, json_type_string))
                return parse_name(rule, json_object_get_string(value));
        return json_object_is_type(value, json_type_object) && parse_form(rule, value);
}

/* ---- lists of rules */

static void rule_free(struct rule *rule)
{
        free(rule->pattern);
        free(rule->step);
}

static struct rule *append(struct rules *rules, const char *pattern, enum rule_kind kind, struct text *ret_why)
{
        struct rule rule = { .kind = kind };

        if (rules->count == rules->capacity) {
                size_t capacity = rules->capacity ? 2 * rules->capacity : 32;
                struct rule *grown = reallocarray(rules->at, capacity, sizeof(*grown));
                if (!grown) {
                        text_str(ret_why, "out of memory");
                        return NULL;
                }
                rules->at = grown;
                rules->capacity = capacity;
        }
        rule.pattern = strdup(pattern);
        rule.step = calloc(RULE_STEPS_MAX, sizeof(*rule.step));
        if (!rule.pattern || !rule.step)
                text_str(ret_why, "out of memory");
        else if (strlen(pattern) > RULE_PATTERN_MAX || !parse_pattern(&rule))
                text_printf(ret_why, "\"%s\" is no path pattern, or too long", pattern);
        if (ret_why->len) {
                rule_free(&rule);
                return NULL;
        }
        rules->at[rules->count] = rule;
        return &rules->at[rules->count++];
}

bool rules_add_kind(struct rules *rules, const char *pattern, enum rule_kind kind, struct text *ret_why)
{
        return append(rules, pattern, kind, ret_why) != NULL;
}

/* How it would be one: of the form that was meant, or all words. */
static void add_wanted(struct json_object *value, struct text *ret_why)
{
        for (size_t i = 0; json_object_is_type(value, json_type_object) && i < sizeof(forms) / sizeof(forms[0]); i++)
                if (json_object_object_get_ex(value, kind_names[forms[i].kind], NULL)) {
                        text_str(ret_why, forms[i].wants);
                        return;
                }
        for (enum rule_kind kind = RULE_EXACT; kind < RULE_KEYS; kind++)
                if (kind != RULE_RANGE && kind != RULE_NEAR)
                        text_printf(ret_why, "\"%s\", ", kind_names[kind]);
        text_str(ret_why, "{\"range\":[LOW,HIGH]}, {\"near\":N}, {\"count\":N} or {\"absent\":REASON}");
}

static bool add(struct rules *rules, const char *pattern, enum rule_kind kind, struct json_object *value,
                struct text *ret_why)
{
        struct rule *rule = append(rules, pattern, kind, ret_why);

        if (rule && !parse_value(rule, value)) {
                text_printf(ret_why, "\"%s\": %s is no %s", pattern, json_object_to_json_string(value),
                            kind == RULE_KEYS ? "list of keys, as [\"tid\"]" : "rule; it can be ");
                if (kind != RULE_KEYS)
                        add_wanted(value, ret_why);
        }
        return ret_why->len == 0;
}

bool rules_add(struct rules *rules, const char *pattern, struct json_object *value, struct text *ret_why)
{
        return add(rules, pattern, RULE_EXACT, value, ret_why);
}

static bool add_all(struct rules *rules, struct json_object *reference, const char *member, enum rule_kind kind,
                    struct text *ret_why)
{
        struct json_object *all;

        if (!json_object_object_get_ex(reference, member, &all))
                return true;
        if (!json_object_is_type(all, json_type_object) || json_object_object_length(all) > RULES_MAX) {
                text_printf(ret_why, "\"%s\" is no object of at most %d members", member, RULES_MAX);
                return false;
        }
        json_object_object_foreach(all, pattern, value)
        {
                struct text why = { 0 };
                bool good = add(rules, pattern, kind, value, &why);
                if (!good)
                        text_printf(ret_why, "\"%s\": %s", member, text_get(&why));
                text_free(&why);
                if (!good)
                        return false;
        }
        return true;
}

bool rules_of_reference(struct rules *rules, struct json_object *reference, struct text *ret_why)
{
        return add_all(rules, reference, "rules", RULE_EXACT, ret_why) &&
               add_all(rules, reference, "keys", RULE_KEYS, ret_why);
}

void rules_free(struct rules *rules)
{
        for (size_t i = 0; i < rules->count; i++)
                rule_free(&rules->at[i]);
        free(rules->at);
        for (size_t i = 0; i < RULE_LEVELS; i++)
                free(rules->level[i].at);
        *rules = (struct rules){ 0 };
}

/* ---- descent */

/* Behind a place before `**` is one after it too: it may stand for nothing. */
static uint32_t closed(const struct rule *rule, uint32_t mask)
{
        for (unsigned i = 0; i < rule->step_count; i++)
                if (mask >> i & 1 && rule->step[i].kind == STEP_DEEP)
                        mask |= 2U << i;
        return mask;
}

bool rules_ready(struct rules *rules)
{
        for (size_t i = 0; i < RULE_LEVELS; i++) {
                rules->level[i].at = calloc(rules->count + 1, sizeof(struct rule_state));
                if (!rules->level[i].at)
                        return false;
        }
        rules->level[0].count = rules->count;
        for (size_t i = 0; i < rules->count; i++)
                rules->level[0].at[i] = (struct rule_state){ (uint32_t)i, closed(&rules->at[i], 1) };
        return true;
}

/* Does one condition, "tid=8", hold of a record? */
static bool condition_holds(const char *text, size_t len, struct json_object *record)
{
        char key[64];
        size_t key_len = (size_t)((const char *)memchr(text, '=', len) - text);
        struct json_object *value;

        if (key_len >= sizeof(key))
                return false;
        memcpy(key, text, key_len);
        key[key_len] = '\0';
        if (!json_object_object_get_ex(record, key, &value) || !value)
                return false;
        const char *told = json_object_get_string(value); /* of a number its digits */
        return told && strlen(told) == len - key_len - 1 && memcmp(told, text + key_len + 1, len - key_len - 1) == 0;
}

static bool where_holds(const struct rule_step *step, struct json_object *record)
{
        if (!json_object_is_type(record, json_type_object))
                return false;
        for (size_t at = 0; at < step->len;) {
                const char *comma = memchr(step->text + at, ',', step->len - at);
                size_t len = comma ? (size_t)(comma - step->text) - at : step->len - at;
                if (!memchr(step->text + at, '=', len) || !condition_holds(step->text + at, len, record))
                        return false;
                at += len + 1;
        }
        return true;
}

/* What is entered: a member by name, or an element. */
struct entered {
        const char *name;
        size_t index;
        struct json_object *element;
};

static bool step_holds(const struct rule_step *step, const struct entered *entered)
{
        switch (step->kind) {
        case STEP_NAME: return entered->name && glob(step->text, step->len, entered->name);
        case STEP_ELEMENT: return !entered->name;
        case STEP_INDEX: return !entered->name && step->index == entered->index;
        case STEP_WHERE: return !entered->name && where_holds(step, entered->element);
        case STEP_DEEP: return true;
        }
        return false;
}

static uint32_t stepped(const struct rule *rule, uint32_t mask, const struct entered *entered)
{
        uint32_t next = 0;

        for (unsigned i = 0; i < rule->step_count; i++)
                if (mask >> i & 1 && step_holds(&rule->step[i], entered))
                        next |= (rule->step[i].kind == STEP_DEEP ? 1U : 2U) << i;
        return closed(rule, next);
}

static void enter(struct rules *rules, unsigned depth, const struct entered *entered)
{
        const struct rule_level *from = &rules->level[depth];
        struct rule_level *to = &rules->level[depth + 1];

        to->count = 0;
        for (size_t i = 0; i < from->count; i++) {
                struct rule *rule = &rules->at[from->at[i].rule];
                uint32_t mask = stepped(rule, from->at[i].mask, entered);
                if (mask >> rule->step_count & 1)
                        rule->met = true;
                if (mask)
                        to->at[to->count++] = (struct rule_state){ from->at[i].rule, mask };
        }
}

void rules_enter_member(struct rules *rules, unsigned depth, const char *name)
{
        enter(rules, depth, &(struct entered){ .name = name });
}

void rules_enter_element(struct rules *rules, unsigned depth, size_t index, struct json_object *element)
{
        enter(rules, depth, &(struct entered){ .index = index, .element = element });
}

struct rule *rules_at(const struct rules *rules, unsigned depth, bool keys)
{
        const struct rule_level *level = &rules->level[depth];

        for (size_t i = level->count; i-- > 0;) {
                struct rule *rule = &rules->at[level->at[i].rule];
                if (level->at[i].mask >> rule->step_count & 1 && (rule->kind == RULE_KEYS) == keys)
                        return rule;
        }
        return NULL;
}
