/* SPDX-License-Identifier: MIT */
/*
 * IRPs that a thread waits for, or left behind. Where each stands: its current stack location, which lies in the array
 * behind the IRP (IoGetCurrentIrpStackLocation, wdm.h). The structure is part of the driver interface and never moved;
 * where a PDB lost the members of its unions, the places of wdm.h serve.
 */
#include <string.h>

#include "../row_macros.h"
#include "names.h"
#include "object_header.h"
#include "thread_io.h"

#define IO_TYPE_IRP 6 /* wdm.h */

/* ---------------------------------------------------------------- rows */

/* The location must be one of those behind this IRP; one past the last: the IRP was not sent yet, or is done. */
static void derive_stack_location(struct decode *d, struct stasis_fact *fact)
{
        const struct thread_io *io = thread_io(d->w);
        uint64_t count = 0;
        derive_zero_is_none(d, fact);
        d->inner_why = (enum stasis_absence)fact->absence;
        if (!fact_is(fact))
                return;
        uint64_t first = d->object + (io ? io->irp_size : 0), behind = fact->value - first;
        d->inner = fact->value;
        if (!io || !io->irp_size || !io->stack_size ||
            read_place(d->w->kernel, d->object, &io->irp_stack_count, &count) != STASIS_OK)
                d->inner_why = STASIS_NOT_KNOWN;
        else if (fact->value < first || behind % io->stack_size || behind / io->stack_size > count)
                d->inner_why = STASIS_CONTRADICTORY;
        else if (behind / io->stack_size == count)
                d->inner_why = STASIS_NOT_APPLICABLE;
}

/* wdm.h, ntifs.h: IRP_MN_... of the major functions that have some. */
static const struct {
        uint8_t major, minor;
        const char *name;
} minor_names[] = {
        { 0x0c, 1, "IRP_MN_QUERY_DIRECTORY" },
        { 0x0c, 2, "IRP_MN_NOTIFY_CHANGE_DIRECTORY" },
        { 0x0c, 3, "IRP_MN_NOTIFY_CHANGE_DIRECTORY_EX" },
        { 0x0d, 0, "IRP_MN_USER_FS_REQUEST" },
        { 0x0d, 1, "IRP_MN_MOUNT_VOLUME" },
        { 0x0d, 2, "IRP_MN_VERIFY_VOLUME" },
        { 0x0d, 3, "IRP_MN_LOAD_FILE_SYSTEM" },
        { 0x0d, 4, "IRP_MN_KERNEL_CALL" },
        { 0x11, 1, "IRP_MN_LOCK" },
        { 0x11, 2, "IRP_MN_UNLOCK_SINGLE" },
        { 0x11, 3, "IRP_MN_UNLOCK_ALL" },
        { 0x11, 4, "IRP_MN_UNLOCK_ALL_BY_KEY" },
        { 0x16, 0, "IRP_MN_WAIT_WAKE" },
        { 0x16, 1, "IRP_MN_POWER_SEQUENCE" },
        { 0x16, 2, "IRP_MN_SET_POWER" },
        { 0x16, 3, "IRP_MN_QUERY_POWER" },
        { 0x1b, 0x00, "IRP_MN_START_DEVICE" },
        { 0x1b, 0x01, "IRP_MN_QUERY_REMOVE_DEVICE" },
        { 0x1b, 0x02, "IRP_MN_REMOVE_DEVICE" },
        { 0x1b, 0x03, "IRP_MN_CANCEL_REMOVE_DEVICE" },
        { 0x1b, 0x04, "IRP_MN_STOP_DEVICE" },
        { 0x1b, 0x05, "IRP_MN_QUERY_STOP_DEVICE" },
        { 0x1b, 0x06, "IRP_MN_CANCEL_STOP_DEVICE" },
        { 0x1b, 0x07, "IRP_MN_QUERY_DEVICE_RELATIONS" },
        { 0x1b, 0x08, "IRP_MN_QUERY_INTERFACE" },
        { 0x1b, 0x09, "IRP_MN_QUERY_CAPABILITIES" },
        { 0x1b, 0x0a, "IRP_MN_QUERY_RESOURCES" },
        { 0x1b, 0x0b, "IRP_MN_QUERY_RESOURCE_REQUIREMENTS" },
        { 0x1b, 0x0c, "IRP_MN_QUERY_DEVICE_TEXT" },
        { 0x1b, 0x0d, "IRP_MN_FILTER_RESOURCE_REQUIREMENTS" },
        { 0x1b, 0x0f, "IRP_MN_READ_CONFIG" },
        { 0x1b, 0x10, "IRP_MN_WRITE_CONFIG" },
        { 0x1b, 0x11, "IRP_MN_EJECT" },
        { 0x1b, 0x12, "IRP_MN_SET_LOCK" },
        { 0x1b, 0x13, "IRP_MN_QUERY_ID" },
        { 0x1b, 0x14, "IRP_MN_QUERY_PNP_DEVICE_STATE" },
        { 0x1b, 0x15, "IRP_MN_QUERY_BUS_INFORMATION" },
        { 0x1b, 0x16, "IRP_MN_DEVICE_USAGE_NOTIFICATION" },
        { 0x1b, 0x17, "IRP_MN_SURPRISE_REMOVAL" },
};

