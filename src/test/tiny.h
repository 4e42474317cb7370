/* SPDX-License-Identifier: MIT */
/*
 * A whole Windows in two MiB: page tables that map themselves, a kernel, the process list, four processes, nine threads
 * on both of their lists (one on none), TEBs in the address spaces of their processes, a processor, shared data. Two
 * versions: XP SP3 x86 and 10 2004 x64. What it holds is told here, so that a test can say what must be found; what a
 * test wants broken, it breaks.
 */
#ifndef STASIS_TEST_TINY_H
#define STASIS_TEST_TINY_H

#include "world.h"

enum tiny_process { TINY_IDLE, TINY_SYSTEM, TINY_ALPHA, TINY_BETA, TINY_PROCESSES };

enum tiny_thread {
        TINY_IDLE0,    /* of Idle: the processor's idle thread */
        TINY_WORKER,   /* of System: waits, Executive */
        TINY_ATTACHED, /* of System: attached to alpha */
        TINY_RUNNER,   /* of alpha: the processor's current thread */
        TINY_CLIENT,   /* of alpha: impersonates */
        TINY_DEAD,     /* of alpha: terminated, with an exit time, no TEB any more */
        TINY_MAIN,     /* of beta, which is a WoW64 process on x64: waits */
        TINY_READY,    /* of beta */
        TINY_HIDDEN,   /* of alpha, whole, and on no list */
        TINY_THREADS
};

/* Access tokens, and how many SIDs each has: the user, its groups, on x64 the mandatory label as the last. */
enum tiny_token {
        TINY_TOKEN_SYSTEM, /* of Idle and System: S-1-5-18, Administrators, Everyone */
        TINY_TOKEN_USER,   /* of alpha and beta: S-1-5-21-1-2-3-1001, Administrators for deny only, Users */
        TINY_TOKENS
};
#define TINY_SIDS(t) ((t)->is64 ? 4u : 3u)

#define TINY_LISTED 8 /* all but TINY_HIDDEN */

/* Times: FILETIMEs of 2019-04-01 12:00:00 UTC and one hour later. */
#define TINY_CREATED UINT64_C(131985936000000000)
#define TINY_EXITED UINT64_C(131985972000000000)

struct tiny_place {
        uint32_t at;
        uint8_t size, bit, bits; /* size 0: the version has no such member; bits 0: no bit-field */
};
struct tiny_row {
        const char *name; /* "KTHREAD.State" */
        struct tiny_place x86, x64;
};
extern const struct tiny_row tiny_rows[]; /* ended by a name of NULL */

struct tiny {
        struct world world;
        bool is64;
        uint8_t pointer; /* bytes of one */
        uint64_t kernel; /* base of its image */
        struct world_pe pe;
        uint64_t head;    /* PsActiveProcessHead, in the kernel's data */
        uint64_t modules; /* PsLoadedModuleList */
        uint64_t shared, pcr, prcb;
        uint64_t pool; /* two pages for what objects point to; from pool + TINY_POOL_FREE on a test may use them */
        uint64_t impersonation;
        uint64_t token[TINY_TOKENS];
        uint64_t process[TINY_PROCESSES], thread[TINY_THREADS];
        uint64_t root[TINY_PROCESSES];
        uint64_t peb, teb[TINY_THREADS],
                teb32; /* in their process's own space; alpha and beta use the same addresses */
        struct {
                enum tiny_process process;
                uint64_t va, pa;
        } user[32];
        size_t user_count;
};

#define TINY_POOL_FREE 0x1000

void tiny_build(struct tiny *t, bool is64);
void tiny_close(struct tiny *t);

const char *tiny_name(enum tiny_process process);
uint64_t tiny_pid(enum tiny_process process);
uint64_t tiny_tid(enum tiny_thread thread);
enum tiny_process tiny_owner(enum tiny_thread thread);

struct tiny_place tiny_place(const struct tiny *t, const char *member);
/* The member of an object in the kernel's space. Asking for one that the version lacks ends the program. */
void tiny_set(struct tiny *t, uint64_t object, const char *member, uint64_t value);
uint64_t tiny_get(struct tiny *t, uint64_t object, const char *member);
void tiny_pointer(struct tiny *t, uint64_t va, uint64_t value);
/* The same in the space of a process. */
uint8_t *tiny_user_at(struct tiny *t, enum tiny_process process, uint64_t va);
/* Fresh zeroed pages there. */
void tiny_map_user(struct tiny *t, enum tiny_process process, uint64_t va, uint64_t len);
void tiny_user_u(struct tiny *t, enum tiny_process process, uint64_t va, size_t size, uint64_t value);
void tiny_user_set(struct tiny *t, enum tiny_process process, uint64_t base, const char *member, uint64_t value);
/* A UNICODE_STRING at va whose text follows at text. */
void tiny_string(struct tiny *t, uint64_t va, uint64_t text, const char *ascii);
/* A ring of head and count entries (addresses of LIST_ENTRYs). */
void tiny_ring(struct tiny *t, uint64_t head, const uint64_t *entry, size_t count);

/* A SID at va: its authority, then count parts. */
void tiny_sid(struct tiny *t, uint64_t va, unsigned authority, size_t count, const uint32_t *part);
/* Entry index of an array of SIDs at va. */
void tiny_sid_entry(struct tiny *t, uint64_t va, size_t index, uint64_t sid, uint32_t attributes);
/* Where the SIDs of its tokens lie, and their array. */
uint64_t tiny_token_sid(const struct tiny *t, enum tiny_token token, size_t index);
uint64_t tiny_token_array(const struct tiny *t, enum tiny_token token);

/* The page at va is in no image: its entry names memory that is not held. (Paged out: world_unmap.) */
void tiny_gone(struct tiny *t, uint64_t va);
/* No table maps itself any more: the scan for roots finds nothing. */
void tiny_hide_roots(struct tiny *t);

#endif
