/* SPDX-License-Identifier: MIT */
/* BTF. The bytes are put together here, number by number, after Documentation/bpf/btf.rst. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "layout_internal.h"

struct blob {
        uint8_t types[8192], strings[4096], bytes[16384];
        size_t types_len, strings_len, len;
        uint32_t count;
};

static struct blob blob;

static void put32(uint32_t value)
{
        for (int i = 0; i < 4; i++)
                blob.types[blob.types_len++] = (uint8_t)(value >> 8 * i);
}

static uint32_t string(const char *text)
{
        size_t at = blob.strings_len;
        strcpy((char *)blob.strings + at, text);
        blob.strings_len += strlen(text) + 1;
        return *text ? (uint32_t)at : 0;
}

/* Three words; returns the type's number. info: kind << 24 | vlen | flag << 31. */
static uint32_t type(const char *name, uint32_t info, uint32_t size_or_type)
{
        put32(string(name));
        put32(info);
        put32(size_or_type);
        return ++blob.count;
}

static void member(const char *name, uint32_t of, uint32_t bits)
{
        put32(string(name));
        put32(of);
        put32(bits);
}

static uint32_t integer(const char *name, uint32_t size, uint32_t word)
{
        uint32_t id = type(name, 1u << 24, size);
        put32(word);
        return id;
}

static uint32_t array(uint32_t of, uint32_t index, uint32_t count)
{
        uint32_t id = type("", 3u << 24, 0);
        put32(of);
        put32(index);
        put32(count);
        return id;
}

static uint32_t structure(const char *name, uint32_t members, bool flag, uint32_t size)
{
        return type(name, 4u << 24 | members | (flag ? 1u << 31 : 0), size);
}

static void start(void)
{
        memset(&blob, 0, sizeof blob);
        string("");
}

