/* SPDX-License-Identifier: MIT */
/*
 * From one x86 frame to its caller's, where no table tells: by the code itself where it returns at once, by the frame
 * data of a PDB where one is given, by the frame pointer. It knows nothing of Windows' own structures.
 */
#ifndef STASIS_OS_WINDOWS_UNWIND_X86_H
#define STASIS_OS_WINDOWS_UNWIND_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As instructions number them. */
enum { X86_EAX, X86_ECX, X86_EDX, X86_EBX, X86_ESP, X86_EBP, X86_ESI, X86_EDI, X86_REGISTERS };
#define X86_NOWHERE UINT64_MAX

struct x86_registers {
        uint32_t eip, gpr[X86_REGISTERS];
        uint64_t eip_at;
        uint32_t known; /* bit i: gpr[i]; esp is at least a lower bound */
        bool exact;     /* eip is the instruction that comes next, not the one behind a call */
        bool esp_sure;  /* esp is what it was: nothing that the callee may have taken off is in doubt */
};

/*
 * What a PDB says of code without frame pointer: FPO_DATA of a function (Microsoft, "PE Format"), or FRAMEDATA, of a
 * block within it.
 */
struct x86_fpo {
        uint32_t begin, size;    /* of the function */
        uint32_t locals, params; /* bytes */
        uint32_t saved;          /* registers pushed: bytes */
        uint8_t prologue;        /* its length */
        bool uses_ebp;           /* for something else */
        const char *program;     /* FRAMEDATA: true of every instruction of the block; NULL: FPO_DATA */
};

enum x86_code {
        X86_NO_CODE,      /* no module's executable memory */
        X86_RETURN,       /* behind a call */
        X86_MAYBE_RETURN, /* of a module, the code of which is not readable */
        X86_OTHER_CODE    /* code, not behind a call */
};

struct x86_memory {
        bool (*read)(void *ctx, uint32_t va, void *buf, size_t len); /* all or nothing */
        enum x86_code (*code)(void *ctx, uint32_t pc);
        bool (*on_stack)(void *ctx, uint32_t va, size_t len);
        /* Is next on another stack than esp, which may have been left for that? NULL: there is one. */
        bool (*leaves)(void *ctx, uint32_t esp, uint32_t next);
        bool (*fpo)(void *ctx, uint32_t pc, struct x86_fpo *ret_fpo); /* NULL: nobody has any */
        /* Is there a trap frame of the kernel at va? Then what was interrupted; *ret_user: user mode was. NULL: never.
         */
        bool (*trap)(void *ctx, uint32_t va, struct x86_registers *ret_registers, bool *ret_user);
        uint32_t user_trap;                          /* where user mode's trap frame lies; 0: not known */
        bool (*outermost)(void *ctx, uint32_t slot); /* is slot above all return addresses? NULL: nobody knows */
        void *ctx;
};

enum x86_way {
        X86_BROKEN, /* why tells; the registers are as they were */
        X86_BOTTOM, /* there is no caller */
        X86_BY_CODE,
        X86_BY_FPO,
        X86_BY_FRAME,
        X86_BY_TRAP,
        X86_AT_USER /* a trap frame that user mode left: r has its registers */
};

struct x86_step {
        enum x86_way way;
        const char *why; /* static */
};

struct x86_step x86_unwind(const struct x86_memory *memory, struct x86_registers *r);

#endif
