/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <unistd.h>

#include "../src/test/reader.h"
#include "unpack.h"

static bool all_built_in(void)
{
        for (int i = 0; i < UNPACK_COUNT; i++)
                if (!unpack_built_in((enum unpack)i))
                        return false;
        return true;
}

/* What sample_kdump64 and its flattened form must say. */
static void is_kdump64(const struct stasis_image *image)
{
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_str_eq(stasis_image_format(image), "kdump");
        ck_assert(stasis_image_is_packed(image));
        RUNS(image, { 0x1000, 0x3000, 0 }, { 0x6000, 0x2000, 0 });
        has_gap(image, 0, 0x4000, 0x1000, "filtered out by makedumpfile");
        size_t gaps;
        ck_assert(stasis_image_gaps(image, &gaps)[0].filtered);
        ck_assert_uint_eq(gaps, 1);
        has_remark(image, NULL);
        ck_assert_int_eq(hints->machine, STASIS_MACHINE_X64);
        ck_assert_uint_eq(hints->dump_level, 31);
        ck_assert_uint_eq(hints->processors, 2);
        ck_assert_str_eq(hints->comment, "Linux host 6.1.0-1-test #1 SMP x86_64");
        ck_assert_uint_eq(hints->cpu_count, 1);
        ck_assert_uint_eq(hints->cpu[0].rip, UINT64_C(0xffffffff81001234));
        ck_assert_uint_eq(hints->cpu[0].gpr[7], UINT64_C(0xffffc90000003f00));
        ck_assert_uint_eq(hints->vmcoreinfo.len, 55);
        ck_assert_int_eq(memcmp(hints->vmcoreinfo.at, "OSRELEASE=6.1.0-1-test\nSYMBOL(_stext)=ffffffff81000000\n", 55),
                         0);
}

static void has_page(const struct stasis_image *image, uint64_t pa, uint8_t fill)
{
        uint8_t page[4096], want[4096];
        memset(want, fill, sizeof want);
        ck_assert_int_eq(stasis_image_read(image, pa, page, sizeof page), STASIS_OK);
        ck_assert_int_eq(memcmp(page, want, sizeof page), 0);
}

static void has_pages64(const struct stasis_image *image)
{
        has_page(image, 0x1000, 0);
        has_page(image, 0x3000, 0x33);
        has_page(image, 0x7000, 0);
        if (unpack_built_in(UNPACK_ZLIB))
                has_page(image, 0x2000, 0x5a);
        if (unpack_built_in(UNPACK_LZO))
                has_page(image, 0x6000, 0x6c);
        uint8_t byte;
        ck_assert_int_eq(stasis_image_read(image, 0, &byte, 1), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x4000, &byte, 1), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x5000, &byte, 1), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x8000, &byte, 1), STASIS_ABSENT);
}

START_TEST(plain)
{
        sample_kdump64(&sample);
        struct stasis_image *image = open_sample(&sample);
        is_kdump64(image);
        ck_assert_str_eq(stasis_image_format_title(image), "kdump, 64-bit header, zlib, dump level 31");
        has_pages64(image);
        stasis_image_close(image);
}
END_TEST

START_TEST(flattened)
{
        sample_kdump_flat(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "flattened kdump, 64-bit header, zlib, dump level 31");
        is_kdump64(image); /* the header that came later counts */
        has_pages64(image);
        stasis_image_close(image);
}
END_TEST

START_TEST(older_32)
{
        sample_kdump32(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "kdump, 32-bit header, snappy, dump level 1");
        RUNS(image, { 0, 0x2000, 0 }, { 0x40000, 0x1000, 0 });
        has_no_gap(image);
        has_remark(image, NULL);
        ck_assert_int_eq(stasis_image_hints(image)->machine, STASIS_MACHINE_X86);
        ck_assert_uint_eq(stasis_image_hints(image)->cpu[0].rip, 0xc1001234);
        if (all_built_in()) {
                has_page(image, 0, 0x73);
                has_page(image, 0x1000, 0x7a);
        }
        has_page(image, 0x40000, 0x44);
        stasis_image_close(image);
}
END_TEST

