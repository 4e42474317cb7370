/* SPDX-License-Identifier: MIT */
/*
 * Places and names: Microsoft, "PE Format" (headers, section table, debug and export directories); the CodeView records
 * RSDS and NB10 are not in it: see the wire facts in debug_codeview().
 */
#include "pe.h"

#include "../../base/bytes.h"
#include "text.h"

enum {
        DOS_LEN = 0x40,
        DOS_LFANEW = 0x3c,
        DOS_LFANEW_MAX = 0x10000, /* the loader's own limit is the first mapped view; real kernels stay below 0x400 */
        PE_SIGNATURE = 0x4550,
        COFF_LEN = 24, /* with the signature before it */
        OPTIONAL_PE32 = 0x10b,
        OPTIONAL_PE32PLUS = 0x20b,
        OPTIONAL_LEN_MAX = 0x400,
        DIRECTORY_EXPORT = 0,
        DIRECTORY_RESOURCE = 2,
        DIRECTORY_EXCEPTION = 3,
        DIRECTORY_DEBUG = 6,
        DIRECTORY_LEN = 8,
        SECTION_LEN = 40,
        DEBUG_ENTRY_LEN = 28,
        DEBUG_ENTRIES_MAX = 64,
        DEBUG_CODEVIEW = 2,
        EXPORT_LEN = 40,
        PDB_PATH_MAX = 512
};

#define MAGIC_RSDS UINT32_C(0x53445352)
#define MAGIC_NB10 UINT32_C(0x3031424e)
#define MAGIC_FIXED_FILE_INFO UINT32_C(0xfeef04bd)
#define FIXED_FILE_INFO_VERSION UINT32_C(0x10000)
#define RESOURCE_SCAN_MAX (UINT32_C(16) << 20)
#define PAGE_LEN 0x1000u

static enum stasis_status pe_read(struct stasis_space *space, uint64_t va, void *buf, size_t len)
{
        return stasis_space_read(space, va, buf, len) == STASIS_OK ? STASIS_OK : STASIS_ABSENT;
}

enum pe_group pe_section_group(const struct pe_section *section)
{
        enum { DISCARDABLE = 0x02000000, EXECUTE = 0x20000000 };

        if (section->flags & DISCARDABLE)
                return PE_OTHER;
        if (section->flags & UINT32_C(0x80000000))
                return PE_WRITABLE;
        return section->flags & EXECUTE ? PE_OTHER : PE_CONSTANT;
}

static void take_part(const struct pe_image *pe, struct pe_part *part, uint64_t rva, uint64_t len)
{
        if (len > PE_PARTS_LEN_MAX - part->used)
                len = PE_PARTS_LEN_MAX - part->used;
        part->used += len;
        part->va = pe->base + rva;
        part->end = part->va + len;
}

bool pe_next_part(const struct pe_image *pe, enum pe_group group, struct pe_part *part)
{
        if (!pe->section_count && !part->next++) {
                take_part(pe, part, 0, pe->size);
                return true;
        }
        while (part->next < pe->section_count && part->used < PE_PARTS_LEN_MAX) {
                const struct pe_section *section = &pe->section[part->next++];

                if (pe_section_group(section) != group)
                        continue;
                take_part(pe, part, section->rva, section->size);
                return true;
        }
        return false;
}

/* ---------------------------------------------------------------- headers */

static void directory(const struct pe_image *pe, const uint8_t *table, size_t count, size_t index, uint32_t *ret_rva,
                      uint32_t *ret_len)
{
        if (index >= count)
                return;
        uint32_t rva = load_le32(table + index * DIRECTORY_LEN);
        uint32_t len = load_le32(table + index * DIRECTORY_LEN + 4);

        if (!rva || !pe_holds(pe, rva, len))
                return;
        *ret_rva = rva;
        *ret_len = len;
}

static enum stasis_status optional_header(struct stasis_space *space, uint64_t va, size_t len, struct pe_image *pe)
{
        uint8_t raw[OPTIONAL_LEN_MAX];

