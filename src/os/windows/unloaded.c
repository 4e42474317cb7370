/* SPDX-License-Identifier: MIT */
/*
 * What the kernel remembers of drivers that were unloaded: MmUnloadedDrivers, a pointer to a ring of 50 entries {name,
 * start, end, time} (UNLOADED_DRIVERS in Volatility 3's unloadedmodules and in the debugger's lm). A triage dump has a
 * copy of its own, and no times.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "windows.h"

#define UNLOADED_MAX 50
#define DRIVER_LEN_MAX UINT32_MAX

/* Two pointers and a time behind a UNICODE_STRING. */
static size_t entry_len(const struct windows *w) { return w->is64 ? 0x28 : 0x18; }

static bool numbers(const struct windows *w, uint64_t va, struct stasis_unloaded *one)
{
        uint64_t at = va + 2u * w->pointer_size;
        return read_pointer(w, w->kernel, at, &one->start) == STASIS_OK &&
               read_pointer(w, w->kernel, at + w->pointer_size, &one->end) == STASIS_OK &&
               stasis_space_u(w->kernel, at + 2u * w->pointer_size, 8, &one->time) == STASIS_OK;
}

/* A slot that was never used is zero; what cannot be is left out as one. */
static bool read_entry(struct windows *w, uint64_t va, struct stasis_unloaded *one)
{
        char name[256];
        uint64_t pa;
        *one = (struct stasis_unloaded){ .va = va, .off = STASIS_NOWHERE };
        if (!numbers(w, va, one) || !is_kernel_address(w, one->start) || one->end <= one->start ||
            one->end - one->start > DRIVER_LEN_MAX || one->start % 0x1000)
                return false;
        if (text_unicode_string(w->kernel, va, w->pointer_size, name, sizeof name) == STASIS_OK && name[0])
                one->name = stasis_arena_strndup(&w->system->arena, name, strlen(name));
        if (stasis_space_pa(w->kernel, va, &pa) == STASIS_OK)
                (void)!stasis_image_offset(w->image, pa, &one->off);
        return true;
}

static int newest_first(const void *a, const void *b)
{
        const struct stasis_unloaded *p = a, *q = b;
        return p->time != q->time ? (p->time < q->time) - (p->time > q->time) : (p->va > q->va) - (p->va < q->va);
}

static void read_ring(struct windows *w)
{
        uint64_t ring;
        if (!w->has_kdbg || !w->kdbg.MmUnloadedDrivers ||
            read_pointer(w, w->kernel, w->kdbg.MmUnloadedDrivers, &ring) != STASIS_OK || !is_kernel_address(w, ring))
                return;
        w->unloaded = arena_array(&w->system->arena, struct stasis_unloaded, UNLOADED_MAX);
        for (unsigned i = 0; w->unloaded && i < UNLOADED_MAX; i++)
                if (read_entry(w, ring + i * entry_len(w), &w->unloaded[w->unloaded_count]))
                        w->unloaded_count++;
        if (w->unloaded_count)
                qsort(w->unloaded, w->unloaded_count, sizeof *w->unloaded, newest_first);
}

const struct stasis_unloaded *windows_unloaded(void *priv, size_t *ret_count)
{
        struct windows *w = priv;
        const struct stasis_hints *h = stasis_image_hints(w->image);
        if (is_virtual(w)) {
                *ret_count = h->unloaded_count;
                return h->unloaded;
        }
        if (!w->unloaded_known)
                read_ring(w);
        w->unloaded_known = true;
        *ret_count = w->unloaded_count;
        return w->unloaded;
}
