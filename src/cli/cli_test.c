/* SPDX-License-Identifier: MIT */
/* The command against a double of the library: command line, exit status, messages, text. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"
#include "text.h"

static void setup(void)
{
        double_reset();
        unsetenv("NO_COLOR");
}

static size_t lines(const char *text)
{
        size_t count = 0;

        for (; *text; text++)
                count += *text == '\n';
        return count;
}

/* Runs, and checks the exit status and that both outputs hold what they must ("": must be empty; NULL: anything). */
static void expect(const char *words, int status, const char *out, const char *err)
{
        struct ran ran = run(words);

        ck_assert_msg(ran.status == status, "%s: status %d\n%s%s", words, ran.status, ran.out, ran.err);
        if (out)
                ck_assert_msg(*out ? strstr(ran.out, out) != NULL : !*ran.out, "%s: %s", words, ran.out);
        if (err)
                ck_assert_msg(*err ? strstr(ran.err, err) != NULL : !*ran.err, "%s: %s", words, ran.err);
        ran_free(&ran);
}

static const struct usage_case {
        const char *words, *says;
} usage_cases[] = {
        { "", "no verb" },
        { "thread", "no image" },
        { "frobnicate mem", "no verb 'frobnicate'" },
        { "--format json threads mem", "the verb comes first" },
        { "threads", "no image" },
        { "read mem 0 16 more", "'more' is one argument too many" },
        { "threads --frob mem", "no option --frob" },
        { "threads -z mem", "no option -z" },
        { "threads mem --format", "--format needs a value" },
        { "threads mem --quiet=yes", "takes no value" },
        { "threads mem --format xml", "one of text|json|jsonl|csv" },
        { "threads mem --format raw", "cannot be 'raw'" },
        { "read mem 0 1 --format csv", "one of text|json|raw" },
        { "threads mem --explain", "no option" },
        { "threads mem --process twelve", "not a number" },
        { "threads mem --process 18446744073709551616", "not a number" },
        { "thread mem", "either --tid or --object" },
        { "thread mem --tid 8 --object 0x81230400", "either --tid or --object" },
        { "thread mem --object xyz", "not an address" },
        { "threads mem --columns pid,nix", "no 'nix'" },
        { "threads mem --columns pid,tid,pid", "'pid' is named twice" },
        { "threads mem --columns pid --format json", "JSON always has all" },
        { "threads mem --all-columns --format jsonl", "JSON always has all" },
        { "threads mem --evidence --format csv", "not for csv" },
        { "threads mem --state Sleeping", "there are Ready Waiting" },
        { "threads mem --mode x99", "one of x86|pae|x64|la57" },
        { "threads mem --color blue", "one of auto|always|never" },
        { "threads mem --reader zip", "no such reader" },
        { "translate mem", "something is missing" },
        { "translate mem 0xfffff80000000000f", "not an address" },
        { "translate mem 12345g", "not an address" },
        { "read mem 10000", "something is missing" },
        { "read mem 10000 0", "not a length" },
        { "read mem ffffffffffffffff 2", "past the last address" },
        { "read mem 0 0x100000001", "at most 4 GiB" },
        { "read mem 0 1 --physical --root 0", "needs no --root" },
        { "help frobnicate", "no verb 'frobnicate'" },
};

START_TEST(usage)
{
        struct ran ran = run(usage_cases[_i].words);

        ck_assert_msg(ran.status == 1, "%s: %d", usage_cases[_i].words, ran.status);
        ck_assert_msg(strstr(ran.err, usage_cases[_i].says) != NULL, "%s: %s", usage_cases[_i].words, ran.err);
        ck_assert_msg(strncmp(ran.err, "stasis: ", 8) == 0 && lines(ran.err) == 1, "%s", ran.err);
        ck_assert_str_eq(ran.out, "");
        ran_free(&ran);
}
END_TEST

