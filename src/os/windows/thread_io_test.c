/* SPDX-License-Identifier: MIT */
/* IRPs, APCs and timers of a thread: each fact, what is none of them, and torn rings. */
#include "thread_io.h"

#include "../../test/tiny_system.h"

/* { XP x86, 10 x64 }: wdm.h and Microsoft's public symbols, spelled out. */
static const struct {
        uint32_t size, link, status, mode, stack_count, cancel, cancel_routine, event, stack;
} irp[] = { { 0x70, 0x10, 0x18, 0x20, 0x22, 0x24, 0x38, 0x2c, 0x60 },
            { 0xd0, 0x20, 0x30, 0x40, 0x42, 0x44, 0x68, 0x50, 0xb8 } };
static const struct {
        uint32_t size, code, device, file;
} location[] = { { 0x24, 0xc, 0x14, 0x18 }, { 0x48, 0x18, 0x28, 0x30 } };
static const struct {
        uint32_t device_driver, driver_name, file_name;
} named[] = { { 0x8, 0x1c, 0x30 }, { 0x8, 0x38, 0x58 } };
static const struct {
        uint32_t size, thread, link, kernel, rundown, normal, context, argument1, argument2, index, inserted;
} apc[] = { { 0x30, 0x8, 0xc, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x2e },
            { 0x58, 0x8, 0x10, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x52 } };
static const struct {
        uint32_t size, due, period, dpc, lock;
} timer[] = { { 0x28, 0x10, 0x24, 0x20, 0 }, { 0x40, 0x18, 0x3c, 0x40, 8 } };

#define SHARED_INTERRUPT_TIME UINT64_C(50000000) /* as tiny.c writes it: 5 s; the system time is TINY_EXITED */

static uint64_t at(unsigned slot) { return t.pool + TINY_POOL_FREE + 0x200 * slot; }

static void build(bool is64) { tiny_build(&t, is64); }

static void opened(void)
{
        sys_open();
        (void)sys_count(STASIS_THREADS);
}

static const struct stasis_fact *row(const struct stasis_fact *list, size_t i, const char *key)
{
        ck_assert_int_eq(list->absence, STASIS_PRESENT);
        ck_assert_uint_lt(i, list->list->rows);
        for (size_t k = 0; k < list->list->columns; k++)
                if (!strcmp(list->list->column[k].key, key))
                        return &list->list->fact[i * list->list->columns + k];
        ck_abort_msg("no column %s", key);
}

/* ---------------------------------------------------------------- IRPs */

/* An IRP with two stack locations, of which the first is current: a control of \Device\Thing by \Driver\thing. */
static uint64_t put_irp(unsigned slot)
{
        uint64_t object = at(slot), stack = object + irp[t.is64].size;
        uint64_t device = at(slot + 1), driver = device + 0x40, file = at(slot + 2);

        world_u(&t.world, object, 2, 6);
        world_u(&t.world, object + irp[t.is64].status, 4, 0x103);
        world_u(&t.world, object + irp[t.is64].mode, 1, 1);
        world_u(&t.world, object + irp[t.is64].stack_count, 1, 2);
        world_u(&t.world, object + irp[t.is64].cancel, 1, 1);
        tiny_pointer(&t, object + irp[t.is64].cancel_routine, t.kernel + WORLD_PE_TEXT + 0x18);
        tiny_pointer(&t, object + irp[t.is64].stack, stack);
        world_u(&t.world, stack, 1, 0x0e);
        world_u(&t.world, stack + location[t.is64].code, 4, 0x222004);
        tiny_pointer(&t, stack + location[t.is64].device, device);
        tiny_pointer(&t, stack + location[t.is64].file, file);
        tiny_pointer(&t, device + named[t.is64].device_driver, driver);
        tiny_string(&t, driver + named[t.is64].driver_name, driver + 0x80, "\\Driver\\thing");
        tiny_string(&t, file + named[t.is64].file_name, file + 0x100, "\\a file");
        return object;
}

static void link_irps(uint64_t first, uint64_t second)
{
        const uint64_t entry[] = { first + irp[t.is64].link, second + irp[t.is64].link };
        tiny_ring(&t, t.thread[TINY_MAIN] + tiny_place(&t, "ETHREAD.IrpList").at, entry, second ? 2 : 1);
}

