/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "../src/test/reader.h"

START_TEST(full64)
{
        sample_dmp64(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format(image), "dmp");
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, full");
        RUNS(image, { 0x1000, 0x1000, 0x2000 }, { 0x100000, 0x2000, 0x3000 });
        has_no_gap(image);
        has_remark(image, NULL);
        ck_assert_uint_eq(byte_at(image, 0x101fff), 0xd3);
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->known, STASIS_HINT_MACHINE | STASIS_HINT_ROOT | STASIS_HINT_KDBG |
                                            STASIS_HINT_PROCESS_HEAD | STASIS_HINT_MODULE_HEAD |
                                            STASIS_HINT_PFN_DATABASE | STASIS_HINT_BUILD | STASIS_HINT_PROCESSORS |
                                            STASIS_HINT_BUGCHECK | STASIS_HINT_SYSTEM_TIME | STASIS_HINT_UP_TIME |
                                            STASIS_HINT_DUMP_TYPE | STASIS_HINT_PRODUCT_TYPE | STASIS_HINT_SUITE_MASK |
                                            STASIS_HINT_CONTEXT | STASIS_HINT_EXCEPTION | STASIS_HINT_COMMENT);
        ck_assert_int_eq(h->machine, STASIS_MACHINE_X64);
        ck_assert_uint_eq(h->major, 15);
        ck_assert_uint_eq(h->build, 19041);
        ck_assert_uint_eq(h->processors, 16);
        ck_assert_uint_eq(h->root, 0x1aa000);
        ck_assert_uint_eq(h->pfn_database, UINT64_C(0xffffe40000000000));
        ck_assert_uint_eq(h->module_head, UINT64_C(0xfffff80512345678));
        ck_assert_uint_eq(h->process_head, UINT64_C(0xfffff80512346000));
        ck_assert_uint_eq(h->kdbg, UINT64_C(0xfffff80512347000));
        ck_assert_uint_eq(h->bugcheck, 0x1000007e);
        ck_assert_uint_eq(h->bugcheck_parameter[0], UINT64_C(0xffffffffc0000005));
        ck_assert_uint_eq(h->bugcheck_parameter[3], UINT64_C(0xffffffffc0000002));
        ck_assert_uint_eq(h->system_time, UINT64_C(0x01d5000000000000));
        ck_assert_uint_eq(h->up_time, UINT64_C(1200000000));
        ck_assert_uint_eq(h->dump_type, 1);
        ck_assert_uint_eq(h->product_type, 3);
        ck_assert_uint_eq(h->suite_mask, 0x110);
        ck_assert_ptr_eq(h->context.at, sample.at + 0x348);
        ck_assert_uint_eq(h->context.len, 0x4d0);
        ck_assert_ptr_eq(h->exception.at, sample.at + 0xf00);
        ck_assert_uint_eq(h->exception.len, 152);
        ck_assert_str_eq(h->comment, "sixty-four");
        stasis_image_close(image);
}
END_TEST

