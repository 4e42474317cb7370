/* SPDX-License-Identifier: MIT */
/*
 * From the registers of one x64 frame to those of its caller, by the rules of RtlVirtualUnwind: what the tables of the
 * image say of the function, at the place in it where the instruction pointer stands. It knows nothing of Windows' own
 * structures; memory and tables come through two functions.
 */
#ifndef STASIS_OS_WINDOWS_UNWIND_X64_H
#define STASIS_OS_WINDOWS_UNWIND_X64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As instructions and unwind codes number them. */
enum { X64_RAX, X64_RCX, X64_RDX, X64_RBX, X64_RSP, X64_RBP, X64_RSI, X64_RDI, X64_R8, X64_R12 = 12, X64_R15 = 15 };
#define X64_NOWHERE UINT64_MAX

struct x64_registers {
        uint64_t gpr[16], rip;
        uint64_t at[16], rip_at; /* where each was read; X64_NOWHERE: not in memory */
        uint32_t known;          /* bit i: gpr[i]; rip and rsp always are */
        bool exact;              /* rip is the instruction that comes next, not the one behind a call */
        uint32_t xmm_known;
        uint8_t xmm[16][16];
        uint64_t xmm_at[16];
        /* of a machine frame, behind a step that crossed one */
        uint64_t rflags;
        uint16_t cs, ss;
};

/* A RUNTIME_FUNCTION, and the image that it is of. */
struct x64_function {
        uint64_t base;
        uint32_t begin, end, unwind; /* from base */
};

enum x64_found {
        X64_FUNCTION,    /* *ret_function */
        X64_NO_FUNCTION, /* the image that pc lies in has none for it: a leaf */
        X64_NO_TABLE     /* no image is known there, or its table is not readable */
};

struct x64_memory {
        bool (*read)(void *ctx, uint64_t va, void *buf, size_t len); /* all or nothing */
        enum x64_found (*function)(void *ctx, uint64_t pc, struct x64_function *ret_function);
        void *ctx;
};

enum x64_way {
        X64_BROKEN, /* why tells; the registers are as they were */
        X64_LEAF,   /* no frame: the return address is at rsp */
        X64_UNWOUND,
        X64_EPILOGUE,     /* the rest of an epilogue was done */
        X64_MACHINE_FRAME /* interrupted there, by a processor's own frame */
};

struct x64_step {
        enum x64_way way;
        const char *why;   /* static */
        uint64_t frame;    /* the frame that the unwind codes of the function count from */
        uint64_t machine;  /* X64_MACHINE_FRAME: where the frame (its rip) lies */
        bool code_missing; /* the code at an exact rip is not readable: that it is no epilogue is assumed */
};

/* Registers with only these three known, none of them read from memory. */
void x64_start(struct x64_registers *r, uint64_t rip, uint64_t rsp, bool exact);
void x64_set(struct x64_registers *r, unsigned reg, uint64_t value, uint64_t at);
/*
 * One step. A caller of a function keeps what the function must (rbx rbp rsi rdi r12-r15 xmm6-xmm15); the others are no
 * longer known. The stack pointer rises, but for a machine frame and a frame register, which may lead anywhere (to
 * another stack): whoever follows sees to it that he does not go in circles.
 */
struct x64_step x64_unwind(const struct x64_memory *memory, struct x64_registers *r);

#endif
