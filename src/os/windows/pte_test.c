/* SPDX-License-Identifier: MIT */
/*
 * Entries of every form, written out bit by bit from the public structures of each kernel (Vergilius, the PDBs), and
 * what they must mean. Nothing here shares a place with the tables of the reader.
 */
#include "pte.h"

#include <check.h>
#include <stdlib.h>

#include "pte_mask.h"

static struct pte_forms forms;

static void bind(const char *layout, uint8_t size)
{
        pte_bind(stasis_layout_by_name(layout), size, &forms);
        ck_assert_uint_eq(forms.entry_size, size);
}

static struct pte_meaning expect(uint64_t value, bool prototype, enum pte_kind kind)
{
        struct pte_meaning m = pte_read(&forms, value, prototype);
        ck_assert_msg(m.kind == kind, "0x%llx means %d, not %d", (unsigned long long)value, m.kind, kind);
        return m;
}

static void paged(uint64_t value, uint32_t number, uint64_t page)
{
        struct pte_meaning m = expect(value, false, PTE_IS_PAGEFILE);
        ck_assert_uint_eq(m.pagefile, number);
        ck_assert_uint_eq(m.page, page);
}

/* XP: PageFileLow 1+4, Protection 5+5, Prototype 10, Transition 11, PageFileHigh 12+20; ProtoAddress 1+7 and 11+21. */
START_TEST(xp)
{
        bind("5.1.2600.2180-x86", 4);
        forms.prototype_base = 0xe1000000;
        expect(0, false, PTE_IS_ZERO);
        ck_assert_uint_eq(expect(0x12345067, false, PTE_IS_VALID).frame, 0x12345);
        ck_assert_uint_eq(expect(0x00abc880, false, PTE_IS_TRANSITION).frame, 0xabc);
        paged(0x1234508a, 5, 0x12345);
        expect(0x00000080, false, PTE_IS_DEMAND_ZERO);
        expect(0x00000200, false, PTE_IS_DECOMMITTED);
        /* 0xe1234568 - 0xe1000000 = 0x234568: >> 2 & 0x7f is 0x5a, >> 9 is 0x11a2 */
        ck_assert_uint_eq(expect(0x5a << 1 | 0x400 | 0x11a2 << 11, false, PTE_IS_PROTOTYPE).address, 0xe1234568);
        expect(0xfffff400, false, PTE_IS_LOOKUP);
        expect(0x00123c00 | 0x400, true, PTE_IS_SUBSECTION);
        ck_assert(!pte_swizzles(&forms) && forms.mask_known && !forms.lent);
}
END_TEST

/* Vista and later, four bytes: eight low bits of the address, from 0x80000000. */
START_TEST(vista)
{
        bind("6.1.7601.17514-x86", 4);
        /* 0x8a345678 - 0x80000000 = 0xa345678: >> 2 & 0xff is 0x9e, >> 10 is 0x28d15 */
        ck_assert_uint_eq(expect(0x9e << 1 | 0x400 | (uint64_t)0x28d15 << 11, false, PTE_IS_PROTOTYPE).address,
                          0x8a345678);
}
END_TEST

/* PAE, whose forms the PDBs until 7 lack: lent by 7601.24000. */
START_TEST(pae)
{
        static const char *const layouts[] = { "5.1.2600.2180-x86", "6.1.7601.17514-x86", "6.1.7601.24000-x86" };
        bind(layouts[_i], 8);
        ck_assert_int_eq(forms.lent, _i < 2);
        ck_assert_str_eq(forms.origin, "6.1.7601.24000-x86");
        ck_assert_uint_eq(expect(0x2abcde880, false, PTE_IS_TRANSITION).frame, 0x2abcde);
        paged(0x000123450000008a, 5, 0x12345);
        ck_assert_uint_eq(expect(0xe123456800000400, false, PTE_IS_PROTOTYPE).address, 0xe1234568);
        expect(0xffffffff00000400, false, PTE_IS_LOOKUP);
        expect(0x8123456000000480, true, PTE_IS_SUBSECTION);
        expect(0x80, false, PTE_IS_DEMAND_ZERO);
}
END_TEST

START_TEST(x64_until_2018)
{
        bind("6.1.7601.17514-x64", 8);
        ck_assert_uint_eq(expect(0x123456789880, false, PTE_IS_TRANSITION).frame, 0x123456789);
        paged(0x000123450000008a, 5, 0x12345);
        ck_assert_uint_eq(expect(0xf8a0012345680400, false, PTE_IS_PROTOTYPE).address, 0xfffff8a001234568);
        ck_assert_uint_eq(expect(0xfa80012345600480, true, PTE_IS_SUBSECTION).address, 0xfffffa8001234560);
        expect(0xffffffff00000400, false, PTE_IS_LOOKUP);
        expect(0x8000000000000200, false, PTE_IS_PAGEFILE); /* a page number: not decommitted */
}
END_TEST

