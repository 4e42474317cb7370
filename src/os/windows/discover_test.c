/* SPDX-License-Identifier: MIT */
/* How the system is found: every way of its own, and what is said where all fail. */
#include "../../test/tiny_dump.h"
#include "../../test/tiny_system.h"

static struct tiny_dump dump;

static void open_dump(void)
{
        struct stasis_image_options options = { .format = "dmp" };
        ck_assert_int_eq(
                stasis_image_open_memory(dump.bytes, dump.header + WORLD_LEN, "dump", &options, &sys_image, &sys_err),
                STASIS_OK);
        enum stasis_status status = stasis_system_open(sys_image, NULL, &sys, &sys_err);
        ck_assert_msg(status == STASIS_OK, "%s", sys_err.text);
}

static void expect_everything(void)
{
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_value(system_fact("system_object"), t.process[TINY_SYSTEM]);
        expect_value(system_fact("root"), t.root[TINY_SYSTEM]);
}

static const char *layout_start(void) { return t.is64 ? "10.0.19041." : "5.1.2600."; }
static void expect_layout(void)
{
        const char *text = system_fact("layout")->text;
        ck_assert_msg(text && !strncmp(text, layout_start(), strlen(layout_start())), "%s", text ? text : "none");
}

/* ---------------------------------------------------------------- nothing is broken */

START_TEST(facts)
{
        tiny_build(&t, _i);
        sys_open();
        expect_everything();
        expect_layout();
        expect_text(system_fact("name"), t.is64 ? "Windows 10 2004..22H2" : "Windows XP");
        expect_value(system_fact("build"), t.is64 ? 19041 : 2600);
        expect_text(system_fact("machine"), t.is64 ? "x64" : "x86");
        expect_text(system_fact("paging"), t.is64 ? "x64" : "x86");
        expect_value(system_fact("kernel_base"), t.kernel);
        expect_value(system_fact("kernel_size"), WORLD_PE_LEN);
        expect_value(system_fact("process_head"), t.head);
        expect_value(system_fact("module_head"), t.modules);
        expect_value(system_fact("system_time"), TINY_EXITED);
        expect_value(system_fact("up_time"), 5000);
        expect_text(system_fact("system_root"), "C:\\WINDOWS");
        expect_text(system_fact("product"), "WinNt");
        expect_value(system_fact("processors"), 1);
        expect_absent(system_fact("kdbg"), STASIS_NOT_KNOWN);
        ck_assert(sys_traced("processes", true, "System's own list links"));
        ck_assert(sys_traced("root", true, "self-map"));
        ck_assert_uint_eq(sys_count(STASIS_MODULES), 1);
}
END_TEST

/* ---------------------------------------------------------------- nothing is there */

START_TEST(no_kernel)
{
        tiny_build(&t, _i);
        memset(t.world.mem, 0, WORLD_LEN);
        ck_assert_int_eq(sys_open_with(NULL), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(sys_err.text, "no Windows kernel found"));
        ck_assert(sys_traced("root", false, "0 candidates"));
        ck_assert(sys_traced("shape", false, "0 candidates"));
        ck_assert_int_eq(stasis_system_count(sys, STASIS_THREADS, &(size_t){ 0 }, &sys_err), STASIS_USAGE);
}
END_TEST

/* A kernel, and nothing that could be System. */
START_TEST(no_system)
{
        tiny_build(&t, _i);
        world_u(&t.world, t.process[TINY_SYSTEM], 1, 0);
        ck_assert_int_eq(sys_open_with(NULL), STASIS_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(sys_err.text, "no layout fits its System process"));
        ck_assert(sys_traced("kernel", true, "PE at"));
        ck_assert(sys_traced("layout", false, "System's object does not fit"));
}
END_TEST

/* ---------------------------------------------------------------- System by its shape */

/* The page of the kernel's headers is gone: System leads to the tables, its links to the list. */
START_TEST(headers_gone)
{
        tiny_build(&t, _i);
        tiny_gone(&t, t.kernel);
        sys_open();
        ck_assert(sys_traced("shape", true, "score"));
        expect_everything();
        expect_absent(system_fact("kernel_base"), STASIS_NOT_KNOWN);
        ck_assert(sys_traced("processes", false, "entered at System itself"));
        ck_assert_uint_eq(sys_notes("process-list-torn"), 0);
        for (int i = 0; i < TINY_LISTED; i++)
                expect_value(thread_fact((enum tiny_thread)i, "tid"), tiny_tid((enum tiny_thread)i));
}
END_TEST

