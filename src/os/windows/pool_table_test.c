/* SPDX-License-Identifier: MIT */
/*
 * Large blocks of pool: the table in each of its forms, found by its shape, told from what is none, and what a scan for
 * threads makes of it. Entries are spelled out: Va, Key, and behind it what each version has.
 */
#include "pool_table.h"

#include "../../test/tiny_system.h"

#define THREAD_TAG 0xe5726854u /* "Thr\xe5" */
#define MASK 0x7fffffffu
#define PAGES 4

static uint64_t table;
static struct pool_table got;

static uint64_t either(uint64_t x86, uint64_t x64) { return t.is64 ? x64 : x86; }

struct form {
        unsigned size, len_at, len_size;
        bool pages;
        uint32_t build;
};

static const struct form forms[2][4] = {
        { { 8, 0, 0, false, 2600 }, { 12, 8, 4, true, 3790 }, { 16, 8, 4, true, 3790 }, { 16, 12, 4, false, 6002 } },
        { { 16, 12, 4, true, 3790 },
          { 24, 16, 8, false, 7601 },
          { 24, 16, 8, false, 19041 },
          { 32, 16, 8, false, 20348 } },
};
#define FORMS 4

/* That of the tiny system's own version. */
static const struct form *own(void) { return &forms[t.is64][t.is64 ? 2 : 1]; }

static void build(bool is64)
{
        tiny_build(&t, is64);
        table = t.is64 ? UINT64_C(0xffffb00000200000) : 0xe1200000;
        world_map(&t.world, table, PAGES * 0x1000);
        tiny_pointer(&t, t.kernel + 0x2f40, table); /* a word of the kernel's data */
}

static void put(const struct form *f, size_t index, uint64_t va, uint32_t key, uint64_t bytes)
{
        uint64_t at = table + index * f->size;
        tiny_pointer(&t, at, va);
        world_u(&t.world, at + t.pointer, 4, key);
        if (f->len_size)
                world_u(&t.world, at + f->len_at, f->len_size, f->pages ? bytes / 0x1000 : bytes);
        if (f->size == 32) /* ProcessBilled */
                world_u(&t.world, at + 24, 8, t.process[TINY_ALPHA]);
        if (f->size == 16 && f->pages && !t.is64) /* QuotaObject */
                world_u(&t.world, at + 12, 4, t.process[TINY_ALPHA]);
        if (f->size >= 24) /* Pattern, PoolType, SlushSize */
                world_u(&t.world, at + 12, 4, 0x12300200 + (uint32_t)index);
}

static uint64_t block(unsigned n) { return either(0x82300000, UINT64_C(0xffffc60012800000)) + n * UINT64_C(0x10000); }

/* One of each kind, spread as a hash does, and entries that were never used. */
static void put_all(const struct form *f)
{
        for (size_t i = 0; i < 60; i += 7)
                put(f, i, 1, 0, 0);
        put(f, 3, block(0), 0x6c6f6f50, 0x3000); /* "Pool" */
        put(f, 11, block(1), THREAD_TAG, 0x2000);
        put(f, 29, block(2), 0x20206d4d, 0x1000); /* "Mm  " */
        put(f, 40, block(3) | 1, 0x65726854, 0x5000);
        put(f, 131, block(4), THREAD_TAG, 0x1000);
        put(f, 132, block(5), 0x00444d43, 0x1000); /* "CMD" */
}

static void read_as(uint32_t build_number)
{
        if (!sys)
                sys_open();
        struct windows *w = sys->priv;
        w->version.build = build_number;
        pool_table_free(&got);
        ck_assert_int_eq(pool_table_read(w, THREAD_TAG, MASK, &got), STASIS_OK);
}

static void expect_blocks(const struct form *f)
{
        ck_assert_uint_eq(got.va, table);
        ck_assert_uint_eq(got.count, 3);
        ck_assert(got.block[0].va == block(1) && got.block[1].va == block(3) && got.block[2].va == block(4));
        ck_assert(!got.block[0].freed && got.block[1].freed && !got.block[2].freed);
        ck_assert_uint_eq(got.block[0].len, f->len_size ? 0x2000 : 0x1000);
        ck_assert_uint_eq(got.block[1].len, f->len_size ? 0x5000 : 0x1000);
}

