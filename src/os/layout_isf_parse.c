/* SPDX-License-Identifier: MIT */
/*
 * Volatility 3's ISF JSON (its schema-6.x: metadata, base_types, user_types, enums, symbols) into tables. Types refer
 * to each other by name: sizes of all come first, then members.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../base/error.h"
#include "layout_isf_parse.h"
#include "layout_names.h"

void isf_fail(struct isf_parse *p, enum stasis_status status, const char *what)
{
        if (p->status != STASIS_OK)
                return;
        p->status = stasis_fail(p->err, status, "%s: %.64s%s%.64s%s%s", p->file, p->type, p->member ? "." : "",
                                p->member ? p->member : "", *p->type ? ": " : "", what);
}

const char *isf_keep(struct isf_parse *p, const char *text)
{
        const char *copy = stasis_arena_strndup(&p->isf->names, text, strlen(text));
        if (!copy)
                isf_fail(p, STASIS_NOMEM, "no memory");
        return copy;
}

/* ---- values */

uint32_t isf_reasonable(struct isf_parse *p, uint64_t value, const char *what)
{
        if (value <= SIZE_LIMIT)
                return (uint32_t)value;
        char text[64];
        snprintf(text, sizeof text, "%s out of range", what);
        isf_fail(p, STASIS_CORRUPT, text);
        return 0;
}

struct json_object *isf_object(struct json_object *object, const char *key)
{
        struct json_object *value = json_object_object_get(object, key);
        return json_object_is_type(value, json_type_object) ? value : NULL;
}

