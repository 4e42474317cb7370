/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tests and fuzz targets both build worlds: a wrong one is a bug of ours, and ends either of them. */
static void must(bool holds, const char *what)
{
        if (holds)
                return;
        fprintf(stderr, "world: %s\n", what);
        abort();
}

void world_start(struct world *w, enum pt_mode mode)
{
        static const struct stasis_paging *const paging[] = {
                [PT_X86] = &stasis_paging_x86,
                [PT_PAE] = &stasis_paging_pae,
                [PT_X64] = &stasis_paging_x64,
                [PT_LA57] = &stasis_paging_la57,
        };
        struct stasis_error err;

        memset(w, 0, sizeof(*w));
        w->next = 0x100000;
        pt_start(&w->tables, mode, w->mem, WORLD_LEN, 0x1000, 0);
        enum stasis_status status = stasis_image_open_memory(
                w->mem, WORLD_LEN, "world", &(struct stasis_image_options){ .format = "raw" }, &w->image, &err);
        must(status == STASIS_OK, err.text);
        stasis_space_init(&w->space, w->image, paging[mode], w->tables.root);
}

void world_end(struct world *w)
{
        stasis_image_close(w->image);
        w->image = NULL;
}

void world_map(struct world *w, uint64_t va, uint64_t len)
{
        for (uint64_t done = 0; done < len; done += 0x1000, w->next += 0x1000, w->count++) {
                must(w->count < WORLD_PAGES, "too many pages");
                must(w->next < WORLD_LEN, "memory is full");
                pt_map(&w->tables, va + done, w->next, PT_4K, 2);
                w->page[w->count].va = va + done;
                w->page[w->count].pa = w->next;
        }
}

void world_unmap(struct world *w, uint64_t va)
{
        pt_put(&w->tables, pt_slot(&w->tables, va, PT_4K), 0);
        memset(w->space.tlb, 0, sizeof(w->space.tlb));
}

uint8_t *world_at(struct world *w, uint64_t va)
{
        for (size_t i = 0; i < w->count; i++)
                if (w->page[i].va == (va & ~UINT64_C(0xfff)))
                        return w->mem + w->page[i].pa + (va & 0xfff);
        must(false, "nothing is mapped there");
        return NULL;
}

void world_put(struct world *w, uint64_t va, const void *bytes, size_t len)
{
        for (size_t i = 0; i < len; i++)
                *world_at(w, va + i) = ((const uint8_t *)bytes)[i];
}

void world_u(struct world *w, uint64_t va, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                *world_at(w, va + i) = (uint8_t)(value >> 8 * i);
}

void world_utf16(struct world *w, uint64_t va, const char *ascii)
{
        for (size_t i = 0; ascii[i]; i++)
                world_u(w, va + 2 * i, 2, (uint8_t)ascii[i]);
}

uint64_t world_pe_directory(const struct world_pe *pe, unsigned index)
{
        return pe->base + WORLD_PE_OPTIONAL + (pe->is64 ? 112 : 96) + UINT64_C(8) * index;
}

uint64_t world_pe_section(const struct world_pe *pe, unsigned index)
{
        return pe->base + WORLD_PE_OPTIONAL + (pe->is64 ? 0xf0 : 0xe0) + UINT64_C(40) * index;
}

static void put_headers(struct world *w, const struct world_pe *pe)
{
        uint64_t coff = pe->base + WORLD_PE_LFANEW, optional = pe->base + WORLD_PE_OPTIONAL;

        world_put(w, pe->base, "MZ", 2);
        world_u(w, pe->base + 0x3c, 4, WORLD_PE_LFANEW);
        world_put(w, coff, "PE\0", 4);
        world_u(w, coff + 4, 2, pe->machine);
        world_u(w, coff + 6, 2, 5);          /* NumberOfSections */
        world_u(w, coff + 8, 4, 0x4a5bc007); /* TimeDateStamp */
        world_u(w, coff + 20, 2, pe->is64 ? 0xf0 : 0xe0);
        world_u(w, optional, 2, pe->is64 ? 0x20b : 0x10b);
        world_u(w, optional + 16, 4, 0x1234); /* AddressOfEntryPoint */
        world_u(w, optional + 40, 2, 6);      /* MajorOperatingSystemVersion */
        world_u(w, optional + 42, 2, 1);
        world_u(w, optional + 56, 4, WORLD_PE_LEN);
        world_u(w, optional + 60, 4, 0x400);    /* SizeOfHeaders */
        world_u(w, optional + 64, 4, 0xc0ffee); /* CheckSum */
        world_u(w, optional + (pe->is64 ? 108 : 92), 4, 16);
}

