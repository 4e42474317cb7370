/* SPDX-License-Identifier: MIT */
/*
 * What an ELF file (vmlinux, .debug) tells of a kernel: section .BTF, else DWARF; symbols. Only the section headers are
 * our own business. Source: the System V gABI, "Sections"; sh_type 2 is SHT_SYMTAB, 8 SHT_NOBITS.
 */
#include <stdlib.h>

#include "../base/error.h"
#include "layout_dwarf.h"
#include "layout_symbols.h"

#define SECTIONS_MAX 4096 /* a vmlinux has about 80 */

struct elf {
        struct stasis_bytes file, names;
        bool is64;
        uint64_t shoff, count;
        size_t entry; /* size of a section header */
        const char *path;
};

struct section {
        const char *name;
        struct stasis_bytes bytes; /* {NULL, 0} where the file does not hold it */
        uint32_t type, link;
};

static const uint8_t *header(const struct elf *elf, uint64_t number)
{
        return number < elf->count ? elf->file.at + elf->shoff + number * elf->entry : NULL;
}

static bool section_at(const struct elf *elf, uint64_t number, struct section *ret)
{
        const uint8_t *h = header(elf, number);
        if (!h)
                return false;
        uint64_t off = elf->is64 ? load_le64(h + 24) : load_le32(h + 16);
        uint64_t len = elf->is64 ? load_le64(h + 32) : load_le32(h + 20);
        uint32_t name = load_le32(h);
        *ret = (struct section){ .name = "", .type = load_le32(h + 4), .link = load_le32(h + (elf->is64 ? 40 : 24)) };
        if (name < elf->names.len && memchr(elf->names.at + name, 0, elf->names.len - name))
                ret->name = (const char *)elf->names.at + name;
        if (ret->type != 8)
                ret->bytes = bytes_slice(elf->file, off, len);
        return true;
}

static enum stasis_status elf_open(struct stasis_bytes bytes, const char *path, struct elf *ret,
                                   struct stasis_error *err)
{
        const uint8_t *h = bytes.at;
        if (bytes.len < 64 || (h[4] != 1 && h[4] != 2))
                return stasis_fail(err, STASIS_CORRUPT, "%s: ELF: cut in its header", path);
        if (h[5] != 1)
                return stasis_fail(err, STASIS_UNSUPPORTED, "%s: ELF of a big-endian machine", path);
        struct elf elf = { .file = bytes, .is64 = h[4] == 2, .path = path };
        elf.shoff = elf.is64 ? load_le64(h + 40) : load_le32(h + 32);
        elf.entry = load_le16(h + (elf.is64 ? 58 : 46));
        elf.count = load_le16(h + (elf.is64 ? 60 : 48));
        uint16_t names = load_le16(h + (elf.is64 ? 62 : 50));
        struct section section;
        if (elf.entry < (elf.is64 ? 64u : 40u) || elf.count == 0 || elf.count > SECTIONS_MAX ||
            !bytes_slice(bytes, elf.shoff, elf.count * elf.entry).at)
                return stasis_fail(err, STASIS_CORRUPT, "%s: ELF: no section headers, or cut before them", path);
        if (section_at(&elf, names, &section))
                elf.names = section.bytes;
        *ret = elf;
        return STASIS_OK;
}

/* NULL names any. The first of this name and type. */
static bool section_find(const struct elf *elf, const char *name, uint32_t type, struct section *ret)
{
        for (uint64_t i = 0; i < elf->count; i++)
                if (section_at(elf, i, ret) && ret->bytes.at &&
                    (name ? strcmp(ret->name, name) == 0 : ret->type == type))
                        return true;
        return false;
}

