/* SPDX-License-Identifier: MIT */
#include "address_map.h"

#include <check.h>
#include <stdlib.h>

static struct address_map map;

START_TEST(empty)
{
        ck_assert_uint_eq(address_map_get(&map, 0), ADDRESS_MAP_NONE);
        ck_assert_uint_eq(address_map_get(&map, 0x1000), ADDRESS_MAP_NONE);
}
END_TEST

/* Address 0 and index 0 are like any other; what was there is replaced. */
START_TEST(put_and_get)
{
        ck_assert(address_map_put(&map, 0x1000, 0));
        ck_assert(address_map_put(&map, 0, 7));
        ck_assert_uint_eq(address_map_get(&map, 0x1000), 0);
        ck_assert_uint_eq(address_map_get(&map, 0), 7);
        ck_assert(address_map_put(&map, 0x1000, 3));
        ck_assert_uint_eq(address_map_get(&map, 0x1000), 3);
        ck_assert_uint_eq(map.count, 2);
        ck_assert_uint_eq(address_map_get(&map, 0x1008), ADDRESS_MAP_NONE);
}
END_TEST

/* Through many growths, at every distance that objects have. */
START_TEST(many)
{
        static const uint64_t steps[] = { 8, 0x10, 0x1000, 0x100000, UINT64_C(1) << 40 };
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
                address_map_free(&map);
                for (uint32_t i = 0; i < 20000; i++)
                        ck_assert(address_map_put(&map, UINT64_C(0xffff800000000000) + steps[s] * i, i));
                ck_assert_uint_eq(map.count, 20000);
                for (uint32_t i = 0; i < 20000; i++)
                        ck_assert_uint_eq(address_map_get(&map, UINT64_C(0xffff800000000000) + steps[s] * i), i);
                ck_assert_uint_eq(address_map_get(&map, 0x1000), ADDRESS_MAP_NONE);
        }
}
END_TEST

static void done(void) { address_map_free(&map); }

int main(void)
{
        Suite *suite = suite_create("address_map");
        TCase *tcase = tcase_create("all");
        tcase_add_checked_fixture(tcase, NULL, done);
        tcase_add_test(tcase, empty);
        tcase_add_test(tcase, put_and_get);
        tcase_add_test(tcase, many);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
