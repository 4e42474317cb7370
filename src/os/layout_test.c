/* SPDX-License-Identifier: MIT */
/* Lookups in the built-in tables. Facts: facts/windows/REPORT.md sections 2, 3.2, 3.3, 6; shared/images/README.md. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

static const struct stasis_layout *named(const char *name)
{
        const struct stasis_layout *layout = stasis_layout_by_name(name);
        ck_assert_msg(layout != NULL, "%s", name);
        return layout;
}

static struct stasis_member member_of(const char *name, const char *path)
{
        struct stasis_member member = { 0 };
        ck_assert_msg(stasis_layout_member(named(name), path, &member), "%s: %s", name, path);
        return member;
}

#define is_at(name, path, at) ck_assert_uint_eq(member_of(name, path).offset, at)

START_TEST(sizes)
{
        ck_assert_uint_eq(stasis_layout_sizeof(named("5.2.3790.1830-x64"), "_KTHREAD"), 0x320);
        ck_assert_uint_eq(stasis_layout_sizeof(named("5.2.3790.3959-x64"), "_KTHREAD"), 0x308);
        ck_assert_uint_eq(stasis_layout_sizeof(named("6.1.7601.17514-x64"), "_ETHREAD"), 0x498);
        ck_assert_uint_eq(stasis_layout_sizeof(named("6.1.7601.24540-x64"), "_ETHREAD"), 0x4a8);
        ck_assert_uint_eq(stasis_layout_sizeof(named("6.1.7601.24540-x64"), "_KPRCB"), 0x6f00);
        ck_assert_uint_eq(stasis_layout_sizeof(named("10.0.20348.2400-x64"), "_EPROCESS"), 0xbc0);
        ck_assert_uint_eq(stasis_layout_sizeof(named("10.0.26100.7xxx-x64"), "_KPROCESS"), 0x1c8);
        for (size_t i = 0; stasis_layout_at(i); i++) {
                const struct stasis_layout *layout = stasis_layout_at(i);
                bool x86 = stasis_layout_pointer_size(layout) == 4;
                ck_assert_uint_eq(stasis_layout_sizeof(layout, "_KTRAP_FRAME"), x86 ? 0x8c : 0x190);
                ck_assert_uint_eq(stasis_layout_sizeof(layout, "_CONTEXT"), x86 ? 0x2cc : 0x4d0);
                ck_assert_uint_eq(stasis_layout_sizeof(layout, "_LIST_ENTRY"), x86 ? 8 : 16);
        }
        ck_assert_uint_eq(stasis_layout_sizeof(named("10.0.17134.1-x64"), "_KTHREA"), 0);
        ck_assert_uint_eq(stasis_layout_sizeof(named("10.0.17134.1-x64"), "_KTHREADX"), 0);
        ck_assert_uint_eq(stasis_layout_sizeof(named("10.0.17134.1-x64"), ""), 0);
}
END_TEST

/* A path goes through structures that lie in each other, and to the parts of small ones that have no layout of their
 * own. */
START_TEST(paths)
{
        is_at("10.0.19041.1237-x64", "_ETHREAD.Tcb.ApcState.Process", 0x98 + 0x20);
        is_at("10.0.19041.1237-x64", "_ETHREAD.Tcb.WaitReason", 0x283);
        is_at("5.1.2600.2180-x86", "_ETHREAD.Cid.UniqueThread", 0x1ec + 4);
        is_at("5.1.2600.2180-x86", "_EPROCESS.Pcb.DirectoryTableBase", 0x18);
        is_at("10.0.19041.1237-x64", "_EPROCESS.ImageFileName", 0x5a8);
        is_at("10.0.26100.7xxx-x64", "_EPROCESS.ThreadListHead", 0x370);
        is_at("10.0.19041.1237-x64", "_TEB.ActivityId.Data2", 5908);
        is_at("10.0.19041.1237-x64", "_EPROCESS.ProcessTimerDelay.Locked", 2416);
        is_at("6.1.7601.17514-x86", "_KPCR.PrcbData.CurrentThread", 0x120 + 4);
        is_at("10.0.17763.379-x64", "_KPCR.Prcb.ProcessorState.ContextFrame", 0x180 + 0x100 + 0xf0);
        is_at("10.0.14393.0-x64", "_KPCR.Prcb.ProcessorState.ContextFrame", 0x180 + 0x40 + 0xe0);

        struct stasis_member m;
        static const char *const absent[] = { "_KTHREAD",
                                              "_KTHREAD.",
                                              "_KTHREAD..State",
                                              ".State",
                                              "",
                                              "_KTHREAD.Stat",
                                              "_KTHREAD.States",
                                              "_KTHREAD.State.x",
                                              "_KTHREAD.Teb.NtTib",
                                              "_ETHREAD.Tcb.",
                                              "_NONE.State" };
        for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
                ck_assert_msg(!stasis_layout_member(named("10.0.19041.1237-x64"), absent[i], &m), "%s", absent[i]);
        ck_assert(!stasis_layout_member(named("5.1.2600.2180-x86"), "_KTHREAD.Process", &m));
}
END_TEST

