/* SPDX-License-Identifier: MIT */
/* The files that --symbols takes: known by content, put together, refused with a line that names the file. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"

static char folder[] = "/tmp/stasis-symbols-XXXXXX";

static const char *file(const char *name, const void *bytes, size_t len)
{
        static char path[8][128];
        static unsigned next;
        char *to = path[next++ % 8];
        snprintf(to, sizeof path[0], "%s/%s", folder, name);
        FILE *out = fopen(to, "wb");
        ck_assert(out && fwrite(bytes, 1, len, out) == len && fclose(out) == 0);
        return to;
}

static const char *text_file(const char *name, const char *text) { return file(name, text, strlen(text)); }

/* Types: int "long int" of 8 bytes; struct s { long a; } of 8. Numbers after Documentation/bpf/btf.rst. */
static const uint8_t btf[] = {
        0x9f, 0xeb, 1,   0,   24,  0,   0,   0,   0,   0, 0,   0, 40,  0, 0, 0, 40, 0, 0, 0, 14, 0, 0, 0, /* header */
        1,    0,    0,   0,   0,   0,   0,   1,   8,   0, 0,   0, 64,  0, 0, 1,                           /* long int */
        10,   0,    0,   0,   1,   0,   0,   4,   8,   0, 0,   0, 12,  0, 0, 0, 1,  0, 0, 0, 0,  0, 0, 0, /* struct s */
        0,    'l',  'o', 'n', 'g', ' ', 'i', 'n', 't', 0, 's', 0, 'a', 0,
};

static const char isf[] = " {\"base_types\":{\"pointer\":{\"size\":8,\"kind\":\"int\"}},\"symbols\":{\"_text\":{"
                          "\"address\":4096},\"only_isf\":{\"address\":1}},\"user_types\":{\"s\":{\"size\":16,"
                          "\"fields\":{}}}}";

static const char map64[] = "0000000000000000 D __per_cpu_start\n"
                            "ffffffff81000000 T _text\n"
                            "ffffffff81000000 t twice\n"
                            "ffffffff82a1aa40 D init_task\n"
                            "ffffffff82a1aa50 t twice\n"
                            "                 w __start_BTF\n"
                            "ffffffffc0254000 t fw_cfg_showrev\t[qemu_fw_cfg]\n";

static enum stasis_status open_files(const char *a, const char *b, struct stasis_layout **ret_layout, const char *text)
{
        const char *paths[2] = { a, b };
        struct stasis_error err = { .text = "" };
        enum stasis_status status = stasis_layout_open_symbols(paths, b ? 2 : 1, ret_layout, &err);
        ck_assert_msg(text ? strstr(err.text, text) != NULL : status == STASIS_OK, "%s", err.text);
        return status;
}

static void symbol_is(const struct stasis_layout *layout, const char *name, uint64_t address)
{
        uint64_t found = 0;
        ck_assert_msg(stasis_layout_symbol(layout, name, &found), "%s", name);
        ck_assert_msg(found == address, "%s: %llx", name, (unsigned long long)found);
}

START_TEST(system_map)
{
        struct stasis_layout *layout = NULL;
        struct stasis_member m;
        uint64_t address;
        const char *path = text_file("System.map", map64);
        open_files(path, NULL, &layout, NULL);
        ck_assert_str_eq(stasis_layout_name(layout), path);
        ck_assert_uint_eq(stasis_layout_pointer_size(layout), 8);
        symbol_is(layout, "__per_cpu_start", 0);
        symbol_is(layout, "_text", 0xffffffff81000000);
        symbol_is(layout, "init_task", 0xffffffff82a1aa40);
        symbol_is(layout, "twice", 0xffffffff81000000);
        symbol_is(layout, "fw_cfg_showrev", 0xffffffffc0254000);
        ck_assert(!stasis_layout_symbol(layout, "__start_BTF", &address));
        ck_assert(!stasis_layout_symbol(layout, "_tex", &address));
        ck_assert(!stasis_layout_symbol(layout, "_text2", &address));
        ck_assert(stasis_layout_has_symbols(layout) && !stasis_layout_has_types(layout));
        ck_assert(!stasis_layout_member(layout, "s.a", &m) && stasis_layout_sizeof(layout, "s") == 0);
        ck_assert_uint_eq(stasis_layout_enum(layout, "s", NULL, 0), 0);
        stasis_layout_close(layout);
}
END_TEST

