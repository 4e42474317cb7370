/* SPDX-License-Identifier: MIT */
/* Records that are no loads from one object: the system as a whole, and modules. */
#ifndef STASIS_OS_LINUX_SYSTEM_ROWS_H
#define STASIS_OS_LINUX_SYSTEM_ROWS_H

#include "linux.h"

/* l->facts, in system->arena. False where memory is exhausted. */
bool linux_system_facts_make(struct linux_system *l) STASIS_MUST_CHECK;
/* What is known only after the tasks were walked, put in anew. */
void linux_system_facts_walked(struct linux_system *l);
const struct stasis_column *linux_system_column_at(size_t index);

/* The columns of modules, and one module into fact[count of columns]. */
const struct stasis_column *linux_module_columns(size_t *ret_count);
void linux_module_facts(const struct linux_module *module, struct stasis_fact *ret_fact);

#endif
