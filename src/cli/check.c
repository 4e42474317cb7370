/* SPDX-License-Identifier: MIT */
/* One case: a reference, what is found, and what came of comparing them. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "merge.h"
#include "result_image.h"

static const char *const outcome_names[] = { "equal", "different", "partial", "error" };

const char *check_outcome_name(enum check_outcome outcome) { return outcome_names[outcome]; }

enum check_outcome check_outcome_of(struct json_object *told)
{
        for (enum check_outcome o = CHECK_EQUAL; o < CHECK_ERROR; o++)
                if (strcmp(check_text(told, "outcome"), outcome_names[o]) == 0)
                        return o;
        return CHECK_ERROR;
}

enum cli_exit check_exit_of(enum check_outcome outcome)
{
        static const enum cli_exit exits[] = { CLI_COMPLETE, CLI_DIFFERENT, CLI_PARTIAL, CLI_UNREADABLE };

        return exits[outcome];
}

/* ---- what holds where the reference says nothing; docs/CI.md has this table */

static const struct built_in {
        const char *pattern;
        enum rule_kind kind;
        uint32_t of; /* enum result_kind of the reference */
} built_in[] = {
        { "schema", RULE_IGNORE, UINT32_MAX },
        { "comment", RULE_IGNORE, UINT32_MAX },
        { "rules", RULE_IGNORE, UINT32_MAX },
        { "keys", RULE_IGNORE, UINT32_MAX },
        { "total", RULE_IGNORE, UINT32_MAX },
        { "sources", RULE_IGNORE, UINT32_MAX },
        { "image.path", RULE_IGNORE, UINT32_MAX },
        { "analysis.stasis", RULE_IGNORE, UINT32_MAX },
        { "analysis.sha256", RULE_IGNORE, UINT32_MAX },
        { "analysis.sandbox", RULE_IGNORE, UINT32_MAX },
        { "**.evidence", RULE_IGNORE, UINT32_MAX },
        { "notes", RULE_SET, RESULT_WHOLE },
        { "notes", RULE_SOME, ~(uint32_t)RESULT_WHOLE }, /* of which a result has more */
        { "image", RULE_SOME, ~(uint32_t)RESULT_WHOLE },
};

/* A former answer that --process or --state had cut is no list of all. */
static bool is_cut(struct json_object *document, const char *list)
{
        struct json_object *total, *records;

        return json_object_object_get_ex(document, "total", &total) && json_object_is_type(total, json_type_int) &&
               json_object_object_get_ex(document, list, &records) &&
               json_object_get_uint64(total) != json_object_array_length(records);
}

static bool make_rules(struct compare *compare, const struct result *reference, struct text *ret_why)
{
        struct rules *rules = &compare->rules;
        bool good = true;

        for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]) && good; i++)
                if (built_in[i].of & reference->kind)
                        good = rules_add_kind(rules, built_in[i].pattern, built_in[i].kind, ret_why);
        if (good && is_cut(reference->document, "threads"))
                good = rules_add_kind(rules, "threads", RULE_SOME, ret_why);
        compare->own_rules = rules->count;
        if (!good || !rules_of_reference(rules, reference->document, ret_why))
                return false;
        if (rules_ready(rules))
                return true;
        text_str(ret_why, "out of memory");
        return false;
}

/* ---- what is told of it */

static struct json_object *begin_told(const struct check_case *one, enum check_outcome outcome)
{
        struct json_object *told = json_object_new_object();

        if (told && json_add(told, "name", json_text(one->name)) &&
            json_add(told, "image", json_text(one->image ? one->image : "")) &&
            json_add(told, "against", json_text(one->against ? one->against : "")) &&
            json_add(told, "outcome", json_object_new_string(outcome_names[outcome])) &&
            json_add(told, "exit_status", json_object_new_int((int32_t)check_exit_of(outcome))))
                return told;
        json_object_put(told);
        return NULL;
}

struct json_object *check_failed(const struct check_case *one, const char *error)
{
        struct json_object *told = begin_told(one, CHECK_ERROR);

        if (!told || json_add(told, "error", json_text(error)))
                return told;
        json_object_put(told);
        return NULL;
}

static bool add_words(struct json_object *object, const char *key, const char *words)
{
        return words ? json_add(object, key, json_text(words)) : json_object_object_add(object, key, NULL) == 0;
}

static struct json_object *told_finding(const struct finding *f)
{
        static const char *const kinds[] = { "value", "missing", "unexpected", "ambiguous" };
        struct json_object *object = json_object_new_object();

        if (object && json_add(object, "kind", json_object_new_string(kinds[f->kind])) &&
            add_words(object, "who", f->who) && add_words(object, "path", f->path) &&
            add_words(object, "expected", f->wanted) && add_words(object, "found", f->told) &&
            json_add(object, "rule", json_object_new_string(f->rule)))
                return object;
        json_object_put(object);
        return NULL;
}

static bool add_findings(struct json_object *told, const struct findings *findings)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; array && i < findings->count; i++) {
                struct json_object *one = told_finding(&findings->at[i]);
                if (one && json_object_array_add(array, one) == 0)
                        continue;
                json_object_put(one);
                json_object_put(array);
                return false;
        }
        return json_add(told, "records", json_object_new_uint64(findings->records)) &&
               json_add(told, "values", json_object_new_uint64(findings->values)) &&
               json_add(told, "difference_count", json_object_new_uint64(findings->total)) &&
               json_add(told, "differences", array);
}

/* ---- the case */

struct checking {
        struct cli cli; /* its own: messages go to `said` */
        const struct check_case *one;
        struct result reference, found;
        struct compare compare;
        struct text why;
        char *said;
        size_t said_len;
};

