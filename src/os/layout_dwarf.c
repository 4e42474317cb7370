/* SPDX-License-Identifier: MIT */
/*
 * Answers from DWARF, which libdw (elfutils) reads. A kernel's has millions of entries and says the same structure in
 * each of its thousands of units: units are gone through one after the other, until what is asked for is found.
 */
#include "layout_dwarf.h"

#include "../base/error.h"

#ifdef HAVE_LIBDW

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout_names.h"

#define CHAIN_MAX 32                /* typedefs of const arrays of typedefs ... */
#define SIZE_MAX_SANE (1u << 28)    /* of anything, in bytes */
#define UNIT_ENTRIES_MAX (1u << 22) /* at the top of one unit; the largest seen has 50,000 */

struct dwarf_name {
        uint32_t hash;
        uint16_t tag;
        const char *name;
        Dwarf_Off die;
};

struct dwarf {
        struct stasis_layout layout; /* first */
        int fd;
        Dwarf *dw;
        Dwarf_CU *unit; /* the last one gone through */
        bool all;       /* there is no more */
        struct dwarf_name *slot;
        size_t slots, used; /* a power of two; at most half is used */
};

/* Only the index grows while it is asked: the layout itself does not change. */
static struct dwarf *dwarf_of(const struct stasis_layout *layout) { return (struct dwarf *)(uintptr_t)layout; }

/* ---- the index: structures, unions, enumerations and typedefs by name, of those gone through so far */

static bool is_structure(int tag)
{
        return tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_class_type;
}

static struct dwarf_name *slot_of(const struct dwarf *d, uint32_t hash, uint16_t tag, const char *name, size_t len)
{
        for (size_t i = hash;; i++) { /* half of the slots are empty */
                struct dwarf_name *slot = &d->slot[i & (d->slots - 1)];
                if (!slot->name || (slot->hash == hash && slot->tag == tag && strncmp(slot->name, name, len) == 0 &&
                                    slot->name[len] == '\0'))
                        return slot;
        }
}

static bool index_grow(struct dwarf *d)
{
        struct dwarf old = *d;
        if (2 * (d->used + 1) <= d->slots)
                return true;
        d->slots = d->slots ? 2 * d->slots : 1024;
        d->slot = calloc(d->slots, sizeof *d->slot);
        if (!d->slot) {
                *d = old;
                return false;
        }
        for (size_t i = 0; i < old.slots; i++)
                if (old.slot[i].name)
                        *slot_of(d, old.slot[i].hash, old.slot[i].tag, old.slot[i].name, strlen(old.slot[i].name)) =
                                old.slot[i];
        free(old.slot);
        return true;
}

static void index_add(struct dwarf *d, Dwarf_Die *die)
{
        Dwarf_Attribute attr;
        int tag = dwarf_tag(die);
        const char *name = dwarf_diename(die);
        if ((!is_structure(tag) && tag != DW_TAG_enumeration_type && tag != DW_TAG_typedef) || !name ||
            dwarf_attr(die, DW_AT_declaration, &attr) || !index_grow(d))
                return;
        uint32_t hash = layout_hash(name, strlen(name));
        struct dwarf_name *slot = slot_of(d, hash, (uint16_t)tag, name, strlen(name));
        if (slot->name)
                return;
        *slot = (struct dwarf_name){ .hash = hash, .tag = (uint16_t)tag, .name = name, .die = dwarf_dieoffset(die) };
        d->used++;
}

/* False where there was none any more. */
static bool next_unit(struct dwarf *d)
{
        Dwarf_Die unit, die;
        uint8_t type;
        if (d->all || dwarf_get_units(d->dw, d->unit, &d->unit, NULL, &type, &unit, NULL) != 0) {
                d->all = true;
                return false;
        }
        bool more = dwarf_child(&unit, &die) == 0;
        for (uint32_t count = 0; more && count < UNIT_ENTRIES_MAX; count++) {
                index_add(d, &die);
                more = dwarf_siblingof(&die, &die) == 0;
        }
        return true;
}

/* An entry of this name and one of these tags; goes on through the units until there is one. */
static bool find(struct dwarf *d, const char *name, size_t len, const int *tags, Dwarf_Die *ret_die)
{
        uint32_t hash = layout_hash(name, len);
        do {
                for (size_t i = 0; d->slots && tags[i]; i++) {
                        const struct dwarf_name *slot = slot_of(d, hash, (uint16_t)tags[i], name, len);
                        if (slot->name)
                                return dwarf_offdie(d->dw, slot->die, ret_die) != NULL;
                }
        } while (next_unit(d));
        return false;
}

