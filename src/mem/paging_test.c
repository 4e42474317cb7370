/* SPDX-License-Identifier: MIT */
#include "paging.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../test/ptbuild.h"

#define MEMORY (1u << 20)
#define HIGH_BITS UINT64_C(0xfff0000000000000) /* NX and what is free for software */

static uint8_t memory[MEMORY];
static struct stasis_image *image;
static struct ptbuild tables;
static struct stasis_walk walk;

static void setup(void)
{
        struct stasis_error err;
        memset(memory, 0, sizeof(memory));
        enum stasis_status status = stasis_image_open_memory(
                memory, sizeof(memory), "memory", &(struct stasis_image_options){ .format = "raw" }, &image, &err);
        ck_assert_msg(status == STASIS_OK, "%s", err.text);
}

static void teardown(void)
{
        stasis_image_close(image);
        image = NULL;
}

static enum stasis_status go(const struct stasis_paging *paging, uint64_t va)
{
        return stasis_paging_walk(image, paging, tables.root, va, &walk);
}

static void expect(const struct stasis_paging *paging, uint64_t va, uint64_t pa, uint64_t size)
{
        ck_assert_int_eq(go(paging, va), STASIS_OK);
        ck_assert_uint_eq(walk.va, va);
        ck_assert_uint_eq(walk.pa, pa);
        ck_assert_uint_eq(walk.page_size, size);
}

static void expect_not(const struct stasis_paging *paging, uint64_t va, enum stasis_status status, unsigned depth)
{
        ck_assert_int_eq(go(paging, va), status);
        ck_assert_uint_eq(walk.va, va);
        ck_assert_uint_eq(walk.depth, depth);
        ck_assert_uint_eq(walk.pa, STASIS_NOWHERE);
        ck_assert_uint_eq(walk.page_size, 0);
}

START_TEST(x86_small_page_keeps_both_entries)
{
        pt_start(&tables, PT_X86, memory, MEMORY, 0x1000, 0);
        pt_map(&tables, 0x80401000, 0xabcde000, PT_4K, 0x66);
        expect(&stasis_paging_x86, 0x80401234, 0xabcde234, 0x1000);
        ck_assert_uint_eq(walk.depth, 2);
        ck_assert_uint_eq(walk.entry[0].pa, 0x1000 + 0x201 * 4);
        ck_assert_uint_eq(walk.entry[0].value, 0x2027);
        ck_assert_uint_eq(walk.entry[1].pa, 0x2000 + 4);
        ck_assert_uint_eq(walk.entry[1].value, 0xabcde067);
}
END_TEST

START_TEST(x86_bit_7_of_a_table_entry_is_pat)
{
        pt_start(&tables, PT_X86, memory, MEMORY, 0x1000, 0);
        pt_map(&tables, 0x5000, 0x7000, PT_4K, 0x80);
        expect(&stasis_paging_x86, 0x5000, 0x7000, 0x1000);
}
END_TEST

START_TEST(x86_large_page_with_pse36)
{
        pt_start(&tables, PT_X86, memory, MEMORY, 0x1000, 0);
        pt_map(&tables, 0xc0000000, 0xa540400000, PT_4M, 0x1000 /* PAT */);
        pt_map(&tables, 0xffc00000, 0x00400000, PT_4M, 0x200000 /* reserved */);
        expect(&stasis_paging_x86, 0xc0345678, 0xa540745678, 0x400000);
        ck_assert_uint_eq(walk.depth, 1);
        expect(&stasis_paging_x86, 0xffffffff, 0x007fffff, 0x400000);
}
END_TEST

START_TEST(x86_root_low_bits_are_no_address)
{
        pt_start(&tables, PT_X86, memory, MEMORY, 0x1000, 0);
        pt_map(&tables, 0x5000, 0x7000, PT_4K, 0);
        tables.root |= 0xfffffff700000018; /* PWT, PCD, and bits that CR3 does not have there */
        expect(&stasis_paging_x86, 0x5000, 0x7000, 0x1000);
}
END_TEST

