/* SPDX-License-Identifier: MIT */
/* Whole small Linux systems, each lacking something: what is found, by what, and what is said. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <stasis/stasis.h>

#include "../../test/tiny_linux.h"

static struct tl t;
static struct stasis_image *image;
static struct stasis_system *sys;
static struct stasis_error err;

static enum stasis_status try_open_with(const struct stasis_system_options *with)
{
        const struct stasis_image_options options = { .format = "raw" };
        ck_assert_int_eq(stasis_image_open_memory(t.mem, TL_LEN, "tiny", &options, &image, &err), STASIS_OK);
        return stasis_system_open(image, with, &sys, &err);
}

static enum stasis_status try_open(void) { return try_open_with(NULL); }

static void start(void)
{
        enum stasis_status status = try_open();
        ck_assert_msg(status == STASIS_OK, "%s", err.text);
}

static void teardown(void)
{
        stasis_system_close(sys);
        stasis_image_close(image);
        sys = NULL;
        image = NULL;
}

static size_t count(enum stasis_what what)
{
        size_t found = 0;
        ck_assert_int_eq(stasis_system_count(sys, what, &found, &err), STASIS_OK);
        return found;
}

static bool traced(const char *step, bool success, const char *words)
{
        size_t lines;
        const struct stasis_trace *trace = stasis_system_trace(sys, &lines);
        for (size_t i = 0; i < lines; i++)
                if (!strcmp(trace[i].step, step) && trace[i].success == success && strstr(trace[i].text, words))
                        return true;
        return false;
}

static const struct stasis_note *note(const char *code)
{
        size_t notes;
        const struct stasis_note *all = stasis_system_notes(sys, &notes);
        for (size_t i = 0; i < notes; i++)
                if (!strcmp(all[i].code, code))
                        return &all[i];
        return NULL;
}

static const struct stasis_record *thread(uint64_t tid)
{
        const struct stasis_record *record;
        for (size_t i = 0; i < count(STASIS_THREADS); i++) {
                ck_assert_int_eq(stasis_system_record(sys, STASIS_THREADS, i, &record, &err), STASIS_OK);
                if (stasis_record_fact(record, "tid")->value == tid)
                        return record;
        }
        return NULL;
}

static const struct stasis_fact *fact(uint64_t tid, const char *key)
{
        const struct stasis_record *record = thread(tid);
        ck_assert_msg(record != NULL, "tid %d", (int)tid);
        const struct stasis_fact *found = stasis_record_fact(record, key);
        ck_assert_msg(found != NULL, "%s", key);
        return found;
}

static void expect_text(uint64_t tid, const char *key, const char *text)
{
        const struct stasis_fact *f = fact(tid, key);
        ck_assert_msg(f->absence == STASIS_PRESENT, "tid %d: %s is %s", (int)tid, key,
                      stasis_absence_name((enum stasis_absence)f->absence));
        ck_assert_str_eq(f->text, text);
}

static void expect(uint64_t tid, const char *key, uint64_t value)
{
        const struct stasis_fact *f = fact(tid, key);
        ck_assert_msg(f->absence == STASIS_PRESENT && f->value == value, "tid %d: %s: %s 0x%llx", (int)tid, key,
                      stasis_absence_name((enum stasis_absence)f->absence), (unsigned long long)f->value);
}

/* ---------------------------------------------------------------- what was asked for */

static const struct tl_kind with_btf = { PT_X64, KSYMS_BEFORE, true, true, true, true, 0 };

START_TEST(asked_to_infer)
{
        const struct stasis_system_options options = { .infer_layout = true };
        tl_build(&t, &with_btf);
        ck_assert_int_eq(try_open_with(&options), STASIS_OK);
        ck_assert(note("layout-inferred") != NULL && traced("types", true, "members are inferred"));
        ck_assert_uint_eq(count(STASIS_THREADS), 12);
}
END_TEST

START_TEST(asked_for_swap)
{
        const struct stasis_pagefile file = { .number = 0, .path = "swapfile" };
        const struct stasis_system_options options = { .pagefile = &file, .pagefile_count = 1 };
        tl_build(&t, &with_btf);
        ck_assert_int_eq(try_open_with(&options), STASIS_OK);
        ck_assert(note("pagefile-unused") != NULL && strstr(note("pagefile-unused")->text, "swapfile is not used"));
}
END_TEST

/* ---------------------------------------------------------------- kinds of kernels */

