/* SPDX-License-Identifier: MIT */
/* Are the files of --symbols of the kernel in the image? STASIS_UNSUPPORTED, with a message: they are not. */
#ifndef STASIS_OS_LINUX_GIVEN_H
#define STASIS_OS_LINUX_GIVEN_H

#include "linux.h"

/* Before they are used; l->types is the image's own BTF, or NULL. */
enum stasis_status linux_given_check(struct linux_system *l, struct stasis_error *err) STASIS_MUST_CHECK;
/* Types that were given, once they are bound: is init_task what it must be? */
enum stasis_status linux_given_fits(struct linux_system *l, struct stasis_error *err) STASIS_MUST_CHECK;

#endif
