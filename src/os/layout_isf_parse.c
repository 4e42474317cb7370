/* SPDX-License-Identifier: MIT */
/*
 * Volatility 3's ISF JSON (its schema-6.x: metadata, base_types, user_types, enums, symbols) into tables. Other
 * sections may stand in any order, and types refer to each other by name, so the text is gone through once for the
 * sections, then section by section.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"
#include "layout_isf_parse.h"

void isf_fail(struct isf_parse *p, enum stasis_status status)
{
        if (p->status == STASIS_OK)
                p->status = status;
}

const char *isf_keep(struct isf_parse *p, struct json_text text)
{
        const char *copy = stasis_arena_strndup(&p->isf->names, text.at, text.len);
        if (!copy)
                isf_fail(p, STASIS_NOMEM);
        return copy;
}

uint32_t isf_reasonable(struct isf_parse *p, uint64_t value)
{
        if (value > SIZE_LIMIT) {
                isf_fail(p, STASIS_CORRUPT);
                return 0;
        }
        return (uint32_t)value;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

#define table_sort(table) \
        do { \
                if ((table)->count > 1) \
                        qsort((table)->at, (table)->count, sizeof *(table)->at, by_name); \
        } while (0)

/* Goes through an object whose values are described by objects: calls each(p, name, value) for every one. */
static void each_object(struct isf_parse *p, struct json *j,
                        void (*each)(struct isf_parse *, const char *, struct json *))
{
        struct json_text key;
        if (!json_open(j))
                return;
        while (p->status == STASIS_OK && json_key(j, &key)) {
                const char *name = isf_keep(p, key);
                if (name)
                        each(p, name, j);
        }
        if (j->bad)
                isf_fail(p, STASIS_CORRUPT);
}

static void each_base(struct isf_parse *p, const char *name, struct json *j)
{
        struct isf_base *base = table_add(p, &p->isf->bases);
        struct json_text key, kind = { "", 0 };
        bool is_signed = false;
        if (!base)
                return;
        *base = (struct isf_base){ .name = name };
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "size"))
                        base->size = isf_reasonable(p, json_number(j));
                else if (json_is(key, "kind"))
                        kind = json_string(j);
                else if (json_is(key, "signed"))
                        is_signed = json_true(j);
                else
                        json_skip(j);
        }
        if (json_is(kind, "void") || json_is(kind, "float"))
                base->type = STASIS_TYPE_OPAQUE;
        else
                base->type = is_signed ? STASIS_TYPE_SIGNED : STASIS_TYPE_UNSIGNED;
}

static int by_value(const void *a, const void *b)
{
        const struct stasis_name *x = a, *y = b;
        if (x->value != y->value)
                return (int32_t)x->value < (int32_t)y->value ? -1 : 1;
        return strcmp(x->name, y->name);
}

static void enum_values(struct isf_parse *p, struct isf_enum *e, struct json *j)
{
        struct json_text key;
        for (bool in = json_open(j); in && p->status == STASIS_OK && json_key(j, &key);) {
                struct stasis_name value = { .name = isf_keep(p, key), .value = (uint32_t)json_number(j) };
                struct stasis_name *new = table_add(p, &p->isf->values);
                if (new)
                        *new = value;
        }
        e->count = (uint32_t)p->isf->values.count - e->first;
        if (e->count > 1 && p->status == STASIS_OK)
                qsort(&p->isf->values.at[e->first], e->count, sizeof *p->isf->values.at, by_value);
}

static void each_enum(struct isf_parse *p, const char *name, struct json *j)
{
        struct isf_enum *e = table_add(p, &p->isf->enums);
        struct json_text key;
        if (!e)
                return;
        *e = (struct isf_enum){ .name = name, .first = (uint32_t)p->isf->values.count };
        for (bool in = json_open(j); in && p->status == STASIS_OK && json_key(j, &key);) {
                if (json_is(key, "size"))
                        e->size = isf_reasonable(p, json_number(j));
                else if (json_is(key, "constants") && e->count == 0)
                        enum_values(p, e, j);
                else
                        json_skip(j);
        }
}

static void each_symbol(struct isf_parse *p, const char *name, struct json *j)
{
        struct isf_symbol *symbol = table_add(p, &p->isf->symbols);
        struct json_text key;
        if (!symbol)
                return;
        *symbol = (struct isf_symbol){ .name = name };
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "address"))
                        symbol->address = json_number(j);
                else
                        json_skip(j);
        }
}

/* First pass: name, size, and where the fields stand. */
static void each_struct(struct isf_parse *p, const char *name, struct json *j)
{
        struct isf_struct *s = table_add(p, &p->isf->structs);
        struct json_text key;
        if (!s)
                return;
        *s = (struct isf_struct){ .name = name };
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "size")) {
                        s->size = isf_reasonable(p, json_number(j));
                } else {
                        const char *start = j->at;
                        json_skip(j);
                        if (json_is(key, "fields") && !j->bad)
                                s->fields = (struct stasis_bytes){ (const uint8_t *)start, (size_t)(j->at - start) };
                }
        }
}

/* ---- metadata */

static int hex_digit(char c)
{
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
}

