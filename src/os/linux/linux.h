/* SPDX-License-Identifier: MIT */
/*
 * The Linux decoder, inside: what discovery found (struct linux_system), and the calls between its files.
 *
 *   discover.c        VMCOREINFO, kallsyms, root, banner, types: the sequence that fills struct linux_system
 *   search.c          what is looked for in the whole of physical memory
 *   root.c            candidates for the kernel's page tables, and the translations that confirm one
 *   symbols.c         names of addresses, both ways; kallsyms*.c, vmcoreinfo.c: what they come from
 *   types.c           which layout: BTF in the image, files given, or inferred (infer*.c)
 *   sources.c         the ways of finding tasks
 *   report.c          their sightings merged, checked, sorted
 *   thread_rows.c, process_rows.c, derive*.c, system_rows.c: the tables of facts
 */
#ifndef STASIS_OS_LINUX_LINUX_H
#define STASIS_OS_LINUX_LINUX_H

#include <stasis/stasis.h>

#include "../layout.h"
#include "../list.h"
#include "../record.h"
#include "../rows.h"
#include "../system.h"
#include "kallsyms.h"
#include "modules.h"
#include "symbols.h"
#include "vmcoreinfo.h"

/* Bounds of what is walked; far above any real system, so that only a hostile image meets them. */
#define LINUX_TASKS_MAX 4194304 /* PID_MAX_LIMIT */
#define LINUX_CPUS_MAX 8192     /* NR_CPUS of distributions */
#define LINUX_COMM_LEN 16
#define LINUX_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))

/* The ways of finding a task; bit 1 << source in sources. Order and names are those of the table in sources.c. */
enum linux_source {
        LINUX_TASK_LIST,
        LINUX_THREAD_GROUP,
        LINUX_PID_TABLE,
        LINUX_RUN_QUEUE,
        LINUX_CHILDREN,
        LINUX_SLAB,
        LINUX_SOURCE_COUNT
};

/* Places that the walk itself needs, bound once from the layout (../rows.h). */
struct linux_places {
        struct place tasks, pid, tgid, comm, state, exit_state, flags, real_parent, parent, group_leader, thread_group,
                thread_node, signal, thread_head, children, sibling, stack, cpu, on_cpu, mm, active_mm, start_boottime,
                cred, nsproxy, thread_pid, exe_file, arg_start, arg_end, pgd, thread_sp, file_mnt, file_dentry,
                d_parent, d_name, d_len, mnt_root, mount_mnt, mnt_parent, mnt_mountpoint, pid_level, pid_numbers,
                upid_ns, worker_private, full_name, kthread_data, worker_desc, worker_work, worker_pool, worker_rescue,
                wq_name, mnt_inum, uts_inum, ipc_inum, net_inum, cgroup_inum, time_inum, pid_inum, user_inum;
        /* of older kernels: thread_info at the low end of the stack, times in two words, a struct pid behind each link
         */
        struct place info_cpu, info_flags, start_seconds, start_nanoseconds, pid_link;
};

struct linux_task {
        uint64_t object, tid, pid; /* pid: the thread group, as the task says */
        uint32_t process;          /* index of its thread group */
        uint32_t sources;
        uint32_t cpu; /* of an idle task, or where it is current; UINT32_MAX: neither */
        bool behind_tear, idle, current;
        bool decoded; /* once before: its notes are there */
};

/* A thread group. */
struct linux_process {
        uint64_t object; /* the leader; where that was not found, the first task of the group */
        uint64_t pid;
        uint32_t threads; /* found */
        uint32_t sources;
        bool leaderless;
};

/* The kernel's image: where its virtual addresses start, and the physical ones that they come from. */
struct linux_image {
        uint64_t text_va, text_pa; /* _text */
        bool known;
};

/* What led to the layout, and how sure that is: exact (of this kernel), given, inferred. */
struct linux_evidence {
        const char *how, *sure;
};

struct linux_system {
        struct stasis_system *system;
        const struct stasis_image *image;
        struct stasis_space *kernel;
        struct stasis_space *user; /* of the process that was asked for last */
        uint64_t user_mm;          /* whose; 0: none */
        struct linux_user *memory; /* the same with what it maps; NULL: nobody asked for a user stack yet */
        uint8_t pointer_size;
        bool is64;
        bool no_memory;

