/* SPDX-License-Identifier: MIT */
/* Where System's process object may be, without a layout. */
#include "infer.h"

#define LINKS_FROM 0x40

static void add(struct infer *s, uint64_t va[static INFER_SYSTEMS_MAX], size_t *count, uint64_t object)
{
        for (size_t i = 0; i < *count; i++)
                if (va[i] == object)
                        return;
        if (*count < INFER_SYSTEMS_MAX && infer_is_object(s, object, DISPATCHER_PROCESS))
                va[(*count)++] = object;
}

/* The process list enters an object somewhere inside: what lies before its first entry like a process, nearest first.
 */
static void before_entry(struct infer *s, uint64_t va[static INFER_SYSTEMS_MAX], size_t *count)
{
        uint64_t entry;
        if (!s->w->process_head || !infer_read(s, s->w->process_head, s->pointer, &entry) || !infer_is_kernel(s, entry))
                return;
        for (uint32_t back = LINKS_FROM; back < INFER_SPAN; back += s->pointer)
                add(s, va, count, entry - back);
}

size_t infer_systems(struct infer *s, uint64_t va[static INFER_SYSTEMS_MAX])
{
        struct windows *w = s->w;
        uint64_t at, object;
        size_t count = 0;
        if (w->has_pe && pe_export(w->kernel, &w->pe, "PsInitialSystemProcess", &at) == STASIS_OK &&
            infer_read(s, at, s->pointer, &object))
                add(s, va, &count, object);
        if (windows_symbol(w, "PsInitialSystemProcess", &at) && infer_read(s, at, s->pointer, &object))
                add(s, va, &count, object);
        before_entry(s, va, &count);
        return count;
}
