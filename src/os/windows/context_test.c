/* SPDX-License-Identifier: MIT */
/* What a thread's record says of its process, and what hangs on its TEB; the same of the process's own record. */
#include "fields.h"

#include "../../test/tiny_system.h"

/* { XP x86, 10 x64 }: Microsoft's public symbols, spelled out. */
static const struct {
        uint32_t tls_slots, tls_expansion, fiber, fiber_data, tls_pointer, directory, title, desktop, image;
} at[] = { { 0xe10, 0xf94, 0xf76, 0x10, 0x2c, 0x24, 0x70, 0x78, 0x38 },
           { 0x1480, 0x1780, 0x17ee, 0x20, 0x58, 0x38, 0xb0, 0xc0, 0x60 } };

static void build(bool is64)
{
        tiny_build(&t, is64);
        sys_open();
        (void)sys_count(STASIS_THREADS);
}

/* A UNICODE_STRING in the memory of beta. */
static void put_text(uint64_t va, uint64_t text, unsigned pointer, const char *ascii)
{
        tiny_user_u(&t, TINY_BETA, va, 2, 2 * strlen(ascii));
        tiny_user_u(&t, TINY_BETA, va + 2, 2, 2 * strlen(ascii));
        tiny_user_u(&t, TINY_BETA, va + pointer, pointer, text);
        for (size_t i = 0; ascii[i]; i++)
                tiny_user_u(&t, TINY_BETA, text + 2 * i, 2, (unsigned char)ascii[i]);
}

START_TEST(parents)
{
        build(_i);
        expect_value(thread_fact(TINY_MAIN, "ppid"), 4);
        expect_text(thread_fact(TINY_MAIN, "parent"), "System");
        expect_text(process_fact(TINY_BETA, "parent"), "System");
        expect_absent(process_fact(TINY_SYSTEM, "parent"), STASIS_NOT_APPLICABLE);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.InheritedFromUniqueProcessId", 0x999);
        expect_absent(thread_fact(TINY_MAIN, "parent"), STASIS_NOT_KNOWN);
        /* the id is another process's by now: that one is younger */
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.InheritedFromUniqueProcessId", tiny_pid(TINY_ALPHA));
        expect_text(thread_fact(TINY_MAIN, "parent"), "alpha.exe");
        tiny_set(&t, t.process[TINY_ALPHA], "EPROCESS.CreateTime", TINY_CREATED + 1);
        expect_absent(thread_fact(TINY_MAIN, "parent"), STASIS_NOT_KNOWN);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.InheritedFromUniqueProcessId", tiny_pid(TINY_BETA));
        expect_absent(thread_fact(TINY_MAIN, "parent"), STASIS_NOT_KNOWN); /* nobody is his own */
}
END_TEST

START_TEST(life_of_the_process)
{
        build(_i);
        expect_value(thread_fact(TINY_MAIN, "process_created"), TINY_CREATED);
        expect_absent(thread_fact(TINY_MAIN, "process_exited"), STASIS_NOT_APPLICABLE);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.ExitTime", TINY_EXITED);
        expect_value(thread_fact(TINY_MAIN, "process_exited"), TINY_EXITED);
}
END_TEST

START_TEST(parameters)
{
        uint64_t at_parameters = 0x20000, peb;
        tiny_build(&t, _i);
        peb = t.peb;
        tiny_map_user(&t, TINY_BETA, at_parameters, 0x2000);
        sys_open();
        (void)sys_count(STASIS_THREADS);
        expect_absent(process_fact(TINY_BETA, "current_directory"), STASIS_NOT_APPLICABLE);
        tiny_user_set(&t, TINY_BETA, peb, "PEB.ProcessParameters", at_parameters);
        tiny_user_set(&t, TINY_BETA, peb, "PEB.SessionId", 3);
        tiny_user_u(&t, TINY_BETA, peb + 2, 1, 1);
        put_text(at_parameters + tiny_place(&t, "RTL_USER_PROCESS_PARAMETERS.CommandLine").at, at_parameters + 0x600,
                 t.pointer, "beta.exe -x");
        put_text(at_parameters + at[_i].directory, at_parameters + 0x700, t.pointer, "C:\\there\\");
        put_text(at_parameters + at[_i].title, at_parameters + 0x800, t.pointer, "A title");
        put_text(at_parameters + at[_i].desktop, at_parameters + 0x900, t.pointer, "WinSta0\\Default");
        put_text(at_parameters + at[_i].image, at_parameters + 0xa00, t.pointer, "C:\\beta.exe");
        expect_text(thread_fact(TINY_MAIN, "command_line"), "beta.exe -x");
        expect_text(process_fact(TINY_BETA, "command_line"), "beta.exe -x");
        expect_text(process_fact(TINY_BETA, "current_directory"), "C:\\there\\");
        expect_text(process_fact(TINY_BETA, "window_title"), "A title");
        expect_text(process_fact(TINY_BETA, "desktop"), "WinSta0\\Default");
        expect_text(process_fact(TINY_BETA, "image_path"), "C:\\beta.exe");
        expect_value(process_fact(TINY_BETA, "being_debugged"), 1);
        expect_value(thread_fact(TINY_MAIN, "session"), 3);
        expect_absent(process_fact(TINY_SYSTEM, "window_title"), STASIS_NOT_APPLICABLE);
        expect_absent(process_fact(TINY_SYSTEM, "being_debugged"), STASIS_NOT_APPLICABLE);
        if (!t.is64) {
                expect_absent(process_fact(TINY_BETA, "command_line32"), STASIS_NOT_IN_VERSION);
                return;
        }
        expect_absent(process_fact(TINY_ALPHA, "command_line32"), STASIS_NOT_APPLICABLE);
        tiny_user_u(&t, TINY_BETA, 0x20000 + 0x1010, 4, 0x20000 + 0x1100); /* a PEB32 at 0x21000 */
        put_text(0x20000 + 0x1100 + 0x40, 0x20000 + 0x1300, 4, "beta32");
        tiny_pointer(&t, tiny_get(&t, t.process[TINY_BETA], "EPROCESS.WoW64Process"), 0x21000);
        ((struct windows *)sys->priv)->process[3].peb32 = 0x21000; /* was read when the processes were found */
        expect_text(process_fact(TINY_BETA, "command_line32"), "beta32");
}
END_TEST