static void put_sections(struct world *w, const struct world_pe *pe)
{
        static const struct {
                const char *name;
                uint32_t rva, size, flags;
        } section[] = {
                { ".text", WORLD_PE_TEXT, 0x0fff, 0x60000020 },   { ".data", WORLD_PE_DATA, 0x3000, 0xc0000040 },
                { ".edata", WORLD_PE_EDATA, 0x1000, 0x40000040 }, { ".rsrc", WORLD_PE_RSRC, 0x1000, 0x40000040 },
                { ".rdata", WORLD_PE_RDATA, 0x1000, 0x40000040 },
        };

        for (unsigned i = 0; i < sizeof(section) / sizeof(section[0]); i++) {
                uint64_t at = world_pe_section(pe, i);

                world_put(w, at, section[i].name, strlen(section[i].name));
                world_u(w, at + 8, 4, section[i].size);
                world_u(w, at + 12, 4, section[i].rva);
                world_u(w, at + 16, 4, 0x200);
                world_u(w, at + 36, 4, section[i].flags);
        }
}

static void put_exports(struct world *w, const struct world_pe *pe)
{
        uint64_t edata = pe->base + WORLD_PE_EDATA;
        uint32_t count = 0, text = WORLD_PE_TEXTS;

        world_u(w, world_pe_directory(pe, 0), 4, WORLD_PE_EDATA);
        world_u(w, world_pe_directory(pe, 0) + 4, 4, 0x1000);
        world_u(w, edata + 12, 4, 0x5040);
        world_put(w, edata + 0x40, pe->dll_name, strlen(pe->dll_name) + 1);
        for (; pe->exports && pe->exports[count].rva; count++) {
                const struct world_export *export = &pe->exports[count];
                /* ordinals run backwards, so that index and ordinal are not the same */
                uint32_t ordinal = 31 - count;

                world_u(w, pe->base + WORLD_PE_FUNCTIONS + UINT64_C(4) * ordinal, 4, export->rva);
                world_u(w, pe->base + WORLD_PE_NAMES + UINT64_C(4) * count, 4, text);
                world_u(w, pe->base + WORLD_PE_ORDINALS + UINT64_C(2) * count, 2, ordinal);
                world_put(w, pe->base + text, export->name, strlen(export->name) + 1);
                text += (uint32_t)strlen(export->name) + 1;
        }
        world_u(w, edata + 20, 4, 32);
        world_u(w, edata + 24, 4, count);
        world_u(w, edata + 28, 4, WORLD_PE_FUNCTIONS);
        world_u(w, edata + 32, 4, WORLD_PE_NAMES);
        world_u(w, edata + 36, 4, WORLD_PE_ORDINALS);
}

static void put_debug(struct world *w, const struct world_pe *pe)
{
        uint64_t entry = pe->base + WORLD_PE_RDATA, record = pe->base + WORLD_PE_CODEVIEW;
        uint32_t len = 24 + (uint32_t)strlen(pe->pdb_path) + 1;

        world_u(w, world_pe_directory(pe, 6), 4, WORLD_PE_RDATA);
        world_u(w, world_pe_directory(pe, 6) + 4, 4, 56);
        world_u(w, entry + 12, 4, 13); /* IMAGE_DEBUG_TYPE_POGO, in front of the one we want */
        world_u(w, entry + 28 + 12, 4, 2);
        world_u(w, entry + 28 + 16, 4, len);
        world_u(w, entry + 28 + 20, 4, WORLD_PE_CODEVIEW);
        world_put(w, record, "RSDS", 4);
        for (unsigned i = 0; i < 16; i++)
                world_u(w, record + 4 + i, 1, i);
        world_u(w, record + 20, 4, 7);
        world_put(w, record + 24, pe->pdb_path, strlen(pe->pdb_path) + 1);
}

static void put_version(struct world *w, const struct world_pe *pe)
{
        uint64_t info = pe->base + WORLD_PE_VERSION;

        world_u(w, info, 4, 0xfeef04bd);
        world_u(w, info + 4, 4, 0x10000);
        world_u(w, info + 8, 4, (uint32_t)pe->version[0] << 16 | pe->version[1]);
        world_u(w, info + 12, 4, (uint32_t)pe->version[2] << 16 | pe->version[3]);
}

void world_pe(struct world *w, const struct world_pe *pe)
{
        world_map(w, pe->base, WORLD_PE_LEN);
        put_headers(w, pe);
        put_sections(w, pe);
        world_u(w, world_pe_directory(pe, 2), 4, WORLD_PE_RSRC);
        world_u(w, world_pe_directory(pe, 2) + 4, 4, 0x1000);
        if (pe->dll_name)
                put_exports(w, pe);
        if (pe->pdb_path)
                put_debug(w, pe);
        if (pe->version)
                put_version(w, pe);
}
