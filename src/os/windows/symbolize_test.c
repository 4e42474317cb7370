/* SPDX-License-Identifier: MIT */
/* Names of addresses: which module, which export, and what it takes for a name to be none. */
#include "../../test/tiny_system.h"
#include "../../base/bytes.h"
#include "symbolize.h"
#include "unloaded_user.h"

#define PDATA 0x6800 /* RUNTIME_FUNCTIONs, and what unwind data there is, in .rsrc of the driver */
#define UNWIND 0x6900
#define USER 0x10000000 /* the same image in beta */

static const struct world_export exports[] = {
        { "Alpha", 0x1010 }, { "AlphaToo", 0x1010 }, { "Beta", 0x1200 }, { "Forward", 0x5800 },
        { "Gamma", 0x1300 }, { "Variable", 0x2100 }, { "", 0 }
};
static struct world_pe driver;

static uint64_t entry_of(uint64_t link) { return load_le(world_at(&t.world, link), t.pointer); }

/* A second module behind the kernel: its entry and texts in the free part of the pool. */
static void add_driver(void)
{
        uint64_t entry[] = { entry_of(t.modules), t.pool + TINY_POOL_FREE }, text = entry[1] + 0x100;

        driver = (struct world_pe){ .base = t.kernel + 0x100000,
                                    .is64 = t.is64,
                                    .machine = t.is64 ? 0x8664 : 0x14c,
                                    .dll_name = "tdrv.sys",
                                    .exports = exports };
        world_pe(&t.world, &driver);
        world_u(&t.world, world_pe_directory(&driver, 0) + 4, 4, 0x900); /* the forwarder's text is in it */
        tiny_ring(&t, t.modules, entry, 2);
        tiny_set(&t, entry[1], "LDR_DATA_TABLE_ENTRY.DllBase", driver.base);
        tiny_set(&t, entry[1], "LDR_DATA_TABLE_ENTRY.SizeOfImage", WORLD_PE_LEN);
        tiny_string(&t, entry[1] + tiny_place(&t, "LDR_DATA_TABLE_ENTRY.BaseDllName").at, text, "tdrv.sys");
        tiny_string(&t, entry[1] + tiny_place(&t, "LDR_DATA_TABLE_ENTRY.FullDllName").at, text + 0x40, "\\tdrv.sys");
}

/* The same image once more, as the only module of beta: PEB.Ldr, and behind it the list in load order. */
static void add_dll(void)
{
        uint64_t ldr = USER + 0x8000, head = ldr + (t.is64 ? 0x10 : 0x0c), entry = USER + 0x8100, text = USER + 0x8200;

        tiny_map_user(&t, TINY_BETA, USER, 0x9000);
        for (uint32_t at = 0; at < WORLD_PE_LEN; at++)
                *tiny_user_at(&t, TINY_BETA, USER + at) = *world_at(&t.world, driver.base + at);
        tiny_user_u(&t, TINY_BETA, t.peb + (t.is64 ? 0x18 : 0x0c), t.pointer, ldr);
        for (unsigned i = 0; i < 2; i++) {
                tiny_user_u(&t, TINY_BETA, head + i * t.pointer, t.pointer, entry);
                tiny_user_u(&t, TINY_BETA, entry + i * t.pointer, t.pointer, head);
        }
        tiny_user_set(&t, TINY_BETA, entry, "LDR_DATA_TABLE_ENTRY.DllBase", USER);
        tiny_user_set(&t, TINY_BETA, entry, "LDR_DATA_TABLE_ENTRY.SizeOfImage", WORLD_PE_LEN);
        uint64_t name = entry + tiny_place(&t, "LDR_DATA_TABLE_ENTRY.BaseDllName").at;
        tiny_user_u(&t, TINY_BETA, name, 2, 10);
        tiny_user_u(&t, TINY_BETA, name + 2, 2, 12);
        tiny_user_u(&t, TINY_BETA, name + t.pointer, t.pointer, text);
        for (unsigned i = 0; i < 5; i++)
                tiny_user_u(&t, TINY_BETA, text + 2 * i, 2, (uint8_t) "t.dll"[i]);
}

/* RUNTIME_FUNCTIONs: begin, end, unwind data, ended by an entry of zeros. */
static void add_functions(const uint32_t (*function)[3])
{
        uint32_t count = 0;

        for (; function[count][0]; count++)
                for (unsigned k = 0; k < 3; k++)
                        world_u(&t.world, driver.base + PDATA + 12 * count + 4 * k, 4, function[count][k]);
        world_u(&t.world, world_pe_directory(&driver, 3), 4, PDATA);
        world_u(&t.world, world_pe_directory(&driver, 3) + 4, 4, 12 * count);
        world_u(&t.world, driver.base + UNWIND, 4, 0x00000001); /* version 1, no flags, no codes */
}

