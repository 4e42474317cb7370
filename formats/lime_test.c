/* SPDX-License-Identifier: MIT */
#include "../src/test/reader.h"

/* Headers of sample_lime: at 0, 0x1020 and 0x2840; first +8, last +16. The file ends at 0x3860. */

START_TEST(ranges)
{
        sample_lime(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format(image), "lime");
        RUNS(image, { 0x1000, 0x1000, 0x20 }, { 0x100000, 0x1800, 0x1040 }, { UINT64_C(0x100000000), 0x1000, 0x2860 });
        has_remark(image, NULL);
        has_no_gap(image);
        ck_assert_uint_eq(byte_at(image, 0x1017ff), 0xa2);
        ck_assert_uint_eq(byte_at(image, UINT64_C(0x100000fff)), 0xa3);
        stasis_image_close(image);
}
END_TEST

START_TEST(cut)
{
        sample_lime(&sample);
        sample.len = 0x2000;
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x20 }, { 0x100000, 0xfc0, 0x1040 });
        has_gap(image, 0, 0x100fc0, 0x840, "cut off: the file ends");
        stasis_image_close(image);

        sample_lime(&sample);
        sample.len = 0x2840 + 31;
        image = open_sample(&sample);
        has_remark(image, "at 0x2840: cut off inside a header; the last 31 bytes of the file are not read");
        stasis_image_close(image);
        sample.len = 31;
        fails(&sample, STASIS_CORRUPT, "t: cut off inside the first header");
        sample.len = 32;
        fails(&sample, STASIS_CORRUPT, "t: holds no physical memory");
}
END_TEST

START_TEST(bad_ranges)
{
        sample_lime(&sample);
        put32(&sample, 0x2840, 0);
        struct stasis_image *image = open_sample(&sample);
        has_remark(image,
                   "at 0x2840: no LiME header, where the next range should begin; the last 4128 bytes of the file are "
                   "not read");
        RUNS(image, { 0x1000, 0x1000, 0x20 }, { 0x100000, 0x1800, 0x1040 });
        stasis_image_close(image);

        put32(&sample, 0x2840, 0x4c694d45);
        put32(&sample, 0x2844, 3);
        image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x20 }, { 0x100000, 0x1800, 0x1040 });
        stasis_image_close(image);

        sample_lime(&sample);
        put64(&sample, 0x2840 + 16, 0x1000);
        image = open_sample(&sample);
        has_remark(image,
                   "at 0x2840: a range that ends before it begins; the last 4128 bytes of the file are not read");
        stasis_image_close(image);

        sample_lime(&sample);
        put64(&sample, 0x2840 + 16, UINT64_MAX);
        image = open_sample(&sample);
        has_remark(image, "at 0x2840: a range that wraps around; the last 4128 bytes of the file are not read");
        stasis_image_close(image);
}
END_TEST

START_TEST(versions)
{
        sample_lime(&sample);
        put32(&sample, 4, 2);
        fails(&sample, STASIS_UNSUPPORTED, "t: LiME version 2: only version 1 is read");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("lime");
        TCase *tcase = tcase_create("lime");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, ranges);
        tcase_add_test(tcase, cut);
        tcase_add_test(tcase, bad_ranges);
        tcase_add_test(tcase, versions);
        return run_tests(suite);
}