static const int structure_tags[] = { DW_TAG_structure_type, DW_TAG_union_type, DW_TAG_class_type, 0 };
static const int typedef_tags[] = { DW_TAG_typedef, 0 };
static const int enumeration_tags[] = { DW_TAG_enumeration_type, 0 };

/* ---- what a type comes to */

static bool number_of(Dwarf_Die *die, unsigned name, uint64_t *ret_value)
{
        Dwarf_Attribute attr;
        Dwarf_Word value;
        if (!dwarf_attr_integrate(die, name, &attr) || dwarf_formudata(&attr, &value) != 0)
                return false;
        *ret_value = value;
        return true;
}

static bool type_of(Dwarf_Die *die, Dwarf_Die *ret_die)
{
        Dwarf_Attribute attr;
        return dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, ret_die);
}

static bool is_modifier(int tag)
{
        return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
               tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type;
}

/* Without typedef, const and their like. False where nothing is left (void), or where it does not end. */
static bool resolve(Dwarf_Die *die)
{
        for (unsigned step = 0; step < CHAIN_MAX; step++) {
                Dwarf_Die next;
                if (!is_modifier(dwarf_tag(die)))
                        return true;
                if (!type_of(die, &next))
                        return false;
                *die = next;
        }
        return false;
}

/* A structure that this unit only declares is described in another one. */
static void define(struct dwarf *d, Dwarf_Die *die)
{
        Dwarf_Attribute attr;
        Dwarf_Die whole;
        const char *name = dwarf_diename(die);
        const int tags[] = { dwarf_tag(die), 0 };
        if (name && is_structure(tags[0]) && dwarf_attr(die, DW_AT_declaration, &attr) &&
            find(d, name, strlen(name), tags, &whole))
                *die = whole;
}

/* How many elements: of a dimension that is not told (a flexible array) none. */
static uint64_t array_count(Dwarf_Die *array)
{
        Dwarf_Die die;
        uint64_t count = 1, value;
        bool more = dwarf_child(array, &die) == 0;
        for (unsigned i = 0; more && i < CHAIN_MAX && count <= SIZE_MAX_SANE; i++) {
                if (dwarf_tag(&die) == DW_TAG_subrange_type) {
                        if (number_of(&die, DW_AT_count, &value))
                                count *= value <= SIZE_MAX_SANE ? value : SIZE_MAX_SANE + 1u;
                        else if (number_of(&die, DW_AT_upper_bound, &value) && value < SIZE_MAX_SANE)
                                count *= value + 1;
                        else
                                count = 0;
                }
                more = dwarf_siblingof(&die, &die) == 0;
        }
        return count;
}

static enum stasis_type base_type(Dwarf_Die *die)
{
        uint64_t encoding = 0;
        number_of(die, DW_AT_encoding, &encoding);
        switch (encoding) {
        case DW_ATE_signed:
        case DW_ATE_signed_char: return STASIS_TYPE_SIGNED;
        case DW_ATE_unsigned:
        case DW_ATE_unsigned_char:
        case DW_ATE_boolean: return STASIS_TYPE_UNSIGNED;
        default: return STASIS_TYPE_OPAQUE;
        }
}

static void member_plain(struct dwarf *d, Dwarf_Die *die, struct stasis_member *m)
{
        Dwarf_Die to;
        uint64_t size = 0;
        int tag = dwarf_tag(die);
        number_of(die, DW_AT_byte_size, &size);
        m->size = size <= SIZE_MAX_SANE ? (uint32_t)size : 0;
        m->type = STASIS_TYPE_OPAQUE;
        if (tag == DW_TAG_base_type)
                m->type = base_type(die);
        else if (tag == DW_TAG_enumeration_type)
                m->type = STASIS_TYPE_UNSIGNED;
        else if (is_structure(tag))
                m->type = STASIS_TYPE_STRUCT;
        else if (tag == DW_TAG_pointer_type) {
                m->type = STASIS_TYPE_POINTER;
                m->size = d->layout.pointer_size;
                if (type_of(die, &to) && resolve(&to) && is_structure(dwarf_tag(&to)))
                        m->target = dwarf_diename(&to);
                return;
        }
        m->target = tag == DW_TAG_base_type ? NULL : dwarf_diename(die);
}

