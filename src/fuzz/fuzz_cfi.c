/* SPDX-License-Identifier: MIT */
/*
 * A user stack and its unwind tables from bytes. Memory (flat.h): registers to start with at 0, .eh_frame at 0x1000
 * with addresses of its own, .eh_frame_hdr at 0x3000, a stack at 0x4000, code everywhere.
 */
#include "../os/linux/unwind_user.h"
#include "flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct context {
        struct flat *flat;
        const struct cfi_machine *machine;
        struct cfi_index index;
        bool header;
};

static enum stasis_status entry_at(void *ctx, uint64_t pc, struct cfi_entry *ret_entry)
{
        struct context *c = ctx;
        uint64_t va = cfi_index_find(&c->index, pc);
        enum stasis_status status = STASIS_OK;
        if (c->header)
                status = cfi_find(&c->flat->space, c->flat->base + 0x3000, 0x1000, pc, &va);
        if (status != STASIS_OK)
                return status;
        return va ? cfi_entry_read(&c->flat->space, c->machine, va, ret_entry) : STASIS_UNSUPPORTED;
}

static bool is_code(void *ctx, uint64_t pc)
{
        struct context *c = ctx;
        return pc >= c->flat->base && pc < c->flat->base + 0x8000;
}

static void follow(struct context *c, uint8_t word)
{
        struct linux_frame frame[64];
        struct stasis_registers r = { .width = word, .known = (word == 8 ? 0xffffu : 0xffu) | 7u << 16 };
        for (unsigned i = 0; i < 17; i++) {
                uint16_t value;
                memcpy(&value, c->flat->mem + 2 * i, 2);
                *(i < 16 ? &r.cpu.gpr[i] : &r.cpu.rip) = c->flat->base + value;
        }
        for (unsigned i = 0; i < STASIS_REGISTERS; i++)
                r.va[i] = STASIS_NOWHERE;
        struct user_walk w = {
                .space = &c->flat->space, .entry_at = entry_at, .is_code = is_code, .ctx = c, .frame = frame, .max = 64
        };
        unwind_user(&w, &r);
        flat_promise(w.count >= 1 && w.count <= w.max && w.end);
        for (size_t i = 1; i < w.count; i++)
                flat_promise(is_code(c, frame[i].pc));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct context c = { .flat = flat_open(data, size) };
        bool whole;
        if (!c.flat)
                return 0;
        uint8_t word = data[0] & 1 ? 8 : 4;
        c.machine = word == 8 ? &cfi_x64 : &cfi_x86;
        if (cfi_index_make(&c.flat->space, c.machine, c.flat->base + 0x1000, 0x2000, 0, &c.index, &whole) ==
            STASIS_OK) {
                follow(&c, word);
                c.header = true;
                follow(&c, word);
                cfi_index_free(&c.index);
        }
        flat_close(c.flat);
        return 0;
}
