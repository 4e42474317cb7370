/* SPDX-License-Identifier: MIT */
/* What frames and registers are called. */
#include <stasis/stasis.h>

const char *stasis_how_name(enum stasis_how how)
{
        static const char *const names[] = { "register", "orc", "frame-pointer", "eh-frame", "scan" };
        return (size_t)how < sizeof names / sizeof *names ? names[how] : "?";
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
