/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

#define NAMES_MAX 64

/* ---------------------------------------------------------------- binding */

/* "@0x34:4": a place that Microsoft never moved (32-bit TEB), for layouts that have no such structure. */
static bool fixed_place(const char *path, struct stasis_member *ret_member)
{
        char *end;
        if (path[0] != '@')
                return false;
        unsigned long offset = strtoul(path + 1, &end, 16);
        unsigned long size = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
        *ret_member = (struct stasis_member){ .offset = (uint32_t)offset, .size = (uint32_t)size, .count = 1 };
        return size > 0;
}

/* A structure that this layout describes in part only cannot say that a member does not exist. */
static enum stasis_absence why_not(const struct stasis_layout *layout, const char *path)
{
        char structure[64];
        size_t len = strcspn(path, ".");
        if (len >= sizeof structure)
                return STASIS_NOT_KNOWN;
        memcpy(structure, path, len);
        structure[len] = '\0';
        return stasis_layout_sizeof(layout, structure) ? STASIS_NOT_IN_VERSION : STASIS_NOT_KNOWN;
}

static void bind_row(const struct row_binding *b, const struct row *row, struct bound *bound)
{
        bool fixed_ok = b->fixed_ok && b->fixed_ok(b->os, row->base);
        bound->why = STASIS_NOT_IN_VERSION;
        for (size_t i = 0; i < ROW_MEMBERS && row->member[i] && !bound->path; i++) {
                const char *path = row->member[i];
                bool found = path[0] == '@' ? fixed_ok && fixed_place(path, &bound->member)
                                            : stasis_layout_member(b->layout, path, &bound->member);
                if (found)
                        bound->path = path;
                else if (path[0] != '@' && why_not(b->layout, path) == STASIS_NOT_KNOWN)
                        bound->why = STASIS_NOT_KNOWN;
        }
}

static void keep_names(struct field_set *set, const struct stasis_name *names, size_t count,
                       struct stasis_column *column)
{
        struct stasis_name *kept = arena_array(&set->arena, struct stasis_name, count + 1);
        if (!kept)
                return;
        memcpy(kept, names, count * sizeof *kept);
        column->names = kept;
        column->name_count = count;
}

/* The last value of Microsoft's enumerations, Maximum..., is a count and no value. */
static size_t enumeration(const struct stasis_layout *layout, const char *name, struct stasis_name *names)
{
        size_t kept = 0, count = layout ? stasis_layout_enum(layout, name, names, NAMES_MAX) : 0;
        for (size_t i = 0; i < count && i < NAMES_MAX; i++)
                if (strncmp(names[i].name, "Maximum", 7) != 0)
                        names[kept++] = names[i];
        return kept;
}

static void bind_names(const struct row_binding *b, const struct row *row, const struct bound *bound,
                       struct field_set *set, struct stasis_column *column)
{
        struct stasis_name names[NAMES_MAX];
        size_t count = row->enumeration ? enumeration(b->layout, row->enumeration, names) : 0;
        if (!count && row->names) {
                column->names = row->names(b->os, &column->name_count);
                return;
        }
        if (row->column.kind == STASIS_KIND_FLAGS && bound->path && bound->path[0] != '@')
                count = stasis_layout_bits(b->layout, bound->path, names, NAMES_MAX);
        if (count)
                keep_names(set, names, count > NAMES_MAX ? NAMES_MAX : count, column);
}

static void bind_keys(struct field_set *set, const struct row_table *table)
{
        for (size_t k = 0; k < table->key_count; k++) {
                set->key[k] = 0;
                while (set->key[k] < set->count && strcmp(set->row[set->key[k]].column.key, table->key[k]) != 0)
                        set->key[k]++;
        }
}

/* The tables of the lists among the rows: one level, for a list holds no lists. */
static bool bind_lists(struct field_set *set, const struct row_table *table, const struct row_binding *binding)
{
        set->list = arena_array(&set->arena, struct field_set *, set->count);
        for (size_t i = 0; set->list && i < set->count; i++) {
                const struct stasis_list_rows *rows = set->row[i].column.list;
                if (!rows)
                        continue;
                const struct row_table inner = { .row = rows->row,
                                                 .count = rows->count,
                                                 .what = table->what,
                                                 .key = rows->key,
                                                 .key_count = rows->key_count };
                set->list[i] = rows_bind(&inner, binding);
                if (!set->list[i])
                        return false;
        }
        return set->list != NULL;
}

