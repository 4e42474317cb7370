/* SPDX-License-Identifier: MIT */
/* The raw reader, and the contest of which it is the last resort. */
#include "../src/test/reader.h"

START_TEST(any_size)
{
        sample_raw(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format(image), "raw");
        RUNS(image, { 0, 0x3000, 0 });
        has_remark(image, NULL);
        ck_assert_uint_eq(stasis_image_hints(image)->known, 0);
        stasis_image_close(image);

        sample.len = 0x2001;
        image = open_sample(&sample);
        RUNS(image, { 0, 0x2001, 0 });
        has_remark(image, "size is not a multiple of the page size: the last page has 1 of 4096 bytes");
        stasis_image_close(image);
        sample.len = 1;
        image = open_sample(&sample);
        RUNS(image, { 0, 1, 0 });
        stasis_image_close(image);
}
END_TEST

/* The samples of kdump have pages of every packing. */
static bool is_built_in(const char *format)
{
#if defined(HAVE_ZLIB) && defined(HAVE_LZO) && defined(HAVE_SNAPPY) && defined(HAVE_ZSTD)
        (void)format;
        return true;
#else
        return strcmp(format, "kdump") != 0;
#endif
}

START_TEST(contest)
{
        for (const struct sample_kind *kind = sample_kinds; kind->name; kind++) {
                if (!is_built_in(kind->format))
                        continue;
                kind->build(&sample);
                struct stasis_image *image = open_sample(&sample);
                bool plain = strcmp(kind->format, "lime-raw") == 0; /* nothing in its head tells it from raw memory */
                ck_assert_str_eq(stasis_image_format(image), plain ? "raw" : kind->format);
                stasis_image_close(image);
                const struct stasis_image_options options = { .format = "raw" };
                ck_assert_int_eq(stasis_image_open_memory(sample.at, sample.len, "t", &options, &image, NULL),
                                 STASIS_OK);
                RUNS(image, { 0, sample.len, 0 }); /* by name, whatever it looks like */
                stasis_image_close(image);
        }
}
END_TEST

/* Files of another kind, opened by name, are refused by that reader and not by chance. */
START_TEST(by_wrong_name)
{
        static const char *const names[] = { "elf", "kdump", "dmp", "lime", "lime-raw" };
        sample_raw(&sample);
        for (size_t i = 0; i < 5; i++) {
                const struct stasis_image_options options = { .format = names[i] };
                struct stasis_image *image = NULL;
                ck_assert_int_eq(stasis_image_open_memory(sample.at, sample.len, "t", &options, &image, NULL),
                                 STASIS_CORRUPT);
        }
}
END_TEST

START_TEST(foreign)
{
        static const struct {
                const char *magic;
                size_t len;
                const char *word;
        } cases[] = {
                { "\x1f\x8b\x08", 3, "gzip" },
                { "\xfd"
                  "7zXZ\0",
                  6, "xz-compressed: unpack it first" },
                { "\x28\xb5\x2f\xfd", 4, "zstd" },
                { "PK\3\4", 4, "zip" },
                { "7z\xbc\xaf\x27\x1c", 6, "7z" },
                { "MDMP", 4, "minidump" },
                { "hibr", 4, "hibernation" },
                { "WAKE", 4, "hibernation" },
                { "QEVM", 4, "QEMU" },
                { "\xd0\xbe\xd2\xbe", 4, "VMware" },
                { "\xd1\xba\xd1\xba", 4, "VMware" },
                { "AVML", 4, "AVML" },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct stasis_image *image = NULL;
                struct stasis_error err = { 0 };
                memset(&sample, 0, sizeof sample);
                sample.len = 0x1000;
                memcpy(sample.at, cases[i].magic, cases[i].len);
                ck_assert_int_eq(stasis_image_open_memory(sample.at, sample.len, "t", NULL, &image, &err),
                                 STASIS_UNSUPPORTED);
                ck_assert_msg(strstr(err.text, cases[i].word), "%s", err.text);
                ck_assert_ptr_nonnull(strstr(err.text, "--reader raw"));
        }
}
END_TEST

START_TEST(program)
{
        memset(&sample, 0, sizeof sample);
        put_text(&sample, 0, "MZ");
        put32(&sample, 0x3c, 0x80);
        put_text(&sample, 0x80, "PE");
        sample.len = 0x1000;
        fails(&sample, STASIS_UNSUPPORTED,
              "t: a Windows program (PE), not a memory image (--reader raw reads it as raw memory "
              "all the same)");
        sample.at[0x81] = 0; /* two letters at the start prove nothing */
        struct stasis_image *image = open_sample(&sample);
        stasis_image_close(image);
}
END_TEST

START_TEST(names)
{
        static const char *const want[] = { "elf", "kdump", "dmp", "lime", "lime-raw", "raw" };
        const char *title;
        for (size_t i = 0; i < 6; i++) {
                ck_assert_str_eq(stasis_format_name_at(i, &title), want[i]);
                ck_assert_uint_gt(strlen(title), 0);
        }
        ck_assert_ptr_null(stasis_format_name_at(6, &title));
        ck_assert_ptr_null(stasis_format_name_at(SIZE_MAX, NULL));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("raw");
        TCase *tcase = tcase_create("raw");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, any_size);
        tcase_add_test(tcase, contest);
        tcase_add_test(tcase, by_wrong_name);
        tcase_add_test(tcase, foreign);
        tcase_add_test(tcase, program);
        tcase_add_test(tcase, names);
        return run_tests(suite);
}
