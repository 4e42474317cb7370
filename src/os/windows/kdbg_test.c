/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"
#include "kernel.h"

#define BASE64 UINT64_C(0xfffff80002a52000)
#define BASE32 UINT64_C(0x804d7000)

static struct world w;
static struct pe_image pe;
static struct kdbg kdbg;

static uint64_t start(bool is64)
{
        struct world_pe m = { .base = is64 ? BASE64 : BASE32, .is64 = is64, .machine = is64 ? 0x8664 : 0x14c };

        world_start(&w, is64 ? PT_X64 : PT_X86);
        world_pe(&w, &m);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        return m.base;
}

/* Every pointer holds base + 0x2000 + its own place; every short its own place. */
static void put_kdbg(uint64_t va, uint64_t base, uint32_t size)
{
        uint64_t extend = base == BASE32 ? UINT64_C(0xffffffff00000000) : 0;

        world_put(&w, va + 0x10, "KDBG", 4);
        world_u(&w, va + 0x14, 4, size);
        world_u(&w, va + 0x18, 8, base | extend);
        for (unsigned at = 0x48; at < 0x298 && at < size; at += 8)
                world_u(&w, va + at, 8, (base + 0x2000 + at) | extend);
        for (unsigned at = 0x298; at < 0x360 && at < size; at += 2)
                world_u(&w, va + at, 2, at);
        if (size > 0x360)
                world_u(&w, va + 0x360, 8, 0xffffb60000000000);
}

static void teardown(void) { world_end(&w); }

