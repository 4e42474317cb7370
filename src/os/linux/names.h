/* SPDX-License-Identifier: MIT */
/* Values by name that no layout holds: what they mean is in the kernel's headers, not in its types. */
#ifndef STASIS_OS_LINUX_NAMES_H
#define STASIS_OS_LINUX_NAMES_H

#include <stasis/stasis.h>

const struct stasis_name *linux_names_state(const void *os, size_t *ret_count);
const struct stasis_name *linux_names_policy(const void *os, size_t *ret_count);
const struct stasis_name *linux_names_flags(const void *os, size_t *ret_count);
const struct stasis_name *linux_names_thread_info(const void *os, size_t *ret_count);
const struct stasis_name *linux_names_seccomp(const void *os, size_t *ret_count);
const struct stasis_name *linux_names_exit_state(const void *os, size_t *ret_count);
const struct stasis_name *linux_names_capability(const void *os, size_t *ret_count);

#endif
