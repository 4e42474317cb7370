/* SPDX-License-Identifier: MIT */
/* ISF files. Texts are written here, after the schema of Volatility 3 (schema-6.x): no generator of ours is in between.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_LZMA
#include <lzma.h>
#endif

#include "layout_internal.h"

/* JSON below is written with ' for ", for the reader's sake. */
#define BASES \
        "'base_types':{'unsigned long':{'size':4,'signed':false,'kind':'int','endian':'little'}," \
        "'char':{'endian':'little','kind':'char','signed':true,'size':1}," \
        "'double':{'size':8,'signed':true,'kind':'float','endian':'little'}," \
        "'pointer':{'size':8,'signed':false,'kind':'int','endian':'little'}}"

/* user_types stands before what it refers to: the order is free. */
static const char text[] =
        "{ 'user_types': {\n"
        "  '_KTHREAD': {'kind':'struct','size':96,'fields':{\n"
        "    'Header':{'offset':0,'type':{'kind':'struct','name':'_HEADER'}},\n"
        "    'Flags':{'offset':8,'type':{'kind':'base','name':'unsigned long'}},\n"
        "    'Alertable':{'offset':8,'type':{'kind':'bitfield','bit_length':1,'bit_position':4,\n"
        "      'type':{'kind':'base','name':'unsigned long'}}},\n"
        "    'Low':{'offset':8,'type':{'kind':'bitfield','bit_length':4,'bit_position':0,\n"
        "      'type':{'kind':'base','name':'unsigned long'}}},\n"
        "    'Other':{'offset':8,'type':{'kind':'bitfield','bit_length':4,'bit_position':2,\n"
        "      'type':{'kind':'base','name':'unsigned long'}}},\n"
        "    'Next':{'offset':16,'type':{'kind':'pointer','subtype':{'kind':'struct','name':'_KTHREAD'}}},\n"
        "    'Routine':{'offset':24,'type':{'kind':'pointer','subtype':{'kind':'function'}}},\n"
        "    'Elsewhere':{'offset':32,'type':{'kind':'pointer','subtype':{'kind':'struct','name':'_ONLY_A_NAME'}}},\n"
        "    'unnamed_field_0':{'anonymous':true,'offset':40,'type':{'kind':'union','name':'__unnamed_1'}},\n"
        "    'Table':{'offset':56,'type':{'kind':'array','count':3,'subtype':{'kind':'array','count':2,\n"
        "      'subtype':{'kind':'base','name':'unsigned long'}}}},\n"
        "    'Float':{'offset':80,'type':{'kind':'base','name':'double'}},\n"
        "    'Reason':{'offset':88,'type':{'kind':'enum','name':'_KWAIT_REASON'}}}},\n"
        "  '_HEADER': {'kind':'struct','size':8,'fields':{\n"
        "    'Type':{'offset':3,'type':{'kind':'base','name':'char'}}}},\n"
        "  '__unnamed_1': {'kind':'union','size':16,'fields':{\n"
        "    'Inside':{'offset':4,'type':{'kind':'base','name':'unsigned long'}},\n"
        "    'unnamed_field_1':{'type':{'kind':'struct','name':'_HEADER'},'anonymous':true,'offset':8}}}},\n"
        " 'enums': {'_KWAIT_REASON':{'base':'long','size':4,\n"
        "   'constants':{'WrKernel':26,'Executive':0,'None':-1}}},\n"
        " 'symbols': {'PsActiveProcessHead':{'address':12705728},'_text':{'address':18446744071578845184}},\n"
        " " BASES ",\n"
        " 'metadata': {'format':'6.2.0','windows':{'pe':{'major':10,'minor':0,'revision':19041,'build':7},\n"
        "   'pdb':{'GUID':'000102030405060708090A0B0C0D0E0F','age':3,'database':'nt.pdb','machine_type':34404}}} }\n";

/* The same with the quotes that JSON has; the caller frees it. */
static char *quoted(const char *json)
{
        char *copy = strdup(json);
        ck_assert_ptr_nonnull(copy);
        for (char *at = copy; *at; at++)
                *at = *at == '\'' ? '"' : *at;
        return copy;
}

static enum stasis_status parse(const char *json, size_t len, struct stasis_layout **ret_layout,
                                struct stasis_error *err)
{
        return layout_isf_parse((struct stasis_bytes){ (const uint8_t *)json, len }, "test.json", ret_layout, err);
}

