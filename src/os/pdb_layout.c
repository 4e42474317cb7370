/* SPDX-License-Identifier: MIT */
/*
 * Types of a PDB as a layout. Compilers write the members of unnamed structures into the one around them, so that a
 * walk over the field list is all; a structure with an unnamed type behind a named member is entered by its number.
 */
#include "layout_names.h"
#include "pdb_internal.h"
#include "pdb_wire.h"

#define CHAIN_MAX 32 /* const of an array of an array of const ... */
#define SIZE_MAX_OF_A_TYPE (1u << 28)

static const struct pdb *pdb_of(const struct stasis_layout *layout) { return (const struct pdb *)layout; }

/* ---- simple types: kind in bits 0 to 7, mode in 8 to 11 (cvinfo.h, CV_typ_t, "special types") */

static const struct simple {
        uint8_t kind, size;
        bool is_signed;
} simples[] = {
        { 0x10, 1, true },  { 0x11, 2, true },  { 0x12, 4, true },  { 0x13, 8, true },  { 0x20, 1, false },
        { 0x21, 2, false }, { 0x22, 4, false }, { 0x23, 8, false }, { 0x30, 1, false }, { 0x31, 2, false },
        { 0x32, 4, false }, { 0x33, 8, false }, { 0x68, 1, true },  { 0x69, 1, false }, { 0x70, 1, true },
        { 0x71, 2, false }, { 0x72, 2, true },  { 0x73, 2, false }, { 0x74, 4, true },  { 0x75, 4, false },
        { 0x76, 8, true },  { 0x77, 8, false }, { 0x7a, 2, false }, { 0x7b, 4, false }, { 0x7c, 1, false },
        { 0x08, 4, true },
};
/* What has a size and is no number of 1 to 8 bytes: floating point, numbers of 16 bytes. */
static const struct simple opaques[] = { { 0x40, 4, 0 },  { 0x41, 8, 0 },  { 0x42, 10, 0 }, { 0x43, 16, 0 },
                                         { 0x44, 6, 0 },  { 0x45, 4, 0 },  { 0x46, 2, 0 },  { 0x14, 16, 0 },
                                         { 0x24, 16, 0 }, { 0x78, 16, 0 }, { 0x79, 16, 0 } };

static void simple_member(const struct pdb *pdb, uint32_t type, struct stasis_member *m)
{
        static const uint8_t pointer[16] = { 0, 2, 4, 4, 4, 6, 8, 16 };
        uint32_t kind = type & 0xff, mode = type >> 8 & 0xf;

        (void)pdb;
        m->type = STASIS_TYPE_OPAQUE;
        m->size = 0;
        if (mode) {
                m->type = pointer[mode] ? STASIS_TYPE_POINTER : STASIS_TYPE_OPAQUE;
                m->size = pointer[mode];
                return;
        }
        for (size_t i = 0; i < sizeof simples / sizeof *simples; i++)
                if (simples[i].kind == kind) {
                        m->type = simples[i].is_signed ? STASIS_TYPE_SIGNED : STASIS_TYPE_UNSIGNED;
                        m->size = simples[i].size;
                        return;
                }
        for (size_t i = 0; i < sizeof opaques / sizeof *opaques; i++)
                if (opaques[i].kind == kind)
                        m->size = opaques[i].size;
}

/* ---- what a type comes to */

/* Without const and volatile. */
static uint32_t unmodified(const struct pdb *pdb, uint32_t type)
{
        struct pdb_record record;

        for (unsigned i = 0; i < CHAIN_MAX; i++) {
                if (!pdb_type(pdb, type, &record) || record.kind != LF_MODIFIER || record.data.len < 4)
                        return type;
                type = load_le32(record.data.at);
        }
        return type;
}

/* The definition of a structure that is only declared here; itself where there is none. */
static uint32_t defined(const struct pdb *pdb, uint32_t type, struct pdb_udt *udt)
{
        struct pdb_record record;
        uint32_t found;

        if (!udt->forward || !pdb_defined(pdb, udt->name, strlen(udt->name), &found) ||
            !pdb_type(pdb, found, &record) || !pdb_udt(&record, udt))
                return type;
        return found;
}