/* QEMU names its own machine, or none; the registers and the kernel's addresses know better. */
START_TEST(machine)
{
        static const struct {
                const char *name, *stext;
                uint32_t note_type; /* 1: NT_PRSTATUS of x64 */
                enum stasis_machine want;
                const char *remark;
        } cases[] = {
                { "", "ffffffff81000000\n", 1, STASIS_MACHINE_X64, NULL },
                { "i686", "ffffffff81000000\n", 1, STASIS_MACHINE_X64,
                  "the header names another machine than the registers and VMCOREINFO are of; it is not believed" },
                { "x86_64", "c1000000\nAB=12\n__", 7, STASIS_MACHINE_X86,
                  "the header names another machine than the registers and VMCOREINFO are of; it is not believed" },
                { "", "c1000000\nAB=12\n__", 7, STASIS_MACHINE_X86, NULL },
                { "x86_64", "?\n", 7, STASIS_MACHINE_X64, NULL },
                { "", "?\n", 7, STASIS_MACHINE_UNKNOWN, "nothing in the file tells what machine it is of" },
                { "riscv64", "ffffffff81000000\n", 7, STASIS_MACHINE_UNKNOWN,
                  "nothing in the file tells what machine it is of" },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                sample_kdump64(&sample);
                memset(sample.at + 272, 0, 65);
                put_text(&sample, 272, cases[i].name);
                put32(&sample, 0x1088, cases[i].note_type);
                uint8_t *at = memmem(sample.at, sample.len, "_stext)=", 8);
                memcpy(at + 8, cases[i].stext, strlen(cases[i].stext));
                struct stasis_image *image = open_sample(&sample);
                ck_assert_int_eq(stasis_image_hints(image)->machine, cases[i].want);
                has_remark(image, cases[i].remark);
                stasis_image_close(image);
        }
}
END_TEST

/* Cut in the data: the descriptors tell page by page which are there. */
START_TEST(cut)
{
        sample_kdump64(&sample);
        sample.len = 0x6000; /* inside the plain page 3 */
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0 }, { 0x7000, 0x1000, 0 });
        has_gap(image, 0, 0x3000, 0x1000, "cut off: the file ends");
        has_gap(image, 1, 0x4000, 0x1000, "filtered out by makedumpfile");
        has_gap(image, 2, 0x6000, 0x1000, "cut off: the file ends");
        size_t gaps;
        const struct stasis_gap *gap = stasis_image_gaps(image, &gaps);
        ck_assert_uint_eq(gaps, 3);
        ck_assert(!gap[0].filtered && gap[1].filtered && !gap[2].filtered);
        stasis_image_close(image);

        sample.len = 0x4000;
        fails(&sample, STASIS_CORRUPT, "t: holds no physical memory");
        sample.len = 0x3000;
        fails(&sample, STASIS_CORRUPT, "t: cut off: the bitmap of the pages should be at 0x3000");
        sample.len = 0x1067;
        fails(&sample, STASIS_CORRUPT, "t: cut off inside the kdump sub header");
        sample.len = 100;
        fails(&sample, STASIS_CORRUPT, "t: cut off inside the kdump header");
}
END_TEST

/* The disk was full: what has no place was not written. */
START_TEST(incomplete)
{
        sample_kdump64(&sample);
        put32(&sample, 424, 9);
        put64(&sample, 0x4048, 0);
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x3000, 0 }, { 0x7000, 0x1000, 0 });
        has_gap(image, 1, 0x6000, 0x1000, "not written: the dump is incomplete");
        has_remark(image, "the dump is incomplete: the disk was full when it was written");
        stasis_image_close(image);
}
END_TEST

/* A page that does not unpack to exactly its size is lost, and no other. */
START_TEST(damaged)
{
        static const struct {
                size_t at;
                uint64_t value;
                size_t size;
        } cases[] = {
                { 0x5080, 0, 8 },              /* the packed bytes */
                { 0x4018, UINT64_MAX - 2, 8 }, /* its place */
                { 0x4020, 0, 4 },              /* its size: none */
                { 0x4020, 4097, 4 },           /* more than a page */
                { 0x4020, 27, 4 },             /* one too few */
                { 0x4024, 0, 4 },              /* not packed, and yet short */
                { 0x4024, 2, 4 },              /* packed otherwise */
                { 0x4024, 4, 4 },
                { 0x4024, 0x20, 4 },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                uint8_t byte;
                sample_kdump64(&sample);
                put(&sample, cases[i].at, cases[i].value, cases[i].size);
                struct stasis_image *image = open_sample(&sample);
                enum stasis_status status = stasis_image_read(image, 0x2800, &byte, 1);
                ck_assert_msg(status == STASIS_CORRUPT || (status == STASIS_UNSUPPORTED && !all_built_in()), "%zu", i);
                has_page(image, 0x1000, 0);
                has_page(image, 0x3000, 0x33);
                stasis_image_close(image);
        }
}
END_TEST