static struct stasis_layout *parsed(const char *json)
{
        char *copy = quoted(json);
        struct stasis_layout *layout = NULL;
        struct stasis_error err = { .text = "" };
        enum stasis_status status = parse(copy, strlen(copy), &layout, &err);
        ck_assert_msg(status == STASIS_OK, "%s", err.text);
        free(copy);
        return layout;
}

static struct stasis_member member_of(const struct stasis_layout *layout, const char *path)
{
        struct stasis_member m = { 0 };
        ck_assert_msg(stasis_layout_member(layout, path, &m), "%s", path);
        return m;
}

START_TEST(members)
{
        struct stasis_layout *layout = parsed(text);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "_KTHREAD"), 96);
        ck_assert_uint_eq(stasis_layout_pointer_size(layout), 8);
        ck_assert_str_eq(stasis_layout_name(layout), "test.json");
        struct stasis_member m = member_of(layout, "_KTHREAD.Header.Type");
        ck_assert(m.offset == 3 && m.size == 1 && m.count == 1 && m.type == STASIS_TYPE_SIGNED);
        m = member_of(layout, "_KTHREAD.Next");
        ck_assert(m.offset == 16 && m.size == 8 && m.type == STASIS_TYPE_POINTER);
        ck_assert_str_eq(m.target, "_KTHREAD");
        ck_assert_ptr_null(member_of(layout, "_KTHREAD.Routine").target);
        ck_assert_str_eq(member_of(layout, "_KTHREAD.Elsewhere").target, "_ONLY_A_NAME");
        m = member_of(layout, "_KTHREAD.Table");
        ck_assert(m.offset == 56 && m.size == 4 && m.count == 6);
        ck_assert_int_eq(member_of(layout, "_KTHREAD.Float").type, STASIS_TYPE_OPAQUE);
        m = member_of(layout, "_KTHREAD.Reason");
        ck_assert(m.size == 4 && m.type == STASIS_TYPE_UNSIGNED);
        ck_assert_str_eq(m.target, "_KWAIT_REASON");
        m = member_of(layout, "_KTHREAD.Alertable");
        ck_assert(m.offset == 8 && m.size == 4 && m.bit == 4 && m.bits == 1);
        stasis_layout_close(layout);
}
END_TEST

START_TEST(unnamed_members_are_flat)
{
        struct stasis_layout *layout = parsed(text);
        struct stasis_member m;
        ck_assert_uint_eq(member_of(layout, "_KTHREAD.Inside").offset, 44);
        ck_assert_uint_eq(member_of(layout, "_KTHREAD.Type").offset, 40 + 8 + 3);
        ck_assert(!stasis_layout_member(layout, "_KTHREAD.unnamed_field_0", &m));
        stasis_layout_close(layout);
}
END_TEST

START_TEST(names_and_symbols)
{
        struct stasis_layout *layout = parsed(text);
        struct stasis_name names[8];
        ck_assert_uint_eq(stasis_layout_bits(layout, "_KTHREAD.Flags", names, 8),
                          2); /* Other overlaps Low, which comes first */
        ck_assert(names[0].bit == 0 && names[0].len == 4 && names[1].bit == 4 && names[1].len == 1);
        ck_assert_str_eq(names[1].name, "Alertable");
        ck_assert_uint_eq(stasis_layout_enum(layout, "_KWAIT_REASON", names, 8), 3);
        ck_assert_str_eq(names[0].name, "None");
        ck_assert_str_eq(names[2].name, "WrKernel");
        ck_assert_uint_eq(stasis_layout_enum(layout, "_NONE", names, 8), 0);
        uint64_t rva = 0;
        ck_assert(stasis_layout_symbol(layout, "PsActiveProcessHead", &rva) && rva == 12705728);
        ck_assert(stasis_layout_symbol(layout, "_text", &rva) && rva == 0xffffffff81000000);
        ck_assert(!stasis_layout_symbol(layout, "_tex", &rva));
        ck_assert(!stasis_layout_symbol(stasis_layout_at(0), "_text", &rva));
        stasis_layout_close(layout);
}
END_TEST