START_TEST(help_and_version)
{
        static const char *const verbs[] = { "info", "processes", "threads", "thread", "modules", "translate", "read" };

        expect("--version", 0, "stasis 0.1.0\n", "");
        expect("--help", 0, "Verbs:", "");
        expect("help", 0, "translate", "");
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
                char words[64];
                snprintf(words, sizeof(words), "%s --help", verbs[i]);
                expect(words, 0, "Exit status:", "");
                snprintf(words, sizeof(words), "help %s", verbs[i]);
                expect(words, 0, "Usage: stasis ", "");
        }
        expect("threads -h", 0, "text|json|jsonl|csv", "");
        expect("read -h", 0, "text|json|raw\n", "");
        expect("threads --columns help", 0, "create_time", "");
}
END_TEST

START_TEST(exit_status)
{
        expect("threads mem", 0, NULL, "");
        double_case.severity = STASIS_NOTE_WARNING;
        expect("threads mem", 0, "warning: ", "");
        double_case.severity = STASIS_NOTE_MISSING;
        expect("threads mem", 3, "missing: ", "");
        expect("threads mem --format json", 3, "\"missing\"", "");
        expect("threads mem --format csv", 3, NULL, "partial");
        expect("threads mem --format csv -q", 3, NULL, "");
        double_case.noted = false;
        expect("threads mem", 0, NULL, "");
        double_case.gap = true;
        expect("threads mem", 3, "8 KiB, that the file declares and does not hold", "");
        expect("info mem", 3, "cut off", "");
        expect("info mem", 3, "Secondary data", "");
        expect("info mem", 3, "bf2297dc-34ba-11dc-868a-e19155d89593  68 bytes  at 0x4000 in the file", "");
}
END_TEST

START_TEST(failures)
{
        double_case.image = STASIS_CORRUPT;
        expect("threads mem", 2, "", "stasis: mem: bad header: e_phoff is past the end; '--reader raw'");
        double_case.image = STASIS_OK;
        double_case.system = STASIS_ABSENT;
        expect("threads mem", 2, "", "stasis: mem: no Windows kernel was found; 'stasis info --trace mem' tells");
        expect("info mem", 2, "no Windows kernel was found", "'--trace' tells");
        expect("info mem --trace", 2, "low stub: nothing in the first MiB", NULL);
        expect("info mem", 2, "How it was found", NULL);
        double_case.system = STASIS_OK;
        expect("thread mem --tid 9", 2, "None of the 3 threads", "none of its 3 threads has tid 9");
        expect("thread mem --object 81230404", 2, "", "there is no thread object");
        expect("modules mem --process 5", 2, "", "no process");
        expect("translate mem 0 --process 5", 2, "", "no process");
}
END_TEST

START_TEST(unwritable)
{
        struct ran ran;

        expect("threads mem --output /dev/full", 2, "", "could not be written whole: No space left on device");
        expect("threads mem --output /nowhere/at/all", 2, "", "cannot be opened for writing");
        ran = run("threads /dev/null --output /dev/null");
        ck_assert_int_eq(ran.status, 1);
        ck_assert_ptr_nonnull(strstr(ran.err, "is an input"));
        ran_free(&ran);
}
END_TEST

START_TEST(options_reach_the_library)
{
        expect("threads --layout nt.json mem", 0, NULL, "");
        ck_assert_str_eq(double_case.layout, "nt.json");
        expect("threads --layout inferred mem", 0, NULL, "");
        ck_assert_str_eq(double_case.layout, "(inferred)");
        expect("threads --layout ./inferred mem", 0, NULL, "");
        ck_assert_str_eq(double_case.layout, "./inferred");
        ck_assert_str_eq(double_case.symbols, "");
        expect("threads --symbols vmlinux mem -S System.map", 0, NULL, "");
        ck_assert_str_eq(double_case.symbols, "vmlinux|System.map");
        expect("threads mem -Sa -Sb -Sc -Sd -Se -Sf -Sg -Sh -Si -Sj -Sk -Sl -Sm -Sn -So -Sp -Sq", 1, NULL, "16 times");
        expect("threads mem --reader raw", 0, NULL, "");
        ck_assert_str_eq(double_case.pagefiles, "");
        expect("threads mem --pagefile pagefile.sys -P swapfile.sys -P 7=c=x -P 12345=y", 0, NULL, "");
        ck_assert_str_eq(double_case.pagefiles, "0=pagefile.sys|1=swapfile.sys|7=c=x|8=12345=y");
}
END_TEST

