/* SPDX-License-Identifier: MIT */
/* Xpress, against the examples of its specification and against a compressor of the test's own. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../test/pack.h"
#include "xpress.h"

enum { ROOM = 0x20000 };
static uint8_t out[ROOM], packed[2 * ROOM], plain[ROOM];

static void decodes(const uint8_t *in, size_t len, const uint8_t *want, size_t want_len)
{
        size_t got = 99;
        uint8_t *exact = malloc(len ? len : 1); /* so that a byte read behind the input is noticed */
        memcpy(exact, in, len);
        memset(out, 0xee, sizeof(out));
        ck_assert_int_eq(stasis_xpress_decode((struct stasis_bytes){ exact, len }, out, want_len, &got), STASIS_OK);
        ck_assert_uint_eq(got, want_len);
        ck_assert_mem_eq(out, want, want_len);
        ck_assert_uint_eq(out[want_len], 0xee);
        free(exact);
}

static void refuses(const uint8_t *in, size_t len, size_t room)
{
        size_t got = 99;
        uint8_t *exact = malloc(len ? len : 1), *small = malloc(room ? room : 1);
        memcpy(exact, in, len);
        ck_assert_int_eq(stasis_xpress_decode((struct stasis_bytes){ exact, len }, small, room, &got), STASIS_CORRUPT);
        ck_assert_uint_eq(got, 99);
        free(exact);
        free(small);
}

/* [MS-XCA] 3.1: the alphabet; and abc, a hundred times. */
static const uint8_t letters[] = { 0x3f, 0x00, 0x00, 0x00, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
                                   0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70,
                                   0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a };
static const uint8_t abc[] = { 0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01 };

START_TEST(specification)
{
        size_t got;
        decodes(letters, sizeof(letters), (const uint8_t *)"abcdefghijklmnopqrstuvwxyz", 26);
        for (size_t i = 0; i < 300; i++)
                plain[i] = (uint8_t) "abc"[i % 3];
        decodes(abc, sizeof(abc), plain, 300);
        /* with room left over the end is where the input ends, at a flag that is a one */
        ck_assert_int_eq(stasis_xpress_decode((struct stasis_bytes){ letters, sizeof(letters) }, out, ROOM, &got),
                         STASIS_OK);
        ck_assert_uint_eq(got, 26);
        ck_assert_int_eq(stasis_xpress_decode((struct stasis_bytes){ abc, sizeof(abc) }, out, ROOM, &got), STASIS_OK);
        ck_assert_uint_eq(got, 300);
        ck_assert_int_eq(stasis_xpress_decode((struct stasis_bytes){ NULL, 0 }, out, ROOM, &got), STASIS_OK);
        ck_assert_uint_eq(got, 0);
}
END_TEST

/* Every way to write a length, and the nibble that two matches share. */
START_TEST(lengths)
{
        static const struct {
                uint8_t in[24];
                size_t len, want;
        } row[] = {
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x00, 0x00 }, 7, 4 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x06, 0x00 }, 7, 10 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x00 }, 8, 11 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0xfe }, 8, 25 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x21, 0x07, 0x00 }, 10, 1 + 11 + 12 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x21, 0x07, 0x00, 0x07, 0x00, 0x03 },
                  13,
                  1 + 11 + 12 + 13 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x0f, 0x00 }, 9, 1 + 25 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x0f, 0xfe }, 9, 1 + 25 + 254 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x0f, 0xff, 0x16, 0x00 }, 11, 1 + 25 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x0f, 0xff, 0xff, 0xff }, 11, 1 + 65538 },
                { { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x0f, 0xff, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00 },
                  15,
                  1 + 65540 },
        };
        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                memset(plain, 'a', sizeof(plain));
                decodes(row[i].in, row[i].len, plain, row[i].want);
                refuses(row[i].in, row[i].len, row[i].want - 1); /* the last match does not fit */
                refuses(row[i].in, row[i].len - 1, row[i].want);
        }
}
END_TEST

START_TEST(impossible)
{
        static const uint8_t before_first[] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00 };
        static const uint8_t too_far[] = { 0xff, 0xff, 0xff, 0x7f, 'a', 0x08, 0x00 };
        static const uint8_t small_16[] = { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x0f, 0xff, 0x15, 0x00 };
        static const uint8_t small_32[] = { 0xff, 0xff, 0xff, 0x7f, 'a', 0x07, 0x00, 0x0f, 0xff, 0, 0, 0x15, 0, 0, 0 };
        static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0x7f, 'a',  0x07, 0x00, 0x0f,
                                        0xff, 0,    0,    0xff, 0xff, 0xff, 0xff };
        static const uint8_t no_literal[] = { 0, 0, 0, 0, 'a', 'b' };
        refuses(before_first, sizeof(before_first), 100);
        refuses(too_far, sizeof(too_far), 100);
        refuses(small_16, sizeof(small_16), 100);
        refuses(small_32, sizeof(small_32), 100);
        refuses(huge, sizeof(huge), ROOM);
        refuses(no_literal, sizeof(no_literal), 100);
        refuses(no_literal, 3, 100);
}
END_TEST

START_TEST(round_trip)
{
        uint32_t random = 1;
        for (unsigned round = 0; round < 300; round++) {
                size_t len = round == 0 ? ROOM - 1 : round % 3 ? 4096 : round * 7;
                for (size_t i = 0; i < len; i++) {
                        random = random * 1664525 + 1013904223;
                        plain[i] = (uint8_t)(round == 0                   ? 7
                                             : random >> 24 < round % 256 ? random >> 16
                                                                          : i >> round % 11);
                }
                size_t packed_len = pack_xpress(plain, len, packed);
                decodes(packed, packed_len, plain, len);
                packed[packed_len] = 0xa5; /* a record's length may be rounded up: what lies behind is not looked at */
                decodes(packed, packed_len + 1, plain, len);
        }
}
END_TEST

/* Cut anywhere: what there is, or a refusal, and no byte beyond. */
START_TEST(cut)
{
        size_t got;
        for (size_t i = 0; i < 4096; i++)
                plain[i] = (uint8_t)(i % 97 * (i >> 9));
        size_t len = pack_xpress(plain, 4096, packed);
        for (size_t cut_at = 0; cut_at < len; cut_at++) {
                uint8_t *exact = malloc(cut_at + 1);
                memcpy(exact, packed, cut_at);
                enum stasis_status status =
                        stasis_xpress_decode((struct stasis_bytes){ exact, cut_at }, out, 4096, &got);
                ck_assert(status == STASIS_CORRUPT || (status == STASIS_OK && got < 4096));
                if (status == STASIS_OK)
                        ck_assert_mem_eq(out, plain, got);
                free(exact);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("xpress");
        TCase *tcase = tcase_create("xpress");
        suite_add_tcase(suite, tcase);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, specification);
        tcase_add_test(tcase, lengths);
        tcase_add_test(tcase, impossible);
        tcase_add_test(tcase, round_trip);
        tcase_add_test(tcase, cut);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
