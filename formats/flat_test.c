/* SPDX-License-Identifier: MIT */
/* The index of flattened files: order, overlaps, tears, and where it ends. The pieces are spelled out. */
#include "../src/test/reader.h"
#include "flat.h"

static struct stasis_image image; /* for remarks only */
static struct stasis_map map;
static struct flat flat;
static size_t used;

static void be64(size_t at, uint64_t value)
{
        for (size_t i = 0; i < 8; i++)
                put(&sample, at + i, value >> (56 - 8 * i) & 0xff, 1);
}

static void begin(void)
{
        memset(&sample, 0, sizeof sample);
        put_text(&sample, 0, "makedumpfile");
        be64(16, 1);
        be64(24, 1);
        used = 4096;
}

static void piece(uint64_t at, const char *text)
{
        be64(used, at);
        be64(used + 8, strlen(text));
        put_text(&sample, used + 16, text);
        used += 16 + strlen(text);
}

static void end(void)
{
        be64(used, UINT64_MAX);
        be64(used + 8, UINT64_MAX);
}

static void opens(void)
{
        ck_assert_int_eq(stasis_map_borrow(sample.at, sample.len, &map, NULL), STASIS_OK);
        ck_assert_int_eq(flat_open(&image, &map, &flat, NULL), STASIS_OK);
        ck_assert(flat.flattened);
}

static void closes(void)
{
        flat_close(&flat);
        stasis_map_close(&map);
        free((void *)image.remark);
        stasis_arena_free(&image.arena);
        memset(&image, 0, sizeof image);
}

static void reads(uint64_t at, const char *want)
{
        char buf[64];
        struct stasis_bytes bytes = flat_bytes(&flat, at, strlen(want), buf);
        ck_assert_uint_eq(bytes.len, strlen(want));
        ck_assert_int_eq(memcmp(bytes.at, want, bytes.len), 0);
}

START_TEST(order)
{
        begin();
        piece(10, "klm");
        piece(0, "abc");
        piece(3, "");
        piece(3, "defg");
        end();
        opens();
        ck_assert_uint_eq(flat.count, 3);
        ck_assert_uint_eq(flat.len, 13);
        reads(0, "abcdefg");
        reads(11, "lm");
        ck_assert_uint_eq(flat_held(&flat, 1, 100), 6);
        ck_assert_uint_eq(flat_held(&flat, 7, 3), 0);
        ck_assert_uint_eq(flat_held(&flat, 10, 2), 2);
        ck_assert_ptr_null(flat_bytes(&flat, 5, 3, (char[8]){ 0 }).at); /* into the hole */
        ck_assert_ptr_null(flat_bytes(&flat, 2, 3, NULL).at);           /* torn */
        ck_assert_ptr_eq(flat_bytes(&flat, 1, 2, NULL).at, sample.at + 4096 + 16 + 3 + 16 + 1);
        ck_assert_ptr_null(image.remark);
        closes();
}
END_TEST

START_TEST(beginning)
{
        begin();
        piece(10, "klm");
        piece(0, "abc");
        ck_assert(flat_begins((struct stasis_bytes){ sample.at, sample.len }, "abc", 3));
        ck_assert(!flat_begins((struct stasis_bytes){ sample.at, sample.len }, "abd", 3));
        ck_assert(!flat_begins((struct stasis_bytes){ sample.at, sample.len }, "abcd", 4));
        ck_assert(!flat_begins((struct stasis_bytes){ sample.at, sample.len - 1 }, "abc", 3));
        be64(4096 + 8, UINT64_MAX); /* the first piece ends nowhere */
        ck_assert(!flat_begins((struct stasis_bytes){ sample.at, sample.len }, "abc", 3));
        put_text(&sample, 0, "Makedumpfile");
        be64(4096 + 8, 3);
        ck_assert(!flat_begins((struct stasis_bytes){ sample.at, sample.len }, "abc", 3));
}
END_TEST

/* What lies later in the file was written later. */
START_TEST(overlaps)
{
        begin();
        piece(0, "aaaaaaaaaa");
        piece(2, "bbb");
        piece(4, "cc");
        piece(8, "dddd");
        piece(3, "e");
        end();
        opens();
        reads(0, "aabeccaadddd");
        closes();

        begin();
        piece(4, "bbb");
        piece(0, "aaaaaaaaaa");
        end();
        opens();
        reads(0, "aaaaaaaaaa");
        ck_assert_uint_eq(flat.count, 1);
        closes();
}
END_TEST

START_TEST(ends)
{
        begin();
        piece(0, "abcdef");
        opens(); /* without the mark */
        reads(0, "abcdef");
        ck_assert_str_eq(image.remark[0],
                         "flattened file, at 0x1016: cut off before the mark of its end; what follows is not read");
        closes();

        sample.len -= 2;
        opens();
        ck_assert_uint_eq(flat_held(&flat, 0, 6), 4);
        ck_assert_str_eq(image.remark[0],
                         "flattened file, at 0x1010: cut off inside a piece; what follows is not read");
        closes();

        begin();
        piece(0, "abcdef");
        piece(UINT64_C(1) << 63, "x");
        end();
        opens();
        ck_assert_uint_eq(flat.len, 6);
        ck_assert_str_eq(image.remark[0], "flattened file, at 0x1016: a piece of nonsense; what follows is not read");
        closes();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("flat-file");
        TCase *tcase = tcase_create("flat-file");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, order);
        tcase_add_test(tcase, beginning);
        tcase_add_test(tcase, overlaps);
        tcase_add_test(tcase, ends);
        return run_tests(suite);
}
