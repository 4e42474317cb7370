/* SPDX-License-Identifier: MIT */
/* kallsyms' tables of every shape, found in physical memory by their shape and asked both ways. */
#include "kallsyms.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/ksyms.h"

#define MEMORY (1u << 20)
#define AT 0x41008u      /* of the tables: a multiple of 8 and no more */
#define TEXT_AT 0x10000u /* of the kernel's text, whose symbols the tables tell */
#define FILLER 700

static uint8_t memory[MEMORY];
static char names[FILLER][32], long_name[301];
static struct ksyms_symbol symbols[FILLER + 8];
static struct ksyms tables;
static struct stasis_image *image;
static struct kallsyms *k;
static const char *why;

/* _i: what the tables look like. */
static const struct shape {
        enum ksyms_order order;
        unsigned pointer;
        bool percpu, wide_markers, sequence;
        const char *words;
} shapes[] = {
        { KSYMS_ABSOLUTE, 8, false, true, false, "64 bit, whole addresses" },
        { KSYMS_ABSOLUTE, 4, false, true, false, "32 bit, whole addresses" },
        { KSYMS_BEFORE, 8, true, true, false, "64 bit, offsets before the names" },
        { KSYMS_BEFORE, 8, true, false, true, "64 bit, offsets before the names" },
        { KSYMS_BEFORE, 4, false, false, false, "32 bit, offsets before the names" },
        { KSYMS_BEHIND, 8, true, false, true, "64 bit, offsets behind the tokens (6.4 and later)" },
        { KSYMS_BEHIND, 8, false, false, true, "64 bit, offsets behind the tokens (6.4 and later)" },
        { KSYMS_BEHIND, 4, false, false, true, "32 bit, offsets behind the tokens (6.4 and later)" },
        { KSYMS_PLACE, 8, false, false, true, "64 bit, offsets from where they stand (7.0 and later)" },
        { KSYMS_PLACE, 4, false, false, true, "32 bit, offsets from where they stand (7.0 and later)" },
};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

static uint64_t text;

static void add(char type, const char *name, uint64_t address)
{
        symbols[tables.count++] = (struct ksyms_symbol){ type, name, address };
}

static void build(const struct shape *s)
{
        memset(memory, 0xa5, sizeof memory);
        memset(long_name, 'n', sizeof long_name - 1);
        text = s->pointer == 8 ? UINT64_C(0xffffffff93600000) : 0xc4000000;
        tables = (struct ksyms){ .order = s->order,
                                 .pointer = s->pointer,
                                 .percpu = s->percpu,
                                 .wide_markers = s->wide_markers,
                                 .sequence = s->sequence,
                                 .base = text + (s->order == KSYMS_PLACE ? AT - TEXT_AT : 0),
                                 .symbol = symbols };
        if (s->percpu)
                add('A', "runqueues", 0x31c40);
        add('T', s->pointer == 8 ? "startup_64" : "startup_32", text);
        add('T', "_stext", text);
        add('T', "sys_call", text + 0x40);
        add('t', "init_once_tail", text + 0x80);
        add('T', long_name, text + 0x100);
        for (unsigned i = 0; i < FILLER; i++) {
                snprintf(names[i], sizeof names[i], "fn_%03u", i);
                add('t', names[i], text + 0x1000 + 16 * i);
        }
        add('B', "_end", text + 0x100000);
        ck_assert_uint_ne(ksyms_write(&tables, memory + AT, MEMORY - AT), 0);
}

static enum stasis_status find(void)
{
        struct stasis_error err;
        ck_assert_int_eq(stasis_image_open_memory(memory, sizeof memory, "memory",
                                                  &(struct stasis_image_options){ .format = "raw" }, &image, &err),
                         STASIS_OK);
        k = NULL;
        return kallsyms_open(image, AT + tables.digits, &k, &why);
}

static void teardown(void)
{
        kallsyms_close(k);
        stasis_image_close(image);
        k = NULL;
        image = NULL;
}

static void expect_at(uint64_t va, const char *name, uint64_t end)
{
        char found[KALLSYMS_NAME_MAX];
        uint32_t index = 0;
        uint64_t found_end = 0;
        ck_assert(kallsyms_at(k, va, &index, &found_end));
        ck_assert_int_ne(kallsyms_name(k, index, found, sizeof found), 0);
        ck_assert_str_eq(found, name);
        ck_assert_uint_eq(found_end, end);
}

