/* SPDX-License-Identifier: MIT */
/*
 * Windows' unwinders over bytes: the input is code, unwind data and a stack at once. Byte 0 chooses the machine, the
 * next words the registers; an address of the memory is any number, cut to its length. Every step must end, rise or
 * stop, and touch nothing that is not there (the sanitizers see to that).
 */
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "../os/windows/unwind_x64.h"
#include "../os/windows/unwind_x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE UINT64_C(0x140000000)
#define BASE32 0x400000u
#define STEPS 64

struct memory {
        const uint8_t *byte;
        size_t len;
};

static void promise(bool kept)
{
        if (!kept)
                abort();
}

static bool read_at(const struct memory *m, uint64_t off, void *buf, size_t len)
{
        if (off > m->len || len > m->len - off)
                return false;
        memcpy(buf, m->byte + off, len);
        return true;
}

static bool read64(void *ctx, uint64_t va, void *buf, size_t len)
{
        return va >= BASE && read_at(ctx, va - BASE, buf, len);
}

/* The functions are those of a table at the start of the memory; none is sorted, and the first that has pc counts. */
static enum x64_found function64(void *ctx, uint64_t pc, struct x64_function *ret_function)
{
        const struct memory *m = ctx;
        if (pc < BASE || pc - BASE >= m->len)
                return X64_NO_TABLE;
        for (size_t i = 0; i < 8 && 12 * i + 12 <= m->len; i++) {
                const uint8_t *at = m->byte + 12 * i;
                struct x64_function f = { BASE, load_le16(at), load_le16(at + 4), load_le32(at + 8) & 0xffff };
                if (pc - BASE >= f.begin && pc - BASE < f.end) {
                        *ret_function = f;
                        return X64_FUNCTION;
                }
        }
        return X64_NO_FUNCTION;
}

static bool same64(const struct x64_registers *a, const struct x64_registers *b)
{
        return memcmp(a->gpr, b->gpr, sizeof a->gpr) == 0 && a->rip == b->rip &&
               memcmp(a->at, b->at, sizeof a->at) == 0 && a->rip_at == b->rip_at && a->known == b->known &&
               a->exact == b->exact && a->xmm_known == b->xmm_known && memcmp(a->xmm, b->xmm, sizeof a->xmm) == 0 &&
               memcmp(a->xmm_at, b->xmm_at, sizeof a->xmm_at) == 0 && a->rflags == b->rflags && a->cs == b->cs &&
               a->ss == b->ss;
}

static void x64(const uint8_t *words, struct memory *m)
{
        const struct x64_memory memory = { read64, function64, m };
        struct x64_registers r;
        x64_start(&r, BASE + load_le16(words), BASE + load_le16(words + 2), words[4] & 1);
        for (unsigned i = 0; i < 16; i++)
                if (i != X64_RSP)
                        x64_set(&r, i, BASE + load_le16(words + 2 * (i % 8)), X64_NOWHERE);
        for (unsigned i = 0; i < STEPS; i++) {
                struct x64_registers before = r;
                struct x64_step step = x64_unwind(&memory, &r);
                promise(step.way != X64_BROKEN || (step.why && same64(&before, &r)));
                promise((step.way == X64_MACHINE_FRAME) == (step.machine != X64_NOWHERE) || step.way == X64_BROKEN);
                promise(r.known >> X64_RSP & 1);
                if (step.way == X64_BROKEN)
                        return;
        }
}

static bool read32(void *ctx, uint32_t va, void *buf, size_t len)
{
        return va >= BASE32 && read_at(ctx, va - BASE32, buf, len);
}

static enum x86_code code32(void *ctx, uint32_t pc)
{
        const struct memory *m = ctx;
        if (pc < BASE32 || pc - BASE32 >= m->len)
                return X86_NO_CODE;
        return pc & 1 ? X86_RETURN : X86_OTHER_CODE;
}

static bool stack32(void *ctx, uint32_t va, size_t len)
{
        const struct memory *m = ctx;
        return va >= BASE32 && va - BASE32 < m->len && len <= m->len - (va - BASE32);
}

/* The text at byte 8 of the memory; empty where it does not end. */
static const char *program_of(const struct memory *m)
{
        return m->len > 8 && memchr(m->byte + 8, 0, m->len - 8) ? (const char *)m->byte + 8 : "";
}

static bool fpo32(void *ctx, uint32_t pc, struct x86_fpo *ret_fpo)
{
        const struct memory *m = ctx;
        uint8_t b[8];
        if (!read_at(m, 0, b, sizeof b))
                return false;
        *ret_fpo = (struct x86_fpo){ .begin = BASE32 + load_le16(b),
                                     .size = load_le16(b + 2),
                                     .locals = b[4] * 4u,
                                     .prologue = b[5],
                                     .saved = b[6],
                                     .params = b[7] >> 3 & 12,
                                     .uses_ebp = b[7] & 1 };
        if (b[7] & 2)
                ret_fpo->program = program_of(m);
        return pc - ret_fpo->begin < ret_fpo->size;
}

static bool trap32(void *ctx, uint32_t va, struct x86_registers *ret_registers, bool *ret_user)
{
        uint8_t b[12];
        if (va % 64 || !read32(ctx, va, b, sizeof b))
                return false;
        *ret_registers = (struct x86_registers){ .eip = load_le32(b), .exact = true, .esp_sure = true, .known = 0x30 };
        ret_registers->gpr[X86_ESP] = va + 12;
        ret_registers->gpr[X86_EBP] = load_le32(b + 4);
        *ret_user = b[8] & 1;
        return true;
}

static bool same32(const struct x86_registers *a, const struct x86_registers *b)
{
        return a->eip == b->eip && memcmp(a->gpr, b->gpr, sizeof a->gpr) == 0 && a->eip_at == b->eip_at &&
               a->known == b->known && a->exact == b->exact && a->esp_sure == b->esp_sure;
}

static void x86(const uint8_t *words, struct memory *m)
{
        const struct x86_memory memory = {
                .read = read32, .code = code32, .on_stack = stack32, .fpo = fpo32, .trap = trap32, .ctx = m
        };
        struct x86_registers r = {
                .eip = BASE32 + load_le16(words), .known = words[5], .exact = words[4] & 1, .esp_sure = words[4] & 2
        };
        r.gpr[X86_ESP] = BASE32 + load_le16(words + 2);
        r.gpr[X86_EBP] = BASE32 + load_le16(words + 6);
        for (unsigned i = 0; i < STEPS; i++) {
                struct x86_registers before = r;
                struct x86_step step = x86_unwind(&memory, &r);
                promise(step.way != X86_BROKEN || (step.why && same32(&before, &r)));
                if (step.way == X86_BROKEN || step.way == X86_BOTTOM || step.way == X86_AT_USER)
                        return;
                promise(step.way == X86_BY_TRAP || r.gpr[X86_ESP] > before.gpr[X86_ESP]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 17 || size > 0x10000)
                return 0;
        struct memory m = { data + 17, size - 17 };
        if (data[0] & 1)
                x64(data + 1, &m);
        else
                x86(data + 1, &m);
        return 0;
}
