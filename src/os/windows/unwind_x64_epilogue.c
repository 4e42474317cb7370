/* SPDX-License-Identifier: MIT */
/*
 * Is an instruction in an epilogue, and what is left of that? Of version 1 the code itself tells: only these forms are
 * legal (Microsoft, "x64 prolog and epilog"): add rsp, constant or lea rsp, constant[frame register]; pops of 8 bytes;
 * a return, or a jump to elsewhere. Of version 2 the codes tell where epilogues are, and that they begin with the pops.
 * Encodings: Intel SDM, volume 2.
 */
#include <string.h>

#include "../../base/bytes.h"
#include "unwind_x64_internal.h"

#define CODE_LEN 64 /* an add, 16 pops, a jump, with room */
#define REX_W 0x48
#define JMP_SHORT 0xeb
#define JMP_NEAR 0xe9

struct code {
        uint8_t byte[CODE_LEN + 16]; /* zeros behind what is there, which are no part of an epilogue */
        size_t len;
};

/* As much as is readable, in at most two pages. */
static bool read_code(const struct x64_memory *memory, uint64_t va, struct code *ret_code)
{
        size_t first = 0x1000 - (va & 0xfff);
        *ret_code = (struct code){ 0 };
        if (first > CODE_LEN)
                first = CODE_LEN;
        if (!memory->read(memory->ctx, va, ret_code->byte, first))
                return false;
        ret_code->len = first;
        if (first < CODE_LEN && memory->read(memory->ctx, va + first, ret_code->byte + first, CODE_LEN - first))
                ret_code->len = CODE_LEN;
        else
                memset(ret_code->byte + first, 0, sizeof ret_code->byte - first);
        return true;
}

/* ---- forms */

/* add rsp, imm; lea rsp, disp[register]: how long it is, and what it gives. 0: neither. */
struct adjust {
        size_t len;
        int32_t by;
        uint8_t reg; /* what by is added to */
};

static struct adjust adjust_at(const uint8_t *b, const struct x64_info *info)
{
        if (b[0] == REX_W && (b[1] == 0x83 || b[1] == 0x81) && b[2] == 0xc4)
                return b[1] == 0x83 ? (struct adjust){ 4, (int8_t)b[3], X64_RSP }
                                    : (struct adjust){ 7, (int32_t)load_le32(b + 3), X64_RSP };
        if ((b[0] & 0xfe) != REX_W || b[1] != 0x8d || (b[2] & 0x38) != 0x20)
                return (struct adjust){ 0 };
        uint8_t reg = (uint8_t)((b[0] & 1) << 3 | (b[2] & 7)), mod = b[2] >> 6;
        size_t sib = (b[2] & 7) == 4; /* r12 cannot be named without */
        if (reg == 0 || reg == X64_RSP || reg != info->frame_register || (sib && b[3] != 0x24))
                return (struct adjust){ 0 };
        if (mod == 1)
                return (struct adjust){ 4 + sib, (int8_t)b[3 + sib], reg };
        if (mod == 2)
                return (struct adjust){ 7 + sib, (int32_t)load_le32(b + 3 + sib), reg };
        return (struct adjust){ 0 };
}

static size_t pop_at(const uint8_t *b, unsigned *ret_reg)
{
        bool rex = (b[0] & 0xf0) == 0x40;
        if ((b[rex] & 0xf8) != 0x58)
                return 0;
        *ret_reg = (unsigned)((rex && b[0] & 1 ? 8 : 0) | (b[rex] & 7));
        return 1 + (size_t)rex;
}

