/* SPDX-License-Identifier: MIT */
/* Facts that are lists: rows of facts kept one by one, in the arena of the record that they belong to. */
#include <assert.h>
#include <string.h>

#include "record.h"
#include "rows.h"

const struct stasis_column *stasis_list_column_at(const struct stasis_column *column, size_t index)
{
        const struct stasis_list_rows *list = column->kind == STASIS_KIND_LIST ? column->list : NULL;
        return list && index < list->count ? &list->row[index].column : NULL;
}

struct list_maker list_begin(const struct field_set *set, const struct stasis_fact *fact, struct stasis_arena *arena,
                             size_t max)
{
        struct field_set *rows = set->list[fact - set->fact];
        assert(rows && rows->count);
        return (struct list_maker){ .set = rows, .arena = arena, .max = max };
}

/* An arena gives nothing back: doubling wastes at most as much again. */
static bool grow(struct list_maker *maker)
{
        size_t capacity = maker->capacity ? maker->capacity * 2 : 4;
        struct stasis_fact *fact = arena_array(maker->arena, struct stasis_fact, capacity * maker->set->count);
        if (!fact)
                return false;
        if (maker->rows)
                memcpy(fact, maker->fact, maker->rows * maker->set->count * sizeof *fact);
        maker->fact = fact;
        maker->capacity = capacity;
        return true;
}

bool list_keep(struct list_maker *maker)
{
        const struct field_set *set = maker->set;
        maker->cut |= maker->rows >= maker->max;
        if (maker->cut || maker->exhausted)
                return false;
        maker->exhausted = maker->rows >= maker->capacity && !grow(maker);
        if (maker->exhausted)
                return false;
        memcpy(maker->fact + maker->rows++ * set->count, set->fact, set->count * sizeof *set->fact);
        return true;
}

void list_end(struct list_maker *maker, struct stasis_fact *fact)
{
        struct stasis_list *list = arena_new(maker->arena, struct stasis_list);
        fact->absence = list ? STASIS_PRESENT : STASIS_NOT_KNOWN;
        fact->value = list ? maker->rows : 0;
        fact->text = NULL;
        if (!list)
                return;
        *list = (struct stasis_list){
                .column = maker->set->column, .columns = maker->set->count, .fact = maker->fact, .rows = maker->rows
        };
        fact->list = list;
}
