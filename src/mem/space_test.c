/* SPDX-License-Identifier: MIT */
#include "space.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../formats/format.h"
#include "../test/ptbuild.h"

#define MEMORY (1u << 20)

static uint8_t memory[MEMORY];
static struct stasis_image *image;
static struct ptbuild tables;
static struct stasis_space space;

static void setup(void)
{
        memset(memory, 0, sizeof(memory));
        ck_assert_int_eq(stasis_image_open_memory(memory, sizeof(memory), "memory",
                                                  &(struct stasis_image_options){ .format = "raw" }, &image, NULL),
                         STASIS_OK);
}

static void teardown(void)
{
        stasis_image_close(image);
        image = NULL;
}

static void start(enum pt_mode mode)
{
        static const struct stasis_paging *const paging[] = { &stasis_paging_x86, &stasis_paging_pae,
                                                              &stasis_paging_x64, &stasis_paging_la57 };
        pt_start(&tables, mode, memory, MEMORY, 0x1000, 0);
        stasis_space_init(&space, image, paging[mode], tables.root);
}

static void expect_next(uint64_t from, uint64_t end, uint64_t va, uint64_t len, uint64_t pa)
{
        struct stasis_range range;
        ck_assert_int_eq(stasis_space_next(&space, from, end, &range, NULL), STASIS_OK);
        ck_assert_uint_eq(range.va, va);
        ck_assert_uint_eq(range.len, len);
        ck_assert_uint_eq(range.pa, pa);
}

static void expect_end(uint64_t from, uint64_t end)
{
        struct stasis_range range = { .va = 42 };
        ck_assert_int_eq(stasis_space_next(&space, from, end, &range, NULL), STASIS_ABSENT);
        ck_assert_uint_eq(range.va, 42);
}

START_TEST(opened_by_name)
{
        struct stasis_space *opened = NULL;
        struct stasis_error err;
        ck_assert_int_eq(stasis_space_open(image, "pae", 0x1238, &opened, &err), STASIS_OK);
        ck_assert_str_eq(stasis_space_mode(opened), "pae");
        ck_assert_uint_eq(stasis_space_root(opened), 0x1220);
        stasis_space_close(opened);
        stasis_space_close(NULL);
        opened = NULL;
        ck_assert_int_eq(stasis_space_open(image, "mips", 0, &opened, &err), STASIS_USAGE);
        ck_assert_ptr_null(opened);
        ck_assert_ptr_nonnull(strstr(err.text, "mips"));
        ck_assert_int_eq(stasis_space_open(image, NULL, 0, &opened, NULL), STASIS_USAGE);
}
END_TEST

/* Two pages that follow each other in virtual memory, in the opposite order in physical memory. */
static void map_swapped(void)
{
        start(PT_X64);
        pt_map(&tables, 0xfffff80000001000, 0x81000, PT_4K, 0);
        pt_map(&tables, 0xfffff80000002000, 0x80000, PT_4K, 0);
        memcpy(memory + 0x81ffc, "stas", 4);
        memcpy(memory + 0x80000, "is\0!", 4);
}

START_TEST(read_crosses_pages)
{
        char text[8];
        map_swapped();
        for (int again = 0; again < 2; again++) { /* cold, then from the TLB */
                memset(text, 0, sizeof(text));
                ck_assert_int_eq(stasis_space_read(&space, 0xfffff80000001ffc, text, 7), STASIS_OK);
                ck_assert_str_eq(text, "stasis");
        }
        ck_assert_int_eq(stasis_space_read(&space, 0xfffff80000002fff, text, 2), STASIS_ABSENT);
        ck_assert_int_eq(stasis_space_read(&space, 0x0000800000000000, text, 1), STASIS_CORRUPT);
        ck_assert_int_eq(stasis_space_read(&space, 0xfffffffffffffff0, text, 0), STASIS_OK);
        ck_assert_int_eq(stasis_space_read(&space, UINT64_MAX, text, 2), STASIS_CORRUPT);
}
END_TEST