START_TEST(every_form)
{
        for (size_t i = 0; i < FORMS; i++) {
                build(_i);
                put_all(&forms[_i][i]);
                read_as(forms[_i][i].build);
                expect_blocks(&forms[_i][i]);
                ck_assert(sys_traced("pool-table", true, "(by its shape)"));
                read_as(0); /* of a version that nothing tells */
                expect_blocks(&forms[_i][i]);
                sys_close();
        }
        pool_table_free(&got);
}
END_TEST

/* The entries of one version are none of another's. */
START_TEST(other_version)
{
        build(_i);
        put_all(&forms[_i][3]);
        read_as((uint32_t)either(3790, 7601));
        ck_assert(got.va == 0 || got.count != 3 || got.block[1].len != 0x5000);
        sys_close();
        build(_i);
        put_all(&forms[_i][0]);
        read_as((uint32_t)either(6002, 20348));
        ck_assert_uint_eq(got.va, 0);
        ck_assert(sys_traced("pool-table", false, "no word of the kernel's data"));
        pool_table_free(&got);
}
END_TEST

static const struct {
        uint64_t x86, x64; /* Va */
        uint32_t key;
        uint64_t len;
} strange[] = {
        { 0x82300800, UINT64_C(0xffffc60012800800), THREAD_TAG, 0x1000 }, /* no page */
        { 0x72300000, UINT64_C(0x0000760012800000), THREAD_TAG, 0x1000 }, /* not the kernel's */
        { 0x82300000, UINT64_C(0xffffc60012800000), 0x65726806, 0x1000 }, /* no tag */
        { 0x82300000, UINT64_C(0xffffc60012800000), 0x65728054, 0x1000 },
        { 0x82300000, UINT64_C(0xffffc60012800000), 0x65720054, 0x1000 }, /* an end in the middle */
        { 0x82300000, UINT64_C(0xffffc60012800000), 0xff726854, 0x1000 },
        { 0x82300000, UINT64_C(0xffffc60012800000), 0, 0x1000 },
        { 0x82300000, UINT64_C(0xffffc60012800000), THREAD_TAG, 0 }, /* of no length */
};

/* A table in use may have an odd entry among many, and that one is passed over; one that has more is none. */
START_TEST(strange_entries)
{
        for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
                build(_i);
                put_all(own());
                for (unsigned n = 0; n < 12; n++)
                        put(own(), 70 + n, block(20 + n), 0x20206d4d, 0x1000);
                put(own(), 50, either(strange[i].x86, strange[i].x64), strange[i].key, strange[i].len);
                read_as(own()->build);
                expect_blocks(own());
                sys_close();
                build(_i);
                put_all(own());
                put(own(), 50, either(strange[i].x86, strange[i].x64), strange[i].key, strange[i].len);
                read_as(own()->build);
                ck_assert_msg(got.va == 0, "strange entry %zu is one of a table", i);
                sys_close();
        }
        pool_table_free(&got);
}
END_TEST

/* Lengths that no block has. */
START_TEST(too_long)
{
        build(1);
        put_all(own());
        put(own(), 50, block(6), THREAD_TAG, UINT64_C(1) << 41);
        read_as(own()->build);
        ck_assert_uint_eq(got.va, 0);
        sys_close();
        build(1);
        put_all(own());
        put(own(), 50, UINT64_C(0xfffffffffffff000), THREAD_TAG, 0x2000);
        read_as(own()->build);
        ck_assert_uint_eq(got.va, 0);
        pool_table_free(&got);
}
END_TEST