struct field_set *rows_bind(const struct row_table *table, const struct row_binding *binding)
{
        assert(table->key_count <= ROW_KEYS_MAX);
        size_t count = table->count;
        struct field_set *set = calloc(1, sizeof *set);
        if (!set)
                return NULL;
        set->row = table->row;
        set->count = count;
        set->pointer_size = binding->pointer_size;
        set->bound = arena_array(&set->arena, struct bound, count);
        set->column = arena_array(&set->arena, struct stasis_column, count);
        set->fact = arena_array(&set->arena, struct stasis_fact, count);
        set->left_out = arena_array(&set->arena, bool, count);
        if (!set->bound || !set->column || !set->fact || !set->left_out || !bind_lists(set, table, binding)) {
                rows_free(set);
                return NULL;
        }
        for (size_t i = 0; i < count; i++) {
                if (binding->layout)
                        bind_row(binding, &set->row[i], &set->bound[i]);
                set->column[i] = set->row[i].column;
                set->column[i].member = set->bound[i].path;
                bind_names(binding, &set->row[i], &set->bound[i], set, &set->column[i]);
        }
        bind_keys(set, table);
        set->record =
                (struct stasis_record){ .what = table->what, .column = set->column, .fact = set->fact, .count = count };
        return set;
}

void rows_free(struct field_set *set)
{
        if (!set)
                return;
        for (size_t i = 0; set->list && i < set->count; i++)
                rows_free(set->list[i]);
        stasis_arena_free(&set->arena);
        free(set);
}

void rows_choose(struct field_set *set, const char *const *keys, size_t count)
{
        for (size_t i = 0; i < set->count; i++) {
                bool chosen = !keys || !set->column[i].costly;
                for (size_t k = 0; k < count && !chosen; k++)
                        chosen = strcmp(keys[k], set->column[i].key) == 0;
                set->left_out[i] = !chosen;
        }
}

/* ---------------------------------------------------------------- decoding */

static const uint8_t absence_of_verdict[] = {
        [STASIS_VERDICT_PRESENT] = STASIS_NOT_IN_IMAGE,    [STASIS_VERDICT_TRANSITION] = STASIS_NOT_IN_IMAGE,
        [STASIS_VERDICT_PROTOTYPE] = STASIS_NOT_IN_IMAGE,  [STASIS_VERDICT_DEMAND_ZERO] = STASIS_DEMAND_ZERO,
        [STASIS_VERDICT_PAGED_OUT] = STASIS_PAGED_OUT,     [STASIS_VERDICT_COMPRESSED] = STASIS_COMPRESSED,
        [STASIS_VERDICT_MAPPED_FILE] = STASIS_MAPPED_FILE, [STASIS_VERDICT_NOT_CAPTURED] = STASIS_NOT_IN_IMAGE,
        [STASIS_VERDICT_INVALID] = STASIS_NOT_MAPPED,      [STASIS_VERDICT_NOT_PRESENT] = STASIS_PAGED_OUT,
};

enum stasis_absence absence_of(enum stasis_status status)
{
        switch (status) {
        case STASIS_OK: return STASIS_PRESENT;
        case STASIS_IO: return STASIS_NOT_IN_IMAGE;
        case STASIS_UNSUPPORTED: return STASIS_NOT_IN_VERSION;
        case STASIS_CORRUPT: return STASIS_CONTRADICTORY;
        default: return STASIS_PAGED_OUT;
        }
}

enum stasis_absence absence_at(struct stasis_space *space, uint64_t va, size_t len, enum stasis_status status)
{
        struct stasis_address address;
        if (status != STASIS_IO && status != STASIS_ABSENT)
                return absence_of(status);
        stasis_space_examine(space, va, &address);
        for (uint64_t at = (va | 0xfff) + 1; address.status == STASIS_OK && at && at - va < len; at += 0x1000)
                stasis_space_examine(space, at, &address);
        return (enum stasis_absence)absence_of_verdict[address.verdict];
}

/* What is read of no physical address is somewhere else: in a page file, or compressed. */
static void place_of(struct stasis_space *space, struct stasis_fact *fact)
{
        struct stasis_address address;
        if (space->image->is_virtual || stasis_space_pa(space, fact->va, &fact->pa) == STASIS_OK || !fact_is(fact))
                return;
        stasis_space_examine(space, fact->va, &address);
        fact->backing = (uint8_t)address.backing;
        fact->pagefile = (uint8_t)address.pagefile;
        fact->off = address.off;
}

struct stasis_fact load_at(struct stasis_space *space, uint64_t va, uint32_t size)
{
        struct stasis_fact fact = { .va = va, .pa = STASIS_NOWHERE, .origin = STASIS_ORIGIN_LINK };
        enum stasis_status status = stasis_space_u(space, va, size, &fact.value);
        fact.absence = (uint8_t)absence_at(space, va, size, status);
        if (status != STASIS_OK)
                fact.value = 0;
        place_of(space, &fact);
        return fact;
}

