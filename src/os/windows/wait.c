/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "wait_internal.h"

#define TIMER_BLOCK 3    /* of the four in a KTHREAD */
#define IRP_FILE_64 0xc0 /* IRP.Tail.Overlay.OriginalFileObject */

static const struct place_row place_rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct wait_places, name), { __VA_ARGS__ } \
        }
        PLACE(reason, "_KTHREAD.WaitReason"),
        PLACE(mode, "_KTHREAD.WaitMode"),
        PLACE(list, "_KTHREAD.WaitBlockList"),
        PLACE(gate, "_KTHREAD.GateObject"),
        PLACE(blocks, "_KTHREAD.WaitBlockCount"),
        PLACE(timer, "_KTHREAD.Timer"),
        PLACE(block, "_KTHREAD.WaitBlock"),
        PLACE(suspend, "_KTHREAD.SuspendSemaphore", "_KTHREAD.SuspendEvent"),
        PLACE(lpc_semaphore, "_ETHREAD.LpcReplySemaphore"),
        PLACE(alpc_semaphore, "_ETHREAD.AlpcWaitSemaphore"),
        PLACE(keyed_semaphore, "_ETHREAD.KeyedWaitSemaphore"),
        PLACE(keyed_in_use, "_ETHREAD.KeyedEventInUse"),
        PLACE(keyed_value, "_ETHREAD.KeyedWaitValue"),
        PLACE(alpc_message, "_ETHREAD.AlpcMessage"),
        PLACE(lpc_id, "_ETHREAD.LpcReplyMessageId"),
        PLACE(lpc_message, "_ETHREAD.LpcReplyMessage"),
        PLACE(received_id, "_ETHREAD.LpcReceivedMessageId"),
        PLACE(received_valid, "_ETHREAD.LpcReceivedMsgIdValid"),
        PLACE(stack_base, "_KTHREAD.StackBase"),
        PLACE(kernel_stack, "_KTHREAD.KernelStack"),
        PLACE(irp_list, "_ETHREAD.IrpList"),
        PLACE(b_thread, "_KWAIT_BLOCK.Thread"),
        PLACE(b_object, "_KWAIT_BLOCK.Object"),
        PLACE(b_next, "_KWAIT_BLOCK.NextWaitBlock"),
        PLACE(b_key, "_KWAIT_BLOCK.WaitKey"),
        PLACE(b_type, "_KWAIT_BLOCK.WaitType"),
        PLACE(signal, "_DISPATCHER_HEADER.SignalState"),
        PLACE(waiters, "_DISPATCHER_HEADER.WaitListHead"),
        PLACE(mutant_owner, "_KMUTANT.OwnerThread"),
        PLACE(r_list, "_ERESOURCE.SystemResourcesList"),
        PLACE(r_shared, "_ERESOURCE.SharedWaiters"),
        PLACE(r_chain, "_ERESOURCE.SharedWaiters.Head"),
        PLACE(r_exclusive, "_ERESOURCE.ExclusiveWaiters"),
        PLACE(r_owner, "_ERESOURCE.OwnerEntry"),
        PLACE(r_owners, "_ERESOURCE.OwnerThreads"),
        PLACE(r_table, "_ERESOURCE.OwnerTable"),
        PLACE(r_flag, "_ERESOURCE.Flag"),
        PLACE(r_active, "_ERESOURCE.ActiveCount"),
        PLACE(o_thread, "_OWNER_ENTRY.OwnerThread"),
        PLACE(o_count, "_OWNER_ENTRY.OwnerCount"),
        PLACE(o_size, "_OWNER_ENTRY.TableSize"),
        PLACE(push_waiting, "_EX_PUSH_LOCK.Waiting"),
        PLACE(lock_entries, "_ETHREAD.LockEntries", "_KTHREAD.LockEntries"),
        PLACE(e_lock, "_KLOCK_ENTRY.LockUnsafe"),
        PLACE(e_waiting, "_KLOCK_ENTRY.WaitingBit", "_KLOCK_ENTRY.WaitingByte"),
        PLACE(e_acquired, "_KLOCK_ENTRY.AcquiredByte"),
        PLACE(e_thread, "_KLOCK_ENTRY.ThreadUnsafe"),
        PLACE(mutant_abandoned, "_KMUTANT.Abandoned"),
        PLACE(due, "_KTIMER.DueTime"),
        PLACE(inserted, "_DISPATCHER_HEADER.Inserted"),
        PLACE(q_current, "_KQUEUE.CurrentCount"),
        PLACE(q_maximum, "_KQUEUE.MaximumCount"),
        PLACE(q_threads, "_KQUEUE.ThreadListHead"),
        PLACE(m_waiting, "_KALPC_MESSAGE.WaitingThread"),
        PLACE(m_server, "_KALPC_MESSAGE.ServerThread"),
        PLACE(m_owner_port, "_KALPC_MESSAGE.OwnerPort"),
        PLACE(m_connection, "_KALPC_MESSAGE.ConnectionPort"),
        PLACE(m_info, "_KALPC_MESSAGE.CommunicationInfo"),
        PLACE(i_connection, "_ALPC_COMMUNICATION_INFO.ConnectionPort"),
        PLACE(i_server, "_ALPC_COMMUNICATION_INFO.ServerCommunicationPort"),
        PLACE(i_client, "_ALPC_COMMUNICATION_INFO.ClientCommunicationPort"),
        PLACE(p_process, "_ALPC_PORT.OwnerProcess"),
        PLACE(l_connection, "_LPCP_PORT_OBJECT.ConnectionPort"),
        PLACE(l_process, "_LPCP_PORT_OBJECT.ServerProcess"),
        PLACE(l_thread, "_LPCP_PORT_OBJECT.Creator.UniqueThread"),
        PLACE(l_creator, "_LPCP_PORT_OBJECT.Creator.UniqueProcess"),
        PLACE(l_sender, "_LPCP_MESSAGE.SenderPort"),
        PLACE(f_event, "_FILE_OBJECT.Event"),
        PLACE(f_lock, "_FILE_OBJECT.Lock"),
        PLACE(f_device, "_FILE_OBJECT.DeviceObject"),
        PLACE(f_name, "_FILE_OBJECT.FileName"),
        PLACE(irp_event, "_IRP.UserEvent"),
        PLACE(irp_file, "_IRP.Tail.Overlay.OriginalFileObject"),
        PLACE(handles, "_EPROCESS.ObjectTable"),
        PLACE(loader_lock, "_PEB.LoaderLock"),
