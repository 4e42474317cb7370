/* SPDX-License-Identifier: MIT */
/*
 * The prologue undone. Rules: Microsoft, "x64 exception handling", section "Unwind procedure"; what it leaves open
 * (which frame a save counts from, chained entries) as Microsoft's published unwinder does it, see unwind_wire.h.
 */
#include "unwind_x64.h"

#include <string.h>

#include "../../base/bytes.h"
#include "unwind_x64_internal.h"

/* Microsoft's own bound for entries that lead from one to the next. */
#define CHAIN_MAX 32
/* What a function gives back as it was: rbx rbp rsi rdi r12-r15, and rsp; xmm6-xmm15. */
#define NONVOLATILE 0xf0f8u
#define XMM_NONVOLATILE 0xffc0u
/* RIP, CS, EFLAGS, RSP, SS. */
#define MACHINE_WORDS 5

void x64_start(struct x64_registers *r, uint64_t rip, uint64_t rsp, bool exact)
{
        *r = (struct x64_registers){ .rip = rip, .rip_at = X64_NOWHERE, .exact = exact, .known = 1u << X64_RSP };
        r->gpr[X64_RSP] = rsp;
        for (unsigned i = 0; i < 16; i++)
                r->at[i] = r->xmm_at[i] = X64_NOWHERE;
}

void x64_set(struct x64_registers *r, unsigned reg, uint64_t value, uint64_t at)
{
        r->gpr[reg] = value;
        r->at[reg] = at;
        r->known |= 1u << reg;
}

/* ---- what the image says */

/* An entry may say that another one serves in its place. */
static bool resolve(const struct x64_memory *memory, struct x64_function *f)
{
        struct unwind_wire_function wire;
        for (unsigned i = 0; f->unwind & UNWIND_FUNCTION_INDIRECT; i++) {
                if (i == CHAIN_MAX ||
                    !memory->read(memory->ctx, f->base + (f->unwind & ~UNWIND_FUNCTION_INDIRECT), &wire, sizeof wire))
                        return false;
                f->begin = load_le32(wire.BeginAddress);
                f->end = load_le32(wire.EndAddress);
                f->unwind = load_le32(wire.UnwindData);
        }
        return true;
}

bool x64_info_read(const struct x64_memory *memory, struct x64_function *function, struct x64_info *ret_info)
{
        struct unwind_wire_info wire;
        struct unwind_wire_function chained;
        if (!resolve(memory, function))
                return false;
        uint64_t at = function->base + function->unwind;
        if (!memory->read(memory->ctx, at, &wire, sizeof wire))
                return false;
        struct x64_info info = { .version = wire.VersionFlags & 7,
                                 .flags = wire.VersionFlags >> 3,
                                 .prolog = wire.SizeOfProlog,
                                 .count = wire.CountOfCodes,
                                 .frame_register = wire.Frame & 15,
                                 .frame_offset = (uint16_t)((wire.Frame >> 4) * 16) };
        size_t len = 2 * ((info.count + 1u) & ~1u);
        if (len && !memory->read(memory->ctx, at + sizeof wire, info.code, len))
                return false;
        if (info.flags & UNWIND_FLAG_CHAININFO) {
                if (!memory->read(memory->ctx, at + sizeof wire + len, &chained, sizeof chained))
                        return false;
                info.chained = (struct x64_function){ .base = function->base,
                                                      .begin = load_le32(chained.BeginAddress),
                                                      .end = load_le32(chained.EndAddress),
                                                      .unwind = load_le32(chained.UnwindData) };
        }
        *ret_info = info;
        return true;
}

/* How many places an operation takes; ALLOC_LARGE one more with information 1. */
static const uint8_t places[UWOP_COUNT] = {
        [UWOP_PUSH_NONVOL] = 1, [UWOP_ALLOC_LARGE] = 2,     [UWOP_ALLOC_SMALL] = 1,    [UWOP_SET_FPREG] = 1,
        [UWOP_SAVE_NONVOL] = 2, [UWOP_SAVE_NONVOL_FAR] = 3, [UWOP_EPILOG] = 2,         [UWOP_SPARE] = 3,
        [UWOP_SAVE_XMM128] = 2, [UWOP_SAVE_XMM128_FAR] = 3, [UWOP_PUSH_MACHFRAME] = 1,
};

static uint64_t operand_of(const struct x64_code *c, const uint8_t *behind)
{
        uint64_t scale = c->operation == UWOP_SAVE_XMM128 ? 16 : 8;
        if (c->places == 3)
                return load_le32(behind);
        if (c->places == 2)
                return load_le16(behind) * scale;
        return c->operation == UWOP_ALLOC_SMALL ? c->info * 8u + 8u : 0;
}

bool x64_code_at(const struct x64_info *info, size_t place, struct x64_code *ret_code)
{
        if (place >= info->count)
                return false;
        const uint8_t *at = info->code + 2 * place;
        struct x64_code c = { .offset = at[0], .operation = at[1] & 15, .info = at[1] >> 4 };
        if (c.operation >= UWOP_COUNT)
                return false;
        c.places = places[c.operation];
        if (c.operation == UWOP_ALLOC_LARGE && c.info)
                c.places = 3;
        /* the last of an odd number of epilogue codes has the place behind the array as its second */
        if (place + c.places > ((info->count + 1u) & ~1u))
                return false;
        c.operand = operand_of(&c, at + 2);
        *ret_code = c;
        return true;
}