#define SLIDE UINT64_C(0x12600000)

static const struct {
        struct tl_kind kind;
        const char *step, *words; /* a line of the trace that shows the way taken */
} kinds[] = {
        { { PT_X64, KSYMS_BEFORE, true, true, true, true, SLIDE }, "root", "its symbol in kallsyms" },
        { { PT_X64, KSYMS_BEHIND, true, true, false, true, SLIDE }, "kallsyms", "behind the tokens" },
        { { PT_X64, KSYMS_ABSOLUTE, true, true, false, true, 0 }, "kallsyms", "whole addresses" },
        { { PT_LA57, KSYMS_BEFORE, true, true, false, true, SLIDE }, "root", "la57" },
        { { PT_X64, KSYMS_BEFORE, true, true, true, false, SLIDE }, "kallsyms", "by their shape" },
        { { PT_X64, KSYMS_BEFORE, false, true, true, true, SLIDE }, "root", "its symbol in VMCOREINFO" },
        { { PT_X64, KSYMS_BEFORE, false, true, false, true, SLIDE }, "root", "pages near the kernel" },
        { { PT_X64, KSYMS_BEFORE, true, false, true, true, SLIDE }, "types", "no BTF" },
        { { PT_PAE, KSYMS_BEFORE, false, false, true, true, 0 }, "root", "its symbol in VMCOREINFO: pae" },
        { { PT_X86, KSYMS_BEFORE, false, false, true, true, 0 }, "root", "its symbol in VMCOREINFO: x86" },
        { { PT_PAE, KSYMS_BEFORE, false, false, false, true, 0 }, "root", "pages near the kernel: pae" },
        { { PT_X86, KSYMS_BEHIND, false, false, false, true, 0 }, "root", "pages near the kernel: x86" },
        { { PT_X86, KSYMS_ABSOLUTE, true, true, false, true, 0 }, "root", "its symbol in kallsyms" },
        { { PT_X64, KSYMS_PLACE, true, true, true, true, SLIDE }, "kallsyms", "64 bit, offsets from where they stand" },
        { { PT_X64, KSYMS_PLACE, true, true, false, true, SLIDE }, "root", "its symbol in kallsyms" },
        { { PT_LA57, KSYMS_PLACE, false, true, false, true, SLIDE }, "root", "pages near the kernel: la57" },
        { { PT_X64, KSYMS_PLACE, false, true, true, true, SLIDE }, "root", "its symbol in VMCOREINFO" },
        { { PT_PAE, KSYMS_PLACE, false, false, false, true, 0 }, "kallsyms", "32 bit, offsets from where they stand" },
        { { PT_X86, KSYMS_PLACE, false, false, false, true, 0 }, "root", "pages near the kernel: x86" },
};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

START_TEST(every_kind)
{
        const struct tl_kind *kind = &kinds[_i].kind;
        bool queues = kind->data_symbols && kind->btf && kind->mode >= PT_X64 &&
                      kind->order != KSYMS_PLACE; /* the second CPU's idle task */
        tl_build(&t, kind);
        start();
        ck_assert_uint_eq(count(STASIS_THREADS), queues ? 13 : 12);
        ck_assert_uint_eq(count(STASIS_PROCESSES), 10);
        const struct stasis_record *facts = stasis_system_facts(sys);
        ck_assert_uint_eq(stasis_record_fact(facts, "root")->value, t.root);
        ck_assert_uint_eq(stasis_record_fact(facts, "kernel_base")->value, t.text);
        ck_assert_uint_eq(stasis_record_fact(facts, "kernel_base_pa")->value, TL_TEXT_PA);
        ck_assert_str_eq(stasis_record_fact(facts, "version")->text, "6.1.99-tiny");
        ck_assert_uint_eq(stasis_record_fact(facts, "init_task")->value, t.task[TL_SWAPPER]);
        ck_assert_msg(traced(kinds[_i].step, strcmp(kinds[_i].words, "no BTF") != 0, kinds[_i].words), "%s: %s",
                      kinds[_i].step, kinds[_i].words);
}
END_TEST

