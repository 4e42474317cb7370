/* SPDX-License-Identifier: MIT */
/*
 * What a thread waits for, and who could end that.
 *
 *   wait.c        the wait blocks of a thread: a ring through NextWaitBlock until 7, an array of WaitBlockCount since 8
 *   wait_what.c   what it is that a block's object belongs to: a lock, a port, a file, the thread itself
 *   wait_owner.c  who holds it: read from the lock, the message, the port
 *   wait_lock.c   ERESOURCEs, by what their waiters wait on
 *   wait_push.c   push locks, by the chain of those who wait, and AutoBoost's entries of those who hold one
 *   wait_user.c   critical sections, in the process's own memory
 *
 * A dispatcher object tells what it is (KOBJECTS), and seldom whose: only a mutant has an owner. A lock of the kernel
 * has an event, a semaphore or a gate that its waiters wait on; which lock that is follows from where the object lies
 * or from who points to it, and is believed only where both agree. What the image does not tell is absent.
 */
#ifndef STASIS_OS_WINDOWS_WAIT_H
#define STASIS_OS_WINDOWS_WAIT_H

#include "windows.h"

#define WAITS_MAX 65       /* MAXIMUM_WAIT_OBJECTS and the timeout */
#define WAIT_OWNERS_MAX 64 /* of one lock; more are counted and not named */

/* KOBJECTS: the numbers that no version changed (wdm.h, ntddk.h have no list; the public PDBs do). */
enum {
        KIND_NOTIFICATION_EVENT = 0,
        KIND_SYNCHRONIZATION_EVENT = 1,
        KIND_MUTANT = 2,
        KIND_QUEUE = 4,
        KIND_SEMAPHORE = 5,
        KIND_GATE = 7,
        KIND_TIMER = 8,
        KIND_SYNCHRONIZATION_TIMER = 9
};

enum wait_what {
        WAIT_OBJECT,  /* the object itself: nothing that it is a part of is known */
        WAIT_TIMEOUT, /* the thread's own timer: the wait ends by itself */
        WAIT_SUSPENSION,
        WAIT_KEYED_EVENT,
        WAIT_LPC_REPLY,
        WAIT_ALPC_REPLY,
        WAIT_RESOURCE_EXCLUSIVE,
        WAIT_RESOURCE_SHARED,
        WAIT_FAST_MUTEX,
        WAIT_GUARDED_MUTEX,
        WAIT_PUSH_LOCK,
        WAIT_CRITICAL_SECTION,
        WAIT_ADDRESS, /* by NtWaitForAlertByThreadId: whatever user mode makes of that address */
        WAIT_FILE,
        WAIT_IRP,
        WAIT_WHATS
};

struct windows_wait {
        uint64_t block;  /* its KWAIT_BLOCK; 0: a gate, which has none that tells */
        uint64_t object; /* dispatcher object; 0: not readable */
        uint64_t key;    /* of the block, 0 without one */
        uint64_t given;  /* what the block has as its object; of a wait by address that address */
        bool kind_known;
        bool own_timer;     /* since 8: object is not what the block says */
        bool by_address;    /* there is no object: NtWaitForAlertByThreadId */
        uint8_t kind;       /* KOBJECTS */
        uint8_t what;       /* enum wait_what */
        uint64_t container; /* the lock, port or file that the object belongs to, or 0; of a critical section its
                               address in the process */
        uint64_t owner[WAIT_OWNERS_MAX]; /* KTHREADs; of a port without a thread one EPROCESS */
        size_t owners, owners_all;       /* owners_all: also those that are not in owner */
        bool process;                    /* owner[0] is a process: any of its threads may answer */
        bool all;                        /* owner[0] is a process: all of its threads must end */
        enum stasis_absence owner_why;   /* STASIS_PRESENT, or why there is none */
        const char *from;                /* member that told the owner; static */
        const char *name;                /* of the lock or port, of the arena given; NULL: none, or not known */
};

struct wait_list {
        struct windows_wait wait[WAITS_MAX];
        size_t count;
        enum stasis_absence why; /* STASIS_PRESENT, or why there is no list at all */
        bool torn;               /* blocks behind the last one are not to be had */
        uint64_t torn_at;
        bool all; /* WaitAll: every one must be signaled */
};

/*
 * Of a thread that waits. Texts are of the arena. why is STASIS_NOT_APPLICABLE where it does not wait. owners false:
 * what each wait is on and who holds it is not asked.
 */
void windows_waits(struct windows *w, const struct windows_thread *thread, struct stasis_arena *arena, bool owners,
                   struct wait_list *ret_list);
const char *wait_what_name(enum wait_what what); /* stable: "mutex" is a mutant's; see wait_what.c */
/* The thread of this object among those that were found; w->thread_count where there is none. */
size_t windows_thread_index(struct windows *w, uint64_t object);
void windows_waits_free(struct windows *w);

#endif
