/* SPDX-License-Identifier: MIT */
/*
 * The Windows decoder, inside: what discovery found (struct windows), and the calls between its files.
 *
 *   discover.c      root, kernel, debugger block, version: the sequence that fills struct windows
 *   kdbg_find.c     the debugger block: plain, or decoded
 *   identify.c      which layout, proved by System
 *   infer.h         member places without a layout, by what must hold; infer*.c
 *   heads.c         the heads of the lists, checked against System's links; the root to keep
 *   system_shape.c  System's process object by its shape, where nothing points to it
 *   object_header.c type and name of any executive object; object_types.c: which types there are
 *   objects.c       what is a process, what is a thread, whose it is; the process list
 *   processors.c    processor blocks
 *   sources.c       the ways of finding threads; sources.h, source_*.c
 *   triage.c        what takes the place of all that in a virtual image (a triage dump)
 *   rings.h         rings of threads, and the dispatcher's ready lists
 *   pool_table.c    tags of large blocks of pool
 *   handle_table.c  handle tables and PspCidTable: entries of every form, tables of every depth
 *   unloaded.c      drivers that were unloaded; unloaded_user.h: modules of a process
 *   report.c        their sightings merged, checked, sorted
 *   symbol_files.h  PDB and ISF files that were given
 *   symbolize.h     what an address is called
 *   checks.h        notes on what is worth a second look about a thread
 *   stand.h         where a thread stands; registers.h, stacks.h: what that gives (docs/STACKS.md)
 *   unwind_x64.h    one step of a stack by tables, unwind_x86.h: without; stack_walk*.c: step by step
 *   thread_io.h     IRPs, APCs and timers that are queued on a thread
 *   token.c, sid.c  access tokens and the SIDs in them
 *   fields.c        tables of facts bound to the layout; *_rows.c: the tables; derive*.c: what is more than a load
 */
#ifndef STASIS_OS_WINDOWS_WINDOWS_H
#define STASIS_OS_WINDOWS_WINDOWS_H

#include <stasis/stasis.h>

#include "../address_map.h"
#include "../layout.h"
#include "../list.h"
#include "../record.h"
#include "../rows.h"
#include "../system.h"
#include "kernel.h"
#include "modules.h"
#include "pager.h"
#include "root.h"

/* Bounds of what is walked; far above any real system, so that only a hostile image meets them. */
#define WINDOWS_PROCESSES_MAX 65536
#define WINDOWS_THREADS_MAX 1048576
#define WINDOWS_PROCESSORS_MAX 2048
#define WINDOWS_STACK_LEN_MAX 0x100000 /* of a kernel stack; the largest, of x64 GUI threads, have 0x1a000 */

/* Values of _KOBJECTS and KTHREAD_STATE that no version changed. */
enum { DISPATCHER_PROCESS = 3, DISPATCHER_THREAD = 6 };
enum {
        THREAD_STATE_INITIALIZED = 0,
        THREAD_STATE_READY = 1,
        THREAD_STATE_RUNNING = 2,
        THREAD_STATE_TERMINATED = 4,
        THREAD_STATE_WAITING = 5,
        THREAD_STATE_GATE_WAIT = 8,
        THREAD_STATE_MAX = 9
};
/* Bit 7 of a dispatcher header's Type is the dispatcher lock. */
static inline bool is_dispatcher(uint64_t type, unsigned kind) { return (type & 0x7f) == kind; }

/* Places that the walk itself needs, bound once from the layout (../rows.h). */
struct windows_places {
        struct place header_type, process_links, process_id, process_name, process_dtb, process_user_dtb, process_peb,
                process_threads, kprocess_threads, process_wow64, process_wow64_old, process_base_priority,
                thread_links, kthread_links, cid_process, cid_thread, kthread_process, thread_process, apc_process,
                saved_apc_process, apc_index, thread_state, teb, prcb_current, prcb_next, prcb_idle, prcb_number, peb32,
                pcr_self, pcr_prcb, active_threads, wait_prcb, terminated, saturation, affinity_group,
                start_address_invalid, lpc_message_valid, keyed_in_use, keyed_semaphore, wait_block_list,
                wait_block_object, irp_link, wow_teb_offset, teb_thread, impersonation_token, impersonation_copy,
                impersonation_effective, impersonation_level;
        /* of a process, for its threads' records */
        struct place process_parent, process_created, process_exited, process_handles, teb_tls_expansion,
                hide_from_debugger, debug_active, old_debug_active, vad_protection;
        /* of an access token, and of who has one */
        struct place process_token, token_user_count, token_users, token_restricted_count, token_restricted,
                token_capability_count, token_capabilities, token_owner_index, token_type, token_privileges_present,
                token_privileges_enabled, token_privileges_default, token_privileges, token_privilege_count;
        /* of rings, of what is waited for, and of what leads to objects */
        struct place wait_links, queue_links, prcb_wait_list, prcb_ready_queues, mutant_owner, header_wait_list,
                wait_block_links, wait_block_thread, wait_block_next, wait_block_count, type_list, object_table;
        /* of ready threads that are not in their processor's own lists */
        struct place thread_priority, queued_scb, prcb_shared_queue, prcb_local_queue, prcb_scbs, shared_ready,
                shared_summary, shared_count, scb_links, scb_ready, scb_summary;
};

