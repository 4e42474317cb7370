/* SPDX-License-Identifier: MIT */
/* The documents that machines read, parsed again: JSON of every verb, JSON lines, and the bytes of read. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

START_TEST(threads)
{
        struct json_object *doc = document("threads mem --format json", 0);

        ck_assert_str_eq(text_at(doc, "schema"), "stasis/threads/1");
        ck_assert_str_eq(text_at(doc, "image.path"), "mem");
        ck_assert_int_eq(number_at(doc, "image.size"), 0x4200);
        ck_assert_int_eq(number_at(doc, "image.range_bytes"), 0x4000);
        ck_assert_str_eq(text_at(doc, "system.name"), "Windows XP");
        ck_assert_int_eq(number_at(doc, "system.build"), 2600);
        ck_assert_ptr_null(at(doc, "system.kernel_base"));
        ck_assert_str_eq(text_at(doc, "system.absent.kernel_base"), "not known");
        ck_assert_uint_eq(json_object_array_length(at(doc, "threads")), 3);
        ck_assert_str_eq(text_at(doc, "notes[0].severity"), "info");
        ck_assert_str_eq(text_at(doc, "notes[0].text"), "the list \x1b[2J is torn");
        ck_assert_int_eq(number_at(doc, "notes[0].pid"), 4);
        ck_assert_ptr_null(at(doc, "notes[0].tid"));
        json_object_put(doc);
}
END_TEST

START_TEST(kinds)
{
        struct json_object *doc = document("threads mem --format json --tid 12", 0);
        struct json_object *thread = at(doc, "threads[0]");

        ck_assert_str_eq(text_at(thread, "object"), "0x81230400");
        ck_assert_str_eq(text_at(thread, "object_pa"), "0x1230400");
        ck_assert_int_eq(number_at(thread, "pid"), 4);
        ck_assert_int_eq(number_at(thread, "priority"), -15);
        ck_assert(json_object_is_type(at(thread, "alertable"), json_type_boolean));
        ck_assert(json_object_get_boolean(at(thread, "alertable")));
        ck_assert_str_eq(text_at(thread, "state"), "Ready");
        ck_assert_str_eq(text_at(thread, "exit_status"), "0x103");
        ck_assert_str_eq(text_at(thread, "create_time"), "2004-12-28T12:00:00.1234567Z");
        ck_assert_str_eq(text_at(thread, "flags.value"), "0x800000000000000b");
        ck_assert_str_eq(text_at(thread, "flags.names[0]"), "Terminated");
        ck_assert_str_eq(text_at(thread, "flags.names[1]"), "Priority=5");
        ck_assert_str_eq(text_at(thread, "flags.names[2]"), "Last");
        ck_assert_str_eq(text_at(thread, "sources[1]"), "cid-table");
        ck_assert_str_eq(text_at(thread, "start_address"), "0x804d9000");
        ck_assert_str_eq(text_at(thread, "start_address_symbol"), "nt+0x2000");
        ck_assert_ptr_null(at(thread, "win32_start_address_symbol"));
        ck_assert_ptr_null(at(thread, "stack_base"));
        ck_assert_str_eq(text_at(thread, "absent.stack_base"), "paged out");
        ck_assert_uint_eq(json_object_array_length(at(thread, "waits")), 2);
        ck_assert_str_eq(text_at(thread, "waits[0].object"), "0x81111110");
        ck_assert_str_eq(text_at(thread, "waits[0].type"), "Mutant");
        ck_assert_int_eq(number_at(thread, "waits[0].key"), 1);
        ck_assert_int_eq(json_object_object_length(at(thread, "waits[0].absent")), 0);
        ck_assert_ptr_null(at(thread, "waits[1].key"));
        ck_assert_str_eq(text_at(thread, "waits[1].absent.key"), "paged out");
        ck_assert(!json_object_object_get_ex(at(thread, "waits[1]"), "evidence", NULL));
        ck_assert_uint_eq((size_t)json_object_object_length(at(thread, "absent")), 2);
        ck_assert(!json_object_object_get_ex(thread, "evidence", NULL));
        json_object_put(doc);
}
END_TEST

START_TEST(places)
{
        struct json_object *doc = document("thread mem --tid 8 --format json --evidence", 0);
        struct json_object *evidence = at(doc, "threads[0].evidence");

        ck_assert_str_eq(text_at(evidence, "pid.va"), "0x812301ec");
        ck_assert_str_eq(text_at(evidence, "pid.pa"), "0x11ec");
        ck_assert_str_eq(text_at(evidence, "pid.off"), "0x3ec");
        ck_assert_str_eq(text_at(evidence, "exit_status.pa"), "0x6000");
        ck_assert_ptr_null(at(evidence, "exit_status.off"));
        ck_assert_ptr_null(at(evidence, "stack_base.pa"));
        ck_assert(!json_object_object_get_ex(evidence, "object", NULL));
        json_object_put(doc);
        doc = document("thread mem --tid 12 --format json --evidence", 0);
        ck_assert_str_eq(text_at(doc, "threads[0].waits[1].evidence.object.va"), "0x81230318");
        ck_assert_str_eq(text_at(doc, "threads[0].waits[1].evidence.object.off"), "0x518");
        ck_assert_ptr_null(at(doc, "threads[0].waits[1].evidence.key.off"));
        json_object_put(doc);
}
END_TEST

START_TEST(hostile_text)
{
        double_case.process = "\"\\/\x01\x1f\x7f\xff</script>\xe2\x80\xae";
        struct json_object *doc = document("threads mem --format json", 0);

        ck_assert_str_eq(text_at(doc, "threads[0].process"), "\"\\/\x01\x1f\x7f\xef\xbf\xbd</script>\xe2\x80\xae");
        json_object_put(doc);
}
END_TEST

START_TEST(empty_and_partial)
{
        struct json_object *doc;

        double_case.thread_count = 0;
        double_case.noted = false;
        double_case.gap = true;
        doc = document("threads mem --format json", 3);
        ck_assert_uint_eq(json_object_array_length(at(doc, "threads")), 0);
        ck_assert_uint_eq(json_object_array_length(at(doc, "notes")), 0);
        ck_assert_int_eq(number_at(doc, "image.gap_bytes"), 0x2000);
        json_object_put(doc);
}
END_TEST

START_TEST(json_lines)
{
        struct ran ran = run("threads mem --format jsonl");
        char *save, *line = strtok_r(ran.out, "\n", &save);
        size_t count = 0;

        for (; line; line = strtok_r(NULL, "\n", &save), count++) {
                struct json_object *doc = json_tokener_parse(line);
                ck_assert_msg(doc != NULL, "%s", line);
                if (count == 0)
                        ck_assert_str_eq(text_at(doc, "schema"), "stasis/threads/1");
                else if (count < 4)
                        ck_assert_int_eq(number_at(doc, "tid"), (int64_t)(4 + 4 * count));
                else
                        ck_assert_uint_eq(json_object_array_length(at(doc, "notes")), 1);
                json_object_put(doc);
        }
        ck_assert_uint_eq(count, 5);
        ran_free(&ran);
}
END_TEST

/* The same answer, byte for byte. */
START_TEST(deterministic)
{
        struct ran a = run("threads mem --format json --evidence"), b = run("threads mem --format json --evidence");

        ck_assert_str_eq(a.out, b.out);
        ck_assert_ptr_null(strstr(a.out, " \n"));
        ran_free(&a);
        ran_free(&b);
}
END_TEST

