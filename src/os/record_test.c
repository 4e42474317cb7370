/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct stasis_arena arena;

static void teardown(void) { stasis_arena_free(&arena); }

static const struct stasis_name bits[] = {
        { .name = "First", .bit = 0, .len = 1 },
        { .name = "Field", .bit = 4, .len = 4 },
        { .name = "Last", .bit = 63, .len = 1 },
};
static const struct stasis_name word[] = { { .name = "Word", .bit = 0, .len = 64 } };

static void expect(enum stasis_kind kind, struct stasis_fact fact, const char *text)
{
        struct stasis_column column = { .kind = kind };
        char buf[256], cut[8];
        if (kind == STASIS_KIND_FLAGS) {
                column.names = bits;
                column.name_count = 3;
        }
        ck_assert_uint_eq(stasis_fact_text(&column, &fact, buf, sizeof buf), strlen(text));
        ck_assert_str_eq(buf, text);
        ck_assert_uint_eq(stasis_fact_text(&column, &fact, cut, sizeof cut), strlen(text));
        ck_assert_uint_eq(strlen(cut), strlen(text) < 7 ? strlen(text) : 7);
        ck_assert_int_eq(strncmp(cut, text, strlen(cut)), 0);
        ck_assert_uint_eq(stasis_fact_text(&column, &fact, cut, 1), strlen(text));
        ck_assert_str_eq(cut, "");
        ck_assert_uint_eq(stasis_fact_text(&column, &fact, NULL, 0), strlen(text));
}

static struct stasis_fact number(uint64_t value) { return fact_derived(value); }
static struct stasis_fact text(uint64_t value, const char *said, uint64_t extra)
{
        struct stasis_fact fact = fact_derived(value);
        fact.text = said;
        fact.extra = extra;
        return fact;
}

START_TEST(kinds)
{
        expect(STASIS_KIND_NUMBER, number(0), "0");
        expect(STASIS_KIND_NUMBER, number(UINT64_MAX), "18446744073709551615");
        expect(STASIS_KIND_SIGNED, number(UINT64_MAX), "-1");
        expect(STASIS_KIND_SIGNED, number(16), "16");
        expect(STASIS_KIND_BOOL, number(0), "no");
        expect(STASIS_KIND_BOOL, number(1), "yes");
        expect(STASIS_KIND_BOOL, number(0x80), "yes");
        expect(STASIS_KIND_HEX, number(0xc0000005), "0xc0000005");
        expect(STASIS_KIND_ADDRESS, number(UINT64_C(0xfffff80000001000)), "0xfffff80000001000");
        expect(STASIS_KIND_PHYSICAL, number(0x1000), "0x1000");
        expect(STASIS_KIND_CODE, number(0x80801000), "0x80801000");
        expect(STASIS_KIND_CODE, text(0x80801010, "nt", 0x1010), "0x80801010 nt+0x1010");
        expect(STASIS_KIND_ENUM, text(5, "Waiting", 0), "Waiting");
        expect(STASIS_KIND_ENUM, number(200), "0xc8");
        expect(STASIS_KIND_TEXT, text(0, "a b", 0), "a b");
        expect(STASIS_KIND_TEXT, number(0), "");
        expect(STASIS_KIND_TEXTS, text(0, "one\ntwo\nthree four", 0), "one two three four");
        expect(STASIS_KIND_TEXTS, text(0, "", 0), "");
        expect(STASIS_KIND_TIME, number(UINT64_C(131985936000000000)), "2019-04-01T12:00:00.0000000Z");
}
END_TEST

START_TEST(flags)
{
        expect(STASIS_KIND_FLAGS, number(0), "0x0");
        expect(STASIS_KIND_FLAGS, number(1), "0x1 First");
        expect(STASIS_KIND_FLAGS, number(0x31), "0x31 First Field=3");
        expect(STASIS_KIND_FLAGS, number(0xf0), "0xf0 Field=15");
        expect(STASIS_KIND_FLAGS, number(0x0e), "0xe");
        expect(STASIS_KIND_FLAGS, number(UINT64_C(1) << 63), "0x8000000000000000 Last");
        struct stasis_column column = { .kind = STASIS_KIND_FLAGS, .names = word, .name_count = 1 };
        struct stasis_fact fact = number(UINT64_MAX);
        char buf[100];
        stasis_fact_text(&column, &fact, buf, sizeof buf);
        ck_assert_str_eq(buf, "0xffffffffffffffff Word=18446744073709551615");
}
END_TEST

