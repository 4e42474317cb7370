/* SPDX-License-Identifier: MIT */
/* Each check of a thread: that it speaks, of whom, and that it is silent where it should be. */
#include "checks.h"

#include "../../test/tiny_system.h"

/* A module of beta at 0x400000, and private memory at 0x500000. */
#define MODULE 0x400000u
#define PRIVATE 0x500000u
#define LOADER 0x20000u

/* { XP x86, 10 x64 }: Microsoft's public symbols, spelled out. */
static const struct {
        uint32_t ldr, list, base, size, full, name, vad_root, vad_flags, dr0, dr3, dr7;
        unsigned private_bit, protection_bit;
} at[] = { { 0xc, 0xc, 0x18, 0x20, 0x24, 0x2c, 0x11c, 0x14, 0x18, 0x24, 0x2c, 31, 24 },
           { 0x18, 0x10, 0x30, 0x40, 0x48, 0x58, 0x7d8, 0x30, 0xd8, 0xf0, 0x100, 20, 7 } };

static void user_string(uint64_t va, uint64_t text, const char *ascii)
{
        tiny_user_u(&t, TINY_BETA, va, 2, 2 * strlen(ascii));
        tiny_user_u(&t, TINY_BETA, va + 2, 2, 2 * strlen(ascii));
        tiny_user_u(&t, TINY_BETA, va + t.pointer, t.pointer, text);
        for (size_t i = 0; ascii[i]; i++)
                tiny_user_u(&t, TINY_BETA, text + 2 * i, 2, (unsigned char)ascii[i]);
}

/* PEB.Ldr with one entry. */
static void put_loader(void)
{
        unsigned bits = t.is64;
        uint64_t entry = LOADER + 0x200, head = LOADER + at[bits].list;
        tiny_map_user(&t, TINY_BETA, LOADER, 0x1000);
        tiny_user_u(&t, TINY_BETA, t.peb + at[bits].ldr, t.pointer, LOADER);
        tiny_user_u(&t, TINY_BETA, LOADER + 4, 1, 1); /* Initialized */
        tiny_user_u(&t, TINY_BETA, head, t.pointer, entry);
        tiny_user_u(&t, TINY_BETA, head + t.pointer, t.pointer, entry);
        tiny_user_u(&t, TINY_BETA, entry, t.pointer, head);
        tiny_user_u(&t, TINY_BETA, entry + t.pointer, t.pointer, head);
        tiny_user_u(&t, TINY_BETA, entry + at[bits].base, t.pointer, MODULE);
        tiny_user_u(&t, TINY_BETA, entry + at[bits].size, 4, 0x10000);
        user_string(entry + at[bits].full, LOADER + 0x400, "C:\\beta.exe");
        user_string(entry + at[bits].name, LOADER + 0x500, "beta.exe");
}

/* One VAD: private memory, with this protection (6: everything is allowed). */
static void put_vad(unsigned protection)
{
        unsigned bits = t.is64;
        uint64_t vad = t.pool + TINY_POOL_FREE;
        tiny_pointer(&t, t.process[TINY_BETA] + at[bits].vad_root, vad);
        world_u(&t.world, vad + (t.is64 ? 0x18 : 0), 4, PRIVATE >> 12);
        world_u(&t.world, vad + (t.is64 ? 0x1c : 4), 4, (PRIVATE >> 12) + 15);
        world_u(&t.world, vad + at[bits].vad_flags, 4,
                1u << at[bits].private_bit | protection << at[bits].protection_bit);
}

static void build(bool is64, uint64_t start)
{
        tiny_build(&t, is64);
        put_loader();
        put_vad(6);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.Win32StartAddress", start);
        sys_open();
        (void)sys_count(STASIS_THREADS);
}

static const struct stasis_note *said(enum tiny_thread thread, const char *code)
{
        size_t count;
        (void)sys_record(STASIS_THREADS, t.thread[thread]);
        const struct stasis_note *note = stasis_system_notes(sys, &count);
        for (size_t i = 0; i < count; i++)
                if (!strcmp(note[i].code, code) && note[i].object == t.thread[thread])
                        return &note[i];
        return NULL;
}

static void expect_said(enum tiny_thread thread, const char *code, const char *part)
{
        const struct stasis_note *note = said(thread, code);
        ck_assert_msg(note != NULL, "%s is not said", code);
        ck_assert_msg(strstr(note->text, part) != NULL, "%s: %s", code, note->text);
        ck_assert_int_eq(note->tid, (int64_t)tiny_tid(thread));
        ck_assert_uint_eq(sys_notes(code), 1); /* once, and of nobody else */
        (void)sys_record(STASIS_THREADS, t.thread[thread]);
        ck_assert_uint_eq(sys_notes(code), 1);
}