START_TEST(loads)
{
        uint64_t value = 7;
        map_swapped();
        ck_assert_int_eq(stasis_space_u(&space, 0xfffff80000001ffd, 4, &value), STASIS_OK);
        ck_assert_uint_eq(value, 0x69736174); /* "tasi" */
        ck_assert_int_eq(stasis_space_u(&space, 0xfffff80000002003, 1, &value), STASIS_OK);
        ck_assert_uint_eq(value, '!');
        ck_assert_int_eq(stasis_space_u(&space, 0xfffff80000002000, 3, &value), STASIS_USAGE);
        ck_assert_int_eq(stasis_space_u(&space, 0xfffff80000000000, 8, &value), STASIS_ABSENT);
        ck_assert_uint_eq(value, '!');
}
END_TEST

START_TEST(pages_and_tables_outside_the_image)
{
        uint8_t byte;
        uint64_t pa;
        start(PT_X64);
        pt_map(&tables, 0x5000, 0x4000000000, PT_4K, 0);
        pt_put(&tables, pt_slot(&tables, 0x200000, PT_2M), MEMORY | 1);
        ck_assert_int_eq(stasis_space_pa(&space, 0x5123, &pa), STASIS_OK);
        ck_assert_uint_eq(pa, 0x4000000123);
        ck_assert_int_eq(stasis_space_read(&space, 0x5123, &byte, 1), STASIS_IO);
        ck_assert_ptr_null(stasis_space_view(&space, 0x5123, 1).at);
        ck_assert_int_eq(stasis_space_pa(&space, 0x200000, &pa), STASIS_IO);
        ck_assert_int_eq(stasis_space_read(&space, 0x200000, &byte, 1), STASIS_IO);
        ck_assert_uint_eq(pa, 0x4000000123);
}
END_TEST

START_TEST(view_ends_with_its_page)
{
        map_swapped();
        struct stasis_bytes b = stasis_space_view(&space, 0xfffff80000001ffc, 100);
        ck_assert_ptr_eq(b.at, memory + 0x81ffc);
        ck_assert_uint_eq(b.len, 4);
        ck_assert_uint_eq(stasis_space_view(&space, 0xfffff80000002000, 3).len, 3);
        ck_assert_ptr_null(stasis_space_view(&space, 0xfffff80000003000, 3).at);
}
END_TEST

START_TEST(tlb_slots_are_shared_and_not_mixed_up)
{
        uint64_t pa;
        start(PT_X64);
        for (unsigned i = 0; i < 4; i++) /* the same slot of the TLB */
                pt_map(&tables, i * STASIS_TLB_SIZE * PT_4K, 0x10000 * (i + 1), PT_4K, 0);
        pt_map(&tables, 0xfffffffffffff000, 0x90000, PT_4K, 0);
        for (unsigned i = 0; i < 16; i++) {
                ck_assert_int_eq(stasis_space_pa(&space, i % 4 * STASIS_TLB_SIZE * PT_4K + i, &pa), STASIS_OK);
                ck_assert_uint_eq(pa, 0x10000 * (i % 4 + 1) + i);
        }
        ck_assert_int_eq(stasis_space_pa(&space, UINT64_MAX, &pa), STASIS_OK);
        ck_assert_uint_eq(pa, 0x90fff);
}
END_TEST

/*
 * What Windows' entries do, in small. Bit 11: the frame is good. Bit 10: a host page, fleeting with bit 9. A fault
 * inside a fault may fault once more, and no deeper.
 */
struct faults {
        unsigned asked, depth, deepest;
        const uint8_t *page;
};

static enum stasis_status fault(void *ctx, struct stasis_space *in, struct stasis_soft_fault *faulted)
{
        struct faults *f = ctx;
        struct stasis_walk *walk = faulted->walk;
        uint64_t value = walk->entry[walk->depth - 1].value, pa;
        f->depth++;
        if (f->depth > f->deepest)
                f->deepest = f->depth;
        if (f->depth == 1)
                f->asked++;
        ck_assert_int_eq(stasis_space_pa(in, 0x7000, &pa), STASIS_ABSENT);
        f->depth--;
        if (faulted->detail)
                faulted->detail->verdict = value ? STASIS_VERDICT_TRANSITION : STASIS_VERDICT_INVALID;
        if (!(value & 0xc00))
                return STASIS_ABSENT;
        walk->page_size = 0x1000;
        if (value & 0x400) {
                faulted->host = f->page;
                faulted->fleeting = value & 0x200;
        } else {
                walk->pa = (value & 0xff000) | (walk->va & 0xfff);
        }
        return STASIS_OK;
}

