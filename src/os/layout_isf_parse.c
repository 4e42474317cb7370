/* SPDX-License-Identifier: MIT */
/*
 * Volatility 3's ISF JSON (its schema-6.x: metadata, base_types, user_types, enums, symbols) into tables. Other
 * sections may stand in any order, and types refer to each other by name, so the text is gone through once for the
 * sections, then section by section.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"
#include "layout_isf.h"
#include "layout_json.h"

#define SIZE_LIMIT (1u << 28) /* of anything; offsets too */
#define FIELDS_MAX (1u << 20) /* read in all: unnamed members that hold each other multiply */
#define ANONYMOUS_MAX 8       /* unnamed structures in unnamed structures */
#define SUBTYPES_MAX 16       /* arrays of arrays, pointers to pointers */

struct parse {
        struct isf *isf;
        uint32_t fields; /* visited so far */
        enum stasis_status status;
};

/* Room for one more; the status sticks where memory ends. */
#define table_add(p, table) \
        (stasis_grow(&(table)->at, &(table)->capacity, (table)->count + 1, sizeof *(table)->at) \
                 ? &(table)->at[(table)->count++] \
                 : (parse_fail((p), STASIS_NOMEM), NULL))

static void parse_fail(struct parse *p, enum stasis_status status)
{
        if (p->status == STASIS_OK)
                p->status = status;
}

static const char *keep(struct parse *p, struct json_text text)
{
        const char *copy = stasis_arena_strndup(&p->isf->names, text.at, text.len);
        if (!copy)
                parse_fail(p, STASIS_NOMEM);
        return copy;
}

/* A size or an offset: what is out of reason makes the file unusable, since nothing could be read with it. */
static uint32_t reasonable(struct parse *p, uint64_t value)
{
        if (value > SIZE_LIMIT) {
                parse_fail(p, STASIS_CORRUPT);
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
static void each_object(struct parse *p, struct json *j, void (*each)(struct parse *, const char *, struct json *))
{
        struct json_text key;
        if (!json_open(j))
                return;
        while (p->status == STASIS_OK && json_key(j, &key)) {
                const char *name = keep(p, key);
                if (name)
                        each(p, name, j);
        }
        if (j->bad)
                parse_fail(p, STASIS_CORRUPT);
}

static void each_base(struct parse *p, const char *name, struct json *j)
{
        struct isf_base *base = table_add(p, &p->isf->bases);
        struct json_text key, kind = { "", 0 };
        bool is_signed = false;
        if (!base)
                return;
        *base = (struct isf_base){ .name = name };
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "size"))
                        base->size = reasonable(p, json_number(j));
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

static void enum_values(struct parse *p, struct isf_enum *e, struct json *j)
{
        struct json_text key;
        for (bool in = json_open(j); in && p->status == STASIS_OK && json_key(j, &key);) {
                struct stasis_name value = { .name = keep(p, key), .value = (uint32_t)json_number(j) };
                struct stasis_name *new = table_add(p, &p->isf->values);
                if (new)
                        *new = value;
        }
        e->count = (uint32_t)p->isf->values.count - e->first;
        if (e->count > 1 && p->status == STASIS_OK)
                qsort(&p->isf->values.at[e->first], e->count, sizeof *p->isf->values.at, by_value);
}

static void each_enum(struct parse *p, const char *name, struct json *j)
{
        struct isf_enum *e = table_add(p, &p->isf->enums);
        struct json_text key;
        if (!e)
                return;
        *e = (struct isf_enum){ .name = name, .first = (uint32_t)p->isf->values.count };
        for (bool in = json_open(j); in && p->status == STASIS_OK && json_key(j, &key);) {
                if (json_is(key, "size"))
                        e->size = reasonable(p, json_number(j));
                else if (json_is(key, "constants") && e->count == 0)
                        enum_values(p, e, j);
                else
                        json_skip(j);
        }
}

static void each_symbol(struct parse *p, const char *name, struct json *j)
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
static void each_struct(struct parse *p, const char *name, struct json *j)
{
        struct isf_struct *s = table_add(p, &p->isf->structs);
        struct json_text key;
        if (!s)
                return;
        *s = (struct isf_struct){ .name = name };
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "size")) {
                        s->size = reasonable(p, json_number(j));
                } else {
                        const char *start = j->at;
                        json_skip(j);
                        if (json_is(key, "fields") && !j->bad)
                                s->fields = (struct stasis_bytes){ (const uint8_t *)start, (size_t)(j->at - start) };
                }
        }
}