START_TEST(lists)
{
        struct json_object *doc = document("modules mem --format json --process 4", 0);

        ck_assert_str_eq(text_at(doc, "schema"), "stasis/modules/1");
        ck_assert_int_eq(number_at(doc, "process"), 4);
        ck_assert_str_eq(text_at(doc, "modules[0].name"), "ntoskrnl.exe");
        json_object_put(doc);
        doc = document("processes mem --format json", 0);
        ck_assert_str_eq(text_at(doc, "schema"), "stasis/processes/1");
        ck_assert_uint_eq(json_object_array_length(at(doc, "processes")), 1);
        json_object_put(doc);
}
END_TEST

START_TEST(info)
{
        double_case.hints = STASIS_HINT_MACHINE | STASIS_HINT_ROOT;
        struct json_object *doc = document("info mem --format json --trace", 0);

        ck_assert_str_eq(text_at(doc, "schema"), "stasis/info/1");
        ck_assert_str_eq(text_at(doc, "image.ranges[1].pa"), "0x8000");
        ck_assert_str_eq(text_at(doc, "image.ranges[1].off"), "0x3200");
        ck_assert_str_eq(text_at(doc, "image.hints.machine"), "x86");
        ck_assert_str_eq(text_at(doc, "image.hints.root"), "0x39000");
        ck_assert_ptr_null(at(doc, "image.hints.kdbg"));
        ck_assert_str_eq(text_at(doc, "image.cpus[0].cr3"), "0x39000");
        ck_assert_ptr_null(at(doc, "image.cpus[0].gs_base"));
        ck_assert_ptr_null(at(doc, "image.cpus[0].xmm"));
        ck_assert_ptr_null(at(doc, "image.exception"));
        ck_assert_str_eq(text_at(doc, "processor_blocks[0].current_thread"), "0x81230400");
        ck_assert_str_eq(text_at(doc, "trace[0].step"), "root");
        ck_assert(!json_object_get_boolean(at(doc, "trace[0].success")));
        ck_assert_ptr_null(at(doc, "error"));
        ck_assert_int_eq(number_at(doc, "counts.threads"), 3);
        ck_assert_str_eq(text_at(doc, "inferred[0].member"), "_KTHREAD.Teb");
        ck_assert_str_eq(text_at(doc, "inferred[0].offset"), "0xa8");
        ck_assert_ptr_null(at(doc, "inferred[0].other"));
        ck_assert_int_eq(number_at(doc, "inferred[0].agreed"), 40);
        ck_assert_str_eq(text_at(doc, "inferred[1].other"), "0x6c");
        ck_assert_ptr_null(at(doc, "inferred[2].offset"));
        json_object_put(doc);
        double_case.gap = true;
        doc = document("info mem --format json", 3);
        ck_assert_str_eq(text_at(doc, "image.secondary[0].guid"), "bf2297dc-34ba-11dc-868a-e19155d89593");
        ck_assert_str_eq(text_at(doc, "image.secondary[0].off"), "0x4000");
        ck_assert_int_eq(number_at(doc, "image.secondary[0].size"), 0x44);
        json_object_put(doc);
        double_case.gap = false;
        double_case.system = STASIS_ABSENT;
        doc = document("info mem --format jsonl --trace", 2);
        ck_assert_ptr_null(at(doc, "system"));
        ck_assert_ptr_null(at(doc, "counts.threads"));
        ck_assert_str_eq(text_at(doc, "error"), "no Windows kernel was found");
        ck_assert_uint_eq(json_object_array_length(at(doc, "trace")), 2);
        json_object_put(doc);
}
END_TEST