/* Too few entries to tell it by, and pages that are all zero. */
START_TEST(too_few)
{
        build(_i);
        read_as(own()->build);
        ck_assert_uint_eq(got.va, 0);
        sys_close();
        build(_i);
        put(own(), 3, block(0), 0x6c6f6f50, 0x3000);
        put(own(), 11, block(1), THREAD_TAG, 0x2000);
        read_as(own()->build);
        ck_assert_uint_eq(got.va, 0);
        sys_close();
        build(_i);
        put(own(), 3, block(0), 0x6c6f6f50, 0x3000);
        put(own(), 11, block(1), THREAD_TAG, 0x2000);
        put(own(), 200, block(2), 0x6c6f6f50, 0x3000);
        read_as(own()->build);
        ck_assert_uint_eq(got.va, table);
        ck_assert_uint_eq(got.count, 1);
        pool_table_free(&got);
}
END_TEST

/* Of two words that lead to tables, the one of which more is in use; what lies behind a table is not read as one. */
START_TEST(best_and_end)
{
        build(_i);
        put_all(own());
        uint64_t first = table;
        table += 0x20000;
        world_map(&t.world, table, 0x1000);
        tiny_pointer(&t, t.kernel + 0x2f60, table);
        for (unsigned n = 0; n < 4; n++)
                put(own(), n, block(40 + n), THREAD_TAG, 0x1000);
        table = first;
        world_u(&t.world, table + 0x3000 + 0x400, 4, 0x82345678); /* the last page is another thing's */
        read_as(own()->build);
        expect_blocks(own());
        pool_table_free(&got);
}
END_TEST

/* ---------------------------------------------------------------- which block */

START_TEST(lookup)
{
        struct pool_block blocks[] = { { 0x1000, 0x1000, false },
                                       { 0x4000, 0x3000, true },
                                       { 0x5000, 0x1000, false },
                                       { 0x9000, 0x800, false },
                                       { 0x9000, 0x1000, true } };
        const struct pool_table some = { .block = blocks, .count = 5 };
        ck_assert(pool_table_block(&some, 0xfff) == NULL);
        ck_assert(pool_table_block(&some, 0x1000) == &blocks[0]);
        ck_assert(pool_table_block(&some, 0x1fff) == &blocks[0]);
        ck_assert(pool_table_block(&some, 0x2000) == NULL);
        ck_assert(pool_table_block(&some, 0x4000) == &blocks[1]);
        ck_assert(pool_table_block(&some, 0x5000) == &blocks[2]);
        ck_assert(pool_table_block(&some, 0x6fff) == &blocks[1]);
        ck_assert(pool_table_block(&some, 0x7000) == NULL);
        ck_assert(pool_table_block(&some, 0x97ff) == &blocks[3]);
        ck_assert(pool_table_block(&some, 0x9800) == &blocks[4]);
        ck_assert(pool_table_block(&some, UINT64_MAX) == NULL);
        ck_assert(pool_table_block(&(struct pool_table){ 0 }, 0x1000) == NULL);
}
END_TEST

/* ---------------------------------------------------------------- what the scan makes of it */

static void expect_scanned(const char *sources, const char *why)
{
        const struct stasis_system_options everything = { .every_source = true };
        ck_assert_int_eq(sys_open_with(&everything), STASIS_OK);
        expect_text(thread_fact(TINY_HIDDEN, "sources"), sources);
        expect_text(thread_fact(TINY_HIDDEN, "hidden"), why);
        sys_close();
}

START_TEST(thread_in_large_block)
{
        uint64_t page;
        build(_i);
        page = t.thread[TINY_HIDDEN] & ~UINT64_C(0xfff);
        put_all(own());
        expect_scanned("header-scan", "scan-only");
        build(_i);
        put_all(own());
        put(own(), 50, page, THREAD_TAG, 0x2000);
        expect_scanned("header-scan\npool-scan", "scan-only");
        build(_i);
        put_all(own());
        put(own(), 50, page | 1, THREAD_TAG, 0x2000);
        expect_scanned("header-scan\npool-scan", "freed");
        build(_i);
        put_all(own());
        put(own(), 50, page, 0x20206d4d, 0x2000); /* somebody else's */
        expect_scanned("header-scan", "scan-only");
}
END_TEST

int main(void)
{
        const TTest *const both[] = { every_form, other_version, strange_entries,
                                      too_few,    best_and_end,  thread_in_large_block };
        const TTest *const single[] = { too_long, lookup };
        return sys_main("pool_table", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
