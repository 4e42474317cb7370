/* SPDX-License-Identifier: MIT */
/*
 * Entries of every form, written out bit by bit from the public structures (_HANDLE_TABLE_ENTRY of each PDB), and
 * tables of one, two and three levels, whole, hostile, and with pages missing.
 */
#include "handle_table.h"

#include <check.h>
#include <stdlib.h>

#include "../../test/world.h"

static struct world world;
static struct handle_format format;

static void put_le(uint8_t *at, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                at[i] = (uint8_t)(value >> 8 * i);
}

static void bind_paged(const char *layout, const struct stasis_paging *paging)
{
        const struct stasis_layout *l = stasis_layout_by_name(layout);
        ck_assert_msg(l != NULL, "%s", layout);
        ck_assert(handle_format_bind(l, paging, &format));
}

static void bind(const char *layout)
{
        bool is64 = strstr(layout, "x64") != NULL;
        bind_paged(layout, is64 ? &stasis_paging_x64 : &stasis_paging_pae);
}

static struct handle_entry entry(uint64_t low, uint64_t high)
{
        struct handle_entry e = { 0 };
        uint8_t bytes[16];
        put_le(bytes, format.entry_size / 2u, low);
        put_le(bytes + format.entry_size / 2u, format.entry_size / 2u, high);
        ck_assert(handle_entry_decode(&format, bytes, &e));
        return e;
}

static void expect(uint64_t low, uint64_t high, uint64_t object, uint32_t access, uint8_t attributes)
{
        struct handle_entry e = entry(low, high);
        ck_assert_msg(e.object == object, "0x%llx, not 0x%llx", (unsigned long long)e.object,
                      (unsigned long long)object);
        ck_assert_uint_eq(e.access, access);
        ck_assert_uint_eq(e.attributes, attributes);
}

static void expect_free(uint64_t low, uint64_t high)
{
        struct handle_entry e = { .object = 1 };
        uint8_t bytes[16];
        put_le(bytes, format.entry_size / 2u, low);
        put_le(bytes + format.entry_size / 2u, format.entry_size / 2u, high);
        ck_assert(!handle_entry_decode(&format, bytes, &e));
        ck_assert_uint_eq(e.object, 1);
}

/* ---------------------------------------------------------------- entries */

/* The pointer, its lowest bit set while nobody holds the entry; ObpAccessProtectCloseBit is 0x02000000. */
START_TEST(until_7)
{
        static const char *const x86[] = { "5.1.2600.2180-x86", "5.2.3790.1830-x86", "6.0.6000.16386-x86",
                                           "6.1.7601.17514-x86" };
        static const char *const x64[] = { "5.2.3790.1830-x64", "6.0.6001.18000-x64", "6.1.7601.24540-x64" };
        for (size_t i = 0; i < sizeof x86 / sizeof *x86; i++) {
                bind(x86[i]);
                expect(0x81234569, 0x021f03ff, 0x81234568, 0x1f03ff, 0);
                expect(0x81234568, 0x1f03ff, 0x81234568, 0x1f03ff, 0); /* held */
                expect(0x81234568 | 1 | 2 | 4, 0x3, 0x81234568, 3, 6);
                expect_free(0, 0x1234);
                expect_free(1, 0x1234); /* only its lock bit */
                ck_assert_uint_eq(format.body, 0x18);
        }
        for (size_t i = 0; i < sizeof x64 / sizeof *x64; i++) {
                bind(x64[i]);
                expect(0xfffffa8001234573, 0x1fffff, 0xfffffa8001234570, 0x1fffff, 2);
                expect_free(0, 0x1234);
                ck_assert_uint_eq(format.body, 0x30);
        }
}
END_TEST

/* Unlocked 0, RefCnt 1+19, Attributes 20+3, ObjectPointerBits 23+41: addresses of 44 bits, and four below are left out.
 */
