/* SPDX-License-Identifier: MIT */
/* Choosing a built-in layout. Facts: facts/windows/REPORT.md sections 2, 4 and 6, pe_ids.tsv, kdbg_expected.json. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

#define CHOICES 64

static struct stasis_layout_choice choice[CHOICES];

/* Name of the first choice; how many there are of the same evidence in *ret_equal. */
static const char *first(struct stasis_kernel_id id, size_t *ret_equal)
{
        size_t count = stasis_layout_choose(&id, choice, CHOICES), equal = 0;
        ck_assert_uint_lt(count, CHOICES);
        for (size_t i = 1; i < count; i++)
                ck_assert_int_ge(choice[i - 1].match, choice[i].match);
        while (equal < count && choice[equal].match == choice[0].match)
                equal++;
        *ret_equal = equal;
        return count ? stasis_layout_name(choice[0].layout) : "";
}

#define expect_first(want, match_want, equal_want, ...) \
        do { \
                size_t equal; \
                ck_assert_str_eq(first((struct stasis_kernel_id){ __VA_ARGS__ }, &equal), want); \
                ck_assert_int_eq(choice[0].match, match_want); \
                ck_assert_uint_eq(equal, equal_want); \
        } while (0)

/* 1B4A6F5E-0766-C552-C907-10C8ACC0295C as an RSDS record holds it. */
static const struct stasis_pdb_id pdb_19041_1237 = {
        .guid = { 0x5e, 0x6f, 0x4a, 0x1b, 0x66, 0x07, 0x52, 0xc5, 0xc9, 0x07, 0x10, 0xc8, 0xac, 0xc0, 0x29, 0x5c },
        .age = 1,
};

START_TEST(by_pdb)
{
        /* a wrong build number and sizes that fit nothing do not matter */
        expect_first("10.0.19041.1237-x64", STASIS_MATCH_PDB, 1, .pdb = &pdb_19041_1237, .machine = 0x8664,
                     .build = 7601, .kdbg_sizes = true);
        static const uint32_t revision[4] = { 10, 0, 19041, 1237 };
        ck_assert_mem_eq(choice[0].revision, revision, sizeof revision);
        struct stasis_pdb_id other = pdb_19041_1237;
        other.age = 2;
        expect_first("10.0.17134.1-x64", STASIS_MATCH_BUILD, 1, .pdb = &other, .machine = 0x8664, .build = 17134);
}
END_TEST

START_TEST(by_pe)
{
        expect_first("10.0.19041.1237-x64", STASIS_MATCH_PE, 1, .timestamp = 0x7a04bfb2, .image_size = 0x1046000,
                     .machine = 0x8664, .build = 19044);
        ck_assert(choice[0].revision[2] == 19041 && choice[0].revision[3] == 1237);
        /* the timestamp alone is not enough */
        expect_first("10.0.17134.1-x64", STASIS_MATCH_BUILD, 1, .timestamp = 0x7a04bfb2, .image_size = 0x1047000,
                     .machine = 0x8664, .build = 17134);
        /* a revision between two that were measured takes the lower one's (here .1165's, the same as .985's) */
        expect_first("10.0.19041.985-x64", STASIS_MATCH_PE, 1, .timestamp = 0x8a51a6f0, .image_size = 0x1046000,
                     .machine = 0x8664, .build = 19043);
        ck_assert(choice[0].revision[2] == 19041 && choice[0].revision[3] == 1202);
        /* a build that was not measured takes the next lower one's */
        expect_first("10.0.22631.2428-x64", STASIS_MATCH_NEAREST, 1, .timestamp = 0x36dd9009, .image_size = 0x1044000,
                     .machine = 0x8664);
        ck_assert(choice[0].revision[2] == 25398 && choice[0].revision[3] == 1);
}
END_TEST

#define KDBG(ethread, eprocess, prcb, state, teb, next, peb) \
        .kdbg_sizes = true, .size_ethread = ethread, .size_eprocess = eprocess, .size_prcb = prcb, \
        .kthread_state = state, .kthread_teb = teb, .kthread_next_processor = next, .eprocess_peb = peb