/*
 * The ways of finding a thread (the first, the second last and the last also a process); bit 1 << source in sources.
 * Names are those of the table in sources.c. SOURCE_OWNER: the process pointer of a thread that another way found.
 */
enum windows_source {
        SOURCE_PROCESS_LIST,
        SOURCE_KPROCESS_LIST,
        SOURCE_PRCB,
        SOURCE_DUMP,
        SOURCE_CID,
        SOURCE_WAIT_LIST,
        SOURCE_READY_QUEUE,
        SOURCE_QUEUE,
        SOURCE_MUTANT,
        SOURCE_WAIT_BLOCK,
        SOURCE_TYPE_LIST,
        SOURCE_HANDLE_TABLE,
        SOURCE_HEADER_SCAN,
        SOURCE_POOL_SCAN,
        SOURCE_OWNER,
        SOURCE_COUNT
};
#define SOURCES_SCAN (1u << SOURCE_HEADER_SCAN | 1u << SOURCE_POOL_SCAN)

/* What led to the layout, and how sure that is: exact, strong, likely, weak, given. */
struct windows_evidence {
        const char *how, *sure;
};

struct windows_process {
        uint64_t object, pid, dtb, peb;
        uint64_t peb32; /* of a WoW64 process, else 0 */
        char name[17];
        bool name_known, pid_known, wow64, idle;
        bool torn;  /* one of its thread lists */
        bool ghost; /* no such process is there any more; threads that a scan found say that they were its */
        int8_t base_priority;
        bool base_priority_known;
        uint32_t threads; /* found */
        uint32_t living;  /* of them, as their state says */
        uint32_t order;   /* on the list; kept while sorting */
        uint32_t sources; /* process list, or prcb for Idle */
};

struct windows_thread {
        uint64_t object, tid, pid; /* ids as the object's Cid says */
        uint64_t owner_pid;        /* the process's own: the order of the answer */
        uint32_t process;          /* index of the process on whose list (or whose KTHREAD.Process) it is */
        uint32_t sources;
        bool behind_tear;
        bool listed;  /* process is the one on whose list it is, and not only what its own pointer says */
        bool decoded; /* once before: its notes are there */
        /* Of what a scan found: */
        bool freed;          /* the block of pool that it is in is free */
        bool ghost;          /* its address does not lead to it any more: it is read at pa */
        uint16_t shape_bits; /* thread_shape.h; 0: no scan saw it */
        uint64_t pa;         /* of a ghost */
};

struct frames;     /* stand.h */
struct infer;      /* infer.h */
struct symbolizer; /* symbolize.h */
struct symbol_files;
struct object_types; /* object_types.h */
struct token_cache;  /* token.h */
struct thread_io;    /* thread_io.h */
struct wait_state;   /* wait_internal.h */
struct checks;       /* checks.c */
struct unloaded_user;

struct windows {
        struct stasis_system *system;
        const struct stasis_image *image;
        struct stasis_space *kernel; /* System's address space */
        struct stasis_space *user;   /* of the process that was asked for last */
        struct stasis_space *flat;   /* physical memory by its own addresses, for ghosts; NULL: none was needed */
        uint32_t user_process;       /* its index; UINT32_MAX: none */
        struct pager *pager;         /* what is behind both where they have no page; NULL in a virtual image */
        struct pager_view kernel_view, user_view;
        uint8_t pointer_size;
        bool is64;
        uint64_t system_start; /* lowest address of the kernel's half: on x86 at 2 GB, or at 3 GB as the kernel's base
                                  tells */

