/* SPDX-License-Identifier: MIT */
/* ORC entries as bytes, of the four formats that kernels have had, and the search among them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"
#include "../layout_internal.h"
#include "orc.h"

/* struct orc_entry, as pahole shows it: 6 bytes, packed; bits of the word at 4. Written with ' for ". */
#define BIT(name, position, length) \
        "'" name "':{'offset':4,'type':{'kind':'bitfield','bit_position':" #position ",'bit_length':" #length \
        ",'type':{'kind':'base','name':'unsigned int'}}},"
#define TYPES(bits) \
        "{'base_types':{'pointer':{'size':8,'kind':'int'},'short int':{'size':2,'signed':true,'kind':'int'}," \
        "'unsigned int':{'size':4,'signed':false,'kind':'int'}},'user_types':{'orc_entry':{'size':6,'fields':{" BIT( \
                "sp_reg", 0, 4) BIT("bp_reg", 4, 4) bits \
                "'sp_offset':{'offset':0,'type':{'kind':'base','name':'short int'}}," \
                "'bp_offset':{'offset':2,'type':{'kind':'base','name':'short int'}}}}}}"
static const char v4_14[] = TYPES(BIT("type", 8, 2));
static const char v4_18[] = TYPES(BIT("type", 8, 2) BIT("end", 10, 1));
static const char v6_3[] = TYPES(BIT("type", 8, 2) BIT("signal", 10, 1) BIT("end", 11, 1));
static const char v6_4[] = TYPES(BIT("type", 8, 3) BIT("signal", 11, 1));

static struct stasis_layout *layout_of(const char *json)
{
        char *copy = strdup(json);
        struct stasis_layout *layout = NULL;
        for (char *at = copy; *at; at++)
                *at = *at == '\'' ? '"' : *at;
        ck_assert_int_eq(layout_isf_parse((struct stasis_bytes){ (uint8_t *)copy, strlen(copy) }, "orc", &layout, NULL),
                         STASIS_OK);
        free(copy);
        return layout;
}

static bool bound(const char *json, struct orc_format *ret_format)
{
        struct stasis_layout *layout = layout_of(json);
        bool good = orc_bind(layout, ret_format);
        stasis_layout_close(layout);
        return good;
}

static struct orc_entry decoded(const struct orc_format *format, const char *bytes)
{
        struct orc_entry e;
        orc_decode(format, (const uint8_t *)bytes, &e);
        return e;
}

START_TEST(before_6_4)
{
        struct orc_format f;
        ck_assert(bound(v4_18, &f) && f.size == 6);
        struct orc_entry e = decoded(&f, "\x30\x00\xf0\xff\x15\x00"); /* CFA = SP + 48, RBP at CFA - 16 */
        ck_assert(e.type == ORC_CALL && e.sp_reg == ORC_SP && e.sp_offset == 48);
        ck_assert(e.bp_reg == ORC_PREV_SP && e.bp_offset == -16 && !e.signal);
        e = decoded(&f, "\x00\x00\x00\x00\x05\x01");
        ck_assert(e.type == ORC_REGS && e.bp_reg == ORC_UNDEFINED && e.signal);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x02").type, ORC_REGS_PARTIAL);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x03").type, ORC_UNKNOWN);
        ck_assert_int_eq(decoded(&f, "\x00\x00\x00\x00\x00\x04").type, ORC_END);
        ck_assert_int_eq(decoded(&f, "\x00\x00\x00\x00\x00\x00").type, ORC_UNKNOWN);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x04").type, ORC_CALL); /* "end" beside a rule: not the end */
        ck_assert_uint_eq(decoded(&f, "\x08\x00\x00\x00\x09\x00").sp_reg, ORC_SP_INDIRECT);
}
END_TEST

/* Until 4.17 the outermost frame had no bit of its own. */
START_TEST(without_end)
{
        struct orc_format f;
        ck_assert(bound(v4_14, &f) && f.size == 6);
        struct orc_entry e = decoded(&f, "\x30\x00\xf0\xff\x15\x00");
        ck_assert(e.type == ORC_CALL && e.sp_reg == ORC_SP && e.sp_offset == 48 && e.bp_offset == -16);
        e = decoded(&f, "\x00\x00\x00\x00\x05\x01");
        ck_assert(e.type == ORC_REGS && e.signal);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x02").type, ORC_REGS_PARTIAL);
        ck_assert_int_eq(decoded(&f, "\x00\x00\x00\x00\x00\x00").type, ORC_END);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x04").type, ORC_CALL); /* a bit that means nothing yet */
}
END_TEST

