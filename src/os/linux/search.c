/* SPDX-License-Identifier: MIT */
#include "search.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (1u << 20)
#define TEXT_ALIGN (UINT64_C(2) << 20)
#define TEXT_SAMPLES_MAX 65536
#define VMCOREINFO_TRIES 64

/* ---------------------------------------------------------------- chunks */

static void look(struct search_pattern *p, uint64_t pa, struct stasis_bytes chunk, size_t fresh)
{
        const uint8_t *at = chunk.at;
        while (!p->done) {
                at = memmem(at, chunk.len - (size_t)(at - chunk.at), p->bytes, p->len);
                if (!at || (size_t)(at - chunk.at) >= fresh)
                        return;
                size_t offset = (size_t)(at - chunk.at);
                p->done = p->hit(p->ctx, pa + offset, (struct stasis_bytes){ at, chunk.len - offset });
                at++;
        }
}

/* A reader of compressed pages gives no view: its pages are copied, those that it cannot give stay zero. */
static struct stasis_bytes chunk_at(const struct stasis_image *image, uint64_t pa, size_t len, uint8_t **buf)
{
        struct stasis_bytes view = stasis_image_view(image, pa, len);
        if (view.at)
                return view;
        if (!*buf && !(*buf = malloc(CHUNK + SEARCH_OVERLAP)))
                return view;
        memset(*buf, 0, len);
        for (size_t at = 0; at < len;) {
                size_t piece = 4096 - (size_t)((pa + at) % 4096);
                piece = piece < len - at ? piece : len - at;
                if (stasis_image_read(image, pa + at, *buf + at, piece) != STASIS_OK)
                        memset(*buf + at, 0, piece);
                at += piece;
        }
        return (struct stasis_bytes){ *buf, len };
}

static bool all_done(const struct search_pattern *pattern, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (!pattern[i].done)
                        return false;
        return true;
}

void search_memory(struct linux_system *l, const char *what, uint64_t low, uint64_t high,
                   struct search_pattern *pattern, size_t count)
{
        uint8_t *buf = NULL;
        size_t runs;
        const struct stasis_run *run = stasis_image_runs(l->image, &runs);
        for (size_t i = 0; i < runs && !all_done(pattern, count); i++) {
                uint64_t end = run[i].pa + run[i].len < high ? run[i].pa + run[i].len : high;
                uint64_t pa = run[i].pa > low ? run[i].pa : low;
                while (pa < end && !all_done(pattern, count)) {
                        pa = stasis_image_skip_hole(l->image, pa);
                        if (pa >= end)
                                break;
                        system_progress(l->system, what, pa - run[i].pa, run[i].len);
                        size_t len = end - pa < CHUNK + SEARCH_OVERLAP ? (size_t)(end - pa) : CHUNK + SEARCH_OVERLAP;
                        size_t fresh = len < CHUNK ? len : CHUNK;
                        struct stasis_bytes chunk = chunk_at(l->image, pa, len, &buf);
                        for (size_t k = 0; k < count && chunk.at; k++)
                                look(&pattern[k], pa, chunk, fresh);
                        pa += fresh;
                }
        }
        free(buf);
}

/* ---------------------------------------------------------------- the start of a kernel's text */

/*
 * arch/x86/kernel/head_64.S and head_32.S: lea of a place beside itself to rsp, rdi or rbp (2.6.22 to today; since 6.8
 * behind "mov %rsi, %r15"), or the GDT loaded within the first instructions.
 */
static bool is_text(const uint8_t b[static 16])
{
        static const uint8_t lgdt[] = { 0x0f, 0x01, 0x15 };
        const uint8_t *lea = b[0] == 0x49 && b[1] == 0x89 && b[2] == 0xf7 ? b + 3 : b;
        if (lea[0] == 0x48 && lea[1] == 0x8d && (lea[2] == 0x25 || lea[2] == 0x2d || lea[2] == 0x3d))
                return true;
        return (b[0] == 0x8b && b[1] == 0x0d && memcmp(b + 6, lgdt, 3) == 0) ||
               (b[0] == 0xf6 && b[1] == 0x86 && memcmp(b + 9, lgdt, 3) == 0);
}

size_t search_text(const struct stasis_image *image, uint64_t *ret_pa, size_t max)
{
        size_t runs, found = 0, samples = 0;
        uint8_t bytes[16];
        const struct stasis_run *run = stasis_image_runs(image, &runs);
        for (size_t i = 0; i < runs; i++) {
                uint64_t pa = (run[i].pa + TEXT_ALIGN - 1) & ~(TEXT_ALIGN - 1), end = run[i].pa + run[i].len;
                for (; pa < end && end - pa >= sizeof bytes && samples < TEXT_SAMPLES_MAX; pa += TEXT_ALIGN, samples++)
                        if (stasis_image_skip_hole(image, pa) == pa &&
                            stasis_image_read(image, pa, bytes, sizeof bytes) == STASIS_OK && is_text(bytes) &&
                            found < max)
                                ret_pa[found++] = pa;
        }
        return found;
}

bool linux_likely(const struct stasis_image *image)
{
        uint64_t pa;
        return !image->is_virtual && (image->hints.known & STASIS_HINT_VMCOREINFO || search_text(image, &pa, 1) > 0);
}

/* ---------------------------------------------------------------- what tells of the kernel */

static bool hit_kallsyms(void *ctx, uint64_t pa, struct stasis_bytes left)
{
        struct linux_system *l = ctx;
        const char *why;
        (void)left;
        enum stasis_status status = kallsyms_open(l->image, pa, &l->kallsyms, &why);
        l->no_memory |= status == STASIS_NOMEM;
        if (status == STASIS_OK)
                system_trace(
                        l->system, "kallsyms", true, "tables at 0x%" PRIx64 " by their shape: %" PRIu32 " symbols, %s",
                        kallsyms_token_table_pa(l->kallsyms), kallsyms_count(l->kallsyms), kallsyms_shape(l->kallsyms));
        return status == STASIS_OK;
}

/* A stale copy has no later lines; the kernel's own page ends with what the machine adds. */
static bool hit_vmcoreinfo(void *ctx, uint64_t pa, struct stasis_bytes left)
{
        struct linux_system *l = ctx;
        struct stasis_bytes page = { left.at, left.len < 4096 ? left.len : 4096 };
        size_t len = vmcoreinfo_length(page);
        if (len < 256)
                return false;
        char *copy = stasis_arena_strndup(&l->system->arena, (const char *)page.at, len);
        if (!copy)
                return false;
        l->vmcoreinfo = (struct stasis_bytes){ (const uint8_t *)copy, len };
        system_trace(l->system, "vmcoreinfo", true, "%zu bytes at 0x%" PRIx64 " in memory", len, pa);
        return true;
}

void search_kernel(struct linux_system *l, const char *what, uint64_t low, uint64_t high)
{
        struct search_pattern pattern[] = {
                { kallsyms_digits, sizeof kallsyms_digits, hit_kallsyms, l, l->kallsyms != NULL },
                { "OSRELEASE=", 10, hit_vmcoreinfo, l, l->vmcoreinfo.len != 0 },
        };
        search_memory(l, what, low, high, pattern, 2);
}