/* The facts of each task, whether its members' places were told or inferred. */
START_TEST(facts_of_every_kind)
{
        tl_build(&t, &kinds[_i].kind);
        start();
        expect_text(1, "comm", "init");
        expect_text(1, "state_letter", "S");
        expect_text(6, "state_letter", "I");
        expect_text(100, "state_letter", "R");
        expect_text(103, "state_letter", "D");
        expect_text(104, "state_letter", "Z");
        expect_text(104, "state", "zombie");
        expect_text(100, "comm", "sh\n\\xff");
        expect_text(100, "comm_hex", "73680aff");
        expect(102, "pid", 101);
        expect(104, "ppid", 100);
        expect(3, "ppid", 2);
        expect(5, "rt_priority", 99);
        expect_text(5, "policy", "SCHED_FIFO");
        expect(4, "cpu", 1);
        expect(104, "exit_code", 0x300);
        expect(101, "kernel_thread", 0);
        expect(3, "kernel_thread", 1);
        expect(103, "start_boottime", UINT64_C(1000000500) + 103 * UINT64_C(10000037));
        expect(101, "page_table_root", t.root);
        ck_assert_int_eq(fact(3, "mm")->absence, STASIS_NOT_APPLICABLE);
        ck_assert(!note("layout-inferred") == kinds[_i].kind.btf);
        size_t inferred, found = 0;
        const struct stasis_inference *inference = stasis_system_inferred(sys, &inferred);
        for (size_t i = 0; i < inferred; i++)
                found += !strcmp(inference[i].verdict, "found") && inference[i].agreed == 10 && inference[i].of == 10;
        ck_assert_uint_eq(found, kinds[_i].kind.btf ? 0 : 15);
}
END_TEST

/* ---------------------------------------------------------------- older names and links (enum tl_era) */

START_TEST(every_era)
{
        const struct tl_kind kind = {
                PT_X64, _i >= TL_3_14 ? KSYMS_ABSOLUTE : KSYMS_BEFORE, true, true, false, true, 0
        };
        tl_build_era(&t, &kind, (enum tl_era)_i);
        start();
        ck_assert_uint_eq(count(STASIS_THREADS), 13);
        ck_assert_uint_eq(count(STASIS_PROCESSES), 10);
        ck_assert(traced("tasks", true, "pid-table: 11 sightings") && traced("tasks", true, "thread-group: "));
        for (uint64_t tid = 101; tid < 104; tid++) {
                const struct stasis_fact *f = fact(tid, "sources");
                ck_assert_msg(strstr(f->text, "pid-table") && (tid == 101 || strstr(f->text, "thread-group")), "%s",
                              f->text);
        }
        expect_text(1, "state_letter", "S");
        expect_text(100, "state_letter", "R");
        expect_text(103, "state_letter", "D");
        expect_text(104, "state_letter", "Z");
        expect(101, "state_word", 1);
        /* the way that this one does not have leads nowhere */
        ck_assert(!stasis_record_fact(thread(101), "state")->absence);
}
END_TEST

/* ---------------------------------------------------------------- modules that no symbol leads to */

#define MODULES_VA(t) ((t)->text + 0x49000) /* the head, in the kernel's data */
#define MODULE(t, i) ((t)->direct + 0x100000 + 0x2000 * (uint64_t)(i) + 0x1100)

static void put_bytes(uint64_t va, const char *bytes, size_t len)
{
        for (size_t i = 0; i < len; i++)
                tl_put(&t, va + i, 1, (uint8_t)bytes[i]);
}

/* state, list, name; core_layout at 0x100, core_kallsyms at 0x180; two pages each, the structure in the second. */
static void put_module(unsigned i, unsigned count, const char *name)
{
        uint64_t m = MODULE(&t, i), w = t.pointer, base = m - 0x1100, symbol = base + 0x1800;
        uint64_t next = i + 1 < count ? MODULE(&t, i + 1) + w : MODULES_VA(&t);
        tl_put(&t, m + w, (unsigned)w, next);
        tl_put(&t, m + 2 * w, (unsigned)w, i ? MODULE(&t, i - 1) + w : MODULES_VA(&t));
        put_bytes(m + 3 * w, name, strlen(name) + 1);
        tl_put(&t, m + 0x100, (unsigned)w, base);
        tl_put(&t, m + 0x100 + w, 4, 0x2000);
        tl_put(&t, m + 0x104 + w, 4, 0x1000);
        tl_put(&t, m + 0x180, (unsigned)w, symbol);
        tl_put(&t, m + 0x180 + w, 4, 2);
        tl_put(&t, m + 0x180 + 2 * w, (unsigned)w, symbol + 0x100);
        tl_put(&t, symbol + (w == 8 ? 24 : 16), 4, 1);
        put_bytes(symbol + 0x101, "f", 2);
        if (i == 0)
                tl_put(&t, MODULES_VA(&t), (unsigned)w, m + w);
        if (i + 1 == count)
                tl_put(&t, MODULES_VA(&t) + w, (unsigned)w, m + w);
}

