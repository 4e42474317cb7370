/* SPDX-License-Identifier: MIT */
/*
 * Values by name that no layout holds: what every version means alike. What differs by version (wait reasons, thread
 * states) comes from the layout's own enumerations. Each returns a table and its length.
 */
#ifndef STASIS_OS_WINDOWS_NAMES_H
#define STASIS_OS_WINDOWS_NAMES_H

#include "windows.h"

uint32_t windows_build(const struct windows *w); /* of the kernel, or of the layout where no witness told */
const struct stasis_name *names_thread_state(const void *os, size_t *ret_count);
const struct stasis_name *names_kobjects(const void *os, size_t *ret_count);
const struct stasis_name *names_wait_type(const void *os, size_t *ret_count);
const struct stasis_name *names_mode(const void *os, size_t *ret_count);
const struct stasis_name *names_impersonation(const void *os, size_t *ret_count);
const struct stasis_name *names_thread_access(const void *os, size_t *ret_count);
const struct stasis_name *names_top_level_irp(const void *os, size_t *ret_count);
const struct stasis_name *names_rundown(const void *os, size_t *ret_count);
const struct stasis_name *names_ntstatus(const void *os, size_t *ret_count);
const struct stasis_name *names_product(const void *os, size_t *ret_count);
const struct stasis_name *names_apc_state(const void *os, size_t *ret_count);
const struct stasis_name *names_protection(const void *os, size_t *ret_count);
const struct stasis_name *names_apc_environment(const void *os, size_t *ret_count);
const struct stasis_name *names_major_function(const void *os, size_t *ret_count);
const struct stasis_name *names_integrity(const void *os, size_t *ret_count);
const struct stasis_name *names_token_type(const void *os, size_t *ret_count);
const struct stasis_name *names_token_flags(const void *os, size_t *ret_count);
const struct stasis_name *names_mandatory_policy(const void *os, size_t *ret_count);
const struct stasis_name *names_sid_attributes(const void *os, size_t *ret_count);
const struct stasis_name *names_privilege(const void *os, size_t *ret_count); /* by LUID */
/* "Windows 10 (20H1 .. 22H2)" for a build and a product; NULL where the build is not in the table. */
const char *name_of_build(uint32_t build, bool server);

#endif