/* ---- stack */

bool x64_word(const struct x64_memory *memory, uint64_t at, uint64_t *ret_value)
{
        uint8_t word[8];
        if (!memory->read(memory->ctx, at, word, sizeof word))
                return false;
        *ret_value = load_le64(word);
        return true;
}

static bool restore(const struct x64_memory *memory, struct x64_registers *r, unsigned reg, uint64_t at)
{
        uint64_t value;
        if (!x64_word(memory, at, &value))
                return false;
        x64_set(r, reg, value, at);
        return true;
}

bool x64_pop(const struct x64_memory *memory, struct x64_registers *r, unsigned reg)
{
        uint64_t sp = r->gpr[X64_RSP];
        if (!restore(memory, r, reg, sp))
                return false;
        if (reg != X64_RSP)
                r->gpr[X64_RSP] = sp + 8;
        return true;
}

bool x64_return(const struct x64_memory *memory, struct x64_registers *r)
{
        uint64_t sp = r->gpr[X64_RSP];
        if (!x64_word(memory, sp, &r->rip))
                return false;
        r->rip_at = sp;
        r->exact = false;
        x64_set(r, X64_RSP, sp + 8, X64_NOWHERE);
        return true;
}

static bool restore_xmm(const struct x64_memory *memory, struct x64_registers *r, unsigned reg, uint64_t at)
{
        if (!memory->read(memory->ctx, at, r->xmm[reg], sizeof r->xmm[reg]))
                return false;
        r->xmm_known |= 1u << reg;
        r->xmm_at[reg] = at;
        return true;
}

bool x64_machine_frame(const struct x64_memory *memory, struct x64_registers *r, bool error_code, uint64_t *ret_at)
{
        uint8_t frame[8 * MACHINE_WORDS];
        uint64_t at = r->gpr[X64_RSP] + (error_code ? 8 : 0);
        if (!memory->read(memory->ctx, at, frame, sizeof frame))
                return false;
        r->rip = load_le64(frame);
        r->rip_at = at;
        r->exact = true;
        r->cs = load_le16(frame + 8);
        r->rflags = load_le64(frame + 16);
        r->ss = load_le16(frame + 32);
        x64_set(r, X64_RSP, load_le64(frame + 24), at + 24);
        *ret_at = at;
        return true;
}

/* ---- codes */

/* Where the walk through one function and those that it is chained to stands. */
struct walk {
        const struct x64_memory *memory;
        struct x64_registers *r;
        uint64_t frame;
        uint64_t machine; /* X64_NOWHERE: none was met */
        bool by_register; /* the stack pointer came out of a frame register */
        const char *why;
};

static const char unknown[] = "its unwind codes hold an unknown operation";
static const char missing[] = "the stack is not in the image there";

static bool fail(struct walk *w, const char *why)
{
        w->why = why;
        return false;
}

static bool undo(struct walk *w, const struct x64_info *info, const struct x64_code *c)
{
        struct x64_registers *r = w->r;
        bool good = true;
        switch (c->operation) {
        case UWOP_PUSH_NONVOL: good = x64_pop(w->memory, r, c->info); break;
        case UWOP_ALLOC_LARGE:
        case UWOP_ALLOC_SMALL: x64_set(r, X64_RSP, r->gpr[X64_RSP] + c->operand, X64_NOWHERE); break;
        case UWOP_SET_FPREG:
                if (!(r->known >> info->frame_register & 1))
                        return fail(w, "its frame register is not known");
                x64_set(r, X64_RSP, r->gpr[info->frame_register] - info->frame_offset, X64_NOWHERE);
                w->by_register = true;
                break;
        case UWOP_SAVE_NONVOL:
        case UWOP_SAVE_NONVOL_FAR: good = restore(w->memory, r, c->info, w->frame + c->operand); break;
        case UWOP_SAVE_XMM128:
        case UWOP_SAVE_XMM128_FAR: good = restore_xmm(w->memory, r, c->info, w->frame + c->operand); break;
        case UWOP_PUSH_MACHFRAME: good = x64_machine_frame(w->memory, r, c->info, &w->machine); break;
        case UWOP_EPILOG: /* says nothing of the prologue */
                if (info->version >= 2)
                        break;
                return fail(w, unknown);
        default: return fail(w, unknown);
        }
        return good || fail(w, missing);
}

static bool undo_all(struct walk *w, const struct x64_info *info, uint32_t position)
{
        struct x64_code c;
        for (size_t place = 0; place < info->count; place += c.places) {
                if (!x64_code_at(info, place, &c))
                        return fail(w, unknown);
                if (position >= c.offset && !undo(w, info, &c))
                        return false;
                if (w->machine != X64_NOWHERE)
                        return true;
        }
        return true;
}

