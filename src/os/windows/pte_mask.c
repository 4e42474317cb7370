/* SPDX-License-Identifier: MIT */
/*
 * MiInvalidPteMask is a variable of its own in serviced 7 and 8.1; since 1607 it is MiState.Hardware.InvalidPteMask.
 * The mask is one bit, the highest of a physical address that the processor has, where it is prone to L1TF; else zero.
 */
#include "pte_mask.h"

#include <inttypes.h>

#include "../../base/bytes.h"

#define TABLES_MAX 4096 /* looked through for a guess: 16 MiB */
#define TRANSITIONS_ENOUGH 256
#define TRANSITIONS_MIN 12
#define PHYSICAL_BITS UINT64_C(0x000ffffffffff000)

/* ---------------------------------------------------------------- told */

static bool told_mask(const struct windows *w, uint64_t *ret_mask, const char **ret_how)
{
        struct stasis_member m;
        uint64_t va;
        *ret_how = "MiInvalidPteMask";
        if (windows_symbol(w, "MiInvalidPteMask", &va))
                return stasis_space_u(w->kernel, va, 8, ret_mask) == STASIS_OK;
        *ret_how = "MiState.Hardware.InvalidPteMask";
        return windows_symbol(w, "MiState", &va) &&
               stasis_layout_member(w->layout, "_MI_SYSTEM_INFORMATION.Hardware.InvalidPteMask", &m) &&
               stasis_space_u(w->kernel, va + m.offset, 8, ret_mask) == STASIS_OK;
}

/* ---------------------------------------------------------------- inferred */

void pte_mask_begin(uint64_t memory_end, struct pte_mask_guess *ret_guess)
{
        uint64_t below = 1;
        while (below < memory_end && below <= PHYSICAL_BITS)
                below <<= 1;
        *ret_guess = (struct pte_mask_guess){ .past_memory = PHYSICAL_BITS & ~(below - 1), .paged = UINT64_MAX };
}

void pte_mask_see(const struct pte_forms *forms, uint64_t value, struct pte_mask_guess *guess)
{
        struct pte_meaning m = pte_read(forms, value, false);
        if (!m.doubtful)
                return;
        if (m.kind == PTE_IS_TRANSITION) {
                guess->differ |= guess->transitions && (value & guess->past_memory) != guess->mask;
                guess->mask = value & guess->past_memory;
                guess->transitions++;
        } else if (m.kind == PTE_IS_PAGEFILE) {
                guess->paged &= value;
                guess->pages++;
        }
}

bool pte_mask_tells(const struct pte_mask_guess *guess, uint64_t *ret_mask)
{
        if (guess->transitions < TRANSITIONS_MIN || guess->differ || (guess->mask & (guess->mask - 1)) ||
            (guess->pages && (guess->paged & guess->mask) != guess->mask))
                return false;
        *ret_mask = guess->mask;
        return true;
}

static uint64_t memory_end(const struct windows *w)
{
        size_t count;
        const struct stasis_run *run = stasis_image_runs(w->image, &count);
        return count ? run[count - 1].pa + run[count - 1].len : 0;
}

/*
 * Tables of one level after the other, as a list: a descent that no table can make longer. The kernel's half is the
 * same in all spaces, and counts once; the entry that maps the tables themselves leads nowhere new.
 */
struct tables {
        uint64_t pa[TABLES_MAX];
        uint8_t level[TABLES_MAX];
        size_t count, looked; /* looked: over all spaces */
};

static void look_at_table(const struct windows *w, struct tables *tables, size_t i, bool kernel_half,
                          const struct pte_forms *forms, struct pte_mask_guess *guess)
{
        const struct stasis_paging *paging = w->kernel->paging;
        unsigned level = tables->level[i], width = paging->entry_size;
        uint64_t value, entries = UINT64_C(1) << paging->level[level].bits;
        if (level == 0 && !kernel_half)
                entries /= 2;
        uint8_t copy[4096];
        struct stasis_bytes held = stasis_image_view(w->image, tables->pa[i], (size_t)entries * width);
        if (held.len < entries * width && entries * width <= sizeof copy &&
            stasis_image_read(w->image, tables->pa[i], copy, (size_t)entries * width) == STASIS_OK)
                held = (struct stasis_bytes){ copy, (size_t)entries * width }; /* compressed, or torn */
        for (size_t at = 0; at + width <= held.len; at += width) {
                value = load_le(held.at + at, width);
                if (!(value & STASIS_ENTRY_PRESENT)) {
                        pte_mask_see(forms, value, guess);
                } else if (!stasis_paging_leaf(paging, level, value) && tables->count < TABLES_MAX &&
                           (value & paging->frame_mask) != tables->pa[0]) {
                        tables->pa[tables->count] = value & paging->frame_mask;
                        tables->level[tables->count++] = (uint8_t)(level + 1);
                }
        }
}

static void look_through(const struct windows *w, struct tables *tables, uint64_t root, bool kernel_half,
                         const struct pte_forms *forms, struct pte_mask_guess *guess)
{
        tables->pa[0] = root & w->kernel->paging->root_mask;
        tables->level[0] = 0;
        tables->count = 1;
        for (size_t i = 0; i < tables->count && guess->transitions < TRANSITIONS_ENOUGH; i++, tables->looked++)
                if (tables->looked < TABLES_MAX)
                        look_at_table(w, tables, i, kernel_half, forms, guess);
}

/* System's tables, then those of every process that is known by now, until they tell. */
static bool infer_mask(const struct windows *w, const struct pte_forms *forms, struct pte_mask_guess *guess,
                       uint64_t *ret_mask)
{
        struct tables tables = { .looked = 0 };
        pte_mask_begin(memory_end(w), guess);
        look_through(w, &tables, w->kernel->root, true, forms, guess);
        bool tells = pte_mask_tells(guess, ret_mask);
        for (size_t i = 0; i < w->process_count && tables.looked < TABLES_MAX && !tells; i++) {
                if (!w->process[i].dtb || w->process[i].object == w->system_object)
                        continue;
                look_through(w, &tables, w->process[i].dtb, false, forms, guess);
                tells = pte_mask_tells(guess, ret_mask);
        }
        return tells;
}

void pte_find_mask(struct windows *w, struct pte_forms *forms)
{
        struct pte_mask_guess guess;
        const char *how;
        uint64_t mask = 0;
        forms->mask_known = told_mask(w, &mask, &how);
        if (!forms->mask_known) {
                forms->mask_known = infer_mask(w, forms, &guess, &mask);
                how = "inferred from entries";
        }
        forms->invalid_mask = mask;
        if (forms->mask_known)
                system_trace(w->system, "pte", true, "InvalidPteMask is 0x%" PRIx64 " (%s)", mask, how);
        else
                system_trace(
                        w->system, "pte", false,
                        "InvalidPteMask is not known: no symbol tells, and %u entries in transition are no evidence",
                        guess.transitions);
}
