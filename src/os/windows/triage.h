/* SPDX-License-Identifier: MIT */
/*
 * A virtual image (a triage dump): no page tables and no lists, but one thread, its process, some processor blocks and
 * the names of the drivers. What each step of the decoder does there instead.
 */
#ifndef STASIS_OS_WINDOWS_TRIAGE_H
#define STASIS_OS_WINDOWS_TRIAGE_H

#include "windows.h"

/*
 * How well the dump's thread and its process fit this layout: 0 not at all, higher is surer. *ret_system: the process,
 * where it is System, else 0.
 */
unsigned triage_score(struct windows *w, const struct stasis_layout *layout, uint64_t *ret_system);
/* In place of the process list: the dump's process, and the thread's own where that is another one. */
enum stasis_status triage_processes(struct windows *w, struct stasis_error *err) STASIS_MUST_CHECK;
/* In place of the module list: the drivers that the dump names. */
enum stasis_status triage_modules(const struct stasis_image *image, struct modules *ret_modules) STASIS_MUST_CHECK;

#endif
