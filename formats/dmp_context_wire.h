/* SPDX-License-Identifier: MIT */
/*
 * CONTEXT and EXCEPTION_RECORD as the first header of a crash dump holds them. Member places: the fact tables' _CONTEXT
 * (0x2cc bytes on x86, 0x4d0 on x64, in every version), _EXCEPTION_RECORD32 and _EXCEPTION_RECORD64; the flags are
 * those of the SDK's winnt.h; the FXSAVE area is that of the Intel SDM (vol. 1, 10.5.1). Seen in a real dump: x64.
 */
#ifndef STASIS_FORMATS_DMP_CONTEXT_WIRE_H
#define STASIS_FORMATS_DMP_CONTEXT_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
        CONTEXT_X86 = 0x10000,
        CONTEXT_AMD64 = 0x100000,
        CONTEXT_CONTROL = 1 << 0,  /* ss, rsp, cs, rip, eflags */
        CONTEXT_INTEGER = 1 << 1,  /* the other general registers */
        CONTEXT_SEGMENTS = 1 << 2, /* ds, es, fs, gs */
        CONTEXT_FLOATING = 1 << 3, /* x64: the FXSAVE area */
        CONTEXT_DEBUG = 1 << 4,
        CONTEXT_EXTENDED = 1 << 5 /* x86: the FXSAVE area */
};

struct fxsave {
        uint8_t control[24], mxcsr[4], mask[4], st[8][16], xmm[16][16], unused[96];
};
static_assert(offsetof(struct fxsave, mxcsr) == 0x18 && offsetof(struct fxsave, xmm) == 0xa0, "");
static_assert(sizeof(struct fxsave) == 0x200, "");

struct context32 {
        uint8_t flags[4], dr0[4], dr1[4], dr2[4], dr3[4], dr6[4], dr7[4], float_save[0x70];
        uint8_t gs[4], fs[4], es[4], ds[4], edi[4], esi[4], ebx[4], edx[4], ecx[4], eax[4], ebp[4], eip[4];
        uint8_t cs[4], eflags[4], esp[4], ss[4];
        struct fxsave fx;
};
static_assert(offsetof(struct context32, gs) == 0x8c && offsetof(struct context32, eip) == 0xb8, "");
static_assert(offsetof(struct context32, ss) == 0xc8 && sizeof(struct context32) == 0x2cc, "");

struct context64 {
        uint8_t home[6][8], flags[4], mxcsr[4], cs[2], ds[2], es[2], fs[2], gs[2], ss[2], eflags[4];
        uint8_t dr0[8], dr1[8], dr2[8], dr3[8], dr6[8], dr7[8];
        uint8_t rax[8], rcx[8], rdx[8], rbx[8], rsp[8], rbp[8], rsi[8], rdi[8];
        uint8_t r8[8], r9[8], r10[8], r11[8], r12[8], r13[8], r14[8], r15[8], rip[8];
        struct fxsave fx;
        uint8_t vector[0x1d0];
};
static_assert(offsetof(struct context64, flags) == 0x30 && offsetof(struct context64, eflags) == 0x44, "");
static_assert(offsetof(struct context64, rax) == 0x78 && offsetof(struct context64, rip) == 0xf8, "");
static_assert(offsetof(struct context64, fx) == 0x100 && sizeof(struct context64) == 0x4d0, "");

struct exception32 {
        uint8_t code[4], flags[4], record[4], address[4], count[4], parameter[15][4];
};
static_assert(offsetof(struct exception32, parameter) == 0x14 && sizeof(struct exception32) == 0x50, "");
struct exception64 {
        uint8_t code[4], flags[4], record[8], address[8], count[4], pad[4], parameter[15][8];
};
static_assert(offsetof(struct exception64, parameter) == 0x20 && sizeof(struct exception64) == 0x98, "");

#endif