static void header_word(size_t at, uint32_t value)
{
        for (size_t i = 0; i < 4; i++)
                blob.bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static struct stasis_bytes finish(void)
{
        static const uint8_t head[8] = { 0x9f, 0xeb, 1, 0, 24, 0, 0, 0 };
        memcpy(blob.bytes, head, sizeof head);
        header_word(8, 0);
        header_word(12, (uint32_t)blob.types_len);
        header_word(16, (uint32_t)blob.types_len);
        header_word(20, (uint32_t)blob.strings_len);
        memcpy(blob.bytes + 24, blob.types, blob.types_len);
        memcpy(blob.bytes + 24 + blob.types_len, blob.strings, blob.strings_len);
        blob.len = 24 + blob.types_len + blob.strings_len;
        return (struct stasis_bytes){ blob.bytes, blob.len };
}

static enum stasis_status open_bytes(struct stasis_bytes bytes, struct stasis_layout **ret_layout, const char *text)
{
        struct stasis_error err = { .text = "" };
        enum stasis_status status = stasis_layout_open_btf(bytes, "a.btf", ret_layout, &err);
        if (text)
                ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
        else
                ck_assert_msg(status == STASIS_OK, "%s", err.text);
        return status;
}

static struct stasis_layout *opened(void)
{
        struct stasis_layout *layout = NULL;
        open_bytes(finish(), &layout, NULL);
        return layout;
}

static struct stasis_member member_of(const struct stasis_layout *layout, const char *path)
{
        struct stasis_member m = { 0 };
        ck_assert_msg(stasis_layout_member(layout, path, &m), "%s", path);
        return m;
}

/* A task_struct in small: every kind of member that the real one has. */
static struct stasis_layout *task(void)
{
        start();
        uint32_t ulong = integer("long unsigned int", 8, 64), u32 = integer("unsigned int", 4, 32);
        uint32_t i32 = integer("int", 4, 1u << 24 | 32), ch = integer("char", 1, 1u << 24 | 8);
        uint32_t volatile_u32 = type("", 9u << 24, u32), pid_t = type("pid_t", 8u << 24, i32);
        uint32_t const_pid = type("", 10u << 24, pid_t);
        uint32_t comm = array(ch, u32, 16), grid = array(array(u32, u32, 2), u32, 3);

        uint32_t list_pointer = type("", 2u << 24, blob.count + 2); /* to what comes next */
        uint32_t list = structure("list_head", 2, false, 16);
        member("next", list_pointer, 0);
        member("prev", list_pointer, 64);

        uint32_t fwd = type("css_set", 7u << 24, 0), fwd_pointer = type("", 2u << 24, fwd);
        uint32_t inner = structure("", 2, false, 16);
        member("deep", u32, 32);
        member("list", list, 64);                    /* past its end; nobody minds */
        uint32_t outer = type("", 5u << 24 | 2, 16); /* an unnamed union */
        member("wide", ulong, 0);
        member("", inner, 0);
        uint32_t named = structure("", 1, false, 4); /* struct { u32 counter; } refs; */
        member("counter", u32, 0);
        uint32_t refs_t = type("refs_t", 8u << 24, named);
        uint32_t pid_type = type("pid_type", 6u << 24 | 3 | 1u << 31, 4);
        const char *names[3] = { "PIDTYPE_TGID", "PIDTYPE_NONE", "PIDTYPE_PID" };
        const uint32_t values[3] = { 1, 0xffffffff, 0 };
        for (int i = 0; i < 3; i++) {
                put32(string(names[i]));
                put32(values[i]);
        }
        uint32_t nowhere = type("", 2u << 24, 999);
        structure("task_struct", 13, true, 256);
        member("__state", volatile_u32, 0);
        member("tgid", const_pid, 32);
        member("sched_a", u32, 64 | 1u << 24);
        member("sched_b", u32, 65 | 2u << 24);
        member("sched_wide", u32, 67 | 29u << 24);
        member("tasks", list, 128);
        member("", outer, 256);
        member("comm", comm, 512);
        member("grid", grid, 640);
        member("cgroups", fwd_pointer, 896);
        member("usage", refs_t, 960);
        member("which", pid_type, 992);
        member("next_task", nowhere, 1024);
        return opened();
}

START_TEST(members)
{
        struct stasis_layout *layout = task();
        ck_assert_uint_eq(stasis_layout_pointer_size(layout), 8);
        ck_assert_str_eq(stasis_layout_name(layout), "a.btf");
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "task_struct"), 256);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "refs_t"), 4); /* a typedef of one without a name */
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "task_struc"), 0);
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "css_set"), 0); /* only declared */
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "pid_t"), 0);
        struct stasis_member m = member_of(layout, "task_struct.__state");
        ck_assert(m.offset == 0 && m.size == 4 && m.count == 1 && m.bits == 0 && m.type == STASIS_TYPE_UNSIGNED);
        m = member_of(layout, "task_struct.tgid");
        ck_assert(m.offset == 4 && m.size == 4 && m.type == STASIS_TYPE_SIGNED);
        m = member_of(layout, "task_struct.tasks.prev");
        ck_assert(m.offset == 24 && m.size == 8 && m.type == STASIS_TYPE_POINTER);
        ck_assert_str_eq(m.target, "list_head");
        m = member_of(layout, "task_struct.comm");
        ck_assert(m.offset == 64 && m.size == 1 && m.count == 16 && m.type == STASIS_TYPE_SIGNED);
        m = member_of(layout, "task_struct.grid");
        ck_assert(m.offset == 80 && m.size == 4 && m.count == 6);
        m = member_of(layout, "task_struct.cgroups");
        ck_assert_str_eq(m.target, "css_set");
        m = member_of(layout, "task_struct.usage");
        ck_assert(m.type == STASIS_TYPE_STRUCT && m.target == NULL && m.offset == 120);
        ck_assert_uint_eq(member_of(layout, "task_struct.usage.counter").offset, 120);
        m = member_of(layout, "task_struct.which");
        ck_assert(m.size == 4 && m.type == STASIS_TYPE_SIGNED);
        ck_assert_str_eq(m.target, "pid_type");
        m = member_of(layout, "task_struct.next_task");
        ck_assert(m.type == STASIS_TYPE_POINTER && m.target == NULL);
        ck_assert(!stasis_layout_member(layout, "task_struct.next_task.x", &m));
        ck_assert(!stasis_layout_member(layout, "task_struct.com", &m));
        ck_assert(!stasis_layout_member(layout, "task_struct", &m));
        stasis_layout_close(layout);
}
END_TEST

START_TEST(unnamed_members_are_flat)
{
        struct stasis_layout *layout = task();
        ck_assert_uint_eq(member_of(layout, "task_struct.wide").offset, 32);
        ck_assert_uint_eq(member_of(layout, "task_struct.deep").offset, 36);
        ck_assert_uint_eq(member_of(layout, "task_struct.list.prev").offset, 48);
        stasis_layout_close(layout);
}
END_TEST