START_TEST(with_signal)
{
        struct orc_format f;
        ck_assert(bound(v6_3, &f));
        struct orc_entry e = decoded(&f, "\x00\x00\x00\x00\x05\x01");
        ck_assert(e.type == ORC_REGS && !e.signal);
        e = decoded(&f, "\x00\x00\x00\x00\x05\x05");
        ck_assert(e.type == ORC_REGS && e.signal);
        ck_assert_int_eq(decoded(&f, "\x00\x00\x00\x00\x00\x08").type, ORC_END);
}
END_TEST

START_TEST(since_6_4)
{
        struct orc_format f;
        ck_assert(bound(v6_4, &f));
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x00").type, ORC_UNKNOWN);
        ck_assert_int_eq(decoded(&f, "\x00\x00\x00\x00\x00\x01").type, ORC_END);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x02").type, ORC_CALL);
        struct orc_entry e = decoded(&f, "\x08\x00\x00\x00\x05\x0b");
        ck_assert(e.type == ORC_REGS && e.signal);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x04").type, ORC_REGS_PARTIAL);
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x07").type, ORC_UNKNOWN);
}
END_TEST

/* Of another shape than any known: not believed. */
START_TEST(unknown_shapes)
{
        struct orc_format f;
        ck_assert(!bound(TYPES(BIT("type", 8, 4)), &f));
        ck_assert(!bound(TYPES(""), &f));
        ck_assert(!bound(TYPES(BIT("type", 16, 3)), &f)); /* behind the entry */
        ck_assert(!orc_bind(NULL, &f));
        ck_assert(!orc_bind(stasis_layout_at(0), &f));
}
END_TEST

static struct world world;
#define IPS UINT64_C(0xffffffff82000ff0) /* across a page */
#define ENTRIES UINT64_C(0xffffffff82004000)

static void put_entry(unsigned index, uint64_t address, const char *bytes)
{
        uint64_t at = IPS + 4 * index;
        world_u(&world, at, 4, (uint32_t)(address - at));
        world_put(&world, ENTRIES + 6 * index, bytes, 6);
}

START_TEST(search)
{
        struct orc_format f;
        struct orc_table table = { IPS, ENTRIES, 5 };
        struct orc_entry e;
        ck_assert(bound(v6_4, &f));
        world_start(&world, PT_X64);
        world_map(&world, 0xffffffff82000000, 0x5000);
        put_entry(0, 0xffffffff81000000, "\x01\x00\x00\x00\x05\x02");
        put_entry(1, 0xffffffff81000010, "\x02\x00\x00\x00\x05\x02");
        put_entry(2, 0xffffffff81000010, "\x03\x00\x00\x00\x05\x02");
        put_entry(3, 0xffffffff81000020, "\x04\x00\x00\x00\x05\x02");
        put_entry(4, 0xffffffff83000000, "\x05\x00\x00\x00\x05\x02"); /* above the table itself */
        static const struct {
                uint64_t pc;
                int16_t offset;
        } cases[] = { { 0xffffffff81000000, 1 }, { 0xffffffff8100000f, 1 }, { 0xffffffff81000010, 3 },
                      { 0xffffffff8100001f, 3 }, { 0xffffffff81000020, 4 }, { 0xffffffff82ffffff, 4 },
                      { 0xffffffff83000000, 5 }, { UINT64_MAX, 5 } };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                ck_assert_int_eq(orc_find(&world.space, &f, &table, cases[i].pc, &e), STASIS_OK);
                ck_assert_int_eq(e.sp_offset, cases[i].offset);
        }
        ck_assert_int_eq(orc_find(&world.space, &f, &table, 0xffffffff80ffffff, &e), STASIS_ABSENT);
        table.count = 0;
        ck_assert_int_eq(orc_find(&world.space, &f, &table, 0xffffffff81000000, &e), STASIS_ABSENT);
        table.count = UINT64_MAX;
        ck_assert_int_eq(orc_find(&world.space, &f, &table, 0xffffffff81000000, &e), STASIS_ABSENT); /* not mapped */
        table.count = 5;
        world_unmap(&world, ENTRIES);
        ck_assert_int_ne(orc_find(&world.space, &f, &table, 0xffffffff81000010, &e), STASIS_OK);
}
END_TEST

/* ---- no types: the entries tell */

static void fill(unsigned count, const char *call)
{
        for (unsigned i = 0; i < count; i++)
                world_put(&world, ENTRIES + 6 * i, call, 6);
}

static bool inferred(const char *odd, struct orc_format *ret_format)
{
        const struct orc_table table = { IPS, ENTRIES, 100 };
        if (odd)
                world_put(&world, ENTRIES + 6 * 40, odd, 6);
        return orc_infer(&world.space, &table, ret_format);
}

