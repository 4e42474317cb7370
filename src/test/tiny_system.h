/* SPDX-License-Identifier: MIT */
/* One tiny system, opened by the decoder, and questions about what it answers; for tests with check. */
#ifndef STASIS_TEST_TINY_SYSTEM_H
#define STASIS_TEST_TINY_SYSTEM_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "../os/system.h"
#include "../os/windows/windows.h"
#include "tiny.h"

static struct tiny t;
static struct stasis_system *sys;
static struct stasis_error sys_err;
static struct stasis_image *sys_image; /* where it is not t.world.image */

static inline enum stasis_status sys_open_with(const struct stasis_system_options *options)
{
        return stasis_system_open(t.world.image, options, &sys, &sys_err);
}

static inline void sys_open(void)
{
        enum stasis_status status = sys_open_with(NULL);
        ck_assert_msg(status == STASIS_OK, "%s", sys_err.text);
}

static inline void sys_close(void)
{
        stasis_system_close(sys);
        sys = NULL;
        stasis_image_close(sys_image);
        sys_image = NULL;
        if (t.world.image)
                tiny_close(&t);
}

static inline size_t sys_count(enum stasis_what what)
{
        size_t count = 0;
        enum stasis_status status = stasis_system_count(sys, what, &count, &sys_err);
        ck_assert_msg(status == STASIS_OK, "%s", sys_err.text);
        return count;
}

/* The record of this object, NULL where there is none. */
static inline const struct stasis_record *sys_record(enum stasis_what what, uint64_t object)
{
        const struct stasis_record *record;
        size_t count = sys_count(what);
        for (size_t i = 0; i < count; i++) {
                ck_assert_int_eq(stasis_system_record(sys, what, i, &record, &sys_err), STASIS_OK);
                if (record->object == object)
                        return record;
        }
        return NULL;
}

static inline const struct stasis_fact *thread_fact(enum tiny_thread thread, const char *key)
{
        const struct stasis_record *record = sys_record(STASIS_THREADS, t.thread[thread]);
        ck_assert_msg(record != NULL, "thread %d was not found", thread);
        const struct stasis_fact *fact = stasis_record_fact(record, key);
        ck_assert_msg(fact != NULL, "no fact %s", key);
        return fact;
}

static inline const struct stasis_fact *process_fact(enum tiny_process process, const char *key)
{
        const struct stasis_record *record = sys_record(STASIS_PROCESSES, t.process[process]);
        ck_assert_msg(record != NULL, "process %d was not found", process);
        const struct stasis_fact *fact = stasis_record_fact(record, key);
        ck_assert_msg(fact != NULL, "no fact %s", key);
        return fact;
}

static inline const struct stasis_fact *system_fact(const char *key)
{
        const struct stasis_fact *fact = stasis_record_fact(stasis_system_facts(sys), key);
        ck_assert_msg(fact != NULL, "no fact %s", key);
        return fact;
}

static inline void expect_value(const struct stasis_fact *fact, uint64_t value)
{
        ck_assert_msg(fact->absence == STASIS_PRESENT, "absent: %s",
                      stasis_absence_name((enum stasis_absence)fact->absence));
        ck_assert_msg(fact->value == value, "0x%llx, and not 0x%llx", (unsigned long long)fact->value,
                      (unsigned long long)value);
}

static inline void expect_absent(const struct stasis_fact *fact, enum stasis_absence why)
{
        ck_assert_str_eq(stasis_absence_name((enum stasis_absence)fact->absence), stasis_absence_name(why));
}

static inline void expect_text(const struct stasis_fact *fact, const char *text)
{
        ck_assert_int_eq(fact->absence, STASIS_PRESENT);
        ck_assert_ptr_nonnull(fact->text);
        ck_assert_str_eq(fact->text, text);
}

/* The first note with this code, NULL where there is none. */
static inline const struct stasis_note *sys_note(const char *code)
{
        size_t count;
        const struct stasis_note *note = stasis_system_notes(sys, &count);
        for (size_t i = 0; i < count; i++)
                if (!strcmp(note[i].code, code))
                        return &note[i];
        return NULL;
}

static inline size_t sys_notes(const char *code)
{
        size_t count, found = 0;
        const struct stasis_note *note = stasis_system_notes(sys, &count);
        for (size_t i = 0; i < count; i++)
                found += code ? !strcmp(note[i].code, code) : note[i].severity != STASIS_NOTE_INFO;
        return found;
}

/* Does a line of the trace of this step, with this outcome, hold this text? */
static inline bool sys_traced(const char *step, bool success, const char *text)
{
        size_t count;
        const struct stasis_trace *trace = stasis_system_trace(sys, &count);
        for (size_t i = 0; i < count; i++)
                if (!strcmp(trace[i].step, step) && trace[i].success == success && strstr(trace[i].text, text))
                        return true;
        return false;
}

static inline void sys_dump(void)
{
        size_t count;
        const struct stasis_trace *trace = stasis_system_trace(sys, &count);
        for (size_t i = 0; i < count; i++)
                fprintf(stderr, "%s %s: %s\n", trace[i].success ? "+" : "-", trace[i].step, trace[i].text);
        const struct stasis_note *note = stasis_system_notes(sys, &count);
        for (size_t i = 0; i < count; i++)
                fprintf(stderr, "note %d %s: %s\n", note[i].severity, note[i].code, note[i].text);
}

/* What every test of a whole system is torn down with, and how its runner looks. */
static inline int sys_main(const char *name, const TTest *const *both, size_t both_count, const TTest *const *single,
                           size_t single_count)
{
        Suite *suite = suite_create(name);
        TCase *tcase = tcase_create("all");
        tcase_set_timeout(tcase, 60);
        tcase_add_checked_fixture(tcase, NULL, sys_close);
        for (size_t i = 0; i < both_count; i++)
                tcase_add_loop_test(tcase, both[i], 0, 2);
        for (size_t i = 0; i < single_count; i++)
                tcase_add_test(tcase, single[i]);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}

#endif
