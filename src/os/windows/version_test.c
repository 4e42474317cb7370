/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"
#include "kernel.h"

#define BASE UINT64_C(0xfffff80002a52000)
#define SHARED UINT64_C(0xfffff78000000000)

static struct world w;
static struct pe_image pe;
static struct kernel_version version;
static struct shared_data shared;

static const struct world_export exports[] = { { "NtBuildLab", 0x2400 }, { "NtBuildNumber", 0x2000 }, { "", 0 } };
static const uint16_t file[] = { 10, 0, 19041, 1237 };

static struct world_pe model(void)
{
        return (struct world_pe){ .base = BASE,
                                  .is64 = true,
                                  .machine = 0x8664,
                                  .dll_name = "ntoskrnl.exe",
                                  .exports = exports,
                                  .version = file };
}

static void setup(void)
{
        struct world_pe m = model();

        world_start(&w, PT_X64);
        world_pe(&w, &m);
        ck_assert_int_eq(pe_open(&w.space, BASE, &pe), STASIS_OK);
}

static void teardown(void) { world_end(&w); }

static void put_shared(uint64_t va, uint32_t major, uint32_t minor, uint32_t build)
{
        world_map(&w, va, 0x1000);
        world_u(&w, va + 0x000, 4, 0x1111);
        world_u(&w, va + 0x004, 4, 0x0fa00000);
        world_u(&w, va + 0x008, 8, 0x123456789a);
        world_u(&w, va + 0x014, 8, 0x01d80000abcdef01);
        world_u(&w, va + 0x020, 8, 0xffffffbcf1dcc000);
        world_utf16(&w, va + 0x030, "C:\\WINDOWS");
        world_u(&w, va + 0x260, 4, build);
        world_u(&w, va + 0x264, 4, 3);
        world_u(&w, va + 0x26c, 4, major);
        world_u(&w, va + 0x270, 4, minor);
        world_u(&w, va + 0x2d0, 4, 0x110);
        world_u(&w, va + 0x3c0, 4, 8);
}

START_TEST(shared_data_of_ten)
{
        put_shared(SHARED, 10, 0, 0xf0004a61);
        world_u(&w, SHARED + 0x320, 8, 0x222222222);
        ck_assert_int_eq(shared_data_read(&w.space, &shared), STASIS_OK);
        ck_assert_uint_eq(shared.va, SHARED);
        ck_assert_uint_eq(shared.NtMajorVersion, 10);
        ck_assert_uint_eq(shared.NtMinorVersion, 0);
        ck_assert_uint_eq(shared.NtBuildNumber, 19041);
        ck_assert_uint_eq(shared.NtProductType, 3);
        ck_assert_uint_eq(shared.SuiteMask, 0x110);
        ck_assert_uint_eq(shared.TickCountMultiplier, 0x0fa00000);
        ck_assert_uint_eq(shared.InterruptTime, 0x123456789a);
        ck_assert_uint_eq(shared.SystemTime, 0x01d80000abcdef01);
        ck_assert_uint_eq(shared.TimeZoneBias, 0xffffffbcf1dcc000);
        ck_assert_uint_eq(shared.TickCount, 0x222222222);
        ck_assert_uint_eq(shared.ActiveProcessorCount, 8);
        ck_assert_str_eq(shared.NtSystemRoot, "C:\\WINDOWS");
}
END_TEST

START_TEST(shared_data_before_the_member_was)
{
        world_end(&w);
        world_start(&w, PT_X86);
        put_shared(0xffdf0000, 5, 1, 0x4a61);
        ck_assert_int_eq(shared_data_read(&w.space, &shared), STASIS_OK);
        ck_assert_uint_eq(shared.va, 0xffdf0000);
        ck_assert_uint_eq(shared.NtBuildNumber, 0);
        ck_assert_uint_eq(shared.ActiveProcessorCount, 0);
        ck_assert_uint_eq(shared.TickCount, 0x1111);
        world_u(&w, 0xffdf0270, 4, 100);
        ck_assert_int_eq(shared_data_read(&w.space, &shared), STASIS_CORRUPT);
}
END_TEST

START_TEST(shared_data_by_the_user_half)
{
        ck_assert_int_eq(shared_data_read(&w.space, &shared), STASIS_ABSENT);
        put_shared(0x7ffe0000, 6, 1, 0);
        ck_assert_int_eq(shared_data_read(&w.space, &shared), STASIS_OK);
        ck_assert_uint_eq(shared.va, 0x7ffe0000);
        ck_assert_uint_eq(shared.ActiveProcessorCount, 8);
}
END_TEST

START_TEST(all_witnesses)
{
        static const char lab[] = "19041.1.amd64fre.vb_release.191206-1406";

        put_shared(SHARED, 10, 0, 19045);
        world_u(&w, BASE + 0x2000, 4, 0xf0004a65); /* NtBuildNumber: free, 19045 */
        world_put(&w, BASE + 0x2400, lab, sizeof(lab));
        world_u(&w, BASE + 0x2600, 2, 0xf);
        world_u(&w, BASE + 0x2602, 2, 19041);
        world_u(&w, BASE + 0x2608, 2, 0x8664);
        world_u(&w, BASE + 0x2610, 8, BASE);
        world_u(&w, BASE + 0x2618, 8, BASE + 0x2700);
        w.image->hints.known |= STASIS_HINT_BUILD;
        w.image->hints.build = 19041;
        kernel_version_read(&w.space, &pe, NULL, &version);
        ck_assert_uint_eq(version.witness[WITNESS_EXPORT], 19045);
        ck_assert_uint_eq(version.witness[WITNESS_SHARED_DATA], 19045);
        ck_assert_uint_eq(version.witness[WITNESS_KDVERSION], 19041);
        ck_assert_uint_eq(version.witness[WITNESS_RESOURCE], 19041);
        ck_assert_uint_eq(version.witness[WITNESS_BUILD_LAB], 19041);
        ck_assert_uint_eq(version.witness[WITNESS_HEADER], 19041);
        ck_assert_uint_eq(version.major, 10);
        ck_assert_uint_eq(version.minor, 0);
        ck_assert_uint_eq(version.build, 19045);
        ck_assert_uint_eq(version.revision, 1237);
        ck_assert(!version.disagree); /* one kernel, an enablement package */
        ck_assert(!version.checked);
        ck_assert(!version.reactos);
        ck_assert_str_eq(version.build_lab, lab);
        ck_assert_str_eq(version.csd, "");
}
END_TEST