START_TEST(bit_fields)
{
        struct stasis_layout *layout = task();
        struct stasis_name names[8];
        struct stasis_member m = member_of(layout, "task_struct.sched_b");
        ck_assert(m.offset == 8 && m.size == 4 && m.bit == 1 && m.bits == 2);
        ck_assert_uint_eq(stasis_layout_bits(layout, "task_struct.sched_a", names, 8), 3);
        ck_assert_str_eq(names[2].name, "sched_wide");
        ck_assert(names[2].bit == 3 && names[2].len == 29);
        stasis_layout_close(layout);
}
END_TEST

/* orc_entry is packed: a bit-field may cross the words of its type. And before kind_flag the integer was the field. */
START_TEST(bit_fields_out_of_the_ordinary)
{
        start();
        uint32_t ulong = integer("unsigned long", 4, 32), u16 = integer("u16", 2, 16);
        uint32_t old = integer("unsigned int", 4, 3u << 16 | 5); /* 5 bits that start at bit 3 */
        structure("packed", 2, true, 4);
        member("low", u16, 10 | 4u << 24);
        member("across", u16, 14 | 4u << 24);
        structure("old", 1, false, 8);
        member("field", old, 32);
        structure("wrong", 3, true, 8);
        member("wide", u16, 0 | 65u << 24);
        member("crosses", ulong, 3 | 64u << 24);
        member("good", ulong, 32);
        struct stasis_layout *layout = opened();
        ck_assert_uint_eq(stasis_layout_pointer_size(layout), 4);
        struct stasis_member m = member_of(layout, "packed.low");
        ck_assert(m.offset == 0 && m.size == 2 && m.bit == 10 && m.bits == 4);
        m = member_of(layout, "packed.across");
        ck_assert(m.offset == 1 && m.size == 2 && m.bit == 6 && m.bits == 4);
        m = member_of(layout, "old.field");
        ck_assert(m.offset == 4 && m.size == 4 && m.bit == 3 && m.bits == 5);
        ck_assert(!stasis_layout_member(layout, "wrong.wide", &m));
        ck_assert(!stasis_layout_member(layout, "wrong.crosses", &m));
        ck_assert_uint_eq(member_of(layout, "wrong.good").offset, 4);
        stasis_layout_close(layout);
}
END_TEST

START_TEST(enumerations)
{
        struct stasis_layout *layout = task();
        struct stasis_name names[4];
        ck_assert_uint_eq(stasis_layout_enum(layout, "pid_type", names, 4), 3);
        ck_assert_str_eq(names[0].name, "PIDTYPE_NONE");
        ck_assert_str_eq(names[2].name, "PIDTYPE_TGID");
        ck_assert_uint_eq(names[2].value, 1);
        ck_assert_uint_eq(stasis_layout_enum(layout, "task_struct", names, 4), 0);
        stasis_layout_close(layout);

        start();
        integer("long int", 8, 1u << 24 | 64);
        type("big", 19u << 24 | 1, 8);
        put32(string("BIG"));
        put32(7);
        put32(1);
        layout = opened();
        ck_assert_uint_eq(stasis_layout_enum(layout, "big", names, 4), 1);
        ck_assert(strcmp(names[0].name, "BIG") == 0 && names[0].value == 7);
        stasis_layout_close(layout);
}
END_TEST

/* "struct pid", the typedef "pid" and the enumeration "pid" are three things. */
START_TEST(one_name_for_several)
{
        start();
        uint32_t ulong = integer("long unsigned int", 8, 64);
        type("pid", 8u << 24, ulong);
        type("pid", 6u << 24 | 1, 4);
        put32(string("ONE"));
        put32(1);
        structure("pid", 1, false, 24);
        member("numbers", ulong, 64);
        structure("pid", 0, false, 99);
        struct stasis_layout *layout = opened();
        struct stasis_name names[2];
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "pid"), 24);
        ck_assert_uint_eq(member_of(layout, "pid.numbers").offset, 8);
        ck_assert_uint_eq(stasis_layout_enum(layout, "pid", names, 2), 1);
        stasis_layout_close(layout);
}
END_TEST