START_TEST(full32)
{
        sample_dmp32(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, full");
        RUNS(image, { 0x1000, 0x1000, 0x1000 }, { 0x100000, 0x2000, 0x2000 });
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_int_eq(h->machine, STASIS_MACHINE_X86);
        ck_assert(h->known & STASIS_HINT_PAE && h->pae);
        ck_assert_uint_eq(h->build, 2600);
        ck_assert_uint_eq(h->kdbg, 0x80545ce0); /* not sign-extended */
        ck_assert_uint_eq(h->process_head, 0x8014fc80);
        ck_assert_uint_eq(h->module_head, 0x8014d8a0);
        ck_assert_uint_eq(h->pfn_database, 0x83000000);
        ck_assert_uint_eq(h->bugcheck, 0x1e);
        ck_assert_uint_eq(h->bugcheck_parameter[3], 0xc0000008);
        ck_assert_uint_eq(h->up_time, 600000000);
        ck_assert_uint_eq(h->system_time, UINT64_C(0x01c5000000000000));
        ck_assert_uint_eq(h->product_type, 1);
        ck_assert_uint_eq(h->suite_mask, 0x110);
        ck_assert_ptr_eq(h->context.at, sample.at + 0x320);
        ck_assert_uint_eq(h->context.len, 0x2cc);
        ck_assert_ptr_eq(h->exception.at, sample.at + 0x7d0);
        ck_assert_uint_eq(h->exception.len, 80);
        ck_assert_str_eq(h->comment, "a comment");
        stasis_image_close(image);
}
END_TEST

/* NT 4.0: no type, no KDBG, no times; the letters PAGE are no values. */
START_TEST(old32)
{
        sample_dmp32_old(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, full, no type in the header");
        RUNS(image, { 0x1000, 0x1000, 0x1000 }, { 0x100000, 0x2000, 0x2000 });
        has_remark(image, NULL);
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->known, STASIS_HINT_MACHINE | STASIS_HINT_ROOT | STASIS_HINT_PROCESS_HEAD |
                                            STASIS_HINT_MODULE_HEAD | STASIS_HINT_PFN_DATABASE | STASIS_HINT_BUILD |
                                            STASIS_HINT_PROCESSORS | STASIS_HINT_BUGCHECK | STASIS_HINT_CONTEXT);
        ck_assert_uint_eq(h->root, 0x30000);
        ck_assert_uint_eq(h->build, 1381);
        ck_assert_uint_eq(h->kdbg, 0);
        stasis_image_close(image);
}
END_TEST

START_TEST(no_run_list)
{
        sample_dmp32_old(&sample);
        put_text(&sample, 0x64, "PAGE");
        struct stasis_image *image = open_sample(&sample);
        has_remark(image,
                   "the header has no list of runs: the pages behind it are taken to begin at physical address 0, "
                   "which may be wrong");
        RUNS(image, { 0, 0x3000, 0x1000 });
        stasis_image_close(image);
}
END_TEST

/* Pages 1, 2, 63, 64, 76 of 77; what stands behind bit 76 does not count. */
static void check_bitmap(const struct stasis_image *image, uint64_t first)
{
        RUNS(image, { 0x1000, 0x2000, first }, { 0x3f000, 0x2000, first + 0x2000 },
             { 0x4c000, 0x1000, first + 0x4000 });
        has_remark(image, NULL);
        has_no_gap(image);
        ck_assert_uint_eq(byte_at(image, 0x2000), 0xb2);
        ck_assert_uint_eq(byte_at(image, 0x40000), 0xb4);
        ck_assert_uint_eq(byte_at(image, 0x4cfff), 0xb5);
}

START_TEST(bitmaps)
{
        static const char *const title[] = { "full, bitmap", "kernel, bitmap", "automatic, bitmap" };
        for (unsigned type = 5; type <= 7; type++) {
                char want[80];
                snprintf(want, sizeof want, "Windows crash dump, 64-bit, %s", title[type - 5]);
                sample_dmp64_bitmap(&sample);
                put32(&sample, 0xf98, type);
                struct stasis_image *image = open_sample(&sample);
                ck_assert_str_eq(stasis_image_format_title(image), want);
                check_bitmap(image, 0x2060);
                stasis_image_close(image);
        }
        sample_dmp32_bitmap(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, full, bitmap");
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
        put32(&sample, 0xf88, 2); /* kernel summary with the newer second header */
        image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, kernel summary");
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
        put_text(&sample, 0xf88, "PAGE");
        image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, bitmap, no type in the header");
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
}
END_TEST

START_TEST(bitmap_cut)
{
        sample_dmp64_bitmap(&sample);
        sample.len = 0x2060 + 0x2800; /* two pages and a half of five */
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0x2060 }, { 0x3f000, 0x800, 0x4060 });
        has_gap(image, 0, 0x3f800, 0x1800, "cut off: the file ends");
        has_gap(image, 1, 0x4c000, 0x1000, "cut off: the file ends");
        has_remark(image, "cut off: 3 of 5 pages are not in the file");
        stasis_image_close(image);
        sample.len = 0x2060;
        fails(&sample, STASIS_CORRUPT, "t: cut off: the first page should be at 0x2060, the file ends at 0x2060");
        sample.len = 0x2030;
        fails(&sample, STASIS_CORRUPT, "t: no bitmap header (SDMP, FDMP) at 0x2000");
        sample.len = 0x1fff;
        fails(&sample, STASIS_CORRUPT, "t: cut off inside the header: 0x1fff of 0x2000 bytes");
}
END_TEST