START_TEST(types)
{
        struct stasis_member m = member_of("5.2.3790.3959-x64", "_KTHREAD.Priority");
        ck_assert_int_eq(m.type, STASIS_TYPE_SIGNED); /* Volatility 2 has lost the sign; others tell it */
        ck_assert_uint_eq(m.size, 1);
        m = member_of("6.1.7601.17514-x86", "_KTHREAD.WaitMode");
        ck_assert_int_eq(m.type, STASIS_TYPE_SIGNED);
        m = member_of("5.1.2600.2180-x86", "_KTHREAD.NextProcessor");
        ck_assert_uint_eq(m.size, 1);
        m = member_of("6.0.6000.16386-x86", "_KTHREAD.NextProcessor");
        ck_assert_uint_eq(m.size, 2);
        m = member_of("10.0.17134.1-x86", "_KTHREAD.NextProcessor");
        ck_assert_uint_eq(m.size, 4);
        m = member_of("10.0.17134.1-x64", "_KTHREAD.Teb");
        ck_assert_int_eq(m.type, STASIS_TYPE_POINTER);
        ck_assert_uint_eq(m.size, 8);
        m = member_of("10.0.17134.1-x64", "_KTHREAD.Affinity");
        ck_assert_int_eq(m.type, STASIS_TYPE_STRUCT);
        ck_assert_str_eq(m.target, "_GROUP_AFFINITY");
        ck_assert_uint_eq(m.size, 16);
        m = member_of("10.0.20348.288-x64", "_KTHREAD.Affinity");
        ck_assert_int_eq(m.type, STASIS_TYPE_POINTER);
        m = member_of("10.0.17134.1-x86", "_KTHREAD.WaitBlock");
        ck_assert_uint_eq(m.count, 4);
        ck_assert_uint_eq(m.size, 0x18);
        m = member_of("6.0.6000.16386-x64", "_KTHREAD.Alertable");
        ck_assert(m.offset == 0x90 && m.bit == 5 && m.bits == 1 && m.size == 4);
        m = member_of("10.0.10586.0-x64", "_EPROCESS.WoW64Process");
        ck_assert_str_eq(m.target, "_EWOW64PROCESS");
        m = member_of("10.0.26100.7xxx-x64", "_ETHREAD.ThreadName");
        ck_assert_str_eq(m.target, "_UNICODE_STRING");
}
END_TEST

/* "0:Terminated 9+3:ThreadIoPriority", as the report writes it. */
static void check_bits(const char *name, const char *path, const char *want)
{
        struct stasis_name names[64];
        char text[2048] = "";
        size_t count = stasis_layout_bits(named(name), path, names, 64), at = 0;
        for (size_t i = 0; i < count; i++) {
                const char *space = i ? " " : "";
                if (names[i].len > 1)
                        at += (size_t)sprintf(text + at, "%s%u+%u:%s", space, names[i].bit, names[i].len,
                                              names[i].name);
                else
                        at += (size_t)sprintf(text + at, "%s%u:%s", space, names[i].bit, names[i].name);
        }
        ck_assert_str_eq(text, want);
}

