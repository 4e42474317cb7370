/* SPDX-License-Identifier: MIT */
/* From the registers of a function to those of its caller; DWARF expressions (DWARF 5, section 2.5). */
#include "cfi.h"

#define STACK_MAX 64
#define STEPS_MAX 1024 /* operations: expressions may branch */

/* ---------------------------------------------------------------- expressions */

struct machine {
        struct cfi_reader r;
        const struct cfi_machine *kind;
        const struct cfi_registers *registers;
        uint64_t start, stack[STACK_MAX];
        size_t count;
};

static void fail(struct machine *m, enum stasis_status status)
{
        if (m->r.status == STASIS_OK)
                m->r.status = status;
}

static uint64_t cut(const struct machine *m, uint64_t value) { return m->kind->word == 4 ? value & UINT32_MAX : value; }

static int64_t as_signed(const struct machine *m, uint64_t value)
{
        return m->kind->word == 4 ? (int32_t)value : (int64_t)value;
}

static void push(struct machine *m, uint64_t value)
{
        if (m->count == STACK_MAX)
                fail(m, STASIS_LIMIT);
        else
                m->stack[m->count++] = cut(m, value);
}

static uint64_t pop(struct machine *m)
{
        if (m->count == 0) {
                fail(m, STASIS_CORRUPT);
                return 0;
        }
        return m->stack[--m->count];
}

/* The one that lies so many below the topmost. */
static void pick(struct machine *m, uint64_t below)
{
        if (below >= m->count)
                fail(m, STASIS_CORRUPT);
        else
                push(m, m->stack[m->count - 1 - below]);
}

static void push_register(struct machine *m, uint64_t number, int64_t offset)
{
        if (number >= CFI_REGISTERS || !(m->registers->known >> number & 1))
                fail(m, STASIS_ABSENT);
        else
                push(m, m->registers->value[number] + (uint64_t)offset);
}

static void load(struct machine *m, uint64_t size)
{
        uint64_t value = 0, at = pop(m);
        if (size > m->kind->word)
                fail(m, STASIS_CORRUPT);
        if (m->r.status == STASIS_OK)
                fail(m, stasis_space_u(m->r.space, at, (size_t)size, &value));
        push(m, value);
}

static void jump(struct machine *m, bool taken)
{
        int16_t offset = (int16_t)cfi_u(&m->r, 2);
        uint64_t to = m->r.at + (uint64_t)(int64_t)offset;
        if (to < m->start || to > m->r.end)
                fail(m, STASIS_CORRUPT);
        else if (taken)
                m->r.at = to;
}

static uint64_t shift(uint64_t value, uint64_t by, bool left)
{
        if (by >= 64)
                return 0;
        return left ? value << by : value >> by;
}

/* Two operands: b lies above a. */
static uint64_t two(struct machine *m, uint8_t op, uint64_t a, uint64_t b)
{
        int64_t x = as_signed(m, a), y = as_signed(m, b);
        switch (op) {
        case 0x1a: return a & b;
        case 0x1b: /* div, signed */
                if (y == 0)
                        fail(m, STASIS_CORRUPT);
                return y == 0 ? 0 : y == -1 ? 0 - a : (uint64_t)(x / y);
        case 0x1c: return a - b;
        case 0x1d: /* mod */
                if (b == 0)
                        fail(m, STASIS_CORRUPT);
                return b == 0 ? 0 : a % b;
        case 0x1e: return a * b;
        case 0x21: return a | b;
        case 0x22: return a + b;
        case 0x24: return shift(a, b, true);
        case 0x25: return shift(a, b, false);
        case 0x26: /* shra */ return (uint64_t)(x >> (b < 63 ? b : 63));
        case 0x27: return a ^ b;
        case 0x29: return x == y;
        case 0x2a: return x >= y;
        case 0x2b: return x > y;
        case 0x2c: return x <= y;
        case 0x2d: return x < y;
        case 0x2e: return x != y;
        default: fail(m, STASIS_UNSUPPORTED); return 0;
        }
}