/* ---- text */

START_TEST(table)
{
        struct ran ran = run("threads mem");
        const char *line = strstr(ran.out, "  4   12");

        ck_assert_ptr_nonnull(strstr(ran.out, "mem: raw memory, 16 KiB\nWindows XP\n"));
        ck_assert_ptr_nonnull(line);
        ck_assert_ptr_nonnull(strstr(line, "System    Ready    -            -15")); /* a stale reason is none */
        ck_assert_ptr_nonnull(strstr(line, "System    Waiting  UserRequest    9"));
        ck_assert_ptr_nonnull(strstr(line, "2004-12-28 12:00:00  0x7c810659\n"));
        ck_assert_ptr_nonnull(strstr(line, "2004-12-28 12:00:00  nt+0x2000\n")); /* no Win32 start: the other one */
        ck_assert_ptr_nonnull(strstr(ran.out, "\n3 threads\n"));
        ck_assert_ptr_null(strchr(ran.out, '\033'));
        ran_free(&ran);
}
END_TEST

START_TEST(asked_for_columns)
{
        expect("threads mem --columns tid,state,wait_reason,win32_start_address", 0,
               "TID  STATE    WAIT REASON  WIN32_START_ADDRESS\n  8  Waiting  UserRequest  0x7c810659\n"
               " 12  Ready    UserRequest  0x7c810659\n",
               "");
}
END_TEST

START_TEST(filters)
{
        expect("threads mem --process 4", 0, "2 of 3 threads", "");
        expect("threads mem --tid 16", 0, "1 of 3 threads", "");
        expect("threads mem --state ready", 0, "1 of 3 threads", "");
        double_case.severity = STASIS_NOTE_INFO; /* of one thread, and said of it alone */
        expect("threads mem --noticed", 0, "1 of 3 threads", "");
        expect("threads mem --noticed", 0, "is torn", "");
        expect("threads mem --noticed --state ready", 0, "None of the 3 threads found is as asked for.", "");
        double_case.noted = false;
        expect("threads mem --noticed", 0, "None of the 3 threads found is as asked for.", "");
        expect("threads mem --state ready --process 264", 0, "None of the 3 threads found is as asked for.", "");
        double_case.thread_count = 0;
        expect("threads mem", 0, "No thread found.", "");
        expect("threads mem --quiet", 0, "No thread found.", "");
}
END_TEST

START_TEST(evil_names)
{
        static const char evil[] = "a\x1b[31m\r\n\xff\xc0\x80\xed\xa0\x80\xc2\x9b\xe2\x80\xae\xf4\x90\x80\x80z";
        struct ran ran;

        double_case.process = evil;
        ran = run("threads mem --columns pid,process");
        for (const char *at = ran.out; *at; at++)
                ck_assert_msg(*at == '\n' || (unsigned char)*at >= 0x20, "%x", (unsigned char)*at);
        ck_assert_ptr_nonnull(strstr(
                ran.out, "a\\x1b[31m\\x0d\\x0a\\xff\\xc0\\x80\\xed\\xa0\\x80\\u009b\\u202e\\xf4\\x90\\x80\\x80z"));
        ck_assert_ptr_nonnull(strstr(ran.out, "the list \\x1b[2J is torn"));
        ran_free(&ran);
        expect("threads /tmp/\033[2J --reader zip", 1, "", "\\x1b[2J");
}
END_TEST

static void check_width(const char *words)
{
        struct ran ran = run(words);
        char *save, *line = strtok_r(ran.out, "\n", &save);

        for (; line; line = strtok_r(NULL, "\n", &save))
                ck_assert_msg(text_width(line) <= 120, "%s: %zu columns: %s", words, text_width(line), line);
        ran_free(&ran);
}

