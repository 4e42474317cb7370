/* SPDX-License-Identifier: MIT */
/*
 * A stack and its unwind tables from bytes: followed by ORC in each of its formats, by frame pointers, by looking for
 * calls. Memory (flat.h): registers to start with at 0, code to 0x1000, ORC addresses at 0x1000 and entries at 0x2000,
 * two stacks at 0x4000 and 0x6000.
 */
#include "../os/linux/unwind_walk.h"
#include "flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct context {
        struct flat *flat;
        struct orc_format format;
        struct orc_table table;
};

static struct stasis_member bits_at(uint8_t bit, uint8_t bits)
{
        return (struct stasis_member){ .offset = 4, .size = 4, .bit = bit, .bits = bits };
}

/* Of 4.14, 6.3, 6.4 and 4.18. */
static struct orc_format format_of(unsigned number)
{
        struct orc_format f = { .sp_offset = { .offset = 0, .size = 2 },
                                .bp_offset = { .offset = 2, .size = 2 },
                                .sp_reg = bits_at(0, 4),
                                .bp_reg = bits_at(4, 4),
                                .type = bits_at(8, number == 2 ? 3 : 2),
                                .size = 6 };
        f.has_end = number == 1 || number == 3;
        f.has_signal = number == 1 || number == 2;
        f.signal = bits_at(number == 2 ? 11 : 10, 1);
        f.end = bits_at(number == 1 ? 11 : 10, 1);
        return f;
}

static bool orc_at(void *ctx, uint64_t pc, struct orc_entry *ret_entry)
{
        struct context *c = ctx;
        return orc_find(&c->flat->space, &c->format, &c->table, pc, ret_entry) == STASIS_OK;
}

static bool is_text(void *ctx, uint64_t pc)
{
        struct context *c = ctx;
        return pc >= c->flat->base && pc < c->flat->base + 0x1000;
}

static void check(const struct unwind *u)
{
        flat_promise(u->end != UNWIND_RUNNING && u->count <= u->max);
        flat_promise(u->end != UNWIND_BROKEN || u->why);
        for (size_t i = 0; i < u->count; i++)
                flat_promise(is_text(u->ctx, u->frame[i].pc));
}

static uint64_t start_word(const struct flat *flat, unsigned number)
{
        uint64_t value = 0;
        memcpy(&value, flat->mem + 8 * number, 8);
        return flat->base + (value & 0xffff);
}

static void follow(struct context *c, uint8_t word, bool orc)
{
        struct linux_frame frame[64];
        struct regs_shape shape;
        struct stasis_cpu cpu = { .gpr = { [10] = start_word(c->flat, 3), [13] = start_word(c->flat, 4) } };
        regs_bind(NULL, word, &shape);
        struct unwind u = { .space = &c->flat->space,
                            .regs = &shape,
                            .orc_at = orc_at,
                            .is_text = is_text,
                            .ctx = c,
                            .stack = { { .low = c->flat->base + 0x4000, .high = c->flat->base + 0x6000 },
                                       { .low = c->flat->base + 0x6000, .high = c->flat->base + 0x7000 } },
                            .stack_count = 2,
                            .task_regs = c->flat->base + 0x6000 - 16 - shape.size,
                            .frame = frame,
                            .max = 64,
                            .cpu = &cpu,
                            .bp = start_word(c->flat, 2) };
        if (orc) {
                unwind_begin(&u, start_word(c->flat, 0), start_word(c->flat, 1), u.bp, true);
                unwind_orc(&u);
                unwind_bridge(&u);
        } else {
                unwind_fp(&u);
        }
        unwind_scan(&u);
        check(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct context c = { .flat = flat_open(data, size) };
        if (!c.flat)
                return 0;
        uint8_t word = data[0] & 1 ? 8 : 4;
        c.table = (struct orc_table){ .ip = c.flat->base + 0x1000, .entry = c.flat->base + 0x2000, .count = data[0] };
        for (unsigned i = 0; i < 4 && word == 8; i++) {
                c.format = format_of(i);
                follow(&c, word, true);
        }
        if (word == 8 && orc_infer(&c.flat->space, &c.table, &c.format)) {
                flat_promise(c.format.size == 6 && (c.format.type.bits == 2 || c.format.type.bits == 3));
                follow(&c, word, true);
        }
        follow(&c, word, false);
        flat_close(c.flat);
        return 0;
}
