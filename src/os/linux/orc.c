/* SPDX-License-Identifier: MIT */
#include "orc.h"

#include "../../base/bytes.h"

#define ORC_ENTRY_MAX 16 /* bytes; every kernel so far has 6 */
#define ORC_ENTRY_SIZE 6

/* A member that lies wholly in an entry. The entry is packed: the word of a bit-field may go on behind its end. */
static bool bind_member(const struct stasis_layout *layout, const char *path, uint32_t size, struct stasis_member *ret)
{
        if (!stasis_layout_member(layout, path, ret) || ret->size > 4 || ret->offset >= size)
                return false;
        return ret->offset * 8 + (ret->bits ? ret->bit + ret->bits : ret->size * 8) <= size * 8;
}

bool orc_bind(const struct stasis_layout *layout, struct orc_format *ret_format)
{
        struct orc_format f = { .size = layout ? stasis_layout_sizeof(layout, "orc_entry") : 0 };
        if (f.size == 0 || f.size > ORC_ENTRY_MAX ||
            !bind_member(layout, "orc_entry.sp_offset", f.size, &f.sp_offset) ||
            !bind_member(layout, "orc_entry.bp_offset", f.size, &f.bp_offset) ||
            !bind_member(layout, "orc_entry.sp_reg", f.size, &f.sp_reg) ||
            !bind_member(layout, "orc_entry.bp_reg", f.size, &f.bp_reg) ||
            !bind_member(layout, "orc_entry.type", f.size, &f.type))
                return false;
        f.has_end = bind_member(layout, "orc_entry.end", f.size, &f.end);
        f.has_signal = bind_member(layout, "orc_entry.signal", f.size, &f.signal);
        *ret_format = f;
        return f.type.bits == 2 || f.type.bits == 3;
}

/* ---- by what must hold */

#define SAMPLES 16384
#define SAMPLES_MIN 64

/* arch/x86/include/asm/orc_types.h to 7.0 (AX: since 6.18), and of 7.2. */
static const uint8_t numbers[2][16] = {
        { ORC_UNDEFINED, ORC_PREV_SP, ORC_DX, ORC_DI, ORC_BP, ORC_SP, ORC_R10, ORC_R13, ORC_BP_INDIRECT,
          ORC_SP_INDIRECT, ORC_AX, ORC_NO_REGISTER, ORC_NO_REGISTER, ORC_NO_REGISTER, ORC_NO_REGISTER,
          ORC_NO_REGISTER },
        { ORC_UNDEFINED, ORC_AX, ORC_DX, ORC_SP, ORC_BP, ORC_DI, ORC_R10, ORC_R13, ORC_PREV_SP, ORC_SP_INDIRECT,
          ORC_BP_INDIRECT, ORC_NO_REGISTER, ORC_NO_REGISTER, ORC_NO_REGISTER, ORC_NO_REGISTER, ORC_NO_REGISTER },
};
#define ORC_NUMBER_MAX 10

/* Of the half-word at 4: bits 0 to 3 are sp_reg, 4 to 7 bp_reg, from 8 on the type and what is behind it. */
struct tally {
        uint32_t entries, ruled; /* ruled: they name a register, so that they are no end */
        uint32_t calls_before, calls_since;
        uint32_t bit10_ruled, bit10_unruled, bit11, unused;
};

static void count_entry(struct tally *t, uint32_t bits)
{
        bool ruled = (bits & 15) != ORC_UNDEFINED;
        t->entries++;
        t->ruled += ruled;
        t->calls_before += ruled && (bits >> 8 & 3) == 0;
        t->calls_since += ruled && (bits >> 8 & 7) == 2;
        t->bit10_ruled += ruled && bits >> 10 & 1;
        t->bit10_unruled += !ruled && bits >> 10 & 1;
        t->bit11 += bits >> 11 & 1;
        t->unused += bits >> 12 != 0 || (bits & 15) > ORC_NUMBER_MAX || (bits >> 4 & 15) > ORC_NUMBER_MAX;
}

static struct stasis_member at_bits(uint8_t bit, uint8_t bits)
{
        return (struct stasis_member){ .offset = 4, .size = 2, .bit = bit, .bits = bits };
}

bool orc_infer(struct stasis_space *space, const struct orc_table *table, struct orc_format *ret_format)
{
        struct tally t = { 0 };
        struct orc_format f = { .sp_offset = { .offset = 0, .size = 2 },
                                .bp_offset = { .offset = 2, .size = 2 },
                                .sp_reg = at_bits(0, 4),
                                .bp_reg = at_bits(4, 4),
                                .type = at_bits(8, 2),
                                .size = ORC_ENTRY_SIZE };
        uint64_t count = table->count < ORC_COUNT_MAX ? table->count : ORC_COUNT_MAX, step = count / SAMPLES + 1, bits;
        for (uint64_t i = 0; i < count; i += step)
                if (stasis_space_u(space, table->entry + i * ORC_ENTRY_SIZE + 4, 2, &bits) == STASIS_OK)
                        count_entry(&t, (uint32_t)bits);
        bool since = t.calls_since * 2 > t.ruled, before = t.calls_before * 2 > t.ruled;
        bool stray = !since && !t.bit11 && !t.bit10_unruled && t.bit10_ruled; /* a bit that no format has */
        if (t.entries < SAMPLES_MIN || t.unused || (!since && !before) || stray)
                return false;
        if (since) { /* 6.4 */
                f.type.bits = 3;
                f.has_signal = true;
                f.signal = at_bits(11, 1);
        } else if (t.bit11) { /* 6.3 */
                f.has_signal = f.has_end = true;
                f.signal = at_bits(10, 1);
                f.end = at_bits(11, 1);
        } else if (t.bit10_unruled) { /* 4.18 */
                f.has_end = true;
                f.end = at_bits(10, 1);
        }
        *ret_format = f;
        return true;
}