START_TEST(width)
{
        char name[512];

        memset(name, 'w', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        double_case.process = name;
        check_width("threads mem");
        expect("threads mem", 0, "w\xe2\x80\xa6  Waiting  UserRequest    9  2004-12-28 12:00:00  0x7c810659",
               ""); /* the name gives way, not the rest */
        check_width("threads mem --columns object,process,state,sources,flags,create_time,start_address");
        for (size_t i = 0; i + 3 < sizeof(name); i += 3)
                memcpy(name + i, "\xe6\xbc\xa2", 3);
        check_width("threads mem");
        check_width("threads mem --columns pid,tid,process,sources");
        expect("threads mem", 0, "\xe2\x80\xa6", "");
}
END_TEST

/* More rows than are measured: later ones keep the widths of the first, and all of them come. */
START_TEST(many_rows)
{
        struct ran ran;

        double_case.thread_count = 8200;
        double_case.process = "a-rather-long-name.exe";
        ran = run("threads mem --quiet");
        ck_assert_uint_eq(lines(ran.out), 8200 + 1);
        ran_free(&ran);
        check_width("threads mem");
}
END_TEST

START_TEST(detail)
{
        struct ran ran = run("thread mem --tid 12 --evidence");

        ck_assert_int_eq(ran.status, 0);
        ck_assert_ptr_nonnull(strstr(ran.out, "Thread at 0x81230400, pid 4, tid 12, System\n"));
        ck_assert_ptr_nonnull(strstr(ran.out, "  State                     Ready\n"
                                              "    from  va 0x8123002d  pa 0x102d  file 0x22d\n"));
        ck_assert_ptr_nonnull(strstr(ran.out, "  Stack base                <paged out>\n    from  va 0x81230168\n"));
        ck_assert_ptr_nonnull(strstr(ran.out, "  Waits                     object 0x81111110\n"
                                              "    object from  va 0x81230300  pa 0x1300  file 0x500\n"
                                              "                            object 0x82222220\n"));
        ck_assert_ptr_nonnull(
                strstr(ran.out, "  Exit status               0x103\n    from  va 0x81230240  pa 0x6000\n"));
        ran_free(&ran);
        expect("thread mem --object 0x81230400", 0, "\nThread 4.12  System  0x81230400\n", "");
        expect("threads mem --all-columns", 0, "<not applicable>", "");
}
END_TEST

START_TEST(colors)
{
        expect("threads mem --color always", 0, "\033[1m", "");
        setenv("NO_COLOR", "1", 1);
        expect("threads mem --color always", 0, "\033[1m", "");
        unsetenv("NO_COLOR");
        struct ran ran = run("threads mem --color auto");
        ck_assert_ptr_null(strchr(ran.out, '\033'));
        ran_free(&ran);
}
END_TEST

START_TEST(csv)
{
        double_case.process = "a \"b\", c\r\nd";
        expect("threads mem --format csv --columns tid,process,start_address,teb,flags,create_time,sources,alertable",
               0,
               "tid,process,start_address,start_address_symbol,teb,flags,create_time,sources,alertable\r\n"
               "8,\"a \"\"b\"\", "
               "c\r\nd\",0x804d9000,nt+0x2000,,0x0,2004-12-28T12:00:00.1234567Z,process-list|cid-table,"
               "false\r\n"
               "12,System,0x804d9000,nt+0x2000,,0x800000000000000b|Terminated|Priority=5|Last,",
               "");
        expect("threads mem --format csv", 0, "object,object_pa,pid,tid,", "");
        expect("threads mem --format csv --columns tid,waits --tid 12", 0,
               "tid,waits\r\n12,object=0x81111110 type=Mutant key=1;object=0x82222220 type=Semaphore\r\n", "");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli");
        TCase *tcase = tcase_create("cli");

        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, usage, 0, (int)(sizeof(usage_cases) / sizeof(usage_cases[0])));
        tcase_add_test(tcase, help_and_version);
        tcase_add_test(tcase, exit_status);
        tcase_add_test(tcase, failures);
        tcase_add_test(tcase, unwritable);
        tcase_add_test(tcase, options_reach_the_library);
        tcase_add_test(tcase, table);
        tcase_add_test(tcase, asked_for_columns);
        tcase_add_test(tcase, filters);
        tcase_add_test(tcase, evil_names);
        tcase_add_test(tcase, width);
        tcase_add_test(tcase, many_rows);
        tcase_add_test(tcase, detail);
        tcase_add_test(tcase, colors);
        tcase_add_test(tcase, csv);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
