/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "image.h"

/* 64 KiB, each byte telling its page. */
static uint8_t bytes[16 * 4096];

static struct stasis_image *open_raw(size_t len)
{
        const struct stasis_image_options options = { .format = "raw" };
        struct stasis_image *image = NULL;
        struct stasis_error err;
        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)(i / 4096 + 1);
        ck_assert_msg(stasis_image_open_memory(bytes, len, "test", &options, &image, &err) == STASIS_OK, "%s",
                      err.text);
        return image;
}

/* An image whose runs are added by the test: starts with none. */
static struct stasis_image *open_empty(void)
{
        struct stasis_image *image = open_raw(sizeof bytes);
        image->run_count = 0;
        return image;
}

static void add(struct stasis_image *image, uint64_t pa, uint64_t len, uint64_t off)
{
        ck_assert_int_eq(stasis_image_add_run(image, pa, len, off, NULL), STASIS_OK);
}

static void is_run(const struct stasis_image *image, size_t i, uint64_t pa, uint64_t len, uint64_t off)
{
        size_t count;
        const struct stasis_run *run = stasis_image_runs(image, &count);
        ck_assert_uint_lt(i, count);
        ck_assert_uint_eq(run[i].pa, pa);
        ck_assert_uint_eq(run[i].len, len);
        ck_assert_uint_eq(run[i].off, off);
}

static size_t run_count(const struct stasis_image *image)
{
        size_t count;
        (void)stasis_image_runs(image, &count);
        return count;
}

START_TEST(sorts_and_joins)
{
        struct stasis_image *image = open_empty();
        add(image, 0x9000, 0x1000, 0x3000);
        add(image, 0x2000, 0x1000, 0x1000);
        add(image, 0x1000, 0x1000, 0x0000); /* continued by the one before */
        add(image, 0x3000, 0x1000, 0x5000); /* touches in memory, not in the file */
        add(image, 0x7000, 0, 0x5000);
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        ck_assert_uint_eq(run_count(image), 3);
        is_run(image, 0, 0x1000, 0x2000, 0x0000);
        is_run(image, 1, 0x3000, 0x1000, 0x5000);
        is_run(image, 2, 0x9000, 0x1000, 0x3000);
        stasis_image_close(image);
}
END_TEST

START_TEST(same_run_twice)
{
        struct stasis_image *image = open_empty();
        size_t count;
        add(image, 0x1000, 0x3000, 0x2000);
        add(image, 0x1000, 0x3000, 0x2000);
        add(image, 0x2000, 0x1000, 0x3000); /* a piece of it */
        add(image, 0x3000, 0x2000, 0x4000); /* its tail, and more */
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        ck_assert_uint_eq(run_count(image), 1);
        is_run(image, 0, 0x1000, 0x4000, 0x2000);
        ck_assert_str_eq(stasis_image_remarks(image, &count)[0],
                         "3 runs are listed more than once, with the same place in the file");
        stasis_image_close(image);
}
END_TEST

START_TEST(overlap_is_refused)
{
        struct stasis_image *image = open_empty();
        struct stasis_error err;
        add(image, 0x1000, 0x3000, 0x2000);
        add(image, 0x2000, 0x3000, 0x8000);
        ck_assert_int_eq(stasis_image_seal(image, &err), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "two runs claim the same memory: 0x1000+0x3000 (file 0x2000) and 0x2000+0x3000 "
                                   "(file 0x8000)");
        stasis_image_close(image);
}
END_TEST

START_TEST(overlap_is_trimmed)
{
        struct stasis_image *image = open_empty();
        size_t count;
        image->trim_overlap = true;
        add(image, 0x1000, 0x3000, 0x2000);
        add(image, 0x2000, 0x3000, 0x8000); /* loses [0x2000, 0x4000) */
        add(image, 0x3000, 0x1000, 0x0000); /* loses everything */
        add(image, 0x4800, 0x1000, 0xc000); /* loses [0x4800, 0x5000) */
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        ck_assert_uint_eq(run_count(image), 3);
        is_run(image, 0, 0x1000, 0x3000, 0x2000);
        is_run(image, 1, 0x4000, 0x1000, 0xa000);
        is_run(image, 2, 0x5000, 0x0800, 0xc800);
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_uint_eq(count, 1);
        ck_assert_ptr_nonnull(strstr(remark[0], "3 runs claim memory that another one holds"));
        stasis_image_close(image);
}
END_TEST

