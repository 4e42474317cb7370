/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"

static struct world w;
static struct pe_image pe;

/* PsInitialSystemProcess lies at rva 2010; whether it points anywhere tells a running kernel. */
static const struct world_export exports[] = { { "NtBuildNumber", 0x2000 },
                                               { "PsInitialSystemProcess", 0x2010 },
                                               { "", 0 } };

static struct world_pe kernel_model(uint64_t base, bool is64)
{
        return (struct world_pe){ .base = base,
                                  .is64 = is64,
                                  .machine = is64 ? 0x8664 : 0x14c,
                                  .dll_name = "ntoskrnl.exe",
                                  .exports = exports };
}

static void put_kernel(uint64_t base, uint64_t system)
{
        bool is64 = w.space.paging->sign_extended;
        struct world_pe m = kernel_model(base, is64);

        world_pe(&w, &m);
        world_u(&w, base + 0x2010, is64 ? 8 : 4, system);
}

static void put_module(uint64_t base, const char *name)
{
        struct world_pe m = kernel_model(base, w.space.paging->sign_extended);

        m.dll_name = name;
        world_pe(&w, &m);
}

static void expect_at(uint64_t base)
{
        memset(&pe, 0, sizeof(pe));
        ck_assert_int_eq(kernel_find(&w.space, NULL, 0, NULL, NULL, &pe), STASIS_OK);
        ck_assert_uint_eq(pe.base, base);
}

static void expect_hinted(uint64_t hint, uint64_t base)
{
        memset(&pe, 0, sizeof(pe));
        ck_assert_int_eq(kernel_find(&w.space, &hint, 1, NULL, NULL, &pe), STASIS_OK);
        ck_assert_uint_eq(pe.base, base);
}

static void teardown(void) { world_end(&w); }

START_TEST(names_of_kernels)
{
        static const struct {
                const char *pdb, *dll;
                bool is;
        } name[] = {
                { "ntoskrnl.pdb", "", true },   { "NTKRNLMP.PDB", "", true },        { "ntkrnlpa.pdb", "", true },
                { "ntkrpamp.pdb", "", true },   { "ntkrla57.pdb", "", true },        { "", "ntoskrnl.exe", true },
                { "", "NTKRPAMP.EXE", true },   { "hal.pdb", "HAL.dll", false },     { "", "", false },
                { "ntkrnl.pdb", "", false },    { "ntoskrnl.pdb2", "", false },      { "", "ntoskrnl.pdb", false },
                { "", "xntoskrnl.exe", false }, { "ntdll.pdb", "ntdll.dll", false },
        };

        for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
                struct pe_image image = { .base = 0 };

                strcpy(image.pdb_name, name[i].pdb);
                strcpy(image.export_name, name[i].dll);
                ck_assert_msg(kernel_is(&image) == name[i].is, "%s %s", name[i].pdb, name[i].dll);
        }
        world_start(&w, PT_X86);
}
END_TEST

START_TEST(halves)
{
        static const struct {
                enum pt_mode mode;
                uint64_t va;
                bool is;
        } half[] = {
                { PT_X86, 0x7fffffff, false },          { PT_X86, 0x80000000, true },
                { PT_PAE, 0xffffffff, true },           { PT_PAE, 0x100000000, false },
                { PT_X64, 0x7fffffffffff, false },      { PT_X64, 0xffff800000000000, true },
                { PT_X64, 0xffff7fffffffffff, false },  { PT_LA57, 0xff00000000000000, true },
                { PT_LA57, 0xfeffffffffffffff, false },
        };

        for (size_t i = 0; i < sizeof(half) / sizeof(half[0]); i++) {
                world_start(&w, half[i].mode);
                ck_assert_int_eq(kernel_half(&w.space, half[i].va), half[i].is);
                world_end(&w);
        }
        world_start(&w, PT_X86);
}
END_TEST

START_TEST(found_in_every_mode)
{
        static const struct {
                enum pt_mode mode;
                uint64_t base;
        } place[] = {
                { PT_X86, 0x804d7000 },          { PT_PAE, 0x82c3d000 },         { PT_X64, 0xfffff80002a52000 },
                { PT_X64, 0xffff9e0000003000 },  { PT_X64, 0xfffff8a000007000 }, { PT_LA57, 0xfffff80654a00000 },
                { PT_LA57, 0xff12340000001000 }, { PT_X86, 0xfff10000 },
        };

        for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
                world_start(&w, place[i].mode);
                put_module(place[i].base - 0x20000, "HAL.dll");
                put_kernel(place[i].base, place[i].base + 0x4000);
                expect_at(place[i].base);
                world_end(&w);
        }
        world_start(&w, PT_X86);
}
END_TEST

