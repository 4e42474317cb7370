/* SPDX-License-Identifier: MIT */
#ifndef STASIS_OS_WINDOWS_WAIT_ALL_H
#define STASIS_OS_WINDOWS_WAIT_ALL_H

#include "windows.h"

struct wait_input;
/* stasis_os.waits. */
enum stasis_status windows_all_waits(void *priv, struct wait_input *ret_input,
                                     struct stasis_error *err) STASIS_MUST_CHECK;

#endif
