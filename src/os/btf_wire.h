/* SPDX-License-Identifier: MIT */
/*
 * BTF as it lies in memory. Source of every claim: Documentation/bpf/btf.rst of the Linux kernel.
 *
 * A header; then, at offsets from the header's end, the types one after the other (numbered from 1; 0 is void), and the
 * strings. A type is 12 bytes and what its kind adds.
 */
#ifndef STASIS_OS_BTF_WIRE_H
#define STASIS_OS_BTF_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define BTF_MAGIC 0xeb9f

struct btf_wire_header {
        uint8_t magic[2];
        uint8_t version[1];
        uint8_t flags[1];
        uint8_t hdr_len[4];
        uint8_t type_off[4], type_len[4];
        uint8_t str_off[4], str_len[4];
};
static_assert(offsetof(struct btf_wire_header, hdr_len) == 4, "");
static_assert(offsetof(struct btf_wire_header, str_off) == 16, "");
static_assert(sizeof(struct btf_wire_header) == 24, "");

struct btf_wire_type {
        uint8_t name_off[4];
        uint8_t info[4];         /* bits 0-15 vlen, 24-28 kind, 31 kind_flag */
        uint8_t size_or_type[4]; /* of the kinds that have a size: that; of the others the type they refer to */
};
static_assert(sizeof(struct btf_wire_type) == 12, "");

struct btf_wire_array {
        uint8_t type[4], index_type[4], nelems[4];
};

struct btf_wire_member {
        uint8_t name_off[4], type[4];
        uint8_t offset[4]; /* in bits; with the structure's kind_flag bits 0-23 of it, and 24-31 the bit-field's width
                            */
};

struct btf_wire_enum {
        uint8_t name_off[4], val[4];
};

struct btf_wire_enum64 {
        uint8_t name_off[4], val_lo32[4], val_hi32[4];
};

enum btf_kind {
        BTF_VOID,
        BTF_INT,
        BTF_PTR,
        BTF_ARRAY,
        BTF_STRUCT,
        BTF_UNION,
        BTF_ENUM,
        BTF_FWD,
        BTF_TYPEDEF,
        BTF_VOLATILE,
        BTF_CONST,
        BTF_RESTRICT,
        BTF_FUNC,
        BTF_FUNC_PROTO,
        BTF_VAR,
        BTF_DATASEC,
        BTF_FLOAT,
        BTF_DECL_TAG,
        BTF_TYPE_TAG,
        BTF_ENUM64,
        BTF_KINDS
};

/* The word behind a BTF_INT: bits 0-7 how many bits it has, 16-23 where in its bytes they start, 24-27 encoding. */
#define BTF_INT_SIGNED 1u

#endif
