/* SPDX-License-Identifier: MIT */
/* How values are called in each version: through the tables of facts, bound to the layouts of the versions. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "names.h"

static struct windows w;
static struct field_set *set;

static void bind(const char *layout)
{
        rows_free(set);
        memset(&w, 0, sizeof(w));
        w.layout = stasis_layout_by_name(layout);
        ck_assert_msg(w.layout != NULL, "no layout %s", layout);
        w.pointer_size = stasis_layout_pointer_size(w.layout);
        w.is64 = w.pointer_size == 8;
        set = fields_bind(&w, thread_rows, thread_row_count, STASIS_THREADS);
        ck_assert_ptr_nonnull(set);
}

static void teardown(void)
{
        rows_free(set);
        set = NULL;
}

static const char *name(const char *key, uint64_t value)
{
        for (size_t i = 0; i < set->count; i++)
                if (!strcmp(set->column[i].key, key))
                        return name_of(set->column[i].names, set->column[i].name_count, value);
        ck_abort_msg("no row %s", key);
        return NULL;
}

static void expect(const char *layout, const char *key, uint64_t value, const char *text)
{
        bind(layout);
        const char *is = name(key, value);
        ck_assert_msg((!is && !text) || (is && text && !strcmp(is, text)), "%s: %s %llu is %s, not %s", layout, key,
                      (unsigned long long)value, is ? is : "nothing", text ? text : "nothing");
}

/* KWAIT_REASON, where one version calls a number otherwise than the one before. Microsoft's public symbols. */
static const struct {
        const char *layout;
        uint64_t value;
        const char *text;
} reasons[] = {
        { "5.1.2600.2180-x86", 0, "Executive" },
        { "5.1.2600.2180-x86", 6, "UserRequest" },
        { "5.1.2600.2180-x86", 14, "WrEventPair" },
        { "5.1.2600.2180-x86", 15, "WrQueue" },
        { "5.1.2600.2180-x86", 16, "WrLpcReceive" },
        { "5.1.2600.2180-x86", 17, "WrLpcReply" },
        { "5.1.2600.2180-x86", 26, "WrKernel" },
        { "5.1.2600.2180-x86", 27, NULL },
        { "5.2.3790.3959-x86", 14, "WrEventPair" },
        { "5.2.3790.3959-x86", 17, "WrLpcReply" },
        { "5.2.3790.3959-x64", 17, "WrLpcReply" },
        { "6.0.6000.16386-x86", 14, "WrEventPair" },
        { "6.0.6000.16386-x86", 28, "WrPushLock" },
        { "6.0.6002.18005-x64", 36, "WrRundown" },
        { "6.1.7600.16385-x86", 14, "WrEventPair" },
        { "6.1.7600.16385-x86", 21, "WrKeyedEvent" },
        { "6.1.7601.24540-x64", 24, "WrCpuRateControl" },
        { "6.1.7601.24540-x64", 36, "WrRundown" },
        { "6.1.7601.24540-x64", 37, NULL },
        { "6.2.9200.16384-x64", 14, "WrEventPair" },
        { "6.2.9200.16384-x64", 37, "WrAlertByThreadId" },
        { "6.2.9200.16384-x64", 38, "WrDeferredPreempt" },
        { "6.2.9200.16384-x64", 39, NULL },
        { "6.3.9600.17415-x64", 14, "WrSpare0" },
        { "6.3.9600.17415-x64", 38, "WrDeferredPreempt" },
        { "10.0.15063.0-x64", 39, NULL },
        { "10.0.16299.15-x64", 39, "WrPhysicalFault" },
        { "10.0.19041.1237-x64", 39, "WrPhysicalFault" },
        { "10.0.19041.1237-x64", 40, NULL },
        { "10.0.22000.318-x64", 40, "WrIoRing" },
        { "10.0.22000.318-x64", 41, NULL },
        { "10.0.22621.382-x64", 41, "WrMdlCache" },
        { "10.0.22621.382-x64", 42, NULL },
        { "10.0.26100.7xxx-x64", 42, "WrRcu" },
        { "10.0.26100.7xxx-x64", 43, NULL },
};