START_TEST(irps)
{
        build(_i);
        uint64_t object = put_irp(0), other = put_irp(3);
        link_irps(object, other);
        opened();
        const struct stasis_fact *list = thread_fact(TINY_MAIN, "irps");
        expect_value(list, 2);
        expect_value(row(list, 0, "irp"), object);
        expect_value(row(list, 1, "irp"), other);
        expect_value(row(list, 0, "stack_location"), object + irp[_i].size);
        expect_text(row(list, 0, "major"), "IRP_MJ_DEVICE_CONTROL");
        expect_absent(row(list, 0, "minor"), STASIS_NOT_APPLICABLE);
        expect_value(row(list, 0, "control_code"), 0x222004);
        expect_value(row(list, 0, "device"), at(1));
        expect_value(row(list, 0, "driver"), at(1) + 0x40);
        expect_text(row(list, 0, "driver_name"), "\\Driver\\thing");
        expect_text(row(list, 0, "file_name"), "\\a file");
        expect_value(row(list, 0, "status"), 0x103);
        expect_text(row(list, 0, "requestor_mode"), "UserMode");
        expect_value(row(list, 0, "cancel"), 1);
        expect_value(row(list, 0, "cancel_routine"), t.kernel + WORLD_PE_TEXT + 0x18);
        ck_assert_ptr_nonnull(row(list, 0, "cancel_routine")->text);
        expect_absent(row(list, 0, "user_event"), STASIS_NOT_APPLICABLE);
        expect_value(thread_fact(TINY_READY, "irps"), 0);
        ck_assert_ptr_null(sys_note("queue-torn"));
}
END_TEST

/* Major functions tell what the minor one is called, and whether there is a control code. */
START_TEST(irp_functions)
{
        build(_i);
        uint64_t object = put_irp(0), stack = object + irp[t.is64].size;
        link_irps(object, 0);
        opened();
        world_u(&t.world, stack, 2, 0x020c);
        expect_text(row(thread_fact(TINY_MAIN, "irps"), 0, "minor"), "IRP_MN_NOTIFY_CHANGE_DIRECTORY");
        expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "control_code"), STASIS_NOT_APPLICABLE);
        world_u(&t.world, stack, 2, 0x000d);
        expect_text(row(thread_fact(TINY_MAIN, "irps"), 0, "minor"), "IRP_MN_USER_FS_REQUEST");
        expect_value(row(thread_fact(TINY_MAIN, "irps"), 0, "control_code"), 0x222004);
        world_u(&t.world, stack, 2, 0x7703); /* a read has no such minor function */
        expect_value(row(thread_fact(TINY_MAIN, "irps"), 0, "minor"), 0x77);
        ck_assert_ptr_null(row(thread_fact(TINY_MAIN, "irps"), 0, "minor")->text);
}
END_TEST

/* wdm.h, ntifs.h: the minor functions of a major one from a number on, ended by NULL. */
START_TEST(irp_minor_functions)
{
        static const struct {
                uint8_t major, first;
                const char *name[16];
        } groups[] = {
                { 0x0c, 1, { "QUERY_DIRECTORY", "NOTIFY_CHANGE_DIRECTORY", "NOTIFY_CHANGE_DIRECTORY_EX" } },
                { 0x0d, 0, { "USER_FS_REQUEST", "MOUNT_VOLUME", "VERIFY_VOLUME", "LOAD_FILE_SYSTEM", "KERNEL_CALL" } },
                { 0x11, 1, { "LOCK", "UNLOCK_SINGLE", "UNLOCK_ALL", "UNLOCK_ALL_BY_KEY" } },
                { 0x16, 0, { "WAIT_WAKE", "POWER_SEQUENCE", "SET_POWER", "QUERY_POWER" } },
                { 0x1b,
                  0,
                  { "START_DEVICE", "QUERY_REMOVE_DEVICE", "REMOVE_DEVICE", "CANCEL_REMOVE_DEVICE", "STOP_DEVICE",
                    "QUERY_STOP_DEVICE", "CANCEL_STOP_DEVICE", "QUERY_DEVICE_RELATIONS", "QUERY_INTERFACE",
                    "QUERY_CAPABILITIES", "QUERY_RESOURCES", "QUERY_RESOURCE_REQUIREMENTS", "QUERY_DEVICE_TEXT",
                    "FILTER_RESOURCE_REQUIREMENTS" } },
                { 0x1b,
                  0x0f,
                  { "READ_CONFIG", "WRITE_CONFIG", "EJECT", "SET_LOCK", "QUERY_ID", "QUERY_PNP_DEVICE_STATE",
                    "QUERY_BUS_INFORMATION", "DEVICE_USAGE_NOTIFICATION", "SURPRISE_REMOVAL" } },
        };
        build(_i);
        uint64_t object = put_irp(0), stack = object + irp[t.is64].size;
        link_irps(object, 0);
        opened();
        for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
                for (unsigned k = 0; groups[i].name[k]; k++) {
                        char name[48];
                        snprintf(name, sizeof name, "IRP_MN_%s", groups[i].name[k]);
                        world_u(&t.world, stack, 1, groups[i].major);
                        world_u(&t.world, stack + 1, 1, groups[i].first + k);
                        expect_text(row(thread_fact(TINY_MAIN, "irps"), 0, "minor"), name);
                }
}
END_TEST

