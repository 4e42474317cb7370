/* SPDX-License-Identifier: MIT */
#include "reverse.h"

#include <check.h>
#include <stdlib.h>

#include "../test/ptbuild.h"

#define MEM 0x40000u

static uint8_t mem[MEM];
static struct ptbuild tables;
static struct stasis_image *image;
static struct stasis_space *space;

static struct told {
        uint64_t va, pa, size, entry_pa;
        int64_t pid;
        unsigned depth;
        bool kernel;
} told[64];
static size_t told_count, told_max;

static bool found(void *ctx, const struct stasis_mapping *m)
{
        ck_assert_ptr_eq(ctx, told);
        ck_assert_uint_lt(told_count, 64);
        told[told_count++] = (struct told){
                m->walk.va, m->walk.pa,    m->walk.page_size, m->walk.entry[m->walk.depth - 1].pa,
                m->pid,     m->walk.depth, m->kernel,
        };
        return told_count < told_max;
}

static void start(enum pt_mode mode) { pt_start(&tables, mode, mem, MEM, 0x10000, 0); }

static void open_it(const char *mode)
{
        const struct stasis_image_options raw = { .format = "raw" };
        ck_assert_int_eq(stasis_image_open_memory(mem, MEM, "m", &raw, &image, NULL), STASIS_OK);
        ck_assert_int_eq(stasis_space_open(image, mode, tables.root, &space, NULL), STASIS_OK);
        told_count = 0;
        told_max = 64;
}

static void ask(uint64_t pa, uint64_t want_unreadable)
{
        uint64_t unreadable = 99;
        told_count = 0;
        ck_assert_int_eq(stasis_space_reverse(space, &pa, 1, found, told, &unreadable), STASIS_OK);
        ck_assert_uint_eq(unreadable, want_unreadable);
}

/* Each that was told must translate to what it was told for, through the walker that knows nothing of this. */
static void all_translate(void)
{
        for (size_t i = 0; i < told_count; i++) {
                struct stasis_walk walk;
                ck_assert_int_eq(stasis_space_walk(space, told[i].va, &walk), STASIS_OK);
                ck_assert_uint_eq(walk.pa, told[i].pa);
                ck_assert_uint_eq(walk.page_size, told[i].size);
                ck_assert_uint_eq(walk.depth, told[i].depth);
                ck_assert_uint_eq(walk.entry[walk.depth - 1].pa, told[i].entry_pa);
        }
}

static void setup(void) { memset(mem, 0, sizeof mem); }
static void teardown(void)
{
        stasis_space_close(space);
        stasis_image_close(image);
        space = NULL;
        image = NULL;
}

static const struct mode {
        enum pt_mode mode;
        const char *name;
        uint64_t low, high, large_va, large;
} modes[] = {
        { PT_X86, "x86", 0x00401000, 0xfffff000, 0x80000000, PT_4M },
        { PT_PAE, "pae", 0x00401000, 0xfffff000, 0x80000000, PT_2M },
        { PT_X64, "x64", 0x00401000, UINT64_C(0xfffffffffffff000), UINT64_C(0xfffff80000000000), PT_2M },
        { PT_LA57, "la57", 0x00401000, UINT64_C(0xff11000000001000), UINT64_C(0xfffff80000000000), PT_1G },
};

/* Twice by small pages, at the first and at the last place of a table, and inside a large one. */
START_TEST(every_mode)
{
        const struct mode *m = &modes[_i];
        start(m->mode);
        pt_map(&tables, m->low, 0x3000, PT_4K, 0);
        pt_map(&tables, m->high, 0x3000, PT_4K, 0);
        pt_map(&tables, m->low + PT_4K, 0x4000, PT_4K, 0);
        pt_map(&tables, m->large_va, 0, m->large, 0);
        open_it(m->name);
        ask(0x3123, 0);
        ck_assert_uint_eq(told_count, 3);
        ck_assert_uint_eq(told[0].va, m->low + 0x123);
        bool sorted = m->high > m->large_va;
        ck_assert_uint_eq(told[sorted ? 2 : 1].va, m->high + 0x123);
        ck_assert_uint_eq(told[sorted ? 1 : 2].va, m->large_va + 0x3123);
        ck_assert_uint_eq(told[sorted ? 1 : 2].size, m->large);
        ck_assert(told[0].pid == -1 && !told[0].kernel);
        all_translate();
        ask(m->large, 0); /* just past the large page */
        ck_assert_uint_eq(told_count, 0);
        ask(m->large - 1, 0);
        ck_assert_uint_eq(told_count, 1);
        ck_assert_uint_eq(told[0].va, m->large_va + m->large - 1);
}
END_TEST