START_TEST(wait_reasons) { expect(reasons[_i].layout, "wait_reason", reasons[_i].value, reasons[_i].text); }
END_TEST

static const struct {
        const char *layout;
        uint64_t value;
        const char *text;
} states[] = {
        { "5.1.2600.2180-x86", 0, "Initialized" },
        { "5.1.2600.2180-x86", 1, "Ready" },
        { "5.1.2600.2180-x86", 2, "Running" },
        { "5.1.2600.2180-x86", 3, "Standby" },
        { "5.1.2600.2180-x86", 4, "Terminated" },
        { "5.1.2600.2180-x86", 5, "Waiting" },
        { "5.1.2600.2180-x86", 6, "Transition" },
        { "5.2.3790.3959-x86", 7, "DeferredReady" },
        { "6.0.6000.16386-x86", 8, "GateWait" },
        { "6.1.7601.17514-x64", 8, "GateWait" },
        { "6.1.7601.17514-x64", 5, "Waiting" },
        { "6.2.9200.16384-x64", 8, "GateWaitObsolete" },
        { "10.0.19041.1237-x64", 8, "GateWaitObsolete" },
        { "10.0.19041.1237-x64", 9, "WaitingForProcessInSwap" },
        { "10.0.19041.1237-x64", 5, "Waiting" },
        { "10.0.19041.1237-x64", 10, NULL },
};

START_TEST(thread_states) { expect(states[_i].layout, "state", states[_i].value, states[_i].text); }
END_TEST

START_TEST(the_rest)
{
        static const char *const layouts[] = { "5.1.2600.2180-x86", "10.0.19041.1237-x64" };
        expect(layouts[_i], "wait_mode", 0, "KernelMode");
        expect(layouts[_i], "wait_mode", 1, "UserMode");
        expect(layouts[_i], "previous_mode", 1, "UserMode");
        expect(layouts[_i], "apc_state_index", 0, "OriginalApcEnvironment");
        expect(layouts[_i], "apc_state_index", 1, "AttachedApcEnvironment");
        expect(layouts[_i], "impersonation_level", 0, "Anonymous");
        expect(layouts[_i], "impersonation_level", 1, "Identification");
        expect(layouts[_i], "impersonation_level", 2, "Impersonation");
        expect(layouts[_i], "impersonation_level", 3, "Delegation");
        expect(layouts[_i], "top_level_irp", 4, "FSRTL_FAST_IO_TOP_LEVEL_IRP");
        expect(layouts[_i], "exit_status_name", 0xc0000005, "STATUS_ACCESS_VIOLATION");
        expect(layouts[_i], "exit_status_name", 0, "STATUS_SUCCESS");
        expect(layouts[_i], "exit_status_name", 12345, NULL);
}
END_TEST

START_TEST(builds)
{
        ck_assert_str_eq(name_of_build(2600, false), "Windows XP");
        ck_assert_str_eq(name_of_build(7601, false), "Windows 7 SP1");
        ck_assert_str_eq(name_of_build(7601, true), "Windows Server 2008 R2 SP1");
        ck_assert_str_eq(name_of_build(17763, true), "Windows Server 2019");
        ck_assert_str_eq(name_of_build(26100, false), "Windows 11 24H2");
        ck_assert_ptr_null(name_of_build(19040, false));
        memset(&w, 0, sizeof(w));
        ck_assert_uint_eq(windows_build(&w), 0);
        w.layout = stasis_layout_by_name("6.1.7601.17514-x64");
        ck_assert_uint_eq(windows_build(&w), 7601);
        w.version.build = 7600;
        ck_assert_uint_eq(windows_build(&w), 7600);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        Suite *suite = suite_create("names");
        TCase *tcase = tcase_create("names");
        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_loop_test(tcase, wait_reasons, 0, COUNT(reasons));
        tcase_add_loop_test(tcase, thread_states, 0, COUNT(states));
        tcase_add_loop_test(tcase, the_rest, 0, 2);
        tcase_add_test(tcase, builds);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
