/* SPDX-License-Identifier: MIT */
/* Waits for locks of programs: keyed events and critical sections, found by key, handle and address. */
#include "../../test/tiny_blocks.h"

#define KEYED 21

/* ---------------------------------------------------------------- critical sections, by the key */

START_TEST(keyed_section)
{
        build(_i);
        uint64_t section = 0x20000, debug = 0x20100, semaphore = own_semaphore(TINY_MAIN);
        tiny_map_user(&t, TINY_BETA, 0x20000, 0x1000);
        tiny_user_u(&t, TINY_BETA, section, t.pointer, debug);
        tiny_user_u(&t, TINY_BETA, section + (t.is64 ? 0x10 : 0xc), t.pointer, tiny_tid(TINY_READY));
        tiny_user_u(&t, TINY_BETA, debug + t.pointer, t.pointer, section);
        waits_on(TINY_MAIN, &semaphore, 1, KEYED);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.KeyedWaitValue", section | 1);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "critical section");
        expect_value(at(list, 0, "container"), section);
        expect_owner(list, 0, TINY_READY);
}
END_TEST

/* A key that is no critical section's stays a key. */
START_TEST(keyed_event)
{
        build(_i);
        uint64_t semaphore = own_semaphore(TINY_MAIN);
        tiny_map_user(&t, TINY_BETA, 0x20000, 0x1000);
        waits_on(TINY_MAIN, &semaphore, 1, KEYED);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.KeyedWaitValue", 0x20000);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "keyed event");
        expect_value(at(list, 0, "container"), 0x20000);
        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
}
END_TEST

/* ---------------------------------------------------------------- critical sections, by the event's handle */

#define SECTIONS 0x20000u

/* A section with debug information, number i: the list's entries are linked by link_sections. */
static uint64_t put_section(unsigned width, unsigned i, uint64_t owner, uint64_t semaphore)
{
        bool wide = width == 8;
        uint64_t section = SECTIONS + 0x100u + i * 0x100u, debug = section + 0x80;
        tiny_user_u(&t, TINY_BETA, section, width, debug);
        tiny_user_u(&t, TINY_BETA, section + width, 4, (uint32_t)-6);
        tiny_user_u(&t, TINY_BETA, section + width + 4, 4, 1);
        tiny_user_u(&t, TINY_BETA, section + (wide ? 0x10 : 0xc), width, owner);
        tiny_user_u(&t, TINY_BETA, section + (wide ? 0x18 : 0x10), width, semaphore);
        tiny_user_u(&t, TINY_BETA, debug + width, width, section);
        return section;
}

/* The list's head, RtlCriticalSectionList, lies in ntdll and has no section. */
static void link_sections(unsigned width, unsigned count)
{
        uint64_t head = SECTIONS, at_ = head;
        for (unsigned i = 0; i < count; i++) {
                uint64_t entry = SECTIONS + 0x100u + i * 0x100u + 0x80 + 2 * width;
                tiny_user_u(&t, TINY_BETA, at_, width, entry);
                tiny_user_u(&t, TINY_BETA, entry + width, width, at_);
                at_ = entry;
        }
        tiny_user_u(&t, TINY_BETA, at_, width, head);
}

/* A table of one page: handle 4 * i for the i-th object. */
static void put_handles(const uint64_t *body, unsigned count)
{
        uint64_t table = tiny_take(&t, &o, 0x80), page = t.pool + 0x14000;
        world_map(&t.world, page, 0x1000);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.ObjectTable", table);
        tiny_pointer(&t, table + (t.is64 ? 8 : 0), page);
        world_u(&t.world, table + (t.is64 ? 0 : 0x38), 4, 0x800); /* NextHandleNeedingPool */
        for (unsigned i = 0; i < count; i++) {
                uint64_t header_ = body[i] - (t.is64 ? 0x30 : 0x18), entry = page + (i + 1) * (t.is64 ? 0x10u : 8u);
                tiny_pointer(&t, entry, t.is64 ? (header_ >> 4) << 20 | 0x10001 : header_ | 1);
                tiny_pointer(&t, entry + t.pointer, 0x1f0003);
        }
}