START_TEST(eight_x64)
{
        static const char *const names[] = { "6.2.9200.16384-x64", "6.2.9200.16384-x64-verg" };
        for (size_t i = 0; i < 2; i++) {
                bind(names[i]);
                /* 0xfffffa8001234570: its bits 4..44 are 0x1a800123457 */
                expect(UINT64_C(0x1a800123457) << 23 | 1 << 20 | 0x3ffff << 1 | 1, 0x1fffff, 0xfffffa8001234570,
                       0x1fffff, 2);
                expect(UINT64_C(0x1a800123457) << 23, 0x021fffff, 0xfffffa8001234570, 0x1fffff, 0);
                expect_free(0, 0x44);
        }
}
END_TEST

/* Unlocked 0, RefCnt 1+16, Attributes 17+3, ObjectPointerBits 20+44. */
START_TEST(later_x64)
{
        static const char *const names[] = { "6.3.9600.16384-x64", "6.3.9600.20666-x64",  "10.0.10240.16384-x64",
                                             "10.0.14393.0-x64",   "10.0.19041.1237-x64", "10.0.22631.2428-x64" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                bind(names[i]);
                /* 0xffffb00712345680: bits 4..47 are 0xb0071234568 */
                expect(UINT64_C(0xb0071234568) << 20 | 3 << 17 | 0x7fff << 1 | 1, 0x1fffff, 0xffffb00712345680,
                       0x1fffff, 6);
                expect(UINT64_C(0xb0071234568) << 20, 0xfe000003, 0xffffb00712345680, 3, 0);
                expect_free(1, 0x44);
        }
}
END_TEST

/* Unlocked 0, Attributes 1+2, ObjectPointerBits 3+29. */
START_TEST(later_x86)
{
        static const char *const names[] = { "6.2.9200.16384-x86", "6.3.9600.17031-x86", "10.0.19041.1-x86" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                bind(names[i]);
                expect(0x8a345678 | 1, 0x1fffff, 0x8a345678, 0x1fffff, 0);
                expect(0x8a345678 | 2, 0xfe1fffff, 0x8a345678, 0x1fffff, 2);
                expect_free(7, 0x44);
        }
}
END_TEST

/* Five levels: Attributes from 8, ObjectPointerBits from 11, in the layout of the four-level twin. */
START_TEST(la57)
{
        bind_paged("10.0.20348.288-x64", &stasis_paging_la57);
        /* 0xff12b00712345680: bits 4..56 are 0x112b0071234568 */
        expect(UINT64_C(0x112b0071234568) << 11 | 1 << 8 | 0x3f << 1 | 1, 0x1fffff, 0xff12b00712345680, 0x1fffff, 2);
        expect_free(1, 0x44);
        bind("10.0.20348.288-x64");
        ck_assert_uint_eq(entry(UINT64_C(0x112b0071234568) << 11, 0).object,
                          0xffff895803891a20); /* not as the others */
}
END_TEST

START_TEST(no_tables)
{
        struct handle_format untouched = { .pointer_size = 9 };
        ck_assert(!handle_format_bind(stasis_layout_by_name("4.0.1381.0-x86-partial"), &stasis_paging_x86, &untouched));
        ck_assert(!handle_format_bind(stasis_layout_by_name("5.0.2195.0-x86-partial"), &stasis_paging_x86, &untouched));
        ck_assert_uint_eq(untouched.pointer_size, 9);
}
END_TEST

/* ---------------------------------------------------------------- tables */

#define TABLE UINT64_C(0xfffff8a000000000)
#define PAGE(n) (TABLE + UINT64_C(0x1000) * (n))
#define OBJECT(n) (UINT64_C(0xfffffa8000000000) + UINT64_C(0x100) * (n))

static struct handle_entry seen[64];
static size_t seen_count;
static enum stasis_status seen_stop;

static enum stasis_status see(void *ctx, const struct handle_entry *e)
{
        ck_assert_ptr_eq(ctx, &world);
        if (seen_count < sizeof seen / sizeof *seen)
                seen[seen_count] = *e;
        seen_count++;
        return seen_stop;
}

/* 7's: TableCode at 0, entries of 16 bytes, 256 a page, 512 pointers a page. */
static void start(unsigned level, uint64_t pages)
{
        bind("6.1.7601.17514-x64");
        world_start(&world, PT_X64);
        world_map(&world, TABLE, UINT64_C(0x1000) * pages);
        world_u(&world, TABLE, 8, PAGE(1) | level);
        seen_count = 0;
        seen_stop = STASIS_OK;
}

