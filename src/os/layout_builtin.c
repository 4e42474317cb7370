/* SPDX-License-Identifier: MIT */
/* The built-in tables (layouts/table.h tells their form): structures, enumerations, symbols. */
#include <string.h>

#include "layouts/table.h"

static const char *name_at(uint16_t name) { return layout_names + 2 * (size_t)name; }

/* The group of this name, by binary search; -1 where there is none. */
static ptrdiff_t group_find(const struct layout_group *groups, size_t count, const char *name, size_t len)
{
        size_t low = 0, high = count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const char *text = name_at(groups[middle].name);
                int order = strncmp(text, name, len);
                if (order == 0 && text[len] == '\0')
                        return (ptrdiff_t)middle;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return -1;
}

/* What holds for this layout: the last run that starts at it or before. */
static uint16_t run_at(const struct layout_run *runs, const struct layout_group *group, uint16_t layout)
{
        uint16_t def = LAYOUT_NONE;
        for (size_t i = group[0].first; i < group[1].first && runs[i].layout <= layout; i++)
                def = runs[i].def;
        return def;
}

static bool view_open(const struct stasis_layout *layout, size_t group, struct layout_view *ret_view)
{
        uint16_t def = run_at(layout_runs, &layout_structs[group], layout->number);
        if (def == LAYOUT_NONE)
                return false;
        *ret_view = (struct layout_view){ .layout = layout, .size = layout_defs[def].size, .def = def };
        return true;
}

bool layout_builtin_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        ptrdiff_t group = group_find(layout_structs, layout_struct_count, name, len);
        return group >= 0 && view_open(layout, (size_t)group, ret_view);
}

/* The next item of the definition: rules are taken apart on the stack of the walk. */
static const struct layout_item *item_next(struct layout_walk *walk)
{
        const struct layout_def *def = &layout_defs[walk->view.def];
        uint16_t symbol;
        if (walk->depth > 0)
                symbol = walk->stack[--walk->depth];
        else if (def[0].first + walk->at < def[1].first)
                symbol = layout_sequence[def[0].first + walk->at++];
        else
                return NULL;
        while (symbol >= layout_item_count) {
                const struct layout_rule *rule = &layout_rules[symbol - layout_item_count];
                walk->stack[walk->depth++] = rule->second;
                symbol = rule->first;
        }
        return &layout_items[symbol];
}

static uint32_t step_align(uint32_t at, uint32_t size, uint32_t pointer_size)
{
        uint32_t unit = size ? size & -size : 1;
        if (unit > pointer_size)
                unit = pointer_size;
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): no layout has pointers of no bytes */
        return (at + unit - 1) / unit * unit;
}

static uint32_t step_from(const struct layout_walk *walk, uint16_t step, uint32_t size)
{
        uint8_t pointer_size = walk->view.layout->pointer_size;
        if (step >= LAYOUT_STEP_BACK)
                return walk->last + (step - (uint32_t)LAYOUT_STEP_BACK);
        if (step == LAYOUT_STEP_TOP)
                return step_align(walk->top, size, pointer_size);
        return step_align(walk->end, size, pointer_size) + step;
}

bool layout_builtin_next(struct layout_walk *walk)
{
        const struct layout_item *item = item_next(walk);
        if (!item)
                return false;
        const struct layout_shape *shape = &layout_shapes[item->shape];
        struct stasis_member *member = &walk->member;
        struct layout_view target;
        *member = (struct stasis_member){
                .size = shape->size, .count = shape->count, .bit = shape->bit, .bits = shape->bits, .type = shape->type
        };
        if (shape->type == STASIS_TYPE_STRUCT) {
                member->target = name_at(layout_structs[shape->target].name);
                if (view_open(walk->view.layout, shape->target, &target))
                        member->size = target.size;
        } else {
                member->target = shape->target ? name_at(shape->target) : NULL;
                if (shape->type == STASIS_TYPE_POINTER)
                        member->size = walk->view.layout->pointer_size;
        }
        member->offset = step_from(walk, item->step, member->size);
        walk->name = name_at(item->name);
        walk->last = member->offset;
        walk->end = member->offset + member->size * member->count;
        if (walk->top < walk->end)
                walk->top = walk->end;
        return true;
}

size_t layout_builtin_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max)
{
        ptrdiff_t group = group_find(layout_enums, layout_enum_count, name, strlen(name));
        uint16_t def = group < 0 ? LAYOUT_NONE : run_at(layout_enum_runs, &layout_enums[group], layout->number);
        if (def == LAYOUT_NONE)
                return 0;
        size_t count = (size_t)(layout_enum_defs[def + 1] - layout_enum_defs[def]);
        for (size_t i = 0; i < count && i < max; i++) {
                const struct layout_value *value = &layout_values[layout_enum_defs[def] + i];
                names[i] = (struct stasis_name){ .name = name_at(value->name), .value = (uint32_t)value->value };
        }
        return count;
}

/* ---- kernels by PDB */

static const struct layout_kernel *kernel_find_pdb(const struct stasis_pdb_id *pdb)
{
        size_t low = 0, high = layout_kernel_count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct layout_kernel *kernel = &layout_kernels[middle];
                int order = memcmp(kernel->guid, pdb->guid, sizeof kernel->guid);
                if (order == 0)
                        return kernel->age == pdb->age ? kernel : NULL;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

const struct stasis_layout *layout_of_pdb(const struct stasis_pdb_id *pdb, uint32_t ret_version[4])
{
        const struct layout_kernel *kernel = pdb ? kernel_find_pdb(pdb) : NULL;
        if (!kernel)
                return NULL;
        for (size_t i = 0; i < 4; i++)
                ret_version[i] = kernel->version[i];
        return &layout_builtin[kernel->layout];
}

static uint32_t place_next(const uint8_t **at)
{
        const uint8_t *end = layout_places + layout_place_count;
        uint32_t value = 0;
        for (unsigned shift = 0; *at < end && shift < 32; shift += 7) {
                uint8_t byte = *(*at)++;
                value |= (uint32_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        break;
        }
        return value;
}

bool stasis_symbol_rva(const struct stasis_pdb_id *pdb, const char *symbol, uint32_t *ret_rva)
{
        const struct layout_kernel *kernel = pdb ? kernel_find_pdb(pdb) : NULL;
        if (!kernel)
                return false;
        const uint8_t *at = layout_places + kernel->places;
        uint32_t place = 0;
        for (size_t i = 0; i < layout_symbol_count; i++) {
                uint32_t step = place_next(&at);
                if (step > 0) /* zigzag: the lowest bit is the sign */
                        place += (step - 1) >> 1 ^ -((step - 1) & 1);
                if (strcmp(name_at(layout_symbols[i]), symbol) != 0)
                        continue;
                *ret_rva = place;
                return step > 0;
        }
        return false;
}

const struct stasis_layout *stasis_layout_at(size_t index)
{
        return index < layout_builtin_count ? &layout_builtin[index] : NULL;
}

const struct stasis_layout *stasis_layout_by_name(const char *name)
{
        for (size_t i = 0; i < layout_builtin_count; i++)
                if (strcmp(layout_builtin[i].name, name) == 0)
                        return &layout_builtin[i];
        return NULL;
}

const char *stasis_layout_name_at(size_t index)
{
        return index < layout_builtin_count ? layout_builtin[index].name : NULL;
}
