/* SPDX-License-Identifier: MIT */
/* Between object_header.c and object_types.c: where the members are, and which types there are. */
#ifndef STASIS_OS_WINDOWS_OBJECT_TYPES_H
#define STASIS_OS_WINDOWS_OBJECT_TYPES_H

#include "object_header.h"

#define OBJECT_TYPES_MAX 256 /* a number is a byte; of the pointers of older versions that many are remembered */

struct object_places {
        struct place type, name_info_offset, type_index, info_mask; /* of _OBJECT_HEADER */
        struct place name_directory;                                /* of _OBJECT_HEADER_NAME_INFO */
        struct place type_number, type_key;                         /* of _OBJECT_TYPE */
        struct place bucket, chain, chained;                        /* _OBJECT_DIRECTORY, _OBJECT_DIRECTORY_ENTRY */
        struct place pool_tag;                                      /* of _POOL_HEADER */
};

struct object_type {
        uint64_t object; /* 0: nobody asked for this one, or there is none */
        const char *name;
        uint32_t key; /* tag of its objects' pool, where key_known */
        bool key_known;
};

struct object_types {
        struct object_places at;
        uint32_t body;                   /* of _OBJECT_HEADER; 0: the layout has no objects */
        uint32_t name_info, name_string; /* size of _OBJECT_HEADER_NAME_INFO; its Name */
        uint32_t type_name;              /* _OBJECT_TYPE.Name */
        uint32_t buckets;                /* of a directory */
        uint32_t optional[5];            /* sizes of the optional headers by their bit in InfoMask, 0: not known */
        uint32_t pool_header;
        bool indexed;       /* 7 and later: numbers, not pointers */
        bool numbers_known; /* type[] is by number */
        bool cookie_known;
        bool mixed;     /* the header's address and the cookie are in a number */
        uint8_t cookie; /* 0 also where there is none */
        struct object_type type[OBJECT_TYPES_MAX];
        size_t count; /* of those that were pointed to, until Vista */
};

/* w->types, made on the first call; NULL where memory is exhausted. */
const struct object_types *windows_object_types(struct windows *w);
/* The type of the object behind this header, as its version tells it. NULL: *ret_why. */
const struct object_type *object_type_of(struct windows *w, uint64_t header, enum stasis_absence *ret_why);

#endif
