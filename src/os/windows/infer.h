/* SPDX-License-Identifier: MIT */
/*
 * Member places inferred from what must hold in this image, without any layout.
 *
 *   infer_sample.c   the process ring and the thread lists: what rules are held against; infer_system.c: where System
 *                    may be; infer_processors.c: the processor blocks
 *   infer_rules.c    the table: one row a member; infer_process.c, infer_thread.c, infer_state.c: what each
 *                    row asks of one object
 *   infer.c          the search through all places, and the verdicts
 *   infer_layout.c   the layout that they make; other layouts held against them (windows.h has both calls)
 */
#ifndef STASIS_OS_WINDOWS_INFER_H
#define STASIS_OS_WINDOWS_INFER_H

#include "windows.h"

/* Sizes of the sample: enough for every rule, and a bound of time and memory whatever the image holds. */
#define INFER_PROCESSES_MAX 128
#define INFER_THREADS_MAX 512
#define INFER_THREADS_OF_ONE 48 /* of one process, so that System's many do not fill the sample */
#define INFER_PROCESSORS_MAX 64
#define INFER_SPAN 0xb00        /* of an object is looked at; the largest ETHREAD has 0x900, EPROCESS 0xbc0 */
#define INFER_READS_MAX 4000000 /* half a second's; an honest system of 512 threads takes 100,000 */

struct infer_object {
        uint64_t va;
        uint8_t *bytes;
        uint32_t len;   /* readable, from the start; at most the distance to the next object */
        uint32_t owner; /* thread: index of the process on whose list it is; INFER_NOBODY: only a processor names it */
        uint64_t pid;   /* process: once its place is known */
        bool current, next; /* thread: of a processor */
        bool attached;      /* thread: once the places of its process pointers are known */
};
#define INFER_NOBODY UINT32_MAX

/* In the order in which they are looked for: a rule may ask where an earlier one found its member. */
enum infer_member {
        INFER_LINKS,
        INFER_PID,
        INFER_NAME,
        INFER_DTB,
        INFER_KPROCESS_THREADS,
        INFER_EPROCESS_THREADS,
        INFER_KTHREAD_ENTRY,
        INFER_ETHREAD_ENTRY,
        INFER_CID_PROCESS,
        INFER_CID_THREAD,
        INFER_APC_PROCESS,
        INFER_KTHREAD_PROCESS,
        INFER_THREADS_PROCESS,
        INFER_SAVED_PROCESS,
        INFER_APC_INDEX,
        INFER_STACK_LIMIT,
        INFER_INITIAL_STACK,
        INFER_STACK_BASE,
        INFER_KERNEL_STACK,
        INFER_TRAP_FRAME,
        INFER_TEB,
        INFER_PEB,
        INFER_PARENT,
        INFER_WAIT_PRCB,
        INFER_STATE,
        INFER_WAIT_BLOCKS,
        INFER_WAIT_REASON,
        INFER_WAIT_MODE,
        INFER_WAIT_IRQL,
        INFER_PROCESS_CREATED,
        INFER_PROCESS_EXITED,
        INFER_CREATED,
        INFER_EXITED,
        INFER_START,
        INFER_WIN32_START,
        INFER_ACTIVE_THREADS,
        INFER_WOW64,
        INFER_OBJECT_TABLE,
        INFER_MEMBERS
};

enum infer_verdict {
        INFER_NOT_TRIED,
        INFER_FOUND,
        INFER_THIN,      /* nothing, or too little, speaks for any place */
        INFER_AMBIGUOUS, /* more than one place fits */
        INFER_DENIED     /* the debugger block tells a place that does not fit */
};

struct inferred {
        enum infer_verdict verdict;
        uint32_t at, other;  /* other: ambiguous: the second place that fits */
        uint32_t agreed, of; /* objects that support it, of those that say anything */
        bool told;           /* the debugger block says so too */
};