static void build(bool is64)
{
        tiny_build(&t, is64);
        add_driver();
}

static void open_all(void)
{
        sys_open();
        (void)sys_count(STASIS_THREADS);
}

static struct windows_name name_in(uint32_t process, uint64_t va)
{
        struct windows_name name;
        windows_name_address(sys->priv, process, va, &name);
        return name;
}

static uint32_t beta(void) { return (uint32_t)windows_process_of(sys->priv, t.process[TINY_BETA]); }

/* text: as windows_name_text writes it. */
static void expect(uint32_t process, uint64_t va, const char *text)
{
        char buf[128];
        struct windows_name name = name_in(process, va);
        size_t len = windows_name_text(&name, va, buf, sizeof buf);

        ck_assert_str_eq(buf, text);
        ck_assert_uint_eq(len, strlen(text));
        struct windows_name again = name_in(process, va);
        ck_assert_ptr_eq(again.module, name.module);
        ck_assert_ptr_eq(again.symbol, name.symbol);
}

static void driver_expect(uint32_t rva, const char *text) { expect(UINT32_MAX, driver.base + rva, text); }

START_TEST(modules_and_exports)
{
        build(_i);
        open_all();
        driver_expect(0, "tdrv.sys");
        driver_expect(0x1010, "tdrv.sys!Alpha");
        ck_assert_str_eq(name_in(UINT32_MAX, driver.base + 0x1010).symbol_from, "export");
        driver_expect(0x1014, "tdrv.sys!Alpha+0x4?");
        ck_assert_str_eq(name_in(UINT32_MAX, driver.base + 0x1014).symbol_from, "nearest-export");
        driver_expect(0x1300, "tdrv.sys!Gamma");
        driver_expect(0x2100, "tdrv.sys!Variable");
        driver_expect(0x2108, "tdrv.sys!Variable+0x8?");
        driver_expect(0x5800, "tdrv.sys+0x5800"); /* a forwarder is no place */
        expect(UINT32_MAX, t.kernel + 0x10, "ntoskrnl.exe+0x10");
        expect(UINT32_MAX, driver.base - 1, t.is64 ? "0xfffff8001243ffff" : "0x805d6fff");
}
END_TEST

START_TEST(a_neighbour_has_bounds)
{
        build(_i);
        open_all();
        driver_expect(0x100f, "tdrv.sys+0x100f");       /* none below */
        driver_expect(0x1ffe, "tdrv.sys!Gamma+0xcfe?"); /* the section's last byte */
        driver_expect(0x2000, "tdrv.sys+0x2000");       /* another section */
        driver_expect(0x30ff, "tdrv.sys!Variable+0xfff?");
        driver_expect(0x3100, "tdrv.sys+0x3100"); /* too far */
}
END_TEST

/* x86: a return, filling, and a frame that begins, between the export and the address. */
START_TEST(code_tells_where_another_begins)
{
        static const struct {
                const char *code;
                bool begins;
        } codes[] = { { "\xc3\x55\x8b\xec", true },          { "\xc2\x08\x00\x55\x89\xe5", true },
                      { "\xcc\x8b\xff\x55\x8b\xec", true },  { "\x41\x55\x8b\xec", false },
                      { "\xc3\x55\x8b\xed", false },         { "\xc3\x55\x8b\xe5", false },
                      { "\xc3\x55\x89\xec", false },         { "\xc3\x55\x8a\xe5", false },
                      { "\xc3\x54\x89\xe5", false },         { "\xc2\x08\x01\x55\x89\xe5", false },
                      { "\xcc\x8b\xfe\x55\x8b\xec", false }, { "\x90\x55\x8b\xec", true } };
        static const uint8_t len[] = { 4, 6, 6, 4, 4, 4, 4, 4, 4, 6, 6, 4 };
        build(false);
        world_put(&t.world, driver.base + 0x1020, codes[_i].code, len[_i]);
        open_all();
        driver_expect(0x1020, "tdrv.sys!Alpha+0x10?");
        driver_expect(0x1040, codes[_i].begins ? "tdrv.sys+0x1040" : "tdrv.sys!Alpha+0x30?");
}
END_TEST