START_TEST(identity)
{
        struct stasis_layout *layout = parsed(text);
        struct stasis_pdb_id pdb;
        uint32_t version[4];
        stasis_layout_version(layout, version);
        ck_assert(version[0] == 10 && version[1] == 0 && version[2] == 19041 && version[3] == 7);
        static const uint8_t guid[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        ck_assert(layout_isf_pdb(layout, &pdb) && pdb.age == 3);
        ck_assert_mem_eq(pdb.guid, guid, 16);
        ck_assert(!layout_isf_pdb(stasis_layout_at(0), &pdb));
        stasis_layout_close(layout);

        /* a PDB that the built-in tables know tells the version */
        layout = parsed(
                "{\"metadata\":{\"windows\":{\"pdb\":{\"age\":1,\"GUID\":\"1b4a6f5e0766c552c90710c8acc0295c\"}}},"
                "\"user_types\":{}," BASES "}");
        stasis_layout_version(layout, version);
        ck_assert(version[0] == 10 && version[1] == 0 && version[2] == 19041 && version[3] == 1237);
        stasis_layout_close(layout);
}
END_TEST

/* Every one is refused with a line that names the file. */
START_TEST(broken)
{
#define WITH(types) "{" BASES ",'user_types':{" types "}}"
#define ONE(field) WITH("'_S':{'kind':'struct','size':8,'fields':{'f':" field "}}")
#define BITS(position, length) \
        ONE("{'offset':0,'type':{'kind':'bitfield','bit_position':" position ",'bit_length':" length "," \
            "'type':{'kind':'base','name':'unsigned long'}}}")
#define AT(offset) ONE("{'offset':" offset ",'type':{'kind':'base','name':'unsigned long'}}")
        static const char *const texts[] = {
                "",
                " ",
                "[]",
                "{}",
                "x",
                "{",
                "'",
                "{'user_types':{}}",
                "{" BASES "}",
                "{" BASES ",'user_types':{}",
                "{'base_types':{},'user_types':{}}", /* no pointer */
                "{'base_types':{'pointer':{'size':16,'kind':'int'}},'user_types':{}}",
                ONE("{'offset':0}"),
                AT("-8"),
                AT("4294967296"),
                AT("99999999999999999999999"),
                ONE("{'offset':0,'type':{'kind':'array','count':4294967295,'subtype':{'kind':'base','name':'char'}}}"),
                BITS("32", "1"),
                BITS("0", "0"),
                BITS("1", "18446744073709551615"),
                WITH("'_S':{'kind':'struct','size':-1,'fields':{}}"),
                "\xfd\x37zXZ",
        };
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
                char *copy = quoted(texts[i]);
                struct stasis_layout *layout = NULL;
                struct stasis_error err = { .text = "" };
                ck_assert_msg(parse(copy, strlen(copy), &layout, &err) != STASIS_OK, "%zu: %s", i, copy);
                ck_assert_ptr_null(layout);
                ck_assert_msg(strncmp(err.text, "test.json: ", 11) == 0, "%zu: %s", i, err.text);
                free(copy);
        }
        struct stasis_layout *layout = NULL;
        ck_assert_int_ne(parse("\xfd"
                               "7zXZ\0not xz really",
                               20, &layout, NULL),
                         STASIS_OK);
        layout = parsed(AT("4")); /* what the broken ones are made of is not broken itself */
        stasis_layout_close(layout);
        stasis_layout_close(parsed(BITS("31", "1")));
}
END_TEST

static char *repeated(const char *head, const char *piece, size_t count, const char *tail)
{
        char *json = malloc(strlen(head) + count * strlen(piece) + strlen(tail) + 1), *at = json;
        ck_assert_ptr_nonnull(json);
        at = stpcpy(at, head);
        while (count--)
                at = stpcpy(at, piece);
        strcpy(at, tail);
        return json;
}