static uint64_t major_of(const struct decode *d)
{
        uint64_t major = UINT64_MAX;
        const struct thread_io *io = thread_io(d->w);
        return io && read_place(d->w->kernel, d->inner, &io->stack_major, &major) == STASIS_OK ? major : UINT64_MAX;
}

static void derive_minor(struct decode *d, struct stasis_fact *fact)
{
        uint64_t major = fact_is(fact) ? major_of(d) : UINT64_MAX;
        for (size_t i = 0; fact_is(fact) && i < sizeof minor_names / sizeof *minor_names; i++)
                if (minor_names[i].major == major && minor_names[i].minor == fact->value)
                        fact->text = minor_names[i].name;
        if (fact_is(fact) && !fact->text && !fact->value)
                fact->absence = STASIS_NOT_APPLICABLE; /* most have none, and it is zero */
}

static void derive_control_code(struct decode *d, struct stasis_fact *fact)
{
        uint64_t major = fact_is(fact) ? major_of(d) : 0;
        if (fact_is(fact) && (major < 0x0d || major > 0x0f)) /* file system control, device control, internal one */
                fact->absence = STASIS_NOT_APPLICABLE;
}

static void put_name(char *text, enum stasis_absence why, struct stasis_fact *fact)
{
        fact->text = text;
        fact->absence = (uint8_t)(text ? STASIS_PRESENT : why);
}

static void derive_device_name(struct decode *d, struct stasis_fact *fact)
{
        enum stasis_absence why = STASIS_NOT_KNOWN;
        derive_zero_is_none(d, fact);
        if (fact_is(fact))
                put_name(windows_object_name(d->w, fact->value, d->arena, &why), why, fact);
}

/* The text at a place of the object that the fact points to. */
static void text_behind(struct decode *d, const struct place *place, struct stasis_fact *fact)
{
        enum stasis_absence why = STASIS_NOT_KNOWN;
        char *text = NULL;
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        if (!is_kernel_address(d->w, fact->value))
                why = STASIS_CONTRADICTORY;
        else if (place->has)
                text = read_unicode_string(d->w->kernel, fact->value + place->offset, d->w->pointer_size, d->arena,
                                           &why);
        put_name(text, why, fact);
}

static void derive_file_name(struct decode *d, struct stasis_fact *fact)
{
        const struct thread_io *io = thread_io(d->w);
        if (io)
                text_behind(d, &io->file_name, fact);
}

static void derive_driver(struct decode *d, struct stasis_fact *fact)
{
        const struct thread_io *io = thread_io(d->w);
        derive_zero_is_none(d, fact);
        if (fact_is(fact) && io)
                *fact = is_kernel_address(d->w, fact->value)
                                ? load_place_of(d->w->kernel, fact->value, &io->device_driver)
                                : fact_absent(STASIS_CONTRADICTORY);
        derive_zero_is_none(d, fact);
}

static void derive_driver_name(struct decode *d, struct stasis_fact *fact)
{
        const struct thread_io *io = thread_io(d->w);
        derive_driver(d, fact);
        if (io)
                text_behind(d, &io->driver_name, fact);
}