START_TEST(functions_tell_where_they_begin)
{
        static const uint32_t functions[][3] = { { 0x1010, 0x1040, UNWIND },    { 0x1080, 0x10c0, UNWIND },
                                                 { 0x1200, 0x1220, UNWIND },    { 0x1400, 0x1440, UNWIND + 8 },
                                                 { 0x1500, 0x1510, PDATA + 1 }, { 0 } };
        build(true);
        add_functions(functions);
        /* the part at 0x1400 goes on where Beta begins: chained, one code (and one to fill up), then the entry */
        world_u(&t.world, driver.base + UNWIND + 8, 4, 0x00010021);
        for (unsigned k = 0; k < 3; k++)
                world_u(&t.world, driver.base + UNWIND + 16 + 4 * k, 4, functions[2][k]);
        open_all();
        driver_expect(0x1020, "tdrv.sys!Alpha+0x10");
        ck_assert_str_eq(name_in(UINT32_MAX, driver.base + 0x1020).symbol_from, "export");
        driver_expect(0x1044, "tdrv.sys+0x1044"); /* behind Alpha, and nobody's */
        driver_expect(0x1084, "tdrv.sys+0x1084"); /* a function that is not exported: Alpha is not its name */
        driver_expect(0x1210, "tdrv.sys!Beta+0x10");
        driver_expect(0x1304, "tdrv.sys!Gamma+0x4?");  /* no frame, no entry: perhaps */
        driver_expect(0x1410, "tdrv.sys!Beta+0x210");  /* Gamma is nearer, and not it */
        driver_expect(0x1504, "tdrv.sys!Alpha+0x4f4"); /* by way of another entry */
}
END_TEST

START_TEST(what_is_not_there_names_nothing)
{
        static const uint32_t functions[][3] = { { 0x1010, 0x1040, UNWIND }, { 0x1200, 0x1220, 0x7000 }, { 0 } };
        build(true);
        add_functions(functions);
        world_unmap(&t.world, driver.base + WORLD_PE_TEXTS); /* .edata, with the names */
        open_all();
        driver_expect(0x1010, "tdrv.sys+0x1010");
}
END_TEST

/* A page of the table is gone: what is below may not be the nearest, but what .pdata confirms is right. */
START_TEST(a_torn_table)
{
        static const uint32_t functions[][3] = { { 0x1010, 0x1040, UNWIND }, { 0 } };
        build(true);
        add_functions(functions);
        world_u(&t.world, driver.base + WORLD_PE_EDATA + 36, 4, 0x5ffc); /* AddressOfNameOrdinals: two are left */
        world_u(&t.world, driver.base + 0x5ffc, 2, 31);
        world_u(&t.world, driver.base + 0x5ffe, 2, 30);
        world_unmap(&t.world, driver.base + 0x6000);
        open_all();
        driver_expect(0x1010, "tdrv.sys!Alpha");
        driver_expect(0x1304, "tdrv.sys+0x1304");
}
END_TEST

START_TEST(user_modules_of_a_process)
{
        build(_i);
        add_dll();
        open_all();
        expect(beta(), USER + 0x1200, "t.dll!Beta");
        expect(beta(), USER + 0x1208, "t.dll!Beta+0x8?");
        expect(beta(), driver.base + 0x1200, "tdrv.sys!Beta");
        expect(UINT32_MAX, USER + 0x1200, "0x10001200");
        expect((uint32_t)windows_process_of(sys->priv, t.process[TINY_ALPHA]), USER + 0x1200, "0x10001200");
}
END_TEST

START_TEST(unloaded_drivers)
{
        build(_i);
        open_all();
        struct windows *w = sys->priv;
        struct stasis_unloaded gone[] = {
                { .name = "new.sys", .start = driver.base + 0x10000, .end = driver.base + 0x12000 },
                { .name = "old.sys", .start = driver.base + 0x10000, .end = driver.base + 0x18000 },
                { .name = "under.sys", .start = driver.base, .end = driver.base + 0x1000 },
        };
        w->unloaded = gone;
        w->unloaded_count = 3;
        w->unloaded_known = true;
        driver_expect(0x10000, "<Unloaded_new.sys>");
        driver_expect(0x10020, "<Unloaded_new.sys>+0x20");
        driver_expect(0x12000, "<Unloaded_old.sys>+0x2000");
        driver_expect(0x10, "tdrv.sys+0x10"); /* loaded again since */
}
END_TEST

#define EVENTS 0x3000 /* RtlpUnloadEventTrace, in .data of ntdll.dll; as many as fit there */

static void add_event(unsigned index, unsigned len, uint32_t sequence, uint64_t base, const char *name)
{
        uint64_t at = USER + EVENTS + (uint64_t)index * len;
        tiny_user_u(&t, TINY_BETA, at, t.pointer, base);
        tiny_user_u(&t, TINY_BETA, at + t.pointer, t.pointer, 0x2000);
        tiny_user_u(&t, TINY_BETA, at + 2u * t.pointer, 4, sequence);
        for (unsigned i = 0; name[i]; i++)
                tiny_user_u(&t, TINY_BETA, at + 2u * t.pointer + 12 + 2 * i, 2, (uint8_t)name[i]);
}

