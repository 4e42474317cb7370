/* SPDX-License-Identifier: MIT */
/* Pages of a packed image: that pointers stay, that memory is bounded, that threads may share it. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../formats/format.h"
#include "image.h"
#include "space.h"

enum { PAGE = 4096, PAGES = STASIS_PACKED_KEPT + 2000, BAD = 77 /* this page does not unpack */ };

static atomic_uint unpacked;

static void fill(uint64_t pa, uint8_t *page)
{
        memset(page, (int)(pa >> 12 & 0xff), PAGE);
        for (size_t i = 0; i < PAGE; i += 64)
                memcpy(page + i, &pa, sizeof pa);
}

static enum stasis_status unpack(const struct stasis_image *image, void *priv, uint64_t pa, void *page)
{
        (void)image;
        (void)priv;
        atomic_fetch_add(&unpacked, 1);
        if (pa / PAGE == BAD)
                return STASIS_CORRUPT;
        fill(pa, page);
        return STASIS_OK;
}

static const struct stasis_format format = { .name = "test", .title = "test", .read_page = unpack };
static struct stasis_run run = { 0, (uint64_t)PAGES *PAGE, 0 };
static struct stasis_image image;

static void setup(void)
{
        image = (struct stasis_image){ .format = &format, .packed = stasis_packed_open(), .run = &run, .run_count = 1 };
        ck_assert_ptr_nonnull(image.packed);
        atomic_store(&unpacked, 0);
}

static void teardown(void) { stasis_packed_close(image.packed); }

static void is_page(uint64_t pfn, const uint8_t *at)
{
        uint8_t want[PAGE];
        fill(pfn * PAGE, want);
        ck_assert_int_eq(memcmp(at, want, PAGE), 0);
}

START_TEST(pointers_stay)
{
        static const uint8_t *held[PAGES];
        size_t count = 0;
        for (uint64_t pfn = 0; pfn < PAGES; pfn++) {
                struct stasis_bytes page = stasis_image_hold(&image, pfn * PAGE, PAGE);
                held[pfn] = page.at;
                count += page.at != NULL;
                ck_assert_uint_eq(page.len, page.at ? PAGE : 0);
        }
        ck_assert_uint_eq(count, STASIS_PACKED_KEPT); /* and no more, however many are asked for */
        ck_assert_ptr_null(held[BAD]);
        for (uint64_t pfn = 0; pfn < PAGES; pfn++) {
                if (held[pfn])
                        is_page(pfn, held[pfn]);
                ck_assert_ptr_eq(stasis_image_hold(&image, pfn * PAGE, PAGE).at, held[pfn]);
        }
        ck_assert_uint_eq(unpacked, STASIS_PACKED_KEPT + 1);
        ck_assert_ptr_null(stasis_image_hold(&image, run.len, 1).at);
        struct stasis_bytes rest = stasis_image_hold(&image, 0x1ff0, PAGE);
        ck_assert_ptr_eq(rest.at, held[1] + 0xff0);
        ck_assert_uint_eq(rest.len, 0x10);
}
END_TEST

START_TEST(reads_remember)
{
        uint8_t got[2 * PAGE], want[PAGE];
        for (unsigned i = 0; i < PAGE; i += 8)
                ck_assert_int_eq(stasis_image_read(&image, 5 * PAGE + i, got + i, 8), STASIS_OK);
        is_page(5, got);
        ck_assert_uint_eq(unpacked, 1);
        ck_assert_int_eq(stasis_image_read(&image, 5 * PAGE + 100, got, 2 * PAGE), STASIS_OK);
        fill(6 * PAGE, want);
        ck_assert_int_eq(memcmp(got + PAGE - 100, want, PAGE), 0);
        ck_assert_int_eq(stasis_image_read(&image, BAD * PAGE - 8, got, 16), STASIS_CORRUPT);
        ck_assert_int_eq(stasis_image_read(&image, run.len - 8, got, 16), STASIS_ABSENT);
}
END_TEST

/* A search gets copies: up to what does not unpack, up to the end of the run. */
START_TEST(pieces)
{
        static uint8_t buf[16 * PAGE];
        struct stasis_bytes piece = stasis_image_piece(&image, (BAD - 2) * PAGE + 8, buf, sizeof buf);
        ck_assert_uint_eq(piece.len, 2 * PAGE - 8);
        ck_assert_ptr_eq(piece.at, buf);
        is_page(BAD - 1, buf + PAGE - 8);
        ck_assert_ptr_null(stasis_image_piece(&image, BAD * PAGE, buf, sizeof buf).at);
        ck_assert_uint_eq(stasis_image_piece(&image, run.len - PAGE, buf, sizeof buf).len, PAGE);
        ck_assert_ptr_null(stasis_image_piece(&image, run.len, buf, sizeof buf).at);
}
END_TEST

/* A flat space over it: views and loads are right for every page, those that are not kept included. */
START_TEST(space_without_room)
{
        static struct stasis_space space;
        uint64_t value;
        uint8_t want[PAGE];
        image.is_virtual = true;
        stasis_space_init(&space, &image, &stasis_paging_flat64, 0);
        for (int again = 0; again < 2; again++)
                for (uint64_t pfn = BAD + 1; pfn < PAGES; pfn++) {
                        struct stasis_bytes view = stasis_space_view(&space, pfn * PAGE, PAGE);
                        ck_assert_uint_eq(view.len, PAGE);
                        is_page(pfn, view.at);
                        fill(pfn * PAGE, want);
                        ck_assert_int_eq(stasis_space_u(&space, pfn * PAGE + 7, 1, &value), STASIS_OK);
                        ck_assert_uint_eq(value, want[7]);
                }
        ck_assert_ptr_null(stasis_space_view(&space, BAD * PAGE, 1).at);
}
END_TEST

static void *reader(void *arg)
{
        uint64_t from = *(const uint64_t *)arg;
        uint8_t got[16], want[PAGE];
        for (uint64_t i = 0; i < 3 * PAGES; i++) {
                uint64_t pfn = (from + i * 7) % PAGES, pa = pfn * PAGE;
                if (pfn == BAD)
                        continue;
                fill(pa, want);
                struct stasis_bytes page = stasis_image_hold(&image, pa, PAGE);
                if (page.at && memcmp(page.at, want, PAGE) != 0)
                        return "a page that was held";
                if (stasis_image_read(&image, pa + 64, got, sizeof got) != STASIS_OK ||
                    memcmp(got, want + 64, sizeof got))
                        return "a page that was read";
        }
        return NULL;
}

START_TEST(threads_share)
{
        pthread_t thread[4];
        uint64_t from[4] = { 0, 0, 4000, 9000 };
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&thread[i], NULL, reader, &from[i]), 0);
        for (int i = 0; i < 4; i++) {
                void *bad = NULL;
                pthread_join(thread[i], &bad);
                ck_assert_msg(!bad, "%s", (const char *)bad);
        }
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("packed");
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, pointers_stay);
        tcase_add_test(tc, reads_remember);
        tcase_add_test(tc, pieces);
        tcase_add_test(tc, space_without_room);
        tcase_add_test(tc, threads_share);
        Suite *suite = suite_create("packed");
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
