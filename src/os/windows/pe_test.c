/* SPDX-License-Identifier: MIT */
#include "pe.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"

static struct world w;
static struct pe_image pe;

static const struct world_export exports[] = {
        { "Alpha", 0x1010 }, { "Beta", 0x1020 }, { "Forward", 0x5800 }, { "Gamma", 0x1030 }, { "Nowhere", 0x9000 },
        { "Omega", 0x2008 }, { "", 0 }
};
static const uint16_t version[] = { 10, 0, 19041, 1237 };

static struct world_pe model(bool is64)
{
        return (struct world_pe){ .base = is64 ? 0xfffff80012340000 : 0x804d7000,
                                  .is64 = is64,
                                  .machine = is64 ? 0x8664 : 0x14c,
                                  .dll_name = "ntoskrnl.exe",
                                  .exports = exports,
                                  .pdb_path = "d:\\build\\ntkrnlmp.pdb",
                                  .version = version };
}

static struct world_pe start(bool is64)
{
        struct world_pe m = model(is64);

        world_start(&w, is64 ? PT_X64 : PT_X86);
        world_pe(&w, &m);
        return m;
}

static void teardown(void) { world_end(&w); }

static void expect_export(const char *name, uint64_t rva)
{
        uint64_t va;

        ck_assert_int_eq(pe_export(&w.space, &pe, name, &va), STASIS_OK);
        ck_assert_uint_eq(va, pe.base + rva);
}

static void expect_no_export(const char *name, enum stasis_status status)
{
        uint64_t va = 0;

        ck_assert_int_eq(pe_export(&w.space, &pe, name, &va), status);
        ck_assert_uint_eq(va, 0);
}

START_TEST(headers_of_both_widths)
{
        struct world_pe m = start(_i);

        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert_uint_eq(pe.base, m.base);
        ck_assert_int_eq(pe.is64, _i);
        ck_assert_uint_eq(pe.machine, m.machine);
        ck_assert_uint_eq(pe.timestamp, 0x4a5bc007);
        ck_assert_uint_eq(pe.size, 0x8000);
        ck_assert_uint_eq(pe.checksum, 0xc0ffee);
        ck_assert_uint_eq(pe.entry, 0x1234);
        ck_assert_uint_eq(pe.header_len, 0x400);
        ck_assert_uint_eq(pe.os_major, 6);
        ck_assert_uint_eq(pe.os_minor, 1);
        ck_assert_uint_eq(pe.export_rva, 0x5000);
        ck_assert_uint_eq(pe.resource_rva, 0x6000);
        ck_assert_uint_eq(pe.debug_rva, 0x7000);
        ck_assert_uint_eq(pe.section_count, 5);
        ck_assert_str_eq(pe.section[1].name, ".data");
        ck_assert_uint_eq(pe.section[1].rva, 0x2000);
        ck_assert_uint_eq(pe.section[1].size, 0x3000);
        ck_assert_uint_eq(pe.section[1].flags, 0xc0000040);
        ck_assert_int_eq(pe_section_group(&pe.section[0]), PE_OTHER);
        ck_assert_int_eq(pe_section_group(&pe.section[1]), PE_WRITABLE);
        ck_assert_int_eq(pe_section_group(&pe.section[2]), PE_CONSTANT);
}
END_TEST

START_TEST(pdb_and_dll_names)
{
        static const uint8_t guid[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
        struct world_pe m = start(_i);

        world_put(&w, m.base + WORLD_PE_CODEVIEW + 24 + 9, "nt\x01", 3);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert(pe.pdb_known);
        ck_assert_mem_eq(pe.pdb.guid, guid, 16);
        ck_assert_uint_eq(pe.pdb.age, 7);
        ck_assert_str_eq(pe.pdb_name, "nt?rnlmp.pdb");
        ck_assert_str_eq(pe.export_name, "ntoskrnl.exe");
}
END_TEST

START_TEST(old_codeview_gives_a_name_only)
{
        struct world_pe m = start(false);

        world_put(&w, m.base + WORLD_PE_CODEVIEW, "NB10", 4);
        world_put(&w, m.base + WORLD_PE_CODEVIEW + 16, "ntoskrnl.pdb", 13);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert(!pe.pdb_known);
        ck_assert_str_eq(pe.pdb_name, "ntoskrnl.pdb");
}
END_TEST

START_TEST(a_pdb_record_shorter_than_its_head_is_none)
{
        struct world_pe m = start(true);

        world_u(&w, m.base + WORLD_PE_RDATA + 28 + 16, 4, 23);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert(!pe.pdb_known);
}
END_TEST

START_TEST(missing_pages_cost_their_part)
{
        struct world_pe m = start(true);
        uint32_t file[4];

        world_unmap(&w, m.base + WORLD_PE_RDATA);
        world_unmap(&w, m.base + WORLD_PE_EDATA);
        world_unmap(&w, m.base + WORLD_PE_RSRC);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert(!pe.pdb_known);
        ck_assert_str_eq(pe.pdb_name, "");
        ck_assert_str_eq(pe.export_name, "");
        expect_no_export("Alpha", STASIS_ABSENT);
        ck_assert_int_eq(pe_file_version(&w.space, &pe, file), STASIS_ABSENT);
}
END_TEST

START_TEST(no_pe)
{
        static const struct {
                uint32_t at;
                uint8_t size;
                uint32_t value;
        } broken[] = { { 0, 1, 'X' },   { 0x3c, 4, 0x10001 }, { 0x3c, 4, 0 },  { 0x80, 4, 0x4551 },
                       { 0x86, 2, 97 }, { 0x98, 2, 0x107 },   { 0x94, 2, 95 }, { 0xd0, 4, 0 } };

        for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
                struct world_pe m = start(false);

                world_u(&w, m.base + broken[i].at, broken[i].size, broken[i].value);
                ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_CORRUPT);
                world_end(&w);
        }
        struct world_pe m = start(false);
        ck_assert_int_eq(pe_open(&w.space, m.base + 0x100000, &pe), STASIS_ABSENT);
        world_unmap(&w, m.base);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_ABSENT);
}
END_TEST

