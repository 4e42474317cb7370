/* SPDX-License-Identifier: MIT */
/* DWARF. A compiler makes it out of the structures below, in each version that kernels have been built with. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"

static char folder[] = "/tmp/stasis-dwarf-XXXXXX";

/* Places of x86-64, by the System V psABI: written into the test below, not taken from a compiler. */
static const char source[] =
        "typedef int pid_t;\n"
        "struct list_head { struct list_head *next, *prev; };\n"
        "enum pid_type { PIDTYPE_TGID = 1, PIDTYPE_NONE = -1, PIDTYPE_PID = 0 };\n"
        "typedef struct { unsigned counter; } refs_t;\n"
        "struct css_set;\n"
        "struct elsewhere;\n"
        "struct task_struct {\n"
        "  volatile unsigned __state;\n"                                                                 /* 0 */
        "  const pid_t tgid;\n"                                                                          /* 4 */
        "  unsigned sched_a : 1, sched_b : 2, sched_wide : 29;\n"                                        /* 8 */
        "  struct list_head tasks;\n"                                                                    /* 16 */
        "  union { unsigned long wide; struct { int none; unsigned deep; struct list_head list; }; };\n" /* 32, 24 */
        "  char comm[16];\n"                                                                             /* 56 */
        "  unsigned grid[3][2];\n"                                                                       /* 72 */
        "  struct css_set *cgroups;\n"                                                                   /* 96 */
        "  refs_t usage;\n"                                                                              /* 104 */
        "  enum pid_type which;\n"                                                                       /* 108 */
        "  double load;\n"                                                                               /* 112 */
        "  struct elsewhere *other;\n"                                                                   /* 120 */
        "  unsigned char tail[];\n"                                                                      /* 128 */
        "} task;\n"
        "union choice { long a; char b[24]; } choice;\n"
        "struct packed { unsigned char low; unsigned a : 12, b : 12; } __attribute__((packed)) packed;\n";
/* A second unit, which says what the first one only declares, and the first structure once more. */
static const char source2[] = "struct elsewhere { long a, b; };\n"
                              "struct list_head { struct list_head *next, *prev; };\n"
                              "struct elsewhere there; struct list_head head;\n";

static void write_file(const char *name, const char *text)
{
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        FILE *out = fopen(path, "w");
        ck_assert(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

/* Linked, as a kernel is: references between sections are settled. */
static struct stasis_layout *compiled(const char *flags)
{
        char command[512], path[128];
        struct stasis_layout *layout = NULL;
        struct stasis_error err = { .text = "" };
        write_file("a.c", source);
        write_file("b.c", source2);
        snprintf(path, sizeof path, "%s/vmlinux", folder);
        snprintf(command, sizeof command, "cc -g %s -O1 -shared -nostdlib -fPIC -o %s %s/a.c %s/b.c", flags, path,
                 folder, folder);
        /* NOLINTNEXTLINE(cert-env33-c): a command of the test's own, in a folder of its own */
        ck_assert_msg(system(command) == 0, "%s", command);
        const char *paths[1] = { path };
        ck_assert_msg(stasis_layout_open_symbols(paths, 1, &layout, &err) == STASIS_OK, "%s", err.text);
        return layout;
}

static struct stasis_member member_of(const struct stasis_layout *layout, const char *path)
{
        struct stasis_member m = { 0 };
        ck_assert_msg(stasis_layout_member(layout, path, &m), "%s", path);
        return m;
}

static void places(const struct stasis_layout *layout)
{
        static const struct {
                const char *path;
                uint32_t offset, size, count;
                enum stasis_type type;
        } all[] = {
                { "task_struct.__state", 0, 4, 1, STASIS_TYPE_UNSIGNED },
                { "task_struct.tgid", 4, 4, 1, STASIS_TYPE_SIGNED },
                { "task_struct.tasks", 16, 16, 1, STASIS_TYPE_STRUCT },
                { "task_struct.tasks.prev", 24, 8, 1, STASIS_TYPE_POINTER },
                { "task_struct.wide", 32, 8, 1, STASIS_TYPE_UNSIGNED },
                { "task_struct.deep", 36, 4, 1, STASIS_TYPE_UNSIGNED },
                { "task_struct.list.prev", 48, 8, 1, STASIS_TYPE_POINTER },
                { "task_struct.comm", 56, 1, 16, STASIS_TYPE_SIGNED },
                { "task_struct.grid", 72, 4, 6, STASIS_TYPE_UNSIGNED },
                { "task_struct.cgroups", 96, 8, 1, STASIS_TYPE_POINTER },
                { "task_struct.usage.counter", 104, 4, 1, STASIS_TYPE_UNSIGNED },
                { "task_struct.which", 108, 4, 1, STASIS_TYPE_UNSIGNED },
                { "task_struct.load", 112, 8, 1, STASIS_TYPE_OPAQUE },
                { "task_struct.tail", 128, 1, 0, STASIS_TYPE_UNSIGNED },
                { "choice.b", 0, 1, 24, STASIS_TYPE_SIGNED },
                { "elsewhere.b", 8, 8, 1, STASIS_TYPE_SIGNED },
        };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
                struct stasis_member m = member_of(layout, all[i].path);
                ck_assert_msg(m.offset == all[i].offset && m.size == all[i].size && m.count == all[i].count &&
                                      m.type == all[i].type && m.bits == 0,
                              "%s: %u %u %u %d", all[i].path, m.offset, m.size, m.count, (int)m.type);
        }
}

static void names(const struct stasis_layout *layout)
{
        struct stasis_name found[4];
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "task_struct"), 128);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "elsewhere"), 16); /* of the second unit */
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "refs_t"), 4);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "css_set"), 0);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "nothing"), 0);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "pid_t"), 0);
        ck_assert_str_eq(member_of(layout, "task_struct.cgroups").target, "css_set");
        ck_assert_str_eq(member_of(layout, "task_struct.tasks").target, "list_head");
        ck_assert_uint_eq(stasis_layout_enum(layout, "pid_type", found, 4), 3);
        ck_assert_str_eq(found[0].name, "PIDTYPE_NONE");
        ck_assert(strcmp(found[2].name, "PIDTYPE_TGID") == 0 && found[2].value == 1);
        ck_assert_uint_eq(stasis_layout_enum(layout, "list_head", found, 4), 0);
        uint64_t address;
        ck_assert(stasis_layout_symbol(layout, "task", &address) && address);
}

