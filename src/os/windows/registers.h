/* SPDX-License-Identifier: MIT */
/* Registers of a thread: in the kernel, in user mode, and in the 32-bit code of WoW64. */
#ifndef STASIS_OS_WINDOWS_REGISTERS_H
#define STASIS_OS_WINDOWS_REGISTERS_H

#include "stand.h"

/* Absence of each says why there are none. */
void windows_kernel_registers(const struct thread_stand *s, struct stasis_registers *ret_registers);
/*
 * As user mode left them when the thread entered the kernel last, or as they are on its processor. What a system
 * service's trap frame does not keep is not known.
 */
void windows_user_registers(struct thread_stand *s, struct stasis_registers *ret_registers);
/* teb: the 64-bit one. Of what user mode left where that is 32-bit code, else as the emulation keeps them. */
void windows_wow64_registers(struct thread_stand *s, uint64_t teb, uint64_t teb32,
                             struct stasis_registers *ret_registers);
/* Of a switched thread: what SwapContext left. rip is the address that it will return to. */
bool windows_switch_frame(const struct thread_stand *s, struct stasis_registers *ret_registers);

#endif