/* ---- types */

/* The parts of one type description, in whatever order they stand. */
struct type_parts {
        struct json_text kind, name;
        uint64_t count, bit, bits;
        struct json inner; /* subtype, or type of a bit-field */
        bool has_inner;
};

static struct type_parts type_read(struct json *j)
{
        struct type_parts t = { .kind = { "", 0 }, .name = { "", 0 }, .count = 1 };
        struct json_text key;
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "kind")) {
                        t.kind = json_string(j);
                } else if (json_is(key, "name")) {
                        t.name = json_string(j);
                } else if (json_is(key, "count")) {
                        t.count = json_number(j);
                } else if (json_is(key, "bit_position")) {
                        t.bit = json_number(j);
                } else if (json_is(key, "bit_length")) {
                        t.bits = json_number(j);
                } else {
                        t.has_inner |= json_is(key, "subtype") || json_is(key, "type");
                        if (json_is(key, "subtype") || json_is(key, "type"))
                                t.inner = *j;
                        json_skip(j);
                }
        }
        return t;
}

static bool is_structure(struct json_text kind)
{
        return json_is(kind, "struct") || json_is(kind, "union") || json_is(kind, "class");
}

#define table_find(table, text) isf_find((table)->at, (table)->count, sizeof *(table)->at, (text).at, (text).len)

/* What is no array, pointer or bit-field: its size, its type and, where it has one, its name. */
static void type_plain(const struct isf *isf, const struct type_parts *t, struct stasis_member *m)
{
        const struct isf_struct *s = is_structure(t->kind) ? table_find(&isf->structs, t->name) : NULL;
        const struct isf_enum *e = json_is(t->kind, "enum") ? table_find(&isf->enums, t->name) : NULL;
        const struct isf_base *b = json_is(t->kind, "base") ? table_find(&isf->bases, t->name) : NULL;
        m->type = STASIS_TYPE_OPAQUE;
        if (s) {
                m->type = STASIS_TYPE_STRUCT;
                m->target = s->name;
                m->size = s->size;
        } else if (e) {
                m->type = STASIS_TYPE_UNSIGNED;
                m->target = e->name;
                m->size = e->size;
        } else if (b) {
                m->type = b->type;
                m->size = b->size;
        }
}

static void type_pointer(struct parse *p, const struct type_parts *t, struct stasis_member *m)
{
        m->type = STASIS_TYPE_POINTER;
        m->size = p->isf->layout.pointer_size;
        if (!t->has_inner)
                return;
        struct json inner = t->inner;
        struct type_parts to = type_read(&inner);
        const struct isf_struct *s = is_structure(to.kind) ? table_find(&p->isf->structs, to.name) : NULL;
        if (s)
                m->target = s->name;
        else if (is_structure(to.kind))
                m->target = keep(p, to.name); /* only known by name */
}

static void type_bits(struct parse *p, const struct type_parts *t, struct stasis_member *m)
{
        struct json inner = t->inner;
        struct type_parts word =
                t->has_inner ? type_read(&inner) : (struct type_parts){ .kind = { "", 0 }, .name = { "", 0 } };
        type_plain(p->isf, &word, m);
        if (t->bits == 0 || t->bit >= 64 || t->bits > 64 || m->size > 8 || t->bit + t->bits > (uint64_t)m->size * 8) {
                parse_fail(p, STASIS_CORRUPT);
                return;
        }
        m->bit = (uint8_t)t->bit;
        m->bits = (uint8_t)t->bits;
}

/* A type description to a member. Arrays of arrays are one array. */
static struct stasis_member type_member(struct parse *p, struct json j)
{
        struct stasis_member m = { .count = 1 };
        uint64_t count = 1;
        for (unsigned i = 0; i < SUBTYPES_MAX; i++) {
                struct type_parts t = type_read(&j);
                if (json_is(t.kind, "array") && t.has_inner) {
                        count = t.count <= SIZE_LIMIT ? count * t.count : UINT64_MAX;
                        m.count = reasonable(p, count);
                        count = m.count;
                        j = t.inner;
                        continue;
                }
                if (json_is(t.kind, "pointer"))
                        type_pointer(p, &t, &m);
                else if (json_is(t.kind, "bitfield"))
                        type_bits(p, &t, &m);
                else
                        type_plain(p->isf, &t, &m);
                reasonable(p, (uint64_t)m.size * m.count);
                return m;
        }
        parse_fail(p, STASIS_CORRUPT);
        return m;
}