#undef PLACE
};

struct wait_state *wait_state(struct windows *w)
{
        if (w->waits)
                return w->waits;
        struct wait_state *s = calloc(1, sizeof *s);
        if (!s)
                return NULL;
        w->waits = s;
        s->sections_of = UINT32_MAX;
        s->block_size = stasis_layout_sizeof(w->layout, "_KWAIT_BLOCK");
        s->owner_size = stasis_layout_sizeof(w->layout, "_OWNER_ENTRY");
        s->header_size = stasis_layout_sizeof(w->layout, "_DISPATCHER_HEADER");
        s->entry_size = stasis_layout_sizeof(w->layout, "_KLOCK_ENTRY");
        places_bind(w->layout, place_rows, sizeof place_rows / sizeof *place_rows, &s->at);
        if (!s->at.irp_file.has && s->at.irp_event.has && w->is64) /* a PDB that lost members of unions; wdm.h has it */
                s->at.irp_file = (struct place){ .offset = IRP_FILE_64, .size = 8, .has = true };
        return s;
}

void windows_waits_free(struct windows *w)
{
        if (!w->waits)
                return;
        free(w->waits->thread);
        free(w->waits->resource);
        free(w->waits->holder);
        free(w->waits->receiver);
        free(w->waits->section);
        free(w->waits);
        w->waits = NULL;
}

/* ---------------------------------------------------------------- small readers */

bool wait_read(const struct windows *w, uint64_t object, const struct place *place, uint64_t *ret_value)
{
        return read_place(w->kernel, object, place, ret_value) == STASIS_OK;
}