/* A stack location elsewhere than behind the IRP is none: nothing of it is told. One past the last: not sent yet. */
START_TEST(irp_locations)
{
        static const struct {
                int by;
                uint8_t absence;
        } moved[] = { { -1, STASIS_CONTRADICTORY }, { 2, STASIS_NOT_APPLICABLE }, { 3, STASIS_CONTRADICTORY } };
        build(_i);
        uint64_t object = put_irp(0), stack = object + irp[t.is64].size;
        link_irps(object, 0);
        opened();
        for (size_t i = 0; i < 3; i++) {
                tiny_pointer(&t, object + irp[_i].stack, stack + (uint64_t)(moved[i].by * (int)location[_i].size));
                expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "major"), (enum stasis_absence)moved[i].absence);
                expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "driver_name"),
                              (enum stasis_absence)moved[i].absence);
        }
        struct thread_io *io = ((struct windows *)sys->priv)->io;
        uint32_t size = io->stack_size;
        io->stack_size = 0; /* a layout that does not tell it */
        expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "major"), STASIS_NOT_KNOWN);
        io->stack_size = size;
        tiny_pointer(&t, object + irp[_i].stack, stack + 1);
        expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "major"), STASIS_CONTRADICTORY);
        tiny_pointer(&t, object + irp[_i].stack, 0);
        expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "major"), STASIS_NOT_APPLICABLE);
        tiny_pointer(&t, object + irp[_i].stack, stack);
        tiny_pointer(&t, stack + location[_i].device, 0x1000); /* no kernel address */
        expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "driver"), STASIS_CONTRADICTORY);
        tiny_pointer(&t, stack + location[_i].device, 0);
        expect_absent(row(thread_fact(TINY_MAIN, "irps"), 0, "driver_name"), STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(irps_torn)
{
        build(_i);
        uint64_t object = put_irp(0), other = put_irp(3);
        link_irps(object, other);
        world_u(&t.world, other, 2, 5); /* no IRP */
        opened();
        const struct stasis_fact *list = thread_fact(TINY_MAIN, "irps");
        expect_value(list, 1);
        expect_value(row(list, 0, "irp"), object);
        const struct stasis_note *note = sys_note("queue-torn");
        ck_assert_ptr_nonnull(note);
        ck_assert_int_eq(note->severity, STASIS_NOTE_MISSING);
        ck_assert_int_eq(note->tid, (int64_t)tiny_tid(TINY_MAIN));
        size_t before = sys_notes("queue-torn");
        (void)thread_fact(TINY_MAIN, "irps"); /* decoded again: it is said once */
        ck_assert_uint_eq(sys_notes("queue-torn"), before);
        tiny_pointer(&t, t.thread[TINY_MAIN] + tiny_place(&t, "ETHREAD.IrpList").at, 0);
        expect_absent(thread_fact(TINY_MAIN, "irps"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* ---------------------------------------------------------------- APCs */

static uint64_t put_apc(unsigned slot, uint64_t normal)
{
        uint64_t object = at(slot);

        world_u(&t.world, object, 1, 0x12);
        tiny_pointer(&t, object + apc[t.is64].thread, t.thread[TINY_MAIN]);
        tiny_pointer(&t, object + apc[t.is64].kernel, t.kernel + WORLD_PE_TEXT + 0x20);
        tiny_pointer(&t, object + apc[t.is64].normal, normal);
        tiny_pointer(&t, object + apc[t.is64].context, 0x1234);
        tiny_pointer(&t, object + apc[t.is64].argument1, 0x11);
        tiny_pointer(&t, object + apc[t.is64].argument2, 0x22);
        world_u(&t.world, object + apc[t.is64].inserted, 1, 1);
        return object;
}

static uint64_t apc_head(enum tiny_thread thread, const char *state, unsigned list)
{
        uint64_t process = t.thread[thread] + tiny_place(&t, state).at; /* KAPC_STATE: two lists, then the process */
        return process - (4 - 2 * list) * t.pointer;
}

START_TEST(apcs)
{
        build(_i);
        uint64_t kernel = put_apc(0, 0), normal = put_apc(1, t.kernel + WORLD_PE_TEXT), user = put_apc(2, 0x401000);
        const uint64_t first[] = { kernel + apc[_i].link, normal + apc[_i].link }, second = user + apc[_i].link;
        tiny_ring(&t, apc_head(TINY_MAIN, "KTHREAD.ApcState.Process", 0), first, 2);
        tiny_ring(&t, apc_head(TINY_MAIN, "KTHREAD.ApcState.Process", 1), &second, 1);
        opened();
        const struct stasis_fact *list = thread_fact(TINY_MAIN, "apcs");
        expect_value(list, 3);
        expect_value(row(list, 0, "apc"), kernel);
        expect_text(row(list, 0, "kind"), "special kernel");
        expect_text(row(list, 0, "queue"), "kernel");
        expect_absent(row(list, 0, "normal_routine"), STASIS_NOT_APPLICABLE);
        expect_value(row(list, 0, "kernel_routine"), t.kernel + WORLD_PE_TEXT + 0x20);
        ck_assert_ptr_nonnull(row(list, 0, "kernel_routine")->text);
        expect_text(row(list, 1, "kind"), "kernel");
        expect_text(row(list, 2, "kind"), "user");
        expect_text(row(list, 2, "queue"), "user");
        expect_value(row(list, 2, "normal_routine"), 0x401000);
        expect_value(row(list, 2, "normal_context"), 0x1234);
        expect_value(row(list, 2, "argument1"), 0x11);
        expect_value(row(list, 2, "argument2"), 0x22);
        expect_value(row(list, 2, "inserted"), 1);
        expect_value(row(list, 2, "thread"), t.thread[TINY_MAIN]);
        expect_text(row(list, 2, "environment"), "OriginalApcEnvironment");
        expect_value(thread_fact(TINY_READY, "apcs"), 0);
        ck_assert_ptr_null(sys_note("queue-torn"));
}
END_TEST

/* Of an attached thread the saved lists count too; of another one what lies there is left over. */
START_TEST(apcs_saved)
{
        build(_i);
        uint64_t object = put_apc(0, 0x401000), entry = object + apc[_i].link;
        for (unsigned list = 0; list < 2; list++) {
                tiny_ring(&t, apc_head(TINY_ATTACHED, "KTHREAD.SavedApcState.Process", list), NULL, 0);
                tiny_ring(&t, apc_head(TINY_WORKER, "KTHREAD.SavedApcState.Process", list), NULL, 0);
        }
        tiny_ring(&t, apc_head(TINY_ATTACHED, "KTHREAD.SavedApcState.Process", 1), &entry, 1);
        opened();
        const struct stasis_fact *list = thread_fact(TINY_ATTACHED, "apcs");
        expect_value(list, 1);
        expect_text(row(list, 0, "queue"), "saved user");
        expect_value(thread_fact(TINY_WORKER, "apcs"), 0);
        tiny_pointer(&t, apc_head(TINY_WORKER, "KTHREAD.ApcState.Process", 0), 0); /* not made yet */
        expect_absent(thread_fact(TINY_WORKER, "apcs"), STASIS_NOT_APPLICABLE);
        world_u(&t.world, object, 1, 0x13); /* no APC */
        expect_value(thread_fact(TINY_ATTACHED, "apcs"), 0);
}
END_TEST

/* ---------------------------------------------------------------- timers */

/* KTIMER, since 8 a lock, KAPC, KDPC, link. */
START_TEST(timers)
{
        build(_i);
        uint64_t object = at(0), at_apc = object + timer[_i].size + timer[_i].lock;
        uint64_t link = at_apc + apc[_i].size + timer[_i].dpc, stray = at(2);
        const uint64_t entry[] = { link, stray };
        tiny_ring(&t, t.thread[TINY_MAIN] + tiny_place(&t, "ETHREAD.ActiveTimerListHead").at, entry, 2);
        world_u(&t.world, object, 1, 9);
        tiny_ring(&t, object + 8, NULL, 0); /* whose low byte, at the next address, may look like a timer's type */
        world_u(&t.world, object + timer[_i].due, 8, SHARED_INTERRUPT_TIME + 15000000);
        world_u(&t.world, object + timer[_i].period, 4, 250);
        world_u(&t.world, at_apc, 1, 0x12);
        tiny_pointer(&t, at_apc + apc[_i].normal, 0x401000);
        tiny_pointer(&t, at_apc + apc[_i].context, 0x77);
        opened();
        const struct stasis_fact *list = thread_fact(TINY_MAIN, "timers");
        expect_value(list, 2);
        expect_value(row(list, 0, "timer"), object);
        expect_value(row(list, 0, "due"), SHARED_INTERRUPT_TIME + 15000000);
        expect_value(row(list, 0, "due_in"), 1500);
        expect_value(row(list, 0, "due_time"), TINY_EXITED + 15000000);
        expect_value(row(list, 0, "period"), 250);
        expect_value(row(list, 0, "signalled"), 0);
        expect_value(row(list, 0, "routine"), 0x401000);
        expect_value(row(list, 0, "context"), 0x77);
        expect_value(row(list, 1, "timer"), stray); /* on the list, and no timer */
        expect_absent(row(list, 1, "due"), STASIS_CONTRADICTORY);
        expect_absent(row(list, 1, "routine"), STASIS_CONTRADICTORY);
        world_u(&t.world, object + timer[_i].due, 8, UINT64_C(0x500000000)); /* both halves, on x86 too */
        expect_value(row(thread_fact(TINY_MAIN, "timers"), 0, "due"), 0x500000000);
        world_u(&t.world, object + timer[_i].due, 8, SHARED_INTERRUPT_TIME - 10000);
        ck_assert_int_eq((int64_t)row(thread_fact(TINY_MAIN, "timers"), 0, "due_in")->value, -1);
        for (unsigned far = 0; far < 2; far++) { /* the last time that is one, and the next */
                uint64_t due = (UINT64_C(1) << 59) - 1 + far + SHARED_INTERRUPT_TIME - TINY_EXITED;
                world_u(&t.world, object + timer[_i].due, 8, due);
                ck_assert_int_eq(row(thread_fact(TINY_MAIN, "timers"), 0, "due_time")->absence,
                                 far ? STASIS_CONTRADICTORY : STASIS_PRESENT);
        }
        tiny_pointer(&t, t.thread[TINY_MAIN] + tiny_place(&t, "ETHREAD.ActiveTimerListHead").at, 0);
        expect_absent(thread_fact(TINY_MAIN, "timers"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* The loads beside the lists. */
START_TEST(pending)
{
        build(_i);
        uint64_t state = apc_head(TINY_MAIN, "KTHREAD.ApcState.Process", 0), flags = state + 5 * t.pointer;
        opened();
        world_u(&t.world, flags, 1, 1);
        world_u(&t.world, flags + 1, 1, 1);
        world_u(&t.world, flags + 2, 1, t.is64 ? 2 : 1); /* bit 1 since 17763 */
        expect_value(thread_fact(TINY_MAIN, "kernel_apc_in_progress"), 1);
        expect_value(thread_fact(TINY_MAIN, "kernel_apc_pending"), 1);
        expect_value(thread_fact(TINY_MAIN, "user_apc_pending"), 1);
        world_u(&t.world, t.thread[TINY_MAIN] + (t.is64 ? 0x1e4 : 0xd4), t.is64 ? 2 : 4, UINT32_MAX);
        ck_assert_int_eq((int64_t)thread_fact(TINY_MAIN, "kernel_apc_disable")->value, -1);
        if (!t.is64) {
                expect_absent(thread_fact(TINY_MAIN, "special_apc_disable"), STASIS_NOT_IN_VERSION);
                return;
        }
        world_u(&t.world, t.thread[TINY_MAIN] + 0x1e6, 2, 0xfffe);
        ck_assert_int_eq((int64_t)thread_fact(TINY_MAIN, "special_apc_disable")->value, -2);
        world_u(&t.world, t.thread[TINY_MAIN] + 0x74, 4, 1 << 14);
        expect_value(thread_fact(TINY_MAIN, "apc_queueable"), 1);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { irps,          irp_functions, irp_minor_functions,
                                      irp_locations, irps_torn,     apcs,
                                      apcs_saved,    timers,        pending };
        return sys_main("thread-io", both, sizeof both / sizeof *both, NULL, 0);
}
