/* SPDX-License-Identifier: MIT */
/* An ISF file as tables. layout_isf_read.c reads it, layout_isf_parse.c makes the tables, layout_isf.c answers. */
#ifndef STASIS_OS_LAYOUT_ISF_H
#define STASIS_OS_LAYOUT_ISF_H

#include "../base/arena.h"
#include "layout_internal.h"

struct isf_base {
        const char *name;
        uint32_t size;
        enum stasis_type type; /* void and floating-point numbers are opaque */
};
struct isf_member {
        const char *name;
        struct stasis_member member;
};
struct isf_struct {
        const char *name;
        uint32_t size;
        uint32_t first, count; /* members */
};
struct isf_enum {
        const char *name;
        uint32_t size;
        uint32_t first, count; /* values */
};
struct isf_symbol {
        const char *name;
        uint64_t address;
};

#define ISF_TABLE(type) \
        struct { \
                type *at; \
                size_t count, capacity; \
        }

/* Every table is sorted by name, except members and values, which lie as their structure or enumeration says. */
struct isf {
        struct stasis_layout layout; /* first: a layout that is not built in is one of these */
        struct stasis_arena names;
        ISF_TABLE(struct isf_base) bases;
        ISF_TABLE(struct isf_struct) structs;
        ISF_TABLE(struct isf_member) members;
        ISF_TABLE(struct isf_enum) enums;
        ISF_TABLE(struct stasis_name) values;
        ISF_TABLE(struct isf_symbol) symbols;
        struct isf_symbol *by_address; /* the same once more; NULL: nobody has asked yet */
        struct stasis_pdb_id pdb;
        bool pdb_known;
};

/* Item of this name in a table sorted by name, whose items start with a name; NULL where there is none. */
const void *isf_find(const void *items, size_t count, size_t item_size, const char *name, size_t len);

#endif