START_TEST(no_table_maps_itself)
{
        tiny_build(&t, _i);
        tiny_hide_roots(&t);
        sys_open();
        ck_assert(sys_traced("root", false, "0 candidates"));
        ck_assert(sys_traced("shape", true, "score"));
        expect_everything();
        expect_value(system_fact("kernel_base"), t.kernel);
        expect_value(system_fact("process_head"), t.head);
}
END_TEST

/* The kernel exports nothing: System is found by its shape, the head through its links. */
START_TEST(no_exports)
{
        tiny_build(&t, _i);
        world_u(&t.world, world_pe_directory(&t.pe, 0), 4, 0);
        sys_open();
        ck_assert(sys_traced("shape", true, "score"));
        expect_everything();
        expect_value(system_fact("process_head"), t.head);
        expect_value(system_fact("kernel_base"), t.kernel);
}
END_TEST

/* ---------------------------------------------------------------- roots */

static void world_root(uint64_t pa, unsigned slot) { pt_put(&t.world.tables, pa + slot * (uint64_t)t.pointer, pa | 3); }

static size_t roots_tried(void)
{
        size_t count, tried = 0;
        const struct stasis_trace *trace = stasis_system_trace(sys, &count);
        for (size_t i = 0; i < count; i++)
                tried += strstr(trace[i].text, "no kernel in this address space") != NULL;
        return tried;
}

START_TEST(root_given)
{
        tiny_build(&t, _i);
        struct stasis_system_options options = { .mode = t.is64 ? "x64" : "x86",
                                                 .root_known = true,
                                                 .root = t.root[TINY_ALPHA] | 0x18 };
        ck_assert_int_eq(sys_open_with(&options), STASIS_OK);
        ck_assert(sys_traced("root", true, "given"));
        ck_assert(sys_traced("root", true, "System's DirectoryTableBase"));
        expect_everything();
}
END_TEST

START_TEST(root_given_wrong)
{
        tiny_build(&t, _i);
        struct stasis_system_options options = { .mode = t.is64 ? "x64" : "x86", .root_known = true, .root = 0x1f0000 };
        ck_assert_int_eq(sys_open_with(&options), STASIS_ABSENT);
        ck_assert(sys_traced("root", false, "given"));
}
END_TEST

/* System's own root is gone: the one that led here is kept. */
START_TEST(system_root_wrong)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.process[TINY_SYSTEM], "KPROCESS.DirectoryTableBase", 0x1f0000);
        sys_open();
        ck_assert(sys_traced("root", false, "does not map System"));
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_value(system_fact("root"), t.root[TINY_SYSTEM]);
}
END_TEST

/* Forty tables that map themselves and lead nowhere: the best sixteen are tried, and that is said. */
START_TEST(roots_without_end)
{
        tiny_build(&t, _i);
        memset(t.world.mem, 0, WORLD_LEN);
        for (uint64_t i = 1; i <= 40; i++)
                world_root(i * 0x1000, t.is64 ? 0x100 + (unsigned)i : 0x300);
        ck_assert_int_eq(sys_open_with(NULL), STASIS_ABSENT);
        ck_assert(sys_traced("root", false, "candidates of lower rank were not tried"));
        ck_assert_uint_eq(roots_tried(), 16);
}
END_TEST

/* ---------------------------------------------------------------- a dump's header */

