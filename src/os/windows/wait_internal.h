/* SPDX-License-Identifier: MIT */
/* Between the files of wait.h. */
#ifndef STASIS_OS_WINDOWS_WAIT_INTERNAL_H
#define STASIS_OS_WINDOWS_WAIT_INTERNAL_H

#include "object_header.h"
#include "wait.h"

/* KWAIT_REASON: numbers that no version changed (the public PDBs; ntddk.h). */
enum {
        REASON_EXECUTIVE = 0,
        REASON_SUSPENDED = 5,
        REASON_USER_REQUEST = 6,
        REASON_WR_USER_REQUEST = 13,
        REASON_LPC_REPLY = 17,
        REASON_KEYED_EVENT = 21,
        REASON_RESOURCE = 27,
        REASON_PUSH_LOCK = 28,
        REASON_MUTEX = 29,
        REASON_FAST_MUTEX = 34,
        REASON_GUARDED_MUTEX = 35,
        REASON_ALERT_BY_THREAD_ID = 37
};
#define STATUS_TIMEOUT 0x102 /* key of the block of a thread's own timer */

struct wait_places {
        /* _KTHREAD, _ETHREAD */
        struct place reason, mode, list, gate, blocks, timer, block, suspend, lpc_semaphore, alpc_semaphore,
                keyed_semaphore, keyed_in_use, keyed_value, alpc_message, lpc_id, lpc_message, received_id,
                received_valid, stack_base, kernel_stack, irp_list;
        /* _KWAIT_BLOCK, _DISPATCHER_HEADER, _KMUTANT */
        struct place b_thread, b_object, b_next, b_key, b_type, signal, waiters, mutant_owner;
        /* _ERESOURCE, _OWNER_ENTRY */
        struct place r_list, r_shared, r_chain, r_exclusive, r_owner, r_owners, r_table, r_flag, r_active, o_thread,
                o_count, o_size;
        /* _EX_PUSH_LOCK, _KLOCK_ENTRY, _KMUTANT, _KTIMER, _KQUEUE */
        struct place push_waiting, lock_entries, e_lock, e_waiting, e_acquired, e_thread, mutant_abandoned, due,
                inserted, q_current, q_maximum, q_threads;
        /* ALPC, LPC */
        struct place m_waiting, m_server, m_owner_port, m_connection, m_info, i_connection, i_server, i_client,
                p_process, l_connection, l_process, l_thread, l_creator, l_sender;
        /* _FILE_OBJECT, _IRP */
        struct place f_event, f_lock, f_device, f_name, irp_event, irp_file;
        /* the process */
        struct place handles, loader_lock;
};

/* A thread while its waits are read. */
struct wait_of {
        struct windows *w;
        const struct windows_thread *thread;
        struct stasis_arena *arena;
        uint64_t reason;
        bool user_mode; /* the wait was asked for by user mode */
};

struct thread_at {
        uint64_t object;
        size_t index;
};
struct resource_at {
        uint64_t awaited, resource;
        bool shared;
};
struct holder {
        uint64_t lock, thread;
};
struct receiver {
        uint64_t id, thread;
};
struct section_at { /* a critical section whose event somebody made */
        uint64_t event, va, owner_tid;
};

struct wait_state {
        struct wait_places at;
        uint32_t block_size, owner_size, header_size, entry_size;
        struct thread_at *thread; /* by object */
        size_t thread_count;
        bool resources_known;
        struct resource_at *resource; /* by awaited */
        size_t resource_count, resource_capacity;
        bool holders_known;
        struct holder *holder; /* of push locks, by lock */
        size_t holder_count, holder_capacity;
        bool receivers_known;
        struct receiver *receiver; /* by id */
        size_t receiver_count, receiver_capacity;
        uint32_t sections_of; /* process whose critical sections these are; UINT32_MAX: none */
        struct section_at *section;
        size_t section_count, section_capacity;
};

/* w->waits, made on the first call; NULL where memory is exhausted. */
struct wait_state *wait_state(struct windows *w);
/* Member of an object in the kernel; false where it is not to be had. */
bool wait_read(const struct windows *w, uint64_t object, const struct place *place, uint64_t *ret_value);
/* A pointer that leads into the kernel, its low bits (flags of some members) cut off. */
bool wait_pointer(const struct windows *w, uint64_t object, const struct place *place, uint64_t *ret_value);

/* The part of a waiter's kernel stack that is in use. */
struct stack_part {
        uint64_t top, base;
        uint64_t awaited;
};
#define STACK_MAX 0x6000 /* bytes of a kernel stack that are looked through */
bool wait_stack_of(const struct wait_of *of, uint64_t awaited, struct stack_part *ret_stack);
bool wait_in_stack(const struct stack_part *stack, uint64_t va);

/* What wait->object is a part of, and who holds that. */
void wait_examine(const struct wait_of *of, struct windows_wait *wait);

/* ---- owners: each fills what, container, owner and from where it applies, and says whether it did */
typedef bool wait_rule(const struct wait_of *of, struct windows_wait *wait);
wait_rule wait_on_mutant, wait_on_thread, wait_on_process, wait_on_resource, wait_on_fast_mutex, wait_on_push_lock,
        wait_on_lpc, wait_on_alpc, wait_on_file, wait_on_irp, wait_on_critical_section, wait_on_keyed_event;
/* A thread that is one becomes an owner. False: it is none. */
bool wait_owned_by(const struct wait_of *of, struct windows_wait *wait, uint64_t thread, const char *from);

#endif