/* Arrays of arrays are one array. *die: of the member; then of the type of an element. */
static bool member_type(struct dwarf *d, Dwarf_Die *die, struct stasis_member *ret_member)
{
        uint64_t count = 1;
        Dwarf_Die type;
        if (!type_of(die, &type))
                return false;
        for (unsigned step = 0;; step++) {
                Dwarf_Die next;
                if (step == CHAIN_MAX || !resolve(&type))
                        return false;
                if (dwarf_tag(&type) != DW_TAG_array_type)
                        break;
                count *= array_count(&type);
                if (count > SIZE_MAX_SANE || !type_of(&type, &next))
                        return false;
                type = next;
        }
        define(d, &type);
        *ret_member = (struct stasis_member){ .count = (uint32_t)count };
        member_plain(d, &type, ret_member);
        *die = type;
        return count * ret_member->size <= SIZE_MAX_SANE;
}

/* ---- where a member lies */

/* In bytes; before DWARF 3 an expression that adds a number. 0 in a union. */
static bool location_of(Dwarf_Die *member, uint64_t *ret_at)
{
        Dwarf_Attribute attr;
        Dwarf_Op *op;
        Dwarf_Word value;
        size_t count;
        *ret_at = 0;
        if (!dwarf_attr(member, DW_AT_data_member_location, &attr))
                return true;
        if (dwarf_formudata(&attr, &value) == 0)
                *ret_at = value;
        else if (dwarf_getlocation(&attr, &op, &count) == 0 && count == 1 && op[0].atom == DW_OP_plus_uconst)
                *ret_at = op[0].number;
        else
                return false;
        return *ret_at <= SIZE_MAX_SANE;
}

/* Of a bit-field: from where in the structure on, in bits. DWARF before 4 counts from the upper end of the word. */
static bool bits_of(Dwarf_Die *member, uint64_t at, uint64_t size, uint64_t *ret_bit, uint64_t *ret_bits)
{
        uint64_t offset;
        if (!number_of(member, DW_AT_bit_size, ret_bits))
                return false;
        if (number_of(member, DW_AT_data_bit_offset, &offset))
                *ret_bit = offset;
        else if (number_of(member, DW_AT_bit_offset, &offset)) {
                number_of(member, DW_AT_byte_size, &size);
                *ret_bit = at * 8 + size * 8 - offset - *ret_bits;
        } else
                *ret_bit = at * 8;
        return true;
}

/* ---- members */

static bool level_enter(struct layout_walk *walk, Dwarf_Die *structure, uint32_t base)
{
        Dwarf_Die child;
        Dwarf_Off id = dwarf_dieoffset(structure);
        for (unsigned i = 0; i < walk->depth; i++)
                if (walk->level[i].id == id)
                        return false;
        if (walk->depth == LAYOUT_ANONYMOUS_MAX || dwarf_child(structure, &child) != 0)
                return false;
        walk->level[walk->depth].id = id;
        walk->level[walk->depth].at = dwarf_dieoffset(&child);
        walk->level[walk->depth].base = base;
        walk->depth++;
        return true;
}

/* Fills the walk's member; false where it makes no sense, or is a structure without a name that was gone into. */
static bool member_take(struct layout_walk *walk, Dwarf_Die *member, uint32_t base)
{
        struct dwarf *d = dwarf_of(walk->view.layout);
        Dwarf_Die type = *member;
        uint64_t at, bit, bits;
        if (dwarf_tag(member) != DW_TAG_member || !member_type(d, &type, &walk->member) || !location_of(member, &at))
                return false;
        walk->member.offset = (uint32_t)at;
        if (bits_of(member, at, walk->member.size, &bit, &bits) &&
            (bits == 0 || !layout_bit_field(&walk->member, bit, bits)))
                return false;
        if (walk->member.offset > SIZE_MAX_SANE - base)
                return false;
        walk->member.offset += base;
        walk->target = dwarf_dieoffset(&type);
        const char *name = dwarf_diename(member);
        if (name) {
                walk->name = name;
                return true;
        }
        if (is_structure(dwarf_tag(&type)) && walk->member.count == 1)
                (void)level_enter(walk, &type, walk->member.offset);
        return false;
}

static bool dwarf_next(struct layout_walk *walk)
{
        struct dwarf *d = dwarf_of(walk->view.layout);
        Dwarf_Die die, next;
        if (walk->steps == 0 && dwarf_offdie(d->dw, walk->view.id, &die))
                (void)level_enter(walk, &die, 0);
        while (walk->depth > 0 && walk->steps++ < LAYOUT_STEPS_MAX) {
                unsigned top = walk->depth - 1u;
                if (walk->level[top].at == 0 || !dwarf_offdie(d->dw, walk->level[top].at, &die)) {
                        walk->depth--;
                        continue;
                }
                walk->level[top].at = dwarf_siblingof(&die, &next) == 0 ? dwarf_dieoffset(&next) : 0;
                if (member_take(walk, &die, walk->level[top].base))
                        return true;
        }
        return false;
}

