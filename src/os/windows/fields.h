/* SPDX-License-Identifier: MIT */
/* Windows' side of the tables of facts (../rows.h): a thread or process while it is decoded. */
#ifndef STASIS_OS_WINDOWS_FIELDS_H
#define STASIS_OS_WINDOWS_FIELDS_H

#include "windows.h"

enum row_base {
        ON_OBJECT, /* the object itself, in the kernel's address space */
        ON_TEB,    /* the thread's environment block, in its process's address space */
        ON_TEB32,  /* the 32-bit one of a WoW64 thread */
        ON_IRP,    /* of a list: an IRP; places that wdm.h tells are believed */
        ON_APC,    /* a KAPC, likewise */
        ON_INNER,  /* a stack location of an IRP, likewise */
        ON_TOKEN   /* its access token; of a thread, the one that it acts with */
};

struct decode {
        struct windows *w;
        struct field_set *set;
        uint64_t object;
        struct stasis_space *space;          /* where its bytes are, and */
        uint64_t at;                         /* at which address there: the object's own, but for a ghost */
        uint32_t process;                    /* index of the owning process, or of itself */
        const struct windows_thread *thread; /* NULL: a process */
        struct stasis_arena *arena;          /* texts of this record */
        uint64_t teb, teb32;                 /* 0: none, or not known */
        enum stasis_absence teb_why, teb32_why;
        uint64_t token; /* as token_why says */
        enum stasis_absence token_why;
        /* of a list of what is queued on a thread (thread_io.h): the object is an entry */
        uint64_t owner; /* the thread */
        uint64_t inner; /* a stack location, an APC: as inner_why says */
        enum stasis_absence inner_why;
        uint8_t which; /* of several lists */
        bool terminated;
        struct thread_stand *stand; /* stand.h, as long as texts; NULL: nobody has asked */
        bool quiet;                 /* decoded before: its notes are there already */
        const struct decode *of;    /* of a list's row: the object that the list is of, */
        const void *item;           /* and whatever list_add was given; else NULL */
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
        FACT_TOKEN,
        FACT_FIBER,
        FACT_KEYS
};

extern const struct row thread_rows[], process_rows[];
extern const size_t thread_row_count, process_row_count;

struct field_set *fields_bind(const struct windows *w, const struct row *row, size_t count, enum stasis_what what);
/* Decodes every row into set->record. */
void fields_decode(struct decode *d);

/* ---- for derive functions */
/* The fact of another row of this record, decoded before (rows are decoded in the order of the table). */
static inline const struct stasis_fact *fact_of(const struct decode *d, enum fact_key key)
{
        return row_fact(d->set, key);
}
/* The member that this fact's row was bound to; NULL path: none. */
static inline const struct bound *bound_of(const struct decode *d, const struct stasis_fact *fact)
{
        return row_bound(d->set, fact);
}
/* Loads a place of the object, now: for facts that need more than their own member. */
struct stasis_fact load_place(const struct decode *d, const struct place *place);
/*
 * The next row of a list (../rows.h: list_begin): decodes what lies at `object` in the kernel by the rows of the list,
 * whose functions find item in their struct decode. False: no more are taken.
 */
bool list_add(const struct decode *d, struct list_maker *maker, uint64_t object, const void *item);
/* Ends the list, and notes where it was cut. */
void list_done(const struct decode *d, struct list_maker *maker, struct stasis_fact *fact);

#endif