START_TEST(absences)
{
        expect(STASIS_KIND_NUMBER, fact_absent(STASIS_NOT_IN_VERSION), "<not in this version>");
        expect(STASIS_KIND_TEXT, fact_absent(STASIS_NOT_IN_IMAGE), "<not in this image>");
        expect(STASIS_KIND_TEXTS, fact_absent(STASIS_PAGED_OUT), "<paged out>");
        expect(STASIS_KIND_TIME, fact_absent(STASIS_CONTRADICTORY), "<contradictory>");
        expect(STASIS_KIND_FLAGS, fact_absent(STASIS_NOT_APPLICABLE), "<not applicable>");
        expect(STASIS_KIND_CODE, fact_absent(STASIS_NOT_KNOWN), "<not known>");
        ck_assert_str_eq(stasis_absence_name((enum stasis_absence)(STASIS_NOT_MAPPED + 1)), "?");
        for (int i = STASIS_KIND_NUMBER; i <= STASIS_KIND_LIST; i++)
                ck_assert(stasis_kind_name((enum stasis_kind)i)[0] != '?');
        ck_assert_str_eq(stasis_kind_name((enum stasis_kind)(STASIS_KIND_LIST + 1)), "?");
}
END_TEST

/* FILETIME: 100 ns since 1601; what has no year of four digits is shown as it stands. */
static const struct {
        uint64_t filetime;
        const char *text;
} times[] = {
        { 0, "1601-01-01T00:00:00.0000000Z" },
        { 1, "1601-01-01T00:00:00.0000001Z" },
        { 9999999, "1601-01-01T00:00:00.9999999Z" },
        { 10000000, "1601-01-01T00:00:01.0000000Z" },
        { UINT64_C(116444736000000000), "1970-01-01T00:00:00.0000000Z" },
        { UINT64_C(116444735999999999), "1969-12-31T23:59:59.9999999Z" },
        { UINT64_C(125961696000000000), "2000-02-28T00:00:00.0000000Z" },
        { UINT64_C(125962560000000000), "2000-02-29T00:00:00.0000000Z" },
        { UINT64_C(125963424000000000), "2000-03-01T00:00:00.0000000Z" },
        { UINT64_C(137919572470000000), "2038-01-19T03:14:07.0000000Z" },
        { UINT64_C(137919572480000000), "2038-01-19T03:14:08.0000000Z" },
        { UINT64_C(2650467743999999999), "9999-12-31T23:59:59.9999999Z" },
        { UINT64_C(2650467744000000000), "0x24c85a5ed1c04000" },
        { UINT64_MAX, "0xffffffffffffffff" },
};

START_TEST(time_at_its_edges)
{
        char buf[64];
        text_time(times[_i].filetime, buf);
        ck_assert_str_eq(buf, times[_i].text);
}
END_TEST

static void expect_utf16(const char *units, size_t len, const char *want)
{
        uint8_t *copy = malloc(len ? len : 1); /* at its true size, so that a read behind it is seen */
        memcpy(copy, units, len);
        const char *is = text_from_utf16(&arena, copy, len);
        ck_assert_ptr_nonnull(is);
        ck_assert_str_eq(is, want);
        free(copy);
}

START_TEST(utf16)
{
        expect_utf16("", 0, "");
        expect_utf16("a\0b\0", 4, "ab");
        expect_utf16("a\0b\0c", 5, "ab"); /* half a unit */
        expect_utf16("a\0\0\0b\0", 6, "a");
        expect_utf16("\x7f\0\x80\0\xff\x07\x00\x08", 8, "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80");
        expect_utf16("\xac\x20", 2, "\xe2\x82\xac");
        expect_utf16("\x00\xd8\x00\xdc", 4, "\xf0\x90\x80\x80"); /* U+10000 */
        expect_utf16("\xff\xdb\xff\xdf", 4, "\xf4\x8f\xbf\xbf"); /* U+10FFFF */
        expect_utf16("\x3d\xd8\x00\xde!\0", 6, "\xf0\x9f\x98\x80!");
        expect_utf16("\x00\xd8", 2, "\xef\xbf\xbd"); /* high, at the end */
        expect_utf16("\x00\xd8\x61\x00", 4,
                     "\xef\xbf\xbd"
                     "a"); /* high, alone */
        expect_utf16("\x00\xdc\x61\x00", 4,
                     "\xef\xbf\xbd"
                     "a"); /* low, alone */
        expect_utf16("\x00\xd8\x00\xd8\x00\xdc", 6, "\xef\xbf\xbd\xf0\x90\x80\x80");
        expect_utf16("\xff\xff\xfe\xff", 4, "\xef\xbf\xbf\xef\xbf\xbe");
}
END_TEST

