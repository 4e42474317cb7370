/* SPDX-License-Identifier: MIT */
/*
 * How a row is written: key, title, group, kind, base, [derive,] [names,] help, members. ROW is a plain load, _D has a derive
 * function, _N names of values, MADE is made of other facts alone.
 */
#ifndef STASIS_OS_WINDOWS_ROW_MACROS_H
#define STASIS_OS_WINDOWS_ROW_MACROS_H

#define COLUMN(k, t, g, kd, h) .column = { .key = (k), .title = (t), .group = (g), .kind = STASIS_KIND_##kd, .help = (h) }
#define ROW(k, t, g, kd, b, h, ...) { COLUMN(k, t, g, kd, h), .base = (b), .member = { __VA_ARGS__ } }
#define ROW_D(k, t, g, kd, b, d, h, ...) { COLUMN(k, t, g, kd, h), .base = (b), .derive = (d), .member = { __VA_ARGS__ } }
#define ROW_N(k, t, g, kd, b, n, h, ...) { COLUMN(k, t, g, kd, h), .base = (b), .names = (n), .member = { __VA_ARGS__ } }
#define ROW_DN(k, t, g, kd, b, d, n, h, ...) \
        { COLUMN(k, t, g, kd, h), .base = (b), .derive = (d), .names = (n), .member = { __VA_ARGS__ } }
#define MADE(k, t, g, kd, d, h) { COLUMN(k, t, g, kd, h), .base = ON_NOTHING, .derive = (d) }

#endif