static void start_faults(struct faults *f)
{
        start(PT_X64);
        space.soft_fault = fault;
        space.soft_fault_ctx = f;
}

START_TEST(soft_faults)
{
        struct faults f = { 0 };
        uint64_t pa = 0;
        start_faults(&f);
        pt_put(&tables, pt_slot(&tables, 0x5000, PT_4K), 0x33800);
        for (int again = 0; again < 2; again++)
                ck_assert_int_eq(stasis_space_pa(&space, 0x5678, &pa), STASIS_OK);
        ck_assert_uint_eq(pa, 0x33678);
        ck_assert_uint_eq(f.asked, 1); /* then the TLB knows */
        ck_assert_uint_eq(f.deepest, STASIS_FAULTS_MAX);
        ck_assert_int_eq(stasis_space_pa(&space, 0x6000, &pa), STASIS_ABSENT);
        ck_assert_uint_eq(f.asked, 2);
        /* a table that is not there: what the hook says of one page is not taken for its neighbours */
        pt_put(&tables, pt_slot(&tables, 0x40000000, PT_2M), 0x44800);
        for (unsigned i = 0; i < 2; i++) {
                ck_assert_int_eq(stasis_space_pa(&space, 0x40000123 + i * 0x1000, &pa), STASIS_OK);
                ck_assert_uint_eq(pa, 0x44123);
        }
        ck_assert_uint_eq(f.asked, 4);
        expect_end(0, 0); /* not what the processor would translate */
}
END_TEST

/* Bytes that lie nowhere in physical memory: read, seen, remembered; a fleeting page is asked for anew. */
START_TEST(soft_faults_without_an_address)
{
        static uint8_t kept[4096], fleeting[4096];
        struct faults f = { .page = kept };
        uint64_t value = 0, pa = 42;
        memset(kept, 0x11, sizeof kept);
        memset(fleeting, 0x22, sizeof fleeting);
        memset(memory + 0x50000, 0x33, 4096);
        start_faults(&f);
        pt_put(&tables, pt_slot(&tables, 0x5000, PT_4K), 0x400);
        pt_put(&tables, pt_slot(&tables, 0x6000, PT_4K), 0x600);
        pt_map(&tables, 0x4000, 0x50000, PT_4K, 0);
        for (int again = 0; again < 2; again++)
                ck_assert_int_eq(stasis_space_u(&space, 0x5ffc, 4, &value), STASIS_OK);
        ck_assert_uint_eq(value, 0x11111111);
        ck_assert_uint_eq(f.asked, 1);
        ck_assert_int_eq(stasis_space_pa(&space, 0x5ffc, &pa), STASIS_ABSENT);
        ck_assert_uint_eq(pa, 42);
        struct stasis_bytes view = stasis_space_view(&space, 0x5001, 8192);
        ck_assert_uint_eq(view.len, 4095);
        ck_assert_ptr_eq(view.at, kept + 1);
        f.page = fleeting;
        ck_assert_int_eq(stasis_space_u(&space, 0x6000, 4, &value), STASIS_OK);
        ck_assert_uint_eq(value, 0x22222222);
        ck_assert_int_eq(stasis_space_u(&space, 0x5ffc, 8, &value), STASIS_OK);
        ck_assert_uint_eq(value, 0x2222222211111111);
        ck_assert_uint_eq(f.asked, 3);
        ck_assert_int_eq(stasis_space_u(&space, 0x4ffc, 8, &value), STASIS_OK);
        ck_assert_uint_eq(value, 0x1111111133333333);
        ck_assert_int_eq(stasis_space_u(&space, 0x6ffc, 8, &value), STASIS_ABSENT); /* 0x7000 is not there */
}
END_TEST

