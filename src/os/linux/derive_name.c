/* SPDX-License-Identifier: MIT */
/* How a task is called: bytes that it chose itself, or what the kernel keeps beside them for its own threads. */
#include <stdio.h>
#include <string.h>

#include "fields.h"

#define FULL_NAME_MAX 64 /* TASK_COMM_LEN and what workqueues add; get_kthread_comm's callers give 64 bytes */
#define DESC_LEN 32      /* WORKER_DESC_LEN is 24, 32 in newer kernels */

static bool comm_bytes(struct decode *d, struct stasis_fact *fact, uint8_t comm[static LINUX_COMM_LEN], size_t *ret_len)
{
        if (!d->l->at.comm.has) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return false;
        }
        *fact = load_at(d->l->kernel, d->object + d->l->at.comm.offset, 1);
        enum stasis_status status =
                stasis_space_read(d->l->kernel, d->object + d->l->at.comm.offset, comm, LINUX_COMM_LEN);
        fact->absence = (uint8_t)absence_of(status);
        fact->value = 0;
        *ret_len = strnlen((const char *)comm, LINUX_COMM_LEN);
        return status == STASIS_OK;
}

static void take_text(struct stasis_fact *fact, const char *text)
{
        fact->text = text;
        fact->absence = text ? STASIS_PRESENT : STASIS_NOT_KNOWN;
}

void linux_derive_comm(struct decode *d, struct stasis_fact *fact)
{
        uint8_t comm[LINUX_COMM_LEN];
        size_t len;
        if (comm_bytes(d, fact, comm, &len))
                take_text(fact, text_from_utf8(d->arena, comm, len));
}

void linux_derive_comm_hex(struct decode *d, struct stasis_fact *fact)
{
        uint8_t comm[LINUX_COMM_LEN];
        char text[2 * LINUX_COMM_LEN + 1] = "";
        size_t len;
        if (!comm_bytes(d, fact, comm, &len))
                return;
        for (size_t i = 0; i < len; i++)
                snprintf(text + 2 * i, 3, "%02x", comm[i]);
        take_text(fact, stasis_arena_strndup(d->arena, text, 2 * len));
}

/* A text that ends within len bytes, or with the page that holds it. */
static size_t read_string(struct decode *d, uint64_t va, uint8_t *buf, size_t len)
{
        size_t used = 0;
        while (used < len && stasis_space_read(d->l->kernel, va + used, buf + used, 1) == STASIS_OK && buf[used])
                used++;
        return used;
}

/* A rescuer is called after its queue; since 6.11 with the whole name of it (format_worker_id, kernel/workqueue.c). */
static size_t rescuer_name(struct decode *d, uint64_t worker, uint8_t *buf, size_t used)
{
        static const char prefix[] = "kworker/R-";
        const struct linux_places *at = &d->l->at;
        uint64_t queue;
        uint8_t name[DESC_LEN];
        size_t start = sizeof prefix - 1;
        if (d->l->version < LINUX_VERSION(6, 11) || used < start || memcmp(buf, prefix, start) != 0 ||
            !at->wq_name.has || read_place(d->l->kernel, worker, &at->worker_rescue, &queue) != STASIS_OK || !queue)
                return used;
        size_t len = read_string(d, queue + at->wq_name.offset, name, sizeof name);
        if (!len || start + len > FULL_NAME_MAX)
                return used;
        memcpy(buf + start, name, len);
        return start + len;
}

/* proc_task_name's rules (fs/proc/array.c): wq_worker_comm adds "+work" of what is done now, "-work" of what was. */
static size_t worker_name(struct decode *d, uint64_t kthread, uint8_t *buf, size_t used)
{
        const struct linux_places *at = &d->l->at;
        uint64_t worker, work, pool;
        uint8_t desc[DESC_LEN];
        if (read_place(d->l->kernel, kthread, &at->kthread_data, &worker) != STASIS_OK)
                return used;
        used = rescuer_name(d, worker, buf, used);
        if (read_place(d->l->kernel, worker, &at->worker_pool, &pool) != STASIS_OK || !pool ||
            read_place(d->l->kernel, worker, &at->worker_work, &work) != STASIS_OK || !at->worker_desc.has)
                return used;
        size_t len = read_string(d, worker + at->worker_desc.offset, desc, sizeof desc);
        if (!len || used + len + 1 > FULL_NAME_MAX)
                return used;
        buf[used] = work ? '+' : '-';
        memcpy(buf + used + 1, desc, len);
        return used + 1 + len;
}

void linux_derive_name(struct decode *d, struct stasis_fact *fact)
{
        const struct linux_places *at = &d->l->at;
        uint8_t name[FULL_NAME_MAX];
        uint64_t flags, kthread, full;
        size_t len;
        if (!comm_bytes(d, fact, name, &len))
                return;
        if (read_place(d->l->kernel, d->object, &at->flags, &flags) == STASIS_OK && flags & LINUX_PF_KTHREAD &&
            read_place(d->l->kernel, d->object, &at->worker_private, &kthread) == STASIS_OK &&
            linux_is_kernel_address(d->l, kthread)) {
                if (flags & LINUX_PF_WQ_WORKER)
                        len = worker_name(d, kthread, name, len);
                else if (read_place(d->l->kernel, kthread, &at->full_name, &full) == STASIS_OK && full)
                        len = read_string(d, full, name, sizeof name);
        }
        take_text(fact, text_from_utf8(d->arena, name, len));
}
