/* SPDX-License-Identifier: MIT */
/* What two sides say of one thing, one under the other: `check` and `diff`. */
#ifndef STASIS_CLI_SIDES_H
#define STASIS_CLI_SIDES_H

#include <stdio.h>

struct side {
        const char *title, *value; /* value: any bytes; NULL: not there */
};

/* The path, then both in a column of their own; what is long is wrapped. */
void put_sides(FILE *out, const char *path, size_t indent, const struct side side[static 2]);

#endif