/* The longest text that units can make: three bytes each. */
START_TEST(utf16_long)
{
        enum { UNITS = 5000 };
        uint8_t *units = malloc(2 * UNITS);
        memset(units, 0x80, 2 * UNITS); /* U+8080 */
        const char *is = text_from_utf16(&arena, units, 2 * UNITS);
        ck_assert_uint_eq(strlen(is), 3 * UNITS);
        ck_assert_int_eq(memcmp(is + 3 * (UNITS - 1), "\xe8\x82\x80", 4), 0);
        free(units);
}
END_TEST

START_TEST(latin_1)
{
        uint8_t bytes[255];
        ck_assert_str_eq(text_from_bytes(&arena, (const uint8_t *)"System\0rest", 11), "System");
        ck_assert_str_eq(text_from_bytes(&arena, (const uint8_t *)"\x7f\x80\xe9\xff", 4),
                         "\x7f\xc2\x80\xc3\xa9\xc3\xbf");
        ck_assert_str_eq(text_from_bytes(&arena, (const uint8_t *)"abc", 2), "ab");
        ck_assert_str_eq(text_from_bytes(&arena, bytes, 0), "");
        memset(bytes, 0xff, sizeof bytes);
        ck_assert_uint_eq(strlen(text_from_bytes(&arena, bytes, sizeof bytes)), 2 * sizeof bytes);
}
END_TEST

/* Bytes of an adversary: what is UTF-8 stays, all else can be told byte by byte. */
START_TEST(chosen_bytes)
{
        static const struct {
                const char *bytes;
                size_t len;
                const char *text;
        } cases[] = {
                { "init", 4, "init" },
                { "a\nb\"\x7f", 5, "a\nb\"\x7f" },
                { "\xff\xfe\x01", 3, "\\xff\\xfe\x01" },
                { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
                { "\xc0\x80", 2, "\\xc0\\x80" },                   /* overlong */
                { "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },          /* a surrogate */
                { "\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
                { "a\xe2\x82", 3, "a\\xe2\\x82" },                 /* cut */
                { "a\0b", 3, "a\\x00b" },
                { "", 0, "" },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
                ck_assert_str_eq(text_from_utf8(&arena, (const uint8_t *)cases[i].bytes, cases[i].len), cases[i].text);
}
END_TEST

/* A line of all rows; what a row does not have at all is not said, what could not be read is. */
START_TEST(lists)
{
        const struct stasis_column inner[] = { { .key = "object", .kind = STASIS_KIND_ADDRESS },
                                               { .key = "type", .kind = STASIS_KIND_TEXT },
                                               { .key = "key", .kind = STASIS_KIND_NUMBER } };
        const struct stasis_fact facts[] = { number(0x1000),
                                             text(0, "Mutant", 0),
                                             number(1),
                                             number(0x2000),
                                             fact_absent(STASIS_NOT_APPLICABLE),
                                             fact_absent(STASIS_PAGED_OUT) };
        struct stasis_list list = { .column = inner, .columns = 3, .fact = facts, .rows = 2 };
        struct stasis_fact fact = fact_derived(2);
        fact.list = &list;
        expect(STASIS_KIND_LIST, fact, "object 0x1000  type Mutant  key 1; object 0x2000  key <paged out>");
        list.rows = 0;
        expect(STASIS_KIND_LIST, fact, "");
        expect(STASIS_KIND_LIST, fact_absent(STASIS_NOT_APPLICABLE), "<not applicable>");
}
END_TEST

START_TEST(facts_by_key)
{
        const struct stasis_column columns[] = { { .key = "one" }, { .key = "two" } };
        const struct stasis_fact facts[] = { fact_derived(1), fact_derived(2) };
        const struct stasis_record record = { .column = columns, .fact = facts, .count = 2 };
        ck_assert_uint_eq(stasis_record_fact(&record, "two")->value, 2);
        ck_assert_ptr_null(stasis_record_fact(&record, "three"));
        ck_assert_ptr_null(name_of(bits, 3, 7));
        ck_assert_str_eq(name_of(word, 1, 0), "Word");
        ck_assert_ptr_null(name_of(NULL, 0, 0));
}
END_TEST

int main(void)
{
        const TTest *const tests[] = { kinds,   flags,        absences, utf16,       utf16_long,
                                       latin_1, chosen_bytes, lists,    facts_by_key };
        Suite *suite = suite_create("record");
        TCase *tcase = tcase_create("record");
        tcase_add_checked_fixture(tcase, NULL, teardown);
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
                tcase_add_test(tcase, tests[i]);
        tcase_add_loop_test(tcase, time_at_its_edges, 0, (int)(sizeof times / sizeof *times));
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