static uint64_t listed,
        event[2]; /* the section that is listed as the second has the handle of event[1]; event[0] is no section's */

/* Three sections on the list: the loader's own, for which nobody ever had to wait; that one; one without a handle. */
static void put_sections(bool is64)
{
        build(is64);
        for (unsigned i = 0; i < 2; i++)
                event[i] = header(tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0), 1, 0);
        tiny_map_user(&t, TINY_BETA, SECTIONS, 0x1000);
        (void)put_section(t.pointer, 0, 0, 0);
        listed = put_section(t.pointer, 1, tiny_tid(TINY_READY), 8);
        (void)put_section(t.pointer, 2, tiny_tid(TINY_READY), 5);
        link_sections(t.pointer, 3);
        tiny_user_u(&t, TINY_BETA, t.peb + (t.is64 ? 0x110 : 0xa0), t.pointer, SECTIONS + 0x100);
        put_handles(event, 2);
        waits_on(TINY_MAIN, &event[1], 1, 6);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
}

static void waits_in_user_mode(enum tiny_thread thread, uint64_t object)
{
        waits_on(thread, &object, 1, 6);
        tiny_set(&t, t.thread[thread], "KTHREAD.WaitMode", 1);
}

START_TEST(section_by_event)
{
        put_sections(_i);
        waits_in_user_mode(TINY_READY, event[0]);
        waits_in_user_mode(TINY_CLIENT, event[1]); /* of another process, which has no such section */
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "critical section");
        expect_value(at(list, 0, "container"), listed);
        expect_value(at(list, 0, "object"), event[1]);
        expect_owner(list, 0, TINY_READY);
        expect_text(at(list_of(TINY_CLIENT, 1), 0, "waits_for"), "object");
        expect_text(at(list_of(TINY_READY, 1), 0, "waits_for"), "object");
        expect_text(at(list_of(TINY_MAIN, 1), 0, "waits_for"), "critical section");
}
END_TEST

/* Another reason, the kernel's own wait, an event that stays signaled: for none of these is a section waited for. */
START_TEST(no_wait_for_a_section)
{
        for (unsigned i = 0; i < 5; i++) {
                put_sections(_i);
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitReason", i == 0 ? 0 : i == 1 ? 13 : 6);
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", i != 2);
                world_u(&t.world, event[1], 1, i == 3 ? 0 : i == 4 ? 5 : 1);
                sys_open();
                const struct stasis_list *list = list_of(TINY_MAIN, 1);
                expect_text(at(list, 0, "waits_for"), i == 1 || i == 4 ? "critical section" : "object");
                sys_close();
        }
}
END_TEST

/* Debug information that a section does not name in return, a handle that is none, a list that never ends. */
START_TEST(no_section)
{
        for (unsigned i = 0; i < 4; i++) {
                put_sections(_i);
                uint64_t other = put_section(t.pointer, 3, tiny_tid(TINY_READY), 4), debug = SECTIONS + 0x300 + 0x80;
                waits_in_user_mode(TINY_READY, event[0]);
                if (i == 0) /* it is on no list: another one's entry names it */
                        tiny_user_u(&t, TINY_BETA, debug + t.pointer, t.pointer, other);
                if (i == 1)
                        tiny_user_u(&t, TINY_BETA, SECTIONS + 0x200 + 0x80 + t.pointer, t.pointer, SECTIONS + 0x300);
                if (i == 2) /* from the third back to the second */
                        tiny_user_u(&t, TINY_BETA, debug + 2u * t.pointer, t.pointer,
                                    SECTIONS + 0x200 + 0x80 + 2u * t.pointer);
                if (i == 3) /* not in its place */
                        tiny_user_u(&t, TINY_BETA, SECTIONS + 0x100 + 0x80 + 2u * t.pointer, t.pointer,
                                    SECTIONS + 0x200 + 0x80 + 2u * t.pointer + 1);
                sys_open();
                expect_text(at(list_of(TINY_READY, 1), 0, "waits_for"), "object");
                expect_text(at(list_of(TINY_MAIN, 1), 0, "waits_for"), i & 1 ? "object" : "critical section");
                sys_close();
        }
}
END_TEST

