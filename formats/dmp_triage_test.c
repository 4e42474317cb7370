/* SPDX-License-Identifier: MIT */
#include "../src/test/reader.h"

#define ALL_HINTS \
        (STASIS_HINT_THREAD | STASIS_HINT_PROCESS | STASIS_HINT_PRCB | STASIS_HINT_STACK | STASIS_HINT_DRIVERS)

static void path_is(struct stasis_bytes path, const char *want)
{
        ck_assert_uint_eq(path.len, 2 * strlen(want));
        for (size_t i = 0; want[i]; i++)
                ck_assert_int_eq(path.at[2 * i], want[i]);
}

START_TEST(triage64)
{
        sample_dmp64_triage(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, triage");
        ck_assert(stasis_image_is_virtual(image));
        has_remark(image, NULL); /* the second copy of the processor block is no contradiction */
        has_no_gap(image);
        RUNS(image, { UINT64_C(0xffff850412345fa0), 0x60, 0x22c0 }, { UINT64_C(0xffffc08b0000001b), 5, 0x2850 },
             { UINT64_C(0xffffc08b00000180), 0x70, 0x2140 }, { UINT64_C(0xffffc08b00001640), 0x100, 0x21c0 },
             { UINT64_C(0xffffc08b00007000), 0x20, 0x2860 }, { UINT64_C(0xfffff80511119180), 0x40, 0x2100 },
             { UINT64_C(0xfffff80512347000), 0x340, 0x2320 }, { UINT64_C(0xfffff80512348000), 0x10, 0x2840 });
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->known & ALL_HINTS, ALL_HINTS);
        ck_assert_uint_eq(h->thread, UINT64_C(0xffffc08b00001640));
        ck_assert_uint_eq(h->process, UINT64_C(0xffffc08b00000180));
        ck_assert_uint_eq(h->prcb, UINT64_C(0xfffff80511119180));
        ck_assert_uint_eq(h->stack, UINT64_C(0xffff850412345fa0));
        ck_assert_uint_eq(h->stack_len, 0x60);
        ck_assert_uint_eq(h->bugcheck, 0x1000007e);
        ck_assert_ptr_eq(h->context.at, sample.at + 0x348);
        ck_assert_uint_eq(h->driver_count, 2);
        ck_assert_uint_eq(h->driver[0].base, UINT64_C(0xfffff80512000000));
        ck_assert_uint_eq(h->driver[0].entry_point, UINT64_C(0xfffff80512000100));
        ck_assert_uint_eq(h->driver[0].size, 0x1046000);
        ck_assert_uint_eq(h->driver[0].timestamp, 0x0d8333e6);
        path_is(h->driver[0].path, "\\nt.ex");
        path_is(h->driver[1].path, "abc");
        stasis_image_close(image);
}
END_TEST

START_TEST(triage32)
{
        sample_dmp32_triage(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, triage");
        ck_assert(stasis_image_is_virtual(image));
        RUNS(image, { 0x80545ce0, 0x290, 0x1200 }, { 0x80550000, 0x100, 0x1500 }, { 0x81fcc020, 0x80, 0x1140 },
             { 0x81fcc830, 0x80, 0x10c0 }, { 0xf7a42fc0, 0x40, 0x11c0 });
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->known & ALL_HINTS, ALL_HINTS & ~(uint32_t)STASIS_HINT_PRCB);
        ck_assert_uint_eq(h->thread, 0x81fcc020);
        ck_assert_uint_eq(h->process, 0x81fcc830);
        ck_assert_uint_eq(h->driver_count, 1);
        ck_assert_uint_eq(h->driver[0].base, 0x804d7000);
        ck_assert_uint_eq(h->driver[0].entry_point, 0x806ab000);
        ck_assert_uint_eq(h->driver[0].size, 0x1f6000);
        ck_assert_uint_eq(h->driver[0].timestamp, 0x41107b0d);
        path_is(h->driver[0].path, "ntoskrnl.exe");
        has_remark(image, "the dump's copy of the processor block is not there, or nothing tells its address");
        stasis_image_close(image);
}
END_TEST

/* Opens the 64-bit sample as it now is. */
static const struct stasis_hints *reopened(struct stasis_image **image)
{
        stasis_image_close(*image);
        *image = open_sample(&sample);
        return stasis_image_hints(*image);
}

