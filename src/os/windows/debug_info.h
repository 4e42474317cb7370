/* SPDX-License-Identifier: MIT */
#ifndef STASIS_OS_WINDOWS_DEBUG_INFO_H
#define STASIS_OS_WINDOWS_DEBUG_INFO_H

#include "windows.h"

/* process: whose module it is; UINT32_MAX: the kernel's. */
void windows_module_debug(struct windows *w, uint32_t process, const struct windows_module *module,
                          struct stasis_debug *ret_debug);

#endif