START_TEST(witnesses_that_disagree)
{
        world_u(&w, BASE + 0x2000, 4, 0xc0001db1);
        kernel_version_read(&w.space, &pe, NULL, &version);
        ck_assert_uint_eq(version.build, 7601);
        ck_assert(version.disagree);
        ck_assert(version.checked);
        ck_assert_uint_eq(version.witness[WITNESS_SHARED_DATA], 0);
        ck_assert_uint_eq(version.major, 10); /* of the file */
}
END_TEST

START_TEST(nothing_but_the_header)
{
        world_unmap(&w, BASE + WORLD_PE_EDATA);
        world_unmap(&w, BASE + WORLD_PE_RSRC);
        world_unmap(&w, BASE + WORLD_PE_DATA);
        kernel_version_read(&w.space, &pe, NULL, &version);
        ck_assert_uint_eq(version.build, 0);
        ck_assert_uint_eq(version.major, 6);
        ck_assert_uint_eq(version.minor, 1);
        ck_assert(!version.disagree);
}
END_TEST

START_TEST(service_pack_by_kdbg)
{
        struct kdbg kdbg = { .CmNtCSDVersion = BASE + 0x2500, .NtBuildLab = BASE + 0x2540 };
        static const char lab[] = "2600.xpsp_sp3_gdr.100216-1514";

        world_u(&w, BASE + 0x2500, 4, 0x300);
        world_put(&w, BASE + 0x2540, lab, sizeof(lab));
        kernel_version_read(&w.space, &pe, &kdbg, &version);
        ck_assert_uint_eq(version.service_pack, 3);
        ck_assert_str_eq(version.csd, "Service Pack 3");
        ck_assert_str_eq(version.build_lab, lab);
        ck_assert_uint_eq(version.witness[WITNESS_BUILD_LAB], 2600);
        world_put(&w, BASE + 0x2540, "garbage", 8);
        kernel_version_read(&w.space, &pe, &kdbg, &version);
        ck_assert_str_eq(version.build_lab, "");
        ck_assert_uint_eq(version.witness[WITNESS_BUILD_LAB], 0);
}
END_TEST

START_TEST(service_pack_by_the_file)
{
        static const struct {
                uint32_t build, revision, pack;
        } known[] = { { 2600, 5512, 3 },  { 2600, 6055, 3 },  { 2600, 2180, 2 }, { 2600, 1106, 1 },  { 2600, 1000, 0 },
                      { 3790, 0, 0 },     { 3790, 1830, 1 },  { 3790, 3959, 2 }, { 6000, 16386, 0 }, { 6001, 18000, 1 },
                      { 7600, 16385, 0 }, { 7601, 17514, 1 }, { 19041, 9999, 0 } };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                world_u(&w, BASE + 0x2000, 4, 0xf0000000 | known[i].build);
                world_u(&w, BASE + WORLD_PE_VERSION + 12, 4, known[i].build << 16 | known[i].revision);
                kernel_version_read(&w.space, &pe, NULL, &version);
                ck_assert_uint_eq(version.service_pack, known[i].pack);
        }
}
END_TEST

START_TEST(reactos_by_its_resource)
{
        world_utf16(&w, BASE + WORLD_PE_RSRC + 0x202, "ReactOS(R) Operating System");
        world_put(&w, BASE + 0x7802, "ReactOS does not boot. ReactOS 0.4.13 (Build 2020)\n", 52);
        kernel_version_read(&w.space, &pe, NULL, &version);
        ck_assert(version.reactos);
        ck_assert_str_eq(version.build_lab, "ReactOS 0.4.13 (Build 2020)");
}
END_TEST

START_TEST(reactos_by_its_section)
{
        struct world_pe m = model();

        world_put(&w, world_pe_section(&m, 4), ".rossym", 8);
        ck_assert_int_eq(pe_open(&w.space, BASE, &pe), STASIS_OK);
        kernel_version_read(&w.space, &pe, NULL, &version);
        ck_assert(version.reactos);
}
END_TEST

START_TEST(witnesses_have_names)
{
        for (int i = 0; i < WITNESS_COUNT; i++)
                ck_assert_str_ne(version_witness_name((enum version_witness)i), "?");
        ck_assert_str_eq(version_witness_name(WITNESS_COUNT), "?");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("version");
        TCase *tcase = tcase_create("version");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, shared_data_of_ten);
        tcase_add_test(tcase, shared_data_before_the_member_was);
        tcase_add_test(tcase, shared_data_by_the_user_half);
        tcase_add_test(tcase, all_witnesses);
        tcase_add_test(tcase, witnesses_that_disagree);
        tcase_add_test(tcase, nothing_but_the_header);
        tcase_add_test(tcase, service_pack_by_kdbg);
        tcase_add_test(tcase, service_pack_by_the_file);
        tcase_add_test(tcase, reactos_by_its_resource);
        tcase_add_test(tcase, reactos_by_its_section);
        tcase_add_test(tcase, witnesses_have_names);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
