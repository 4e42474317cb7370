/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"
#include "kernel.h"

#define BASE UINT64_C(0xfffff80002a52000)
#define NEVER UINT64_C(0x8f3c5a7712e4d09b)
#define ALWAYS UINT64_C(0x0123456789abcdef)
#define FLAG UINT64_C(0xfffff80002b1c3d1)

static struct world w;
static struct pe_image pe;
static struct kdbg kdbg;
static struct kdbg_key key;

static void setup(void)
{
        struct world_pe m = { .base = BASE, .is64 = true, .machine = 0x8664 };

        world_start(&w, PT_X64);
        world_pe(&w, &m);
        ck_assert_int_eq(pe_open(&w.space, m.base, &pe), STASIS_OK);
}

static void teardown(void) { world_end(&w); }

/* The steps of KdCopyDataBlock backwards, on bytes and bits. */
static uint64_t encode(uint64_t plain, uint64_t never, uint64_t always, uint64_t flag)
{
        uint64_t swapped = 0, turned;
        unsigned right = never & 0xff;

        plain ^= always;
        for (unsigned i = 0; i < 8; i++)
                swapped |= (plain >> 8 * i & 0xff) << 8 * (7 - i);
        turned = swapped ^ (flag | UINT64_C(0xffff000000000000));
        for (right %= 64; right; right--)
                turned = turned >> 1 | turned << 63;
        return turned ^ never;
}

/* Every pointer holds base + 0x2000 + its place; every short its place. */
static uint64_t plain_at(unsigned at, uint32_t size)
{
        if (at == 0 || at == 8)
                return BASE + 0x2f00;
        if (at == 0x10)
                return (uint64_t)size << 32 | 0x4742444b;
        if (at == 0x18)
                return BASE;
        if (at >= 0x298 && at < 0x360)
                return (at + UINT64_C(6)) << 48 | (at + UINT64_C(4)) << 32 | (at + UINT64_C(2)) << 16 | at;
        return BASE + 0x2000 + at;
}

static void put(uint64_t va, uint32_t size, uint64_t never, uint64_t always, uint64_t flag)
{
        for (unsigned at = 0; at < size; at += 8)
                world_u(&w, va + at, 8, encode(plain_at(at, size), never, always, flag));
}

static void expect_block(uint64_t va, uint32_t size)
{
        ck_assert_uint_eq(kdbg.va, va);
        ck_assert_uint_eq(kdbg.size, size);
        ck_assert_uint_eq(kdbg.KernBase, BASE);
        ck_assert_uint_eq(kdbg.PsActiveProcessHead, BASE + 0x2050);
        ck_assert_uint_eq(kdbg.KiProcessorBlock, BASE + 0x2218);
        ck_assert_uint_eq(kdbg.PspCidTable, BASE + 0x2058);
        ck_assert(kdbg.sizes);
        ck_assert_uint_eq(kdbg.SizeEThread, 0x2c0);
        ck_assert_uint_eq(kdbg.OffsetKThreadTeb, 0x29a);
        ck_assert_uint_eq(kdbg.PteBase, size > 0x360 ? BASE + 0x2360 : 0);
}

/* Written out by a script of its own: 0xfffff80002a52000 and "KDBG" of 0x380 bytes under these keys. */
START_TEST(a_block_written_elsewhere)
{
        uint64_t va = BASE + 0x2400;

        ck_assert_uint_eq(encode(BASE, NEVER, ALWAYS, FLAG), UINT64_C(0x2ebfbf9510ba01f7));
        put(va, 0x380, NEVER, ALWAYS, FLAG);
        world_u(&w, va + 0x18, 8, UINT64_C(0x2ebfbf9510ba01f7));
        world_u(&w, va + 0x10, 8, UINT64_C(0x31c0407c7c26e947));
        key = kdbg_key_of(NEVER, ALWAYS, FLAG);
        ck_assert_int_eq(kdbg_read_encoded(&w.space, &pe, va, &key, &kdbg), STASIS_OK);
        expect_block(va, 0x380);
        put(va, 0x380, NEVER, ALWAYS, FLAG & ~(UINT64_C(0x00ff) << 48)); /* as five-level kernels may have it */
        key = kdbg_key_of(NEVER, ALWAYS, FLAG & ~(UINT64_C(0x00ff) << 48));
        ck_assert_uint_eq(key.mask, kdbg_key_of(NEVER, ALWAYS, FLAG).mask);
        ck_assert_int_eq(kdbg_read_encoded(&w.space, &pe, va, &key, &kdbg), STASIS_OK);
}
END_TEST

START_TEST(every_rotation)
{
        uint64_t va = BASE + 0x2e88, never = (NEVER & ~UINT64_C(0xff)) | (unsigned)_i; /* 64 and above turn as 0 does */
        struct kdbg_key known = kdbg_key_of(never, ALWAYS, FLAG);

        put(va, 0x360, never, ALWAYS, FLAG);
        ck_assert_int_eq(kdbg_read_encoded(&w.space, &pe, va, &known, &kdbg), STASIS_OK);
        expect_block(va, 0x360);
        memset(&kdbg, 0, sizeof(kdbg));
        ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_OK);
        expect_block(va, 0x360);
        ck_assert_uint_eq(key.rotate, known.rotate);
        ck_assert_uint_eq(key.mask, known.mask);
}
END_TEST