START_TEST(flag_words)
{
        check_bits("5.1.2600.2180-x86", "_ETHREAD.CrossThreadFlags",
                   "0:Terminated 1:DeadThread 2:HideFromDebugger 3:ActiveImpersonationInfo 4:SystemThread "
                   "5:HardErrorsAreDisabled "
                   "6:BreakOnTermination 7:SkipCreationMsg 8:SkipTerminationMsg");
        check_bits(
                "6.1.7600.16385-x86", "_ETHREAD.CrossThreadFlags",
                "0:Terminated 1:ThreadInserted 2:HideFromDebugger 3:ActiveImpersonationInfo 4:SystemThread "
                "5:HardErrorsAreDisabled 6:BreakOnTermination 7:SkipCreationMsg 8:SkipTerminationMsg 9:CopyTokenOnOpen "
                "10+3:ThreadIoPriority 13+3:ThreadPagePriority 16:RundownFail 17:NeedsWorkingSetAging");
        check_bits("10.0.26100.7xxx-x64", "_ETHREAD.CrossThreadFlags",
                   "0:Terminated 1:ThreadInserted 2:HideFromDebugger 3:ActiveImpersonationInfo 4:HardErrorsAreDisabled "
                   "5:BreakOnTermination 6:SkipCreationMsg 7:SkipTerminationMsg 8:CopyTokenOnOpen 9+3:ThreadIoPriority "
                   "12+3:ThreadPagePriority 15:RundownFail 16:UmsForceQueueTermination 17:IndirectCpuSets "
                   "18:DisableDynamicCodeOptOut 19:ExplicitCaseSensitivity 20:PicoNotifyExit 21:DbgWerUserReportActive "
                   "22:ForcedSelfTrimActive 23:SamplingCoverage 24:ImpersonationSchedulingGroup "
                   "25+7:ReservedCrossThreadFlags");
        check_bits("6.1.7601.17514-x64", "_ETHREAD.SameThreadPassiveFlags",
                   "0:ActiveExWorker 1:ExWorkerCanWaitUser 2:MemoryMaker 3:ClonedThread 4:KeyedEventInUse "
                   "5+2:RateApcState "
                   "7:SelfTerminate");
        check_bits(
                "10.0.19045.2965-x86", "_KTHREAD.ThreadFlags",
                "0+2:ThreadFlagsSpare 2:AutoAlignment 3:DisableBoost 4:AlertedByThreadId 5:QuantumDonation "
                "6:EnableStackSwap "
                "7:GuiThread 8:DisableQuantum 9:ChargeOnlySchedulingGroup 10:DeferPreemption 11:QueueDeferPreemption "
                "12:ForceDeferSchedule 13:SharedReadyQueueAffinity 14:FreezeCount 15:TerminationApcRequest "
                "16:AutoBoostEntriesExhausted 17:KernelStackResident 18+2:TerminateRequestReason "
                "20:ProcessStackCountDecremented 21:RestrictedGuiThread 22:VpBackingThread 23:ThreadFlagsSpare2 "
                "24+8:EtwStackTraceApcInserted");
        check_bits("5.2.3790.3959-x64", "_KTHREAD.ThreadFlags",
                   "0:AutoAlignment 1:DisableBoost 2:GuiThread 3+29:ReservedFlags");
        /* the bits of the bytes of this word, by their place in the word; the same through ETHREAD's first member */
        check_bits("5.2.3790.1830-x86", "_ETHREAD.SameThreadApcFlags",
                   "0:LpcReceivedMsgIdValid 1:LpcExitThreadCalled 2:AddressSpaceOwner 3:OwnsProcessWorkingSetExclusive "
                   "4:OwnsProcessWorkingSetShared 5:OwnsSystemWorkingSetExclusive 6:OwnsSystemWorkingSetShared "
                   "7:OwnsSessionWorkingSetExclusive 8:OwnsSessionWorkingSetShared 9:ApcNeeded");
        check_bits("5.2.3790.3959-x64", "_ETHREAD.Tcb.ThreadFlags",
                   "0:AutoAlignment 1:DisableBoost 2:GuiThread 3+29:ReservedFlags");
        struct stasis_name names[2] = { { .name = "untouched" }, { .name = "untouched" } };
        ck_assert_uint_eq(stasis_layout_bits(named("5.1.2600.2180-x86"), "_ETHREAD.CrossThreadFlags", names, 1), 9);
        ck_assert_str_eq(names[1].name, "untouched");
        ck_assert_uint_eq(stasis_layout_bits(named("5.1.2600.2180-x86"), "_ETHREAD.Tcb", names, 2), 0);
        ck_assert_uint_eq(stasis_layout_bits(named("5.1.2600.2180-x86"), "_ETHREAD.None", names, 2), 0);
}
END_TEST

/* Whatever the word: sorted, no overlap, inside the word. */
START_TEST(flag_words_are_sane)
{
        static const char *const words[] = { "_ETHREAD.CrossThreadFlags", "_ETHREAD.SameThreadApcFlags",
                                             "_KTHREAD.MiscFlags",        "_KTHREAD.ThreadFlags",
                                             "_KTHREAD.NextProcessor",    "_DISPATCHER_HEADER.Lock",
                                             "_EPROCESS.Flags",           "_EPROCESS.Flags2",
                                             "_KPROCESS.ProcessFlags",    "_MMPTE.u.Long" };
        for (size_t i = 0; stasis_layout_at(i); i++) {
                for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
                        struct stasis_name names[64];
                        struct stasis_member m;
                        unsigned at = 0;
                        size_t count = stasis_layout_bits(stasis_layout_at(i), words[w], names, 64);
                        if (!stasis_layout_member(stasis_layout_at(i), words[w], &m))
                                ck_assert_uint_eq(count, 0);
                        for (size_t b = 0; b < count; b++) {
                                ck_assert_msg(names[b].bit >= at && names[b].len > 0, "%s: %s",
                                              stasis_layout_name(stasis_layout_at(i)), names[b].name);
                                at = names[b].bit + names[b].len;
                        }
                        ck_assert_uint_le(at, count ? m.size * 8 : 0);
                }
        }
}
END_TEST