/* Is address, from the image's base, in the function that f is a part of? */
static bool in_same_function(const struct x64_memory *memory, const struct x64_function *f, uint64_t address,
                             uint32_t *ret_begin)
{
        struct x64_function other, own = *f;
        struct x64_info info;
        *ret_begin = f->begin;
        if (address >= f->begin && address < f->end)
                return true;
        if (memory->function(memory->ctx, f->base + address, &other) != X64_FUNCTION || other.base != f->base)
                return false;
        for (unsigned i = 0; i < 32 && x64_info_read(memory, &own, &info) && info.flags & UNWIND_FLAG_CHAININFO; i++)
                own = info.chained;
        for (unsigned i = 0; i < 32 && x64_info_read(memory, &other, &info) && info.flags & UNWIND_FLAG_CHAININFO; i++)
                other = info.chained;
        *ret_begin = own.begin;
        return own.begin == other.begin;
}

/*
 * A jump leaves the function where its target does not lie in it, or is its very start (a call of itself in the place
 * of a return).
 */
static bool jump_leaves(const struct x64_memory *memory, const struct x64_function *f, const struct x64_info *info,
                        uint64_t at, const uint8_t *b)
{
        int32_t by = b[0] == JMP_SHORT ? (int8_t)b[1] : (int32_t)load_le32(b + 1);
        uint64_t target = at + (b[0] == JMP_SHORT ? 2 : 5) + (uint64_t)(int64_t)by - f->base;
        uint32_t begin;
        if (!in_same_function(memory, f, target, &begin))
                return true;
        return target == begin && !(target == f->begin && info->flags & UNWIND_FLAG_CHAININFO);
}

/* An interrupt's routine ends with IRETQ. */
static bool is_iretq(const uint8_t *b) { return b[0] == REX_W && b[1] == 0xcf; }

static bool leaves(const struct x64_memory *memory, const struct x64_function *f, const struct x64_info *info,
                   uint64_t at, const uint8_t *b)
{
        if (b[0] == 0xf2) { /* bnd */
                b++;
                at++;
        }
        if (b[0] == 0xc3 || b[0] == 0xc2 || (b[0] == 0xf3 && b[1] == 0xc3))
                return true;
        if (b[0] == JMP_SHORT || b[0] == JMP_NEAR)
                return jump_leaves(memory, f, info, at, b);
        if (b[0] == 0xff && b[1] == 0x25) /* jmp [rip+disp]: through an import */
                return true;
        return (b[0] & 0xf8) == REX_W && b[1] == 0xff && (b[2] & 0x38) == 0x20; /* needless REX.W: marks a tail call */
}

/* By a return (a jump's target returns in its place), or by IRETQ, before which an error code is taken off. */
static enum x64_epilogue leave(const struct x64_memory *memory, struct x64_registers *r, bool iretq,
                               struct x64_step *step)
{
        bool good = iretq ? x64_machine_frame(memory, r, false, &step->machine) : x64_return(memory, r);
        return good ? X64_EPILOGUE_DONE : X64_EPILOGUE_BROKEN;
}

static enum x64_epilogue by_code(const struct x64_memory *memory, const struct x64_function *f,
                                 const struct x64_info *info, struct x64_registers *r, struct x64_step *step)
{
        struct code code;
        unsigned reg;
        if (!read_code(memory, r->rip, &code)) {
                step->code_missing = true;
                return X64_NOT_EPILOGUE;
        }
        struct adjust adjust = adjust_at(code.byte, info);
        size_t at = adjust.len, len;
        while (at < CODE_LEN && (len = pop_at(code.byte + at, &reg)) != 0)
                at += len;
        bool iretq = is_iretq(code.byte + at);
        if (!iretq && !leaves(memory, f, info, r->rip + at, code.byte + at))
                return X64_NOT_EPILOGUE;
        if (adjust.len && !(r->known >> adjust.reg & 1))
                return X64_EPILOGUE_BROKEN;
        if (adjust.len)
                x64_set(r, X64_RSP, r->gpr[adjust.reg] + (uint64_t)(int64_t)adjust.by, X64_NOWHERE);
        for (size_t i = adjust.len; i < at; i += len) {
                len = pop_at(code.byte + i, &reg);
                if (len == 0 || !x64_pop(memory, r, reg))
                        return X64_EPILOGUE_BROKEN;
        }
        return leave(memory, r, iretq, step);
}