/* What is wrong, and where, is said. */
static const struct {
        const char *json, *error;
} wrongs[] = {
        { ONE("{'offset':0}"), "_S.f: no type" },
        { ONE("{'type':{'kind':'base','name':'char'},'offset':'0'}"), "_S.f: offset is no whole number" },
        { ONE("{'type':{'kind':'base','name':'char'},'offset':0.5}"), "_S.f: offset is no whole number" },
        { ONE("{'type':[]}"), "_S.f: no type" },
        { ONE("[]"), "_S.f: no type" },
        { AT("268435457"), "_S.f: offset out of range" },
        { BITS("32", "1"), "_S.f: a bit-field that is not inside its word" },
        { WITH("'_S':{'size':[]}"), "_S: size is no whole number" },
        { "{" BASES ",'user_types':{},'enums':{'E':{'constants':{'a':{}}}}}", "E: a is no whole number" },
        { "{" BASES ",'user_types':{},'enums':[]}", "enums: is no object" },
        { "{" BASES ",'user_types':{},'symbols':{'s':{'address':true}}}", "s: address is no whole number" },
        { "{'base_types':{},'user_types':{}}", "base_types: no pointer of 4 or 8 bytes" },
        { "{" BASES ",'user_types':[]}", "not an ISF: no JSON object with base_types and user_types" },
        { "{" BASES ",'user_types':{}", "no whole JSON object" },
        { WITH("") "\n{}", "broken JSON at byte" },
        { WITH("") " x", "broken JSON at byte" },
        { "{'a' 1}", "broken JSON at byte 5: object property name separator ':' expected" },
        { "{/**/}", "broken JSON at byte" },
        { AT("99999999999999999999"), "_S.f: offset out of range" },
};
START_TEST(wrong_is_said)
{
        char *copy = quoted(wrongs[_i].json);
        struct stasis_layout *layout = NULL;
        struct stasis_error err = { .text = "" };
        ck_assert_msg(parse(copy, strlen(copy), &layout, &err) == STASIS_CORRUPT, "%s", copy);
        ck_assert_msg(strncmp(err.text, "test.json: ", 11) == 0 &&
                              strncmp(err.text + 11, wrongs[_i].error, strlen(wrongs[_i].error)) == 0,
                      "%s: %s", copy, err.text);
        free(copy);
}
END_TEST

/* Null is nothing; of two with one name the last one counts; names may be escaped. */
START_TEST(odd_but_right)
{
        struct stasis_layout *layout =
                parsed("{" BASES ",'symbols':null,'enums':null,'metadata':null,'user_types':{'_S':{'size':1},'_N':null,"
                       "'_\\u0053':{'size':8,'fields':{'f':{'type':{'kind':'base','name':'char'},'offset':1},"
                       "'f':{'type':{'kind':'base','name':'char'},'offset':2}}}}} \n\t ");
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "_S"), 8);
        ck_assert_uint_eq(member_of(layout, "_S.f").offset, 2);
        stasis_layout_close(layout);
}
END_TEST

/* The text crosses the pieces in which it is read. */
START_TEST(large)
{
        struct stasis_layout *layout = NULL;
        struct stasis_error err;
        char *head = quoted("{" BASES ",'user_types':{'_S':{'size':8}},'symbols':{"),
             *piece = quoted("'s':{'address':7},");
        char *json = repeated(head, piece, 150000, "\"s\":{\"address\":12345}}}");
        uint64_t rva;
        ck_assert_uint_gt(strlen(json), 2 << 20);
        ck_assert_int_eq(parse(json, strlen(json), &layout, &err), STASIS_OK);
        ck_assert(stasis_layout_symbol(layout, "s", &rva) && rva == 12345);
        stasis_layout_close(layout);
        layout = NULL;
        free(json);
        json = repeated("{}", "        ", 300000, "x");
        ck_assert_int_eq(parse(json, strlen(json), &layout, &err), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "test.json: more text after the end of the JSON");
        free(json);
        free(piece);
        free(head);
}
END_TEST

/* Cut anywhere, and nested deeper than anything real. */
START_TEST(cut_and_deep)
{
        struct stasis_layout *layout = NULL;
        struct stasis_member m;
        char *copy = quoted(text);
        for (size_t len = 0; len + 2 < sizeof text; len++)
                ck_assert_int_ne(parse(copy, len, &layout, NULL), STASIS_OK);
        free(copy);
        size_t deep = 1 << 20;
        char *json = malloc(deep);
        ck_assert_ptr_nonnull(json);
        memset(json, '[', deep);
        memcpy(json, "{\"x\":", 5);
        struct stasis_error err;
        ck_assert_int_eq(parse(json, deep, &layout, &err), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "test.json: broken JSON at byte 36: nesting too deep");
        free(json);

        /* a structure that holds itself unnamed: not flattened */
        layout = parsed(ONE("{'offset':1,'anonymous':true,'type':{'kind':'struct','name':'_S'}}"));
        ck_assert(stasis_layout_member(layout, "_S.f.f.f", &m) && m.offset == 3);
        stasis_layout_close(layout);
}
END_TEST

