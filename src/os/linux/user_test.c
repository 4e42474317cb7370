/* SPDX-License-Identifier: MIT */
/*
 * The memory of a process and what is mapped in it (src/test/tiny_process.h), in each way that kernels have kept
 * mappings and pages of files. Sources: lib/maple_tree.c, mm/mmap.c, lib/xarray.c, lib/radix-tree.c of the versions
 * that tiny_process.h names.
 */
#include <check.h>
#include <string.h>

#include "../../test/tiny_process.h"
#include "unwind_user.h"
#include "user.h"

static struct tp tp;
static struct linux_frame frames[16];
static const struct tp_kind usual = { true, true, TP_XARRAY, true, true };

static void teardown(void)
{
        linux_user_free(tp.l.memory);
        tp_end(&tp);
}

static struct linux_user *memory(void)
{
        linux_user_free(tp.l.memory);
        tp.l.memory = NULL;
        struct linux_user *user = linux_user_get(&tp.l, tp.mm);
        ck_assert_ptr_nonnull(user);
        return user;
}

static enum stasis_status entry_at(void *ctx, uint64_t pc, struct cfi_entry *ret_entry)
{
        return user_entry_at(ctx, pc, ret_entry);
}

/* How many frames; those that are there must be right. */
static size_t follow(const char **ret_end)
{
        struct stasis_registers r = tp_registers(&tp);
        struct linux_user *user = memory();
        struct user_walk w = { .space = &user->space, .entry_at = entry_at, .ctx = user, .frame = frames, .max = 16 };
        unwind_user(&w, &r);
        *ret_end = w.end;
        ck_assert_uint_eq(frames[0].pc, TP_CODE + 0x50);
        for (size_t i = 1; i < w.count; i++)
                ck_assert(frames[i].pc == TP_CODE + 0x100 * i + 0x15 && frames[i].how == STASIS_HOW_EH_FRAME);
        return w.count;
}

static void named(uint64_t pc, bool exact, const char *module, const char *symbol, uint64_t offset)
{
        struct linux_user_name name;
        linux_user_name(&tp.l, pc, exact, &name);
        if (module)
                ck_assert_str_eq(name.module, module);
        else
                ck_assert_ptr_null(name.module);
        ck_assert_str_eq(name.symbol, symbol);
        ck_assert_uint_eq(name.offset, offset);
}

START_TEST(every_kind)
{
        const char *end;
        bool is64 = _i & 1, maple = _i & 2, header = _i & 4;
        const struct tp_kind kind = { is64, maple, (enum tp_cache)(_i / 8 % 3), header, true };
        tp_start(&tp, &kind);
        ck_assert_uint_eq(follow(&end), 3);
        ck_assert_str_eq(end, "outermost function");
        /* stripped: two of three by .dynsym; else .symtab out of the page that nothing maps */
        named(TP_CODE + 0x50, true, "tiny", "leaf", 0x50);
        if (header)
                named(TP_CODE + 0x115, false, "tiny", "", 0x1115);
        else
                named(TP_CODE + 0x115, false, "tiny", "pushed", 0x15);
        named(TP_CODE + 0x200, false, "tiny", header ? "" : "pushed", header ? 0x1200 : 0x100);
        named(TP_CODE + 0x215, false, "tiny", header ? "outer" : "outermost", 0x15);
        named(TP_STACK + 0x10, true, NULL, "", 0x10);
        named(0x1000, true, NULL, "", 0);
        /* a second question does not build anything anew */
        const struct user_module *m = user_module_at(tp.l.memory, TP_CODE);
        ck_assert(m && m->low == TP_IMAGE && m->high == TP_IMAGE + 0x3000 && m->bias == TP_IMAGE - TP_LINKED);
        ck_assert_ptr_eq(user_file_of(tp.l.memory, m), user_file_of(tp.l.memory, m));
}
END_TEST

