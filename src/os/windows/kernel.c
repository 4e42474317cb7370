/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <strings.h>

#include "../../base/bytes.h"

#define PAGE_LEN UINT64_C(0x1000)
#define HINT_REACH (UINT64_C(64) << 20)

/*
 * How many pages one pass over a range may look at. The first range holds boot images, drivers and system PTEs only: a
 * few hundred thousand pages on the largest machines. The others may map the whole of memory, or a hostile image's
 * loops.
 */
#define PAGES_MAX_LIKELY (UINT64_C(4) << 20)
#define PAGES_MAX_OTHER (UINT64_C(1) << 20)

/* The usual places: load addresses are multiples of 64 KiB where nothing randomizes them, and of 2 MiB on large pages.
 */
#define STRIDE UINT64_C(0x10000)
#define PROGRESS_EVERY 0x4000

/* ---------------------------------------------------------------- what is a kernel */

/* One, two, PAE one, PAE many processors, 5-level paging: all that Microsoft ships as the kernel. */
static const char *const kernel_name[] = { "ntoskrnl", "ntkrnlmp", "ntkrnlpa", "ntkrpamp", "ntkrla57" };

static bool is_named(const char *name, const char *suffix)
{
        for (size_t i = 0; i < sizeof(kernel_name) / sizeof(kernel_name[0]); i++) {
                size_t len = strlen(kernel_name[i]);

                if (!strncasecmp(name, kernel_name[i], len) && !strcasecmp(name + len, suffix))
                        return true;
        }
        return false;
}

bool kernel_is(const struct pe_image *pe)
{
        return is_named(pe->pdb_name, ".pdb") || is_named(pe->export_name, ".exe");
}

bool kernel_half(const struct stasis_space *space, uint64_t va)
{
        unsigned bits = space->paging->va_bits;

        if (!space->paging->sign_extended)
                return va >= UINT64_C(0x80000000) && va <= UINT32_MAX;
        return va >= UINT64_MAX << (bits - 1);
}

/* ---------------------------------------------------------------- the search */

/*
 * A kernel's file, read as data through the cache, looks like a kernel too. Only in the running one does the pointer to
 * the System process point somewhere.
 */
enum life { LIFE_NONE, LIFE_DEAD, LIFE_UNKNOWN, LIFE_RUNNING };

struct search {
        struct stasis_space *space;
        struct pe_image *best;
        enum life life;
        windows_progress *progress;
        void *progress_ctx;
};

static enum life kernel_life(struct stasis_space *space, const struct pe_image *pe)
{
        uint64_t va, value;

        if (pe_export(space, pe, "PsInitialSystemProcess", &va) != STASIS_OK ||
            stasis_space_u(space, va, pe->is64 ? 8 : 4, &value) != STASIS_OK)
                return LIFE_UNKNOWN;
        return kernel_half(space, value) ? LIFE_RUNNING : LIFE_DEAD;
}

/* Looks at one page; keeps what it finds where that is better than what was found before. */
static void look_at(struct search *search, uint64_t va)
{
        struct stasis_bytes magic = stasis_space_view(search->space, va, 2);
        struct pe_image pe;

        if (magic.len < 2 || magic.at[0] != 'M' || magic.at[1] != 'Z')
                return;
        if (pe_open(search->space, va, &pe) != STASIS_OK || !kernel_is(&pe))
                return;
        enum life life = kernel_life(search->space, &pe);
        if (life <= search->life)
                return;
        search->life = life;
        *search->best = pe;
}

static void look_before(struct search *search, uint64_t hint)
{
        if (!search->space->paging->sign_extended)
                hint &= UINT32_MAX; /* headers and debugger blocks carry 32-bit addresses sign-extended */
        if (!kernel_half(search->space, hint))
                return;
        hint -= hint % PAGE_LEN;
        for (uint64_t back = 0; back <= HINT_REACH && search->life < LIFE_UNKNOWN; back += PAGE_LEN) {
                if (!kernel_half(search->space, hint - back))
                        return;
                look_at(search, hint - back);
        }
}

struct stretch {
        uint64_t start, end; /* end 0: the top of the space */
        uint64_t budget;
};

/* The likely pages of a mapped piece are its start, where it follows a gap, and every 64 KiB; the others come later. */
static void look_in(struct search *search, const struct stasis_range *range, bool after_gap, bool likely,
                    uint64_t *budget)
{
        uint64_t end = range->va + (range->len - 1);

        for (uint64_t va = range->va;; va += PAGE_LEN) {
                bool usual = !(va % STRIDE) || (after_gap && va == range->va);

                if (usual == likely)
                        look_at(search, va);
                *budget -= *budget > 0;
                if (end - va < PAGE_LEN || !*budget || search->life == LIFE_RUNNING)
                        return;
        }
}

static void look_through(struct search *search, const struct stretch *stretch, bool likely)
{
        uint64_t va = stretch->start, budget = stretch->budget, previous_end = 0, reported = 0;
        struct stasis_range range;

        while (budget && search->life < LIFE_RUNNING &&
               stasis_space_next(search->space, va, stretch->end, &range, NULL) == STASIS_OK) {
                if (range.va < va) { /* the rest of a large page */
                        range.len -= va - range.va;
                        range.va = va;
                }
                look_in(search, &range, range.va != previous_end, likely, &budget);
                previous_end = va = range.va + range.len;
                if (!va || (stretch->end && va >= stretch->end))
                        return;
                if (search->progress && stretch->budget - budget - reported >= PROGRESS_EVERY) {
                        reported = stretch->budget - budget;
                        search->progress(search->progress_ctx, "kernel", va - stretch->start,
                                         stretch->end - stretch->start);
                }
        }
}

static size_t stretches(const struct stasis_space *space, struct stretch ret_stretch[3])
{
        uint64_t bottom = UINT64_MAX << (space->paging->va_bits - 1);

        if (!space->paging->sign_extended) {
                ret_stretch[0] = (struct stretch){ UINT64_C(0x80000000), UINT64_C(1) << 32, PAGES_MAX_OTHER };
                return 1;
        }
        /* boot images lie here in every version, also under 5-level paging */
        ret_stretch[0] =
                (struct stretch){ UINT64_C(0xfffff80000000000), UINT64_C(0xfffff88000000000), PAGES_MAX_LIKELY };
        ret_stretch[1] = (struct stretch){ UINT64_C(0xfffff88000000000), 0, PAGES_MAX_OTHER };
        ret_stretch[2] = (struct stretch){ bottom, UINT64_C(0xfffff80000000000), PAGES_MAX_OTHER };
        return 3;
}

enum stasis_status kernel_find(struct stasis_space *space, const uint64_t *hint, size_t hint_count,
                               windows_progress *progress, void *progress_ctx, struct pe_image *ret_pe)
{
        struct pe_image best;
        struct search search = { .space = space, .best = &best, .progress = progress, .progress_ctx = progress_ctx };
        struct stretch stretch[3];
        size_t count = stretches(space, stretch);

        for (size_t i = 0; i < hint_count && search.life < LIFE_UNKNOWN; i++)
                look_before(&search, hint[i]);
        for (size_t i = 0; i < count && search.life < LIFE_UNKNOWN; i++) {
                look_through(&search, &stretch[i], true);
                if (search.life < LIFE_RUNNING)
                        look_through(&search, &stretch[i], false);
        }
        if (search.life == LIFE_NONE)
                return STASIS_ABSENT;
        *ret_pe = best;
        return STASIS_OK;
}
