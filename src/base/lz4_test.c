/* SPDX-License-Identifier: MIT */
/* LZ4 blocks, written by hand as lz4_Block_format.md tells. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lz4.h"

static uint8_t out[8192], plain[8192];

static enum stasis_status decode(const uint8_t *in, size_t len, size_t room, size_t *ret_len)
{
        uint8_t *exact = malloc(len ? len : 1), *small = malloc(room ? room : 1);
        memcpy(exact, in, len);
        enum stasis_status status = stasis_lz4_decode((struct stasis_bytes){ exact, len }, small, room, ret_len);
        if (status == STASIS_OK)
                memcpy(out, small, *ret_len);
        free(exact);
        free(small);
        return status;
}

/* 1 + 4095 zeros, then five bytes: the shortest that a page of zeros can be, for the last five bytes are literals. */
static const uint8_t zeros[] = { 0x1f, 0x00, 0x01, 0x00, 255, 255,  255, 255, 255, 255, 255, 255,
                                 255,  255,  255,  255,  241, 0x50, 'e', 'n', 'd', '!', '\n' };

START_TEST(blocks)
{
        size_t len = 99;
        static const uint8_t literals[] = { 0x30, 'a', 'b', 'c' };
        static const uint8_t fifteen[] = { 0xf0, 0x00, 'a', 'b', 'c', 'd', 'e', 'f', 'g',
                                           'h',  'i',  'j', 'k', 'l', 'm', 'n', 'o' };
        static const uint8_t overlap[] = { 0x31, 'a', 'b', 'c', 0x03, 0x00, 0x10, 'x' };
        static const uint8_t empty[] = { 0x00 };
        ck_assert_int_eq(decode(literals, sizeof(literals), 3, &len), STASIS_OK);
        ck_assert_uint_eq(len, 3);
        ck_assert_mem_eq(out, "abc", 3);
        ck_assert_int_eq(decode(fifteen, sizeof(fifteen), 20, &len), STASIS_OK);
        ck_assert_uint_eq(len, 15);
        ck_assert_mem_eq(out, "abcdefghijklmno", 15);
        ck_assert_int_eq(decode(overlap, sizeof(overlap), 20, &len), STASIS_OK);
        ck_assert_uint_eq(len, 9);
        ck_assert_mem_eq(out, "abcabcabx", 9);
        ck_assert_int_eq(decode(empty, 1, 20, &len), STASIS_OK);
        ck_assert_uint_eq(len, 0);
        static uint8_t bytes_254[2 + 269] = { 0xf0, 254, 'a', 'b', 'c' };
        ck_assert_int_eq(decode(bytes_254, sizeof(bytes_254), 300, &len), STASIS_OK);
        ck_assert_uint_eq(len, 269);
        ck_assert_mem_eq(out, bytes_254 + 2, 269);
        memset(plain, 0, sizeof(plain));
        ck_assert_int_eq(decode(zeros, sizeof(zeros), 4096, &len), STASIS_OK);
        ck_assert_uint_eq(len, 1 + 4 + 15 + 12 * 255 + 241 + 5);
        ck_assert_mem_eq(out, plain, len - 5);
        ck_assert_mem_eq(out + len - 5, "end!\n", 5);
}
END_TEST

START_TEST(refused)
{
        size_t len = 99;
        static const uint8_t nothing_before[] = { 0x01, 0x01, 0x00, 0x10, 'x' };
        static const uint8_t too_far[] = { 0x11, 'a', 0x02, 0x00, 0x10, 'x' };
        static const uint8_t no_distance[] = { 0x11, 'a', 0x00, 0x00, 0x10, 'x' };
        static const uint8_t endless[] = { 0xf0, 255, 255, 255, 255 };
        ck_assert_int_eq(decode(nothing_before, sizeof(nothing_before), 20, &len), STASIS_CORRUPT);
        ck_assert_int_eq(decode(too_far, sizeof(too_far), 20, &len), STASIS_CORRUPT);
        ck_assert_int_eq(decode(no_distance, sizeof(no_distance), 20, &len), STASIS_CORRUPT);
        ck_assert_int_eq(decode(endless, sizeof(endless), 8192, &len), STASIS_CORRUPT);
        for (size_t cut = 0; cut < sizeof(zeros); cut++) /* each byte is needed; but a block may end behind literals */
                ck_assert_int_eq(decode(zeros, cut, 4096, &len), cut == 2 ? STASIS_OK : STASIS_CORRUPT);
        ck_assert_uint_eq(len, 1);
        len = 99;
        for (size_t room = 0; room < 3326; room += 25)
                ck_assert_int_eq(decode(zeros, sizeof(zeros), room, &len), STASIS_CORRUPT);
        ck_assert_int_eq(decode(zeros, sizeof(zeros), 3325, &len), STASIS_CORRUPT);
        ck_assert_uint_eq(len, 99);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("lz4");
        TCase *tcase = tcase_create("lz4");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, blocks);
        tcase_add_test(tcase, refused);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