static void bits(const struct stasis_layout *layout)
{
        struct stasis_name found[8];
        struct stasis_member m = member_of(layout, "task_struct.sched_b");
        ck_assert(m.offset == 8 && m.size == 4 && m.bit == 1 && m.bits == 2);
        m = member_of(layout, "task_struct.sched_wide");
        ck_assert(m.offset == 8 && m.size == 4 && m.bit == 3 && m.bits == 29);
        ck_assert_uint_eq(stasis_layout_bits(layout, "task_struct.sched_a", found, 8), 3);
        m = member_of(layout, "packed.a"); /* bits 8 to 19 of the structure, 20 to 31 */
        ck_assert(m.offset * 8 + m.bit == 8 && m.bits == 12);
        m = member_of(layout, "packed.b");
        ck_assert(m.offset * 8 + m.bit == 20 && m.bits == 12);
}

START_TEST(versions)
{
        static const char *const flags[] = { "-gdwarf-2 -gstrict-dwarf", "-gdwarf-4", "-gdwarf-5", "-gdwarf-5 -gz" };
        struct stasis_layout *layout = compiled(flags[_i]);
        ck_assert(stasis_layout_has_types(layout) && stasis_layout_has_symbols(layout));
        ck_assert_uint_eq(stasis_layout_pointer_size(layout), 8);
        places(layout);
        names(layout);
        bits(layout);
        stasis_layout_close(layout);
}
END_TEST

/* Cut anywhere it is refused or knows less; it does not fall. */
START_TEST(cut_files)
{
        char path[128], cut[128];
        static char bytes[1 << 17];
        stasis_layout_close(compiled("-gdwarf-5"));
        snprintf(path, sizeof path, "%s/vmlinux", folder);
        snprintf(cut, sizeof cut, "%s/cut", folder);
        FILE *in = fopen(path, "rb");
        size_t len = fread(bytes, 1, sizeof bytes, in);
        fclose(in);
        for (size_t kept = len - len % 97; kept > 64; kept -= 97) {
                const char *paths[1] = { cut };
                struct stasis_layout *layout = NULL;
                struct stasis_member m;
                struct stasis_error err;
                FILE *out = fopen(cut, "wb");
                fwrite(bytes, 1, kept, out);
                fclose(out);
                if (stasis_layout_open_symbols(paths, 1, &layout, &err) != STASIS_OK)
                        continue;
                (void)stasis_layout_member(layout, "task_struct.tasks.prev", &m);
                stasis_layout_close(layout);
        }
}
END_TEST

int main(void)
{
#ifndef HAVE_LIBDW
        printf("built without libdw: nothing to test\n");
        return 77;
#endif
        Suite *suite = suite_create("dwarf");
        TCase *tc = tcase_create("dwarf");
        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, versions, 0, 4);
        tcase_add_test(tc, cut_files);
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