START_TEST(vdso)
{
        const char *end;
        tp_start(&tp, &(struct tp_kind){ _i & 1, true, TP_XARRAY, true, false });
        ck_assert_uint_eq(follow(&end), 3);
        named(TP_CODE + 0x50, true, "[vdso]", "leaf", 0x50);
        tp_put(&tp, tp.mm + 0x48, 0); /* it is another file that somebody copied there */
        ck_assert_uint_eq(follow(&end), 3);
        named(TP_CODE + 0x50, true, NULL, "leaf", 0x50);
}
END_TEST

START_TEST(mappings)
{
        struct user_vma v;
        tp_start(&tp, &(struct tp_kind){ true, _i & 1, TP_XARRAY, true, true });
        struct linux_user *user = memory();
        ck_assert(user_vma_at(user, TP_IMAGE, &v) && v.start == TP_IMAGE && v.end == TP_IMAGE + 0x1000 && !v.code);
        ck_assert(user_vma_at(user, TP_CODE + 0xfff, &v) && v.code && !v.writable && v.first_page == 1);
        ck_assert(v.file == tp.file && user_vma_at(user, TP_CODE + 0x1000, &v) && v.first_page == 2);
        ck_assert(user_vma_at(user, TP_STACK, &v) && v.writable && !v.file);
        ck_assert(!user_vma_at(user, TP_IMAGE - 1, &v) && !user_vma_at(user, TP_IMAGE + 0x3000, &v));
        ck_assert(!user_vma_at(user, TP_STACK + 0x1000, &v) && !user_vma_at(user, 0, &v));
        ck_assert(!user_vma_at(user, UINT64_MAX, &v));
        /* a tree that leads to itself */
        uint64_t root = tp.kernel + 0x2000;
        tp_put(&tp, root + 0x50, root | 3 << 3 | 4);
        tp_put(&tp, tp.vma[2] + 0x20, tp.vma[2] + 0x10);
        ck_assert(!user_vma_at(memory(), TP_IMAGE, &v));
}
END_TEST

/* Pages that are not there: what can be told is, and the rest has its reason. */
START_TEST(missing)
{
        static const char page[] = "a page of the program that tells how to go on is not in the image";
        const char *end;
        uint64_t w = 8;
        tp_start(&tp, &usual);
        tp_put(&tp, tp.node + 0x28 + 2 * w, 0); /* the tables */
        ck_assert_uint_eq(follow(&end), 1);
        ck_assert_str_eq(end, page);
        tp_put(&tp, tp.node + 0x28 + 2 * w, 0x1234567 << 1 | 1); /* swapped out */
        ck_assert_uint_eq(follow(&end), 1);
        ck_assert_str_eq(end, page);
        teardown();
        tp_start(&tp, &usual);
        tp_put(&tp, tp.node + 0x28, 0); /* the headers */
        ck_assert_uint_eq(follow(&end), 1);
        ck_assert_str_eq(end, page);
        named(TP_CODE + 0x50, true, "tiny", "", 0x50);
        teardown();
        tp_start(&tp, &(struct tp_kind){ true, true, TP_XARRAY, false, true });
        tp_put(&tp, tp.node + 0x28 + 3 * w, 0); /* the sections: nothing tells of .eh_frame */
        ck_assert_uint_eq(follow(&end), 1);
        ck_assert_str_eq(end, "no unwind table covers the code");
        named(TP_CODE + 0x50, true, "tiny", "leaf", 0x50); /* .dynsym */
        teardown();
        tp_start(&tp, &usual);
        tp.l.vmcoreinfo = (struct stasis_bytes){ NULL, 0 }; /* nothing tells where struct page lies */
        ck_assert_uint_eq(follow(&end), 1);
        ck_assert_str_eq(end, page);
}
END_TEST

