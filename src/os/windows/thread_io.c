/* SPDX-License-Identifier: MIT */
/* What IRPs, APCs and timers of a thread have in common: places, rings that may be torn, names of routines. */
#include "thread_io.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct place_row io_places[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct thread_io, name), { __VA_ARGS__ } \
        }
        PLACE(irp_type, "_IRP.Type"),
        PLACE(irp_link, "_IRP.ThreadListEntry"),
        PLACE(irp_stack_count, "_IRP.StackCount"),
        PLACE(stack_major, "_IO_STACK_LOCATION.MajorFunction"),
        PLACE(device_driver, "_DEVICE_OBJECT.DriverObject"),
        PLACE(driver_name, "_DRIVER_OBJECT.DriverName"),
        PLACE(file_name, "_FILE_OBJECT.FileName"),
        PLACE(apc_link, "_KAPC.ApcListEntry"),
        PLACE(apc_type, "_KAPC.Type"),
        PLACE(saved_apc_state, "_KTHREAD.SavedApcState"),
        PLACE(timer_type, "_DISPATCHER_HEADER.Type"),
        PLACE(timer_waiters, "_DISPATCHER_HEADER.WaitListHead"),
#undef PLACE
};

const struct thread_io *thread_io(struct windows *w)
{
        struct thread_io *io = w->io;
        if (!io)
                io = w->io = calloc(1, sizeof *io);
        if (!io || io->layout == w->layout)
                return io;
        places_bind(w->layout, io_places, sizeof io_places / sizeof *io_places, io);
        io->irp_size = stasis_layout_sizeof(w->layout, "_IRP");
        io->stack_size = stasis_layout_sizeof(w->layout, "_IO_STACK_LOCATION");
        io->timer_size = stasis_layout_sizeof(w->layout, "_KTIMER");
        io->apc_size = stasis_layout_sizeof(w->layout, "_KAPC");
        io->dpc_size = stasis_layout_sizeof(w->layout, "_KDPC");
        io->layout = w->layout;
        return io;
}

static void note_torn(const struct decode *d, const char *what, const struct list_walk *walk)
{
        const struct windows_process *p = &d->w->process[d->process];
        if (d->quiet)
                return;
        system_note(d->w->system, STASIS_NOTE_MISSING, "queue-torn", d->object, p->pid_known ? (int64_t)p->pid : -1,
                    d->thread ? (int64_t)d->thread->tid : -1,
                    "the thread's list of %s is torn or longer than %u: forwards it ends at 0x%" PRIx64 " (%s), "
                    "backwards at 0x%" PRIx64 " (%s); %zu were reached",
                    what, QUEUED_MAX, walk->forward_at, list_end_name(walk->forward), walk->backward_at,
                    list_end_name(walk->backward), walk->count);
}

bool queued_entries(struct decode *d, uint64_t head, bool (*accept)(void *ctx, uint64_t entry), void *ctx,
                    const char *what, struct list_walk *ret_walk, struct stasis_fact *fact)
{
        struct list_options options = {
                .pointer_size = d->w->pointer_size, .max = QUEUED_MAX, .accept = accept, .ctx = ctx
        };
        enum stasis_status status = list_walk(d->w->kernel, head, &options, ret_walk);
        if (status != STASIS_OK) {
                *fact = fact_absent(absence_at(d->w->kernel, head, 2 * (size_t)d->w->pointer_size, status));
                return false;
        }
        if (!list_whole(ret_walk))
                note_torn(d, what, ret_walk);
        return true;
}

void keep_queued(const struct decode *d, struct list_maker *maker, uint64_t object, uint8_t which)
{
        struct decode row = *d;
        row.set = maker->set;
        row.object = row.at = object;
        row.space = d->w->kernel;
        row.owner = d->object;
        row.which = which;
        row.inner_why = STASIS_NOT_KNOWN;
        fields_decode(&row);
        list_keep(maker);
}
