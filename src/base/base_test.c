/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "bytes.h"
#include "error.h"
#include "map.h"

START_TEST(error_text)
{
        struct stasis_error err = { 0 };
        ck_assert_int_eq(stasis_fail(&err, STASIS_CORRUPT, "run %d\nbad", 7), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "run 7?bad");
        ck_assert_int_eq(stasis_fail_in(&err, STASIS_IO, "%s", "mem.dmp"), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "mem.dmp: run 7?bad");
        ck_assert_int_eq(stasis_fail(NULL, STASIS_LIMIT, "x"), STASIS_LIMIT);
        ck_assert_int_eq(stasis_fail_in(NULL, STASIS_IO, "x"), STASIS_IO);
}
END_TEST

/* The context is cut, the reason is kept. */
START_TEST(error_long_context)
{
        struct stasis_error err;
        char path[600];
        memset(path, 'p', sizeof path - 1);
        path[sizeof path - 1] = '\0';
        (void)stasis_fail(&err, STASIS_CORRUPT, "the reason");
        (void)stasis_fail_in(&err, STASIS_CORRUPT, "%s", path);
        ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
        ck_assert_str_eq(err.text + strlen(err.text) - strlen("p: the reason"), "p: the reason");
        (void)stasis_fail(&err, STASIS_CORRUPT, "%s", path);
        (void)stasis_fail_in(&err, STASIS_CORRUPT, "context");
        ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
        ck_assert_mem_eq(err.text, "ppp", 3);
}
END_TEST

START_TEST(status_names)
{
        ck_assert_str_eq(stasis_status_name(STASIS_OK), "ok");
        ck_assert_str_eq(stasis_status_name(STASIS_USAGE), "usage");
        ck_assert_str_eq(stasis_status_name((enum stasis_status)99), "unknown status");
}
END_TEST

START_TEST(arena_alloc)
{
        struct stasis_arena arena = { 0 };
        for (size_t size = 0; size < 3000; size += 7) {
                unsigned char *at = stasis_arena_alloc(&arena, size);
                ck_assert_ptr_nonnull(at);
                ck_assert_uint_eq((uintptr_t)at % _Alignof(max_align_t), 0);
                for (size_t i = 0; i < size; i++)
                        ck_assert_uint_eq(at[i], 0);
                if (size)
                        memset(at, 0xee, size);
        }
        ck_assert_str_eq(stasis_arena_printf(&arena, "%s-%d", "a", 5), "a-5");
        ck_assert_str_eq(stasis_arena_strndup(&arena, "abcdef", 3), "abc");
        ck_assert_str_eq(stasis_arena_strndup(&arena, "ab", 30), "ab");
        ck_assert_ptr_null(stasis_arena_alloc(&arena, SIZE_MAX));
        ck_assert_ptr_null(stasis_arena_array(&arena, SIZE_MAX / 4, 5));
        stasis_arena_reset(&arena);
        ck_assert_uint_eq(arena.used, 0);
        const unsigned char *again = stasis_arena_alloc(&arena, 64); /* reused memory is zeroed as well */
        for (size_t i = 0; i < 64; i++)
                ck_assert_uint_eq(again[i], 0);
        stasis_arena_free(&arena);
        stasis_arena_free(&arena);
}
END_TEST

START_TEST(arena_limit)
{
        struct stasis_arena arena = { .limit = 256 };
        ck_assert_ptr_nonnull(stasis_arena_alloc(&arena, 200));
        ck_assert_ptr_null(stasis_arena_alloc(&arena, 200));
        ck_assert_ptr_nonnull(stasis_arena_alloc(&arena, 32));
        stasis_arena_reset(&arena);
        ck_assert_ptr_nonnull(stasis_arena_alloc(&arena, 200));
        stasis_arena_free(&arena);
}
END_TEST

START_TEST(grow)
{
        uint64_t *items = NULL;
        size_t capacity = 0;
        for (size_t i = 0; i < 1000; i++) {
                ck_assert(stasis_grow(&items, &capacity, i + 1, sizeof *items));
                items[i] = i;
        }
        for (size_t i = 0; i < 1000; i++)
                ck_assert_uint_eq(items[i], i);
        ck_assert(!stasis_grow(&items, &capacity, SIZE_MAX / 4, sizeof *items));
        free(items);
}
END_TEST

START_TEST(cursor)
{
        const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
        struct stasis_cursor c = { { bytes, sizeof bytes }, false };
        ck_assert_uint_eq(cursor_le(&c, 4), 0x04030201);
        ck_assert_uint_eq(cursor_le(&c, 2), 0);
        ck_assert(c.bad);
        ck_assert_uint_eq(cursor_le(&c, 1), 0); /* bad sticks */
}
END_TEST

static const char *temporary(char path[32], off_t size)
{
        strcpy(path, "/tmp/stasis-base-XXXXXX");
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, size), 0);
        close(fd);
        return path;
}

START_TEST(map_refuses)
{
        struct stasis_map map = { 0 };
        struct stasis_error err;
        char path[32];
        ck_assert_int_eq(stasis_map_open("/nonexistent/file", &map, &err), STASIS_IO);
        ck_assert_int_eq(stasis_map_open("/tmp", &map, &err), STASIS_IO);
        ck_assert_str_eq(err.text, "/tmp: is a directory, not a memory image");
        ck_assert_int_eq(stasis_map_open("/dev/null", &map, &err), STASIS_IO);
        ck_assert_int_eq(stasis_map_open(temporary(path, 0), &map, &err), STASIS_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "is empty"));
        unlink(path);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(stasis_map_open(path, &map, &err), STASIS_IO); /* and does not wait for a writer */
        ck_assert_ptr_nonnull(strstr(err.text, "is a pipe"));
        unlink(path);
        ck_assert_int_eq(stasis_map_borrow("", 0, &map, &err), STASIS_CORRUPT);
}
END_TEST

