/* SPDX-License-Identifier: MIT */
/*
 * Tables of facts. A row is the only place where a fact is described: what it is called, which member holds it, what
 * kind it is, and, where a load is not the whole story, the function that finishes it. Binding a table to a layout
 * happens once per system; decoding an object is then loads at known offsets. Output, docs/FIELDS.md and tests are
 * driven by the same rows.
 */
#ifndef STASIS_OS_WINDOWS_FIELDS_H
#define STASIS_OS_WINDOWS_FIELDS_H

#include "windows.h"

#define ROW_MEMBERS 3

enum row_base {
        ON_OBJECT, /* the object itself, in the kernel's address space */
        ON_TEB,    /* the thread's environment block, in its process's address space */
        ON_TEB32,  /* the 32-bit one of a WoW64 thread */
        ON_NOTHING /* no load: the function makes it of other facts */
};

struct decode {
        struct windows *w;
        struct field_set *set;
        uint64_t object;
        uint32_t process;                    /* index of the owning process, or of itself */
        const struct windows_thread *thread; /* NULL: a process */
        struct stasis_arena *arena;          /* texts of this record */
        uint64_t teb, teb32;                 /* 0: none, or not known */
        enum stasis_absence teb_why, teb32_why;
        bool terminated;
        bool quiet; /* decoded before: its notes are there already */
};

struct row {
        struct stasis_column column; /* key, title, group, kind, help; member and names are filled where it is bound */
        enum row_base base;
        const char
                *member[ROW_MEMBERS]; /* the first that the layout has; a place x86 keeps in every version: "@0x34:4" */
        void (*derive)(struct decode *d, struct stasis_fact *fact); /* after the load; NULL: the load is the fact */
        const char *enumeration; /* the layout's own names of the values, as of its version; else: */
        const struct stasis_name *(*names)(const struct windows *w,
                                           size_t *ret_count); /* what all versions name alike */
};

/* Rows that others build on, found once when the table is bound. */
enum fact_key {
        FACT_TID,
        FACT_STATE,
        FACT_WAIT_REASON,
        FACT_WAIT_TIME,
        FACT_BASE_PRIORITY,
        FACT_ATTACHED,
        FACT_CREATE_TIME,
        FACT_IMPERSONATING,
        FACT_KEYS
};

struct bound {
        struct stasis_member member;
        const char *path;        /* the member that was found; NULL: none */
        enum stasis_absence why; /* where none was */
};

struct field_set {
        const struct row *row;
        size_t count;
        struct bound *bound;
        struct stasis_column *column;
        struct stasis_fact *fact;
        struct stasis_record record;
        size_t key[FACT_KEYS];     /* index of the row; count: the table has none such */
        struct stasis_arena arena; /* bound, column, fact, names of flags */
};

extern const struct row thread_rows[], process_rows[];
extern const size_t thread_row_count, process_row_count;

struct field_set *fields_bind(const struct windows *w, const struct row *row, size_t count, enum stasis_what what);
void fields_free(struct field_set *set);
/* Decodes every row into set->record. */
void fields_decode(struct decode *d);

/* ---- for derive functions */
/* The fact of another row of this record, decoded before (rows are decoded in the order of the table). */
const struct stasis_fact *fact_of(const struct decode *d, enum fact_key key);
/* The member that this fact's row was bound to; NULL path: none. */
const struct bound *bound_of(const struct decode *d, const struct stasis_fact *fact);
/* Loads a place of the object, now: for facts that need more than their own member. */
struct stasis_fact load_place(const struct decode *d, const struct place *place);
/* Loads size bytes at va in space as a fact with its place. */
struct stasis_fact load_at(struct stasis_space *space, uint64_t va, uint32_t size);

#endif
