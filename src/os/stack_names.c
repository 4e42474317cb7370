/* SPDX-License-Identifier: MIT */
/* What frames and registers are called, and what frames are worth. */
#include <inttypes.h>
#include <stdio.h>

#include <stasis/stasis.h>

#include "record.h"

const char *stasis_how_name(enum stasis_how how)
{
        static const char *const names[] = { "register",      "orc",         "frame-pointer", "eh-frame",
                                             "scan",          "unwind-info", "leaf",          "trap-frame",
                                             "machine-frame", "fpo",         "call-checked" };
        return (size_t)how < sizeof names / sizeof *names ? names[how] : "?";
}

const char *stasis_trust_name(enum stasis_trust trust)
{
        static const char *const names[] = { "proved", "likely", "guess" };
        return (size_t)trust < sizeof names / sizeof *names ? names[trust] : "?";
}

static enum stasis_trust trust_of(enum stasis_how how)
{
        switch (how) {
        case STASIS_HOW_FRAME_POINTER: return STASIS_TRUST_LIKELY;
        case STASIS_HOW_SCAN:
        case STASIS_HOW_CALL_CHECKED: return STASIS_TRUST_GUESS;
        default: return STASIS_TRUST_PROVED;
        }
}

void frames_trust(struct stasis_frame *frame, size_t count)
{
        enum stasis_trust so_far = STASIS_TRUST_PROVED;
        for (size_t i = 0; i < count; i++) {
                enum stasis_trust own = trust_of(frame[i].how);
                if (frame[i].how == STASIS_HOW_TRAP_FRAME || own > so_far)
                        so_far = own;
                frame[i].trust = so_far;
        }
}

const char *stasis_register_name(uint8_t width, unsigned number)
{
        static const char *const names[STASIS_REGISTERS] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi",
                                                             "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                                             "r12", "r13", "r14", "r15", "rip", "rflags" };
        static const char *const small[STASIS_REGISTERS] = { "eax",
                                                             "ebx",
                                                             "ecx",
                                                             "edx",
                                                             "esi",
                                                             "edi",
                                                             "ebp",
                                                             "esp",
                                                             [STASIS_REGISTER_RIP] = "eip",
                                                             [STASIS_REGISTER_RFLAGS] = "eflags" };
        return number < STASIS_REGISTERS ? (width == 4 ? small : names)[number] : NULL;
}

uint64_t stasis_register_value(const struct stasis_registers *registers, unsigned number)
{
        return number < STASIS_REGISTER_RIP       ? registers->cpu.gpr[number]
               : number == STASIS_REGISTER_RIP    ? registers->cpu.rip
               : number == STASIS_REGISTER_RFLAGS ? registers->cpu.rflags
                                                  : 0;
}

char *registers_text(struct stasis_arena *arena, const struct stasis_registers *r)
{
        char *text = stasis_arena_alloc(arena, STASIS_REGISTERS * 32);
        size_t used = 0;
        for (unsigned i = 0; text && i < STASIS_REGISTERS; i++)
                if (r->known >> i & 1)
                        used += (size_t)sprintf(text + used, "%s%-6s 0x%0*" PRIx64, used ? "\n" : "",
                                                stasis_register_name(r->width, i), r->width * 2,
                                                stasis_register_value(r, i));
        return text;
}