        struct stasis_bytes vmcoreinfo; /* {NULL, 0}: none */
        struct kallsyms *kallsyms;      /* NULL: none */
        struct linux_image place;
        uint64_t stext;       /* _stext as it ran; 0: not known */
        const char *banner;   /* "Linux version ...", one line; NULL: not found */
        const char *release;  /* "6.1.0-56-amd64" */
        uint32_t version;     /* LINUX_VERSION(6, 1); 0: not known */
        uint64_t init_task;   /* 0: not known */
        uint64_t percpu_base; /* __per_cpu_offset; 0: not known */
        int64_t boot_time;    /* of the clock that start_boottime counts, in nanoseconds since 1970; 0: not known */
        uint64_t wall_time;   /* at the image, in nanoseconds since 1970; 0: not known */
        uint64_t up_time;     /* nanoseconds that the boot-based clock stood at; 0: not known */
        struct stasis_bytes btf;
        uint8_t *btf_bytes; /* a copy of it, freed with the system */

        const struct stasis_layout *layout; /* NULL: none */
        struct stasis_layout *types, *given;
        struct linux_evidence layout_evidence;
        bool inferred;
        struct linux_places at;

        struct linux_task *task;
        size_t task_count, task_capacity;
        struct linux_process *process;
        size_t process_count, process_capacity;
        uint32_t cpu_count;
        uint32_t sources_ran, sources_torn; /* bit 1 << source: it knew where to look; one of its lists is torn */
        bool walked;
        enum stasis_status walk_status;
        struct linux_task lone; /* one given by address that no source saw */
        struct linux_modules modules;
        struct linux_stacks *stacks; /* NULL: nobody asked for a stack yet */

        struct field_set *fields[3];    /* by enum stasis_what */
        struct stasis_arena scratch[3]; /* texts of the record decoded last, by enum stasis_what */
        struct stasis_arena root_name;  /* of the process whose page tables were asked for last */
        struct stasis_fact *fact;
        struct stasis_record facts;
};

static inline bool linux_is_kernel_address(const struct linux_system *l, uint64_t va)
{
        return l->is64 ? va >= UINT64_C(0xff00000000000000) : va >= 0x40000000 && va <= UINT32_MAX;
}
static inline enum stasis_status linux_read_pointer(const struct linux_system *l, uint64_t va, uint64_t *ret_value)
{
        return stasis_space_u(l->kernel, va, l->pointer_size, ret_value);
}

/* ---- discovery */
enum stasis_status linux_discover(struct linux_system *l, struct stasis_error *err) STASIS_MUST_CHECK;
/* Worth trying first: something of Linux is at hand without a search. */
bool linux_likely(const struct stasis_image *image);
/* l->kernel, by what VMCOREINFO, kallsyms and the CPUs say, confirmed; false where no page tables were found. */
bool linux_find_root(struct linux_system *l);
/* Where kallsyms have the start of the kernel's text: physical, where they tell physical places. */
bool linux_text_symbol(const struct linux_system *l, uint64_t *ret_address);
/* l->layout and what it is bound to. */
enum stasis_status linux_choose_layout(struct linux_system *l, struct stasis_error *err) STASIS_MUST_CHECK;

void linux_find_times(struct linux_system *l);

/* ---- tasks */
enum stasis_status linux_walk(struct linux_system *l, struct stasis_error *err) STASIS_MUST_CHECK;
enum stasis_status linux_find_tasks(struct linux_system *l) STASIS_MUST_CHECK;
/* Sightings of one object become one; sorted by object afterwards. */
void linux_merge(struct linux_system *l);
/* NULL: it is one. Else why it is none, as a sentence's end. */
const char *linux_task_refused(const struct linux_system *l, uint64_t object);
const char *linux_source_name(enum linux_source source);
/* For the table of ways (stasis_system_sources), once tasks are walked. */
const struct stasis_source *linux_sources(void *priv, size_t *ret_count);
/* The ways that should have seen the task and did not; and the reason, in a word: NULL where all did (hidden.c). */
uint32_t linux_unseen_by(const struct linux_system *l, const struct linux_task *t);
const char *linux_hidden_why(const struct linux_system *l, const struct linux_task *t);
/* For spaces of processes: what an entry that is not present may still mean. */
enum stasis_status linux_soft_fault(void *ctx, struct stasis_space *space, struct stasis_soft_fault *fault);
/* The address space of a mm_struct, through l->user; NULL where its page tables are not known. */
struct stasis_space *linux_user_space(struct linux_system *l, uint64_t mm);

#endif
