/* SPDX-License-Identifier: MIT */
/*
 * From an image to a Linux kernel. The sequence: VMCOREINFO as the file tells it; kallsyms where VMCOREINFO says it
 * is, else behind what looks like the start of a kernel's text, else anywhere; the page tables (root.c); the banner;
 * the types (types.c). Each attempt is in the trace.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/error.h"
#include "search.h"

#define KERNEL_MAP UINT64_C(0xffffffff80000000)
#define BANNER_MAX 512
#define TEXTS_MAX 16
#define IMAGE_MAX (UINT64_C(96) << 20) /* behind the start of the text */

static void take_hint(struct linux_system *l)
{
        const struct stasis_hints *h = &l->image->hints;
        if (!(h->known & STASIS_HINT_VMCOREINFO)) {
                system_trace(l->system, "vmcoreinfo", false, "the file tells none");
                return;
        }
        size_t len = vmcoreinfo_length(h->vmcoreinfo);
        if (len)
                l->vmcoreinfo = (struct stasis_bytes){ h->vmcoreinfo.at, len };
        system_trace(l->system, "vmcoreinfo", len != 0,
                     len ? "%zu bytes from the file's own note" : "the file's own note does not begin as one", len);
}

/* Where VMCOREINFO says that kallsyms' tokens are (since 6.0). */
static bool kallsyms_place_told(const struct linux_system *l, uint64_t *ret_pa)
{
        uint64_t va;
        int64_t base;
        if (!vmcoreinfo_symbol(l->vmcoreinfo, "kallsyms_token_table", &va))
                return false;
        if (vmcoreinfo_number(l->vmcoreinfo, "phys_base", &base))
                *ret_pa = va - KERNEL_MAP + (uint64_t)base;
        else if (va >= 0xc0000000 && va <= UINT32_MAX)
                *ret_pa = va - 0xc0000000;
        else
                return false;
        return true;
}

static void kallsyms_told(struct linux_system *l)
{
        uint64_t low;
        if (!kallsyms_place_told(l, &low))
                return;
        search_kernel(l, "kallsyms", low, low + 4096);
        if (!l->kallsyms)
                system_trace(l->system, "kallsyms", false,
                             "VMCOREINFO puts its tokens to 0x%" PRIx64 ": they are not there", low);
}

static void kallsyms_searched(struct linux_system *l)
{
        uint64_t text[TEXTS_MAX];
        size_t count = search_text(l->image, text, TEXTS_MAX);
        for (size_t i = 0; i < count && !l->kallsyms; i++) {
                system_trace(l->system, "kernel", true, "0x%" PRIx64 " looks like the start of a kernel's text",
                             text[i]);
                struct stasis_bytes kept = l->vmcoreinfo;
                if (!kept.len) /* its text lies anywhere: not worth the way from here */
                        l->vmcoreinfo = (struct stasis_bytes){ (const uint8_t *)"", 1 };
                search_kernel(l, "kallsyms", text[i], text[i] + IMAGE_MAX);
                l->vmcoreinfo = kept;
        }
        if (l->kallsyms)
                return;
        search_kernel(l, "kernel", 0, UINT64_MAX);
        if (!l->kallsyms)
                system_trace(l->system, "kallsyms", false, "no tables of that shape in the whole image");
        if (!l->vmcoreinfo.len)
                system_trace(l->system, "vmcoreinfo", false, "no such text in the whole image");
}

/* A kernel whose kallsyms leave out data leaves its page tables to VMCOREINFO, which lies anywhere in a raw image. */
static void vmcoreinfo_searched(struct linux_system *l)
{
        static const char *const roots[] = { "init_top_pgt", "swapper_pg_dir", "init_level4_pgt" };
        uint64_t va;
        if (l->vmcoreinfo.len || !l->kallsyms)
                return;
        for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
                if (kallsyms_find(l->kallsyms, roots[i], &va))
                        return;
        search_kernel(l, "vmcoreinfo", 0, UINT64_MAX);
        if (!l->vmcoreinfo.len)
                system_trace(l->system, "vmcoreinfo", false, "no such text in the whole image");
}