/* bytes: an entry and 4 more. */
static uint32_t field(const struct stasis_member *m, const uint8_t *bytes)
{
        uint32_t word = (uint32_t)load_le(bytes + m->offset, m->size);
        return m->bits ? word >> m->bit & (uint32_t)((UINT64_C(1) << m->bits) - 1) : word;
}

/*
 * Before 6.4 three types and, from 4.18 on, the bit "end"; since then two more types, in front. Source: orc_types.h of
 * each. Until 4.17 nothing told the outermost frame from code of which nothing is known: the kernel's own unwinder
 * ended at both.
 */
static enum orc_type type_of(const struct orc_format *format, uint32_t type, bool end, uint8_t sp_reg)
{
        static const enum orc_type before[4] = { ORC_CALL, ORC_REGS, ORC_REGS_PARTIAL, ORC_UNKNOWN };
        static const enum orc_type since[8] = { ORC_UNKNOWN,      ORC_END,     ORC_CALL,    ORC_REGS,
                                                ORC_REGS_PARTIAL, ORC_UNKNOWN, ORC_UNKNOWN, ORC_UNKNOWN };
        if (format->type.bits == 3)
                return since[type & 7];
        if (sp_reg == ORC_UNDEFINED)
                return end || !format->has_end ? ORC_END : ORC_UNKNOWN;
        return before[type & 3];
}

void orc_decode(const struct orc_format *format, const uint8_t *entry, struct orc_entry *ret_entry)
{
        uint8_t bytes[ORC_ENTRY_MAX + 4] = { 0 };
        memcpy(bytes, entry, format->size);
        struct orc_entry e = {
                .sp_offset = (int16_t)field(&format->sp_offset, bytes),
                .bp_offset = (int16_t)field(&format->bp_offset, bytes),
                .sp_reg = numbers[format->renumbered][field(&format->sp_reg, bytes) & 15],
                .bp_reg = numbers[format->renumbered][field(&format->bp_reg, bytes) & 15],
        };
        bool end = format->has_end && field(&format->end, bytes);
        e.type = type_of(format, field(&format->type, bytes), end, e.sp_reg);
        e.signal = format->has_signal ? field(&format->signal, bytes) != 0
                                      : e.type == ORC_REGS || e.type == ORC_REGS_PARTIAL;
        *ret_entry = e;
}

void orc_number(struct stasis_space *space, const struct orc_table *table, struct orc_format *format)
{
        uint32_t seen[16] = { 0 };
        uint64_t count = table->count < ORC_COUNT_MAX ? table->count : ORC_COUNT_MAX, step = count / SAMPLES + 1;
        for (uint64_t i = 0; i < count; i += step) {
                uint8_t bytes[ORC_ENTRY_MAX + 4] = { 0 };
                if (stasis_space_read(space, table->entry + i * format->size, bytes, format->size) == STASIS_OK)
                        seen[field(&format->sp_reg, bytes) & 15]++;
        }
        format->renumbered = seen[3] > seen[5];
}

static enum stasis_status address_at(struct stasis_space *space, const struct orc_table *table, uint64_t index,
                                     uint64_t *ret_address)
{
        uint64_t at = table->ip + 4 * index, relative;
        enum stasis_status status = stasis_space_u(space, at, 4, &relative);
        if (status == STASIS_OK)
                *ret_address = at + (uint64_t)(int64_t)(int32_t)relative;
        return status;
}

enum stasis_status orc_find(struct stasis_space *space, const struct orc_format *format, const struct orc_table *table,
                            uint64_t pc, struct orc_entry *ret_entry)
{
        uint64_t low = 0, high = table->count < ORC_COUNT_MAX ? table->count : ORC_COUNT_MAX; /* the first above pc */
        uint8_t bytes[ORC_ENTRY_MAX];
        while (low < high) {
                uint64_t middle = low + (high - low) / 2, address = 0;
                enum stasis_status status = address_at(space, table, middle, &address);
                if (status != STASIS_OK)
                        return status;
                if (address <= pc)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == 0)
                return STASIS_ABSENT;
        enum stasis_status status =
                stasis_space_read(space, table->entry + (low - 1) * format->size, bytes, format->size);
        if (status == STASIS_OK)
                orc_decode(format, bytes, ret_entry);
        return status;
}