/* A stream of 8192 bytes behind a descriptor of a page. */
START_TEST(bomb)
{
        static const uint8_t zeros_8192[] = { 0x78, 0xda, 0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2, 0xa0,
                                              0xf7, 0x4f, 0x6d, 0x0e, 0x37, 0xa0, 0x00, 0x00, 0x00, 0x00, 0x00,
                                              0x00, 0x00, 0x80, 0x77, 0x03, 0x20, 0x00, 0x00, 0x01 };
        uint8_t page[4096 + 16];
        memset(page, 0xee, sizeof page);
        struct stasis_bytes packed = { zeros_8192, sizeof zeros_8192 };
        if (unpack_built_in(UNPACK_ZLIB))
                ck_assert_int_eq(unpack(UNPACK_ZLIB, packed, page, 4096), STASIS_CORRUPT);
        for (size_t i = 4096; i < sizeof page; i++)
                ck_assert_uint_eq(page[i], 0xee);
}
END_TEST

START_TEST(refused)
{
        sample_kdump64(&sample);
        put32(&sample, 428, 0x10000);
        fails(&sample, STASIS_UNSUPPORTED, "t: a kdump with pages of 65536 bytes: only those of x86 are read");
        put32(&sample, 428, 0x1000);
        put32(&sample, 432, 0);
        fails(&sample, STASIS_CORRUPT, "t: kdump header: no block size of 4096 where it should be");
        sample_kdump64(&sample);
        for (size_t at = 424; at < 464; at += 4)
                for (size_t i = 0; i < 2; i++) {
                        uint8_t byte = sample.at[at + i];
                        sample.at[at + i] = sample.at[at + 3 - i];
                        sample.at[at + 3 - i] = byte;
                }
        fails(&sample, STASIS_UNSUPPORTED, "t: a kdump of a big-endian machine: only little-endian machines are read");

        sample_kdump_flat(&sample);
        memset(sample.at + 4096 + 16, 0, 8);
        sample.at[23] = 2;
        fails(&sample, STASIS_UNSUPPORTED, "t: a flattened file of type 2, version 1: only 1, 1 is read");
        sample.at[23] = 1;
        memset(sample.at + 4096, 0xff, 16);
        fails(&sample, STASIS_CORRUPT, "t: a flattened file without content");
}
END_TEST

/* ---- split: each part has both bitmaps whole, and the descriptors of its own pages */

static char dir[] = "/tmp/stasis-kdump-XXXXXX";
static char path[3][64];

static void write_part(int i, uint64_t first, uint64_t end, size_t first_desc)
{
        snprintf(path[i], sizeof path[i], "%s/part%d", dir, i);
        sample_kdump64(&sample);
        put32(&sample, 0x100c, 1); /* split */
        put64(&sample, 0x1050, first);
        put64(&sample, 0x1058, end);
        memmove(sample.at + 0x4000, sample.at + 0x4000 + 24 * first_desc, 0x78 - 24 * first_desc);
        FILE *f = fopen(path[i], "wb");
        ck_assert(f && fwrite(sample.at, sample.len, 1, f) == 1 && fclose(f) == 0);
}

static void write_parts(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        write_part(0, 0, 3, 0);
        write_part(1, 3, 6, 2);
        write_part(2, 6, 8, 3);
}

static void remove_parts(void)
{
        for (int i = 0; i < 3; i++)
                (void)unlink(path[i]);
        (void)rmdir(dir);
}

static struct stasis_image *open_parts(int a, int b, int c)
{
        const char *paths[] = { path[a], path[b], c < 0 ? NULL : path[c] };
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        enum stasis_status status = stasis_image_open_files(paths, c < 0 ? 2 : 3, NULL, &image, &err);
        ck_assert_msg(status == STASIS_OK, "%s", err.text);
        return image;
}

