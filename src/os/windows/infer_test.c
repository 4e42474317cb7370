/* SPDX-License-Identifier: MIT */
/*
 * Inference on the tiny systems: what it finds lies where tiny_places.c says, what it finds no evidence for is absent,
 * and a layout that has a member elsewhere is noticed.
 */
#include "../../test/tiny_system.h"
#include "../layout_made.h"
#include "infer.h"

static const struct stasis_system_options inferred = { .infer_layout = true };

/* The tiny system's own place of a member ("_KTHREAD.Teb"); false where its version or its table has none. */
static bool own_place(const char *member, uint32_t *ret_at)
{
        for (const struct tiny_row *row = tiny_rows; row->name; row++) {
                struct tiny_place place = t.is64 ? row->x64 : row->x86;
                if (strcmp(row->name, member + 1) != 0 || !place.size)
                        continue;
                *ret_at = place.at;
                return true;
        }
        return false;
}

static const struct stasis_inference *inference_of(const char *member)
{
        size_t count;
        const struct stasis_inference *i = stasis_system_inferred(sys, &count);
        while (count > 0 && strcmp(i->member, member) != 0)
                i++, count--;
        ck_assert_msg(count > 0, "%s was not looked for", member);
        return i;
}

static void expect_found(const char *member)
{
        ck_assert_msg(strcmp(inference_of(member)->verdict, "found") == 0, "%s: %s", member,
                      inference_of(member)->verdict);
}

/* ---------------------------------------------------------------- what is found */

START_TEST(found_is_right)
{
        size_t count, right = 0;
        tiny_build(&t, _i);
        ck_assert_int_eq(sys_open_with(&inferred), STASIS_OK);
        const struct stasis_inference *i = stasis_system_inferred(sys, &count);
        for (size_t k = 0; k < count; k++) {
                uint32_t at;
                if (strcmp(i[k].verdict, "found") != 0)
                        continue;
                ck_assert_msg(own_place(i[k].member, &at), "%s is found, and does not exist", i[k].member);
                ck_assert_msg(at == i[k].offset, "%s: 0x%x, and not 0x%x", i[k].member, i[k].offset, at);
                ck_assert_uint_ge(i[k].of, i[k].agreed);
                right++;
        }
        ck_assert_uint_ge(right, 18);
        expect_found("_KTHREAD.State");
        expect_found("_KTHREAD.Teb");
        expect_found("_KTHREAD.StackLimit");
        expect_text(system_fact("layout"), "inferred");
        expect_text(system_fact("layout_confidence"), "inferred");
        ck_assert_ptr_nonnull(sys_note("layout-inferred"));
        ck_assert_int_eq(sys_note("layout-inferred")->severity, STASIS_NOTE_WARNING);
        ck_assert(sys_traced("infer", true, "_KTHREAD.Teb 0x"));
}
END_TEST

START_TEST(threads_are_the_same)
{
        static const char *const keys[] = { "tid", "pid", "process", "state", "stack_limit", "initial_stack", "teb" };
        static char with[TINY_THREADS][8][64];
        tiny_build(&t, _i);
        for (int pass = 0; pass < 2; pass++) {
                ck_assert_int_eq(sys_open_with(pass ? &inferred : NULL), STASIS_OK);
                ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
                for (int i = 0; i < TINY_LISTED; i++) {
                        const struct stasis_record *record = sys_record(STASIS_THREADS, t.thread[i]);
                        ck_assert_ptr_nonnull(record);
                        for (size_t k = 0; k < 7; k++) {
                                char text[64];
                                size_t column = 0;
                                while (strcmp(record->column[column].key, keys[k]) != 0)
                                        column++;
                                stasis_fact_text(&record->column[column], &record->fact[column], text, sizeof text);
                                if (pass)
                                        ck_assert_str_eq(text, with[i][k]);
                                else
                                        memcpy(with[i][k], text, sizeof text);
                        }
                }
                stasis_system_close(sys);
                sys = NULL;
        }
}
END_TEST