static const struct tl_kind unsymbolised[] = { { PT_PAE, KSYMS_BEFORE, false, false, true, true, 0 },
                                               { PT_X64, KSYMS_BEFORE, false, true, true, true, SLIDE } };

static void with_modules(int kind)
{
        teardown();
        tl_build(&t, &unsymbolised[kind]);
        put_module(0, 2, "first");
        put_module(1, 2, "second_one");
}

static bool no_modules(void)
{
        start();
        return note("modules-missing") && !count(STASIS_MODULES);
}

START_TEST(modules_by_shape)
{
        const struct stasis_record *record;
        with_modules(_i);
        start();
        ck_assert_uint_eq(count(STASIS_MODULES), 2);
        ck_assert(!note("modules-missing") && traced("modules", true, "module.core_layout.base at 0x100"));
        ck_assert(traced("modules", true, "module.core_kallsyms at 0x180"));
        for (unsigned i = 0; i < 2; i++) {
                ck_assert_int_eq(stasis_system_record(sys, STASIS_MODULES, i, &record, &err), STASIS_OK);
                ck_assert_str_eq(stasis_record_fact(record, "name")->text, i ? "second_one" : "first");
                ck_assert_uint_eq(stasis_record_fact(record, "base")->value, MODULE(&t, i) - 0x1100);
                ck_assert_uint_eq(stasis_record_fact(record, "size")->value, 0x2000);
        }
        uint64_t w = t.pointer;
        with_modules(_i); /* a link that does not lead back */
        tl_put(&t, MODULE(&t, 1) + 2 * w, (unsigned)w, MODULES_VA(&t));
        ck_assert(no_modules());
        with_modules(_i);
        put_bytes(MODULE(&t, 1) + 3 * w, "no name", 8);
        ck_assert(no_modules());
        with_modules(_i);
        tl_put(&t, MODULE(&t, 1), 4, 4); /* state */
        ck_assert(no_modules());
        with_modules(_i); /* right for one module only */
        tl_put(&t, MODULE(&t, 1) + 0x100 + w, 4, 0x1000);
        ck_assert(no_modules());
        with_modules(_i); /* right in two places */
        for (unsigned i = 0; i < 2; i++) {
                tl_put(&t, MODULE(&t, i) + 0x140, (unsigned)w, MODULE(&t, i) - 0x1100);
                tl_put(&t, MODULE(&t, i) + 0x140 + w, 4, 0x2000);
        }
        ck_assert(no_modules());
        with_modules(_i); /* no symbols: the modules are there all the same */
        tl_put(&t, MODULE(&t, 0) + 0x180 + w, 4, 1);
        start();
        ck_assert_uint_eq(count(STASIS_MODULES), 2);
        ck_assert(traced("modules", false, "module.core_kallsyms"));
}
END_TEST

/* ---------------------------------------------------------------- damage */

static const struct tl_kind x64 = { PT_X64, KSYMS_BEFORE, true, true, false, true, SLIDE };

static void expect_seen_by(uint64_t tid, const char *source, bool seen)
{
        const struct stasis_fact *f = fact(tid, "sources");
        ck_assert_msg((strstr(f->text, source) != NULL) == seen, "tid %d: %s", (int)tid, f->text);
}

/* A list that is torn in the middle is walked from both ends: what lies on either side is found, and the tear is said.
 */
START_TEST(torn_task_list)
{
        tl_build(&t, &x64);
        tl_put(&t, tl_at(&t, TL_KSOFTIRQD1, TL_TASKS), 8, UINT64_C(0x4242424242424242));
        tl_put(&t, tl_at(&t, TL_MIGRATION, TL_TASKS) + 8, 8, UINT64_C(0x4242424242424242));
        start();
        ck_assert_uint_eq(count(STASIS_THREADS), 13);
        const struct stasis_note *torn = note("list-torn");
        ck_assert_ptr_nonnull(torn);
        ck_assert_int_eq(torn->severity, STASIS_NOTE_MISSING);
        ck_assert_ptr_nonnull(strstr(torn->text, "0x4242424242424242"));
        expect_seen_by(4, "task-list", true);
        expect_seen_by(100, "task-list", true);
}
END_TEST

