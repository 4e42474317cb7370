/* SPDX-License-Identifier: MIT */
/* Files of --symbols that are of the kernel in the image, and files that are not. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stasis/stasis.h>

#include "../../test/tiny_linux.h"

#define SLIDE UINT64_C(0x12600000)
#define NOTE_PA 0x3f0000u

static struct tl t;
static struct stasis_image *image;
static struct stasis_system *sys;
static struct stasis_error err;
static char path[] = "/tmp/given-XXXXXX";

static void build(bool btf)
{
        static const struct tl_kind kind = { PT_X64, KSYMS_BEFORE, true, false, true, true, SLIDE };
        struct tl_kind of = kind;
        of.btf = btf;
        tl_build(&t, &of);
}

static enum stasis_status try_with(const void *bytes, size_t len)
{
        const struct stasis_image_options options = { .format = "raw" };
        const char *const files[] = { path };
        const struct stasis_system_options with = { .symbols = files, .symbol_count = 1 };
        strcpy(path, "/tmp/given-XXXXXX");
        int fd = mkstemp(path);
        ck_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && close(fd) == 0);
        stasis_system_close(sys);
        stasis_image_close(image);
        sys = NULL;
        ck_assert_int_eq(stasis_image_open_memory(t.mem, TL_LEN, "tiny", &options, &image, &err), STASIS_OK);
        enum stasis_status status = stasis_system_open(image, &with, &sys, &err);
        unlink(path);
        return status;
}

static void teardown(void)
{
        stasis_system_close(sys);
        stasis_image_close(image);
        sys = NULL;
        image = NULL;
}

static bool noted(const char *code)
{
        size_t notes;
        const struct stasis_note *all = stasis_system_notes(sys, &notes);
        for (size_t i = 0; i < notes; i++)
                if (!strcmp(all[i].code, code))
                        return true;
        return false;
}

static bool traced(bool success, const char *words)
{
        size_t lines;
        const struct stasis_trace *trace = stasis_system_trace(sys, &lines);
        for (size_t i = 0; i < lines; i++)
                if (!strcmp(trace[i].step, "symbols") && trace[i].success == success && strstr(trace[i].text, words))
                        return true;
        return false;
}

static void refused(enum stasis_status status, const char *words)
{
        ck_assert_int_eq(status, STASIS_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, "of another kernel than the image's (6.1.99-tiny)") && strstr(err.text, words) &&
                              strstr(err.text, path),
                      "%s", err.text);
        ck_assert(traced(false, "of another kernel"));
}

/* ---- a System.map: every symbol where it was linked; one in so many somewhere else */

static char text[65536];

static size_t map_text(unsigned every, unsigned digits)
{
        size_t used = 0;
        for (size_t i = 0; i < t.symbols.count; i++) {
                const struct ksyms_symbol *s = &t.symbols.symbol[i];
                uint64_t address = s->address < 0x1000000 ? s->address : s->address - SLIDE;
                if (every && i % every == 0 && strcmp(s->name, "_stext") != 0)
                        address += 0x40;
                used += (size_t)snprintf(text + used, sizeof text - used, "%0*llx %c %s\n", (int)digits,
                                         (unsigned long long)(digits == 8 ? address & UINT32_MAX : address), s->type,
                                         s->name);
        }
        ck_assert_uint_lt(used, sizeof text);
        return used;
}

START_TEST(system_map)
{
        build(true);
        ck_assert_int_eq(try_with(text, map_text(0, 16)), STASIS_OK);
        ck_assert(!noted("symbols-doubtful") && traced(true, "that both know"));
        refused(try_with(text, map_text(1, 16)), "0 lie where the image has them");
        ck_assert_int_eq(try_with(text, map_text(4, 16)), STASIS_OK);
        ck_assert(noted("symbols-doubtful") && traced(false, "that both know"));
        ck_assert_int_eq(try_with(text, map_text(20, 16)), STASIS_OK); /* a few names are there twice */
        ck_assert(!noted("symbols-doubtful"));
        ck_assert(!noted("symbols-unused"));
        refused(try_with(text, map_text(0, 8)), "it is of 32 bits");
        size_t len = map_text(0, 16);
        char *stext = strstr(text, "_stext");
        ck_assert(stext != NULL);
        memcpy(stext, "_other", 6); /* a file that was cut: nothing tells where the rest of it ran */
        ck_assert_int_eq(try_with(text, len), STASIS_OK);
        ck_assert(noted("symbols-unused") && traced(false, "tells no _stext"));
}
END_TEST

/* ---- BTF: that of the image, and with one member elsewhere */

static uint8_t btf[65536];

/* Members are {name, type, offset in bits}: Documentation/bpf/btf.rst. */
static size_t btf_moved(const char *name, uint32_t offset, uint32_t by)
{
        size_t len = t.btf_len, strings = 24;
        struct tl *other = calloc(1, sizeof *other);
        const struct tl_kind kind = { PT_X64, KSYMS_BEFORE, true, true, true, true, SLIDE };
        ck_assert(other != NULL);
        tl_build(other, &kind);
        len = other->btf_len;
        ck_assert(len < sizeof btf);
        memcpy(btf, other->mem + other->btf, len);
        free(other);
        uint32_t off, place = 0;
        memcpy(&off, btf + 16, 4);
        strings += off;
        for (size_t i = strings; i + strlen(name) < len && !place; i++)
                if (btf[i] == 0 && strcmp((char *)btf + i + 1, name) == 0)
                        place = (uint32_t)(i + 1 - strings);
        ck_assert(place != 0);
        for (size_t i = 24; by && i + 12 <= strings; i += 4) {
                const uint32_t bits = offset * 8, moved = (offset + by) * 8;
                if (memcmp(btf + i, &place, 4) == 0 && memcmp(btf + i + 8, &bits, 4) == 0) {
                        memcpy(btf + i + 8, &moved, 4);
                        return len;
                }
        }
        ck_assert(!by);
        return len;
}

