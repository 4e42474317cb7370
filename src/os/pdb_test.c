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
        for (unsigned i = 0; i < 14; i++)
                memmove(b.stream[12].at + (size_t)2 * i, b.stream[12].at + (size_t)4 * i, 2);
        b.stream[7].len = 0;
        open_good();
        pdb_close(pdb);
        pdb = NULL;
        b.stream[12].at[2 * 13]++; /* of _THING */
        expect_broken("the name of type 0x100d belongs in another bucket");
}
END_TEST

/* Tables that find other records than those that are there. */
START_TEST(hashes_of_others)
{
        b.stream[12].at[4 * 3] ^= 1; /* of _LIST_ENTRY */
        expect_broken("stream 12 (hashes of TPI): the name of type 0x1003 belongs in another bucket");
        pdb_build_kernel(&b);
        b.stream[12].at[4 * 2]++; /* a list of members is hashed by its bytes, which are not judged */
        open_good();
        pdb_close(pdb);
        pdb = NULL;
        pdb_build_kernel(&b);
        uint8_t entry[8];
        size_t first = 28 + 16;
        memcpy(entry, b.stream[6].at + first, 8);
        memmove(b.stream[6].at + first, b.stream[6].at + first + 8, 24);
        memcpy(b.stream[6].at + first + 24, entry, 8);
        expect_broken("stream 6 (publics): entry 3 of its hash is not in the bucket of its name");
        pdb_build_kernel(&b);
        pdb_set(&b, 6, b.stream[6].len - 4, 4, 2); /* the last of the address map */
        expect_broken("stream 6 (publics): entry 3 of its address map names no record");
        pdb_build_kernel(&b);
        pdb_set(&b, 7, 8, 4, 8);
        pdb_put(&b, 7, 4, 3);
        pdb_put(&b, 7, 4, 1);
        expect_broken("stream 7 (globals): entry 0 of its hash names no record");
}
END_TEST

/* ---- functions that only their modules know */

static size_t begin_record(unsigned stream, unsigned kind)
{
        size_t at = b.stream[stream].len;
        pdb_put(&b, stream, 2, 0);
        pdb_put(&b, stream, 2, kind);
        return at;
}

static void end_record(unsigned stream, size_t at)
{
        while (b.stream[stream].len % 4)
                pdb_put(&b, stream, 1, 0);
        pdb_set(&b, stream, at, 2, b.stream[stream].len - at - 2);
}

static void put_counted(unsigned stream, const char *text)
{
        pdb_put(&b, stream, 1, strlen(text));
        for (size_t i = 0; text[i]; i++)
                pdb_put(&b, stream, 1, (uint8_t)text[i]);
}

static void put_proc(unsigned kind, unsigned place, const char *name)
{
        size_t at = begin_record(13, kind);
        bool small = kind == 0x204 || kind == 0x205;
        for (unsigned i = 0; i < (small ? 6 : 7); i++)
                pdb_put(&b, 13, 4, 0x1111);
        pdb_put(&b, 13, 4, place);
        pdb_put(&b, 13, 2, 1);
        if (small)
                pdb_put(&b, 13, 2, 0x2222);
        pdb_put(&b, 13, 1, 0);
        if (kind < 0x1100)
                put_counted(13, name);
        else
                pdb_put_text(&b, 13, name);
        end_record(13, at);
}

/* The list of modules in front of the other parts of DBI: one without symbols, and one with those of stream 13. */
static void put_modules(void)
{
        uint8_t rest[64];
        size_t len = b.stream[3].len - 64;
        memcpy(rest, b.stream[3].at + 64, len);
        b.stream[3].len = 64;
        for (unsigned i = 0; i < 2; i++) {
                for (unsigned k = 0; k < 32; k++)
                        pdb_put(&b, 3, 1, 0);
                pdb_put(&b, 3, 2, 0);
                pdb_put(&b, 3, 2, i ? 13 : 0xffff);
                pdb_put(&b, 3, 4, i ? b.stream[13].len : 0);
                for (unsigned k = 0; k < 24; k++)
                        pdb_put(&b, 3, 1, 0);
                pdb_put_text(&b, 3, "one.obj");
                pdb_put_text(&b, 3, i ? "library.lib" : "");
                while (b.stream[3].len % 4)
                        pdb_put(&b, 3, 1, 0);
        }
        pdb_set(&b, 3, 24, 4, b.stream[3].len - 64);
        for (size_t i = 0; i < len; i++)
                pdb_put(&b, 3, 1, rest[i]);
}

static void put_procs(void)
{
        pdb_put(&b, 13, 4, 4);
        put_proc(0x110f, 0x80, "hidden");
        put_proc(0x1110, 0x10, "Alpha"); /* it is public, too */
        put_proc(0x1147, 0x90, "_of_c");
        put_proc(0x100a, 0xa0, "counted");
        put_proc(0x205, 0xb0, "small");
        end_record(13, begin_record(13, 6)); /* S_END */
        put_modules();
}