START_TEST(by_kdbg)
{
        expect_first("6.1.7601.17514-x64", STASIS_MATCH_KDBG, 1, .machine = 0x8664, .build = 7601,
                     KDBG(0x498, 0x4d0, 0x4d00, 0x164, 0xb8, 0x7c, 0x338));
        expect_first("6.1.7601.23418-x64", STASIS_MATCH_KDBG, 1, .machine = 0x8664, .build = 7601,
                     KDBG(0x4a8, 0x4e8, 0x4d00, 0x164, 0xb8, 0x7c, 0x338));
        expect_first("6.2.9200.16384-x64", STASIS_MATCH_KDBG, 1, .machine = 0x8664, .build = 9200,
                     KDBG(0x4d0, 0x660, 0x5b80, 0x184, 0xf0, 0x218, 0x3e8));
        expect_first("6.2.9200.16384-x64-verg", STASIS_MATCH_KDBG, 1, .machine = 0x8664, .build = 9200,
                     KDBG(0x4c8, 0x660, 0x5b80, 0x184, 0xf0, 0x218, 0x3e8));
        /* what KDBG cannot tell apart stays open (7 RTM and SP1), unless the build does */
        expect_first("6.1.7601.17514-x64", STASIS_MATCH_KDBG, 2, .machine = 0x8664,
                     KDBG(0x498, 0x4d0, 0x4d00, 0x164, 0xb8, 0x7c, 0x338));
        expect_first("6.1.7600.16385-x64", STASIS_MATCH_KDBG, 1, .machine = 0x8664, .build = 7600,
                     KDBG(0x498, 0x4d0, 0x4d00, 0x164, 0xb8, 0x7c, 0x338));
        /* 2003 SP1 and SP2: the service pack does */
        expect_first("5.2.3790.1830-x86", STASIS_MATCH_KDBG, 1, .machine = 0x14c, .build = 3790, .service_pack = 1,
                     KDBG(0x250, 0x278, 0xec0, 0x4c, 0x74, 0x40, 0x1a0));
        expect_first("5.2.3790.3959-x86", STASIS_MATCH_KDBG, 1, .machine = 0x14c, .build = 3790, .service_pack = 2,
                     KDBG(0x250, 0x278, 0xec0, 0x4c, 0x74, 0x40, 0x1a0));
        /* a processor block that is only known in part (22631) does not speak against it */
        expect_first("10.0.22631.2428-x64", STASIS_MATCH_KDBG, 1, .machine = 0x8664, .build = 22631,
                     KDBG(0x900, 0xb80, 0xbf00, 0x184, 0xf0, 0x218, 0x550));
        /* sizes that no layout has: the one that agrees in most comes first, as a match of the build only */
        expect_first("6.1.7601.23418-x64", STASIS_MATCH_BUILD, 3, .machine = 0x8664, .build = 7601,
                     KDBG(0x4a8, 0x4f0, 0x4d00, 0x164, 0xb8, 0x7c, 0x338));
        /* sizes of another build than the one that is known do not count */
        expect_first("10.0.17134.1-x64", STASIS_MATCH_BUILD, 1, .machine = 0x8664, .build = 17134,
                     KDBG(0x498, 0x4d0, 0x4d00, 0x164, 0xb8, 0x7c, 0x338));
}
END_TEST

