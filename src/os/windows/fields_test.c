/* SPDX-License-Identifier: MIT */
/*
 * Every row of the tables that is a load: it takes its value from the member's own place, and says so. The image is
 * changed under the open system, which caches no bytes: one system serves all rows.
 */
#include "../../test/tiny_system.h"

struct plain {
        const char *key, *member;
        bool is_signed;
};

/* Rows whose fact is what stands at the member, where that is not zero. */
static const struct plain thread_plain[] = {
        { "tid", "ETHREAD.Cid.UniqueThread", false },
        { "pid", "ETHREAD.Cid.UniqueProcess", false },
        { "apc_state_index", "KTHREAD.ApcStateIndex", false },
        { "current_process", "KTHREAD.ApcState.Process", false },
        { "state", "KTHREAD.State", false },
        { "wait_reason", "KTHREAD.WaitReason", false },
        { "wait_mode", "KTHREAD.WaitMode", false },
        { "wait_irql", "KTHREAD.WaitIrql", false },
        { "alertable", "KTHREAD.Alertable", false },
        { "wait_next", "KTHREAD.WaitNext", false },
        { "priority", "KTHREAD.Priority", true },
        { "base_priority", "KTHREAD.BasePriority", true },
        { "priority_decrement", "KTHREAD.PriorityDecrement", true },
        { "saturation", "KTHREAD.Saturation", true },
        { "disable_boost", "KTHREAD.DisableBoost", false },
        { "shared_ready_queue", "KTHREAD.SharedReadyQueue", false },
        { "ideal_processor", "KTHREAD.IdealProcessor", false },
        { "user_ideal_processor", "KTHREAD.UserIdealProcessor", false },
        { "affinity_group", "KTHREAD.Affinity.Group", false },
        { "context_switches", "KTHREAD.ContextSwitches", false },
        { "kernel_time", "KTHREAD.KernelTime", false },
        { "user_time", "KTHREAD.UserTime", false },
        { "wait_time", "KTHREAD.WaitTime", false },
        { "suspend_count", "KTHREAD.SuspendCount", false },
        { "freeze_count", "KTHREAD.FreezeCount", false },
        { "previous_mode", "KTHREAD.PreviousMode", false },
        { "misc_flags", "KTHREAD.MiscFlags", false },
        { "thread_flags", "KTHREAD.ThreadFlags", false },
        { "initial_stack", "KTHREAD.InitialStack", false },
        { "stack_base", "KTHREAD.StackBase", false },
        { "stack_limit", "KTHREAD.StackLimit", false },
        { "kernel_stack", "KTHREAD.KernelStack", false },
        { "kernel_stack_resident", "KTHREAD.KernelStackResident", false },
        { "trap_frame", "KTHREAD.TrapFrame", false },
        { "teb", "KTHREAD.Teb", false },
        { "nested_fault_count", "ETHREAD.NestedFaultCount", false },
        { "apc_needed", "ETHREAD.ApcNeeded", false },
        { "exit_status", "ETHREAD.ExitStatus", false },
        { "cross_thread_flags", "ETHREAD.CrossThreadFlags", false },
        { "same_thread_passive_flags", "ETHREAD.SameThreadPassiveFlags", false },
        { "same_thread_apc_flags", "ETHREAD.SameThreadApcFlags", false },
        { "dead_thread", "ETHREAD.DeadThread", false },
        { "start_address", "ETHREAD.StartAddress", false },
        { "win32_start_address", "ETHREAD.Win32StartAddress", false },
        { "win32_thread", "KTHREAD.Win32Thread", false },
        { "impersonating", "ETHREAD.ActiveImpersonationInfo", false },
        { "granted_access", "ETHREAD.GrantedAccess", false },
        { "lpc_reply_message_id", "ETHREAD.LpcReplyMessageId", false },
        { "alpc_message_id", "ETHREAD.AlpcMessageId", false },
        { "top_level_irp", "ETHREAD.TopLevelIrp", false },
        { "device_to_verify", "ETHREAD.DeviceToVerify", false },
        { "read_cluster_size", "ETHREAD.ReadClusterSize", false },
        { "forward_cluster_only", "ETHREAD.ForwardClusterOnly", false },
        { "disable_page_fault_clustering", "ETHREAD.DisablePageFaultClustering", false },
        { "active_fault_count", "ETHREAD.ActiveFaultCount", false },
        { "active_timers", "ETHREAD.ActiveTimerListHead", false },
        { "rundown_protect", "ETHREAD.RundownProtect", false },
        { "thread_lock", "ETHREAD.ThreadLock", false },
};