START_TEST(private_functions)
{
        static const char *const names[] = {
                "_Alpha@8", "@Beta@4", "hidden", "_of_c", "counted", "small", "_Variable"
        };
        uint32_t rva;

        put_procs();
        open_good();
        for (unsigned i = 0; i < 7; i++) {
                ck_assert_str_eq(pdb_symbol_at(pdb, i)->name, names[i]);
                ck_assert_int_eq(pdb_symbol_at(pdb, i)->flags & PDB_PRIVATE ? 1 : 0, i >= 2 && i < 6);
        }
        ck_assert_ptr_null(pdb_symbol_at(pdb, 7));
        ck_assert_str_eq(pdb_symbol_below(pdb, 0x1088)->name, "hidden");
        ck_assert(pdb_symbol_rva(pdb, "counted", &rva) && rva == 0x10a0);
        ck_assert(pdb_symbol_rva(pdb, "Alpha", &rva) && rva == 0x1010);
}
END_TEST

/* Where no public symbol stands in front of it twice; of two private ones at a place the first. */
START_TEST(private_functions_alone)
{
        static const char *const names[] = { "_Alpha@8", "@Beta@4", "hidden", "_Variable" };

        pdb_put(&b, 13, 4, 4);
        put_proc(0x110f, 0x80, "hidden");
        put_proc(0x110f, 0x80, "twice");
        put_modules();
        open_good();
        for (unsigned i = 0; i < 4; i++)
                ck_assert_str_eq(pdb_symbol_at(pdb, i)->name, names[i]);
        ck_assert_ptr_null(pdb_symbol_at(pdb, 4));
        ck_assert(pdb_symbol_at(pdb, 2)->flags & PDB_PRIVATE);
}
END_TEST

START_TEST(broken_modules)
{
        static const struct {
                unsigned stream;
                size_t at, size;
                uint64_t value;
                const char *says;
        } wrong[] = {
                { 13, 0, 4, 99, "stream 13 (symbols of a module): signature 0x63" },
                { 13, 4, 2, 1, "stream 13 (symbols of a module): the record at 0x4 is cut off" },
                { 13, 4, 2, 0xfff, "stream 13 (symbols of a module): the record at 0x4 is cut off" },
                { 3, 64 + 34, 2, 99, "stream 99 (symbols of a module): not there" },
                { 3, 64 + 76 + 36, 4, 0xffff, "stream 13 (symbols of a module): 65535 bytes of symbols in" },
                { 3, 24, 4, 70, "stream 3 (DBI): module 0 is cut off" },
        };
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                pdb_build_kernel(&b);
                b.stream[13].len = 0;
                put_procs();
                if (i == 3)
                        pdb_set(&b, 3, 64 + 36, 4, 100);
                if (i == 5) {
                        pdb_set(&b, 3, 28, 4, b.stream[3].len - 64 - 22 - 70);
                }
                pdb_set(&b, wrong[i].stream, wrong[i].at, wrong[i].size, wrong[i].value);
                expect_broken(wrong[i].says);
        }
        pdb_build_kernel(&b);
        b.stream[13].len = 0;
        pdb_put(&b, 13, 4, 4);
        put_proc(0x110f, 0x80, "name");
        memset(b.stream[13].at + b.stream[13].len - 5, 'x', 5);
        put_modules();
        expect_broken("stream 13 (symbols of a module): a function has no name");
        pdb_build_kernel(&b);
        b.stream[13].len = 0;
        pdb_put(&b, 13, 4, 4);
        put_proc(0x100b, 0x80, "name");
        b.stream[13].at[4 + 4 + 35] = 200;
        put_modules();
        expect_broken("stream 13 (symbols of a module): a function has no name");
}
END_TEST

/* ---- what older compilers wrote: names begin with their length */

static void pad_types(void)
{
        while (b.stream[2].len % 4)
                pdb_put(&b, 2, 1, 0xf0 + (4 - b.stream[2].len % 4));
}

static void end_type(size_t at)
{
        pad_types();
        pdb_set(&b, 2, at, 2, b.stream[2].len - at - 2);
}

static void put_old_types(void)
{
        b.stream[2].len = 56;
        size_t at = begin_record(2, 0x1203); /* 1000 */
        for (unsigned i = 0; i < 2; i++) {
                pdb_put(&b, 2, 2, 0x1405);
                pdb_put(&b, 2, 2, 3);
                pdb_put(&b, 2, 4, 0x0022);
                pdb_put(&b, 2, 2, 4 * i);
                put_counted(2, i ? "Second" : "First");
                pad_types();
        }
        end_type(at);
        at = begin_record(2, 0x1005); /* 1001 */
        pdb_put(&b, 2, 2, 2);
        pdb_put(&b, 2, 2, 0);
        pdb_put(&b, 2, 4, 0x1000);
        pdb_put(&b, 2, 8, 0);
        pdb_put(&b, 2, 2, 8);
        put_counted(2, "_OLD");
        end_type(at);
        at = begin_record(2, 0x1203); /* 1002 */
        pdb_put(&b, 2, 2, 0x0403);
        pdb_put(&b, 2, 2, 3);
        pdb_put(&b, 2, 2, 5);
        put_counted(2, "Five");
        end_type(at);
        at = begin_record(2, 0x1007); /* 1003 */
        pdb_put(&b, 2, 4, 1);
        pdb_put(&b, 2, 4, 0x0074);
        pdb_put(&b, 2, 4, 0x1002);
        put_counted(2, "_KIND");
        end_type(at);
        at = begin_record(2, 0x1003); /* 1004: an array of 3 */
        pdb_put(&b, 2, 8, UINT64_C(0x0000002200001001));
        pdb_put(&b, 2, 2, 24);
        put_counted(2, "");
        end_type(at);
        pdb_set(&b, 2, 12, 4, 0x1005);
        pdb_set(&b, 2, 16, 4, b.stream[2].len - 56);
        pdb_set(&b, 2, 36, 4, 0); /* no hashes */
}

