/* SPDX-License-Identifier: MIT */
/* Pages that are not there, in a whole system: each kind of entry, prototype entries, VADs, page files, loops. */
#include <stdlib.h>

#include "../../test/tiny_system.h"
#include "pager.h"

#define PAGE 4096u
#define FILE_PAGES 0x24u

static uint8_t file[FILE_PAGES * PAGE];
static struct stasis_pagefile given = { .number = 1, .bytes = file, .len = sizeof file };

/* The entry of va in these tables, as the image holds it. */
static uint8_t *entry_at(uint64_t root, uint64_t va, unsigned up)
{
        struct stasis_walk walk;
        (void)!stasis_paging_walk(t.world.image, t.is64 ? &stasis_paging_x64 : &stasis_paging_x86, root, va, &walk);
        ck_assert_uint_gt(walk.depth, up);
        return t.world.mem + walk.entry[walk.depth - 1 - up].pa;
}

static uint64_t get(const uint8_t *at)
{
        uint64_t value = 0;
        memcpy(&value, at, t.is64 ? 8 : 4);
        return value;
}

static uint64_t put(uint8_t *at, uint64_t value)
{
        uint64_t old = get(at);
        memcpy(at, &value, t.is64 ? 8 : 4);
        return old;
}

static uint8_t *teb_entry(void) { return entry_at(t.root[TINY_ALPHA], t.teb[TINY_RUNNER], 0); }

/* Forms: XP's, and 19041's with SwizzleBit set, so that no mask matters. */
static uint64_t transition(uint64_t valid) { return (valid & 0xfffff000) | 0x880 | (t.is64 ? 0x10 : 0); }
static uint64_t in_file(unsigned number, uint64_t page)
{
        return t.is64 ? page << 32 | (uint64_t)number << 12 | 0x90 : page << 12 | number << 1 | 0x80;
}

static void open_given(bool with)
{
        struct stasis_system_options options = { .pagefile = &given, .pagefile_count = with };
        enum stasis_status status = sys_open_with(&options);
        ck_assert_msg(status == STASIS_OK, "%s", sys_err.text);
        (void)sys_count(STASIS_THREADS);
}

static struct stasis_address examine(uint64_t va)
{
        struct stasis_space *space;
        struct stasis_address address;
        ck_assert_int_eq(stasis_system_process_space(sys, tiny_pid(TINY_ALPHA), &space, &sys_err), STASIS_OK);
        stasis_space_examine(space, va, &address);
        return address;
}

static void expect_verdict(uint64_t va, enum stasis_verdict verdict, const char *why)
{
        struct stasis_address address = examine(va);
        ck_assert_msg(address.verdict == verdict, "%s (%s)", stasis_verdict_name(address.verdict),
                      address.why ? address.why : "");
        if (why)
                ck_assert_ptr_nonnull(strstr(address.why, why));
}

static void teb_is_there(void) { expect_value(thread_fact(TINY_RUNNER, "teb_tid"), tiny_tid(TINY_RUNNER)); }

static void teb_is_absent(enum stasis_absence why) { expect_absent(thread_fact(TINY_RUNNER, "teb_tid"), why); }

/* ---------------------------------------------------------------- entries */

START_TEST(in_transition)
{
        tiny_build(&t, _i);
        uint64_t frame = put(teb_entry(), transition(get(teb_entry()))) & 0xfffff000;
        open_given(false);
        teb_is_there();
        struct stasis_address address = examine(t.teb[TINY_RUNNER] + 8);
        ck_assert_int_eq(address.verdict, STASIS_VERDICT_TRANSITION);
        ck_assert_uint_eq(address.pa, frame + 8);
        ck_assert_uint_eq(address.pte_count, 1);
        ck_assert_str_eq(address.pte[0].form, "_MMPTE_TRANSITION");
        const struct stasis_fact *fact = thread_fact(TINY_RUNNER, "teb_tid");
        ck_assert_uint_eq(fact->pa & ~UINT64_C(0xfff), frame);
}
END_TEST