START_TEST(header)
{
        tiny_build(&t, _i);
        tiny_dump(&dump, &t);
        open_dump();
        ck_assert(sys_traced("root", true, "(header"));
        ck_assert(sys_traced("processes", true, "(header)"));
        ck_assert(sys_traced("modules", true, "(header)"));
        expect_everything();
        expect_value(system_fact("process_head"), t.head);
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

START_TEST(header_root_wrong)
{
        tiny_build(&t, _i);
        tiny_dump(&dump, &t);
        tiny_dump_put(&dump, 0x10, 0x1f0000, 4);
        open_dump();
        ck_assert(sys_traced("root", false, "(header"));
        ck_assert(sys_traced("root", true, "self-map"));
        expect_everything();
}
END_TEST

START_TEST(header_head_wrong)
{
        tiny_build(&t, _i);
        tiny_dump(&dump, &t);
        tiny_dump_put(&dump, t.is64 ? 0x28 : 0x1c, t.pool + TINY_POOL_FREE, t.pointer);
        open_dump();
        ck_assert(sys_traced("processes", true, "System's own list links"));
        expect_value(system_fact("process_head"), t.head);
        expect_everything();
}
END_TEST

START_TEST(header_kdbg_wrong)
{
        tiny_build(&t, _i);
        tiny_dump(&dump, &t);
        tiny_dump_put(&dump, t.is64 ? 0x80 : 0x60, t.pool + TINY_POOL_FREE, t.pointer);
        open_dump();
        ck_assert(sys_traced("kdbg", false, "no plain block there"));
        expect_everything();
}
END_TEST

/* Who writes a dump of a live system by itself may name the block and leave it encoded. */
START_TEST(header_kdbg_encoded)
{
        uint64_t va, plain[0x340 / 8] = { 0 };
        tiny_build(&t, true);
        va = t.pool + TINY_POOL_FREE;
        plain[2] = UINT64_C(0x3404742444b); /* "KDBG", 0x340 */
        plain[3] = t.kernel;
        plain[9] = t.modules;
        plain[10] = t.head;
        for (unsigned i = 0; i < 0x340 / 8; i++) {
                uint64_t x = __builtin_bswap64(plain[i] ^ UINT64_C(0x123456789abcdef1));
                world_u(&t.world, va + i * UINT64_C(8), 8, x >> 5 | x << 59);
        }
        tiny_dump(&dump, &t);
        tiny_dump_put(&dump, 0x80, va, 8);
        open_dump();
        ck_assert(sys_traced("kdbg", false, "no plain block there"));
        ck_assert(sys_traced("kdbg", true, "rotation 5, mask 0x123456789abcdef1"));
        ck_assert(sys_traced("processes", true, "(debugger block)"));
        expect_value(system_fact("kdbg"), va);
        expect_text(system_fact("kdbg_form"), "decoded with keys solved from the kernel's base");
        expect_everything();
}
END_TEST

START_TEST(header_modules_wrong)
{
        tiny_build(&t, _i);
        tiny_dump(&dump, &t);
        tiny_dump_put(&dump, t.is64 ? 0x20 : 0x18, t.pool + TINY_POOL_FREE, t.pointer);
        open_dump();
        expect_everything();
        ck_assert_uint_eq(sys_count(STASIS_MODULES), 1);
        expect_value(system_fact("module_head"), t.modules);
}
END_TEST

START_TEST(header_build_wrong)
{
        tiny_build(&t, _i);
        tiny_dump(&dump, &t);
        tiny_dump_put(&dump, 0x0c, 9600, 4);
        open_dump();
        expect_value(system_fact("build"), t.is64 ? 19041 : 2600);
        ck_assert_ptr_nonnull(sys_note("build-disagreement"));
        ck_assert_int_eq(sys_note("build-disagreement")->severity, STASIS_NOTE_WARNING);
        expect_layout();
        expect_everything();
}
END_TEST

/* ---------------------------------------------------------------- layouts */

/* The GUID of 10.0.19041.1237's ntkrnlmp.pdb, age 1: nothing else has to tell the version. */
START_TEST(layout_by_pdb)
{
        static const uint8_t guid[16] = { 0x5e, 0x6f, 0x4a, 0x1b, 0x66, 0x07, 0x52, 0xc5,
                                          0xc9, 0x07, 0x10, 0xc8, 0xac, 0xc0, 0x29, 0x5c };
        tiny_build(&t, true);
        world_put(&t.world, t.kernel + WORLD_PE_CODEVIEW + 4, guid, 16);
        world_u(&t.world, t.kernel + WORLD_PE_CODEVIEW + 20, 4, 1);
        world_u(&t.world, t.kernel + 0x2010, 4, 0); /* NtBuildNumber */
        world_u(&t.world, t.shared + 0x260, 4, 0);
        sys_open();
        expect_text(system_fact("layout"), "10.0.19041.1237-x64");
        ck_assert(sys_traced("layout", true, "PDB GUID"));
        expect_text(system_fact("pdb_guid"), "1B4A6F5E0766C552C90710C8ACC0295C");
        expect_everything();
}
END_TEST

/* No witness tells the version: every layout is tried, and that is said. */
START_TEST(layout_by_plausibility)
{
        tiny_build(&t, _i);
        world_u(&t.world, t.kernel + 0x2010, 4, 0);
        if (t.is64)
                world_u(&t.world, t.shared + 0x260, 4, 0);
        sys_open();
        expect_layout();
        ck_assert_ptr_nonnull(sys_note("layout-by-plausibility"));
        ck_assert_int_eq(sys_note("layout-by-plausibility")->severity, STASIS_NOTE_WARNING);
        expect_everything();
}
END_TEST

START_TEST(witnesses_disagree)
{
        tiny_build(&t, true);
        world_u(&t.world, t.shared + 0x260, 4, 18362);
        sys_open();
        expect_value(system_fact("build"), 19041);
        expect_layout();
        ck_assert_ptr_nonnull(sys_note("build-disagreement"));
        ck_assert_ptr_nonnull(strstr(sys_note("build-disagreement")->text, "18362"));
}
END_TEST

/* NtBuildNumber is wrong: its layouts do not fit System, another one does. */
START_TEST(layout_of_another_build)
{
        tiny_build(&t, true);
        world_u(&t.world, t.kernel + 0x2010, 4, 7601);
        world_u(&t.world, t.shared + 0x260, 4, 0);
        sys_open();
        expect_layout();
        ck_assert(sys_traced("layout", false, "System's object does not fit"));
        expect_everything();
}
END_TEST

/* ---------------------------------------------------------------- a thread by its address */

static void expect_no_thread(uint64_t object, const char *why)
{
        const struct stasis_record *record;
        ck_assert_int_eq(stasis_system_thread_at(sys, object, &record, &sys_err), STASIS_ABSENT);
        ck_assert_msg(strstr(sys_err.text, why) != NULL, "%s", sys_err.text);
}

START_TEST(thread_at)
{
        const struct stasis_record *record;
        tiny_build(&t, _i);
        sys_open();
        ck_assert_int_eq(stasis_system_thread_at(sys, t.thread[TINY_HIDDEN], &record, &sys_err), STASIS_OK);
        ck_assert_uint_eq(record->object, t.thread[TINY_HIDDEN]);
        expect_value(stasis_record_fact(record, "tid"), tiny_tid(TINY_HIDDEN));
        expect_text(stasis_record_fact(record, "process"), "alpha.exe");
        expect_text(stasis_record_fact(record, "sources"), "");
        ck_assert_int_eq(stasis_system_thread_at(sys, t.thread[TINY_RUNNER], &record, &sys_err), STASIS_OK);
        expect_value(stasis_record_fact(record, "sources"), 7);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
}
END_TEST

START_TEST(thread_at_refuses)
{
        tiny_build(&t, _i);
        sys_open();
        expect_no_thread(t.process[TINY_ALPHA], "its dispatcher header is not a thread's");
        expect_no_thread(t.thread[TINY_HIDDEN] + 4, "no aligned kernel address");
        expect_no_thread(t.teb[TINY_MAIN], "no aligned kernel address");
        expect_no_thread(t.pool + 0x4000, "it is not readable");
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 10);
        expect_no_thread(t.thread[TINY_HIDDEN], "its state is out of range");
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 5);
        const char *owner = t.is64 ? "KTHREAD.Process" : "ETHREAD.ThreadsProcess";
        tiny_set(&t, t.thread[TINY_HIDDEN], owner, t.thread[TINY_MAIN]);
        expect_no_thread(t.thread[TINY_HIDDEN], "its process pointer does not lead to a process");
        world_u(&t.world, t.pool + TINY_POOL_FREE, 1, 3); /* a process's header, and on no list */
        tiny_set(&t, t.thread[TINY_HIDDEN], owner, t.pool + TINY_POOL_FREE);
        expect_no_thread(t.thread[TINY_HIDDEN], "which is on no list");
        world_u(&t.world, t.thread[TINY_HIDDEN], 1, 5);
        expect_no_thread(t.thread[TINY_HIDDEN], "its dispatcher header is not a thread's");
}
END_TEST