/* A whole system has nothing to say but of its terminated thread. */
START_TEST(silence)
{
        enum stasis_severity severity;
        const char *needs, *code;
        build(_i, MODULE + 0x1000);
        (void)sys_record(STASIS_THREADS, 0);
        for (size_t i = 0; (code = thread_check_at(i, &severity, &needs)); i++)
                ck_assert_msg(!sys_note(code) || !strcmp(code, "terminated-listed"), "%s: %s", code,
                              sys_note(code) ? sys_note(code)->text : "");
        expect_said(TINY_DEAD, "terminated-listed", "somebody holds");
}
END_TEST

START_TEST(private_start)
{
        build(_i, PRIVATE + 0x123);
        expect_said(TINY_MAIN, "start-in-private-memory", "0x500123, in private executable memory");
        ck_assert_ptr_null(said(TINY_MAIN, "start-outside-modules"));
}
END_TEST

START_TEST(private_start_not_executable)
{
        tiny_build(&t, _i);
        put_loader();
        put_vad(4); /* read and write */
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.Win32StartAddress", PRIVATE);
        sys_open();
        expect_said(TINY_MAIN, "start-in-private-memory", "in private memory");
}
END_TEST

START_TEST(stray_start)
{
        build(_i, 0x600000);
        expect_said(TINY_MAIN, "start-outside-modules",
                    "0x600000, in no module of its process, where its process has no");
        sys_close();
        tiny_build(&t, _i);
        put_loader();
        put_vad(6);
        world_u(&t.world, t.pool + TINY_POOL_FREE + at[_i].vad_flags, 4, 0); /* a file, say */
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.Win32StartAddress", PRIVATE);
        sys_open();
        expect_said(TINY_MAIN, "start-outside-modules", "where something is mapped");
        ck_assert_ptr_null(said(TINY_MAIN, "start-in-private-memory"));
}
END_TEST

/* The kernel's own list. TINY_WORKER is a thread of System. */
START_TEST(stray_kernel_start)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.thread[TINY_WORKER], "ETHREAD.StartAddress", t.pool);
        sys_open();
        expect_said(TINY_WORKER, "start-outside-modules", "in no module of the kernel");
}
END_TEST

/* A list that is torn or not there proves nothing; nor do message ids, nor the dead. */
START_TEST(start_not_claimed)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.Win32StartAddress", 0x600000); /* beta has no list */
        sys_open();
        ck_assert_ptr_null(said(TINY_MAIN, "start-outside-modules"));
        sys_close();
        build(_i, 0x178);
        ck_assert_ptr_null(said(TINY_MAIN, "start-outside-modules"));
        sys_close();
        tiny_build(&t, _i);
        put_loader();
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.Win32StartAddress", 0x600000);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.State", 4);
        sys_open();
        ck_assert_ptr_null(said(TINY_MAIN, "start-outside-modules"));
        sys_close();
        tiny_build(&t, _i);
        put_loader();
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.Win32StartAddress", 0x600000);
        tiny_user_u(&t, TINY_BETA, LOADER + 0x200, t.pointer, LOADER + 0x200); /* torn: it names itself */
        sys_open();
        ck_assert_ptr_null(said(TINY_MAIN, "start-outside-modules"));
}
END_TEST

START_TEST(hidden)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.thread[TINY_READY], "ETHREAD.CrossThreadFlags", 4);
        sys_open();
        expect_said(TINY_READY, "hidden-from-debugger", "ThreadHideFromDebugger");
}
END_TEST

static void impersonate_system(uint64_t level)
{
        tiny_set(&t, t.thread[TINY_CLIENT], "ETHREAD.ActiveImpersonationInfo", 1);
        if (t.is64) {
                tiny_set(&t, t.thread[TINY_CLIENT], "ETHREAD.ClientSecurity.ImpersonationData",
                         t.token[TINY_TOKEN_SYSTEM] | level);
                return;
        }
        tiny_set(&t, t.impersonation, "PS_IMPERSONATION_INFORMATION.Token", t.token[TINY_TOKEN_SYSTEM]);
        tiny_set(&t, t.impersonation, "PS_IMPERSONATION_INFORMATION.ImpersonationLevel", level);
}

START_TEST(system_impersonated)
{
        tiny_build(&t, _i);
        impersonate_system(2);
        sys_open();
        expect_said(TINY_CLIENT, "impersonates-system", "which its process is not");
        sys_close();
        tiny_build(&t, _i);
        impersonate_system(1); /* Identification: nothing can be done with it */
        sys_open();
        ck_assert_ptr_null(said(TINY_CLIENT, "impersonates-system"));
        sys_close();
        tiny_build(&t, _i);
        impersonate_system(2);
        tiny_set(&t, t.process[TINY_ALPHA], "EPROCESS.Token", t.token[TINY_TOKEN_SYSTEM]);
        sys_open();
        ck_assert_ptr_null(said(TINY_CLIENT, "impersonates-system"));
}
END_TEST