/* Debian's 32-bit maps begin with what is not defined. */
START_TEST(system_map_32)
{
        struct stasis_layout *layout = NULL;
        open_files(text_file("m", "         w __start_BTF\n00000020 a i\nc1000000 T _text"), NULL, &layout, NULL);
        ck_assert_uint_eq(stasis_layout_pointer_size(layout), 4);
        symbol_is(layout, "_text", 0xc1000000);
        symbol_is(layout, "i", 0x20);
        stasis_layout_close(layout);
}
END_TEST

START_TEST(several)
{
        struct stasis_layout *layout = NULL;
        struct stasis_member m;
        const char *map = text_file("System.map", map64), *types = file("k.btf", btf, sizeof btf);
        open_files(map, types, &layout, NULL);
        ck_assert(stasis_layout_has_symbols(layout) && stasis_layout_has_types(layout));
        ck_assert(strstr(stasis_layout_name(layout), "System.map, ") != NULL);
        symbol_is(layout, "_text", 0xffffffff81000000);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "s"), 8);
        ck_assert(stasis_layout_member(layout, "s.a", &m) && m.size == 8 && m.type == STASIS_TYPE_SIGNED);
        stasis_layout_close(layout);

        /* both have types and both have symbols: the first one's count, and what only the second knows */
        open_files(types, text_file("k.json", isf), &layout, NULL);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "s"), 8);
        symbol_is(layout, "_text", 4096);
        stasis_layout_close(layout);
        open_files(text_file("k.json", isf), map, &layout, NULL);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "s"), 16);
        symbol_is(layout, "_text", 4096);
        symbol_is(layout, "init_task", 0xffffffff82a1aa40);
        stasis_layout_close(layout);
}
END_TEST

/* ---- ELF: a file with .BTF, .symtab, .strtab, .shstrtab, laid out by hand after the gABI */

static void le(uint8_t *at, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                at[i] = (uint8_t)(value >> 8 * i);
}

struct elf {
        uint8_t bytes[4096];
        bool is64;
        size_t len;
        unsigned sections;
        uint8_t headers[10 * 64];
};

static void elf_section(struct elf *elf, uint32_t name, uint32_t type, const void *bytes, size_t len, uint32_t link)
{
        uint8_t *h = elf->headers + elf->sections++ * (elf->is64 ? 64 : 40);
        le(h, 4, name);
        le(h + 4, 4, type);
        le(h + (elf->is64 ? 24 : 16), elf->is64 ? 8 : 4, elf->len);
        le(h + (elf->is64 ? 32 : 20), elf->is64 ? 8 : 4, len);
        le(h + (elf->is64 ? 40 : 24), 4, link);
        memcpy(elf->bytes + elf->len, bytes, len);
        elf->len += len;
}

static void elf_symbol(struct elf *elf, uint8_t *at, uint32_t name, uint8_t type, uint16_t section, uint64_t value)
{
        le(at, 4, name);
        at[elf->is64 ? 4 : 12] = type;
        le(at + (elf->is64 ? 6 : 14), 2, section);
        le(at + (elf->is64 ? 8 : 4), elf->is64 ? 8 : 4, value);
}

/* shstrtab: 1 ".BTF", 6 ".symtab"; strtab: 1 "_text", 7 "undefined", 17 "file.c", 24 "absolute" */
static void elf_make(struct elf *elf, bool is64, bool with_btf)
{
        static const char names[] = "\0.BTF\0.symtab", strings[] = "\0_text\0undefined\0file.c\0absolute";
        size_t size = is64 ? 24 : 16;
        uint8_t symbols[5 * 24] = { 0 };
        *elf = (struct elf){ .is64 = is64, .len = 64 };
        memcpy(elf->bytes, "\177ELF", 4);
        elf->bytes[4] = is64 ? 2 : 1;
        elf->bytes[5] = 1;
        elf_symbol(elf, symbols + size, 1, 0x10, 1, is64 ? 0xffffffff81000000 : 0xc1000000);
        elf_symbol(elf, symbols + 2 * size, 7, 0x10, 0, 1);
        elf_symbol(elf, symbols + 3 * size, 17, 4, 0xfff1, 0);
        elf_symbol(elf, symbols + 4 * size, 24, 0, 0xfff1, 0x20);
        elf_section(elf, 0, 0, "", 0, 0);
        elf_section(elf, with_btf ? 1 : 6, 1, btf, sizeof btf, 0);
        elf_section(elf, 6, 2, symbols, 5 * size, 3);
        elf_section(elf, 0, 3, strings, sizeof strings, 0);
        elf_section(elf, 0, 3, names, sizeof names, 0);
        le(elf->bytes + (is64 ? 40 : 32), is64 ? 8 : 4, elf->len);
        le(elf->bytes + (is64 ? 58 : 46), 2, is64 ? 64 : 40);
        le(elf->bytes + (is64 ? 60 : 48), 2, elf->sections);
        le(elf->bytes + (is64 ? 62 : 50), 2, 4);
        memcpy(elf->bytes + elf->len, elf->headers, elf->sections * (is64 ? 64u : 40u));
        elf->len += elf->sections * (is64 ? 64u : 40u);
}

