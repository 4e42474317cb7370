/* SPDX-License-Identifier: MIT */
/* SIDs: read, written, named; and what is none. */
#include "sid.h"

#include <check.h>
#include <stdlib.h>

#include "../../test/world.h"

#define AT 0x80001000u

static struct world w;

static void setup(void)
{
        world_start(&w, PT_X86);
        world_map(&w, AT, 0x1000);
}

static void teardown(void) { world_end(&w); }

/* Revision, how many parts, six bytes of authority (big-endian), the parts. */
static void put(uint64_t va, const char *head, size_t count, const uint32_t *part)
{
        world_put(&w, va, head, 8);
        for (size_t i = 0; i < count; i++)
                world_u(&w, va + 8 + 4 * i, 4, part[i]);
}

static void expect(const char *head, size_t count, const uint32_t *part, const char *text, const char *name)
{
        char own[SID_TEXT_MAX];
        struct sid sid;
        put(AT, head, count, part);
        ck_assert_int_eq(sid_read(&w.space, AT, &sid), STASIS_PRESENT);
        sid_text(&sid, own);
        ck_assert_str_eq(own, text);
        ck_assert(sid_is(&sid, text));
        ck_assert(!sid_is(&sid, "S-1-5-99"));
        if (name)
                ck_assert_str_eq(sid_name(&sid), name);
        else
                ck_assert_ptr_null(sid_name(&sid));
}

#define PARTS(...) \
        (const uint32_t[]) { __VA_ARGS__ }
#define ALL UINT32_MAX
#define NT(count) "\1" count "\0\0\0\0\0\5"

START_TEST(texts_and_names)
{
        expect(NT("\1"), 1, PARTS(18), "S-1-5-18", "NT AUTHORITY\\SYSTEM");
        expect(NT("\2"), 2, PARTS(32, 544), "S-1-5-32-544", "BUILTIN\\Administrators");
        expect("\1\1\0\0\0\0\0\1", 1, PARTS(0), "S-1-1-0", "Everyone");
        expect("\1\1\0\0\0\0\0\x10", 1, PARTS(12288), "S-1-16-12288", "Mandatory Label\\High Mandatory Level");
        expect(NT("\5"), 5, PARTS(21, 1, 4294967295u, 3, 500), "S-1-5-21-1-4294967295-3-500", "Administrator");
        expect(NT("\5"), 5, PARTS(21, 1, 2, 3, 1001), "S-1-5-21-1-2-3-1001", NULL);
        expect(NT("\5"), 5, PARTS(22, 1, 2, 3, 500), "S-1-5-22-1-2-3-500", NULL);
        expect(NT("\3"), 3, PARTS(5, 0, 77), "S-1-5-5-0-77", "Logon session");
        expect(NT("\6"), 6, PARTS(80, 1, 2, 3, 4, 5), "S-1-5-80-1-2-3-4-5", "NT SERVICE");
        expect(NT("\6"), 6, PARTS(80, 956008885, 3418522649, 1831038044, 1853292631, 2271478464),
               "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", "NT SERVICE\\TrustedInstaller");
        expect(NT("\0"), 0, NULL, "S-1-5", NULL);
        /* an authority past 32 bits is written in hexadecimal, and the longest text has room */
        expect("\1\x0f\xff\xff\xff\xff\xff\xff", 15,
               PARTS(ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL),
               "S-1-0xffffffffffff-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-"
               "4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295",
               NULL);
}
END_TEST

START_TEST(what_is_none)
{
        struct sid sid = { .count = 7 };
        put(AT, "\2\1\0\0\0\0\0\5", 0, NULL);
        ck_assert_int_eq(sid_read(&w.space, AT, &sid), STASIS_CONTRADICTORY);
        put(AT, "\1\x10\0\0\0\0\0\5", 0, NULL);
        ck_assert_int_eq(sid_read(&w.space, AT, &sid), STASIS_CONTRADICTORY);
        ck_assert_int_ne(sid_read(&w.space, 0x90000000, &sid), STASIS_PRESENT);
        put(AT + 0xff8, NT("\1"), 0, NULL); /* its part would be on the next page */
        ck_assert_int_ne(sid_read(&w.space, AT + 0xff8, &sid), STASIS_PRESENT);
        put(AT + 0xff8, NT("\0"), 0, NULL);
        ck_assert_int_eq(sid.count, 7);
        ck_assert_int_eq(sid_read(&w.space, AT + 0xff8, &sid), STASIS_PRESENT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("sid");
        TCase *tcase = tcase_create("all");
        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, texts_and_names);
        tcase_add_test(tcase, what_is_none);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
