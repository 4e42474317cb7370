/* SPDX-License-Identifier: MIT */
#include "unwind_x86_internal.h"

#include <string.h>

#include "../../base/bytes.h"

#define CODE_LEN 96
#define INSTRUCTIONS_MAX 32

bool x86_word(const struct x86_memory *m, uint32_t at, uint32_t *ret_value)
{
        uint8_t bytes[4];
        if (at > UINT32_MAX - 3 || !m->on_stack(m->ctx, at, 4) || !m->read(m->ctx, at, bytes, 4))
                return false;
        *ret_value = load_le32(bytes);
        return true;
}

/* ---- code that returns at once: an epilogue, or what a stub has behind its call. Encodings: Intel SDM volume 2 */

struct code {
        uint8_t byte[CODE_LEN + 16]; /* zeros behind what is there: no instruction of these */
        size_t at;
};

static bool read_code(const struct x86_memory *m, uint32_t va, struct code *ret_code)
{
        size_t first = 0x1000 - (va & 0xfff);
        *ret_code = (struct code){ 0 };
        if (first > CODE_LEN)
                first = CODE_LEN;
        if (va > UINT32_MAX - CODE_LEN || !m->read(m->ctx, va, ret_code->byte, first))
                return false;
        if (first < CODE_LEN && !m->read(m->ctx, va + (uint32_t)first, ret_code->byte + first, CODE_LEN - first))
                memset(ret_code->byte + first, 0, sizeof ret_code->byte - first);
        return true;
}

enum done { DONE_NO, DONE_STEP, DONE_RETURN };

/* The stack pointer is what this says, where its source is known. */
static enum done set_esp(struct x86_registers *r, bool known, uint32_t value)
{
        if (!known)
                return DONE_NO;
        r->gpr[X86_ESP] = value;
        r->esp_sure = true;
        return DONE_STEP;
}

static enum done load(const struct x86_memory *m, struct x86_registers *r, unsigned reg, uint32_t at)
{
        uint32_t value;
        if (reg == X86_ESP || !x86_word(m, at, &value))
                return DONE_NO;
        r->gpr[reg] = value;
        r->known |= X86_BIT(reg);
        return DONE_STEP;
}

static enum done pop(const struct x86_memory *m, struct x86_registers *r, unsigned reg)
{
        if (!r->esp_sure || load(m, r, reg, r->gpr[X86_ESP]) == DONE_NO)
                return DONE_NO;
        r->gpr[X86_ESP] += 4;
        return DONE_STEP;
}

static enum done leave(const struct x86_memory *m, struct x86_registers *r)
{
        return set_esp(r, r->known & X86_BIT(X86_EBP), r->gpr[X86_EBP]) == DONE_NO ? DONE_NO : pop(m, r, X86_EBP);
}

static enum done ret(const struct x86_memory *m, struct x86_registers *r, uint32_t more)
{
        uint32_t eip, esp = r->gpr[X86_ESP];
        if (!r->esp_sure || !x86_word(m, esp, &eip))
                return DONE_NO;
        r->eip = eip;
        r->eip_at = esp;
        r->exact = false;
        r->gpr[X86_ESP] = esp + 4 + more;
        return DONE_RETURN;
}

/* A displacement of one byte, with its sign. */
static uint32_t byte_at(const uint8_t *b) { return b[0] | (b[0] & 0x80 ? 0xffffff00u : 0); }

/* mov reg, [esp+d8], [esp], [ebp+d8] */
static enum done move_from_stack(const struct x86_memory *m, struct x86_registers *r, const uint8_t *b, size_t *len)
{
        unsigned reg = b[1] >> 3 & 7;
        bool esp = (b[1] & 7) == 4 && b[2] == 0x24;
        if (esp && r->esp_sure && b[1] >> 6 < 2) {
                *len = b[1] >> 6 ? 4 : 3;
                return load(m, r, reg, r->gpr[X86_ESP] + (b[1] >> 6 ? byte_at(b + 3) : 0));
        }
        if ((b[1] & 0xc7) == 0x45 && r->known & X86_BIT(X86_EBP)) {
                *len = 3;
                return load(m, r, reg, r->gpr[X86_EBP] + byte_at(b + 2));
        }
        return DONE_NO;
}