/* A task that was taken off the list of processes is still in the tree of ids and among its parent's children. */
START_TEST(unlinked_task)
{
        tl_build(&t, &x64);
        uint64_t entry = tl_at(&t, TL_SHELL, TL_TASKS), next = tl_get(&t, entry, 8), prev = tl_get(&t, entry + 8, 8);
        tl_put(&t, prev, 8, next);
        tl_put(&t, next + 8, 8, prev);
        start();
        ck_assert_uint_eq(count(STASIS_THREADS), 13);
        expect_seen_by(100, "task-list", false);
        expect_seen_by(100, "pid-table", true);
        expect_seen_by(100, "children", true);
        expect_seen_by(100, "run-queue", true);
        expect(100, "running_on", 0);
}
END_TEST

/* Nothing but the allocator knows of it; a freed one beside it, which looks the same, has no user left. */
START_TEST(hidden_task)
{
        tl_build(&t, &x64);
        tl_hide(&t, TL_WORKER);
        tl_hide(&t, TL_MIGRATION);
        start();
        ck_assert_uint_eq(count(STASIS_THREADS), 11);
        ck_assert(traced("tasks", false, "slab: 0 sightings (not known where to look)"));
        teardown();
        tl_slab(&t);
        tl_put(&t, tl_at(&t, TL_MIGRATION, TL_USAGE), 4, 0);
        start();
        ck_assert_uint_eq(count(STASIS_THREADS), 12);
        expect_text(6, "sources", "slab");
        expect_text(6, "state_letter", "I");
        ck_assert_ptr_null(thread(5));
        expect_seen_by(100, "slab", true);
        expect_seen_by(100, "task-list", true);
}
END_TEST

START_TEST(thread_list_torn)
{
        tl_build(&t, &x64);
        tl_put(&t, tl_at(&t, TL_SERVER1, TL_THREAD_NODE), 8, 8);
        start();
        ck_assert_uint_eq(count(STASIS_THREADS), 13);
        ck_assert_ptr_nonnull(note("list-torn"));
        ck_assert_int_eq(note("list-torn")->pid, 101);
}
END_TEST

/* Of BTF only a part is left: what it still tells is not believed, and the members are inferred. */
START_TEST(cut_btf)
{
        tl_build(&t, &x64);
        memset(t.mem + t.btf + t.btf_len / 2, 0, t.btf_len / 2);
        start();
        ck_assert(traced("types", false, "BTF at"));
        ck_assert_ptr_nonnull(note("layout-inferred"));
        ck_assert_uint_eq(count(STASIS_THREADS), 12);
}
END_TEST

/* VMCOREINFO of another boot: kallsyms' word counts, and the disagreement is said. */
START_TEST(stale_vmcoreinfo)
{
        struct tl_kind kind = x64;
        kind.vmcoreinfo = true;
        kind.data_symbols = false;
        kind.order = _i ? KSYMS_PLACE : kind.order; /* which have no word before the page tables are known */
        tl_build(&t, &kind);
        char *stext = memmem(t.mem + 0x3f0000, 4096, "SYMBOL(_stext)=ffffffff93600000", 31);
        ck_assert_ptr_nonnull(stext);
        stext[22 + 2] = '7';
        start();
        ck_assert_ptr_nonnull(note("vmcoreinfo-stale"));
        ck_assert_uint_eq(count(STASIS_THREADS), 12);
}
END_TEST

START_TEST(no_kernel)
{
        tl_build(&t, &x64);
        memset(t.mem + TL_TEXT_PA, 0, 0x80000);
        ck_assert_int_eq(try_open(), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "neither VMCOREINFO nor kallsyms"));
        ck_assert(traced("kallsyms", false, "no tables of that shape"));
}
END_TEST

START_TEST(no_page_tables)
{
        tl_build(&t, &x64);
        memset(t.mem + t.root, 0, 4096);
        ck_assert_int_eq(try_open(), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "no page tables"));
        ck_assert(traced("root", false, "every page of the image"));
}
END_TEST

