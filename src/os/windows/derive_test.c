/* SPDX-License-Identifier: MIT */
/* Facts that are more than a load: each rule, from both sides. */
#include "../../test/tiny_system.h"
#include "fields.h"

static void build(bool is64)
{
        tiny_build(&t, is64);
        sys_open();
        (void)sys_count(STASIS_THREADS);
}

/* Decodes what was found as if another version had written it. Where its members lie is said where it is used. */
static void as_layout(const char *name)
{
        struct windows *w = sys->priv;
        w->layout = stasis_layout_by_name(name);
        ck_assert_msg(w->layout != NULL, "no layout %s", name);
        windows_bind_places(w->layout, &w->at);
        rows_free(w->fields[STASIS_THREADS]);
        w->fields[STASIS_THREADS] = fields_bind(w, thread_rows, thread_row_count, STASIS_THREADS);
        ck_assert_ptr_nonnull(w->fields[STASIS_THREADS]);
}

static void set(enum tiny_thread thread, const char *member, uint64_t value)
{
        tiny_set(&t, t.thread[thread], member, value);
}
static void value(enum tiny_thread thread, const char *key, uint64_t want)
{
        expect_value(thread_fact(thread, key), want);
}
static void absent(enum tiny_thread thread, const char *key, enum stasis_absence why)
{
        expect_absent(thread_fact(thread, key), why);
}

/* ---------------------------------------------------------------- identity and context */

START_TEST(identity)
{
        build(_i);
        value(TINY_CLIENT, "object", t.thread[TINY_CLIENT]);
        value(TINY_CLIENT, "object_pa", (uint64_t)(world_at(&t.world, t.thread[TINY_CLIENT]) - t.world.mem));
        expect_text(thread_fact(TINY_CLIENT, "process"), "alpha.exe");
        value(TINY_CLIENT, "process_object", t.process[TINY_ALPHA]);
}
END_TEST

/* A layout that knows neither KTHREAD.Process nor ThreadsProcess: the APC states tell, by the index. */
START_TEST(owner_by_apc_state)
{
        uint64_t owner;
        build(false);
        struct windows *w = sys->priv;
        struct field_set *fields = w->fields[STASIS_THREADS];
        w->at.thread_process.has = w->at.kthread_process.has = false;
        for (size_t i = 0; i < fields->count; i++)
                if (!strcmp(fields->column[i].key, "process_object")) {
                        fields->bound[i].path = NULL;
                        fields->bound[i].why = STASIS_NOT_IN_VERSION;
                }
        value(TINY_WORKER, "process_object", t.process[TINY_SYSTEM]);
        value(TINY_ATTACHED, "process_object", t.process[TINY_SYSTEM]);
        ck_assert_int_eq(windows_owner_of(w, t.thread[TINY_ATTACHED], &owner), STASIS_OK);
        ck_assert_uint_eq(owner, t.process[TINY_SYSTEM]);
        ck_assert_int_eq(windows_owner_of(w, t.thread[TINY_MAIN], &owner), STASIS_OK);
        ck_assert_uint_eq(owner, t.process[TINY_BETA]);
}
END_TEST

/* 2000: HasTerminated at 0x224, a list of termination ports at 0x1cc, GrantedAccess and CrossThreadFlags not yet. */
START_TEST(two_thousand)
{
        build(false);
        as_layout("5.0.2195.0-x86-partial");
        uint64_t ports = t.thread[TINY_MAIN] + 0x1cc;
        world_u(&t.world, t.thread[TINY_MAIN] + 0x224, 4, 1);
        value(TINY_MAIN, "has_terminated", 1);
        tiny_pointer(&t, ports, ports);
        absent(TINY_MAIN, "termination_port", STASIS_NOT_APPLICABLE);
        tiny_pointer(&t, ports, t.pool + 0x10);
        value(TINY_MAIN, "termination_port", t.pool + 0x10);
        world_u(&t.world, t.thread[TINY_MAIN] + 0x22c, 4, t.process[TINY_BETA]);
        value(TINY_MAIN, "process_object", t.process[TINY_BETA]);
}
END_TEST