        struct pe_image pe;
        bool has_pe, has_kdbg, has_shared;
        bool no_memory; /* a search was given up for want of memory: "not found" would be a lie */
        struct kdbg kdbg;
        const char *kdbg_form; /* "plain", "decoded with ..." */
        struct kernel_version version;
        struct shared_data shared;
        const struct stasis_layout *layout;
        struct stasis_layout *own_layout;      /* from a file, to be closed */
        struct stasis_layout *inferred_layout; /* made of what the image shows, to be closed */
        struct infer *infer;                   /* what it shows; NULL: nobody has asked yet */
        struct symbol_files *symbol_files;     /* what --symbols gives; NULL: nothing */
        struct symbolizer *symbolizer;         /* NULL: nothing was named yet */
        struct object_types *types;            /* NULL: no object was asked for yet */
        struct wait_state *waits;              /* NULL: no wait was asked for yet */
        uint32_t revision[4];
        struct windows_evidence layout_evidence;
        struct windows_places at;
        uint64_t process_head;  /* PsActiveProcessHead; 0: the ring was entered at System's own links */
        uint64_t system_object; /* System's EPROCESS */
        uint64_t module_head;
        uint64_t processor_block; /* KiProcessorBlock, 0 where not known */

        struct stasis_processor *processor;
        size_t processor_count;
        struct windows_process *process;
        size_t process_count, process_capacity;
        struct windows_thread *thread;
        size_t thread_count, thread_capacity;
        struct address_map process_at, thread_at; /* indices by object */
        size_t ghost_processes;                   /* behind all others */
        uint32_t sources_ran;                     /* 1 << enum windows_source: those that could have seen a thread */
        bool ids_torn;                            /* pages or objects of PspCidTable were not readable */
        bool lists_walked;                        /* the thread lists of all processes known so far */
        struct windows_thread lone;               /* one given by address that no source saw */
        bool walked;
        bool listed; /* the walk is over: processes and threads are those of the answer */
        enum stasis_status walk_status;
        struct modules modules; /* the kernel's */
        bool modules_known;
        struct modules user_modules;      /* of modules_process */
        uint32_t modules_process;         /* UINT32_MAX: none read */
        struct stasis_unloaded *unloaded; /* in system->arena */
        size_t unloaded_count;
        bool unloaded_known;
        struct unloaded_user *unloaded_user; /* NULL: of no process yet */
        struct thread_io *io;                /* NULL: not asked for yet */
        struct checks *checks;               /* likewise */
        struct token_cache *token;           /* never NULL */
        struct frames *frames;               /* stand.h; NULL: nobody has asked for registers or stacks yet */
        bool show_user_modules;              /* STASIS_MODULES answers user_modules */

        struct field_set *fields[3];    /* by enum stasis_what */
        struct stasis_arena scratch[3]; /* texts of the record decoded last, by enum stasis_what */
        struct stasis_fact *fact;
        struct stasis_record facts;
};

/* A triage dump: pieces of virtual memory, without page tables and without the rest of any list. */
static inline bool is_virtual(const struct windows *w) { return stasis_image_is_virtual(w->image); }

/* ---- small readers; status STASIS_ABSENT / STASIS_IO as the space says */
static inline bool is_kernel_address(const struct windows *w, uint64_t va)
{
        return va >= w->system_start && (w->is64 || va <= UINT32_MAX);
}
enum stasis_status read_pointer(const struct windows *w, struct stasis_space *space, uint64_t va,
                                uint64_t *ret_value) STASIS_MUST_CHECK;
/* A UNICODE_STRING of this pointer size: at most 32 KiB; absent texts give NULL and the reason. */
char *read_unicode_string(struct stasis_space *space, uint64_t va, uint8_t pointer_size, struct stasis_arena *arena,
                          enum stasis_absence *ret_why);

/* ---- discovery */
enum stasis_status windows_discover(struct windows *w, struct stasis_error *err) STASIS_MUST_CHECK;
/* w->kdbg, by every way there is; w->kdbg_form says which it was. */
void windows_find_kdbg(struct windows *w);
/* RVA of the layout file, of the kernel's own PDB or ISF file, or of the built-in tables, as an address. */
bool windows_symbol(const struct windows *w, const char *symbol, uint64_t *ret_va);
/* Types and symbols of the kernel, from the files that --symbols gives; NULL: there is none of this very kernel. */
const struct stasis_layout *windows_symbol_layout(const struct windows *w);
/* w->layout and w->system_object, by the strongest evidence that System confirms. */
bool windows_choose_layout(struct windows *w);
void windows_find_process_head(struct windows *w);    /* as told; before the layout is known */
void windows_confirm_process_head(struct windows *w); /* by System's ring; after */
void windows_use_system_root(struct windows *w);
/* DllBase of the first entry of a module list, which is the kernel. */
bool windows_first_module(const struct windows *w, uint64_t head, uint64_t *ret_entry, uint64_t *ret_base);
void windows_find_module_head(struct windows *w); /* and KiProcessorBlock */
void windows_bind_places(const struct stasis_layout *layout, struct windows_places *ret_places);
/* Whether a process object at va is System under this layout. A score: 0 no, higher is surer. */
unsigned windows_system_score(struct stasis_space *space, const struct stasis_layout *layout, uint64_t object);

