/* SPDX-License-Identifier: MIT */
/* Type descriptions of an ISF file, and the members made of them. */
#include "layout_isf_parse.h"

#define ANONYMOUS_MAX 8 /* unnamed structures in unnamed structures */
#define SUBTYPES_MAX 16 /* arrays of arrays, pointers to pointers */

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

static void type_pointer(struct isf_parse *p, const struct type_parts *t, struct stasis_member *m)
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
                m->target = isf_keep(p, to.name); /* only known by name */
}

static void type_bits(struct isf_parse *p, const struct type_parts *t, struct stasis_member *m)
{
        struct json inner = t->inner;
        struct type_parts word =
                t->has_inner ? type_read(&inner) : (struct type_parts){ .kind = { "", 0 }, .name = { "", 0 } };
        type_plain(p->isf, &word, m);
        if (t->bits == 0 || t->bit >= 64 || t->bits > 64 || m->size > 8 || t->bit + t->bits > (uint64_t)m->size * 8) {
                isf_fail(p, STASIS_CORRUPT);
                return;
        }
        m->bit = (uint8_t)t->bit;
        m->bits = (uint8_t)t->bits;
}

/* A type description to a member. Arrays of arrays are one array. */
static struct stasis_member type_member(struct isf_parse *p, struct json j)
{
        struct stasis_member m = { .count = 1 };
        uint64_t count = 1;
        for (unsigned i = 0; i < SUBTYPES_MAX; i++) {
                struct type_parts t = type_read(&j);
                if (json_is(t.kind, "array") && t.has_inner) {
                        count = t.count <= SIZE_LIMIT ? count * t.count : UINT64_MAX;
                        m.count = isf_reasonable(p, count);
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
                isf_reasonable(p, (uint64_t)m.size * m.count);
                return m;
        }
        isf_fail(p, STASIS_CORRUPT);
        return m;
}

/* ---- members */

struct field {
        struct json type;
        bool has_type, anonymous;
        uint32_t offset;
};

static struct field field_read(struct isf_parse *p, struct json *j)
{
        struct field f = { .has_type = false };
        struct json_text key;
        for (bool in = json_open(j); in && json_key(j, &key);) {
                if (json_is(key, "offset")) {
                        f.offset = isf_reasonable(p, json_number(j));
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
static unsigned field_add(struct isf_parse *p, struct level *levels, unsigned depth, struct json_text key)
{
        struct level *level = &levels[depth];
        struct field f = field_read(p, &level->at);
        if (level->at.bad || !f.has_type || ++p->fields > FIELDS_MAX) {
                isf_fail(p, level->at.bad || !f.has_type ? STASIS_CORRUPT : STASIS_LIMIT);
                return depth;
        }
        struct stasis_member m = type_member(p, f.type);
        m.offset = isf_reasonable(p, (uint64_t)level->base + f.offset);
        if (f.anonymous && level_down(p->isf, levels, depth, &m))
                return depth + 1;
        struct isf_member *new = table_add(p, &p->isf->members);
        if (new)
                *new = (struct isf_member){ .name = isf_keep(p, key), .member = m };
        return depth;
}

/* Second pass: the members of one structure. */
void isf_struct_members(struct isf_parse *p, struct isf_struct *s)
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
                        isf_fail(p, STASIS_CORRUPT);
                else if (depth == 0)
                        break;
                else
                        depth--;
        }
        s->count = (uint32_t)p->isf->members.count - s->first;
}
