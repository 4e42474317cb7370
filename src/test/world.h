/* SPDX-License-Identifier: MIT */
/*
 * A small world for tests of src/os/windows: physical memory, page tables, and a PE in it. Every place in the PE is
 * spelled out here again (Microsoft, "PE Format"), so that a wrong one in the reader cannot agree with itself.
 */
#ifndef STASIS_TEST_WORLD_H
#define STASIS_TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "../mem/space.h"
#include "ptbuild.h"

#define WORLD_LEN 0x200000u
#define WORLD_PAGES 192

struct world {
        uint8_t mem[WORLD_LEN];
        struct ptbuild tables;
        struct stasis_image *image;
        struct stasis_space space;
        uint64_t next; /* the next free physical page, from 1 MiB up; tables grow below */
        size_t count;
        struct {
                uint64_t va, pa;
        } page[WORLD_PAGES];
};

void world_start(struct world *w, enum pt_mode mode);
void world_end(struct world *w);
/* Fresh zeroed pages for [va, va+len). */
void world_map(struct world *w, uint64_t va, uint64_t len);
/* The page at va is in no image any more, or not mapped any more. */
void world_unmap(struct world *w, uint64_t va);
uint8_t *world_at(struct world *w, uint64_t va);
void world_put(struct world *w, uint64_t va, const void *bytes, size_t len);
void world_u(struct world *w, uint64_t va, size_t size, uint64_t value);
void world_utf16(struct world *w, uint64_t va, const char *ascii);

/*
 * A PE of 0x8000 bytes: headers, .text 1000, .data 2000..4fff, .edata 5000, .rsrc 6000, .rdata 7000 with the debug
 * directory. exports must be sorted by name; rva 0 ends them. NULL for what it shall not have.
 */
struct world_export {
        const char *name;
        uint32_t rva;
};
struct world_pe {
        uint64_t base;
        bool is64;
        uint16_t machine;
        const char *dll_name;
        const struct world_export *exports;
        const char *pdb_path;    /* RSDS with GUID 00 01 .. 0f and age 7 */
        const uint16_t *version; /* four: VS_FIXEDFILEINFO at 6123 + 1 */
};
void world_pe(struct world *w, const struct world_pe *pe);

/* Places inside that PE, for tests that break it. */
enum {
        WORLD_PE_LFANEW = 0x80,
        WORLD_PE_OPTIONAL = 0x98,
        WORLD_PE_TEXT = 0x1000,
        WORLD_PE_DATA = 0x2000,
        WORLD_PE_EDATA = 0x5000,
        WORLD_PE_RSRC = 0x6000,
        WORLD_PE_RDATA = 0x7000,
        WORLD_PE_LEN = 0x8000,
        WORLD_PE_CODEVIEW = 0x7040,
        WORLD_PE_FUNCTIONS = 0x5100,
        WORLD_PE_NAMES = 0x5200,
        WORLD_PE_ORDINALS = 0x5300,
        WORLD_PE_TEXTS = 0x5400,
        WORLD_PE_VERSION = 0x6124
};
/* Address of the section header number index, and of data directory number index. */
uint64_t world_pe_section(const struct world_pe *pe, unsigned index);
uint64_t world_pe_directory(const struct world_pe *pe, unsigned index);

#endif
