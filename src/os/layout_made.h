/* SPDX-License-Identifier: MIT */
/* A layout that is made member by member: what inference finds. Answers like any other (layout.h). */
#ifndef STASIS_OS_LAYOUT_MADE_H
#define STASIS_OS_LAYOUT_MADE_H

#include "layout_internal.h"

#define LAYOUT_MADE_MEMBERS_MAX 96

/* name and the names of members are kept, not copied. family: whose enumerations it has, or NULL. Close it with
 * stasis_layout_close; NULL where memory is exhausted. */
struct stasis_layout *layout_made_new(const char *name, uint8_t pointer_size, const struct stasis_layout *family);
/* name: what follows the structure in a path, dots included ("ApcState.Process"). False where it is full. */
bool layout_made_add(struct stasis_layout *layout, const char *structure, const char *name,
                     const struct stasis_member *member) STASIS_MUST_CHECK;
const struct stasis_layout *layout_made_family(const struct stasis_layout *layout); /* NULL of any other layout */

#endif