const char *isf_text(struct json_object *object, const char *key)
{
        struct json_object *value = json_object_object_get(object, key);
        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

uint64_t isf_number(struct isf_parse *p, struct json_object *object, const char *key)
{
        struct json_object *value = json_object_object_get(object, key);
        if (!value)
                return 0;
        if (!json_object_is_type(value, json_type_int)) {
                char text[64];
                snprintf(text, sizeof text, "%s is no whole number", key);
                isf_fail(p, STASIS_CORRUPT, text);
                return 0;
        }
        int64_t number = json_object_get_int64(value); /* of each sign one function saturates */
        return number < 0 ? (uint64_t)number : json_object_get_uint64(value);
}

uint32_t isf_size(struct isf_parse *p, struct json_object *object, const char *key)
{
        return isf_reasonable(p, isf_number(p, object, key), key);
}

bool isf_true(struct json_object *object, const char *key)
{
        return json_object_get_boolean(json_object_object_get(object, key));
}

/* ---- sections */

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

#define table_sort(table) \
        do { \
                if ((table)->count > 1) \
                        qsort((table)->at, (table)->count, sizeof *(table)->at, by_name); \
        } while (0)

/* Calls each(p, name, value) for everything in one section. */
static void each_of(struct isf_parse *p, struct json_object *tree, const char *section,
                    void (*each)(struct isf_parse *, const char *, struct json_object *))
{
        struct json_object *object = isf_object(tree, section);
        p->type = section;
        if (!object && json_object_object_get(tree, section))
                isf_fail(p, STASIS_CORRUPT, "is no object");
        if (!object)
                return;
        json_object_object_foreach(object, key, value)
        {
                p->type = isf_keep(p, key);
                if (p->status != STASIS_OK)
                        return;
                each(p, p->type, value);
        }
}

static void each_base(struct isf_parse *p, const char *name, struct json_object *value)
{
        struct isf_base *base = table_add(p, &p->isf->bases);
        if (!base)
                return;
        const char *kind = isf_text(value, "kind");
        *base = (struct isf_base){ .name = name, .size = isf_size(p, value, "size"), .type = STASIS_TYPE_UNSIGNED };
        if (strcmp(kind, "void") == 0 || strcmp(kind, "float") == 0)
                base->type = STASIS_TYPE_OPAQUE;
        else if (isf_true(value, "signed"))
                base->type = STASIS_TYPE_SIGNED;
}

static void each_enum(struct isf_parse *p, const char *name, struct json_object *value)
{
        struct isf *isf = p->isf;
        struct isf_enum *e = table_add(p, &isf->enums);
        struct json_object *constants = isf_object(value, "constants");
        if (!e)
                return;
        *e = (struct isf_enum){ .name = name,
                                .size = isf_size(p, value, "size"),
                                .first = (uint32_t)isf->values.count };
        if (!constants)
                return;
        json_object_object_foreach(constants, key, unused)
        {
                (void)unused;
                struct stasis_name *new = table_add(p, &isf->values);
                if (!new)
                        return;
                *new = (struct stasis_name){ .name = isf_keep(p, key),
                                             .value = (uint32_t)isf_number(p, constants, key) };
                if (p->status != STASIS_OK)
                        return;
        }
        e->count = (uint32_t)isf->values.count - e->first;
        if (e->count)
                layout_sort_names(&isf->values.at[e->first], e->count);
}

static void each_symbol(struct isf_parse *p, const char *name, struct json_object *value)
{
        struct isf_symbol *symbol = table_add(p, &p->isf->symbols);
        if (symbol)
                *symbol = (struct isf_symbol){ .name = name, .address = isf_number(p, value, "address") };
}

static void each_struct(struct isf_parse *p, const char *name, struct json_object *value)
{
        struct isf_struct *s = table_add(p, &p->isf->structs);
        if (s)
                *s = (struct isf_struct){ .name = name, .size = isf_size(p, value, "size") };
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
static bool guid_read(const char *text, uint8_t guid[16])
{
        static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        if (strlen(text) != 32)
                return false;
        for (size_t i = 0; i < 16; i++) {
                if (hex_digit(text[2 * i]) < 0 || hex_digit(text[2 * i + 1]) < 0)
                        return false;
                guid[order[i]] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
        }
        return true;
}

/* The schema's "revision" is the third number of the version (Windows' build), its "build" the fourth. */
static void metadata(struct isf_parse *p, struct json_object *value)
{
        static const char *const names[4] = { "major", "minor", "revision", "build" };
        struct isf *isf = p->isf;
        struct json_object *windows = isf_object(value, "windows");
        struct json_object *pdb = isf_object(windows, "pdb"), *pe = isf_object(windows, "pe");
        p->type = "metadata";
        for (size_t i = 0; i < 4; i++)
                isf->layout.version[i] = (uint32_t)isf_number(p, pe, names[i]);
        isf->pdb.age = (uint32_t)isf_number(p, pdb, "age");
        isf->pdb_known = guid_read(isf_text(pdb, "GUID"), isf->pdb.guid);
        if (isf->pdb_known)
                layout_of_pdb(&isf->pdb, isf->layout.version);
}

/* ---- the whole */

static void pointer_size(struct isf_parse *p)
{
        const struct isf_base *base = table_find(&p->isf->bases, "pointer");
        p->type = "base_types";
        if (base && (base->size == 4 || base->size == 8))
                p->isf->layout.pointer_size = (uint8_t)base->size;
        else
                isf_fail(p, STASIS_CORRUPT, "no pointer of 4 or 8 bytes");
}

static void sections_read(struct isf_parse *p, struct json_object *tree)
{
        struct isf *isf = p->isf;
        metadata(p, isf_object(tree, "metadata"));
        each_of(p, tree, "base_types", each_base);
        table_sort(&isf->bases);
        pointer_size(p);
        each_of(p, tree, "enums", each_enum);
        table_sort(&isf->enums);
        each_of(p, tree, "user_types", each_struct);
        table_sort(&isf->structs);
        for (size_t i = 0; i < isf->structs.count && p->status == STASIS_OK; i++)
                isf_struct_members(p, &isf->structs.at[i]);
        p->member = NULL;
        each_of(p, tree, "symbols", each_symbol);
        table_sort(&isf->symbols);
}

enum stasis_status isf_tables(struct json_object *tree, const char *file, struct stasis_layout **ret_layout,
                              struct stasis_error *err)
{
        struct isf_parse p = { .structs = isf_object(tree, "user_types"), .err = err, .file = file, .type = "" };
        if (!p.structs || !isf_object(tree, "base_types"))
                return stasis_fail(err, STASIS_CORRUPT, "%s: not an ISF: no JSON object with base_types and user_types",
                                   file);
        p.isf = calloc(1, sizeof *p.isf);
        if (!p.isf)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", file);
        p.isf->layout.backend = &layout_isf;
        p.isf->layout.name = isf_keep(&p, file);
        sections_read(&p, tree);
        if (p.status == STASIS_OK)
                *ret_layout = &p.isf->layout;
        else
                layout_isf_close(&p.isf->layout);
        return p.status;
}
