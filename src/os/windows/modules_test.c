/* SPDX-License-Identifier: MIT */
#include "modules.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"

/* Places in an LDR_DATA_TABLE_ENTRY: of the 32-bit and of the 64-bit loader (Microsoft's public symbols). */
struct places {
        unsigned pointer, base, entry_point, size, path, name, flags, timestamp;
};
static const struct places p32 = { 4, 0x18, 0x1c, 0x20, 0x24, 0x2c, 0x34, 0x44 };
static const struct places p64 = { 8, 0x30, 0x38, 0x40, 0x48, 0x58, 0x68, 0x80 };

#define HEAD UINT64_C(0xffff800000010100)
#define POOL UINT64_C(0xffff800000020000)
#define KERNEL UINT64_C(0xfffff80002a52000)

static struct world w;
static struct modules mods;

static void setup(void)
{
        world_start(&w, PT_X64);
        world_map(&w, HEAD & ~UINT64_C(0xfff), 0x1000);
        world_map(&w, POOL, 0x8000);
        world_u(&w, HEAD, 8, HEAD);
        world_u(&w, HEAD + 8, 8, HEAD);
}

static void teardown(void)
{
        modules_free(&mods);
        world_end(&w);
}

static void put_string(const struct places *p, uint64_t va, uint64_t text, const char *ascii)
{
        world_u(&w, va, 2, 2 * strlen(ascii));
        world_u(&w, va + 2, 2, 2 * strlen(ascii) + 2);
        world_u(&w, va + p->pointer, p->pointer, text);
        world_utf16(&w, text, ascii);
}

/* An entry at the end of the list: the page after it is its own for its texts. */
static void add(const struct places *p, uint64_t head, uint64_t at, uint64_t base, uint32_t size, const char *name)
{
        uint64_t last = 0;

        for (unsigned i = 0; i < p->pointer; i++)
                last |= (uint64_t)*world_at(&w, head + p->pointer + i) << 8 * i;
        world_u(&w, at, p->pointer, head);
        world_u(&w, at + p->pointer, p->pointer, last);
        world_u(&w, last, p->pointer, at);
        world_u(&w, head + p->pointer, p->pointer, at);
        world_u(&w, at + p->base, p->pointer, base);
        world_u(&w, at + p->entry_point, p->pointer, base + 0x123);
        world_u(&w, at + p->size, 4, size);
        world_u(&w, at + p->flags, 4, 0x4004);
        world_u(&w, at + p->timestamp, 4, 0x5eadbeef);
        put_string(p, at + p->path, at + 0x200, "\\SystemRoot\\a.sys");
        put_string(p, at + p->name, at + 0x300, name);
}

static void three(void)
{
        add(&p64, HEAD, POOL, KERNEL, 0x8000, "ntoskrnl.exe");
        add(&p64, HEAD, POOL + 0x1000, KERNEL + 0x10000, 0x4000, "hal.dll");
        add(&p64, HEAD, POOL + 0x2000, KERNEL - 0x10000, 0x10000, "kd.dll");
}

START_TEST(kernel_list)
{
        three();
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 3);
        ck_assert(!mods.torn);
        ck_assert_uint_eq(mods.unreadable, 0);
        ck_assert_str_eq(mods.module[0].name, "kd.dll");
        ck_assert_str_eq(mods.module[2].name, "hal.dll");
        ck_assert_uint_eq(mods.module[1].entry, POOL);
        ck_assert_uint_eq(mods.module[1].base, KERNEL);
        ck_assert_uint_eq(mods.module[1].size, 0x8000);
        ck_assert_uint_eq(mods.module[1].entry_point, KERNEL + 0x123);
        ck_assert_uint_eq(mods.module[1].flags, 0x4004);
        ck_assert_uint_eq(mods.module[1].timestamp, 0); /* not at the place of the loader's */
        ck_assert_str_eq(mods.module[1].path, "\\SystemRoot\\a.sys");
        ck_assert(!mods.module[1].wow64);
}
END_TEST