/* Constants; false where it is none. */
static bool constant(struct machine *m, uint8_t op)
{
        switch (op) {
        case 0x03: push(m, cfi_u(&m->r, m->kind->word)); return true; /* addr */
        case 0x08: push(m, cfi_u(&m->r, 1)); return true;
        case 0x09: push(m, (uint64_t)(int64_t)(int8_t)cfi_u(&m->r, 1)); return true;
        case 0x0a: push(m, cfi_u(&m->r, 2)); return true;
        case 0x0b: push(m, (uint64_t)(int64_t)(int16_t)cfi_u(&m->r, 2)); return true;
        case 0x0c: push(m, cfi_u(&m->r, 4)); return true;
        case 0x0d: push(m, (uint64_t)(int64_t)(int32_t)cfi_u(&m->r, 4)); return true;
        case 0x0e:
        case 0x0f: push(m, cfi_u(&m->r, 8)); return true;
        case 0x10: push(m, cfi_uleb(&m->r)); return true;
        case 0x11: push(m, (uint64_t)cfi_sleb(&m->r)); return true;
        default: break;
        }
        if (op >= 0x30 && op <= 0x4f) /* lit0 .. lit31 */
                push(m, op - 0x30u);
        else if (op >= 0x70 && op <= 0x8f) /* breg0 .. breg31 */
                push_register(m, op - 0x70u, cfi_sleb(&m->r));
        else
                return false;
        return true;
}

static void swap(struct machine *m)
{
        uint64_t b = pop(m), a = pop(m);
        push(m, b);
        push(m, a);
}

static void rotate(struct machine *m)
{
        uint64_t c = pop(m), b = pop(m), a = pop(m);
        push(m, c);
        push(m, a);
        push(m, b);
}

static void operation(struct machine *m, uint8_t op)
{
        uint64_t a, number;
        if (constant(m, op))
                return;
        switch (op) {
        case 0x06: load(m, m->kind->word); return;
        case 0x12: pick(m, 0); return; /* dup */
        case 0x13: (void)pop(m); return;
        case 0x14: pick(m, 1); return; /* over */
        case 0x15: pick(m, cfi_u(&m->r, 1)); return;
        case 0x16: swap(m); return;
        case 0x17: rotate(m); return;
        case 0x19: /* abs */
                a = pop(m);
                push(m, as_signed(m, a) < 0 ? 0 - a : a);
                return;
        case 0x1f: push(m, 0 - pop(m)); return;
        case 0x20: push(m, ~pop(m)); return;
        case 0x23: push(m, pop(m) + cfi_uleb(&m->r)); return;
        case 0x28: jump(m, pop(m) != 0); return;
        case 0x2f: jump(m, true); return;
        case 0x92: /* bregx */
                number = cfi_uleb(&m->r);
                push_register(m, number, cfi_sleb(&m->r));
                return;
        case 0x94: load(m, cfi_u(&m->r, 1)); return; /* deref_size */
        case 0x96: return;                           /* nop */
        default: break;
        }
        uint64_t b = pop(m);
        a = pop(m);
        push(m, two(m, op, a, b));
}

enum stasis_status cfi_evaluate(struct stasis_space *space, const struct cfi_machine *machine,
                                const struct cfi_rule *expression, const struct cfi_registers *registers,
                                const uint64_t *initial, uint64_t *ret_value)
{
        struct machine m = { .kind = machine, .registers = registers, .start = expression->at };
        cfi_reader_start(&m.r, space, expression->at, expression->len);
        if (initial)
                push(&m, *initial);
        for (unsigned i = 0; m.r.status == STASIS_OK && m.r.at < m.r.end; i++) {
                if (i == STEPS_MAX)
                        return STASIS_LIMIT;
                operation(&m, (uint8_t)cfi_u(&m.r, 1));
        }
        uint64_t value = pop(&m);
        if (m.r.status == STASIS_OK)
                *ret_value = value;
        return m.r.status;
}

/* ---------------------------------------------------------------- a step */

struct step {
        struct stasis_space *space;
        const struct cfi_machine *machine;
        const struct cfi_registers *before;
        struct cfi_registers after;
        uint64_t cfa;
};

