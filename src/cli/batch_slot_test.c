/* SPDX-License-Identifier: MIT */
/* A worker that lies: what its parent makes of frames that no honest one would send. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch_slot.h"
#include "../test/folder.h"

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char folder[64];
static struct cli cli;
static struct batch batch;
static struct slot slot;
static int worker; /* its end of the pipe */

static void setup(void)
{
        snprintf(folder, sizeof(folder), "/tmp/stasis-slot-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        cli = (struct cli){ .err = stderr, .quiet = true };
        batch = (struct batch){ .cli = &cli };
        items_add(&batch.items, "a", NULL, NULL);
        ck_assert_int_eq(batch_out_open(&cli, folder, "{\"shard\":null}\n", &batch.out), CLI_COMPLETE);
        int out[2], messages[2];
        pid_t pid = fork(); /* before there are pipes, of which it must have no end */
        if (pid == 0) {
                pause();
                _exit(0);
        }
        ck_assert_int_eq(pipe2(out, O_NONBLOCK | O_CLOEXEC) | pipe2(messages, O_NONBLOCK | O_CLOEXEC), 0);
        slot = (struct slot){ .pid = pid, .out = out[0], .messages = messages[0], .result = -1, .stopped = VERDICTS };
        worker = out[1];
        (void)fcntl(worker, F_SETPIPE_SZ, 1 << 20);
        close(messages[1]);
        slot.frame = malloc(FRAME_MAX + 1);
        entry_init(&slot.entry);
        entry_set(&slot.entry.path, "a", 1);
        slot.ended = (int)syscall(SYS_pidfd_open, slot.pid, 0);
        ck_assert_int_ge(slot.ended, 0);
}

static void teardown(void)
{
        entry_free(&slot.entry);
        free(slot.frame);
        items_free(&batch.items);
        batch_out_close(&batch.out);
        ck_assert_int_eq(folder_remove(folder), 0);
}

static void put_raw(const void *at, size_t len) { ck_assert_int_eq(write(worker, at, len), (ssize_t)len); }

static void put(char letter, const char *at, size_t len)
{
        const uint8_t header[FRAME_HEADER] = { (uint8_t)letter, (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
                                               (uint8_t)(len >> 24) };
        put_raw(header, sizeof(header));
        put_raw(at, len);
}

static void put_text(char letter, const char *text) { put(letter, text, strlen(text)); }

/* All that it has sent, its end, and the verdict. */
static enum verdict end(void)
{
        for (int i = 0; i < 10000 && slot.out >= 0; i++) {
                slot_read(&batch, &slot);
                if (i == 100)
                        close(worker);
        }
        ck_assert_int_lt(slot.out, 0);
        (void)kill(slot.pid, SIGKILL);
        slot_end(&batch, &slot);
        ck_assert_int_eq(slot.pid, 0);
        return (enum verdict)slot.entry.verdict;
}

static size_t results(void)
{
        size_t count = 0;
        char path[192];

        snprintf(path, sizeof(path), "%s/results/" SHA ".json", folder);
        count += access(path, F_OK) == 0;
        snprintf(path, sizeof(path), "%s/results/.tmp-0", folder);
        count += access(path, F_OK) == 0 ? 100 : 0;
        return count;
}

START_TEST(honest)
{
        put_text('P', "read");
        put_text('H', SHA);
        put_text('F', "format=raw");
        put_text('F', "threads=7");
        put_text('D', "{}\n");
        put_text('E', "A");
        ck_assert_int_eq(end(), VERDICT_COMPLETE);
        ck_assert_str_eq(slot.entry.format, "raw");
        ck_assert_uint_eq(slot.entry.threads, 7);
        ck_assert_uint_eq(results(), 1);
}
END_TEST

START_TEST(oversized)
{
        const uint8_t header[FRAME_HEADER] = { 'D', 1, 0, 1, 0 }; /* 64 KiB and one */

        put_raw(header, sizeof(header));
        ck_assert_int_eq(end(), VERDICT_FAILED);
        ck_assert_uint_eq(results(), 0);
}
END_TEST

START_TEST(unknown_frame)
{
        put_text('Z', "x");
        put_text('E', "A");
        ck_assert_int_eq(end(), VERDICT_FAILED);
}
END_TEST

/* Its name is a file's, which must not lead anywhere else. */
START_TEST(digest)
{
        put_text('H', "../../../../../../../../../../../../../../../../../../etc/passwd.");
        put_text('D', "{}\n");
        put_text('E', "A");
        ck_assert_int_eq(end(), VERDICT_FAILED);
        ck_assert_uint_eq(results(), 0);
}
END_TEST

START_TEST(two_digests)
{
        put_text('H', SHA);
        put_text('H', SHA);
        put_text('D', "{}\n");
        put_text('E', "A");
        ck_assert_int_eq(end(), VERDICT_FAILED);
        ck_assert_uint_eq(results(), 0);
}
END_TEST

/* Verdicts that are the parent's alone, and ones that there are not. */
START_TEST(verdicts)
{
        static const char *const ends[] = { "O", "P", "Q", "@", "AA", "", "\xff" };

        put_text('H', SHA);
        put_text('D', "{}\n");
        put_text('E', ends[_i]);
        ck_assert_int_eq(end(), VERDICT_FAILED);
        ck_assert_uint_eq(results(), 0);
}
END_TEST

START_TEST(no_result)
{
        put_text('H', SHA);
        put_text('E', "A"); /* complete, and no document */
        ck_assert_int_eq(end(), VERDICT_FAILED);
}
END_TEST

START_TEST(no_digest)
{
        put_text('D', "{}\n");
        put_text('E', "A");
        ck_assert_int_eq(end(), VERDICT_FAILED);
        ck_assert_uint_eq(results(), 0);
}
END_TEST

/* A document that is not ended by it is none. */
START_TEST(cut)
{
        put_text('H', SHA);
        put_text('D', "{");
        ck_assert_int_eq(end(), VERDICT_CRASHED);
        ck_assert_str_eq(slot.entry.end, "SIGKILL");
        ck_assert_uint_eq(results(), 0);
}
END_TEST

/* After the end nothing counts. */
START_TEST(late)
{
        put_text('H', SHA);
        put_text('D', "{}\n");
        put_text('E', "A");
        put_text('F', "threads=9");
        put_text('M', "member");
        put_text('D', "more");
        ck_assert_int_eq(end(), VERDICT_COMPLETE);
        ck_assert_uint_eq(slot.entry.threads, STASIS_NOWHERE);
        ck_assert_uint_eq(batch.items.count, 1);
}
END_TEST

/* Facts by which batch itself goes are not the worker's to tell. */
START_TEST(facts)
{
        put_text('F', "path=/etc/passwd");
        put_text('F', "sha256=x");
        put_text('F', "verdict=0");
        put_text('F', "members=7");
        put_text('F', "threads=-1");
        put_text('F', "error");
        put_text('F', "");
        put('F', "system=a\0b", 10);
        put_text('E', "D");
        ck_assert_int_eq(end(), VERDICT_NO_IMAGE);
        ck_assert_str_eq(slot.entry.path, "a");
        ck_assert_ptr_null(slot.entry.sha256);
        ck_assert_ptr_null(slot.entry.error);
        ck_assert_uint_eq(slot.entry.members, STASIS_NOWHERE);
        ck_assert_uint_eq(slot.entry.threads, STASIS_NOWHERE);
}
END_TEST

START_TEST(members)
{
        put_text('M', "a");
        put_text('M', "b\n");
        put_text('E', "H");
        ck_assert_int_eq(end(), VERDICT_ARCHIVE);
        ck_assert_uint_eq(batch.items.count, 3);
        ck_assert_str_eq(batch.items.at[2].member, "b\n");
        ck_assert_ptr_null(batch.items.at[2].inner);
        ck_assert_uint_eq(batch.items.at[0].members, 2);
}
END_TEST

/* Archives end at the second level. */
START_TEST(deep)
{
        entry_set(&slot.entry.member, "m", 1);
        entry_set(&slot.entry.inner, "i", 1);
        put_text('M', "a");
        put_text('E', "H");
        ck_assert_int_eq(end(), VERDICT_FAILED);
        ck_assert_uint_eq(batch.items.count, 1);
}
END_TEST

/* Names are what the parent keeps: of one archive, and of all that is in one file. */
START_TEST(names)
{
        static char name[FRAME_MAX];

        memset(name, 'n', sizeof(name));
        for (int i = 0; i < 8; i++)
                put('M', name, sizeof(name));
        slot.names = WORKER_NAMES_MAX - 2 * sizeof(name);
        put_text('E', "H");
        ck_assert_int_eq(end(), VERDICT_FAILED);
        ck_assert_uint_eq(batch.items.count, 3);
}
END_TEST

START_TEST(bomb)
{
        batch.items.at[0].members = FILE_MEMBERS_MAX - 1;
        entry_set(&slot.entry.member, "m", 1);
        put_text('M', "a");
        put_text('M', "b");
        put_text('E', "H");
        ck_assert_int_eq(end(), VERDICT_UNREADABLE);
        ck_assert_uint_eq(batch.items.count, 2);
        ck_assert_ptr_nonnull(strstr(slot.entry.error, "more files"));
}
END_TEST

START_TEST(output)
{
        cli.output_limit = (struct cli_number){ true, 5 };
        put_text('H', SHA);
        put_text('D', "{}\n");
        put_text('D', "{}\n");
        put_text('E', "A");
        ck_assert_int_eq(end(), VERDICT_OUTPUT);
        ck_assert_uint_eq(results(), 0);
}
END_TEST

START_TEST(known)
{
        uint8_t bytes[DIGEST_LEN];

        ck_assert(digest_parse(SHA, bytes));
        digest_set_add(&batch.out.known, bytes);
        put_text('H', SHA);
        put_text('D', "{}\n");
        ck_assert_int_eq(end(), VERDICT_SAME);
        ck_assert_uint_eq(results(), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("batch-slot");
        TCase *tc = tcase_create("all");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, honest);
        tcase_add_test(tc, oversized);
        tcase_add_test(tc, unknown_frame);
        tcase_add_test(tc, digest);
        tcase_add_test(tc, two_digests);
        tcase_add_loop_test(tc, verdicts, 0, 7);
        tcase_add_test(tc, no_result);
        tcase_add_test(tc, no_digest);
        tcase_add_test(tc, cut);
        tcase_add_test(tc, late);
        tcase_add_test(tc, facts);
        tcase_add_test(tc, members);
        tcase_add_test(tc, deep);
        tcase_add_test(tc, names);
        tcase_add_test(tc, bomb);
        tcase_add_test(tc, output);
        tcase_add_test(tc, known);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
