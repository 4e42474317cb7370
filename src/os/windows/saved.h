/* SPDX-License-Identifier: MIT */
/* Registers as the kernel's structures keep them: one table a structure, bound once to the layout. */
#ifndef STASIS_OS_WINDOWS_SAVED_H
#define STASIS_OS_WINDOWS_SAVED_H

#include <stasis/stasis.h>

#include "../../mem/space.h"
#include "../layout.h"

/* The first as stasis_registers numbers them. */
enum saved_register {
        SAVED_RAX,
        SAVED_RBX,
        SAVED_RCX,
        SAVED_RDX,
        SAVED_RSI,
        SAVED_RDI,
        SAVED_RBP,
        SAVED_RSP,
        SAVED_R8,
        SAVED_R12 = 12,
        SAVED_RIP = 16,
        SAVED_RFLAGS,
        SAVED_CS,
        SAVED_SS,
        SAVED_DS,
        SAVED_ES,
        SAVED_FS,
        SAVED_GS,
        SAVED_DR0, /* to DR3, DR6, DR7 */
        SAVED_DR7 = SAVED_DR0 + 5,
        SAVED_MXCSR,
        SAVED_XMM0,
        SAVED_COUNT = SAVED_XMM0 + 16
};
#define SAVED_NOWHERE UINT16_MAX

enum saved_form {
        SAVED_TRAP_FRAME,      /* KTRAP_FRAME of this machine */
        SAVED_CONTEXT,         /* CONTEXT of this machine */
        SAVED_EXCEPTION_FRAME, /* KEXCEPTION_FRAME (x64): what a function must keep */
        SAVED_CONTEXT32,       /* CONTEXT of x86, as WoW64 keeps it */
        SAVED_FORMS
};

struct saved_shape {
        uint8_t width; /* of a register in bytes */
        uint16_t size; /* 0: such a machine has none, or its layout is not known */
        uint16_t offset[SAVED_COUNT];
};

/* layout may be NULL; what it lacks has the places that no version moved. */
void saved_bind(const struct stasis_layout *layout, bool is64, struct saved_shape ret_shape[static SAVED_FORMS]);
/* One of them; STASIS_ABSENT where the structure has none such. */
enum stasis_status saved_read(struct stasis_space *space, const struct saved_shape *shape, uint64_t va, unsigned reg,
                              uint64_t *ret_value) STASIS_MUST_CHECK;
/* All of these (bit i: register i) that can be read; ones that are there are added to r. */
void saved_load(struct stasis_space *space, const struct saved_shape *shape, uint64_t va, uint64_t which,
                struct stasis_registers *r);
#define SAVED_BIT(reg) (UINT64_C(1) << (reg))
#define SAVED_SELECTORS (UINT64_C(3) << SAVED_CS)       /* cs ss */
#define SAVED_DATA_SELECTORS (UINT64_C(15) << SAVED_DS) /* ds es fs gs */
#define SAVED_DEBUG (UINT64_C(63) << SAVED_DR0)
#define SAVED_VECTOR (UINT64_C(0x1ffff) << SAVED_MXCSR)

/* Nothing known, and why. */
void saved_absent(struct stasis_registers *r, uint8_t width, enum stasis_absence why);
void saved_put(struct stasis_registers *r, unsigned reg, uint64_t value, uint64_t va);
void saved_forget(struct stasis_registers *r, unsigned reg);

#endif