START_TEST(an_image_cannot_pass_the_top_of_the_space)
{
        struct world_pe m = model(true);

        m.base = UINT64_C(0xffffffffffff7000);
        world_start(&w, PT_X64);
        world_pe(&w, &m);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        world_u(&w, m.base + WORLD_PE_OPTIONAL + 56, 4, 0x9001);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_CORRUPT);
}
END_TEST

START_TEST(sections_and_directories_stay_inside)
{
        struct world_pe m = start(true);

        world_u(&w, world_pe_section(&m, 0) + 12, 4, 0x8000);    /* .text begins at the end: dropped */
        world_u(&w, world_pe_section(&m, 1) + 8, 4, 0xffffffff); /* .data is clipped */
        world_u(&w, world_pe_section(&m, 2) + 8, 4, 0);          /* .edata has its raw size */
        world_u(&w, world_pe_directory(&m, 2) + 4, 4, 0x2001);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert_uint_eq(pe.section_count, 4);
        ck_assert_str_eq(pe.section[0].name, ".data");
        ck_assert_uint_eq(pe.section[0].size, 0x6000);
        ck_assert_uint_eq(pe.section[1].size, 0x200);
        ck_assert_uint_eq(pe.resource_rva, 0);
        ck_assert_uint_eq(pe.resource_len, 0);
}
END_TEST

START_TEST(directories_that_are_not_counted_are_not_there)
{
        struct world_pe m = start(true);

        world_u(&w, m.base + WORLD_PE_OPTIONAL + 108, 4, 6);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert_uint_eq(pe.export_rva, 0x5000);
        ck_assert_uint_eq(pe.debug_rva, 0);
        ck_assert(!pe.pdb_known);
}
END_TEST

START_TEST(parts_are_bounded_together)
{
        struct world_pe m = start(true);
        struct pe_part part = { 0 };
        uint64_t sum = 0;
        size_t count = 0;

        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert(pe_next_part(&pe, PE_WRITABLE, &part));
        ck_assert_uint_eq(part.va, m.base + 0x2000);
        ck_assert_uint_eq(part.end, m.base + 0x5000);
        ck_assert(!pe_next_part(&pe, PE_WRITABLE, &part));
        pe.size = 0x3000000;
        for (size_t i = 0; i < pe.section_count; i++)
                pe.section[i] = (struct pe_section){ "x", 0, pe.size, 0xc0000040 };
        for (part = (struct pe_part){ 0 }; pe_next_part(&pe, PE_WRITABLE, &part); count++)
                sum += part.end - part.va;
        ck_assert_uint_eq(count, 2);
        ck_assert_uint_eq(sum, 0x4000000);
        pe.section_count = 0;
        part = (struct pe_part){ 0 };
        ck_assert(pe_next_part(&pe, PE_CONSTANT, &part));
        ck_assert_uint_eq(part.va, m.base);
        ck_assert_uint_eq(part.end, m.base + 0x3000000);
        ck_assert(!pe_next_part(&pe, PE_CONSTANT, &part));
}
END_TEST

START_TEST(exports_by_name)
{
        struct world_pe m = start(_i);

        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        expect_export("Alpha", 0x1010);
        expect_export("Beta", 0x1020);
        expect_export("Gamma", 0x1030);
        expect_export("Omega", 0x2008);
        expect_no_export("Alph", STASIS_ABSENT);
        expect_no_export("Alphaa", STASIS_ABSENT);
        expect_no_export("Zeta", STASIS_ABSENT);
        expect_no_export("Forward", STASIS_ABSENT);
        expect_no_export("Nowhere", STASIS_CORRUPT);
}
END_TEST