static const struct world_export ntdll_exports[] = { { "RtlGetUnloadEventTrace", 0x1010 }, { "", 0 } };

/* beta's only module is ntdll.dll, whose export returns the array with "mov eax, A" or "lea rax, A". */
static void add_ntdll(const char *code64, const char *code32, size_t at)
{
        build(t.is64);
        driver.exports = ntdll_exports;
        world_pe(&t.world, &driver);
        add_dll();
        for (unsigned i = 0; i < 9; i++) {
                tiny_user_u(&t, TINY_BETA, USER + 0x8200 + 2 * i, 2, (uint8_t) "ntdll.dll"[i]);
                tiny_user_u(&t, TINY_BETA, USER + 0x1010 + i, 1, (uint8_t)(t.is64 ? code64 : code32)[i]);
        }
        uint64_t name = USER + 0x8100 + tiny_place(&t, "LDR_DATA_TABLE_ENTRY.BaseDllName").at;
        tiny_user_u(&t, TINY_BETA, name, 2, 18);
        tiny_user_u(&t, TINY_BETA, name + 2, 2, 20);
        tiny_user_u(&t, TINY_BETA, USER + 0x1010 + at, 4, t.is64 ? EVENTS - 0x1010 - at - 4 : USER + EVENTS);
}

static void unloaded_modules(unsigned len)
{
        size_t count;
        add_event(0, len, 64, 0x5550000, "newest.dll");
        add_event(1, len, 1, 0x5550000, "older.dll");
        add_event(2, len, 2, 0x5560000, "second.dll");
        add_event(3, len, 9, 0x5570000, "misplaced.dll");
        add_event(4, len, 4, 0x5580123, "crooked.dll");
        add_event(5, len, 21, 0x5590000, "of sixteen.dll");
        open_all();
        struct windows *w = sys->priv;
        expect(beta(), 0x5550010, "<Unloaded_newest.dll>+0x10");
        expect(beta(), 0x5561fff, "<Unloaded_second.dll>+0x1fff");
        expect(beta(), 0x5562000, "0x5562000");
        expect(beta(), 0x5570000, "0x5570000");
        expect(beta(), 0x5580123, "0x5580123");
        expect(beta(), 0x5590000, "<Unloaded_of sixteen.dll>");
        expect(beta(), USER + 0x1010, "ntdll.dll!RtlGetUnloadEventTrace");
        expect((uint32_t)windows_process_of(w, t.process[TINY_ALPHA]), 0x5550010, "0x5550010");
        expect(UINT32_MAX, 0x5550010, "0x5550010");
        const struct stasis_unloaded *gone = unloaded_user(w, beta(), &count);
        ck_assert_uint_eq(count, 4);
        ck_assert_str_eq(gone[0].name, "newest.dll");
        ck_assert_str_eq(gone[1].name, "of sixteen.dll");
        ck_assert_str_eq(gone[3].name, "older.dll");
        ck_assert_uint_eq(gone[0].start, 0x5550000);
        ck_assert_uint_eq(gone[0].end, 0x5552000);
        ck_assert_uint_eq(gone[0].va, USER + EVENTS);
        ck_assert_uint_ne(gone[0].off, STASIS_NOWHERE);
        sys_close();
}

START_TEST(unloaded_modules_of_a_process)
{
        t.is64 = _i;
        add_ntdll("\x48\x8d\x05....\xc3", "\xb8....\xc3...", _i ? 3 : 1);
        unloaded_modules(_i ? 0x68 : 0x5c);
        add_ntdll("\x48\x8d\x05....\xc3", "\x55\x8b\xec\xb8....\x5d", _i ? 3 : 4);
        unloaded_modules(_i ? 0x60 : 0x54);
        add_ntdll("\x48\x8d\x05....\x90", "\xb8....\x90...", _i ? 3 : 1); /* it does more than that */
        add_event(0, 0x60, 64, 0x5550000, "a.dll");
        open_all();
        expect(beta(), 0x5550010, "0x5550010");
}
END_TEST

int main(void)
{
        const TTest *const both[] = { modules_and_exports, a_neighbour_has_bounds, user_modules_of_a_process,
                                      unloaded_drivers, unloaded_modules_of_a_process };
        const TTest *const single[] = { functions_tell_where_they_begin, what_is_not_there_names_nothing,
                                        a_torn_table };
        Suite *suite = suite_create("symbolize-code");
        TCase *tcase = tcase_create("code");
        tcase_add_checked_fixture(tcase, NULL, sys_close);
        tcase_add_loop_test(tcase, code_tells_where_another_begins, 0, 12);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ||
               sys_main("symbolize", both, sizeof(both) / sizeof(both[0]), single, sizeof(single) / sizeof(single[0]));
}