bool linux_text_symbol(const struct linux_system *l, uint64_t *ret_address)
{
        static const char *const names[] = { "_text", "startup_64", "_stext" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (kallsyms_find(l->kallsyms, names[i], ret_address))
                        return true;
        return false;
}

/* Whose word counts for the address that the text ran at. Tables that tell physical places have none yet. */
static void find_text(struct linux_system *l)
{
        uint64_t va;
        l->pointer_size = l->kallsyms ? kallsyms_pointer_size(l->kallsyms) : 8;
        if (vmcoreinfo_symbol(l->vmcoreinfo, "_stext", &va)) {
                l->stext = l->place.text_va = va;
                if (!l->kallsyms)
                        l->pointer_size = va > UINT32_MAX ? 8 : 4;
        }
        l->is64 = l->pointer_size == 8;
        if (!l->kallsyms || !kallsyms_placed(l->kallsyms))
                return;
        if (kallsyms_find(l->kallsyms, "_stext", &va)) {
                if (l->stext && l->stext != va)
                        system_note(l->system, STASIS_NOTE_WARNING, "vmcoreinfo-stale", 0, -1, -1,
                                    "VMCOREINFO says that the text starts at 0x%" PRIx64 ", kallsyms at 0x%" PRIx64
                                    ": it is of another boot",
                                    l->stext, va);
                l->stext = va;
        }
        (void)linux_text_symbol(l, &l->place.text_va);
}

/* The page tables, and by them where the kernel ran. */
static bool find_root(struct linux_system *l)
{
        bool told = l->kallsyms && kallsyms_placed(l->kallsyms);
        if (!l->kallsyms && !l->place.text_va)
                return false;
        if (!linux_find_root(l))
                return false;
        if (l->kallsyms && !told)
                find_text(l);
        return true;
}

/* ---------------------------------------------------------------- the banner */

static bool keep_banner(struct linux_system *l, const uint8_t *text, size_t len)
{
        size_t end = 0;
        while (end < len && text[end] >= ' ' && text[end] < 0x7f)
                end++;
        if (end < 20 || end == len || text[end] != '\n' || memcmp(text, "Linux version ", 14) != 0 ||
            !isdigit(text[14]))
                return false;
        const uint8_t *number = memchr(text, '#', end); /* a template of it has no build number there */
        if (!number || !isdigit(number[1]))
                return false;
        l->banner = stasis_arena_strndup(&l->system->arena, (const char *)text, end);
        return l->banner != NULL;
}

static bool hit_banner(void *ctx, uint64_t pa, struct stasis_bytes left)
{
        (void)pa;
        return keep_banner(ctx, left.at, left.len < BANNER_MAX ? left.len : BANNER_MAX);
}

static void find_banner(struct linux_system *l)
{
        uint64_t va;
        uint8_t text[BANNER_MAX];
        if (linux_symbol_find(l, "linux_banner", &va) &&
            stasis_space_read(l->kernel, va, text, sizeof text) == STASIS_OK)
                (void)keep_banner(l, text, sizeof text);
        if (!l->banner) {
                struct search_pattern pattern = { "Linux version ", 14, hit_banner, l, false };
                search_memory(l, "banner", l->place.text_pa, l->place.text_pa + IMAGE_MAX, &pattern, 1);
        }
        system_trace(l->system, "banner", l->banner != NULL, "%s",
                     l->banner ? l->banner : "no \"Linux version \" in the kernel's image");
}

/* OSRELEASE, or the banner's third word. */
static void find_release(struct linux_system *l)
{
        struct stasis_bytes line = vmcoreinfo_line(l->vmcoreinfo, "OSRELEASE");
        const char *text = (const char *)line.at;
        size_t len = line.len;
        if (l->banner) {
                text = l->banner + 14;
                len = strcspn(text, " ");
        }
        l->release = len ? stasis_arena_strndup(&l->system->arena, text, len) : NULL;
        unsigned major, minor;
        if (l->release && sscanf(l->release, "%3u.%3u", &major, &minor) == 2)
                l->version = LINUX_VERSION(major, minor);
}

/* The page that the kernel wrote it to, where the file told none: its word on the pages, and another witness. */
static void vmcoreinfo_own(struct linux_system *l)
{
        uint64_t va, page;
        uint8_t text[4096];
        if (l->vmcoreinfo.len || !linux_symbol_find(l, "vmcoreinfo_data", &va) ||
            linux_read_pointer(l, va, &page) != STASIS_OK ||
            stasis_space_read(l->kernel, page, text, sizeof text) != STASIS_OK)
                return;
        size_t len = vmcoreinfo_length((struct stasis_bytes){ text, sizeof text });
        char *copy = len ? stasis_arena_strndup(&l->system->arena, (const char *)text, len) : NULL;
        if (copy)
                l->vmcoreinfo = (struct stasis_bytes){ (const uint8_t *)copy, len };
        system_trace(l->system, "vmcoreinfo", copy != NULL, "vmcoreinfo_data points to 0x%" PRIx64 ": %zu bytes", page,
                     len);
}

/*
 * By how much lower than it says itself the kernel lies in the file: 0 where that is not known, or not so. A file of
 * raw memory without the holes between its ranges (LiME's format=raw) is the reason to ask.
 */
static uint64_t lies_lower(const struct linux_system *l)
{
        uint64_t pa;
        if (!l->kallsyms || !kallsyms_place_told(l, &pa) || pa <= kallsyms_token_table_pa(l->kallsyms))
                return 0;
        return pa - kallsyms_token_table_pa(l->kallsyms);
}

static enum stasis_status nothing(struct linux_system *l, struct stasis_error *err)
{
        uint64_t lower = lies_lower(l);
        if (l->no_memory)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        if (!l->kallsyms && !l->vmcoreinfo.len)
                return stasis_fail(err, STASIS_ABSENT,
                                   "no Linux kernel found: neither VMCOREINFO nor kallsyms' tables in the image");
        if (lower)
                return stasis_fail(err, STASIS_ABSENT,
                                   "no Linux kernel found: kallsyms' tables lie 0x%" PRIx64 " lower in the file than "
                                   "in memory: holes were left out of it",
                                   lower);
        return stasis_fail(err, STASIS_ABSENT,
                           "no Linux kernel found: %s, and no page tables that translate what is known of it",
                           l->kallsyms ? "kallsyms' tables" : "VMCOREINFO");
}

enum stasis_status linux_discover(struct linux_system *l, struct stasis_error *err)
{
        if (l->image->is_virtual)
                return stasis_fail(err, STASIS_ABSENT, "no Linux kernel found: the file holds no physical memory");
        take_hint(l);
        kallsyms_told(l);
        if (!l->kallsyms)
                kallsyms_searched(l);
        vmcoreinfo_searched(l);
        find_text(l);
        if (l->no_memory || !find_root(l))
                return nothing(l, err);
        vmcoreinfo_own(l);
        find_banner(l);
        find_release(l);
        return linux_choose_layout(l, err);
}