static void expect_verdict(uint64_t va, enum stasis_status status, enum stasis_verdict verdict, uint64_t pa)
{
        struct stasis_address address;
        stasis_space_examine(&space, va, &address);
        ck_assert_int_eq(address.status, status);
        ck_assert_int_eq(address.verdict, verdict);
        ck_assert_uint_eq(address.pa, pa);
        ck_assert_uint_eq(address.walk.va, va);
        ck_assert_int_eq(address.backing, pa == STASIS_NOWHERE ? STASIS_BACKING_NONE : STASIS_BACKING_IMAGE);
}

START_TEST(verdicts)
{
        struct faults f = { 0 };
        start(PT_X64);
        pt_map(&tables, 0x4000, 0x50000, PT_4K, 0);
        pt_map(&tables, 0x5000, 0x7000000, PT_4K, 0);
        pt_put(&tables, pt_slot(&tables, 0x6000, PT_4K), 0x33800);
        pt_put(&tables, pt_slot(&tables, 0x80000000, PT_2M), 0x7000001);
        expect_verdict(0x4123, STASIS_OK, STASIS_VERDICT_PRESENT, 0x50123);
        expect_verdict(0x5123, STASIS_IO, STASIS_VERDICT_NOT_CAPTURED, 0x7000123);
        expect_verdict(0x6123, STASIS_ABSENT, STASIS_VERDICT_NOT_PRESENT, STASIS_NOWHERE);
        expect_verdict(0x80000000, STASIS_IO, STASIS_VERDICT_NOT_CAPTURED, STASIS_NOWHERE);
        expect_verdict(UINT64_C(1) << 47, STASIS_CORRUPT, STASIS_VERDICT_INVALID, STASIS_NOWHERE);
        space.soft_fault = fault;
        space.soft_fault_ctx = &f;
        expect_verdict(0x6123, STASIS_OK, STASIS_VERDICT_TRANSITION, 0x33123);
        expect_verdict(0x8123, STASIS_ABSENT, STASIS_VERDICT_INVALID, STASIS_NOWHERE);
        ck_assert_str_eq(stasis_verdict_name(STASIS_VERDICT_NOT_PRESENT), "not present");
        ck_assert_str_eq(stasis_verdict_name((enum stasis_verdict)99), "?");
        ck_assert_str_eq(stasis_backing_name(STASIS_BACKING_STORE), "compressed store");
        ck_assert_str_eq(stasis_backing_name((enum stasis_backing)99), "?");
}
END_TEST

START_TEST(next_skips_gaps_and_cuts)
{
        start(PT_X64);
        pt_map(&tables, 0x7000, 0x91000, PT_4K, 0);
        pt_map(&tables, 0x8000, 0x90000, PT_4K, 0);
        pt_map(&tables, 0x00007fffffe00000, 0x600000, PT_2M, 0);
        pt_map(&tables, 0xffff800000000000, 0x40000000, PT_1G, 0);
        expect_next(0, 0, 0x7000, 0x1000, 0x91000);
        expect_next(0x7abc, 0, 0x7abc, 0x544, 0x91abc);
        expect_next(0x7000, 0x7008, 0x7000, 8, 0x91000);
        expect_next(0x8000, 0, 0x8000, 0x1000, 0x90000);
        expect_next(0x9000, 0, 0x00007fffffe00000, 0x200000, 0x600000);
        expect_next(0x00007fffffe01000, 0x00007fffffe03000, 0x00007fffffe01000, 0x2000, 0x601000);
        expect_next(0x0000800000000000, 0, 0xffff800000000000, PT_1G, 0x40000000);
        expect_next(0x1234567812345678, 0, 0xffff800000000000, PT_1G, 0x40000000);
        expect_end(0x9000, 0x00007fffffe00000);
        expect_end(0xffff800040000000, 0);
        expect_end(0x7000, 0x7000);
        expect_end(0x7000, 0x6000);
}
END_TEST

