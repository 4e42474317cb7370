/* SPDX-License-Identifier: MIT */
/* When the image was made and when the system booted: out of the timekeeper (kernel/time/timekeeping.c). */
#include <stddef.h>

#include "linux.h"

#define SECOND INT64_C(1000000000)
#define YEAR_2001 INT64_C(978307200)
#define YEAR_2242 INT64_C(0x200000000)

struct time_places {
        struct place seconds, mono_seconds, mono_nanoseconds, boot, shift, shifted, old_shift, old_shifted, core;
};

static const struct place_row rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct time_places, name), { __VA_ARGS__ } \
        }
        PLACE(seconds, "timekeeper.xtime_sec"),
        PLACE(mono_seconds, "timekeeper.wall_to_monotonic.tv_sec"),
        PLACE(mono_nanoseconds, "timekeeper.wall_to_monotonic.tv_nsec"),
        PLACE(boot, "timekeeper.offs_boot"),
        PLACE(shift, "timekeeper.tkr_mono.shift", "timekeeper.tkr.shift"),
        PLACE(shifted, "timekeeper.tkr_mono.xtime_nsec", "timekeeper.tkr.xtime_nsec"),
        PLACE(old_shift, "timekeeper.shift"), /* until 3.16 */
        PLACE(old_shifted, "timekeeper.xtime_nsec"),
        PLACE(core, "tk_data.timekeeper"), /* since 6.13 */
#undef PLACE
};

static bool load(struct linux_system *l, uint64_t va, const struct place *place, int64_t *ret_value)
{
        uint64_t value;
        if (read_place(l->kernel, va, place, &value) != STASIS_OK)
                return false;
        *ret_value = place->size == 4 ? (int32_t)value : (int64_t)value;
        return true;
}

static bool take(struct linux_system *l, uint64_t va, const struct time_places *at)
{
        int64_t seconds, mono_seconds, mono_nanoseconds, boot, shift, shifted;
        if (!load(l, va, &at->seconds, &seconds) || !load(l, va, &at->mono_seconds, &mono_seconds) ||
            !load(l, va, &at->mono_nanoseconds, &mono_nanoseconds) || !load(l, va, &at->boot, &boot) ||
            !load(l, va, at->shift.has ? &at->shift : &at->old_shift, &shift) ||
            !load(l, va, at->shifted.has ? &at->shifted : &at->old_shifted, &shifted))
                return false;
        if (seconds < YEAR_2001 || seconds > YEAR_2242 || mono_seconds > 0 || mono_seconds < -seconds - 1 ||
            mono_nanoseconds < 0 || mono_nanoseconds >= SECOND || boot < 0 || boot > seconds * SECOND / 8 ||
            shift < 0 || shift > 62)
                return false;
        int64_t to_monotonic = mono_seconds * SECOND + mono_nanoseconds;
        l->boot_time = -to_monotonic - boot;
        l->wall_time = (uint64_t)(seconds * SECOND) + ((uint64_t)shifted >> shift);
        l->up_time = l->wall_time - (uint64_t)l->boot_time;
        return true;
}

/* struct timespec as it was: two words of a long. */
static bool load_timespec(struct linux_system *l, const char *symbol, int64_t *ret_nanoseconds)
{
        uint64_t va, seconds, nanoseconds;
        if (!linux_symbol_find(l, symbol, &va) || linux_read_pointer(l, va, &seconds) != STASIS_OK ||
            linux_read_pointer(l, va + l->pointer_size, &nanoseconds) != STASIS_OK || nanoseconds >= SECOND)
                return false;
        int64_t whole = l->is64 ? (int64_t)seconds : (int32_t)seconds;
        if (whole > YEAR_2242 || whole < -YEAR_2242)
                return false;
        *ret_nanoseconds = whole * SECOND + (int64_t)nanoseconds;
        return true;
}

/* Variables of their own until 3.3; getboottime of kernel/time/timekeeping.c tells what they make. */
static bool take_apart(struct linux_system *l)
{
        int64_t wall, to_monotonic, slept;
        if (!load_timespec(l, "xtime", &wall) || !load_timespec(l, "wall_to_monotonic", &to_monotonic) ||
            !load_timespec(l, "total_sleep_time", &slept) || wall < YEAR_2001 * SECOND || to_monotonic > 0 ||
            slept < 0 || to_monotonic + slept > 0 || -(to_monotonic + slept) > wall)
                return false;
        l->boot_time = -(to_monotonic + slept);
        l->wall_time = (uint64_t)wall;
        l->up_time = l->wall_time - (uint64_t)l->boot_time;
        return true;
}

/* In tk_core, the first of timekeeper_data since 6.17, behind a sequence count; before 3.17 with a name of its own. */
void linux_find_times(struct linux_system *l)
{
        struct time_places at;
        uint64_t va = 0;
        places_bind(l->layout, rows, sizeof rows / sizeof *rows, &at);
        uint64_t behind = at.core.has ? at.core.offset : l->pointer_size;
        bool found = (linux_symbol_find(l, "tk_core", &va) && take(l, va + behind, &at)) ||
                     (linux_symbol_find(l, "timekeeper_data", &va) && take(l, va + behind, &at)) ||
                     (linux_symbol_find(l, "timekeeper", &va) && take(l, va, &at)) ||
                     (linux_symbol_find(l, "xtime", &va) && take_apart(l));
        system_trace(l->system, "time", found,
                     found ? "the timekeeper at 0x%llx tells when the system booted"
                           : "no timekeeper (0x%llx): start times stay relative to boot",
                     (unsigned long long)va);
}
