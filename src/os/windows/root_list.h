/* SPDX-License-Identifier: MIT */
/* A bounded list of candidate roots: no root twice, the best ones stay. Shared by root.c and root_scan.c. */
#ifndef STASIS_OS_WINDOWS_ROOT_LIST_H
#define STASIS_OS_WINDOWS_ROOT_LIST_H

#include "root.h"

struct root_list {
        struct windows_root *root;
        size_t count, max;
};

/* The same root again: the better rank stays. A full list: the worst one makes room for a better one. */
void root_list_add(struct root_list *list, const struct windows_root *root);
/* Best first, in an order that depends on the roots only. */
void root_list_sort(struct root_list *list);

#endif