START_TEST(pae_root_is_aligned_to_32_bytes)
{
        pt_start(&tables, PT_PAE, memory, MEMORY, 0x1000, 0xfe0);
        pt_map(&tables, 0xbffff000, 0x000fedcba9876000, PT_4K, HIGH_BITS);
        tables.root |= 0x18;
        expect(&stasis_paging_pae, 0xbfffffff, 0x000fedcba9876fff, 0x1000);
        ck_assert_uint_eq(walk.depth, 3);
        ck_assert_uint_eq(walk.entry[0].pa, 0x1fe0 + 2 * 8);
        ck_assert_uint_eq(walk.entry[0].value, 0x2001);
}
END_TEST

START_TEST(pae_directory_pointer_is_never_a_page)
{
        pt_start(&tables, PT_PAE, memory, MEMORY, 0x1000, 0);
        pt_map(&tables, 0x40000000, 0x9000, PT_4K, 0);
        pt_put(&tables, pt_slot(&tables, 0x40000000, PT_1G), 0x2001 | 0x80 | HIGH_BITS);
        expect(&stasis_paging_pae, 0x40000123, 0x9123, 0x1000);
}
END_TEST

START_TEST(pae_large_page_masks_pat_and_high_bits)
{
        pt_start(&tables, PT_PAE, memory, MEMORY, 0x1000, 0x20);
        pt_map(&tables, 0xffe00000, 0x000fffffffe00000, PT_2M, HIGH_BITS | 0x1f000);
        expect(&stasis_paging_pae, 0xfff54321, 0x000fffffffe00000 + 0x154321, 0x200000);
        ck_assert_uint_eq(walk.depth, 2);
}
END_TEST

START_TEST(x64_every_page_size)
{
        pt_start(&tables, PT_X64, memory, MEMORY, 0x1000, 0);
        tables.noise = HIGH_BITS;
        pt_map(&tables, 0xfffff80000000000, 0x0001234567890000, PT_4K, HIGH_BITS);
        pt_map(&tables, 0x00007fffffe00000, 0x000f000000200000, PT_2M, HIGH_BITS | 0x1000);
        pt_map(&tables, 0xffffffffc0000000, 0x0000000080000000, PT_1G, HIGH_BITS | 0x1000);
        expect(&stasis_paging_x64, 0xfffff80000000fff, 0x0001234567890fff, 0x1000);
        ck_assert_uint_eq(walk.depth, 4);
        expect(&stasis_paging_x64, 0x00007fffffffffff, 0x000f0000003fffff, 0x200000);
        ck_assert_uint_eq(walk.depth, 3);
        expect(&stasis_paging_x64, 0xfffffffffedcba98, 0x0000000080000000 + 0x3edcba98, 0x40000000);
        ck_assert_uint_eq(walk.depth, 2);
}
END_TEST

START_TEST(x64_addresses_that_cannot_exist)
{
        pt_start(&tables, PT_X64, memory, MEMORY, 0x1000, 0);
        expect_not(&stasis_paging_x64, 0x0000800000000000, STASIS_CORRUPT, 0);
        expect_not(&stasis_paging_x64, 0xffff7fffffffffff, STASIS_CORRUPT, 0);
        expect_not(&stasis_paging_x64, 0xffff800000000000, STASIS_ABSENT, 1);
        expect_not(&stasis_paging_x64, 0x00007fffffffffff, STASIS_ABSENT, 1);
        expect_not(&stasis_paging_la57, 0x0100000000000000, STASIS_CORRUPT, 0);
        expect_not(&stasis_paging_la57, 0xff00000000000000, STASIS_ABSENT, 1);
        expect_not(&stasis_paging_x86, 0x100000000, STASIS_CORRUPT, 0);
        expect_not(&stasis_paging_pae, 0xffffffff80000000, STASIS_CORRUPT, 0);
}
END_TEST

START_TEST(x64_bit_7_of_the_top_table_is_ignored)
{
        pt_start(&tables, PT_X64, memory, MEMORY, 0x1000, 0);
        pt_map(&tables, 0x5000, 0x7000, PT_4K, 0);
        pt_put(&tables, pt_slot(&tables, 0x5000, PT_512G), 0x2001 | 0x80);
        expect(&stasis_paging_x64, 0x5678, 0x7678, 0x1000);
}
END_TEST

