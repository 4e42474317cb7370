/* SPDX-License-Identifier: MIT */
/*
 * Every small image cut at every length, and with every byte of its headers changed in several ways: no crash, a sane
 * status with a line that says why, and of whatever opens all that must be true (invariants.c). The bytes are copied
 * into an allocation of exactly their size, so that a sanitizer sees one byte too far.
 *
 * `sweep --write DIR` writes the samples as seeds for the fuzz targets: DIR/<format>/<name>.
 */
#include <stdio.h>

#include "reader.h"

static void try_bytes(const uint8_t *at, size_t len, const struct sample_kind *kind, const char *what, size_t where)
{
        const struct stasis_image_options options = { .format = kind->format };
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        enum stasis_status status = stasis_image_open_memory(at, len, "t", &options, &image, &err);
        const char *broken = status == STASIS_OK ? image_broken(image, at, len) : failure_broken(status, &err);
        stasis_image_close(image);
        ck_assert_msg(!broken, "%s, %s %zu: %s", kind->name, what, where, broken);
}

/* Inside a long stretch of zeros (a block's tail, a bitmap) one place in 64 stands for its neighbours. */
static bool is_filler(size_t at)
{
        static const uint8_t zeros[256];
        size_t half = sizeof zeros / 2;
        return at % 64 && at >= half && at + half <= sample.len &&
               memcmp(sample.at + at - half, zeros, sizeof zeros) == 0;
}

START_TEST(cut_everywhere)
{
        const struct sample_kind *kind = &sample_kinds[_i];
        kind->build(&sample);
        /* From the first page on, lengths differ only in where the data ends: steps do. */
        for (size_t len = 0; len < sample.len; len += len < sample.header + 64 ? 1 : 61) {
                if (len < sample.header && is_filler(len))
                        continue;
                uint8_t *copy = malloc(len ? len : 1);
                ck_assert_ptr_nonnull(copy);
                memcpy(copy, sample.at, len);
                try_bytes(copy, len, kind, "cut at", len);
                free(copy);
        }
}
END_TEST

START_TEST(flip_everywhere)
{
        static const uint8_t masks[] = { 0x01, 0x80, 0xff, 0x7f };
        const struct sample_kind *kind = &sample_kinds[_i];
        kind->build(&sample);
        uint8_t *copy = malloc(sample.len);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, sample.at, sample.len);
        for (size_t at = 0; at < sample.header; at++) {
                if (is_filler(at))
                        continue;
                for (size_t i = 0; i < sizeof masks; i++) {
                        copy[at] = sample.at[at] ^ masks[i];
                        try_bytes(copy, sample.len, kind, "changed at", at);
                }
                copy[at] = 0;
                try_bytes(copy, sample.len, kind, "cleared at", at);
                copy[at] = sample.at[at];
        }
        free(copy);
}
END_TEST

/* Eight bytes at a time take the values on which arithmetic breaks. */
START_TEST(extremes_everywhere)
{
        static const uint64_t values[] = { 0,
                                           UINT64_MAX,
                                           UINT64_MAX - 0xfff,
                                           INT64_MAX,
                                           UINT64_C(1) << 63,
                                           UINT32_MAX,
                                           UINT64_C(0x4547415045474150) };
        const struct sample_kind *kind = &sample_kinds[_i];
        kind->build(&sample);
        uint8_t *copy = malloc(sample.len);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, sample.at, sample.len);
        for (size_t at = 0; at + 8 <= sample.header; at += 4) {
                if (is_filler(at))
                        continue;
                for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
                        memcpy(copy + at, &values[i], 8);
                        try_bytes(copy, sample.len, kind, "extreme at", at);
                }
                memcpy(copy + at, sample.at + at, 8);
        }
        free(copy);
}
END_TEST

static int write_seeds(const char *dir)
{
        for (const struct sample_kind *kind = sample_kinds; kind->name; kind++) {
                char path[4096];
                snprintf(path, sizeof path, "%s/%s/%s", dir, kind->format, kind->name);
                kind->build(&sample);
                FILE *f = fopen(path, "wb");
                if (!f || fwrite(sample.at, sample.len, 1, f) != 1 || fclose(f) != 0) {
                        perror(path);
                        return 1;
                }
        }
        return 0;
}

int main(int argc, char **argv)
{
        if (argc == 3 && strcmp(argv[1], "--write") == 0)
                return write_seeds(argv[2]);
        int kinds = 0;
        while (sample_kinds[kinds].name)
                kinds++;
        Suite *suite = suite_create("sweep");
        TCase *tcase = tcase_create("sweep");
        suite_add_tcase(suite, tcase);
        tcase_set_timeout(tcase, 120);
        tcase_add_loop_test(tcase, cut_everywhere, 0, kinds);
        tcase_add_loop_test(tcase, flip_everywhere, 0, kinds);
        tcase_add_loop_test(tcase, extremes_everywhere, 0, kinds);
        return run_tests(suite);
}