        if (len > sizeof(raw))
                len = sizeof(raw);
        if (len < 2)
                return STASIS_CORRUPT;
        if (pe_read(space, va, raw, len) != STASIS_OK)
                return STASIS_ABSENT;
        uint16_t magic = load_le16(raw);
        if (magic != OPTIONAL_PE32 && magic != OPTIONAL_PE32PLUS)
                return STASIS_CORRUPT;
        pe->is64 = magic == OPTIONAL_PE32PLUS;
        size_t fixed = pe->is64 ? 112 : 96;
        if (len < fixed)
                return STASIS_CORRUPT;
        pe->entry = load_le32(raw + 16);
        pe->os_major = load_le16(raw + 40);
        pe->os_minor = load_le16(raw + 42);
        pe->size = load_le32(raw + 56);
        pe->header_len = load_le32(raw + 60);
        pe->checksum = load_le32(raw + 64);
        uint64_t end;
        if (!pe->size || add_overflows(pe->base, pe->size - 1, &end))
                return STASIS_CORRUPT;
        size_t count = load_le32(raw + fixed - 4);
        if (count > (len - fixed) / DIRECTORY_LEN)
                count = (len - fixed) / DIRECTORY_LEN;
        directory(pe, raw + fixed, count, DIRECTORY_EXPORT, &pe->export_rva, &pe->export_len);
        directory(pe, raw + fixed, count, DIRECTORY_RESOURCE, &pe->resource_rva, &pe->resource_len);
        directory(pe, raw + fixed, count, DIRECTORY_EXCEPTION, &pe->exception_rva, &pe->exception_len);
        directory(pe, raw + fixed, count, DIRECTORY_DEBUG, &pe->debug_rva, &pe->debug_len);
        return STASIS_OK;
}

static void section_name(const uint8_t raw[8], char name[9])
{
        size_t i = 0;

        for (; i < 8 && raw[i]; i++)
                name[i] = raw[i] >= 0x20 && raw[i] < 0x7f ? (char)raw[i] : '?';
        name[i] = '\0';
}

/* A section table that is not there, or not all of it, costs its sections only. */
static void sections(struct stasis_space *space, uint64_t va, size_t count, struct pe_image *pe)
{
        for (size_t i = 0; i < count; i++) {
                uint8_t raw[SECTION_LEN];
                struct pe_section *section = &pe->section[pe->section_count];

                if (pe_read(space, va + i * SECTION_LEN, raw, sizeof(raw)) != STASIS_OK)
                        return;
                section_name(raw, section->name);
                section->rva = load_le32(raw + 12);
                section->size = load_le32(raw + 8) ? load_le32(raw + 8) : load_le32(raw + 16);
                section->flags = load_le32(raw + 36);
                if (section->rva >= pe->size)
                        continue;
                if (section->size > pe->size - section->rva)
                        section->size = pe->size - section->rva;
                pe->section_count++;
        }
}

/* ---------------------------------------------------------------- debug and export directories */

/*
 * RSDS: magic, GUID at 4, age at 20, path at 24. NB10 (before Visual C++ 7, so NT 4.0 and 2000): magic, offset,
 * timestamp at 8, age at 12, path at 16; it has no GUID, so that it gives a name only. Places as in LLVM's
 * llvm/include/llvm/Object/CVDebugRecord.h.
 */
static void debug_codeview(struct stasis_space *space, struct pe_image *pe, uint32_t rva, uint32_t len)
{
        uint8_t raw[24];
        char path[PDB_PATH_MAX];

        if (len < 16 || !pe_holds(pe, rva, len) || pe_read(space, pe->base + rva, raw, 16) != STASIS_OK)
                return;
        uint32_t magic = load_le32(raw);
        uint32_t head = magic == MAGIC_RSDS ? 24 : 16;
        if ((magic != MAGIC_RSDS && magic != MAGIC_NB10) || len < head ||
            pe_read(space, pe->base + rva, raw, head) != STASIS_OK)
                return;
        if (magic == MAGIC_RSDS) {
                memcpy(pe->pdb.guid, raw + 4, sizeof(pe->pdb.guid));
                pe->pdb.age = load_le32(raw + 20);
                pe->pdb_known = true;
        }
        size_t room = len - head + 1 < sizeof(path) ? len - head + 1 : sizeof(path);
        text_ascii(space, pe->base + rva + head, path, room);
        const char *name = text_basename(path);
        size_t name_len = strnlen(name, sizeof(pe->pdb_name) - 1);
        memcpy(pe->pdb_name, name, name_len);
        pe->pdb_name[name_len] = '\0';
}

