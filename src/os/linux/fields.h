/* SPDX-License-Identifier: MIT */
/* Linux' side of the tables of facts (../rows.h): a task or thread group while it is decoded. */
#ifndef STASIS_OS_LINUX_FIELDS_H
#define STASIS_OS_LINUX_FIELDS_H

#include "linux.h"
#include "unwind.h"

enum linux_base {
        ON_TASK,    /* the task_struct itself */
        ON_CRED,    /* its cred: what it may do to others */
        ON_MM,      /* its mm_struct; a kernel thread has none */
        ON_NSPROXY, /* its nsproxy: the namespaces it sees; the dead have none */
        LINUX_BASES
};

struct decode {
        struct linux_system *l;
        struct field_set *set;
        uint64_t object;               /* a task_struct; of a thread group that of its leader */
        const struct linux_task *task; /* NULL: a thread group */
        const struct linux_process *process;
        struct stasis_arena *arena; /* texts of this record */
        /* Found by the first row that asks. */
        struct {
                uint64_t va;
                enum stasis_absence why;
                bool known;
        } base[LINUX_BASES];
        struct linux_frame *frame; /* of the kernel stack */
        size_t frame_count;
        enum stasis_absence frame_why;
        bool unwound;
        struct linux_frame *user_frame; /* the same of the user stack */
        size_t user_count;
        enum stasis_absence user_why;
        bool user_unwound;
        const char *user_end; /* why it ends; NULL: there is none */
};

/* Bits of task_struct.flags that never moved. */
#define LINUX_PF_WQ_WORKER 0x20u
#define LINUX_PF_KTHREAD 0x200000u

typedef void linux_derive_fn(struct decode *d, struct stasis_fact *fact);

extern const struct row linux_thread_rows[], linux_process_rows[];
extern const size_t linux_thread_row_count, linux_process_row_count;

struct field_set *linux_fields_bind(const struct linux_system *l, const struct row *row, size_t count,
                                    enum stasis_what what);
/* Decodes every row into set->record. */
void linux_fields_decode(struct decode *d);
/* Where the object of a base is, and why it is not. */
enum stasis_absence linux_base_of(struct decode *d, uint8_t base, uint64_t *ret_va);

/* ---- derive.c: for tasks and thread groups; one function a fact, named after its key */
linux_derive_fn linux_derive_object, linux_derive_object_pa, linux_derive_ppid, linux_derive_sources,
        linux_derive_unseen, linux_derive_hidden, linux_derive_zero_is_none, linux_derive_kernel_thread,
        linux_derive_state, linux_derive_state_letter, linux_derive_running_on, linux_derive_cpu,
        linux_derive_thread_info_flags, linux_derive_start_boottime, linux_derive_start_time, linux_derive_capability,
        linux_derive_code, linux_derive_stack_base, linux_derive_page_table_root, linux_derive_threads;
/* A member of struct thread_info where that lies at the low end of the task's stack, as it did until 4.8. */
struct stasis_fact linux_load_thread_info(struct linux_system *l, uint64_t task, const struct place *place);
/* ---- derive_name.c */
linux_derive_fn linux_derive_comm, linux_derive_comm_hex, linux_derive_name;
/* ---- derive_stack.c: what needs the frames of the kernel stack */
linux_derive_fn linux_derive_wchan, linux_derive_stack, linux_derive_user_stack, linux_derive_user_stack_end,
        linux_derive_kernel_registers, linux_derive_user_registers;
/* ---- derive_file.c: paths, command line, namespaces */
linux_derive_fn linux_derive_path, linux_derive_command_line, linux_derive_namespace, linux_derive_pid_namespace,
        linux_derive_user_namespace;

#endif