bool wait_pointer(const struct windows *w, uint64_t object, const struct place *place, uint64_t *ret_value)
{
        uint64_t value;
        if (!place->has || read_pointer(w, w->kernel, object + place->offset, &value) != STASIS_OK)
                return false;
        *ret_value = value & ~(uint64_t)(w->pointer_size - 1);
        return is_kernel_address(w, *ret_value);
}

static int by_object(const void *a, const void *b)
{
        const struct thread_at *x = a, *y = b;
        return (x->object > y->object) - (x->object < y->object);
}

/* Threads of the answer by their object; they do not change once the walk is over. */
static bool index_threads(struct windows *w, struct wait_state *s)
{
        if (s->thread || !w->thread_count)
                return s->thread != NULL;
        s->thread = calloc(w->thread_count, sizeof *s->thread);
        if (!s->thread)
                return false;
        for (size_t i = 0; i < w->thread_count; i++)
                s->thread[i] = (struct thread_at){ w->thread[i].object, i };
        s->thread_count = w->thread_count;
        qsort(s->thread, s->thread_count, sizeof *s->thread, by_object);
        return true;
}

size_t windows_thread_index(struct windows *w, uint64_t object)
{
        struct wait_state *s = wait_state(w);
        const struct thread_at key = { .object = object };
        if (!s || !index_threads(w, s))
                return w->thread_count;
        const struct thread_at *found = bsearch(&key, s->thread, s->thread_count, sizeof *s->thread, by_object);
        return found ? found->index : w->thread_count;
}

/* ---------------------------------------------------------------- wait blocks */

static void torn(struct wait_list *list, uint64_t at)
{
        list->torn = true;
        list->torn_at = at;
}

/* One block, where it is this thread's. Else the list ends here, torn. */
static bool take_block(const struct wait_of *of, uint64_t block, struct wait_list *list)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        struct windows_wait *wait = &list->wait[list->count];
        uint64_t thread, type;
        if (list->count >= WAITS_MAX || !is_kernel_address(w, block) || block % w->pointer_size ||
            !wait_read(w, block, &at->b_thread, &thread) || thread != of->thread->object) {
                torn(list, block);
                return false;
        }
        memset(wait, 0, offsetof(struct windows_wait, owner));
        wait->block = block;
        wait->owners = wait->owners_all = 0;
        wait->process = wait->all = wait->own_timer = wait->by_address = false;
        wait->from = wait->name = NULL;
        wait->owner_why = STASIS_NOT_KNOWN;
        (void)!wait_read(w, block, &at->b_object, &wait->given);
        (void)!wait_pointer(w, block, &at->b_object, &wait->object);
        (void)!wait_read(w, block, &at->b_key, &wait->key);
        if (list->count == 0)
                list->all = wait_read(w, block, &at->b_type, &type) && type == 0;
        list->count++;
        return true;
}

/* Until 7: each block points to the next one, the last one to the first. */
static void walk_ring(const struct wait_of *of, uint64_t first, struct wait_list *list)
{
        uint64_t block = first;
        while (take_block(of, block, list)) {
                if (!wait_read(of->w, block, &of->w->waits->at.b_next, &block)) {
                        torn(list, block);
                        return;
                }
                if (block == first)
                        return;
        }
}

/*
 * The timer's own block is not counted: it is there while the timer's list of waiters leads to it, and does not name
 * the timer: other members of KTHREAD (x64 Ucb, x86 WaitTime) stand in the place of its Object.
 */
static void take_timer(const struct wait_of *of, struct wait_list *list)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        uint64_t head, timer = of->thread->object + at->timer.offset;
        uint64_t block = of->thread->object + at->block.offset + TIMER_BLOCK * (uint64_t)w->waits->block_size;
        size_t i = 0;
        if (!at->timer.has || !at->block.has || !at->waiters.has ||
            read_pointer(w, w->kernel, timer + at->waiters.offset, &head) != STASIS_OK || head != block)
                return;
        while (i < list->count && list->wait[i].block != block) /* a delay has no other */
                i++;
        if (i == list->count && !take_block(of, block, list))
                return;
        list->wait[i].object = timer;
        list->wait[i].own_timer = true;
}