/* An embedded structure stands for its first word: QuadPart of a LARGE_INTEGER, Flink of a LIST_ENTRY. */
static uint32_t load_size(uint8_t pointer_size, const struct stasis_member *m, enum stasis_kind kind)
{
        if (m->type == STASIS_TYPE_STRUCT || m->type == STASIS_TYPE_OPAQUE)
                return kind == STASIS_KIND_TIME ? 8 : pointer_size;
        return m->size > 8 ? 8 : m->size;
}

static struct stasis_fact load_bound(struct stasis_space *space, uint64_t va, const struct stasis_member *m,
                                     uint32_t size, enum stasis_kind kind)
{
        struct stasis_fact fact = load_at(space, va + m->offset, size);
        if (!fact_is(&fact))
                return fact;
        if (m->bits)
                fact.value = fact.value >> m->bit & (m->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << m->bits) - 1);
        else if (kind == STASIS_KIND_SIGNED && size < 8)
                fact.value = (uint64_t)((int64_t)(fact.value << (64 - 8 * size)) >> (64 - 8 * size));
        return fact;
}

static struct stasis_fact load_row(struct field_set *set, size_t i, struct decode *d, row_base_fn *base)
{
        const struct row *row = &set->row[i];
        const struct bound *bound = &set->bound[i];
        struct stasis_space *space = NULL;
        uint64_t va = 0;
        if (row->base == ON_NOTHING)
                return fact_absent(STASIS_NOT_KNOWN);
        enum stasis_absence why = base(d, row->base, &space, &va);
        if (why != STASIS_PRESENT)
                return fact_absent(why);
        if (!bound->path)
                return fact_absent(bound->why);
        if (!space)
                return fact_absent(STASIS_NOT_KNOWN);
        uint32_t size = load_size(set->pointer_size, &bound->member, row->column.kind);
        return load_bound(space, va, &bound->member, size, row->column.kind);
}

static void name_value(const struct stasis_column *column, struct stasis_fact *fact)
{
        if (column->kind == STASIS_KIND_ENUM && fact_is(fact) && !fact->text)
                fact->text = name_of(column->names, column->name_count, fact->value);
}

void rows_decode(struct field_set *set, uint64_t object, struct decode *d, row_base_fn *base)
{
        set->record.object = object;
        for (size_t i = 0; i < set->count; i++) {
                if (set->left_out[i]) {
                        set->fact[i] = fact_absent(STASIS_NOT_KNOWN);
                        continue;
                }
                set->fact[i] = load_row(set, i, d, base);
                if (set->row[i].derive)
                        set->row[i].derive(d, &set->fact[i]);
                name_value(&set->column[i], &set->fact[i]);
        }
}

const struct stasis_fact *row_fact(const struct field_set *set, size_t key)
{
        static const struct stasis_fact none = { .va = STASIS_NOWHERE,
                                                 .pa = STASIS_NOWHERE,
                                                 .absence = STASIS_NOT_KNOWN };
        size_t i = set->key[key];
        return i < set->count ? &set->fact[i] : &none;
}

/* ---------------------------------------------------------------- places */

void places_bind(const struct stasis_layout *layout, const struct place_row *rows, size_t count, void *ret_places)
{
        for (size_t i = 0; i < count; i++) {
                struct place *place = (struct place *)((char *)ret_places + rows[i].place);
                struct stasis_member m;
                *place = (struct place){ 0 };
                for (size_t k = 0; k < 2 && rows[i].path[k] && !place->has; k++)
                        if (stasis_layout_member(layout, rows[i].path[k], &m))
                                *place = (struct place){ .offset = m.offset,
                                                         .size = (uint8_t)m.size,
                                                         .bit = m.bit,
                                                         .bits = m.bits,
                                                         .has = true };
        }
}

enum stasis_status read_place(struct stasis_space *space, uint64_t object, const struct place *place,
                              uint64_t *ret_value)
{
        if (!place->has)
                return STASIS_UNSUPPORTED;
        enum stasis_status status = stasis_space_u(space, object + place->offset, place->size, ret_value);
        if (status == STASIS_OK && place->bits && place->bits < 64)
                *ret_value = *ret_value >> place->bit & ((UINT64_C(1) << place->bits) - 1);
        return status;
}

struct stasis_fact load_place_of(struct stasis_space *space, uint64_t object, const struct place *place)
{
        struct stasis_fact fact = fact_absent(STASIS_NOT_IN_VERSION);
        if (!place->has)
                return fact;
        fact = load_at(space, object + place->offset, place->size);
        if (fact_is(&fact) && place->bits && place->bits < 64)
                fact.value = fact.value >> place->bit & ((UINT64_C(1) << place->bits) - 1);
        return fact;
}