static void parts_fail(const char *a, const char *b, const char *want)
{
        const char *paths[] = { a, b };
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        ck_assert_int_eq(stasis_image_open_files(paths, 2, NULL, &image, &err), STASIS_USAGE);
        ck_assert_msg(strstr(err.text, want), "%s", err.text);
}

START_TEST(split)
{
        write_parts();
        static const int order[][3] = { { 0, 1, 2 }, { 2, 0, 1 }, { 1, 2, 0 } };
        for (size_t i = 0; i < 3; i++) {
                struct stasis_image *image = open_parts(order[i][0], order[i][1], order[i][2]);
                is_kdump64(image);
                has_pages64(image);
                ck_assert_str_eq(stasis_image_format_title(image),
                                 "kdump, 3 parts of a split one, 64-bit header, zlib, dump level 31");
                ck_assert_str_eq(stasis_image_file_at(image, 0), path[order[i][0]]);
                ck_assert_str_eq(stasis_image_file_at(image, 2), path[order[i][2]]);
                ck_assert_ptr_null(stasis_image_file_at(image, 3));
                ck_assert_uint_eq(stasis_image_file_size(image), 3 * sample.len);
                stasis_image_close(image);
        }
        remove_parts();
}
END_TEST

START_TEST(part_missing)
{
        write_parts();
        struct stasis_image *image = open_parts(2, 0, -1);
        RUNS(image, { 0x1000, 0x2000, 0 }, { 0x6000, 0x2000, 0 });
        has_gap(image, 0, 0x3000, 0x1000, "in a part of the split dump that is not given");
        has_gap(image, 1, 0x4000, 0x1000, "filtered out by makedumpfile");
        has_page(image, 0x7000, 0);
        stasis_image_close(image);
        image = NULL;
        ck_assert_int_eq(stasis_image_open(path[1], NULL, &image, NULL), STASIS_OK);
        RUNS(image, { 0x3000, 0x1000, 0 });
        has_page(image, 0x3000, 0x33);
        has_gap(image, 0, 0x1000, 0x2000, "in a part of the split dump that is not given");
        has_gap(image, 2, 0x6000, 0x2000, "in a part of the split dump that is not given");
        stasis_image_close(image);
        remove_parts();
}
END_TEST

START_TEST(no_parts)
{
        write_parts();
        parts_fail(path[0], path[0], "two parts hold the same pages");
        FILE *f = fopen(path[1], "r+b");
        ck_assert(f && fseek(f, 142, SEEK_SET) == 0 && fputc('5', f) == '5' && fclose(f) == 0);
        parts_fail(path[0], path[1], "part1: a part of another dump");
        f = fopen(path[1], "wb");
        sample_kdump64(&sample);
        ck_assert(f && fwrite(sample.at, sample.len, 1, f) == 1 && fclose(f) == 0);
        parts_fail(path[0], path[1], "part1: not both are parts of a split dump");
        f = fopen(path[1], "wb");
        sample_raw(&sample);
        ck_assert(f && fwrite(sample.at, sample.len, 1, f) == 1 && fclose(f) == 0);
        parts_fail(path[1], path[0], "is a whole image (raw), and takes no further parts");
        write_part(2, 8, 8, 0);
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        ck_assert_int_eq(stasis_image_open(path[2], NULL, &image, &err), STASIS_CORRUPT);
        ck_assert_msg(strstr(err.text, "give all parts together"), "%s", err.text);
        remove_parts();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("kdump");
        TCase *tcase = tcase_create("kdump");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, plain);
        tcase_add_test(tcase, flattened);
        tcase_add_test(tcase, older_32);
        tcase_add_test(tcase, machine);
        tcase_add_test(tcase, cut);
        tcase_add_test(tcase, incomplete);
        tcase_add_test(tcase, damaged);
        tcase_add_test(tcase, bomb);
        tcase_add_test(tcase, refused);
        tcase_add_test(tcase, split);
        tcase_add_test(tcase, part_missing);
        tcase_add_test(tcase, no_parts);
        return run_tests(suite);
}
