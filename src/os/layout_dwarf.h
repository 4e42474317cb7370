/* SPDX-License-Identifier: MIT */
/* Types from the DWARF of an ELF file. */
#ifndef STASIS_OS_LAYOUT_DWARF_H
#define STASIS_OS_LAYOUT_DWARF_H

#include "layout_internal.h"

/* STASIS_UNSUPPORTED in a build without libdw. */
enum stasis_status layout_dwarf_open(const char *path, uint8_t pointer_size, struct stasis_layout **ret_layout,
                                     struct stasis_error *err) STASIS_MUST_CHECK;

#endif