START_TEST(older_records)
{
        struct stasis_member m;
        struct stasis_name names[2];
        uint32_t rva;

        put_old_types();
        size_t at = begin_record(5, 0x1009);
        pdb_put(&b, 5, 4, 0x1111);
        pdb_put(&b, 5, 4, 0x60);
        pdb_put(&b, 5, 2, 1);
        put_counted(5, "_Old");
        end_record(5, at);
        at = begin_record(5, 0x203);
        pdb_put(&b, 5, 4, 0x70);
        pdb_put(&b, 5, 2, 1);
        pdb_put(&b, 5, 2, 0x1111);
        put_counted(5, "_Older");
        end_record(5, at);
        open_good();
        ck_assert(stasis_layout_member(pdb_layout(pdb), "_OLD.Second", &m) && m.offset == 4 && m.size == 4);
        ck_assert_uint_eq(stasis_layout_sizeof(pdb_layout(pdb), "_OLD"), 8);
        ck_assert_uint_eq(stasis_layout_enum(pdb_layout(pdb), "_KIND", names, 2), 1);
        ck_assert_str_eq(names[0].name, "Five");
        ck_assert(pdb_symbol_rva(pdb, "Old", &rva) && rva == 0x1060);
        ck_assert(pdb_symbol_rva(pdb, "Older", &rva) && rva == 0x1070);
        ck_assert_uint_eq(pdb_symbol_below(pdb, 0x1060)->flags, 0);
        pdb_close(pdb);
        pdb = NULL;
        pdb_build_kernel(&b);
        put_old_types();
        for (at = 56; memcmp(b.stream[2].at + at, "\4_OLD", 5) != 0;)
                at++;
        b.stream[2].at[at] = 44;
        expect_broken("stream 2 (TPI): type 0x1001 has no size or name");
}
END_TEST

/* Cut anywhere, or one byte of it changed: an answer, or one line that says what is wrong. */
START_TEST(every_damage)
{
        put_procs();
        pdb_build_finish(&b);
        size_t whole = b.len, refused = 0;
        for (size_t len = 0; len < whole; len += len < 256 ? 1 : 37) {
                b.len = len;
                ck_assert_int_ne(open_file(), STASIS_OK);
                ck_assert(err.text[0] && !strchr(err.text, '\n'));
        }
        b.len = whole;
        for (size_t at = 0; at < whole; at++)
                for (unsigned bit = 0; bit < 8; bit += 7) {
                        b.file[at] ^= (uint8_t)(1u << bit);
                        err = (struct stasis_error){ 0 };
                        if (open_file() == STASIS_OK) {
                                pdb_close(pdb);
                                pdb = NULL;
                        } else {
                                ck_assert(err.text[0] && !strchr(err.text, '\n'));
                                refused++;
                        }
                        b.file[at] ^= (uint8_t)(1u << bit);
                }
        ck_assert_uint_gt(refused, 500);
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
        { 2, 28, 4, 50, "stream 12 (hashes of TPI): type 0x1003 is in bucket 2433 of 50" },
        { 2, 36, 4, 4, "stream 12 (hashes of TPI): 4 bytes of hashes for 14 types" },
        { 2, 20, 2, 99, "stream 99 (hashes of TPI): not there: the file has 13 streams" },
        { 4, 4, 4, 40, "stream 4 (IPI): " },
        { 4, 12, 4, 0x0fff, "stream 4 (IPI): ids 0x1000 to 0xfff" },
        { 4, 12, 4, 0x1009, "stream 4 (IPI): id 0x1008 is cut off" },
        { 4, 12, 4, 0x1007, "stream 4 (IPI): 8 bytes behind the last id" },
        { 4, 16, 4, 0xffffff, "stream 4 (IPI): 16777215 bytes of ids" },
        { 4, 56, 2, 0xfff0, "stream 4 (IPI): id 0x1000 is cut off" },
        { 4, 56 + 8 + 12, 4, 0x41414141, "stream 4 (IPI): id 0x1000 is broken" }, /* a text without an end */
        { 4, 56 + 24 + 4, 4, 2, "stream 4 (IPI): id 0x1001 is broken" },          /* more of a list than there is */
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
        tcase_add_test(tcase, hashes_of_others);
        tcase_add_test(tcase, private_functions);
        tcase_add_test(tcase, private_functions_alone);
        tcase_add_test(tcase, broken_modules);
        tcase_add_test(tcase, older_records);
        tcase_add_test(tcase, every_damage);
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