START_TEST(slots)
{
        tiny_build(&t, _i);
        uint64_t teb = t.teb[TINY_MAIN], more = 0x30000;
        tiny_map_user(&t, TINY_BETA, more, 0x2000);
        sys_open();
        (void)sys_count(STASIS_THREADS);
        expect_value(thread_fact(TINY_MAIN, "tls_slots"), 0);
        expect_absent(thread_fact(TINY_WORKER, "tls_slots"), STASIS_NOT_APPLICABLE); /* no TEB */
        tiny_user_u(&t, TINY_BETA, teb + at[_i].tls_slots + 4u * t.pointer, t.pointer, 0xa5a50000);
        tiny_user_u(&t, TINY_BETA, teb + at[_i].tls_slots + 63u * t.pointer, t.pointer, 7);
        tiny_user_u(&t, TINY_BETA, teb + at[_i].tls_expansion, t.pointer, more);
        tiny_user_u(&t, TINY_BETA, more + 1023u * t.pointer, t.pointer, 9);
        const struct stasis_list *list = thread_fact(TINY_MAIN, "tls_slots")->list;
        static const uint64_t want[][2] = { { 4, 0xa5a50000 }, { 63, 7 }, { 64 + 1023, 9 } };
        ck_assert_uint_eq(list->rows, 3);
        for (size_t i = 0; i < 3; i++) {
                expect_value(&list->fact[2 * i], want[i][0]);
                expect_value(&list->fact[2 * i + 1], want[i][1]);
        }
        tiny_user_u(&t, TINY_BETA, teb + at[_i].tls_expansion, t.pointer, 0x90000); /* nothing is there */
        expect_value(thread_fact(TINY_MAIN, "tls_slots"), 2);
        expect_absent(thread_fact(TINY_MAIN, "tls_pointer"), STASIS_NOT_APPLICABLE);
        tiny_user_u(&t, TINY_BETA, teb + at[_i].tls_pointer, t.pointer, 0x1230);
        expect_value(thread_fact(TINY_MAIN, "tls_pointer"), 0x1230);
}
END_TEST

/* FiberData is Version where the thread is no fiber. */
START_TEST(fibers)
{
        build(_i);
        uint64_t teb = t.teb[TINY_MAIN];
        tiny_user_u(&t, TINY_BETA, teb + at[_i].fiber_data, t.pointer, 0x1e00);
        expect_value(thread_fact(TINY_MAIN, "fiber"), 0);
        expect_absent(thread_fact(TINY_MAIN, "fiber_data"), STASIS_NOT_APPLICABLE);
        tiny_user_u(&t, TINY_BETA, teb + at[_i].fiber, 1, t.is64 ? 4 : 1); /* bit 2 of SameTebFlags since 7 */
        expect_value(thread_fact(TINY_MAIN, "fiber"), 1);
        expect_value(thread_fact(TINY_MAIN, "fiber_data"), 0x1e00);
}
END_TEST

/* One page of entries, as the table's code says: in XP a pointer with flags in its low bits, in 10 packed. */
START_TEST(handles)
{
        build(_i);
        uint64_t table = t.pool + TINY_POOL_FREE, entries = t.token[0] & ~UINT64_C(0xfff);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.ObjectTable", table);
        memset(world_at(&t.world, entries), 0, 0x1000);
        tiny_pointer(&t, table + (t.is64 ? 8 : 0), entries);
        for (unsigned i = 1; i <= 5; i++) {
                uint64_t entry = entries + (uint64_t)i * 2 * t.pointer, object = t.pool + 0x100;
                if (t.is64)
                        world_u(&t.world, entry, 8, (object & UINT64_C(0xfffffffffff0)) << 16 | 1);
                else
                        world_u(&t.world, entry, 4, object | 1);
                world_u(&t.world, entry + t.pointer, 4, 0x1f0003);
        }
        expect_value(process_fact(TINY_BETA, "handles"), 5);
        tiny_pointer(&t, table + (t.is64 ? 8 : 0), t.pool + 0x80000);
        ck_assert_int_ne(process_fact(TINY_BETA, "handles")->absence, STASIS_PRESENT);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.ObjectTable", 0);
        expect_absent(process_fact(TINY_BETA, "handles"), STASIS_NOT_APPLICABLE);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { parents, life_of_the_process, parameters, slots, fibers, handles };
        return sys_main("context", both, sizeof both / sizeof *both, NULL, 0);
}