START_TEST(members_of_both_widths)
{
        uint64_t base = start(_i), va = base + 0x2e40; /* over a page's border */

        put_kdbg(va, base, 0x380);
        ck_assert_int_eq(kdbg_read(&w.space, _i ? va : va | 0xffffffff00000000, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.va, va);
        ck_assert_uint_eq(kdbg.size, 0x380);
        ck_assert_uint_eq(kdbg.KernBase, base);
        ck_assert_uint_eq(kdbg.PsLoadedModuleList, base + 0x2048);
        ck_assert_uint_eq(kdbg.PsActiveProcessHead, base + 0x2050);
        ck_assert_uint_eq(kdbg.PspCidTable, base + 0x2058);
        ck_assert_uint_eq(kdbg.ExpSystemResourcesList, base + 0x2060);
        ck_assert_uint_eq(kdbg.KeTimeIncrement, base + 0x2078);
        ck_assert_uint_eq(kdbg.KiBugcheckData, base + 0x2088);
        ck_assert_uint_eq(kdbg.ObpRootDirectoryObject, base + 0x2098);
        ck_assert_uint_eq(kdbg.MmPfnDatabase, base + 0x20c0);
        ck_assert_uint_eq(kdbg.MmHighestUserAddress, base + 0x21c8);
        ck_assert_uint_eq(kdbg.MmSystemRangeStart, base + 0x21d0);
        ck_assert_uint_eq(kdbg.MmLoadedUserImageList, base + 0x2200);
        ck_assert_uint_eq(kdbg.NtBuildLab, base + 0x2208);
        ck_assert_uint_eq(kdbg.KiProcessorBlock, base + 0x2218);
        ck_assert_uint_eq(kdbg.MmUnloadedDrivers, base + 0x2220);
        ck_assert_uint_eq(kdbg.CmNtCSDVersion, base + 0x2268);
        ck_assert_uint_eq(kdbg.MmPhysicalMemoryBlock, base + 0x2270);
        ck_assert_uint_eq(kdbg.PteBase, _i ? 0xffffb60000000000 : 0);
        ck_assert(kdbg.sizes);
        ck_assert_uint_eq(kdbg.OffsetKThreadNextProcessor, 0x298);
        ck_assert_uint_eq(kdbg.OffsetKThreadTeb, 0x29a);
        ck_assert_uint_eq(kdbg.OffsetKThreadKernelStack, 0x29c);
        ck_assert_uint_eq(kdbg.OffsetKThreadInitialStack, 0x29e);
        ck_assert_uint_eq(kdbg.OffsetKThreadApcProcess, 0x2a0);
        ck_assert_uint_eq(kdbg.OffsetKThreadState, 0x2a2);
        ck_assert_uint_eq(kdbg.SizeEProcess, 0x2a8);
        ck_assert_uint_eq(kdbg.OffsetEprocessPeb, 0x2aa);
        ck_assert_uint_eq(kdbg.OffsetEprocessParentCID, 0x2ac);
        ck_assert_uint_eq(kdbg.OffsetEprocessDirectoryTableBase, 0x2ae);
        ck_assert_uint_eq(kdbg.SizePrcb, 0x2b0);
        ck_assert_uint_eq(kdbg.OffsetPrcbCurrentThread, 0x2b4);
        ck_assert_uint_eq(kdbg.OffsetPrcbProcStateContext, 0x2bc);
        ck_assert_uint_eq(kdbg.OffsetPrcbNumber, 0x2be);
        ck_assert_uint_eq(kdbg.SizeEThread, 0x2c0);
        ck_assert_uint_eq(kdbg.OffsetPrcbContext, 0x338);
}
END_TEST

START_TEST(what_the_size_does_not_cover_is_not_there)
{
        uint64_t base = start(false), va = base + 0x2100;

        put_kdbg(va, base, 0x380);
        world_u(&w, va + 0x14, 4, 0x290); /* XP */
        ck_assert_int_eq(kdbg_read(&w.space, va, &kdbg), STASIS_OK);
        ck_assert(!kdbg.sizes);
        ck_assert_uint_eq(kdbg.SizeEThread, 0);
        ck_assert_uint_eq(kdbg.OffsetKThreadTeb, 0);
        ck_assert_uint_eq(kdbg.MmPhysicalMemoryBlock, base + 0x2270);
        world_u(&w, va + 0x14, 4, 0x318); /* 2003 */
        ck_assert_int_eq(kdbg_read(&w.space, va, &kdbg), STASIS_OK);
        ck_assert(kdbg.sizes);
        ck_assert_uint_eq(kdbg.OffsetPrcbContext, 0);
        world_u(&w, va + 0x14, 4, 0x208); /* a later one may also be larger than what we know */
        ck_assert_int_eq(kdbg_read(&w.space, va, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.NtBuildLab, 0);
        world_u(&w, va + 0x14, 4, 0xf00);
        ck_assert_int_eq(kdbg_read(&w.space, va, &kdbg), STASIS_OK);
}
END_TEST

START_TEST(no_plain_block)
{
        static const struct {
                uint32_t at, size;
                uint64_t value;
        } broken[] = {
                { 0x10, 1, 'k' }, { 0x14, 4, 0x1ff },  { 0x14, 4, 0x1001 }, { 0x18, 1, 1 },    { 0x1c, 4, 1 },
                { 0x18, 8, 0 },   { 0x48, 8, 0x1000 }, { 0x50, 8, 0 },      { 0x50, 1, 0x51 },
        };

        for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
                uint64_t base = start(i % 2), va = base + 0x2100;

                put_kdbg(va, base, 0x340);
                ck_assert_int_eq(kdbg_read(&w.space, va, &kdbg), STASIS_OK);
                world_u(&w, va + broken[i].at, broken[i].size, broken[i].value);
                ck_assert_int_eq(kdbg_read(&w.space, va, &kdbg), STASIS_CORRUPT);
                world_end(&w);
        }
        uint64_t base = start(false);
        ck_assert_int_eq(kdbg_read(&w.space, base + 0x10000, &kdbg), STASIS_ABSENT);
        put_kdbg(base + 0x4f00, base, 0x290);
        world_unmap(&w, base + 0x5000);
        ck_assert_int_eq(kdbg_read(&w.space, base + 0x4f00, &kdbg), STASIS_ABSENT);
}
END_TEST

START_TEST(scan_takes_the_block_of_this_kernel)
{
        uint64_t base = start(_i);

        world_put(&w, base + 0x2008, "KDBG", 4);       /* a text */
        world_put(&w, base + 0x2202, "KDBG", 4);       /* a block is aligned */
        put_kdbg(base + 0x2400, base + 0x1000, 0x340); /* a copy of another kernel's */
        ck_assert_int_eq(kdbg_scan(&w.space, &pe, &kdbg), STASIS_ABSENT);
        put_kdbg(base + 0x4c80, base, 0x340);
        ck_assert_int_eq(kdbg_scan(&w.space, &pe, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.va, base + 0x4c80);
}
END_TEST

START_TEST(scan_prefers_variables_and_leaves_code_alone)
{
        uint64_t base = start(true);

        put_kdbg(base + 0x1000, base, 0x340);
        ck_assert_int_eq(kdbg_scan(&w.space, &pe, &kdbg), STASIS_ABSENT);
        put_kdbg(base + 0x6800, base, 0x340); /* constants */
        ck_assert_int_eq(kdbg_scan(&w.space, &pe, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.va, base + 0x6800);
        put_kdbg(base + 0x4000, base, 0x340);
        world_unmap(&w, base + 0x3000);
        ck_assert_int_eq(kdbg_scan(&w.space, &pe, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.va, base + 0x4000);
        pe.section_count = 0;
        ck_assert_int_eq(kdbg_scan(&w.space, &pe, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.va, base + 0x1000);
}
END_TEST

static void put_version(uint64_t va, uint64_t base, uint16_t machine)
{
        uint64_t extend = base == BASE32 ? UINT64_C(0xffffffff00000000) : 0;

        world_u(&w, va, 2, 0xf);
        world_u(&w, va + 2, 2, 2600);
        world_u(&w, va + 8, 2, machine);
        world_u(&w, va + 0x10, 8, base | extend);
        world_u(&w, va + 0x18, 8, (base + 0x3040) | extend);
        world_u(&w, va + 0x20, 8, (base + 0x3080) | extend);
}

START_TEST(version_block_by_shape)
{
        uint64_t base = start(_i);
        uint16_t machine = _i ? 0x8664 : 0x14c;
        struct kd_version version = { .va = 0 };

        world_u(&w, base + 0x2100, 8, base);                 /* a pointer to the kernel that is no such block */
        put_version(base + 0x2200, base, 0xaa64);            /* another machine */
        put_version(base + 0x2300, base + 0x10000, machine); /* another kernel */
        put_version(base + 0x2400, base, machine);
        world_u(&w, base + 0x2418, 8, base + 0x8000); /* the list is outside */
        ck_assert_int_eq(kd_version_find(&w.space, &pe, &version), STASIS_ABSENT);
        put_version(base + 0x3ff0, base, machine);
        ck_assert_int_eq(kd_version_find(&w.space, &pe, &version), STASIS_OK);
        ck_assert_uint_eq(version.va, base + 0x3ff0);
        ck_assert_uint_eq(version.build, 2600);
        ck_assert_uint_eq(version.PsLoadedModuleList, base + 0x3040);
        ck_assert_uint_eq(version.DebuggerDataList, base + 0x3080);
        ck_assert(!version.checked);
        world_u(&w, base + 0x3ff0, 1, 0xc);
        ck_assert_int_eq(kd_version_find(&w.space, &pe, &version), STASIS_OK);
        ck_assert(version.checked);
}
END_TEST

START_TEST(version_block_by_the_processor)
{
        uint64_t base = start(false);
        struct kd_version version = { .va = 0 };

        put_version(base + 0x2200, base, 0x14c);
        put_version(base + 0x3200, base, 0x14c);
        world_map(&w, 0xffdff000, 0x1000);
        world_u(&w, 0xffdff034, 4, base + 0x3200);
        ck_assert_int_eq(kd_version_find(&w.space, &pe, &version), STASIS_OK);
        ck_assert_uint_eq(version.va, base + 0x3200);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("kdbg");
        TCase *tcase = tcase_create("kdbg");

        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_loop_test(tcase, members_of_both_widths, 0, 2);
        tcase_add_test(tcase, what_the_size_does_not_cover_is_not_there);
        tcase_add_test(tcase, no_plain_block);
        tcase_add_loop_test(tcase, scan_takes_the_block_of_this_kernel, 0, 2);
        tcase_add_test(tcase, scan_prefers_variables_and_leaves_code_alone);
        tcase_add_loop_test(tcase, version_block_by_shape, 0, 2);
        tcase_add_test(tcase, version_block_by_the_processor);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