START_TEST(not_in_the_user_half)
{
        static const uint64_t hint = 0x401000;

        world_start(&w, PT_X86);
        put_kernel(0x400000, 0x80001000);
        put_module(0x80010000, "HAL.dll");
        ck_assert_int_eq(kernel_find(&w.space, NULL, 0, NULL, NULL, &pe), STASIS_ABSENT);
        ck_assert_int_eq(kernel_find(&w.space, &hint, 1, NULL, NULL, &pe), STASIS_ABSENT);
}
END_TEST

START_TEST(inside_a_large_page)
{
        struct world_pe m = kernel_model(0xfffff80000200000, true);

        world_start(&w, PT_X64);
        world_map(&w, 0xfffff80000100000, 0x1000); /* so that it begins at an odd page */
        world_pe(&w, &m);
        world_u(&w, m.base + 0x2010, 8, 0xffff800000001000);
        /* the same bytes once more, by a 2 MiB page over all of physical memory: 4 KiB aligned inside it */
        world_unmap(&w, m.base);
        pt_map(&w.tables, 0xfffff80012200000, 0, PT_2M, 2);
        expect_at(0xfffff80012301000);
        expect_hinted(0xfffff80012307fff, 0xfffff80012301000);
}
END_TEST

START_TEST(usual_places_come_first)
{
        world_start(&w, PT_X64);
        world_map(&w, 0xfffff80000001000, 0x1f000);
        put_kernel(0xfffff80000020000, 0xffff800000001000);
        uint64_t before = stasis_image_pages_touched(w.image);
        expect_at(0xfffff80000020000);
        /* of the 31 pages before it the first one and one at 64 KiB, then the kernel's headers, exports and variables
         */
        ck_assert_uint_le(stasis_image_pages_touched(w.image) - before, 4 + 2 + 3);
}
END_TEST

START_TEST(hints_lead_there)
{
        world_start(&w, PT_X86);
        put_kernel(0x80800000, 0x80804000); /* the first of two, which a search would find */
        put_kernel(0x82000000, 0x82004000);
        expect_at(0x80800000);
        expect_hinted(0x82000000, 0x82000000);
        expect_hinted(0x82005123, 0x82000000);
        expect_hinted(0xffffffff82005123, 0x82000000); /* as a 64-bit slot holds it */
        expect_hinted(0x86000000, 0x82000000);         /* 64 MiB away */
        expect_hinted(0x86001000, 0x80800000);         /* too far: by search */
        expect_hinted(0x80001000, 0x80800000);         /* nothing before it */
}
END_TEST

START_TEST(a_running_kernel_beats_its_file)
{
        world_start(&w, PT_X64);
        put_kernel(0xfffff80000010000, 0);
        put_kernel(0xfffff80000203000, 0xffffb70000001040);
        expect_at(0xfffff80000203000);
        expect_hinted(0xfffff80000010123, 0xfffff80000203000);
}
END_TEST

START_TEST(a_kernel_without_readable_exports_still_serves)
{
        struct world_pe m = kernel_model(0xfffff80000203000, true);

        world_start(&w, PT_X64);
        put_kernel(0xfffff80000010000, 0);
        m.pdb_path = "ntkrnlmp.pdb";
        world_pe(&w, &m);
        world_unmap(&w, m.base + WORLD_PE_EDATA);
        expect_at(0xfffff80000203000);
}
END_TEST

START_TEST(a_dead_one_is_better_than_none)
{
        world_start(&w, PT_X86);
        put_kernel(0x804d7000, 0);
        expect_at(0x804d7000);
}
END_TEST

START_TEST(tables_that_loop_end)
{
        world_start(&w, PT_X64);
        for (unsigned i = 256; i < 512; i++)
                pt_put(&w.tables, w.tables.root + 8 * i, w.tables.root | 0x23);
        ck_assert_int_eq(kernel_find(&w.space, NULL, 0, NULL, NULL, &pe), STASIS_ABSENT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("kernel");
        TCase *tcase = tcase_create("kernel");

        tcase_set_timeout(tcase, 60);
        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_test(tcase, names_of_kernels);
        tcase_add_test(tcase, halves);
        tcase_add_test(tcase, found_in_every_mode);
        tcase_add_test(tcase, not_in_the_user_half);
        tcase_add_test(tcase, inside_a_large_page);
        tcase_add_test(tcase, usual_places_come_first);
        tcase_add_test(tcase, hints_lead_there);
        tcase_add_test(tcase, a_running_kernel_beats_its_file);
        tcase_add_test(tcase, a_kernel_without_readable_exports_still_serves);
        tcase_add_test(tcase, a_dead_one_is_better_than_none);
        tcase_add_test(tcase, tables_that_loop_end);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