static bool info_of(struct walk *w, struct x64_function *f, struct x64_info *ret_info)
{
        if (!x64_info_read(w->memory, f, ret_info))
                return fail(w, "its unwind information is not in the image");
        if (ret_info->version != 1 && ret_info->version != 2)
                return fail(w, "its unwind information is of no known version");
        return true;
}

/*
 * The frame that saves count from: rsp, or, where the function has a frame register and has set it up already, that
 * register less the offset.
 */
static bool find_frame(struct walk *w, const struct x64_info *info, uint32_t position)
{
        struct x64_code c;
        w->frame = w->r->gpr[X64_RSP];
        if (!info->frame_register)
                return true;
        if (position < info->prolog && !(info->flags & UNWIND_FLAG_CHAININFO))
                for (size_t place = 0; x64_code_at(info, place, &c); place += c.places)
                        if (c.operation == UWOP_SET_FPREG && position < c.offset)
                                return true;
        if (!(w->r->known >> info->frame_register & 1))
                return fail(w, "its frame register is not known");
        w->frame = w->r->gpr[info->frame_register] - info->frame_offset;
        return true;
}

/* The codes of the function, then those of what it is chained to, all of which are behind their prologues. */
static bool undo_chain(struct walk *w, struct x64_function f, struct x64_info *info)
{
        uint64_t pc = w->r->rip;
        for (unsigned i = 0;; i++) {
                uint32_t position = (uint32_t)(pc - f.base - f.begin);
                if (!undo_all(w, info, position))
                        return false;
                if (w->machine != X64_NOWHERE || !(info->flags & UNWIND_FLAG_CHAININFO))
                        return true;
                if (i == CHAIN_MAX)
                        return fail(w, "its unwind information is chained without end");
                f = info->chained;
                if (!info_of(w, &f, info))
                        return false;
        }
}

static bool returned(struct walk *w)
{
        return w->machine != X64_NOWHERE || x64_return(w->memory, w->r) || fail(w, missing);
}

static enum x64_way by_function(struct walk *w, struct x64_function f, struct x64_step *step)
{
        struct x64_info info;
        if (!info_of(w, &f, &info))
                return X64_BROKEN;
        uint32_t position = (uint32_t)(w->r->rip - f.base - f.begin);
        /* behind a call all of the frame stands; only what was interrupted may be in an epilogue */
        if (w->r->exact && position >= info.prolog) {
                switch (x64_epilogue(w->memory, &f, &info, w->r, step)) {
                case X64_EPILOGUE_DONE: return step->machine == X64_NOWHERE ? X64_EPILOGUE : X64_MACHINE_FRAME;
                case X64_EPILOGUE_BROKEN: w->why = missing; return X64_BROKEN;
                case X64_NOT_EPILOGUE: break;
                }
        }
        if (!find_frame(w, &info, position))
                return X64_BROKEN;
        step->frame = w->frame;
        if (!undo_chain(w, f, &info) || !returned(w))
                return X64_BROKEN;
        return w->machine == X64_NOWHERE ? X64_UNWOUND : X64_MACHINE_FRAME;
}

/* ---- a step */

static void forget_volatile(struct x64_registers *r)
{
        for (unsigned i = 0; i < 16; i++) {
                if (!(NONVOLATILE >> i & 1) && i != X64_RSP) {
                        r->gpr[i] = 0;
                        r->at[i] = X64_NOWHERE;
                }
                if (!(XMM_NONVOLATILE >> i & 1)) {
                        memset(r->xmm[i], 0, sizeof r->xmm[i]);
                        r->xmm_at[i] = X64_NOWHERE;
                }
        }
        r->known &= NONVOLATILE | 1u << X64_RSP;
        r->xmm_known &= XMM_NONVOLATILE;
}

static enum x64_way unwind(struct walk *w, struct x64_step *step)
{
        struct x64_function f;
        /* behind a call that does not return the next function may begin */
        uint64_t asked = w->r->exact || w->r->rip == 0 ? w->r->rip : w->r->rip - 1;
        switch (w->memory->function(w->memory->ctx, asked, &f)) {
        case X64_FUNCTION: return by_function(w, f, step);
        case X64_NO_FUNCTION: return returned(w) ? X64_LEAF : X64_BROKEN;
        case X64_NO_TABLE: break;
        }
        w->why = "no unwind information is known for the code";
        return X64_BROKEN;
}

struct x64_step x64_unwind(const struct x64_memory *memory, struct x64_registers *r)
{
        struct x64_registers next = *r;
        struct walk w = { .memory = memory, .r = &next, .machine = X64_NOWHERE };
        struct x64_step step = { .machine = X64_NOWHERE };
        step.way = unwind(&w, &step);
        if (w.machine != X64_NOWHERE)
                step.machine = w.machine;
        step.why = w.why;
        if (step.way != X64_BROKEN && step.way != X64_MACHINE_FRAME && !w.by_register &&
            next.gpr[X64_RSP] <= r->gpr[X64_RSP]) {
                step.way = X64_BROKEN;
                step.why = "the stack pointer does not rise";
        }
        if (step.way == X64_BROKEN)
                return step;
        forget_volatile(&next);
        *r = next;
        return step;
}