START_TEST(table_in_transition)
{
        tiny_build(&t, _i);
        uint8_t *entry = entry_at(t.root[TINY_ALPHA], t.teb[TINY_RUNNER], 1);
        put(entry, transition(get(entry)));
        open_given(false);
        teb_is_there();
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_PRESENT, NULL);
        expect_verdict(t.teb[TINY_RUNNER] - 0x40000, STASIS_VERDICT_INVALID, "no VAD");
}
END_TEST

static void move_to_file(uint64_t page)
{
        memcpy(file + page * PAGE, tiny_user_at(&t, TINY_ALPHA, t.teb[TINY_RUNNER]), PAGE);
        memset(tiny_user_at(&t, TINY_ALPHA, t.teb[TINY_RUNNER]), 0xee, PAGE);
        put(teb_entry(), in_file(1, page));
}

START_TEST(in_a_page_file)
{
        tiny_build(&t, _i);
        move_to_file(0x21);
        open_given(true);
        teb_is_there();
        const struct stasis_fact *fact = thread_fact(TINY_RUNNER, "teb_tid");
        ck_assert_uint_eq(fact->pa, STASIS_NOWHERE);
        ck_assert_int_eq(fact->backing, STASIS_BACKING_PAGEFILE);
        ck_assert_uint_eq(fact->pagefile, 1);
        ck_assert_uint_eq(fact->off, 0x21 * PAGE + fact->va % PAGE);
        struct stasis_address address = examine(t.teb[TINY_RUNNER]);
        ck_assert_int_eq(address.verdict, STASIS_VERDICT_PAGED_OUT);
        ck_assert_int_eq(address.status, STASIS_OK);
        ck_assert_uint_eq(address.pa, STASIS_NOWHERE);
}
END_TEST

START_TEST(without_its_page_file)
{
        tiny_build(&t, _i);
        move_to_file(0x21);
        open_given(false);
        teb_is_absent(STASIS_PAGED_OUT);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_PAGED_OUT, "was not given");
        struct stasis_address address = examine(t.teb[TINY_RUNNER]);
        ck_assert_uint_eq(address.pagefile, 1);
        ck_assert_uint_eq(address.off, 0x21 * PAGE);
}
END_TEST

/* Cut at any length: the page is served from where it is whole on, and never in part. */
START_TEST(page_file_cut)
{
        static const size_t lens[] = { 1, 4095, 4096, 0x21 * PAGE, 0x22 * PAGE - 1, 0x22 * PAGE, sizeof file };
        tiny_build(&t, true);
        move_to_file(0x21);
        for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
                struct stasis_pagefile cut = { .number = 1, .bytes = file, .len = lens[i] };
                struct stasis_system_options options = { .pagefile = &cut, .pagefile_count = 1 };
                ck_assert_int_eq(sys_open_with(&options), STASIS_OK);
                expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_PAGED_OUT,
                               lens[i] < 0x22 * PAGE ? "too short" : NULL);
                ck_assert_int_eq(examine(t.teb[TINY_RUNNER]).status, lens[i] < 0x22 * PAGE ? STASIS_ABSENT : STASIS_OK);
                stasis_system_close(sys);
                sys = NULL;
        }
}
END_TEST

START_TEST(page_files_refused)
{
        struct stasis_pagefile two[2] = { given, given };
        struct stasis_system_options options = { .pagefile = two, .pagefile_count = 2 };
        tiny_build(&t, true);
        ck_assert_int_eq(sys_open_with(&options), STASIS_USAGE);
        ck_assert_ptr_nonnull(strstr(sys_err.text, "given twice"));
        stasis_system_close(sys);
        two[1].number = 16;
        ck_assert_int_eq(sys_open_with(&options), STASIS_USAGE);
        stasis_system_close(sys);
        two[1] = (struct stasis_pagefile){ .number = 2, .path = "/nowhere/pagefile.sys" };
        ck_assert_int_eq(sys_open_with(&options), STASIS_IO);
        ck_assert_ptr_nonnull(strstr(sys_err.text, "/nowhere/pagefile.sys"));
}
END_TEST

