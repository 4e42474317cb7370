/* SPDX-License-Identifier: MIT */
/*
 * The tables that gen.py makes. Everything is a number into another table:
 *
 *   struct name -> runs (from which layout on which definition holds, 0xffff: none) -> definition (size, sequence of
 * symbols) symbol: below layout_item_count an item; else a rule, which stands for two symbols item: a member (name,
 * shape) and the step to it from the members before name: offset / 2 in layout_names
 */
#ifndef STASIS_OS_LAYOUTS_TABLE_H
#define STASIS_OS_LAYOUTS_TABLE_H

#include "../layout_internal.h"

#define LAYOUT_NONE 0xffff

/*
 * Step: from the end of the last member, aligned to what the member itself needs (its size's lowest bit, at most a
 * pointer), this many bytes further; or, the same from the farthest end of all members so far; or with the high bit,
 * this many bytes from the *start* of the last one (members of a union, bits of a word).
 */
#define LAYOUT_STEP_TOP 0x7fff
#define LAYOUT_STEP_BACK 0x8000

struct layout_shape {
        uint16_t size; /* of one element; 0 for pointers and structures, whose layout tells */
        uint16_t count;
        uint16_t target; /* name; for STASIS_TYPE_STRUCT a number in layout_structs */
        uint8_t type, bit, bits;
};
struct layout_item {
        uint16_t name, shape, step;
};
struct layout_rule {
        uint16_t first, second;
};
struct layout_def {
        uint16_t size, first; /* first symbol in layout_sequence; ends where the next definition starts */
};
struct layout_run {
        uint16_t layout, def;
};
struct layout_group {
        uint16_t name, first; /* first run; ends where the next group starts */
};
struct layout_value {
        uint16_t name;
        int32_t value;
};
struct layout_cover {
        uint16_t build, revision;
        uint16_t layout;
};
struct layout_kernel {
        uint8_t guid[16];
        uint8_t age, layout;
        uint16_t version[4];
        uint32_t places; /* in layout_places: one number a symbol */
};
struct layout_pe {
        uint32_t timestamp;
        uint16_t pages, build, revision; /* version 10.0.build.revision, x64 */
};

extern const char layout_names[];
extern const struct stasis_layout layout_builtin[];
extern const struct layout_cover layout_covers[]; /* sorted */
extern const struct layout_shape layout_shapes[];
extern const struct layout_item layout_items[];
extern const struct layout_rule layout_rules[];
extern const uint16_t layout_sequence[];
extern const struct layout_def layout_defs[];
extern const struct layout_run layout_runs[];
extern const struct layout_group layout_structs[]; /* sorted by name */
extern const struct layout_group layout_enums[];   /* sorted by name */
extern const struct layout_run layout_enum_runs[];
extern const uint16_t layout_enum_defs[]; /* first value; ends where the next starts */
extern const struct layout_value layout_values[];
extern const uint16_t layout_symbols[];             /* names */
extern const struct layout_kernel layout_kernels[]; /* sorted by guid */
extern const uint8_t layout_places[];               /* variable-length numbers: 0 unknown, else 1 + zigzag step */
extern const struct layout_pe layout_pes[];         /* sorted by timestamp */
extern const size_t layout_builtin_count, layout_cover_count, layout_item_count, layout_struct_count, layout_enum_count,
        layout_symbol_count, layout_kernel_count, layout_place_count, layout_pe_count;

#endif