START_TEST(addresses)
{
        three();
        ck_assert_ptr_null(modules_find(&mods, KERNEL));
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_str_eq(modules_find(&mods, KERNEL)->name, "ntoskrnl.exe");
        ck_assert_str_eq(modules_find(&mods, KERNEL - 1)->name, "kd.dll");
        ck_assert_str_eq(modules_find(&mods, KERNEL + 0x7fff)->name, "ntoskrnl.exe");
        ck_assert_ptr_null(modules_find(&mods, KERNEL + 0x8000));
        ck_assert_str_eq(modules_find(&mods, KERNEL + 0x13fff)->name, "hal.dll");
        ck_assert_ptr_null(modules_find(&mods, KERNEL + 0x14000));
        ck_assert_ptr_null(modules_find(&mods, KERNEL - 0x10001));
}
END_TEST

START_TEST(a_torn_list_gives_both_ends)
{
        three();
        world_unmap(&w, POOL + 0x1000);
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 2);
        ck_assert(mods.torn);
        ck_assert_uint_eq(mods.unreadable, 1);
        ck_assert_str_eq(mods.module[0].name, "kd.dll");
        ck_assert_str_eq(mods.module[1].name, "ntoskrnl.exe");
}
END_TEST

START_TEST(what_is_no_entry_ends_the_list)
{
        three();
        world_u(&w, POOL + 0x1000 + 0x30, 8, KERNEL + 0x10); /* a base that is no page */
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 2);
        ck_assert(mods.torn);
        modules_free(&mods);
        world_u(&w, POOL + 0x1000 + 0x30, 8, 0x400000); /* of the other half */
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 2);
        modules_free(&mods);
        world_u(&w, POOL, 8, 0x7000); /* and so of a link */
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 2);
}
END_TEST

START_TEST(a_loop_ends)
{
        three();
        world_u(&w, POOL + 0x2000, 8, POOL + 0x1000);
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 3);
        ck_assert(mods.torn);
}
END_TEST

START_TEST(no_head)
{
        ck_assert_int_eq(modules_kernel(&w.space, NULL, 0xffff900000000000, &mods), STASIS_ABSENT);
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 0);
        ck_assert(!mods.torn);
}
END_TEST

START_TEST(names_that_are_not_in_memory)
{
        three();
        world_u(&w, POOL + 0x58 + 8, 8, 0xffff900000000000);
        world_u(&w, POOL + 0x1000 + 0x58 + 8, 8, 0xffff900000000000);
        world_u(&w, POOL + 0x1000 + 0x48 + 8, 8, 0xffff900000000000);
        ck_assert_int_eq(modules_kernel(&w.space, NULL, HEAD, &mods), STASIS_OK);
        ck_assert_str_eq(mods.module[1].name, "a.sys"); /* of the path */
        ck_assert_str_eq(mods.module[2].name, "");
        ck_assert_str_eq(mods.module[2].path, "");
}
END_TEST

static void wow64_process(void)
{
        world_map(&w, 0x7ffd0000, 0x2000);
        world_map(&w, 0x200000, 0x6000);
        world_u(&w, 0x7ffd0018, 8, 0x200000); /* PEB.Ldr; its list at 10 */
        world_u(&w, 0x200010, 8, 0x200010);
        world_u(&w, 0x200018, 8, 0x200010);
        add(&p64, 0x200010, 0x201000, 0x400000, 0x5000, "program.exe");
        add(&p64, 0x200010, 0x202000, 0x7ff812340000, 0x1f0000, "ntdll.dll");
        world_u(&w, 0x7ffd100c, 4, 0x203000); /* PEB32.Ldr; its list at c */
        world_u(&w, 0x20300c, 4, 0x20300c);
        world_u(&w, 0x203010, 4, 0x20300c);
        add(&p32, 0x20300c, 0x204000, 0x400000, 0x5000, "program.exe");
        add(&p32, 0x20300c, 0x205000, 0x77000000, 0x180000, "ntdll.dll");
}