/* "1B4A6F5E0766C552C90710C8ACC0295C": the first three groups are numbers, little-endian in the RSDS record. */
static bool guid_read(struct json_text text, uint8_t guid[16])
{
        static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        for (size_t i = 0; i < 16; i++) {
                if (text.len != 32 || hex_digit(text.at[2 * i]) < 0 || hex_digit(text.at[2 * i + 1]) < 0)
                        return false;
                guid[order[i]] = (uint8_t)(hex_digit(text.at[2 * i]) << 4 | hex_digit(text.at[2 * i + 1]));
        }
        return true;
}

static void metadata_pdb(struct isf *isf, struct json *j)
{
        struct json_text key, guid = { "", 0 };
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "GUID"))
                        guid = json_string(j);
                else if (json_is(key, "age"))
                        isf->pdb.age = (uint32_t)json_number(j);
                else
                        json_skip(j);
        }
        isf->pdb_known = guid_read(guid, isf->pdb.guid);
}

/* The schema's "revision" is the third number of the version (Windows' build), its "build" the fourth. */
static void metadata_pe(struct isf *isf, struct json *j)
{
        static const char *const names[4] = { "major", "minor", "revision", "build" };
        struct json_text key;
        for (bool in = json_open(j); in && json_key(j, &key);) {
                size_t i = 0;
                while (i < 4 && !json_is(key, names[i]))
                        i++;
                if (i < 4)
                        isf->layout.version[i] = (uint32_t)json_number(j);
                else
                        json_skip(j);
        }
}

static void metadata(struct isf *isf, struct json *j)
{
        struct json_text key, inner;
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (!json_is(key, "windows")) {
                        json_skip(j);
                        continue;
                }
                for (bool deeper = json_open(j); deeper && json_key(j, &inner);) {
                        if (json_is(inner, "pdb"))
                                metadata_pdb(isf, j);
                        else if (json_is(inner, "pe"))
                                metadata_pe(isf, j);
                        else
                                json_skip(j);
                }
        }
        if (isf->pdb_known)
                layout_of_pdb(&isf->pdb, isf->layout.version);
}

/* ---- the whole */

enum section { SECTION_METADATA, SECTION_BASES, SECTION_STRUCTS, SECTION_ENUMS, SECTION_SYMBOLS, SECTIONS };

static bool sections_find(struct json *j, struct json section[SECTIONS])
{
        static const char *const names[SECTIONS] = { "metadata", "base_types", "user_types", "enums", "symbols" };
        struct json_text key;
        bool seen[SECTIONS] = { false };
        for (bool in = json_open(j); in && json_key(j, &key);) {
                for (size_t i = 0; i < SECTIONS; i++)
                        if (json_is(key, names[i])) {
                                section[i] = *j;
                                seen[i] = true;
                        }
                json_skip(j);
        }
        return !j->bad && seen[SECTION_BASES] && seen[SECTION_STRUCTS];
}

static void pointer_size(struct isf_parse *p)
{
        static const struct json_text pointer = { "pointer", 7 };
        const struct isf_base *base = table_find(&p->isf->bases, pointer);
        if (base && (base->size == 4 || base->size == 8))
                p->isf->layout.pointer_size = (uint8_t)base->size;
        else
                isf_fail(p, STASIS_CORRUPT);
}

static void sections_read(struct isf_parse *p, struct json section[SECTIONS])
{
        struct isf *isf = p->isf;
        if (section[SECTION_METADATA].at)
                metadata(isf, &section[SECTION_METADATA]);
        each_object(p, &section[SECTION_BASES], each_base);
        table_sort(&isf->bases);
        if (p->status == STASIS_OK)
                pointer_size(p);
        if (section[SECTION_ENUMS].at)
                each_object(p, &section[SECTION_ENUMS], each_enum);
        table_sort(&isf->enums);
        each_object(p, &section[SECTION_STRUCTS], each_struct);
        table_sort(&isf->structs);
        for (size_t i = 0; i < isf->structs.count && p->status == STASIS_OK; i++)
                isf_struct_members(p, &isf->structs.at[i]);
        for (size_t i = 0; i < isf->structs.count; i++) /* the text goes away */
                isf->structs.at[i].fields = (struct stasis_bytes){ NULL, 0 };
        if (section[SECTION_SYMBOLS].at)
                each_object(p, &section[SECTION_SYMBOLS], each_symbol);
        table_sort(&isf->symbols);
}

enum stasis_status layout_isf_parse_text(struct stasis_bytes bytes, const char *name, struct stasis_layout **ret_layout,
                                         struct stasis_error *err)
{
        struct json j = { .at = (const char *)bytes.at, .end = (const char *)bytes.at + bytes.len };
        struct json section[SECTIONS] = { { .at = NULL } };
        if (!sections_find(&j, section))
                return stasis_fail(err, STASIS_CORRUPT, "%s: not an ISF: no JSON object with base_types and user_types",
                                   name);
        struct isf *isf = calloc(1, sizeof *isf);
        if (!isf)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
        struct isf_parse p = { .isf = isf };
        isf->layout.name = isf_keep(&p, (struct json_text){ name, strlen(name) });
        sections_read(&p, section);
        if (p.status == STASIS_OK) {
                *ret_layout = &isf->layout;
                return STASIS_OK;
        }
        layout_isf_close(&isf->layout);
        if (p.status == STASIS_NOMEM)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
        if (p.status == STASIS_LIMIT)
                return stasis_fail(err, STASIS_LIMIT, "%s: more than %u fields", name, FIELDS_MAX);
        return stasis_fail(err, STASIS_CORRUPT, "%s: an ISF with broken types", name);
}