/* ---- translate */

START_TEST(translate)
{
        struct json_object *doc =
                document("translate mem 13456 5000 30000 ffff000000000000 --root 39000 --mode x86 -f json", 3);

        ck_assert_str_eq(text_at(doc, "schema"), "stasis/translate/1");
        ck_assert_str_eq(text_at(doc, "mode"), "x86");
        ck_assert_str_eq(text_at(doc, "root"), "0x39000");
        ck_assert_str_eq(text_at(doc, "translations[0].va"), "0x13456");
        ck_assert_str_eq(text_at(doc, "translations[0].pa"), "0x4456");
        ck_assert_ptr_null(at(doc, "translations[0].off"));
        ck_assert_int_eq(number_at(doc, "translations[0].page_size"), 4096);
        ck_assert_str_eq(text_at(doc, "translations[0].status"), "present");
        ck_assert_str_eq(text_at(doc, "translations[0].entries[0].pa"), "0x39008");
        ck_assert_str_eq(text_at(doc, "translations[0].entries[0].value"), "0x8067");
        ck_assert_str_eq(text_at(doc, "translations[1].status"), "not present");
        ck_assert_ptr_null(at(doc, "translations[1].pa"));
        ck_assert_ptr_null(at(doc, "translations[1].page_size"));
        ck_assert_str_eq(text_at(doc, "translations[2].status"), "table not in image");
        ck_assert_ptr_null(at(doc, "translations[2].entries[1].value"));
        ck_assert_str_eq(text_at(doc, "translations[3].status"), "not canonical");
        ck_assert_uint_eq(json_object_array_length(at(doc, "translations[3].entries")), 0);
        json_object_put(doc);
        doc = document("translate mem 5000 -f json", 0); /* not mapped is an answer */
        json_object_put(doc);
}
END_TEST