START_TEST(what_nothing_tells)
{
        struct stasis_image *image = NULL;
        sample_dmp64_triage(&sample);
        sample.at[0x21c0] = 5; /* no thread: its address is not believed, and it tells of no process */
        ck_assert_uint_eq(reopened(&image)->known & ALL_HINTS,
                          STASIS_HINT_PRCB | STASIS_HINT_STACK | STASIS_HINT_DRIVERS);
        sample.at[0x21c0] = 6;
        sample.at[0x2140] = 4; /* no process */
        ck_assert_uint_eq(reopened(&image)->known & ALL_HINTS, ALL_HINTS & ~(uint32_t)STASIS_HINT_PROCESS);
        sample.at[0x2140] = 3;
        sample.at[0x2848]++; /* KiProcessorBlock does not name the block */
        ck_assert_uint_eq(reopened(&image)->known & ALL_HINTS, ALL_HINTS & ~(uint32_t)STASIS_HINT_PRCB);
        sample.at[0x2848]--;
        sample.at[0x2808]++; /* the block is another processor's */
        ck_assert_uint_eq(reopened(&image)->known & ALL_HINTS, ALL_HINTS & ~(uint32_t)STASIS_HINT_PRCB);
        sample.at[0x2808]--;
        sample.at[0x2330] = 'k'; /* no KDBG: the thread is where x64 has always had it, its process nowhere */
        ck_assert_uint_eq(reopened(&image)->known & ALL_HINTS,
                          STASIS_HINT_THREAD | STASIS_HINT_STACK | STASIS_HINT_DRIVERS);
        stasis_image_close(image);
}
END_TEST

START_TEST(copies_that_differ)
{
        sample_dmp64_triage(&sample);
        sample.at[0x2830] ^= 1;
        struct stasis_image *image = open_sample(&sample);
        has_remark(image, "1 runs claim memory that another one holds, and were trimmed; the first: 0xfffff80511119180 "
                          "(file 0x2800) under 0xfffff80511119180 (file 0x2100)");
        ck_assert_uint_eq(byte_at(image, UINT64_C(0xfffff805111191b0)), 0x11);
        stasis_image_close(image);
}
END_TEST

START_TEST(too_many)
{
        sample_dmp64_triage(&sample);
        put32(&sample, 0x2034, 0x10000000);
        struct stasis_image *image = open_sample(&sample);
        has_remark(image, "268435456 drivers are counted, 3 can be read");
        ck_assert_uint_eq(stasis_image_hints(image)->driver_count, 3);
        stasis_image_close(image);
}
END_TEST

static void name12(size_t at, const char *text)
{
        for (size_t i = 0; text[i]; i++)
                put16(&sample, at + 2 * i, (uint8_t)text[i]);
}

/* Two entries of 0x38 bytes behind eight of the count: length, 12 letters at 10, start 28, end 30. */
START_TEST(unloaded64)
{
        sample_dmp64_triage(&sample);
        put32(&sample, 0x2018, 0x2900);
        put32(&sample, 0x2040, 0x2790); /* the blamed driver: a text of the string pool */
        put32(&sample, 0x2900, 3);
        put16(&sample, 0x2908, 14);
        name12(0x2918, "dam.sys");
        put64(&sample, 0x2930, UINT64_C(0xfffff80487de0000));
        put64(&sample, 0x2938, UINT64_C(0xfffff80487dfc000));
        put16(&sample, 0x2940, 60); /* longer than what is kept of it */
        name12(0x2950, "hwpolicy.sysX");
        put64(&sample, 0x2968, UINT64_C(0xfffff80480300000));
        put64(&sample, 0x2970, UINT64_C(0xfffff80480311000));
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *h = stasis_image_hints(image);
        has_remark(image, "3 unloaded drivers are counted, 2 can be read");
        ck_assert(h->known & STASIS_HINT_UNLOADED && h->known & STASIS_HINT_BROKEN_DRIVER);
        ck_assert_uint_eq(h->unloaded_count, 2);
        ck_assert_str_eq(h->unloaded[0].name, "dam.sys");
        ck_assert_uint_eq(h->unloaded[0].start, UINT64_C(0xfffff80487de0000));
        ck_assert_uint_eq(h->unloaded[0].end, UINT64_C(0xfffff80487dfc000));
        ck_assert_uint_eq(h->unloaded[0].time, 0);
        ck_assert_uint_eq(h->unloaded[0].off, 0x2908);
        ck_assert_uint_eq(h->unloaded[0].va, STASIS_NOWHERE);
        ck_assert_str_eq(h->unloaded[1].name, "hwpolicy.sys");
        ck_assert_str_eq(h->broken_driver, "abc");
        ck_assert_uint_eq(h->stack_off, 0x22c0);
        stasis_image_close(image);
        put32(&sample, 0x2018, 0x2977); /* no room for the count */
        put32(&sample, 0x2040, UINT32_MAX);
        image = open_sample(&sample);
        ck_assert(!(stasis_image_hints(image)->known & (STASIS_HINT_UNLOADED | STASIS_HINT_BROKEN_DRIVER)));
        stasis_image_close(image);
}
END_TEST

