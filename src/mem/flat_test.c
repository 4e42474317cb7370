/* SPDX-License-Identifier: MIT */
/* The address space of a virtual image: no tables, and pages of which only a piece is held. */
#include "../test/reader.h"
#include "space.h"

#define ODD UINT64_C(0xffffc08b0000001b) /* five bytes; see sample_triage.c */
#define STACK UINT64_C(0xffff850412345fa0)
#define ARRAY UINT64_C(0xfffff80512348000)

static struct stasis_image *image;
static struct stasis_space space;

static void setup(void)
{
        sample_dmp64_triage(&sample);
        image = open_sample(&sample);
        stasis_space_init(&space, image, &stasis_paging_flat64, 0x1aa000);
}

static void teardown(void) { stasis_image_close(image); }

START_TEST(byte_by_byte)
{
        uint64_t pa, value;
        ck_assert_uint_eq(stasis_space_root(&space), 0);
        for (unsigned again = 0; again < 2; again++) { /* what was asked before changes no answer */
                ck_assert_int_eq(stasis_space_pa(&space, ODD + 4, &pa), STASIS_OK);
                ck_assert_uint_eq(pa, ODD + 4);
                ck_assert_int_eq(stasis_space_pa(&space, ODD + 5, &pa), STASIS_IO);
                ck_assert_int_eq(stasis_space_pa(&space, ODD - 1, &pa), STASIS_IO);
        }
        ck_assert_int_eq(stasis_space_u(&space, ODD, 4, &value), STASIS_OK);
        ck_assert_uint_eq(value, 0x55555555);
        ck_assert_int_eq(stasis_space_u(&space, ODD + 2, 4, &value), STASIS_IO);
        ck_assert_int_eq(stasis_space_u(&space, 0, 4, &value), STASIS_IO);
        ck_assert_int_eq(stasis_space_pa(&space, UINT64_C(0x0200000000000000), &pa), STASIS_CORRUPT);
        ck_assert_uint_eq(stasis_space_view(&space, ODD, 100).len, 5);
        ck_assert_ptr_eq(stasis_space_view(&space, ODD, 100).at, sample.at + 0x2850);
        ck_assert_ptr_null(stasis_space_view(&space, ODD + 5, 1).at);
}
END_TEST

START_TEST(what_is_held)
{
        struct stasis_range range;
        ck_assert_int_eq(stasis_space_next(&space, 0, 0, &range, NULL), STASIS_OK);
        ck_assert_uint_eq(range.va, STACK);
        ck_assert_uint_eq(range.len, 0x60);
        ck_assert_uint_eq(range.pa, STACK);
        ck_assert_int_eq(stasis_space_next(&space, STACK + 0x5f, 0, &range, NULL), STASIS_OK);
        ck_assert_uint_eq(range.va, STACK + 0x5f);
        ck_assert_uint_eq(range.len, 1);
        ck_assert_int_eq(stasis_space_next(&space, STACK + 0x60, 0, &range, NULL), STASIS_OK);
        ck_assert_uint_eq(range.va, ODD);
        ck_assert_uint_eq(range.len, 5);
        ck_assert_int_eq(stasis_space_next(&space, ODD + 1, ODD + 3, &range, NULL), STASIS_OK);
        ck_assert_uint_eq(range.len, 2);
        ck_assert_int_eq(stasis_space_next(&space, ODD + 3, ODD + 2, &range, NULL), STASIS_ABSENT);
        ck_assert_int_eq(stasis_space_next(&space, STACK + 0x60, ODD, &range, NULL), STASIS_ABSENT);
        ck_assert_int_eq(stasis_space_next(&space, ARRAY + 0x10, 0, &range, NULL), STASIS_ABSENT);
}
END_TEST

START_TEST(of_32_bits)
{
        uint64_t pa;
        sample_dmp32_triage(&sample);
        struct stasis_image *small = open_sample(&sample);
        stasis_space_init(&space, small, &stasis_paging_flat32, 0);
        ck_assert_int_eq(stasis_space_pa(&space, 0x81fcc020, &pa), STASIS_OK);
        ck_assert_int_eq(stasis_space_pa(&space, UINT64_C(0xffffffff81fcc020), &pa), STASIS_CORRUPT);
        stasis_image_close(small);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("flat");
        TCase *tests = tcase_create("all");
        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, byte_by_byte);
        tcase_add_test(tests, what_is_held);
        tcase_add_test(tests, of_32_bits);
        suite_add_tcase(suite, tests);
        return run_tests(suite);
}