/* How large a type is; 0: not known. Arrays tell it themselves. */
static uint64_t size_of(const struct pdb *pdb, uint32_t type)
{
        struct pdb_record record;
        struct stasis_member plain = { 0 };
        struct pdb_udt udt;
        uint64_t size = 0;

        type = unmodified(pdb, type);
        if (!pdb_type(pdb, type, &record)) {
                simple_member(pdb, type, &plain);
                return plain.size;
        }
        struct stasis_cursor c = { .left = record.data };
        switch (record.kind) {
        case LF_POINTER: return record.data.len < 8 ? 0 : load_le32(record.data.at + 4) >> 13 & 0x3f;
        case LF_ARRAY: (void)cursor_take(&c, 8); return pdb_numeric(&c, &size) ? size : 0;
        default: break;
        }
        if (!pdb_udt(&record, &udt))
                return 0;
        (void)defined(pdb, type, &udt);
        if (!udt.is_enum)
                return udt.size;
        simple_member(pdb, udt.base, &plain);
        return plain.size;
}

static const char *udt_name(const struct pdb *pdb, uint32_t type)
{
        struct pdb_record record;
        struct pdb_udt udt;

        return pdb_type(pdb, unmodified(pdb, type), &record) && pdb_udt(&record, &udt) ? udt.name : NULL;
}

/* An element of a member: arrays are taken off already. *ret_type: its number, of a structure that of its definition.
 */
static bool member_plain(const struct pdb *pdb, uint32_t type, struct stasis_member *m, uint32_t *ret_type)
{
        struct pdb_record record;
        struct pdb_udt udt;

        *ret_type = type;
        if (!pdb_type(pdb, type, &record)) {
                simple_member(pdb, type, m);
                return type < pdb->type_begin;
        }
        m->type = STASIS_TYPE_OPAQUE;
        if (record.kind == LF_POINTER && record.data.len >= 8) {
                m->type = STASIS_TYPE_POINTER;
                m->target = udt_name(pdb, load_le32(record.data.at));
        } else if (pdb_udt(&record, &udt)) {
                *ret_type = defined(pdb, type, &udt);
                m->target = udt.name;
                m->type = STASIS_TYPE_STRUCT;
                if (udt.is_enum)
                        simple_member(pdb, udt.base, m);
        }
        uint64_t size = size_of(pdb, type);
        m->size = (uint32_t)size;
        return size <= SIZE_MAX_OF_A_TYPE;
}

/* Arrays of arrays are one array; a bit-field is one of its word. */
static bool member_type(const struct pdb *pdb, uint32_t type, struct stasis_member *m, uint32_t *ret_type)
{
        uint64_t total = 0;

        *m = (struct stasis_member){ .count = 1 };
        for (unsigned i = 0; i < CHAIN_MAX; i++) {
                struct pdb_record record;
                type = unmodified(pdb, type);
                bool known = pdb_type(pdb, type, &record);
                if (known && record.kind == LF_ARRAY && record.data.len >= 4) {
                        total = total ? total : size_of(pdb, type);
                        type = load_le32(record.data.at);
                        continue;
                }
                if (known && record.kind == LF_BITFIELD && record.data.len >= 6) {
                        m->bits = record.data.at[4];
                        m->bit = record.data.at[5];
                        type = load_le32(record.data.at);
                        continue;
                }
                if (!member_plain(pdb, type, m, ret_type) || total > SIZE_MAX_OF_A_TYPE)
                        return false;
                if (total)
                        m->count = m->size ? (uint32_t)(total / m->size) : 0;
                return m->bits <= 64 && (uint64_t)m->bit + m->bits <= UINT64_C(8) * m->size + (m->bits ? 0 : 64);
        }
        return false;
}

/* ---- field lists */

