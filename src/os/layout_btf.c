/* SPDX-License-Identifier: MIT */
/* Answers from BTF. Nothing is decoded before it is asked for; whatever a type refers to is followed step by step. */
#include "layout_btf.h"

#include <stdlib.h>
#include <string.h>

#include "layout_names.h"

#define CHAIN_MAX 32 /* typedefs of const arrays of typedefs ...; a kernel has less than ten in a row */

static const struct btf *btf_of(const struct stasis_layout *layout) { return (const struct btf *)layout; }

bool btf_type_at(const struct btf *btf, uint32_t id, struct btf_type *ret_type)
{
        if (id == 0 || id >= btf->count) {
                *ret_type = (struct btf_type){ .kind = BTF_VOID };
                return id == 0;
        }
        const struct btf_wire_type *t = (const void *)(btf->types.at + btf->offset[id]);
        uint32_t info = load_le32(t->info);
        *ret_type = (struct btf_type){
                .kind = (enum btf_kind)(info >> 24 & 0x1f),
                .name = load_le32(t->name_off),
                .vlen = info & 0xffff,
                .size = load_le32(t->size_or_type),
                .to = load_le32(t->size_or_type),
                .flag = info >> 31,
                .more = (const uint8_t *)(t + 1),
        };
        return true;
}

const char *btf_name(const struct btf *btf, uint32_t off)
{
        return off < btf->strings.len ? (const char *)btf->strings.at + off : "";
}

/* ---- what a type comes to */

static bool is_structure(enum btf_kind kind) { return kind == BTF_STRUCT || kind == BTF_UNION; }

static bool is_modifier(enum btf_kind kind)
{
        return kind == BTF_TYPEDEF || kind == BTF_VOLATILE || kind == BTF_CONST || kind == BTF_RESTRICT ||
               kind == BTF_TYPE_TAG;
}

/* Without typedef, const and their like. False where that does not end, or leads outside. */
static bool resolve(const struct btf *btf, uint32_t id, uint32_t *ret_id, struct btf_type *ret_type)
{
        for (unsigned step = 0; step < CHAIN_MAX; step++) {
                if (!btf_type_at(btf, id, ret_type))
                        return false;
                *ret_id = id;
                if (!is_modifier(ret_type->kind))
                        return true;
                id = ret_type->to;
        }
        return false;
}

static const char *target_name(const struct btf *btf, const struct btf_type *t)
{
        const char *name = btf_name(btf, t->name);
        return *name ? name : NULL;
}

static const char *pointer_target(const struct btf *btf, uint32_t id)
{
        struct btf_type t;
        if (!resolve(btf, id, &id, &t) || !(is_structure(t.kind) || t.kind == BTF_FWD))
                return NULL;
        return target_name(btf, &t);
}

/* Size, type and target of a member whose arrays are taken off. */
static void member_plain(const struct btf *btf, const struct btf_type *t, struct stasis_member *m)
{
        m->type = STASIS_TYPE_OPAQUE;
        m->size = t->size;
        switch (t->kind) {
        case BTF_INT:
                m->type = load_le32(t->more) >> 24 & BTF_INT_SIGNED ? STASIS_TYPE_SIGNED : STASIS_TYPE_UNSIGNED;
                break;
        case BTF_ENUM:
        case BTF_ENUM64:
                m->type = t->flag ? STASIS_TYPE_SIGNED : STASIS_TYPE_UNSIGNED;
                m->target = target_name(btf, t);
                break;
        case BTF_PTR:
                m->type = STASIS_TYPE_POINTER;
                m->size = btf->layout.pointer_size;
                m->target = pointer_target(btf, t->to);
                break;
        case BTF_STRUCT:
        case BTF_UNION:
                m->type = STASIS_TYPE_STRUCT;
                m->target = target_name(btf, t);
                break;
        case BTF_FLOAT: break;
        default: m->size = 0; break; /* a function, void, a structure that is only declared */
        }
}

/* Arrays of arrays are one array. *ret_id: the type of an element. */
static bool member_type(const struct btf *btf, uint32_t id, uint32_t *ret_id, struct btf_type *ret_type,
                        struct stasis_member *ret_member)
{
        uint64_t count = 1;
        struct btf_type t;
        for (unsigned step = 0;; step++) {
                if (step == CHAIN_MAX || !resolve(btf, id, &id, &t))
                        return false;
                if (t.kind != BTF_ARRAY)
                        break;
                const struct btf_wire_array *array = (const void *)t.more;
                count *= load_le32(array->nelems);
                if (count > BTF_SIZE_MAX)
                        return false;
                id = load_le32(array->type);
        }
        *ret_member = (struct stasis_member){ .count = (uint32_t)count };
        member_plain(btf, &t, ret_member);
        *ret_id = id;
        *ret_type = t;
        return ret_member->size <= BTF_SIZE_MAX && count * ret_member->size <= BTF_SIZE_MAX;
}

/* Before kind_flag (5.0) a bit-field was an integer of fewer bits than its bytes have. */
static uint32_t int_bits(const struct btf_type *t, uint64_t *at)
{
        uint32_t word = t->kind == BTF_INT ? load_le32(t->more) : 0, bits = word & 0xff;
        if (bits == 0 || t->size > 8 || bits == t->size * 8)
                return 0;
        *at += word >> 16 & 0xff;
        return bits;
}

/* ---- members */

