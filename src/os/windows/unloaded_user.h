/* SPDX-License-Identifier: MIT */
/* What a process remembers of modules that it unloaded: RtlpUnloadEventTrace of its ntdll.dll, and of the 32-bit one.
 */
#ifndef STASIS_OS_WINDOWS_UNLOADED_USER_H
#define STASIS_OS_WINDOWS_UNLOADED_USER_H

#include "windows.h"

/* Newest first; read once for the process asked for last. NULL and 0 where there are none, or memory is exhausted. */
const struct stasis_unloaded *unloaded_user(struct windows *w, uint32_t process, size_t *ret_count);

#endif