START_TEST(next_costs_a_step_for_a_gap)
{
        start(PT_LA57);
        pt_map(&tables, 0xfffffffffffff000, 0x90000, PT_4K, 0);
        uint64_t before = space.looked;
        expect_next(0, 0, 0xfffffffffffff000, 0xfff, 0x90000); /* all but the last byte: va + len does not wrap */
        ck_assert_uint_le(space.looked - before, 5 * 512);
        expect_end(UINT64_MAX, 0);
}
END_TEST

START_TEST(next_on_32_bits)
{
        start(PT_X86);
        pt_map(&tables, 0xffc00000, 0x1200400000, PT_4M, 0);
        expect_next(0, 0, 0xffc00000, 0x400000, 0x1200400000);
        expect_next(0xfffffffe, 0, 0xfffffffe, 2, 0x12007ffffe);
        expect_end(0x100000000, 0);
        start(PT_PAE);
        pt_map(&tables, 0x3ffff000, 0x5000, PT_4K, 0);
        pt_map(&tables, 0xffe00000, 0x1200000, PT_2M, 0);
        expect_next(0, 0, 0x3ffff000, 0x1000, 0x5000);
        expect_next(0x40000000, 0, 0xffe00000, 0x200000, 0x1200000);
        expect_end(0x40000000, 0xffe00000);
}
END_TEST

START_TEST(next_counts_unreadable_tables)
{
        struct stasis_range range;
        uint64_t unreadable = 0;
        start(PT_X64);
        pt_put(&tables, pt_slot(&tables, 0x200000, PT_2M), MEMORY | 1);
        pt_put(&tables, pt_slot(&tables, 0x40000000, PT_1G), 0x000ffffffffff001);
        pt_map(&tables, 0x80000000, 0x5000, PT_4K, 0);
        ck_assert_int_eq(stasis_space_next(&space, 0, 0, &range, &unreadable), STASIS_OK);
        ck_assert_uint_eq(range.va, 0x80000000);
        ck_assert_uint_eq(unreadable, 2);
        space.root = MEMORY;
        ck_assert_int_eq(stasis_space_next(&space, 0, 0, &range, &unreadable), STASIS_ABSENT);
        ck_assert_uint_eq(unreadable, 3);
}
END_TEST

/* Each of the upper levels names the one below it 512 times, and the lowest table is empty: 2^36 entries to look at. */
START_TEST(next_gives_up_on_hostile_tables)
{
        struct stasis_range range;
        start(PT_X64);
        for (unsigned level = 0; level < 3; level++)
                for (unsigned i = 0; i < 512; i++)
                        pt_put(&tables, 0x1000 + level * 0x1000 + i * 8, (0x2000 + level * 0x1000) | 1);
        ck_assert_int_eq(stasis_space_next(&space, 0, 0, &range, NULL), STASIS_LIMIT);
        ck_assert_int_eq(stasis_space_next(&space, 0x1000, 0, &range, NULL), STASIS_LIMIT);
        pt_put(&tables, 0x4000, 0x5001);
        expect_next(0, 0, 0, 0x1000, 0x5000); /* a new pass has a new account */
        expect_next(0x1000, 0, 0x200000, 0x1000, 0x5000);
}
END_TEST

/* ---- images that are not one piece: a run that begins inside a page, and pages that must be unpacked to be read */

static enum stasis_status unpack(const struct stasis_image *packed, void *priv, uint64_t pa, void *page)
{
        (void)packed;
        (void)priv;
        if (pa + 0x1000 > MEMORY)
                return STASIS_IO;
        for (unsigned i = 0; i < 0x1000; i++)
                ((uint8_t *)page)[i] = memory[pa + i] ^ 0x55;
        return STASIS_OK;
}

static const struct stasis_format torn_format = { .name = "torn" };
static const struct stasis_format packed_format = { .name = "packed", .read_page = unpack };

static void start_image(struct stasis_image *made, const struct stasis_format *format)
{
        memset(made, 0, sizeof(*made));
        made->format = format;
        ck_assert_int_eq(stasis_map_borrow(memory, sizeof(memory), &made->map, NULL), STASIS_OK);
}

static void end_image(struct stasis_image *made)
{
        stasis_map_close(&made->map);
        stasis_packed_close(made->packed);
        free(made->run);
        free(made->gap);
        stasis_arena_free(&made->arena);
}