/* ---- version 2 */

/*
 * The first code tells the size of every epilogue (its offset) and, in bit 0 of its information, that one of them ends
 * the function; the following ones where others begin, counted from the function's end; 0 fills up.
 */
static bool epilogue_position(const struct x64_function *f, const struct x64_info *info, uint64_t pc,
                              uint32_t *ret_position)
{
        uint32_t relative = (uint32_t)(pc - f->base), size = info->code[0];
        if (info->count == 0 || (info->code[1] & 15) != UWOP_EPILOG || size == 0)
                return false;
        if (info->code[1] >> 4 & 1 && relative - (f->end - size) < size) {
                *ret_position = relative - (f->end - size);
                return true;
        }
        for (size_t i = 1; i < info->count && (info->code[2 * i + 1] & 15) == UWOP_EPILOG; i++) {
                uint32_t offset = info->code[2 * i] | (uint32_t)(info->code[2 * i + 1] >> 4) << 8;
                if (offset && relative - (f->end - offset) < size) {
                        *ret_position = relative - (f->end - offset);
                        return true;
                }
        }
        return false;
}

/* The codes of the function, or of one that it is chained to, from its first push on. */
static bool find_pushes(const struct x64_memory *memory, const struct x64_function *f, struct x64_info *info,
                        size_t *ret_place)
{
        struct x64_function next = *f;
        struct x64_code c;
        for (unsigned i = 0; i < 32; i++) {
                for (*ret_place = 0; x64_code_at(info, *ret_place, &c); *ret_place += c.places)
                        if (c.operation == UWOP_PUSH_NONVOL || c.operation == UWOP_PUSH_MACHFRAME)
                                return true;
                if (!(info->flags & UNWIND_FLAG_CHAININFO))
                        return true; /* it has none */
                next = info->chained;
                if (!x64_info_read(memory, &next, info))
                        return false;
        }
        return false;
}

/* What was pushed and not popped yet: the pops mirror the codes, a byte each, two of r8 to r15. */
static enum x64_epilogue by_codes(const struct x64_memory *memory, const struct x64_function *f, struct x64_info info,
                                  struct x64_registers *r, uint32_t position, struct x64_step *step)
{
        struct x64_code c;
        size_t place;
        uint32_t done = 0;
        if (!find_pushes(memory, f, &info, &place))
                return X64_EPILOGUE_BROKEN;
        for (; x64_code_at(&info, place, &c) && c.operation == UWOP_PUSH_NONVOL; place += c.places) {
                if (done >= position && !x64_pop(memory, r, c.info))
                        return X64_EPILOGUE_BROKEN;
                done += c.info >= 8 ? 2 : 1;
        }
        if (x64_code_at(&info, place, &c) && c.operation == UWOP_ALLOC_SMALL && c.info == 0) { /* a pushfq */
                if (done >= position)
                        x64_set(r, X64_RSP, r->gpr[X64_RSP] + 8, X64_NOWHERE);
                place += c.places;
        }
        /* an iretq: an error code was taken off before the pops */
        bool machine = x64_code_at(&info, place, &c) && c.operation == UWOP_PUSH_MACHFRAME;
        bool good = machine ? x64_machine_frame(memory, r, false, &step->machine) : x64_return(memory, r);
        return good ? X64_EPILOGUE_DONE : X64_EPILOGUE_BROKEN;
}

enum x64_epilogue x64_epilogue(const struct x64_memory *memory, const struct x64_function *function,
                               const struct x64_info *info, struct x64_registers *r, struct x64_step *step)
{
        uint32_t position;
        if (info->version < 2)
                return by_code(memory, function, info, r, step);
        if (!epilogue_position(function, info, r->rip, &position))
                return X64_NOT_EPILOGUE;
        return by_codes(memory, function, *info, r, position, step);
}
