/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <stdlib.h>
#include <string.h>

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

static void bind_row(const struct windows *w, const struct row *row, struct bound *bound)
{
        bool fixed_ok = row->base == ON_TEB32 || !w->is64;
        bound->why = STASIS_NOT_IN_VERSION;
        for (size_t i = 0; i < ROW_MEMBERS && row->member[i] && !bound->path; i++) {
                const char *path = row->member[i];
                bool found = path[0] == '@' ? fixed_ok && fixed_place(path, &bound->member)
                                            : stasis_layout_member(w->layout, path, &bound->member);
                if (found)
                        bound->path = path;
                else if (path[0] != '@' && why_not(w->layout, path) == STASIS_NOT_KNOWN)
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

static void bind_names(const struct windows *w, const struct row *row, const struct bound *bound, struct field_set *set,
                       struct stasis_column *column)
{
        struct stasis_name names[NAMES_MAX];
        size_t count = row->enumeration ? enumeration(w->layout, row->enumeration, names) : 0;
        if (!count && row->names) {
                column->names = row->names(w, &column->name_count);
                return;
        }
        if (row->column.kind == STASIS_KIND_FLAGS && bound->path && bound->path[0] != '@')
                count = stasis_layout_bits(w->layout, bound->path, names, NAMES_MAX);
        if (count)
                keep_names(set, names, count > NAMES_MAX ? NAMES_MAX : count, column);
}

static const char *const key_names[FACT_KEYS] = {
        [FACT_TID] = "tid",
        [FACT_STATE] = "state",
        [FACT_WAIT_REASON] = "wait_reason",
        [FACT_WAIT_TIME] = "wait_time",
        [FACT_BASE_PRIORITY] = "base_priority",
        [FACT_ATTACHED] = "attached",
        [FACT_CREATE_TIME] = "create_time",
        [FACT_IMPERSONATING] = "impersonating",
};

static void bind_keys(struct field_set *set)
{
        for (size_t k = 0; k < FACT_KEYS; k++) {
                set->key[k] = 0;
                while (set->key[k] < set->count && strcmp(set->row[set->key[k]].column.key, key_names[k]) != 0)
                        set->key[k]++;
        }
}

struct field_set *fields_bind(const struct windows *w, const struct row *row, size_t count, enum stasis_what what)
{
        struct field_set *set = calloc(1, sizeof *set);
        if (!set)
                return NULL;
        set->row = row;
        set->count = count;
        set->bound = arena_array(&set->arena, struct bound, count);
        set->column = arena_array(&set->arena, struct stasis_column, count);
        set->fact = arena_array(&set->arena, struct stasis_fact, count);
        if (!set->bound || !set->column || !set->fact) {
                fields_free(set);
                return NULL;
        }
        for (size_t i = 0; i < count; i++) {
                if (w->layout)
                        bind_row(w, &row[i], &set->bound[i]);
                set->column[i] = row[i].column;
                set->column[i].member = set->bound[i].path;
                bind_names(w, &row[i], &set->bound[i], set, &set->column[i]);
        }
        bind_keys(set);
        set->record = (struct stasis_record){ .what = what, .column = set->column, .fact = set->fact, .count = count };
        return set;
}

void fields_free(struct field_set *set)
{
        if (!set)
                return;
        stasis_arena_free(&set->arena);
        free(set);
}

/* ---------------------------------------------------------------- decoding */

struct stasis_fact load_at(struct stasis_space *space, uint64_t va, uint32_t size)
{
        struct stasis_fact fact = { .va = va, .pa = STASIS_NOWHERE, .origin = STASIS_ORIGIN_LINK };
        enum stasis_status status = stasis_space_u(space, va, size, &fact.value);
        fact.absence = (uint8_t)absence_of(status);
        if (status != STASIS_OK)
                fact.value = 0;
        if (space->image->is_virtual || stasis_space_pa(space, va, &fact.pa) != STASIS_OK)
                fact.pa = STASIS_NOWHERE;
        return fact;
}

/* An embedded structure stands for its first word: QuadPart of a LARGE_INTEGER, Flink of a LIST_ENTRY. */
static uint32_t load_size(const struct windows *w, const struct stasis_member *m, enum stasis_kind kind)
{
        if (m->type == STASIS_TYPE_STRUCT || m->type == STASIS_TYPE_OPAQUE)
                return kind == STASIS_KIND_TIME ? 8 : w->pointer_size;
        return m->size > 8 ? 8 : m->size;
}

static struct stasis_fact load_bound(const struct windows *w, struct stasis_space *space, uint64_t base,
                                     const struct stasis_member *m, enum stasis_kind kind)
{
        uint32_t size = load_size(w, m, kind);
        struct stasis_fact fact = load_at(space, base + m->offset, size);
        if (!fact_is(&fact))
                return fact;
        if (m->bits)
                fact.value = fact.value >> m->bit & (m->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << m->bits) - 1);
        else if (kind == STASIS_KIND_SIGNED && size < 8)
                fact.value = (uint64_t)((int64_t)(fact.value << (64 - 8 * size)) >> (64 - 8 * size));
        return fact;
}

static struct stasis_space *base_space(struct decode *d, enum row_base base)
{
        return base == ON_OBJECT ? d->w->kernel : windows_user_space(d->w, d->process);
}

static struct stasis_fact load_row(struct decode *d, const struct row *row, const struct bound *bound)
{
        const uint64_t base[] = { [ON_OBJECT] = d->object, [ON_TEB] = d->teb, [ON_TEB32] = d->teb32 };
        const enum stasis_absence why[] = {
                [ON_OBJECT] = STASIS_PRESENT, [ON_TEB] = d->teb_why, [ON_TEB32] = d->teb32_why
        };
        if (row->base == ON_NOTHING)
                return fact_absent(STASIS_NOT_KNOWN);
        if (why[row->base] != STASIS_PRESENT)
                return fact_absent(why[row->base]);
        if (!bound->path)
                return fact_absent(bound->why);
        struct stasis_space *space = base_space(d, row->base);
        return space ? load_bound(d->w, space, base[row->base], &bound->member, row->column.kind)
                     : fact_absent(STASIS_NOT_KNOWN);
}

static void name_value(const struct stasis_column *column, struct stasis_fact *fact)
{
        if (column->kind == STASIS_KIND_ENUM && fact_is(fact) && !fact->text)
                fact->text = name_of(column->names, column->name_count, fact->value);
}

void fields_decode(struct decode *d)
{
        struct field_set *set = d->set;
        set->record.object = d->object;
        for (size_t i = 0; i < set->count; i++) {
                set->fact[i] = load_row(d, &set->row[i], &set->bound[i]);
                if (set->row[i].derive)
                        set->row[i].derive(d, &set->fact[i]);
                name_value(&set->column[i], &set->fact[i]);
        }
}

const struct stasis_fact *fact_of(const struct decode *d, enum fact_key key)
{
        static const struct stasis_fact none = { .va = STASIS_NOWHERE,
                                                 .pa = STASIS_NOWHERE,
                                                 .absence = STASIS_NOT_KNOWN };
        size_t i = d->set->key[key];
        return i < d->set->count ? &d->set->fact[i] : &none;
}

const struct bound *bound_of(const struct decode *d, const struct stasis_fact *fact)
{
        return &d->set->bound[fact - d->set->fact];
}

struct stasis_fact load_place(const struct decode *d, const struct place *place)
{
        struct stasis_fact fact = fact_absent(STASIS_NOT_IN_VERSION);
        if (!place->has)
                return fact;
        fact = load_at(d->w->kernel, d->object + place->offset, place->size);
        if (fact_is(&fact) && place->bits && place->bits < 64)
                fact.value = fact.value >> place->bit & ((UINT64_C(1) << place->bits) - 1);
        return fact;
}
