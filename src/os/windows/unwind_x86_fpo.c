/* SPDX-License-Identifier: MIT */
/*
 * Frame data of a PDB. FPO_DATA tells how many bytes lie between the stack pointer and the return address; FRAMEDATA
 * has a program that computes the caller's registers, in postfix: operands, + - * / %, @ (aligned down), ^ (the word
 * there) and = (Microsoft, "IDiaFrameData::get_program" of the DIA SDK; llvm/lib/Target/X86/MCTargetDesc/
 * X86WinCOFFTargetStreamer.cpp writes them). .raSearch in one is the debugger's: where, from the stack pointer on, the
 * return address is found.
 */
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "unwind_x86_internal.h"

#define TOKENS_MAX 256
#define TOKEN_LEN_MAX 24
#define OPERANDS_MAX 16
#define TEMPORARIES 16 /* $T0 to $T13, $L, $P */
/*
 * What a call has pushed so far lies below the function's own frame. Parameters of the callee are not counted: a callee
 * may have taken them off, and compilers that make room for them once count them as locals.
 */
#define SEARCH_WORDS 64

/* ---- where the return address is */

/* The first word from at on, of at most so many, that lies behind a call; none beyond the frame that user mode left. */
static bool find_return(const struct x86_memory *m, uint32_t at, uint32_t words, uint32_t *ret_at)
{
        uint32_t value;
        for (uint32_t i = 0; i < words && x86_word(m, at + 4 * i, &value); i++) {
                if (m->user_trap && at < m->user_trap && at + 4 * i >= m->user_trap)
                        return false;
                enum x86_code kind = m->code(m->ctx, value);
                if (kind != X86_RETURN && kind != X86_MAYBE_RETURN)
                        continue;
                *ret_at = at + 4 * i;
                return true;
        }
        return false;
}

/* ---- a program of FRAMEDATA */

enum { SLOT_EIP = X86_REGISTERS, SLOT_TEMPORARY, SLOTS = SLOT_TEMPORARY + TEMPORARIES, SLOT_NONE };

struct value {
        uint32_t number;
        uint64_t at;  /* where it was read; X86_NOWHERE */
        uint8_t slot; /* what it names; SLOT_NONE: nothing that can be written */
        bool known;
};

struct program {
        const struct x86_memory *m;
        const struct x86_fpo *fpo;
        struct value slot[SLOTS];
        struct value operand[OPERANDS_MAX];
        unsigned count;
        uint32_t search; /* .raSearch */
        bool found;      /* it is known */
        bool written[SLOTS];
};

static struct value number(uint32_t value, bool known)
{
        return (struct value){ .number = value, .at = X86_NOWHERE, .slot = SLOT_NONE, .known = known };
}

static bool push(struct program *p, struct value value)
{
        if (p->count == OPERANDS_MAX)
                return false;
        p->operand[p->count++] = value;
        return true;
}

static uint8_t slot_of(const char *token)
{
        static const char *const names[] = { "$eax", "$ecx", "$edx", "$ebx", "$esp", "$ebp", "$esi", "$edi", "$eip" };
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
                if (strcmp(token, names[i]) == 0)
                        return (uint8_t)i;
        if (strcmp(token, "$L") == 0)
                return SLOTS - 2;
        if (strcmp(token, "$P") == 0)
                return SLOTS - 1;
        unsigned long i = token[1] == 'T' && token[2] >= '0' && token[2] <= '9' ? strtoul(token + 2, NULL, 10) : SLOTS;
        return i < TEMPORARIES - 2 ? (uint8_t)(SLOT_TEMPORARY + i) : SLOT_NONE;
}

static bool push_slot(struct program *p, const char *token)
{
        uint8_t slot = slot_of(token);
        if (slot == SLOT_NONE)
                return false;
        struct value value = p->slot[slot];
        value.slot = slot;
        return push(p, value);
}

static bool push_constant(struct program *p, const char *token)
{
        const struct {
                const char *name;
                uint32_t value;
                bool known;
        } constants[] = { { ".raSearch", p->search, p->found },
                          { ".raSearchStart", p->search, p->found },
                          { ".cbLocals", p->fpo->locals, true },
                          { ".cbParams", p->fpo->params, true },
                          { ".cbSavedRegs", p->fpo->saved, true } };
        char *end;
        for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
                if (strcmp(token, constants[i].name) == 0)
                        return push(p, number(constants[i].value, constants[i].known));
        long long value = strtoll(token, &end, 10);
        return end != token && !*end && push(p, number((uint32_t)value, true));
}

static bool assign(struct program *p)
{
        if (p->count < 2 || p->operand[p->count - 2].slot == SLOT_NONE)
                return false;
        uint8_t slot = p->operand[p->count - 2].slot;
        p->slot[slot] = p->operand[p->count - 1];
        p->slot[slot].slot = SLOT_NONE;
        p->written[slot] = true;
        p->count -= 2;
        return true;
}

static bool dereference(struct program *p)
{
        if (!p->count)
                return false;
        struct value *top = &p->operand[p->count - 1];
        uint32_t at = top->number, value = 0;
        *top = number(0, top->known && x86_word(p->m, at, &value));
        top->number = value;
        top->at = at;
        return true;
}