START_TEST(map_counts)
{
        struct stasis_map map = { 0 };
        char path[32];
        ck_assert_int_eq(stasis_map_open(temporary(path, 10 * 4096 + 1), &map, NULL), STASIS_OK);
        unlink(path);
        stasis_map_touch(&map, 0, 1);
        stasis_map_touch(&map, 4095, 2);
        ck_assert_uint_eq(map.touched_count, 2);
        stasis_map_touch(&map, 10 * 4096, 100); /* the last byte; the rest is past the end */
        stasis_map_touch(&map, 11 * 4096, 100);
        stasis_map_touch(&map, UINT64_MAX, UINT64_MAX);
        ck_assert_uint_eq(map.touched_count, 3);
        stasis_map_touch(&map, 0, UINT64_MAX);
        ck_assert_uint_eq(map.touched_count, 11);
        stasis_map_close(&map);
        stasis_map_close(&map);
}
END_TEST

/* Pages of [at, at+len) that this process has mapped now. */
static size_t resident(const void *at)
{
        FILE *f = fopen("/proc/self/smaps", "r");
        char line[512], want[32];
        size_t kib = 0;
        bool inside = false;
        snprintf(want, sizeof want, "%lx-", (unsigned long)(uintptr_t)at);
        while (f && fgets(line, sizeof line, f)) {
                if (strchr(line, '-') && strspn(line, "0123456789abcdef") > 4)
                        inside = strncmp(line, want, strlen(want)) == 0;
                else if (inside && sscanf(line, "Rss: %zu kB", &kib) == 1)
                        break;
        }
        if (f)
                fclose(f);
        return kib / 4;
}

/* Streamed bytes are the file's, counted as touched, and nothing of them is mapped. */
START_TEST(map_streams)
{
        struct stasis_map map = { 0 };
        char path[64];
        uint8_t bytes[3 * 4096], buf[2 * 4096];
        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)(i * 7 + i / 4096);
        FILE *f = fopen(temporary(path, sizeof bytes), "r+b");
        ck_assert(f && fwrite(bytes, sizeof bytes, 1, f) == 1 && fclose(f) == 0);
        ck_assert_int_eq(stasis_map_open(path, &map, NULL), STASIS_OK);
        /* the last byte of one page, the next, and the first of the third */
        struct stasis_bytes got = stasis_map_stream(&map, 4095, buf, 4098);
        ck_assert_ptr_eq(got.at, buf);
        ck_assert_mem_eq(buf, bytes + 4095, 4098);
        ck_assert_uint_eq(got.len, 4098);
        ck_assert_uint_eq(map.touched_count, 3);
        ck_assert_uint_eq(stasis_map_stream(&map, sizeof bytes - 5, buf, sizeof buf).len, 5);
        ck_assert_ptr_null(stasis_map_stream(&map, sizeof bytes, buf, 1).at);
        ck_assert_ptr_null(stasis_map_stream(&map, 0, buf, 0).at);
        ck_assert_int_eq(stasis_map_narrow(&map, 4096, 4096, NULL), STASIS_OK);
        got = stasis_map_stream(&map, 1, buf, sizeof buf);
        ck_assert_uint_eq(got.len, 4095);
        ck_assert_mem_eq(buf, bytes + 4097, 4095);
        ck_assert_int_eq(truncate(path, 4096 + 10), 0); /* it does not give what it had: no signal, and less */
        ck_assert_uint_eq(stasis_map_stream(&map, 0, buf, sizeof buf).len, 10);
        ck_assert_ptr_null(stasis_map_stream(&map, 10, buf, sizeof buf).at);
        stasis_map_close(&map);
        unlink(path);
        ck_assert_int_eq(stasis_map_borrow(bytes, sizeof bytes, &map, NULL), STASIS_OK);
        ck_assert_ptr_eq(stasis_map_stream(&map, 8, buf, 16).at, bytes + 8);
        stasis_map_close(&map);
}
END_TEST

/* Twice over a file of 128 MiB: the second pass touches nothing new, and must be bounded as the first one. */
START_TEST(map_stays_small)
{
        struct stasis_map map = { 0 };
        char path[32];
        size_t len = 128u << 20, most = 0;
        unsigned sum = 0;
        ck_assert_int_eq(stasis_map_open(temporary(path, (off_t)len), &map, NULL), STASIS_OK);
        unlink(path);
        for (int pass = 0; pass < 2; pass++)
                for (size_t off = 0; off < len; off += 4096) {
                        stasis_map_touch(&map, off, 1);
                        sum += *(const volatile uint8_t *)(map.bytes.at + off);
                        if (off % (1 << 20) == 0) {
                                size_t now = resident(map.bytes.at);
                                most = now > most ? now : most;
                        }
                }
        ck_assert_uint_eq(sum, 0);
        ck_assert_uint_eq(map.touched_count, len / 4096);
        ck_assert_uint_gt(most, 0);
        ck_assert_uint_le(most, (20u << 20) / 4096);
        stasis_map_close(&map);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("base");
        TCase *tcase = tcase_create("base");
        suite_add_tcase(suite, tcase);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, error_text);
        tcase_add_test(tcase, error_long_context);
        tcase_add_test(tcase, status_names);
        tcase_add_test(tcase, arena_alloc);
        tcase_add_test(tcase, arena_limit);
        tcase_add_test(tcase, grow);
        tcase_add_test(tcase, cursor);
        tcase_add_test(tcase, map_refuses);
        tcase_add_test(tcase, map_counts);
        tcase_add_test(tcase, map_streams);
        tcase_add_test(tcase, map_stays_small);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
