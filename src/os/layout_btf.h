/* SPDX-License-Identifier: MIT */
/* A BTF blob and the index over it. layout_btf_open.c checks it and makes the index, layout_btf.c answers. */
#ifndef STASIS_OS_LAYOUT_BTF_H
#define STASIS_OS_LAYOUT_BTF_H

#include "../base/bytes.h"
#include "btf_wire.h"
#include "layout_internal.h"

struct btf_slot {
        uint32_t hash, id; /* id 0: empty */
};

struct btf {
        struct stasis_layout layout; /* first */
        struct stasis_bytes types, strings;
        uint32_t *offset; /* of type i in types; 0 is void */
        uint32_t count;   /* types, with void */
        /* Structures, unions, enumerations and typedefs by name: open addressing. */
        struct btf_slot *slot;
        uint32_t slots; /* a power of two */
};

/* One type, decoded. */
struct btf_type {
        enum btf_kind kind;
        uint32_t name, vlen, size, to; /* to: the type referred to */
        bool flag;
        const uint8_t *more; /* behind the 12 bytes: what vlen and kind promise is there */
};

#define BTF_PROBES_MAX 256 /* an honest table of half load needs a few dozen; a forged one must not cost a square */
#define BTF_NAME_MAX 512   /* of names that are looked up; the kernel's own limit of a symbol */
#define BTF_SIZE_MAX (1u << 28) /* of anything, in bytes */

/* False past the last one. Void is type 0. */
bool btf_type_at(const struct btf *btf, uint32_t id, struct btf_type *ret_type);
/* "" where the offset lies outside. */
const char *btf_name(const struct btf *btf, uint32_t off);
/* A structure, union, enumeration or typedef with this name; 0 where there is none. */
uint32_t btf_find(const struct btf *btf, const char *name, size_t len, uint32_t kinds);

extern const struct layout_backend layout_btf;

#endif
