/* SPDX-License-Identifier: MIT */
/* A PDB written by hand, read back; then with one thing wrong at a time. */
#include "pdb.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../test/pdb_build.h"

static struct pdb_build b;
static struct pdb *pdb;
static struct stasis_error err;

static void setup(void)
{
        pdb_build_kernel(&b);
        pdb = NULL;
        err = (struct stasis_error){ 0 };
}

static void teardown(void) { pdb_close(pdb); }

static enum stasis_status open_file(void)
{
        return pdb_open((struct stasis_bytes){ b.file, b.len }, "nt.pdb", &pdb, &err);
}

static void open_good(void)
{
        pdb_build_finish(&b);
        enum stasis_status status = open_file();
        ck_assert_msg(status == STASIS_OK, "%s", err.text);
}

static void expect_bad(enum stasis_status status, const char *text)
{
        ck_assert_int_eq(open_file(), status);
        ck_assert_msg(strstr(err.text, text) != NULL, "'%s' is not '%s'", err.text, text);
}

static void expect_broken(const char *text)
{
        pdb_build_finish(&b);
        expect_bad(STASIS_CORRUPT, text);
}

START_TEST(whose_it_is)
{
        static const uint8_t guid[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
        struct stasis_pdb_id id;

        ck_assert_int_eq(pdb_identify((struct stasis_bytes){ b.file, b.len }, "nt.pdb", &id, &err), STASIS_OK);
        ck_assert_mem_eq(id.guid, guid, 16);
        ck_assert_uint_eq(id.age, 7); /* of the linker, not of the file */
        ck_assert(pdb_probe((struct stasis_bytes){ b.file, b.len }));
        open_good();
        ck_assert_uint_eq(pdb_id(pdb)->age, 7);
        ck_assert_str_eq(stasis_layout_name(pdb_layout(pdb)), "nt.pdb");
        ck_assert_uint_eq(stasis_layout_pointer_size(pdb_layout(pdb)), 4);
}
END_TEST

static void expect_member(const char *path, struct stasis_member want)
{
        struct stasis_member m;

        ck_assert_msg(stasis_layout_member(pdb_layout(pdb), path, &m), "no %s", path);
        ck_assert_msg(m.offset == want.offset && m.size == want.size && m.count == want.count && m.bit == want.bit &&
                              m.bits == want.bits && m.type == want.type,
                      "%s: at 0x%x size %u count %u bit %u bits %u type %d", path, m.offset, m.size, m.count, m.bit,
                      m.bits, (int)m.type);
        ck_assert_msg(!want.target == !m.target && (!m.target || !strcmp(m.target, want.target)), "%s: %s", path,
                      m.target);
}

START_TEST(members)
{
        struct stasis_member m;

        open_good();
        ck_assert_uint_eq(stasis_layout_sizeof(pdb_layout(pdb), "_THING"), 0x40);
        ck_assert_uint_eq(stasis_layout_sizeof(pdb_layout(pdb), "_LIST_ENTRY"), 8);
        expect_member("_LIST_ENTRY.Blink", (struct stasis_member){ 4, 4, 1, 0, 0, STASIS_TYPE_POINTER, "_LIST_ENTRY" });
        expect_member("_THING.Type", (struct stasis_member){ 0, 1, 1, 0, 0, STASIS_TYPE_UNSIGNED, NULL });
        expect_member("_THING.Bits", (struct stasis_member){ 4, 4, 1, 5, 3, STASIS_TYPE_UNSIGNED, NULL });
        expect_member("_THING.Lists", (struct stasis_member){ 8, 8, 3, 0, 0, STASIS_TYPE_STRUCT, "_LIST_ENTRY" });
        expect_member("_THING.Lists.Flink",
                      (struct stasis_member){ 8, 4, 1, 0, 0, STASIS_TYPE_POINTER, "_LIST_ENTRY" });
        expect_member("_THING.Named.Within", (struct stasis_member){ 0x22, 2, 1, 0, 0, STASIS_TYPE_UNSIGNED, NULL });
        expect_member("_THING.Within", (struct stasis_member){ 0x26, 2, 1, 0, 0, STASIS_TYPE_UNSIGNED, NULL });
        expect_member("_THING.Real", (struct stasis_member){ 0x28, 8, 1, 0, 0, STASIS_TYPE_OPAQUE, NULL });
        expect_member("_THING.Colour", (struct stasis_member){ 0x30, 4, 1, 0, 0, STASIS_TYPE_SIGNED, "_COLOURS" });
        expect_member("_THING.Nothing", (struct stasis_member){ 0x34, 4, 1, 0, 0, STASIS_TYPE_POINTER, NULL });
        ck_assert(!stasis_layout_member(pdb_layout(pdb), "_THING.None", &m));
        ck_assert(!stasis_layout_member(pdb_layout(pdb), "_NONE.Type", &m));
}
END_TEST

START_TEST(values)
{
        struct stasis_name names[4];

        open_good();
        ck_assert_uint_eq(stasis_layout_enum(pdb_layout(pdb), "_COLOURS", names, 4), 3);
        ck_assert_str_eq(names[0].name, "Green");
        ck_assert_uint_eq(names[0].value, (uint32_t)-2);
        ck_assert_str_eq(names[1].name, "Red");
        ck_assert_str_eq(names[2].name, "Blue");
        ck_assert_uint_eq(names[2].value, 0x12345678);
        ck_assert_uint_eq(stasis_layout_enum(pdb_layout(pdb), "_THING", names, 4), 0);
}
END_TEST

START_TEST(publics)
{
        uint32_t rva;
        uint64_t wide;
        char text[32];

        open_good();
        ck_assert_str_eq(pdb_symbol_at(pdb, 0)->name, "_Alpha@8");
        ck_assert_uint_eq(pdb_symbol_at(pdb, 0)->rva, 0x1010);
        ck_assert_uint_eq(pdb_symbol_at(pdb, 0)->flags, PDB_FUNCTION);
        ck_assert_str_eq(pdb_symbol_at(pdb, 2)->name, "_Variable");
        ck_assert_ptr_null(pdb_symbol_at(pdb, 3)); /* an absolute one has no place */
        ck_assert_ptr_null(pdb_symbol_below(pdb, 0x100f));
        ck_assert_str_eq(pdb_symbol_below(pdb, 0x103f)->name, "_Alpha@8");
        ck_assert_str_eq(pdb_symbol_below(pdb, UINT64_MAX)->name, "_Variable");
        ck_assert(pdb_symbol_rva(pdb, "Alpha", &rva) && rva == 0x1010);
        ck_assert(pdb_symbol_rva(pdb, "Beta", &rva) && rva == 0x1040);
        ck_assert(pdb_symbol_rva(pdb, "Variable", &rva) && rva == 0x2004);
        ck_assert(pdb_symbol_rva(pdb, "_Variable", &rva) && rva == 0x2004);
        ck_assert(!pdb_symbol_rva(pdb, "Alph", &rva));
        ck_assert(stasis_layout_symbol(pdb_layout(pdb), "Beta", &wide) && wide == 0x1040);
        pdb_undecorate("_Alpha@8", text, sizeof text);
        ck_assert_str_eq(text, "Alpha");
        pdb_undecorate("@Beta@4", text, sizeof text);
        ck_assert_str_eq(text, "Beta");
        pdb_undecorate("?what@@YAXXZ", text, sizeof text);
        ck_assert_str_eq(text, "?what@@YAXXZ");
        pdb_undecorate("__imp__Name@12", text, sizeof text);
        ck_assert_str_eq(text, "_imp__Name");
        pdb_undecorate("_", text, sizeof text);
        ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(frames)
{
        struct pdb_frame f;

        open_good();
        ck_assert(pdb_frame_at(pdb, 0x1011, &f)); /* FPO_DATA: words 2 and 0x1302: prologue 2, 3 registers, EBP */
        ck_assert(f.rva == 0x1010 && f.len == 0x20 && f.locals == 12 && f.params == 8 && f.prologue == 2);
        ck_assert(f.saved == 12 && f.uses_bp && !f.seh && !f.program && f.form == 0);
        ck_assert(!pdb_frame_at(pdb, 0x1030, &f));
        ck_assert(pdb_frame_at(pdb, 0x1041, &f)); /* FRAMEDATA is told of it too */
        ck_assert(f.rva == 0x1040 && f.locals == 8 && f.params == 4 && f.prologue == 6 && f.saved == 4 && !f.seh);
        ck_assert_str_eq(f.program, "$T0 one");
        ck_assert(pdb_frame_at(pdb, 0x1050, &f)); /* the inner block */
        ck_assert(f.rva == 0x1048 && f.seh);
        ck_assert_str_eq(f.program, "$T0 two");
        ck_assert(pdb_frame_at(pdb, 0x1060, &f) && f.rva == 0x1040); /* behind it the outer one again */
}
END_TEST

/* The image was rearranged: sections as before (stream 13, .text at 0x5000), and a map (14) to where they are now. */
START_TEST(rearranged)
{
        uint32_t rva;

        for (unsigned i = 0; i < 40; i++)
                pdb_put(&b, 13, 1, i == 13 ? 0x50 : 0);
        static const uint32_t map[] = { 0x5000, 0x1100, 0x5020, 0, 0x5040, 0x1000 };
        for (unsigned i = 0; i < 6; i++)
                pdb_put(&b, 14, 4, map[i]);
        pdb_set(&b, 3, 64 + 2 * 4, 2, 14);
        pdb_set(&b, 3, 64 + 2 * 10, 2, 13);
        open_good();
        ck_assert(pdb_symbol_rva(pdb, "Alpha", &rva) && rva == 0x1110);
        ck_assert(pdb_symbol_rva(pdb, "Beta", &rva) && rva == 0x1000);
        ck_assert(!pdb_symbol_rva(pdb, "Variable", &rva));
        pdb_close(pdb);
        pdb = NULL;
        pdb_set(&b, 14, 8, 4, 0x4000);
        expect_broken("stream 14 (OMAP): entry 1 is not in order");
}
END_TEST

/* An older linker: keys of 2 bytes, no header of the hash but 4097 buckets behind it. */
START_TEST(older_hashes)
{
        pdb_set(&b, 2, 24, 4, 2);
        pdb_set(&b, 2, 36, 4, 2 * 14);
        b.stream[7].len = 0;
        open_good();
}
END_TEST

START_TEST(without_symbols_or_types)
{
        b.stream[2].len = 0;
        open_good();
        ck_assert(!stasis_layout_has_types(pdb_layout(pdb)));
        ck_assert(stasis_layout_has_symbols(pdb_layout(pdb)));
        pdb_close(pdb);
        pdb_build_kernel(&b);
        b.stream[3].len = 0; /* of a compiler: no DBI, and the age is that of the file */
        open_good();
        ck_assert_uint_eq(pdb_id(pdb)->age, 9);
        ck_assert(!stasis_layout_has_symbols(pdb_layout(pdb)));
}
END_TEST

START_TEST(refused)
{
        static const struct {
                const char *bytes;
                const char *says;
                enum stasis_status status;
        } forms[] = {
                { "MSCF", "compressed", STASIS_UNSUPPORTED },
                { "SZDD\x88\xf0\x27\x33", "compressed", STASIS_UNSUPPORTED },
                { "Microsoft C/C++ program database 2.00\r\n\x1aJG", "format 2.00", STASIS_UNSUPPORTED },
                { "BSJB", "portable", STASIS_UNSUPPORTED },
                { "nothing", "no PDB", STASIS_CORRUPT },
        };
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
                memcpy(b.file, forms[i].bytes, strlen(forms[i].bytes));
                ck_assert_int_eq(pdb_probe((struct stasis_bytes){ b.file, b.len }), i < 4);
                expect_bad(forms[i].status, forms[i].says);
                pdb_build_finish(&b);
        }
        pdb_set(&b, 1, 0, 4, 19990604);
        pdb_build_finish(&b);
        expect_bad(STASIS_UNSUPPORTED, "which has no GUID");
        pdb_build_kernel(&b);
        pdb_set(&b, 2, 0, 4, 19951122);
        pdb_build_finish(&b);
        expect_bad(STASIS_UNSUPPORTED, "numbers of 16 bits");
        pdb_build_kernel(&b);
        pdb_set(&b, 3, 0, 4, 0);
        pdb_build_finish(&b);
        expect_bad(STASIS_UNSUPPORTED, "before Visual C++ 5");
}
END_TEST

static void put_file(size_t at, uint32_t value)
{
        for (unsigned i = 0; i < 4; i++)
                b.file[at + i] = (uint8_t)(value >> 8 * i);
}

START_TEST(broken_container)
{
        static const struct {
                size_t at;
                uint32_t value;
                const char *says;
        } words[] = {
                { 32, 500, "superblock: blocks of 500 bytes" },
                { 32, 1u << 31, "superblock: blocks of" },
                { 40, 1000, "cut off: 1000 blocks" },
                { 40, 0, "cut off: 0 blocks" },
                { 44, 0, "superblock: a directory of 0 bytes" },
                { 44, 0x7ffffffc, "superblock: a directory" },
                { 52, 5000, "the map of the directory names block 5000" },
        };
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                put_file(words[i].at, words[i].value);
                expect_bad(STASIS_CORRUPT, words[i].says);
                pdb_build_finish(&b);
        }
        for (size_t len = 0; len < b.len; len += 7) {
                struct stasis_bytes cut = { b.file, len };
                ck_assert_int_eq(pdb_open(cut, "nt.pdb", &pdb, &err), STASIS_CORRUPT);
        }
}
END_TEST