START_TEST(kernel_stack)
{
        tiny_build(&t, _i);
        uint64_t base = tiny_get(&t, t.thread[TINY_MAIN], "KTHREAD.StackBase");
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.KernelStackResident", 1);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.KernelStack", base + t.pointer);
        tiny_set(&t, t.thread[TINY_RUNNER], "KTHREAD.KernelStackResident", 1);
        tiny_set(&t, t.thread[TINY_DEAD], "KTHREAD.KernelStackResident", 1);
        tiny_set(&t, t.thread[TINY_RUNNER], "KTHREAD.KernelStack", 0x1000); /* running: stale */
        tiny_set(&t, t.thread[TINY_DEAD], "KTHREAD.KernelStack", 0x1000);   /* dead: reused */
        tiny_set(&t, t.thread[TINY_READY], "KTHREAD.KernelStack", 0x1000);  /* not resident */
        sys_open();
        expect_said(TINY_MAIN, "stack-pointer-outside", "is outside its kernel stack");
}
END_TEST

START_TEST(teb_of_another)
{
        tiny_build(&t, _i);
        tiny_user_set(&t, TINY_BETA, t.teb[TINY_MAIN], "TEB.ClientId.UniqueProcess", 0x300);
        sys_open();
        expect_said(TINY_MAIN, "teb-process-disagrees", "says that its process is 768");
}
END_TEST

START_TEST(debug_registers)
{
        for (unsigned enabled = 0; enabled < 2; enabled++) {
                tiny_build(&t, _i);
                uint64_t frame = t.pool + TINY_POOL_FREE + 0x400, active = t.thread[TINY_MAIN] + (t.is64 ? 3 : 0x2c);
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.TrapFrame", frame);
                world_u(&t.world, active, 1, 1);
                tiny_pointer(&t, frame + at[_i].dr0, 0x401234);
                tiny_pointer(&t, frame + at[_i].dr3, 0x405678);
                tiny_pointer(&t, frame + at[_i].dr7, enabled ? 0x455 : 0x400);
                sys_open();
                if (enabled)
                        expect_said(TINY_MAIN, "debug-registers", "0x401234, 0x0, 0x0, 0x405678, dr7 0x455");
                else
                        ck_assert_ptr_null(said(TINY_MAIN, "debug-registers"));
                sys_close();
        }
}
END_TEST

/* With registers as another file makes them: what they are is not this test's matter. */
static void with_user_sp(uint64_t sp)
{
        struct windows *w = sys->priv;
        struct field_set *set = w->fields[STASIS_THREADS];
        static struct stasis_registers registers;
        size_t i = 0;
        while (strcmp(set->column[i].key, "user_registers") != 0)
                i++;
        (void)sys_record(STASIS_THREADS, t.thread[TINY_MAIN]);
        registers = (struct stasis_registers){ .known = 1u << 7, .width = t.pointer };
        registers.cpu.gpr[7] = sp;
        set->fact[i] = (struct stasis_fact){ .value = 1, .registers = &registers, .absence = STASIS_PRESENT };
        const uint64_t object = t.thread[TINY_MAIN];
        struct decode d = { .w = w, .set = set, .object = object, .space = w->kernel, .at = object };
        for (size_t k = 0; k < w->thread_count; k++)
                if (w->thread[k].object == d.object) {
                        d.thread = &w->thread[k];
                        d.process = w->thread[k].process;
                }
        thread_checks(&d);
}

START_TEST(user_stack)
{
        tiny_build(&t, _i); /* the TEB tells 0x12a000 to 0x130000 */
        sys_open();
        (void)sys_count(STASIS_THREADS);
        ((struct windows *)sys->priv)->process[3].wow64 = false;
        with_user_sp(0x12a000);
        with_user_sp(0x130000);
        ck_assert_uint_eq(sys_notes("user-stack-pointer-outside"), 0);
        with_user_sp(0x129ff8);
        ck_assert_uint_eq(sys_notes("user-stack-pointer-outside"), 1);
        ck_assert_ptr_nonnull(strstr(sys_note("user-stack-pointer-outside")->text, "0x129ff8 is outside"));
        ((struct windows *)sys->priv)->process[3].wow64 = true; /* it may be on its 32-bit stack */
        with_user_sp(0x129ff8);
        ck_assert_uint_eq(sys_notes("user-stack-pointer-outside"), 1);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { silence,        private_start,       private_start_not_executable,
                                      stray_start,    stray_kernel_start,  start_not_claimed,
                                      hidden,         system_impersonated, kernel_stack,
                                      teb_of_another, debug_registers,     user_stack };
        return sys_main("checks", both, sizeof both / sizeof *both, NULL, 0);
}