/*
 * What the image itself shows of member places: made once, on the first call. False: no System process with a ring of
 * processes and lists of threads was found, so that nothing can be said.
 */
bool windows_infer(struct windows *w);
void windows_infer_free(struct infer *s);
/* A layout of it, w->inferred_layout. False where that is less than lists, ids and names; *ret_lacks: which. */
bool windows_infer_layout(struct windows *w, const char **ret_lacks);
/* Members that this layout has elsewhere than the image shows: how many, and their names, separated by commas. */
size_t windows_layout_doubts(struct windows *w, const struct stasis_layout *layout, char *text, size_t len);
size_t windows_infer_count(const struct windows *w);       /* members found */
uint64_t windows_inferred_system(const struct windows *w); /* System's object */
/* What was found, and why the rest was not, one line of the trace each, and for stasis_system_inferred. */
void windows_infer_tell(struct windows *w);

struct system_shape {
        uint64_t object_pa, object_va; /* va: from its own list links */
        uint64_t root;
        const struct stasis_layout *layout;
        const struct stasis_paging *paging;
};
/*
 * The whole image searched for System's process object by its shape, under every layout of the builds; best first.
 * WINDOWS_NO_MEMORY as windows_roots_scan.
 */
size_t windows_system_by_shape(const struct windows *w, struct system_shape *ret_shape, size_t max);

/* ---- processors */
enum stasis_status windows_processors(struct windows *w) STASIS_MUST_CHECK;
/* How many the shared data, the kernel or the file's header say there are; 0: nobody does. */
uint32_t windows_expected_processors(const struct windows *w);

/* ---- objects, sources and the report */
enum stasis_status windows_find_processes(struct windows *w, struct stasis_error *err) STASIS_MUST_CHECK;
/* Adds a process; sources: the ways that saw it, 0 where only a pointer to System did. False where memory is exhausted.
 */
bool windows_add_process(struct windows *w, uint64_t object, uint32_t sources);
size_t windows_process_of(const struct windows *w,
                          uint64_t object); /* its index; process_count where it is not known */
/* Every row of the table of sources, in its order. */
enum stasis_status windows_find_threads(struct windows *w) STASIS_MUST_CHECK;
enum stasis_status windows_walk(struct windows *w, struct stasis_error *err) STASIS_MUST_CHECK;
/* NULL: it is one. Else why it is none, as a sentence's end ("its dispatcher header is not a thread's"). */
const char *windows_thread_refused(const struct windows *w, uint64_t object);
const char *windows_process_refused(const struct windows *w, uint64_t object);
/* A thread's bytes: at its address in the kernel's space, or a ghost's where they were found. */
static inline struct stasis_space *thread_space(const struct windows *w, const struct windows_thread *t)
{
        return t->ghost ? w->flat : w->kernel;
}
static inline uint64_t thread_bytes(const struct windows_thread *t) { return t->ghost ? t->pa : t->object; }
/* The EPROCESS that owns a thread object, by KTHREAD.Process or what this version has in its place. */
enum stasis_status windows_owner_in(const struct windows *w, struct stasis_space *space, uint64_t thread,
                                    uint64_t *ret_process) STASIS_MUST_CHECK;
enum stasis_status windows_owner_of(const struct windows *w, uint64_t thread, uint64_t *ret_process) STASIS_MUST_CHECK;
/*
 * What is no longer loaded: as the triage dump lists it, or MmUnloadedDrivers, through the debugger block; or what the
 * process whose modules are shown has unloaded.
 */
const struct stasis_unloaded *windows_unloaded(void *priv, size_t *ret_count);
const char *windows_source_name(enum windows_source source);
const struct stasis_source *windows_sources(void *priv, size_t *ret_count);
/* The ways that should lead to this thread and do not; bits. */
uint32_t windows_unseen_by(const struct windows *w, const struct windows_thread *t);
/* Why (a row of the table in hidden.c), NULL where there is nothing to explain; *ret_text may be NULL. */
const char *windows_hidden_why(const struct windows *w, const struct windows_thread *t, const char **ret_text);
/* The space of process index, through w->user; NULL where its page tables are not known. */
struct stasis_space *windows_user_space(struct windows *w, uint32_t process);
const struct modules *windows_user_modules(struct windows *w, uint32_t process);

#endif