static void put_entry(uint64_t page, unsigned index, unsigned object)
{
        world_u(&world, page + 16 * index, 8, OBJECT(object) | 1);
        world_u(&world, page + 16 * index + 8, 8, 0x100 + object);
}

static struct handle_walk walk(size_t max)
{
        struct handle_walk walk;
        ck_assert_int_eq(handle_table_walk(&world.space, &format, TABLE, max, see, &world, &walk), STASIS_OK);
        return walk;
}

static void expect_seen(size_t i, uint64_t handle, unsigned object, uint64_t va)
{
        ck_assert_uint_lt(i, seen_count);
        ck_assert_uint_eq(seen[i].handle, handle);
        ck_assert_uint_eq(seen[i].object, OBJECT(object));
        ck_assert_uint_eq(seen[i].access, 0x100 + object);
        ck_assert_uint_eq(seen[i].va, va);
}

static void expect_lookup(uint64_t handle, unsigned object)
{
        struct handle_entry e;
        ck_assert_int_eq(handle_table_lookup(&world.space, &format, TABLE, handle, &e), STASIS_OK);
        ck_assert_uint_eq(e.handle, handle & ~UINT64_C(3));
        ck_assert_uint_eq(e.object, OBJECT(object));
}

static void expect_no_handle(uint64_t handle, enum stasis_status status)
{
        struct handle_entry e = { .object = 1 };
        ck_assert_int_eq(handle_table_lookup(&world.space, &format, TABLE, handle, &e), status);
        ck_assert_uint_eq(e.object, 1);
}

START_TEST(one_level)
{
        start(0, 2);
        put_entry(PAGE(1), 0, 9); /* the page's own: no handle */
        put_entry(PAGE(1), 1, 1);
        put_entry(PAGE(1), 255, 2);
        struct handle_walk w = walk(0);
        ck_assert_uint_eq(w.entries, 2);
        ck_assert_uint_eq(w.pages, 1);
        ck_assert(!w.missing && !w.cut);
        expect_seen(0, 4, 1, PAGE(1) + 16);
        expect_seen(1, 1020, 2, PAGE(1) + 4080);
        expect_lookup(4, 1);
        expect_lookup(7, 1); /* the low two bits of a handle are the caller's */
        expect_lookup(1020, 2);
        expect_no_handle(0, STASIS_ABSENT);
        expect_no_handle(8, STASIS_ABSENT);
        expect_no_handle(1028, STASIS_ABSENT); /* no second page */
        expect_no_handle(UINT64_MAX, STASIS_ABSENT);
        world_end(&world);
}
END_TEST

/* The second of three pages is not there: the others are walked, and the loss is told. */
START_TEST(two_levels)
{
        start(1, 5);
        world_u(&world, PAGE(1), 8, PAGE(2));
        world_u(&world, PAGE(1) + 8, 8, PAGE(3));
        world_u(&world, PAGE(1) + 16, 8, PAGE(4));
        put_entry(PAGE(2), 5, 1);
        put_entry(PAGE(3), 5, 2);
        put_entry(PAGE(4), 0, 9);
        put_entry(PAGE(4), 5, 3);
        struct handle_walk w = walk(0);
        ck_assert_uint_eq(w.pages, 3);
        expect_seen(1, 1044, 2, PAGE(3) + 80);
        expect_seen(2, 2068, 3, PAGE(4) + 80);
        ck_assert_uint_eq(seen_count, 3);
        expect_lookup(2068, 3);
        expect_no_handle(2048, STASIS_ABSENT);
        world_unmap(&world, PAGE(3));
        stasis_space_init(&world.space, world.image, &stasis_paging_x64, world.space.root);
        seen_count = 0;
        w = walk(0);
        ck_assert_uint_eq(seen_count, 2);
        ck_assert_uint_eq(w.pages, 2);
        ck_assert_uint_eq(w.missing, 1);
        ck_assert_uint_eq(w.missing_at, PAGE(3));
        expect_no_handle(1044, STASIS_ABSENT);
        world_end(&world);
}
END_TEST