START_TEST(types)
{
        build(true);
        ck_assert_int_eq(try_with(btf, btf_moved("comm", 0, 0)), STASIS_OK);
        refused(try_with(btf, btf_moved("comm", t.offset[TL_COMM], 16)), "task_struct.comm lies at");
        build(false); /* no witness but init_task itself */
        ck_assert_int_eq(try_with(btf, btf_moved("comm", 0, 0)), STASIS_OK);
        refused(try_with(btf, btf_moved("comm", t.offset[TL_COMM], 16)),
                "init_task is not called swapper where its types say");
}
END_TEST

/* A line of VMCOREINFO that contradicts, in the place of one as long that nobody reads. */
static void note_line(const char *key, unsigned value)
{
        static size_t at; /* in every tiny Linux the same */
        char line[64], *found = memmem(t.mem + NOTE_PA, 4096, "NUMBER(PG_lru)=", 15);
        at = found ? (size_t)(found - (char *)t.mem) : at;
        snprintf(line, sizeof line, "%s%0*u", key, (int)(51 - strlen(key)), value);
        ck_assert(at && strlen(line) == 51);
        memcpy(t.mem + at, line, 51);
}

START_TEST(vmcoreinfo)
{
        size_t len;
        build(false);
        len = btf_moved("comm", 0, 0);
        note_line("OFFSET(task_struct.comm)=", t.offset[TL_COMM]);
        ck_assert_int_eq(try_with(btf, len), STASIS_OK);
        note_line("OFFSET(task_struct.comm)=", t.offset[TL_COMM] + 8);
        refused(try_with(btf, len), "OFFSET(task_struct.comm) is");
        note_line("OFFSET(no_such_struct.comm)=", 8);
        ck_assert_int_eq(try_with(btf, len), STASIS_OK);
        note_line("SIZE(task_struct)=0000000000000", 3); /* longer than a number: not read */
        ck_assert_int_eq(try_with(btf, len), STASIS_OK);
}
END_TEST

/* ---- an ELF file with a note and BTF; VMCOREINFO says that the build id is 19 bytes of 0 and one of 7 */

static void le(uint8_t *at, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                at[i] = (uint8_t)(value >> 8 * i);
}

static size_t elf_with(uint8_t *elf, size_t btf_len, uint8_t last)
{
        static const char names[] = "\0.BTF";
        const uint64_t at[4][3] = { { 0, 0, 0 }, { 7, 0x100, 56 }, { 1, 0x200, btf_len }, { 3, 0x180, sizeof names } };
        memset(elf, 0, 0x200);
        memcpy(elf, "\177ELF\2\1\1", 7);
        le(elf + 40, 8, 0x200 + btf_len);
        le(elf + 58, 2, 64);
        le(elf + 60, 2, 4);
        le(elf + 62, 2, 3);
        /* another note first, of an odd length */
        le(elf + 0x100, 4, 3);
        le(elf + 0x104, 4, 1);
        le(elf + 0x108, 4, 3);
        memcpy(elf + 0x10c, "Xe", 3);
        le(elf + 0x114, 4, 4);
        le(elf + 0x118, 4, 20);
        le(elf + 0x11c, 4, 3);
        memcpy(elf + 0x120, "GNU", 4);
        elf[0x124 + 19] = last;
        memcpy(elf + 0x180, names, sizeof names);
        memcpy(elf + 0x200, btf, btf_len);
        memset(elf + 0x200 + btf_len, 0, 256);
        for (unsigned i = 1; i < 4; i++) {
                uint8_t *h = elf + 0x200 + btf_len + 64 * i;
                le(h, 4, i == 2);
                le(h + 4, 4, at[i][0]);
                le(h + 24, 8, at[i][1]);
                le(h + 32, 8, at[i][2]);
        }
        return 0x200 + btf_len + 256;
}

START_TEST(build_id)
{
        static uint8_t elf[sizeof btf + 4096];
        build(false);
        size_t len = btf_moved("comm", 0, 0);
        note_line("OFFSET(task_struct.comm)=", t.offset[TL_COMM] + 8);
        ck_assert_int_eq(try_with(elf, elf_with(elf, len, 7)),
                         STASIS_OK); /* it is the very build: nothing else asked */
        ck_assert(traced(true, "has the build id of the image's kernel"));
        build(false);
        refused(try_with(elf, elf_with(elf, len, 8)), "its build id is not that");
        len = elf_with(elf, len, 8);
        le(elf + 0x118, 4, 300); /* cut */
        ck_assert_int_eq(try_with(elf, len), STASIS_OK);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("given");
        TCase *tc = tcase_create("given");
        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_test(tc, system_map);
        tcase_add_test(tc, types);
        tcase_add_test(tc, vmcoreinfo);
        tcase_add_test(tc, build_id);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