START_TEST(translate_verdicts)
{
        struct json_object *doc = document("translate mem 13456 20008 21010 -f json", 0);
        ck_assert_str_eq(text_at(doc, "translations[0].verdict"), "not captured");
        ck_assert_str_eq(text_at(doc, "translations[0].status"), "present");
        ck_assert_str_eq(text_at(doc, "translations[1].status"), "not present");
        ck_assert_str_eq(text_at(doc, "translations[1].verdict"), "paged out");
        ck_assert_ptr_null(at(doc, "translations[1].why"));
        ck_assert_int_eq(number_at(doc, "translations[1].pagefile"), 1);
        ck_assert_str_eq(text_at(doc, "translations[1].pagefile_off"), "0x20008");
        ck_assert_str_eq(text_at(doc, "translations[1].vad"), "0x81234560");
        ck_assert_str_eq(text_at(doc, "translations[1].software[0].form"), "_MMPTE_SOFTWARE");
        ck_assert_str_eq(text_at(doc, "translations[1].software[0].va"), "0xe1001230");
        ck_assert_str_eq(text_at(doc, "translations[1].software[0].members.PageFileHigh"), "0x20");
        ck_assert_str_eq(text_at(doc, "translations[2].why"), "that page file was not given");
        json_object_put(doc);
        struct ran ran = run("translate mem 21010 --explain");
        ck_assert_ptr_nonnull(strstr(ran.out, "0x0000000000021010  paged out, in page file 2 at 0x21010 "
                                              "(that page file was not given)\n"));
        ck_assert_ptr_nonnull(strstr(ran.out, "    prototype entry at va 0xe1001230 at pa 0x1230  0x0000000000000120  "
                                              "_MMPTE_SOFTWARE: PageFileHigh 0x21\n    VAD at va 0x81234560\n"));
        ran_free(&ran);
}
END_TEST

START_TEST(translate_input)
{
        struct ran ran = run_with("translate mem - -f csv", "0x10000\n 5000\t18004\r\n");

        ck_assert_int_eq(ran.status, 0);
        ck_assert_str_eq(ran.out, "va,pa,page_size,status,verdict\r\n0x10000,0x1000,4096,present,present\r\n"
                                  "0x5000,,,not present,not present\r\n0x18004,0x8004,4096,present,present\r\n");
        ran_free(&ran);
        ran = run_with("translate mem -", "10000\nxyz\n10000\n");
        ck_assert_int_eq(ran.status, 1);
        ck_assert_ptr_nonnull(strstr(ran.err, "'xyz' is not an address"));
        ran_free(&ran);
        ran = run_with("translate mem -", "");
        ck_assert_str_eq(ran.out, "No address was given.\n");
        ran_free(&ran);
}
END_TEST

static const char *root_of(const char *words, int status)
{
        static char root[32];
        struct json_object *doc = document(words, status);

        snprintf(root, sizeof(root), "%s %s", text_at(doc, "mode"), text_at(doc, "root"));
        json_object_put(doc);
        return root;
}