START_TEST(told_by_themselves)
{
        struct orc_format f;
        world_start(&world, PT_X64);
        world_map(&world, 0xffffffff82000000, 0x5000);
        ck_assert(!inferred(NULL, &f)); /* zeros */
        fill(100, "\x08\x00\x00\x00\x05\x00");
        ck_assert(inferred(NULL, &f) && !f.has_end && !f.has_signal && f.type.bits == 2 && f.size == 6); /* 4.14 */
        ck_assert_int_eq(decoded(&f, "\x08\x00\x00\x00\x05\x00").type, ORC_CALL);
        ck_assert(!inferred("\x08\x00\x00\x00\x05\x04", &f)); /* a bit that means nothing in any */
        ck_assert(inferred("\x00\x00\x00\x00\x00\x04", &f) && f.has_end && !f.has_signal); /* 4.18 */
        ck_assert_int_eq(decoded(&f, "\x00\x00\x00\x00\x00\x04").type, ORC_END);
        ck_assert(inferred("\x00\x00\x00\x00\x00\x08", &f) && f.has_end && f.has_signal); /* 6.3 */
        ck_assert_int_eq(decoded(&f, "\x00\x00\x00\x00\x00\x08").type, ORC_END);
        ck_assert(decoded(&f, "\x00\x00\x00\x00\x05\x05").signal);
        ck_assert(!inferred("\x00\x00\x00\x00\x00\x18", &f));
        ck_assert(!inferred("\x00\x00\x00\x00\x0f\x00", &f)); /* no such register */
        fill(100, "\x08\x00\x00\x00\x05\x02");
        ck_assert(inferred("\x08\x00\x00\x00\x05\x0b", &f) && f.type.bits == 3 && f.has_signal); /* 6.4 */
        ck_assert(decoded(&f, "\x08\x00\x00\x00\x05\x0b").signal);
        fill(100, "\x08\x00\x00\x00\x05\x01");
        ck_assert(!inferred(NULL, &f)); /* nobody calls */
        const struct orc_table few = { IPS, ENTRIES, 20 }, gone = { IPS, 0xffffffff90000000, 100 };
        ck_assert(!orc_infer(&world.space, &few, &f) && !orc_infer(&world.space, &gone, &f));
}
END_TEST

/* 7.2: SP is 3, and bp_reg 8 is PREV_SP. Bytes from its tables (Debian's 7.2.13): __schedule behind "push %rbp", behind
 * "mov %rsp, %rbp", and an entry of pt_regs. */
START_TEST(renumbered)
{
        struct orc_format f;
        const struct orc_table table = { IPS, ENTRIES, 100 };
        ck_assert(bound(v6_4, &f));
        world_start(&world, PT_X64);
        world_map(&world, 0xffffffff82000000, 0x5000);
        fill(100, "\x08\x00\x00\x00\x05\x02");
        orc_number(&world.space, &table, &f);
        ck_assert_uint_eq(decoded(&f, "\x08\x00\x00\x00\x03\x02").sp_reg, ORC_DI);
        ck_assert_uint_eq(decoded(&f, "\x08\x00\x00\x00\x0a\x02").sp_reg, ORC_AX);
        fill(60, "\x08\x00\x00\x00\x03\x02");
        orc_number(&world.space, &table, &f);
        struct orc_entry e = decoded(&f, "\x10\x00\xf0\xff\x83\x02");
        ck_assert(e.type == ORC_CALL && e.sp_reg == ORC_SP && e.sp_offset == 16);
        ck_assert(e.bp_reg == ORC_PREV_SP && e.bp_offset == -16);
        ck_assert_uint_eq(decoded(&f, "\x10\x00\xf0\xff\x84\x02").sp_reg, ORC_BP);
        e = decoded(&f, "\x00\x00\x00\x00\x03\x0b");
        ck_assert(e.type == ORC_REGS && e.sp_reg == ORC_SP && e.bp_reg == ORC_UNDEFINED && e.signal);
        static const uint8_t rest[11] = { ORC_UNDEFINED, ORC_AX,  ORC_DX,      ORC_SP,          ORC_BP,         ORC_DI,
                                          ORC_R10,       ORC_R13, ORC_PREV_SP, ORC_SP_INDIRECT, ORC_BP_INDIRECT };
        for (unsigned i = 0; i < 16; i++) {
                const char bytes[] = { 8, 0, 0, 0, (char)i, 2 };
                ck_assert_uint_eq(decoded(&f, bytes).sp_reg, i < 11 ? rest[i] : ORC_NO_REGISTER);
        }
}
END_TEST

static void teardown(void) { world_end(&world); }

int main(void)
{
        Suite *suite = suite_create("orc");
        TCase *tc = tcase_create("orc");
        tcase_add_test(tc, before_6_4);
        tcase_add_test(tc, without_end);
        tcase_add_test(tc, with_signal);
        tcase_add_test(tc, since_6_4);
        tcase_add_test(tc, unknown_shapes);
        suite_add_tcase(suite, tc);
        tc = tcase_create("search");
        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_test(tc, search);
        tcase_add_test(tc, told_by_themselves);
        tcase_add_test(tc, renumbered);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