START_TEST(attached)
{
        build(_i);
        value(TINY_ATTACHED, "attached", 1);
        value(TINY_ATTACHED, "current_process", t.process[TINY_ALPHA]);
        value(TINY_ATTACHED, "saved_process", t.process[TINY_SYSTEM]);
        value(TINY_ATTACHED, "process_object", t.process[TINY_SYSTEM]);
        expect_text(thread_fact(TINY_ATTACHED, "process"), "System");
        value(TINY_WORKER, "attached", 0);
        set(TINY_WORKER, "KTHREAD.SavedApcState.Process", t.process[TINY_BETA]); /* left over */
        absent(TINY_WORKER, "saved_process", STASIS_NOT_APPLICABLE);
        set(TINY_WORKER, "KTHREAD.ApcStateIndex", 2);
        value(TINY_WORKER, "attached", 0);
        set(TINY_ATTACHED, "KTHREAD.SavedApcState.Process", 0);
        absent(TINY_ATTACHED, "saved_process", STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(thread_name)
{
        build(true);
        uint64_t at = t.pool + TINY_POOL_FREE;
        absent(TINY_MAIN, "thread_name", STASIS_NOT_APPLICABLE);
        set(TINY_MAIN, "ETHREAD.ThreadName", at);
        tiny_string(&t, at, at + 0x20, "worker");
        expect_text(thread_fact(TINY_MAIN, "thread_name"), "worker");
        world_u(&t.world, at, 2, 11); /* half a unit */
        absent(TINY_MAIN, "thread_name", STASIS_CONTRADICTORY);
        world_u(&t.world, at, 2, 0);
        absent(TINY_MAIN, "thread_name", STASIS_NOT_APPLICABLE);
        world_u(&t.world, at, 2, 12);
        tiny_pointer(&t, at + 8, UINT64_C(0xffffc60000000000));
        absent(TINY_MAIN, "thread_name", STASIS_NOT_MAPPED);
}
END_TEST

/* ---------------------------------------------------------------- scheduling */

START_TEST(next_processor)
{
        build(_i);
        set(TINY_MAIN, "KTHREAD.NextProcessor", 0xffffff83);
        value(TINY_MAIN, "next_processor", t.is64 ? 0x7fffff83 : 0x83);
        if (!t.is64)
                return;
        value(TINY_MAIN, "shared_ready_queue", 1);
        as_layout("6.0.6000.16386-x64"); /* two bytes at 0x74 */
        world_u(&t.world, t.thread[TINY_MAIN] + 0x74, 4, 0xffff1234);
        value(TINY_MAIN, "next_processor", 0x1234);
        as_layout("6.1.7601.17514-x64"); /* four bytes at 0x7c */
        world_u(&t.world, t.thread[TINY_MAIN] + 0x7c, 8, UINT64_C(0xffffffff00012345));
        value(TINY_MAIN, "next_processor", 0x12345);
}
END_TEST

START_TEST(affinity_mask)
{
        build(_i);
        set(TINY_MAIN, "KTHREAD.Affinity", t.is64 ? UINT64_C(0x500000003) : 5);
        value(TINY_MAIN, "affinity", t.is64 ? UINT64_C(0x500000003) : 5);
        ck_assert_uint_eq(thread_fact(TINY_MAIN, "affinity")->va,
                          t.thread[TINY_MAIN] + tiny_place(&t, "KTHREAD.Affinity").at);
}
END_TEST

/* Server 2022: a pointer at 0x240 to {u16 Count, u16 Size, u32, u64 masks}, and the primary group at 0x248. */
START_TEST(affinity_pointer)
{
        uint64_t at, ex;
        build(true);
        as_layout("10.0.20348.1249-x64");
        at = t.thread[TINY_MAIN] + 0x240;
        ex = t.pool + TINY_POOL_FREE;
        tiny_pointer(&t, at, ex);
        world_u(&t.world, ex, 2, 2);
        world_u(&t.world, ex + 2, 2, 20);
        world_u(&t.world, ex + 8, 8, 0xf);
        world_u(&t.world, ex + 16, 8, 0x30);
        world_u(&t.world, at + 8, 2, 0);
        value(TINY_MAIN, "affinity", 0xf);
        world_u(&t.world, at + 8, 2, 1);
        value(TINY_MAIN, "affinity", 0x30);
        ck_assert_uint_eq(thread_fact(TINY_MAIN, "affinity")->va, ex + 16);
        world_u(&t.world, at + 8, 2, 2); /* a group that it does not count */
        absent(TINY_MAIN, "affinity", STASIS_CONTRADICTORY);
        world_u(&t.world, at + 8, 2, 0x100);
        absent(TINY_MAIN, "affinity", STASIS_CONTRADICTORY);
        world_u(&t.world, at + 8, 2, 0);
        world_u(&t.world, ex, 2, 65);
        absent(TINY_MAIN, "affinity", STASIS_CONTRADICTORY);
        tiny_pointer(&t, at, 0xffffc60000000000);
        absent(TINY_MAIN, "affinity", STASIS_NOT_MAPPED);
}
END_TEST

START_TEST(base_priority_increment)
{
        build(_i);
        set(TINY_MAIN, "KTHREAD.BasePriority", 10);
        value(TINY_MAIN, "base_priority_increment", 2); /* the process has 8 */
        set(TINY_MAIN, "KTHREAD.BasePriority", 7);
        value(TINY_MAIN, "base_priority_increment", UINT64_MAX);
        set(TINY_MAIN, "KTHREAD.Saturation", 1);
        value(TINY_MAIN, "base_priority_increment", 16);
        set(TINY_MAIN, "KTHREAD.Saturation", 0xff);
        value(TINY_MAIN, "base_priority_increment", (uint64_t)-16);
        expect_value(thread_fact(TINY_MAIN, "saturation"), UINT64_MAX);
}
END_TEST

/* The tick count is 0x10000 at 15.625 ms a tick. */
START_TEST(wait_age)
{
        build(_i);
        set(TINY_MAIN, "KTHREAD.WaitTime", 0xffc0);
        value(TINY_MAIN, "wait_age", 1000);
        set(TINY_MAIN, "KTHREAD.WaitTime", 0xffffffc0); /* before the count wrapped, were it one of 32 bits */
        value(TINY_MAIN, "wait_age", (UINT64_C(0x10040) * 0x0fa00000) >> 24);
        set(TINY_MAIN, "KTHREAD.WaitTime", 0x10001); /* in the future */
        absent(TINY_MAIN, "wait_age", STASIS_CONTRADICTORY);
        set(TINY_MAIN, "KTHREAD.WaitTime", 0x10000);
        value(TINY_MAIN, "wait_age", 0);
        absent(TINY_READY, "wait_age", STASIS_NOT_APPLICABLE);
        ((struct windows *)sys->priv)->has_shared = false;
        absent(TINY_MAIN, "wait_age", STASIS_NOT_KNOWN);
}
END_TEST

START_TEST(running_on)
{
        build(_i);
        value(TINY_RUNNER, "running_on", 0);
        ck_assert_uint_eq(thread_fact(TINY_RUNNER, "running_on")->va,
                          t.prcb + tiny_place(&t, "KPRCB.CurrentThread").at);
        ck_assert_int_eq(thread_fact(TINY_RUNNER, "running_on")->origin, STASIS_ORIGIN_CONTEXT);
        absent(TINY_MAIN, "running_on", STASIS_NOT_APPLICABLE);
}
END_TEST

/* ---------------------------------------------------------------- TEB */

START_TEST(teb_disagrees)
{
        build(_i);
        (void)thread_fact(TINY_MAIN, "teb");
        ck_assert_uint_eq(sys_notes("teb-disagrees"), 0);
        stasis_system_close(sys);
        tiny_user_set(&t, TINY_BETA, t.teb[TINY_MAIN], "TEB.ClientId.UniqueThread", 0x999);
        sys_open();
        (void)thread_fact(TINY_MAIN, "teb");
        (void)thread_fact(TINY_MAIN, "teb");
        ck_assert_uint_eq(sys_notes("teb-disagrees"), 1); /* once, however often it is decoded */
        ck_assert_int_eq(sys_note("teb-disagrees")->severity, STASIS_NOTE_WARNING);
        ck_assert_int_eq(sys_note("teb-disagrees")->pid, 0x200);
        ck_assert_int_eq(sys_note("teb-disagrees")->tid, 0x204);
        ck_assert_uint_eq(sys_note("teb-disagrees")->object, t.thread[TINY_MAIN]);
        value(TINY_MAIN, "teb_tid", 0x999);
}
END_TEST

START_TEST(teb32)
{
        build(true);
        value(TINY_MAIN, "teb32", t.teb32);
        absent(TINY_RUNNER, "teb32", STASIS_NOT_APPLICABLE); /* a native process */
        absent(TINY_READY, "teb32", STASIS_NOT_APPLICABLE);  /* no TEB at all */
        tiny_user_u(&t, TINY_BETA, t.teb32 + 0x18, 4, t.teb32 + 0x1000);
        absent(TINY_MAIN, "teb32", STASIS_CONTRADICTORY);
        absent(TINY_MAIN, "teb32_last_error", STASIS_CONTRADICTORY);
        tiny_user_u(&t, TINY_BETA, t.teb32 + 0x18, 4, t.teb32);
        tiny_user_set(&t, TINY_BETA, t.teb[TINY_MAIN], "TEB.WowTebOffset", 0x12000); /* leads nowhere */
        absent(TINY_MAIN, "teb32", STASIS_NOT_MAPPED);
        tiny_user_set(&t, TINY_BETA, t.teb[TINY_MAIN], "TEB.WowTebOffset", 0); /* not set yet: where it always is */
        value(TINY_MAIN, "teb32", t.teb32);
}
END_TEST

/* ---------------------------------------------------------------- life */

START_TEST(create_time)
{
        build(_i);
        value(TINY_MAIN, "create_time", TINY_CREATED);
        if (!t.is64) { /* unshifted, as ReactOS keeps it */
                set(TINY_MAIN, "ETHREAD.CreateTime", TINY_CREATED);
                value(TINY_MAIN, "create_time", TINY_CREATED);
                set(TINY_MAIN, "ETHREAD.CreateTime",
                    TINY_CREATED << 3 | 5); /* nested faults and ApcNeeded in the low bits */
                value(TINY_MAIN, "create_time", TINY_CREATED);
                value(TINY_MAIN, "nested_fault_count", 1);
                value(TINY_MAIN, "apc_needed", 1);
        }
        set(TINY_MAIN, "ETHREAD.CreateTime", t.is64 ? TINY_CREATED << 3 : 0xffffffffffffffff);
        absent(TINY_MAIN, "create_time", STASIS_CONTRADICTORY);
}
END_TEST

START_TEST(exit_time)
{
        build(_i);
        value(TINY_DEAD, "exit_time", TINY_EXITED);
        set(TINY_MAIN, "ETHREAD.CrossThreadFlags", 4);   /* HideFromDebugger, beside Terminated */
        set(TINY_MAIN, "ETHREAD.ExitTime", TINY_EXITED); /* lives: whatever stands there is something else */
        absent(TINY_MAIN, "exit_time", STASIS_NOT_APPLICABLE);
        set(TINY_MAIN, "ETHREAD.Terminated", 1); /* on its way out */
        value(TINY_MAIN, "exit_time", TINY_EXITED);
        set(TINY_MAIN, "ETHREAD.ExitTime", TINY_CREATED - 1);
        absent(TINY_MAIN, "exit_time", STASIS_NOT_APPLICABLE);
        set(TINY_DEAD, "ETHREAD.ExitTime", TINY_CREATED - 1);
        absent(TINY_DEAD, "exit_time", STASIS_CONTRADICTORY);
        set(TINY_DEAD, "ETHREAD.ExitTime", TINY_CREATED);
        value(TINY_DEAD, "exit_time", TINY_CREATED);
        set(TINY_DEAD, "ETHREAD.ExitTime", 0);
        absent(TINY_DEAD, "exit_time", STASIS_CONTRADICTORY);
        set(TINY_DEAD, "ETHREAD.ExitTime", (UINT64_C(1) << 59) + 1);
        absent(TINY_DEAD, "exit_time", STASIS_CONTRADICTORY);
        set(TINY_DEAD, "ETHREAD.Terminated", 0);
        set(TINY_DEAD, "ETHREAD.ExitTime", TINY_EXITED); /* the state alone is enough */
        value(TINY_DEAD, "exit_time", TINY_EXITED);
}
END_TEST

START_TEST(exit_status_name)
{
        build(_i);
        expect_text(thread_fact(TINY_DEAD, "exit_status_name"), "STATUS_ACCESS_VIOLATION");
        expect_text(thread_fact(TINY_MAIN, "exit_status_name"), "STATUS_PENDING");
        set(TINY_DEAD, "ETHREAD.ExitStatus", 0x1234567);
        absent(TINY_DEAD, "exit_status_name", STASIS_NOT_KNOWN);
        value(TINY_DEAD, "exit_status", 0x1234567);
}
END_TEST

/* ---------------------------------------------------------------- start */

START_TEST(start_address)
{
        build(_i);
        uint64_t start = t.kernel + WORLD_PE_TEXT + 0x10 * TINY_WORKER;
        value(TINY_WORKER, "start_address", start);
        expect_text(thread_fact(TINY_WORKER, "start_address"), "ntoskrnl.exe");
        ck_assert_uint_eq(thread_fact(TINY_WORKER, "start_address")->extra, start - t.kernel);
        set(TINY_WORKER, "ETHREAD.StartAddress", t.kernel + WORLD_PE_LEN); /* behind the module */
        ck_assert_ptr_null(thread_fact(TINY_WORKER, "start_address")->text);
        set(TINY_WORKER, "ETHREAD.StartAddress", t.kernel + WORLD_PE_LEN - 1);
        expect_text(thread_fact(TINY_WORKER, "start_address"), "ntoskrnl.exe");
        if (!t.is64)
                return;
        set(TINY_WORKER, "ETHREAD.SameThreadApcFlags", 1); /* another bit of the same byte */
        value(TINY_WORKER, "start_address", t.kernel + WORLD_PE_LEN - 1);
        set(TINY_WORKER, "ETHREAD.StartAddressInvalid", 1);
        absent(TINY_WORKER, "start_address", STASIS_NOT_APPLICABLE);
}
END_TEST

/* One place: the start address, or the id of a received LPC message where a bit says so. */
START_TEST(lpc_received_message_id)
{
        build(_i);
        set(TINY_MAIN, "ETHREAD.Win32StartAddress", 0x401000);
        value(TINY_MAIN, "win32_start_address", 0x401000);
        if (t.is64) {
                absent(TINY_MAIN, "lpc_received_message_id", STASIS_NOT_IN_VERSION);
                return;
        }
        set(TINY_MAIN, "ETHREAD.SameThreadApcFlags", 2); /* another bit of the same byte */
        absent(TINY_MAIN, "lpc_received_message_id", STASIS_NOT_APPLICABLE);
        set(TINY_MAIN, "ETHREAD.LpcReceivedMsgIdValid", 1);
        value(TINY_MAIN, "lpc_received_message_id", 0x401000);
        absent(TINY_MAIN, "win32_start_address", STASIS_NOT_APPLICABLE);
}
END_TEST

/* ---------------------------------------------------------------- security */

START_TEST(impersonation)
{
        build(_i);
        value(TINY_CLIENT, "impersonating", 1);
        value(TINY_CLIENT, "impersonation_level", 2);
        expect_text(thread_fact(TINY_CLIENT, "impersonation_level"), "Impersonation");
        value(TINY_CLIENT, "effective_only", 1);
        value(TINY_CLIENT, "token", t.is64 ? t.impersonation : 0xe1001000);
        absent(TINY_MAIN, "impersonation_level", STASIS_NOT_APPLICABLE);
        absent(TINY_MAIN, "token", STASIS_NOT_APPLICABLE);
        absent(TINY_MAIN, "effective_only", STASIS_NOT_APPLICABLE);
        absent(TINY_MAIN, "copy_on_open", STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(impersonation_old)
{
        build(false);
        value(TINY_CLIENT, "copy_on_open", 1);
        ck_assert_uint_eq(thread_fact(TINY_CLIENT, "copy_on_open")->va, t.impersonation + 4);
        ck_assert_uint_eq(thread_fact(TINY_CLIENT, "effective_only")->va, t.impersonation + 5);
        ck_assert_uint_eq(thread_fact(TINY_CLIENT, "impersonation_level")->va, t.impersonation + 8);
        ck_assert_uint_eq(thread_fact(TINY_CLIENT, "token")->va, t.impersonation);
        tiny_set(&t, t.impersonation, "PS_IMPERSONATION_INFORMATION.ImpersonationLevel", 0x10002);
        value(TINY_CLIENT, "impersonation_level", 0x10002);
        world_u(&t.world, t.impersonation + 6, 1, 0xff); /* what follows the two flags */
        tiny_set(&t, t.impersonation, "PS_IMPERSONATION_INFORMATION.EffectiveOnly", 0);
        tiny_set(&t, t.impersonation, "PS_IMPERSONATION_INFORMATION.CopyOnOpen", 0);
        value(TINY_CLIENT, "effective_only", 0);
        value(TINY_CLIENT, "copy_on_open", 0);
        set(TINY_CLIENT, "ETHREAD.ActiveImpersonationInfo", 0); /* reverted: the structure stays */
        absent(TINY_CLIENT, "token", STASIS_NOT_APPLICABLE);
        absent(TINY_CLIENT, "impersonation_level", STASIS_NOT_APPLICABLE);
        set(TINY_CLIENT, "ETHREAD.ActiveImpersonationInfo", 1);
        set(TINY_CLIENT, "ETHREAD.ImpersonationInfo", 0xe2000000);
        absent(TINY_CLIENT, "token", STASIS_NOT_MAPPED);
        set(TINY_CLIENT, "ETHREAD.ImpersonationInfo", 0);
        absent(TINY_CLIENT, "token", STASIS_NOT_APPLICABLE);
        absent(TINY_CLIENT, "copy_on_open", STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(impersonation_packed)
{
        build(true);
        value(TINY_CLIENT, "copy_on_open", 0);
        set(TINY_CLIENT, "ETHREAD.CopyTokenOnOpen", 1);
        value(TINY_CLIENT, "copy_on_open", 1);
        set(TINY_CLIENT, "ETHREAD.ClientSecurity.ImpersonationData", t.impersonation | 3);
        value(TINY_CLIENT, "effective_only", 0);
        value(TINY_CLIENT, "impersonation_level", 3);
        value(TINY_CLIENT, "token", t.impersonation);
        set(TINY_CLIENT, "ETHREAD.ActiveImpersonationInfo", 0);
        absent(TINY_CLIENT, "token", STASIS_NOT_APPLICABLE);
        absent(TINY_CLIENT, "copy_on_open", STASIS_NOT_APPLICABLE);
}
END_TEST

/* ---------------------------------------------------------------- LPC and ALPC */

START_TEST(lpc_reply)
{
        build(false);
        absent(TINY_MAIN, "lpc_reply_message", STASIS_NOT_APPLICABLE);
        absent(TINY_MAIN, "lpc_waiting_on_port", STASIS_NOT_APPLICABLE);
        set(TINY_MAIN, "ETHREAD.LpcReplyMessage", 0xe1003000);
        value(TINY_MAIN, "lpc_reply_message", 0xe1003000);
        absent(TINY_MAIN, "lpc_waiting_on_port", STASIS_NOT_APPLICABLE);
        set(TINY_MAIN, "ETHREAD.LpcReplyMessage", 0xe1003001); /* the low bit: a port */
        absent(TINY_MAIN, "lpc_reply_message", STASIS_NOT_APPLICABLE);
        value(TINY_MAIN, "lpc_waiting_on_port", 0xe1003000);
        absent(TINY_MAIN, "alpc_message", STASIS_NOT_IN_VERSION);
}
END_TEST

START_TEST(alpc)
{
        build(true);
        absent(TINY_MAIN, "alpc_message", STASIS_NOT_APPLICABLE);
        set(TINY_MAIN, "ETHREAD.AlpcMessage", t.pool);
        value(TINY_MAIN, "alpc_message", t.pool);
        set(TINY_MAIN, "ETHREAD.AlpcMessage", 0x7000); /* AlpcReceiveAttributeSet, in the same place */
        absent(TINY_MAIN, "alpc_message", STASIS_NOT_APPLICABLE);
        absent(TINY_MAIN, "lpc_reply_message", STASIS_NOT_IN_VERSION);
}
END_TEST

/* ---------------------------------------------------------------- one place, three members */

static void expect_place(enum tiny_thread thread, const char *which)
{
        static const char *const keys[] = { "termination_port", "reaper_link", "keyed_wait_value" };
        for (size_t i = 0; i < 3; i++)
                if (!strcmp(keys[i], which))
                        value(thread, keys[i], t.pool + 0x10);
                else
                        absent(thread, keys[i], STASIS_NOT_APPLICABLE);
}

START_TEST(termination_port)
{
        build(_i);
        for (int i = 0; i < TINY_LISTED; i++)
                set((enum tiny_thread)i, "ETHREAD.TerminationPort", t.pool + 0x10);
        expect_place(TINY_MAIN, "termination_port");
        expect_place(TINY_READY, "termination_port");
        expect_place(TINY_DEAD, "reaper_link");
        set(TINY_MAIN, "ETHREAD.TerminationPort", 0);
        expect_place(TINY_MAIN, "none");
}
END_TEST

/* XP: a keyed wait is one on the thread's own semaphore, at 0x1f4, that is no LPC wait. KWAIT_BLOCK.Object is at 0xc.
 */
START_TEST(keyed_wait_old)
{
        build(false);
        uint64_t block = t.pool + TINY_POOL_FREE;
        set(TINY_MAIN, "ETHREAD.KeyedWaitValue", t.pool + 0x10);
        set(TINY_MAIN, "KTHREAD.WaitBlockList", block);
        expect_place(TINY_MAIN, "termination_port");
        world_u(&t.world, block + 0xc, 4, t.thread[TINY_MAIN] + 0x1f4);
        expect_place(TINY_MAIN, "keyed_wait_value");
        set(TINY_MAIN, "KTHREAD.WaitReason", 17);
        expect_place(TINY_MAIN, "termination_port");
        set(TINY_MAIN, "KTHREAD.WaitReason", 16);
        expect_place(TINY_MAIN, "termination_port");
        set(TINY_MAIN, "KTHREAD.WaitReason", 6);
        set(TINY_MAIN, "KTHREAD.State", 1); /* waits no longer */
        expect_place(TINY_MAIN, "termination_port");
        set(TINY_MAIN, "KTHREAD.State", 4);
        expect_place(TINY_MAIN, "reaper_link");
}
END_TEST

START_TEST(keyed_wait_new)
{
        build(true);
        set(TINY_MAIN, "ETHREAD.KeyedWaitValue", t.pool + 0x10);
        expect_place(TINY_MAIN, "termination_port");
        set(TINY_MAIN, "ETHREAD.SameThreadPassiveFlags", 1); /* another bit of the same word */
        expect_place(TINY_MAIN, "termination_port");
        set(TINY_MAIN, "ETHREAD.KeyedEventInUse", 1);
        expect_place(TINY_MAIN, "keyed_wait_value");
        set(TINY_MAIN, "ETHREAD.KeyedEventInUse", 0);
        set(TINY_MAIN, "KTHREAD.WaitReason", 21); /* WrKeyedEvent */
        expect_place(TINY_MAIN, "keyed_wait_value");
        set(TINY_MAIN, "KTHREAD.State", 1);
        expect_place(TINY_MAIN, "termination_port");
}
END_TEST

/* ---------------------------------------------------------------- lists */

/* Since Vista StartAddress lies in the second word: the list is empty where its first word is no kernel address. */
START_TEST(post_block_list)
{
        build(_i);
        uint64_t at = t.thread[TINY_MAIN] + tiny_place(&t, "ETHREAD.PostBlockList").at;
        tiny_pointer(&t, at, at);
        absent(TINY_MAIN, "post_block_list", STASIS_NOT_APPLICABLE);
        tiny_pointer(&t, at, t.pool + 0x10);
        value(TINY_MAIN, "post_block_list", t.pool + 0x10);
        tiny_pointer(&t, at, 0x1234);
        absent(TINY_MAIN, "post_block_list", STASIS_NOT_APPLICABLE);
        tiny_pointer(&t, at, 0);
        absent(TINY_MAIN, "post_block_list", STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(active_timers)
{
        build(_i);
        absent(TINY_MAIN, "active_timers", STASIS_NOT_APPLICABLE); /* a ring of none */
        set(TINY_MAIN, "ETHREAD.ActiveTimerListHead", t.pool + 0x10);
        value(TINY_MAIN, "active_timers", t.pool + 0x10);
}
END_TEST

/* IRP.ThreadListEntry: 0x10 in x86, 0x20 in x64. */
START_TEST(irp_list)
{
        char text[100];
        build(_i);
        uint64_t head = t.thread[TINY_MAIN] + tiny_place(&t, "ETHREAD.IrpList").at, irp = t.pool + TINY_POOL_FREE;
        unsigned link = t.is64 ? 0x20 : 0x10;
        expect_text(thread_fact(TINY_MAIN, "irp_list"), "");
        tiny_ring(&t, head, (uint64_t[]){ irp + link, irp + 0x100 + link }, 2);
        snprintf(text, sizeof(text), "0x%llx\n0x%llx", (unsigned long long)irp, (unsigned long long)irp + 0x100);
        expect_text(thread_fact(TINY_MAIN, "irp_list"), text);
        tiny_pointer(&t, irp + link, 0);
        snprintf(text, sizeof(text), "0x%llx\n0x%llx\n(list torn or longer)", (unsigned long long)irp,
                 (unsigned long long)irp + 0x100);
        expect_text(thread_fact(TINY_MAIN, "irp_list"), text);
}
END_TEST

/* A hundred IRPs: some are shown, and that there are more is said. */
START_TEST(irp_list_long)
{
        uint64_t entry[100];
        build(_i);
        for (unsigned i = 0; i < 100; i++)
                entry[i] = t.pool + TINY_POOL_FREE + 0x20 * (i + 1);
        tiny_ring(&t, t.thread[TINY_MAIN] + tiny_place(&t, "ETHREAD.IrpList").at, entry, 100);
        const char *text = thread_fact(TINY_MAIN, "irp_list")->text;
        ck_assert_ptr_nonnull(text);
        ck_assert_ptr_nonnull(strstr(text, "(list torn or longer)"));
        size_t lines = 1;
        for (const char *c = text; *c; c++)
                lines += *c == '\n';
        ck_assert_uint_eq(lines, 65);
}
END_TEST

/* ---------------------------------------------------------------- processes */

START_TEST(process_token)
{
        build(_i);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.Token", (t.pool + 0x40) | (t.is64 ? 15 : 7));
        expect_value(process_fact(TINY_BETA, "token"), t.pool + 0x40);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.Token", t.is64 ? 15 : 7);
        expect_absent(process_fact(TINY_BETA, "token"), STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(process_wow64)
{
        build(true);
        expect_value(process_fact(TINY_BETA, "wow64"), 1);
        expect_value(process_fact(TINY_BETA, "peb32"), 0x7e000);
        expect_value(process_fact(TINY_ALPHA, "wow64"), 0);
        expect_absent(process_fact(TINY_ALPHA, "peb32"), STASIS_NOT_APPLICABLE);
        expect_absent(process_fact(TINY_SYSTEM, "peb"), STASIS_NOT_APPLICABLE);
        expect_absent(process_fact(TINY_ALPHA, "exit_time"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* PEB: ProcessParameters at 0x10 or 0x20, SessionId at 0x1d4 or 0x2c0; CommandLine at 0x40 or 0x70 of the parameters.
 */
START_TEST(process_command_line)
{
        build(_i);
        uint64_t parameters = t.peb + 0x800, text = t.peb + 0xa00;
        static const char line[] = "alpha.exe -x";
        unsigned at = t.is64 ? 0x70 : 0x40;
        tiny_user_u(&t, TINY_ALPHA, t.peb + (t.is64 ? 0x20 : 0x10), t.pointer, parameters);
        tiny_user_u(&t, TINY_ALPHA, parameters + at, 2, 2 * strlen(line));
        tiny_user_u(&t, TINY_ALPHA, parameters + at + t.pointer, t.pointer, text);
        for (size_t i = 0; line[i]; i++)
                tiny_user_u(&t, TINY_ALPHA, text + 2 * i, 2, (uint8_t)line[i]);
        tiny_user_u(&t, TINY_ALPHA, t.peb + (t.is64 ? 0x2c0 : 0x1d4), 4, 0x30001);
        expect_text(process_fact(TINY_ALPHA, "command_line"), line);
        ck_assert_uint_eq(process_fact(TINY_ALPHA, "command_line")->va, parameters + at);
        expect_value(process_fact(TINY_ALPHA, "session"), 0x30001);
        expect_absent(process_fact(TINY_BETA, "command_line"), STASIS_NOT_APPLICABLE);
        expect_absent(process_fact(TINY_SYSTEM, "command_line"), STASIS_NOT_APPLICABLE);
        expect_absent(process_fact(TINY_SYSTEM, "session"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* EPROCESS.SeAuditProcessCreationInfo: 0x1f4 in XP, 0x5c0 in 19041; it points to a UNICODE_STRING. */
START_TEST(process_path)
{
        build(_i);
        uint64_t at = t.pool + TINY_POOL_FREE;
        tiny_string(&t, at, at + 0x20, "\\Device\\HarddiskVolume1\\beta.exe");
        tiny_pointer(&t, t.process[TINY_BETA] + (t.is64 ? 0x5c0 : 0x1f4), at);
        expect_text(process_fact(TINY_BETA, "path"), "\\Device\\HarddiskVolume1\\beta.exe");
        expect_absent(process_fact(TINY_ALPHA, "path"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* Fifteen bytes without an end, and bytes that are no ASCII. */
START_TEST(process_name)
{
        tiny_build(&t, _i);
        uint64_t at = t.process[TINY_BETA] + tiny_place(&t, "EPROCESS.ImageFileName").at;
        world_put(&t.world, at, "abcdefghijklmn\xe9!", 16);
        sys_open();
        expect_text(process_fact(TINY_BETA, "name"), "abcdefghijklmn\xc3\xa9");
}
END_TEST

int main(void)
{
        const TTest *const both[] = {
                identity,
                attached,
                next_processor,
                affinity_mask,
                base_priority_increment,
                wait_age,
                running_on,
                teb_disagrees,
                create_time,
                exit_time,
                exit_status_name,
                start_address,
                lpc_received_message_id,
                impersonation,
                termination_port,
                post_block_list,
                active_timers,
                irp_list,
                irp_list_long,
                process_token,
                process_command_line,
                process_path,
                process_name,
        };
        const TTest *const single[] = {
                owner_by_apc_state,   two_thousand, thread_name, affinity_pointer, teb32,          impersonation_old,
                impersonation_packed, lpc_reply,    alpc,        keyed_wait_old,   keyed_wait_new, process_wow64,
        };
        return sys_main("derive", both, sizeof(both) / sizeof(both[0]), single, sizeof(single) / sizeof(single[0]));
}
