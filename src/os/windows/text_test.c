/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"
#include "region.h"

static struct world w;

static void setup(void)
{
        world_start(&w, PT_X86);
        world_map(&w, 0x80001000, 0x2000);
}

static void teardown(void) { world_end(&w); }

START_TEST(ascii_is_bounded_and_printable)
{
        char buf[16];

        world_put(&w, 0x80001ffc,
                  "ab\tcd\xe9"
                  "f",
                  8);
        ck_assert(text_ascii(&w.space, 0x80001ffc, buf, sizeof(buf)));
        ck_assert_str_eq(buf, "ab?cd?f");
        ck_assert(!text_ascii(&w.space, 0x80001ffc, buf, 4));
        ck_assert_str_eq(buf, "ab?");
        world_put(&w, 0x80002ffd, "end", 3); /* and then the page is over */
        ck_assert(!text_ascii(&w.space, 0x80002ffd, buf, sizeof(buf)));
        ck_assert_str_eq(buf, "end");
        ck_assert(!text_ascii(&w.space, 0x90000000, buf, sizeof(buf)));
        ck_assert_str_eq(buf, "");
}
END_TEST

START_TEST(utf16_becomes_valid_utf8)
{
        /* a, e9, euro, U+1F600; high, high, b; low, bell, NUL, 85; high, and the end */
        static const uint8_t units[] = "a\0\xe9\0\xac\x20\x3d\xd8\x00\xde"
                                       "\x3d\xd8\x3d\xd8"
                                       "b\0\x00\xde\x07\0\0\0\x85\0\x3d\xd8";
#define BAD "\xef\xbf\xbd"
        static const char expect[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" BAD BAD "b" BAD BAD BAD BAD BAD;
        char buf[64];

        ck_assert_uint_eq(text_utf16(units, sizeof(units) / 2, buf, sizeof(buf)), sizeof(expect) - 1);
        ck_assert_str_eq(buf, expect);
        ck_assert_uint_eq(text_utf16(units, sizeof(units) / 2, buf, 10), 6); /* the four bytes do not fit: not cut */
        ck_assert_str_eq(buf, "a\xc3\xa9\xe2\x82\xac");
        ck_assert_uint_eq(text_utf16(units, 0, buf, 1), 0);
}
END_TEST

START_TEST(unicode_string_of_both_widths)
{
        char buf[16];

        world_u(&w, 0x80001100, 2, 8);
        world_u(&w, 0x80001102, 2, 10);
        world_u(&w, 0x80001104, 4, 0x80001ffc);
        world_utf16(&w, 0x80001ffc, "text");
        ck_assert_int_eq(text_unicode_string(&w.space, 0x80001100, 4, buf, sizeof(buf)), STASIS_OK);
        ck_assert_str_eq(buf, "text");
        world_u(&w, 0x80001104, 4, 0xffffffff); /* padding in the 64-bit form */
        world_u(&w, 0x80001108, 8, 0x80001ffe);
        world_u(&w, 0x80001100, 2, 6);
        ck_assert_int_eq(text_unicode_string(&w.space, 0x80001100, 8, buf, sizeof(buf)), STASIS_OK);
        ck_assert_str_eq(buf, "ext");
}
END_TEST

START_TEST(unicode_string_that_contradicts_itself)
{
        char buf[16] = "before";

        world_u(&w, 0x80001100, 2, 8);
        world_u(&w, 0x80001102, 2, 6);
        world_u(&w, 0x80001104, 4, 0x80001200);
        ck_assert_int_eq(text_unicode_string(&w.space, 0x80001100, 4, buf, sizeof(buf)), STASIS_CORRUPT);
        ck_assert_str_eq(buf, "");
        world_u(&w, 0x80001100, 2, 5);
        ck_assert_int_eq(text_unicode_string(&w.space, 0x80001100, 4, buf, sizeof(buf)), STASIS_CORRUPT);
        world_u(&w, 0x80001100, 2, 6);
        world_u(&w, 0x80001104, 4, 0x90000000);
        ck_assert_int_eq(text_unicode_string(&w.space, 0x80001100, 4, buf, sizeof(buf)), STASIS_ABSENT);
        ck_assert_int_eq(text_unicode_string(&w.space, 0x90000000, 4, buf, sizeof(buf)), STASIS_ABSENT);
        world_u(&w, 0x80001104, 4, 0);
        ck_assert_int_eq(text_unicode_string(&w.space, 0x80001100, 4, buf, sizeof(buf)), STASIS_CORRUPT);
        world_u(&w, 0x80001100, 2, 0);
        ck_assert_int_eq(text_unicode_string(&w.space, 0x80001100, 4, buf, sizeof(buf)), STASIS_OK);
}
END_TEST

START_TEST(basenames)
{
        ck_assert_str_eq(text_basename("d:\\a/b\\c.pdb"), "c.pdb");
        ck_assert_str_eq(text_basename("c.pdb"), "c.pdb");
        ck_assert_str_eq(text_basename("c\\"), "");
}
END_TEST

START_TEST(regions_have_holes_and_borders)
{
        uint64_t va = 0x80000000;

        world_map(&w, 0x80005000, 0x1000);
        world_put(&w, 0x80001ffd, "needle", 6);
        world_put(&w, 0x80002800, "needle", 6);
        world_put(&w, 0x80005ffa, "needle", 6);
        ck_assert(region_find(&w.space, &va, 0x80008000, "needle", 6, 1));
        ck_assert_uint_eq(va, 0x80001ffd); /* over the border */
        va++;
        ck_assert(region_find(&w.space, &va, 0x80008000, "needle", 6, 1));
        ck_assert_uint_eq(va, 0x80002800);
        va++;
        ck_assert(region_find(&w.space, &va, 0x80006000, "needle", 6, 1));
        ck_assert_uint_eq(va, 0x80005ffa); /* behind the hole, up to the very end */
        va = 0x80005000;
        ck_assert(!region_find(&w.space, &va, 0x80005fff, "needle", 6, 1));
        va = 0x80001000;
        ck_assert(region_find(&w.space, &va, 0x80008000, "needle", 6, 4));
        ck_assert_uint_eq(va, 0x80002800);
        va = 0x80001000;
        ck_assert(!region_find(&w.space, &va, 3, "needle", 6, 4));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("text");
        TCase *tcase = tcase_create("text");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, ascii_is_bounded_and_printable);
        tcase_add_test(tcase, utf16_becomes_valid_utf8);
        tcase_add_test(tcase, unicode_string_of_both_widths);
        tcase_add_test(tcase, unicode_string_that_contradicts_itself);
        tcase_add_test(tcase, basenames);
        tcase_add_test(tcase, regions_have_holes_and_borders);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