/* A member that is nowhere as it must be is absent, and so are the facts read through it. */
START_TEST(without_witnesses_absent)
{
        tiny_build(&t, _i);
        for (int i = 0; i < TINY_THREADS; i++)
                tiny_set(&t, t.thread[i], "KTHREAD.State", 9);
        ck_assert_int_eq(sys_open_with(&inferred), STASIS_OK);
        ck_assert_str_eq(inference_of("_KTHREAD.State")->verdict, "thin");
        expect_absent(thread_fact(TINY_WORKER, "state"), STASIS_NOT_KNOWN);
        expect_absent(thread_fact(TINY_WORKER, "suspend_count"), STASIS_NOT_KNOWN);
        ck_assert(sys_traced("infer", false, "_KTHREAD.State: no place"));
}
END_TEST

/* Two places that both fit are none. */
START_TEST(two_places_are_none)
{
        uint32_t at = 0;
        tiny_build(&t, _i);
        ck_assert(own_place("_KTHREAD.State", &at));
        for (int i = 0; i < TINY_THREADS; i++)
                *world_at(&t.world, t.thread[i] + at + 1) = *world_at(&t.world, t.thread[i] + at);
        ck_assert_int_eq(sys_open_with(&inferred), STASIS_OK);
        ck_assert_str_eq(inference_of("_KTHREAD.State")->verdict, "ambiguous");
        expect_absent(thread_fact(TINY_WORKER, "state"), STASIS_NOT_KNOWN);
}
END_TEST

/* ---------------------------------------------------------------- what is refused */

START_TEST(without_names_refused)
{
        tiny_build(&t, _i);
        memcpy(world_at(&t.world, t.process[TINY_SYSTEM] + tiny_place(&t, "EPROCESS.ImageFileName").at), "system", 6);
        ck_assert_int_eq(sys_open_with(&inferred), STASIS_UNSUPPORTED);
        ck_assert_msg(strstr(sys_err.text, "not enough to infer") != NULL, "%s", sys_err.text);
        ck_assert(sys_traced("layout", false, "ImageFileName could not be found"));
}
END_TEST

START_TEST(without_ring_refused)
{
        tiny_build(&t, _i);
        tiny_ring(&t, t.process[TINY_SYSTEM] + tiny_place(&t, "EPROCESS.ActiveProcessLinks").at, NULL, 0);
        ck_assert_int_eq(sys_open_with(&inferred), STASIS_UNSUPPORTED);
        ck_assert(sys_traced("layout", false, "a ring of processes through System could not be found"));
}
END_TEST

START_TEST(given_and_inferred_is_usage)
{
        struct stasis_system_options both = { .infer_layout = true, .layout_path = "/dev/null" };
        tiny_build(&t, _i);
        ck_assert_int_ne(sys_open_with(&both), STASIS_OK);
}
END_TEST

/* ---------------------------------------------------------------- other layouts */

static const struct {
        const char *structure, *name;
} walked[] = {
        { "_EPROCESS", "ActiveProcessLinks" },
        { "_EPROCESS", "UniqueProcessId" },
        { "_EPROCESS", "ImageFileName" },
        { "_EPROCESS", "ThreadListHead" },
        { "_KPROCESS", "ThreadListHead" },
        { "_KPROCESS", "DirectoryTableBase" },
        { "_ETHREAD", "ThreadListEntry" },
        { "_KTHREAD", "ThreadListEntry" },
        { "_ETHREAD", "Cid.UniqueProcess" },
        { "_ETHREAD", "Cid.UniqueThread" },
        { "_KTHREAD", "ApcState.Process" },
        { "_KTHREAD", "State" },
        { "_KTHREAD", "InitialStack" },
        { "_KTHREAD", "StackLimit" },
        { "_KTHREAD", "StackBase" },
        { "_KTHREAD", "KernelStack" },
        { "_KTHREAD", "Teb" },
};
#define WALKED (sizeof walked / sizeof *walked)

