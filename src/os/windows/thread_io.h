/* SPDX-License-Identifier: MIT */
/* What is queued on a thread: its IRPs, its APCs, the timers that it set. Each a list of its record. */
#ifndef STASIS_OS_WINDOWS_THREAD_IO_H
#define STASIS_OS_WINDOWS_THREAD_IO_H

#include "derive.h"

#define QUEUED_MAX 64 /* of one list; what is behind is said to be there */

extern const struct stasis_list_rows irp_list_rows, apc_list_rows, timer_list_rows;

/* Places that these lists need. */
struct thread_io {
        const struct stasis_layout *layout; /* that they were bound to */
        struct place irp_type, irp_link, irp_stack_count, stack_major, device_driver, driver_name, file_name, apc_link,
                apc_type, saved_apc_state, timer_type, timer_waiters;
        uint32_t irp_size, stack_size, timer_size, apc_size, dpc_size;
};
/* Bound when first asked for; NULL where memory is exhausted. */
const struct thread_io *thread_io(struct windows *w);

/* A timer's DueTime (interrupt time) becomes UTC, or milliseconds after the image. */
void due_to_time(const struct windows *w, struct stasis_fact *fact);
void due_to_delay(const struct windows *w, struct stasis_fact *fact);

/*
 * The entries of the LIST_ENTRY ring at head, at most QUEUED_MAX; a torn or longer one is noted under code. accept as
 * of struct list_options, with ctx. False: the head is not readable, and fact says why. ret_walk is to be freed.
 */
bool queued_entries(struct decode *d, uint64_t head, bool (*accept)(void *ctx, uint64_t entry), void *ctx,
                    const char *what, struct list_walk *ret_walk, struct stasis_fact *fact);
/* Decodes the rows of the list for this object, and keeps it. */
void keep_queued(const struct decode *d, struct list_maker *maker, uint64_t object, uint8_t which);

#endif