/* By hand, of a process, of the system, of the image's own registers: in this order. */
START_TEST(which_space)
{
        ck_assert_str_eq(root_of("translate mem 0 -f json", 0), "pae 0x7000");
        ck_assert_str_eq(root_of("translate mem 0 -f json --process 264", 0), "pae 0x7720");
        ck_assert_str_eq(root_of("translate mem 0 -f json --root 5000", 0), "pae 0x5000");
        double_case.system = STASIS_ABSENT; /* from here on a search would fail */
        ck_assert_str_eq(root_of("translate mem 0 -f json --root 5000 --mode la57", 0), "la57 0x5000");
        double_case.hints = STASIS_HINT_MACHINE | STASIS_HINT_ROOT;
        ck_assert_str_eq(root_of("translate mem 0 -f json --root 5000", 0), "pae 0x5000"); /* CR4.PAE of the CPU */
        ck_assert_str_eq(root_of("translate mem 0 -f json", 0), "pae 0x39000");
        double_case.hints = 0;
        struct ran ran = run("translate mem 0");
        ck_assert_int_eq(ran.status, 2);
        ck_assert_ptr_nonnull(strstr(ran.err, "give the page tables with --root PA and --mode"));
        ran_free(&ran);
}
END_TEST

START_TEST(reverse)
{
        struct ran ran = run("translate mem --reverse 30004 200000");
        ck_assert_int_eq(ran.status, 0);
        ck_assert_str_eq(ran.out, "0x000000030004  0x0000000080000000  4 KiB page, kernel\n"
                                  "0x000000030004  0x0000000000010000  4 KiB page, pid 4 a.exe\n"
                                  "0x000000200000  no virtual address comes to it\n");
        ran_free(&ran);
        ran = run("translate mem --reverse 30004 --format csv");
        ck_assert_str_eq(ran.out, "pa,va,page_size,kernel,pid,process\r\n0x30004,0x80000000,4096,true,,\r\n"
                                  "0x30004,0x10000,4096,false,4,a.exe\r\n");
        ran_free(&ran);
        struct json_object *doc = document("translate mem --reverse 30004 200000 --format json", 0);
        ck_assert_str_eq(text_at(doc, "schema"), "stasis/reverse/1");
        ck_assert_str_eq(text_at(doc, "mappings[1].process"), "a.exe");
        ck_assert_ptr_null(at(doc, "mappings[0].pid"));
        ck_assert_str_eq(text_at(doc, "unmapped[0]"), "0x200000");
        ck_assert_ptr_null(at(doc, "error"));
        json_object_put(doc);
        ran = run("translate mem --reverse 30004 --root 39000 --mode x86");
        ck_assert_int_eq(ran.status, 3); /* a table is not in the image */
        ran_free(&ran);
        ran = run("translate mem --reverse zz");
        ck_assert_int_eq(ran.status, 1);
        ran_free(&ran);
}
END_TEST

START_TEST(explain)
{
        struct ran ran = run("translate mem 30000 18004 --explain");

        ck_assert_int_eq(ran.status, 3);
        ck_assert_ptr_nonnull(strstr(ran.out, "0x0000000000030000  table not in image\n    PDPTE at 0x000000007008  "
                                              "0x0000000000008067  present writable user accessed dirty\n"
                                              "    PDE   at 0x000000008180  not in the image\n"));
        ck_assert_ptr_nonnull(
                strstr(ran.out, "0x0000000000018004  0x000000008004  4 KiB page, at 0x3204 in the file\n"));
        ran_free(&ran);
}
END_TEST

/* ---- read */

START_TEST(read_json)
{
        struct json_object *doc = document("read mem 12ffe 4 -f json", 3);

        ck_assert_str_eq(text_at(doc, "schema"), "stasis/read/1");
        ck_assert_str_eq(text_at(doc, "va"), "0x12ffe");
        ck_assert_int_eq(number_at(doc, "len"), 4);
        ck_assert_str_eq(text_at(doc, "bytes"), "ffff????");
        ck_assert_str_eq(text_at(doc, "gaps[0].va"), "0x13000");
        ck_assert_int_eq(number_at(doc, "gaps[0].len"), 2);
        ck_assert_str_eq(text_at(doc, "gaps[0].why"), "not in the image");
        json_object_put(doc);
        doc = document("read mem --physical 1100 0x3 -f json", 0);
        ck_assert_str_eq(text_at(doc, "pa"), "0x1100");
        ck_assert_str_eq(text_at(doc, "bytes"), "101010");
        ck_assert_uint_eq(json_object_array_length(at(doc, "gaps")), 0);
        json_object_put(doc);
}
END_TEST