/* A result on its way into a volatile register: mov eax, reg; xor eax, eax; mov eax, imm; mov al, imm; nop; fs:[0]. */
static size_t harmless(const uint8_t *b)
{
        bool is_volatile = (b[1] >> 3 & 7) <= X86_EDX;
        if ((b[0] == 0x8b || b[0] == 0x33) && b[1] >= 0xc0 && is_volatile)
                return 2;
        if (b[0] >= 0xb8 && b[0] <= 0xba)
                return 5;
        if (b[0] == 0xb0)
                return 2;
        if (memcmp(b, (const uint8_t[]){ 0x64, 0x89, 0x0d, 0, 0, 0, 0 }, 7) == 0) /* mov fs:[0], ecx */
                return 7;
        return b[0] == 0x90 ? 1 : 0;
}

/*
 * A function that ends by calling another one jumps to it once its own frame is gone: what frame data says begins where
 * the jump goes to is one.
 */
static enum done tail_call(const struct x86_memory *m, struct x86_registers *r, uint32_t target)
{
        struct x86_fpo own, other;
        if (!m->fpo || !m->fpo(m->ctx, target, &other) || other.begin != target ||
            (m->fpo(m->ctx, r->eip, &own) && own.begin == target))
                return DONE_NO;
        return ret(m, r, 0);
}

static enum done emulate(const struct x86_memory *m, struct x86_registers *r, uint32_t at, const uint8_t *b,
                         size_t *len)
{
        *len = 1;
        if ((b[0] & 0xf8) == 0x58)
                return pop(m, r, b[0] & 7);
        switch (b[0]) {
        case 0xc9: return leave(m, r);
        case 0xc3: return ret(m, r, 0);
        case 0xc2: return ret(m, r, load_le16(b + 1));
        case 0xe9: return tail_call(m, r, at + 5 + load_le32(b + 1));
        case 0xeb: return tail_call(m, r, at + 2 + byte_at(b + 1));
        case 0x83: *len = 3; return b[1] == 0xc4 ? set_esp(r, r->esp_sure, r->gpr[X86_ESP] + byte_at(b + 2)) : DONE_NO;
        case 0x81:
                *len = 6;
                return b[1] == 0xc4 ? set_esp(r, r->esp_sure, r->gpr[X86_ESP] + load_le32(b + 2)) : DONE_NO;
        case 0x8d:
                *len = 3;
                return b[1] == 0x65 ? set_esp(r, r->known & X86_BIT(X86_EBP), r->gpr[X86_EBP] + byte_at(b + 2))
                                    : DONE_NO;
        case 0x8b:
                *len = 2;
                if (b[1] == 0xe5) /* mov esp, ebp */
                        return set_esp(r, r->known & X86_BIT(X86_EBP), r->gpr[X86_EBP]);
                if (move_from_stack(m, r, b, len) == DONE_STEP)
                        return DONE_STEP;
                break;
        default: break;
        }
        *len = harmless(b);
        return *len ? DONE_STEP : DONE_NO;
}

static bool by_code(const struct x86_memory *m, struct x86_registers *r)
{
        struct x86_registers next = *r;
        struct code code;
        if (!read_code(m, r->eip, &code))
                return false;
        for (unsigned i = 0; i < INSTRUCTIONS_MAX && code.at < CODE_LEN; i++) {
                size_t len;
                switch (emulate(m, &next, r->eip + (uint32_t)code.at, code.byte + code.at, &len)) {
                case DONE_NO: return false;
                case DONE_RETURN: *r = next; return true;
                case DONE_STEP: code.at += len; break;
                }
        }
        return false;
}

/* Interrupted before the frame pointer was set up: [mov edi, edi;] push ebp; mov ebp, esp. */
static bool in_prologue(const struct x86_memory *m, struct x86_registers *r)
{
        static const uint8_t setup[] = { 0x8b, 0xff, 0x55, 0x8b, 0xec };
        uint8_t b[sizeof setup], pushed[3];
        struct x86_registers next = *r;
        if (!r->exact || !r->esp_sure || !m->read(m->ctx, r->eip, b, sizeof b))
                return false;
        bool starts = memcmp(b, setup, 5) == 0 || memcmp(b, setup + 2, 3) == 0;
        if (!starts && (r->eip == 0 || !m->read(m->ctx, r->eip - 1, pushed, sizeof pushed) ||
                        memcmp(pushed, setup + 2, 3) != 0 || pop(m, &next, X86_EBP) == DONE_NO))
                return false;
        if (ret(m, &next, 0) == DONE_NO)
                return false;
        *r = next;
        return true;
}