START_TEST(cut_off)
{
        struct stasis_image *image = open_empty();
        size_t count;
        add(image, 0x1000, 0x2000, 0xf000);
        add(image, 0x3000, 0x1000, 0x10000); /* wholly past the end: the gap goes on */
        add(image, 0x8000, 0x1000, UINT64_MAX);
        ck_assert_int_eq(stasis_image_add_run(image, UINT64_MAX - 0xfff, 0x2000, 0, NULL), STASIS_CORRUPT);
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        ck_assert_uint_eq(run_count(image), 1);
        is_run(image, 0, 0x1000, 0x1000, 0xf000);
        const struct stasis_gap *gap = stasis_image_gaps(image, &count);
        ck_assert_uint_eq(count, 2);
        ck_assert_uint_eq(gap[0].pa, 0x2000);
        ck_assert_uint_eq(gap[0].len, 0x2000);
        ck_assert_str_eq(gap[0].why, "cut off: the file ends");
        ck_assert_uint_eq(gap[1].pa, 0x8000);
        stasis_image_close(image);
}
END_TEST

/* Gaps lose what runs hold, and what another gap claims already. */
START_TEST(gaps)
{
        static const uint64_t want[][2] = {
                { 0x0000, 0x1000 }, { 0x3000, 0x1000 }, { 0x5000, 0x4800 }, { 0x9800, 0x0800 }, { 0xd000, 0x1000 }
        };
        struct stasis_image *image = open_empty();
        size_t count;
        add(image, 0x1000, 0x2000, 0x0000);
        add(image, 0x4000, 0x1000, 0x8000);
        add(image, 0xa000, 0x3000, 0x9000);
        ck_assert_int_eq(stasis_image_add_gap(image, 0x8000, 0x2800, "b"), STASIS_OK);
        ck_assert_int_eq(stasis_image_add_gap(image, 0x0000, 0x9800, "a"), STASIS_OK);
        ck_assert_int_eq(stasis_image_add_gap(image, 0x2000, 0x1000, "a"), STASIS_OK);
        ck_assert_int_eq(stasis_image_add_gap(image, 0xb000, 0x3000, "c"), STASIS_OK);
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        const struct stasis_gap *gap = stasis_image_gaps(image, &count);
        ck_assert_uint_eq(count, 5);
        for (size_t i = 0; i < count; i++) {
                ck_assert_uint_eq(gap[i].pa, want[i][0]);
                ck_assert_uint_eq(gap[i].len, want[i][1]);
        }
        ck_assert_str_eq(gap[2].why, "a");
        ck_assert_str_eq(gap[3].why, "b");
        stasis_image_close(image);
}
END_TEST

START_TEST(nothing_held)
{
        struct stasis_image *image = open_empty();
        struct stasis_error err;
        ck_assert_int_eq(stasis_image_seal(image, &err), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "holds no physical memory");
        stasis_image_close(image);
}
END_TEST

START_TEST(reads)
{
        struct stasis_image *image = open_empty();
        uint8_t buf[0x2000];
        uint64_t off;
        add(image, 0x1000, 0x1000, 0x0000);
        add(image, 0x2000, 0x1000, 0x5000);
        add(image, 0x9000, 0x0800, 0x7000);
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        ck_assert_int_eq(stasis_image_read(image, 0x1ffe, buf, 4), STASIS_OK); /* across two runs */
        ck_assert_mem_eq(buf, "\x01\x01\x06\x06", 4);
        ck_assert_int_eq(stasis_image_read(image, 0x2fff, buf, 2), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x0fff, buf, 2), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x97ff, buf, 1), STASIS_OK);
        ck_assert_int_eq(stasis_image_read(image, 0x9800, buf, 1), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, UINT64_MAX, buf, 2), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x5000, buf, 0), STASIS_OK);
        struct stasis_bytes view = stasis_image_view(image, 0x1ff0, 0x2000); /* a view ends with its run */
        ck_assert_uint_eq(view.len, 0x10);
        ck_assert_ptr_eq(view.at, bytes + 0xff0);
        ck_assert_ptr_null(stasis_image_view(image, 0x3000, 1).at);
        ck_assert_int_eq(stasis_image_offset(image, 0x2345, &off), STASIS_OK);
        ck_assert_uint_eq(off, 0x5345);
        ck_assert_int_eq(stasis_image_offset(image, 0x3000, &off), STASIS_ABSENT);
        ck_assert_uint_eq(stasis_image_pages_touched(image), 3); /* file pages 0, 5 and 7 */
        stasis_image_close(image);
}
END_TEST

