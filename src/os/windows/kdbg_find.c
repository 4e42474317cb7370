/* SPDX-License-Identifier: MIT */
/*
 * Where the debugger block is, and in which form. The plain ways come first: a dump written by the system carries a
 * decoded copy, and a kernel that was booted for debugging keeps its block plain.
 */
#include <inttypes.h>

#include "windows.h"

static bool of_this_kernel(const struct windows *w) { return !w->has_pe || w->kdbg.KernBase == w->pe.base; }

static bool found(struct windows *w, const char *form)
{
        w->has_kdbg = true;
        w->kdbg_form = form;
        return true;
}

static bool missed(struct windows *w)
{
        w->has_kdbg = false;
        return false;
}

/* Read already, where discovery looked for hints of the kernel's place. */
static bool plain_in_header(struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        if (!(h->known & STASIS_HINT_KDBG))
                return missed(w);
        if (!w->has_kdbg) {
                system_trace(w->system, "kdbg", false, "0x%" PRIx64 " (header): no plain block there", h->kdbg);
                return false;
        }
        if (!of_this_kernel(w)) {
                system_trace(w->system, "kdbg", false,
                             "0x%" PRIx64 " (header): its KernBase 0x%" PRIx64 " is not this kernel", h->kdbg,
                             w->kdbg.KernBase);
                return missed(w);
        }
        system_trace(w->system, "kdbg", true, "0x%" PRIx64 " (header), 0x%x bytes", w->kdbg.va, w->kdbg.size);
        return found(w, "plain");
}

static bool plain_at_symbol(struct windows *w)
{
        uint64_t va;
        if (!windows_symbol(w, "KdDebuggerDataBlock", &va))
                return false;
        bool plain = kdbg_read(w->kernel, va, &w->kdbg) == STASIS_OK && of_this_kernel(w);
        system_trace(w->system, "kdbg", plain, "0x%" PRIx64 " (PDB symbol): %s", va,
                     plain ? "plain" : "encoded, or not readable");
        return plain && found(w, "plain");
}

static bool symbol_value(const struct windows *w, const char *symbol, uint64_t *ret_value)
{
        uint64_t va;
        return windows_symbol(w, symbol, &va) && read_pointer(w, w->kernel, va, ret_value) == STASIS_OK;
}

static bool decoded_with_symbols(struct windows *w)
{
        uint64_t va, flag, never, always;
        if (!w->is64 || !windows_symbol(w, "KdDebuggerDataBlock", &va) ||
            !windows_symbol(w, "KdpDataBlockEncoded", &flag))
                return false;
        bool keys = symbol_value(w, "KiWaitNever", &never) && symbol_value(w, "KiWaitAlways", &always);
        if (!keys) {
                system_trace(w->system, "kdbg", false, "the PDB's symbols do not lead to KiWaitNever and KiWaitAlways");
                return false;
        }
        struct kdbg_key key = kdbg_key_of(never, always, flag);
        bool good = kdbg_read_encoded(w->kernel, &w->pe, va, &key, &w->kdbg) == STASIS_OK;
        system_trace(w->system, "kdbg", good,
                     good ? "0x%" PRIx64 ": decoded with the PDB's symbols (KiWaitNever 0x%" PRIx64
                            ", KiWaitAlways 0x%" PRIx64 ")"
                          : "0x%" PRIx64 ": not decoded with the PDB's symbols (KiWaitNever 0x%" PRIx64
                            ", KiWaitAlways 0x%" PRIx64 "): tag, KernBase or list heads do not come out",
                     va, never, always);
        return good && found(w, "decoded with the PDB's symbols");
}

static bool plain_by_scan(struct windows *w)
{
        bool plain = kdbg_scan(w->kernel, &w->pe, &w->kdbg) == STASIS_OK;
        if (plain)
                system_trace(w->system, "kdbg", true, "0x%" PRIx64 " (scan of the kernel's sections)", w->kdbg.va);
        else
                system_trace(w->system, "kdbg", false, "scan of the kernel's sections: no plain block");
        return plain && found(w, "plain");
}

/* At the places that are told, then anywhere in the kernel's variables. */
static bool solve(struct windows *w, struct kdbg_key *ret_key)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t va;
        if ((h->known & STASIS_HINT_KDBG) && kdbg_solve(w->kernel, &w->pe, h->kdbg, ret_key, &w->kdbg) == STASIS_OK)
                return true;
        if (windows_symbol(w, "KdDebuggerDataBlock", &va) &&
            kdbg_solve(w->kernel, &w->pe, va, ret_key, &w->kdbg) == STASIS_OK)
                return true;
        return kdbg_solve_scan(w->kernel, &w->pe, ret_key, &w->kdbg) == STASIS_OK;
}

static bool decoded_by_known_text(struct windows *w)
{
        struct kdbg_key key;
        if (!w->is64)
                return false;
        if (!solve(w, &key)) {
                system_trace(w->system, "kdbg", false,
                             "no encoded block: nothing in the kernel's sections becomes its KernBase under any key");
                return false;
        }
        system_trace(w->system, "kdbg", true,
                     "0x%" PRIx64 ": decoded with keys solved from KernBase (rotation %u, mask 0x%" PRIx64 ")",
                     w->kdbg.va, key.rotate, key.mask);
        return found(w, "decoded with keys solved from the kernel's base");
}

void windows_find_kdbg(struct windows *w)
{
        static bool (*const ways[])(struct windows *) = { plain_at_symbol, decoded_with_symbols, plain_by_scan,
                                                          decoded_by_known_text };
        if (plain_in_header(w) || !w->has_pe)
                return;
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
                if (ways[i](w))
                        return;
        w->has_kdbg = false;
}
