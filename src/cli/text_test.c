/* SPDX-License-Identifier: MIT */
/* Escaping, width and cutting of text that somebody else wrote. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const struct {
        const char *in, *safe, *utf8;
} forms[] = {
        { "plain", "plain", "plain" },
        { "C:\\a b", "C:\\a b", "C:\\a b" },
        { "\x01\x1f\x7f", "\\x01\\x1f\\x7f", "\x01\x1f\x7f" },
        { "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80",
          "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80" },
        { "\x80", "\\x80", "\xef\xbf\xbd" },                      /* a tail without a head */
        { "a\xc3", "a\\xc3", "a\xef\xbf\xbd" },                   /* cut */
        { "\xc1\xbf", "\\xc1\\xbf", "\xef\xbf\xbd\xef\xbf\xbd" }, /* overlong */
        { "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* surrogate */
        { "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xc2\x85", "\\u0085", "\xc2\x85" },         /* C1: next line */
        { "\xe2\x80\xae", "\\u202e", "\xe2\x80\xae" }, /* right-to-left override */
        { "\xef\xbb\xbf", "\\ufeff", "\xef\xbb\xbf" },
};

START_TEST(escaping)
{
        struct text text = { 0 };

        text_safe(&text, forms[_i].in);
        ck_assert_str_eq(text_get(&text), forms[_i].safe);
        text_reset(&text);
        text_utf8(&text, forms[_i].in);
        ck_assert_str_eq(text_get(&text), forms[_i].utf8);
        text_free(&text);
}
END_TEST

START_TEST(widths)
{
        ck_assert_uint_eq(text_width(""), 0);
        ck_assert_uint_eq(text_width("abc"), 3);
        ck_assert_uint_eq(text_width("\xc3\xa9"), 1);
        ck_assert_uint_eq(text_width("e\xcc\x81"), 1); /* combining acute */
        ck_assert_uint_eq(text_width("\xe6\xbc\xa2"), 2);
        ck_assert_uint_eq(text_width("\xf0\x9f\x98\x80"), 2);
}
END_TEST

static void check_clip(const char *in, size_t width, const char *out)
{
        struct text text = { 0 };

        text_clip(&text, in, width);
        ck_assert_str_eq(text_get(&text), out);
        text_free(&text);
}

START_TEST(clipping)
{
        check_clip("abcdef", 6, "abcdef");
        check_clip("abcdef", 5, "abcd\xe2\x80\xa6");
        check_clip("abcdef", 1, "\xe2\x80\xa6");
        check_clip("abcdef", 0, "");
        check_clip("\xe6\xbc\xa2\xe6\xbc\xa2", 3, "\xe6\xbc\xa2\xe2\x80\xa6");
        check_clip("\xe6\xbc\xa2\xe6\xbc\xa2", 2, "\xe2\x80\xa6"); /* half a wide character is none */
}
END_TEST

START_TEST(wrapping)
{
        struct text text = { 0 };

        text_wrap(&text, "one two three", 4, 2, 12);
        ck_assert_str_eq(text_get(&text), "one two\n  three");
        text_reset(&text);
        text_wrap(&text, "abcdefghij klm", 0, 0, 4);
        ck_assert_str_eq(text_get(&text), "abcd\nefgh\nij\nklm");
        text_reset(&text);
        text_wrap(&text, "fits", 0, 0, 4);
        ck_assert_str_eq(text_get(&text), "fits");
        text_free(&text);
}
END_TEST

START_TEST(growing)
{
        struct text text = { 0 };

        for (int i = 0; i < 1000; i++)
                text_printf(&text, "%d,", i);
        text_pad(&text, '.', 5);
        ck_assert_uint_eq(text.len, 10 * 2 + 90 * 3 + 900 * 4 + 5);
        ck_assert_str_eq(text.at + text.len - 9, "999,.....");
        text_reset(&text);
        char *large = malloc(1000);
        memset(large, 'x', 999);
        large[999] = '\0';
        text_printf(&text, "<%s>", large);
        ck_assert_uint_eq(text.len, 1001);
        free(large);
        text_free(&text);
}
END_TEST

/* No half answers: the program ends, with the status of one that could not be given. */
START_TEST(exhausted)
{
        struct text text = { 0 };

        text_add(&text, "", SIZE_MAX - 4);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("text");
        TCase *tcase = tcase_create("text");

        tcase_add_loop_test(tcase, escaping, 0, (int)(sizeof(forms) / sizeof(forms[0])));
        tcase_add_test(tcase, widths);
        tcase_add_test(tcase, clipping);
        tcase_add_test(tcase, wrapping);
        tcase_add_test(tcase, growing);
        tcase_add_exit_test(tcase, exhausted, 2);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
