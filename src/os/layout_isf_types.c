/* SPDX-License-Identifier: MIT */
/* Type descriptions of an ISF file, and the members made of them. */
#include "layout_isf_parse.h"

#define ANONYMOUS_MAX 8 /* unnamed structures in unnamed structures */

static bool is_kind(struct json_object *type, const char *kind) { return strcmp(isf_text(type, "kind"), kind) == 0; }

static bool is_structure(struct json_object *type)
{
        return is_kind(type, "struct") || is_kind(type, "union") || is_kind(type, "class");
}

/* What is no array, pointer or bit-field: its size, its type and, where it has one, its name. */
static void type_plain(const struct isf *isf, struct json_object *type, struct stasis_member *m)
{
        const char *name = isf_text(type, "name");
        const struct isf_struct *s = is_structure(type) ? table_find(&isf->structs, name) : NULL;
        const struct isf_enum *e = is_kind(type, "enum") ? table_find(&isf->enums, name) : NULL;
        const struct isf_base *b = is_kind(type, "base") ? table_find(&isf->bases, name) : NULL;
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

static void type_pointer(struct isf_parse *p, struct json_object *type, struct stasis_member *m)
{
        struct json_object *to = isf_object(type, "subtype");
        m->type = STASIS_TYPE_POINTER;
        m->size = p->isf->layout.pointer_size;
        if (!is_structure(to))
                return;
        const struct isf_struct *s = table_find(&p->isf->structs, isf_text(to, "name"));
        m->target = s ? s->name : isf_keep(p, isf_text(to, "name")); /* else only known by name */
}

static void type_bits(struct isf_parse *p, struct json_object *type, struct stasis_member *m)
{
        uint64_t bit = isf_number(p, type, "bit_position"), bits = isf_number(p, type, "bit_length");
        type_plain(p->isf, isf_object(type, "type"), m);
        if (bits == 0 || bit >= 64 || bits > 64 || m->size > 8 || bit + bits > (uint64_t)m->size * 8) {
                isf_fail(p, STASIS_CORRUPT, "a bit-field that is not inside its word");
                return;
        }
        m->bit = (uint8_t)bit;
        m->bits = (uint8_t)bits;
}

/* A type description to a member. Arrays of arrays are one array. */
static struct stasis_member type_member(struct isf_parse *p, struct json_object *type)
{
        struct stasis_member m = { .count = 1 };
        while (is_kind(type, "array")) { /* no deeper than NESTING_MAX */
                m.count = isf_reasonable(p, (uint64_t)m.count * isf_size(p, type, "count"), "count");
                type = isf_object(type, "subtype");
        }
        if (is_kind(type, "pointer"))
                type_pointer(p, type, &m);
        else if (is_kind(type, "bitfield"))
                type_bits(p, type, &m);
        else
                type_plain(p->isf, type, &m);
        isf_reasonable(p, (uint64_t)m.size * m.count, "size");
        return m;
}

/* ---- members */

struct level {
        struct json_object *fields;
        struct json_object_iterator at, end;
        uint32_t base; /* where the (unnamed) structure lies in the outermost one */
};

/* False where the structure tells no members. */
static bool level_enter(const struct isf_parse *p, struct level *level, const char *name, uint32_t base)
{
        struct json_object *fields = isf_object(json_object_object_get(p->structs, name), "fields");
        if (!fields)
                return false;
        *level = (struct level){ fields, json_object_iter_begin(fields), json_object_iter_end(fields), base };
        return true;
}

/*
 * Goes down into an unnamed structure, so that its members are found flat. False where that is none, where it lies in
 * itself or where it lies too deep: then it is a member like others.
 */
static bool level_down(const struct isf_parse *p, struct level *levels, unsigned depth, const struct stasis_member *m)
{
        if (m->type != STASIS_TYPE_STRUCT || depth + 1 == ANONYMOUS_MAX ||
            !level_enter(p, &levels[depth + 1], m->target, m->offset))
                return false;
        for (unsigned i = 0; i <= depth; i++)
                if (levels[i].fields == levels[depth + 1].fields)
                        return false;
        return true;
}

/* One field: a member, or a level down. Returns the level to go on with. */
static unsigned field_add(struct isf_parse *p, struct level *levels, unsigned depth)
{
        struct level *level = &levels[depth];
        struct json_object *field = json_object_iter_peek_value(&level->at), *type = isf_object(field, "type");
        p->member = json_object_iter_peek_name(&level->at);
        json_object_iter_next(&level->at);
        if (!type)
                isf_fail(p, STASIS_CORRUPT, "no type");
        if (++p->fields > FIELDS_MAX)
                isf_fail(p, STASIS_LIMIT, "more fields than any real file has");
        struct stasis_member m = type_member(p, type);
        m.offset = isf_reasonable(p, (uint64_t)level->base + isf_size(p, field, "offset"), "offset");
        if (p->status != STASIS_OK)
                return depth;
        if (isf_true(field, "anonymous") && level_down(p, levels, depth, &m))
                return depth + 1;
        struct isf_member *new = table_add(p, &p->isf->members);
        if (new)
                *new = (struct isf_member){ .name = isf_keep(p, p->member), .member = m };
        return depth;
}

/* An explicit stack of levels: the file says how deep it goes. */
void isf_struct_members(struct isf_parse *p, struct isf_struct *s)
{
        struct level levels[ANONYMOUS_MAX];
        unsigned depth = 0;
        p->type = s->name;
        s->first = (uint32_t)p->isf->members.count;
        if (!level_enter(p, &levels[0], s->name, 0))
                return;
        while (p->status == STASIS_OK) {
                if (!json_object_iter_equal(&levels[depth].at, &levels[depth].end))
                        depth = field_add(p, levels, depth);
                else if (depth == 0)
                        break;
                else
                        depth--;
        }
        s->count = (uint32_t)p->isf->members.count - s->first;
}