/* The tiny system's own layout, with member number shifted by so many bytes. */
static struct stasis_layout *shifted_layout(size_t number, int by)
{
        struct stasis_layout *layout = layout_made_new("shifted", t.pointer, NULL);
        ck_assert_ptr_nonnull(layout);
        for (size_t i = 0; i < WALKED; i++) {
                char path[64];
                uint32_t at = 0;
                snprintf(path, sizeof path, "%s.%s", walked[i].structure, walked[i].name);
                ck_assert_msg(own_place(path, &at), "%s", path);
                struct stasis_member m = { .offset = at + (i == number ? (uint32_t)by : 0), .size = 4, .count = 1 };
                ck_assert(layout_made_add(layout, walked[i].structure, walked[i].name, &m));
        }
        return layout;
}

START_TEST(a_shifted_member_is_named)
{
        static const int by[] = { 4, -4, 8, -8 };
        char text[512];
        tiny_build(&t, _i);
        sys_open();
        struct windows *w = sys->priv;
        struct stasis_layout *right = shifted_layout(WALKED, 0);
        ck_assert_msg(windows_layout_doubts(w, right, text, sizeof text) == 0, "%s", text);
        stasis_layout_close(right);
        for (size_t i = 0; i < WALKED; i++)
                for (size_t k = 0; k < 4; k++) {
                        struct stasis_layout *wrong = shifted_layout(i, by[k]);
                        size_t count = windows_layout_doubts(w, wrong, text, sizeof text);
                        ck_assert_msg(count == 1 && strstr(text, walked[i].name), "%s %+d: %zu: %s", walked[i].name,
                                      by[k], count, text);
                        stasis_layout_close(wrong);
                }
}
END_TEST

/* A kernel that nothing tells, and whose threads no measured layout fits. */
START_TEST(unknown_kernel_is_inferred)
{
        static const char *const moved[] = { "KTHREAD.State", "KTHREAD.WaitReason" };
        tiny_build(&t, _i);
        world_u(&t.world, t.kernel + 0x2010, 4, 0xf0000000 | 30000); /* NtBuildNumber */
        if (t.is64)
                world_u(&t.world, t.shared + 0x260, 4, 30000);
        for (int i = 0; i < TINY_THREADS; i++)
                for (size_t k = 0; k < 2; k++) {
                        uint8_t *at = world_at(&t.world, t.thread[i] + tiny_place(&t, moved[k]).at);
                        at[-0x10] = *at;
                        *at = 0;
                }
        sys_open();
        expect_text(system_fact("layout"), "inferred");
        expect_text(thread_fact(TINY_RUNNER, "state"), "Running");
        ck_assert_ptr_nonnull(sys_note("layout-inferred"));
        ck_assert_ptr_null(sys_note("layout-by-plausibility"));
}
END_TEST

/* ---------------------------------------------------------------- hostile ones */

/* A ring that never comes back ends at a bound, and soon. */
START_TEST(endless_lists_end)
{
        tiny_build(&t, _i);
        for (uint64_t at = 0; at + t.pointer <= 0x1000; at += t.pointer)
                tiny_pointer(&t, t.pool + TINY_POOL_FREE + at, t.pool + TINY_POOL_FREE + (at + 8) % 0x1000);
        for (uint32_t at = 0x10; at < 0x600; at += t.pointer)
                tiny_pointer(&t, t.process[TINY_SYSTEM] + at, t.pool + TINY_POOL_FREE + at);
        ck_assert_int_eq(sys_open_with(&inferred), STASIS_UNSUPPORTED);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { found_is_right,
                                      threads_are_the_same,
                                      without_witnesses_absent,
                                      two_places_are_none,
                                      without_names_refused,
                                      without_ring_refused,
                                      given_and_inferred_is_usage,
                                      a_shifted_member_is_named,
                                      unknown_kernel_is_inferred,
                                      endless_lists_end };
        return sys_main("infer", both, sizeof both / sizeof *both, NULL, 0);
}