/* 0x28 bytes behind four. */
START_TEST(unloaded32)
{
        sample_dmp32_triage(&sample);
        put32(&sample, 0x1018, 0x1700);
        put32(&sample, 0x1700, 1);
        put16(&sample, 0x1704, 14);
        name12(0x170c, "abc\1.sys");
        put32(&sample, 0x1724, 0xf7a00000);
        put32(&sample, 0x1728, 0xf7a08000);
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->unloaded_count, 1);
        ck_assert_str_eq(h->unloaded[0].name, "abc\xef\xbf\xbd.sy"); /* a control character is none of a name */
        ck_assert_uint_eq(h->unloaded[0].start, 0xf7a00000);
        ck_assert_uint_eq(h->unloaded[0].end, 0xf7a08000);
        ck_assert(!(h->known & STASIS_HINT_BROKEN_DRIVER));
        stasis_image_close(image);
}
END_TEST

START_TEST(wrong_places)
{
        sample_dmp64_triage(&sample);
        put64(&sample, 0x27c0, UINT64_MAX - 3); /* a block past the last address */
        struct stasis_image *image = open_sample(&sample);
        has_remark(image, "data block: 0xfffffffffffffffc+0x5 is no virtual address: left out");
        stasis_image_close(image);
        sample_dmp64_triage(&sample);
        put32(&sample, 0x27c8, 0x2882); /* a block past the end of the file */
        image = open_sample(&sample);
        has_gap(image, 0, UINT64_C(0xffffc08b0000001d), 3, "cut off: the file ends");
        stasis_image_close(image);
        sample_dmp32_triage(&sample);
        put32(&sample, 0x104c, 0xffffff01); /* the data page, past the last address of 32 bits */
        image = open_sample(&sample);
        ck_assert_uint_eq(byte_at(image, 0xf7a42fc0), 0x44);
        size_t remarks;
        ck_assert_str_eq(stasis_image_remarks(image, &remarks)[1],
                         "data page: 0xffffff01+0x100 is no virtual address: left out");
        stasis_image_close(image);
        sample_dmp64_triage(&sample);
        sample.at[0x2883] = 'd';
        image = open_sample(&sample);
        has_remark(image, "the mark at the end of the dump (TRGD) is not there: it was not finished, or is cut off");
        stasis_image_close(image);
        sample_dmp64_triage(&sample);
        put32(&sample, 0x2780, 0x10000); /* a path that is none */
        image = open_sample(&sample);
        ck_assert_ptr_null(stasis_image_hints(image)->driver[0].path.at);
        path_is(stasis_image_hints(image)->driver[1].path, "abc");
        stasis_image_close(image);
        sample_dmp64_triage(&sample);
        sample.len = 0x207f;
        fails(&sample, STASIS_CORRUPT, "t: cut off inside the triage header");
}
END_TEST

/* Memory without page tables: byte by byte what the runs hold. */
START_TEST(flat_space)
{
        const uint64_t odd = UINT64_C(0xffffc08b0000001b), thread = UINT64_C(0xffffc08b00001640);
        struct stasis_space *space;
        struct stasis_walk walk;
        uint8_t bytes[8] = { 0 };
        sample_dmp64_triage(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_int_eq(stasis_space_open(image, "x64", 0x1aa000, &space, NULL), STASIS_USAGE);
        ck_assert_int_eq(stasis_space_open(image, "flat", 0x1aa000, &space, NULL), STASIS_OK);
        ck_assert_str_eq(stasis_space_mode(space), "flat");
        ck_assert_int_eq(stasis_space_read(space, odd, bytes, 5), STASIS_OK);
        ck_assert_int_eq(bytes[4], 0x55);
        ck_assert_int_eq(stasis_space_read(space, odd - 1, bytes, 2), STASIS_IO);
        ck_assert_int_eq(stasis_space_read(space, odd, bytes, 6), STASIS_IO);
        ck_assert_int_eq(stasis_space_read(space, thread + 0xf8, bytes, 8), STASIS_OK);
        ck_assert_int_eq(stasis_space_read(space, UINT64_C(0x0400000000000000), bytes, 1), STASIS_CORRUPT);
        ck_assert_int_eq(stasis_space_walk(space, odd + 4, &walk), STASIS_OK);
        ck_assert_uint_eq(walk.pa, odd + 4);
        ck_assert_uint_eq(walk.depth, 0);
        ck_assert_int_eq(stasis_space_walk(space, odd + 5, &walk), STASIS_IO);
        ck_assert_uint_eq(walk.pa, STASIS_NOWHERE);
        stasis_space_close(space);
        stasis_image_close(image);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("dmp-triage");
        TCase *tests = tcase_create("all");
        tcase_add_test(tests, triage64);
        tcase_add_test(tests, triage32);
        tcase_add_test(tests, what_nothing_tells);
        tcase_add_test(tests, copies_that_differ);
        tcase_add_test(tests, too_many);
        tcase_add_test(tests, unloaded64);
        tcase_add_test(tests, unloaded32);
        tcase_add_test(tests, wrong_places);
        tcase_add_test(tests, flat_space);
        suite_add_tcase(suite, tests);
        return run_tests(suite);
}