/* One bit of a key, and nothing is believed. */
START_TEST(a_mutated_key_is_refused)
{
        uint64_t va = BASE + 0x3000;

        put(va, 0x368, NEVER, ALWAYS, FLAG);
        for (unsigned i = 0; i < 3 * 64; i++) {
                uint64_t bit = UINT64_C(1) << i % 64;
                if ((i >= 6 && i < 8) || i >= 128 + 48) /* not part of the rotation, and set anyway: no change of key */
                        continue;
                key = kdbg_key_of(NEVER ^ (i < 64 ? bit : 0), ALWAYS ^ (i / 64 == 1 ? bit : 0),
                                  FLAG ^ (i / 64 == 2 ? bit : 0));
                ck_assert_msg(kdbg_read_encoded(&w.space, &pe, va, &key, &kdbg) == STASIS_CORRUPT, "bit %u", i);
        }
}
END_TEST

START_TEST(what_must_come_out)
{
        static const struct {
                unsigned at;
                uint64_t plain;
        } broken[] = {
                { 0x10, UINT64_C(0x3804742444c) },
                { 0x10, UINT64_C(0x3844742444b) }, /* tag; size of 0x384 */
                { 0x10, UINT64_C(0x1f84742444b) },
                { 0x10, UINT64_C(0x10084742444b) },
                { 0x18, BASE + 0x1000 },
                { 0x48, BASE - 0x40 },
                { 0x50, BASE + WORLD_PE_LEN },
                { 0x50, BASE + 0x2051 },
                { 0x48, 0 },
        };

        for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
                uint64_t va = BASE + 0x2400;

                put(va, 0x380, NEVER, ALWAYS, FLAG);
                key = kdbg_key_of(NEVER, ALWAYS, FLAG);
                ck_assert_int_eq(kdbg_read_encoded(&w.space, &pe, va, &key, &kdbg), STASIS_OK);
                world_u(&w, va + broken[i].at, 8, encode(broken[i].plain, NEVER, ALWAYS, FLAG));
                ck_assert_int_eq(kdbg_read_encoded(&w.space, &pe, va, &key, &kdbg), STASIS_CORRUPT);
                ck_assert_int_eq(kdbg_solve(&w.space, &pe, va, &key, &kdbg), STASIS_CORRUPT);
                ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_ABSENT);
        }
}
END_TEST

START_TEST(pages_that_are_not_there)
{
        uint64_t va = BASE + 0x4f00;

        put(va, 0x380, NEVER, ALWAYS, FLAG); /* goes on in .edata */
        ck_assert_int_eq(kdbg_solve(&w.space, &pe, va, &key, &kdbg), STASIS_OK);
        world_unmap(&w, BASE + 0x5000);
        ck_assert_int_eq(kdbg_read_encoded(&w.space, &pe, va, &key, &kdbg), STASIS_ABSENT);
        ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_ABSENT);
        ck_assert_int_eq(kdbg_solve(&w.space, &pe, BASE + 0x5000, &key, &kdbg), STASIS_ABSENT);
        put(BASE + 0x2400, 0x380, NEVER, ALWAYS, FLAG);
        world_unmap(&w, BASE + 0x3000);
        ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.va, BASE + 0x2400);
}
END_TEST

/* The quadwords that tell it may lie on two pages, and before them another kernel's block, and the plain one. */
START_TEST(scan_over_a_border)
{
        for (unsigned back = 8; back <= 0x20; back += 8) {
                uint64_t va = BASE + 0x3000 - back;

                put(va, 0x380, NEVER, ALWAYS, FLAG);
                ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_OK);
                expect_block(va, 0x380);
        }
        pe.is64 = false; /* 32-bit kernels do not encode */
        ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_ABSENT);
        ck_assert_int_eq(kdbg_solve(&w.space, &pe, BASE + 0x2fe0, &key, &kdbg), STASIS_CORRUPT);
}
END_TEST

START_TEST(scan_leaves_code_alone_and_ends)
{
        put(BASE + 0x1000, 0x380, NEVER, ALWAYS, FLAG);
        ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_ABSENT);
        put(BASE + 0x7800, 0x380, NEVER, ALWAYS, FLAG); /* constants */
        ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_OK);
        ck_assert_uint_eq(kdbg.va, BASE + 0x7800);
        pe.base = UINT64_MAX - 0x7fff; /* the last page of all */
        pe.section_count = 0;
        ck_assert_int_eq(kdbg_solve_scan(&w.space, &pe, &key, &kdbg), STASIS_ABSENT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("kdbg_encoded");
        TCase *tcase = tcase_create("kdbg_encoded");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, a_block_written_elsewhere);
        tcase_add_loop_test(tcase, every_rotation, 0, 66);
        tcase_add_test(tcase, a_mutated_key_is_refused);
        tcase_add_test(tcase, what_must_come_out);
        tcase_add_test(tcase, pages_that_are_not_there);
        tcase_add_test(tcase, scan_over_a_border);
        tcase_add_test(tcase, scan_leaves_code_alone_and_ends);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
