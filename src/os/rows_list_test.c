/* SPDX-License-Identifier: MIT */
/* Lists in a record: made row by row, bounded, of the record's arena, described by their own table. */
#include <check.h>
#include <stdlib.h>

#include "record.h"
#include "row_macros.h"
#include "rows.h"

/* What the derive functions make facts of. */
struct decode {
        struct field_set *set;
        struct stasis_arena *arena;
        uint64_t entry;
        size_t entries, max;
        bool cut, exhausted;
};

static enum stasis_absence base(struct decode *d, uint8_t number, struct stasis_space **ret_space, uint64_t *ret_va)
{
        (void)d, (void)number, (void)ret_space, (void)ret_va;
        return STASIS_NOT_KNOWN;
}

static void derive_entry(struct decode *d, struct stasis_fact *fact) { *fact = fact_derived(d->entry); }
static void derive_twice(struct decode *d, struct stasis_fact *fact) { *fact = fact_derived(2 * d->entry); }

static const struct row entry_rows[] = {
        MADE("entry", "Entry", "", NUMBER, derive_entry, "its number"),
        MADE("twice", "Twice", "", NUMBER, derive_twice, ""),
};
static const struct stasis_list_rows entries = { .row = entry_rows, .count = 2 };

static void derive_entries(struct decode *d, struct stasis_fact *fact)
{
        struct list_maker maker = list_begin(d->set, fact, d->arena, d->max);
        for (d->entry = 0; d->entry < d->entries; d->entry++) {
                rows_decode(maker.set, d->entry, d, base);
                if (!list_keep(&maker))
                        break;
        }
        d->cut = maker.cut;
        d->exhausted = maker.exhausted;
        list_end(&maker, fact);
}

static const struct row rows[] = {
        MADE("before", "Before", "", NUMBER, derive_entry, ""),
        MADE_LIST("entries", "Entries", "", &entries, derive_entries, "all of them"),
};
static const struct row_table table = { .row = rows, .count = 2 };
static const struct row_binding binding = { .pointer_size = 4 };

static struct stasis_arena arena;
static struct field_set *set;

static void setup(void) { set = rows_bind(&table, &binding); }
static void teardown(void)
{
        rows_free(set);
        stasis_arena_free(&arena);
}

static const struct stasis_fact *made(struct decode *d)
{
        d->set = set;
        d->arena = &arena;
        stasis_arena_reset(&arena);
        rows_decode(set, 0, d, base);
        return stasis_record_fact(&set->record, "entries");
}

START_TEST(rows_are_kept)
{
        struct decode d = { .entries = 100, .max = 1000 };
        const struct stasis_fact *fact = made(&d);
        ck_assert(fact_is(fact));
        ck_assert_uint_eq(fact->value, 100);
        ck_assert_uint_eq(fact->list->rows, 100);
        ck_assert_uint_eq(fact->list->columns, 2);
        ck_assert_str_eq(fact->list->column[1].key, "twice");
        for (size_t i = 0; i < 100; i++) {
                ck_assert_uint_eq(fact->list->fact[2 * i].value, i);
                ck_assert_uint_eq(fact->list->fact[2 * i + 1].value, 2 * i);
        }
        ck_assert(!d.cut && !d.exhausted);
}
END_TEST

START_TEST(bounds)
{
        struct decode d = { .entries = 100, .max = 100 };
        ck_assert_uint_eq(made(&d)->value, 100);
        ck_assert(!d.cut);
        d.max = 99;
        ck_assert_uint_eq(made(&d)->value, 99);
        ck_assert(d.cut);
        d.entries = 0;
        ck_assert(fact_is(made(&d)));
        ck_assert_uint_eq(made(&d)->list->rows, 0);
}
END_TEST

/* What was kept stands; where even the list has no room there is none. */
START_TEST(memory_runs_out)
{
        struct decode d = { .entries = 1000, .max = 1000 };
        arena.limit = 8 * 2 * sizeof(struct stasis_fact) * 3;
        const struct stasis_fact *fact = made(&d);
        ck_assert(d.exhausted && !d.cut);
        ck_assert(!fact_is(fact) || (fact->list->rows > 0 && fact->list->rows < 100));
        stasis_arena_free(&arena);
        arena.limit = 1;
        ck_assert(!fact_is(made(&d)));
        ck_assert_uint_eq(made(&d)->value, 0);
}
END_TEST

START_TEST(columns)
{
        const struct stasis_column *column = &set->column[1];
        ck_assert_str_eq(stasis_list_column_at(column, 0)->help, "its number");
        ck_assert_str_eq(stasis_list_column_at(&rows[1].column, 1)->key, "twice");
        ck_assert_ptr_null(stasis_list_column_at(column, 2));
        ck_assert_ptr_null(stasis_list_column_at(&set->column[0], 0));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("rows_list");
        TCase *tcase = tcase_create("rows_list");
        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, rows_are_kept);
        tcase_add_test(tcase, bounds);
        tcase_add_test(tcase, memory_runs_out);
        tcase_add_test(tcase, columns);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