static const char *value_name(const char *layout, const char *name, uint32_t value)
{
        static struct stasis_name names[256];
        size_t count = stasis_layout_enum(named(layout), name, names, 256);
        for (size_t i = 0; i < count; i++)
                if (names[i].value == value)
                        return names[i].name;
        return "";
}

START_TEST(enumerations)
{
        ck_assert_str_eq(value_name("5.1.2600.2180-x86", "_KWAIT_REASON", 14), "WrEventPair");
        ck_assert_str_eq(value_name("10.0.17134.1-x64", "_KWAIT_REASON", 14), "WrSpare0");
        ck_assert_str_eq(value_name("5.2.3790.3959-x86", "_KWAIT_REASON", 34), "WrFastMutex"); /* lent by Vista */
        ck_assert_str_eq(value_name("5.1.2600.2180-x86", "_KWAIT_REASON", 26), "WrKernel");
        ck_assert_str_eq(value_name("6.1.7601.17514-x64", "_KTHREAD_STATE", 5), "Waiting");
        ck_assert_str_eq(value_name("6.3.9600.17415-x64", "_KOBJECTS", 24), "Timer2NotificationObject");
        ck_assert_uint_eq(stasis_layout_enum(named("6.1.7601.17514-x64"), "_NONE", NULL, 0), 0);
}
END_TEST

START_TEST(oldest)
{
        static const char *const names[] = { "4.0.1381.0-x86-partial", "5.0.2195.0-x86-partial" };
        for (size_t i = 0; i < 2; i++) {
                ck_assert_uint_eq(stasis_layout_sizeof(named(names[i]), "_KTHREAD"), 0x1b0);
                ck_assert_uint_eq(stasis_layout_sizeof(named(names[i]), "_ETHREAD"), i ? 0x248 : 0x240);
                is_at(names[i], "_KTHREAD.Alertable", 0x158);
                is_at(names[i], "_KTHREAD.ApcStateIndex", 0x159);
                is_at(names[i], "_KTHREAD.StackBase", 0x15c);
                is_at(names[i], "_KTHREAD.ThreadListEntry", 0x1a4);
                is_at(names[i], "_KPROCESS.ThreadListHead", 0x50);
                is_at(names[i], "_ETHREAD.ActiveImpersonationInfo", 0x23b);
        }
        struct stasis_member m;
        ck_assert(!stasis_layout_member(named(names[0]), "_ETHREAD.ThreadListEntry", &m));
        is_at(names[1], "_ETHREAD.ThreadListEntry", 0x240);
}
END_TEST

START_TEST(reactos)
{
        static const char name[] = "reactos-0.4-x86";
        uint32_t version[4];
        is_at(name, "_ETHREAD.StartAddress", 0x220);
        is_at(name, "_ETHREAD.Win32StartAddress", 0x21c);
        is_at(name, "_TOKEN.TokenInUse", 0x8c);
        is_at(name, "_TOKEN.VariablePart", 0xa4);
        is_at(name, "_ETHREAD.ThreadListEntry", 0x224);
        struct stasis_member m = member_of(name, "_ETHREAD.ApcNeeded");
        ck_assert(m.offset == 0x248 && m.bit == 9);
        ck_assert_uint_eq(stasis_layout_sizeof(named(name), "_FILE_OBJECT"), 0);
        stasis_layout_version(named(name), version);
        ck_assert_uint_eq(version[2], 3790);
}
END_TEST

START_TEST(names)
{
        uint32_t version[4];
        size_t count = 0;
        while (stasis_layout_at(count)) {
                ck_assert_str_eq(stasis_layout_name_at(count), stasis_layout_name(stasis_layout_at(count)));
                count++;
        }
        ck_assert_uint_eq(count, 115);
        ck_assert_ptr_null(stasis_layout_name_at(count));
        ck_assert_ptr_null(stasis_layout_by_name("10.0.1-x64"));
        stasis_layout_version(named("10.0.19041.1237-x64"), version);
        ck_assert(version[0] == 10 && version[1] == 0 && version[2] == 19041 && version[3] == 1237);
        stasis_layout_close(NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("layout");
        TCase *tcase = tcase_create("layout");
        tcase_add_test(tcase, sizes);
        tcase_add_test(tcase, paths);
        tcase_add_test(tcase, types);
        tcase_add_test(tcase, flag_words);
        tcase_add_test(tcase, flag_words_are_sane);
        tcase_add_test(tcase, enumerations);
        tcase_add_test(tcase, oldest);
        tcase_add_test(tcase, reactos);
        tcase_add_test(tcase, names);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
