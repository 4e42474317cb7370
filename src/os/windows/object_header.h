/* SPDX-License-Identifier: MIT */
/*
 * What stands before the body of an executive object: its type and its name.
 *
 *   optional headers | _OBJECT_HEADER | body
 *
 * Until Vista the header points to its type, and tells how far before it the name is. Since 7 it has the number of the
 * type, and a mask of the optional headers, of which the creator's and then the name's are next to it. Since 10 the
 * number is XOR-ed with a cookie and with the second byte of the header's address (Volatility 3, extensions/__init__.py
 * of symbols/windows, OBJECT_HEADER; System Informer's notes on ObTypeIndexTable).
 *
 * Most things that threads wait for are no objects and have no header. So a header is believed only where something
 * proves it:
 *   until Vista  the type's own type is its own type
 *   since 7      its pool block has the tag of its type, or it is a known thread or process, or it has a name in a
 *                directory (of the Directory type)
 * The cookie is taken from what is known to be a process or thread; the types' numbers from ObTypeIndexTable, or from
 * the directory that PsProcessType is in, or from a table of that shape in the kernel's variables.
 */
#ifndef STASIS_OS_WINDOWS_OBJECT_HEADER_H
#define STASIS_OS_WINDOWS_OBJECT_HEADER_H

#include "windows.h"

struct windows_object {
        uint64_t body, header;
        uint64_t type;                /* its _OBJECT_TYPE */
        const char *type_name;        /* "Mutant"; as long as the system; NULL: not known, and why: */
        enum stasis_absence type_why; /* STASIS_NOT_APPLICABLE: what lies there is no object */
        const char *name;             /* "\\BaseNamedObjects\\foo"; of the arena given; NULL: it has none, or: */
        enum stasis_absence name_why;
};

/*
 * body: an address in the kernel. The name has no backslash in front where its directories could not be read up to
 * the root. False: it is no executive object, or nothing proves that it is one (type_why says which).
 */
bool windows_object(struct windows *w, uint64_t body, struct stasis_arena *arena, struct windows_object *ret_object);
/* Its name alone, of an object that is known to be one: a device, a port. NULL and *ret_why where there is none. */
char *windows_object_name(struct windows *w, uint64_t body, struct stasis_arena *arena, enum stasis_absence *ret_why);

/* Types, found when the first object is asked for (object_types.c). */
struct object_types;
void object_types_free(struct object_types *types); /* NULL is ignored */

#endif