/* ---------------------------------------------------------------- spaces */

START_TEST(spaces)
{
        struct stasis_space *space;
        uint64_t pa;
        tiny_build(&t, _i);
        sys_open();
        ck_assert_uint_eq(stasis_space_root(stasis_system_space(sys)), t.root[TINY_SYSTEM]);
        for (int i = TINY_ALPHA; i <= TINY_BETA; i++) {
                ck_assert_int_eq(stasis_system_process_space(sys, tiny_pid((enum tiny_process)i), &space, &sys_err),
                                 STASIS_OK);
                ck_assert_uint_eq(stasis_space_root(space), t.root[i]);
                ck_assert_int_eq(stasis_space_pa(space, t.peb, &pa), STASIS_OK);
                ck_assert_uint_eq(pa, (uint64_t)(tiny_user_at(&t, (enum tiny_process)i, t.peb) - t.world.mem));
        }
        ck_assert_int_eq(stasis_system_process_space(sys, 0x999, &space, &sys_err), STASIS_ABSENT);
}
END_TEST

int main(void)
{
        const TTest *const both[] = {
                facts,
                no_kernel,
                no_system,
                headers_gone,
                no_table_maps_itself,
                no_exports,
                root_given,
                root_given_wrong,
                system_root_wrong,
                roots_without_end,
                header,
                header_root_wrong,
                header_head_wrong,
                header_kdbg_wrong,
                header_modules_wrong,
                header_build_wrong,
                layout_by_plausibility,
                thread_at,
                thread_at_refuses,
                spaces,
        };
        const TTest *const single[] = { header_kdbg_encoded, layout_by_pdb, witnesses_disagree,
                                        layout_of_another_build };
        return sys_main("discover", both, sizeof(both) / sizeof(both[0]), single, sizeof(single) / sizeof(single[0]));
}
