/* SPDX-License-Identifier: MIT */
/* Types and names of executive objects, in a version that points to types and in one that numbers them. */
#include "../../test/tiny_objects.h"
#include "../../test/tiny_system.h"
#include "object_header.h"
#include "object_types.h"

static struct tiny_objects o;
static struct stasis_arena arena;
static struct windows_object object;

static void build(int is64)
{
        tiny_build(&t, is64);
        tiny_objects(&t, &o);
}

static struct windows *opened(void)
{
        sys_open();
        (void)sys_count(STASIS_THREADS);
        return sys->priv;
}

static void expect_object(struct windows *w, uint64_t body, const char *type, const char *name)
{
        ck_assert_msg(windows_object(w, body, &arena, &object), "%s: %s", type, stasis_absence_name(object.type_why));
        ck_assert_str_eq(object.type_name, type);
        if (name)
                ck_assert_msg(object.name && !strcmp(object.name, name), "%s, and not %s", object.name, name);
        else
                ck_assert_str_eq(stasis_absence_name(object.name_why), "not applicable");
        stasis_arena_free(&arena);
}

static void expect_none(struct windows *w, uint64_t body)
{
        ck_assert_msg(!windows_object(w, body, &arena, &object), "%s", object.type_name);
        ck_assert_ptr_null(object.type_name);
        stasis_arena_free(&arena);
}

START_TEST(types_and_names)
{
        build(_i);
        uint64_t base = tiny_object(&t, &o, TINY_DIRECTORY, 0x140, "BaseNamedObjects", o.root);
        uint64_t mutant = tiny_object(&t, &o, TINY_MUTANT, 0x38, "one \xe9 mutant", base);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0);
        uint64_t loose = tiny_object(&t, &o, TINY_EVENT, 0x18, "loose", 0);
        struct windows *w = opened();
        expect_object(w, mutant, "Mutant", "\\BaseNamedObjects\\one \xc3\xa9 mutant");
        expect_object(w, event, "Event", NULL);
        expect_object(w, loose, "Event", "loose");
        expect_object(w, o.root, "Directory", "\\");
        expect_object(w, o.type[TINY_EVENT], "Type", "\\ObjectTypes\\Event");
        expect_object(w, t.process[TINY_ALPHA], "Process", NULL);
        expect_object(w, t.thread[TINY_MAIN], "Thread", NULL);
        expect_none(w, event + 8);
        expect_none(w, event + 4);
        expect_none(w, 0x1000);
        expect_none(w, t.pool + 0x800000);
}
END_TEST

/* Nothing tells the types: the table has a shape. */
START_TEST(types_by_shape)
{
        build(1);
        tiny_pointer(&t, t.kernel + 0x2020, 0);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0);
        expect_object(opened(), event, "Event", NULL);
}
END_TEST

/* Neither variable nor table: the types are not known, and so no object is. */
START_TEST(no_types)
{
        build(1);
        tiny_pointer(&t, t.kernel + 0x2020, 0);
        tiny_pointer(&t, o.table + 2 * 8, 0);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0);
        expect_none(opened(), event);
        ck_assert_str_eq(stasis_absence_name(object.type_why), "not known");
}
END_TEST

/* Processes and threads that do not agree on a cookie: none is taken. */
START_TEST(no_cookie)
{
        build(1);
        for (unsigned i = TINY_WORKER; i < TINY_THREADS; i++)
                tiny_set(&t, t.thread[i] - 0x30, "OBJECT_HEADER.TypeIndex", 17 * i);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0);
        expect_none(opened(), event);
        ck_assert_str_eq(stasis_absence_name(object.type_why), "not known");
}
END_TEST

/* Numbers as in 7: no cookie, no address in them. */
START_TEST(plain_numbers)
{
        build(1);
        for (unsigned i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                tiny_set(&t, t.process[i] - 0x30, "OBJECT_HEADER.TypeIndex", TINY_PROCESS_TYPE + 2);
        for (unsigned i = TINY_WORKER; i < TINY_THREADS; i++)
                tiny_set(&t, t.thread[i] - 0x30, "OBJECT_HEADER.TypeIndex", TINY_THREAD_TYPE + 2);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0);
        tiny_set(&t, event - 0x30, "OBJECT_HEADER.TypeIndex", TINY_EVENT + 2);
        struct windows *w = opened();
        expect_object(w, event, "Event", NULL);
        ck_assert(!w->types->mixed);
}
END_TEST

/* A number alone proves nothing: any byte is one. */
START_TEST(numbers_prove_nothing)
{
        build(1);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0);
        uint64_t bare = tiny_take(&t, &o, 0x80) + 0x40;
        tiny_header(&t, &o, bare, TINY_EVENT, NULL);
        tiny_set(&t, event - 0x30 - 0x20 - 0x10, "POOL_HEADER.PoolTag", 0x12345678);
        struct windows *w = opened();
        expect_none(w, bare);
        expect_none(w, event);
        ck_assert_str_eq(stasis_absence_name(object.type_why), "not applicable");
}
END_TEST

/* A type whose type is another's type is none. */
START_TEST(pointers_prove)
{
        build(0);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x10, NULL, 0);
        uint64_t liar = tiny_object(&t, &o, TINY_EVENT, 0x190, NULL, 0);
        uint64_t other = tiny_object(&t, &o, TINY_EVENT, 0x10, NULL, 0);
        tiny_set(&t, other - 0x18, "OBJECT_HEADER.Type", liar);
        struct windows *w = opened();
        expect_object(w, event, "Event", NULL);
        expect_none(w, other);
        ck_assert_str_eq(stasis_absence_name(object.type_why), "not applicable");
}
END_TEST

/* Directories in a ring, one that is not there, a name that is. */
START_TEST(hostile_directories)
{
        build(_i);
        uint64_t a = tiny_object(&t, &o, TINY_DIRECTORY, 0x140, "a", 0);
        uint64_t b = tiny_object(&t, &o, TINY_DIRECTORY, 0x140, "b", a);
        uint64_t event = tiny_object(&t, &o, TINY_EVENT, 0x18, "event", b);
        uint64_t gone = tiny_object(&t, &o, TINY_EVENT, 0x18, "stray", t.pool + 0x800000);
        uint32_t info = t.is64 ? 0x50 : 0x28;
        tiny_set(&t, a - info, "OBJECT_HEADER_NAME_INFO.Directory", b);
        struct windows *w = opened();
        ck_assert(windows_object(w, event, &arena, &object));
        ck_assert_ptr_null(object.name);
        ck_assert_str_eq(stasis_absence_name(object.name_why), "contradictory");
        stasis_arena_free(&arena);
        expect_object(w, gone, "Event", "stray");
}
END_TEST

/* The page of the header is not in the image. */
START_TEST(header_gone)
{
        build(_i);
        uint64_t event = (tiny_take(&t, &o, 0x2000) | 0xfff) + 0x1001; /* a page before it of its own */
        tiny_gone(&t, event - 0x1000);
        struct windows *w = opened();
        expect_none(w, event);
        ck_assert_str_eq(stasis_absence_name(object.type_why), "not in this image");
}
END_TEST

int main(void)
{
        const TTest *const both[] = { types_and_names, hostile_directories, header_gone };
        const TTest *const single[] = { types_by_shape,        no_types,      no_cookie, plain_numbers,
                                        numbers_prove_nothing, pointers_prove };
        return sys_main("object_header", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