START_TEST(la57_crosses_five_tables)
{
        pt_start(&tables, PT_LA57, memory, MEMORY, 0x1000, 0);
        tables.noise = HIGH_BITS;
        pt_map(&tables, 0xff11223344556000, 0x77000, PT_4K, HIGH_BITS);
        pt_map(&tables, 0x00ffffffc0000000, 0x000fffffc0000000, PT_1G, 0);
        expect(&stasis_paging_la57, 0xff11223344556789, 0x77789, 0x1000);
        ck_assert_uint_eq(walk.depth, 5);
        ck_assert_uint_eq(walk.entry[0].pa, 0x1000 + 0x111 * 8);
        expect(&stasis_paging_la57, 0x00ffffffffffffff, 0x000fffffffffffff, 0x40000000);
        ck_assert_uint_eq(walk.depth, 3);
}
END_TEST

START_TEST(absent_entries_are_kept)
{
        pt_start(&tables, PT_X64, memory, MEMORY, 0x1000, 0);
        uint64_t at = pt_slot(&tables, 0x5000, PT_4K);
        pt_put(&tables, at, 0xfeedfacecafebee0);
        expect_not(&stasis_paging_x64, 0x5678, STASIS_ABSENT, 4);
        ck_assert_uint_eq(walk.entry[3].pa, at);
        ck_assert_uint_eq(walk.entry[3].value, 0xfeedfacecafebee0);
        expect_not(&stasis_paging_x64, 0x205678, STASIS_ABSENT, 3);
        expect_not(&stasis_paging_x64, 0x40005678, STASIS_ABSENT, 2);
        expect_not(&stasis_paging_x64, 0x8000005678, STASIS_ABSENT, 1);
}
END_TEST

START_TEST(tables_outside_the_image)
{
        pt_start(&tables, PT_X64, memory, MEMORY, 0x1000, 0);
        pt_put(&tables, pt_slot(&tables, 0x200000, PT_2M), MEMORY | 1);
        expect_not(&stasis_paging_x64, 0x205000, STASIS_IO, 4);
        ck_assert_uint_eq(walk.entry[3].pa, MEMORY + 5 * 8);
        ck_assert_uint_eq(walk.entry[3].value, 0);
        tables.root = 0x000ffffffffff000;
        expect_not(&stasis_paging_x64, 0x205000, STASIS_IO, 1);
        ck_assert_uint_eq(walk.entry[0].pa, 0x000ffffffffff000);
}
END_TEST

START_TEST(names)
{
        ck_assert_ptr_eq(stasis_paging_by_name("x86"), &stasis_paging_x86);
        ck_assert_ptr_eq(stasis_paging_by_name("pae"), &stasis_paging_pae);
        ck_assert_ptr_eq(stasis_paging_by_name("x64"), &stasis_paging_x64);
        ck_assert_ptr_eq(stasis_paging_by_name("la57"), &stasis_paging_la57);
        ck_assert_ptr_null(stasis_paging_by_name("arm"));
        ck_assert_ptr_null(stasis_paging_by_name(NULL));
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("paging");
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, x86_small_page_keeps_both_entries);
        tcase_add_test(tc, x86_bit_7_of_a_table_entry_is_pat);
        tcase_add_test(tc, x86_large_page_with_pse36);
        tcase_add_test(tc, x86_root_low_bits_are_no_address);
        tcase_add_test(tc, pae_root_is_aligned_to_32_bytes);
        tcase_add_test(tc, pae_directory_pointer_is_never_a_page);
        tcase_add_test(tc, pae_large_page_masks_pat_and_high_bits);
        tcase_add_test(tc, x64_every_page_size);
        tcase_add_test(tc, x64_addresses_that_cannot_exist);
        tcase_add_test(tc, x64_bit_7_of_the_top_table_is_ignored);
        tcase_add_test(tc, la57_crosses_five_tables);
        tcase_add_test(tc, absent_entries_are_kept);
        tcase_add_test(tc, tables_outside_the_image);
        tcase_add_test(tc, names);
        Suite *suite = suite_create("paging");
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
