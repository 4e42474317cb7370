/* SPDX-License-Identifier: MIT */
/* What every reader's test needs: open a sample, look at runs, gaps, remarks. Test programs only; uses check. */
#ifndef STASIS_TEST_READER_H
#define STASIS_TEST_READER_H

#include <check.h>
#include <stdlib.h>

#include "invariants.h"
#include "samples.h"

static inline struct stasis_image *open_sample(const struct sample *s)
{
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        ck_assert_msg(stasis_image_open_memory(s->at, s->len, "t", NULL, &image, &err) == STASIS_OK, "%s", err.text);
        const char *broken = image_broken(image, s->at, s->len);
        ck_assert_msg(!broken, "%s", broken);
        return image;
}

/* The text must be exactly this, without the name of the file. */
static inline void fails(const struct sample *s, enum stasis_status want, const char *text)
{
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        ck_assert_int_eq(stasis_image_open_memory(s->at, s->len, "t", NULL, &image, &err), want);
        ck_assert_ptr_null(image);
        ck_assert_str_eq(err.text, text);
        ck_assert_int_eq(stasis_image_open_memory(s->at, s->len, "t", NULL, &image, NULL), want);
}

struct want {
        uint64_t pa, len, off;
};

static inline void has_runs(const struct stasis_image *image, size_t count, const struct want *want)
{
        size_t have;
        const struct stasis_run *run = stasis_image_runs(image, &have);
        ck_assert_uint_eq(have, count);
        for (size_t i = 0; i < count; i++) {
                ck_assert_uint_eq(run[i].pa, want[i].pa);
                ck_assert_uint_eq(run[i].len, want[i].len);
                ck_assert_uint_eq(run[i].off, want[i].off);
        }
}

static inline void has_gap(const struct stasis_image *image, size_t index, uint64_t pa, uint64_t len, const char *why)
{
        size_t have;
        const struct stasis_gap *gap = stasis_image_gaps(image, &have);
        ck_assert_uint_lt(index, have);
        ck_assert_uint_eq(gap[index].pa, pa);
        ck_assert_uint_eq(gap[index].len, len);
        ck_assert_str_eq(gap[index].why, why);
}

static inline void has_no_gap(const struct stasis_image *image)
{
        size_t have;
        (void)stasis_image_gaps(image, &have);
        ck_assert_uint_eq(have, 0);
}

/* Exactly these remarks; NULL: none. */
static inline void has_remark(const struct stasis_image *image, const char *text)
{
        size_t have;
        const char *const *remark = stasis_image_remarks(image, &have);
        ck_assert_uint_eq(have, text ? 1 : 0);
        if (text)
                ck_assert_str_eq(remark[0], text);
}

static inline uint8_t byte_at(const struct stasis_image *image, uint64_t pa)
{
        uint8_t byte = 0;
        ck_assert_int_eq(stasis_image_read(image, pa, &byte, 1), STASIS_OK);
        return byte;
}

static inline int run_tests(Suite *suite)
{
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}

/* The sample is large: one for all tests of a program, each of which runs in its own process anyway. */
static struct sample sample;

#define RUNS(image, ...) \
        has_runs(image, sizeof((struct want[]){ __VA_ARGS__ }) / sizeof(struct want), (struct want[]){ __VA_ARGS__ })

#endif