START_TEST(several_at_once)
{
        const uint64_t pa[] = { 0x5008, 0x3000, 0x9000, 0x3fff, 0x3000 };
        start(PT_X64);
        pt_map(&tables, 0x7000, 0x3000, PT_4K, 0);
        pt_map(&tables, 0x8000, 0x5000, PT_4K, 0);
        pt_map(&tables, 0x9000, 0x3000 | UINT64_C(1) << 24, PT_4K, 0); /* equal in the low bits of the frame alone */
        open_it("x64");
        ck_assert_int_eq(stasis_space_reverse(space, pa, 5, found, told, NULL), STASIS_OK);
        ck_assert_uint_eq(told_count, 3); /* what is asked twice is told once */
        ck_assert(told[0].va == 0x7000 && told[0].pa == 0x3000);
        ck_assert(told[1].va == 0x7fff && told[1].pa == 0x3fff);
        ck_assert(told[2].va == 0x8008 && told[2].pa == 0x5008);
        told_count = 0;
        told_max = 2; /* the caller has enough */
        ck_assert_int_eq(stasis_space_reverse(space, pa, 5, found, told, NULL), STASIS_OK);
        ck_assert_uint_eq(told_count, 2);
        ck_assert_int_eq(stasis_space_reverse(space, pa, 0, found, told, NULL), STASIS_OK);
}
END_TEST

START_TEST(tables_outside)
{
        start(PT_X64);
        pt_map(&tables, 0x7000, 0x3000, PT_4K, 0);
        pt_map(&tables, UINT64_C(0x8000000000), 0x3000, PT_4K, 0);
        pt_put(&tables, pt_slot(&tables, UINT64_C(0x40000000), PT_2M), MEM | 3); /* a table past the end */
        open_it("x64");
        ask(0x3000, 1); /* counted once, whatever it has of entries */
        ck_assert_uint_eq(told_count, 2);
}
END_TEST

/* A table that is its own child: every way through it is a mapping, up to the account. */
START_TEST(tables_without_end)
{
        const uint64_t pa = 0x123000;
        uint64_t unreadable;
        start(PT_X64);
        open_it("x64");
        for (unsigned i = 0; i < 512; i++)
                pt_put(&tables, tables.root + 8 * i, tables.root | 3);
        ck_assert_int_eq(stasis_space_reverse(space, &pa, 1, found, told, &unreadable), STASIS_LIMIT);
        ck_assert_uint_eq(told_count, 0);
}
END_TEST

/* Two processes and the kernel they share: its half is entered once, and what one has of its own there is its own. */
START_TEST(shared_half)
{
        const uint64_t kernel_va = UINT64_C(0xfffff80000000000), own_va = UINT64_C(0xffffc00000000000), pa = 0x3000;
        const struct stasis_mapping kernel = { .kernel = true, .pid = 4 }, process = { .pid = 8 };
        start(PT_X64);
        pt_map(&tables, 0x7000, pa, PT_4K, 0);
        pt_map(&tables, kernel_va, pa, PT_4K, 0);
        const uint64_t kernel_root = tables.root, shared = pt_get(&tables, kernel_root + 8 * 0x1f0);
        pt_start(&tables, PT_X64, mem, MEM, tables.next, 0);
        pt_map(&tables, 0x9000, pa, PT_4K, 0);
        pt_map(&tables, own_va, pa, PT_4K, 0);
        pt_put(&tables, tables.root + 8 * 0x1f0, shared);
        pt_put(&tables, tables.root + 8 * 2, pt_get(&tables, kernel_root)); /* shared below is still its own */
        open_it("x64");
        struct reverse *r = reverse_new(image, &pa, 1, found, told);
        ck_assert_ptr_nonnull(r);
        ck_assert_int_eq(reverse_pass(r, &stasis_paging_x64, kernel_root, STASIS_NOWHERE, &kernel), STASIS_OK);
        ck_assert_uint_eq(told_count, 2);
        ck_assert(told[0].va == 0x7000 && told[0].pid == 4 && !told[0].kernel);
        ck_assert(told[1].va == kernel_va && told[1].pid == -1 && told[1].kernel);
        ck_assert_int_eq(reverse_pass(r, &stasis_paging_x64, tables.root, kernel_root, &process), STASIS_OK);
        ck_assert_uint_eq(told_count, 5);
        ck_assert(told[2].va == 0x9000 && told[2].pid == 8 && !told[2].kernel);
        ck_assert(told[3].va == (UINT64_C(2) << 39) + 0x7000 && told[3].pid == 8);
        ck_assert(told[4].va == own_va && told[4].pid == 8 && !told[4].kernel);
        reverse_free(r);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reverse");
        TCase *tcase = tcase_create("reverse");
        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_loop_test(tcase, every_mode, 0, 4);
        tcase_add_test(tcase, several_at_once);
        tcase_add_test(tcase, tables_outside);
        tcase_add_test(tcase, tables_without_end);
        tcase_add_test(tcase, shared_half);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
