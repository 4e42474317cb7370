/* SPDX-License-Identifier: MIT */
/*
 * A reference, a byte of zero, and a document: both loaded, compared by the rules of the first as check and as diff do,
 * and merged. A document is always equal to itself; what was merged is a reference that can be loaded again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/merge.h"
#include "../cli/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load(const char *bytes, size_t len, struct result *ret_result)
{
        struct text why = { 0 };
        bool good = result_parse(bytes, len, RESULT_ANSWERS | RESULT_REFERENCE, ret_result, &why);

        if (good == (why.len != 0))
                abort();
        text_free(&why);
        return good;
}

static void check_findings(const struct compare *c)
{
        const struct findings *f = &c->findings;

        if (c->bad || f->count > f->total || f->count > FINDINGS_MAX || c->depth || c->muted)
                abort();
        for (size_t i = 0; i < f->count; i++)
                if (!f->at[i].who || !f->at[i].path || (!f->at[i].want && !f->at[i].found && f->at[i].list))
                        abort();
}

static void merge(struct compare *c, struct json_object *reference, struct json_object *found)
{
        struct json_object *merged = merge_documents(c, reference, found);
        struct result again = { 0 };
        const char *text = json_object_to_json_string_ext(merged, JSON_C_TO_STRING_PLAIN);

        if (!merged || !text || !load(text, strlen(text), &again))
                abort();
        result_free(&again);
        json_object_put(merged);
}

static void compare(const struct result *reference, const struct result *found, bool subset, bool lives)
{
        struct compare c = { .subset = subset, .lives = lives, .count_skipped = lives };
        struct text why = { 0 };

        if (rules_of_reference(&c.rules, reference->document, &why) && rules_ready(&c.rules)) {
                compare_documents(&c, reference->document, found->document);
                check_findings(&c);
                merge(&c, reference->document, found->document);
        }
        compare_free(&c);
        text_free(&why);
}

/* Without rules, which may ask for what is not there. */
static void compare_with_itself(const struct result *document)
{
        struct compare c = { .lives = true };

        if (!rules_ready(&c.rules))
                abort();
        compare_documents(&c, document->document, document->document);
        if (c.findings.total)
                abort();
        compare_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *bytes = (const char *)data, *zero = size ? memchr(bytes, 0, size) : NULL;
        struct result reference = { 0 }, found = { 0 };

        if (!zero || size > 1 << 16)
                return 0;
        if (load(bytes, (size_t)(zero - bytes), &reference)) {
                compare_with_itself(&reference);
                if (load(zero + 1, size - (size_t)(zero - bytes) - 1, &found)) {
                        compare(&reference, &found, reference.kind == RESULT_REFERENCE, false);
                        compare(&reference, &found, false, true);
                }
        }
        result_free(&reference);
        result_free(&found);
        return 0;
}