/* Since 2018: PageFileLow 12+4, SwizzleBit 4, and where that is clear the mask was put in. */
START_TEST(x64_swizzled)
{
        const uint64_t mask = UINT64_C(1) << 45;
        bind("10.0.19041.1237-x64", 8);
        ck_assert(pte_swizzles(&forms) && !forms.mask_known);
        struct pte_meaning m = expect(UINT64_C(0x12345) << 32 | 0x5000 | 0x80, false, PTE_IS_PAGEFILE);
        ck_assert(m.doubtful);
        paged(UINT64_C(0x12345) << 32 | 0x5000 | 0x90, 5, 0x12345);
        ck_assert(!expect(0xffffffff00000410, false, PTE_IS_LOOKUP).doubtful);
        forms.mask_known = true;
        forms.invalid_mask = mask;
        paged(UINT64_C(0x12345) << 32 | mask | 0x5000 | 0x80, 5, 0x10345); /* 0x2000 of it is the mask's */
        paged(UINT64_C(0x12345) << 32 | 0x5000 | 0x90, 5, 0x12345);
        ck_assert_uint_eq(expect(mask | 0xabcde880, false, PTE_IS_TRANSITION).frame, 0xabcde);
        expect(mask | 0x80, false, PTE_IS_DEMAND_ZERO);
        expect(0x80, false, PTE_IS_DEMAND_ZERO);
        ck_assert_uint_eq(expect(0xd18a012345680410, false, PTE_IS_PROTOTYPE).address, 0xffffd18a01234568);
        ck_assert_uint_eq(expect(0xd18a012345680400 | mask, false, PTE_IS_PROTOTYPE).address, 0xffffd18a01234568);
        /* 22621 and later */
        ck_assert_uint_eq(expect(0xffffd18a01234560, true, PTE_IS_SUBSECTION).address, 0xffffd18a01234560);
        expect(0xffffd18a01234560 & ~UINT64_C(0x400), false, PTE_IS_PAGEFILE); /* of a prototype entry only */
}
END_TEST

START_TEST(shown)
{
        struct stasis_pte pte = { 0 };
        bind("6.1.7601.17514-x64", 8);
        struct pte_meaning m = expect(0x000123450000008a, false, PTE_IS_PAGEFILE);
        pte_show(&forms, &m, &pte);
        ck_assert_str_eq(pte.form, "_MMPTE_SOFTWARE");
        ck_assert_uint_ge(pte.member_count, 5);
        uint64_t high = 0;
        for (size_t i = 0; i < pte.member_count; i++)
                if (!strcmp(pte.member[i].name, "PageFileHigh"))
                        high = pte.member[i].value;
        ck_assert_uint_eq(high, 0x12345);
        m = expect(0, false, PTE_IS_ZERO);
        pte_show(&forms, &m, &pte);
        ck_assert_ptr_null(pte.form);
        ck_assert_uint_eq(pte.member_count, 0);
}
END_TEST

START_TEST(not_known)
{
        pte_bind(stasis_layout_by_name("6.1.7601.17514-x64"), 4, &forms);
        ck_assert_uint_eq(forms.entry_size, 0);
        expect(0, false, PTE_IS_ZERO);
        expect(0x880, false, PTE_IS_UNKNOWN);
        pte_bind(stasis_layout_by_name("5.0.2195.0-x86-partial"), 4, &forms);
        ck_assert_uint_eq(forms.entry_size, 4);
        ck_assert(forms.lent);
        ck_assert_str_eq(forms.origin, "5.1.2600.2180-x86");
}
END_TEST

/* ---- the mask, out of entries */

static bool tells(uint64_t mask, unsigned transitions, uint64_t odd, uint64_t *ret_mask)
{
        struct pte_mask_guess guess;
        bind("10.0.19041.1237-x64", 8);
        pte_mask_begin(UINT64_C(0x90000000), &guess);
        for (uint64_t i = 0; i < transitions; i++)
                pte_mask_see(&forms, mask | (0x80000 + i) << 12 | 0x880, &guess);
        for (uint64_t i = 1; i < 5; i++)
                pte_mask_see(&forms, mask | i << 32 | 0x80, &guess);
        pte_mask_see(&forms, UINT64_C(0x777) << 32 | 0x890, &guess); /* swizzled: says nothing */
        pte_mask_see(&forms, 0x81234067, &guess);
        if (odd)
                pte_mask_see(&forms, odd, &guess);
        return pte_mask_tells(&guess, ret_mask);
}

START_TEST(mask_guessed)
{
        const uint64_t mask = UINT64_C(1) << 45;
        uint64_t got = 42;
        ck_assert(tells(mask, 12, 0, &got));
        ck_assert_uint_eq(got, mask);
        ck_assert(tells(0, 12, 0, &got));
        ck_assert_uint_eq(got, 0);
        ck_assert(!tells(mask, 11, 0, &got));             /* too few */
        ck_assert(!tells(mask, 40, 0x81234880, &got));    /* one in transition without it */
        ck_assert(!tells(mask, 40, 0x1200000080, &got));  /* one of a page file without it */
        ck_assert(!tells(mask | mask << 1, 40, 0, &got)); /* two bits: no mask that is known */
        ck_assert(tells(UINT64_C(1) << 39, 40, 0, &got));
        ck_assert_uint_eq(got, UINT64_C(1) << 39);
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("pte");
        tcase_add_test(tc, xp);
        tcase_add_test(tc, vista);
        tcase_add_loop_test(tc, pae, 0, 3);
        tcase_add_test(tc, x64_until_2018);
        tcase_add_test(tc, x64_swizzled);
        tcase_add_test(tc, shown);
        tcase_add_test(tc, not_known);
        tcase_add_test(tc, mask_guessed);
        Suite *suite = suite_create("pte");
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
