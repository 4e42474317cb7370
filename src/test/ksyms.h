/* SPDX-License-Identifier: MIT */
/*
 * kallsyms' tables, written as scripts/kallsyms.c of each release lays them out: for tests and fuzz seeds. What stands
 * where is spelled out here and not taken from the reader.
 */
#ifndef STASIS_TEST_KSYMS_H
#define STASIS_TEST_KSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ksyms_order {
        KSYMS_ABSOLUTE, /* to 4.5: whole addresses before the names */
        KSYMS_BEFORE,   /* 4.6 to 6.3: offsets and their base before the names */
        KSYMS_BEHIND,   /* from 6.4: offsets and their base behind the tokens */
        KSYMS_PLACE     /* from 7.0: there too, from the place where each stands; no base, and all aligned to 4 */
};

struct ksyms_symbol {
        char type;
        const char *name;
        uint64_t address;
};

struct ksyms {
        /* wanted */
        enum ksyms_order order;
        unsigned pointer;                  /* 4 or 8 */
        bool percpu;                       /* CONFIG_KALLSYMS_ABSOLUTE_PERCPU */
        bool wide_markers;                 /* before 4.20 */
        bool sequence;                     /* kallsyms_seqs_of_names, since 6.2 */
        uint64_t base;                     /* kallsyms_relative_base; KSYMS_PLACE: the address of what is written */
        const struct ksyms_symbol *symbol; /* sorted by address */
        size_t count;
        /* where things came to lie, from the start of what was written */
        size_t digits, token_table, names, addresses, markers, num_syms, token_index, len;
};

/* Writes all tables to out, from an address that is a multiple of 8; returns how many bytes. 0: room is too small. */
size_t ksyms_write(struct ksyms *k, uint8_t *out, size_t room);

#endif
