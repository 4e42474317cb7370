/* SPDX-License-Identifier: MIT */
/* Tables of where each register lies in a record of some container, and the one loop that loads them. */
#ifndef STASIS_FORMATS_REGISTER_PLACES_H
#define STASIS_FORMATS_REGISTER_PLACES_H

#include <stasis/stasis.h>

#include <string.h>

#include "../src/base/bytes.h"

/* One register: where it lies in the record and in struct stasis_cpu. */
struct register_place {
        uint16_t from, to;
        uint8_t from_size, to_size;
};
#define P(wire, member, cpu_member) \
        { \
                offsetof(struct wire, member), offsetof(struct stasis_cpu, cpu_member), \
                        sizeof(((struct wire *)0)->member), sizeof(((struct stasis_cpu *)0)->cpu_member) \
        }
enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP }; /* order of stasis_cpu.gpr */

/* Stores the low bytes of value as the member's own type. */
static inline void register_store(void *to, size_t size, uint64_t value)
{
        const uint32_t half = (uint32_t)value;
        const uint16_t selector = (uint16_t)value;
        if (size == sizeof value)
                memcpy(to, &value, sizeof value);
        else if (size == sizeof half)
                memcpy(to, &half, sizeof half);
        else if (size == sizeof selector)
                memcpy(to, &selector, sizeof selector);
}

/* Whoever calls has checked that the record is long enough. */
static inline void registers_load(struct stasis_cpu *cpu, const struct register_place *place, size_t count,
                                  const uint8_t *record)
{
        for (size_t i = 0; i < count; i++)
                register_store((uint8_t *)cpu + place[i].to, place[i].to_size,
                               load_le(record + place[i].from, place[i].from_size));
}

#endif
