/* SPDX-License-Identifier: MIT */
/* Records that are no loads from one object: the system as a whole, and modules. */
#ifndef STASIS_OS_WINDOWS_SYSTEM_ROWS_H
#define STASIS_OS_WINDOWS_SYSTEM_ROWS_H

#include "windows.h"

/* w->facts, in system->arena. False where memory is exhausted. */
bool system_facts_make(struct windows *w) STASIS_MUST_CHECK;
/* What is known only after the lists were walked, put in anew. */
void system_facts_walked(struct windows *w);
const struct stasis_column *system_column_at(size_t index);
const struct stasis_column *system_columns(size_t *ret_count);

/* As symbol servers write it, in system->arena; NULL where memory is exhausted. */
const char *windows_guid_text(struct windows *w, const uint8_t guid[static 16]);

/* The columns of modules, and one module into fact[count of columns]. */
const struct stasis_column *module_columns(size_t *ret_count);
void module_facts(const struct windows_module *module, struct stasis_fact *ret_fact);

#endif