static void debug_directory(struct stasis_space *space, struct pe_image *pe)
{
        size_t count = pe->debug_len / DEBUG_ENTRY_LEN;

        for (size_t i = 0; i < count && i < DEBUG_ENTRIES_MAX && !pe->pdb_known; i++) {
                uint8_t raw[DEBUG_ENTRY_LEN];

                if (pe_read(space, pe->base + pe->debug_rva + i * DEBUG_ENTRY_LEN, raw, sizeof(raw)) != STASIS_OK)
                        return;
                /* type at 12, size at 16, rva at 20: 0 where the record is in the file and not in memory */
                if (load_le32(raw + 12) == DEBUG_CODEVIEW && load_le32(raw + 20))
                        debug_codeview(space, pe, load_le32(raw + 20), load_le32(raw + 16));
        }
}

static void export_name(struct stasis_space *space, struct pe_image *pe)
{
        uint8_t raw[4];

        if (pe->export_len < EXPORT_LEN || pe_read(space, pe->base + pe->export_rva + 12, raw, 4) != STASIS_OK)
                return;
        uint32_t rva = load_le32(raw);
        if (rva && pe_holds(pe, rva, 1))
                text_ascii(space, pe->base + rva, pe->export_name, sizeof(pe->export_name));
}

enum stasis_status pe_open(struct stasis_space *space, uint64_t base, struct pe_image *ret_pe)
{
        uint8_t dos[DOS_LEN], coff[COFF_LEN];
        struct pe_image pe = { .base = base };

        if (pe_read(space, base, dos, sizeof(dos)) != STASIS_OK)
                return STASIS_ABSENT;
        uint32_t lfanew = load_le32(dos + DOS_LFANEW);
        if (dos[0] != 'M' || dos[1] != 'Z' || lfanew < 4 || lfanew > DOS_LFANEW_MAX)
                return STASIS_CORRUPT;
        if (pe_read(space, base + lfanew, coff, sizeof(coff)) != STASIS_OK)
                return STASIS_ABSENT;
        size_t count = load_le16(coff + 6);
        if (load_le32(coff) != PE_SIGNATURE || count > PE_SECTIONS_MAX)
                return STASIS_CORRUPT;
        pe.machine = load_le16(coff + 4);
        pe.timestamp = load_le32(coff + 8);
        size_t optional_len = load_le16(coff + 20);
        enum stasis_status status = optional_header(space, base + lfanew + COFF_LEN, optional_len, &pe);
        if (status != STASIS_OK)
                return status;
        sections(space, base + lfanew + COFF_LEN + optional_len, count, &pe);
        debug_directory(space, &pe);
        export_name(space, &pe);
        *ret_pe = pe;
        return STASIS_OK;
}

/* ---------------------------------------------------------------- file version */

/* VS_FIXEDFILEINFO at va: signature, structure version 1.0, then dwFileVersionMS and LS at 8 and 12 (Microsoft,
 * verrsrc.h). */
static bool fixed_file_info(struct stasis_space *space, uint64_t va, uint32_t ret_version[4])
{
        uint8_t raw[16];

        if (pe_read(space, va, raw, sizeof(raw)) != STASIS_OK || load_le32(raw + 4) != FIXED_FILE_INFO_VERSION)
                return false;
        ret_version[0] = load_le16(raw + 10);
        ret_version[1] = load_le16(raw + 8);
        ret_version[2] = load_le16(raw + 14);
        ret_version[3] = load_le16(raw + 12);
        return true;
}

enum stasis_status pe_file_version(struct stasis_space *space, const struct pe_image *pe, uint32_t ret_version[4])
{
        uint64_t va = pe->base + pe->resource_rva;
        uint32_t len = pe->resource_len < RESOURCE_SCAN_MAX ? pe->resource_len : RESOURCE_SCAN_MAX;

        for (uint64_t end = va + len; va < end; va = (va | (PAGE_LEN - 1)) + 1) {
                struct stasis_bytes view = stasis_space_view(space, va, end - va);

                for (size_t i = -va & 3; i + 4 <= view.len; i += 4)
                        if (load_le32(view.at + i) == MAGIC_FIXED_FILE_INFO &&
                            fixed_file_info(space, va + i, ret_version))
                                return STASIS_OK;
        }
        return STASIS_ABSENT;
}