static enum stasis_status find_cfa(struct step *s, const struct cfi_rule *rule)
{
        if (rule->kind == CFI_EXPRESSION)
                return cfi_evaluate(s->space, s->machine, rule, s->before, NULL, &s->cfa);
        if (!(s->before->known >> rule->reg & 1))
                return STASIS_ABSENT;
        s->cfa = s->before->value[rule->reg] + (uint64_t)rule->offset;
        if (s->machine->word == 4)
                s->cfa &= UINT32_MAX;
        return STASIS_OK;
}

static void put(struct step *s, unsigned i, uint64_t value, uint64_t at)
{
        s->after.known |= 1u << i;
        s->after.value[i] = s->machine->word == 4 ? value & UINT32_MAX : value;
        s->after.at[i] = at;
}

static enum stasis_status put_word(struct step *s, unsigned i, uint64_t at)
{
        uint64_t value;
        if (s->machine->word == 4)
                at &= UINT32_MAX;
        enum stasis_status status = stasis_space_u(s->space, at, s->machine->word, &value);
        if (status == STASIS_OK)
                put(s, i, value, at);
        return status;
}

static enum stasis_status put_same(struct step *s, unsigned i, unsigned from)
{
        if (!(s->before->known >> from & 1))
                return STASIS_ABSENT;
        put(s, i, s->before->value[from], s->before->at[from]);
        return STASIS_OK;
}

/* What a function may change is not known behind it, unless it was interrupted: then the tables tell all. */
static enum stasis_status by_abi(struct step *s, unsigned i, bool signal)
{
        if (i == s->machine->sp)
                put(s, i, s->cfa, STASIS_NOWHERE);
        else if (signal || s->machine->saved >> i & 1)
                return put_same(s, i, i);
        return STASIS_OK;
}

static enum stasis_status apply(struct step *s, unsigned i, const struct cfi_rule *rule, bool signal)
{
        uint64_t value;
        enum stasis_status status;
        switch (rule->kind) {
        case CFI_UNSPECIFIED: return by_abi(s, i, signal);
        case CFI_SAME: return put_same(s, i, i);
        case CFI_UNDEFINED: return STASIS_OK;
        case CFI_OFFSET: return put_word(s, i, s->cfa + (uint64_t)rule->offset);
        case CFI_VAL_OFFSET: put(s, i, s->cfa + (uint64_t)rule->offset, STASIS_NOWHERE); return STASIS_OK;
        case CFI_REGISTER: return put_same(s, i, rule->reg);
        case CFI_EXPRESSION:
        case CFI_VAL_EXPRESSION: break;
        }
        status = cfi_evaluate(s->space, s->machine, rule, s->before, &s->cfa, &value);
        if (status != STASIS_OK)
                return status;
        if (rule->kind == CFI_EXPRESSION)
                return put_word(s, i, value);
        put(s, i, value, STASIS_NOWHERE);
        return STASIS_OK;
}

enum cfi_end cfi_step(struct stasis_space *space, const struct cfi_machine *machine, const struct cfi_entry *entry,
                      const struct cfi_row *row, struct cfi_registers *registers, enum stasis_status *ret_status)
{
        struct step s = { .space = space, .machine = machine, .before = registers };
        enum stasis_status of_ra = STASIS_OK;
        *ret_status = STASIS_OK;
        if (row->reg[entry->ra].kind == CFI_UNDEFINED)
                return CFI_OUTERMOST;
        *ret_status = row->reg[entry->ra].kind == CFI_UNSPECIFIED ? STASIS_CORRUPT : find_cfa(&s, &row->cfa);
        if (*ret_status != STASIS_OK)
                return CFI_UNKNOWN;
        for (unsigned i = 0; i < CFI_REGISTERS; i++) { /* one that cannot be read is not known above; but for two */
                enum stasis_status status = apply(&s, i, &row->reg[i], entry->signal);
                if (status != STASIS_OK && (i == entry->ra || i == machine->sp))
                        of_ra = status;
        }
        *ret_status = of_ra;
        if (of_ra != STASIS_OK || !(s.after.known >> machine->sp & 1))
                return CFI_UNKNOWN;
        if (entry->ra != machine->ra) {
                s.after.value[machine->ra] = s.after.value[entry->ra];
                s.after.at[machine->ra] = s.after.at[entry->ra];
                s.after.known |= 1u << machine->ra;
        }
        *registers = s.after;
        return CFI_STEPPED;
}
