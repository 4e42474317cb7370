/* SPDX-License-Identifier: MIT */
/*
 * Every fact about a Linux task. Members carry the kernel's names; where one was renamed or moved, the row lists the
 * names, the newest first, and the layout decides.
 */
#include "../row_macros.h"
#include "fields.h"
#include "names.h"

#define IDENTITY "identity"
#define SCHEDULING "scheduling"
#define STACKS "stacks"
#define LIFE "life"
#define MEMORY "memory"
#define SECURITY "security"
#define NAMESPACES "namespaces"

const struct row linux_thread_rows[] = {
        MADE("object", "Object", IDENTITY, ADDRESS, linux_derive_object, "virtual address of the task_struct"),
        MADE("object_pa", "Object, physical", IDENTITY, PHYSICAL, linux_derive_object_pa,
             "physical address of the task_struct's first byte"),
        ROW("tid", "Task id", IDENTITY, NUMBER, ON_TASK, "0 for the idle tasks", "task_struct.pid"),
        ROW("pid", "Process id", IDENTITY, NUMBER, ON_TASK, "of the thread group, which the kernel calls tgid",
            "task_struct.tgid"),
        ROW_D("ppid", "Parent's id", IDENTITY, NUMBER, ON_TASK, linux_derive_ppid,
              "thread group of real_parent: who is told of its end, not who traces it", "task_struct.real_parent"),
        MADE("comm", "Name", IDENTITY, TEXT, linux_derive_comm,
             "task_struct.comm, at most 15 bytes that the task chose itself; a byte that is no UTF-8 stands as \\xff"),
        MADE("comm_hex", "Name, bytes", IDENTITY, TEXT, linux_derive_comm_hex, "the same, byte by byte"),
        MADE("name", "Name, as ps has it", IDENTITY, TEXT, linux_derive_name,
             "comm; of a kernel thread with a longer name that one, of a worker with what it works on "
             "(/proc/PID/comm)"),
        ROW("leader", "Group leader", IDENTITY, ADDRESS, ON_TASK, "task_struct of the thread group's leader",
            "task_struct.group_leader"),
        MADE("kernel_thread", "Kernel thread", IDENTITY, BOOL, linux_derive_kernel_thread, "PF_KTHREAD"),
        MADE("path", "Executable", IDENTITY, TEXT, linux_derive_path, "path of mm->exe_file, as its mount sees it"),
        MADE("command_line", "Command line", IDENTITY, TEXT, linux_derive_command_line,
             "from the process's own memory, arg_start to arg_end: it may lie; arguments are separated by spaces"),
        MADE("sources", "Seen by", IDENTITY, TEXTS, linux_derive_sources, "which ways of finding tasks saw it"),

        ROW_DN("state", "State", SCHEDULING, ENUM, ON_TASK, linux_derive_state, linux_names_state,
               "__state (state before 5.14) and exit_state together, in the words of /proc", "task_struct.__state",
               "task_struct.state"),
        MADE("state_letter", "State, as ps has it", SCHEDULING, TEXT, linux_derive_state_letter, "one of RSDTtXZPI"),
        ROW("state_word", "State word", SCHEDULING, HEX, ON_TASK, "", "task_struct.__state", "task_struct.state"),
        ROW_N("exit_state", "Exit state", SCHEDULING, ENUM, ON_TASK, linux_names_exit_state, "",
              "task_struct.exit_state"),
        ROW_N("flags", "Flags", SCHEDULING, FLAGS, ON_TASK, linux_names_flags, "PF_ flags", "task_struct.flags"),
        ROW_D("cpu", "CPU", SCHEDULING, NUMBER, ON_TASK, linux_derive_cpu, "where it runs, or ran last",
              "task_struct.thread_info.cpu", "task_struct.cpu"),
        ROW("on_cpu", "On CPU", SCHEDULING, BOOL, ON_TASK, "", "task_struct.on_cpu"),
        MADE("running_on", "Running on", SCHEDULING, NUMBER, linux_derive_running_on,
             "the CPU whose run queue names it as current"),
        ROW_N("policy", "Policy", SCHEDULING, ENUM, ON_TASK, linux_names_policy, "", "task_struct.policy"),
        ROW("priority", "Priority", SCHEDULING, SIGNED, ON_TASK,
            "as the scheduler uses it: 0 to 99 real time, 120 plain", "task_struct.prio"),
        ROW("static_priority", "Static priority", SCHEDULING, SIGNED, ON_TASK, "120 plus the nice value",
            "task_struct.static_prio"),
        ROW("normal_priority", "Normal priority", SCHEDULING, SIGNED, ON_TASK, "without what it inherits from waiters",
            "task_struct.normal_prio"),
        ROW("rt_priority", "Real-time priority", SCHEDULING, NUMBER, ON_TASK, "", "task_struct.rt_priority"),
        ROW("user_time", "User time", SCHEDULING, NUMBER, ON_TASK, "nanoseconds since 4.11, clock ticks before",
            "task_struct.utime"),
        ROW("system_time", "System time", SCHEDULING, NUMBER, ON_TASK, "nanoseconds since 4.11, clock ticks before",
            "task_struct.stime"),
        ROW("voluntary_switches", "Voluntary switches", SCHEDULING, NUMBER, ON_TASK, "", "task_struct.nvcsw"),
        ROW("involuntary_switches", "Involuntary switches", SCHEDULING, NUMBER, ON_TASK, "", "task_struct.nivcsw"),

        MADE_COSTLY("wchan", "Waits in", STACKS, TEXT, linux_derive_wchan,
                    "the first function of its stack that is no part of the scheduler, as /proc/PID/wchan"),
        MADE_COSTLY("stack", "Kernel stack", STACKS, STACK, linux_derive_stack,
                    "kernel frames, innermost first, each with how it was found"),
        MADE_COSTLY("user_stack", "User stack", STACKS, STACK, linux_derive_user_stack,
                    "where user mode stood, then frames by .eh_frame of the files mapped, or by frame pointers"),
        MADE_COSTLY("user_stack_end", "User stack ends", STACKS, TEXT, linux_derive_user_stack_end,
                    "why the last frame of the user stack is the last"),
        MADE_COSTLY("kernel_registers", "Kernel registers", STACKS, REGISTERS, linux_derive_kernel_registers,
                    "where it stands in the kernel: of its processor, or what switching away saved"),
        MADE_COSTLY("user_registers", "User registers", STACKS, REGISTERS, linux_derive_user_registers,
                    "as they were in user mode: of its processor, or what entering the kernel saved"),
        ROW("stack_limit", "Stack limit", STACKS, ADDRESS, ON_TASK, "lowest address of the kernel stack",
            "task_struct.stack", "task_struct.thread_info"),
        MADE("stack_base", "Stack base", STACKS, ADDRESS, linux_derive_stack_base,
             "highest address of the kernel stack: as far above as types tell, else 16 KiB on x64 since 3.15, else 8"),
        ROW("kernel_stack", "Kernel stack pointer", STACKS, ADDRESS, ON_TASK,
            "saved at the last switch: of a running task it is stale", "task_struct.thread.sp"),
        ROW_DN("thread_info_flags", "thread_info flags", STACKS, FLAGS, ON_TASK, linux_derive_thread_info_flags,
               linux_names_thread_info, "TIF_ flags", "task_struct.thread_info.flags"),

        ROW_D("start_time", "Started", LIFE, TIME, ON_TASK, linux_derive_start_time,
              "UTC: start_boottime and when the system booted", "task_struct.start_boottime",
              "task_struct.real_start_time"),
        ROW_D("start_boottime", "Started after boot", LIFE, NUMBER, ON_TASK, linux_derive_start_boottime, "nanoseconds",
              "task_struct.start_boottime", "task_struct.real_start_time"),
        ROW("exit_code", "Exit code", LIFE, HEX, ON_TASK, "as wait gives it: status in bits 8 to 15, signal below",
            "task_struct.exit_code"),
        ROW("exit_signal", "Exit signal", LIFE, SIGNED, ON_TASK, "sent to the parent; -1: not a leader",
            "task_struct.exit_signal"),

        ROW_D("mm", "Memory", MEMORY, ADDRESS, ON_TASK, linux_derive_zero_is_none,
              "its mm_struct; a kernel thread has none", "task_struct.mm"),
        ROW_D("active_mm", "Memory in use", MEMORY, ADDRESS, ON_TASK, linux_derive_zero_is_none,
              "what a kernel thread borrowed", "task_struct.active_mm"),
        ROW_D("page_table_root", "Page-table root", MEMORY, PHYSICAL, ON_MM, linux_derive_page_table_root,
              "mm->pgd; of a process with page-table isolation the kernel's half of the pair", "mm_struct.pgd"),

        ROW("uid", "User id", SECURITY, NUMBER, ON_CRED, "real", "cred.uid.val", "cred.uid"),
        ROW("gid", "Group id", SECURITY, NUMBER, ON_CRED, "real", "cred.gid.val", "cred.gid"),
        ROW("euid", "Effective user id", SECURITY, NUMBER, ON_CRED, "", "cred.euid.val", "cred.euid"),
        ROW("egid", "Effective group id", SECURITY, NUMBER, ON_CRED, "", "cred.egid.val", "cred.egid"),
        ROW("suid", "Saved user id", SECURITY, NUMBER, ON_CRED, "", "cred.suid.val", "cred.suid"),
        ROW("sgid", "Saved group id", SECURITY, NUMBER, ON_CRED, "", "cred.sgid.val", "cred.sgid"),
        ROW("fsuid", "File system user id", SECURITY, NUMBER, ON_CRED, "", "cred.fsuid.val", "cred.fsuid"),
        ROW("fsgid", "File system group id", SECURITY, NUMBER, ON_CRED, "", "cred.fsgid.val", "cred.fsgid"),
        ROW_DN("cap_inheritable", "Inheritable capabilities", SECURITY, FLAGS, ON_CRED, linux_derive_capability,
               linux_names_capability, "", "cred.cap_inheritable"),
        ROW_DN("cap_permitted", "Permitted capabilities", SECURITY, FLAGS, ON_CRED, linux_derive_capability,
               linux_names_capability, "", "cred.cap_permitted"),
        ROW_DN("cap_effective", "Effective capabilities", SECURITY, FLAGS, ON_CRED, linux_derive_capability,
               linux_names_capability, "", "cred.cap_effective"),
        ROW_DN("cap_bounding", "Bounding capabilities", SECURITY, FLAGS, ON_CRED, linux_derive_capability,
               linux_names_capability, "", "cred.cap_bset"),
        ROW_DN("cap_ambient", "Ambient capabilities", SECURITY, FLAGS, ON_CRED, linux_derive_capability,
               linux_names_capability, "since 4.3", "cred.cap_ambient"),
        ROW_N("seccomp", "Seccomp mode", SECURITY, ENUM, ON_TASK, linux_names_seccomp, "", "task_struct.seccomp.mode"),

        ROW_D("ns_mnt", "Mount namespace", NAMESPACES, NUMBER, ON_NSPROXY, linux_derive_namespace,
              "inode number, as /proc/PID/ns shows it; the dead have none", "nsproxy.mnt_ns"),
        ROW_D("ns_uts", "UTS namespace", NAMESPACES, NUMBER, ON_NSPROXY, linux_derive_namespace, "", "nsproxy.uts_ns"),
        ROW_D("ns_ipc", "IPC namespace", NAMESPACES, NUMBER, ON_NSPROXY, linux_derive_namespace, "", "nsproxy.ipc_ns"),
        ROW_D("ns_net", "Network namespace", NAMESPACES, NUMBER, ON_NSPROXY, linux_derive_namespace, "",
              "nsproxy.net_ns"),
        ROW_D("ns_cgroup", "Cgroup namespace", NAMESPACES, NUMBER, ON_NSPROXY, linux_derive_namespace, "since 4.6",
              "nsproxy.cgroup_ns"),
        ROW_D("ns_time", "Time namespace", NAMESPACES, NUMBER, ON_NSPROXY, linux_derive_namespace, "since 5.6",
              "nsproxy.time_ns"),
        MADE("ns_pid", "Pid namespace", NAMESPACES, NUMBER, linux_derive_pid_namespace,
             "the one that its own id is of"),
        ROW_D("ns_user", "User namespace", NAMESPACES, NUMBER, ON_CRED, linux_derive_user_namespace, "of its cred",
              "cred.user_ns"),
};

const size_t linux_thread_row_count = sizeof linux_thread_rows / sizeof *linux_thread_rows;