START_TEST(three_levels)
{
        start(2, 6);
        world_u(&world, PAGE(1), 8, PAGE(2));      /* handles from 0 */
        world_u(&world, PAGE(1) + 16, 8, PAGE(3)); /* from 2 * 512 * 1024 */
        world_u(&world, PAGE(2), 8, PAGE(4));
        world_u(&world, PAGE(3) + 511 * 8, 8, PAGE(5));
        world_u(&world, PAGE(1) + 128 * 8, 8, PAGE(3)); /* past what 24 bits can name */
        put_entry(PAGE(4), 1, 1);
        put_entry(PAGE(5), 255, 2);
        struct handle_walk w = walk(0);
        ck_assert_uint_eq(w.pages, 2);
        ck_assert_uint_eq(seen_count, 2);
        expect_seen(0, 4, 1, PAGE(4) + 16);
        expect_seen(1, (UINT64_C(3) * 512 * 256 - 1) * 4, 2, PAGE(5) + 4080);
        expect_lookup((UINT64_C(3) * 512 * 256 - 1) * 4, 2);
        expect_no_handle(UINT64_C(512) * 1024 + 4, STASIS_ABSENT); /* a hole in the top page */
        expect_no_handle(UINT64_C(128) * 512 * 1024 + 4, STASIS_ABSENT);
        world_end(&world);
}
END_TEST

/* Every pointer of a hostile table leads to one page: the bound ends it. A page of pointers that names itself, too. */
START_TEST(bounded)
{
        start(1, 3);
        for (unsigned i = 0; i < 512; i++)
                world_u(&world, PAGE(1) + 8 * i, 8, PAGE(2));
        put_entry(PAGE(2), 1, 1);
        struct handle_walk w = walk(7);
        ck_assert(w.cut);
        ck_assert_uint_eq(w.pages, 7);
        ck_assert_uint_eq(seen_count, 7);
        w = walk(0);
        ck_assert(!w.cut);
        ck_assert_uint_eq(w.pages, 512);
        for (unsigned i = 0; i < 512; i++)
                world_u(&world, PAGE(1) + 8 * i, 8, PAGE(1));
        world_u(&world, TABLE, 8, PAGE(1) | 2);
        w = walk(100);
        ck_assert(w.cut);
        world_end(&world);
}
END_TEST

START_TEST(no_table)
{
        static const uint64_t codes[] = { 0, 1, PAGE(1) | 3, PAGE(1) | 4, UINT64_C(0x10000) };
        struct handle_walk w = { .entries = 1 };
        start(0, 2);
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
                world_u(&world, TABLE, 8, codes[i]);
                ck_assert_int_eq(handle_table_walk(&world.space, &format, TABLE, 0, see, &world, &w), STASIS_CORRUPT);
                ck_assert_uint_eq(w.entries, 0);
                expect_no_handle(4, STASIS_CORRUPT);
        }
        ck_assert_int_eq(handle_table_walk(&world.space, &format, PAGE(9), 0, see, &world, &w), STASIS_ABSENT);
        world_u(&world, TABLE, 8, PAGE(9) | 2); /* nothing stands where its pointers should */
        w = walk(0);
        ck_assert_uint_eq(w.pages, 0);
        ck_assert_uint_gt(w.missing, 0);
        ck_assert_uint_eq(w.missing_at, PAGE(9));
        world_end(&world);
}
END_TEST

START_TEST(callback_ends_it)
{
        struct handle_walk w;
        start(0, 2);
        put_entry(PAGE(1), 1, 1);
        put_entry(PAGE(1), 2, 2);
        seen_stop = STASIS_LIMIT;
        ck_assert_int_eq(handle_table_walk(&world.space, &format, TABLE, 0, see, &world, &w), STASIS_LIMIT);
        ck_assert_uint_eq(seen_count, 1);
        world_end(&world);
}
END_TEST

/* ---------------------------------------------------------------- NT 4.0 and 2000 */

#define OLD UINT64_C(0xe1000000)