static bool combine(struct program *p, char operation)
{
        if (p->count < 2)
                return false;
        struct value b = p->operand[--p->count], *a = &p->operand[p->count - 1];
        uint32_t x = a->number, y = b.number;
        *a = number(0, a->known && b.known);
        switch (operation) {
        case '+': a->number = x + y; return true;
        case '-': a->number = x - y; return true;
        case '*': a->number = x * y; return true;
        case '@': a->number = x & ~(y - 1); return true;
        case '/':
        case '%':
                if (b.known && !y)
                        return false;
                a->number = !y ? 0 : operation == '/' ? x / y : x % y;
                return true;
        default: return false;
        }
}

static bool token(struct program *p, const char *text)
{
        if (text[0] == '$')
                return push_slot(p, text);
        if (!text[1] && strchr("+-*/%@", text[0]))
                return combine(p, text[0]);
        if (strcmp(text, "^") == 0)
                return dereference(p);
        return strcmp(text, "=") == 0 ? assign(p) : push_constant(p, text);
}

static bool evaluate(struct program *p, const char *text)
{
        for (unsigned i = 0; i < TOKENS_MAX; i++) {
                char word[TOKEN_LEN_MAX];
                text += strspn(text, " ");
                size_t len = strcspn(text, " ");
                if (len == 0)
                        return p->count == 0;
                if (len >= sizeof word)
                        return false;
                memcpy(word, text, len);
                word[len] = '\0';
                if (!token(p, word))
                        return false;
                text += len;
        }
        return false;
}

static void start(struct program *p, const struct x86_registers *r)
{
        for (unsigned i = 0; i < SLOTS; i++)
                p->slot[i] = number(0, false);
        for (unsigned i = 0; i < X86_REGISTERS; i++)
                p->slot[i] = number(r->gpr[i], r->known & X86_BIT(i));
        p->slot[SLOT_EIP] = number(r->eip, true);
}

/* What a function must keep and no program writes, it has not touched. */
static bool finish(const struct program *p, struct x86_registers *r)
{
        static const uint8_t kept[] = { X86_EBX, X86_EBP, X86_ESI, X86_EDI };
        const struct value *eip = &p->slot[SLOT_EIP], *esp = &p->slot[X86_ESP];
        if (!p->written[SLOT_EIP] || !p->written[X86_ESP] || !eip->known || !esp->known || eip->at == X86_NOWHERE)
                return false;
        r->eip = eip->number;
        r->eip_at = eip->at;
        r->gpr[X86_ESP] = esp->number;
        r->known = X86_BIT(X86_ESP);
        for (size_t i = 0; i < sizeof kept; i++)
                if (p->slot[kept[i]].known) {
                        r->gpr[kept[i]] = p->slot[kept[i]].number;
                        r->known |= X86_BIT(kept[i]);
                }
        return true;
}

static bool by_program(const struct x86_memory *m, const struct x86_fpo *fpo, struct x86_registers *r)
{
        struct program p = { .m = m, .fpo = fpo };
        if (r->known & X86_BIT(X86_ESP) && strstr(fpo->program, ".raSearch"))
                p.found = find_return(m, r->gpr[X86_ESP] + fpo->locals + fpo->saved, SEARCH_WORDS, &p.search);
        start(&p, r);
        return evaluate(&p, fpo->program) && finish(&p, r);
}

/* ---- FPO_DATA */

/*
 * In the prologue nothing tells what of it was done; but what it pushes and what it makes room for is all that there is
 * below the return address.
 */
static bool by_data(const struct x86_memory *m, const struct x86_fpo *fpo, struct x86_registers *r)
{
        uint32_t position = r->eip - fpo->begin, frame = fpo->locals + fpo->saved, esp = r->gpr[X86_ESP], at;
        bool in_prologue = r->exact && position < fpo->prologue;
        bool found = in_prologue ? find_return(m, esp, position ? frame / 4 + 1 : 1, &at)
                                 : find_return(m, esp + frame, SEARCH_WORDS, &at);
        if (!found || !x86_word(m, at, &r->eip))
                return false;
        r->eip_at = at;
        r->gpr[X86_ESP] = at + 4;
        /* which registers were pushed is not told, and which it uses besides */
        r->known &= X86_BIT(X86_ESP) | (fpo->uses_ebp ? 0 : X86_BIT(X86_EBP));
        return true;
}

/*
 * A compiler that makes room for parameters once makes it again behind a callee that has taken them off: "sub esp, n"
 * right behind the call. Frame data speaks of the stack pointer after that.
 */
static uint32_t made_again(const struct x86_memory *m, const struct x86_fpo *fpo, const struct x86_registers *r)
{
        uint8_t b[6];
        if (!r->esp_sure || r->eip - fpo->begin < fpo->prologue || !m->read(m->ctx, r->eip, b, sizeof b) ||
            b[1] != 0xec)
                return 0;
        return b[0] == 0x83 && b[2] < 0x80 ? b[2] : b[0] == 0x81 ? load_le32(b + 2) : 0;
}

bool x86_by_fpo(const struct x86_memory *m, struct x86_registers *r)
{
        struct x86_fpo fpo;
        struct x86_registers next = *r;
        if (!m->fpo || !m->fpo(m->ctx, r->exact ? r->eip : r->eip - 1, &fpo))
                return false;
        next.gpr[X86_ESP] -= made_again(m, &fpo, r);
        if (!(fpo.program ? by_program(m, &fpo, &next) : by_data(m, &fpo, &next)))
                return false;
        enum x86_code kind = m->code(m->ctx, next.eip);
        if (next.eip && kind != X86_RETURN && kind != X86_MAYBE_RETURN)
                return false;
        next.exact = false;
        next.esp_sure = false; /* whether the callee takes its parameters off is not told */
        *r = next;
        return true;
}