START_TEST(remarks_are_bounded)
{
        struct stasis_image *image = open_empty();
        size_t count;
        for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(stasis_image_remark(image, "remark\n%d", i), STASIS_OK);
        add(image, 0, 0x1000, 0);
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_uint_eq(count, STASIS_REMARKS_MAX + 1);
        ck_assert_str_eq(remark[7], "remark?7");
        ck_assert_str_eq(remark[STASIS_REMARKS_MAX], "936 more remarks are not shown");
        stasis_image_close(image);
}
END_TEST

/* 100,000 runs in the worst order, each found again. */
START_TEST(many_runs)
{
        struct stasis_image *image = open_empty();
        for (uint64_t i = 100000; i-- > 0;)
                add(image, i * 0x3000, 0x1000, i % 16 * 0x1000);
        ck_assert_int_eq(stasis_image_seal(image, NULL), STASIS_OK);
        ck_assert_uint_eq(run_count(image), 100000);
        for (uint64_t i = 0; i < 100000; i++) {
                ck_assert_uint_eq(stasis_image_find(image, i * 0x3000 + 0xfff)->off, i % 16 * 0x1000);
                ck_assert_ptr_null(stasis_image_find(image, i * 0x3000 + 0x1000));
        }
        stasis_image_close(image);
}
END_TEST

/* A hole of 8 MiB, one byte, a hole to 32 MiB: a search reads one page. A file system without holes says "data"
 * everywhere. */
START_TEST(holes_are_skipped)
{
        char path[] = "/tmp/stasis-hole-XXXXXX";
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, 32 << 20), 0);
        ck_assert_int_eq(pwrite(fd, "x", 1, (8 << 20) + 5), 1);
        bool has_holes = lseek(fd, 0, SEEK_DATA) > 0;
        struct stasis_image *image = NULL;
        ck_assert_int_eq(stasis_image_open(path, NULL, &image, NULL), STASIS_OK);
        if (has_holes) {
                ck_assert_uint_eq(stasis_image_skip_hole(image, 0), 8 << 20);
                ck_assert_uint_eq(stasis_image_skip_hole(image, (8 << 20) + 4096), 32 << 20);
        }
        ck_assert_uint_eq(stasis_image_skip_hole(image, (8 << 20) + 5), (8 << 20) + 5);
        ck_assert_uint_eq(stasis_image_skip_hole(image, UINT64_C(1) << 40), UINT64_C(1) << 40);
        stasis_image_close(image);
        close(fd);
        unlink(path);
}
END_TEST

START_TEST(cpus)
{
        struct stasis_image *image = open_empty();
        for (uint32_t i = 0; i < 100; i++)
                ck_assert_uint_eq(stasis_image_add_cpu(image)->number, i);
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_uint_eq(hints->cpu_count, 100);
        ck_assert_uint_eq(hints->cpu[99].number, 99);
        stasis_image_close(image);
}
END_TEST

START_TEST(open_fails)
{
        const struct stasis_image_options options = { .format = "nonsense" };
        struct stasis_image *image = NULL;
        struct stasis_error err;
        ck_assert_int_eq(stasis_image_open("/nonexistent/x", NULL, &image, &err), STASIS_IO);
        ck_assert_str_eq(err.text, "/nonexistent/x: No such file or directory");
        ck_assert_int_eq(stasis_image_open_memory(bytes, 0, "m", NULL, &image, &err), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "m: is empty");
        ck_assert_int_eq(stasis_image_open_memory(bytes, 4096, "m", &options, &image, &err), STASIS_USAGE);
        ck_assert_str_eq(err.text, "m: no reader is called 'nonsense'");
        ck_assert_int_eq(stasis_image_open_memory(bytes, 4096, "m", &options, &image, NULL), STASIS_USAGE);
        ck_assert_ptr_null(image);
        stasis_image_close(NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("image");
        TCase *tcase = tcase_create("image");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, sorts_and_joins);
        tcase_add_test(tcase, same_run_twice);
        tcase_add_test(tcase, overlap_is_refused);
        tcase_add_test(tcase, overlap_is_trimmed);
        tcase_add_test(tcase, cut_off);
        tcase_add_test(tcase, gaps);
        tcase_add_test(tcase, nothing_held);
        tcase_add_test(tcase, reads);
        tcase_add_test(tcase, remarks_are_bounded);
        tcase_add_test(tcase, many_runs);
        tcase_add_test(tcase, holes_are_skipped);
        tcase_add_test(tcase, cpus);
        tcase_add_test(tcase, open_fails);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