START_TEST(read_text)
{
        struct ran ran = run("read mem 1000e 4");

        ck_assert_int_eq(ran.status, 0);
        ck_assert_str_eq(ran.out,
                         "0000000000010000                                             00 00  |              ..|\n"
                         "0000000000010010  01 01                                             |..              |\n");
        ran_free(&ran);
        ran = run("read mem 12ff8 0x2020");
        ck_assert_int_eq(ran.status, 3);
        ck_assert_str_eq(ran.out,
                         "0000000000012ff0                           ff ff ff ff ff ff ff ff  |        ........|\n"
                         "0000000000013000  <not in the image: 4096 bytes>\n"
                         "0000000000014000  <not present: 4112 bytes>\n"
                         "0000000000015010  ?? ?? ?? ?? ?? ?? ?? ??                           |????????        |\n");
        ran_free(&ran);
        ran = run("read mem 20ff8 0x1028");
        ck_assert_int_eq(ran.status, 3);
        ck_assert_str_eq(ran.out,
                         "0000000000020ff0                           50 50 50 50 50 50 50 50  |        PPPPPPPP|\n"
                         "0000000000021000  <paged out (that page file was not given): 4128 bytes>\n");
        ran_free(&ran);
        struct json_object *doc = document("read mem 21000 16 -f json", 3);
        ck_assert_str_eq(text_at(doc, "gaps[0].why"), "paged out");
        ck_assert_str_eq(text_at(doc, "gaps[0].more"), "that page file was not given");
        json_object_put(doc);
}
END_TEST

START_TEST(read_raw)
{
        struct ran ran = run("read mem --physical 3ffe 0x4004 -f raw");

        ck_assert_int_eq(ran.status, 3);
        ck_assert_uint_eq(ran.out_len, 0x4004);
        ck_assert_mem_eq(ran.out, "\xff\xff\0\0", 4);
        ck_assert_mem_eq(ran.out + 0x4000, "\0\0\0\0", 4); /* 0x7ffe, 0x7fff are not held; 0x8000 >> 4 ends in 00 */
        ck_assert_ptr_nonnull(strstr(ran.err, "0x4000: not in the image: 16384 bytes are written as zeros"));
        ran_free(&ran);
        ran = run("read mem --physical 0 0xffffffffffffffff");
        ck_assert_int_eq(ran.status, 3); /* nearly all of it is one gap: no walk over it */
        ck_assert_ptr_nonnull(strstr(ran.out, "0000000000009000  <not in the image: 18446744073709514736 bytes>"));
        ran_free(&ran);
}
END_TEST

static void setup(void) { double_reset(); }

int main(void)
{
        Suite *suite = suite_create("document");
        TCase *tcase = tcase_create("document");

        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_test(tcase, threads);
        tcase_add_test(tcase, kinds);
        tcase_add_test(tcase, places);
        tcase_add_test(tcase, hostile_text);
        tcase_add_test(tcase, empty_and_partial);
        tcase_add_test(tcase, json_lines);
        tcase_add_test(tcase, deterministic);
        tcase_add_test(tcase, lists);
        tcase_add_test(tcase, info);
        tcase_add_test(tcase, translate);
        tcase_add_test(tcase, translate_verdicts);
        tcase_add_test(tcase, translate_input);
        tcase_add_test(tcase, which_space);
        tcase_add_test(tcase, explain);
        tcase_add_test(tcase, reverse);
        tcase_add_test(tcase, read_json);
        tcase_add_test(tcase, read_text);
        tcase_add_test(tcase, read_raw);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
