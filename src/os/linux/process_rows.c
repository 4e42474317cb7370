/* SPDX-License-Identifier: MIT */
/* What is said about a thread group; most of it is its leader's. */
#include "../row_macros.h"
#include "fields.h"
#include "names.h"

#define IDENTITY "identity"
#define LIFE "life"
#define MEMORY "memory"
#define SECURITY "security"

const struct row linux_process_rows[] = {
        MADE("object", "Object", IDENTITY, ADDRESS, linux_derive_object, "virtual address of the leader's task_struct"),
        MADE("object_pa", "Object, physical", IDENTITY, PHYSICAL, linux_derive_object_pa, ""),
        ROW("pid", "Process id", IDENTITY, NUMBER, ON_TASK, "of the thread group, which the kernel calls tgid",
            "task_struct.tgid"),
        ROW_D("ppid", "Parent's id", IDENTITY, NUMBER, ON_TASK, linux_derive_ppid, "", "task_struct.real_parent"),
        MADE("name", "Name", IDENTITY, TEXT, linux_derive_name, "of the leader, as /proc/PID/comm has it"),
        MADE("kernel_thread", "Kernel thread", IDENTITY, BOOL, linux_derive_kernel_thread, "PF_KTHREAD"),
        MADE("path", "Executable", IDENTITY, TEXT, linux_derive_path, "path of mm->exe_file"),
        MADE("command_line", "Command line", IDENTITY, TEXT, linux_derive_command_line,
             "from the process's own memory: it may lie"),
        MADE("sources", "Seen by", IDENTITY, TEXTS, linux_derive_sources, ""),

        ROW_DN("state", "State", LIFE, ENUM, ON_TASK, linux_derive_state, linux_names_state, "of the leader",
               "task_struct.__state", "task_struct.state"),
        MADE("threads", "Tasks found", LIFE, NUMBER, linux_derive_threads, ""),
        ROW_D("start_time", "Started", LIFE, TIME, ON_TASK, linux_derive_start_time, "UTC",
              "task_struct.start_boottime", "task_struct.real_start_time"),
        ROW("exit_code", "Exit code", LIFE, HEX, ON_TASK, "", "task_struct.exit_code"),

        ROW_D("mm", "Memory", MEMORY, ADDRESS, ON_TASK, linux_derive_zero_is_none, "", "task_struct.mm"),
        ROW_D("page_table_root", "Page-table root", MEMORY, PHYSICAL, ON_MM, linux_derive_page_table_root, "mm->pgd",
              "mm_struct.pgd"),
        ROW("uid", "User id", SECURITY, NUMBER, ON_CRED, "real", "cred.uid.val", "cred.uid"),
        ROW("gid", "Group id", SECURITY, NUMBER, ON_CRED, "real", "cred.gid.val", "cred.gid"),
};

const size_t linux_process_row_count = sizeof linux_process_rows / sizeof *linux_process_rows;