static bool level_enter(struct layout_walk *walk, uint64_t id, uint32_t base)
{
        for (unsigned i = 0; i < walk->depth; i++)
                if (walk->level[i].id == id)
                        return false;
        if (walk->depth == LAYOUT_ANONYMOUS_MAX)
                return false;
        walk->level[walk->depth].id = id;
        walk->level[walk->depth].at = 0;
        walk->level[walk->depth].base = base;
        walk->depth++;
        return true;
}

/* Fills the walk's member; false where it makes no sense, or is a structure without a name that was gone into. */
static bool member_take(struct layout_walk *walk, const struct btf_type *of, const struct btf_wire_member *member,
                        uint32_t base)
{
        const struct btf *btf = btf_of(walk->view.layout);
        struct btf_type t;
        uint32_t id, where = load_le32(member->offset), bits = of->flag ? where >> 24 : 0;
        uint64_t at = of->flag ? where & 0xffffff : where;
        if (!member_type(btf, load_le32(member->type), &id, &t, &walk->member))
                return false;
        if (bits == 0 && walk->member.count == 1)
                bits = int_bits(&t, &at);
        walk->member.offset = (uint32_t)(at / 8);
        if (bits && !layout_bit_field(&walk->member, at, bits))
                return false;
        if (walk->member.offset > BTF_SIZE_MAX - base)
                return false;
        walk->member.offset += base;
        walk->name = btf_name(btf, load_le32(member->name_off));
        walk->target = id;
        if (*walk->name)
                return true;
        if (is_structure(t.kind) && walk->member.count == 1)
                (void)level_enter(walk, id, walk->member.offset);
        return false;
}

static bool btf_next(struct layout_walk *walk)
{
        const struct btf *btf = btf_of(walk->view.layout);
        struct btf_type t;
        if (walk->steps == 0)
                (void)level_enter(walk, walk->view.id, 0);
        while (walk->depth > 0 && walk->steps++ < LAYOUT_STEPS_MAX) {
                unsigned top = walk->depth - 1u;
                if (!btf_type_at(btf, (uint32_t)walk->level[top].id, &t) || walk->level[top].at >= t.vlen) {
                        walk->depth--;
                        continue;
                }
                const struct btf_wire_member *members = (const void *)t.more;
                if (member_take(walk, &t, &members[walk->level[top].at++], walk->level[top].base))
                        return true;
        }
        return false;
}

/* ---- by name */

uint32_t btf_find(const struct btf *btf, const char *name, size_t len, uint32_t kinds)
{
        uint32_t hash = layout_hash(name, len);
        for (uint32_t i = 0; i < BTF_PROBES_MAX; i++) {
                const struct btf_slot *slot = &btf->slot[(hash + i) & (btf->slots - 1)];
                struct btf_type t;
                if (slot->id == 0)
                        return 0;
                if (slot->hash != hash || !btf_type_at(btf, slot->id, &t) || !(kinds >> t.kind & 1))
                        continue;
                const char *text = btf_name(btf, t.name);
                if (strncmp(text, name, len) == 0 && text[len] == '\0')
                        return slot->id;
        }
        return 0;
}

static bool view_of(const struct stasis_layout *layout, uint32_t id, struct layout_view *ret_view)
{
        struct btf_type t;
        if (!resolve(btf_of(layout), id, &id, &t) || !is_structure(t.kind) || t.size > BTF_SIZE_MAX)
                return false;
        *ret_view = (struct layout_view){ .layout = layout, .size = t.size, .id = id };
        return true;
}

/* A tag wins over a typedef of that name: "struct pid" is not "pid". */
static bool btf_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        uint32_t id = btf_find(btf_of(layout), name, len, 1u << BTF_STRUCT | 1u << BTF_UNION);
        if (id == 0)
                id = btf_find(btf_of(layout), name, len, 1u << BTF_TYPEDEF);
        return id != 0 && view_of(layout, id, ret_view);
}

static bool btf_enter(const struct layout_walk *walk, struct layout_view *ret_view)
{
        return view_of(walk->view.layout, (uint32_t)walk->target, ret_view);
}

/* Values of 64 bits are there in their lower half, as stasis_name keeps them. */
static size_t btf_enumeration(const struct stasis_layout *layout, const char *name, struct stasis_name *names,
                              size_t max)
{
        const struct btf *btf = btf_of(layout);
        uint32_t enums = 1u << BTF_ENUM | 1u << BTF_ENUM64;
        uint32_t id = btf_find(btf, name, strlen(name), enums);
        struct btf_type t;
        if (id == 0)
                id = btf_find(btf, name, strlen(name), 1u << BTF_TYPEDEF);
        if (id == 0 || !resolve(btf, id, &id, &t) || !(enums >> t.kind & 1))
                return 0;
        size_t step = t.kind == BTF_ENUM ? sizeof(struct btf_wire_enum) : sizeof(struct btf_wire_enum64), count = 0;
        for (; count < t.vlen && count < max; count++) {
                const struct btf_wire_enum *value = (const void *)(t.more + count * step);
                names[count] = (struct stasis_name){ .name = btf_name(btf, load_le32(value->name_off)),
                                                     .value = load_le32(value->val) };
        }
        layout_sort_names(names, count);
        return t.vlen;
}

static void btf_close(struct stasis_layout *layout)
{
        struct btf *btf = (struct btf *)layout;
        free(btf->offset);
        free(btf->slot);
        free((void *)(uintptr_t)layout->name);
        free(btf);
}

const struct layout_backend layout_btf = {
        .open = btf_open,
        .next = btf_next,
        .enter = btf_enter,
        .enumeration = btf_enumeration,
        .close = btf_close,
};