START_TEST(an_unsorted_table_is_read_through)
{
        struct world_pe m = start(true);
        uint8_t first[4], last[4];

        memcpy(first, world_at(&w, m.base + WORLD_PE_NAMES), 4);
        memcpy(last, world_at(&w, m.base + WORLD_PE_NAMES + 20), 4);
        world_put(&w, m.base + WORLD_PE_NAMES, last, 4);
        world_put(&w, m.base + WORLD_PE_NAMES + 20, first, 4);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        expect_export("Omega", 0x1010);
        expect_export("Alpha", 0x2008);
}
END_TEST

START_TEST(a_name_that_is_not_there_hides_no_other)
{
        struct world_pe m = start(true);

        world_u(&w, m.base + WORLD_PE_NAMES + 12, 4, 0x6000); /* the middle one, where the search begins */
        world_unmap(&w, m.base + WORLD_PE_RSRC);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        expect_export("Alpha", 0x1010);
        expect_export("Omega", 0x2008);
        expect_no_export("Gamma", STASIS_ABSENT);
}
END_TEST

START_TEST(hostile_export_tables)
{
        static const struct {
                uint32_t at, value;
        } broken[] = { { 20, 0xffffffff }, { 24, 0xffffffff }, { 24, 0x10001 }, { 28, 0x8000 },
                       { 32, 0x7ffc },     { 36, 0xfffffff0 }, { 20, 5 } };

        for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
                struct world_pe m = start(true);

                world_u(&w, m.base + WORLD_PE_EDATA + broken[i].at, 4, broken[i].value);
                ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
                expect_no_export("Alpha", STASIS_CORRUPT);
                world_end(&w);
        }
        start(true);
}
END_TEST

START_TEST(file_version_by_its_signature)
{
        struct world_pe m = start(_i);
        uint32_t file[4] = { 0 };

        world_u(&w, m.base + WORLD_PE_RSRC + 0x40, 4, 0xfeef04bd); /* a number that looks like it */
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert_int_eq(pe_file_version(&w.space, &pe, file), STASIS_OK);
        for (unsigned i = 0; i < 4; i++)
                ck_assert_uint_eq(file[i], version[i]);
        world_u(&w, m.base + WORLD_PE_VERSION + 4, 4, 0x20000);
        ck_assert_int_eq(pe_file_version(&w.space, &pe, file), STASIS_ABSENT);
}
END_TEST

START_TEST(file_version_behind_a_hole_and_over_a_border)
{
        struct world_pe m = start(true);
        uint32_t file[4] = { 0 };

        world_u(&w, world_pe_directory(&m, 2), 4, 0x5ff0);
        world_u(&w, world_pe_directory(&m, 2) + 4, 4, 0x1100);
        world_put(&w, m.base + 0x6ff8, world_at(&w, m.base + WORLD_PE_VERSION), 16);
        world_u(&w, m.base + WORLD_PE_VERSION, 4, 0);
        world_unmap(&w, m.base + WORLD_PE_EDATA);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
        ck_assert_int_eq(pe_file_version(&w.space, &pe, file), STASIS_OK);
        ck_assert_uint_eq(file[2], 19041);
        ck_assert_uint_eq(file[3], 1237);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pe");
        TCase *tcase = tcase_create("pe");

        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_loop_test(tcase, headers_of_both_widths, 0, 2);
        tcase_add_loop_test(tcase, pdb_and_dll_names, 0, 2);
        tcase_add_test(tcase, old_codeview_gives_a_name_only);
        tcase_add_test(tcase, a_pdb_record_shorter_than_its_head_is_none);
        tcase_add_test(tcase, missing_pages_cost_their_part);
        tcase_add_test(tcase, no_pe);
        tcase_add_test(tcase, an_image_cannot_pass_the_top_of_the_space);
        tcase_add_test(tcase, sections_and_directories_stay_inside);
        tcase_add_test(tcase, directories_that_are_not_counted_are_not_there);
        tcase_add_test(tcase, parts_are_bounded_together);
        tcase_add_loop_test(tcase, exports_by_name, 0, 2);
        tcase_add_test(tcase, an_unsorted_table_is_read_through);
        tcase_add_test(tcase, a_name_that_is_not_there_hides_no_other);
        tcase_add_test(tcase, hostile_export_tables);
        tcase_add_loop_test(tcase, file_version_by_its_signature, 0, 2);
        tcase_add_test(tcase, file_version_behind_a_hole_and_over_a_border);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