static const struct plain teb_plain[] = {
        { "teb_stack_base", "NT_TIB.StackBase", false },         { "teb_stack_limit", "NT_TIB.StackLimit", false },
        { "teb_exception_list", "NT_TIB.ExceptionList", false }, { "teb_pid", "TEB.ClientId.UniqueProcess", false },
        { "teb_tid", "TEB.ClientId.UniqueThread", false },       { "peb", "TEB.ProcessEnvironmentBlock", false },
        { "last_error", "TEB.LastErrorValue", false },           { "last_status", "TEB.LastStatusValue", false },
};

/* NT_TIB32 and TEB32 never moved. */
static const struct {
        const char *key;
        uint32_t at;
} teb32_plain[] = {
        { "teb32_stack_base", 0x4 },  { "teb32_stack_limit", 0x8 },   { "teb32_exception_list", 0x0 },
        { "teb32_pid", 0x20 },        { "teb32_tid", 0x24 },          { "peb32", 0x30 },
        { "teb32_last_error", 0x34 }, { "teb32_last_status", 0xbf4 },
};

/* Rows that are more than a load: derive_test.c. */
static const char *const derived[] = {
        "object",
        "object_pa",
        "process",
        "process_object",
        "thread_name",
        "sources",
        "unseen_by", /* ways_test.c, with the next two */
        "hidden",
        "scan_bits",
        "attached",
        "saved_process",
        "base_priority_increment",
        "next_processor",
        "running_on",
        "affinity",
        "wait_age",
        "wait_objects",
        "teb32",
        "create_time",
        "exit_time",
        "exit_status_name",
        "lpc_received_message_id",
        "impersonation_level",
        "effective_only",
        "copy_on_open",
        "token",
        "lpc_reply_message",
        "lpc_waiting_on_port",
        "alpc_message",
        "keyed_wait_value",
        "irp_list",
        "post_block_list",
        "termination_port",
        "reaper_link",
        "has_terminated",
};