/* Two places for a member are none: with nothing asleep but workers, the state could be any word. */
START_TEST(ambiguous_is_absent)
{
        struct tl_kind kind = x64;
        kind.btf = false;
        tl_build(&t, &kind);
        for (int i = 0; i < TL_TASKS_COUNT; i++) /* the usage count follows the state now */
                tl_put(&t, tl_at(&t, (enum tl_task)i, TL_TI_FLAGS), 4,
                       tl_get(&t, tl_at(&t, (enum tl_task)i, TL_STATE), 4));
        start();
        ck_assert(traced("infer", false, "task_struct.__state: 2 places are right"));
        size_t inferred;
        const struct stasis_inference *inference = stasis_system_inferred(sys, &inferred);
        ck_assert_uint_gt(inferred, 3);
        ck_assert_str_eq(inference[3].member, "task_struct.__state");
        ck_assert_str_eq(inference[3].verdict, "ambiguous");
        ck_assert_uint_ne(inference[3].offset, inference[3].other);
        ck_assert_uint_eq(count(STASIS_THREADS), 12);
        ck_assert_int_eq(fact(1, "state")->absence, STASIS_NOT_KNOWN);
        ck_assert_int_eq(fact(1, "state_letter")->absence, STASIS_NOT_KNOWN);
}
END_TEST

/* PROT_NONE: not present, bit 8, and the frame as it is or, since 4.18, inverted. Bit 8 is what swap entries lack. */
START_TEST(protected_pages)
{
        struct stasis_space *space;
        char text[6];
        tl_build(&t, &x64);
        memcpy(t.mem + 0x480000 + 0x70000, "hello", 6);
        pt_put(&t.tables, pt_slot(&t.tables, 0x7000, PT_4K),
               (~UINT64_C(0x4f0000) & UINT64_C(0x000ffffffffff000)) | 0x100);
        pt_put(&t.tables, pt_slot(&t.tables, 0x8000, PT_4K), 0x4f0100);
        pt_put(&t.tables, pt_slot(&t.tables, 0x9000, PT_4K), 0x4f0000);
        start();
        ck_assert_int_eq(stasis_system_process_space(sys, 101, &space, &err), STASIS_OK);
        ck_assert_int_eq(stasis_space_read(space, 0x7000, text, 6), STASIS_OK);
        ck_assert_str_eq(text, "hello");
        ck_assert_int_eq(stasis_space_read(space, 0x8000, text, 6), STASIS_OK);
        ck_assert_str_eq(text, "hello");
        ck_assert_int_eq(stasis_space_read(space, 0x9000, text, 6), STASIS_ABSENT);
        ck_assert_int_eq(stasis_space_read(stasis_system_space(sys), 0x7000, text, 6), STASIS_ABSENT);
        ck_assert_int_eq(stasis_system_process_space(sys, 3, &space, &err), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "no memory of its own"));
        ck_assert_int_eq(stasis_system_process_space(sys, 77, &space, &err), STASIS_ABSENT);
}
END_TEST

START_TEST(an_address_that_is_no_task)
{
        const struct stasis_record *record;
        tl_build(&t, &x64);
        start();
        ck_assert_int_eq(stasis_system_thread_at(sys, t.task[TL_SERVER1], &record, &err), STASIS_OK);
        ck_assert_int_eq(stasis_system_thread_at(sys, t.task[TL_SERVER1] + 8, &record, &err), STASIS_ABSENT);
        ck_assert_int_eq(stasis_system_thread_at(sys, 0, &record, &err), STASIS_ABSENT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("linux");
        TCase *tcase = tcase_create("linux");
        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_test(tcase, asked_to_infer);
        tcase_add_test(tcase, asked_for_swap);
        tcase_add_loop_test(tcase, every_kind, 0, KINDS);
        tcase_add_loop_test(tcase, facts_of_every_kind, 0, KINDS);
        tcase_add_loop_test(tcase, modules_by_shape, 0, 2);
        tcase_add_loop_test(tcase, every_era, 0, TL_2_6 + 1);
        tcase_add_test(tcase, torn_task_list);
        tcase_add_test(tcase, unlinked_task);
        tcase_add_test(tcase, hidden_task);
        tcase_add_test(tcase, thread_list_torn);
        tcase_add_test(tcase, cut_btf);
        tcase_add_loop_test(tcase, stale_vmcoreinfo, 0, 2);
        tcase_add_test(tcase, no_kernel);
        tcase_add_test(tcase, no_page_tables);
        tcase_add_test(tcase, ambiguous_is_absent);
        tcase_add_test(tcase, protected_pages);
        tcase_add_test(tcase, an_address_that_is_no_task);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