START_TEST(nothing_yet)
{
        tiny_build(&t, _i);
        put(teb_entry(), t.is64 ? 0x90 : 0x80);
        open_given(true);
        teb_is_absent(STASIS_DEMAND_ZERO);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_DEMAND_ZERO, NULL);
        put(teb_entry(), t.is64 ? 0x210 : 0x200);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_INVALID, "decommitted");
}
END_TEST

/* The mask of a serviced kernel, which nothing in this image tells. */
START_TEST(mask_not_known)
{
        tiny_build(&t, true);
        put(teb_entry(), in_file(1, 0x21) & ~UINT64_C(0x10));
        open_given(true);
        teb_is_absent(STASIS_PAGED_OUT);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_PAGED_OUT, "InvalidPteMask");
        put(teb_entry(), 0xd18a012345680400);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_NOT_CAPTURED, "InvalidPteMask");
}
END_TEST

/* ---------------------------------------------------------------- VADs */

/* EPROCESS.VadRoot: XP 0x11c, a pointer; 19041 0x7d8. MMVAD: as the two kernels have it. */
struct vad_of {
        uint64_t first, last, left, right, prototype;
        bool private_memory, commit;
};

static void put_bytes(uint64_t va, uint64_t value, size_t size) { memcpy(world_at(&t.world, va), &value, size); }

static void write_vad(uint64_t va, const struct vad_of *vad)
{
        size_t p = t.pointer;
        uint64_t first = vad->first / PAGE, last = vad->last / PAGE;
        put_bytes(va + (t.is64 ? 0 : 0xc), vad->left, p);
        put_bytes(va + (t.is64 ? 8 : 0x10), vad->right, p);
        put_bytes(va + (t.is64 ? 0x18 : 0), first, 4);
        put_bytes(va + (t.is64 ? 0x1c : 4), last, 4);
        if (t.is64) {
                put_bytes(va + 0x20, first >> 32, 1);
                put_bytes(va + 0x21, last >> 32, 1);
                put_bytes(va + 0x30, (uint64_t)vad->private_memory << 20, 4);
                put_bytes(va + 0x34, (uint64_t)vad->commit << 31, 4);
        } else {
                put_bytes(va + 0x14, (uint64_t)vad->private_memory << 31 | (uint64_t)vad->commit << 30, 4);
        }
        put_bytes(va + (t.is64 ? 0x50 : 0x1c), vad->prototype, p);
        put_bytes(va + (t.is64 ? 0x58 : 0x20), vad->prototype ? vad->prototype + 0x400 : 0, p);
}

static uint64_t node(unsigned i) { return t.pool + TINY_POOL_FREE + 0x100 * i; }

static void set_root(uint64_t va) { put_bytes(t.process[TINY_ALPHA] + (t.is64 ? 0x7d8 : 0x11c), va, t.pointer); }

/* 0x300000 reserved <- 0x500000 .. 0x50ffff committed -> the TEB's page, mapped */
static void make_vads(void)
{
        uint64_t teb = t.teb[TINY_RUNNER] & ~UINT64_C(0xfff);
        write_vad(node(0), &(struct vad_of){ .first = 0x500000,
                                             .last = 0x50ffff,
                                             .left = node(1),
                                             .right = node(2),
                                             .private_memory = true,
                                             .commit = true });
        write_vad(node(1), &(struct vad_of){ .first = 0x300000, .last = 0x30ffff, .private_memory = true });
        write_vad(node(2), &(struct vad_of){ .first = teb - PAGE, .last = teb + PAGE, .prototype = node(8) });
        set_root(node(0));
}