/* What the page cache says is believed only where the page says the same. */
START_TEST(cache)
{
        uint64_t pa, w = 8, page = tp.kernel;
        tp_start(&tp, &usual);
        struct linux_user *user = memory();
        ck_assert(user_file_page(user, tp.mapping, 1, &pa) && pa == tp.file_pa[1]);
        ck_assert(!user_file_page(user, tp.mapping, 4, &pa) && !user_file_page(user, tp.mapping, 64, &pa));
        ck_assert(!user_file_page(user, tp.mapping, 4096, &pa) && !user_file_page(user, 0, 1, &pa));
        ck_assert(!user_file_page(user, tp.mapping, UINT64_MAX, &pa));
        page = tp.kernel + 0x10000 + tp.file_pa[0] / 0x1000 * 64;
        /* a large page: slots of the others are siblings, and its own pages lead back to the first */
        tp_put(&tp, tp.node + 0x28 + w, 0 << 2 | 2);
        ck_assert(!user_file_page(user, tp.mapping, 1, &pa));
        tp_put(&tp, page + 64 + 8, page | 1);
        ck_assert(user_file_page(user, tp.mapping, 1, &pa) && pa == tp.file_pa[0] + 0x1000);
        tp_put(&tp, page + 0x18, tp.mapping + 1); /* anonymous now */
        ck_assert(!user_file_page(user, tp.mapping, 0, &pa));
        tp_put(&tp, page + 0x18, tp.mapping);
        tp_put(&tp, page + 0x20, 3);
        ck_assert(!user_file_page(user, tp.mapping, 0, &pa));
        tp_put(&tp, page + 0x20, 0);
        ck_assert(user_file_page(user, tp.mapping, 0, &pa));
        tp_put(&tp, tp.node + 0x28, page + 4); /* no struct page begins there */
        ck_assert(!user_file_page(user, tp.mapping, 0, &pa));
        tp_put(&tp, tp.mapping + 16, page); /* a file of one page has no node */
        ck_assert(user_file_page(user, tp.mapping, 0, &pa) && !user_file_page(user, tp.mapping, 1, &pa));
        uint64_t node = (tp.node - 0x400) | 2;
        tp_put(&tp, tp.mapping + 16, node);
        tp_put(&tp, (node & ~UINT64_C(3)) + 0x28, node); /* leads to itself */
        ck_assert(!user_file_page(user, tp.mapping, 0, &pa));
}
END_TEST

/* A page that the process has not touched is what the file has; one that it has touched is its own. */
START_TEST(fault)
{
        uint64_t value;
        tp_start(&tp, &usual);
        struct linux_user *user = memory();
        ck_assert_int_eq(stasis_space_u(&user->space, TP_IMAGE + 1, 1, &value), STASIS_OK);
        ck_assert_uint_eq(value, 'E');
        ck_assert(stasis_space_u(&tp.world.space, TP_IMAGE + 1, 1, &value) != STASIS_OK);
        ck_assert(stasis_space_u(&user->space, TP_IMAGE + 0x3000, 1, &value) != STASIS_OK);
        /* what is not present but not empty is somewhere else */
        pt_put(&tp.world.tables, pt_slot(&tp.world.tables, TP_IMAGE, PT_4K), 0x1234000);
        ck_assert(stasis_space_u(&memory()->space, TP_IMAGE + 1, 1, &value) != STASIS_OK);
}
END_TEST

START_TEST(hostile_headers)
{
        const char *end;
        tp_start(&tp, &usual);
        *tp_file(&tp, 4) = 3; /* class */
        ck_assert_uint_eq(follow(&end), 1);
        *tp_file(&tp, 4) = 1;
        ck_assert_uint_eq(follow(&end), 1);
        *tp_file(&tp, 4) = 2;
        *tp_file(&tp, 18) = 183; /* another machine */
        ck_assert_uint_eq(follow(&end), 1);
        ck_assert_str_eq(end, "no unwind table covers the code");
        *tp_file(&tp, 18) = 62;
        *tp_file(&tp, 56) = 0xff; /* more segments than there are */
        *tp_file(&tp, 57) = 0xff;
        ck_assert_uint_eq(follow(&end), 3);
        *tp_file(&tp, 64 + 56 + 8 + 2) = 1; /* the segment of code is elsewhere in the file */
        ck_assert_uint_eq(follow(&end), 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("user");
        TCase *tc = tcase_create("user");
        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_loop_test(tc, every_kind, 0, 24);
        tcase_add_loop_test(tc, vdso, 0, 2);
        tcase_add_loop_test(tc, mappings, 0, 2);
        tcase_add_test(tc, missing);
        tcase_add_test(tc, cache);
        tcase_add_test(tc, fault);
        tcase_add_test(tc, hostile_headers);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
