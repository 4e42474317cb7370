/* SPDX-License-Identifier: MIT */
/* What code an address lies in: the module, whether its memory is executable, which function of the unwind tables. */
#ifndef STASIS_OS_WINDOWS_CODE_MAP_H
#define STASIS_OS_WINDOWS_CODE_MAP_H

#include "unwind_x64.h"
#include "unwind_x86.h"
#include "windows.h"

enum code_kind {
        CODE_NONE,
        CODE_MODULE, /* in a module, the sections of which are not readable */
        CODE_EXECUTABLE
};

struct code_map;

/* w->frames' own; process UINT32_MAX: the kernel's modules alone. */
enum code_kind code_kind(struct windows *w, uint32_t process, uint64_t pc);
enum x64_found code_function(struct windows *w, uint32_t process, uint64_t pc, struct x64_function *ret_function);

/* Of a PDB that was given, where it says that the code there has no frame pointer. */
bool code_fpo(struct windows *w, uint32_t process, uint64_t pc, struct x86_fpo *ret_fpo);

enum code_call { CALL_NONE, CALL_THERE, CALL_UNREADABLE };
/* Is there a call in front of pc? */
enum code_call code_behind_call(struct stasis_space *space, uint64_t pc);

#endif
