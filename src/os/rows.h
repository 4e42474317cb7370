/* SPDX-License-Identifier: MIT */
/*
 * Tables of facts. A row is the only place where a fact is described: what it is called, which member holds it, what
 * kind it is, and, where a load is not the whole story, the function that finishes it. Binding a table to a layout
 * happens once per system; decoding an object is then loads at known offsets. Output, docs/FIELDS.md and tests are
 * driven by the same rows. The decoders of all operating systems share this; what an object is they know themselves.
 */
#ifndef STASIS_OS_ROWS_H
#define STASIS_OS_ROWS_H

#include <stasis/stasis.h>

#include "../base/arena.h"
#include "../mem/space.h"
#include "layout.h"

#define ROW_MEMBERS 3
#define ROW_KEYS_MAX 16
#define ON_NOTHING 0xff /* no load: the function makes it of other facts */

/* An object while it is decoded: each operating system's own. */
struct decode;

struct row {
        struct stasis_column column; /* key, title, group, kind, help; member and names are filled where it is bound */
        uint8_t base;                /* what the members are relative to: the decoder's own numbers, or ON_NOTHING */
        const char *member[ROW_MEMBERS]; /* the first that the layout has; a place that is in no layout: "@0x34:4" */
        void (*derive)(struct decode *d, struct stasis_fact *fact); /* after the load; NULL: the load is the fact */
        const char *enumeration; /* the layout's own names of the values, as of its version; else: */
        const struct stasis_name *(*names)(const void *os, size_t *ret_count); /* what all versions name alike */
};

/* What the rows of a list have: a table like that of the record. None of it is a list. */
struct stasis_list_rows {
        const struct row *row;
        size_t count;
        const char *const *key; /* as of a row_table */
        size_t key_count;
};

/* A table, and the keys of the rows that others build on: found once, when the table is bound. */
struct row_table {
        const struct row *row;
        size_t count;
        enum stasis_what what;
        const char *const *key;
        size_t key_count; /* at most ROW_KEYS_MAX */
};

struct row_binding {
        const struct stasis_layout *layout; /* NULL: nothing is bound */
        uint8_t pointer_size;
        const void *os;                                 /* given to names and fixed_ok */
        bool (*fixed_ok)(const void *os, uint8_t base); /* NULL: no "@" place is believed */
};

struct bound {
        struct stasis_member member;
        const char *path;        /* the member that was found; NULL: none */
        enum stasis_absence why; /* where none was */
};

struct field_set {
        const struct row *row;
        size_t count;
        uint8_t pointer_size;
        struct bound *bound;
        struct stasis_column *column;
        struct stasis_fact *fact;
        bool *left_out; /* costly ones that nobody asks for */
        struct stasis_record record;
        size_t key[ROW_KEYS_MAX];  /* index of the row; count: the table has none such */
        struct stasis_arena arena; /* bound, column, fact, names of flags, list */
        struct field_set **list;   /* by row: what a list's rows are decoded with; NULL: no list */
};

/* NULL where memory is exhausted. */
struct field_set *rows_bind(const struct row_table *table, const struct row_binding *binding);
void rows_free(struct field_set *set);
/* Costly rows that are not among these are left out from now on; keys NULL: none is. */
void rows_choose(struct field_set *set, const char *const *keys, size_t count);

/* Where what a row is relative to stands. STASIS_PRESENT, or why it has no place. */
typedef enum stasis_absence row_base_fn(struct decode *d, uint8_t base, struct stasis_space **ret_space,
                                        uint64_t *ret_va);
/* Decodes every row into set->record, in the order of the table. */
void rows_decode(struct field_set *set, uint64_t object, struct decode *d, row_base_fn *base);

/* ---- for derive functions */
/* The fact of another row of this record, decoded before. */
const struct stasis_fact *row_fact(const struct field_set *set, size_t key);
/* The member that this fact's row was bound to; NULL path: none. */
static inline const struct bound *row_bound(const struct field_set *set, const struct stasis_fact *fact)
{
        return &set->bound[fact - set->fact];
}
/* Loads size bytes at va in space as a fact with its place. */
struct stasis_fact load_at(struct stasis_space *space, uint64_t va, uint32_t size);
/* Why a read failed, as a fact's absence: by its status alone, */
enum stasis_absence absence_of(enum stasis_status status);
/* and of [va, va + len) in space: by what its first page that is not there is. */
enum stasis_absence absence_at(struct stasis_space *space, uint64_t va, size_t len, enum stasis_status status);

/* ---- facts that are lists: begun in the derive function of the row, then a row for each object, then ended */

struct list_maker {
        struct field_set *set; /* of the rows; the decoder's own, for the time of one row */
        struct stasis_arena *arena;
        struct stasis_fact *fact;
        size_t rows, capacity, max;
        bool cut;       /* there were more than max */
        bool exhausted; /* memory: what was kept stands */
};

/* max: a bound of ours on what the image says. */
struct list_maker list_begin(const struct field_set *set, const struct stasis_fact *fact, struct stasis_arena *arena,
                             size_t max);
/* Keeps a copy of what maker->set holds now as the next row. False: it is not kept, and nothing more will be. */
bool list_keep(struct list_maker *maker);
/* Makes the fact the list of what was kept; its place stays. */
void list_end(struct list_maker *maker, struct stasis_fact *fact);

/* ---- places that a walk itself needs, bound once from the layout */

/* A member that the version lacks has has == false. */
struct place {
        uint32_t offset;
        uint8_t size, bit, bits; /* bits != 0: a bit-field of that width */
        bool has;
};
struct place_row {
        size_t place;        /* offset in the decoder's structure of places */
        const char *path[2]; /* the second serves where the first does not exist */
};
/* ret_places: a structure of struct place, all of whose members are in rows. */
void places_bind(const struct stasis_layout *layout, const struct place_row *rows, size_t count, void *ret_places);
/* The member (or bit-field) at place of the object; STASIS_UNSUPPORTED where the version has none. */
enum stasis_status read_place(struct stasis_space *space, uint64_t object, const struct place *place,
                              uint64_t *ret_value) STASIS_MUST_CHECK;
/* The same as a fact with its place. */
struct stasis_fact load_place_of(struct stasis_space *space, uint64_t object, const struct place *place);

#endif