START_TEST(broken_directory)
{
        size_t directory = b.len - 512 - 512; /* one block, in front of its map */

        put_file(directory, 0x1000);
        expect_bad(STASIS_CORRUPT, "directory: 4096 streams");
        pdb_build_finish(&b);
        put_file(directory + 4 + 4 * 2, 0x7fffffff);
        expect_bad(STASIS_CORRUPT, "directory: stream 2 of 13 has more blocks than are named");
        pdb_build_finish(&b);
        put_file(directory + 4 + 4 * 13 + 4 * 2, 0xffff); /* the only block of stream 1 is the one behind stream 0's */
        expect_bad(STASIS_CORRUPT, "stream 2 (TPI): block 0 of it is number 65535");
}
END_TEST

/* stream, place, size, value: one word changed, and what is said of it. */
static const struct damage {
        unsigned stream;
        size_t at, size;
        uint64_t value;
        const char *says;
} damages[] = {
        { 1, 28, 4, 0xffffffff, "stream 1 (PDB): the table of named streams is broken" },
        { 2, 12, 4, 0x1010, "stream 2 (TPI): type 0x100e is cut off" },
        { 2, 12, 4, 0x100d, "stream 2 (TPI): " },
        { 2, 12, 4, 0x0fff, "stream 2 (TPI): types 0x1000 to 0xfff" },
        { 2, 16, 4, 0xffffff, "stream 2 (TPI): 16777215 bytes of types" },
        { 2, 56, 2, 0xfff0, "stream 2 (TPI): type 0x1000 is cut off" },
        { 2, 56, 2, 2, "stream 2 (TPI): type 0x1000 has no size or name" },
        { 2, 24, 4, 3, "stream 2 (TPI): hashes of 3 bytes" },
        { 2, 28, 4, 0, "stream 2 (TPI): hashes of 4 bytes in 0 buckets" },
        { 2, 28, 4, 50, "stream 12 (hashes of TPI): type 0x1008 is in bucket 56 of 50" },
        { 2, 36, 4, 4, "stream 12 (hashes of TPI): 4 bytes of hashes for 14 types" },
        { 2, 20, 2, 99, "stream 99 (hashes of TPI): not there: the file has 13 streams" },
        { 3, 24, 4, 0x7fffffff, "stream 3 (DBI): its parts are longer than its" },
        { 3, 20, 2, 77, "stream 77 (symbol records): not there" },
        { 5, 0, 2, 0xffff, "stream 5 (symbol records): the record at 0x0 is cut off" },
        { 6, 0, 4, 0x7fffffff, "stream 6 (publics): its parts are longer" },
        { 6, 28 + 4, 4, 1, "stream 6 (publics): a hash of version 0x1" },
        { 6, 28 + 8, 4, 7, "stream 6 (publics): its hash has no room for its entries" },
        { 6, 28 + 16, 4, 3, "stream 6 (publics): entry 0 of its hash names no record" },
        { 6, 28 + 16 + 32, 4, 4, "stream 6 (publics): entry 0 of its address map names no record" },
        { 9, 16, 4, 0x100, "stream 9 (FPO): record 1 is not in order" },
        { 11, 0, 4, 0, "stream 11 (/names): no table of texts" },
};