START_TEST(by_build)
{
        expect_first("5.1.2600.2180-x86", STASIS_MATCH_BUILD, 1, .machine = 0x14c, .build = 2600, .service_pack = 3);
        expect_first("5.2.3790.3959-x86", STASIS_MATCH_BUILD, 1, .machine = 0x14c, .build = 3790, .service_pack = 2);
        expect_first("5.2.3790.1830-x64", STASIS_MATCH_BUILD, 1, .machine = 0x8664, .build = 3790, .service_pack = 1);
        expect_first("6.1.7601.24540-x64", STASIS_MATCH_BUILD, 3, .machine = 0x8664, .build = 7601, .service_pack = 1);
        /* all sixteen serve a thread decoder alike; the latest whole one is taken, also for the builds with a switch
         * thrown */
        expect_first("10.0.19041.3324-x64", STASIS_MATCH_BUILD, 1, .machine = 0x8664, .build = 19041);
        expect_first("10.0.19041.3324-x64", STASIS_MATCH_BUILD, 1, .machine = 0x8664, .build = 19045);
        expect_first("10.0.18362.720-x64", STASIS_MATCH_BUILD, 1, .machine = 0x8664, .build = 18363);
        expect_first("10.0.26100.7xxx-x64", STASIS_MATCH_BUILD, 1, .machine = 0x8664, .build = 26200);
        expect_first("6.0.6002.18005-x86", STASIS_MATCH_BUILD, 1, .machine = 0x14c, .build = 6003);
        expect_first("4.0.1381.0-x86-partial", STASIS_MATCH_BUILD, 1, .machine = 0x14c, .build = 1381);
        expect_first("10.0.22631.2428-x64", STASIS_MATCH_NEAREST, 1, .machine = 0x8664, .build = 25398);
        expect_first("10.0.26100.7xxx-x64", STASIS_MATCH_NEAREST, 1, .machine = 0x8664, .build = 28000);
}
END_TEST

START_TEST(by_nothing)
{
        size_t equal;
        ck_assert_str_eq(first((struct stasis_kernel_id){ .machine = 0xaa64, .build = 22000 }, &equal), ""); /* ARM64 */
        ck_assert_str_eq(first((struct stasis_kernel_id){ .machine = 0x14c, .build = 1057 }, &equal), "");
        ck_assert_str_eq(first((struct stasis_kernel_id){ .machine = 0x8664 }, &equal), "");
        ck_assert_str_eq(first((struct stasis_kernel_id){ .machine = 0x8664, .kdbg_sizes = true }, &equal), "");
        struct stasis_kernel_id id = { .machine = 0x8664, .build = 7601 };
        ck_assert_uint_eq(stasis_layout_choose(&id, choice, 0), 0);
        ck_assert_uint_eq(stasis_layout_choose(&id, choice, 1), 1);
        ck_assert_str_eq(stasis_layout_name(choice[0].layout), "6.1.7601.24540-x64");
        /* ReactOS says 3790 as well: it is never guessed from that */
        size_t count =
                stasis_layout_choose(&(struct stasis_kernel_id){ .machine = 0x14c, .build = 3790 }, choice, CHOICES);
        ck_assert_uint_eq(count, 3);
        for (size_t i = 0; i < count; i++)
                ck_assert_str_ne(stasis_layout_name(choice[i].layout), "reactos-0.4-x86");
}
END_TEST

START_TEST(symbols)
{
        uint32_t rva = 0;
        ck_assert(stasis_symbol_rva(&pdb_19041_1237, "PsActiveProcessHead", &rva));
        ck_assert_uint_eq(rva, 12705728);
        ck_assert(stasis_symbol_rva(&pdb_19041_1237, "PspCidTable", &rva));
        ck_assert_uint_eq(rva, 13612496);
        ck_assert(stasis_symbol_rva(&pdb_19041_1237, "KdDebuggerDataBlock", &rva));
        ck_assert_uint_eq(rva, 12585760);
        ck_assert(!stasis_symbol_rva(&pdb_19041_1237, "NoSuchSymbol", &rva));
        ck_assert(!stasis_symbol_rva(&pdb_19041_1237, "", &rva));
        struct stasis_pdb_id other = pdb_19041_1237;
        other.guid[15]++;
        ck_assert(!stasis_symbol_rva(&other, "PspCidTable", &rva));
        ck_assert(!stasis_symbol_rva(NULL, "PspCidTable", &rva));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("layout-choose");
        TCase *tcase = tcase_create("choose");
        tcase_add_test(tcase, by_pdb);
        tcase_add_test(tcase, by_pe);
        tcase_add_test(tcase, by_kdbg);
        tcase_add_test(tcase, by_build);
        tcase_add_test(tcase, by_nothing);
        tcase_add_test(tcase, symbols);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