static void start_old(uint32_t build)
{
        ck_assert(handle_format_old(build, &format));
        world_start(&world, PT_X86);
        world_map(&world, OLD, 0x6000);
        seen_count = 0;
        seen_stop = STASIS_OK;
}

static enum stasis_status walk_old(struct handle_walk *w)
{
        seen_count = 0;
        return handle_table_walk(&world.space, &format, OLD, 0, see, &world, w);
}

static void expect_old(uint64_t handle, uint64_t object)
{
        struct handle_entry e;
        ck_assert_int_eq(handle_table_lookup(&world.space, &format, OLD, handle, &e), STASIS_OK);
        ck_assert_uint_eq(e.handle, handle);
        ck_assert_uint_eq(e.object, object);
}

static void expect_none(uint64_t handle)
{
        struct handle_entry e;
        ck_assert_int_eq(handle_table_lookup(&world.space, &format, OLD, handle, &e), STASIS_ABSENT);
}

START_TEST(other_builds)
{
        ck_assert(!handle_format_old(0, &format));
        ck_assert(!handle_format_old(2600, &format));
        ck_assert(!handle_format_old(1380, &format));
}
END_TEST

/* An array from the word at 0xc to that at 0x10; ids count its entries, free ones are linked through it. */
START_TEST(array)
{
        const uint64_t begin = OLD + 0x1008, end = begin + 8 * 700;
        struct handle_walk w;
        start_old(1381);
        world_u(&world, OLD + 0xc, 4, begin);
        world_u(&world, OLD + 0x10, 4, end);
        world_u(&world, begin, 4, begin + 24); /* the first is the head of the free ones */
        world_u(&world, begin + 8, 4, 0x807266e0);
        world_u(&world, begin + 16, 4, 0x80726940);
        world_u(&world, begin + 24, 4, end - 8);
        world_u(&world, begin + 8 * 600, 4, 0x807004a1);
        world_u(&world, begin + 8 * 699, 4, begin);
        world_u(&world, end, 4, 0x80700240); /* behind it */
        ck_assert_int_eq(walk_old(&w), STASIS_OK);
        ck_assert_uint_eq(w.pages, 2);
        ck_assert_uint_eq(seen_count, 3);
        ck_assert(seen[0].handle == 1 && seen[0].object == 0x807266e0 && seen[0].va == begin + 8);
        ck_assert(seen[1].handle == 2 && seen[1].object == 0x80726940);
        ck_assert(seen[2].handle == 600 && seen[2].object == 0x807004a0 && seen[2].va == begin + 4800);
        expect_old(2, 0x80726940);
        expect_old(600, 0x807004a0);
        expect_none(0);
        expect_none(3);
        expect_none(699);
        expect_none(700);
        expect_none(UINT64_MAX);
        world_end(&world);
}
END_TEST

START_TEST(no_array)
{
        static const struct {
                uint32_t begin, end;
        } bad[] = { { 0xe1001000, 0xe1001000 }, { 0xe1001000, 0xe1000000 },
                    { 0x61001000, 0xe1001000 }, { 0xe1001004, 0xe1002000 },
                    { 0xe1001000, 0xe1002004 }, { 0x80000000, 0xfffffff8 } /* more than 24 bits can name */ };
        struct handle_walk w;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                start_old(1381);
                world_u(&world, OLD + 0xc, 4, bad[i].begin);
                world_u(&world, OLD + 0x10, 4, bad[i].end);
                ck_assert_msg(walk_old(&w) == STASIS_CORRUPT, "case %zu", i);
                ck_assert_uint_eq(w.pages, 0);
                world_end(&world);
        }
}
END_TEST

