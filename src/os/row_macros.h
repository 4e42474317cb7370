/* SPDX-License-Identifier: MIT */
/*
 * How a row is written: key, title, group, kind, base, [derive,] [names,] help, members. ROW is a plain load, _D has a
 * derive function, _N names of values, _E the layout's enumeration (and names where it has none), MADE is made of other
 * facts alone, a LIST has rows of its own.
 */
#ifndef STASIS_OS_ROW_MACROS_H
#define STASIS_OS_ROW_MACROS_H

/* The member in the column is the first that is asked for: what documentation shows. Binding puts the one found in its
 * place. */
#define FIRST(first, ...) first
#define COLUMN(k, t, g, kd, h, m) \
        .column = { .key = (k), .title = (t), .group = (g), .member = (m), .kind = STASIS_KIND_##kd, .help = (h) }
#define COLUMN_OF(k, t, g, kd, h, ...) COLUMN(k, t, g, kd, h, FIRST(__VA_ARGS__, NULL)), .member = { __VA_ARGS__ }
#define ROW(k, t, g, kd, b, h, ...) \
        { \
                COLUMN_OF(k, t, g, kd, h, __VA_ARGS__), .base = (b) \
        }
#define ROW_D(k, t, g, kd, b, d, h, ...) \
        { \
                COLUMN_OF(k, t, g, kd, h, __VA_ARGS__), .base = (b), .derive = (d) \
        }
#define ROW_N(k, t, g, kd, b, n, h, ...) \
        { \
                COLUMN_OF(k, t, g, kd, h, __VA_ARGS__), .base = (b), .names = (n) \
        }
#define ROW_DN(k, t, g, kd, b, d, n, h, ...) \
        { \
                COLUMN_OF(k, t, g, kd, h, __VA_ARGS__), .base = (b), .derive = (d), .names = (n) \
        }
#define ROW_E(k, t, g, kd, b, e, n, h, ...) \
        { \
                COLUMN_OF(k, t, g, kd, h, __VA_ARGS__), .base = (b), .enumeration = (e), .names = (n) \
        }
/* LIST: a load finished by a function that makes the list; MADE_LIST: made of other facts alone. r: stasis_list_rows.
 */
#define LIST(k, t, g, r, b, d, h, ...) \
        { \
                .column = { .key = (k), \
                            .title = (t), \
                            .group = (g), \
                            .member = FIRST(__VA_ARGS__, NULL), \
                            .kind = STASIS_KIND_LIST, \
                            .help = (h), \
                            .list = (r) }, \
                .member = { __VA_ARGS__ }, .base = (b), .derive = (d) \
        }
#define LIST_COSTLY(k, t, g, r, b, d, h, ...) \
        { \
                .column = { .key = (k), \
                            .title = (t), \
                            .group = (g), \
                            .member = FIRST(__VA_ARGS__, NULL), \
                            .kind = STASIS_KIND_LIST, \
                            .help = (h), \
                            .list = (r), \
                            .costly = true }, \
                .member = { __VA_ARGS__ }, .base = (b), .derive = (d) \
        }
#define MADE_LIST(k, t, g, r, d, h) \
        { \
                .column = { .key = (k), \
                            .title = (t), \
                            .group = (g), \
                            .kind = STASIS_KIND_LIST, \
                            .help = (h), \
                            .list = (r) }, \
                .base = ON_NOTHING, .derive = (d) \
        }
#define MADE(k, t, g, kd, d, h) \
        { \
                COLUMN(k, t, g, kd, h, NULL), .base = ON_NOTHING, .derive = (d) \
        }
/* The same, where making it touches much more than the object: see stasis_system_choose. */
#define MADE_COSTLY(k, t, g, kd, d, h) \
        { \
                .column = { .key = (k), \
                            .title = (t), \
                            .group = (g), \
                            .kind = STASIS_KIND_##kd, \
                            .help = (h), \
                            .costly = true }, \
                .base = ON_NOTHING, .derive = (d) \
        }

#endif