/* What was printed, without "stasis: " and the end of the line. */
static void take_said(struct checking *c)
{
        fflush(c->cli.err);
        const char *text = c->said && strncmp(c->said, "stasis: ", 8) == 0 ? c->said + 8 : "it cannot be read";
        if (!c->why.len)
                text_add(&c->why, text, strcspn(text, "\n"));
}

static bool load_found(struct checking *c)
{
        const char *path = c->cli.image_path;
        bool document = !c->cli.reader && result_is_document(path);

        if (document ? result_read(&c->cli, path, RESULT_ANSWERS, &c->found)
                     : result_of_image(&c->cli, path, &c->found)) {
                take_said(c);
                return false;
        }
        return true;
}

/* An image that should not be readable is a case too: its reference says so. */
static bool is_usable(struct checking *c)
{
        if (c->found.status != CLI_UNREADABLE || c->reference.status == CLI_UNREADABLE)
                return true;
        text_str(&c->why, result_error(&c->found));
        if (!c->why.len)
                text_str(&c->why, "it could not be read or understood");
        return false;
}

static enum check_outcome outcome_of(const struct checking *c)
{
        if (c->compare.findings.total)
                return CHECK_DIFFERENT;
        return c->found.status == CLI_PARTIAL && c->reference.status != CLI_PARTIAL ? CHECK_PARTIAL : CHECK_EQUAL;
}

static bool update(struct checking *c, const char *path)
{
        struct json_object *merged = merge_documents(&c->compare, c->reference.document, c->found.document);

        if (!merged) {
                text_str(&c->why, "out of memory");
                return false;
        }
        bool good = write_whole(path, merged, &c->why);
        json_object_put(merged);
        return good;
}

/* The rules of the reference, which stand behind those of every reference, that nothing has the path of. */
static bool add_unmet(struct json_object *told, const struct rules *rules, size_t first)
{
        struct json_object *array = json_object_new_array();
        bool good = array != NULL;

        for (size_t i = first; i < rules->count && good; i++)
                if (!rules->at[i].met)
                        good = json_object_array_add(array, json_text(rules->at[i].pattern)) == 0;
        if (good)
                return json_add(told, "unmet", array);
        json_object_put(array);
        return false;
}

/* NULL where memory is exhausted; *ret_why is filled where the case came to nothing. */
static struct json_object *compare_all(struct checking *c, const char *against)
{
        c->compare.subset = c->reference.kind == RESULT_REFERENCE;
        if (!make_rules(&c->compare, &c->reference, &c->why)) {
                struct text why = { 0 };
                text_printf(&why, "%s: %s", against, text_get(&c->why));
                text_free(&c->why);
                c->why = why;
                return NULL;
        }
        compare_documents(&c->compare, c->reference.document, c->found.document);
        if (c->compare.bad) {
                text_str(&c->why, "out of memory");
                return NULL;
        }
        enum check_outcome outcome = outcome_of(c);
        if (outcome == CHECK_EQUAL && !c->compare.findings.values && !c->compare.findings.records) {
                text_printf(&c->why, "%s: it asks for nothing: it names no fact, or its rules ignore what it names",
                            against);
                return NULL;
        }
        bool updated = c->cli.update && outcome == CHECK_DIFFERENT;
        if (updated && !update(c, against))
                return NULL;
        struct json_object *told = begin_told(c->one, updated ? CHECK_EQUAL : outcome);
        if (told && json_add(told, "updated", json_object_new_boolean(updated)) &&
            add_findings(told, &c->compare.findings) && add_unmet(told, &c->compare.rules, c->compare.own_rules))
                return told;
        json_object_put(told);
        return NULL;
}

/* --update where there is no reference yet: all that there is. */
static struct json_object *create(struct checking *c, const char *against)
{
        if (!load_found(c) || !is_usable(c) || !write_whole(against, c->found.document, &c->why))
                return NULL;
        struct json_object *told = begin_told(c->one, CHECK_EQUAL);
        if (told && json_add(told, "updated", json_object_new_boolean(true)) &&
            add_findings(told, &c->compare.findings) && add_unmet(told, &c->compare.rules, 0))
                return told;
        json_object_put(told);
        return NULL;
}

static struct json_object *check_paths(struct checking *c, const char *image, const char *against)
{
        c->cli.image_path = image;
        if (c->cli.update && access(against, F_OK) != 0 && errno == ENOENT)
                return create(c, against);
        if (result_read(&c->cli, against, RESULT_ANSWERS | RESULT_REFERENCE, &c->reference)) {
                take_said(c);
                return NULL;
        }
        return load_found(c) && is_usable(c) ? compare_all(c, against) : NULL;
}

struct json_object *check_one(const struct cli *cli, const struct check_case *one)
{
        struct checking c = { .cli = *cli, .one = one };
        struct json_object *manifest = NULL, *told = NULL;
        struct text image = { 0 }, against = { 0 };

        if (one->error)
                return check_failed(one, one->error);
        c.cli.err = open_memstream(&c.said, &c.said_len);
        if (!c.cli.err)
                return NULL;
        if (!one->manifest)
                told = check_paths(&c, one->image, one->against);
        else if (check_manifest(&c.cli, one, &manifest, &image, &against, &c.why))
                told = check_paths(&c, text_get(&image), text_get(&against));
        if (!told && !c.why.len)
                take_said(&c);
        if (!told)
                told = check_failed(one, c.why.len ? text_get(&c.why) : "out of memory");
        fclose(c.cli.err);
        compare_free(&c.compare);
        result_free(&c.reference);
        result_free(&c.found);
        json_object_put(manifest);
        text_free(&c.why);
        text_free(&image);
        text_free(&against);
        free(c.said);
        return told;
}