/* Three levels of 256; the highest bit of a pointer is the entry's lock. */
START_TEST(layers)
{
        struct handle_walk w;
        start_old(2195);
        world_u(&world, OLD + 8, 4, OLD + 0x1000);
        world_u(&world, OLD + 0x1000, 4, OLD + 0x1400);
        world_u(&world, OLD + 0x1004, 4, OLD + 0x2000);
        world_u(&world, OLD + 0x1400, 4, OLD + 0x1800);
        world_u(&world, OLD + 0x1408, 4, OLD + 0x2800);
        world_u(&world, OLD + 0x23fc, 4, OLD + 0x3000);
        world_u(&world, OLD + 0x1800, 4, 0x81111110); /* no handle */
        world_u(&world, OLD + 0x1808, 4, 0x01234560); /* its lock is not taken */
        world_u(&world, OLD + 0x1800 + 8 * 255, 4, 0x81234580);
        world_u(&world, OLD + 0x2800, 4, 0x812345a3); /* id 2048: the first of its page */
        world_u(&world, OLD + 0x3000 + 8 * 7, 4, 0x812345c0);
        ck_assert_int_eq(walk_old(&w), STASIS_OK);
        ck_assert_uint_eq(seen_count, 4);
        ck_assert_uint_eq(w.pages, 3);
        expect_old(4, 0x81234560);
        expect_old(1020, 0x81234580);
        expect_old(2048, 0x812345a0);
        expect_old(((UINT64_C(1) << 16) + 255 * 256 + 7) * 4, 0x812345c0);
        expect_none(0);
        expect_none(8);
        expect_none(1024);
        expect_none(UINT64_C(1) << 26);
        world_u(&world, OLD + 8, 4, OLD + 0x1001);
        ck_assert_int_eq(walk_old(&w), STASIS_CORRUPT);
        world_u(&world, OLD + 8, 4, 0x61001000);
        ck_assert_int_eq(walk_old(&w), STASIS_CORRUPT);
        world_end(&world);
}
END_TEST

/* A process's: the same tables, handles that count by four, headers with their flags, and the access granted. */
START_TEST(old_of_process)
{
        const struct stasis_layout *nt4 = stasis_layout_by_name("4.0.1381.0-x86-partial"),
                                   *w2k = stasis_layout_by_name("5.0.2195.0-x86-partial"),
                                   *xp = stasis_layout_by_name("5.1.2600.2180-x86");
        struct handle_walk w;
        start_old(1381);
        ck_assert(handle_format_of_process(nt4, &stasis_paging_x86, 1381, &format));
        ck_assert(format.step == 4 && format.body == 0x18);
        world_u(&world, OLD + 0xc, 4, OLD + 0x1000);
        world_u(&world, OLD + 0x10, 4, OLD + 0x1040);
        world_u(&world, OLD + 0x1000, 4, OLD + 0x1010);
        world_u(&world, OLD + 0x1008, 8, UINT64_C(0x1f03ff80700242));
        ck_assert_int_eq(walk_old(&w), STASIS_OK);
        ck_assert_uint_eq(seen_count, 1);
        ck_assert(seen[0].handle == 4 && seen[0].object == 0x80700240 && seen[0].access == 0x1f03ff);
        ck_assert_uint_eq(seen[0].attributes, 2);
        world_end(&world);
        start_old(2195);
        ck_assert(handle_format_of_process(w2k, &stasis_paging_x86, 2195, &format));
        ck_assert(format.form == HANDLE_LAYERS && format.step == 4 && format.body == 0x18);
        world_end(&world);
        ck_assert(handle_format_of_process(xp, &stasis_paging_x86, 2600, &format) && format.form == HANDLE_CODED);
        ck_assert(!handle_format_of_process(w2k, &stasis_paging_x86, 2600, &format));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("handle_table");
        TCase *tcase = tcase_create("all");
        tcase_add_test(tcase, until_7);
        tcase_add_test(tcase, eight_x64);
        tcase_add_test(tcase, later_x64);
        tcase_add_test(tcase, later_x86);
        tcase_add_test(tcase, la57);
        tcase_add_test(tcase, no_tables);
        tcase_add_test(tcase, one_level);
        tcase_add_test(tcase, two_levels);
        tcase_add_test(tcase, three_levels);
        tcase_add_test(tcase, bounded);
        tcase_add_test(tcase, no_table);
        tcase_add_test(tcase, callback_ends_it);
        tcase_add_test(tcase, other_builds);
        tcase_add_test(tcase, array);
        tcase_add_test(tcase, no_array);
        tcase_add_test(tcase, layers);
        tcase_add_test(tcase, old_of_process);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