/* ---- by name */

static bool view_of(const struct stasis_layout *layout, Dwarf_Die *die, struct layout_view *ret_view)
{
        uint64_t size = 0;
        if (!resolve(die) || !is_structure(dwarf_tag(die)) || !number_of(die, DW_AT_byte_size, &size) ||
            size > SIZE_MAX_SANE)
                return false;
        *ret_view = (struct layout_view){ .layout = layout, .size = (uint32_t)size, .id = dwarf_dieoffset(die) };
        return true;
}

static bool dwarf_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        struct dwarf *d = dwarf_of(layout);
        Dwarf_Die die;
        return (find(d, name, len, structure_tags, &die) || find(d, name, len, typedef_tags, &die)) &&
               view_of(layout, &die, ret_view);
}

static bool dwarf_enter(const struct layout_walk *walk, struct layout_view *ret_view)
{
        Dwarf_Die die;
        return dwarf_offdie(dwarf_of(walk->view.layout)->dw, walk->target, &die) &&
               view_of(walk->view.layout, &die, ret_view);
}

static bool enumerator(Dwarf_Die *die, struct stasis_name *ret_name)
{
        Dwarf_Attribute attr;
        Dwarf_Sword value;
        const char *name = dwarf_diename(die);
        if (dwarf_tag(die) != DW_TAG_enumerator || !name || !dwarf_attr(die, DW_AT_const_value, &attr) ||
            dwarf_formsdata(&attr, &value) != 0)
                return false;
        *ret_name = (struct stasis_name){ .name = name, .value = (uint32_t)value };
        return true;
}

static size_t dwarf_enumeration(const struct stasis_layout *layout, const char *name, struct stasis_name *names,
                                size_t max)
{
        struct dwarf *d = dwarf_of(layout);
        Dwarf_Die die, child;
        struct stasis_name one;
        size_t count = 0, len = strlen(name);
        if (!find(d, name, len, enumeration_tags, &die) && !find(d, name, len, typedef_tags, &die))
                return 0;
        if (!resolve(&die) || dwarf_tag(&die) != DW_TAG_enumeration_type || dwarf_child(&die, &child) != 0)
                return 0;
        do {
                if (!enumerator(&child, &one))
                        continue;
                if (count < max)
                        names[count] = one;
                count++;
        } while (count < UNIT_ENTRIES_MAX && dwarf_siblingof(&child, &child) == 0);
        layout_sort_names(names, count < max ? count : max);
        return count;
}

static void dwarf_close(struct stasis_layout *layout)
{
        struct dwarf *d = dwarf_of(layout);
        dwarf_end(d->dw);
        if (d->fd >= 0)
                close(d->fd);
        free(d->slot);
        free((void *)(uintptr_t)layout->name);
        free(d);
}

static const struct layout_backend layout_dwarf = {
        .open = dwarf_open,
        .next = dwarf_next,
        .enter = dwarf_enter,
        .enumeration = dwarf_enumeration,
        .close = dwarf_close,
};

/* libdw opens the file anew: it may write to what it has mapped (compressed sections), which ours must not. */
enum stasis_status layout_dwarf_open(const char *path, uint8_t pointer_size, struct stasis_layout **ret_layout,
                                     struct stasis_error *err)
{
        struct dwarf *d = calloc(1, sizeof *d);
        char *kept = d ? strdup(path) : NULL;
        if (!kept) {
                free(d);
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", path);
        }
        d->layout = (struct stasis_layout){ .name = kept, .backend = &layout_dwarf, .pointer_size = pointer_size };
        d->fd = open(path, O_RDONLY | O_CLOEXEC);
        d->dw = d->fd >= 0 ? dwarf_begin(d->fd, DWARF_C_READ) : NULL;
        if (d->dw) {
                *ret_layout = &d->layout;
                return STASIS_OK;
        }
        stasis_fail(err, STASIS_CORRUPT, "%s: DWARF: %s", path, d->fd < 0 ? strerror(errno) : dwarf_errmsg(-1));
        dwarf_close(&d->layout);
        return STASIS_CORRUPT;
}

#else

enum stasis_status layout_dwarf_open(const char *path, uint8_t pointer_size, struct stasis_layout **ret_layout,
                                     struct stasis_error *err)
{
        (void)pointer_size;
        (void)ret_layout;
        return stasis_fail(err, STASIS_UNSUPPORTED,
                           "%s: built without libdw: its DWARF is not read; a file of BTF or an ISF would serve", path);
}

#endif