/* Types that refer to themselves end, and so does a structure without a name that lies in itself. */
START_TEST(circles)
{
        start();
        uint32_t ulong = integer("long unsigned int", 8, 64);
        uint32_t t = type("endless", 8u << 24, blob.count + 1);
        uint32_t a = array(blob.count + 1, ulong, 1), huge = array(ulong, ulong, 0xffffffff);
        uint32_t self = structure("", 2, false, 8);
        member("", self, 0);
        member("after", ulong, 64);
        structure("s", 6, false, 8);
        member("t", t, 0);
        member("a", a, 0);
        member("huge", huge, 0);
        member("", self, 0);
        member("far", ulong, 0xffffffff);
        member("outside", 12345, 0);
        struct stasis_layout *layout = opened();
        struct stasis_member m;
        ck_assert(!stasis_layout_member(layout, "s.t", &m) && !stasis_layout_member(layout, "s.a", &m));
        ck_assert(!stasis_layout_member(layout, "s.huge", &m) && !stasis_layout_member(layout, "s.outside", &m));
        ck_assert_uint_eq(member_of(layout, "s.after").offset, 8);
        ck_assert(!stasis_layout_member(layout, "s.far", &m));
        ck_assert_uint_eq(stasis_layout_sizeof(layout, "endless"), 0);
        stasis_layout_close(layout);
}
END_TEST

/* Every level holds the next one 600 times: the walk is bounded. */
START_TEST(wide_and_deep)
{
        start();
        integer("long unsigned int", 8, 64);
        for (uint32_t level = 0; level < 6; level++) {
                structure(level == 0 ? "s" : "", 100, false, 8);
                for (uint32_t i = 0; i < 100; i++) {
                        if (blob.types_len + 12 > sizeof blob.types)
                                ck_abort_msg("no room");
                        put32(0);
                        put32(blob.count + 1);
                        put32(0);
                }
        }
        struct stasis_layout *layout = opened();
        struct stasis_member m;
        ck_assert(!stasis_layout_member(layout, "s.nothing", &m));
        stasis_layout_close(layout);
}
END_TEST

START_TEST(broken)
{
        struct stasis_layout *layout = NULL;
        start();
        integer("long unsigned int", 8, 64);
        struct stasis_bytes good = finish();
        for (size_t len = 0; len < good.len; len++) /* cut anywhere */
                ck_assert_int_eq(open_bytes((struct stasis_bytes){ good.at, len }, &layout, "BTF: cut"),
                                 STASIS_CORRUPT);
        static const struct {
                size_t at;
                uint8_t value;
                enum stasis_status status;
                const char *text;
        } cases[] = {
                { 0, 0x9e, STASIS_CORRUPT, "not BTF version 1" },
                { 2, 2, STASIS_CORRUPT, "not BTF version 1" },
                { 4, 23, STASIS_CORRUPT, "impossible length" },
                { 11, 1, STASIS_CORRUPT, "cut" },
                { 15, 1, STASIS_CORRUPT, "cut" },
                { 12, 15, STASIS_CORRUPT, "type 1 is of no kind known, or cut" },
                { 24 + 7, 31, STASIS_CORRUPT, "type 1 is of no kind known" },
                { 24 + 7, 0, STASIS_CORRUPT, "type 1 is of no kind known" },
                { 24 + 7, 16, STASIS_CORRUPT, "type 2 is of no kind known" }, /* a float has no word behind it */
                { 24 + 8, 2, STASIS_CORRUPT, "no type 'long'" },
                { 24 + 16, 'm', STASIS_UNSUPPORTED, "BTF of a module" },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                finish();
                blob.bytes[cases[i].at] = cases[i].value;
                ck_assert_int_eq(open_bytes(good, &layout, cases[i].text), cases[i].status);
        }
        finish();
        blob.bytes[good.len - 1] = 'x';
        open_bytes(good, &layout, "the strings do not end");
        finish();
        blob.bytes[0] = 0xeb;
        blob.bytes[1] = 0x9f;
        ck_assert_int_eq(open_bytes(good, &layout, "big-endian"), STASIS_UNSUPPORTED);
        ck_assert_ptr_null(layout);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("btf");
        TCase *tc = tcase_create("btf");
        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, members);
        tcase_add_test(tc, unnamed_members_are_flat);
        tcase_add_test(tc, bit_fields);
        tcase_add_test(tc, bit_fields_out_of_the_ordinary);
        tcase_add_test(tc, enumerations);
        tcase_add_test(tc, one_name_for_several);
        tcase_add_test(tc, circles);
        tcase_add_test(tc, wide_and_deep);
        tcase_add_test(tc, broken);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