struct infer {
        struct windows *w;
        struct stasis_space *space; /* the kernel's */
        struct stasis_space *user;  /* of process user_of */
        uint32_t user_of;
        uint8_t pointer;
        uint64_t system, system_pa;
        struct infer_object process[INFER_PROCESSES_MAX], thread[INFER_THREADS_MAX];
        size_t process_count, thread_count;
        uint64_t prcb[INFER_PROCESSORS_MAX];
        size_t prcb_count;
        bool prcb_all; /* as many as the system says it has */
        struct inferred found[INFER_MEMBERS];
        uint8_t taken[2][INFER_SPAN]; /* bytes that belong to a member found before; by enum infer_of */
        uint32_t reads;
        struct stasis_arena arena;
        bool sampled;      /* false: no System process with a ring and threads: nothing else means anything */
        const char *lacks; /* which of them */
        bool no_memory;
};
#define INFER_SYSTEMS_MAX 8

/* What one object says about a member at one place. */
enum infer_vote { VOTE_NO, VOTE_YES, VOTE_NONE };
enum infer_of { OF_PROCESS, OF_THREAD };
#define INFER_WHERE_MAX 16

struct infer_candidate {
        uint32_t at, yes, no;
};

struct infer_rule {
        const char *structure, *name;
        enum infer_of of;
        uint8_t size; /* 0: a pointer's */
        enum stasis_type type;
        uint8_t least; /* objects that must support it */
        enum infer_vote (*vote)(struct infer *s, const struct infer_object *o, uint32_t at);
        /* The places to try; NULL: all. What never moved against another member, and must be confirmed like any. */
        size_t (*where)(const struct infer *s, uint32_t at[static INFER_WHERE_MAX]);
        /* What must hold for all objects together; NULL: nothing more. */
        bool (*column)(struct infer *s, uint32_t at);
        /* Which of several that fit; NULL: none, they are ambiguous. */
        const struct infer_candidate *(*pick)(const struct infer_candidate *c, size_t count);
        size_t told;      /* place in struct kdbg of the debugger block's own answer; 0: it has none */
        const char *text; /* what must hold, as the trace says it */
};
extern const struct infer_rule infer_table[INFER_MEMBERS];

/* ---- readers */
static inline bool infer_has(const struct infer *s, enum infer_member m) { return s->found[m].verdict == INFER_FOUND; }
static inline bool infer_holds(const struct infer_object *o, uint32_t at, uint32_t size) { return at + size <= o->len; }
/* The object's word at a place that it holds. */
uint64_t infer_word(const struct infer_object *o, uint32_t at, uint8_t size);
/* The member found before, of an object that holds it; false else. */
bool infer_get(const struct infer *s, const struct infer_object *o, enum infer_member m, uint64_t *ret_value);
bool infer_read(struct infer *s, uint64_t va, uint8_t size, uint64_t *ret_value);
bool infer_is_kernel(const struct infer *s, uint64_t va); /* aligned like a pointer */
/* Does the object at va begin like a process (3) or a thread (6)? */
bool infer_is_object(struct infer *s, uint64_t va, unsigned kind);
/* Does a LIST_ENTRY lie at va, with both neighbours pointing back? */
bool infer_is_list(struct infer *s, uint64_t va);
bool infer_is_prcb(struct infer *s, uint64_t va);
struct stasis_space *infer_user_space(struct infer *s, uint32_t process); /* NULL where its root is not known */
bool infer_read_user(struct infer *s, uint32_t process, uint64_t va, uint8_t size, uint64_t *ret_value);

/* ---- the sample */
bool infer_snapshot(struct infer *s, struct infer_object *o, uint64_t va);
bool infer_sample_processes(struct infer *s, uint64_t system); /* INFER_LINKS, INFER_PID */
bool infer_sample_threads(struct infer *s);                    /* the lists' heads and entries */
void infer_sample_processors(struct infer *s);
/* Where System's object may be: exports, symbols, and what lies before the first entry of the process list. */
size_t infer_systems(struct infer *s, uint64_t va[static INFER_SYSTEMS_MAX]);

/* ---- the search */
uint8_t infer_size(const struct infer *s, enum infer_member m);
/* Do more objects deny that the member is at this place than support it? */
bool infer_denies(struct infer *s, enum infer_member m, uint32_t at);

#endif