START_TEST(both_lists_of_a_process)
{
        wow64_process();
        ck_assert_int_eq(modules_user(&w.space, NULL, 0x7ffd0000, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 2);
        ck_assert(!mods.torn);
        ck_assert_uint_eq(mods.module[0].timestamp, 0x5eadbeef);
        ck_assert(!mods.module[0].wow64);
        ck_assert_int_eq(modules_user32(&w.space, NULL, 0x7ffd1000, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 3);
        ck_assert(!mods.torn);
        ck_assert_uint_eq(mods.module[0].base, 0x400000);
        ck_assert(mods.module[0].wow64);
        ck_assert_uint_eq(mods.module[1].base, 0x77000000);
        ck_assert(mods.module[1].wow64);
        ck_assert_uint_eq(mods.module[1].size, 0x180000);
        ck_assert_uint_eq(mods.module[1].timestamp, 0x5eadbeef);
        ck_assert_str_eq(mods.module[1].name, "ntdll.dll");
        ck_assert(!mods.module[2].wow64);
}
END_TEST

START_TEST(a_process_of_three_gigabytes)
{
        world_end(&w);
        world_start(&w, PT_PAE);
        world_map(&w, 0xbffd0000, 0x5000);
        world_u(&w, 0xbffd000c, 4, 0xbffd1000);
        world_u(&w, 0xbffd100c, 4, 0xbffd100c);
        world_u(&w, 0xbffd1010, 4, 0xbffd100c);
        add(&p32, 0xbffd100c, 0xbffd2000, 0xb0000000, 0x5000, "large.dll");
        ck_assert_int_eq(modules_user(&w.space, NULL, 0xbffd0000, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 1);
        ck_assert(!mods.torn);
        world_u(&w, 0xbffd2018, 4, 0xc0000000);
        modules_free(&mods);
        ck_assert_int_eq(modules_user(&w.space, NULL, 0xbffd0000, &mods), STASIS_OK);
        ck_assert_uint_eq(mods.count, 0);
}
END_TEST

START_TEST(a_process_without_loader_data)
{
        wow64_process();
        world_u(&w, 0x7ffd0018, 8, 0);
        ck_assert_int_eq(modules_user(&w.space, NULL, 0x7ffd0000, &mods), STASIS_ABSENT);
        world_u(&w, 0x7ffd0018, 8, POOL); /* no loader keeps its data in the kernel */
        ck_assert_int_eq(modules_user(&w.space, NULL, 0x7ffd0000, &mods), STASIS_ABSENT);
        ck_assert_int_eq(modules_user(&w.space, NULL, 0x10000, &mods), STASIS_ABSENT);
        ck_assert_uint_eq(mods.count, 0);
}
END_TEST

START_TEST(head_by_shape)
{
        struct world_pe m = { .base = KERNEL, .is64 = true, .machine = 0x8664 };
        struct pe_image pe;
        uint64_t head = KERNEL + 0x3ff8, found = 0;

        world_pe(&w, &m);
        ck_assert_int_eq(pe_open(&w.space, KERNEL, &pe), STASIS_OK);
        ck_assert_int_eq(modules_head_by_shape(&w.space, &pe, NULL, &found), STASIS_ABSENT);
        world_u(&w, KERNEL + 0x2100, 8, POOL); /* a pointer to the first entry that is no head */
        world_u(&w, KERNEL + 0x2108, 8, POOL);
        world_u(&w, head, 8, head); /* over a page's border */
        world_u(&w, head + 8, 8, head);
        ck_assert_int_eq(modules_head_by_shape(&w.space, &pe, NULL, &found), STASIS_ABSENT);
        add(&p64, head, POOL, KERNEL, 0x8000, "ntoskrnl.exe");
        add(&p64, head, POOL + 0x1000, KERNEL + 0x10000, 0x4000, "hal.dll");
        ck_assert_int_eq(modules_head_by_shape(&w.space, &pe, NULL, &found), STASIS_OK);
        ck_assert_uint_eq(found, head);
        world_u(&w, POOL + 0x1000, 8, POOL); /* the last one points elsewhere */
        ck_assert_int_eq(modules_head_by_shape(&w.space, &pe, NULL, &found), STASIS_ABSENT);
        world_u(&w, POOL + 0x1000, 8, head);
        world_u(&w, POOL + 0x30, 8, KERNEL + 0x10000); /* the first one is not the kernel */
        ck_assert_int_eq(modules_head_by_shape(&w.space, &pe, NULL, &found), STASIS_ABSENT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("modules");
        TCase *tcase = tcase_create("modules");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, kernel_list);
        tcase_add_test(tcase, addresses);
        tcase_add_test(tcase, a_torn_list_gives_both_ends);
        tcase_add_test(tcase, what_is_no_entry_ends_the_list);
        tcase_add_test(tcase, a_loop_ends);
        tcase_add_test(tcase, no_head);
        tcase_add_test(tcase, names_that_are_not_in_memory);
        tcase_add_test(tcase, both_lists_of_a_process);
        tcase_add_test(tcase, a_process_of_three_gigabytes);
        tcase_add_test(tcase, a_process_without_loader_data);
        tcase_add_test(tcase, head_by_shape);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