/* cvinfo.h: lfMember, lfSubRecord and so on. */
bool pdb_field_head(struct stasis_cursor *c, struct pdb_field *f)
{
        uint64_t skipped, attributes;

        *f = (struct pdb_field){ .kind = (uint16_t)cursor_le(c, 2) };
        attributes = cursor_le(c, 2);
        if (f->kind == LF_ENUMERATE)
                return pdb_numeric(c, &f->value);
        f->type = (uint32_t)cursor_le(c, 4);
        switch (f->kind) {
        case LF_MEMBER: (void)pdb_numeric(c, &f->value); break;
        case LF_BCLASS:
        case LF_BINTERFACE: (void)pdb_numeric(c, &f->value); return false;
        case LF_VBCLASS:
        case LF_IVBCLASS:
                (void)cursor_take(c, 4);
                (void)(pdb_numeric(c, &f->value) && pdb_numeric(c, &skipped));
                return false;
        case LF_VFUNCOFF: (void)cursor_take(c, 4); return false;
        case LF_INDEX:
        case LF_VFUNCTAB:
        case LF_FRIENDCLS: return false;
        case LF_ONEMETHOD: /* one that introduces a virtual function has its place in the table */
                if ((attributes >> 2 & 7) == 4 || (attributes >> 2 & 7) == 6)
                        (void)cursor_take(c, 4);
                break;
        case LF_STMEMBER:
        case LF_METHOD:
        case LF_NESTTYPE:
        case LF_NESTTYPEEX:
        case LF_MEMBERMODIFY:
        case LF_FRIENDFCN: break;
        default: c->bad = true; break;
        }
        return !c->bad;
}

/* Each entry is filled up to 4 bytes with LF_PAD1 ... (0xf1 ...). */
static bool field_next(struct stasis_cursor *c, struct pdb_field *f)
{
        while (c->left.len && c->left.at[0] >= 0xf0)
                (void)cursor_take(c, 1);
        if (!c->left.len)
                return false;
        if (pdb_field_head(c, f))
                f->name = pdb_text(c);
        return !c->bad;
}

/* The next entry from *at on in list *type; goes on in the list that this one names. */
static bool field_at(const struct pdb *pdb, uint64_t *type, uint64_t *at, struct pdb_field *ret_field)
{
        struct pdb_record record;

        if (!pdb_type(pdb, (uint32_t)*type, &record) || record.kind != LF_FIELDLIST || *at > record.data.len)
                return false;
        struct stasis_cursor c = { .left = { record.data.at + *at, record.data.len - (size_t)*at } };
        if (!field_next(&c, ret_field))
                return false;
        *at = (uint64_t)(c.left.at - record.data.at);
        if (ret_field->kind == LF_INDEX) {
                *type = ret_field->type;
                *at = 0;
        }
        return true;
}

static bool level_enter(struct layout_walk *walk, uint32_t fields, uint64_t base)
{
        for (unsigned i = 0; i < walk->depth; i++)
                if (walk->level[i].id == fields)
                        return false;
        if (walk->depth == LAYOUT_ANONYMOUS_MAX || !fields || base > SIZE_MAX_OF_A_TYPE)
                return false;
        walk->level[walk->depth].id = fields;
        walk->level[walk->depth].at = 0;
        walk->level[walk->depth].base = (uint32_t)base;
        walk->depth++;
        return true;
}

/* A structure without a name, or what a class derives from: its members are those of the one around it. */
static void enter_unnamed(struct layout_walk *walk, uint32_t type, uint64_t base)
{
        const struct pdb *pdb = pdb_of(walk->view.layout);
        struct pdb_record record;
        struct pdb_udt udt;

        if (!pdb_type(pdb, unmodified(pdb, type), &record) || !pdb_udt(&record, &udt))
                return;
        (void)defined(pdb, type, &udt);
        if (!udt.is_enum)
                (void)level_enter(walk, udt.fields, base);
}