/* One entry of .symtab: those with a name that stand in a section, or are absolute. */
static bool symbol_add(const struct elf *elf, struct symtab *symtab, const uint8_t *s, struct stasis_bytes strings)
{
        uint32_t name = load_le32(s);
        uint16_t shndx = load_le16(s + (elf->is64 ? 6 : 14));
        uint8_t type = s[elf->is64 ? 4 : 12] & 0xf; /* 3: section, 4: file */
        uint64_t value = elf->is64 ? load_le64(s + 8) : load_le32(s + 4);
        if (shndx == 0 || type == 3 || type == 4 || name >= strings.len)
                return true;
        const uint8_t *text = strings.at + name, *end = memchr(text, 0, strings.len - name);
        return !end || symtab_add(symtab, (const char *)text, (size_t)(end - text), value);
}

static enum stasis_status symbols_read(const struct elf *elf, struct stasis_layout **ret_layout,
                                       struct stasis_error *err)
{
        struct section table, strings;
        size_t size = elf->is64 ? 24 : 16;
        bool good = true;
        if (!section_find(elf, NULL, 2, &table) || !section_at(elf, table.link, &strings) || !strings.bytes.at)
                return STASIS_ABSENT;
        struct symtab *symtab = symtab_new(elf->path, elf->is64 ? 8 : 4);
        for (size_t at = 0; symtab && good && table.bytes.len - at >= size; at += size)
                good = symbol_add(elf, symtab, table.bytes.at + at, strings.bytes);
        if (!symtab || !good || !symtab_index(symtab)) {
                if (symtab)
                        stasis_layout_close(&symtab->layout);
                return stasis_fail(err, STASIS_NOMEM, "%s: no room for its symbols", elf->path);
        }
        *ret_layout = &symtab->layout;
        return STASIS_OK;
}

static enum stasis_status types_read(const struct elf *elf, struct stasis_layout **ret_layout, struct stasis_error *err)
{
        struct section section;
        if (section_find(elf, ".BTF", 0, &section))
                return stasis_layout_open_btf(section.bytes, elf->path, ret_layout, err);
        if (section_find(elf, ".debug_info", 0, &section) || section_find(elf, ".zdebug_info", 0, &section))
                return layout_dwarf_open(elf->path, elf->is64 ? 8 : 4, ret_layout, err);
        return STASIS_ABSENT;
}

/* Notes: name, description, type, padded to 4 bytes; NT_GNU_BUILD_ID is 3, of "GNU". (gABI, "Note Section") */
static struct stasis_bytes build_id(const struct elf *elf)
{
        struct section section;
        for (uint64_t i = 0; i < elf->count; i++) {
                if (!section_at(elf, i, &section) || section.type != 7)
                        continue;
                struct stasis_bytes left = section.bytes;
                while (left.len >= 12) {
                        uint64_t name = load_le32(left.at), len = load_le32(left.at + 4);
                        uint64_t from = 12 + (name + 3) / 4 * 4, next = from + (len + 3) / 4 * 4;
                        struct stasis_bytes id = bytes_slice(left, from, len);
                        if (id.at && load_le32(left.at + 8) == 3 && name == 4 && memcmp(left.at + 12, "GNU", 4) == 0)
                                return id;
                        if (next > left.len)
                                break;
                        left = bytes_slice(left, next, left.len - next);
                }
        }
        return (struct stasis_bytes){ NULL, 0 };
}

enum stasis_status elf_symbols_read(struct stasis_bytes bytes, const char *path, struct symbol_file *ret_file,
                                    struct stasis_error *err)
{
        struct elf elf = { 0 };
        struct symbol_file file = { 0 };
        enum stasis_status status = elf_open(bytes, path, &elf, err);
        if (status == STASIS_OK)
                status = types_read(&elf, &file.types, err);
        if (status == STASIS_OK || status == STASIS_ABSENT)
                status = symbols_read(&elf, &file.symbols, err);
        if (status == STASIS_ABSENT)
                status = file.types ? STASIS_OK
                                    : stasis_fail(err, STASIS_ABSENT, "%s: ELF without BTF, DWARF and symbols", path);
        if (status == STASIS_OK) {
                file.build_id = build_id(&elf);
                *ret_file = file;
        } else {
                stasis_layout_close(file.types);
        }
        return status;
}