static enum stasis_status open_bytes(const void *bytes, size_t len, struct stasis_layout **ret_layout,
                                     struct stasis_error *err)
{
        char path[] = "/tmp/stasis-isf-XXXXXX";
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
        close(fd);
        enum stasis_status status = stasis_layout_open_isf(path, ret_layout, err);
        unlink(path);
        return status;
}

START_TEST(files)
{
        struct stasis_layout *layout = NULL;
        struct stasis_error err;
        char *json = quoted(text);
        ck_assert_int_eq(open_bytes(json, sizeof text - 1, &layout, &err), STASIS_OK);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "_KTHREAD"), 96);
        stasis_layout_close(layout);
        layout = NULL;
        ck_assert_int_eq(stasis_layout_open_isf("/tmp", &layout, &err), STASIS_USAGE);
        ck_assert_int_eq(stasis_layout_open_isf("/tmp/there is no such file", &layout, &err), STASIS_IO);
        ck_assert_ptr_null(layout);
#ifdef HAVE_LZMA
        static uint8_t packed[sizeof text + 1024];
        size_t len = 0;
        ck_assert_int_eq(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)json, sizeof text - 1,
                                                 packed, &len, sizeof packed),
                         LZMA_OK);
        ck_assert_int_eq(open_bytes(packed, len, &layout, &err), STASIS_OK);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "_KTHREAD"), 96);
        stasis_layout_close(layout);
        layout = NULL;
        ck_assert_int_eq(open_bytes(packed, len - 8, &layout, &err), STASIS_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, ": truncated xz data"));
        packed[len / 2] ^= 0x10;
        ck_assert_int_eq(open_bytes(packed, len, &layout, &err), STASIS_CORRUPT);
#endif
        free(json);
}
END_TEST

#ifdef HAVE_LZMA
/* Little that unpacks to much: blanks, a tree. */
START_TEST(bombs)
{
        static const char *const piece[] = { "        ", "[],0,{}," }, *const head[] = { "        ", "[   0,0," };
        static const char *const error[] = { "test.json: more than 512 MiB of JSON",
                                             "test.json: reading it would need more than 2048 MiB of memory" };
        size_t i = (size_t)_i, size = 1 << 20, len = 0;
        uint8_t *block = malloc(size), *packed = malloc(size);
        ck_assert(block && packed);
        lzma_stream stream = LZMA_STREAM_INIT;
        ck_assert_int_eq(lzma_easy_encoder(&stream, 0, LZMA_CHECK_NONE), LZMA_OK);
        for (size_t at = 0; at < size; at++)
                block[at] = (uint8_t)piece[i][at % strlen(piece[i])];
        memcpy(block, head[i], 8);
        stream.next_out = packed;
        stream.avail_out = size;
        for (unsigned mib = 0; mib < 520; mib++) {
                stream.next_in = block;
                stream.avail_in = size;
                ck_assert_int_eq(lzma_code(&stream, LZMA_RUN), LZMA_OK);
                memcpy(block, piece[i], 8);
        }
        ck_assert_int_eq(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
        len = size - stream.avail_out;
        lzma_end(&stream);
        struct stasis_layout *layout = NULL;
        struct stasis_error err;
        ck_assert_int_eq(parse((const char *)packed, len, &layout, &err), STASIS_LIMIT);
        ck_assert_str_eq(err.text, error[i]);
        free(packed);
        free(block);
}
END_TEST
#endif

int main(void)
{
        Suite *suite = suite_create("layout-isf");
        TCase *tcase = tcase_create("isf");
        tcase_add_test(tcase, members);
        tcase_add_test(tcase, unnamed_members_are_flat);
        tcase_add_test(tcase, names_and_symbols);
        tcase_add_test(tcase, identity);
        tcase_add_test(tcase, broken);
        tcase_add_loop_test(tcase, wrong_is_said, 0, sizeof wrongs / sizeof *wrongs);
        tcase_add_test(tcase, odd_but_right);
        tcase_add_test(tcase, large);
        tcase_add_test(tcase, cut_and_deep);
        tcase_add_test(tcase, files);
#ifdef HAVE_LZMA
        tcase_add_loop_test(tcase, bombs, 0, 2);
#endif
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