static const struct plain process_plain[] = {
        { "pid", "EPROCESS.UniqueProcessId", false },
        { "ppid", "EPROCESS.InheritedFromUniqueProcessId", false },
        { "create_time", "EPROCESS.CreateTime", false },
        { "exit_time", "EPROCESS.ExitTime", false },
        { "exit_status", "EPROCESS.ExitStatus", false },
        { "flags", "EPROCESS.Flags", false },
        { "active_threads", "EPROCESS.ActiveThreads", false },
        { "base_priority", "KPROCESS.BasePriority", true },
        { "directory_table_base", "KPROCESS.DirectoryTableBase", false },
        { "user_directory_table_base", "KPROCESS.UserDirectoryTableBase", false },
        { "peb", "EPROCESS.Peb", false },
        { "section_base", "EPROCESS.SectionBaseAddress", false },
        { "object_table", "EPROCESS.ObjectTable", false },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static uint64_t mask_of(const struct tiny_place *place)
{
        unsigned bits = place->bits ? place->bits : 8u * place->size;
        return bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static uint64_t extended(uint64_t value, const struct tiny_place *place)
{
        unsigned bits = 8u * place->size;
        return value >> (bits - 1) & 1 ? value | ~mask_of(place) : value;
}

static uint64_t pa_of(uint64_t va) { return (uint64_t)(world_at(&t.world, va) - t.world.mem); }

/* Two values that differ in every bit, so that no neighbour can be taken for the member. */
static void expect_loads(const struct plain *row, enum stasis_what what, uint64_t object)
{
        struct tiny_place place = tiny_place(&t, row->member);
        const struct stasis_fact *fact;
        static const uint64_t patterns[] = { UINT64_C(0x3141592653589793), ~UINT64_C(0x3141592653589793) };

        if (!place.size) {
                fact = stasis_record_fact(sys_record(what, object), row->key);
                ck_assert_msg(fact && fact->absence == STASIS_NOT_IN_VERSION, "%s is in this version", row->key);
                return;
        }
        uint64_t before = tiny_get(&t, object, row->member), behind = object + place.at + place.size;
        world_u(&t.world, behind, 1, ~(unsigned)*world_at(&t.world, behind)); /* a neighbour that must not be read */
        for (size_t i = 0; i < 2; i++) {
                uint64_t value = patterns[i] & mask_of(&place);
                tiny_set(&t, object, row->member, value);
                fact = stasis_record_fact(sys_record(what, object), row->key);
                ck_assert_msg(fact != NULL, "no fact %s", row->key);
                if (!value && fact->absence == STASIS_NOT_APPLICABLE)
                        continue;
                uint64_t want = row->is_signed ? extended(value, &place) : value;
                ck_assert_msg(fact->absence == STASIS_PRESENT && fact->value == want, "%s: 0x%llx (%s), not 0x%llx",
                              row->key, (unsigned long long)fact->value,
                              stasis_absence_name((enum stasis_absence)fact->absence), (unsigned long long)want);
                ck_assert_msg(fact->va == object + place.at, "%s was read elsewhere", row->key);
                ck_assert_uint_eq(fact->pa, pa_of(fact->va));
                ck_assert_int_eq(fact->origin, STASIS_ORIGIN_LINK);
        }
        tiny_set(&t, object, row->member, before);
        world_u(&t.world, behind, 1, ~(unsigned)*world_at(&t.world, behind));
}

START_TEST(threads)
{
        tiny_build(&t, _i);
        sys_open();
        for (size_t i = 0; i < COUNT(thread_plain); i++)
                expect_loads(&thread_plain[i], STASIS_THREADS, t.thread[TINY_MAIN]);
}
END_TEST

START_TEST(processes)
{
        tiny_build(&t, _i);
        sys_open();
        for (size_t i = 0; i < COUNT(process_plain); i++)
                expect_loads(&process_plain[i], STASIS_PROCESSES, t.process[TINY_BETA]);
}
END_TEST

/* Alpha and beta have TEBs at the same address: each is read in its own space. */
static void expect_teb(enum tiny_thread thread, const char *key, uint64_t va, size_t size)
{
        enum tiny_process process = tiny_owner(thread);
        uint64_t value = size == 8 ? UINT64_C(0x123456789abcdef0) + thread : UINT64_C(0x9abcdef0) + thread;
        tiny_user_u(&t, process, va, size, value);
        const struct stasis_fact *fact = thread_fact(thread, key);
        ck_assert_msg(fact->absence == STASIS_PRESENT && fact->value == value && fact->va == va, "%s of thread %d", key,
                      thread);
        ck_assert_uint_eq(fact->pa, (uint64_t)(tiny_user_at(&t, process, va) - t.world.mem));
}

START_TEST(tebs)
{
        tiny_build(&t, _i);
        sys_open();
        ck_assert_uint_eq(t.teb[TINY_RUNNER], t.teb[TINY_MAIN]);
        for (size_t i = 0; i < COUNT(teb_plain); i++) {
                struct tiny_place place = tiny_place(&t, teb_plain[i].member);
                expect_teb(TINY_RUNNER, teb_plain[i].key, t.teb[TINY_RUNNER] + place.at, place.size);
                expect_teb(TINY_MAIN, teb_plain[i].key, t.teb[TINY_MAIN] + place.at, place.size);
        }
}
END_TEST

START_TEST(tebs_32)
{
        tiny_build(&t, _i);
        sys_open();
        for (size_t i = 0; i < COUNT(teb32_plain); i++) {
                if (t.is64)
                        expect_teb(TINY_MAIN, teb32_plain[i].key, t.teb32 + teb32_plain[i].at, 4);
                else
                        expect_absent(thread_fact(TINY_MAIN, teb32_plain[i].key), STASIS_NOT_IN_VERSION);
                expect_absent(thread_fact(TINY_RUNNER, teb32_plain[i].key),
                              t.is64 ? STASIS_NOT_APPLICABLE : STASIS_NOT_IN_VERSION);
        }
}
END_TEST

/* A kernel thread has no TEB, and so none of its facts; a TEB that is not there tells why. */
START_TEST(tebs_absent)
{
        tiny_build(&t, _i);
        sys_open();
        for (size_t i = 0; i < COUNT(teb_plain); i++)
                expect_absent(thread_fact(TINY_WORKER, teb_plain[i].key), STASIS_NOT_APPLICABLE);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.Teb", t.teb[TINY_MAIN] - 0x4000);
        expect_absent(thread_fact(TINY_MAIN, "last_error"), STASIS_NOT_MAPPED);
        expect_value(thread_fact(TINY_MAIN, "teb"), t.teb[TINY_MAIN] - 0x4000);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.Teb", t.pool); /* no user address */
        expect_absent(thread_fact(TINY_MAIN, "last_error"), STASIS_CONTRADICTORY);
}
END_TEST

/* Of the token that it acts with: token_test.c. */
static const char *const of_token[] = {
        "process_token",
        "effective_token",
        "user",
        "user_name",
        "integrity",
        "administrator",
        "token_type",
        "token_level",
        "token_session",
        "authentication_id",
        "originating_logon",
        "token_id",
        "parent_token_id",
        "modified_id",
        "token_source",
        "token_expires",
        "token_flags",
        "mandatory_policy",
        "owner",
        "primary_group",
        "package",
        "trust_level",
        "groups",
        "restricted_sids",
        "capabilities",
        "privileges",
};

/* Of its process, and slots: context_test.c. */
static const char *const of_context[] = {
        "ppid",  "parent",     "session",   "command_line", "process_created", "process_exited",
        "fiber", "fiber_data", "tls_slots", "tls_pointer",  "fls_data",
};

/* Registers and stacks: unwind_x64_test.c, unwind_x86_test.c, and the truth of the golden systems. */
static const char *const of_stacks[] = {
        "kernel_registers", "user_registers", "wow64_registers", "stack",           "stack_end",
        "user_stack",       "user_stack_end", "wow64_stack",     "wow64_stack_end",
};

/* What is queued on it: thread_io_test.c. */
static const char *const queued[] = {
        "irps",
        "apcs",
        "timers",
        "kernel_apc_in_progress",
        "kernel_apc_pending",
        "user_apc_pending",
        "kernel_apc_disable",
        "special_apc_disable",
        "apc_queueable",
};

static size_t in_tables(const char *key)
{
        size_t found = 0;
        for (size_t i = 0; i < COUNT(thread_plain); i++)
                found += !strcmp(thread_plain[i].key, key);
        for (size_t i = 0; i < COUNT(teb_plain); i++)
                found += !strcmp(teb_plain[i].key, key);
        for (size_t i = 0; i < COUNT(teb32_plain); i++)
                found += !strcmp(teb32_plain[i].key, key);
        for (size_t i = 0; i < COUNT(derived); i++)
                found += !strcmp(derived[i], key);
        for (size_t i = 0; i < COUNT(of_token); i++)
                found += !strcmp(of_token[i], key);
        for (size_t i = 0; i < COUNT(of_context); i++)
                found += !strcmp(of_context[i], key);
        for (size_t i = 0; i < COUNT(of_stacks); i++)
                found += !strcmp(of_stacks[i], key);
        for (size_t i = 0; i < COUNT(queued); i++)
                found += !strcmp(queued[i], key);
        return found;
}

START_TEST(no_row_is_forgotten)
{
        const struct stasis_column *column;
        for (size_t i = 0; (column = stasis_column_at("windows", STASIS_THREADS, i)); i++)
                ck_assert_msg(in_tables(column->key) == 1, "%s: %zu times in the tests", column->key,
                              in_tables(column->key));
        ck_assert_ptr_null(stasis_column_at("no-such-system", STASIS_THREADS, 0));
        ck_assert_ptr_null(stasis_system_fact_column_at("no-such-system", 0));
}
END_TEST

/* The page of the object is not in the image, or not in memory: so say all its loads. */
START_TEST(object_not_there)
{
        tiny_build(&t, _i);
        sys_open();
        (void)sys_count(STASIS_THREADS);
        struct windows *w = sys->priv;
        tiny_gone(&t, t.thread[TINY_MAIN]);
        memset(w->kernel->tlb, 0, sizeof(w->kernel->tlb));
        expect_absent(thread_fact(TINY_MAIN, "state"), STASIS_NOT_IN_IMAGE);
        expect_absent(thread_fact(TINY_MAIN, "cross_thread_flags"), STASIS_NOT_IN_IMAGE);
        world_unmap(&t.world, t.thread[TINY_MAIN]);
        memset(w->kernel->tlb, 0, sizeof(w->kernel->tlb));
        expect_absent(thread_fact(TINY_MAIN, "state"), STASIS_NOT_MAPPED);
        expect_absent(thread_fact(TINY_MAIN, "object_pa"), STASIS_NOT_MAPPED);
        expect_value(thread_fact(TINY_MAIN, "object"), t.thread[TINY_MAIN]);
}
END_TEST

/* Names of bits come from the layout of the version: bit 1 is another thing since Vista. */
START_TEST(names_of_flags)
{
        size_t count;
        char text[512];
        tiny_build(&t, _i);
        sys_open();
        const struct stasis_column *column = stasis_system_columns(sys, STASIS_THREADS, &count);
        while (strcmp(column->key, "cross_thread_flags") != 0)
                column++;
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.CrossThreadFlags", 0xa);
        stasis_fact_text(column, thread_fact(TINY_MAIN, "cross_thread_flags"), text, sizeof(text));
        ck_assert_str_eq(text, t.is64 ? "0xa ThreadInserted ActiveImpersonationInfo"
                                      : "0xa DeadThread ActiveImpersonationInfo");
}
END_TEST

int main(void)
{
        const TTest *const both[] = {
                threads, processes, tebs, tebs_32, tebs_absent, object_not_there, names_of_flags
        };
        const TTest *const single[] = { no_row_is_forgotten };
        return sys_main("fields", both, COUNT(both), single, COUNT(single));
}