static void derive_kernel_routine(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        put_routine(d, UINT32_MAX, fact);
}

#define DEVICE "_IO_STACK_LOCATION.DeviceObject"
#define FILE_OBJECT "_IO_STACK_LOCATION.FileObject"

static const struct row irp_rows[] = {
        MADE("irp", "IRP", "", ADDRESS, derive_object, "its address"),
        ROW_D("stack_location", "Stack location", "", ADDRESS, ON_IRP, derive_stack_location,
              "the current one; none where the IRP was not sent, or is done", "_IRP.Tail.Overlay.CurrentStackLocation",
              "@0xb8:8"),
        ROW_N("major", "Major function", "", ENUM, ON_INNER, names_major_function, "",
              "_IO_STACK_LOCATION.MajorFunction"),
        ROW_D("minor", "Minor function", "", ENUM, ON_INNER, derive_minor, "of major functions that have some",
              "_IO_STACK_LOCATION.MinorFunction"),
        ROW_D("control_code", "Control code", "", HEX, ON_INNER, derive_control_code, "of controls",
              "_IO_STACK_LOCATION.Parameters.DeviceIoControl.IoControlCode", "@0x18:4"),
        ROW_D("device", "Device", "", ADDRESS, ON_INNER, derive_zero_is_none, "", DEVICE),
        ROW_D("device_name", "Device's name", "", TEXT, ON_INNER, derive_device_name, "most devices have none", DEVICE),
        ROW_D("driver", "Driver", "", ADDRESS, ON_INNER, derive_driver, "of the device", DEVICE),
        ROW_D("driver_name", "Driver's name", "", TEXT, ON_INNER, derive_driver_name, "", DEVICE),
        ROW_D("file", "File", "", ADDRESS, ON_INNER, derive_zero_is_none, "", FILE_OBJECT),
        ROW_D("file_name", "File's name", "", TEXT, ON_INNER, derive_file_name, "as it was opened", FILE_OBJECT),
        ROW("status", "Status", "", HEX, ON_IRP, "of the request so far", "_IRP.IoStatus.Status"),
        ROW_N("requestor_mode", "Requestor", "", ENUM, ON_IRP, names_mode, "", "_IRP.RequestorMode"),
        ROW("cancel", "Cancelled", "", BOOL, ON_IRP, "", "_IRP.Cancel"),
        ROW_D("cancel_routine", "Cancel routine", "", CODE, ON_IRP, derive_kernel_routine, "", "_IRP.CancelRoutine"),
        ROW_D("user_event", "Event", "", ADDRESS, ON_IRP, derive_zero_is_none, "signalled at the end",
              "_IRP.UserEvent"),
};
const struct stasis_list_rows irp_list_rows = { .row = irp_rows, .count = sizeof irp_rows / sizeof *irp_rows };

/* ---------------------------------------------------------------- the list */

static bool accept_irp(void *ctx, uint64_t entry)
{
        struct decode *d = ctx;
        const struct thread_io *io = thread_io(d->w);
        uint64_t type;
        return read_place(d->w->kernel, entry - io->irp_link.offset, &io->irp_type, &type) == STASIS_OK &&
               (type & 0xffff) == IO_TYPE_IRP;
}

void derive_irps(struct decode *d, struct stasis_fact *fact)
{
        const struct thread_io *io = thread_io(d->w);
        struct list_walk walk;
        struct list_maker maker = list_begin(d->set, fact, d->arena, QUEUED_MAX);
        if (!fact_is(fact))
                return;
        uint64_t head = fact->va;
        if (!io || !io->irp_link.has) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return;
        }
        if (!fact->value) { /* a thread that is not made yet */
                fact->absence = STASIS_NOT_APPLICABLE;
                return;
        }
        if (!queued_entries(d, head, accept_irp, d, "IRPs", &walk, fact))
                return;
        for (size_t i = 0; i < walk.count; i++)
                keep_queued(d, &maker, walk.entry[i] - io->irp_link.offset, 0);
        list_free(&walk);
        list_end(&maker, fact);
}
