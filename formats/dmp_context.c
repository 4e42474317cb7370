/* SPDX-License-Identifier: MIT */
/* The registers and the exception that a crash dump's first header tells, as tables. */
#include <string.h>

#include "../src/base/bytes.h"
#include "dmp.h"
#include "dmp_context_wire.h"
#include "register_places.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct register_place gpr32[] = {
        P(context32, eax, gpr[RAX]),  P(context32, ebx, gpr[RBX]), P(context32, ecx, gpr[RCX]),
        P(context32, edx, gpr[RDX]),  P(context32, esi, gpr[RSI]), P(context32, edi, gpr[RDI]),
        P(context32, ebp, gpr[RBP]),  P(context32, esp, gpr[RSP]), P(context32, eip, rip),
        P(context32, eflags, rflags),
};
static const struct register_place segment32[] = {
        P(context32, cs, cs), P(context32, ds, ds), P(context32, es, es),
        P(context32, fs, fs), P(context32, gs, gs), P(context32, ss, ss),
};
static const struct register_place debug32[] = {
        P(context32, dr0, dr[0]), P(context32, dr1, dr[1]), P(context32, dr2, dr[2]),
        P(context32, dr3, dr[3]), P(context32, dr6, dr[6]), P(context32, dr7, dr[7]),
};
static const struct register_place vector32[] = { P(context32, fx.mxcsr, mxcsr) };

static const struct register_place gpr64[] = {
        P(context64, rax, gpr[RAX]), P(context64, rbx, gpr[RBX]), P(context64, rcx, gpr[RCX]),
        P(context64, rdx, gpr[RDX]), P(context64, rsi, gpr[RSI]), P(context64, rdi, gpr[RDI]),
        P(context64, rbp, gpr[RBP]), P(context64, rsp, gpr[RSP]), P(context64, r8, gpr[8]),
        P(context64, r9, gpr[9]),    P(context64, r10, gpr[10]),  P(context64, r11, gpr[11]),
        P(context64, r12, gpr[12]),  P(context64, r13, gpr[13]),  P(context64, r14, gpr[14]),
        P(context64, r15, gpr[15]),  P(context64, rip, rip),      P(context64, eflags, rflags),
};
static const struct register_place segment64[] = {
        P(context64, cs, cs), P(context64, ds, ds), P(context64, es, es),
        P(context64, fs, fs), P(context64, gs, gs), P(context64, ss, ss),
};
static const struct register_place debug64[] = {
        P(context64, dr0, dr[0]), P(context64, dr1, dr[1]), P(context64, dr2, dr[2]),
        P(context64, dr3, dr[3]), P(context64, dr6, dr[6]), P(context64, dr7, dr[7]),
};
static const struct register_place vector64[] = { P(context64, mxcsr, mxcsr) };

/* Registers that belong together, and the flags that the record must have for them to mean anything. */
struct group {
        uint32_t known, flags;
        const struct register_place *place;
        size_t count;
};

static const struct form {
        uint32_t machine; /* bit of ContextFlags */
        uint16_t flags, fx, len;
        uint8_t xmm;
        struct group group[4];
} forms[] = {
#define GROUP(known, flags, table) \
        { \
                known, flags, table, COUNT(table) \
        }
        [0] = { CONTEXT_X86,
                offsetof(struct context32, flags),
                offsetof(struct context32, fx),
                sizeof(struct context32),
                8,
                { GROUP(STASIS_CPU_GPR, CONTEXT_CONTROL | CONTEXT_INTEGER, gpr32),
                  GROUP(STASIS_CPU_SEGMENT, CONTEXT_CONTROL | CONTEXT_SEGMENTS, segment32),
                  GROUP(STASIS_CPU_DEBUG, CONTEXT_DEBUG, debug32),
                  GROUP(STASIS_CPU_VECTOR, CONTEXT_EXTENDED, vector32) } },
        [1] = { CONTEXT_AMD64,
                offsetof(struct context64, flags),
                offsetof(struct context64, fx),
                sizeof(struct context64),
                16,
                { GROUP(STASIS_CPU_GPR, CONTEXT_CONTROL | CONTEXT_INTEGER, gpr64),
                  GROUP(STASIS_CPU_SEGMENT, CONTEXT_CONTROL | CONTEXT_SEGMENTS, segment64),
                  GROUP(STASIS_CPU_DEBUG, CONTEXT_DEBUG, debug64),
                  GROUP(STASIS_CPU_VECTOR, CONTEXT_FLOATING, vector64) } },
#undef GROUP
};