/* Since 8: so many of them, one behind the other. */
static void walk_array(const struct wait_of *of, uint64_t first, struct wait_list *list)
{
        const struct windows *w = of->w;
        uint64_t count = 0;
        if (!wait_read(w, of->thread->object, &w->waits->at.blocks, &count)) {
                torn(list, of->thread->object);
                return;
        }
        for (uint64_t i = 0; i < count && take_block(of, first + i * w->waits->block_size, list); i++)
                ;
        if (!list->torn)
                take_timer(of, list);
}

/* 2003 to Vista: a thread in the state GateWait has the gate in the place of WaitBlockList. Later it has blocks. */
static bool take_gate(const struct wait_of *of, uint64_t state, struct wait_list *list)
{
        struct windows_wait *wait = &list->wait[0];
        if (state != THREAD_STATE_GATE_WAIT || !of->w->waits->at.gate.has)
                return false;
        *wait = (struct windows_wait){ .owner_why = STASIS_NOT_KNOWN };
        (void)!wait_pointer(of->w, of->thread->object, &of->w->waits->at.gate, &wait->object);
        list->count = 1;
        return true;
}

static void find_blocks(const struct wait_of *of, uint64_t state, struct wait_list *list)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        uint64_t first;
        if (take_gate(of, state, list))
                return;
        list->why = STASIS_NOT_APPLICABLE;
        if (state != THREAD_STATE_WAITING && state != THREAD_STATE_GATE_WAIT)
                return;
        list->why = STASIS_NOT_KNOWN;
        if (!at->list.has || !at->b_thread.has || !at->b_object.has || (!at->b_next.has && !at->blocks.has))
                return;
        enum stasis_status status = read_place(w->kernel, of->thread->object, &at->list, &first);
        list->why = absence_at(w->kernel, of->thread->object + at->list.offset, at->list.size, status);
        if (status == STASIS_OK && !first)
                list->why = STASIS_NOT_KNOWN; /* woken in another way: nothing says what for */
        if (status != STASIS_OK || !first)
                return;
        if (at->b_next.has)
                walk_ring(of, first, list);
        else
                walk_array(of, first, list);
        if (list->torn && !list->count)
                list->why = STASIS_CONTRADICTORY;
}

/*
 * NtWaitForAlertByThreadId puts the address that it was given into WaitBlock[0].Object as it is: no object, in the
 * process's memory as a rule (D. Babkin, "Things You Find While Reverse Engineering - AlertByThreadId").
 */
static void take_address(const struct wait_of *of, struct windows_wait *wait)
{
        if (of->reason != REASON_ALERT_BY_THREAD_ID || !wait->block || wait->own_timer)
                return;
        wait->by_address = true;
        wait->object = 0;
}

static void read_kind(const struct windows *w, struct windows_wait *wait)
{
        uint64_t type;
        wait->kind_known = wait->object && wait_read(w, wait->object, &w->at.header_type, &type);
        wait->kind = wait->kind_known ? (uint8_t)(type & 0x7f) : 0;
}

void windows_waits(struct windows *w, const struct windows_thread *thread, struct stasis_arena *arena, bool owners,
                   struct wait_list *ret_list)
{
        uint64_t state, mode;
        struct wait_of of = { .w = w, .thread = thread, .arena = arena, .reason = UINT64_MAX };
        ret_list->count = 0;
        ret_list->torn = ret_list->all = false;
        ret_list->why = STASIS_NOT_KNOWN;
        if (!wait_state(w))
                return;
        enum stasis_status status = read_place(w->kernel, thread->object, &w->at.thread_state, &state);
        ret_list->why = absence_at(w->kernel, thread->object + w->at.thread_state.offset, 1, status);
        if (status != STASIS_OK)
                return;
        find_blocks(&of, state, ret_list);
        if (!ret_list->count)
                return;
        if (!wait_read(w, thread->object, &w->waits->at.reason, &of.reason))
                of.reason = UINT64_MAX;
        of.user_mode = wait_read(w, thread->object, &w->waits->at.mode, &mode) && mode == 1;
        for (size_t i = 0; i < ret_list->count; i++) {
                take_address(&of, &ret_list->wait[i]);
                read_kind(w, &ret_list->wait[i]);
                if (owners)
                        wait_examine(&of, &ret_list->wait[i]);
        }
}