START_TEST(elf)
{
        struct elf made;
        struct stasis_layout *layout = NULL;
        uint64_t address;
        elf_make(&made, true, true);
        open_files(file("vmlinux", made.bytes, made.len), NULL, &layout, NULL);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "s"), 8);
        symbol_is(layout, "_text", 0xffffffff81000000);
        symbol_is(layout, "absolute", 0x20);
        ck_assert(!stasis_layout_symbol(layout, "undefined", &address));
        ck_assert(!stasis_layout_symbol(layout, "file.c", &address));
        stasis_layout_close(layout);

        elf_make(&made, false, false);
        open_files(file("vmlinux", made.bytes, made.len), NULL, &layout, NULL);
        ck_assert(!stasis_layout_has_types(layout));
        ck_assert_uint_eq(stasis_layout_pointer_size(layout), 4);
        symbol_is(layout, "_text", 0xc1000000);
        stasis_layout_close(layout);
}
END_TEST

START_TEST(elf_cut)
{
        struct elf made;
        struct stasis_layout *layout = NULL;
        elf_make(&made, true, true);
        for (size_t len = 4; len < made.len; len++)
                ck_assert_int_eq(open_files(file("vmlinux", made.bytes, len), NULL, &layout, "ELF: "), STASIS_CORRUPT);
        size_t headers = made.len - 5 * 64;
        made.bytes[headers + 2 * 64 + 4] = 1; /* no symbols */
        made.bytes[headers + 64] = 6;         /* no .BTF */
        ck_assert_int_eq(open_files(file("vmlinux", made.bytes, made.len), NULL, &layout, "ELF without BTF"),
                         STASIS_ABSENT);
        made.bytes[5] = 2;
        ck_assert_int_eq(open_files(file("vmlinux", made.bytes, made.len), NULL, &layout, "big-endian"),
                         STASIS_UNSUPPORTED);
}
END_TEST

START_TEST(refused)
{
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "hello", "neither an ELF file" },
                { " \n", "neither an ELF file" },
                { "{", "no whole JSON" },
                { "\x9f\xeb\x01", "BTF: cut" },
                { "c1000000 T _text\nc1000004 T\n", "line 2: not 'address type name'" },
                { "c1000000 T _text\nc1000004 T a\nffffffff81000000 T b\n", "line 3: not" },
                { "c1000000 T _text\n\n", "line 2: not" },
                { "c100000g T _text\n", "neither an ELF file" },
                { "c1000000 T  x\n", "neither an ELF file" },
        };
        struct stasis_layout *layout = NULL;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
                ck_assert_int_eq(open_files(text_file("bad", cases[i].text), NULL, &layout, cases[i].says),
                                 STASIS_CORRUPT);
        ck_assert_int_eq(open_files("/nowhere/at/all", NULL, &layout, "/nowhere/at/all: "), STASIS_IO);
        ck_assert_int_eq(open_files("/dev/null", NULL, &layout, "not a regular file"), STASIS_USAGE);
        ck_assert_int_eq(open_files("/tmp", NULL, &layout, "name the file itself"), STASIS_USAGE);
        ck_assert_int_eq(open_files(text_file("a", map64), text_file("b", "c1000000 T _text\n"), &layout,
                                    "b: of a 32-bit kernel"),
                         STASIS_CORRUPT);
        ck_assert_int_eq(stasis_layout_open_symbols(NULL, 0, &layout, NULL), STASIS_USAGE);
        ck_assert_ptr_null(layout);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("symbols");
        TCase *tc = tcase_create("symbols");
        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, system_map);
        tcase_add_test(tc, system_map_32);
        tcase_add_test(tc, several);
        tcase_add_test(tc, elf);
        tcase_add_test(tc, elf_cut);
        tcase_add_test(tc, refused);
        suite_add_tcase(suite, tc);
        if (!mkdtemp(folder))
                return 1;
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        char command[128];
        snprintf(command, sizeof command, "rm -r %s", folder);
        /* NOLINTNEXTLINE(cert-env33-c): a command of the test's own, in a folder of its own */
        return system(command) != 0 || failed != 0;
}