static void expect_find(const char *name, uint64_t address)
{
        uint64_t found = 0;
        ck_assert_msg(kallsyms_find(k, name, &found), "%s", name);
        ck_assert_uint_eq(found, address);
}

START_TEST(every_shape)
{
        uint64_t none;
        uint32_t index;
        char name[KALLSYMS_NAME_MAX];
        build(&shapes[_i]);
        ck_assert_msg(find() == STASIS_OK, "%s: %s", shapes[_i].words, why);
        ck_assert_str_eq(kallsyms_shape(k), shapes[_i].words);
        ck_assert_uint_eq(kallsyms_count(k), tables.count);
        ck_assert_uint_eq(kallsyms_pointer_size(k), shapes[_i].pointer);
        ck_assert_uint_eq(kallsyms_token_table_pa(k), AT + tables.token_table);
        if (shapes[_i].order == KSYMS_PLACE) { /* physical places, until it is known where the kernel ran */
                ck_assert(!kallsyms_placed(k));
                expect_find("sys_call", TEXT_AT + 0x40);
                kallsyms_place(k, text - TEXT_AT);
        }
        ck_assert(kallsyms_placed(k));
        kallsyms_place(k, 0x1000); /* only once */
        expect_find("sys_call", text + 0x40);
        expect_find("init_once_tail", text + 0x80);
        expect_find(long_name, text + 0x100);
        expect_find("fn_699", text + 0x1000 + 16 * 699);
        if (shapes[_i].percpu)
                expect_find("runqueues", 0x31c40);
        ck_assert(!kallsyms_find(k, "fn_700", &none));
        expect_at(text + 0x3f, shapes[_i].pointer == 8 ? "startup_64" : "startup_32",
                  text + 0x40); /* of two at one address the first */
        expect_at(text + 0x1000 + 16 * 300 + 5, "fn_300", text + 0x1000 + 16 * 301);
        ck_assert(!kallsyms_at(k, text + 0x100001, &index, &none));
        ck_assert_int_eq(kallsyms_name(k, (uint32_t)tables.count - 1, name, sizeof name), 'B');
        ck_assert_int_eq(kallsyms_name(k, (uint32_t)tables.count, name, sizeof name), 0);
        ck_assert_int_eq(kallsyms_name(k, 0, name, 4), shapes[_i].percpu ? 'A' : 'T');
        ck_assert_uint_eq(strlen(name), 3);
}
END_TEST

static const char no_index[] = "no index of tokens behind the tokens";
static const char no_names[] = "a table of tokens, and no names before it";
static const char no_addresses[] = "tokens and names, and no addresses beside them";

static void expect_none(const char *words)
{
        ck_assert_int_eq(find(), STASIS_ABSENT);
        ck_assert_str_eq(why, words);
        teardown();
}

/* One byte wrong in each part: such tables are none, and it is said how far they looked right. */
START_TEST(one_byte_wrong)
{
        const struct shape *s = &shapes[_i];
        build(s);
        memory[AT + tables.token_index + 2 * 'z']++;
        expect_none(no_index);
        build(s);
        memory[AT + tables.token_table + 4] = '\0';
        expect_none(no_index);
        build(s);
        memory[AT + tables.num_syms]++;
        expect_none(no_names);
        build(s);
        memory[AT + tables.markers + (s->wide_markers ? s->pointer : 4)]++;
        expect_none(no_names);
        build(s);
        memory[AT + tables.names]--;
        expect_none(no_names);
        build(s);
        memset(memory + AT + tables.addresses, 0x5a, tables.count * (s->order == KSYMS_ABSOLUTE ? s->pointer : 4));
        expect_none(no_addresses);
}
END_TEST

/* Memory that ends before the tables do, or begins behind their start. */
START_TEST(cut)
{
        build(&shapes[_i]);
        memmove(memory, memory + AT + tables.names, MEMORY - AT - tables.names);
        struct stasis_error err;
        ck_assert_int_eq(stasis_image_open_memory(memory, tables.token_index - tables.names + 512, "memory",
                                                  &(struct stasis_image_options){ .format = "raw" }, &image, &err),
                         STASIS_OK);
        ck_assert_int_eq(kallsyms_open(image, tables.digits - tables.names, &k, &why), STASIS_ABSENT);
        ck_assert_str_eq(why, no_names);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("kallsyms");
        TCase *tcase = tcase_create("kallsyms");
        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_loop_test(tcase, every_shape, 0, SHAPES);
        tcase_add_loop_test(tcase, one_byte_wrong, 0, SHAPES);
        tcase_add_loop_test(tcase, cut, 0, SHAPES);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