/* ---- frame pointers */

static bool rises(const struct x86_memory *m, uint32_t esp, uint32_t next)
{
        return next >= esp || (m->leaves && m->leaves(m->ctx, esp, next));
}

static const char *by_frame(const struct x86_memory *m, struct x86_registers *r)
{
        uint32_t ebp = r->gpr[X86_EBP], next, eip;
        if (!(r->known & X86_BIT(X86_EBP)))
                return "the frame pointer is not known";
        if (ebp % 4 || !rises(m, r->gpr[X86_ESP], ebp) || !x86_word(m, ebp, &next) || ebp > UINT32_MAX - 8 ||
            !x86_word(m, ebp + 4, &eip))
                return "the frame pointer does not point into the stack above it";
        if (eip && m->code(m->ctx, eip) != X86_RETURN && m->code(m->ctx, eip) != X86_MAYBE_RETURN)
                return "a return address is not behind a call";
        r->gpr[X86_EBP] = next;
        r->gpr[X86_ESP] = ebp + 8;
        r->esp_sure = false;
        r->eip = eip;
        r->eip_at = ebp + 4;
        r->exact = false;
        r->known = X86_BIT(X86_EBP) | X86_BIT(X86_ESP);
        return NULL;
}

/*
 * The frame pointer of the kernel's entry code is the trap frame. It may be of the stack that the thread had before it
 * got a larger one, and an entry may have jumped to the function that works for it: user mode's frame is then right
 * behind the return into the entry code, or in the place of that.
 */
static bool by_trap(const struct x86_memory *m, struct x86_registers *r, bool *ret_user)
{
        bool has_ebp = r->known & X86_BIT(X86_EBP);
        if (!m->trap)
                return false;
        if (has_ebp && m->trap(m->ctx, r->gpr[X86_EBP], r, ret_user))
                return true;
        if (!m->user_trap || (r->gpr[X86_ESP] != m->user_trap && !(has_ebp && r->gpr[X86_EBP] + 4 == m->user_trap)))
                return false;
        return m->trap(m->ctx, m->user_trap, r, ret_user);
}

/* What a thread starts with looks like no return address, and is none. */
static bool is_outermost(const struct x86_memory *m, uint32_t ebp)
{
        return m->outermost && ebp <= UINT32_MAX - 4 && m->outermost(m->ctx, ebp + 4);
}

static struct x86_step unwind(const struct x86_memory *m, struct x86_registers *r)
{
        bool user = false;
        if (by_code(m, r) || in_prologue(m, r))
                return (struct x86_step){ X86_BY_CODE, NULL };
        if (x86_by_fpo(m, r))
                return (struct x86_step){ X86_BY_FPO, NULL };
        if (by_trap(m, r, &user))
                return (struct x86_step){ user ? X86_AT_USER : X86_BY_TRAP, NULL };
        if (r->known & X86_BIT(X86_EBP) && (r->gpr[X86_EBP] == 0 || is_outermost(m, r->gpr[X86_EBP])))
                return (struct x86_step){ X86_BOTTOM, NULL };
        const char *why = by_frame(m, r);
        return (struct x86_step){ why ? X86_BROKEN : X86_BY_FRAME, why };
}

struct x86_step x86_unwind(const struct x86_memory *memory, struct x86_registers *r)
{
        struct x86_registers next = *r;
        struct x86_step step = unwind(memory, &next);
        if (step.way == X86_BROKEN || step.way == X86_BOTTOM)
                return step;
        if (step.way != X86_AT_USER && step.way != X86_BY_TRAP &&
            (next.gpr[X86_ESP] == r->gpr[X86_ESP] || !rises(memory, r->gpr[X86_ESP], next.gpr[X86_ESP])))
                return (struct x86_step){ X86_BROKEN, "the stack pointer does not rise" };
        if (step.way != X86_AT_USER && next.eip == 0)
                return (struct x86_step){ X86_BOTTOM, NULL };
        if (step.way != X86_AT_USER && memory->code(memory->ctx, next.eip) == X86_NO_CODE)
                return (struct x86_step){ X86_BROKEN, "a return address lies in no module's code" };
        *r = next;
        return step;
}
