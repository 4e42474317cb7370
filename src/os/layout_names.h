/* SPDX-License-Identifier: MIT */
/* What BTF, DWARF and tables of symbols share. */
#ifndef STASIS_OS_LAYOUT_NAMES_H
#define STASIS_OS_LAYOUT_NAMES_H

#include "layout_internal.h"

uint32_t layout_hash(const char *name, size_t len); /* FNV-1a */
/* By value, as stasis_layout_enum promises; of one value by name. */
void layout_sort_names(struct stasis_name *names, size_t count);
/*
 * m is a member whose type has m->size bytes; as a bit-field of so many bits it starts at this bit of the structure.
 * Its word is one of the type's size, else (packed ones cross words) the smallest that holds it. False where none does.
 */
bool layout_bit_field(struct stasis_member *m, uint64_t bit, uint64_t bits);

#endif
