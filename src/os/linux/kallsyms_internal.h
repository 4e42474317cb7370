/* SPDX-License-Identifier: MIT */
/* Between kallsyms_shape.c, which finds the tables, and kallsyms.c, which answers from them. */
#ifndef STASIS_OS_LINUX_KALLSYMS_INTERNAL_H
#define STASIS_OS_LINUX_KALLSYMS_INTERNAL_H

#include "kallsyms.h"

#define KALLSYMS_MARKER 256 /* symbols a marker */
#define KALLSYMS_TOKENS_MAX 4096

/* How an address is kept. */
enum kallsyms_form {
        KALLSYMS_WHOLE,   /* as it is */
        KALLSYMS_OFFSET,  /* 4 bytes, from the base */
        KALLSYMS_PERCPU,  /* base - 1 - offset where negative, else as it is (CONFIG_KALLSYMS_ABSOLUTE_PERCPU) */
        KALLSYMS_RELATIVE /* 4 bytes, from the very place where they stand (7.0) */
};

struct kallsyms {
        uint8_t *bytes; /* a copy of all of the tables, whose pieces the following point to */
        const uint8_t *names, *address;
        size_t names_len;
        uint32_t count;
        uint32_t *marker; /* where each 256th symbol starts in names */
        char token[KALLSYMS_TOKENS_MAX];
        size_t token_len;
        uint16_t token_index[256];
        uint64_t base, token_pa; /* of KALLSYMS_RELATIVE: what the first entry's place is; physical until placed */
        uint8_t pointer_size;
        enum kallsyms_form form;
        bool placed;
        const char *shape;
        uint32_t *hash; /* index of a symbol, plus one, by the hash of its name; NULL: not made yet */
        size_t hash_mask;
};

/* The symbol at names + *at, which then stands behind it. False at the end, or where it is none. */
bool kallsyms_next(const struct kallsyms *k, size_t *at, const uint8_t **ret_code, size_t *ret_count);

#endif