/* ---- members */

struct field {
        struct json type;
        bool has_type, anonymous;
        uint32_t offset;
};

static struct field field_read(struct parse *p, struct json *j)
{
        struct field f = { .has_type = false };
        struct json_text key;
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "offset")) {
                        f.offset = reasonable(p, json_number(j));
                } else if (json_is(key, "anonymous")) {
                        f.anonymous = json_true(j);
                } else {
                        if (json_is(key, "type")) {
                                f.type = *j;
                                f.has_type = true;
                        }
                        json_skip(j);
                }
        }
        return f;
}

struct level {
        struct json at;
        const struct isf_struct *s;
        uint32_t base; /* where the (unnamed) structure lies in the outermost one */
};

static struct level level_of(const struct isf_struct *s, uint32_t base)
{
        const char *at = (const char *)s->fields.at;
        return (struct level){ .at = { .at = at, .end = at + s->fields.len }, .s = s, .base = base };
}

/*
 * Goes down into an unnamed structure, so that its members are found flat. False where that is none, where it lies in
 * itself or where it lies too deep: then it is a member like others.
 */
static bool level_down(const struct isf *isf, struct level *levels, unsigned depth, const struct stasis_member *m)
{
        if (m->type != STASIS_TYPE_STRUCT || depth + 1 == ANONYMOUS_MAX)
                return false;
        const struct isf_struct *s =
                isf_find(isf->structs.at, isf->structs.count, sizeof *s, m->target, strlen(m->target));
        for (unsigned i = 0; i <= depth; i++)
                if (levels[i].s == s)
                        return false;
        levels[depth + 1] = level_of(s, m->offset);
        return s->fields.len > 0 && json_open(&levels[depth + 1].at);
}

/* One field: a member, or a level down. Returns the level to go on with. */
static unsigned field_add(struct parse *p, struct level *levels, unsigned depth, struct json_text key)
{
        struct level *level = &levels[depth];
        struct field f = field_read(p, &level->at);
        if (level->at.bad || !f.has_type || ++p->fields > FIELDS_MAX) {
                parse_fail(p, level->at.bad || !f.has_type ? STASIS_CORRUPT : STASIS_LIMIT);
                return depth;
        }
        struct stasis_member m = type_member(p, f.type);
        m.offset = reasonable(p, (uint64_t)level->base + f.offset);
        if (f.anonymous && level_down(p->isf, levels, depth, &m))
                return depth + 1;
        struct isf_member *new = table_add(p, &p->isf->members);
        if (new)
                *new = (struct isf_member){ .name = keep(p, key), .member = m };
        return depth;
}

/* Second pass: the members of one structure. */
static void struct_members(struct parse *p, struct isf_struct *s)
{
        struct level levels[ANONYMOUS_MAX] = { level_of(s, 0) };
        unsigned depth = 0;
        s->first = (uint32_t)p->isf->members.count;
        if (s->fields.len == 0 || !json_open(&levels[0].at))
                return;
        while (p->status == STASIS_OK) {
                struct json_text key;
                if (json_key(&levels[depth].at, &key))
                        depth = field_add(p, levels, depth, key);
                else if (levels[depth].at.bad)
                        parse_fail(p, STASIS_CORRUPT);
                else if (depth == 0)
                        break;
                else
                        depth--;
        }
        s->count = (uint32_t)p->isf->members.count - s->first;
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

static void pointer_size(struct parse *p)
{
        static const struct json_text pointer = { "pointer", 7 };
        const struct isf_base *base = table_find(&p->isf->bases, pointer);
        if (base && (base->size == 4 || base->size == 8))
                p->isf->layout.pointer_size = (uint8_t)base->size;
        else
                parse_fail(p, STASIS_CORRUPT);
}

static void sections_read(struct parse *p, struct json section[SECTIONS])
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
                struct_members(p, &isf->structs.at[i]);
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
        struct parse p = { .isf = isf };
        isf->layout.name = keep(&p, (struct json_text){ name, strlen(name) });
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