static bool field_take(struct layout_walk *walk, const struct pdb_field *f, uint32_t base)
{
        uint32_t type = 0;

        if (f->kind == LF_BCLASS || f->kind == LF_BINTERFACE || (f->kind == LF_MEMBER && !*f->name)) {
                enter_unnamed(walk, f->type, base + f->value);
                return false;
        }
        if (f->kind != LF_MEMBER || f->value > SIZE_MAX_OF_A_TYPE - base ||
            !member_type(pdb_of(walk->view.layout), f->type, &walk->member, &type))
                return false;
        walk->member.offset = (uint32_t)f->value + base;
        walk->name = f->name;
        walk->target = type;
        return true;
}

static bool next(struct layout_walk *walk)
{
        const struct pdb *pdb = pdb_of(walk->view.layout);
        struct pdb_field f;

        if (walk->steps == 0)
                (void)level_enter(walk, (uint32_t)walk->view.id, 0);
        while (walk->depth > 0 && walk->steps++ < LAYOUT_STEPS_MAX) {
                unsigned top = walk->depth - 1u;
                if (!field_at(pdb, &walk->level[top].id, &walk->level[top].at, &f))
                        walk->depth--;
                else if (field_take(walk, &f, walk->level[top].base))
                        return true;
        }
        return false;
}

/* ---- the backend */

static bool view_of(const struct stasis_layout *layout, uint32_t type, struct layout_view *ret_view)
{
        struct pdb_record record;
        struct pdb_udt udt;

        if (!pdb_type(pdb_of(layout), type, &record) || !pdb_udt(&record, &udt) || udt.is_enum ||
            udt.size > SIZE_MAX_OF_A_TYPE)
                return false;
        *ret_view = (struct layout_view){ .layout = layout, .size = (uint32_t)udt.size, .id = udt.fields };
        return true;
}

static bool open_structure(const struct stasis_layout *layout, const char *name, size_t len,
                           struct layout_view *ret_view)
{
        uint32_t type;
        return pdb_defined(pdb_of(layout), name, len, &type) && view_of(layout, type, ret_view);
}

static bool enter(const struct layout_walk *walk, struct layout_view *ret_view)
{
        return view_of(walk->view.layout, (uint32_t)walk->target, ret_view);
}

static size_t enumeration(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max)
{
        const struct pdb *pdb = pdb_of(layout);
        struct pdb_record record;
        struct pdb_udt udt;
        struct pdb_field f;
        uint32_t type;
        size_t count = 0;

        if (!pdb_defined(pdb, name, strlen(name), &type) || !pdb_type(pdb, type, &record) || !pdb_udt(&record, &udt) ||
            !udt.is_enum)
                return 0;
        uint64_t list = udt.fields, at = 0;
        for (unsigned step = 0; step < LAYOUT_STEPS_MAX && field_at(pdb, &list, &at, &f); step++) {
                if (f.kind != LF_ENUMERATE)
                        continue;
                if (count < max)
                        names[count] = (struct stasis_name){ .name = f.name, .value = (uint32_t)f.value };
                count++;
        }
        layout_sort_names(names, count < max ? count : max);
        return count;
}

static bool symbol(const struct stasis_layout *layout, const char *name, uint64_t *ret_rva)
{
        uint32_t rva;

        if (!pdb_symbol_rva(pdb_of(layout), name, &rva))
                return false;
        *ret_rva = rva;
        return true;
}

static bool has_types(const struct stasis_layout *layout) { return pdb_of(layout)->name_count > 0; }

static bool has_symbols(const struct stasis_layout *layout) { return pdb_of(layout)->symbol_count > 0; }

static void close_layout(struct stasis_layout *layout) { pdb_close((struct pdb *)layout); }

const struct layout_backend layout_pdb = {
        .open = open_structure,
        .next = next,
        .enter = enter,
        .enumeration = enumeration,
        .symbol = symbol,
        .has_types = has_types,
        .has_symbols = has_symbols,
        .close = close_layout,
};