START_TEST(damaged)
{
        const struct damage *d = &damages[_i];

        pdb_set(&b, d->stream, d->at, d->size, d->value);
        expect_broken(d->says);
}
END_TEST

START_TEST(odd_lengths)
{
        b.stream[8].len--;
        expect_broken("stream 8 (section headers): 79 bytes");
        b.stream[8].len++;
        b.stream[9].len--;
        expect_broken("stream 9 (FPO): 31 bytes");
        b.stream[9].len++;
        b.stream[1].len = 20;
        expect_broken("stream 1 (PDB): 20 bytes are too few");
}
END_TEST

/* Lists that name themselves, structures in themselves, arrays of themselves: the walk ends. */
START_TEST(circles)
{
        struct stasis_member m;
        size_t at = 0;

        while (memcmp(b.stream[2].at + at, "\x04\x14\0\0\x08\x10\0\0", 8) != 0)
                at++;
        pdb_set(&b, 2, at + 4, 4, 0x100c); /* LF_INDEX: _THING's own list */
        open_good();
        ck_assert(!stasis_layout_member(pdb_layout(pdb), "_THING.Colour", &m));
        ck_assert(stasis_layout_member(pdb_layout(pdb), "_THING.Real", &m));
        pdb_close(pdb);
        pdb_build_kernel(&b);
        for (at = 0; memcmp(b.stream[2].at + at, "\x03\x15\0\x10", 4) != 0;)
                at++;
        pdb_set(&b, 2, at + 2, 4, 0x1005); /* LF_ARRAY of itself */
        open_good();
        ck_assert(!stasis_layout_member(pdb_layout(pdb), "_THING.Lists", &m));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pdb");
        TCase *tcase = tcase_create("pdb");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, whose_it_is);
        tcase_add_test(tcase, members);
        tcase_add_test(tcase, values);
        tcase_add_test(tcase, publics);
        tcase_add_test(tcase, frames);
        tcase_add_test(tcase, rearranged);
        tcase_add_test(tcase, older_hashes);
        tcase_add_test(tcase, without_symbols_or_types);
        tcase_add_test(tcase, refused);
        tcase_add_test(tcase, broken_container);
        tcase_add_test(tcase, broken_directory);
        tcase_add_loop_test(tcase, damaged, 0, (int)(sizeof damages / sizeof *damages));
        tcase_add_test(tcase, odd_lengths);
        tcase_add_test(tcase, circles);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
