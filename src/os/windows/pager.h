/* SPDX-License-Identifier: MIT */
/*
 * Memory that is not there: the soft-fault hook of Windows' address spaces. What the page-fault handler would do to an
 * entry that is not present, as far as bytes exist somewhere: a frame, a page file, the compressed store.
 */
#ifndef STASIS_OS_WINDOWS_PAGER_H
#define STASIS_OS_WINDOWS_PAGER_H

#include "../../mem/space.h"

struct windows;
struct pager;

/* What a hooked space belongs to; lives as long as the space. */
struct pager_view {
        struct pager *pager;
        uint64_t process; /* its EPROCESS: whose VADs tell */
};

/* After the layout is known. Maps the page files that the options name: the one step that can fail. */
enum stasis_status pager_open(struct windows *w, struct pager **ret_pager, struct stasis_error *err) STASIS_MUST_CHECK;
void pager_close(struct pager *pager);
/* Until the space is initialised anew. A NULL pager changes nothing. */
void pager_attach(struct pager *pager, struct stasis_space *space, uint64_t process, struct pager_view *view);

#endif