/* 2^40 bits: no more than what lies before the first page is read; there are 40 bytes = 320 bits. */
START_TEST(bitmap_lies)
{
        sample_dmp64_bitmap(&sample);
        put64(&sample, 0x2030, UINT64_C(1) << 40);
        memset(sample.at + 0x2041, 0, 0x1f);
        struct stasis_image *image = open_sample(&sample);
        size_t count;
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_uint_eq(count, 2);
        ck_assert_str_eq(remark[0],
                         "the bitmap is said to have 1099511627776 bits; before the first page there is room for "
                         "320");
        ck_assert_str_eq(remark[1], "the header counts 5 pages, its bitmap has 4");
        stasis_image_close(image);
        put64(&sample, 0x2020, 0x2038);
        fails(&sample, STASIS_CORRUPT, "t: the first page would lie at 0x2038, inside the header");
}
END_TEST

START_TEST(runs_lie)
{
        sample_dmp64(&sample);
        put64(&sample, 0x98 + 16, UINT64_C(1) << 45); /* second run: BasePage */
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x2000 });
        has_remark(image, "run 1 of 2 cannot be (page 0x200000000000, 0x2 pages): it and what follows is not read");
        stasis_image_close(image);

        sample_dmp64(&sample);
        put32(&sample, 0x88, 0x10000); /* the third run is filler, which is no page that can be */
        image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x2000 }, { 0x100000, 0x2000, 0x3000 });
        size_t count;
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_uint_eq(count, 2);
        ck_assert_str_eq(remark[0], "the header announces 65536 runs and has room for 43");
        stasis_image_close(image);

        sample_dmp64(&sample);
        put64(&sample, 0x90, 4);
        image = open_sample(&sample);
        has_remark(image, "the header counts 4 pages, its runs have 3");
        stasis_image_close(image);

        sample_dmp64(&sample);
        sample.len = 0x3800; /* cut inside the second run */
        image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x2000 }, { 0x100000, 0x800, 0x3000 });
        has_gap(image, 0, 0x100800, 0x1800, "cut off: the file ends");
        stasis_image_close(image);
}
END_TEST

START_TEST(other_types)
{
        sample_dmp64(&sample);
        put32(&sample, 0xf98, 3);
        fails(&sample, STASIS_UNSUPPORTED,
              "t: header only dump (type 3): not read by this version; header: Windows 10 build 19041, "
              "x64, bug check 0x1000007e");
        put32(&sample, 0xf98, 99);
        fails(&sample, STASIS_UNSUPPORTED,
              "t: dump (type 99): not read by this version; header: Windows 10 build 19041, "
              "x64, bug check 0x1000007e");
        put32(&sample, 0xf98, 2);
        fails(&sample, STASIS_UNSUPPORTED,
              "t: kernel summary dump (type 2): not read by this version; header: Windows 10 build "
              "19041, x64, bug check 0x1000007e");
        put32(&sample, 0xf98, 1);
        put32(&sample, 0x30, 0xaa64);
        fails(&sample, STASIS_UNSUPPORTED,
              "t: full dump (type 1): not read by this version; header: Windows 10 build 19041, "
              "ARM64, bug check 0x1000007e");
}
END_TEST

START_TEST(odd_members)
{
        sample_dmp32(&sample);
        sample.at[0x5c] = 'P'; /* filler of one byte */
        put32(&sample, 0x20, 0x1234);
        put_text(&sample, 0x820, "a\n\x80z");
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert(!(h->known & STASIS_HINT_PAE));
        ck_assert(!(h->known & STASIS_HINT_MACHINE));
        ck_assert_str_eq(h->comment, "a??zmment");
        has_remark(image, "machine type 0x1234 of the header is none that is known here");
        stasis_image_close(image);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("dmp");
        TCase *tcase = tcase_create("dmp");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, full64);
        tcase_add_test(tcase, full32);
        tcase_add_test(tcase, old32);
        tcase_add_test(tcase, no_run_list);
        tcase_add_test(tcase, bitmaps);
        tcase_add_test(tcase, bitmap_cut);
        tcase_add_test(tcase, bitmap_lies);
        tcase_add_test(tcase, runs_lie);
        tcase_add_test(tcase, other_types);
        tcase_add_test(tcase, odd_members);
        return run_tests(suite);
}
