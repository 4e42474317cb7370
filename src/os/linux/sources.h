/* SPDX-License-Identifier: MIT */
/* The sources of sources.c that have a file of their own. */
#ifndef STASIS_OS_LINUX_SOURCES_H
#define STASIS_OS_LINUX_SOURCES_H

#include "linux.h"

enum stasis_status source_saw(struct linux_system *l, uint64_t object, enum linux_source source,
                              bool behind_tear) STASIS_MUST_CHECK;
/* The pid namespace's tree (since 4.15), or the hash of pids before. */
enum stasis_status source_pid_table(struct linux_system *l) STASIS_MUST_CHECK;
/* The other objects in the slabs that hold known tasks, and in the cache's partial slabs. */
enum stasis_status source_slab(struct linux_system *l) STASIS_MUST_CHECK;

#endif
