/* SPDX-License-Identifier: MIT */
#include "../src/test/reader.h"

/* Resources of sample_lime_raw: from 0x20 on, 64 bytes each; the third, fourth and fifth range at 0x60, 0xe0, 0x120. */

static const struct stasis_image_options by_name = { .format = "lime-raw" };

static struct stasis_image *open_joined(void)
{
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        ck_assert_msg(stasis_image_open_memory(sample.at, sample.len, "t", &by_name, &image, &err) == STASIS_OK, "%s",
                      err.text);
        return image;
}

static void is_none(void)
{
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        ck_assert_int_eq(stasis_image_open_memory(sample.at, sample.len, "t", &by_name, &image, &err), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "t: no list of \"System RAM\" in it whose ranges would make up the file");
}

#define TOLD \
        "the file does not say where its bytes were in memory: 3 ranges of \"System RAM\" in the kernel's own list " \
        "of " \
        "resources "

START_TEST(ranges)
{
        sample_lime_raw(&sample);
        struct stasis_image *image = open_joined();
        RUNS(image, { 0x1000, 0x1000, 0 }, { 0x100000, 0x1800, 0x1000 }, { UINT64_C(0x100000000), 0x1000, 0x2800 });
        has_remark(image, TOLD "make up the file to the byte");
        has_no_gap(image);
        ck_assert_uint_eq(byte_at(image, 0x1017ff), 0xa2);
        ck_assert_uint_eq(byte_at(image, UINT64_C(0x100000000)), 0xa3);
        stasis_image_close(image);
}
END_TEST

START_TEST(cut)
{
        sample_lime_raw(&sample);
        sample.len = 0x2000;
        struct stasis_image *image = open_joined();
        RUNS(image, { 0x1000, 0x1000, 0 }, { 0x100000, 0x1000, 0x1000 });
        has_gap(image, 0, 0x101000, 0x800, "cut off: the file ends");
        has_gap(image, 1, UINT64_C(0x100000000), 0x1000, "cut off: the file ends");
        has_remark(image, TOLD "would make up a longer file; this one is read as far as it goes");
        stasis_image_close(image);

        sample.len = 0x11f; /* inside the last of them: the two before it make up no file of this length or more */
        image = open_joined();
        RUNS(image, { 0x1000, 0x11f, 0 });
        stasis_image_close(image);
}
END_TEST

/* A list that does not make it up proves nothing; nor one that contradicts itself. */
START_TEST(no_list)
{
        sample_lime_raw(&sample);
        put_fill(&sample, 0x3800, 1, 0);
        is_none();
        sample.len--;
        put64(&sample, 0xe0, 0x1800);
        put64(&sample, 0xe0 + 8, 0x1fff + 0x1000);
        is_none();
        sample_lime_raw(&sample);
        put64(&sample, 0xe0 + 16, 0xffffffff81f35439); /* of another name */
        is_none();
        sample_lime_raw(&sample);
        put64(&sample, 0xe0 + 24, 0x81000201); /* of other flags */
        is_none();
}
END_TEST

/* What is left of an older copy of the same resource is not another one. */
START_TEST(stale_copy)
{
        sample_lime_raw(&sample);
        memcpy(sample.at + 0x3000, sample.at + 0xe0, 64);
        struct stasis_image *image = open_joined();
        RUNS(image, { 0x1000, 0x1000, 0 }, { 0x100000, 0x1800, 0x1000 }, { UINT64_C(0x100000000), 0x1000, 0x2800 });
        stasis_image_close(image);
}
END_TEST

/* The other builds, members by hand from linux/ioport.h: before 4.6 without desc, 32 bit with PAE and without. */
struct build {
        uint32_t flags;
        unsigned address, pointer, name, flags_at, parent;
};

START_TEST(each_build)
{
        static const struct build builds[] = {
                { 0x81000200, 8, 8, 16, 24, 40 }, { 0x80000200, 8, 8, 16, 24, 32 }, { 0x81000200, 8, 4, 16, 20, 28 },
                { 0x80000200, 8, 4, 16, 20, 24 }, { 0x81000200, 4, 4, 8, 12, 20 },  { 0x80000200, 4, 4, 8, 12, 16 },
        };
        static const uint64_t range[][2] = { { 0x1000, 0x1fff }, { 0x100000, 0x1017ff } };
        const struct build *b = &builds[_i];
        memset(&sample, 0, sizeof sample);
        sample.len = 0x2800;
        for (size_t i = 0; i < 2; i++) {
                size_t at = 0x1401 + 64 * i; /* whatever the holes before it left of its alignment */
                put(&sample, at, range[i][0], b->address);
                put(&sample, at + b->address, range[i][1], b->address);
                put(&sample, at + b->name, UINT64_C(0xffffffffc1f35438), b->pointer);
                put(&sample, at + b->flags_at, b->flags, b->pointer);
                put(&sample, at + b->parent, UINT64_C(0xffffffffc2651c40), b->pointer);
        }
        struct stasis_image *image = open_joined();
        RUNS(image, { 0x1000, 0x1000, 0 }, { 0x100000, 0x1800, 0x1000 });
        stasis_image_close(image);
        sample.len = 0x2000; /* cut: only a flag of its own tells RAM from all else that is taken */
        if (b->flags == 0x80000200)
                is_none();
        else
                stasis_image_close(open_joined());
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("lime-raw");
        TCase *tcase = tcase_create("lime-raw");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, ranges);
        tcase_add_test(tcase, cut);
        tcase_add_test(tcase, no_list);
        tcase_add_test(tcase, stale_copy);
        tcase_add_loop_test(tcase, each_build, 0, 6);
        return run_tests(suite);
}