static void check_two_pages(void)
{
        uint8_t got[0x2000];
        uint64_t value;
        ck_assert_int_eq(stasis_space_read(&space, 0x5000, got, sizeof(got)), STASIS_OK);
        for (unsigned i = 0; i < sizeof(got); i++)
                ck_assert_uint_eq(got[i], (uint8_t)(i * 7 >> 3));
        ck_assert_int_eq(stasis_space_u(&space, 0x5ffe, 4, &value), STASIS_OK);
        expect_next(0, 0, 0x5000, 0x1000, 0x20000);
        expect_next(0x6000, 0, 0x6000, 0x1000, 0x21000);
        expect_end(0x7000, 0);
}

static void map_two_pages(void)
{
        start(PT_PAE);
        pt_map(&tables, 0x5000, 0x20000, PT_4K, 0);
        pt_map(&tables, 0x6000, 0x21000, PT_4K, 0);
        for (unsigned i = 0; i < 0x2000; i++)
                memory[0x20000 + i] = (uint8_t)(i * 7 >> 3);
}

START_TEST(torn_runs)
{
        struct stasis_image made;
        map_two_pages();
        /* physical memory cut inside an entry of each table and inside the first page, the pieces moved apart */
        static const uint64_t cut[] = { 0, 0x1003, 0x2004, 0x302b, 0x20123, 0x40000 };
        memmove(memory + 0x80000, memory, 0x40000);
        start_image(&made, &torn_format);
        for (unsigned i = 0; i + 1 < sizeof(cut) / sizeof(*cut); i++) {
                uint64_t len = cut[i + 1] - cut[i], to = i % 2 ? 0x40000 + cut[i] : cut[i];
                memset(memory + cut[i], 0xff, len);
                memmove(memory + to, memory + 0x80000 + cut[i], len);
                ck_assert_int_eq(stasis_image_add_run(&made, cut[i], len, to, NULL), STASIS_OK);
        }
        memset(memory + 0x80000, 0xff, 0x40000);
        ck_assert_int_eq(stasis_image_seal(&made, NULL), STASIS_OK);
        ck_assert_uint_eq(made.run_count, 5);
        space.image = &made;
        check_two_pages();
        end_image(&made);
}
END_TEST

START_TEST(packed_pages)
{
        struct stasis_image made;
        map_two_pages();
        for (unsigned i = 0; i < MEMORY; i++)
                memory[i] ^= 0x55;
        start_image(&made, &packed_format);
        made.packed = stasis_packed_open();
        ck_assert_ptr_nonnull(made.packed);
        ck_assert_int_eq(stasis_image_add_run(&made, 0, MEMORY, 0, NULL), STASIS_OK);
        ck_assert_int_eq(stasis_image_seal(&made, NULL), STASIS_OK);
        space.image = &made;
        check_two_pages();
        struct stasis_bytes view = stasis_space_view(&space, 0x5123, 0x2000);
        ck_assert_uint_eq(view.len, 0xedd);
        ck_assert_uint_eq(view.at[0], (uint8_t)(0x123 * 7 >> 3));
        end_image(&made);
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("space");
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, opened_by_name);
        tcase_add_test(tc, read_crosses_pages);
        tcase_add_test(tc, loads);
        tcase_add_test(tc, pages_and_tables_outside_the_image);
        tcase_add_test(tc, view_ends_with_its_page);
        tcase_add_test(tc, tlb_slots_are_shared_and_not_mixed_up);
        tcase_add_test(tc, soft_faults);
        tcase_add_test(tc, soft_faults_without_an_address);
        tcase_add_test(tc, verdicts);
        tcase_add_test(tc, next_skips_gaps_and_cuts);
        tcase_add_test(tc, next_costs_a_step_for_a_gap);
        tcase_add_test(tc, next_on_32_bits);
        tcase_add_test(tc, next_counts_unreadable_tables);
        tcase_add_test(tc, next_gives_up_on_hostile_tables);
        tcase_add_test(tc, torn_runs);
        tcase_add_test(tc, packed_pages);
        Suite *suite = suite_create("space");
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
