/* SPDX-License-Identifier: MIT */
/* What all that tells layouts has in common for layout.c: a structure is opened by name, its members are walked. */
#ifndef STASIS_OS_LAYOUT_INTERNAL_H
#define STASIS_OS_LAYOUT_INTERNAL_H

#include "layout.h"

struct layout_backend;

struct stasis_layout {
        const char *name;
        const struct layout_backend *backend; /* NULL: the built-in tables */
        uint32_t version[4];
        uint16_t number; /* built-in: which one, in the order of the tables */
        uint8_t pointer_size;
        uint8_t profile; /* built-in ones of one profile agree in what a thread decoder reads */
        bool derived;
};

#define LAYOUT_RULE_DEPTH 40 /* gen.py checks that no rule nests deeper */

struct isf_struct;

/* One structure of one layout. */
struct layout_view {
        const struct stasis_layout *layout;
        uint32_t size;
        uint16_t def;                 /* built-in */
        const struct isf_struct *isf; /* ISF */
        uint64_t id;                  /* else: what the backend knows it by */
};

#define LAYOUT_ANONYMOUS_MAX 16     /* unnamed structures in unnamed structures */
#define LAYOUT_STEPS_MAX (1u << 17) /* members that one walk looks at: many times what any structure has */

/* Its members, by place: name (dotted for the parts of unnamed or small foreign structures) and where it is. */
struct layout_walk {
        struct layout_view view;
        const char *name;
        struct stasis_member member;
        uint32_t at;             /* next symbol (built-in) or next member (ISF) */
        uint32_t last, end, top; /* built-in: start and end of the last member, farthest end so far */
        uint16_t stack[LAYOUT_RULE_DEPTH];
        uint8_t depth;
        /* BTF, DWARF: where the walk stands in the structure and in the unnamed ones that it went into */
        struct {
                uint64_t id;   /* of the structure */
                uint64_t at;   /* next member: BTF by number, DWARF its id */
                uint32_t base; /* where the structure starts in the outermost one */
        } level[LAYOUT_ANONYMOUS_MAX];
        uint32_t steps;
        uint64_t target; /* of a member that is a structure: its id */
};

/* What answers for one kind of layout. A function may be NULL where there is nothing to ask. */
struct layout_backend {
        bool (*open)(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view);
        bool (*next)(struct layout_walk *walk);
        /* The structure that the walk's member is; NULL: by the name of its target. */
        bool (*enter)(const struct layout_walk *walk, struct layout_view *ret_view);
        size_t (*enumeration)(const struct stasis_layout *layout, const char *name, struct stasis_name *names,
                              size_t max);
        bool (*symbol)(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva);
        bool (*has_types)(const struct stasis_layout *layout);
        bool (*has_symbols)(const struct stasis_layout *layout);
        void (*close)(struct stasis_layout *layout);
};

bool layout_builtin_open(const struct stasis_layout *layout, const char *name, size_t len,
                         struct layout_view *ret_view);
bool layout_builtin_next(struct layout_walk *walk);
size_t layout_builtin_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max);

extern const struct layout_backend layout_isf;
bool layout_isf_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view);
bool layout_isf_next(struct layout_walk *walk);
/* The same as stasis_layout_open_isf, over bytes in memory: JSON, or xz around it. name is shown in messages and kept.
 */
enum stasis_status layout_isf_parse(struct stasis_bytes bytes, const char *name, struct stasis_layout **ret_layout,
                                    struct stasis_error *err) STASIS_MUST_CHECK;
void layout_isf_close(struct stasis_layout *layout);
/* The symbol at or nearest below an address (of several at one address the first by name). */
bool layout_isf_symbol_below(const struct stasis_layout *layout, uint64_t address, const char **ret_name,
                             uint64_t *ret_address);
bool layout_isf_pdb(const struct stasis_layout *layout, struct stasis_pdb_id *ret_pdb);

/* Version of the kernel with this PDB, from the built-in tables, and its layout; NULL where not known. */
const struct stasis_layout *layout_of_pdb(const struct stasis_pdb_id *pdb, uint32_t ret_version[4]);

#endif