static void put_group(struct stasis_cpu *cpu, const struct group *group, const uint8_t *at)
{
        registers_load(cpu, group->place, group->count, at);
        cpu->known |= group->known;
}

/*
 * A record without its machine's bit is none (filler, or another machine's). Whose registers these are the header does
 * not say.
 */
enum stasis_status dmp_read_context(struct dmp *dmp)
{
        const struct stasis_hints *hints = &dmp->image->hints;
        const struct form *form = &forms[dmp->width->bits == 64];
        enum stasis_machine machine = dmp->width->bits == 64 ? STASIS_MACHINE_X64 : STASIS_MACHINE_X86;
        if (!(hints->known & STASIS_HINT_CONTEXT) || hints->machine != machine || hints->context.len < form->len)
                return STASIS_OK;
        const uint8_t *at = hints->context.at;
        uint32_t flags = load_le32(at + form->flags);
        if (!(flags & form->machine))
                return stasis_image_remark(dmp->image, "the header's CONTEXT has flags 0x%x: not of this machine",
                                           (unsigned)flags);
        struct stasis_cpu *cpu = stasis_image_add_cpu(dmp->image);
        if (!cpu)
                return STASIS_NOMEM;
        cpu->number = UINT32_MAX;
        cpu->origin = "dump header CONTEXT";
        cpu->off = (uint64_t)(at - dmp->file.at);
        for (size_t i = 0; i < COUNT(form->group); i++)
                if ((flags & form->group[i].flags) == form->group[i].flags)
                        put_group(cpu, &form->group[i], at);
        if (cpu->known & STASIS_CPU_VECTOR)
                memcpy(cpu->xmm, at + form->fx + offsetof(struct fxsave, xmm), (size_t)form->xmm * 16);
        return STASIS_OK;
}

/* ---------------------------------------------------------------- the exception */

#define E(wire, member) \
        { \
                offsetof(struct wire, member), sizeof(((struct wire *)0)->member) \
        }
static const struct exception_form {
        struct dmp_member code, flags, record, address, count, parameter;
} exception_forms[] = {
#define FORM(wire) \
        { \
                E(wire, code), E(wire, flags), E(wire, record), E(wire, address), E(wire, count), \
                        E(wire, parameter[0]) \
        }
        FORM(exception32),
        FORM(exception64),
#undef FORM
};

static uint64_t get(const uint8_t *at, struct dmp_member member) { return load_le(at + member.at, member.size); }

void dmp_read_exception(const struct dmp *dmp, struct stasis_bytes record)
{
        const struct exception_form *form = &exception_forms[dmp->width->bits == 64];
        struct stasis_hints *hints = &dmp->image->hints;
        struct stasis_exception *e = &hints->exception;
        const size_t max = COUNT(e->parameter);
        if (!record.at)
                return;
        uint64_t count = get(record.at, form->count);
        *e = (struct stasis_exception){ .code = (uint32_t)get(record.at, form->code),
                                        .flags = (uint32_t)get(record.at, form->flags),
                                        .record = get(record.at, form->record),
                                        .address = get(record.at, form->address),
                                        .parameter_count = count <= max ? (uint32_t)count : 0, /* filler, or nonsense */
                                        .off = (uint64_t)(record.at - dmp->file.at) };
        for (uint32_t i = 0; i < e->parameter_count; i++)
                e->parameter[i] =
                        load_le(record.at + form->parameter.at + i * form->parameter.size, form->parameter.size);
        hints->known |= STASIS_HINT_EXCEPTION;
}