/* ---------------------------------------------------------------- critical sections, by the address of LockCount */

#define ALERT_BY_THREAD_ID 37

static void alerted(uint64_t address)
{
        waits_on(TINY_MAIN, &address, 1, ALERT_BY_THREAD_ID);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
        tiny_map_user(&t, TINY_BETA, SECTIONS, 0x1000);
}

/* The section has debug information; of both widths, as beta is a WoW64 process. */
START_TEST(alerted_section)
{
        for (unsigned width = 4; width <= 8; width += 4) {
                build(1);
                alerted(SECTIONS + 0x100 + width);
                uint64_t section = put_section(width, 0, tiny_tid(TINY_READY), UINT64_MAX);
                sys_open();
                const struct stasis_list *list = list_of(TINY_MAIN, 1);
                expect_text(at(list, 0, "waits_for"), "critical section");
                expect_value(at(list, 0, "container"), section);
                expect_absent(at(list, 0, "object"), STASIS_NOT_APPLICABLE);
                expect_absent(at(list, 0, "object_type"), STASIS_NOT_APPLICABLE);
                expect_absent(at(list, 0, "kind"), STASIS_NOT_APPLICABLE);
                expect_owner(list, 0, TINY_READY);
                expect_text(at(list, 0, "owner_from"), "RTL_CRITICAL_SECTION.OwningThread");
                sys_close();
        }
}
END_TEST

/* Without: all of its members must say so. One of them wrong: an address like any other. */
START_TEST(bare_section)
{
        static const struct {
                uint8_t at, size;
                uint64_t value;
        } wrong[] = { { 0, 8, 0x1234 }, { 8, 4, (uint32_t)-2 }, { 8, 4, (uint32_t)-4 }, { 8, 4, (uint32_t)-5 },
                      { 8, 4, 6 },      { 12, 4, 0 },           { 16, 8, 0 },           { 16, 8, 0x4c4c },
                      { 24, 8, 0x58 } };
        for (unsigned i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
                build(1);
                tiny_set(&t, t.process[TINY_BETA], "EPROCESS.WoW64Process", 0);
                alerted(SECTIONS + 0x108);
                uint64_t section = put_section(8, 0, tiny_tid(TINY_READY), i ? UINT64_MAX : 0);
                tiny_user_u(&t, TINY_BETA, section, 8, UINT64_MAX);
                if (i)
                        tiny_user_u(&t, TINY_BETA, section + wrong[i - 1].at, wrong[i - 1].size, wrong[i - 1].value);
                sys_open();
                const struct stasis_list *list = list_of(TINY_MAIN, 1);
                expect_text(at(list, 0, "waits_for"), i ? "address" : "critical section");
                expect_value(at(list, 0, "container"), i ? section + 8 : section);
                if (i)
                        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
                else
                        expect_owner(list, 0, TINY_READY);
                sys_close();
        }
}
END_TEST

/* A wait of the kernel's own by an address there; and one for nothing but its thread. */
START_TEST(other_addresses)
{
        build(1);
        alerted(0);
        uint64_t address = header(tiny_take(&t, &o, 0x20), 1, 0);
        waits_on(TINY_WORKER, &address, 1, ALERT_BY_THREAD_ID);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "address");
        expect_absent(at(list, 0, "container"), STASIS_NOT_APPLICABLE);
        list = list_of(TINY_WORKER, 1);
        expect_text(at(list, 0, "waits_for"), "address");
        expect_value(at(list, 0, "container"), address);
        expect_absent(at(list, 0, "kind"), STASIS_NOT_APPLICABLE);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { keyed_section, keyed_event, section_by_event, no_wait_for_a_section, no_section };
        const TTest *const single[] = { alerted_section, bare_section, other_addresses };
        return sys_main("wait_user", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