START_TEST(vads_tell)
{
        tiny_build(&t, _i);
        make_vads();
        uint64_t valid = put(teb_entry(), 0);
        put_bytes(node(8) + t.pointer, valid, t.pointer); /* the second entry: the TEB's page is the VAD's second */
        open_given(true);
        teb_is_there();
        struct stasis_address address = examine(t.teb[TINY_RUNNER]);
        ck_assert_int_eq(address.verdict, STASIS_VERDICT_PROTOTYPE);
        ck_assert_uint_eq(address.vad, node(2));
        ck_assert_uint_eq(address.pte[1].va, node(8) + t.pointer);
        ck_assert_uint_eq(address.pa & ~UINT64_C(0xfff), valid & 0xfffff000);
        expect_verdict(0x508000, STASIS_VERDICT_DEMAND_ZERO, NULL);
        expect_verdict(0x308000, STASIS_VERDICT_INVALID, "reserved");
        expect_verdict(0x400000, STASIS_VERDICT_INVALID, "no VAD");
        expect_verdict((t.teb[TINY_RUNNER] & ~UINT64_C(0xfff)) - PAGE, STASIS_VERDICT_INVALID, "is zero");
        /* the form that sends to the VADs */
        put(teb_entry(), t.is64 ? 0xffffffff00000410 : 0xfffff400);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_PROTOTYPE, NULL);
        /* and what the prototype entry may be */
        put_bytes(node(8) + t.pointer, transition(valid), t.pointer);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_PROTOTYPE, NULL);
        put_bytes(node(8) + t.pointer, in_file(1, 0x21), t.pointer);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_PAGED_OUT, NULL);
        ck_assert_int_eq(examine(t.teb[TINY_RUNNER]).status, STASIS_OK);
        put_bytes(node(8) + t.pointer, 0x480 | (t.is64 ? 0x10 : 0), t.pointer);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_MAPPED_FILE, NULL);
}
END_TEST

START_TEST(vads_of_an_adversary)
{
        tiny_build(&t, _i);
        make_vads();
        put(teb_entry(), 0);
        open_given(false);
        struct vad_of loop = { .first = 0x500000, .last = 0x50ffff, .left = node(0), .right = node(0) };
        write_vad(node(0), &loop); /* it is its own child */
        expect_verdict(0x300000, STASIS_VERDICT_NOT_CAPTURED, "VAD tree");
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_NOT_CAPTURED, "VAD tree");
        set_root(t.kernel - 0x200000); /* where nothing is */
        expect_verdict(0x300000, STASIS_VERDICT_NOT_CAPTURED, "VAD tree");
        set_root(0x1234);
        expect_verdict(0x300000, STASIS_VERDICT_INVALID, "no VAD");
}
END_TEST

/* ---------------------------------------------------------------- prototype entries */

/* In a page of the pool that is in transition itself, and then in one that names itself. */
START_TEST(prototype_entries)
{
        tiny_build(&t, true);
        uint64_t at = node(8), valid = get(teb_entry());
        put_bytes(at, valid, 8);
        put(teb_entry(), at << 16 | 0x410);
        uint8_t *pool = entry_at(t.root[TINY_SYSTEM], at, 0);
        put(pool, transition(get(pool)));
        open_given(false);
        teb_is_there();
        ck_assert_uint_eq(examine(t.teb[TINY_RUNNER]).pte[1].va, at);
        stasis_system_close(sys);
        put(pool, at << 16 | 0x410);
        open_given(false);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_NOT_CAPTURED, "not readable");
        put(teb_entry(), UINT64_C(0x12345678) << 16 | 0x410);
        expect_verdict(t.teb[TINY_RUNNER], STASIS_VERDICT_INVALID, "no kernel address");
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("pager");
        tcase_add_checked_fixture(tc, NULL, sys_close);
        tcase_add_loop_test(tc, in_transition, 0, 2);
        tcase_add_loop_test(tc, table_in_transition, 0, 2);
        tcase_add_loop_test(tc, in_a_page_file, 0, 2);
        tcase_add_loop_test(tc, without_its_page_file, 0, 2);
        tcase_add_test(tc, page_file_cut);
        tcase_add_test(tc, page_files_refused);
        tcase_add_loop_test(tc, nothing_yet, 0, 2);
        tcase_add_test(tc, mask_not_known);
        tcase_add_loop_test(tc, vads_tell, 0, 2);
        tcase_add_loop_test(tc, vads_of_an_adversary, 0, 2);
        tcase_add_test(tc, prototype_entries);
        Suite *suite = suite_create("pager");
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
